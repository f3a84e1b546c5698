//! A token as text: three parts, two of them JSON, read so strictly that nobody can read another token out of it (RFC 7515, 9068).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::json::{self, Limits};
use serde_json::{Map, Value};

/// More than any header that a proxy lets through.
pub(super) const BYTES_MAX: usize = 16 * 1_024;

/// Of a key's name.
pub(super) const KID_MAX: usize = 256;

const LIMITS: Limits = Limits { depth_max: 16, nodes_max: 2_000 };

/// What a token says, nothing of it verified.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: String,
    pub(super) kid: String,
    pub(super) claims: Value,
    /// What is signed: header and payload as they came.
    pub(super) message: &'a str,
    /// As it came; it decodes.
    pub(super) signature: &'a str,
}

/// How a token is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Whoever has it may use it (RFC 6750).
    Bearer,
    /// With a proof that a key is had, too (RFC 9449).
    Proof,
}

/// Header and payload of what is signed, nothing of it verified.
pub(super) struct Signed<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) payload: Map<String, Value>,
    /// What is signed: both as they came.
    pub(super) message: &'a str,
    /// As it came; it decodes.
    pub(super) signature: &'a str,
}

/// The token of the only `Authorization` header there is.
pub(super) fn shown<'a>(authorization: &[&'a str]) -> Result<(Scheme, &'a str), &'static str> {
    let value = match authorization {
        [] => return Err("no token"),
        [value] => *value,
        [_, _, ..] => return Err("several tokens"),
    };
    let (scheme, token) = value.split_once(' ').ok_or("no bearer token")?;
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Scheme::Proof
    } else {
        return Err("no bearer token");
    };
    if token.len() > BYTES_MAX { Err("too long") } else { Ok((scheme, token)) }
}

pub(super) fn signed(text: &str) -> Result<Signed<'_>, &'static str> {
    let malformed = "not a signed token";
    let (message, signature) = text.rsplit_once('.').ok_or(malformed)?;
    let (header, payload) = message.split_once('.').ok_or(malformed)?;
    if payload.contains('.') || URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Err(malformed);
    }
    let header = object(header)?;
    // There is no extension that we know, and none may be passed over.
    if header.contains_key("crit") {
        return Err("critical extension");
    }
    Ok(Signed { header, payload: object(payload)?, message, signature })
}

pub(super) fn read(token: &str) -> Result<Token<'_>, &'static str> {
    let Signed { header, payload, message, signature } = signed(token)?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let algorithm = text("alg").ok_or("algorithm")?.to_owned();
    if !matches!(text("typ"), Some("at+jwt" | "application/at+jwt")) {
        return Err("not an access token");
    }
    let kid = text("kid").filter(|kid| (1..=KID_MAX).contains(&kid.len())).ok_or("no key named")?;
    let kid = kid.to_owned();
    Ok(Token { algorithm, kid, claims: Value::Object(payload), message, signature })
}

/// A part of a token: without padding, without duplicate members, without anything around it.
fn object(part: &str) -> Result<Map<String, Value>, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "not base64url")?;
    // Beginning and end are those of the object: no byte order mark, no white space, no NUL.
    if !(bytes.starts_with(b"{") && bytes.ends_with(b"}")) {
        return Err("not a JSON object");
    }
    match json::parse(&bytes, &LIMITS) {
        Ok(Value::Object(members)) if !members.iter().any(has_nul) => Ok(members),
        Ok(_) | Err(_) => Err("not a JSON object"),
    }
}

/// Where one reader ends and another goes on.
fn has_nul((name, value): (&String, &Value)) -> bool {
    fn within(value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(within),
            Value::Object(members) => members.iter().any(has_nul),
        }
    }
    name.contains('\0') || within(value)
}
