//! delete (http.html#delete).

use crate::harness::{TestServer, options, patient};

#[tokio::test]
async fn deleting_is_repeatable() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Yang")).await;
    let deleted = server.delete(&address).await.expect(204);
    assert_eq!(deleted.header("etag"), Some("W/\"2\""));
    server.delete(&address).await.expect(204);
    server.delete("Patient/never").await.expect(204);
    assert_eq!(
        server.get(&format!("{address}/_history")).await.json()["entry"].as_array().unwrap().len(),
        2
    );
    assert!(server.get("Patient?identifier=Yang").await.ids().is_empty());
}

#[tokio::test]
async fn a_deletion_can_be_guarded() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Zhu")).await;
    let stale = server.request("DELETE", &address).header("if-match", "W/\"9\"");
    server.send(stale).await.refused(412, "current version is 1");
    let current = server.request("DELETE", &address).header("if-match", "W/\"1\"");
    server.send(current).await.expect(204);
}

#[tokio::test]
async fn a_conditional_delete_takes_one_match_unless_told_otherwise() {
    let single = TestServer::start().await;
    for family in ["A", "A", "B"] {
        single.create(&patient(family)).await;
    }
    single.delete("Patient?identifier=A").await.refused(412, "several resources match");
    single.delete("Patient?identifier=B").await.expect(204);
    single.delete("Patient?identifier=none").await.expect(204);
    single.delete("Patient").await.refused(412, "needs criteria");
    assert_eq!(single.get("Patient").await.ids().len(), 2);

    let multiple =
        TestServer::start_with(options(&[("BUND_CONDITIONAL_DELETE", "multiple")])).await;
    for family in ["A", "A", "B"] {
        multiple.create(&patient(family)).await;
    }
    multiple.delete("Patient?identifier=A").await.expect(200);
    assert_eq!(multiple.get("Patient").await.ids().len(), 1);
    let statement = multiple.get("metadata").await.json();
    assert_eq!(statement["rest"][0]["resource"][0]["conditionalDelete"], "multiple");
}

#[tokio::test]
async fn an_unknown_criterion_deletes_nothing() {
    let server = TestServer::start().await;
    server.create(&patient("Qin")).await;
    server.delete("Patient?identifer=Qin").await.refused(400, "identifer");
    assert_eq!(server.get("Patient").await.ids().len(), 1);
}
