//! Transaction bundles against the same rows by hand-written UNNEST statements.

use crate::city;
use crate::database::Database;
use crate::import::puts;
use crate::process::Server;
use crate::report::{Report, percentile, rate};
use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use schema::resource::Table;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use store::Store;
use store::write::stage::Put;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const A_BUNDLE: usize = 100;
const WRITERS: u32 = 2;

pub(crate) async fn measure(
    database: &Database,
    server: &Server,
    bundles: u32,
    report: &mut Report,
) -> Result<()> {
    // Other patients than those of the city.
    let resources: Vec<Value> = city()
        .patients(5_000_000..=u32::MAX)
        .flatten()
        .take(usize::try_from(bundles)? * A_BUNDLE)
        .collect();
    let texts: Vec<String> = resources.chunks(A_BUNDLE).map(bundle).collect();
    let count = u64::try_from(resources.len())?;

    // By hand: rows made beforehand, into a database with the same rows and indexes.
    let store = Store::open(&database.settings("hand")).await?;
    let rows = puts(database, "hand", resources).await?;
    let began = Instant::now();
    by_hand(database, &store, &rows).await?;
    let hand = rate(count, began.elapsed().as_secs_f64());

    // The first round after a checkpoint writes whole pages: steady state is what follows.
    database.checkpoint().await?;
    let (warm, measured) = texts.split_at(texts.len() / 4);
    send(server, warm).await?;
    let wal = database.wal_bytes().await?;
    let began = Instant::now();
    let mut times = send(server, measured).await?;
    let sent = u64::try_from(measured.len() * A_BUNDLE)?;
    let http = rate(sent, began.elapsed().as_secs_f64());
    let wal = (database.wal_bytes().await? - wal) / i64::try_from(sent)?;
    report.line(&format!(
        "bundles of 100, 2 writers: {http:.0} resources a second over HTTP, p50 {:.1} ms a bundle; {hand:.0} by UNNEST",
        percentile(&mut times, 0.5)
    ))?;
    report.aim(
        "bundles, ratio to UNNEST by hand",
        http / hand,
        http / hand >= 0.5,
        "at least 0.5",
    )?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let kilobytes = wal as f64 / 1_024.0;
    report.aim("WAL a resource, KB", kilobytes, kilobytes <= 8.0, "at most 8")
}

fn bundle(resources: &[Value]) -> String {
    let entries: Vec<Value> = resources
        .iter()
        .map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            json!({ "resource": resource, "request": { "method": "POST", "url": kind } })
        })
        .collect();
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries }).to_string()
}

/// Milliseconds of each bundle.
async fn send(server: &Server, texts: &[String]) -> Result<Vec<f64>> {
    let texts: Arc<Vec<String>> = Arc::new(texts.to_vec());
    let tasks = (0..WRITERS).map(|writer| {
        let (texts, address) = (Arc::clone(&texts), server.address.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            for text in
                texts.iter().skip(usize::try_from(writer)?).step_by(usize::try_from(WRITERS)?)
            {
                let began = Instant::now();
                post(&address, text).await?;
                times.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(times)
        })
    });
    let mut times = Vec::new();
    for outcome in try_join_all(tasks).await? {
        times.extend(outcome?);
    }
    Ok(times)
}

async fn post(address: &str, text: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "POST /fhir HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nPrefer: return=minimal\r\n\
         Content-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        bail!("{}", String::from_utf8_lossy(&answer).chars().take(600).collect::<String>());
    }
    Ok(())
}

/// The rows of 100 resources a transaction, one statement a table, two writers; bodies compressed beforehand.
async fn by_hand(database: &Database, store: &Store, rows: &[Put]) -> Result<()> {
    let mut slices = Vec::new();
    for slice in rows.chunks(A_BUNDLE) {
        slices.push(Slice::new(store, slice)?);
    }
    let mut writers = Vec::new();
    for _ in 0..WRITERS {
        writers.push(database.connect("hand").await?);
    }
    let width = slices.len().div_ceil(writers.len());
    let tasks = writers.iter_mut().zip(slices.chunks(width)).map(|(client, slices)| async move {
        for slice in slices {
            let transaction = client.transaction().await?;
            slice.write(&transaction).await?;
            transaction.commit().await?;
        }
        anyhow::Ok(())
    });
    try_join_all(tasks).await?;
    Ok(())
}

struct Slice {
    tables: Vec<Rows>,
    strings: Five<String>,
    ranges: Five<i64>,
    references: (Vec<i32>, Vec<i64>, Vec<i64>, Vec<i64>),
}

/// Shard, resource, and three columns more.
type Five<T> = (Vec<i32>, Vec<i64>, Vec<T>, Vec<i64>, Vec<i64>);

#[derive(Default)]
struct Rows {
    table: &'static str,
    ids: Vec<String>,
    shards: Vec<i32>,
    version_keys: Vec<i64>,
    keys: Vec<i64>,
    patients: Vec<Option<i64>>,
    codes: [Vec<Option<i64>>; 2],
    dates: [Vec<Option<i64>>; 2],
    quantities: [Vec<Option<i64>>; 2],
    present: Vec<i64>,
    dictionaries: Vec<i16>,
    bodies: Vec<Vec<u8>>,
    bounds: [Vec<i32>; 4],
    tokens: Vec<i64>,
    filters: Vec<i64>,
}

