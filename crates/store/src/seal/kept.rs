//! What is kept of the tree: batches of leaves, nodes above them, heads; and the records that they were made of.

use super::rows::{Leaves, columns};
use super::{int8, patient_pool, unsigned};
use crate::error::Error;
use crate::pool::Settings;
use audit::seal::examine::{Batch, Position, Row};
use audit::seal::frontier::Frontier;
use audit::seal::tree::{Digest, Span};
use deadpool_postgres::{GenericClient, Object};

/// The end of what is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) until: Position,
    pub(super) size: u64,
}

/// A head as it is stored.
#[derive(Clone, Debug)]
pub struct Head {
    pub size: u64,
    pub root: Option<Digest>,
    pub note: String,
}

/// A batch with the number of its encoding.
pub type Encoded = (i16, Batch);

/// Records that are no leaf yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unsealed {
    pub records: u64,
    pub oldest: Option<i64>,
    /// One of a transaction that has not begun.
    pub impossible: Option<i64>,
}

/// Reads the trail and what is kept of it, for an examination.
pub struct Reading {
    pub(super) client: Object,
    leaves: Leaves,
}

/// Rows that PostgreSQL sends at once.
const ROWS: i32 = 8_192;

impl Reading {
    pub async fn open(settings: &Settings) -> Result<Reading, Error> {
        let client = patient_pool(settings, 1)?.get().await?;
        client.batch_execute("SET plan_cache_mode = force_custom_plan").await?;
        Ok(Reading { client, leaves: Leaves::default() })
    }

    /// Leaves that are kept.
    pub async fn size(&self) -> Result<u64, Error> {
        Ok(last_batch(&self.client).await?.map_or(0, |last| last.size))
    }

    /// Batches whose first leaf is in this range, in order, up to a limit.
    pub async fn batches(&self, from: u64, end: u64, limit: i64) -> Result<Vec<Encoded>, Error> {
        let text = "SELECT first_leaf, encoding, until_transaction, until_id, until_shard, hashes FROM audit_batch \
                    WHERE first_leaf >= $1 AND first_leaf < $2 ORDER BY first_leaf LIMIT $3";
        let statement = self.client.prepare_cached(text).await?;
        let rows = self.client.query(&statement, &[&int8(from)?, &int8(end)?, &limit]).await?;
        rows.iter().map(batch).collect()
    }

    /// Records after one position and up to another, as leaves.
    pub async fn rows(&mut self, after: Position, until: Position) -> Result<Vec<Row>, Error> {
        let text = concat!(
            "SELECT ",
            columns!(),
            " FROM audit_record WHERE transaction >= $1 AND transaction <= $4 AND (transaction, id, shard) > ($1, $2, $3) \
             AND (transaction, id, shard) <= ($4, $5, $6) ORDER BY transaction, id, shard"
        );
        let transaction = self.client.transaction().await?;
        let statement = transaction.prepare_cached(text).await?;
        let (low, high) = (&after, &until);
        let portal = transaction
            .bind(
                &statement,
                &[&low.transaction, &low.id, &low.shard, &high.transaction, &high.id, &high.shard],
            )
            .await?;
        let mut found = Vec::new();
        loop {
            let rows = transaction.query_portal(&portal, ROWS).await?;
            found.extend(self.leaves.of(&transaction, &rows).await?);
            if i32::try_from(rows.len()).unwrap_or(ROWS) < ROWS {
                break;
            }
        }
        transaction.commit().await?;
        Ok(found)
    }

    /// Nodes of a level in a range of indexes.
    pub async fn nodes(
        &self,
        level: u32,
        from: u64,
        end: u64,
    ) -> Result<Vec<(u64, Digest)>, Error> {
        nodes(&self.client, level, from, end).await
    }

    /// Heads of sizes above one and up to another, in order.
    pub async fn heads(&self, above: u64, until: u64) -> Result<Vec<Head>, Error> {
        let text = "SELECT tree_size, root, note FROM audit_head WHERE tree_size > $1 AND tree_size <= $2 ORDER BY tree_size";
        let statement = self.client.prepare_cached(text).await?;
        let until = i64::try_from(until).unwrap_or(i64::MAX);
        let rows = self.client.query(&statement, &[&int8(above)?, &until]).await?;
        let head = |row: &tokio_postgres::Row| {
            Ok(Head {
                size: unsigned(row.try_get(0)?)?,
                root: Digest::read(row.try_get(1)?),
                note: row.try_get(2)?,
            })
        };
        rows.iter().map(head).collect()
    }

    /// The size of the newest head.
    pub async fn signed_size(&self) -> Result<u64, Error> {
        let text = "SELECT coalesce(max(tree_size), 0) FROM audit_head";
        unsigned(self.client.query_one(text, &[]).await?.try_get(0)?)
    }

