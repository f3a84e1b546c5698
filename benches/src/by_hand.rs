//! The same answers by SQL that is written by hand: plain tables made for these questions and no others, with the columns and the
//! indexes that an expert would give them, and the stored bodies beside.

use crate::database::Database;
use crate::report::percentile;
use access::{Caller, HospitalId, Interaction, Wish, decide};
use anyhow::{Context as _, Result, bail};
use futures_util::SinkExt as _;
use jiff::tz::TimeZone;
use search::plan::{Order, plan};
use search::query::{Codes, Context, Query, Unknown};
use search::render::{self, Window};
use search::sql::{Bind, Sql};
use search::veil::Veil;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

/// A search of the published set by its name, the statement, and which of what is known it takes.
pub(crate) const STATEMENTS: [(&str, &str, &[Parameter]); 15] = [
    (
        "by identifier",
        "SELECT p.body FROM plain.patient p JOIN plain.patient_identifier i ON i.patient = p.id WHERE i.value = $1 ORDER BY p.id LIMIT 51",
        &[Parameter::Identifier],
    ),
    (
        "by birth date and gender",
        "SELECT body FROM plain.patient WHERE birth_date = '1980-05-05' AND gender = 'male' ORDER BY id LIMIT 51",
        &[],
    ),
    (
        "a patient's results by code and date",
        "SELECT body FROM plain.observation WHERE patient = $1 AND code = $2 ORDER BY date DESC LIMIT 51",
        &[Parameter::Patient, Parameter::Code],
    ),
    (
        "a patient's observations",
        "SELECT body FROM plain.observation WHERE patient = $1 ORDER BY id LIMIT 51",
        &[Parameter::Patient],
    ),
    (
        "a patient's encounters since",
        "SELECT body FROM plain.encounter WHERE patient = $1 AND start >= '2020-01-01' ORDER BY start LIMIT 51",
        &[Parameter::Patient],
    ),
    (
        "values above a limit, city-wide",
        "SELECT body FROM plain.observation WHERE code = $1 AND unit = $3 AND value > $2::text::numeric ORDER BY value LIMIT 21",
        &[Parameter::Code, Parameter::High, Parameter::Unit],
    ),
    (
        "one code, city-wide, latest first",
        "SELECT body FROM plain.observation WHERE code = $1 ORDER BY date DESC LIMIT 21",
        &[Parameter::Code],
    ),
    (
        "one code since, city-wide",
        "SELECT body FROM plain.observation WHERE code = $1 AND date >= '2026-01-01T00:00:00+08:00' ORDER BY date DESC LIMIT 21",
        &[Parameter::Code],
    ),
    (
        "final, latest first",
        "SELECT body FROM plain.observation WHERE status = 'final' ORDER BY date DESC LIMIT 21",
        &[],
    ),
    (
        "a practitioner's appointments since",
        "SELECT a.body FROM plain.participant p JOIN plain.appointment a ON a.id = p.appointment \
         WHERE p.actor = 'Practitioner/' || $1 AND p.start >= '2026-01-01T00:00:00+08:00' ORDER BY p.start LIMIT 51",
        &[Parameter::Practitioner],
    ),
    (
        "chain by patient's identifier",
        "SELECT o.body FROM plain.observation o WHERE o.patient IN (SELECT i.patient FROM plain.patient_identifier i WHERE i.value = $1) \
         ORDER BY o.id LIMIT 51",
        &[Parameter::Identifier],
    ),
    (
        "imaging by modality and date",
        "SELECT body FROM plain.imaging WHERE modality = 'CT' AND started >= '2026-01-01T00:00:00+08:00' ORDER BY started DESC LIMIT 21",
        &[],
    ),
    (
        "compartment",
        "SELECT body FROM plain.condition WHERE patient = $1 ORDER BY id LIMIT 51",
        &[Parameter::Patient],
    ),
    (
        "feed by _lastUpdated",
        "SELECT body FROM plain.observation ORDER BY version_key DESC LIMIT 21",
        &[],
    ),
    (
        "accurate total of a code",
        "SELECT count(*) FROM plain.observation WHERE code = $1",
        &[Parameter::Code],
    ),
];

#[derive(Clone, Copy)]
pub(crate) enum Parameter {
    Patient,
    Identifier,
    Code,
    High,
    Unit,
    Practitioner,
}