impl Slice {
    fn new(store: &Store, puts: &[Put]) -> Result<Slice> {
        let mut tables: BTreeMap<i16, (&'static Table, Rows)> = BTreeMap::new();
        let mut strings = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut ranges = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut references = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for put in puts {
            let (dictionary, body) = store.dictionaries().compress(put.table, &put.json)?;
            let (table, rows) =
                tables.entry(put.table.code).or_insert((put.table, Rows::default()));
            rows.table = table.name;
            rows.ids.push(put.id.clone());
            rows.shards.push(put.shard);
            rows.version_keys.push(put.version_key);
            rows.keys.push(put.key);
            rows.patients.push(put.patient());
            let entries = &put.entries;
            rows.codes[0].push(entries.code);
            rows.codes[1].push(entries.code2);
            rows.dates[0].push(entries.date.map(|(low, _)| low));
            rows.dates[1].push(entries.date.map(|(_, high)| high));
            rows.quantities[0].push(entries.quantity);
            rows.quantities[1].push(entries.number);
            rows.present.push(entries.present);
            rows.dictionaries.push(dictionary);
            rows.bodies.push(body);
            let [tokens_low, tokens_high, filters_low, filters_high] = &mut rows.bounds;
            tokens_low.push(i32::try_from(rows.tokens.len() + 1)?);
            rows.tokens.extend(&entries.tokens);
            tokens_high.push(i32::try_from(rows.tokens.len())?);
            filters_low.push(i32::try_from(rows.filters.len() + 1)?);
            rows.filters.extend(&entries.filters);
            filters_high.push(i32::try_from(rows.filters.len())?);
            for entry in &entries.strings {
                strings.0.push(put.shard);
                strings.1.push(put.key);
                strings.2.push(entry.value.clone());
                strings.3.push(entry.parameter_key);
                strings.4.push(entry.exact);
            }
            for entry in &entries.ranges {
                ranges.0.push(put.shard);
                ranges.1.push(put.key);
                ranges.2.push(entry.parameter_key);
                ranges.3.push(entry.low);
                ranges.4.push(entry.high);
            }
            for entry in &entries.references {
                references.0.push(put.shard);
                references.1.push(put.key);
                references.2.push(entry.target_key);
                references.3.push(entry.date_low);
            }
        }
        let tables = tables.into_values().map(|(_, rows)| rows).collect();
        Ok(Slice { tables, strings, ranges, references })
    }

    async fn write(&self, transaction: &tokio_postgres::Transaction<'_>) -> Result<()> {
        for rows in &self.tables {
            let text = format!(
                "INSERT INTO {} (id, shard, version_key, version, key, hospital, patient, tokens, filters, method, dictionary, body, \
                 code, code2, date_low, date_high, quantity, number, present) \
                 SELECT u.id, u.shard, u.version_key, 1, u.key, 1, u.patient, ($12::int8[])[u.a:u.b], ($13::int8[])[u.c:u.d], 1, \
                 u.dictionary, u.body, u.code, u.code2, u.date_low, u.date_high, u.quantity, u.number, u.present \
                 FROM unnest($1::text[], $2::int4[], $3::int8[], $4::int8[], $5::int8[], $6::int2[], \
                 $7::bytea[], $8::int4[], $9::int4[], $10::int4[], $11::int4[], $14::int8[], $15::int8[], $16::int8[], \
                 $17::int8[], $18::int8[], $19::int8[], $20::int8[]) \
                 AS u (id, shard, version_key, key, patient, dictionary, body, a, b, c, d, code, code2, date_low, date_high, \
                 quantity, number, present)",
                rows.table
            );
            let [a, b, c, d] = &rows.bounds;
            transaction
                .execute(
                    &text,
                    &[
                        &rows.ids,
                        &rows.shards,
                        &rows.version_keys,
                        &rows.keys,
                        &rows.patients,
                        &rows.dictionaries,
                        &rows.bodies,
                        a,
                        b,
                        c,
                        d,
                        &rows.tokens,
                        &rows.filters,
                        &rows.codes[0],
                        &rows.codes[1],
                        &rows.dates[0],
                        &rows.dates[1],
                        &rows.quantities[0],
                        &rows.quantities[1],
                        &rows.present,
                    ],
                )
                .await
                .context("rows by hand")?;
        }
        let text = "INSERT INTO string_entry (shard, resource_key, value, parameter_key, exact) \
                    SELECT * FROM unnest($1::int4[], $2::int8[], $3::text[], $4::int8[], $5::int8[])";
        let (shards, keys, values, parameters, exacts) = &self.strings;
        transaction.execute(text, &[shards, keys, values, parameters, exacts]).await?;
        let text = "INSERT INTO range_entry (shard, resource_key, parameter_key, low, high) \
                    SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])";
        let (shards, keys, parameters, lows, highs) = &self.ranges;
        transaction.execute(text, &[shards, keys, parameters, lows, highs]).await?;
        let text = "INSERT INTO reference_entry (shard, resource_key, target_key, date_low) \
                    SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[])";
        let (shards, keys, targets, dates) = &self.references;
        transaction.execute(text, &[shards, keys, targets, dates]).await?;
        Ok(())
    }
}