    /// Digests that lie beside each other.
    pub async fn digests(&self, span: Span) -> Result<Vec<Digest>, Error> {
        digests(&self.client, span).await
    }

    /// What is stored and no leaf yet, after the last one.
    pub async fn unsealed(&self, after: Position) -> Result<Unsealed, Error> {
        let text = "SELECT count(*), min(id), min(id) FILTER (WHERE transaction >= pg_snapshot_xmax(pg_current_snapshot())::text::int8) \
                    FROM audit_record WHERE transaction >= $1 AND (transaction, id, shard) > ($1, $2, $3)";
        let statement = self.client.prepare_cached(text).await?;
        let row = self
            .client
            .query_one(&statement, &[&after.transaction, &after.id, &after.shard])
            .await?;
        Ok(Unsealed {
            records: unsigned(row.try_get(0)?)?,
            oldest: row.try_get(1)?,
            impossible: row.try_get(2)?,
        })
    }
}

fn batch(row: &tokio_postgres::Row) -> Result<Encoded, Error> {
    let first_leaf = unsigned(row.try_get(0)?)?;
    let until =
        Position { transaction: row.try_get(2)?, id: row.try_get(3)?, shard: row.try_get(4)? };
    let digests = cut(row.try_get(5)?);
    Ok((row.try_get(1)?, Batch { first_leaf, until, digests }))
}

/// Digests that are kept one after the other.
fn cut(hashes: &[u8]) -> Vec<Digest> {
    hashes.chunks_exact(32).filter_map(Digest::read).collect()
}

pub(super) async fn last_batch(client: &impl GenericClient) -> Result<Option<Last>, Error> {
    let text = "SELECT first_leaf + leaves, until_transaction, until_id, until_shard FROM audit_batch \
                ORDER BY first_leaf DESC LIMIT 1";
    let statement = client.prepare_cached(text).await?;
    let Some(row) = client.query_opt(&statement, &[]).await? else { return Ok(None) };
    let until =
        Position { transaction: row.try_get(1)?, id: row.try_get(2)?, shard: row.try_get(3)? };
    Ok(Some(Last { until, size: unsigned(row.try_get(0)?)? }))
}

/// The right edge of a tree of this size, from what is kept.
pub(super) async fn restore(client: &impl GenericClient, size: u64) -> Result<Frontier, Error> {
    let mut open = Vec::new();
    for span in Frontier::spans(size) {
        open.push(digests(client, span).await?);
    }
    Frontier::restore(size, open).ok_or_else(|| {
        Error::Seal(format!(
            "not all hashes are kept of its {size} leaves; run `bund audit verify`"
        ))
    })
}

/// As many of a span as are kept.
pub(super) async fn digests(client: &impl GenericClient, span: Span) -> Result<Vec<Digest>, Error> {
    let end = span.first + span.count;
    if span.count == 0 {
        return Ok(Vec::new());
    }
    if span.level > 0 {
        let nodes = nodes(client, span.level, span.first, end).await?;
        return Ok(nodes.into_iter().map(|(_, digest)| digest).collect());
    }
    let text = "SELECT substr(hashes, (1 + 32 * greatest($1 - first_leaf, 0))::int4, \
                (32 * (least($2, first_leaf + leaves) - greatest($1, first_leaf)))::int4) FROM audit_batch \
                WHERE first_leaf < $2 AND first_leaf >= (SELECT coalesce(max(first_leaf), 0) FROM audit_batch WHERE first_leaf <= $1) \
                ORDER BY first_leaf";
    let statement = client.prepare_cached(text).await?;
    let rows = client.query(&statement, &[&int8(span.first)?, &int8(end)?]).await?;
    let mut found = Vec::new();
    for row in &rows {
        found.extend(cut(row.try_get(0)?));
    }
    Ok(found)
}

async fn nodes(
    client: &impl GenericClient,
    level: u32,
    from: u64,
    end: u64,
) -> Result<Vec<(u64, Digest)>, Error> {
    let text = "SELECT index, hash FROM audit_node WHERE level = $1 AND index >= $2 AND index < $3 ORDER BY index";
    let statement = client.prepare_cached(text).await?;
    let level = i16::try_from(level).unwrap_or(i16::MAX);
    let rows = client.query(&statement, &[&level, &int8(from)?, &int8(end)?]).await?;
    let mut found = Vec::new();
    for row in &rows {
        let digest = Digest::read(row.try_get(1)?)
            .ok_or_else(|| Error::Corrupt("a hash of the seal is not of 32 bytes".to_owned()))?;
        found.push((unsigned(row.try_get(0)?)?, digest));
    }
    Ok(found)
}
