//! The rules that keep sharding one opt-in step, asked of PostgreSQL's own catalogues (docs/decisions/0004).

use crate::harness::Database;

/// Tables that hold no patient's data and would be copied to every shard or stay on one.
const NOT_CLINICAL: &str = "'hospital', 'dictionary', 'idempotency', 'secret', 'concept_text', 'custom_parameter', 'index_epoch', 'reindex_progress', 'issuer', 'issuer_hospital', 'client', 'audit_agent', 'break_glass', 'audit_batch', 'audit_node', 'audit_head', 'audit_archive', 'proof_seen', 'issuer_proposal', 'audit_registry', '__diesel_schema_migrations'";

async fn offenders(query: &str) -> Vec<String> {
    let client = Database::migrated().await.client().await;
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn every_clinical_table_has_shard_in_its_keys() {
    let without_column = offenders(&format!(
        "SELECT c.relname::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace \
         AND c.relname NOT IN ({NOT_CLINICAL}) AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid \
         AND a.attname = 'shard' AND a.attnotnull AND a.atttypid = 'int4'::regtype)"
    ))
    .await;
    assert_eq!(without_column, Vec::<String>::new());
    let without_key = offenders(&format!(
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
         WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND c.relname NOT IN ({NOT_CLINICAL}) \
         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'shard' \
         AND a.attnum = ANY(i.indkey))"
    ))
    .await;
    assert_eq!(without_key, Vec::<String>::new());
}

#[tokio::test]
async fn nothing_that_a_sharded_database_refuses_is_used() {
    for (what, query) in [
        ("foreign keys", "SELECT conname::text FROM pg_constraint WHERE contype = 'f'"),
        ("exclusion constraints", "SELECT conname::text FROM pg_constraint WHERE contype = 'x'"),
        ("triggers", "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal"),
        (
            "rules",
            "SELECT rulename::text FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = 'public'::regnamespace",
        ),
        (
            "sequences",
            "SELECT relname::text FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace",
        ),
        (
            "inheritance",
            "SELECT inhrelid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE NOT c.relispartition AND c.relkind = 'r'",
        ),
    ] {
        assert_eq!(offenders(query).await, Vec::<String>::new(), "{what}");
    }
}

#[tokio::test]
async fn there_is_a_table_for_every_type() {
    let found = offenders(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    );
    let found = found.await;
    for table in &schema::resource::TABLES {
        assert!(found.contains(&table.name.trim_matches('"').to_owned()), "{}", table.name);
    }
}
