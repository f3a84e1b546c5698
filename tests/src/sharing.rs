//! Hospitals and each other's records: what scopes, care, consent and sensitivity open, on every way to a resource.

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
    store.enable_issuer(&city.issuer.iss, false).await.unwrap();
    let out = async {
        while city.get(&own, "Patient/ha-p1").await.status != 401 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), out).await.unwrap();
}
