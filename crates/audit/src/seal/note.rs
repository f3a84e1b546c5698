//! The head of a tree as a signed note (C2SP tlog-checkpoint, signed-note): text that people can read, mail and compare.

use super::Error;
use super::key::{Signer, Verifier};
use super::tree::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest note that is read.
const BYTES_MAX: usize = 1 << 20;
const DASH: &str = "\u{2014} ";

/// How large a tree was, and its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which tree: the host and path of the server.
    pub origin: String,
    pub size: u64,
    pub root: Digest,
}

/// A text with signatures under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Checkpoint {
    /// With its signature.
    pub fn sign(&self, signer: &Signer) -> String {
        sign(&format!("{}\n{}\n{}\n", self.origin, self.size, self.root), signer)
    }

    /// Lines after the third are of others' extensions and mean nothing here.
    pub fn parse(text: &str) -> Result<Checkpoint, Error> {
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::Note);
        };
        let number: u64 = size.parse().map_err(|_| Error::Note)?;
        let root = Digest::parse(root).ok_or(Error::Note)?;
        if origin.is_empty() || number.to_string() != size {
            return Err(Error::Note);
        }
        Ok(Checkpoint { origin: origin.to_owned(), size: number, root })
    }

    /// What a note says, if one of these keys signed it.
    pub fn open(note: &str, keys: &[Verifier]) -> Result<Checkpoint, Error> {
        let note = Note::parse(note)?;
        note.verify(keys)?;
        Checkpoint::parse(&note.text)
    }
}

/// A text, each line ended, under a signature.
pub fn sign(text: &str, signer: &Signer) -> String {
    let verifier = signer.verifier();
    let signature = [verifier.id().as_slice(), &signer.sign(text)].concat();
    format!("{text}\n{DASH}{} {}\n", verifier.name(), STANDARD.encode(signature))
}

impl Note {
    pub fn parse(note: &str) -> Result<Note, Error> {
        if note.len() > BYTES_MAX {
            return Err(Error::Note);
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(Error::Note)?;
        let signatures: Result<Vec<Signature>, Error> =
            signatures.lines().map(Signature::parse).collect();
        let signatures = signatures?;
        if text.is_empty() || signatures.is_empty() {
            return Err(Error::Note);
        }
        Ok(Note { text: format!("{text}\n"), signatures })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which of these keys signed it. A signature by one of them that is wrong is an error, whoever else signed.
    pub fn verify<'a>(&self, keys: &'a [Verifier]) -> Result<&'a Verifier, Error> {
        let mut found = None;
        for signature in &self.signatures {
            let is_its = |key: &&Verifier| key.name() == signature.name && key.id() == signature.id;
            let Some(key) = keys.iter().find(is_its) else { continue };
            if !key.verifies(&self.text, &signature.bytes) {
                return Err(Error::Signature(signature.name.clone()));
            }
            found = found.or(Some(key));
        }
        let named = |signature: &Signature| {
            format!("{} (key {:08x})", signature.name, u32::from_be_bytes(signature.id))
        };
        found.ok_or_else(|| {
            let names: Vec<String> = self.signatures.iter().map(named).collect();
            Error::UnknownKey(names.join(", "))
        })
    }
}

impl Signature {
    fn parse(line: &str) -> Result<Signature, Error> {
        let rest = line.strip_prefix(DASH).ok_or(Error::Note)?;
        let (name, base64) = rest.split_once(' ').ok_or(Error::Note)?;
        let bytes = STANDARD.decode(base64).map_err(|_| Error::Note)?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(Error::Note)?;
        Ok(Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::{Checkpoint, Note};
    use crate::seal::Error;
    use crate::seal::key::{Signer, Verifier};
    use crate::seal::tree::Digest;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("hub.test/fhir", &[seed; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "hub.test/fhir".to_owned(), size: 12, root: Digest::of(b"root") }
    }

    #[test]
    fn a_head_is_what_was_signed_and_nothing_else() {
        let note = checkpoint().sign(&signer(1));
        let keys = [signer(2).verifier().clone(), signer(1).verifier().clone()];
        assert_eq!(Checkpoint::open(&note, &keys).unwrap(), checkpoint());
        let other = Checkpoint::open(&note, &keys[..1]).unwrap_err();
        assert!(matches!(&other, Error::UnknownKey(who) if who.starts_with("hub.test/fhir (key ")));
        let larger = note.replace("\n12\n", "\n13\n");
        let wrong = Error::Signature("hub.test/fhir".to_owned());
        assert_eq!(Checkpoint::open(&larger, &keys), Err(wrong));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let note = checkpoint().sign(&signer(1));
        let keys = [signer(1).verifier().clone()];
        for (old, new) in [("\n\n", "\n"), ("\u{2014}", "-"), ("\n12\n", "\n012\n"), ("hub", "")] {
            assert!(Checkpoint::open(&note.replacen(old, new, 1), &keys).is_err(), "{old}");
        }
        assert_eq!(Note::parse(&"a".repeat(2 << 20)), Err(Error::Note));
        assert_eq!(Note::parse(""), Err(Error::Note));
    }

    /// A head that the Go checksum database signed.
    #[test]
    fn a_head_of_another_log_is_verified() {
        let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let note = "go.sum database tree\n6476701\nmb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=\n\n\
            \u{2014} sum.golang.org Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=\n";
        let keys = [Verifier::parse(key).unwrap()];
        assert_eq!(Checkpoint::open(note, &keys).unwrap().size, 6_476_701);
    }
}
