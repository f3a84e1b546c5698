//! Answers kept for retries of a POST with the same Idempotency-Key.

use crate::Store;
use crate::error::Error;
use crate::write::Transaction;
use std::time::Duration;

/// An answer given before.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// Of the request that was answered: a retry has the same.
    pub fingerprint: Vec<u8>,
    pub answer: Vec<u8>,
}

impl Transaction {
    /// The answer kept under this key. Ask while holding the lock of the key.
    pub async fn known_answer(&mut self, hospital: i32, key: &str) -> Result<Option<Known>, Error> {
        let text = "SELECT fingerprint, answer FROM idempotency WHERE hospital = $1 AND key = $2";
        let row = self.query_opt(text, &[&hospital, &key]).await?;
        Ok(row.map(|row| Known { fingerprint: row.get(0), answer: row.get(1) }))
    }
}

impl Store {
    /// Forgets answers older than `age`, a bounded number at a time; returns how many went.
    pub async fn forget_answers(&self, age: Duration) -> Result<u64, Error> {
        let client = self.pool.get().await?;
        let statement = client
            .prepare_cached(
                "DELETE FROM idempotency WHERE (hospital, key) IN (SELECT hospital, key FROM idempotency \
                 WHERE created_at < now() - make_interval(secs => $1) LIMIT 1000)",
            )
            .await?;
        Ok(client.execute(&statement, &[&age.as_secs_f64()]).await?)
    }
}
