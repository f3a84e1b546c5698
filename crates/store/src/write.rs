//! The one way to change anything: lock, look, stage, commit, with the audit records in the same transaction.
//!
//! Who writes an id that a client chose, or that already exists, holds the advisory lock of that id until the end of the
//! transaction; who writes under conditional criteria holds the lock of the criteria. Locks are taken in ascending order.
//! So the loser of a race waits, then sees what the winner did. A change is staged as one array a column and written
//! with one statement a table, all sent at once: BEGIN … COMMIT is a single round trip.

pub(crate) mod labels;
pub mod stage;

use crate::Store;
use crate::concepts::Fresh;
use crate::error::Error;
use crate::find::{Matches, read_by};
use crate::history::{Scope, Wanted};
use crate::read::Found;
use crate::row::{COLUMNS, Version};
use crate::trail::{Receipt, Sealed, audit_rows, known};
use access::{Grant, HospitalId, Restriction};
use audit::record::Record;
use deadpool_postgres::Object;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, maybe_done};
use labels::Written;
use schema::resource::Table;
use search::reader::Reader;
use search::sql::Sql;
use stage::{Staged, Statement};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use tracing::Instrument as _;

/// A transaction in progress. Dropped without `commit` or `rollback` – a client that hung up – it closes its connection, which
/// undoes everything.
pub struct Transaction {
    store: Store,
    client: Option<Object>,
    begun: bool,
    fresh: Fresh,
    /// What the entries that are staged were made for.
    epoch: i64,
    /// Whose rows it writes.
    hospital: Option<HospitalId>,
}

/// Whose rows a transaction writes: the database refuses all others. `*` is of a job that goes through all hospitals.
pub(crate) const WRITES_FOR: &str = "SELECT set_config('bund.hospital', $1, true)";

/// As `WRITES_FOR` says it; nobody's for who writes nothing.
pub(crate) fn writer(hospital: Option<HospitalId>) -> String {
    hospital.map_or_else(String::new, |hospital| hospital.0.to_string())
}

impl Store {
    /// `epoch` is that of the entries that it will write.
    pub async fn transaction(&self, grant: &Grant, epoch: i64) -> Result<Transaction, Error> {
        let client = self.pool.get().await?;
        Ok(Transaction {
            store: self.clone(),
            client: Some(client),
            hospital: grant.hospital(),
            begun: false,
            fresh: Fresh::default(),
            epoch,
        })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if let (Some(client), true) = (self.client.take(), self.begun) {
            drop(Object::take(client));
        }
    }
}

impl Transaction {
    fn client(&self) -> Result<&Object, Error> {
        self.client.as_ref().ok_or_else(|| Error::Unavailable("the transaction is over".to_owned()))
    }

    async fn begin(&mut self) -> Result<(), Error> {
        if !self.begun {
            self.begun = true;
            let said = Statement::new(WRITES_FOR).bind(writer(self.hospital));
            send(self.client()?, Frame { begin: true, commit: false }, &[said]).await?;
        }
        Ok(())
    }

    pub(crate) async fn query_opt(
        &mut self,
        text: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, Error> {
        self.begin().await?;
        let client = self.client()?;
        let statement = client.prepare_cached(text).await?;
        Ok(client.query_opt(&statement, parameters).await?)
    }

    /// Waits for the locks, in ascending order, until the transaction ends.
    #[tracing::instrument(level = "debug", name = "lock", skip_all)]
    pub async fn lock(&mut self, keys: &[i64]) -> Result<(), Error> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        self.begin().await?;
        let client = self.client()?;
        let text = "SELECT pg_advisory_xact_lock(key) FROM unnest($1::int8[]) AS key";
        let statement = client.prepare_cached(text).await?;
        client.execute(&statement, &[&keys]).await?;
        Ok(())
    }

