//! Search parameters that are defined here: what all replicas agree on.
//!
//! Each change of the definitions, and each that becomes ready, raises the epoch. Who writes says for which epoch it made its
//! entries, and is refused when that is over (`hold_index_epoch`): so from the commit of a change on, no version is written
//! without the entries that the change asks for, whatever a replica has read so far.

use crate::Store;
use crate::error::Error;
use access::Grant;
use std::collections::BTreeSet;
use tokio_postgres::Row;

/// A parameter of one type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Defined {
    /// Of the SearchParameter.
    pub id: String,
    pub resource_type: i16,
    pub definition: String,
}

/// The same, put to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Working {
    pub defined: Defined,
    /// The epoch that it came with.
    pub generation: i64,
    /// Whether all resources have its entries.
    pub is_ready: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definitions {
    pub epoch: i64,
    pub working: Vec<Working>,
}

/// What tells cheaply whether there is anything to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    pub epoch: i64,
    /// The number of SearchParameters and the latest of their versions.
    pub declared: (i64, i64),
    /// Whether entries of some type are to be made anew.
    pub has_work: bool,
}

/// Those of the states in `custom_parameter`.
const BUILDING: i16 = 1;
pub(crate) const READY: i16 = 2;

/// Who changes definitions waits for others who do.
const LOCK: i64 = 0x6275_6e64_7370;

impl Store {
    pub async fn definitions(&self) -> Result<Definitions, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT e.epoch, p.id, p.resource_type, p.definition, p.generation, p.state \
                    FROM index_epoch e LEFT JOIN custom_parameter p ON true ORDER BY p.generation, p.id";
        let rows = client.query(text, &[]).await?;
        let mut definitions = Definitions::default();
        for row in &rows {
            definitions.epoch = row.try_get(0)?;
            definitions.working.extend(working(row)?);
        }
        Ok(definitions)
    }

    pub async fn signs(&self) -> Result<Signs, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT (SELECT epoch FROM index_epoch), count(*), coalesce(max(version_key), 0), \
                    EXISTS (SELECT 1 FROM reindex_progress WHERE finished_at IS NULL) FROM open.search_parameter";
        let row = client.query_one(&client.prepare_cached(text).await?, &[]).await?;
        Ok(Signs {
            epoch: row.try_get(0)?,
            declared: (row.try_get(1)?, row.try_get(2)?),
            has_work: row.try_get(3)?,
        })
    }

    /// All SearchParameters, in the order of their ids.
    pub async fn declarations(&self, _grant: &Grant) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT id, dictionary, body FROM open.search_parameter ORDER BY id";
        let mut declarations = Vec::new();
        for row in client.query(text, &[]).await? {
            let json = self.dictionaries.decompress(row.try_get(1)?, row.try_get(2)?)?;
            declarations.push((row.try_get(0)?, json));
        }
        Ok(declarations)
    }

    /// Puts these to work and no others. What is new waits for a reindex of its type; the entries of what is gone, which nothing
    /// finds any more, go with the next one. Whether anything changed.
    pub async fn define(&self, _grant: &Grant, wanted: &[Defined]) -> Result<bool, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
        let text =
            "SELECT 0, id, resource_type, definition, generation, state FROM custom_parameter";
        let rows = transaction.query(text, &[]).await?;
        let mut known = Vec::new();
        for row in &rows {
            known.extend(working(row)?);
        }
        let removed: Vec<&Working> =
            known.iter().filter(|working| !wanted.contains(&working.defined)).collect();
        let is_known =
            |defined: &&Defined| known.iter().any(|working| working.defined == **defined);
        let added: Vec<&Defined> = wanted.iter().filter(|defined| !is_known(defined)).collect();
        if removed.is_empty() && added.is_empty() {
            return Ok(false);
        }
        let epoch = raise(&transaction).await?;
        for working in &removed {
            let text = "DELETE FROM custom_parameter WHERE id = $1 AND resource_type = $2 AND generation = $3";
            let Working { defined, generation, .. } = working;
            transaction.execute(text, &[&defined.id, &defined.resource_type, generation]).await?;
        }
        for defined in &added {
            let text = "INSERT INTO custom_parameter (id, resource_type, generation, state, definition) \
                        VALUES ($1, $2, $3, $4, $5)";
            let Defined { id, resource_type, definition } = defined;
            transaction.execute(text, &[id, resource_type, &epoch, &BUILDING, definition]).await?;
        }
        let types: BTreeSet<i16> = added.iter().map(|defined| defined.resource_type).collect();
        crate::reindex::begin(&transaction, &types.into_iter().collect::<Vec<_>>(), true).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn working(row: &Row) -> Result<Option<Working>, Error> {
    let Some(id) = row.try_get::<_, Option<String>>(1)? else { return Ok(None) };
    let state: i16 = row.try_get(5)?;
    Ok(Some(Working {
        defined: Defined { id, resource_type: row.try_get(2)?, definition: row.try_get(3)? },
        generation: row.try_get(4)?,
        is_ready: state == READY,
    }))
}

/// Begins another epoch.
pub(crate) async fn raise(transaction: &deadpool_postgres::Transaction<'_>) -> Result<i64, Error> {
    let text = "UPDATE index_epoch SET epoch = epoch + 1 RETURNING epoch";
    Ok(transaction.query_one(text, &[]).await?.try_get(0)?)
}
