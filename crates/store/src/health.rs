//! What an operator could do better: PostgreSQL's own figures, and what is searched for.

use crate::Store;
use crate::error::Error;
use schema::resource::{Table, by_code};

/// Something that is not as it should be, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    pub advice: String,
}

/// A search as it was recorded: its text, and how often it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub table: &'static Table,
    pub query: String,
    pub count: u64,
}

/// Each gives what is wrong and what to do, in two columns, or no row.
const QUESTIONS: [&str; 7] = [
    "SELECT format('%s has %s rows and was never analyzed', relname, n_live_tup), format('ANALYZE %I', relname) \
     FROM pg_stat_user_tables WHERE n_live_tup > 1000 AND last_analyze IS NULL AND last_autoanalyze IS NULL",
    "SELECT format('%s of %s rows of %s are dead', n_dead_tup, n_live_tup + n_dead_tup, relname), \
     format('VACUUM %I; if it comes back, lower autovacuum_vacuum_scale_factor', relname) \
     FROM pg_stat_user_tables WHERE n_dead_tup > 10000 AND n_dead_tup * 4 > n_live_tup",
    "SELECT format('the index %s is not valid', c.relname), format('REINDEX INDEX CONCURRENTLY %I', c.relname) \
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid",
    "SELECT format('%s = %s: acknowledged writes can be lost', name, setting), format('set %s = on', name) \
     FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'",
    "SELECT format('%s = %s', name, current_setting(name)), advice FROM pg_settings JOIN (VALUES \
     ('shared_buffers', 131072, 'a quarter of the memory; 1 GB and more'), \
     ('max_wal_size', 4096, 'at least 4 GB, so that checkpoints are rare'), \
     ('checkpoint_timeout', 900, 'at least 15 min: after each checkpoint every page is logged whole')) \
     AS least (setting_name, number, advice) ON name = setting_name WHERE setting::int8 < number",
    "SELECT format('%s = off', name), advice FROM pg_settings JOIN (VALUES \
     ('wal_compression', 'lz4: pages are logged whole after a checkpoint'), ('autovacuum', 'on: it keeps statistics and indexes fresh')) \
     AS known (setting_name, advice) ON name = setting_name WHERE setting = 'off'",
    "SELECT format('only %s %% of the index pages were in memory', round(100 * hit / (hit + read), 1)), \
     'more shared_buffers, or more memory' FROM (SELECT sum(idx_blks_hit) AS hit, sum(idx_blks_read) AS read \
     FROM pg_statio_user_indexes) AS pages WHERE hit + read > 1000000 AND hit < read * 99",
];

impl Store {
    pub async fn findings(&self) -> Result<Vec<Finding>, Error> {
        let client = self.pool.get().await?;
        let mut findings = Vec::new();
        for question in QUESTIONS {
            for row in client.query(question, &[]).await? {
                findings.push(Finding { what: row.try_get(0)?, advice: row.try_get(1)? });
            }
        }
        Ok(findings)
    }

    /// The latest searches of single types, by their text; `interactions` are those of searches.
    pub async fn searches(&self, interactions: &[i16], latest: i64) -> Result<Vec<Asked>, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT resource_type, query, count(*) FROM (SELECT interaction, resource_type, query \
                    FROM audit_record ORDER BY id DESC LIMIT $2) AS latest \
                    WHERE interaction = ANY($1) AND resource_type IS NOT NULL AND query <> '' \
                    GROUP BY resource_type, query";
        let mut asked = Vec::new();
        for row in client.query(text, &[&interactions, &latest]).await? {
            let Some(table) = by_code(row.try_get(0)?) else { continue };
            let count = u64::try_from(row.try_get::<_, i64>(2)?).unwrap_or(0);
            asked.push(Asked { table, query: row.try_get(1)?, count });
        }
        Ok(asked)
    }
}
