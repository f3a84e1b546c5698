//! Conditional create, update and patch (http.html#ccreate, #cond-update).

use crate::harness::{TestServer, patient};
use serde_json::json;

#[tokio::test]
async fn a_conditional_create_creates_once() {
    let server = TestServer::start().await;
    let send = |criteria: &'static str| {
        server
            .send(server.json("POST", "Patient", &patient("You")).header("if-none-exist", criteria))
    };
    let created = send("identifier=urn:test|You").await.expect(201);
    let existing = send("identifier=urn:test|You").await.expect(200);
    assert_eq!(existing.json()["id"], created.json()["id"]);
    server.create(&patient("You")).await;
    send("identifier=urn:test|You").await.refused(412, "several resources match");
    send("identifer=x").await.refused(400, "identifer");
    send("").await.refused(412, "needs criteria");
}

#[tokio::test]
async fn a_conditional_update_finds_its_resource() {
    let server = TestServer::start().await;
    let criteria = "Patient?identifier=urn:test|Xu";
    let created = server.put(criteria, &patient("Xu")).await.expect(201);
    let id = created.json()["id"].clone();
    let mut next = patient("Xu");
    next["gender"] = json!("male");
    let updated = server.put(criteria, &next).await.expect(200);
    assert_eq!((&updated.json()["id"], updated.header("etag")), (&id, Some("W/\"2\"")));
    next["id"] = json!("other");
    server.put(criteria, &next).await.refused(400, "is not the id");
    next["identifier"][0]["value"] = json!("He");
    let chosen = server.put("Patient?identifier=urn:test|He", &next).await.expect(201);
    assert_eq!(chosen.json()["id"], "other");
    server.create(&patient("Xu")).await;
    server.put(criteria, &patient("Xu")).await.refused(412, "several resources match");
}

#[tokio::test]
async fn a_conditional_patch_needs_a_match() {
    let server = TestServer::start().await;
    let patch = json!([{ "op": "replace", "path": "/gender", "value": "male" }]);
    let send = || {
        let request = server.request("PATCH", "Patient?identifier=urn:test|Lv");
        server.send(
            request.header("content-type", "application/json-patch+json").body(patch.to_string()),
        )
    };
    send().await.refused(404, "a resource that matches");
    server.create(&patient("Lv")).await;
    assert_eq!(send().await.expect(200).json()["gender"], "male");
    server.create(&patient("Lv")).await;
    send().await.refused(412, "several resources match");
}
