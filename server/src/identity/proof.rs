//! A proof that who shows a token has the key that it is bound to (RFC 9449, sections 4.2 and 4.3).

use super::binding::Thumbprint;
use super::keys::{Key, algorithm};
use super::token::{Signed, signed};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

const BYTES_MAX: usize = 8 * 1_024;

/// Between the making of a proof and its use, by both clocks.
pub(super) const AGE_SECONDS_MAX: i64 = 60;

/// Of the name of a proof.
const ID_BYTES_MAX: usize = 256;

/// Members of a key that only its owner may know (RFC 7518, section 6).
const PRIVATE: [&str; 10] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "r", "t"];

/// What a proof is about.
pub(super) struct Use<'a> {
    pub(super) token: &'a str,
    pub(super) method: &'a str,
    /// As the client sees it.
    pub(super) address: &'a str,
    pub(super) now: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) key: Thumbprint,
    /// Of this key's proofs no other has it.
    pub(super) id: String,
    pub(super) issued: i64,
}

/// Whether it was seen before is for others to say.
pub(super) fn check(proofs: &[&str], about: &Use<'_>) -> Result<Proof, &'static str> {
    let text = match proofs {
        [] => return Err("no proof"),
        [text] if text.len() <= BYTES_MAX => *text,
        [_] => return Err("proof: too long"),
        [_, _, ..] => return Err("several proofs"),
    };
    let Signed { header, payload, message, signature } =
        signed(text).map_err(|_| "proof: not a signed token")?;
    if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
        return Err("proof: not a proof");
    }
    let named = header.get("alg").and_then(Value::as_str).and_then(algorithm);
    let algorithm = named.ok_or("proof: algorithm")?;
    let jwk = header.get("jwk").and_then(Value::as_object).ok_or("proof: no key")?;
    if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return Err("proof: private key");
    }
    let key = Key::read(jwk).ok_or("proof: unusable key")?;
    if !key.is_for(algorithm) {
        return Err("proof: algorithm");
    }
    if !key.verifies(algorithm, message, signature) {
        return Err("proof: signature");
    }
    let claim = |name: &str| payload.get(name).and_then(Value::as_str);
    if claim("htm") != Some(about.method) {
        return Err("proof: another method");
    }
    let is_meant = |htu: &str| {
        let asked = normal(about.address);
        asked.is_some() && normal(htu) == asked
    };
    if !claim("htu").is_some_and(is_meant) {
        return Err("proof: another address");
    }
    let issued = payload.get("iat").and_then(Value::as_i64).filter(|seconds| *seconds >= 0);
    let issued = issued.ok_or("proof: malformed time")?;
    if (about.now - issued).abs() > AGE_SECONDS_MAX {
        return Err("proof: not of now");
    }
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(about.token));
    if claim("ath") != Some(hash.as_str()) {
        return Err("proof: another token");
    }
    let id = claim("jti").filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
    let id = id.ok_or("proof: no name")?.to_owned();
    Ok(Proof { key: thumbprint(jwk).ok_or("proof: unusable key")?, id, issued })
}

/// RFC 7638: the members that make the key, in the order of their names.
pub(super) fn thumbprint(jwk: &Map<String, Value>) -> Option<Thumbprint> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let mut members = Map::new();
    for name in names {
        members.insert((*name).to_owned(), json!(jwk.get(*name)?.as_str()?));
    }
    Some(Sha256::digest(Value::Object(members).to_string()).into())
}

/// An address without query and fragment, in the one spelling that its syntax has (RFC 3986, sections 6.2.2 and 6.2.3).
fn normal(address: &str) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(respelt(url.as_str()))
}

/// `%7e` and `%7E` are both `~`; what has to be escaped is so in capitals.
fn respelt(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let digits =
            after.get(..2).filter(|digits| digits.bytes().all(|it| it.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok().zip(Some(digits))) {
            Some((byte, _)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
            }
            Some((_, digits)) => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
            None => out.push('%'),
        }
        rest = if digits.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out.push_str(rest);
    out
}
