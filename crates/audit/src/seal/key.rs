//! Who signs and who verifies: Ed25519 keys with a name (C2SP signed-note).

use super::Error;
use super::tree::Digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// Signature type of Ed25519.
const ED25519_TYPE: u8 = 1;
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// Signs heads. Ed25519 needs no randomness to sign.
pub struct Signer {
    verifier: Verifier,
    pair: Ed25519KeyPair,
}

/// Verifies what the signer of the same name and key signed. Shown as `name+id+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl Signer {
    /// From PKCS#8 in PEM, as `bund audit key` and `openssl genpkey -algorithm ed25519` write it.
    pub fn from_pem(name: &str, pem: &str) -> Result<Signer, Error> {
        let (_, rest) = pem.split_once(BEGIN).ok_or(Error::PrivateKey)?;
        let (body, _) = rest.split_once(END).ok_or(Error::PrivateKey)?;
        let body: String = body.split_whitespace().collect();
        let bytes = STANDARD.decode(body).map_err(|_| Error::PrivateKey)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes);
        Signer::of(name, pair.map_err(|_| Error::PrivateKey)?)
    }

    /// From 32 secret bytes.
    pub fn from_seed(name: &str, seed: &[u8]) -> Result<Signer, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Signer::of(name, pair.map_err(|_| Error::PrivateKey)?)
    }

    fn of(name: &str, pair: Ed25519KeyPair) -> Result<Signer, Error> {
        let mut key = [0; 32];
        key.copy_from_slice(pair.public_key().as_ref());
        Ok(Signer { verifier: Verifier::new(name, key)?, pair })
    }

    pub fn to_pem(&self) -> Result<String, Error> {
        let bytes = self.pair.to_pkcs8v1().map_err(|_| Error::PrivateKey)?;
        Ok(format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(bytes.as_ref())))
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(super) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "Signer({})", self.verifier.name)
    }
}

impl Verifier {
    fn new(name: &str, key: [u8; 32]) -> Result<Verifier, Error> {
        let is_plain = |character: char| !character.is_whitespace() && character != '+';
        if name.is_empty() || name.len() > 255 || !name.chars().all(is_plain) {
            return Err(Error::Name(name.chars().take(255).collect()));
        }
        let named = [name.as_bytes(), &[b'\n', ED25519_TYPE], &key].concat();
        let [a, b, c, d, ..] = Digest::of(&named).0;
        Ok(Verifier { name: name.to_owned(), id: [a, b, c, d], key })
    }

    pub fn parse(text: &str) -> Result<Verifier, Error> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::VerifierKey);
        };
        let bytes = STANDARD.decode(key).map_err(|_| Error::VerifierKey)?;
        let Some((&ED25519_TYPE, key)) = bytes.split_first() else {
            return Err(Error::VerifierKey);
        };
        let verifier = Verifier::new(name, key.try_into().map_err(|_| Error::VerifierKey)?)?;
        let is_whole = u32::from_str_radix(id, 16).is_ok_and(|id| id.to_be_bytes() == verifier.id);
        if is_whole { Ok(verifier) } else { Err(Error::VerifierKey) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], self.key.as_slice()].concat());
        write!(out, "{}+{:08x}+{key}", self.name, u32::from_be_bytes(self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::{Signer, Verifier};
    use crate::seal::Error;

    #[test]
    fn keys_go_there_and_back() {
        let signer = Signer::from_seed("hub.test/fhir", &[7; 32]).unwrap();
        let again = Signer::from_pem("hub.test/fhir", &signer.to_pem().unwrap()).unwrap();
        assert_eq!(again.verifier(), signer.verifier());
        let text = signer.verifier().to_string();
        assert_eq!(&Verifier::parse(&text).unwrap(), signer.verifier());
        assert!(text.starts_with("hub.test/fhir+"), "{text}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let text = Signer::from_seed("hub.test", &[7; 32]).unwrap().verifier().to_string();
        let renamed = text.replace("hub.test", "hub.tset");
        for wrong in ["", "hub", "hub+00000000+AQ==", &renamed, &text[..text.len() - 4]] {
            assert_eq!(Verifier::parse(wrong), Err(Error::VerifierKey), "{wrong}");
        }
        for name in ["", "a b", "a+b"] {
            assert!(matches!(Signer::from_seed(name, &[7; 32]), Err(Error::Name(_))), "{name}");
        }
        assert!(matches!(Signer::from_seed("a", &[7; 31]), Err(Error::PrivateKey)));
        assert!(matches!(Signer::from_pem("a", "no key"), Err(Error::PrivateKey)));
    }

    /// The key of a published example (the Go checksum database's).
    #[test]
    fn a_key_of_another_log_is_read() {
        let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        assert_eq!(Verifier::parse(text).unwrap().to_string(), text);
    }
}
