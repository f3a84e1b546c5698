//! Makes leaves of records that are final, each exactly once, and signs heads. One leads; whoever else believes to lead loses at the
//! primary key of the batches and changes nothing.

use super::kept::{Last, last_batch, restore};
use super::rows::{Leaves, columns};
use super::{BATCH_LEAVES, int8, patient_pool};
use crate::clock::micros;
use crate::error::Error;
use crate::pool::{Pool, Settings};
use audit::seal::examine::{Position, Row};
use audit::seal::frontier::{Frontier, Node};
use audit::seal::key::Signer;
use audit::seal::leaf::ENCODING;
use audit::seal::note::Checkpoint;
use deadpool_postgres::{Object, Transaction};
use tokio_postgres::error::SqlState;

/// The number of the advisory lock of the leader: "bundse" in ASCII.
const LOCK: i64 = 0x6275_6e64_7365;

/// Batches of one round: it is one transaction, which is not to run for long.
const BATCHES_MAX: usize = 32;

pub struct Sequencer {
    pool: Pool,
    client: Option<Object>,
    /// Whether that connection has the lock.
    is_leading: bool,
    /// The right edge of the tree after the last batch, as long as nobody else wrote one.
    edge: Option<(Position, Frontier)>,
    leaves: Leaves,
}

/// What a round did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Records that became leaves.
    pub sealed: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// Whether there is more to do at once.
    pub is_behind: bool,
    /// Whether another sequencer was first.
    pub is_outrun: bool,
}

impl Sequencer {
    pub fn new(settings: &Settings) -> Result<Sequencer, Error> {
        let pool = patient_pool(settings, 1)?;
        Ok(Sequencer {
            pool,
            client: None,
            is_leading: false,
            edge: None,
            leaves: Leaves::default(),
        })
    }

    /// Whether this one leads, now that it has tried to. It leads as long as its connection lives.
    pub async fn lead(&mut self) -> Result<bool, Error> {
        let client = self.client().await?;
        if !self.is_leading {
            client.batch_execute("SET plan_cache_mode = force_custom_plan").await?;
            let text = "SELECT pg_try_advisory_lock($1)";
            self.is_leading = client.query_one(text, &[&LOCK]).await?.try_get(0)?;
        }
        self.keep(client, false);
        Ok(self.is_leading)
    }

    /// Seals what is final, up to a bound.
    pub async fn seal(&mut self) -> Result<Round, Error> {
        let mut client = self.client().await?;
        let outcome = self.round(&mut client).await;
        self.keep(client, outcome.is_err());
        outcome
    }

    /// Signs a head if the tree has grown since the last one; its size.
    pub async fn sign(&mut self, origin: &str, signer: &Signer) -> Result<Option<u64>, Error> {
        let mut client = self.client().await?;
        let outcome = self.head(&mut client, origin, signer).await;
        self.keep(client, outcome.is_err());
        outcome
    }

    /// How long the oldest record waits that is no leaf yet, in microseconds.
    pub async fn lag(&mut self, now_micros: i64) -> Result<i64, Error> {
        let client = self.client().await?;
        let outcome = async {
            let last = last_batch(&client).await?.map_or(Position::START, |last| last.until);
            // Not `min(id)`: the planner would walk the primary key from its beginning to find one so young.
            let text = "SELECT min(id + 0) FROM audit_record WHERE transaction >= $1 AND (transaction, id, shard) > ($1, $2, $3)";
            let row = client.query_one(text, &[&last.transaction, &last.id, &last.shard]).await?;
            let oldest: Option<i64> = row.try_get(0)?;
            Ok(oldest.map_or(0, |id| (now_micros - micros(id)).max(0)))
        };
        let outcome = outcome.await;
        self.keep(client, outcome.is_err());
        outcome
    }

