//! One resource by its id, one version by its number (http.html#read, #vread).

use crate::Store;
use crate::error::Error;
use crate::find::{let_out, read_by, rows};
use crate::row::{COLUMNS, Version};
use crate::trail::Sealed;
use access::{Grant, Restriction};
use deadpool_postgres::Object;
use schema::resource::{Table, by_code};
use search::reader::Reader;
use search::render::history::{current, past};
use search::sql::Sql;

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
            Restriction::Bounded(_) => return self.read_open_on(client, grant, table, id).await,
        }
        let reader = Reader::of(grant).text();
        let text = format!("SELECT {COLUMNS} FROM open.{} WHERE id = $1", table.name);
        let statement = client.prepare_cached(&read_by(&text, 2)).await?;
        if let Some(row) = client.query_opt(&statement, &[&id, &reader]).await? {
            return Ok(Found::Current(self.version(table, &row)?));
        }
        let text = format!(
            "SELECT {COLUMNS} FROM open.history WHERE resource_type = $1 AND id = $2 ORDER BY version DESC LIMIT 1"
        );
        let statement = client.prepare_cached(&read_by(&text, 3)).await?;
        let row = client.query_opt(&statement, &[&table.code, &id, &reader]).await?;
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
            Restriction::Bounded(_) => {
                return self.vread_open_on(client, grant, table, id, version).await;
            }
        }
        let text = format!(
            "SELECT {COLUMNS} FROM open.{} WHERE id = $1 AND version = $2 UNION ALL \
             SELECT {COLUMNS} FROM open.history WHERE resource_type = $3 AND id = $1 AND version = $2 LIMIT 1",
            table.name
        );
        let statement = client.prepare_cached(&read_by(&text, 4)).await?;
        let reader = Reader::of(grant).text();
        let row = client.query_opt(&statement, &[&id, &version, &table.code, &reader]).await?;
        let Some(row) = row else { return Ok(Found::Nothing) };
        Ok(stands(self.version(table, &row)?))
    }

    /// What a grant opens of it. What cannot be seen is as if it had never been.
    async fn read_open_on(
        &self,
        client: &Object,
        grant: &Grant,
        table: &'static Table,
        id: &str,
    ) -> Result<Found, Error> {
        if let Some(version) = self.one_on(client, table, &current(grant, table, id)).await? {
            return Ok(Found::Current(version));
        }
        let deletion = self.one_on(client, table, &past(grant, table, id, None)).await?;
        Ok(deletion.map_or(Found::Nothing, Found::Deleted))
    }

    /// What is open of a version, if what stands there today is open too.
    async fn vread_open_on(
        &self,
        client: &Object,
        grant: &Grant,
        table: &'static Table,
        id: &str,
        version: i32,
    ) -> Result<Found, Error> {
        match self.read_open_on(client, grant, table, id).await? {
            Found::Nothing => Ok(Found::Nothing),
            found if found.version().is_some_and(|newest| newest.version == version) => Ok(found),
            Found::Current(_) | Found::Deleted(_) => {
                let past = past(grant, table, id, Some(version));
                Ok(self.one_on(client, table, &past).await?.map_or(Found::Nothing, stands))
            }
        }
    }

    /// Whether anything of a resource is open.
    pub(crate) async fn is_open_on(
        &self,
        client: &Object,
        grant: &Grant,
        table: &'static Table,
        id: &str,
    ) -> Result<bool, Error> {
        match grant.restriction() {
            Restriction::Everything => Ok(true),
            Restriction::Bounded(_) => {
                let found = self.read_open_on(client, grant, table, id).await?;
                Ok(found.version().is_some())
            }
        }
    }

    async fn one_on(
        &self,
        client: &Object,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Option<Version>, Error> {
        let rows = rows(client, sql, "read").await?;
        let version = rows.first().map(|row| self.version(table, row)).transpose()?;
        version.iter().try_for_each(|version| let_out(&sql.reader(), version))?;
        Ok(version)
    }

    pub(crate) async fn versions_on(
        &self,
        client: &Object,
        sql: &Sql,
    ) -> Result<Vec<Version>, Error> {
        let reader = sql.reader();
        let rows = rows(client, sql, "history").await?;
        let versions = rows.iter().map(|row| {
            let code = i16::try_from(row.try_get::<_, i32>("kind")?).ok();
            let table = code.and_then(by_code);
            let table =
                table.ok_or_else(|| Error::Corrupt("a version of no known type".to_owned()))?;
            let version = self.version(table, row)?;
            let_out(&reader, &version)?;
            Ok(version)
        });
        versions.collect()
    }
}

fn stands(version: Version) -> Found {
    if version.json.is_some() { Found::Current(version) } else { Found::Deleted(version) }
}
