//! Runs what the planner made (search.html).

use crate::Store;
use crate::error::{Error, mismatch};
use crate::row::Version;
use crate::trail::Sealed;
use deadpool_postgres::Object;
use schema::resource::Table;
use search::reader::{self, Reader};
use search::render::SortKey;
use search::sql::{Bind, Sql};
use std::time::Instant;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Statement};

/// A match, with what it was put in order by.
#[derive(Clone, Debug)]
pub struct Match {
    pub version: Version,
    /// None where it has nothing to be put in order by.
    pub sort_key: Option<SortKey>,
}

/// What a statement found, and what it could see.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    pub matches: Vec<Match>,
    /// PostgreSQL's snapshot, as text; none when nothing was found.
    pub snapshot: Option<String>,
}

impl Store {
    /// The versions that a rendered plan selects, in its order.
    pub async fn find(&self, table: &'static Table, sql: &Sql) -> Result<Sealed<Matches>, Error> {
        let client = self.client_for(sql).await?;
        let found = self.find_on(&client, table, sql).await;
        Ok(Sealed::new(found.map_err(|error| costly(error, sql))?))
    }

    async fn client_for(&self, sql: &Sql) -> Result<Object, Error> {
        match sql.is_unbounded() {
            true => self.walks.get().await.map_err(|error| costly(error, sql)),
            false => self.pool.get().await,
        }
    }

    /// How PostgreSQL runs a statement, with the plan that it has for all values: as JSON, with times and buffers. The rows it
    /// finds stay inside, and the values travel as settings of the transaction, never in the text.
    pub async fn explain(&self, sql: &Sql) -> Result<serde_json::Value, Error> {
        let client = self.client_for(sql).await?;
        let outcome = explained(&client, sql).await;
        // With it goes what was prepared, whatever became of it.
        drop(Object::take(client));
        outcome.map_err(|error| costly(error, sql))
    }

    /// The same of several types, each row with the code of its table.
    pub async fn find_of_any(&self, sql: &Sql) -> Result<Sealed<Matches>, Error> {
        let client = self.client_for(sql).await?;
        let found = self.find_of_any_on(&client, sql).await;
        Ok(Sealed::new(found.map_err(|error| costly(error, sql))?))
    }

    pub(crate) async fn find_of_any_on(
        &self,
        client: &Object,
        sql: &Sql,
    ) -> Result<Matches, Error> {
        self.matches(client, sql, |row| {
            let code = i16::try_from(row.try_get::<_, i32>("kind")?).ok();
            let table = code.and_then(schema::resource::by_code);
            table.ok_or_else(|| Error::Corrupt("a row of no known table".to_owned()))
        })
        .await
    }

    pub async fn count(&self, sql: &Sql) -> Result<Sealed<i64>, Error> {
        let client = self.client_for(sql).await?;
        let count = self.count_on(&client, sql).await;
        Ok(Sealed::new(count.map_err(|error| costly(error, sql))?))
    }

    pub(crate) async fn count_on(&self, client: &Object, sql: &Sql) -> Result<i64, Error> {
        let rows = rows(client, sql, "count").await?;
        let row = rows.first().ok_or_else(|| Error::Corrupt("a count of nothing".to_owned()))?;
        Ok(row.try_get(0)?)
    }

