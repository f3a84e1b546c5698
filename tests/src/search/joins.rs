//! Chains, `_has`, includes, compartments, lists, several types.

use super::{check, concept, found, observation, quantity, reference, server};
use crate::harness::TestServer;
use serde_json::{Value, json};

async fn ward() -> TestServer {
    let appointment = |id: &str, start: &str, practitioner: &str, patient: &str| {
        json!({
            "resourceType": "Appointment", "id": id, "status": "booked", "start": start, "end": start,
            "participant": [
                { "actor": reference(&format!("Practitioner/{practitioner}")), "status": "accepted" },
                { "actor": reference(&format!("Patient/{patient}")), "status": "accepted" },
            ],
        })
    };
    let mut resources = vec![
        json!({ "resourceType": "Organization", "id": "h1", "name": "Ruijin", "partOf": reference("Organization/city") }),
        json!({ "resourceType": "Organization", "id": "city", "name": "City" }),
        json!({ "resourceType": "Practitioner", "id": "d1", "name": [{ "family": "Zhou" }] }),
        json!({ "resourceType": "Practitioner", "id": "d2", "name": [{ "family": "Wu" }] }),
        json!({ "resourceType": "Patient", "id": "p1", "identifier": [{ "system": "urn:id", "value": "1" }], "gender": "female",
            "managingOrganization": reference("Organization/h1"), "generalPractitioner": [reference("Practitioner/d1")] }),
        json!({ "resourceType": "Patient", "id": "p2", "identifier": [{ "system": "urn:id", "value": "2" }], "gender": "male",
            "link": [{ "other": reference("Patient/p1"), "type": "seealso" }] }),
        appointment("a1", "2026-11-24T09:00:00+08:00", "d1", "p1"),
        appointment("a2", "2026-11-24T10:00:00+08:00", "d1", "p2"),
        appointment("a3", "2026-11-25T09:00:00+08:00", "d2", "p1"),
        json!({ "resourceType": "List", "id": "l", "status": "current", "mode": "working",
            "entry": [{ "item": reference("Observation/o1") }, { "item": reference("Patient/p2") }] }),
        json!({ "resourceType": "Provenance", "id": "pr", "target": [reference("Observation/o1")], "recorded": "2026-11-24T00:00:00Z",
            "agent": [{ "who": reference("Practitioner/d2") }] }),
    ];
    for (id, code, patient, value) in
        [("o1", "g", "p1", 5.0), ("o2", "g", "p2", 15.0), ("o3", "h", "p1", 7.0)]
    {
        let mut one = observation(id, code, patient, "2026-11-20", &quantity(value, "mmol/L"));
        one["performer"] = json!([reference("Practitioner/d1"), reference("Organization/h1")]);
        resources.push(one);
    }
    let member = json!({
        "resourceType": "Observation", "id": "o4", "status": "final", "code": concept("http://loinc.org", "panel"),
        "hasMember": [reference("Observation/o1"), reference("Observation/o3")],
    });
    resources.push(member);
    server(&resources).await
}

#[tokio::test]
async fn chains_follow_references() {
    let server = ward().await;
    check(&server, "Observation?subject:Patient.identifier=urn:id|1", &["o1", "o3"]).await;
    check(&server, "Observation?patient.identifier=urn:id|2", &["o2"]).await;
    check(&server, "Observation?subject.gender=female&code=g", &["o1"]).await;
    check(&server, "Observation?patient.organization.name=ruijin", &["o1", "o3"]).await;
    check(&server, "Observation?patient.organization.partof.name=city", &["o1", "o3"]).await;
    check(&server, "Observation?performer:Practitioner.family=zhou", &["o1", "o2", "o3"]).await;
    check(&server, "Observation?performer.family=wu", &[]).await;
    check(&server, "Patient?general-practitioner:Practitioner.name=zhou", &["p1"]).await;
    check(&server, "Patient?link:Patient.gender=female", &["p2"]).await;
    check(&server, "Appointment?patient.identifier=1", &["a1", "a3"]).await;
    check(&server, "Appointment?practitioner.family=zhou&date=2026-11-24", &["a1", "a2"]).await;
    check(&server, "Observation?has-member.code=g", &["o4"]).await;
    check(&server, "Patient?organization.name:missing=true", &[]).await;
    server.get("Observation?subject:Device2.name=x").await.refused(400, "does not refer to");
    server.get("Patient?name.family=x").await.refused(400, "only a reference");
    let long = format!("Observation?{}code=x", "has-member.".repeat(50));
    server.get(&long).await.refused(400, "too many resources");
    server.get("Observation?focus._id=1").await.refused(400, "name one, as in focus:");
}

