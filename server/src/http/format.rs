//! JSON or XML: `Content-Type`, `Accept` and `_format` (http.html#mime-type).

use super::failure::Failure;
use fhir::outcome::Code;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFormat {
    Resource(Format),
    JsonPatch,
    Form,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/fhir+json; charset=utf-8",
            Format::Xml => "application/fhir+xml; charset=utf-8",
        }
    }

    /// A media type or the short forms of `_format`; parameters are ignored, but for another FHIR version.
    fn named(text: &str) -> Option<Format> {
        match text {
            "json"
            | "application/json"
            | "text/json"
            | "application/fhir+json"
            | "application/json+fhir" => Some(Format::Json),
            "xml"
            | "application/xml"
            | "text/xml"
            | "application/fhir+xml"
            | "application/xml+fhir" => Some(Format::Xml),
            _ => None,
        }
    }
}

/// `_format` wins over `Accept`; of several acceptable types the one of highest weight, JSON before XML.
pub fn answer_format(parameter: Option<&str>, accept: Option<&str>) -> Result<Format, Failure> {
    if let Some(text) = parameter {
        // A `+` of an unescaped query arrives as a space.
        let name = essence(text).replace(' ', "+");
        return Format::named(&name).ok_or_else(|| {
            let text = format!("_format={text} is not supported; use json or xml");
            Failure::new(406, Code::NotSupported, text)
        });
    }
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Ok(Format::Json);
    };
    let mut best: Option<(f32, Format)> = None;
    for part in accept.split(',') {
        let name = essence(part);
        let format = match name.as_str() {
            "*/*" | "application/*" => Some(Format::Json),
            "text/*" => Some(Format::Xml),
            name => Format::named(name),
        };
        let weight = weight(part);
        if let Some(format) = format.filter(|_| weight > 0.0 && is_r4(part))
            && best.is_none_or(|(heaviest, _)| weight > heaviest)
        {
            best = Some((weight, format));
        }
    }
    // A browser's own list names text/html first and */* last: it gets JSON.
    best.map(|(_, format)| format).ok_or_else(|| {
        let text = format!("none of `{accept}` can be answered; use application/fhir+json or application/fhir+xml, FHIR version 4.0");
        Failure::new(406, Code::NotSupported, text)
    })
}

pub fn body_format(content_type: Option<&str>) -> Result<BodyFormat, Failure> {
    let Some(text) = content_type else {
        return Err(unsupported(
            "a body needs a Content-Type: application/fhir+json or application/fhir+xml",
        ));
    };
    if let Some(charset) = parameter(text, "charset")
        && !["utf-8", "utf8", "us-ascii"].contains(&charset.to_ascii_lowercase().as_str())
    {
        return Err(unsupported(&format!("charset {charset} is not supported; send UTF-8")));
    }
    if !is_r4(text) {
        return Err(unsupported("this server speaks FHIR version 4.0"));
    }
    match essence(text).as_str() {
        "application/json-patch+json" => Ok(BodyFormat::JsonPatch),
        "application/x-www-form-urlencoded" => Ok(BodyFormat::Form),
        name => Format::named(name).map(BodyFormat::Resource).ok_or_else(|| {
            unsupported(&format!(
                "Content-Type {name} is not supported; send application/fhir+json or application/fhir+xml"
            ))
        }),
    }
}

fn unsupported(text: &str) -> Failure {
    Failure::new(415, Code::NotSupported, text)
}

fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn is_r4(text: &str) -> bool {
    parameter(text, "fhirVersion").is_none_or(|version| version == "4.0" || version == "4.0.1")
}

fn weight(text: &str) -> f32 {
    parameter(text, "q").map_or(1.0, |weight| weight.parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::{BodyFormat, Format, answer_format, body_format};

    fn check(parameter: Option<&str>, accept: Option<&str>, expected: Result<Format, u16>) {
        let found = answer_format(parameter, accept).map_err(|failure| failure.status);
        assert_eq!(found, expected, "{parameter:?} {accept:?}");
    }

    #[test]
    fn the_answer_has_the_format_asked_for() {
        check(None, None, Ok(Format::Json));
        check(None, Some("application/fhir+xml"), Ok(Format::Xml));
        check(None, Some("application/xml;q=0.5, application/fhir+json;q=0.9"), Ok(Format::Json));
        check(None, Some("text/html, */*;q=0.1"), Ok(Format::Json));
        check(Some("xml"), Some("application/json"), Ok(Format::Xml));
        check(Some("application/fhir xml"), None, Ok(Format::Xml));
        check(None, Some("text/csv"), Err(406));
        check(None, Some("application/fhir+json; fhirVersion=3.0"), Err(406));
        check(Some("ttl"), None, Err(406));
    }

    #[test]
    fn the_body_has_a_known_type() {
        let found = |text: &str| body_format(Some(text)).map_err(|failure| failure.status);
        assert_eq!(
            found("application/fhir+json; charset=UTF-8"),
            Ok(BodyFormat::Resource(Format::Json))
        );
        assert_eq!(found("application/json-patch+json"), Ok(BodyFormat::JsonPatch));
        assert_eq!(found("text/plain"), Err(415));
        assert_eq!(found("application/fhir+json; charset=gb18030"), Err(415));
        assert_eq!(body_format(None).map_err(|failure| failure.status), Err(415));
    }
}
