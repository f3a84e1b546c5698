//! Idempotency-Key: a retry after a lost answer creates nothing twice.

use crate::harness::{Answer, TestServer, entry, patient, transaction};
use serde_json::Value;

async fn send(server: &TestServer, path: &str, resource: &Value, key: &str) -> Answer {
    server.send(server.json("POST", path, resource).header("idempotency-key", key)).await
}

#[tokio::test]
async fn a_retry_is_answered_and_not_repeated() {
    let server = TestServer::start().await;
    let first = send(&server, "Patient", &patient("Ling"), "k-1").await.expect(201);
    let replica = server.replica().await;
    let retry = send(&replica, "Patient", &patient("Ling"), "k-1").await.expect(201);
    assert_eq!(retry.text, first.text);
    assert_eq!(retry.header("etag"), first.header("etag"));
    assert_eq!(server.get("Patient").await.ids().len(), 1);
    send(&server, "Patient", &patient("Huo"), "k-1").await.refused(422, "used for another request");
    send(&server, "Patient", &patient("Ling"), "k-2").await.expect(201);
    send(&server, "Patient", &patient("Ling"), "").await.refused(400, "1 to 255");
    assert_eq!(server.get("Patient").await.ids().len(), 2);
}

#[tokio::test]
async fn a_transaction_is_not_repeated_either() {
    let server = TestServer::start().await;
    let bundle = transaction(vec![entry("POST", "Patient", Some(patient("Yu")))]);
    let first = send(&server, "", &bundle, "t").await.expect(200);
    let retry = send(&server, "", &bundle, "t").await.expect(200);
    assert_eq!(retry.text, first.text);
    assert_eq!(server.get("Patient").await.ids().len(), 1);
    let reading = transaction(vec![entry("GET", "Patient", None)]);
    send(&server, "", &reading, "r").await.refused(400, "also reads");
}

#[tokio::test]
async fn the_entries_of_a_batch_are_known_by_their_place() {
    let server = TestServer::start().await;
    let mut bundle = transaction(vec![
        entry("POST", "Patient", Some(patient("Wan"))),
        entry("POST", "Patient", Some(patient("Wan"))),
    ]);
    bundle["type"] = "batch".into();
    send(&server, "", &bundle, "b").await.expect(200);
    send(&server, "", &bundle, "b").await.expect(200);
    assert_eq!(server.get("Patient").await.ids().len(), 2);
}

#[tokio::test]
async fn twenty_retries_at_once_create_one() {
    let server = TestServer::start().await;
    let resource = patient("Zhi");
    let sends = (0..20).map(|_| send(&server, "Patient", &resource, "same"));
    let answers = futures_util::future::join_all(sends).await;
    let first = &answers[0];
    for answer in &answers {
        assert_eq!((answer.status, &answer.text), (201, &first.text));
    }
    assert_eq!(server.get("Patient").await.ids().len(), 1);
}
