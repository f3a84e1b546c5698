//! Modifiers that ask for the codes of value sets and code systems.

use super::{check, concept, server};
use serde_json::{Value, json};

#[tokio::test]
async fn codes_are_found_by_value_set_and_by_what_they_are_kinds_of() {
    let condition = |id: &str, code: &str| {
        json!({ "resourceType": "Condition", "id": id, "subject": { "reference": "Patient/p" },
            "code": concept("urn:icd", code) })
    };
    let concepts: Value = json!([
        { "code": "I10-I15", "concept": [{ "code": "I10" }, { "code": "I11", "concept": [{ "code": "I11.0" }] }] },
        { "code": "E10-E14", "concept": [{ "code": "E11" }] },
    ]);
    let value_set = |id: &str, compose: Value| json!({ "resourceType": "ValueSet", "id": id, "status": "active", "url": format!("urn:vs:{id}"), "compose": compose });
    let server = server(&[
        json!({ "resourceType": "CodeSystem", "id": "icd", "status": "active", "content": "complete", "url": "urn:icd", "concept": concepts }),
        value_set("listed", json!({ "include": [{ "system": "urn:icd", "concept": [{ "code": "I10" }, { "code": "E11" }] }] })),
        value_set("heart", json!({ "include": [{ "system": "urn:icd", "filter": [{ "property": "concept", "op": "is-a", "value": "I10-I15" }] }],
            "exclude": [{ "system": "urn:icd", "concept": [{ "code": "I10" }] }] })),
        value_set("both", json!({ "include": [{ "valueSet": ["urn:vs:listed", "urn:vs:hyper"] }] })),
        value_set("hyper", json!({ "include": [{ "system": "urn:icd", "concept": [{ "code": "I10" }] }] })),
        value_set("itself", json!({ "include": [{ "valueSet": ["urn:vs:itself"] }] })),
        value_set("odd", json!({ "include": [{ "system": "urn:icd", "filter": [{ "property": "x", "op": "regex", "value": "." }] }] })),
        value_set("elsewhere", json!({ "include": [{ "system": "urn:unknown" }] })),
        condition("c10", "I10"),
        condition("c11", "I11"),
        condition("c110", "I11.0"),
        condition("e11", "E11"),
        condition("j", "J45"),
        json!({ "resourceType": "Patient", "id": "p", "gender": "male" }),
    ])
    .await;
    check(&server, "Condition?code:in=urn:vs:listed", &["c10", "e11"]).await;
    check(&server, "Condition?code:in=ValueSet/heart", &["c11", "c110"]).await;
    check(&server, "Condition?code:in=urn:vs:both", &["c10"]).await;
    check(&server, "Condition?code:in=urn:vs:listed,urn:vs:heart", &["c10", "c11", "c110", "e11"])
        .await;
    check(&server, "Condition?code:not-in=urn:vs:listed", &["c11", "c110", "j"]).await;
    check(&server, "Condition?code:below=urn:icd|I11", &["c11", "c110"]).await;
    check(&server, "Condition?code:below=urn:icd|I10-I15", &["c10", "c11", "c110"]).await;
    check(&server, "Condition?code:above=urn:icd|I11.0", &["c11", "c110"]).await;
    check(&server, "Patient?_has:Condition:patient:code:below=urn:icd|E10-E14", &["p"]).await;
    check(&server, "Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", &["p"])
        .await;
    server.get("Condition?code:in=urn:nowhere").await.refused(400, "is not stored here");
    server.get("Condition?code:in=urn:vs:itself").await.refused(400, "include each other");
    server.get("Condition?code:in=urn:vs:odd").await.refused(400, "cannot be expanded");
    server.get("Condition?code:in=urn:vs:elsewhere").await.refused(400, "urn:unknown");
    server.get("Condition?code:below=urn:icd|Z99").await.refused(400, "not in that code system");
    server.get("Condition?code:below=I11").await.refused(400, "cannot be looked up");
}

#[tokio::test]
async fn codes_are_found_by_the_texts_that_stand_with_them() {
    let condition = |id: &str, code: Value| {
        json!({ "resourceType": "Condition", "id": id, "subject": { "reference": "Patient/p" },
            "code": code })
    };
    let coding = |code: &str, display: &str| json!({ "system": "urn:icd", "code": code, "display": display });
    let server = server(&[
        condition("one", json!({ "coding": [coding("I10", "Essential (primary) hypertension")], "text": "原發性高血壓" })),
        condition("other", json!({ "coding": [coding("I10", "Hypertension")] })),
        condition("said", json!({ "text": "Hypertension, it seems" })),
        condition("many", json!({ "coding": [coding("a", "A"), coding("b", "B"), coding("c", "C")], "text": "Third" })),
        condition("none", json!({ "coding": [{ "system": "urn:icd", "code": "I10" }] })),
        json!({ "resourceType": "Encounter", "id": "e", "status": "planned",
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "门诊" } }),
        json!({ "resourceType": "Patient", "id": "p",
            "identifier": [{ "type": { "text": "身份证" }, "value": "1" }],
            "maritalStatus": { "text": "Married" } }),
    ])
    .await;
    check(&server, "Condition?code:text=hyper", &["other", "said"]).await;
    check(&server, "Condition?code:text=ESSENTIAL PRIMARY", &["one"]).await;
    check(&server, "Condition?code:text=原发性", &["one"]).await;
    check(&server, "Condition?code:text=third", &["many"]).await;
    check(&server, "Condition?code:text=c,b", &["many"]).await;
    check(&server, "Condition?code:text=hyper&code=I10", &["other"]).await;
    check(&server, "Condition?patient=p&code:text=hyper", &["other", "said"]).await;
    check(&server, "Condition?code:text=pertension", &[]).await;
    check(&server, "Encounter?class:text=门", &["e"]).await;
    check(&server, "Patient?identifier:text=身份", &["p"]).await;
    check(&server, "Patient?_has:Condition:patient:code:text=third", &["p"]).await;
    server.get("Patient?gender:text=male").await.refused(400, "modifier");
    server.get("Condition?code:text=()").await.refused(400, "punctuation");
    // A text that changes is no longer found, and one that another resource had is found here.
    let changed = condition("said", json!({ "text": "Essential (primary) hypertension" }));
    server.put("Condition/said", &changed).await.expect(200);
    check(&server, "Condition?code:text=hyper", &["other"]).await;
    check(&server, "Condition?code:text=essential", &["one", "said"]).await;
}
