//! Numbers of identity cards: found however they are written, doubted where they are doubtful, guessed by nobody from the index.

use crate::harness::{Answer, TestServer, entry, transaction};
use serde_json::{Value, json};

const SYSTEM: &str = "urn:oid:2.16.156.10011.1.3";

fn person(number: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": SYSTEM, "value": number }],
        "birthDate": "1990-03-07",
        "gender": "male",
    })
}

async fn found(server: &TestServer, query: &str) -> usize {
    server.get(&format!("Patient?{query}")).await.expect(200).ids().len()
}

#[tokio::test]
async fn id_01_a_resident_is_found_however_the_number_is_written() {
    let server = TestServer::start().await;
    let written = [
        "11010519491231002X",
        "11010519491231002x",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105491231002",
    ];
    for number in written {
        let mut resource = person(number);
        resource["birthDate"] = json!("1949-12-31");
        let address = server.create(&resource).await;
        // It comes back as it went in.
        assert_eq!(server.get(&address).await.json()["identifier"][0]["value"], number);
    }
    for number in written {
        assert_eq!(found(&server, &format!("identifier={SYSTEM}|{number}")).await, 4, "{number}");
        assert_eq!(found(&server, &format!("identifier={number}")).await, 4, "{number}");
    }
    assert_eq!(found(&server, "identifier=urn:mrn|11010519491231002X").await, 0);
    // So one person is not created twice because the card was typed in another way.
    let request = server.json("POST", "Patient", &person("11010519491231002x"));
    let criteria = format!("identifier={SYSTEM}|11010519491231002X");
    let answer = server.send(request.header("if-none-exist", criteria)).await;
    assert_eq!(answer.status, 412, "{}", answer.text);
}

/// The warnings of an answer, with where they stand.
fn warnings(outcome: &Value) -> Vec<String> {
    let issues = outcome["issue"].as_array().unwrap().iter();
    let warnings = issues.filter(|issue| issue["severity"] == "warning");
    let text = |issue: &Value| {
        let place = issue["expression"][0].as_str().unwrap_or_default();
        format!("{place}: {}", issue["diagnostics"].as_str().unwrap())
    };
    warnings.map(text).collect()
}

async fn told(server: &TestServer, resource: &Value) -> Answer {
    let request = server.json("POST", "Patient", resource);
    server.send(request.header("prefer", "return=OperationOutcome")).await.expect(201)
}

#[tokio::test]
async fn id_02_a_doubtful_number_is_taken_and_doubted() {
    let server = TestServer::start().await;
    assert_eq!(warnings(&told(&server, &person("310101199003071230")).await.json()), [""; 0]);
    for (number, doubt) in [
        ("310101199003071231", "not the check"),
        ("010101199003071230", "no province"),
        ("310104195802290019", "no day of the calendar"),
        ("310101209003071236", "still to come"),
        ("3101011990", "neither 18 places"),
    ] {
        let answer = told(&server, &person(number)).await;
        let warnings = warnings(&answer.json());
        assert!(warnings.iter().any(|text| text.contains(doubt)), "{number}: {warnings:?}");
        assert!(warnings.iter().all(|text| text.starts_with("Patient.identifier[0].value: ")));
        assert!(!answer.text.contains(number), "{}", answer.text);
        assert_eq!(found(&server, &format!("identifier={SYSTEM}|{number}")).await, 1);
    }
}

#[tokio::test]
async fn id_03_a_number_that_contradicts_the_rest_is_told() {
    let server = TestServer::start().await;
    let mut other = person("310101199003071230");
    other["gender"] = json!("female");
    other["birthDate"] = json!("1991-03-07");
    let expected = ["another day than birthDate", "another gender"];
    let warnings_of_one = warnings(&told(&server, &other).await.json());
    let bundle = transaction(vec![entry("POST", "Patient", Some(other))]);
    let request = server.json("POST", "", &bundle).header("prefer", "return=OperationOutcome");
    let answer = server.send(request).await.expect(200).json();
    let warnings_of_entry = warnings(&answer["entry"][0]["response"]["outcome"]);
    for warnings in [warnings_of_one, warnings_of_entry] {
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            assert!(warning.contains(expected), "{warning}");
        }
    }
}

#[tokio::test]
async fn id_05_other_documents_are_taken_without_a_word() {
    let server = TestServer::start().await;
    let passport = json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "http://hl7.org/fhir/sid/passport-CHN", "value": "E12345678" }],
    });
    let unknown = json!({ "resourceType": "Patient", "gender": "unknown" });
    let mut newborn = person("310101199003071230-1");
    newborn["birthDate"] = json!("2026-11-27");
    for resource in [&passport, &unknown, &newborn] {
        assert_eq!(warnings(&told(&server, resource).await.json()), [""; 0], "{resource}");
    }
    let passport = "http://hl7.org/fhir/sid/passport-CHN|E12345678";
    assert_eq!(found(&server, &format!("identifier={passport}")).await, 1);
    assert_eq!(found(&server, &format!("identifier={SYSTEM}|310101199003071230-1")).await, 1);
    assert_eq!(found(&server, &format!("identifier={SYSTEM}|310101199003071230")).await, 0);
}

#[tokio::test]
async fn id_04_two_servers_have_nothing_in_common_of_one_number() {
    let mut keys: Vec<Vec<i64>> = Vec::new();
    let number = "310101199003071230";
    for _ in 0..2 {
        let server = TestServer::start().await;
        server
            .create(&json!({
                "resourceType": "Patient",
                "identifier": [{ "value": number }],
            }))
            .await;
        let row = server.database.client().await;
        let row = row.query_one("SELECT tokens FROM patient", &[]).await.unwrap();
        keys.push(row.get(0));
    }
    assert!(!keys[0].is_empty());
    assert!(keys[0].iter().all(|key| !keys[1].contains(key)), "{keys:?}");
}

#[tokio::test]
async fn id_04_entries_from_before_the_key_are_found_and_made_anew() {
    let server = TestServer::start().await;
    let address = server.create(&person("310101199003071230")).await;
    let client = server.database.client().await;
    let stored = async || -> Vec<i64> {
        client.query_one("SELECT tokens FROM patient", &[]).await.unwrap().get(0)
    };
    let veiled = stored().await;
    // As it would be after an upgrade: the key is about to come, and there are resources.
    client.execute("DELETE FROM secret WHERE id = 3", &[]).await.unwrap();
    let next = server.replica().await;
    let anew = async {
        while stored().await == veiled {
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(30), anew).await;
    assert!(outcome.is_ok(), "the entries are still those of another key");
    let query = format!("identifier={SYSTEM}|310101199003071230");
    let answer = next.get(&format!("Patient?{query}")).await.expect(200);
    assert_eq!(answer.ids(), [address.trim_start_matches("Patient/")]);
}

#[tokio::test]
async fn id_05_the_systems_of_numbers_are_there_to_be_loaded() {
    let server = TestServer::start().await;
    let bundle = include_str!("../../conformance/naming-systems.json");
    let bundle: Value = serde_json::from_str(bundle).unwrap();
    server.post("", &bundle).await.expect(200);
    let answer = server.get(&format!("NamingSystem?value={SYSTEM}")).await.expect(200);
    assert_eq!(answer.ids(), ["cn-resident-identity-card"]);
    let answer = server.get("NamingSystem?_summary=count").await.expect(200).json();
    assert_eq!(answer["total"], bundle["entry"].as_array().unwrap().len());
}
