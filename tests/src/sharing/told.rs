//! What patients and auditors are told: what a hospital would see, who saw what, and what was decided in emergencies.

use super::{WHY, city, consent, emergency, encounter, patient, reason, reference};
use crate::harness::City;
use serde_json::{Value, json};

fn auditor(city: &City) -> String {
    city.token("ha", |claims| {
        claims["scope"] = json!("user/AuditEvent.rs");
        claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": "auditor" }] });
    })
}

/// Type, how much of it is seen, how much there is.
fn counts(preview: &Value) -> Vec<(String, u64, u64)> {
    let each = preview["parameter"].as_array().into_iter().flatten();
    let mut counts: Vec<(String, u64, u64)> = each
        .map(|kind| {
            let part = |place: usize| &kind["part"][place];
            let number = |place: usize| part(place)["valueDecimal"].as_u64().unwrap();
            (part(0)["valueCode"].as_str().unwrap().to_owned(), number(1), number(2))
        })
        .collect();
    counts.sort();
    counts
}

#[tokio::test]
async fn cons_14_a_patient_is_shown_what_a_hospital_would_see() {
    let city = city().await;
    let own = city.patient("ha-p1", "patient/*.rs");
    let preview = "Patient/ha-p1/$sharing-preview";
    let ask = async |hospital: &str| {
        let answer = city.get(&own, &format!("{preview}?hospital={hospital}")).await.expect(200);
        assert!(!answer.text.contains("8480-6") && !answer.text.contains("ha-p1-o"));
        counts(&answer.json())
    };
    let count = |kind: &str, seen: u64, all: u64| (kind.to_owned(), seen, all);
    let (value, person) = (count("Observation", 1, 1), count("Patient", 1, 1));
    assert_eq!(ask("hb").await, [count("Condition", 1, 2), value.clone(), person.clone()]);
    // The custodian sees all of it.
    assert_eq!(ask("ha").await, [count("Condition", 2, 2), value.clone(), person.clone()]);
    // It is what a doctor there sees, once the patient is treated.
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    let role = json!({ "coding": [{ "code": "IRCP" }] });
    let hc = json!([{ "role": role, "reference": reference("Organization/hc") }]);
    let provision = json!({ "type": "permit", "provision": [{ "type": "deny", "actor": hc }] });
    city.put(&keeper, &consent("ha-k", "ha-p1", provision)).await.expect(201);
    assert_eq!(
        ask("hc").await,
        [count("Condition", 0, 2), count("Observation", 0, 1), count("Patient", 0, 1)]
    );
    assert_eq!(ask("hb").await, [count("Condition", 1, 2), value, person]);
    // Nobody else asks, and of nobody else.
    city.get(&own, "Patient/ha-p2/$sharing-preview?hospital=hb").await.expect(403);
    city.get(&city.doctor("ha"), &format!("{preview}?hospital=hb")).await.expect(403);
    city.get(&auditor(&city), &format!("{preview}?hospital=hb")).await.expect(403);
    city.get(&own, &format!("{preview}?hospital=nowhere")).await.expect(400);
    let launched = city.token("hb", |claims| {
        claims["patient"] = json!("ha-p1");
        claims["scope"] = json!("patient/*.rs");
    });
    city.get(&launched, &format!("{preview}?hospital=hc")).await.expect(403);
}

/// The cells of a table, line by line, without its head.
fn lines(text: &str) -> Vec<Vec<String>> {
    let lines = text.trim_end().split("\r\n").skip(1);
    lines.map(|line| line.trim_matches('"').split("\",\"").map(str::to_owned).collect()).collect()
}

/// The second patient's, read by somebody elsewhere whose name is a formula.
async fn looked_at() -> City {
    let city = city().await;
    let other = city.token("hb", |claims| {
        claims["extensions"]["ihe_iua"]["subject_name"] = json!("=HYPERLINK(\"http://x\")");
    });
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.get(&other, "Observation?patient=ha-p1").await.expect(200);
    city.get(&other, "Observation/ha-p1-o").await.expect(200);
    city.get(&other, "Condition/ha-p1-c").await.expect(200);
    city.get(&other, "Condition/ha-p1-s").await.expect(404);
    city.get(&city.doctor("ha"), "Condition/ha-p1-s").await.expect(200);
    city
}

