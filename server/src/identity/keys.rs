//! Public keys of an issuer: a JSON Web Key Set, of which only what is safe to use is kept (RFC 7517, 7518, 8037).

use super::token::KID_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::json::{self, Limits};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const KEYS_MAX: usize = 64;
const LIMITS: Limits = Limits { depth_max: 16, nodes_max: 10_000 };

const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 8_192;

/// Those that need no shared secret, by their names in RFC 7518.
pub static ALGORITHMS: [(&str, Algorithm); 7] = [
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("EdDSA", Algorithm::EdDSA),
];

/// Byte by byte: `es256` and `none` are no algorithms.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

#[derive(Debug)]
pub(super) struct Key {
    decoding: DecodingKey,
    /// What the key itself is for.
    algorithms: Vec<Algorithm>,
}

impl Key {
    /// None of what is not safe to use.
    pub(super) fn read(jwk: &Map<String, Value>) -> Option<Key> {
        key(jwk)
    }

    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        self.is_for(algorithm)
            && jsonwebtoken::crypto::verify(
                signature,
                message.as_bytes(),
                &self.decoding,
                algorithm,
            )
            .unwrap_or(false)
    }
}

#[derive(Debug)]
pub(super) struct KeySet {
    keys: HashMap<String, Arc<Key>>,
    /// Of the text it came as: tells whether another one is the same.
    pub(super) digest: [u8; 32],
}

impl KeySet {
    pub(super) fn find(&self, kid: &str) -> Option<Arc<Key>> {
        self.keys.get(kid).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many there are for it.
    pub(super) fn count(&self, algorithm: Algorithm) -> usize {
        self.keys.values().filter(|key| key.is_for(algorithm)).count()
    }

    /// Keys that cannot be used are left out; a name that two keys have names neither.
    pub(super) fn read(bytes: &[u8]) -> Result<KeySet, String> {
        let document = json::parse(bytes, &LIMITS).map_err(|error| error.to_string())?;
        let list = document.get("keys").and_then(Value::as_array).ok_or("it has no `keys`")?;
        if list.len() > KEYS_MAX {
            return Err(format!("it has {} keys; {KEYS_MAX} are the most", list.len()));
        }
        let mut keys = HashMap::new();
        let mut seen = HashSet::new();
        for jwk in list.iter().filter_map(Value::as_object) {
            let Some(kid) = jwk.get("kid").and_then(Value::as_str) else { continue };
            if kid.is_empty() || kid.len() > KID_MAX {
                continue;
            }
            if !seen.insert(kid) {
                keys.remove(kid);
            } else if let Some(key) = Key::read(jwk) {
                keys.insert(kid.to_owned(), Arc::new(key));
            }
        }
        Ok(KeySet { keys, digest: Sha256::digest(bytes).into() })
    }
}

fn key(jwk: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if jwk.contains_key("use") && text("use") != Some("sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let (decoding, mut algorithms) = match (text("kty")?, text("crv")) {
        ("EC", Some("P-256")) => (curve(jwk, 32)?, vec![Algorithm::ES256]),
        ("EC", Some("P-384")) => (curve(jwk, 48)?, vec![Algorithm::ES384]),
        ("OKP", Some("Ed25519")) => {
            (bytes(jwk, "x")?.len() == 32).then_some(())?;
            (DecodingKey::from_ed_components(text("x")?).ok()?, vec![Algorithm::EdDSA])
        }
        ("RSA", None) => {
            use Algorithm::{PS256, PS384, RS256, RS384};
            (rsa(jwk)?, vec![RS256, RS384, PS256, PS384])
        }
        _ => return None,
    };
    if let Some(name) = jwk.get("alg") {
        let named = name.as_str().and_then(algorithm)?;
        algorithms.retain(|algorithm| *algorithm == named);
    }
    (!algorithms.is_empty()).then_some(Key { decoding, algorithms })
}

fn curve(jwk: &Map<String, Value>, coordinate_bytes: usize) -> Option<DecodingKey> {
    let has_length = |name: &str| bytes(jwk, name).is_some_and(|it| it.len() == coordinate_bytes);
    if !has_length("x") || !has_length("y") {
        return None;
    }
    DecodingKey::from_ec_components(jwk.get("x")?.as_str()?, jwk.get("y")?.as_str()?).ok()
}

fn rsa(jwk: &Map<String, Value>) -> Option<DecodingKey> {
    let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let modulus = modulus.get(start..)?;
    let bits = modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    // With an exponent of 1 everybody signs.
    let is_odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    let is_one = exponent.iter().map(|byte| u32::from(*byte)).sum::<u32>() == 1;
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) || exponent.len() > 4 || !is_odd || is_one {
        return None;
    }
    Some(DecodingKey::from_rsa_raw_components(modulus, &exponent))
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok()
}
