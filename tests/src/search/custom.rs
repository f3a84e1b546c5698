//! Search parameters that are defined here: indexed in the background, usable when all resources have their entries.

use super::check;
use crate::harness::TestServer;
use serde_json::{Value, json};

const BLOOD: &str = "http://hospital.test/blood-group";

fn definition(expression: &str) -> Value {
    json!({
        "resourceType": "SearchParameter", "id": "blood", "url": "http://hospital.test/SearchParameter/blood", "name": "Blood",
        "status": "active", "description": "The blood group", "code": "blood", "base": ["Patient"], "type": "token",
        "expression": expression,
    })
}

fn blood() -> Value {
    definition(&format!("Patient.extension('{BLOOD}').value"))
}

fn patient(id: &str, group: &str) -> Value {
    json!({ "resourceType": "Patient", "id": id, "extension": [{ "url": BLOOD, "valueCode": group }],
        "maritalStatus": { "coding": [{ "code": group }] } })
}

/// Until the entries of a SearchParameter are made.
async fn ready(server: &TestServer, id: &str) {
    loop {
        let progress = server.get("$reindex").await.expect(200).json();
        let parameters = progress["parameter"].as_array().cloned().unwrap_or_default();
        let of_definition = |parameter: &&Value| {
            parameter["part"][0]["valueReference"]["reference"] == format!("SearchParameter/{id}")
        };
        let mut states =
            parameters.iter().filter(of_definition).map(|it| &it["part"][2]["valueBoolean"]);
        if states.clone().count() > 0 && states.all(|is_ready| *is_ready == true) {
            return;
        }
    }
}

fn has_parameter(statement: &Value, resource: &str, code: &str) -> bool {
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let resource = resources.iter().find(|found| found["type"] == *resource).unwrap();
    resource["searchParam"].as_array().unwrap().iter().any(|found| found["name"] == *code)
}

#[tokio::test]
async fn a_parameter_is_indexed_and_then_searched_by() {
    let server = super::server(&[
        patient("a", "A"),
        patient("b", "B"),
        json!({ "resourceType": "Patient", "id": "c" }),
    ])
    .await;
    server.put("SearchParameter/blood", &blood()).await.expect(201);
    server.put("Patient/d", &patient("d", "A")).await.expect(201);
    ready(&server, "blood").await;
    server.put("Patient/e", &patient("e", "A")).await.expect(201);
    check(&server, "Patient?blood=A", &["a", "d", "e"]).await;
    check(&server, "Patient?blood=A,B", &["a", "b", "d", "e"]).await;
    check(&server, "Patient?blood:not=A", &["b", "c"]).await;
    check(&server, "Patient?blood:missing=true", &["c"]).await;
    check(&server, "Patient?blood:missing=false&blood=B", &["b"]).await;
    assert!(has_parameter(&server.get("metadata").await.json(), "Patient", "blood"));
    let sorted = server.get("Patient?_sort=-blood&_count=1").await.expect(200).json();
    assert_eq!(sorted["entry"][0]["resource"]["id"], "b");
    // What changes is found as it is now, and what is deleted no more.
    server.put("Patient/a", &patient("a", "0")).await.expect(200);
    server.delete("Patient/d").await.expect(204);
    check(&server, "Patient?blood=A", &["e"]).await;

    // With another meaning it is indexed anew.
    server.put("SearchParameter/blood", &definition("Patient.maritalStatus")).await.expect(200);
    server.put("Patient/f", &json!({ "resourceType": "Patient", "id": "f", "maritalStatus": { "coding": [{ "code": "M" }] } })).await.expect(201);
    ready_anew(&server, "Patient?blood=M", 1).await;
    check(&server, "Patient?blood=B", &["b"]).await;

    server.delete("SearchParameter/blood").await.expect(204);
    loop {
        let strict = server.request("GET", "Patient?blood=A").header("prefer", "handling=strict");
        if server.send(strict).await.status == 400 {
            break;
        }
    }
    assert!(!has_parameter(&server.get("metadata").await.json(), "Patient", "blood"));
}

