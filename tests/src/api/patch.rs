//! patch (http.html#patch, fhirpatch.html).

use crate::harness::{TestServer, patient};
use serde_json::{Value, json};

async fn json_patch(
    server: &TestServer,
    address: &str,
    operations: Value,
) -> crate::harness::Answer {
    let request =
        server.request("PATCH", address).header("content-type", "application/json-patch+json");
    server.send(request.body(operations.to_string())).await
}

#[tokio::test]
async fn a_json_patch_makes_a_version() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Shi")).await;
    let operations = json!([
        { "op": "test", "path": "/gender", "value": "female" },
        { "op": "replace", "path": "/gender", "value": "male" },
        { "op": "add", "path": "/name/0/given/-", "value": "Bo" },
    ]);
    let patched = json_patch(&server, &address, operations).await.expect(200);
    assert_eq!(patched.header("etag"), Some("W/\"2\""));
    assert_eq!(patched.json()["name"][0]["given"], json!(["Ann", "Bo"]));
    let history = server.get(&format!("{address}/_history")).await.json();
    assert_eq!(history["entry"][0]["request"]["method"], "PATCH");
}

#[tokio::test]
async fn a_patch_that_does_not_apply_changes_nothing() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Kong")).await;
    let failing = json!([
        { "op": "replace", "path": "/gender", "value": "male" },
        { "op": "test", "path": "/birthDate", "value": "2000-01-01" },
    ]);
    json_patch(&server, &address, failing).await.expect(422);
    let invalid = json!([{ "op": "replace", "path": "/gender", "value": "m" }]);
    json_patch(&server, &address, invalid).await.refused(422, "administrative-gender");
    json_patch(&server, &address, json!({ "op": "add" })).await.expect(422);
    json_patch(&server, "Patient/none", json!([])).await.refused(404, "not known");
    let read = server.get(&address).await.expect(200);
    assert_eq!((read.header("etag"), &read.json()["gender"]), (Some("W/\"1\""), &json!("female")));
}

#[tokio::test]
async fn a_fhirpath_patch_makes_a_version() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Cao")).await;
    let parameters = json!({
        "resourceType": "Parameters",
        "parameter": [{ "name": "operation", "part": [
            { "name": "type", "valueCode": "replace" },
            { "name": "path", "valueString": "Patient.gender" },
            { "name": "value", "valueCode": "other" },
        ] }],
    });
    let patched = server.send(server.json("PATCH", &address, &parameters)).await.expect(200);
    assert_eq!(patched.json()["gender"], "other");
    server
        .send(server.json("PATCH", &address, &patient("Cao")))
        .await
        .refused(415, "FHIRPath Patch");
}

#[tokio::test]
async fn a_patch_can_be_guarded() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Yan")).await;
    let body = json!([{ "op": "remove", "path": "/birthDate" }]).to_string();
    let guarded = |tag: &'static str| {
        let request =
            server.request("PATCH", &address).header("content-type", "application/json-patch+json");
        server.send(request.header("if-match", tag).body(body.clone()))
    };
    guarded("W/\"5\"").await.refused(412, "current version is 1");
    guarded("W/\"1\"").await.expect(200);
}
