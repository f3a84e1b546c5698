//! What sealing the trail costs: hashing alone, through PostgreSQL, in write-ahead log, and how long a record waits under load.

use crate::database::Database;
use crate::report::{Report, percentile, rate};
use anyhow::{Context as _, Result};
use audit::seal::frontier::Frontier;
use audit::seal::key::Signer;
use audit::seal::leaf::{Leaf, agent};
use std::time::{Duration, Instant};
use store::clock::now_micros;
use store::seal::examination::{Known, examine};
use store::seal::sequencer::Sequencer;
use tokio_postgres::{Client, Statement};

/// Records of one INSERT, as the trail groups them under load.
const GROUP: i64 = 100;
/// Records a second while the lag is measured.
const LOAD: i64 = 5_000;

pub(crate) async fn measure(records: i64, seconds: u64, report: &mut Report) -> Result<()> {
    let per_core = pure();
    report.aim(
        "leaves hashed and put into the tree a second, one core",
        per_core,
        per_core >= 200_000.0,
        "at least 200,000",
    )?;
    let database = Database::start().await?;
    let durable = database.durable_commit_ms().await?;
    report.line(&format!("one durable commit: p50 {durable:.2} ms"))?;
    database.migrated("seal").await?;
    let client = database.connect("seal").await?;
    let agents = "INSERT INTO audit_agent SELECT n, 'https://id.ruijin.example/realms/ehr', 'b3ca1045-' || n, 'ruijin-ehr', '王医生', ARRAY['doctor'] \
                  FROM generate_series(1, 500) AS n";
    client.batch_execute(agents).await?;
    let mut writer = Writer::new(client).await?;
    wal(&database, &mut writer, report).await?;

    let mut sequencer = Sequencer::new(&database.settings("seal"))?;
    while sequencer.seal().await?.is_behind {}
    for _ in 0..records / GROUP {
        writer.write().await?;
    }
    let (began, wal) = (Instant::now(), database.wal_bytes().await?);
    let mut sealed = 0;
    loop {
        let round = sequencer.seal().await?;
        sealed += round.sealed;
        if !round.is_behind {
            break;
        }
    }
    let per_second = rate(sealed, began.elapsed().as_secs_f64());
    let wal = per(database.wal_bytes().await? - wal, sealed);
    report.line(&format!(
        "sealed with PostgreSQL: {per_second:.0} records a second, {wal:.1} bytes of WAL each"
    ))?;

    let signer = Signer::from_seed("bench", &[1; 32])?;
    sequencer.sign("bench", &signer).await?;
    let known = Known { keys: vec![signer.verifier().clone()], ..Known::default() };
    let began = Instant::now();
    let outcome = examine(&database.settings("seal"), &known, |_, _| {}).await?;
    anyhow::ensure!(outcome.report.findings.is_empty(), "{:?}", outcome.report.findings);
    let per_second = rate(outcome.report.intact, began.elapsed().as_secs_f64());
    report.line(&format!("verified with PostgreSQL: {per_second:.0} records a second"))?;
    lag(&mut writer, &mut sequencer, seconds, report).await
}

/// One core, for a second.
fn pure() -> f64 {
    let roles = ["doctor".to_owned()];
    let who = agent(
        "https://id.ruijin.example/realms/ehr",
        "b3ca1045-7a",
        "ruijin-ehr",
        Some("王医生"),
        &roles,
    );
    let mut leaf = Leaf {
        transaction: 1,
        id: now_micros() << 11,
        shard: 7,
        request: [7; 16],
        interaction: 10,
        status: 200,
        hospital: 4,
        resource_type: Some(9),
        resource_id: None,
        version: None,
        patient: Some(81),
        query: Some("patient=Patient/p-8841&code=http://loinc.org|4548-4"),
        agent: Some(6),
        agent_content: Some(&who),
        token: Some("0f3c9c8e-5a40-4a3e-9a52-0b2c2f3f9d10"),
        purposes: Some(1),
        address: Some("192.0.2.17"),
    };
    let mut tree = Frontier::default();
    let mut buffer = Vec::new();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        for _ in 0..1_000 {
            leaf.id += 2_048;
            tree.push(leaf.digest(&mut buffer), |_| {});
        }
    }
    rate(tree.size(), began.elapsed().as_secs_f64())
}

/// Writes groups of records as the trail does.
struct Writer {
    client: Client,
    insert: Statement,
    micros: i64,
}

impl Writer {
    async fn new(client: Client) -> Result<Writer> {
        let text = "INSERT INTO audit_record (id, shard, request, interaction, status, hospital, resource_type, patient, query, agent, token, \
                    purposes, address) SELECT ($1::int8 + n) << 11, 7, gen_random_uuid(), 10, 200, 4, 9, hashint8extended($1 + n % 40, 1), \
                    'patient=Patient/p-8841&code=http://loinc.org|4548-4', 1 + n % 500, gen_random_uuid()::text, 1, '192.0.2.17' \
                    FROM generate_series(0, $2::int8 - 1) AS n";
        let insert = client.prepare(text).await.context("the INSERT")?;
        Ok(Writer { client, insert, micros: 0 })
    }

    async fn write(&mut self) -> Result<()> {
        self.micros = now_micros().max(self.micros + GROUP);
        self.client.execute(&self.insert, &[&self.micros, &GROUP]).await?;
        Ok(())
    }
}

/// Bytes of write-ahead log for a record, with the index that sealing needs and without it.
async fn wal(database: &Database, writer: &mut Writer, report: &mut Report) -> Result<()> {
    let mut figures = Vec::new();
    for change in ["SELECT", "DROP INDEX audit_record_transaction"] {
        writer.client.batch_execute(change).await?;
        // Pages are logged whole once after a checkpoint, which is not what is compared.
        database.checkpoint().await?;
        let groups = 400;
        for _ in 0..groups {
            writer.write().await?;
        }
        let before = database.wal_bytes().await?;
        for _ in 0..groups {
            writer.write().await?;
        }
        let bytes = database.wal_bytes().await? - before;
        figures.push(per(bytes, u64::try_from(groups * GROUP)?));
    }
    let back = "CREATE INDEX audit_record_transaction ON audit_record USING brin (transaction) WITH (pages_per_range = 64, autosummarize = on)";
    writer.client.batch_execute(back).await?;
    let [with, without] = figures.as_slice() else { return Ok(()) };
    report.line(&format!(
        "WAL of a record: {with:.1} bytes, {without:.1} without the index of transactions"
    ))
}

/// How long a record waits for its leaf while others come, the sequencer working once a second as it does in a server.
async fn lag(
    writer: &mut Writer,
    sequencer: &mut Sequencer,
    seconds: u64,
    report: &mut Report,
) -> Result<()> {
    let mut waits = Vec::new();
    for _ in 0..seconds {
        let began = Instant::now();
        for _ in 0..LOAD / GROUP {
            writer.write().await?;
        }
        let rest = Duration::from_secs(1).saturating_sub(began.elapsed());
        tokio::time::sleep(rest).await;
        // The first record of the second is the one that waited longest.
        while sequencer.seal().await?.is_behind {}
        waits.push(began.elapsed().as_secs_f64());
    }
    let p99 = percentile(&mut waits, 0.99);
    report.aim(
        "the longest wait for a leaf at 5,000 records a second, p99, s",
        p99,
        p99 < 5.0,
        "below 5",
    )
}

#[expect(clippy::cast_precision_loss, reason = "figures far below 2^52")]
fn per(bytes: i64, records: u64) -> f64 {
    bytes as f64 / (records.max(1) as f64)
}
