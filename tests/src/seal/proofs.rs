//! Heads and proofs over HTTP.

use crate::harness::{City, Database, TestServer, patient, settings};
use audit::seal::key::Signer;
use audit::seal::note::Checkpoint;
use audit::seal::proof::{extends, includes};
use audit::seal::tree::Digest;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::Store;
use store::seal::sequencer::Sequencer;

const PATIENCE: Duration = Duration::from_secs(60);

/// The head that the server publishes, once it has one of this many records at least.
async fn head(server: &TestServer, records: u64, signer: &Signer) -> Checkpoint {
    let began = Instant::now();
    loop {
        let answer = server.get_outside("audit/checkpoint").await;
        if answer.status == 200 {
            let head = Checkpoint::open(&answer.text, &[signer.verifier().clone()]).unwrap();
            if head.size >= records {
                return head;
            }
        }
        assert!(began.elapsed() < PATIENCE, "{}: {}", answer.status, answer.text);
    }
}

/// Signs as the server does: with the key that its database keeps.
async fn servers_signer(database: &Database, base: &str) -> Signer {
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let seed = store.seal_seed(&[1; 32]).await.unwrap();
    Signer::from_seed(server::sealing::origin(base), &seed).unwrap()
}

/// A head now, without waiting for the minute.
async fn sign(server: &TestServer, signer: &Signer) -> u64 {
    let mut sequencer = Sequencer::new(&settings(&server.database.url)).unwrap();
    let began = Instant::now();
    loop {
        sequencer.seal().await.unwrap();
        if sequencer.lag(i64::MAX).await.unwrap() == 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE);
    }
    let origin = server::sealing::origin(&server.base);
    sequencer.sign(origin, signer).await.unwrap();
    sequencer.seal().await.unwrap().size
}

fn path(answer: &Value) -> Vec<Digest> {
    let path = answer["path"].as_array().unwrap().iter();
    path.map(|text| Digest::parse(text.as_str().unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn aud_10_every_head_goes_on_from_the_one_before() {
    let server = TestServer::start().await;
    server.create(&patient("First")).await;
    let signer = servers_signer(&server.database, &server.base).await;
    let mut old = head(&server, 1, &signer).await;
    for number in 0..12 {
        for _ in 0..=number {
            server.create(&patient("Next")).await;
        }
        let size = sign(&server, &signer).await;
        let new = head(&server, size, &signer).await;
        assert!(new.size > old.size);
        let query = format!("audit/consistency?first={}&second={}", old.size, new.size);
        let path = path(&server.get_outside(&query).await.expect(200).json());
        assert!(extends((old.size, &old.root), (new.size, &new.root), &path), "{query}");
        old = new;
    }
    for (query, text) in [
        ("first=2&second=1", "it takes first ≤ second"),
        ("first=0&second=999999", "it takes first ≤ second"),
        ("first=1", "first and second are sizes of the tree"),
        ("first=-1&second=2", "first is a number of leaves"),
        ("first=x&second=2", "first is a number of leaves"),
    ] {
        server.get_outside(&format!("audit/consistency?{query}")).await.refused(400, text);
    }
}

#[tokio::test]
async fn a_server_without_records_has_no_head_yet() {
    let server = TestServer::start().await;
    server.get_outside("audit/checkpoint").await.refused(404, "no head is signed yet");
}

#[tokio::test]
async fn aud_09_auditors_prove_that_an_event_is_in_the_trail() {
    let city = City::start().await;
    let doctor = city.doctor("ha");
    for id in ["ha-p1", "ha-p2", "ha-p3"] {
        let patient = json!({ "resourceType": "Patient", "id": id });
        city.put(&doctor, &patient).await.expect(201);
    }
    let signer = servers_signer(&city.server.database, &city.server.base).await;
    let size = sign(&city.server, &signer).await;
    let head = head(&city.server, size, &signer).await;
    let auditor = city.token("ha", |claims| {
        claims["sub"] = json!("auditor");
        claims["scope"] = json!("user/AuditEvent.rs");
        claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": "auditor" }] });
    });
    let events = city.get(&auditor, "AuditEvent?action=U&_count=3").await.expect(200).ids();
    assert_eq!(events.len(), 3);
    let prove = async |token: Option<&str>, query: &str| {
        let request = city.server.request("GET", "");
        let url = format!("{}/audit/inclusion?{query}", city.server.base.trim_end_matches("/fhir"));
        let mut request = request.build().unwrap();
        *request.url_mut() = url.parse().unwrap();
        let request = reqwest::RequestBuilder::from_parts(reqwest::Client::new(), request);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        city.server.send(request).await
    };
    for event in &events {
        let query = format!("event={event}&size={}", head.size);
        let proof = prove(Some(&auditor), &query).await.expect(200).json();
        let index = proof["leafIndex"].as_u64().unwrap();
        let leaf = Digest::parse(proof["leafHash"].as_str().unwrap()).unwrap();
        assert!(includes(index, head.size, &leaf, &path(&proof), &head.root), "{proof}");
        assert!(!includes(index ^ 1, head.size, &leaf, &path(&proof), &head.root));
    }
    let event = format!("event={}", events[0]);
    prove(None, &event).await.refused(401, "token");
    prove(Some(&doctor), &event).await.expect(403);
    let own = city.patient("ha-p1", "patient/AuditEvent.rs");
    prove(Some(&own), &event).await.refused(403, "this is for auditors");
    prove(Some(&auditor), "event=zz").await.refused(400, "event is the id of an AuditEvent");
    prove(Some(&auditor), "event=0000000000000001").await.refused(404, "not known here");
    prove(Some(&auditor), &format!("{event}&size=99999")).await.refused(400, "newest head");
    // Each of these looks is in the trail itself, those that were refused, too.
    let looks = city.get(&auditor, "AuditEvent?subtype=read&_count=50").await.expect(200).ids();
    assert_eq!(looks.len(), 9);
    let client = city.server.database.client().await;
    let edit = "UPDATE audit_record SET status = 500 WHERE interaction = 3";
    client.batch_execute(edit).await.unwrap();
    prove(Some(&auditor), &event).await.refused(409, "not as it was sealed");
}
