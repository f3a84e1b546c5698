//! The audit trail: records become durable in groups, and only then is an answer let out.
//!
//! Readers hand their records to a queue; a few connections take whatever waits and write it with one INSERT, so that many
//! requests share one commit. `Receipt` proves that a record is durable; `Sealed` keeps an answer until there is one.

use crate::agents::Agents;
use crate::clock::Clock;
use crate::error::Error;
use crate::pool::{Pool, Settings};
use crate::write::stage::{Statement, column};
use access::Agent;
use audit::record::{Record, Row};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Proof that an audit record is durable. Only this crate makes one.
#[derive(Debug)]
pub struct Receipt(());

impl Receipt {
    /// For `write`, whose records commit with the change.
    pub(crate) fn committed() -> Receipt {
        Receipt(())
    }
}

/// What was read, until the record of reading it is durable.
#[derive(Debug)]
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    pub(crate) fn new(content: T) -> Sealed<T> {
        Sealed(content)
    }

    /// An answer that holds nothing of a stored resource, under the record of its own interaction.
    pub fn without_rows(content: T) -> Sealed<T> {
        Sealed(content)
    }

    /// What the record has to say about the content, without letting it out.
    pub fn describe<U>(&self, describe: impl FnOnce(&T) -> U) -> U {
        describe(&self.0)
    }

    /// The answer made from the content, as sealed as the content.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Sealed<U> {
        Sealed(make(self.0))
    }

    /// Two contents under one record.
    pub fn zip<U>(self, other: Sealed<U>) -> Sealed<(T, U)> {
        Sealed((self.0, other.0))
    }

    pub fn open(self, _receipt: &Receipt) -> T {
        self.0
    }
}

impl<T> Sealed<Vec<T>> {
    /// The contents of both, under one record.
    #[must_use]
    pub fn append(mut self, other: Sealed<Vec<T>>) -> Sealed<Vec<T>> {
        self.0.extend(other.0);
        self
    }

    pub fn none() -> Sealed<Vec<T>> {
        Sealed(Vec::new())
    }
}

impl<T> Sealed<Option<T>> {
    /// What was not asked for.
    pub fn nothing() -> Sealed<Option<T>> {
        Sealed(None)
    }
}

/// Records waiting for a connection; beyond this the answer is 503.
const QUEUE_MAX: usize = 16_384;
/// Rows in one INSERT.
const GROUP_ROWS_MAX: usize = 2_000;

struct Waiting {
    record: Record,
    done: oneshot::Sender<Result<(), String>>,
}

#[derive(Clone)]
pub struct Trail {
    queue: mpsc::Sender<Waiting>,
}

impl Trail {
    pub(crate) fn start(settings: &Settings, agents: &Agents) -> Result<Trail, Error> {
        let connections = settings.audit_connections.max(1);
        let pool = Pool::sized(settings, connections)?;
        let clock = Arc::new(Clock::new());
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..connections {
            let (pool, clock) = (pool.clone(), Arc::clone(&clock));
            tokio::spawn(write_groups(pool, clock, agents.clone(), Arc::clone(&waiting)));
        }
        Ok(Trail { queue })
    }

    /// Returns when the record is durable.
    #[tracing::instrument(level = "debug", name = "record", skip_all)]
    pub async fn record(&self, record: Record) -> Result<Receipt, Error> {
        let (done, outcome) = oneshot::channel();
        let waiting = Waiting { record, done };
        self.queue.try_send(waiting).map_err(|_| Error::Busy)?;
        match outcome.await {
            Ok(Ok(())) => Ok(Receipt(())),
            Ok(Err(reason)) => Err(Error::Unavailable(reason)),
            Err(_) => Err(Error::Unavailable("the audit trail has stopped".to_owned())),
        }
    }
}

/// One connection's work: whoever is idle takes all that waits.
async fn write_groups(
    pool: Pool,
    clock: Arc<Clock>,
    agents: Agents,
    waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>,
) {
    loop {
        let mut group = Vec::new();
        let mut records = Vec::new();
        {
            let mut queue = waiting.lock().await;
            let Some(first) = queue.recv().await else { return };
            let mut next = Some(first);
            let mut rows = 0;
            while let Some(one) = next {
                rows += one.record.patients.len().max(1);
                records.push(one.record);
                group.push(one.done);
                next = if rows < GROUP_ROWS_MAX { queue.try_recv().ok() } else { None };
            }
        }
        let began = Instant::now();
        let outcome = match write(&pool, &clock, &agents, &records).await {
            // A connection that died while idle tells so only now.
            Err(Error::Unavailable(_)) => write(&pool, &clock, &agents, &records).await,
            other => other,
        };
        metrics::histogram!("bund_audit_flush_seconds").record(began.elapsed());
        metrics::histogram!("bund_audit_group_records")
            .record(f64::from(u32::try_from(records.len()).unwrap_or(u32::MAX)));
        if let Err(error) = &outcome {
            metrics::counter!("bund_audit_failures_total").increment(1);
            tracing::error!(%error, records = records.len(), "audit records could not be written");
        }
        for done in group {
            let answer = outcome.as_ref().map_or_else(|error| Err(error.to_string()), |()| Ok(()));
            // Whoever asked may have hung up; the record stands all the same.
            let _ = done.send(answer);
        }
    }
}

async fn write(
    pool: &Pool,
    clock: &Clock,
    agents: &Agents,
    records: &[Record],
) -> Result<(), Error> {
    let client = pool.get().await?;
    if let Some((insert, keys)) = agents.statement(records.iter().filter_map(known)) {
        let statement = client.prepare_cached(&insert.text).await?;
        client.execute(&statement, &insert.parameters()).await?;
        agents.learn(keys);
    }
    let insert = audit_rows(clock, records);
    let statement = client.prepare_cached(&insert.text).await?;
    client.execute(&statement, &insert.parameters()).await?;
    Ok(())
}

/// The agent of a record, if it showed who it is.
pub(crate) fn known(record: &Record) -> Option<&Arc<Agent>> {
    record.is_known().then_some(&record.agent)
}

/// The rows as one array a column.
pub(crate) fn audit_rows(clock: &Clock, records: &[Record]) -> Statement {
    let rows: Vec<Row> = records.iter().flat_map(Record::rows).collect();
    let ids: Vec<i64> = rows.iter().map(|_| clock.next(0)).collect();
    Statement::new(
        "INSERT INTO audit_record (id, shard, request, interaction, status, hospital, resource_type, \
         resource_id, version, patient, query, agent, token, purposes, address) SELECT * FROM unnest($1::int8[], $2::int4[], $3::uuid[], \
         $4::int2[], $5::int2[], $6::int4[], $7::int2[], $8::text[], $9::int4[], $10::int8[], $11::text[], \
         $12::int8[], $13::text[], $14::int4[], $15::text[])",
    )
    .bind(ids)
    .bind(column(&rows, |row| row.shard))
    .bind(column(&rows, |row| row.request))
    .bind(column(&rows, |row| row.interaction))
    .bind(column(&rows, |row| row.status))
    .bind(column(&rows, |row| row.hospital))
    .bind(column(&rows, |row| row.resource_type))
    .bind(column(&rows, |row| row.resource_id.clone()))
    .bind(column(&rows, |row| row.version))
    .bind(column(&rows, |row| row.patient))
    .bind(column(&rows, |row| row.query.clone()))
    .bind(column(&rows, |row| row.agent))
    .bind(column(&rows, |row| row.token.clone()))
    .bind(column(&rows, |row| row.purposes))
    .bind(column(&rows, |row| row.address.clone()))
}
