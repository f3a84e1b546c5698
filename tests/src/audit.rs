//! Nothing happens without its record, and no answer leaves before it. The only tests that look into a table: the trail has no
//! address of its own yet.

use crate::harness::{TestServer, entry, observation, patient, transaction};
use std::time::Duration;

/// Interaction code and status of each record, oldest first.
async fn records(server: &TestServer) -> Vec<(i16, i16)> {
    let client = server.database.client().await;
    let rows = client
        .query("SELECT interaction, status FROM audit_record ORDER BY id", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn every_interaction_leaves_its_audit_record() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Audit")).await;
    server.get(&address).await.expect(200);
    server.get(&format!("{address}/_history/1")).await.expect(200);
    server.get(&format!("{address}/_history")).await.expect(200);
    server.get("Patient/_history").await.expect(200);
    server.get("_history").await.expect(200);
    server.get("Patient?identifier=Audit").await.expect(200);
    server.get("Patient?identifier=nobody").await.expect(200);
    server.get("Patient/nobody").await.expect(404);
    let mut resource = server.get(&address).await.json();
    resource["gender"] = "other".into();
    server.put(&address, &resource).await.expect(200);
    server.delete(&address).await.expect(204);
    let bundle = transaction(vec![
        entry("POST", "Patient", Some(patient("Two"))),
        entry("GET", "Patient?identifier=Two", None),
    ]);
    server.post("", &bundle).await.expect(200);
    let expected = [
        (9, 201),
        (1, 200),
        (2, 200),
        (6, 200),
        (7, 200),
        (8, 200),
        (10, 200),
        (10, 200),
        (1, 404),
        (1, 200),
        (3, 200),
        (5, 204),
        (9, 201),
        (10, 200),
    ];
    assert_eq!(records(&server).await, expected);
}

#[tokio::test]
async fn aud_02_a_search_leaves_a_record_a_patient() {
    let server = TestServer::start().await;
    for family in ["One", "Two", "Three"] {
        let address = server.create(&patient(family)).await;
        server.create(&observation(&address)).await;
        server.create(&observation(&address)).await;
    }
    server.get("Observation?status=final").await.expect(200);
    let client = server.database.client().await;
    let text = "SELECT count(*), count(DISTINCT patient), count(DISTINCT request), min(query) FROM audit_record WHERE interaction = 10";
    let row = client.query_one(text, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (3, 3, 1));
    assert_eq!(row.get::<_, &str>(3), "status=final");
}

#[tokio::test]
async fn an_answer_waits_for_its_audit_record() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Wait")).await;
    let mut client = server.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut read = Box::pin(server.get(&address));
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut read).await;
    assert!(waited.is_err(), "answered without a record: {waited:?}");
    lock.rollback().await.unwrap();
    read.await.expect(200);
}

#[tokio::test]
async fn aud_06_without_a_trail_there_is_no_answer_and_no_change() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Gone")).await;
    let client = server.database.client().await;
    client.batch_execute("ALTER TABLE audit_record RENAME TO elsewhere").await.unwrap();
    server.get(&address).await.refused(503, "not available");
    server.post("Patient", &patient("Lost")).await.refused(503, "not available");
    client.batch_execute("ALTER TABLE elsewhere RENAME TO audit_record").await.unwrap();
    server.get(&address).await.expect(200);
    assert!(server.get("Patient?identifier=Lost").await.expect(200).ids().is_empty());
}
