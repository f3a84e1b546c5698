//! The text of a query as clauses (search.html). Values are parsed here once; nobody reads the text again.

use crate::date::{self, Range};
use crate::error::Error;
use crate::key::version_key_at;
use crate::parameter::{reference, string, token, uri};
use crate::registry::{self, Parameter};
use fhir::definitions::ParameterKind;
use jiff::tz::TimeZone;
use serde_json::Value;
use strsim::damerau_levenshtein;

/// What a search asks: all clauses hold.
#[derive(Clone, Debug)]
pub struct Query {
    pub resource: &'static str,
    pub clauses: Vec<Clause>,
    /// Unknown parameters that a lenient search left out.
    pub ignored: Vec<String>,
    /// The version key after which the page begins.
    pub after: Option<i64>,
    text: Vec<(String, String)>,
}

/// One parameter: any of its values.
#[derive(Clone, Debug)]
pub enum Clause {
    Id(Vec<String>),
    LastUpdated(Vec<KeyRange>),
    Token(&'static Parameter, Vec<token::Wanted>),
    Reference(&'static Parameter, Vec<reference::Wanted>),
    Uri(&'static Parameter, Vec<String>),
    String(&'static Parameter, Vec<String>),
}

/// Version keys from `low` until before `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub low: i64,
    pub high: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Refuse,
    /// Leave out and report in `ignored`.
    Report,
}

/// What a query cannot say itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub base_url: &'a str,
    /// What a date without an offset means.
    pub time_zone: &'a TimeZone,
    pub unknown: Unknown,
}

const CLAUSES_MAX: usize = 50;
const VALUES_MAX: usize = 1_000;
const VALUE_BYTES_MAX: usize = 2_000;

impl Query {
    /// `pairs` are decoded, without the parameters about paging and presentation.
    pub fn parse(
        resource: &'static str,
        pairs: &[(String, String)],
        context: &Context,
    ) -> Result<Query, Error> {
        if pairs.len() > CLAUSES_MAX {
            return Err(Error::TooMany {
                what: "parameters",
                found: pairs.len(),
                most: CLAUSES_MAX,
            });
        }
        let mut query = Query {
            resource,
            clauses: Vec::new(),
            ignored: Vec::new(),
            after: None,
            text: Vec::new(),
        };
        for (name, text) in pairs {
            match clause(resource, name, text, context) {
                Ok(clause) => {
                    query.clauses.push(clause);
                    query.text.push((name.clone(), text.clone()));
                }
                Err(Error::UnknownParameter { name, .. }) if context.unknown == Unknown::Report => {
                    query.ignored.push(name);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(query)
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The query as it was understood, percent-encoded, for links and for the record.
    pub fn canonical(&self) -> String {
        let parts: Vec<String> = self
            .text
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        parts.join("&")
    }

    /// Whether this resource matches, by its body: exact where keys could collide.
    pub fn holds(&self, resource: &Value, base_url: &str) -> bool {
        self.clauses.iter().all(|clause| match clause {
            Clause::Id(ids) => {
                resource["id"].as_str().is_some_and(|id| ids.iter().any(|wanted| wanted == id))
            }
            // The time of a version is in its row, and was compared there.
            Clause::LastUpdated(_) => true,
            Clause::Token(parameter, wanted) => token::holds(parameter, wanted, resource),
            Clause::Reference(parameter, wanted) => {
                reference::holds(parameter, wanted, resource, base_url)
            }
            Clause::Uri(parameter, wanted) => uri::holds(parameter, wanted, resource),
            Clause::String(parameter, wanted) => string::holds(parameter, wanted, resource),
        })
    }
}

fn clause(
    resource: &'static str,
    name: &str,
    text: &str,
    context: &Context,
) -> Result<Clause, Error> {
    let (code, modifier) = match name.split_once(':') {
        Some((code, modifier)) => (code, Some(modifier)),
        None => (name, None),
    };
    if code.contains('.') || code == "_has" {
        return Err(Error::NotSupported(format!(
            "`{}`: chained parameters are not supported yet",
            short(name)
        )));
    }
    let Some(parameter) = registry::find(resource, code) else {
        return Err(unknown(resource, code));
    };
    if let Some(modifier) = modifier {
        return Err(Error::NotSupported(format!(
            "the modifier `:{}` of `{code}` is not supported yet",
            short(modifier)
        )));
    }
    if !parameter.is_supported() {
        return Err(Error::NotSupported(format!(
            "`{code}` is a parameter of {resource}, but parameters of type {} are not supported yet",
            parameter.kind.code()
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::value(code, "control characters have no place in a value"));
    }
    let values = values(code, text)?;
    match parameter.kind {
        ParameterKind::Token if code == "_id" => {
            each(code, &values, |value| Ok(token::unescape(value))).map(Clause::Id)
        }
        ParameterKind::Token => {
            each(code, &values, token::Wanted::parse).map(|wanted| Clause::Token(parameter, wanted))
        }
        ParameterKind::Reference => {
            let wanted = each(code, &values, |value| {
                reference::Wanted::parse(&token::unescape(value), context.base_url)
            })?;
            Ok(Clause::Reference(parameter, wanted))
        }
        ParameterKind::Uri => {
            each(code, &values, uri::parse).map(|wanted| Clause::Uri(parameter, wanted))
        }
        ParameterKind::String => {
            each(code, &values, string::parse).map(|wanted| Clause::String(parameter, wanted))
        }
        ParameterKind::Date => {
            let mut ranges = Vec::new();
            for value in values {
                ranges.extend(
                    key_ranges(value, context.time_zone)
                        .map_err(|reason| Error::value(code, reason))?,
                );
            }
            Ok(Clause::LastUpdated(ranges))
        }
        ParameterKind::Number
        | ParameterKind::Quantity
        | ParameterKind::Composite
        | ParameterKind::Special => Err(unknown(resource, code)),
    }
}

/// Known to the specification for every search, but not to this server yet.
const STANDARD: [&str; 15] = [
    "_sort",
    "_include",
    "_revinclude",
    "_contained",
    "_containedType",
    "_filter",
    "_has",
    "_list",
    "_query",
    "_text",
    "_content",
    "_type",
    "_score",
    "_in",
    "_maxresults",
];

fn unknown(resource: &'static str, code: &str) -> Error {
    if STANDARD.contains(&code) {
        return Error::NotSupported(format!("`{code}` is not supported yet"));
    }
    let mut known: Vec<&str> =
        registry::supported(resource).map(|parameter| parameter.code).collect();
    // What resembles the name comes first.
    known.sort_by_key(|known| (damerau_levenshtein(known, &short(code)).min(4), *known));
    Error::UnknownParameter { resource, name: short(code), known: known.join(", ") }
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Splits at the commas that are not escaped.
fn values<'a>(code: &str, text: &'a str) -> Result<Vec<&'a str>, Error> {
    let mut values = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (place, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            ',' if !escaped => {
                values.push(text.get(start..place).unwrap_or_default());
                start = place + 1;
            }
            _ => escaped = false,
        }
    }
    values.push(text.get(start..).unwrap_or_default());
    if values.len() > VALUES_MAX {
        return Err(Error::TooMany { what: "values", found: values.len(), most: VALUES_MAX });
    }
    match values.iter().find(|value| value.len() > VALUE_BYTES_MAX) {
        Some(_) => {
            Err(Error::value(code, format!("a value is longer than {VALUE_BYTES_MAX} bytes")))
        }
        None => Ok(values),
    }
}

fn each<T>(
    code: &str,
    values: &[&str],
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, Error> {
    values.iter().map(|value| parse(value).map_err(|reason| Error::value(code, reason))).collect()
}

/// A date with its prefix as ranges of version keys (search.html#prefix).
fn key_ranges(text: &str, zone: &TimeZone) -> Result<Vec<KeyRange>, String> {
    let (prefix, rest) = match text.get(..2) {
        Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            (prefix, text.get(2..).unwrap_or_default())
        }
        _ => ("eq", text),
    };
    let Range { low, high } = date::parse(rest, zone)?;
    let (low, high) = (version_key_at(low), version_key_at(high));
    let all = |low, high| KeyRange { low, high };
    Ok(match prefix {
        "eq" => vec![all(low, high)],
        "ne" => vec![all(0, low), all(high, i64::MAX)],
        "gt" | "sa" => vec![all(high, i64::MAX)],
        "ge" => vec![all(low, i64::MAX)],
        "lt" | "eb" => vec![all(0, low)],
        "le" => vec![all(0, high)],
        "ap" => return Err("the prefix `ap` is not supported yet".to_owned()),
        other => {
            return Err(format!("`{other}` is not a prefix; use eq, ne, gt, ge, lt, le, sa or eb"));
        }
    })
}

/// Percent-encodes what a link cannot hold.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,|$".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Context, Query, Unknown};
    use jiff::tz::TimeZone;
    use proptest::prelude::{any, proptest};

    fn parse(
        resource: &'static str,
        pairs: &[(&str, &str)],
        unknown: Unknown,
    ) -> Result<Query, String> {
        let zone = TimeZone::UTC;
        let context = Context { base_url: "http://here/fhir", time_zone: &zone, unknown };
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Query::parse(resource, &pairs, &context).map_err(|error| error.to_string())
    }

    fn refused(name: &str, value: &str, expected: &str) {
        let error = parse("Patient", &[(name, value)], Unknown::Refuse).unwrap_err();
        assert!(error.contains(expected), "{name}={value}: {error}");
    }

    #[test]
    fn what_is_not_supported_is_refused_even_when_lenient() {
        for name in [
            "name:exact",
            "general-practitioner.name",
            "_has:Observation:patient:code",
            "birthdate",
            "_sort",
            "_include",
        ] {
            let error = parse("Patient", &[(name, "x")], Unknown::Report).unwrap_err();
            assert!(error.contains("not supported yet"), "{name}: {error}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_or_reported() {
        refused("nmae", "x", "unknown parameter `nmae`; Patient has: ");
        refused("identifer", "x", "Patient has: identifier,");
        let query = parse("Patient", &[("nmae", "x"), ("name", "y")], Unknown::Report).unwrap();
        assert_eq!((query.ignored, query.clauses.len()), (vec!["nmae".to_owned()], 1));
    }

    #[test]
    fn bad_values_are_refused() {
        refused("_lastUpdated", "yesterday", "not a date");
        refused("_lastUpdated", "xx2026", "not a prefix");
        refused("identifier", "", "a value is missing");
        refused("identifier", "|", "a value is missing");
        refused("name", "a\u{0}b", "control characters");
        refused("name", &"a".repeat(3_000), "longer than");
        refused("identifier", &"a,".repeat(2_000), "too many values");
    }

    #[test]
    fn the_understood_query_can_be_sent_again() {
        let query = parse("Patient", &[("name", "王 &b"), ("x", "y")], Unknown::Report).unwrap();
        assert_eq!(query.canonical(), "name=%E7%8E%8B%20%26b");
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(name in any::<String>(), value in any::<String>()) {
            let _ = parse("Patient", &[(&name, &value), ("identifier", &value), ("name", &value), ("_lastUpdated", &value)], Unknown::Report);
        }
    }
}
