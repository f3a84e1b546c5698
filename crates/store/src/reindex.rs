//! Makes the index entries of stored resources anew, slice by slice, while the server serves. How far it is stands in the
//! database, so that it goes on where it was cut off.

use crate::Store;
use crate::concepts::Fresh;
use crate::error::Error;
use crate::write::stage::{Reindexed, reindex};
use access::Grant;
use deadpool_postgres::Object;
use schema::resource::Table;
use search::extract::Entries;

/// How far one type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last id that was done.
    pub after: String,
    pub done: u64,
    pub is_finished: bool,
}

/// While this lives no other reindex runs on the database.
pub struct Turn {
    client: Object,
}

/// The number of the advisory lock: of a session, so that it goes with its process.
const LOCK: i64 = 0x6275_6e64_7269;

impl Store {
    /// None when another reindex is running.
    pub async fn reindex_turn(&self) -> Result<Option<Turn>, Error> {
        let client = self.pool.get().await?;
        let is_mine: bool =
            client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?.try_get(0)?;
        Ok(is_mine.then_some(Turn { client }))
    }

    /// The next resources of a type in the order of their ids; how many there were.
    pub async fn reindex(
        &self,
        _grant: &Grant,
        table: &'static Table,
        progress: &Progress,
        limit: i64,
        entries: impl Fn(&[u8]) -> Result<Entries, String>,
    ) -> Result<Progress, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let select =
            format!("SELECT id, key FROM {} WHERE id > $1 ORDER BY id LIMIT $2", table.name);
        let found = transaction.query(&select, &[&progress.after, &limit]).await?;
        let ids: Vec<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut keys: Vec<i64> =
            found.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
        // The locks that writers take, in their order.
        keys.sort_unstable();
        let lock = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::int8[]) AS key";
        transaction.execute(lock, &[&keys]).await?;
        let select = format!(
            "SELECT id, shard, key, dictionary, body FROM {} WHERE id = ANY($1) ORDER BY id",
            table.name
        );
        let mut resources = Vec::with_capacity(ids.len());
        for row in transaction.query(&select, &[&ids]).await? {
            let json = self.dictionaries.decompress(row.try_get(3)?, row.try_get(4)?)?;
            let id: String = row.try_get(0)?;
            let entries = entries(&json)
                .map_err(|reason| Error::Corrupt(format!("{}/{id}: {reason}", table.resource)))?;
            let (shard, key) = (row.try_get(1)?, row.try_get(2)?);
            resources.push(Reindexed { id, shard, key, entries });
        }
        let mut fresh = Fresh::default();
        let concepts = resources.iter().flat_map(|resource| &resource.entries.concepts);
        if let Some(statement) = self.concepts.statement(concepts, &mut fresh) {
            transaction.execute(&statement.text, &statement.parameters()).await?;
        }
        if !resources.is_empty() {
            for statement in reindex(table, &resources) {
                transaction.execute(&statement.text, &statement.parameters()).await?;
            }
        }
        let done = progress.done + u64::try_from(resources.len()).unwrap_or(0);
        let next = Progress {
            after: ids.last().unwrap_or(&progress.after).clone(),
            done,
            is_finished: i64::try_from(ids.len()).unwrap_or(i64::MAX) < limit,
        };
        let save = "INSERT INTO reindex_progress (resource_type, after_id, done, finished_at) \
                    VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END) ON CONFLICT (resource_type) DO UPDATE \
                    SET after_id = excluded.after_id, done = excluded.done, finished_at = excluded.finished_at";
        let number = i64::try_from(next.done).unwrap_or(i64::MAX);
        transaction.execute(save, &[&table.code, &next.after, &number, &next.is_finished]).await?;
        transaction.commit().await?;
        self.concepts.learn(fresh);
        Ok(next)
    }
}

impl Turn {
    /// Where the types are that a run began with; none of a type that it did not come to.
    pub async fn progress(&self) -> Result<Vec<(i16, Progress)>, Error> {
        let text =
            "SELECT resource_type, after_id, done, finished_at IS NOT NULL FROM reindex_progress";
        let rows = self.client.query(text, &[]).await?;
        let read = |row: &tokio_postgres::Row| {
            let done: i64 = row.try_get(2)?;
            let progress = Progress {
                after: row.try_get(1)?,
                done: u64::try_from(done).unwrap_or(0),
                is_finished: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, progress))
        };
        rows.iter().map(read).collect()
    }

    /// Forgets how far an earlier run was.
    pub async fn begin(&self) -> Result<(), Error> {
        self.client.execute("DELETE FROM reindex_progress", &[]).await?;
        Ok(())
    }

    /// Gives the turn to others.
    pub async fn end(self) -> Result<(), Error> {
        self.client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
        Ok(())
    }
}
