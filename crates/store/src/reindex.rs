//! Makes the index entries of stored resources anew, slice by slice, while servers serve. What is to be done and how far it is
//! stands in the database, so that it goes on where it was cut off, on whichever replica.

use crate::Store;
use crate::concepts::Fresh;
use crate::error::Error;
use crate::parameters::{READY, raise};
use crate::write::WRITES_FOR;
use crate::write::labels::{Written, hold_all, spread};
use crate::write::stage::{Reindexed, reindex};
use access::Grant;
use deadpool_postgres::{Object, Transaction};
use schema::resource::{TABLES, Table};
use search::extract::Entries;
use std::time::Duration;

/// How far one type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub resource_type: i16,
    /// The epoch that it began in: what came later needs another run.
    pub epoch: i64,
    /// The last id that was done.
    pub after: String,
    pub done: u64,
    /// How many there were about, when it began.
    pub total: u64,
    pub is_finished: bool,
}

/// While this lives no other reindex runs on the database.
pub struct Turn {
    client: Object,
}

/// The number of the advisory lock: of a session, so that it goes with its process.
const LOCK: i64 = 0x6275_6e64_7269;

/// How often it is looked whether a writer from before is done.
const WRITERS_EVERY: Duration = Duration::from_millis(20);

impl Store {
    /// None when another reindex is running.
    pub async fn reindex_turn(&self) -> Result<Option<Turn>, Error> {
        let client = self.pool.get().await?;
        let is_mine: bool =
            client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await?.try_get(0)?;
        Ok(is_mine.then_some(Turn { client }))
    }

    /// All types that entries were made anew of, or are to be.
    pub async fn reindex_progress(&self) -> Result<Vec<Progress>, Error> {
        progress(&self.pool.get().await?).await
    }

    /// Asks for new entries of these types. Those that are under way go on, unless they are to begin anew.
    pub async fn begin_reindex(
        &self,
        _grant: &Grant,
        tables: &[&'static Table],
        anew: bool,
    ) -> Result<(), Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let types: Vec<i16> = tables.iter().map(|table| table.code).collect();
        begin(&transaction, &types, anew).await?;
        Ok(transaction.commit().await?)
    }

    /// Waits for all who were writing when this began: who comes later makes entries of this epoch or is refused.
    pub async fn await_writers(&self) -> Result<(), Error> {
        let client = self.pool.get().await?;
        let text = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8";
        let next: i64 = client.query_one(text, &[]).await?.try_get(0)?;
        let text = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8 >= $1";
        while !client.query_one(text, &[&next]).await?.try_get::<_, bool>(0)? {
            tokio::time::sleep(WRITERS_EVERY).await;
        }
        Ok(())
    }

    /// The next resources of a type in the order of their ids; how far it is then. `epoch` is that of the entries.
    pub async fn reindex(
        &self,
        _grant: &Grant,
        table: &'static Table,
        before: &Progress,
        limit: i64,
        epoch: i64,
        entries: impl Fn(&[u8], i32) -> Result<Entries, String>,
    ) -> Result<Progress, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.execute(WRITES_FOR, &[&"*"]).await?;
        let select =
            format!("SELECT id, key FROM {} WHERE id > $1 ORDER BY id LIMIT $2", table.name);
        let found = transaction.query(&select, &[&before.after, &limit]).await?;
        let ids: Vec<String> = found.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut keys: Vec<i64> =
            found.iter().map(|row| row.try_get(1)).collect::<Result<_, _>>()?;
        // The locks that writers take, in their order.
        keys.sort_unstable();
        let lock = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::int8[]) AS key";
        transaction.execute(lock, &[&keys]).await?;
        let select = format!(
            "SELECT id, shard, key, dictionary, body, hospital FROM {} WHERE id = ANY($1) ORDER BY id",
            table.name
        );
        let mut resources = Vec::with_capacity(ids.len());
        for row in transaction.query(&select, &[&ids]).await? {
            let json = self.dictionaries.decompress(row.try_get(3)?, row.try_get(4)?)?;
            let id: String = row.try_get(0)?;
            let entries = entries(&json, row.try_get(5)?)
                .map_err(|reason| Error::Corrupt(format!("{}/{id}: {reason}", table.resource)))?;
            let (shard, key) = (row.try_get(1)?, row.try_get(2)?);
            resources.push(Reindexed { id, shard, key, entries });
        }
        let written: Vec<Written<'_>> = resources
            .iter()
            .filter_map(|resource| Written::of_reindexed(table, resource))
            .collect();
        if let Some(hold) = hold_all(&written) {
            transaction.execute(&hold.text, &hold.parameters()).await?;
        }
        transaction.execute("SELECT hold_index_epoch($1)", &[&epoch]).await?;
        let mut fresh = Fresh::default();
        let concepts = resources.iter().flat_map(|resource| &resource.entries.concepts);
        if let Some(statement) = self.concepts.statement(concepts, &mut fresh) {
            transaction.execute(&statement.text, &statement.parameters()).await?;
        }
        if !resources.is_empty() {
            for statement in
                reindex(table, &resources).into_iter().chain(spread(written.into_iter()))
            {
                transaction.execute(&statement.text, &statement.parameters()).await?;
            }
        }
        let next = Progress {
            after: ids.last().unwrap_or(&before.after).clone(),
            done: before.done + u64::try_from(resources.len()).unwrap_or(0),
            is_finished: i64::try_from(ids.len()).unwrap_or(i64::MAX) < limit,
            ..before.clone()
        };
        save(&transaction, &next).await?;
        transaction.commit().await?;
        self.concepts.learn(fresh);
        Ok(next)
    }
}

