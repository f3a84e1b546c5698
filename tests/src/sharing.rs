//! Hospitals and each other's records: what scopes, care, consent and sensitivity open, on every way to a resource.

mod consents;
mod guardian;
mod labels;
mod told;

use crate::harness::City;
use serde_json::{Value, json};

fn reference(to: &str) -> Value {
    json!({ "reference": to })
}

fn patient(id: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "identifier": [{ "system": "urn:id", "value": id }], "gender": "female" })
}

fn observation(id: &str, patient: &str, category: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8480-6" }] },
        "subject": reference(&format!("Patient/{patient}")),
        "effectiveDateTime": "2026-11-01T08:00:00+08:00",
        "valueQuantity": { "value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]" },
    })
}

fn condition(id: &str, patient: &str, code: &str) -> Value {
    json!({
        "resourceType": "Condition", "id": id, "subject": reference(&format!("Patient/{patient}")),
        "clinicalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] },
        "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10", "code": code }] },
    })
}

/// Care that is going on.
fn encounter(id: &str, patient: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": "in-progress",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" },
        "subject": reference(&format!("Patient/{patient}")),
    })
}

fn consent(id: &str, patient: &str, provision: Value) -> Value {
    json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
        "patient": reference(&format!("Patient/{patient}")), "dateTime": "2026-11-20T10:05:00+08:00",
        "policy": [{ "uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal" }],
        "provision": provision,
    })
}

/// Two patients of one hospital, with a value and a sensitive diagnosis each.
async fn city() -> City {
    let city = City::start().await;
    let doctor = city.doctor("ha");
    for id in ["ha-p1", "ha-p2"] {
        city.put(&doctor, &patient(id)).await.expect(201);
        city.put(&doctor, &observation(&format!("{id}-o"), id, "vital-signs")).await.expect(201);
        city.put(&doctor, &condition(&format!("{id}-c"), id, "I10")).await.expect(201);
        city.put(&doctor, &condition(&format!("{id}-s"), id, "F20.1")).await.expect(201);
    }
    city
}

async fn found(city: &City, token: &str, search: &str) -> Vec<String> {
    let mut ids = city.get(token, search).await.expect(200).ids();
    ids.sort();
    ids
}

/// What a doctor of another hospital sees of a patient, by every way there is.
async fn check_seen(city: &City, token: &str, patient: &str, conditions: &[&str]) {
    let is_open = !conditions.is_empty();
    let own = |ids: &[String]| {
        ids.iter().filter(|id| id.starts_with(patient)).cloned().collect::<Vec<_>>()
    };
    let expected: &[&str] = if is_open { &[patient] } else { &[] };
    assert_eq!(found(city, token, &format!("Patient?_id={patient}")).await, expected);
    let status = if is_open { 200 } else { 404 };
    for path in [
        format!("Patient/{patient}"),
        format!("Patient/{patient}/_history/1"),
        format!("Observation/{patient}-o"),
        format!("Patient/{patient}/$everything"),
    ] {
        assert_eq!(city.get(token, &path).await.status, status, "{path}");
    }
    for search in [
        format!("Condition?patient={patient}"),
        format!("Condition?patient.identifier=urn:id|{patient}"),
        format!("Patient/{patient}/Condition"),
        "Condition?".to_owned(),
        "?_type=Condition".to_owned(),
    ] {
        assert_eq!(own(&found(city, token, &search).await), conditions, "{search}");
    }
    let history = city.get(token, "Condition/_history").await.expect(200).ids();
    let mut history = own(&history);
    history.sort();
    assert_eq!(history, conditions);
    let value = format!("Patient?_id={patient}&_has:Observation:patient:code=8480-6");
    assert_eq!(found(city, token, &value).await, expected);
    let included = format!("Patient?_id={patient}&_revinclude=Condition:patient");
    let mut all: Vec<String> = conditions.iter().map(|id| (*id).to_owned()).collect();
    all.extend(expected.iter().map(|id| (*id).to_owned()));
    all.sort();
    assert_eq!(found(city, token, &included).await, all);
    let count =
        city.get(token, &format!("Condition?patient={patient}&_summary=count")).await.expect(200);
    assert_eq!(count.json()["total"], conditions.len());
}

#[tokio::test]
async fn own_04_care_opens_what_is_not_sensitive() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), city.doctor("hb"));
    check_seen(&city, &own, "ha-p1", &["ha-p1-c", "ha-p1-s"]).await;
    check_seen(&city, &other, "ha-p1", &[]).await;
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    check_seen(&city, &other, "ha-p1", &["ha-p1-c"]).await;
    check_seen(&city, &other, "ha-p2", &[]).await;
    check_seen(&city, &city.doctor("hc"), "ha-p1", &[]).await;
    // On another replica, too.
    let replica = city.replica().await;
    let read =
        replica.request("GET", "Condition/ha-p1-c").bearer_auth(city.token("hb", |claims| {
            claims["aud"] = json!([replica.base]);
        }));
    replica.send(read).await.expect(200);
    // Without a purpose it is no treatment.
    let idle = city.token("hb", |claims| {
        claims["extensions"]["ihe_iua"]["purpose_of_use"] = json!([]);
    });
    check_seen(&city, &idle, "ha-p1", &[]).await;
    // What was entered in error is no care.
    let mut encounter = encounter("hb-e1", "ha-p1");
    encounter["status"] = json!("entered-in-error");
    city.put(&other, &encounter).await.expect(200);
    check_seen(&city, &other, "ha-p1", &[]).await;
}

