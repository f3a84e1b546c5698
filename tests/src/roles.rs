//! What the database lets the role that serves do, whatever the server asks of it (docs/operations/database.md).

use crate::harness::{Database, TestServer, patient, settings};
use store::migrate;
use store::pool::Pool;
use store::role::{PRIVATE, Server};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// Each statement is refused for want of a right, and for nothing else.
async fn forbidden(client: &Client, statement: &str) {
    let refused = client.batch_execute(statement).await.unwrap_err();
    assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {refused}");
}

async fn names(client: &Client, query: &str) -> Vec<String> {
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

const TRAIL: &str = "SELECT relname::text FROM pg_class WHERE relname LIKE 'audit\\_%' \
    AND relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace";

#[tokio::test]
async fn aud_09_the_role_that_serves_adds_to_the_trail_and_changes_nothing_there() {
    let server = TestServer::start().await;
    server.create(&patient("Han")).await;
    let client = server.database.server_client().await;
    let tables = names(&client, TRAIL).await;
    assert!(tables.contains(&"audit_record".to_owned()), "{tables:?}");
    for table in tables {
        let column = format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum = 1"
        );
        let column = names(&client, &column).await.remove(0);
        for statement in [
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("DROP TABLE {table}"),
            format!("ALTER TABLE {table} ADD COLUMN more text"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!(
                "CREATE TRIGGER away BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
            format!("CREATE RULE away AS ON INSERT TO {table} DO INSTEAD NOTHING"),
        ] {
            forbidden(&client, &statement).await;
        }
    }
    let records = server.database.client().await;
    let count: i64 =
        records.query_one("SELECT count(*) FROM audit_record", &[]).await.unwrap().get(0);
    assert!(count > 0);
}

#[tokio::test]
async fn the_role_that_serves_makes_and_empties_no_tables() {
    let database = Database::migrated().await;
    let client = database.server_client().await;
    for statement in [
        "CREATE TABLE mine (id int4)",
        "CREATE FUNCTION mine() RETURNS int4 LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE patient DISABLE ROW LEVEL SECURITY",
        "DROP TABLE patient",
        "TRUNCATE patient",
        "DELETE FROM dictionary",
        "DELETE FROM __diesel_schema_migrations",
        "CREATE ROLE other",
    ] {
        forbidden(&client, statement).await;
    }
}

#[tokio::test]
async fn what_a_later_migration_makes_is_granted_by_its_name() {
    let database = Database::migrated().await;
    let owner = database.client().await;
    owner
        .batch_execute("CREATE TABLE audit_later (id int8); CREATE TABLE later (id int8)")
        .await
        .unwrap();
    let client = database.server_client().await;
    forbidden(&client, "SELECT FROM audit_later").await;
    migrate::up(&Pool::new(&settings(&database.owner_url)).unwrap()).await.unwrap();
    client.batch_execute("INSERT INTO audit_later VALUES (1)").await.unwrap();
    forbidden(&client, "UPDATE audit_later SET id = 2").await;
    forbidden(&client, "DELETE FROM audit_later").await;
    client.batch_execute("INSERT INTO later VALUES (1); DELETE FROM later").await.unwrap();
    // What somebody granted besides is taken back.
    owner.batch_execute(&format!("GRANT DELETE ON audit_record TO {PRIVATE}")).await.unwrap();
    migrate::up(&Pool::new(&settings(&database.owner_url)).unwrap()).await.unwrap();
    forbidden(&client, "DELETE FROM audit_record").await;
}

#[tokio::test]
async fn a_role_that_is_not_there_or_too_strong_does_not_serve() {
    let database = Database::migrated().await;
    let pool = Pool::new(&settings(&database.owner_url)).unwrap();
    let owner = database.client().await;
    let refused = async |role: &str, is_created: bool| {
        let server = Server { role: role.to_owned(), is_created };
        migrate::up_for(&pool, Some(&server)).await.unwrap_err().to_string()
    };
    let missing = refused("no\"body", false).await;
    assert!(
        missing.contains("there is no role no\"body") && missing.contains("--create-role"),
        "{missing}"
    );
    let strong = "DO $$ BEGIN CREATE ROLE bund_strong LOGIN CREATEROLE BYPASSRLS; EXCEPTION WHEN duplicate_object THEN END $$";
    owner.batch_execute(strong).await.unwrap();
    let strong = refused("bund_strong", false).await;
    assert!(strong.contains("CREATEROLE") && strong.contains("BYPASSRLS"), "{strong}");
    let itself: String = owner.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
    let owner = refused(&itself, false).await;
    assert!(owner.contains("it is a superuser; it owns"), "{owner}");
}
