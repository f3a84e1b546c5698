//! Takes whole months out of the trail: their records, each with its leaf, and then the month itself with the note that says so.

use super::kept::Reading;
use super::rows::{columns, leaf};
use super::unsigned;
use crate::Store;
use crate::error::Error;
use access::Agent;
use audit::event::event_id;
use audit::seal::archive::write;
use audit::seal::leaf::agent;
use audit::seal::tree::Digest;
use std::ops::Range;

/// A part of the trail: a month, or all that was there before months were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// Ids of its records are from here to before there.
    pub from: i64,
    pub end: i64,
}

/// A part that was taken out, and the note that was signed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub part: String,
    pub note: String,
}

/// What was read of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Which leaves its records are, in order.
    pub leaves: Vec<Range<u64>>,
    /// The newest transaction of any.
    pub newest: i64,
}

/// Ranges of leaves in one note; a month has one, and a few at each end, where months meet.
const RANGES_MAX: usize = 10_000;
const ROWS: i32 = 4_096;

/// Of a batch: its first leaf, where it ends, its hashes.
type Batch = (u64, (i64, i64, i32), Vec<u8>);

impl Store {
    /// The parts of the trail, the oldest first.
    pub async fn parts(&self) -> Result<Vec<Part>, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT name, coalesce(substring(bound FROM 'FROM \\(''?(-?[0-9]+)')::int8, -9223372036854775808), \
                    substring(bound FROM 'TO \\(''?([0-9]+)')::int8 FROM (SELECT relname::text AS name, \
                    pg_get_expr(relpartbound, oid) AS bound FROM pg_inherits JOIN pg_class ON oid = inhrelid \
                    WHERE inhparent = 'audit_record'::regclass) AS parts ORDER BY 2";
        let part = |row: &tokio_postgres::Row| {
            Ok(Part { name: row.try_get(0)?, from: row.try_get(1)?, end: row.try_get(2)? })
        };
        client.query(text, &[]).await?.iter().map(part).collect()
    }

    /// Takes a part out, if nothing was written into it since it was read.
    pub async fn take_out(&self, part: &Part, newest: i64, note: &str) -> Result<(), Error> {
        let client = self.pool.get().await?;
        client.execute("SELECT audit_take_out($1, $2, $3)", &[&part.name, &newest, &note]).await?;
        Ok(())
    }
}

impl Reading {
    /// What was taken out.
    pub async fn taken(&self) -> Result<Vec<Taken>, Error> {
        let text = "SELECT partition, note FROM audit_archive ORDER BY partition";
        let taken =
            |row: &tokio_postgres::Row| Ok(Taken { part: row.try_get(0)?, note: row.try_get(1)? });
        self.client.query(text, &[]).await?.iter().map(taken).collect()
    }

    /// Hands out the records of a part as lines, in the order of their leaves. Each has to be as it was sealed, and signed.
    pub async fn lines(
        &mut self,
        part: &Part,
        mut each: impl FnMut(&str) -> std::io::Result<()>,
    ) -> Result<Contents, Error> {
        let signed = self.signed_size().await?;
        let text = concat!(
            "SELECT ",
            columns!(),
            ", issuer, subject, client, name, roles FROM audit_record LEFT JOIN audit_agent ON key = agent WHERE id >= $1 AND id < $2 \
             ORDER BY transaction, id, shard"
        );
        let transaction = self.client.transaction().await?;
        let statement = transaction.prepare_cached(text).await?;
        let portal = transaction.bind(&statement, &[&part.from, &part.end]).await?;
        let batch = "SELECT first_leaf, until_transaction, until_id, until_shard, hashes FROM audit_batch \
                     WHERE (until_transaction, until_id, until_shard) >= ($1, $2, $3) \
                     ORDER BY until_transaction, until_id, until_shard LIMIT 1";
        let batch = transaction.prepare_cached(batch).await?;
        let mut contents = Contents { newest: i64::MIN, ..Contents::default() };
        let mut within: Option<Batch> = None;
        loop {
            let rows = transaction.query_portal(&portal, ROWS).await?;
            for row in &rows {
                let who = who(row)?;
                let content = who.as_ref().map(|who| {
                    agent(&who.issuer, &who.subject, &who.client, who.name.as_deref(), &who.roles)
                });
                let leaf = leaf(row, content.as_deref())?;
                let at = (leaf.transaction, leaf.id, leaf.shard);
                if within.as_ref().is_none_or(|(_, until, _)| *until < at) {
                    let found = transaction.query_opt(&batch, &[&at.0, &at.1, &at.2]).await?;
                    let found = found.ok_or_else(|| unsealed(leaf.id))?;
                    let until = (found.try_get(1)?, found.try_get(2)?, found.try_get(3)?);
                    within = Some((unsigned(found.try_get(0)?)?, until, found.try_get(4)?));
                }
                let digest = leaf.digest(&mut Vec::new());
                let index =
                    within.as_ref().and_then(|(first, _, hashes)| place(*first, hashes, &digest));
                let index = index.ok_or_else(|| changed(leaf.id))?;
                if index >= signed {
                    return Err(unsealed(leaf.id));
                }
                each(&write(index, &digest, &leaf, who.as_ref()))
                    .map_err(|error| Error::Settings(error.to_string()))?;
                contents.newest = contents.newest.max(leaf.transaction);
                extend(&mut contents.leaves, index)?;
            }
            if i32::try_from(rows.len()).unwrap_or(ROWS) < ROWS {
                break;
            }
        }
        transaction.commit().await?;
        Ok(contents)
    }
}

fn unsealed(record: i64) -> Error {
    let event = event_id(record);
    Error::Seal(format!(
        "AuditEvent/{event} is not under a signed head yet; one is signed every minute"
    ))
}

fn changed(record: i64) -> Error {
    let event = event_id(record);
    Error::Seal(format!("AuditEvent/{event} is not as it was sealed; run `bund audit verify`"))
}

fn place(first: u64, hashes: &[u8], digest: &Digest) -> Option<u64> {
    let index = hashes.chunks_exact(32).position(|hash| hash == digest.0)?;
    Some(first + u64::try_from(index).ok()?)
}

fn extend(leaves: &mut Vec<Range<u64>>, leaf: u64) -> Result<(), Error> {
    match leaves.last_mut() {
        Some(range) if range.end == leaf => range.end += 1,
        Some(_) | None => leaves.push(leaf..leaf + 1),
    }
    if leaves.len() > RANGES_MAX {
        return Err(Error::Seal(
            "its records are strewn over more than 10,000 places of the tree".to_owned(),
        ));
    }
    Ok(())
}

fn who(row: &tokio_postgres::Row) -> Result<Option<Agent>, Error> {
    let issuer: Option<String> = row.try_get(16)?;
    let Some(issuer) = issuer else { return Ok(None) };
    let (subject, client) = (row.try_get(17)?, row.try_get(18)?);
    let (name, roles) = (row.try_get(19)?, row.try_get(20)?);
    Ok(Some(Agent { issuer, subject, client, name, token_id: None, roles }))
}