#[tokio::test]
async fn cons_01_a_consent_counts_from_the_next_request_on() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), city.doctor("hb"));
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    check_seen(&city, &other, "ha-p1", &["ha-p1-c"]).await;
    city.put(&keeper, &consent("ha-k", "ha-p1", json!({ "type": "deny" }))).await.expect(201);
    check_seen(&city, &other, "ha-p1", &[]).await;
    // The custodian goes on seeing its own.
    check_seen(&city, &own, "ha-p1", &["ha-p1-c", "ha-p1-s"]).await;
    let psychiatry =
        json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
    let role = json!({ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP" }] });
    let to = |code: &str| json!([{ "role": role, "reference": reference(&format!("Organization/{code}")) }]);
    let open = json!({
        "type": "permit",
        "provision": [
            { "type": "deny", "securityLabel": psychiatry },
            { "type": "permit", "securityLabel": psychiatry, "actor": to("hb") },
        ],
    });
    city.put(&keeper, &consent("ha-k", "ha-p1", open)).await.expect(200);
    check_seen(&city, &other, "ha-p1", &["ha-p1-c", "ha-p1-s"]).await;
    let third = city.doctor("hc");
    city.put(&third, &encounter("hc-e1", "ha-p1")).await.expect(201);
    check_seen(&city, &third, "ha-p1", &["ha-p1-c"]).await;
    // For another purpose than it is given for.
    let treatment = json!({ "type": "permit", "purpose": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH" }] });
    city.put(&keeper, &consent("ha-k", "ha-p1", treatment)).await.expect(200);
    check_seen(&city, &other, "ha-p1", &[]).await;
    city.delete(&keeper, "Consent/ha-k").await.expect(204);
    check_seen(&city, &other, "ha-p1", &["ha-p1-c"]).await;
}

#[tokio::test]
async fn cons_03_a_consent_that_cannot_be_enforced_is_not_taken() {
    let city = city().await;
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    let mut unclear =
        consent("ha-k", "ha-p1", json!({ "type": "deny", "class": [{ "code": "x" }] }));
    let refused = city.put(&keeper, &unclear).await.expect(422).json();
    assert_eq!(refused["issue"][0]["expression"][0], "Consent.provision.class");
    unclear["status"] = json!("proposed");
    city.put(&keeper, &unclear).await.expect(201);
}

#[tokio::test]
async fn own_02_only_the_custodian_changes_a_resource() {
    let city = city().await;
    let other = city.doctor("hb");
    // What it may not see it is told nothing about.
    let unseen = city.put(&other, &observation("ha-p1-o", "ha-p1", "laboratory")).await.expect(404);
    let absent = city.put(&other, &observation("ha-p9-o", "ha-p1", "laboratory")).await.expect(404);
    let blind = |text: String| text.replace("ha-p1-o", "…").replace("ha-p9-o", "…");
    assert_eq!(blind(unseen.text), blind(absent.text));
    city.delete(&other, "Observation/ha-p1-o").await.expect(204);
    city.get(&city.doctor("ha"), "Observation/ha-p1-o").await.expect(200);
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.put(&other, &observation("ha-p1-o", "ha-p1", "laboratory")).await.expect(403);
    city.delete(&other, "Observation/ha-p1-o").await.expect(403);
}

#[tokio::test]
async fn scope_05_a_constraint_holds_on_every_way() {
    let city = city().await;
    let own = city.doctor("ha");
    city.put(&own, &observation("ha-l", "ha-p1", "laboratory")).await.expect(201);
    let laboratory = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory";
    let scope = format!("user/Patient.rs user/Observation.cruds?category={laboratory}");
    let narrow = city.with_scope("ha", &scope);
    assert_eq!(found(&city, &narrow, "Observation?").await, ["ha-l"]);
    assert_eq!(found(&city, &narrow, "Observation?patient=ha-p1").await, ["ha-l"]);
    city.get(&narrow, "Observation/ha-l").await.expect(200);
    city.get(&narrow, "Observation/ha-p1-o").await.expect(404);
    city.get(&narrow, "Observation/ha-p1-o/_history/1").await.expect(404);
    let has = "Patient?_has:Observation:patient:category";
    assert_eq!(found(&city, &narrow, &format!("{has}=vital-signs")).await, [""; 0]);
    assert_eq!(found(&city, &narrow, &format!("{has}=laboratory")).await, ["ha-p1"]);
    let included = found(&city, &narrow, "Patient?_id=ha-p1&_revinclude=Observation:patient").await;
    assert_eq!(included, ["ha-l", "ha-p1"]);
    // Neither what it was before nor what it would become may be something else.
    city.put(&narrow, &observation("ha-p1-o", "ha-p1", "laboratory")).await.expect(404);
    city.put(&narrow, &observation("ha-l", "ha-p1", "vital-signs")).await.expect(403);
    city.put(&narrow, &observation("ha-new", "ha-p1", "vital-signs")).await.expect(403);
    city.put(&narrow, &observation("ha-new", "ha-p1", "laboratory")).await.expect(201);
}

#[tokio::test]
async fn scope_07_each_entry_of_a_bundle_is_decided_for_itself() {
    let city = city().await;
    let narrow = city.with_scope("ha", "user/Observation.c");
    let entry = |resource: Value| json!({ "resource": resource, "request": { "method": "POST", "url": resource["resourceType"] } });
    let bundle = |kind: &str| {
        json!({ "resourceType": "Bundle", "type": kind, "entry": [
            entry(observation("x", "ha-p1", "laboratory")), entry(patient("x")),
        ] })
    };
    city.post(&narrow, "", &bundle("transaction")).await.expect(403);
    let own = city.doctor("ha");
    assert_eq!(found(&city, &own, "Observation?category=laboratory").await, [""; 0]);
    let answer = city.post(&narrow, "", &bundle("batch")).await.expect(200).json();
    let statuses: Vec<&str> = answer["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["201 Created", "403 Forbidden"]);
}

#[tokio::test]
async fn scope_08_a_patient_sees_the_own_record_and_nobody_elses() {
    let city = city().await;
    let own = city.patient("ha-p1", "patient/*.rs");
    assert_eq!(found(&city, &own, "Condition?").await, ["ha-p1-c", "ha-p1-s"]);
    assert_eq!(found(&city, &own, "Patient?").await, ["ha-p1"]);
    city.get(&own, "Patient/ha-p1").await.expect(200);
    city.get(&own, "Patient/ha-p2").await.expect(404);
    city.get(&own, "Condition/ha-p2-c").await.expect(404);
    city.get(&own, "Condition/ha-p1-s").await.expect(200);
    city.get(&own, "Condition/ha-p1-s/_history/1").await.expect(200);
    city.get(&own, "Consent?").await.expect(403);
    city.put(&own, &patient("ha-p1")).await.expect(403);
    let without = city.token("ha", |claims| {
        claims["scope"] = json!("patient/*.rs");
        claims["extensions"]["ihe_iua"] = json!({});
    });
    city.get(&without, "Condition?").await.expect(403);
}

#[tokio::test]
async fn tok_14_who_is_refused_is_told_what_to_show() {
    let city = city().await;
    let ask = |path: &str| city.server.request("GET", path);
    let none = city.server.send(ask("Patient")).await.expect(401);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let bad = city.server.send(ask("Patient").bearer_auth("x.y.z")).await.expect(401);
    assert_eq!(bad.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    let denied =
        city.get(&city.with_scope("ha", "user/Observation.rs"), "Patient").await.expect(403);
    let challenge = denied.header("www-authenticate").unwrap_or_default().to_owned();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("user/Patient.s"),
        "{challenge}"
    );
    city.server.get("metadata").await.expect(200);
}

#[tokio::test]
async fn tok_15_every_token_that_is_not_taken_has_the_same_answer() {
    let city = city().await;
    let expired = city.token("ha", |claims| claims["exp"] = json!(1_000));
    let elsewhere = city.token("ha", |claims| claims["aud"] = json!("https://other.test/fhir"));
    let stranger = city.token("ha", |claims| claims["iss"] = json!("https://stranger.test"));
    let mut bodies = Vec::new();
    for token in [expired.as_str(), &elsewhere, &stranger, "nothing", "a.b.c", ""] {
        let answer = city.get(token, "Patient/ha-p1").await.expect(401);
        bodies.push((answer.header("www-authenticate").map(str::to_owned), answer.text));
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

/// A token of somebody whom the hospital authorised for emergencies.
fn emergency(city: &City, change: impl FnOnce(&mut Value)) -> String {
    city.token("hb", |claims| {
        claims["sub"] = json!("emergency-doctor");
        claims["acr"] = json!("2");
        let own = &mut claims["extensions"]["ihe_iua"];
        own["subject_role"] = json!([{ "code": "btg-authorised" }]);
        own["purpose_of_use"] = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "BTG" }]);
        change(claims);
    })
}

fn reason(text: &str) -> Value {
    json!({ "resourceType": "Parameters", "parameter": [{ "name": "reason", "valueString": text }] })
}

const WHY: &str = "unconscious after an accident";

#[tokio::test]
async fn cons_10_the_glass_is_broken_for_one_patient_and_one_person() {
    let city = city().await;
    let doctor = emergency(&city, |_| {});
    let break_glass = "Patient/ha-p1/$break-glass";
    check_seen(&city, &doctor, "ha-p1", &[]).await;
    // Who, how surely, what for, and why.
    city.post(&city.doctor("hb"), break_glass, &reason(WHY)).await.expect(403);
    let weak = emergency(&city, |claims| claims["acr"] = json!("1"));
    let refused = city.post(&weak, break_glass, &reason(WHY)).await.expect(401);
    assert!(
        refused.header("www-authenticate").unwrap().contains("insufficient_user_authentication")
    );
    let calm = emergency(&city, |claims| {
        claims["extensions"]["ihe_iua"]["purpose_of_use"] = json!([{ "code": "TREAT" }]);
    });
    city.post(&calm, break_glass, &reason(WHY)).await.expect(403);
    city.post(&doctor, break_glass, &reason("because")).await.expect(422);
    check_seen(&city, &doctor, "ha-p1", &[]).await;

    let opening = city.post(&doctor, break_glass, &reason(WHY)).await.expect(201).json();
    check_seen(&city, &doctor, "ha-p1", &["ha-p1-c", "ha-p1-s"]).await;
    check_seen(&city, &doctor, "ha-p2", &[]).await;
    let colleague = emergency(&city, |claims| claims["sub"] = json!("colleague"));
    check_seen(&city, &colleague, "ha-p1", &[]).await;
    let elsewhere = emergency(&city, |claims| {
        claims["extensions"]["ihe_iua"]["subject_organization_id"] = json!("hc");
    });
    check_seen(&city, &elsewhere, "ha-p1", &[]).await;
    check_seen(&city, &calm, "ha-p1", &[]).await;

    // Listed until it was reviewed.
    let auditor = city.token("ha", |claims| {
        claims["extensions"]["ihe_iua"]["subject_role"] = json!([{ "code": "auditor" }]);
    });
    city.get(&doctor, "$break-glass").await.expect(403);
    let listed = city.get(&auditor, "$break-glass").await.expect(200).json();
    assert_eq!(listed["parameter"][0]["part"][0], opening["parameter"][0]["part"][0]);
    let id = listed["parameter"][0]["part"][0]["valueId"].as_str().unwrap();
    let review = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "opening", "valueString": id }, { "name": "review", "valueString": "justified" },
    ] });
    city.post(&auditor, "$review", &review).await.expect(200);
    city.post(&auditor, "$review", &review).await.expect(404);
    let listed = city.get(&auditor, "$break-glass").await.expect(200).json();
    assert_eq!(listed["parameter"], Value::Null);
}

