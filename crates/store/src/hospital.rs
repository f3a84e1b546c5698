//! The registry of hospitals: who can be the custodian of a version.

use crate::error::Error;
use crate::find::read_by;
use crate::pool::Pool;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use schema::tables::hospital;
use search::reader::Reader;
use std::collections::HashMap;

impl crate::Store {
    /// The number of the hospital with this code, registering it when it is new.
    pub async fn register_hospital(&self, code: &str) -> Result<i32, Error> {
        register(&self.pool, code).await
    }
}

impl crate::Store {
    /// All hospitals, by their codes.
    pub async fn hospitals(&self) -> Result<HashMap<String, i32>, Error> {
        let client = self.pool.get().await?;
        let statement = client.prepare_cached("SELECT code, id FROM hospital").await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }
}

impl crate::Store {
    /// The code of the hospital that keeps a patient, whoever asks.
    pub async fn custodian(&self, patient: &str) -> Result<Option<String>, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT h.code FROM open.patient p JOIN hospital h ON h.id = p.hospital WHERE p.id = $1 LIMIT 1";
        let statement = client.prepare_cached(&read_by(text, 2)).await?;
        let row = client.query_opt(&statement, &[&patient, &Reader::Everything.text()]).await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }
}

async fn register(pool: &Pool, code: &str) -> Result<i32, Error> {
    let mut connection = connect(pool).await?;
    connection
        .transaction(async |connection| {
            // Two replicas may start at once with the same new code.
            diesel::sql_query("LOCK TABLE hospital IN SHARE ROW EXCLUSIVE MODE")
                .execute(connection)
                .await?;
            let known: Option<i32> = hospital::table
                .filter(hospital::code.eq(code))
                .select(hospital::id)
                .first(connection)
                .await
                .optional()?;
            if let Some(id) = known {
                return Ok(id);
            }
            let highest: Option<i32> =
                hospital::table.select(diesel::dsl::max(hospital::id)).first(connection).await?;
            let id = highest.unwrap_or(0) + 1;
            diesel::insert_into(hospital::table)
                .values((hospital::id.eq(id), hospital::code.eq(code), hospital::name.eq(code)))
                .execute(connection)
                .await?;
            Ok(id)
        })
        .await
        .map_err(|error: diesel::result::Error| Error::Unavailable(error.to_string()))
}

/// A connection of Diesel's own: rare, so not pooled.
pub(crate) async fn connect(pool: &Pool) -> Result<AsyncPgConnection, Error> {
    AsyncPgConnection::establish(pool.url())
        .await
        .map_err(|error| Error::Unavailable(error.to_string()))
}
