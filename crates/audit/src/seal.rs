//! What makes the trail tamper-evident: a Merkle tree over stored records, heads of it that are signed, and proofs from them
//! (RFC 9162, section 2.1; [C2SP](https://c2sp.org/) tlog-checkpoint and signed-note).

pub mod archive;
pub mod examine;
pub mod finding;
pub mod frontier;
pub mod key;
pub mod leaf;
pub mod note;
pub mod proof;
pub mod tree;

/// Why something is not what a seal is made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a key's name is 1 to 255 characters without white space and `+`, not `{0}`")]
    Name(String),
    #[error("a private key is PKCS#8 in PEM, of Ed25519; `bund audit key` makes one")]
    PrivateKey,
    #[error("a verifier's key is name+id+key, as `bund audit key` prints it")]
    VerifierKey,
    #[error(
        "a checkpoint has an origin, a size and a root, a line each, then an empty line and signatures"
    )]
    Note,
    #[error(
        "a line of an archive is a record with its leaf and hash; a note of one names its file and its leaves"
    )]
    Archive,
    #[error("it is signed by {0}, and by no key that is trusted here")]
    UnknownKey(String),
    #[error("its signature by {0} is wrong")]
    Signature(String),
}
