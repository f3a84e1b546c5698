//! `bund import` against COPY of the same rows.

use crate::city;
use crate::database::Database;
use crate::process::{memory_mb, program};
use crate::report::{Report, rate};
use access::{Interaction, Wish, decide};
use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use futures_util::pin_mut;
use serde_json::Value;
use server::app::App;
use server::interactions::change::first_version;
use server::settings::{Settings, Source};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use store::Store;
use store::write::stage::Put;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

pub(crate) async fn measure(database: &Database, patients: u32, report: &mut Report) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("bund-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("city.ndjson");
    let mut out = BufWriter::new(File::create(&file)?);
    let mut count = 0_u64;
    for resource in city().patients(1..=patients).flatten() {
        count += 1;
        serde_json::to_writer(&mut out, &resource)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;

    database.migrated("hand").await?;
    let store = Store::open(&database.settings("hand")).await?;
    let rows = puts(database, "hand", city().patients(1..=patients).flatten().collect()).await?;
    database.checkpoint().await?;
    let copy = copy(database, &store, &rows).await?;
    let copy = rate(count, copy.as_secs_f64());

    database.migrated("city").await?;
    database.checkpoint().await?;
    let wal = database.wal_bytes().await?;
    let began = Instant::now();
    let mut child = Command::new(program()?)
        .arg("import")
        .arg(&file)
        .env("BUND_DATABASE_URL", database.url("city"))
        .env("BUND_LOG", "error")
        .stdout(Stdio::null())
        .spawn()?;
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        most = memory_mb(child.id(), "VmHWM:").unwrap_or(most);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    if !status.success() {
        bail!("bund import failed");
    }
    let import = rate(count, began.elapsed().as_secs_f64());
    let wal = (database.wal_bytes().await? - wal) / i64::try_from(count)?;
    std::fs::remove_dir_all(&folder)?;
    report.line(&format!(
        "import: {import:.0} resources a second, {wal} bytes of WAL each; {copy:.0} by COPY of the same rows"
    ))?;
    report.aim("import, ratio to COPY", import / copy, import / copy >= 0.5, "at least 0.5")?;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let megabytes = most as f64;
    report.aim("memory while importing, MB", megabytes, most <= 400, "at most 400")
}

/// The rows that the server would store.
pub(crate) async fn puts(
    database: &Database,
    name: &str,
    resources: Vec<Value>,
) -> Result<Vec<Put>> {
    let url = database.url(name);
    let source = Source::read(None, |name| (name == "BUND_DATABASE_URL").then(|| url.clone()))?;
    let app = App::new(Settings::read(&source, None)?).await?;
    let wish = Wish::new(Interaction::Batch, None);
    let grant = decide(&app.local_caller(), &wish)?;
    resources
        .into_iter()
        .map(|resource| {
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            let table = schema::resource::find(kind).context("no table")?;
            let id = resource["id"].as_str().context("no id")?.to_owned();
            first_version(&app, &grant, table, id, resource)
                .map_err(|failure| anyhow::anyhow!("{failure:?}"))
        })
        .collect()
}

/// Two writers, 5,000 rows a transaction; bodies compressed beforehand.
async fn copy(database: &Database, store: &Store, rows: &[Put]) -> Result<Duration> {
    let mut slices = Vec::new();
    for slice in rows.chunks(5_000) {
        slices.push(compressed(store, slice)?);
    }
    let mut writers = Vec::new();
    for _ in 0..2 {
        writers.push(database.connect("hand").await?);
    }
    let began = Instant::now();
    let width = slices.len().div_ceil(writers.len());
    let tasks = writers.iter_mut().zip(slices.chunks(width)).map(|(client, slices)| async move {
        for slice in slices {
            let transaction = client.transaction().await?;
            copy_slice(&transaction, slice).await?;
            transaction.commit().await?;
        }
        anyhow::Ok(())
    });
    try_join_all(tasks).await?;
    Ok(began.elapsed())
}

type Slice<'a> = BTreeMap<&'static str, Vec<(&'a Put, i16, Vec<u8>)>>;

fn compressed<'a>(store: &Store, rows: &'a [Put]) -> Result<Slice<'a>> {
    let mut slice = Slice::new();
    for put in rows {
        let (dictionary, body) = store.dictionaries().compress(put.table, &put.json)?;
        slice.entry(put.table.name).or_default().push((put, dictionary, body));
    }
    Ok(slice)
}