/// One after the other; `raw` holds the resources as jsonb.
const TABLES: &str = "
CREATE TABLE plain.patient AS SELECT t.id, r.j->>'birthDate' AS birth_date, r.j->>'gender' AS gender, t.body
    FROM plain.raw r JOIN patient t ON t.id = r.j->>'id' WHERE r.j->>'resourceType' = 'Patient';
CREATE TABLE plain.patient_identifier AS SELECT r.j->>'id' AS patient, i->>'value' AS value
    FROM plain.raw r, jsonb_array_elements(r.j->'identifier') i WHERE r.j->>'resourceType' = 'Patient';
CREATE TABLE plain.observation AS SELECT t.id, substr(r.j->'subject'->>'reference', 9) AS patient, r.j->>'status' AS status,
    r.j->'code'->'coding'->0->>'code' AS code, (r.j->>'effectiveDateTime')::timestamptz AS date,
    (r.j->'valueQuantity'->>'value')::numeric AS value, r.j->'valueQuantity'->>'code' AS unit, t.version_key, t.body
    FROM plain.raw r JOIN observation t ON t.id = r.j->>'id' WHERE r.j->>'resourceType' = 'Observation';
CREATE TABLE plain.encounter AS SELECT t.id, substr(r.j->'subject'->>'reference', 9) AS patient,
    (r.j->'period'->>'start')::timestamptz AS start, t.body
    FROM plain.raw r JOIN encounter t ON t.id = r.j->>'id' WHERE r.j->>'resourceType' = 'Encounter';
CREATE TABLE plain.condition AS SELECT t.id, substr(r.j->'subject'->>'reference', 9) AS patient, t.body
    FROM plain.raw r JOIN condition t ON t.id = r.j->>'id' WHERE r.j->>'resourceType' = 'Condition';
CREATE TABLE plain.appointment AS SELECT t.id, t.body
    FROM plain.raw r JOIN appointment t ON t.id = r.j->>'id' WHERE r.j->>'resourceType' = 'Appointment';
CREATE TABLE plain.participant AS SELECT r.j->>'id' AS appointment, p->'actor'->>'reference' AS actor, (r.j->>'start')::timestamptz AS start
    FROM plain.raw r, jsonb_array_elements(r.j->'participant') p WHERE r.j->>'resourceType' = 'Appointment';
CREATE TABLE plain.imaging AS SELECT t.id, m->>'code' AS modality, (r.j->>'started')::timestamptz AS started, t.body
    FROM plain.raw r JOIN imaging_study t ON t.id = r.j->>'id', jsonb_array_elements(r.j->'modality') m
    WHERE r.j->>'resourceType' = 'ImagingStudy';
DROP TABLE plain.raw;
CREATE UNIQUE INDEX ON plain.patient (id);
CREATE INDEX ON plain.patient (birth_date, gender);
CREATE INDEX ON plain.patient_identifier (value);
CREATE INDEX ON plain.observation (patient, id);
CREATE INDEX ON plain.observation (patient, code, date);
CREATE INDEX ON plain.observation (code, date);
CREATE INDEX ON plain.observation (code, unit, value);
CREATE INDEX ON plain.observation (status, date);
CREATE INDEX ON plain.observation (version_key);
CREATE INDEX ON plain.encounter (patient, start);
CREATE INDEX ON plain.condition (patient, id);
CREATE UNIQUE INDEX ON plain.appointment (id);
CREATE INDEX ON plain.participant (actor, start);
CREATE INDEX ON plain.imaging (modality, started);
";

/// Makes the tables beside our own, from the file that these were loaded from.
pub(crate) async fn build(database: &Database, name: &str, file: &Path) -> Result<()> {
    let client = database.connect(name).await?;
    client.batch_execute("CREATE SCHEMA plain; CREATE UNLOGGED TABLE plain.raw (j jsonb)").await?;
    // No control character is in a line of JSON, so these part and quote nothing.
    let copy = "COPY plain.raw FROM STDIN (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')";
    let sink = client.copy_in(copy).await?;
    tokio::pin!(sink);
    let mut chunk = Vec::new();
    for line in BufReader::new(std::fs::File::open(file)?).lines() {
        chunk.extend_from_slice(line?.as_bytes());
        chunk.push(b'\n');
        if chunk.len() > 1 << 20 {
            sink.send(bytes::Bytes::from(std::mem::take(&mut chunk))).await?;
        }
    }
    sink.send(bytes::Bytes::from(chunk)).await?;
    sink.finish().await?;
    client.batch_execute(TABLES).await?;
    Ok(client.batch_execute("VACUUM ANALYZE").await?)
}

