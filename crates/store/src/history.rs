//! The versions of a resource, of a type, of the whole system (http.html#history).

use crate::Store;
use crate::error::Error;
use crate::row::{COLUMNS, Version};
use crate::trail::Sealed;
use access::{Grant, Restriction};
use deadpool_postgres::Object;
use schema::resource::{TABLES, Table, by_code};

/// Whose versions.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    Instance(&'static Table, &'a str),
    Type(&'static Table),
    System,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// Version keys are bounds of time: see `clock`.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The first key wanted (`_since`).
    pub from_key: i64,
    /// The first key no longer wanted (`_at`).
    pub before_key: i64,
    /// Only versions that were still current at this key (`_at`).
    pub current_at_key: Option<i64>,
    /// The last key of the page before.
    pub after_key: Option<i64>,
    pub order: Order,
    pub count: i64,
}

impl Store {
    /// One more version than `count` is returned when there is a further page.
    pub async fn history(
        &self,
        grant: &Grant,
        scope: Scope<'_>,
        wanted: &Wanted,
    ) -> Result<Sealed<Vec<Version>>, Error> {
        let client = self.pool.get().await?;
        Ok(Sealed::new(self.history_on(&client, grant, scope, wanted).await?))
    }

    pub(crate) async fn history_on(
        &self,
        client: &Object,
        grant: &Grant,
        scope: Scope<'_>,
        wanted: &Wanted,
    ) -> Result<Vec<Version>, Error> {
        match grant.restriction() {
            Restriction::Everything => {}
        }
        let (mut from, mut before) = (wanted.from_key, wanted.before_key);
        match (wanted.after_key, wanted.order) {
            (Some(key), Order::NewestFirst) => before = before.min(key),
            (Some(key), Order::OldestFirst) => from = from.max(key.saturating_add(1)),
            (None, _) => {}
        }
        // Every version outlives the beginning of time: without `_at` the condition is always true.
        let current_at = wanted.current_at_key.unwrap_or(i64::MIN);
        let limit = wanted.count.saturating_add(1);
        let statement = client.prepare_cached(&statement(scope, wanted.order)).await?;
        let rows = match scope {
            Scope::Instance(table, id) => {
                client
                    .query(&statement, &[&from, &before, &current_at, &limit, &table.code, &id])
                    .await?
            }
            Scope::Type(table) => {
                client
                    .query(&statement, &[&from, &before, &current_at, &limit, &table.code])
                    .await?
            }
            Scope::System => {
                client.query(&statement, &[&from, &before, &current_at, &limit]).await?
            }
        };
        rows.iter()
            .map(|row| {
                let code: i16 = row.try_get(9)?;
                let table = by_code(code)
                    .ok_or_else(|| Error::Corrupt(format!("resource type {code} is not known")))?;
                self.version(table, row)
            })
            .collect()
    }
}

/// One leaf a table, each with its own order and limit, so that PostgreSQL merges them lazily instead of sorting them all.
fn statement(scope: Scope, order: Order) -> String {
    let direction = match order {
        Order::NewestFirst => "DESC",
        Order::OldestFirst => "ASC",
    };
    let end = format!("ORDER BY version_key {direction} LIMIT $4");
    let current = |table: &Table, condition: &str| {
        format!(
            "(SELECT {COLUMNS}, {}::int2, version_key AS sort_key FROM {} \
             WHERE version_key >= $1 AND version_key < $2 AND $3::int8 IS NOT NULL {condition} {end})",
            table.code, table.name
        )
    };
    let superseded = |condition: &str| {
        format!(
            "(SELECT {COLUMNS}, resource_type, version_key AS sort_key FROM history \
             WHERE version_key >= $1 AND version_key < $2 \
             AND (superseded_key IS NULL OR superseded_key > $3) {condition} {end})"
        )
    };
    let leaves: Vec<String> = match scope {
        Scope::Instance(table, _) => vec![
            current(table, "AND $5::int2 IS NOT NULL AND id = $6"),
            superseded("AND resource_type = $5 AND id = $6"),
        ],
        Scope::Type(table) => {
            vec![current(table, "AND $5::int2 IS NOT NULL"), superseded("AND resource_type = $5")]
        }
        Scope::System => {
            let mut leaves: Vec<String> = TABLES.iter().map(|table| current(table, "")).collect();
            leaves.push(superseded(""));
            leaves
        }
    };
    format!("{} ORDER BY sort_key {direction} LIMIT $4", leaves.join(" UNION ALL "))
}