#[tokio::test]
async fn has_asks_who_refers() {
    let server = ward().await;
    check(&server, "Patient?_has:Observation:patient:code=h", &["p1"]).await;
    check(&server, "Patient?_has:Observation:subject:code=g&gender=male", &["p2"]).await;
    check(&server, "Patient?_has:Observation:patient:value-quantity=gt10", &["p2"]).await;
    check(&server, "Practitioner?_has:Appointment:practitioner:date=2026-11-25", &["d2"]).await;
    check(&server, "Practitioner?_has:Patient:general-practitioner:gender=female", &["d1"]).await;
    check(&server, "Practitioner?_has:Observation:performer:code=g", &["d1"]).await;
    check(
        &server,
        "Organization?_has:Patient:organization:_has:Observation:patient:code=h",
        &["h1"],
    )
    .await;
    check(
        &server,
        "Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/d2",
        &["p1"],
    )
    .await;
    check(&server, "Observation?patient._has:Patient:link:gender=male", &["o1", "o3"]).await;
    check(&server, "Patient?_has:Observation:patient:code:not=g", &["p1"]).await;
    check(&server, "Patient?_list=l", &["p2"]).await;
    check(&server, "Observation?_list=l", &["o1"]).await;
    server.get("Patient?_has:Observation:code:code=h").await.refused(400, "does not refer");
    server.get("Patient?_has:Nothing:patient:code=h").await.refused(400, "no resource type");
    server.get("Patient?_has:Observation:patient=h").await.refused(400, "write _has");
}

