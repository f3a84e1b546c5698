//! create (http.html#create).

use crate::harness::{TestServer, patient};
use serde_json::json;

#[tokio::test]
async fn a_resource_is_created_and_read_back() {
    let server = TestServer::start().await;
    let mut sent = patient("Zhang");
    sent["id"] = json!("ignored");
    sent["meta"] = json!({ "versionId": "77", "tag": [{ "code": "kept" }] });
    let created = server.post("Patient", &sent).await.expect(201);
    let body = created.json();
    let id = body["id"].as_str().unwrap();
    assert_ne!(id, "ignored");
    assert_eq!(body["meta"]["versionId"], "1");
    assert_eq!(body["meta"]["tag"], json!([{ "code": "kept" }]));
    assert_eq!(created.header("etag"), Some("W/\"1\""));
    let location = format!("{}/Patient/{id}/_history/1", server.base);
    assert_eq!(created.header("location"), Some(location.as_str()));
    assert!(created.header("last-modified").is_some());

    let read = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(read.text, created.text);
}

#[tokio::test]
async fn digits_order_and_unknown_extensions_come_back_as_they_went_in() {
    let server = TestServer::start().await;
    let text = r#"{"resourceType":"Observation","valueQuantity":{"value":1.50,"unit":"g"},"status":"final","code":{"text":"x"},"_status":{"extension":[{"url":"urn:x","valueDecimal":0.00100}]},"extension":[{"url":"http://example.org/unknown","valueString":"王小明 \"q\""}]}"#;
    let request = server.request("POST", "Observation").header("content-type", "application/json");
    let created = server.send(request.body(text)).await.expect(201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let read = server.get(&format!("Observation/{id}")).await.expect(200);
    let meta_end = read.text.find("},").unwrap() + 2;
    let rest = text.strip_prefix(r#"{"resourceType":"Observation","#).unwrap();
    assert_eq!(&read.text[meta_end..], rest);
}

#[tokio::test]
async fn the_answer_is_what_was_preferred() {
    let server = TestServer::start().await;
    for (preference, expected) in [
        ("return=minimal", None),
        ("return=representation", Some("Patient")),
        ("return=OperationOutcome", Some("OperationOutcome")),
    ] {
        let request = server.json("POST", "Patient", &patient("Wang")).header("prefer", preference);
        let answer = server.send(request).await.expect(201);
        assert!(answer.header("location").is_some());
        match expected {
            None => assert_eq!(answer.text, ""),
            Some(kind) => assert_eq!(answer.json()["resourceType"], kind),
        }
    }
}

#[tokio::test]
async fn another_type_than_the_address_says_is_refused() {
    let server = TestServer::start().await;
    server.post("Observation", &patient("Li")).await.refused(400, "the body is a Patient");
    server.post("Patient", &json!({ "active": true })).await.refused(400, "no resourceType");
    server.post("Patent", &patient("Li")).await.refused(404, "not a resource type");
    server
        .post("Parameters", &json!({ "resourceType": "Parameters" }))
        .await
        .refused(404, "not stored");
}

#[tokio::test]
async fn parameters_are_refused_rather_than_ignored() {
    let server = TestServer::start().await;
    server
        .post("Patient?identifier=x", &patient("Li"))
        .await
        .refused(400, "unknown parameter `identifier`");
}
