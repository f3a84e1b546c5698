//! Search in all its forms, over HTTP (search.html).

mod contained;
mod custom;
mod joins;
mod operations;
mod paging;
mod shapes;
mod terminology;
mod values;
mod words;

use crate::harness::TestServer;
use serde_json::{Value, json};

/// A server with these resources, each under its own id.
async fn server(resources: &[Value]) -> TestServer {
    let server = TestServer::start().await;
    for resource in resources {
        let address = format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        server.put(&address, resource).await.expect(201);
    }
    server
}

/// The ids that a search finds, in no order.
async fn found(server: &TestServer, search: &str) -> Vec<String> {
    let mut ids = server.get(search).await.expect(200).ids();
    ids.sort();
    ids
}

async fn check(server: &TestServer, search: &str, expected: &[&str]) {
    assert_eq!(found(server, search).await, expected, "{search}");
    // The same number is counted, over all pages.
    let separator = if search.contains('?') { '&' } else { '?' };
    if !search.contains("_include") && !search.contains("_revinclude") {
        let counted = server.get(&format!("{search}{separator}_summary=count")).await.expect(200);
        assert_eq!(counted.json()["total"], expected.len(), "{search}");
    }
}

fn reference(to: &str) -> Value {
    json!({ "reference": to })
}

fn concept(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

fn observation(id: &str, code: &str, patient: &str, date: &str, value: &Value) -> Value {
    json!({
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": concept("http://loinc.org", code),
        "subject": reference(&format!("Patient/{patient}")),
        "effectiveDateTime": date,
        "valueQuantity": value,
    })
}

fn quantity(value: f64, code: &str) -> Value {
    json!({ "value": value, "unit": code, "system": "http://unitsofmeasure.org", "code": code })
}

/// A value that a parameter of this kind takes.
pub(crate) fn sample(name: &str, of: &str) -> &'static str {
    match of {
        "date" => "2026",
        "number" | "quantity" => "5",
        "special" => "31|121",
        "composite" if name.ends_with("-coordinate") => "a$1$2",
        "composite" if name == "relationship" => "DocumentReference/1$a",
        "composite" if name == "code-value-date" => "a$2026",
        "composite" if name.ends_with("-quantity") => "a$1",
        "composite" => "a$a",
        _ => "a",
    }
}
