//! Proofs that were shown with tokens, remembered as long as they could be shown again.

use crate::Store;
use crate::error::Error;
use uuid::Uuid;

/// Forgotten at a time.
const FORGOTTEN_MAX: i64 = 10_000;

impl Store {
    /// Whether nobody saved this name before. `until` is in seconds since 1970.
    pub async fn save_proof(&self, name: Uuid, until: i64) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        // Nobody waits for the disk here: the log of the database is made durable in its order, so whatever this request is
        // answered with – a change, or a read whose audit record comes later in that log – is durable only if this is.
        let text = "INSERT INTO proof_seen (name, until) SELECT $1, $2 \
                    WHERE set_config('synchronous_commit', 'off', true) IS NOT NULL ON CONFLICT DO NOTHING";
        let statement = client.prepare_cached(text).await?;
        Ok(client.execute(&statement, &[&name, &until]).await? == 1)
    }

    /// Forgets proofs that nobody takes any more, a bounded number at a time; returns how many went.
    pub async fn forget_proofs(&self, now: i64) -> Result<u64, Error> {
        let client = self.pool.get().await?;
        let text = "DELETE FROM proof_seen WHERE name IN \
                    (SELECT name FROM proof_seen WHERE until < $1 ORDER BY until LIMIT $2)";
        let statement = client.prepare_cached(text).await?;
        Ok(client.execute(&statement, &[&now, &FORGOTTEN_MAX]).await?)
    }
}