#[tokio::test]
async fn cons_11_what_no_emergency_opens_stays_closed() {
    let city = city().await;
    let own = city.doctor("ha");
    let mut secret = condition("ha-p1-v", "ha-p1", "I10");
    secret["meta"] = json!({ "security": [
        { "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V" },
    ] });
    city.put(&own, &secret).await.expect(201);
    let doctor = emergency(&city, |_| {});
    city.post(&doctor, "Patient/ha-p1/$break-glass", &reason(WHY)).await.expect(201);
    check_seen(&city, &doctor, "ha-p1", &["ha-p1-c", "ha-p1-s"]).await;
    city.get(&doctor, "Condition/ha-p1-v").await.expect(404);
    city.get(&own, "Condition/ha-p1-v").await.expect(200);
    // Nor the record of one who does not want it even then.
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    let never = json!({ "type": "deny", "purpose": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "BTG" }] });
    city.put(&keeper, &consent("ha-k", "ha-p1", never)).await.expect(201);
    check_seen(&city, &doctor, "ha-p1", &[]).await;
    // Where the policy is to deny, nothing is opened.
    let strict = City::start_with(&[("BUND_CONSENT_POLICY", "deny")]).await;
    let doctor = emergency(&strict, |_| {});
    strict.post(&doctor, "Patient/ha-p1/$break-glass", &reason(WHY)).await.expect(403);
}