/// Until a search finds so many.
async fn ready_anew(server: &TestServer, search: &str, count: u64) {
    loop {
        let strict = server
            .request("GET", &format!("{search}&_total=accurate"))
            .header("prefer", "handling=strict");
        let answer = server.send(strict).await;
        if answer.status == 200 && answer.json()["total"] == count {
            return;
        }
    }
}

#[tokio::test]
async fn no_write_of_any_replica_is_missed() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let write = async |server: &TestServer, name: &str| {
        for number in 0..60 {
            let id = format!("{name}{number}");
            server.put(&format!("Patient/{id}"), &patient(&id, "A")).await.expect(201);
        }
    };
    let define = async {
        server.put("Patient/first", &patient("first", "A")).await.expect(201);
        server.put("SearchParameter/blood", &blood()).await.expect(201);
        ready(&server, "blood").await;
    };
    tokio::join!(define, write(&server, "s"), write(&replica, "r"));
    for server in [&server, &replica] {
        ready_anew(server, "Patient?blood=A", 121).await;
    }
}

#[tokio::test]
async fn indexing_goes_on_where_a_server_was_cut_off() {
    let server = TestServer::start().await;
    let patients: Vec<Value> =
        (0..2_000).map(|number| patient(&format!("p{number}"), "A")).collect();
    for slice in patients.chunks(1_000) {
        server.post("", &city::bundle(slice.to_vec())).await.expect(200);
    }
    server.put("SearchParameter/blood", &blood()).await.expect(201);
    // Some of it is done, unless the machine was quicker.
    loop {
        let progress = server.get("Patient/$reindex").await.expect(200).json();
        if progress["parameter"][0]["part"][1]["valueDecimal"]
            .as_f64()
            .is_some_and(|done| done > 0.0)
        {
            break;
        }
    }
    let next = server.replica().await;
    drop(server);
    ready(&next, "blood").await;
    ready_anew(&next, "Patient?blood=A", 2_000).await;
}

#[tokio::test]
async fn entries_are_made_anew_when_it_is_asked_for() {
    let named = json!({ "resourceType": "Patient", "id": "a", "name": [{ "family": "Wang" }] });
    let server = super::server(&[named]).await;
    let client = server.database.client().await;
    client.batch_execute("DELETE FROM string_entry").await.unwrap();
    check(&server, "Patient?family=wang", &[]).await;
    let begun = server.post("Patient/$reindex", &json!({ "resourceType": "Parameters" })).await;
    begun.expect(202);
    ready_anew(&server, "Patient?family=wang", 1).await;
    server
        .post("Patient/a/$reindex", &json!({ "resourceType": "Parameters" }))
        .await
        .refused(404, "not supported");
    server.get("$reindex?type=Patient").await.refused(400, "no input");
}

#[tokio::test]
async fn what_cannot_be_searched_by_is_refused() {
    let server = TestServer::start().await;
    let refuse = async |changes: Value, expected: &str| {
        let mut resource = blood();
        for (name, value) in changes.as_object().unwrap() {
            resource[name] = value.clone();
        }
        server.put("SearchParameter/blood", &resource).await.refused(422, expected);
    };
    refuse(json!({ "code": "name" }), "of the standard").await;
    refuse(json!({ "expression": "Patient.colour" }), "no element `colour`").await;
    refuse(json!({ "expression": "Patient.name.where(" }), "SearchParameter.expression").await;
    refuse(json!({ "type": "date", "expression": "Patient.name" }), "it finds HumanName").await;
    let mut draft = blood();
    draft["id"] = json!("draft");
    draft["status"] = json!("draft");
    draft["expression"] = json!("Patient.colour");
    server.put("SearchParameter/draft", &draft).await.expect(201);
    server.put("SearchParameter/blood", &blood()).await.expect(201);
    ready(&server, "blood").await;
    let mut other = blood();
    other["id"] = json!("other");
    server.put("SearchParameter/other", &other).await.refused(422, "SearchParameter/blood defines");
}
