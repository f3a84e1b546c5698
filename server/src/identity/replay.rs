//! Which proofs were shown before, on whichever replica (RFC 9449, section 11.1).

use super::proof::{AGE_SECONDS_MAX, Proof};
use sha2::{Digest as _, Sha256};
use store::Store;
use store::error::Error;
use uuid::Uuid;

/// Where what was shown is remembered.
pub enum Replays {
    /// By the database, for all replicas.
    Shared(Store),
    #[cfg(test)]
    Alone(std::sync::Mutex<std::collections::HashSet<Uuid>>),
}

/// Longer than a proof is good for, whatever the clocks of replicas and database are apart.
const KEPT_SECONDS: i64 = 5 * AGE_SECONDS_MAX;

impl Replays {
    /// True once, for each proof.
    pub(super) async fn is_first(&self, proof: &Proof) -> Result<bool, Error> {
        let mut hash = Sha256::new();
        hash.update(proof.key);
        hash.update(&proof.id);
        let mut name = [0; 16];
        name.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        let name = Uuid::from_bytes(name);
        match self {
            Replays::Shared(store) => store.save_proof(name, proof.issued + KEPT_SECONDS).await,
            #[cfg(test)]
            Replays::Alone(seen) => {
                let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                Ok(seen.insert(name))
            }
        }
    }
}