#[tokio::test]
async fn cons_07_no_client_lowers_a_label() {
    let city = city().await;
    let own = city.doctor("ha");
    city.put(&city.doctor("hb"), &encounter("hb-e1", "ha-p1")).await.expect(201);
    let other = city.doctor("hb");
    city.get(&other, "Condition/ha-p1-s").await.expect(404);
    city.put(&own, &condition("ha-p1-s", "ha-p1", "I10")).await.expect(200);
    city.get(&other, "Condition/ha-p1-s").await.expect(404);
    city.get(&own, "Condition/ha-p1-s").await.expect(200);
}

#[tokio::test]
async fn obj_06_criteria_of_changes_find_only_what_the_hospital_keeps() {
    let city = city().await;
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    // The patient is visible, and another hospital's: the criteria find nothing of it.
    let mut own = patient("x");
    own.as_object_mut().unwrap().remove("id");
    own["identifier"] = json!([{ "system": "urn:id", "value": "ha-p1" }]);
    let create = city.server.json("POST", "Patient", &own).bearer_auth(&other);
    let create = create.header("if-none-exist", "identifier=urn:id|ha-p1");
    city.server.send(create).await.expect(201);
    let update =
        city.server.json("PUT", "Patient?identifier=urn:id|ha-p1", &own).bearer_auth(&other);
    city.server.send(update).await.expect(200);
    city.delete(&other, "Patient?identifier=urn:id|ha-p1").await.expect(204);
    city.get(&city.doctor("ha"), "Patient/ha-p1").await.expect(200);
    // To look before writing takes the right to look.
    let blind = city.with_scope("hb", "user/Patient.cud");
    let create = city.server.json("POST", "Patient", &own).bearer_auth(&blind);
    city.server.send(create.header("if-none-exist", "identifier=urn:id|1")).await.expect(403);
}

#[tokio::test]
async fn obj_06_references_by_criteria_find_what_may_be_searched_for() {
    let city = city().await;
    let bundle = |identifier: &str| {
        let mut value = observation("x", "x", "laboratory");
        value.as_object_mut().unwrap().remove("id");
        value["subject"] = reference(&format!("Patient?identifier=urn:id|{identifier}"));
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            { "resource": value, "request": { "method": "POST", "url": "Observation" } },
        ] })
    };
    let other = city.doctor("hb");
    let hidden = city.post(&other, "", &bundle("ha-p1")).await.expect(412);
    let absent = city.post(&other, "", &bundle("ha-p9")).await.expect(412);
    assert_eq!(hidden.text.replace("ha-p1", "…"), absent.text.replace("ha-p9", "…"));
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.post(&other, "", &bundle("ha-p1")).await.expect(200);
    let blind = city.with_scope("hb", "user/Observation.c user/Patient.r");
    city.post(&blind, "", &bundle("ha-p1")).await.expect(412);
}

#[tokio::test]
async fn obj_11_a_page_link_is_for_its_caller() {
    let city = city().await;
    let own = city.doctor("ha");
    let page = city.get(&own, "Condition?_count=1").await.expect(200);
    let next = page.next().unwrap();
    city.get(&own, &next).await.expect(200);
    let stranger = city.token("ha", |claims| claims["sub"] = json!("another"));
    city.get(&stranger, &next).await.expect(404);
}

#[tokio::test]
async fn obj_12_nobody_keeps_an_answer_for_another() {
    let city = city().await;
    let answer = city.get(&city.doctor("ha"), "Patient/ha-p1").await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    // An ETag says nothing to who may not see the resource.
    let request = city.server.request("GET", "Patient/ha-p1").bearer_auth(city.doctor("hb"));
    city.server.send(request.header("if-none-match", "W/\"1\"")).await.expect(404);
}

#[tokio::test]
async fn tok_25_who_is_disabled_is_out_within_seconds() {
    let city = city().await;
    let own = city.doctor("ha");
    city.get(&own, "Patient/ha-p1").await.expect(200);
    let store =
        store::Store::open(&crate::harness::settings(&city.server.database.url)).await.unwrap();
    let by = store::registry::journal::By::new("ann", "tests");
    store.enable_issuer(&by, &city.issuer.iss, false).await.unwrap();
    let out = async {
        while city.get(&own, "Patient/ha-p1").await.status != 401 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), out).await.unwrap();
}

#[tokio::test]
async fn own_03_the_custodian_always_reads_its_own() {
    let city = city().await;
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    city.put(&keeper, &consent("ha-k", "ha-p1", json!({ "type": "deny" }))).await.expect(201);
    check_seen(&city, &city.doctor("ha"), "ha-p1", &["ha-p1-c", "ha-p1-s"]).await;
}

