//! One version of a resource as it is stored.

use crate::Store;
use crate::error::Error;
use schema::resource::Table;
use tokio_postgres::Row;

/// The interaction that made a version: what `Bundle.entry.request.method` of a history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Post,
    Put,
    Delete,
    Patch,
}

impl Method {
    pub fn code(self) -> i16 {
        match self {
            Method::Post => 1,
            Method::Put => 2,
            Method::Delete => 3,
            Method::Patch => 4,
        }
    }

    fn from_code(code: i16) -> Method {
        match code {
            1 => Method::Post,
            3 => Method::Delete,
            4 => Method::Patch,
            _ => Method::Put,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Patch => "PATCH",
        }
    }
}

/// A version: current, superseded, or a deletion.
#[derive(Clone, Debug)]
pub struct Version {
    pub table: &'static Table,
    pub id: String,
    pub version: i32,
    pub version_key: i64,
    pub hospital: i32,
    pub patient: Option<i64>,
    /// How sensitive it is, as bits.
    pub labels: i64,
    pub shard: i32,
    pub method: Method,
    /// The JSON text; `None` is a deletion.
    pub json: Option<Vec<u8>>,
}

/// The columns `Version` is read from, in this order, in every statement of this crate that returns versions.
pub(crate) const COLUMNS: &str =
    "id, version, version_key, hospital, patient, labels, shard, method, dictionary, body";

impl Store {
    pub(crate) fn version(&self, table: &'static Table, row: &Row) -> Result<Version, Error> {
        let dictionary: i16 = row.try_get(8)?;
        let body: Option<&[u8]> = row.try_get(9)?;
        let json = match body {
            Some(body) => Some(self.dictionaries.decompress(dictionary, body)?),
            None => None,
        };
        Ok(Version {
            table,
            id: row.try_get(0)?,
            version: row.try_get(1)?,
            version_key: row.try_get(2)?,
            hospital: row.try_get(3)?,
            patient: row.try_get(4)?,
            labels: row.try_get(5)?,
            shard: row.try_get(6)?,
            method: Method::from_code(row.try_get(7)?),
            json,
        })
    }
}