    async fn client(&mut self) -> Result<Object, Error> {
        match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => Ok(client),
            None => {
                (self.is_leading, self.edge) = (false, None);
                self.pool.get().await
            }
        }
    }

    fn keep(&mut self, client: Object, has_failed: bool) {
        if has_failed {
            self.edge = None;
        }
        self.client = Some(client);
    }

    async fn round(&mut self, client: &mut Object) -> Result<Round, Error> {
        let transaction = client.transaction().await?;
        let text = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8, \
                    pg_snapshot_xmax(pg_current_snapshot())::text::int8";
        let row = transaction.query_one(text, &[]).await?;
        let (oldest, next): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let (last, mut tree) = self.edge(&transaction).await?;
        if last.transaction >= next {
            return Err(Error::Seal(format!(
                "transaction {} is sealed and the database is only at {next}: it was restored from a dump; see docs/operations/audit.md",
                last.transaction
            )));
        }
        let text = concat!(
            "SELECT ",
            columns!(),
            " FROM audit_record WHERE transaction >= $1 AND transaction < $4 AND (transaction, id, shard) > ($1, $2, $3) \
             ORDER BY transaction, id, shard"
        );
        let statement = transaction.prepare_cached(text).await?;
        let portal = transaction
            .bind(&statement, &[&last.transaction, &last.id, &last.shard, &oldest])
            .await?;
        let mut until = last;
        let before = tree.size();
        let mut is_behind = false;
        for _ in 0..BATCHES_MAX {
            let limit = i32::try_from(BATCH_LEAVES).unwrap_or(i32::MAX);
            let rows = transaction.query_portal(&portal, limit).await?;
            let leaves = self.leaves.of(&transaction, &rows).await?;
            let Some(end) = leaves.last() else { break };
            until = end.position;
            match append(&transaction, &mut tree, &leaves).await {
                Ok(()) => {}
                Err(error) if is_taken(&error) => {
                    transaction.rollback().await?;
                    let size = before;
                    return Ok(Round { sealed: 0, size, is_behind: false, is_outrun: true });
                }
                Err(error) => return Err(error.into()),
            }
            is_behind = leaves.len() == BATCH_LEAVES;
            if !is_behind {
                break;
            }
        }
        transaction.commit().await?;
        let (sealed, size) = (tree.size() - before, tree.size());
        self.edge = Some((until, tree));
        Ok(Round { sealed, size, is_behind, is_outrun: false })
    }

    /// The last record that is sealed and the right edge of the tree. Taken out: what a round fails to commit is forgotten.
    async fn edge(&mut self, transaction: &Transaction<'_>) -> Result<(Position, Frontier), Error> {
        let last = last_batch(transaction).await?;
        let Last { until, size } = last.unwrap_or(Last { until: Position::START, size: 0 });
        match self.edge.take() {
            Some((known, tree)) if known == until && tree.size() == size => Ok((until, tree)),
            Some(_) | None => Ok((until, restore(transaction, size).await?)),
        }
    }

    async fn head(
        &mut self,
        client: &mut Object,
        origin: &str,
        signer: &Signer,
    ) -> Result<Option<u64>, Error> {
        let transaction = client.transaction().await?;
        // Asked first: who led a moment ago may still seal and sign, and then what is sealed is at least this.
        let text = "SELECT coalesce(max(tree_size), 0) FROM audit_head";
        let signed: i64 = transaction.query_one(text, &[]).await?.try_get(0)?;
        let (until, tree) = self.edge(&transaction).await?;
        let (size, root) = (tree.size(), tree.root());
        self.edge = Some((until, tree));
        if int8(size)? < signed {
            return Err(Error::Seal(format!(
                "a head was signed for {signed} records and only {size} are sealed: records were removed, or the database went back; \
                 run `bund audit verify`"
            )));
        }
        if int8(size)? == signed {
            return Ok(None);
        }
        let note = Checkpoint { origin: origin.to_owned(), size, root }.sign(signer);
        let insert = "INSERT INTO audit_head (tree_size, root, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        transaction.execute(insert, &[&int8(size)?, &root.0.as_slice(), &note]).await?;
        transaction.commit().await?;
        Ok(Some(size))
    }
}

/// One batch, and the nodes that it completes.
async fn append(
    transaction: &Transaction<'_>,
    tree: &mut Frontier,
    leaves: &[Row],
) -> Result<(), tokio_postgres::Error> {
    let Some(until) = leaves.last().map(|row| row.position) else { return Ok(()) };
    let first = i64::try_from(tree.size()).unwrap_or(i64::MAX);
    let mut nodes: Vec<Node> = Vec::new();
    let mut digests = Vec::with_capacity(leaves.len() * 32);
    for row in leaves {
        digests.extend_from_slice(&row.digest.0);
        tree.push(row.digest, |node| nodes.push(node));
    }
    let insert = "INSERT INTO audit_batch (first_leaf, leaves, encoding, until_transaction, until_id, until_shard, hashes) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let statement = transaction.prepare_cached(insert).await?;
    let count = i32::try_from(leaves.len()).unwrap_or(i32::MAX);
    let (number, id, shard) = (until.transaction, until.id, until.shard);
    transaction
        .execute(&statement, &[&first, &count, &ENCODING, &number, &id, &shard, &digests])
        .await?;
    if nodes.is_empty() {
        return Ok(());
    }
    let levels: Vec<i16> =
        nodes.iter().map(|node| i16::try_from(node.level).unwrap_or(i16::MAX)).collect();
    let indexes: Vec<i64> =
        nodes.iter().map(|node| i64::try_from(node.index).unwrap_or(i64::MAX)).collect();
    let hashes: Vec<&[u8]> = nodes.iter().map(|node| node.digest.0.as_slice()).collect();
    let insert = "INSERT INTO audit_node (level, index, hash) SELECT * FROM unnest($1::int2[], $2::int8[], $3::bytea[])";
    let statement = transaction.prepare_cached(insert).await?;
    transaction.execute(&statement, &[&levels, &indexes, &hashes]).await?;
    Ok(())
}

/// Whether somebody else wrote these leaves.
fn is_taken(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNIQUE_VIOLATION)
}