#[tokio::test]
async fn own_06_of_a_hospital_that_withdraws_others_see_nothing() {
    let city = city().await;
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    check_seen(&city, &other, "ha-p1", &["ha-p1-c"]).await;
    let store =
        store::Store::open(&crate::harness::settings(&city.server.database.url)).await.unwrap();
    let by = store::registry::journal::By::new("ann", "tests");
    store.enable_hospital(&by, "ha", false).await.unwrap();
    let gone = async {
        while city.get(&other, "Condition/ha-p1-c").await.status != 404 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
    check_seen(&city, &other, "ha-p1", &[]).await;
}

#[tokio::test]
async fn own_12_who_runs_the_server_sees_no_record() {
    let city = city().await;
    let with_role = |role: &str, scope: &str| {
        city.token("ha", |claims| {
            claims["scope"] = json!(scope);
            claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": role }] });
        })
    };
    let operator = with_role("operator", "user/*.cruds system/*.cruds");
    for path in [
        "Patient",
        "Patient/ha-p1",
        "Patient/ha-p1/$everything",
        "_history",
        "?_type=Patient",
        "Patient?_explain=true",
    ] {
        city.get(&operator, path).await.expect(403);
    }
    // Who sees the records of a hospital is not told how they are found, unless it is its duty.
    city.get(&city.doctor("ha"), "Patient?_explain=true").await.expect(403);
    let both = city.token("ha", |claims| {
        claims["extensions"]["ihe_iua"]["subject_role"] = json!([{ "code": "operator" }]);
    });
    city.get(&both, "Patient?_explain=true").await.expect(200);
    city.post(&operator, "$reindex", &json!({ "resourceType": "Parameters" })).await.expect(202);
}

#[tokio::test]
async fn law_04_nobody_has_the_duties_of_two() {
    let city = city().await;
    let with_role = |role: &str| {
        city.token("ha", |claims| {
            claims["scope"] = json!("user/*.cruds");
            claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": role }] });
        })
    };
    for (role, reindex, openings) in [
        ("operator", 202, 403),
        ("auditor", 403, 200),
        ("security-administrator", 403, 403),
        ("doctor", 403, 403),
    ] {
        let token = with_role(role);
        let nothing = json!({ "resourceType": "Parameters" });
        assert_eq!(city.post(&token, "$reindex", &nothing).await.status, reindex, "{role}");
        assert_eq!(city.get(&token, "$break-glass").await.status, openings, "{role}");
        city.get(&token, "AuditEvent").await.expect(403);
        city.get(&token, "Patient").await.expect(403);
    }
}

#[tokio::test]
async fn tok_24_a_hospital_brings_no_patient_that_it_does_not_treat() {
    let city = city().await;
    let launched = city.token("hb", |claims| {
        claims["patient"] = json!("ha-p1");
        claims["scope"] = json!("patient/*.rs");
    });
    city.get(&launched, "Patient/ha-p1").await.expect(404);
    assert_eq!(found(&city, &launched, "Condition?").await, [""; 0]);
    city.put(&city.doctor("hb"), &encounter("hb-e1", "ha-p1")).await.expect(201);
    assert_eq!(found(&city, &launched, "Condition?").await, ["ha-p1-c"]);
}

#[tokio::test]
async fn tok_24_only_the_citys_issuer_says_who_is_a_patient() {
    let city = city().await;
    let own = crate::harness::Issuer::start().await;
    let store =
        store::Store::open(&crate::harness::settings(&city.server.database.url)).await.unwrap();
    let registry = store.registry().await.unwrap();
    let of_one = store::registry::Issuer {
        iss: own.iss.clone(),
        is_broker: false,
        hospitals: registry
            .hospitals
            .iter()
            .filter(|one| one.code == "hb")
            .map(|one| one.id)
            .collect(),
        ..registry.issuers[0].clone()
    };
    let by = store::registry::journal::By::new("ann", "tests");
    store.save_issuer(&by, &of_one, store::registry::Existing::Refuse).await.unwrap();
    let mut claims = own.claims(&city.server.base, "hb");
    claims["scope"] = json!("patient/*.rs");
    claims["patient"] = json!("ha-p1");
    claims["extensions"]["ihe_iua"] = json!({ "subject_name": "李娜" });
    let token = own.mint(&claims);
    let refused = async {
        loop {
            match city.get(&token, "Condition").await.status {
                // Until the registration is heard of.
                401 => tokio::task::yield_now().await,
                status => return status,
            }
        }
    };
    let status = tokio::time::timeout(std::time::Duration::from_secs(10), refused).await.unwrap();
    assert_eq!(status, 403);
    // The city's may.
    city.get(&city.patient("ha-p1", "patient/*.rs"), "Condition").await.expect(200);
}

#[tokio::test]
async fn back_04_a_hospital_writes_what_it_keeps_and_nothing_else() {
    let city = city().await;
    let system = city.with_scope("hb", "system/Patient.cruds");
    city.put(&system, &patient("hb-p1")).await.expect(201);
    let mut foreign = patient("hb-p2");
    foreign["managingOrganization"] = reference("Organization/ha");
    foreign["meta"] = json!({ "source": "urn:ha" });
    city.put(&system, &foreign).await.expect(201);
    // Whatever the body says, it is the other's who wrote it.
    city.put(&city.doctor("ha"), &patient("hb-p2")).await.expect(404);
    city.get(&city.doctor("ha"), "Patient/hb-p2").await.expect(404);
    city.get(&city.doctor("hb"), "Patient/hb-p2").await.expect(200);
    // Under another's prefix nothing is made.
    city.put(&system, &patient("ha-p7")).await.expect(404);
}

#[tokio::test]
async fn back_02_a_token_is_looked_at_again_with_every_request() {
    let city = city().await;
    let program = city.with_scope("ha", "system/Observation.rs");
    city.get(&program, "Observation/ha-p1-o").await.expect(200);
    // Its scope covers neither another type nor another interaction.
    city.get(&program, "Patient/ha-p1").await.expect(403);
    city.delete(&program, "Observation/ha-p1-o").await.expect(403);
    let expired = city.token("ha", |claims| {
        claims["scope"] = json!("system/Observation.rs");
        claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 400);
        claims["exp"] = json!(claims["exp"].as_i64().unwrap() - 400);
    });
    city.get(&expired, "Observation/ha-p1-o").await.expect(401);
    city.get("a.b.c", "Observation/ha-p1-o").await.expect(401);
}