    pub(crate) async fn find_on(
        &self,
        client: &Object,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Matches, Error> {
        self.matches(client, sql, |_| Ok(table)).await
    }

    #[tracing::instrument(level = "debug", name = "find", skip_all)]
    async fn matches(
        &self,
        client: &Object,
        sql: &Sql,
        table: impl Fn(&Row) -> Result<&'static Table, Error>,
    ) -> Result<Matches, Error> {
        let rows = rows(client, sql, "find").await?;
        let reader = sql.reader();
        let snapshot = rows.first().map(|row| row.try_get("snapshot")).transpose()?;
        let matches = rows.iter().map(|row| {
            let version = self.version(table(row)?, row)?;
            let_out(&reader, &version)?;
            Ok(Match { version, sort_key: sort_key(row)? })
        });
        Ok(Matches { matches: matches.collect::<Result<_, Error>>()?, snapshot })
    }
}

/// Rows of a statement, each of which its reader may see, as far as a row tells.
pub(crate) fn let_out(reader: &Reader, version: &Version) -> Result<(), Error> {
    let Version { table, hospital, patient, labels, .. } = version;
    let row = reader::Row { table, hospital: *hospital, patient: *patient, labels: *labels };
    match reader.may_see(&row) {
        true => Ok(()),
        false => Err(mismatch(format!("a row of {} that its reader may not see", table.resource))),
    }
}

/// Runs a statement, which says to the database who reads.
pub(crate) async fn rows(
    client: &Object,
    sql: &Sql,
    named: &'static str,
) -> Result<Vec<Row>, Error> {
    let reader = sql.reader().text();
    let mut parameters = binds(sql);
    parameters.push(&reader);
    let statement = prepared(client, &read_by(&sql.text(), parameters.len())).await?;
    let began = Instant::now();
    let rows = client.query(&statement, &parameters).await?;
    metrics::histogram!("bund_statement_seconds", "statement" => named).record(began.elapsed());
    Ok(rows)
}

/// A statement that says who reads before it reads: what is said holds as long as the statement runs, and for no other. The place of
/// the parameter is its last. The reference to what was said, behind an OFFSET, keeps PostgreSQL from reading first.
pub(crate) fn read_by(text: &str, place: usize) -> String {
    format!(
        "SELECT x.* FROM (SELECT set_config('bund.reader', ${place}::text, true) AS said) AS s \
         CROSS JOIN LATERAL (SELECT y.* FROM ({text}) AS y WHERE s.said IS NOT NULL OFFSET 0) AS x"
    )
}

async fn explained(client: &Object, sql: &Sql) -> Result<serde_json::Value, Error> {
    client.batch_execute(&format!("BEGIN; PREPARE explained AS {}", sql.text())).await?;
    let values: Vec<String> = sql.binds().into_iter().map(written).collect();
    let set = "SELECT set_config('bund.value_' || place, value, true) \
               FROM unnest($1::text[]) WITH ORDINALITY AS given (value, place)";
    client.query(set, &[&values]).await?;
    let reader = sql.reader().text();
    client.query("SELECT set_config('bund.reader', $1, true)", &[&reader]).await?;
    let arguments: Vec<String> = sql.binds().into_iter().zip(1..).map(argument).collect();
    let arguments = match arguments.is_empty() {
        true => String::new(),
        false => format!("({})", arguments.join(", ")),
    };
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE explained{arguments}");
    Ok(client.query_one(&explain, &[]).await?.try_get(0)?)
}

/// No value has it in it: control characters are refused.
const BETWEEN: &str = "\u{1f}";

fn written(bind: &Bind) -> String {
    match bind {
        Bind::Int4(value) => value.to_string(),
        Bind::Int8(value) => value.to_string(),
        Bind::Float8(value) => value.to_string(),
        Bind::Text(value) => value.clone(),
        Bind::Int8Array(values) => {
            let values: Vec<String> = values.iter().map(i64::to_string).collect();
            format!("{{{}}}", values.join(","))
        }
        Bind::TextArray(values) => values.join(BETWEEN),
    }
}

fn argument((bind, place): (&Bind, usize)) -> String {
    let value = format!("current_setting('bund.value_{place}')");
    match bind {
        Bind::Int4(_) => format!("{value}::int4"),
        Bind::Int8(_) => format!("{value}::int8"),
        Bind::Float8(_) => format!("{value}::float8"),
        Bind::Text(_) => value,
        Bind::Int8Array(_) => format!("{value}::int8[]"),
        Bind::TextArray(_) => format!("string_to_array({value}, chr(31))"),
    }
}

/// The same for one that found no place among its like, as for one that took too long.
fn costly(error: Error, sql: &Sql) -> Error {
    match error {
        Error::TimedOut | Error::Busy if sql.is_unbounded() => Error::TooCostly,
        other => other,
    }
}

/// Searches have more shapes than a connection should remember: what is forgotten is prepared again.
pub(crate) async fn prepared(client: &Object, text: &str) -> Result<Statement, Error> {
    const REMEMBERED_MAX: usize = 400;
    if client.statement_cache.size() > REMEMBERED_MAX {
        client.statement_cache.clear();
    }
    Ok(client.prepare_cached(text).await?)
}

fn sort_key(row: &Row) -> Result<Option<SortKey>, Error> {
    let is_text = row
        .columns()
        .iter()
        .any(|column| column.name() == "sort_key" && *column.type_() == Type::TEXT);
    Ok(match is_text {
        true => row.try_get::<_, Option<String>>("sort_key")?.map(SortKey::Text),
        false => row.try_get::<_, Option<i64>>("sort_key")?.map(SortKey::Place),
    })
}

pub(crate) fn binds(sql: &Sql) -> Vec<&(dyn ToSql + Sync)> {
    sql.binds()
        .iter()
        .map(|bind| match bind {
            Bind::Int8(value) => value as &(dyn ToSql + Sync),
            Bind::Int4(value) => value,
            Bind::Float8(value) => value,
            Bind::Text(value) => value,
            Bind::Int8Array(values) => values,
            Bind::TextArray(values) => values,
        })
        .collect()
}