#[tokio::test]
async fn own_10_patients_take_their_access_log_home() {
    let city = looked_at().await;
    let own = city.patient("ha-p1", "patient/AuditEvent.rs");
    let log = city.get(&own, "Patient/ha-p1/$access-log").await.expect(200);
    assert_eq!(log.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines = lines(&log.text);
    let read = lines.iter().find(|line| line[8] == "read" && line[9] == "Observation").unwrap();
    assert_eq!(read[1], "'=HYPERLINK(\"\"http://x\"\")");
    assert_eq!((read[3].as_str(), read[5].as_str(), read[10].as_str()), ("hb", "TREAT", "ha-p1-o"));
    assert!(read[0].ends_with("+08:00"));
    // The same as the events say.
    let events = city.get(&own, "AuditEvent?_count=1000").await.expect(200).ids();
    // Two looks at the trail came in between: each is an event of its own when it is asked again.
    assert_eq!(lines.len() + 1, events.len());
    let none = city.get(&own, "Patient/ha-p1/$access-log?end=2020").await.expect(200);
    assert_eq!(self::lines(&none.text).len(), 0);
    // Nobody else's.
    let foreign = city.get(&own, "Patient/ha-p2/$access-log").await.expect(200);
    assert_eq!(self::lines(&foreign.text).len(), 0);
    for token in [city.doctor("ha"), city.patient("ha-p1", "patient/*.rs")] {
        city.get(&token, "Patient/ha-p1/$access-log").await.expect(403);
    }
    city.get(&own, "Patient/ha-p1/$access-log?colour=red").await.expect(400);
    city.get(&auditor(&city), "Patient/ha-p1/$access-log").await.expect(200);
}

#[tokio::test]
async fn aud_15_disclosures_are_accounted_for() {
    let city = looked_at().await;
    for token in [city.patient("ha-p1", "patient/AuditEvent.rs"), auditor(&city)] {
        let account = city.get(&token, "Patient/ha-p1/$disclosures").await.expect(200);
        let lines = lines(&account.text);
        let told: Vec<[&str; 5]> =
            lines.iter().map(|line| [0, 1, 4, 5, 7].map(|place| line[place].as_str())).collect();
        // Neither what the custodian looked at, nor what was refused, nor what was written.
        assert_eq!(
            told,
            [["ha", "hb", "Condition", "TREAT", "1"], ["ha", "hb", "Observation", "TREAT", "2"]]
        );
        assert!(lines[1][8] <= lines[1][9]);
    }
    city.get(&city.doctor("ha"), "Patient/ha-p1/$disclosures").await.expect(403);
}

#[tokio::test]
async fn cons_12_a_decision_to_break_the_glass_is_an_event_of_its_own() {
    let city = city().await;
    let doctor = emergency(&city, |_| {});
    city.post(&doctor, "Patient/ha-p1/$break-glass", &reason(WHY)).await.expect(201);
    city.post(&city.doctor("hb"), "Patient/ha-p1/$break-glass", &reason(WHY)).await.expect(403);
    let auditor = auditor(&city);
    let events =
        city.get(&auditor, "AuditEvent?subtype=operation&_count=10").await.expect(200).json();
    let decided: Vec<&Value> = events["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .filter(|event| event["type"]["code"] == "110113")
        .collect();
    // The latest first: refused, then permitted.
    let outcomes: Vec<&str> =
        decided.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["8", "0"]);
    for event in decided {
        assert_eq!(event["subtype"][0]["code"], "AuthZ-Consent");
        assert_eq!(event["agent"][1]["type"]["coding"][0]["code"], "authserver");
        let what = event["entity"].as_array().unwrap().iter();
        assert!(
            what.clone().any(|entity| entity["what"]["reference"] == "Patient/ha-p1"),
            "{event}"
        );
    }
}

#[tokio::test]
async fn scope_09_links_between_patients_open_nothing() {
    let city = city().await;
    let own = city.doctor("ha");
    for kind in ["seealso", "refer", "replaced-by"] {
        let mut linked = patient("ha-p1");
        linked["link"] = json!([{ "other": reference("Patient/ha-p2"), "type": kind }]);
        city.put(&own, &linked).await;
        let token = city.patient("ha-p1", "patient/*.rs");
        city.get(&token, "Patient/ha-p2").await.expect(404);
        city.get(&token, "Observation/ha-p2-o").await.expect(404);
        assert_eq!(super::found(&city, &token, "Observation?").await, ["ha-p1-o"], "{kind}");
        // Nor does a right to the one at another hospital.
        let other = city.doctor("hb");
        city.put(&other, &encounter("hb-e1", "ha-p1")).await;
        city.get(&other, "Observation/ha-p2-o").await.expect(404);
    }
}