    /// What stands at each id now: current version or deletion. Ids that were never used are absent.
    pub async fn current(
        &mut self,
        grant: &Grant,
        wanted: &[(&'static Table, String)],
    ) -> Result<HashMap<(&'static str, String), Found>, Error> {
        self.begin().await?;
        let mut by_table: HashMap<i16, (&'static Table, Vec<&str>)> = HashMap::new();
        for (table, id) in wanted {
            by_table.entry(table.code).or_insert((table, Vec::new())).1.push(id);
        }
        let client = self.client()?;
        let mut found = HashMap::new();
        let is_bounded = matches!(grant.restriction(), Restriction::Bounded(_));
        let reader = Reader::of(grant).text();
        for (table, ids) in by_table.into_values() {
            let text = format!(
                "SELECT {COLUMNS} FROM open.{} WHERE id = ANY($1) UNION ALL \
                 SELECT {COLUMNS} FROM open.history WHERE resource_type = $2 AND id = ANY($1) \
                 AND superseded_key IS NULL",
                table.name
            );
            let statement = client.prepare_cached(&read_by(&text, 3)).await?;
            for row in client.query(&statement, &[&ids, &table.code, &reader]).await? {
                let version = self.store.version(table, &row)?;
                // What another hospital keeps and this caller may not see is as if it were not there.
                let is_own = grant.may_change(HospitalId(version.hospital));
                let reading = grant.for_reading();
                if is_bounded
                    && !is_own
                    && !self.store.is_open_on(client, &reading, table, &version.id).await?
                {
                    continue;
                }
                let key = (table.resource, version.id.clone());
                let state = if version.json.is_some() {
                    Found::Current(version)
                } else {
                    Found::Deleted(version)
                };
                found.insert(key, state);
            }
        }
        Ok(found)
    }

    pub async fn read(
        &mut self,
        grant: &Grant,
        table: &'static Table,
        id: &str,
    ) -> Result<Sealed<Found>, Error> {
        self.begin().await?;
        Ok(Sealed::new(self.store.read_on(self.client()?, grant, table, id).await?))
    }

    pub async fn vread(
        &mut self,
        grant: &Grant,
        table: &'static Table,
        id: &str,
        version: i32,
    ) -> Result<Sealed<Found>, Error> {
        self.begin().await?;
        Ok(Sealed::new(self.store.vread_on(self.client()?, grant, table, id, version).await?))
    }

    pub async fn history(
        &mut self,
        grant: &Grant,
        scope: Scope<'_>,
        wanted: &Wanted,
    ) -> Result<Sealed<Vec<Version>>, Error> {
        self.begin().await?;
        Ok(Sealed::new(self.store.history_on(self.client()?, grant, scope, wanted).await?))
    }

    /// Matches, as seen inside this transaction.
    pub async fn find(
        &mut self,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Sealed<Matches>, Error> {
        self.begin().await?;
        Ok(Sealed::new(self.store.find_on(self.client()?, table, sql).await?))
    }

    pub async fn find_of_any(&mut self, sql: &Sql) -> Result<Sealed<Matches>, Error> {
        self.begin().await?;
        Ok(Sealed::new(self.store.find_of_any_on(self.client()?, sql).await?))
    }

    pub async fn count(&mut self, sql: &Sql) -> Result<Sealed<i64>, Error> {
        self.begin().await?;
        Ok(Sealed::new(self.store.count_on(self.client()?, sql).await?))
    }

    /// Matches of conditional criteria: looked at to decide, not answered, so not sealed.
    pub async fn matches(
        &mut self,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Vec<Version>, Error> {
        self.begin().await?;
        let found = self.store.find_on(self.client()?, table, sql).await?;
        Ok(found.matches.into_iter().map(|found| found.version).collect())
    }

    fn statements(&mut self, staged: &Staged) -> Result<Vec<Statement>, Error> {
        let mut statements: Vec<Statement> = labels::hold(staged).into_iter().collect();
        statements.extend(stage::statements(&self.store.dictionaries, staged)?);
        statements.extend(labels::spread(staged.puts.iter().filter_map(Written::of_put)));
        if !(staged.puts.is_empty() && staged.deletions.is_empty()) {
            statements.push(Statement::new("SELECT hold_index_epoch($1)").bind(self.epoch));
        }
        let concepts = staged.puts.iter().flat_map(|put| &put.entries.concepts);
        statements.extend(self.store.concepts.statement(concepts, &mut self.fresh));
        Ok(statements)
    }

    /// Writes what was staged so that later reads of this transaction see it.
    pub async fn apply(&mut self, staged: &Staged) -> Result<(), Error> {
        self.begin().await?;
        let statements = self.statements(staged)?;
        send(self.client()?, Frame { begin: false, commit: false }, &statements).await
    }

    /// Writes what was staged and the records, and makes all of it durable.
    pub async fn commit(mut self, staged: &Staged, records: &[Record]) -> Result<Receipt, Error> {
        let frame = Frame { begin: !self.begun, commit: true };
        self.begun = true;
        let mut statements = Vec::new();
        if frame.begin {
            statements.push(Statement::new(WRITES_FOR).bind(writer(self.hospital)));
        }
        statements.extend(self.statements(staged)?);
        let agents = self.store.agents.statement(records.iter().filter_map(known));
        let mut learnt = Vec::new();
        if let Some((statement, keys)) = agents {
            statements.push(statement);
            learnt = keys;
        }
        statements.push(audit_rows(&self.store.clock, records));
        let (span, began) = (tracing::debug_span!("commit"), Instant::now());
        send(self.client()?, frame, &statements).instrument(span).await?;
        metrics::histogram!("bund_statement_seconds", "statement" => "commit")
            .record(began.elapsed());
        self.begun = false;
        self.store.concepts.learn(std::mem::take(&mut self.fresh));
        self.store.agents.learn(learnt);
        Ok(Receipt::committed())
    }

    /// Ends a transaction that changes nothing; its connection goes back to the pool.
    pub async fn rollback(mut self) -> Result<(), Error> {
        if self.begun {
            self.client()?.batch_execute("ROLLBACK").await?;
            self.begun = false;
        }
        Ok(())
    }
}

/// Which ends of the transaction travel with the statements.
#[derive(Clone, Copy)]
struct Frame {
    begin: bool,
    commit: bool,
}

/// Sends all statements before it waits for the first answer: one round trip. After a failed statement PostgreSQL refuses the
/// rest and turns COMMIT into ROLLBACK.
async fn send(client: &Object, frame: Frame, statements: &[Statement]) -> Result<(), Error> {
    let mut prepared = Vec::with_capacity(statements.len());
    for statement in statements {
        prepared.push(client.prepare_cached(&statement.text).await?);
    }
    let mut answers: Vec<BoxFuture<'_, Result<(), tokio_postgres::Error>>> = Vec::new();
    if frame.begin {
        answers.push(client.batch_execute("BEGIN").boxed());
    }
    for (statement, prepared) in statements.iter().zip(&prepared) {
        let execute =
            async move { client.execute(prepared, &statement.parameters()).await.map(|_| ()) };
        answers.push(execute.boxed());
    }
    if frame.commit {
        answers.push(client.batch_execute("COMMIT").boxed());
    }
    for answer in in_order(answers).await {
        answer?;
    }
    Ok(())
}

/// Polls in the given order, so that the statements leave in that order, whatever their number.
async fn in_order<T>(futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut waiting: Vec<_> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|context| {
        let mut ready = true;
        for future in &mut waiting {
            ready &= future.as_mut().poll(context).is_ready();
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.iter_mut().filter_map(|future| future.as_mut().take_output()).collect()
}
