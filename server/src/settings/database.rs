//! How to reach PostgreSQL.

use super::source::{Error, Source};
use std::time::Duration;
use store::pool::Settings;

pub(super) fn read(source: &Source, embedded_url: Option<String>) -> Result<Settings, Error> {
    let url = match embedded_url {
        Some(url) => url,
        None => source.find("BUND_DATABASE_URL")?.ok_or(Error::Missing {
            variable: "BUND_DATABASE_URL",
            reason: "name a PostgreSQL database (postgresql://user:password@host/database), or use --embedded-db DIR",
        })?,
    };
    let milliseconds =
        |variable| Ok::<_, Error>(Duration::from_millis(source.number(variable, 1, 3_600_000)?));
    Ok(Settings {
        url,
        connections_max: count(source.number("BUND_DATABASE_CONNECTIONS_MAX", 1, 10_000)?),
        audit_connections: count(source.number("BUND_DATABASE_AUDIT_CONNECTIONS", 1, 64)?),
        wait_timeout: milliseconds("BUND_DATABASE_WAIT_TIMEOUT_MS")?,
        statement_timeout: milliseconds("BUND_DATABASE_STATEMENT_TIMEOUT_MS")?,
        walk_timeout: milliseconds("BUND_DATABASE_WALK_TIMEOUT_MS")?,
    })
}

/// Bounded by `number` far below what a `usize` holds.
pub(super) fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