/// What became of the definitions that a finished run was for goes with its end.
async fn save(transaction: &Transaction<'_>, next: &Progress) -> Result<(), Error> {
    let text = "UPDATE reindex_progress SET after_id = $3, done = $4, \
                finished_at = CASE WHEN $5 THEN now() END WHERE resource_type = $1 AND epoch = $2";
    let done = i64::try_from(next.done).unwrap_or(i64::MAX);
    let Progress { resource_type, epoch, after, is_finished, .. } = next;
    let saved =
        transaction.execute(text, &[resource_type, epoch, after, &done, is_finished]).await?;
    if saved == 0 {
        return Err(Error::Outdated);
    }
    if !is_finished {
        return Ok(());
    }
    let text = "UPDATE custom_parameter SET state = $3 \
                WHERE resource_type = $1 AND generation <= $2 AND state < $3";
    let made = transaction.execute(text, &[resource_type, epoch, &READY]).await?;
    if made > 0 {
        raise(transaction).await?;
    }
    Ok(())
}

/// About how many there are stands in PostgreSQL's statistics, if it has any.
pub(crate) async fn begin(
    transaction: &Transaction<'_>,
    types: &[i16],
    anew: bool,
) -> Result<(), Error> {
    let tables = TABLES.iter().filter(|table| types.contains(&table.code));
    let (types, names): (Vec<i16>, Vec<&str>) =
        tables.map(|table| (table.code, table.name)).unzip();
    let text = "INSERT INTO reindex_progress AS p (resource_type, epoch, after_id, done, total) \
                SELECT u.resource_type, (SELECT epoch FROM index_epoch), '', 0, \
                greatest((SELECT reltuples FROM pg_class WHERE oid = to_regclass(u.name)), 0)::int8 \
                FROM unnest($1::int2[], $2::text[]) AS u (resource_type, name) \
                ON CONFLICT (resource_type) DO UPDATE SET epoch = excluded.epoch, after_id = '', done = 0, \
                total = excluded.total, started_at = now(), finished_at = NULL \
                WHERE $3 OR p.finished_at IS NOT NULL";
    transaction.execute(text, &[&types, &names, &anew]).await?;
    Ok(())
}

async fn progress(client: &Object) -> Result<Vec<Progress>, Error> {
    let text = "SELECT resource_type, epoch, after_id, done, total, finished_at IS NOT NULL \
                FROM reindex_progress ORDER BY resource_type";
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let read = |row: &tokio_postgres::Row| {
        Ok(Progress {
            resource_type: row.try_get(0)?,
            epoch: row.try_get(1)?,
            after: row.try_get(2)?,
            done: number(row.try_get(3)?),
            total: number(row.try_get(4)?),
            is_finished: row.try_get(5)?,
        })
    };
    client.query(text, &[]).await?.iter().map(read).collect()
}

impl Turn {
    /// The first of these types that is not finished; of all types where none is given.
    pub async fn next(&self, among: &[&'static Table]) -> Result<Option<Progress>, Error> {
        let is_asked = |progress: &Progress| {
            among.is_empty() || among.iter().any(|table| table.code == progress.resource_type)
        };
        let all = progress(&self.client).await?;
        Ok(all.into_iter().find(|progress| !progress.is_finished && is_asked(progress)))
    }

    /// Gives the turn to others.
    pub async fn end(self) -> Result<(), Error> {
        self.client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
        Ok(())
    }
}
