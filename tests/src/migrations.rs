//! Migrations: repeatable, safe from several places at once, and taken back whole.

use crate::harness::{Database, settings};
use std::process::Command;
use store::error::Error;
use store::migrate;
use store::pool::Pool;

fn pool(database: &Database) -> Pool {
    Pool::new(&settings(&database.owner_url)).unwrap()
}

/// The schema as PostgreSQL's own tool tells it.
fn dump(database: &Database) -> String {
    let output = Command::new("pg_dump")
        .args([
            "--schema-only",
            "--no-owner",
            "--exclude-table=__diesel_schema_migrations",
            "--dbname",
        ])
        .arg(&database.owner_url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Newer releases put a random word around the dump.
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.starts_with('\\')).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn up_down_up_gives_the_same_schema() {
    let database = Database::empty().await;
    let empty = dump(&database);
    let applied = migrate::up(&pool(&database)).await.unwrap();
    assert_eq!(applied.len(), schema::migrations::FOLDERS.len());
    let first = dump(&database);
    for _ in &schema::migrations::FOLDERS {
        migrate::down(&pool(&database)).await.unwrap();
    }
    assert_eq!(dump(&database), empty);
    migrate::up(&pool(&database)).await.unwrap();
    assert_eq!(dump(&database), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_may_migrate_at_once_and_again() {
    let database = Database::empty().await;
    let url = database.owner_url.clone();
    let starts = (0..4).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            migrate::up(&Pool::new(&settings(&url)).unwrap()).await.unwrap().len()
        })
    });
    let mut applied = 0;
    for start in starts {
        applied += start.await.unwrap();
    }
    assert_eq!(applied, schema::migrations::FOLDERS.len());
    assert!(migrate::up(&pool(&database)).await.unwrap().is_empty());
    migrate::check(&pool(&database)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_died_half_way_is_run_again() {
    let database = Database::empty().await;
    let client = database.client().await;
    let script = schema::migrations::FOLDERS[0].up;
    for statement in schema::migrations::statements(script).into_iter().take(3) {
        client.batch_execute(statement).await.unwrap();
    }
    migrate::up(&pool(&database)).await.unwrap();
    migrate::check(&pool(&database)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_known_is_refused() {
    let database = Database::empty().await;
    let error = migrate::check(&pool(&database)).await.unwrap_err();
    assert!(error.to_string().contains("run `bund migrate`"), "{error}");
    migrate::up(&pool(&database)).await.unwrap();
    let client = database.client().await;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
    client.batch_execute(newer).await.unwrap();
    let error = migrate::check(&pool(&database)).await.unwrap_err();
    assert!(matches!(&error, Error::Schema { found, .. } if found == "29990101000000"), "{error}");
    assert!(error.to_string().contains("run a newer version of bund"), "{error}");
}