/// `Type/id` with the mode of each entry.
async fn entries(server: &TestServer, search: &str) -> Vec<String> {
    let bundle = server.get(search).await.expect(200).json();
    let name = |entry: &Value| {
        let resource = &entry["resource"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{}/{} {}",
            text(&resource["resourceType"]),
            text(&resource["id"]),
            text(&entry["search"]["mode"])
        )
    };
    let mut names: Vec<String> =
        bundle["entry"].as_array().into_iter().flatten().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn includes_bring_what_belongs_to_the_matches() {
    let server = ward().await;
    let check = async |search: &str, expected: &[&str]| {
        assert_eq!(entries(&server, search).await, expected, "{search}");
    };
    check(
        "Observation?_id=o1&_include=Observation:patient",
        &["Observation/o1 match", "Patient/p1 include"],
    )
    .await;
    check(
        "Observation?code=g&_include=Observation:subject&_include=Observation:performer:Practitioner",
        &["Observation/o1 match", "Observation/o2 match", "Patient/p1 include", "Patient/p2 include", "Practitioner/d1 include"],
    )
    .await;
    check(
        "Observation?_id=o1&_include=Observation:patient&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
        &["Observation/o1 match", "Organization/city include", "Organization/h1 include", "Patient/p1 include"],
    )
    .await;
    check(
        "Patient?_id=p1&_revinclude=Observation:patient",
        &["Observation/o1 include", "Observation/o3 include", "Patient/p1 match"],
    )
    .await;
    check(
        "Patient?_id=p1&_revinclude=Appointment:patient&_include:iterate=Appointment:practitioner",
        &[
            "Appointment/a1 include",
            "Appointment/a3 include",
            "Patient/p1 match",
            "Practitioner/d1 include",
            "Practitioner/d2 include",
        ],
    )
    .await;
    check(
        "Observation?_id=o1&_include=*",
        &[
            "Observation/o1 match",
            "Organization/h1 include",
            "Patient/p1 include",
            "Practitioner/d1 include",
        ],
    )
    .await;
    check(
        "Observation?_id=o1,o4&_include=Observation:has-member",
        &["Observation/o1 match", "Observation/o3 include", "Observation/o4 match"],
    )
    .await;
    server.get("Patient?_include=Patient:name").await.refused(400, "no reference parameter");
    server.get("Patient?_include=Nothing:name").await.refused(400, "no resource type");
    server.get("Patient?_revinclude=Patient:organization").await.refused(400, "does not refer");
    server.get("Patient?_include:logical=Patient:link").await.refused(400, "use :iterate");
}

#[tokio::test]
async fn compartments_and_several_types_are_searched() {
    let server = ward().await;
    check(&server, "Patient/p1/Observation", &["o1", "o3"]).await;
    check(&server, "Patient/p1/Observation?code=h", &["o3"]).await;
    check(&server, "Patient/p1/Appointment", &["a1", "a3"]).await;
    check(&server, "Practitioner/d1/Appointment?date=2026-11-24", &["a1", "a2"]).await;
    assert_eq!(
        found(&server, "Patient/p1/*?_count=100").await,
        ["a1", "a3", "o1", "o3", "p1", "p2"]
    );
    assert_eq!(
        found(&server, "Patient/p1/*?_type=Observation,Appointment").await,
        ["a1", "a3", "o1", "o3"]
    );
    check(&server, "?_type=Organization,Practitioner", &["city", "d1", "d2", "h1"]).await;
    assert_eq!(found(&server, "?_id=p1,o1,h1").await, ["h1", "o1", "p1"]);
    let request = server.request("POST", "_search");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer =
        server.send(request.body("_type=Practitioner&_sort=-_lastUpdated")).await.expect(200);
    assert_eq!(answer.ids(), ["d2", "d1"]);
    server.get("?_type=Nothing").await.refused(400, "no resource type");
    server.get("?_type=Patient,Observation&_sort=date").await.refused(400, "several types");
    server.get("Patient/p1/Organization").await.refused(404, "compartment");
}

#[tokio::test]
async fn filters_join_comparisons() {
    let server = server(&[
        json!({ "resourceType": "Organization", "id": "o", "name": "Ruijin", "active": true }),
        json!({ "resourceType": "Organization", "id": "closed", "name": "Ruijin East", "active": false }),
        json!({ "resourceType": "Patient", "id": "a", "name": [{ "family": "Wang" }], "gender": "male", "birthDate": "1980-05-05",
            "managingOrganization": reference("Organization/o") }),
        json!({ "resourceType": "Patient", "id": "b", "name": [{ "family": "Wangari" }], "gender": "female", "birthDate": "1990-01-01",
            "managingOrganization": reference("Organization/closed") }),
        json!({ "resourceType": "Patient", "id": "c" }),
    ])
    .await;
    check(&server, "Patient?_filter=family eq wang", &["a"]).await;
    check(&server, "Patient?_filter=family sw wang", &["a", "b"]).await;
    check(&server, "Patient?_filter=family ew ari", &["b"]).await;
    check(&server, "Patient?_filter=gender ne male", &["b"]).await;
    check(&server, "Patient?_filter=not (gender eq male)", &["b", "c"]).await;
    check(&server, "Patient?_filter=birthdate lt 1985-01-01 or gender eq female", &["a", "b"])
        .await;
    check(&server, "Patient?_filter=birthdate po 1980&gender=male", &["a"]).await;
    check(&server, "Patient?_filter=organization.name sw ruijin", &["a", "b"]).await;
    check(&server, "Patient?_filter=organization[active eq true].name sw ruijin", &["a"]).await;
    check(&server, "Patient?_filter=organization re Organization/closed", &["b"]).await;
    check(
        &server,
        "Patient?_filter=gender in http://hl7.org/fhir/ValueSet/administrative-gender",
        &["a", "b"],
    )
    .await;
    check(&server, "?_type=Patient,Organization&_filter=_id eq a or _id eq o", &["a", "o"]).await;
    server.get("Patient?_filter=family eq").await.refused(400, "at 10: a value is expected");
    server.get("Patient?_filter=name ne x").await.refused(400, "write not(name eq …)");
    server.get("Patient?_filter=gender in urn:nowhere").await.refused(400, "is not stored here");
}

#[tokio::test]
async fn parts_are_found_with_their_whole() {
    let place = |id: &str, whole: Option<&str>| {
        let mut location = json!({ "resourceType": "Location", "id": id, "name": id });
        if let Some(whole) = whole {
            location["partOf"] = reference(&format!("Location/{whole}"));
        }
        location
    };
    let at = |id: &str, place: &str| {
        json!({ "resourceType": "Encounter", "id": id, "status": "finished", "class": { "code": "AMB" },
            "location": [{ "location": reference(&format!("Location/{place}")) }] })
    };
    let server = server(&[
        place("site", None),
        place("ward", Some("site")),
        place("room", Some("ward")),
        place("other", None),
        at("e-site", "site"),
        at("e-ward", "ward"),
        at("e-room", "room"),
        at("e-other", "other"),
    ])
    .await;
    check(&server, "Encounter?location:below=Location/site", &["e-room", "e-site", "e-ward"]).await;
    check(&server, "Encounter?location:below=Location/room", &["e-room"]).await;
    check(&server, "Encounter?location:above=Location/room", &["e-room", "e-site", "e-ward"]).await;
    check(&server, "Encounter?location:above=Location/site", &["e-site"]).await;
    check(&server, "Location?partof:below=Location/site", &["room", "ward"]).await;
    check(&server, "Encounter?location:below=Location/room,Location/other", &["e-other", "e-room"])
        .await;
    // A circle ends where it began.
    server.put("Location/site", &place("site", Some("room"))).await.expect(200);
    check(&server, "Encounter?location:below=Location/room", &["e-room", "e-site", "e-ward"]).await;
    check(&server, "Encounter?location:above=Location/site", &["e-room", "e-site", "e-ward"]).await;
    server.get("Encounter?location:below=site").await.refused(400, "write Type/id");
    server.get("Encounter?location:below=Organization/1").await.refused(400, "does not refer to");
    server.get("Encounter?subject:below=Patient/1").await.refused(400, "modifier");
}