/// A statement, prepared as the server prepares its own.
pub(crate) struct Prepared {
    client: Client,
    statement: tokio_postgres::Statement,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

/// What the server would send for a search of one type: `Type?name=value&…`, not encoded.
pub(crate) fn of_server(search: &str, base_url: &str) -> Result<Sql> {
    let (resource, text) = search.split_once('?').context("no search")?;
    let resource = schema::resource::find(resource).context("no type")?.resource;
    let all: Vec<(String, String)> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_criterion =
        |name: &str| !name.starts_with('_') || ["_id", "_lastUpdated"].contains(&name);
    let criteria: Vec<(String, String)> =
        all.iter().filter(|(name, _)| is_criterion(name)).cloned().collect();
    let given =
        |name: &str| all.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let codes = Codes::new();
    let zone = TimeZone::get("Asia/Shanghai")?;
    let context = Context {
        base_url,
        time_zone: &zone,
        now_micros: store::clock::now_micros(),
        unknown: Unknown::Refuse,
        codes: &codes,
        custom: Arc::default(),
        veil: &Veil::new(b""),
    };
    let wish = Wish::new(Interaction::Search, Some(resource));
    let grant = decide(&Caller::local(HospitalId(1)), &wish)?;
    let plan = plan(&Query::parse(resource, &criteria, &context)?, &grant)?;
    if given("_summary") == Some("count") {
        return Ok(render::count(&plan));
    }
    let order = match given("_sort") {
        Some("-date") => Order::Date { descending: true },
        Some("-_lastUpdated") => Order::Version { descending: true },
        _ => plan.natural(),
    };
    let limit = given("_count").map_or(Ok(50), str::parse::<u32>)? + 1;
    Ok(render::page(&plan, &Window { order, ..Window::all(limit) }))
}

fn bound(bind: &Bind) -> Box<dyn ToSql + Sync + Send> {
    match bind.clone() {
        Bind::Int4(value) => Box::new(value),
        Bind::Int8(value) => Box::new(value),
        Bind::Float8(value) => Box::new(value),
        Bind::Text(value) => Box::new(value),
        Bind::Int8Array(values) => Box::new(values),
        Bind::TextArray(values) => Box::new(values),
    }
}

impl Prepared {
    pub(crate) async fn by_hand(
        database: &Database,
        name: &str,
        statement: &str,
        values: Vec<String>,
    ) -> Result<Prepared> {
        let values =
            values.into_iter().map(|value| Box::new(value) as Box<dyn ToSql + Sync + Send>);
        Prepared::new(database, name, statement, values.collect()).await
    }

    pub(crate) async fn of(database: &Database, name: &str, sql: &Sql) -> Result<Prepared> {
        let values = sql.binds().into_iter().map(bound).collect();
        Prepared::new(database, name, &sql.text(), values).await
    }

    async fn new(
        database: &Database,
        name: &str,
        statement: &str,
        values: Vec<Box<dyn ToSql + Sync + Send>>,
    ) -> Result<Prepared> {
        let client = database.connect(name).await?;
        client.batch_execute("SET plan_cache_mode = force_generic_plan").await?;
        let statement = client.prepare(statement).await.context("a statement")?;
        Ok(Prepared { client, statement, values })
    }

    /// How many rows, or the count that it is.
    pub(crate) async fn run(&self) -> Result<u64> {
        let values: Vec<&(dyn ToSql + Sync)> =
            self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
        let rows = self.client.query(&self.statement, &values).await?;
        // Ours is a sum of counts, without a name.
        let is_count = matches!(self.statement.columns(), [one] if one.name() != "body");
        match rows.first() {
            Some(row) if is_count => Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0)),
            _ => Ok(u64::try_from(rows.len()).unwrap_or(0)),
        }
    }

    /// The p50 in milliseconds.
    pub(crate) async fn measure(&self, times: usize) -> Result<f64> {
        let mut measured = Vec::with_capacity(times);
        for _ in 0..times {
            let began = Instant::now();
            self.run().await?;
            measured.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        if measured.is_empty() {
            bail!("nothing was measured");
        }
        Ok(percentile(&mut measured, 0.5))
    }
}