#[tokio::test]
async fn law_03_nothing_is_erased_and_the_trail_least_of_all() {
    let city = city().await;
    let doctor = city.doctor("ha");
    city.delete(&doctor, "Observation/ha-p1-o").await.expect(204);
    // What is deleted is no longer current; its versions stay with the custodian.
    city.get(&doctor, "Observation/ha-p1-o").await.expect(410);
    city.get(&doctor, "Observation/ha-p1-o/_history/1").await.expect(200);
    for way in ["Patient/ha-p1/$erase", "Patient/ha-p1/$expunge", "$erase"] {
        let answer = city.post(&doctor, way, &json!({ "resourceType": "Parameters" })).await;
        assert!([404, 405, 501].contains(&answer.status), "{way}: {}", answer.text);
        answer.diagnostics();
    }
    let auditor = city.token("ha", |claims| {
        claims["scope"] = json!("user/AuditEvent.rs");
        claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": "auditor" }] });
    });
    let events = city.get(&auditor, "AuditEvent?action=D&patient=ha-p1").await.expect(200);
    assert_eq!(events.ids().len(), 1);
}

#[tokio::test]
async fn back_03_too_wide_a_scope_fails_at_once() {
    let city = city().await;
    let narrow = city.with_scope("ha", "system/Observation.rs");
    for path in ["Patient", "Patient/ha-p1", "Patient/_history", "Patient/ha-p1/$everything"] {
        city.get(&narrow, path).await.expect(403);
    }
    assert_eq!(found(&city, &narrow, "?_type=Patient,Observation").await, ["ha-p1-o", "ha-p2-o"]);
}

#[tokio::test]
async fn scope_03_who_may_only_create_is_shown_nothing() {
    let city = city().await;
    let blind = city.with_scope("ha", "user/Patient.c");
    let mut new = patient("x");
    new.as_object_mut().unwrap().remove("id");
    let created = city.post(&blind, "Patient", &new).await.expect(201);
    assert_eq!(created.text, "");
    let location = created.header("location").unwrap().to_owned();
    let path =
        location.split("/fhir/").nth(1).unwrap().split("/_history").next().unwrap().to_owned();
    city.get(&blind, &path).await.expect(403);
}

#[tokio::test]
async fn obj_02_values_of_types_without_a_right_are_not_guessed() {
    let city = city().await;
    let blind = city.with_scope("ha", "user/Patient.rs");
    for value in ["gt1", "lt1000", "eq120"] {
        let has = format!("Patient?_has:Observation:patient:value-quantity={value}");
        assert_eq!(found(&city, &blind, &has).await, [""; 0]);
    }
}

#[tokio::test]
async fn obj_03_chains_over_what_is_closed_find_nothing() {
    let city = city().await;
    let blind = city.with_scope("ha", "user/Observation.rs");
    assert_eq!(
        found(&city, &blind, "Observation?subject:Patient.identifier=urn:id|ha-p1").await,
        [""; 0]
    );
    let own = city.doctor("ha");
    assert_eq!(
        found(&city, &own, "Observation?subject:Patient.identifier=urn:id|ha-p1").await,
        ["ha-p1-o"]
    );
}

#[tokio::test]
async fn obj_04_nothing_closed_is_included() {
    let city = city().await;
    let blind = city.with_scope("ha", "user/Observation.rs");
    let included = "Observation?_id=ha-p1-o&_include=*&_include:iterate=Patient:*&_revinclude=Provenance:target";
    assert_eq!(found(&city, &blind, included).await, ["ha-p1-o"]);
    let other = city.doctor("hb");
    city.put(&other, &observation("hb-o", "ha-p1", "laboratory")).await.expect(201);
    assert_eq!(found(&city, &other, "Observation?_include=*").await, ["hb-o"]);
}

#[tokio::test]
async fn obj_05_no_id_tells_what_others_have() {
    let city = city().await;
    let other = city.doctor("hb");
    let mut texts = Vec::new();
    for id in ["ha-p1", "ha-p7", "anything"] {
        let path = format!("Patient/{id}");
        let put = city.put(&other, &patient(id)).await;
        let patch = json!([{ "op": "add", "path": "/active", "value": true }]).to_string();
        let request = city.server.request("PATCH", &path).bearer_auth(&other);
        let request = request.header("content-type", "application/json-patch+json");
        let patch = city.server.send(request.body(patch)).await;
        let read = city.get(&other, &path).await;
        let version = city.get(&other, &format!("{path}/_history/1")).await;
        let history = city.get(&other, &format!("{path}/_history")).await;
        let answers = [put, patch, read, version, history];
        texts.push(answers.map(|answer| (answer.status, answer.text.replace(id, "…"))));
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[1], texts[2]);
}

#[tokio::test]
async fn obj_07_the_past_is_as_closed_as_the_present() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), city.doctor("hb"));
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    // Its first version was not sensitive: what is there today is.
    city.get(&other, "Condition/ha-p1-c/_history/1").await.expect(200);
    city.put(&own, &condition("ha-p1-c", "ha-p1", "F20.1")).await.expect(200);
    for path in [
        "Condition/ha-p1-c",
        "Condition/ha-p1-c/_history/1",
        "Condition/ha-p1-c/_history/2",
        "Condition/ha-p1-c/_history",
    ] {
        city.get(&other, path).await.expect(404);
    }
    // What was deleted is gone for those who could see it, and never was for others.
    city.delete(&own, "Observation/ha-p1-o").await.expect(204);
    city.delete(&own, "Observation/ha-p2-o").await.expect(204);
    city.get(&other, "Observation/ha-p1-o").await.expect(410);
    city.get(&other, "Observation/ha-p2-o").await.expect(404);
}

