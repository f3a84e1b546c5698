//! One resource by its id, one version by its number (http.html#read, #vread).

use crate::Store;
use crate::error::Error;
use crate::row::{COLUMNS, Version};
use crate::trail::Sealed;
use access::{Grant, Restriction};
use deadpool_postgres::Object;
use schema::resource::Table;

/// What stands at an id.
#[derive(Clone, Debug)]
pub enum Found {
    Current(Version),
    /// The version that is the deletion.
    Deleted(Version),
    Nothing,
}

impl Found {
    pub fn version(&self) -> Option<&Version> {
        match self {
            Found::Current(version) | Found::Deleted(version) => Some(version),
            Found::Nothing => None,
        }
    }
}

impl Store {
    pub async fn read(
        &self,
        grant: &Grant,
        table: &'static Table,
        id: &str,
    ) -> Result<Sealed<Found>, Error> {
        let client = self.readers.get().await?;
        Ok(Sealed::new(self.read_on(&client, grant, table, id).await?))
    }

    pub async fn vread(
        &self,
        grant: &Grant,
        table: &'static Table,
        id: &str,
        version: i32,
    ) -> Result<Sealed<Found>, Error> {
        let client = self.readers.get().await?;
        Ok(Sealed::new(self.vread_on(&client, grant, table, id, version).await?))
    }

    pub(crate) async fn read_on(
        &self,
        client: &Object,
        grant: &Grant,
        table: &'static Table,
        id: &str,
    ) -> Result<Found, Error> {
        match grant.restriction() {
            Restriction::Everything => {}
        }
        let text = format!("SELECT {COLUMNS} FROM {} WHERE id = $1", table.name);
        let statement = client.prepare_cached(&text).await?;
        if let Some(row) = client.query_opt(&statement, &[&id]).await? {
            return Ok(Found::Current(self.version(table, &row)?));
        }
        let text = format!(
            "SELECT {COLUMNS} FROM history WHERE resource_type = $1 AND id = $2 ORDER BY version DESC LIMIT 1"
        );
        let statement = client.prepare_cached(&text).await?;
        let row = client.query_opt(&statement, &[&table.code, &id]).await?;
        Ok(match row {
            Some(row) => Found::Deleted(self.version(table, &row)?),
            None => Found::Nothing,
        })
    }

    pub(crate) async fn vread_on(
        &self,
        client: &Object,
        grant: &Grant,
        table: &'static Table,
        id: &str,
        version: i32,
    ) -> Result<Found, Error> {
        match grant.restriction() {
            Restriction::Everything => {}
        }
        let text = format!(
            "SELECT {COLUMNS} FROM {} WHERE id = $1 AND version = $2 UNION ALL \
             SELECT {COLUMNS} FROM history WHERE resource_type = $3 AND id = $1 AND version = $2 LIMIT 1",
            table.name
        );
        let statement = client.prepare_cached(&text).await?;
        let row = client.query_opt(&statement, &[&id, &version, &table.code]).await?;
        let Some(row) = row else { return Ok(Found::Nothing) };
        let version = self.version(table, &row)?;
        Ok(if version.json.is_some() { Found::Current(version) } else { Found::Deleted(version) })
    }
}
