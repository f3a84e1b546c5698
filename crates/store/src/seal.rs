//! The seal of the trail: records that are final become leaves of a Merkle tree, in batches; heads of it are signed; proofs and the
//! examination read what is kept of it (docs/decisions/0014-sealed-trail.md).
//!
//! A record has the number of the transaction that wrote it. Whatever is below the oldest transaction that still runs is final: no
//! record of it is missing or can come later. So leaves are in the order of transactions, and clocks have no say in it.

pub mod archive;
pub mod examination;
pub mod kept;
pub mod proof;
mod rows;
pub mod sequencer;

use crate::Store;
use crate::error::Error;
use crate::pool::{Pool, Settings};
use std::time::Duration;

/// Records of one batch.
pub const BATCH_LEAVES: usize = 8_192;

/// How long a statement of the sequencer, of an examination or of an archive may take: they go through many records.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Connections of its own, which have the time it takes.
fn patient_pool(settings: &Settings, connections: usize) -> Result<Pool, Error> {
    let patient = Settings { statement_timeout: STATEMENT_TIMEOUT, ..settings.clone() };
    Pool::sized(&patient, connections)
}

impl Store {
    /// Makes the months of the trail that this moment and the next weeks need, where they are not there.
    pub async fn make_months(&self, now_micros: i64) -> Result<(), Error> {
        let client = self.pool.get().await?;
        client.execute("SELECT audit_months($1)", &[&now_micros]).await?;
        Ok(())
    }

    /// The newest head, as it was signed.
    pub async fn checkpoint(&self) -> Result<Option<String>, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT note FROM audit_head ORDER BY tree_size DESC LIMIT 1";
        let row = client.query_opt(text, &[]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Of how many records the newest head is.
    pub async fn signed_size(&self) -> Result<u64, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT coalesce(max(tree_size), 0) FROM audit_head";
        let size: i64 = client.query_one(text, &[]).await?.try_get(0)?;
        Ok(size.unsigned_abs())
    }
}

/// As PostgreSQL has it.
fn int8(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::Corrupt(format!("leaf {number} cannot be kept")))
}

fn unsigned(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(|_| Error::Corrupt(format!("{number} is not a leaf")))
}
