//! history (http.html#history).

use crate::harness::{TestServer, patient};
use serde_json::json;

async fn walk(server: &TestServer, first: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = server.get(&path).await.expect(200);
        for entry in page.json()["entry"].as_array().cloned().unwrap_or_default() {
            let request = &entry["request"];
            let etag = entry["response"]["etag"].as_str().unwrap();
            found.push(format!(
                "{} {} {etag}",
                request["method"].as_str().unwrap(),
                entry["fullUrl"].as_str().unwrap()
            ));
        }
        next = page.next();
    }
    found
}

#[tokio::test]
async fn all_versions_are_shown_newest_first_deletions_too() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Hua")).await;
    let mut resource = server.get(&address).await.json();
    resource["gender"] = json!("male");
    server.put(&address, &resource).await.expect(200);
    server.delete(&address).await.expect(204);
    let history = server.get(&format!("{address}/_history")).await.expect(200).json();
    assert_eq!(history["type"], "history");
    let entries = history["entry"].as_array().unwrap();
    let methods: Vec<_> =
        entries.iter().map(|entry| entry["request"]["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["DELETE", "PUT", "POST"]);
    assert_eq!(entries[0]["resource"], json!(null));
    assert_eq!(entries[0]["response"]["status"], "204 No Content");
    assert_eq!(entries[1]["resource"]["gender"], "male");
    assert_eq!(entries[2]["response"]["status"], "201 Created");
    server.get("Patient/none/_history").await.refused(404, "not known");
}

#[tokio::test]
async fn type_and_system_history_are_walked_page_by_page() {
    let server = TestServer::start().await;
    let mut addresses = Vec::new();
    for number in 0..7 {
        addresses.push(server.create(&patient(&format!("P{number}"))).await);
    }
    server
        .post("Basic", &json!({ "resourceType": "Basic", "code": { "text": "b" } }))
        .await
        .expect(201);
    server.delete(&addresses[3]).await.expect(204);
    let by_type = walk(&server, "Patient/_history?_count=3").await;
    assert_eq!(by_type.len(), 8);
    assert!(by_type[0].starts_with("DELETE") && by_type[0].contains(&addresses[3]));
    let everything = walk(&server, "_history?_count=2").await;
    assert_eq!(everything.len(), 9);
    let mut oldest_first = walk(&server, "_history?_count=4&_sort=_lastUpdated").await;
    oldest_first.reverse();
    assert_eq!(oldest_first, everything);
}

#[tokio::test]
async fn a_time_can_be_given() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Jin")).await;
    let mut resource = server.get(&address).await.json();
    resource["gender"] = json!("male");
    let second = server.put(&address, &resource).await.expect(200).json();
    let moment = second["meta"]["lastUpdated"].as_str().unwrap();
    let versions = |path: String| {
        let server = &server;
        async move { server.get(&path).await.expect(200).ids().len() }
    };
    assert_eq!(versions(format!("{address}/_history?_since={moment}")).await, 1);
    assert_eq!(versions(format!("{address}/_history?_since=2001-01-01")).await, 2);
    assert_eq!(versions(format!("{address}/_history?_at=2001-01-01")).await, 0);
    assert_eq!(versions(format!("{address}/_history?_at={moment}")).await, 2);
    assert_eq!(versions(format!("{address}/_history?_at=2999-01-01")).await, 1);
    server.get(&format!("{address}/_history?_since=yesterday")).await.refused(400, "_since");
    server.get(&format!("{address}/_history?_count=-1")).await.refused(400, "_count=-1");
    server.get(&format!("{address}/_history?_sort=name")).await.refused(400, "_sort=name");
    server
        .get(&format!("{address}/_history?name=x"))
        .await
        .refused(400, "unknown parameter `name`");
}
