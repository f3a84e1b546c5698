//! update (http.html#update).

use crate::harness::{TestServer, options, patient};
use serde_json::json;

#[tokio::test]
async fn a_new_content_is_a_new_version_and_the_same_content_is_none() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Feng")).await;
    let mut resource = server.get(&address).await.json();
    let same = server.put(&address, &resource).await.expect(200);
    assert_eq!(same.header("etag"), Some("W/\"1\""));
    resource["gender"] = json!("male");
    let changed = server.put(&address, &resource).await.expect(200);
    assert_eq!(changed.header("etag"), Some("W/\"2\""));
    assert_eq!(server.get(&format!("{address}/_history")).await.ids().len(), 2);
}

#[tokio::test]
async fn a_client_may_choose_the_id() {
    let server = TestServer::start().await;
    let mut resource = patient("Chen");
    resource["id"] = json!("chosen-1.A");
    server.put("Patient/chosen-1.A", &resource).await.expect(201);
    server.put("Patient/chosen-1.A", &resource).await.expect(200);
    assert_eq!(server.get("Patient/chosen-1.A").await.expect(200).header("etag"), Some("W/\"1\""));
}

#[tokio::test]
async fn the_id_in_the_body_is_the_id_of_the_address() {
    let server = TestServer::start().await;
    let mut resource = patient("Chu");
    server.put("Patient/a", &resource).await.refused(400, "has no id");
    resource["id"] = json!("b");
    server.put("Patient/a", &resource).await.refused(400, "id `b` is not the id `a`");
}

#[tokio::test]
async fn if_match_guards_against_lost_updates() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Wei")).await;
    let mut resource = server.get(&address).await.json();
    resource["gender"] = json!("other");
    let guarded =
        |tag: &'static str| server.json("PUT", &address, &resource).header("if-match", tag);
    server.send(guarded("W/\"2\"")).await.refused(412, "the current version is 1");
    server.send(guarded("W/\"1\"")).await.expect(200);
    server.send(guarded("W/\"1\"")).await.refused(412, "the current version is 2");
    server.send(guarded("2")).await.refused(400, "not an entity tag");
    resource["id"] = json!("new");
    let absent = server.json("PUT", "Patient/new", &resource).header("if-match", "W/\"1\"");
    server.send(absent).await.refused(412, "no current version");
    let only_new = |id: &str| {
        server.json("PUT", &format!("Patient/{id}"), &resource).header("if-none-match", "*")
    };
    server.send(only_new("new")).await.expect(201);
    server.send(only_new("new")).await.refused(412, "exists");
}

#[tokio::test]
async fn a_server_may_insist_on_if_match() {
    let server = TestServer::start_with(options(&[("BUND_REQUIRE_IF_MATCH", "true")])).await;
    let mut resource = patient("Jiang");
    resource["id"] = json!("a");
    server.put("Patient/a", &resource).await.expect(201);
    resource["gender"] = json!("male");
    server.put("Patient/a", &resource).await.refused(428, "If-Match");
    let guarded = server.json("PUT", "Patient/a", &resource).header("if-match", "W/\"1\"");
    server.send(guarded).await.expect(200);
    let statement = server.get("metadata").await.json();
    assert_eq!(statement["rest"][0]["resource"][0]["versioning"], "versioned-update");
}

#[tokio::test]
async fn a_deleted_resource_comes_back_with_the_next_version() {
    let server = TestServer::start().await;
    let mut resource = patient("Shen");
    resource["id"] = json!("back");
    server.put("Patient/back", &resource).await.expect(201);
    server.delete("Patient/back").await.expect(204);
    let again = server.put("Patient/back", &resource).await.expect(201);
    assert_eq!(again.header("etag"), Some("W/\"3\""));
    server.get("Patient/back").await.expect(200);
    server.delete("Patient/back").await.expect(204);
    server.get("Patient/back").await.expect(410);
    assert_eq!(
        server.get("Patient/back/_history").await.json()["entry"].as_array().unwrap().len(),
        4
    );
}

#[tokio::test]
async fn only_the_custodian_changes_a_resource() {
    let owner = TestServer::start_with(options(&[("BUND_HOSPITAL", "one")])).await;
    let address = owner.create(&patient("Han")).await;
    let database = owner.database.clone();
    let other = TestServer::start_on(database, options(&[("BUND_HOSPITAL", "two")])).await;
    let mut resource = other.get(&address).await.expect(200).json();
    resource["gender"] = json!("unknown");
    other.put(&address, &resource).await.refused(403, "custodian");
    other.delete(&address).await.refused(403, "custodian");
    owner.put(&address, &resource).await.expect(200);
}
