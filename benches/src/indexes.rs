//! What the indexes cost: bytes on disk and write-ahead log a resource, and how much quicker a load is without them.

use crate::database::Database;
use crate::report::{Report, rate};
use crate::searches::load_file;
use anyhow::Result;
use std::path::Path;
use std::time::Instant;

/// Those that are neither primary keys nor the order of versions.
const SECONDARY: &str = "SELECT string_agg(format('DROP INDEX %I', c.relname), '; ') \
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
    WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisunique";

const SIZES: &str = "SELECT CASE \
    WHEN c.relkind = 'r' THEN 'rows' \
    WHEN i.indisprimary THEN 'primary keys' \
    WHEN c.relname LIKE '%version_key' THEN 'order of versions' \
    WHEN c.relname LIKE '%\\_key' THEN 'keys' \
    WHEN c.relname LIKE '%\\_tokens' THEN 'tokens (GIN)' \
    WHEN t.relname LIKE '%\\_entry' THEN 'entry tables' \
    WHEN t.relname = 'concept_text' THEN 'texts of codes' \
    ELSE 'patient, code, date, quantity' END AS what, sum(pg_relation_size(c.oid))::int8 \
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid \
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i') GROUP BY 1 ORDER BY 2 DESC";

/// Of a city that is loaded.
pub(crate) async fn sizes(
    database: &Database,
    name: &str,
    resources: u64,
    report: &mut Report,
) -> Result<()> {
    let rows = database.connect(name).await?.query(SIZES, &[]).await?;
    let mut total = 0.0;
    for row in &rows {
        let what: String = row.try_get(0)?;
        let bytes = u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
        let each = per(bytes, resources);
        total += each;
        report.line(&format!("on disk a resource: {what} {each:.0} B"))?;
    }
    // storage.md's trial of this design, with a quarter more.
    report.aim("on disk a resource, B", total, total <= 1_128.0 * 1.25, "at most 1,410")
}

/// Loads the file twice: with all indexes, and without the secondary ones.
pub(crate) async fn load(
    database: &Database,
    file: &Path,
    resources: u64,
    report: &mut Report,
) -> Result<()> {
    let mut rates = Vec::new();
    let mut logs = Vec::new();
    for (name, is_bare) in [("indexed", false), ("bare", true)] {
        database.migrated(name).await?;
        let client = database.connect(name).await?;
        if is_bare {
            let drop: String = client.query_one(SECONDARY, &[]).await?.try_get(0)?;
            client.batch_execute(&drop).await?;
        }
        database.checkpoint().await?;
        let (began, before) = (Instant::now(), database.wal_bytes().await?);
        let url = database.url(name);
        tokio::task::block_in_place(|| load_file(&url, file))?;
        rates.push(rate(resources, began.elapsed().as_secs_f64()));
        let bytes = database.wal_bytes().await? - before;
        logs.push(per(u64::try_from(bytes).unwrap_or(0), resources));
    }
    let place = |list: &[f64], at: usize| list.get(at).copied().unwrap_or(0.0);
    report.line(&format!(
        "first load: {:.0} resources a second with all indexes, {:.0} without the secondary ones, ratio {:.2}",
        place(&rates, 0),
        place(&rates, 1),
        place(&rates, 0) / place(&rates, 1)
    ))?;
    report.line(&format!(
        "write-ahead log a resource: {:.0} B with all indexes, {:.0} B without the secondary ones",
        place(&logs, 0),
        place(&logs, 1)
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn per(bytes: u64, resources: u64) -> f64 {
    bytes as f64 / resources.max(1) as f64
}
