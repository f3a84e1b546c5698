//! Connections that only read single rows: one a thread, shared by all requests of the thread.
//!
//! PostgreSQL answers the statements of a connection in order, and the driver sends the next before the last is answered, so many
//! short reads travel in one packet each way. Nothing slow may go this way: it would hold up what comes after it.

use crate::error::Error;
use crate::pool::Pool;
use deadpool_postgres::Object;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::ThreadId;

#[derive(Clone)]
pub(crate) struct Readers {
    pool: Pool,
    by_thread: Arc<RwLock<HashMap<ThreadId, Arc<Object>>>>,
}

impl Readers {
    pub(crate) fn new(pool: Pool) -> Readers {
        Readers { pool, by_thread: Arc::default() }
    }

    /// The connection of this thread; its work is done on this thread too.
    pub(crate) async fn get(&self) -> Result<Arc<Object>, Error> {
        let thread = std::thread::current().id();
        let known = {
            let readers = self.by_thread.read().unwrap_or_else(PoisonError::into_inner);
            readers.get(&thread).filter(|client| !client.is_closed()).cloned()
        };
        if let Some(client) = known {
            return Ok(client);
        }
        // The dead one goes first, so that its place in the pool is free.
        self.by_thread.write().unwrap_or_else(PoisonError::into_inner).remove(&thread);
        let client = Arc::new(self.pool.get().await?);
        let mut readers = self.by_thread.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(readers.entry(thread).or_insert(client)))
    }
}
