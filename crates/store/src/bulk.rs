//! Bulk loading: many new resources at a time, each slice one transaction with its audit record. Entries are copied; rows of
//! resources are inserted, for PostgreSQL has no COPY into a table with row-level security.
//!
//! For first loads. Ids that exist already are left alone, so a load that was cut off can be run again.

use crate::Store;
use crate::concepts::Fresh;
use crate::error::Error;
use crate::find::read_by;
use crate::trail::audit_rows;
use crate::write::labels::{Written, hold_all, spread};
use crate::write::stage::{Put, first_rules, first_versions};
use crate::write::{WRITES_FOR, writer};
use access::Grant;
use audit::record::Record;
use futures_util::pin_mut;
use schema::resource::Table;
use search::reader::Reader;
use std::collections::{BTreeMap, HashSet};
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

/// What one slice did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    pub created: u64,
    /// Ids that were there already.
    pub skipped: u64,
}

impl Store {
    /// Loads first versions. Their ids must be different from each other; `epoch` is that of their entries.
    pub async fn load(
        &self,
        grant: &Grant,
        mut puts: Vec<Put>,
        epoch: i64,
        record: &Record,
    ) -> Result<Loaded, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let said = transaction.prepare_cached(WRITES_FOR).await?;
        transaction.execute(&said, &[&writer(grant.hospital())]).await?;
        let mut locks: Vec<i64> = puts.iter().map(|put| put.key).collect();
        locks.sort_unstable();
        let lock = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::int8[]) AS key";
        transaction.execute(&transaction.prepare_cached(lock).await?, &[&locks]).await?;

        let before = puts.len();
        let used = used(transaction.client(), grant, &puts).await?;
        puts.retain(|put| !used.contains(&(put.table.code, put.id.clone())));
        let skipped = before - puts.len();

        let written: Vec<Written<'_>> = puts.iter().filter_map(Written::of_put).collect();
        if let Some(hold) = hold_all(&written) {
            transaction.execute(&hold.text, &hold.parameters()).await?;
        }
        transaction.execute("SELECT hold_index_epoch($1)", &[&epoch]).await?;
        for statement in first_versions(&self.dictionaries, &puts)? {
            transaction.execute(&statement.text, &statement.parameters()).await?;
        }
        if let Some(spread) = spread(written.into_iter()) {
            transaction.execute(&spread.text, &spread.parameters()).await?;
        }
        copy_entries(transaction.client(), &puts).await?;
        let mut fresh = Fresh::default();
        let concepts = puts.iter().flat_map(|put| &put.entries.concepts);
        if let Some(statement) = self.concepts.statement(concepts, &mut fresh) {
            transaction.execute(&statement.text, &statement.parameters()).await?;
        }
        if let Some(rules) = first_rules(&puts) {
            transaction.execute(&rules.text, &rules.parameters()).await?;
        }
        let audit = audit_rows(&self.clock, std::slice::from_ref(record));
        transaction.execute(&audit.text, &audit.parameters()).await?;
        transaction.commit().await?;
        self.concepts.learn(fresh);
        Ok(Loaded { created: count(puts.len()), skipped: count(skipped) })
    }

    /// Tells the planner what there is now, after a load that changed these tables.
    pub async fn analyze(
        &self,
        tables: impl IntoIterator<Item = &'static Table>,
    ) -> Result<(), Error> {
        let entries = ["string_entry", "range_entry", "reference_entry", "concept_text", "history"];
        let names: Vec<&str> = tables.into_iter().map(|table| table.name).chain(entries).collect();
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute("SET LOCAL statement_timeout = 0").await?;
        transaction.execute("SELECT analyze_tables($1)", &[&names]).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Ids that stand in the tables or in the history.
async fn used(
    client: &Client,
    grant: &Grant,
    puts: &[Put],
) -> Result<HashSet<(i16, String)>, Error> {
    let reader = Reader::of(grant).text();
    let mut by_table: BTreeMap<i16, (&'static Table, Vec<&str>)> = BTreeMap::new();
    for put in puts {
        by_table.entry(put.table.code).or_insert((put.table, Vec::new())).1.push(&put.id);
    }
    let mut used = HashSet::new();
    for (table, ids) in by_table.into_values() {
        let text = format!(
            "SELECT id FROM open.{} WHERE id = ANY($1) UNION \
             SELECT id FROM open.history WHERE resource_type = $2 AND id = ANY($1)",
            table.name
        );
        for row in client.query(&read_by(&text, 3), &[&ids, &table.code, &reader]).await? {
            used.insert((table.code, row.try_get(0)?));
        }
    }
    Ok(used)
}

async fn copy_entries(client: &Client, puts: &[Put]) -> Result<(), Error> {
    const KEY: [Type; 2] = [Type::INT4, Type::INT8];
    let types = [KEY[0].clone(), KEY[1].clone(), Type::INT8, Type::TEXT, Type::INT8];
    let text =
        "COPY string_entry (shard, resource_key, parameter_key, value, exact) FROM STDIN BINARY";
    let writer = BinaryCopyInWriter::new(client.copy_in(text).await?, &types);
    pin_mut!(writer);
    for put in puts {
        for entry in &put.entries.strings {
            let row: [&(dyn ToSql + Sync); 5] =
                [&put.shard, &put.key, &entry.parameter_key, &entry.value, &entry.exact];
            writer.as_mut().write(&row).await?;
        }
    }
    writer.finish().await?;

    let types = [KEY[0].clone(), KEY[1].clone(), Type::INT8, Type::INT8, Type::INT8];
    let text = "COPY range_entry (shard, resource_key, parameter_key, low, high) FROM STDIN BINARY";
    let writer = BinaryCopyInWriter::new(client.copy_in(text).await?, &types);
    pin_mut!(writer);
    for put in puts {
        for entry in &put.entries.ranges {
            let row: [&(dyn ToSql + Sync); 5] =
                [&put.shard, &put.key, &entry.parameter_key, &entry.low, &entry.high];
            writer.as_mut().write(&row).await?;
        }
    }
    writer.finish().await?;

    let types = [KEY[0].clone(), KEY[1].clone(), Type::INT8, Type::INT8];
    let text = "COPY reference_entry (shard, resource_key, target_key, date_low) FROM STDIN BINARY";
    let writer = BinaryCopyInWriter::new(client.copy_in(text).await?, &types);
    pin_mut!(writer);
    for put in puts {
        for entry in &put.entries.references {
            let row: [&(dyn ToSql + Sync); 4] =
                [&put.shard, &put.key, &entry.target_key, &entry.date_low];
            writer.as_mut().write(&row).await?;
        }
    }
    writer.finish().await?;
    Ok(())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
