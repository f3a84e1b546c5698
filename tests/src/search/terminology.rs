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
