#![doc = include_str!("../README.md")]

pub mod bulk;
pub mod clock;
pub mod dictionary;
pub mod error;
pub mod find;
pub mod history;
pub mod hospital;
pub mod idempotency;
pub mod migrate;
pub mod pool;
pub mod read;
mod reader;
pub mod row;
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
    clock: Arc<clock::Clock>,
    dictionaries: Arc<dictionary::Dictionaries>,
    trail: trail::Trail,
}

impl Store {
    /// Connects, checks the schema and loads what every request needs.
    pub async fn open(settings: &pool::Settings) -> Result<Store, error::Error> {
        let pool = pool::Pool::new(settings)?;
        migrate::check(&pool).await?;
        let dictionaries = Arc::new(dictionary::Dictionaries::load(&pool).await?);
        let clock = Arc::new(clock::Clock::new());
        let trail = trail::Trail::start(settings)?;
        let readers = reader::Readers::new(pool::Pool::sized(settings, reader_connections())?);
        Ok(Store { pool, readers, clock, dictionaries, trail })
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
}
