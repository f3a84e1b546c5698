//! Brings a database to the schema of this program, and tells whether it has it.

use crate::dictionary;
use crate::error::Error;
use crate::hospital::connect;
use crate::pool::Pool;
use crate::role::{self, Server};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::MigrationHarness;
use schema::migrations::{Embedded, FOLDERS, versions};
use std::time::Duration;

/// The advisory lock under which one migrator works at a time: "bund" in ASCII.
const LOCK: &str = "1651863140";

/// How long a statement may wait for a lock before it steps back: others queue behind it meanwhile.
const LOCK_TIMEOUT: &str = "5s";
const ATTEMPTS_MAX: u32 = 20;

/// Applies what is missing and returns the folders applied. Safe to start several at once: the others wait, then find nothing.
/// Roles that served before go on serving.
pub async fn up(pool: &Pool) -> Result<Vec<String>, Error> {
    up_for(pool, None).await
}

/// The same, and another role may serve.
pub async fn up_for(pool: &Pool, server: Option<&Server>) -> Result<Vec<String>, Error> {
    let mut connection = locked(pool).await?;
    let mut attempt = 0;
    let applied = loop {
        attempt += 1;
        let (back, outcome) = run(connection, |harness| {
            let applied = harness.run_pending_migrations(Embedded)?;
            Ok(applied.iter().map(ToString::to_string).collect::<Vec<_>>())
        })
        .await?;
        connection = back;
        match outcome {
            Ok(applied) => break applied,
            Err(error) if attempt < ATTEMPTS_MAX && error.contains("lock timeout") => {
                tracing::warn!(attempt, "a lock was not free, trying again");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(Error::Migration(error)),
        }
    };
    dictionary::add_missing(pool).await?;
    role::renew(pool).await?;
    if let Some(server) = server {
        role::grant(pool, server).await?;
    }
    unlock(connection).await;
    Ok(applied)
}

/// Takes back the newest migration; data of what it made is lost.
pub async fn down(pool: &Pool) -> Result<String, Error> {
    let connection = locked(pool).await?;
    let (connection, outcome) =
        run(connection, |harness| Ok(harness.revert_last_migration(Embedded)?.to_string())).await?;
    unlock(connection).await;
    outcome.map_err(Error::Migration)
}

/// Refuses a schema that is older or newer than this program.
pub async fn check(pool: &Pool) -> Result<(), Error> {
    let known = versions();
    let found = applied(pool).await?;
    if found == known {
        return Ok(());
    }
    let newer = found.iter().any(|version| !known.contains(version));
    Err(Error::Schema {
        found: found.last().cloned().unwrap_or_else(|| "none".to_owned()),
        known: known.last().cloned().unwrap_or_default(),
        advice: if newer { "run a newer version of bund" } else { "run `bund migrate`" },
    })
}

async fn applied(pool: &Pool) -> Result<Vec<String>, Error> {
    let client = pool.get().await?;
    let known = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL";
    if !client.query_one(known, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let rows = client
        .query("SELECT version FROM __diesel_schema_migrations ORDER BY version", &[])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn locked(pool: &Pool) -> Result<AsyncPgConnection, Error> {
    let mut connection = connect(pool).await?;
    execute(&mut connection, "SET statement_timeout = 0").await?;
    execute(&mut connection, &format!("SELECT pg_advisory_lock({LOCK})")).await?;
    execute(&mut connection, &format!("SET lock_timeout = '{LOCK_TIMEOUT}'")).await?;
    Ok(connection)
}

/// Closing the connection releases the lock too; asking first makes the next migrator start at once.
async fn unlock(mut connection: AsyncPgConnection) {
    if let Err(error) =
        execute(&mut connection, &format!("SELECT pg_advisory_unlock({LOCK})")).await
    {
        tracing::warn!(%error, "the migration lock is released with its connection");
    }
}

async fn execute(connection: &mut AsyncPgConnection, statement: &str) -> Result<(), Error> {
    connection.batch_execute(statement).await.map_err(|error| Error::Migration(error.to_string()))
}

type Harness = AsyncMigrationHarness<AsyncPgConnection>;
type Outcome<T> = Result<T, String>;

/// Diesel's harness is synchronous inside: it gets a thread of its own, and the connection comes back.
async fn run<T: Send + 'static>(
    connection: AsyncPgConnection,
    work: impl FnOnce(&mut Harness) -> diesel::migration::Result<T> + Send + 'static,
) -> Result<(AsyncPgConnection, Outcome<T>), Error> {
    tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(connection);
        let outcome = work(&mut harness).map_err(|error| error.to_string());
        (harness.into_inner(), outcome)
    })
    .await
    .map_err(|error| Error::Migration(error.to_string()))
}

/// The name of the newest folder this program knows.
pub fn newest() -> &'static str {
    FOLDERS.last().map_or("none", |folder| folder.name)
}
