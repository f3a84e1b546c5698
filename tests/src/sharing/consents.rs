//! Consents as IHE Privacy Consent on FHIR has them, one after the other: what another hospital sees, by what it asks for. The examples
//! are data, `consents/examples.json`.

use super::{WHY, city, condition, consent, emergency, encounter, found, reason};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn examples() -> Vec<Value> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("consents/examples.json");
    let text = std::fs::read_to_string(path).unwrap();
    let examples: Value = serde_json::from_str(&text).unwrap();
    examples["examples"].as_array().unwrap().clone()
}

async fn check(name: &str) {
    let example = examples().into_iter().find(|example| example["name"] == name).unwrap();
    let city = city().await;
    let (own, other, third) = (city.doctor("ha"), city.doctor("hb"), city.doctor("hc"));
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    let mut restricted = condition("ha-r", "ha-p1", "I10");
    restricted["meta"] = json!({ "security": [
        { "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R" },
    ] });
    city.put(&own, &restricted).await.expect(201);
    for (id, code, onset) in [("hc-c", "I10", "2024-05-01"), ("hc-b", "B20", "2024-06-01")] {
        let mut elsewhere = condition(id, "ha-p1", code);
        elsewhere["onsetDateTime"] = json!(onset);
        city.put(&third, &elsewhere).await.expect(201);
    }
    let mut dated = condition("ha-p1-c", "ha-p1", "I10");
    dated["onsetDateTime"] = json!("2020-01-01");
    city.put(&own, &dated).await.expect(200);

    let keeper = city.with_scope("ha", "user/Consent.cruds");
    let given = consent("ha-k", "ha-p1", example["provision"].clone());
    city.put(&keeper, &given).await.expect(201);
    for (purpose, seen) in example["seen"].as_object().unwrap() {
        let token = match purpose.as_str() {
            "BTG" => emergency(&city, |_| {}),
            purpose => city.token("hb", |claims| {
                claims["extensions"]["ihe_iua"]["purpose_of_use"] = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": purpose }]);
            }),
        };
        if purpose == "BTG" {
            city.post(&token, "Patient/ha-p1/$break-glass", &reason(WHY)).await.expect(201);
        }
        let expected: Vec<&str> =
            seen.as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let found = found(&city, &token, "Condition?patient=ha-p1").await;
        assert_eq!(found, expected, "{purpose}: {}", example["says"]);
        for id in ["ha-p1-c", "ha-p1-s", "ha-r", "hc-b", "hc-c"] {
            let status = city.get(&token, &format!("Condition/{id}")).await.status;
            assert_eq!(status, if expected.contains(&id) { 200 } else { 404 }, "{purpose}: {id}");
        }
    }
}

#[test]
fn each_example_of_a_consent_has_its_test() {
    let source = include_str!("consents.rs");
    let named: BTreeSet<String> =
        examples().iter().map(|example| example["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(named.len(), examples().len());
    for name in named {
        assert!(source.contains(&format!("check(\"{name}\")")), "{name}");
    }
}

#[tokio::test]
async fn cons_02_basic_treat() {
    check("basic-treat").await;
}

#[tokio::test]
async fn cons_02_basic_treat_expired() {
    check("basic-treat-expired").await;
}

#[tokio::test]
async fn cons_02_basic_deny_expired() {
    check("basic-deny-expired").await;
}

#[tokio::test]
async fn cons_02_intermediate_authoredby() {
    check("intermediate-authoredby").await;
}

#[tokio::test]
async fn cons_02_intermediate_not_authoredby() {
    check("intermediate-not-authoredby").await;
}

#[tokio::test]
async fn cons_02_intermediate_data() {
    check("intermediate-data").await;
}

#[tokio::test]
async fn cons_02_intermediate_not_data() {
    check("intermediate-not-data").await;
}

#[tokio::test]
async fn cons_02_intermediate_timeframe() {
    check("intermediate-timeframe").await;
}

#[tokio::test]
async fn cons_02_intermediate_not_timeframe() {
    check("intermediate-not-timeframe").await;
}

#[tokio::test]
async fn cons_02_intermediate_purpose() {
    check("intermediate-purpose").await;
}

#[tokio::test]
async fn cons_02_intermediate_not_purpose() {
    check("intermediate-not-purpose").await;
}

#[tokio::test]
async fn cons_02_intermediate_not_recipient() {
    check("intermediate-not-recipient").await;
}

#[tokio::test]
async fn cons_02_advanced_normal() {
    check("advanced-normal").await;
}

#[tokio::test]
async fn cons_02_advanced_restricted() {
    check("advanced-restricted").await;
}

#[tokio::test]
async fn cons_02_advanced_not_restricted() {
    check("advanced-not-restricted").await;
}

#[tokio::test]
async fn cons_02_advanced_focused_psy() {
    check("advanced-focused-psy").await;
}

#[tokio::test]
async fn cons_02_advanced_not_psy() {
    check("advanced-not-psy").await;
}

#[tokio::test]
async fn cons_02_dissent() {
    check("dissent").await;
}

#[tokio::test]
async fn cons_02_dissent_break_glass() {
    check("dissent-break-glass").await;
}
