//! A FHIR request, whether it came over HTTP or as an entry of a bundle.

use super::body::Body;
use super::etag::Condition;
use super::failure::Failure;
use super::format::Format;
use super::preferences::Preferences;
use super::target::{Method, Target};
use access::{Caller, Interaction};
use std::net::IpAddr;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub struct Request {
    /// Shared by everything that happens for one HTTP request; also the header X-Request-Id, unless a trusted proxy chose one.
    pub id: Uuid,
    /// Where it came from.
    pub address: Option<IpAddr>,
    pub caller: Caller,
    pub method: Method,
    pub target: Target,
    pub interaction: Interaction,
    /// Decoded, in order; those of a form body included.
    pub query: Vec<(String, String)>,
    pub headers: Headers,
    pub body: Option<Body>,
    pub presentation: Presentation,
}

#[derive(Clone, Debug, Default)]
pub struct Headers {
    pub if_match: Option<Condition>,
    pub if_none_match: Option<Condition>,
    /// Seconds since 1970.
    pub if_modified_since: Option<i64>,
    /// The text of conditional criteria.
    pub if_none_exist: Option<String>,
    pub idempotency_key: Option<String>,
    pub preferences: Preferences,
}

/// How the answer is to look.
#[derive(Clone, Copy, Debug)]
pub struct Presentation {
    pub format: Format,
    pub pretty: bool,
}

/// Parameters about the presentation, which are no search criteria.
pub const PRESENTATION: [&str; 4] = ["_format", "_pretty", "_summary", "_elements"];

impl Request {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Parameters other than those about the presentation.
    pub fn criteria(&self) -> Vec<(String, String)> {
        let is_criterion = |name: &str| !PRESENTATION.contains(&name);
        self.query.iter().filter(|(name, _)| is_criterion(name)).cloned().collect()
    }

    /// Refuses every parameter that the interaction does not take: ignoring one would answer something else than was asked.
    pub fn allow_parameters(&self, names: &[&str]) -> Result<(), Failure> {
        match self.query.iter().find(|(name, _)| {
            !PRESENTATION.contains(&name.as_str()) && !names.contains(&name.as_str())
        }) {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(64).collect();
                let known: Vec<&str> = names.iter().chain(&PRESENTATION).copied().collect();
                Err(Failure::not_supported(format!(
                    "unknown parameter `{name}`; {} takes: {}",
                    self.interaction.code(),
                    known.join(", ")
                )))
            }
        }
    }
}

/// Splits and decodes a query string or a form: `+` is a space, `%XX` a byte of UTF-8.
pub fn parse_query(text: &str) -> Result<Vec<(String, String)>, Failure> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

/// Percent-decoding; a `+` is a space in a query, and itself in a path.
pub fn decode(text: &str, plus_is_space: bool) -> Result<String, Failure> {
    let malformed = || {
        Failure::bad_request(
            "malformed percent-encoding: `%` takes two hexadecimal digits of UTF-8",
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value =
                    high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                bytes.push(value.ok_or_else(malformed)?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

/// The reverse, for links: everything but unreserved characters and those that read better as they are.
pub fn encode(text: &str) -> String {
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
    use super::{encode, parse_query};

    #[test]
    fn queries_are_decoded_once() {
        let found = parse_query("name=%E7%8E%8B+x&a=%2525&b").unwrap();
        let expected = [("name", "王 x"), ("a", "%25"), ("b", "")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn malformed_encoding_is_refused() {
        for text in ["a=%", "a=%G1", "a=%E7%8E", "%C3=1"] {
            assert!(parse_query(text).is_err(), "{text}");
        }
    }

    #[test]
    fn links_can_be_read_back() {
        let text = "王 a+b&c=%";
        let query = format!("x={}", encode(text));
        assert_eq!(parse_query(&query).unwrap(), [("x".to_owned(), text.to_owned())]);
    }
}
