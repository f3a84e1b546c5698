//! What can go wrong between us and PostgreSQL, by SQLSTATE.

use tokio_postgres::error::SqlState;

/// What `hold_index_epoch` raises.
const INDEX_EPOCH: &str = "BD001";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another transaction was in the way; the same work may succeed when tried again from its start.
    #[error("another transaction was in the way: {}", summary(.0))]
    Contended(tokio_postgres::Error),
    /// What entries are made of has changed meanwhile: they are to be made again.
    #[error("the search parameters have changed meanwhile")]
    Outdated,
    /// The database cannot be reached, is starting, shutting down, read-only or out of some resource.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// No connection became free in time.
    #[error("all database connections are busy")]
    Busy,
    /// No index leads the search, and it took longer than the setting allows, or others like it take all places.
    #[error("no index leads the search")]
    TooCostly,
    /// A statement took longer than the setting allows.
    #[error("the database took too long")]
    TimedOut,
    #[error("the database has schema {found}, this program knows {known}; {advice}")]
    Schema { found: String, known: String, advice: &'static str },
    /// The second wall stopped what the first one had let pass.
    #[error("stopped: {0}")]
    Mismatch(String),
    #[error("{0}")]
    Settings(String),
    #[error("a stored body cannot be read: {0}")]
    Corrupt(String),
    /// What was sealed is ahead of the database: it was brought back from a dump or a copy.
    #[error("the seal of the trail: {0}")]
    Seal(String),
    #[error("migration: {0}")]
    Migration(String),
    #[error("unexpected answer of the database: {}", summary(.0))]
    Database(tokio_postgres::Error),
}

/// What may stand in a log: PostgreSQL's own text can hold values of patients.
fn summary(error: &tokio_postgres::Error) -> String {
    let state = error.code().map_or("none", SqlState::code);
    let detail = error.as_db_error();
    let table = detail.and_then(|detail| detail.table()).unwrap_or("-");
    let constraint = detail.and_then(|detail| detail.constraint()).unwrap_or("-");
    format!("SQLSTATE {state}, table {table}, constraint {constraint}")
}

/// Counted: it is never a client's fault, and never to be expected.
pub(crate) fn mismatch(what: String) -> Error {
    metrics::counter!("bund_access_mismatches_total").increment(1);
    Error::Mismatch(what)
}

impl Error {
    pub fn is_contended(&self) -> bool {
        matches!(self, Error::Contended(_) | Error::Outdated)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Error {
        let Some(state) = error.code() else {
            return Error::Unavailable(error.to_string());
        };
        let is_version_key = error
            .as_db_error()
            .and_then(|detail| detail.constraint())
            .is_some_and(|constraint| constraint.ends_with("version_key"));
        match state {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
                Error::Contended(error)
            }
            state if state.code() == INDEX_EPOCH => Error::Outdated,
            &SqlState::INSUFFICIENT_PRIVILEGE if is_policy(&error) => {
                mismatch(format!("a row of another hospital: {}", summary(&error)))
            }
            &SqlState::UNIQUE_VIOLATION if is_version_key => Error::Contended(error),
            &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => Error::TimedOut,
            &SqlState::READ_ONLY_SQL_TRANSACTION => {
                Error::Unavailable("it is read-only".to_owned())
            }
            // 08 connection, 53 resources, 57 operator intervention, 58 system: all pass, given time.
            state
                if ["08", "53", "57", "58"].iter().any(|class| state.code().starts_with(class)) =>
            {
                Error::Unavailable(error.to_string())
            }
            // Our statements are ours and tested: a table or column that is not there means a schema that is not ours.
            &SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN => {
                Error::Unavailable(format!("it has another schema: {}", summary(&error)))
            }
            _ => Error::Database(error),
        }
    }
}

/// Whether row-level security refused a row, by where in PostgreSQL that is: a right that is missing has the same state.
fn is_policy(error: &tokio_postgres::Error) -> bool {
    let routine = error.as_db_error().and_then(|detail| detail.routine());
    routine == Some("ExecWithCheckOptions")
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Error {
        match error {
            deadpool_postgres::PoolError::Timeout(_) => Error::Busy,
            deadpool_postgres::PoolError::Backend(error) => match Error::from(error) {
                Error::Database(error) => Error::Unavailable(error.to_string()),
                other => other,
            },
            other => Error::Unavailable(other.to_string()),
        }
    }
}
