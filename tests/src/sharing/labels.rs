//! Labels reach what belongs to a labelled diagnosis, whichever is written first.

use super::{city, condition, consent, encounter, found, observation, reference};
use crate::harness::{City, TestServer, entry};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// A psychiatric diagnosis of the first patient, the visit it was made in, and what was done because of it; and what was done
/// because of another diagnosis of the same visit.
fn psychiatry() -> Vec<Value> {
    let subject = reference("Patient/ha-p1");
    let concept = json!({ "text": "x" });
    let mut visit = encounter("ha-e", "ha-p1");
    visit["diagnosis"] = json!([{ "condition": reference("Condition/ha-f") }]);
    let mut other = condition("ha-h", "ha-p1", "I10");
    other["encounter"] = reference("Encounter/ha-e");
    let mut value = observation("ha-v", "ha-p1", "laboratory");
    value["basedOn"] = json!([reference("ServiceRequest/ha-r")]);
    let request = |id: &str, reason: &str| {
        json!({ "resourceType": "MedicationRequest", "id": id, "status": "active", "intent": "order", "subject": subject,
            "medicationCodeableConcept": concept, "reasonReference": [reference(reason)] })
    };
    vec![
        condition("ha-f", "ha-p1", "F20.1"),
        visit,
        other,
        json!({ "resourceType": "ServiceRequest", "id": "ha-r", "status": "completed", "intent": "order", "subject": subject,
            "reasonReference": [reference("Condition/ha-f")] }),
        value,
        json!({ "resourceType": "DiagnosticReport", "id": "ha-d", "status": "final", "code": concept, "subject": subject,
            "result": [reference("Observation/ha-v")] }),
        json!({ "resourceType": "ImagingStudy", "id": "ha-i", "status": "available", "subject": subject,
            "encounter": reference("Encounter/ha-e") }),
        json!({ "resourceType": "Procedure", "id": "ha-o", "status": "completed", "subject": subject,
            "reasonReference": [reference("Condition/ha-f")] }),
        request("ha-m", "Condition/ha-f"),
        request("ha-n", "Condition/ha-h"),
    ]
}

fn address(resource: &Value) -> String {
    let text = |name: &str| resource[name].as_str().unwrap();
    format!("{}/{}", text("resourceType"), text("id"))
}

/// Whose hospital treats the patient.
async fn in_care(city: &City) -> String {
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    other
}

async fn check_closed(city: &City, other: &str) {
    for resource in psychiatry() {
        let address = address(&resource);
        // What another diagnosis was the reason for is as open as before.
        let expected = if address == "MedicationRequest/ha-n" { 200 } else { 404 };
        assert_eq!(city.get(other, &address).await.status, expected, "{address}");
        assert_eq!(city.get(&city.doctor("ha"), &address).await.status, 200, "{address}");
    }
    let seen = found(city, other, "MedicationRequest?patient=ha-p1").await;
    assert_eq!(seen, ["ha-n"]);
}

#[tokio::test]
async fn cons_07_labels_reach_what_belongs_to_a_diagnosis_whichever_is_first() {
    for is_reversed in [false, true] {
        let city = city().await;
        let (own, other) = (city.doctor("ha"), in_care(&city).await);
        let mut resources = psychiatry();
        if is_reversed {
            resources.reverse();
        }
        for resource in &resources {
            city.put(&own, resource).await.expect(201);
        }
        check_closed(&city, &other).await;
        // Who may see psychiatry sees what belongs to it.
        let label = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
        let open = json!({ "type": "permit", "securityLabel": label });
        let keeper = city.with_scope("ha", "user/Consent.cruds");
        city.put(&keeper, &consent("ha-k", "ha-p1", open)).await.expect(201);
        for resource in &resources {
            city.get(&other, &address(resource)).await.expect(200);
        }
    }
}

#[tokio::test]
async fn cons_07_labels_reach_within_one_transaction() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), in_care(&city).await);
    let mut entries: Vec<Value> = psychiatry()
        .into_iter()
        .map(|resource| {
            let address = address(&resource);
            entry("PUT", &address, Some(resource))
        })
        .collect();
    entries.swap(0, 4);
    entries.swap(1, 7);
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries });
    city.post(&own, "", &bundle).await.expect(200);
    check_closed(&city, &other).await;
    // The same of ids that the server makes.
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        { "fullUrl": "urn:uuid:7b0a2f0e-8a55-4e9c-9c35-1f1b5ac7d001", "request": { "method": "POST", "url": "Observation" },
            "resource": with(observation("x", "ha-p1", "survey"), "encounter", reference("urn:uuid:7b0a2f0e-8a55-4e9c-9c35-1f1b5ac7d002")) },
        { "fullUrl": "urn:uuid:7b0a2f0e-8a55-4e9c-9c35-1f1b5ac7d002", "request": { "method": "POST", "url": "Encounter" },
            "resource": with(encounter("x", "ha-p1"), "reasonReference", json!([reference("Condition/ha-f")])) },
    ] });
    city.post(&own, "", &bundle).await.expect(200);
    assert_eq!(found(&city, &own, "Observation?patient=ha-p1&category=survey").await.len(), 1);
    assert_eq!(found(&city, &other, "Observation?patient=ha-p1&category=survey").await, [""; 0]);
}

fn with(mut resource: Value, name: &str, value: Value) -> Value {
    resource.as_object_mut().unwrap().remove("id");
    resource[name] = value;
    resource
}