async fn copy_slice(
    transaction: &tokio_postgres::Transaction<'_>,
    slice: &Slice<'_>,
) -> Result<()> {
    for (table, rows) in slice {
        let text = format!(
            "COPY {table} (id, shard, version_key, version, key, hospital, patient, code, code2, date_low, \
             date_high, quantity, number, present, tokens, filters, method, dictionary, body) FROM STDIN BINARY"
        );
        let types = [
            Type::TEXT,
            Type::INT4,
            Type::INT8,
            Type::INT4,
            Type::INT8,
            Type::INT4,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8,
            Type::INT8_ARRAY,
            Type::INT8_ARRAY,
            Type::INT2,
            Type::INT2,
            Type::BYTEA,
        ];
        let writer = BinaryCopyInWriter::new(transaction.copy_in(&text).await?, &types);
        pin_mut!(writer);
        for (put, dictionary, body) in rows {
            let row: [&(dyn ToSql + Sync); 19] = [
                &put.id,
                &put.shard,
                &put.version_key,
                &put.version,
                &put.key,
                &put.hospital,
                &put.patient(),
                &put.entries.code,
                &put.entries.code2,
                &put.entries.date.map(|(low, _)| low),
                &put.entries.date.map(|(_, high)| high),
                &put.entries.quantity,
                &put.entries.number,
                &put.entries.present,
                &put.entries.tokens,
                &put.entries.filters,
                &1_i16,
                dictionary,
                body,
            ];
            writer.as_mut().write(&row).await?;
        }
        writer.finish().await?;
    }
    let types = [Type::INT4, Type::INT8, Type::INT8, Type::TEXT, Type::INT8];
    let text =
        "COPY string_entry (shard, resource_key, parameter_key, value, exact) FROM STDIN BINARY";
    let writer = BinaryCopyInWriter::new(transaction.copy_in(text).await?, &types);
    pin_mut!(writer);
    for (put, _, _) in slice.values().flatten() {
        for entry in &put.entries.strings {
            let row: [&(dyn ToSql + Sync); 5] =
                [&put.shard, &put.key, &entry.parameter_key, &entry.value, &entry.exact];
            writer.as_mut().write(&row).await?;
        }
    }
    writer.finish().await?;
    let types = [Type::INT4, Type::INT8, Type::INT8, Type::INT8, Type::INT8];
    let text = "COPY range_entry (shard, resource_key, parameter_key, low, high) FROM STDIN BINARY";
    let writer = BinaryCopyInWriter::new(transaction.copy_in(text).await?, &types);
    pin_mut!(writer);
    for (put, _, _) in slice.values().flatten() {
        for entry in &put.entries.ranges {
            let row: [&(dyn ToSql + Sync); 5] =
                [&put.shard, &put.key, &entry.parameter_key, &entry.low, &entry.high];
            writer.as_mut().write(&row).await?;
        }
    }
    writer.finish().await?;
    let types = [Type::INT4, Type::INT8, Type::INT8, Type::INT8];
    let text = "COPY reference_entry (shard, resource_key, target_key, date_low) FROM STDIN BINARY";
    let writer = BinaryCopyInWriter::new(transaction.copy_in(text).await?, &types);
    pin_mut!(writer);
    for (put, _, _) in slice.values().flatten() {
        for entry in &put.entries.references {
            let row: [&(dyn ToSql + Sync); 4] =
                [&put.shard, &put.key, &entry.target_key, &entry.date_low];
            writer.as_mut().write(&row).await?;
        }
    }
    writer.finish().await?;
    Ok(())
}
