//! Structural validation on every write (validation.html).

use crate::harness::TestServer;
use serde_json::json;

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once_and_where() {
    let server = TestServer::start().await;
    let resource = json!({
        "resourceType": "Patient",
        "genderr": "male",
        "gender": "f",
        "birthDate": "2023-02-30",
        "name": { "family": "x" },
        "contact": [{ "telecom": [{ "value": 5 }] }],
        "generalPractitioner": [{ "reference": "Patient/1" }],
        "deceasedBoolean": true,
        "deceasedDateTime": "2020",
        "active": "yes",
        "photo": [],
    });
    let refused = server.post("Patient", &resource).await.expect(422);
    let found: Vec<String> = refused.json()["issue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["expression"][0].as_str().unwrap_or_default().to_owned())
        .collect();
    for place in [
        "Patient.genderr",
        "Patient.gender",
        "Patient.birthDate",
        "Patient.name",
        "Patient.contact[0].telecom[0].value",
        "Patient.generalPractitioner[0]",
        "Patient.active",
        "Patient.photo",
    ] {
        assert!(
            found.iter().any(|expression| expression.starts_with(place)),
            "{place} is not in {found:?}"
        );
    }
    assert!(found.iter().any(|expression| expression.starts_with("Patient.deceased")), "{found:?}");
}

#[tokio::test]
async fn invariants_are_held() {
    let server = TestServer::start().await;
    let resource = json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "text": "x" },
        "valueString": "y",
        "dataAbsentReason": { "text": "z" },
    });
    server.post("Observation", &resource).await.refused(422, "obs-6");
}
