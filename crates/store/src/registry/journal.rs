//! Who changed the registry, and how: a row a change, in its transaction, and none is ever changed.

use crate::Store;
use crate::error::Error as Failure;
use serde_json::Value;
use tokio_postgres::Transaction;
use uuid::Uuid;

/// Who changes the registry, as far as can be told of somebody at a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// As they say who they are.
    pub name: String,
    /// As the operating system says.
    pub account: String,
}

impl By {
    pub fn new(name: &str, account: &str) -> By {
        By { name: name.trim().to_owned(), account: account.to_owned() }
    }

    /// Whether two names are one person's, however they are written.
    pub fn is(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.trim().to_lowercase()
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// In microseconds since 1970.
    pub at: i64,
    pub by: By,
    pub action: String,
    /// What it was done to.
    pub subject: String,
    pub detail: Value,
}

/// A change that is about to be recorded.
pub(super) struct Deed<'a> {
    pub(super) by: &'a By,
    pub(super) action: &'static str,
    pub(super) subject: &'a str,
    pub(super) detail: Value,
}

/// What is read at a time.
const ENTRIES_MAX: i64 = 10_000;

impl Store {
    /// The latest entries, oldest first.
    pub async fn registry_journal(&self, latest: i64) -> Result<Vec<Entry>, Failure> {
        let client = self.pool.get().await?;
        let text = "SELECT (extract(epoch FROM at) * 1000000)::int8, by_name, account, action, subject, detail \
                    FROM audit_registry ORDER BY at DESC, id DESC LIMIT $1";
        let rows = client.query(text, &[&latest.clamp(0, ENTRIES_MAX)]).await?;
        let entry = |row: &tokio_postgres::Row| {
            Ok(Entry {
                at: row.try_get(0)?,
                by: By { name: row.try_get(1)?, account: row.try_get(2)? },
                action: row.try_get(3)?,
                subject: row.try_get(4)?,
                detail: row.try_get(5)?,
            })
        };
        rows.iter().rev().map(entry).collect()
    }
}

pub(super) async fn record(
    transaction: &Transaction<'_>,
    deed: &Deed<'_>,
) -> Result<(), tokio_postgres::Error> {
    let text = "INSERT INTO audit_registry (id, by_name, account, action, subject, detail) \
                VALUES ($1, $2, $3, $4, $5, $6)";
    let Deed { by, action, subject, detail } = deed;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
        [&Uuid::now_v7(), &by.name, &by.account, action, subject, detail];
    transaction.execute(text, &values).await?;
    Ok(())
}
