//! Runs what the planner made (search.html).

use crate::Store;
use crate::error::Error;
use crate::row::Version;
use crate::trail::Sealed;
use deadpool_postgres::Object;
use schema::resource::Table;
use search::sql::{Bind, Sql};
use tokio_postgres::types::ToSql;

/// A match of conditional criteria: enough to name it and to read it again under its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: String,
    pub version_key: i64,
}

impl Store {
    /// The versions that a rendered plan selects, in its order.
    pub async fn find(
        &self,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Sealed<Vec<Version>>, Error> {
        let client = self.pool.get().await?;
        Ok(Sealed::new(self.find_on(&client, table, sql).await?))
    }

    pub async fn count(&self, sql: &Sql) -> Result<Sealed<i64>, Error> {
        let client = self.pool.get().await?;
        Ok(Sealed::new(self.count_on(&client, sql).await?))
    }

    pub(crate) async fn count_on(&self, client: &Object, sql: &Sql) -> Result<i64, Error> {
        let statement = client.prepare_cached(&sql.text()).await?;
        let row = client.query_one(&statement, &binds(sql)).await?;
        Ok(row.try_get(0)?)
    }

    pub(crate) async fn find_on(
        &self,
        client: &Object,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Vec<Version>, Error> {
        let statement = client.prepare_cached(&sql.text()).await?;
        let rows = client.query(&statement, &binds(sql)).await?;
        rows.iter().map(|row| self.version(table, row)).collect()
    }
}

pub(crate) fn binds(sql: &Sql) -> Vec<&(dyn ToSql + Sync)> {
    sql.binds()
        .iter()
        .map(|bind| match bind {
            Bind::Int8(value) => value as &(dyn ToSql + Sync),
            Bind::Int4(value) => value,
            Bind::Text(value) => value,
            Bind::Int8Array(values) => values,
            Bind::TextArray(values) => values,
        })
        .collect()
}
