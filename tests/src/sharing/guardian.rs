//! Who consents for a child, and what becomes of it when the child has come of age.

use super::{check_seen, city, consent, encounter, patient, reference};
use serde_json::{Value, json};

fn related(id: &str, patient: &str, code: &str) -> Value {
    json!({
        "resourceType": "RelatedPerson", "id": id, "patient": reference(&format!("Patient/{patient}")),
        "relationship": [{ "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": code }] }],
    })
}

fn born(id: &str, date: &str) -> Value {
    let mut patient = patient(id);
    patient["birthDate"] = json!(date);
    patient
}

fn denial(by: &str) -> Value {
    let mut denial = consent("ha-k", "ha-p1", json!({ "type": "deny" }));
    denial["performer"] = json!([reference(by)]);
    denial
}

#[tokio::test]
async fn cons_13_for_a_child_those_consent_who_decide_for_it() {
    let city = city().await;
    let (own, other) = (city.doctor("ha"), city.doctor("hb"));
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    city.put(&own, &born("ha-p1", "2020-06-01")).await.expect(200);
    city.put(&other, &encounter("hb-e1", "ha-p1")).await.expect(201);
    city.put(&own, &related("ha-mother", "ha-p1", "MTH")).await.expect(201);
    city.put(&own, &related("ha-brother", "ha-p1", "BRO")).await.expect(201);
    city.put(&own, &related("ha-stranger", "ha-p2", "MTH")).await.expect(201);
    for (by, place) in [
        ("Patient/ha-p1", "Consent.performer"),
        ("RelatedPerson/ha-brother", "Consent.performer[0]"),
        ("RelatedPerson/ha-stranger", "Consent.performer[0]"),
        ("RelatedPerson/ha-nobody", "Consent.performer[0]"),
    ] {
        let refused = city.put(&keeper, &denial(by)).await.expect(422).json();
        assert_eq!(refused["issue"][0]["expression"][0], place, "{by}: {refused}");
        check_seen(&city, &other, "ha-p1", &["ha-p1-c"]).await;
    }
    // What is not in force may say what it will.
    let mut proposed = denial("Patient/ha-p1");
    proposed["status"] = json!("proposed");
    city.put(&keeper, &proposed).await.expect(201);
    city.put(&keeper, &denial("RelatedPerson/ha-mother")).await.expect(200);
    check_seen(&city, &other, "ha-p1", &[]).await;
    // Whoever is older speaks for itself.
    city.put(&own, &born("ha-p2", "2000-06-01")).await.expect(200);
    let mut denial = consent("ha-k2", "ha-p2", json!({ "type": "deny" }));
    denial["performer"] = json!([reference("Patient/ha-p2")]);
    city.put(&keeper, &denial).await.expect(201);
}

#[tokio::test]
async fn cons_13_a_guardian_may_come_with_the_consent() {
    let city = city().await;
    let own = city.token("ha", |claims| claims["scope"] = json!("user/*.cruds user/Consent.cruds"));
    city.put(&own, &born("ha-p1", "2020-06-01")).await.expect(200);
    let entry = |resource: Value| {
        let text = |name: &str| resource[name].as_str().unwrap();
        let url = format!("{}/{}", text("resourceType"), text("id"));
        json!({ "resource": resource, "request": { "method": "PUT", "url": url } })
    };
    let bundle = |code: &str| {
        json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
            entry(denial("RelatedPerson/ha-mother")), entry(related("ha-mother", "ha-p1", code)),
        ] })
    };
    let refused = city.post(&own, "", &bundle("NBOR")).await.expect(422).json();
    assert_eq!(refused["issue"][0]["expression"][0], "Bundle.entry[0].resource.performer[0]");
    city.post(&own, "", &bundle("GUARD")).await.expect(200);
}

#[tokio::test]
async fn cons_13_who_has_come_of_age_is_listed_to_be_asked() {
    let city = city().await;
    let own = city.doctor("ha");
    let keeper = city.with_scope("ha", "user/Consent.cruds");
    city.put(&own, &related("ha-mother", "ha-p1", "MTH")).await.expect(201);
    let auditor = city.token("ha", |claims| {
        claims["extensions"]["ihe_iua"]["subject_role"] = json!([{ "code": "auditor" }]);
    });
    // Given long ago: of whom it was, is 14 or 18 by now, or neither.
    for (birth, given, age, since) in [
        ("2012-03-05", "2015-01-01", json!(14), json!("2026-03-05")),
        ("2005-03-05", "2015-01-01", json!(18), json!("2023-03-05")),
        ("2005-03-05", "2024-01-01", Value::Null, Value::Null),
        ("2020-03-05", "2024-01-01", Value::Null, Value::Null),
    ] {
        city.put(&own, &born("ha-p1", birth)).await.expect(200);
        let mut denial = denial("RelatedPerson/ha-mother");
        denial["dateTime"] = json!(given);
        city.put(&keeper, &denial).await;
        let listed = city.get(&auditor, "$consent-review").await.expect(200).json();
        let part = |place: usize, name: &str| listed["parameter"][0]["part"][place][name].clone();
        assert_eq!(
            (part(2, "valueInteger"), part(3, "valueDate")),
            (age.clone(), since),
            "{listed}"
        );
        if !age.is_null() {
            assert_eq!(part(0, "valueReference")["reference"], "Consent/ha-k");
        }
    }
    // What the patient said is nobody's to review; and doctors are not told.
    city.put(&own, &born("ha-p1", "2005-03-05")).await.expect(200);
    let mut own_word = denial("Patient/ha-p1");
    own_word["dateTime"] = json!("2015-01-01");
    city.put(&keeper, &own_word).await.expect(200);
    let listed = city.get(&auditor, "$consent-review").await.expect(200).json();
    assert_eq!(listed["parameter"], Value::Null);
    city.get(&own, "$consent-review").await.expect(403);
}