#[tokio::test]
async fn cons_07_labels_stay_with_their_patient() {
    let city = city().await;
    let own = city.doctor("ha");
    let other = in_care(&city).await;
    city.put(&other, &encounter("hb-e2", "ha-p2")).await.expect(201);
    for resource in psychiatry() {
        city.put(&own, &resource).await.expect(201);
    }
    let mut value = observation("ha-w", "ha-p2", "laboratory");
    value["encounter"] = reference("Encounter/ha-e");
    city.put(&own, &value).await.expect(201);
    city.get(&other, "Observation/ha-w").await.expect(200);
}

#[tokio::test]
async fn cons_07_a_label_stays_when_what_it_came_from_is_gone() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), in_care(&city).await);
    for resource in psychiatry() {
        city.put(&own, &resource).await.expect(201);
    }
    city.put(&own, &observation("ha-v", "ha-p1", "laboratory")).await.expect(200);
    city.delete(&own, "Condition/ha-f").await.expect(204);
    city.delete(&own, "Procedure/ha-o").await.expect(204);
    for path in
        ["Observation/ha-v", "Observation/ha-v/_history/1", "Condition/ha-f", "Procedure/ha-o"]
    {
        city.get(&other, path).await.expect(404);
    }
    city.get(&own, "Procedure/ha-o").await.expect(410);
}

#[tokio::test]
async fn cons_07_of_a_race_between_label_and_result_nothing_is_left_open() {
    const CLIENTS: usize = 24;
    let city = city().await;
    let (own, other) = (city.doctor("ha"), in_care(&city).await);
    let replica = city.replica().await;
    let own_there = city.readdressed(&own, &replica.base);
    let servers: [(&TestServer, &str); 2] = [(&city.server, &own), (&replica, &own_there)];
    for round in 0..4 {
        let visit = format!("ha-race{round}");
        city.put(&own, &encounter(&visit, "ha-p1")).await.expect(201);
        let sends = (0..CLIENTS).map(|number| {
            let (server, token) = servers[number % 2];
            let mut value = observation("x", "ha-p1", "laboratory");
            value["encounter"] = reference(&format!("Encounter/{visit}"));
            let mut method = ("POST", "Observation".to_owned());
            if number % 3 == 0 {
                let id = format!("ha-{round}-{number}");
                value["id"] = json!(id);
                method = ("PUT", format!("Observation/{id}"));
            }
            // In the midst of it the visit turns out to be about psychosis.
            if number == CLIENTS / 2 {
                value = encounter(&visit, "ha-p1");
                value["diagnosis"] = json!([{ "condition": reference("Condition/ha-p1-s") }]);
                method = ("PUT", format!("Encounter/{visit}"));
            }
            server.send(server.json(method.0, &method.1, &value).bearer_auth(token))
        });
        for answer in join_all(sends).await {
            assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.text);
        }
        let search = format!("Observation?encounter={visit}&_count=100");
        assert_eq!(found(&city, &own, &search).await.len(), CLIENTS - 1);
        assert_eq!(found(&city, &other, &search).await, [""; 0], "round {round}");
    }
}

#[tokio::test]
async fn cons_07_a_reindex_labels_what_was_written_before() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), in_care(&city).await);
    for resource in psychiatry() {
        city.put(&own, &resource).await.expect(201);
    }
    // As if there had been no such labels when all of it was written.
    let client = city.server.database.client().await;
    client.batch_execute("DELETE FROM label_source").await.unwrap();
    for resource in psychiatry() {
        let table = schema::resource::find(resource["resourceType"].as_str().unwrap()).unwrap();
        let forget = format!("UPDATE {} SET labels = 0, filters = '{{}}'", table.name);
        client.batch_execute(&forget).await.unwrap();
    }
    city.get(&other, "Observation/ha-v").await.expect(200);
    let operator = city.token("ha", |claims| {
        claims["extensions"]["ihe_iua"]["subject_role"] = json!([{ "code": "operator" }]);
    });
    city.post(&operator, "$reindex", &json!({ "resourceType": "Parameters" })).await.expect(202);
    let finished = async {
        loop {
            let progress = city.get(&operator, "$reindex").await.expect(200).json();
            let open = |kind: &Value| {
                kind["part"].as_array().unwrap().iter().any(|part| part["valueBoolean"] == false)
            };
            if !progress["parameter"].as_array().unwrap().iter().any(open) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), finished).await.unwrap();
    check_closed(&city, &other).await;
}

#[tokio::test]
async fn obj_08_no_reference_tells_what_a_sensitive_resource_is_called() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), in_care(&city).await);
    let named = json!({ "reference": "Condition/ha-p1-s", "display": "schizophrenia" });
    let request = json!({ "resourceType": "MedicationRequest", "id": "ha-m", "status": "active", "intent": "order",
        "subject": reference("Patient/ha-p1"), "medicationCodeableConcept": { "text": "x" }, "reasonReference": [named] });
    city.put(&own, &request).await.expect(201);
    let mut extended = observation("ha-x", "ha-p1", "laboratory");
    extended["extension"] = json!([{ "url": "urn:because", "valueReference": named }]);
    city.put(&own, &extended).await.expect(201);
    let mut told = 0;
    for path in [
        "MedicationRequest?patient=ha-p1",
        "Observation?patient=ha-p1",
        "Patient/ha-p1/$everything",
        "_history?_count=100",
    ] {
        assert!(!city.get(&other, path).await.expect(200).text.contains("schizophrenia"), "{path}");
        told += usize::from(city.get(&own, path).await.expect(200).text.contains("schizophrenia"));
    }
    assert_eq!(told, 4);
    // Who may see psychiatry is told.
    let label =
        json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    let open = json!({ "type": "permit", "securityLabel": label });
    city.put(&keeper, &consent("ha-k", "ha-p1", open)).await.expect(201);
    let seen = city.get(&other, "MedicationRequest?patient=ha-p1").await.expect(200);
    assert!(seen.text.contains("schizophrenia"));
}
