#![doc = include_str!("../README.md")]

mod agents;
pub mod break_glass;
pub mod bulk;
pub mod clock;
mod concepts;
pub mod consents;
pub mod dictionary;
pub mod error;
pub mod events;
pub mod find;
pub mod health;
pub mod history;
pub mod hospital;
pub mod idempotency;
pub mod migrate;
pub mod parameters;
pub mod pool;
mod proofs;
pub mod read;
mod reader;
pub mod registry;
pub mod reindex;
pub mod role;
pub mod row;
pub mod seal;
mod secret;
pub mod trail;
pub mod write;

use std::sync::Arc;

/// More than there are threads that serve.
fn reader_connections() -> usize {
    4 * std::thread::available_parallelism().map_or(4, usize::from)
}

/// A database with the schema this program knows.
#[derive(Clone)]
pub struct Store {
    pool: pool::Pool,
    readers: reader::Readers,
    /// For searches that no index leads: few, so that they cannot take the place of all others.
    walks: pool::Pool,
    clock: Arc<clock::Clock>,
    dictionaries: Arc<dictionary::Dictionaries>,
    concepts: Arc<concepts::Concepts>,
    agents: agents::Agents,
    trail: trail::Trail,
}

/// How large the database is, as far as it says.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub bytes: f64,
    /// Where its write-ahead log ends.
    pub wal_bytes: f64,
}

impl Store {
    /// Connects, checks the schema and loads what every request needs.
    pub async fn open(settings: &pool::Settings) -> Result<Store, error::Error> {
        let pool = pool::Pool::new(settings)?;
        migrate::check(&pool).await?;
        let dictionaries = Arc::new(dictionary::Dictionaries::load(&pool).await?);
        let clock = Arc::new(clock::Clock::new());
        let agents = agents::Agents::default();
        let trail = trail::Trail::start(settings, &agents)?;
        let readers = reader::Readers::new(pool::Pool::sized(settings, reader_connections())?);
        let walks = pool::Pool::sized(
            &pool::Settings { statement_timeout: settings.walk_timeout, ..settings.clone() },
            (settings.connections_max / 4).max(1),
        )?;
        let concepts = Arc::default();
        Ok(Store { pool, readers, walks, clock, dictionaries, concepts, agents, trail })
    }

    pub fn trail(&self) -> &trail::Trail {
        &self.trail
    }

    pub fn clock(&self) -> &clock::Clock {
        &self.clock
    }

    pub fn dictionaries(&self) -> &dictionary::Dictionaries {
        &self.dictionaries
    }

    /// Whether the database answers and still has the schema this program knows.
    pub async fn ready(&self) -> Result<(), error::Error> {
        migrate::check(&self.pool).await
    }

    /// What the connections for searches and writes are doing.
    pub fn pool_state(&self) -> pool::State {
        self.pool.state()
    }

    pub async fn database_size(&self) -> Result<Size, error::Error> {
        let client = self.pool.get().await?;
        let text = "SELECT pg_database_size(current_database())::float8, \
                    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8";
        let statement = client.prepare_cached(text).await?;
        let row = client.query_one(&statement, &[]).await?;
        Ok(Size { bytes: row.try_get(0)?, wal_bytes: row.try_get(1)? })
    }
}
