//! batch (http.html#batch).

use crate::harness::{TestServer, entry, patient};
use serde_json::{Value, json};

fn batch(entries: Vec<Value>) -> Value {
    json!({ "resourceType": "Bundle", "type": "batch", "entry": entries })
}

#[tokio::test]
async fn each_entry_succeeds_or_fails_for_itself() {
    let server = TestServer::start().await;
    let bundle = batch(vec![
        entry("POST", "Patient", Some(patient("Hu"))),
        entry("POST", "Patient", Some(json!({ "resourceType": "Patient", "gender": "f" }))),
        entry("GET", "Patient/none", None),
        entry("GET", "metadata", None),
        entry("POST", "", Some(batch(vec![]))),
        json!({ "request": { "method": "NOP", "url": "Patient" } }),
    ]);
    let answer = server.post("", &bundle).await.expect(200).json();
    assert_eq!(answer["type"], "batch-response");
    let statuses: Vec<&str> = answer["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["response"]["status"].as_str().unwrap()[..3])
        .collect();
    assert_eq!(statuses, ["201", "422", "404", "200", "400", "400"]);
    assert_eq!(
        answer["entry"][1]["response"]["outcome"]["issue"][0]["expression"][0],
        "Bundle.entry[1].resource.gender"
    );
    assert_eq!(server.get("Patient").await.ids().len(), 1);
}
