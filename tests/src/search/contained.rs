//! What is contained in other resources, and has no address of its own (search.html#contained).

use super::{check, concept, found, reference, server};
use crate::harness::TestServer;
use serde_json::{Value, json};

fn medicine(id: &str, code: &str, status: &str) -> Value {
    json!({ "resourceType": "Medication", "id": id, "code": concept("urn:drugs", code), "status": status })
}

fn prescription(id: &str, contained: &[Value]) -> Value {
    let own = |one: &Value| reference(&format!("#{}", one["id"].as_str().unwrap()));
    let all: Vec<Value> = contained.iter().map(own).collect();
    json!({
        "resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order",
        "subject": reference("Patient/p"), "medicationReference": reference("Medication/other"), "supportingInformation": all, "contained": contained,
    })
}

async fn pharmacy() -> TestServer {
    server(&[
        medicine("alone", "aspirin", "active"),
        medicine("other", "ibuprofen", "active"),
        prescription("r1", &[medicine("m1", "aspirin", "active"), medicine("m2", "ibuprofen", "inactive")]),
        prescription("r2", &[medicine("m1", "ibuprofen", "active")]),
        prescription("r3", &[medicine("m1", "aspirin", "inactive"), medicine("m2", "aspirin", "active"), medicine("m3", "aspirin", "active")]),
        json!({ "resourceType": "MedicationDispense", "id": "d1", "status": "completed",
            "medicationReference": reference("#m1"), "contained": [medicine("m1", "aspirin", "active")] }),
    ])
    .await
}

#[tokio::test]
async fn contained_resources_are_found_where_they_are() {
    let server = pharmacy().await;
    check(&server, "Medication?code=aspirin", &["alone"]).await;
    check(&server, "Medication?code=aspirin&_contained=false", &["alone"]).await;
    check(&server, "Medication?code=urn:drugs|aspirin&_contained=true", &["d1", "r1", "r3"]).await;
    check(&server, "Medication?code=aspirin&_contained=both", &["alone", "d1", "r1", "r3"]).await;
    // Both of the same contained resource.
    check(&server, "Medication?code=ibuprofen&status=inactive&_contained=true", &["r1"]).await;
    check(
        &server,
        "Medication?code=aspirin,ibuprofen&status:not=active&_contained=true",
        &["r1", "r3"],
    )
    .await;
    check(&server, "Medication?_contained=true&_id=m3", &["r3"]).await;
    check(&server, "Substance?_contained=true", &[]).await;
    check(
        &server,
        "Medication?code=aspirin&status=active&_contained=both&_containedType=contained",
        &["alone", "m1", "m1", "m2", "m3"],
    )
    .await;
    let path = "Medication?code=ibuprofen&_contained=true&_containedType=contained";
    let bundle = server.get(path).await.expect(200).json();
    assert_eq!(bundle["entry"][0]["fullUrl"], format!("{}/MedicationRequest/r1#m2", server.base));
    assert_eq!(bundle["entry"][0]["resource"], medicine("m2", "ibuprofen", "inactive"));
    let link = bundle["link"][0]["url"].as_str().unwrap();
    assert!(link.contains("_contained=true&_containedType=contained"), "{link}");
    // What no longer contains it is no longer found.
    let without = prescription("r2", &[medicine("m1", "aspirin", "active")]);
    server.put("MedicationRequest/r2", &without).await.expect(200);
    assert_eq!(found(&server, path).await, ["m2"]);
}

#[tokio::test]
async fn pages_go_through_what_is_contained() {
    let server = pharmacy().await;
    for (search, number) in [
        ("Medication?_contained=both&_containedType=contained", 9),
        ("Medication?_contained=both", 6),
        ("Medication?code=aspirin&_contained=both&_containedType=contained&_sort=_lastUpdated", 6),
    ] {
        for count in [1, 2, 3, 20] {
            let mut seen = Vec::new();
            let mut next = Some(format!("{search}&_count={count}"));
            while let Some(path) = next {
                let page = server.get(&path).await.expect(200);
                let bundle = page.json();
                let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
                assert!(entries.len() <= count, "{search} {count}");
                seen.extend(entries.iter().map(|entry| entry["fullUrl"].to_string()));
                next = page.next();
            }
            let mut once = seen.clone();
            once.sort();
            once.dedup();
            assert_eq!((seen.len(), once.len()), (number, number), "{search} {count}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn what_does_not_go_with_contained_is_refused() {
    let server = pharmacy().await;
    for (search, why) in [
        ("Medication?_contained=maybe", "true, false or both"),
        ("Medication?_contained=true&_containedType=x", "container or contained"),
        ("Medication?_contained=true&manufacturer.name=a", "chain"),
        ("Medication?_contained=true&_include=*", "_include"),
        ("Medication?_contained=true&_sort=status", "_lastUpdated"),
        ("Patient/p/MedicationRequest?_contained=true", "one type"),
        ("?_contained=true", "one type"),
    ] {
        server.get(search).await.refused(400, why);
    }
}
