//! Races are decided by the database: one outcome, no duplicate, no lost update, no deadlock that a client sees.

use crate::harness::{Answer, TestServer, entry, patient, transaction};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::HashMap;

const CLIENTS: usize = 24;

fn tally(answers: &[Answer]) -> HashMap<u16, usize> {
    let mut tally = HashMap::new();
    for answer in answers {
        *tally.entry(answer.status).or_default() += 1;
    }
    tally
}

#[tokio::test]
async fn conditional_creates_with_the_same_criteria_create_once() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let resource = patient("Race");
    let sends = (0..CLIENTS).map(|number| {
        let server = if number % 2 == 0 { &server } else { &replica };
        // The second criterion makes the texts differ; the identifier is what they meet on.
        let criteria = if number % 3 == 0 {
            "identifier=urn:test|Race"
        } else {
            "identifier=urn:test|Race&gender=female"
        };
        server.send(server.json("POST", "Patient", &resource).header("if-none-exist", criteria))
    });
    let answers = join_all(sends).await;
    assert_eq!(tally(&answers), HashMap::from([(201, 1), (200, CLIENTS - 1)]));
    assert_eq!(server.get("Patient").await.ids().len(), 1);
}

#[tokio::test]
async fn conditional_updates_with_the_same_criteria_create_once() {
    let server = TestServer::start().await;
    let sends = (0..CLIENTS).map(|number| {
        let mut resource = patient("Race");
        resource["birthDate"] = json!(format!("19{:02}-01-01", number));
        let server = &server;
        async move { server.put("Patient?identifier=urn:test|Race", &resource).await }
    });
    let answers = join_all(sends).await;
    assert_eq!(tally(&answers), HashMap::from([(201, 1), (200, CLIENTS - 1)]));
    let ids = server.get("Patient").await.ids();
    assert_eq!(ids.len(), 1);
    let history = server.get(&format!("Patient/{}/_history?_count=100", ids[0])).await.ids();
    assert_eq!(history.len(), CLIENTS);
}

#[tokio::test]
async fn updates_with_the_same_if_match_have_one_winner() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Race")).await;
    let base = server.get(&address).await.json();
    let sends = (0..CLIENTS).map(|number| {
        let mut resource = base.clone();
        resource["birthDate"] = json!(format!("19{:02}-01-01", number));
        server.send(server.json("PUT", &address, &resource).header("if-match", "W/\"1\""))
    });
    let answers = join_all(sends).await;
    assert_eq!(tally(&answers), HashMap::from([(200, 1), (412, CLIENTS - 1)]));
    assert_eq!(server.get(&address).await.header("etag"), Some("W/\"2\""));
}

#[tokio::test]
async fn the_same_new_id_is_created_once_and_no_update_is_lost() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let sends = (0..CLIENTS).map(|number| {
        let mut resource = patient("Race");
        resource["id"] = json!("race");
        resource["birthDate"] = json!(format!("19{:02}-01-01", number));
        let server = if number % 2 == 0 { &server } else { &replica };
        async move { server.put("Patient/race", &resource).await }
    });
    let answers = join_all(sends).await;
    assert_eq!(tally(&answers), HashMap::from([(201, 1), (200, CLIENTS - 1)]));
    let history = server.get("Patient/race/_history?_count=100").await.json();
    let versions: Vec<String> = history["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["meta"]["versionId"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (1..=CLIENTS).rev().map(|version| version.to_string()).collect();
    assert_eq!(versions, expected);
}

#[tokio::test]
async fn a_delete_against_updates_leaves_a_whole_history() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Race")).await;
    let base = server.get(&address).await.json();
    let sends = (0..CLIENTS).map(|number| {
        let mut resource = base.clone();
        resource["birthDate"] = json!(format!("19{:02}-01-01", number));
        let (server, address) = (&server, &address);
        async move {
            if number % 4 == 0 {
                server.delete(address).await
            } else {
                server.put(address, &resource).await
            }
        }
    });
    for answer in join_all(sends).await {
        assert!([200, 201, 204].contains(&answer.status), "{}", answer.text);
    }
    let history = server.get(&format!("{address}/_history?_count=100")).await.json();
    let etags: Vec<String> = history["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["etag"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> =
        (1..=etags.len()).rev().map(|version| format!("W/\"{version}\"")).collect();
    assert_eq!(etags, expected);
}

#[tokio::test]
async fn transactions_over_the_same_resources_in_another_order_all_succeed() {
    let server = TestServer::start().await;
    let replica = server.replica().await;
    let addresses: Vec<String> = join_all((0..4).map(|number| {
        let server = &server;
        async move { server.create(&patient(&format!("R{number}"))).await }
    }))
    .await;
    let bundle = |number: usize| -> Value {
        let mut entries: Vec<Value> = addresses
            .iter()
            .enumerate()
            .map(|(place, address)| {
                let mut resource = patient(&format!("R{place}"));
                resource["birthDate"] = json!(format!("19{:02}-01-01", number));
                // By criteria and by id: the two kinds of locks are taken at different moments.
                if (number + place).is_multiple_of(2) {
                    entry("PUT", &format!("Patient?identifier=urn:test|R{place}"), Some(resource))
                } else {
                    resource["id"] = json!(address.split('/').nth(1).unwrap());
                    entry("PUT", address, Some(resource))
                }
            })
            .collect();
        entries.rotate_left(number % 4);
        if number.is_multiple_of(2) {
            entries.reverse();
        }
        transaction(entries)
    };
    let sends = (0..CLIENTS).map(|number| {
        let bundle = bundle(number);
        let server = if number % 2 == 0 { &server } else { &replica };
        async move { server.post("", &bundle).await }
    });
    let answers = join_all(sends).await;
    assert_eq!(
        tally(&answers),
        HashMap::from([(200, CLIENTS)]),
        "{:?}",
        answers.iter().find(|answer| answer.status != 200)
    );
    for address in &addresses {
        let history = server.get(&format!("{address}/_history?_count=100")).await.ids();
        assert_eq!(history.len(), CLIENTS + 1);
    }
}