#[tokio::test]
async fn obj_09_what_is_about_two_patients_is_seen_by_neither() {
    let city = city().await;
    let own = city.doctor("ha");
    let group = json!({ "resourceType": "List", "id": "ha-l", "status": "current", "mode": "working", "subject": reference("Patient/ha-p1"),
        "entry": [{ "item": reference("Patient/ha-p2") }] });
    city.put(&own, &group).await.expect(201);
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.get(&other, "List/ha-l").await.expect(404);
    city.get(&city.patient("ha-p1", "patient/*.rs"), "List/ha-l").await.expect(404);
    city.get(&own, "List/ha-l").await.expect(200);
}

#[tokio::test]
async fn obj_10_refusals_do_not_tell_what_is_there() {
    let city = city().await;
    let other = city.doctor("hb");
    let mut texts = Vec::new();
    for id in ["ha-p1", "ha-p7"] {
        let mut answers = Vec::new();
        for (method, header, value) in [
            ("PUT", "if-match", "W/\"7\""),
            ("PUT", "if-none-match", "*"),
            ("DELETE", "if-match", "W/\"7\""),
            ("GET", "if-none-match", "W/\"1\""),
        ] {
            let request = city.server.json(method, &format!("Patient/{id}"), &patient(id));
            let answer = city.server.send(request.bearer_auth(&other).header(header, value)).await;
            answers.push((
                answer.status,
                answer.text.replace(id, "…"),
                answer.header("etag").map(str::to_owned),
            ));
        }
        texts.push(answers);
    }
    assert_eq!(texts[0], texts[1]);
}

#[tokio::test]
async fn obj_14_words_and_filters_are_held_by_the_same_walls() {
    let city = city().await;
    let own = city.doctor("ha");
    let mut told = observation("ha-p1-t", "ha-p1", "laboratory");
    told["note"] = json!([{ "text": "metastases" }]);
    told["text"] = json!({ "status": "additional", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>metastases</p></div>" });
    city.put(&own, &told).await.expect(201);
    let other = city.doctor("hb");
    for search in [
        "_content=metastases",
        "_text=metastases",
        "_filter=status eq final",
        "code:text=a&_filter=subject.identifier pr true",
    ] {
        assert_eq!(
            found(&city, &other, &format!("Observation?{search}")).await,
            [""; 0],
            "{search}"
        );
    }
    assert_eq!(found(&city, &own, "Observation?_content=metastases").await, ["ha-p1-t"]);
}

#[tokio::test]
async fn cons_04_what_is_denied_is_as_if_it_were_not_there() {
    let city = city().await;
    let other = city.doctor("hb");
    let denied = city.get(&other, "Condition/ha-p1-c").await.expect(404);
    let absent = city.get(&other, "Condition/ha-p9-c").await.expect(404);
    assert_eq!(denied.text.replace("ha-p1", "…"), absent.text.replace("ha-p9", "…"));
    let empty = city.get(&other, "Condition?patient=ha-p1").await.expect(200).json();
    let nobody = city.get(&other, "Condition?patient=ha-p9").await.expect(200).json();
    assert_eq!(empty.to_string().replace("ha-p1", "…"), nobody.to_string().replace("ha-p9", "…"));
}

#[tokio::test]
async fn cons_05_a_denial_holds_on_every_way() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), city.doctor("hb"));
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    // Each way, as one who may see the patient walks it, and as it ends for one who may not.
    let ways = [
        "Patient/ha-p1",
        "Patient/ha-p1/_history/1",
        "Patient/ha-p1/_history",
        "Patient/_history",
        "_history",
        "Patient?_id=ha-p1",
        "Patient?_id=ha-p1&_summary=count",
        "Patient?_id=ha-p1&_total=accurate&_count=0",
        "Patient?_id=ha-p1&_elements=gender&_sort=-birthdate",
        "Patient?_id=ha-p1&_has:Observation:patient:code=8480-6",
        "Patient/ha-p1/Observation",
        "?_type=Patient,Observation&_id=ha-p1,ha-p1-o",
        "Observation?subject:Patient.gender=female&_include=Observation:patient",
        "Observation/$lastn?patient=ha-p1&code=8480-6",
        "Patient/ha-p1/$everything",
    ];
    let tells = |text: &str| {
        let text = text.replace("ha-p1&", "").replace("ha-p1%", "");
        text.contains("\"ha-p1\"") || text.contains("\"ha-p1-o\"") || text.contains("\"total\":1")
    };
    for way in ways {
        let answer = city.get(&other, way).await.expect(200);
        assert!(tells(&answer.text), "{way}: {}", answer.text);
    }
    city.put(&keeper, &consent("ha-k", "ha-p1", json!({ "type": "deny" }))).await.expect(201);
    for way in ways {
        let answer = city.get(&other, way).await;
        assert!([200, 404].contains(&answer.status), "{way}: {}", answer.text);
        assert!(!tells(&answer.text), "{way}: {}", answer.text);
        assert!(tells(&city.get(&own, way).await.expect(200).text), "{way}");
    }
    let form = city.server.request("POST", "Patient/_search").bearer_auth(&other);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("_id=ha-p1");
    assert!(!tells(&city.server.send(form).await.expect(200).text));
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "GET", "url": "Patient/ha-p1" } },
        { "request": { "method": "GET", "url": "Patient?_id=ha-p1" } },
    ] });
    let answer = city.post(&other, "", &batch).await.expect(200);
    assert!(!tells(&answer.text), "{}", answer.text);
}

#[tokio::test]
async fn cons_06_authors_are_hospitals_and_not_words() {
    let city = city().await;
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    let third = city.doctor("hc");
    city.put(&third, &condition("hc-c", "ha-p1", "I10")).await.expect(201);
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    let by = json!([{ "role": { "coding": [{ "code": "CST" }] }, "reference": reference("Organization/ha") }]);
    let without = json!({ "type": "permit", "provision": [{ "type": "deny", "actor": by }] });
    city.put(&keeper, &consent("ha-k", "ha-p1", without)).await.expect(201);
    assert_eq!(found(&city, &other, "Condition?patient=ha-p1").await, ["hc-c"]);
}

#[tokio::test]
async fn cons_09_a_purpose_is_the_issuers_word() {
    let city = city().await;
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.get(&other, "Condition/ha-p1-c").await.expect(200);
    let asserted = city.server.request("GET", "Condition/ha-p1-c").bearer_auth(&other);
    city.server.send(asserted.header("x-purpose-of-use", "TREAT")).await.expect(403);
    let payment = city.token("hb", |claims| {
        claims["extensions"]["ihe_iua"]["purpose_of_use"] = json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HPAYMT" }]);
    });
    city.get(&payment, "Condition/ha-p1-c").await.expect(404);
}

#[tokio::test]
async fn prop_02_nobody_sets_what_the_server_sets() {
    let city = city().await;
    let own = city.doctor("ha");
    let mut forged = patient("ha-p1");
    forged["meta"] = json!({ "versionId": "77", "lastUpdated": "2001-01-01T00:00:00Z" });
    forged["active"] = json!(true);
    let stored = city.put(&own, &forged).await.expect(200).json();
    assert_eq!(stored["meta"]["versionId"], "2");
    assert!(stored["meta"]["lastUpdated"].as_str().unwrap() > "2026");
}

#[tokio::test]
async fn ssrf_02_nothing_that_is_written_is_fetched() {
    let city = city().await;
    let own = city.doctor("ha");
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/fhir", trap.local_addr().unwrap());
    let mut resource = observation("ha-x", "ha-p1", "laboratory");
    resource["meta"] = json!({ "profile": [format!("{url}/StructureDefinition/x")] });
    resource["performer"] = json!([reference(&format!("{url}/Practitioner/1"))]);
    resource["derivedFrom"] = json!([reference(&format!("{url}/Observation/1"))]);
    city.put(&own, &resource).await.expect(201);
    let document = json!({ "resourceType": "DocumentReference", "id": "ha-d", "status": "current",
        "content": [{ "attachment": { "contentType": "text/plain", "url": format!("{url}/Binary/1") } }] });
    city.put(&own, &document).await.expect(201);
    city.get(&own, "Observation?_id=ha-x&_include=*").await.expect(200);
    city.get(&own, &format!("Observation?performer={url}/Practitioner/1")).await.expect(200);
    city.get(&own, &format!("Observation?code:in={url}/ValueSet/1")).await.expect(400);
    city.get(&own, "Patient/ha-p1/$everything").await.expect(200);
    let nobody = trap.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn back_05_a_token_is_shown_to_nobody() {
    let city = city().await;
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let foreign = format!("http://{}/fhir/Patient/1", trap.local_addr().unwrap());
    let own = city.doctor("ha");
    let mut resource = observation("ha-x", "ha-p1", "laboratory");
    resource["subject"] = reference(&foreign);
    city.put(&own, &resource).await.expect(201);
    city.get(&own, "Observation?_id=ha-x&_include=Observation:subject").await.expect(200);
    assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

/// Interaction, status and whether it is known who asked, of all records.
async fn records(city: &City) -> Vec<(i16, i16, bool)> {
    let client = city.server.database.client().await;
    let text = "SELECT interaction, status, agent IS NOT NULL FROM audit_record ORDER BY id";
    let rows = client.query(text, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[tokio::test]
async fn aud_04_what_was_refused_is_recorded() {
    let city = city().await;
    let own = city.doctor("ha");
    let before = records(&city).await.len();
    let narrow = city.with_scope("ha", "user/Observation.rs");
    city.get(&narrow, "Patient/ha-p1").await.expect(403);
    city.get(&own, "Patient?nmae=x&_count=-1").await.expect(400);
    city.get(&own, "Patient/ha-p9").await.expect(404);
    city.get("nothing", "Patient/ha-p1").await.expect(401);
    let request = city.server.json("PUT", "Patient/ha-p1", &patient("ha-p1"));
    city.server.send(request.bearer_auth(&own).header("if-match", "W/\"9\"")).await.expect(412);
    let bundle = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
        { "request": { "method": "GET", "url": "Patient/ha-p1" } },
    ] });
    city.post(&narrow, "", &bundle).await.expect(200);
    let told = records(&city).await.split_off(before);
    let expected = [
        (1, 403, true),
        (10, 400, true),
        (1, 404, true),
        (1, 401, false),
        (3, 412, true),
        (1, 403, true),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn own_05_records_name_hospital_and_person() {
    let city = city().await;
    let other = city.doctor("hb");
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.get(&other, "Condition/ha-p1-c").await.expect(200);
    let client = city.server.database.client().await;
    let text = "SELECT h.code, a.issuer, a.subject, a.client, a.name, r.purposes, r.token IS NOT NULL \
        FROM audit_record r JOIN audit_agent a ON a.key = r.agent JOIN hospital h ON h.id = r.hospital \
        ORDER BY r.id DESC LIMIT 1";
    let row = client.query_one(text, &[]).await.unwrap();
    let text = |place: usize| row.get::<_, String>(place);
    assert_eq!(
        (text(0), text(2), text(3), text(4)),
        ("hb".into(), "b3ca1045".into(), "ehr".into(), "王医生".into())
    );
    assert_eq!(text(1), city.issuer.iss);
    assert_eq!((row.get::<_, i32>(5), row.get::<_, bool>(6)), (1, true));
}
