//! One hospital in a flood: it is told to come back later, and waits for itself; the others do not notice.

use crate::harness::{Answer, City};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};

/// Bounds on rates are as good as off.
const NO_RATES: [(&str, &str); 4] = [
    ("BUND_RATE_PRINCIPAL", "0"),
    ("BUND_RATE_CLIENT", "0"),
    ("BUND_RATE_HOSPITAL", "0"),
    ("BUND_RATE_ADDRESS", "0"),
];

/// What is sent until it is refused for being too many; how often it was not.
async fn until_refused<F: Future<Output = Answer>>(send: impl Fn() -> F, status: u16) -> u32 {
    let mut number = 0;
    loop {
        assert!(number < 1_000, "never refused");
        let answer = send().await;
        if answer.status == 429 {
            let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=3).contains(&wait), "{wait}");
            answer.refused(429, "too many requests");
            assert_eq!(answer.json()["issue"][0]["code"], "throttled");
            return number;
        }
        answer.expect(status);
        number += 1;
    }
}

fn of(city: &City, hospital: &str, subject: &str, client: &str) -> String {
    city.token(hospital, |claims| {
        claims["sub"] = json!(subject);
        claims["client_id"] = json!(client);
    })
}

#[tokio::test]
async fn dos_07_persons_clients_and_hospitals_have_rates_of_their_own() {
    for bound in ["BUND_RATE_PRINCIPAL", "BUND_RATE_CLIENT", "BUND_RATE_HOSPITAL"] {
        let mut settings = NO_RATES.to_vec();
        settings.retain(|(name, _)| *name != bound);
        settings.extend([(bound, "1"), ("BUND_RATE_BURST_SECONDS", "5")]);
        let city = City::start_with(&settings).await;
        let one = of(&city, "ha", "one", "ehr");
        let passed = until_refused(|| city.get(&one, "Patient/none"), 404).await;
        assert!(passed >= 5, "{bound}: {passed}");
        // Another person by the same client, by another, and of another hospital.
        for (hospital, client, meets) in [
            ("ha", "ehr", ["BUND_RATE_CLIENT", "BUND_RATE_HOSPITAL"].contains(&bound)),
            ("ha", "portal", bound == "BUND_RATE_HOSPITAL"),
            ("hb", "portal-b", false),
        ] {
            let other = of(&city, hospital, &format!("{hospital} {client}"), client);
            let mut passed = 0;
            for _ in 0..3 {
                passed += u32::from(city.get(&other, "Patient/none").await.status == 404);
            }
            // A second may have gone by, but not three.
            assert_eq!(passed == 3, !meets, "{bound}: {hospital} {client}");
        }
        let client = city.server.database.client().await;
        let row = client
            .query_one("SELECT count(*) FROM audit_record WHERE status = 429", &[])
            .await
            .unwrap();
        assert!((1..=3).contains(&row.get::<_, i64>(0)), "a flood is recorded once a second");
    }
}

#[tokio::test]
async fn dos_07_an_address_without_tokens_has_a_rate_and_tokens_come_through() {
    let mut settings = NO_RATES.to_vec();
    settings.retain(|(name, _)| *name != "BUND_RATE_ADDRESS");
    settings.extend([("BUND_RATE_ADDRESS", "1"), ("BUND_RATE_BURST_SECONDS", "2")]);
    settings.push(("BUND_TRUSTED_PROXIES", "127.0.0.1"));
    let city = City::start_with(&settings).await;
    let doctor = city.doctor("ha");
    until_refused(|| city.server.get("Patient"), 401).await;
    until_refused(|| city.get("no.such.token", "Patient"), 401).await;
    until_refused(|| city.server.get("metadata"), 200).await;
    for _ in 0..5 {
        city.get(&doctor, "Patient/none").await.expect(404);
    }
    let elsewhere = city.server.request("GET", "Patient").header("x-forwarded-for", "192.0.2.7");
    city.server.send(elsewhere).await.expect(401);
}

#[tokio::test]
async fn dos_07_the_entries_of_a_bundle_count() {
    let mut settings = NO_RATES.to_vec();
    settings.retain(|(name, _)| *name != "BUND_RATE_HOSPITAL");
    settings.extend([("BUND_RATE_HOSPITAL", "1"), ("BUND_RATE_BURST_SECONDS", "5")]);
    let city = City::start_with(&settings).await;
    let doctor = city.doctor("ha");
    let read = json!({ "request": { "method": "GET", "url": "Patient/none" } });
    let bundle = |entries: usize| json!({ "resourceType": "Bundle", "type": "batch", "entry": vec![read.clone(); entries] });
    city.post(&doctor, "", &bundle(9)).await.expect(200);
    city.post(&doctor, "", &bundle(600)).await.expect(200);
    let refused = city.get(&doctor, "Patient/none").await.expect(429);
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((45..=60).contains(&wait), "{wait}");
}

/// One hospital has all that it may have and more waits than may; another reads and writes as if it were alone. No clock is asked: what the
/// flood waits for is a lock that this test holds.
#[tokio::test]
async fn dos_07_a_flood_waits_for_itself() {
    let mut settings = NO_RATES.to_vec();
    settings.extend([
        ("BUND_DATABASE_CONNECTIONS_MAX", "4"),
        ("BUND_DATABASE_WAIT_TIMEOUT_MS", "120000"),
        ("BUND_DATABASE_STATEMENT_TIMEOUT_MS", "120000"),
        ("BUND_QUEUE_MAX", "8"),
    ]);
    let city = City::start_with(&settings).await;
    let (flooding, other) = (city.doctor("ha"), city.doctor("hb"));
    let practitioner = json!({ "resourceType": "Practitioner", "id": "hb-d1" });
    city.put(&other, &practitioner).await.expect(201);
    let mut holder = city.server.database.client().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE patient IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let mut flood: FuturesUnordered<_> =
        (0..100).map(|_| city.get(&flooding, "Patient?_id=ha-p1")).collect();
    // Three of four connections are its share, eight may wait.
    for _ in 0..89 {
        let refused = flood.next().await.unwrap();
        assert_eq!(refused.header("retry-after"), Some("2"));
        refused.refused(429, "of this hospital are waiting already");
    }
    for number in 0..20 {
        let mut changed = practitioner.clone();
        changed["active"] = json!(number % 2 == 0);
        city.put(&other, &changed).await.expect(200);
        city.get(&other, "Practitioner?_id=hb-d1").await.expect(200);
        city.get(&other, "Practitioner/hb-d1").await.expect(200);
    }
    // The flood may still read what is not locked, one by one: rows have connections of their own.
    city.get(&flooding, "Practitioner/hb-d1").await.expect(200);
    city.get(&flooding, "Practitioner?_id=hb-d1").await.expect(429);

    lock.rollback().await.unwrap();
    for _ in 0..11 {
        flood.next().await.unwrap().expect(200);
    }
    assert!(flood.next().await.is_none());
    city.get(&flooding, "Practitioner?_id=hb-d1").await.expect(200);
}

/// The entries of a batch go each through the queue, so that a large one is no way around it; and none waits for ever.
#[tokio::test]
async fn dos_07_a_batch_is_as_many_requests_as_it_has_entries() {
    let mut settings = NO_RATES.to_vec();
    settings.extend([
        ("BUND_DATABASE_CONNECTIONS_MAX", "1"),
        ("BUND_DATABASE_WAIT_TIMEOUT_MS", "200"),
        ("BUND_QUEUE_MAX", "2"),
    ]);
    let city = City::start_with(&settings).await;
    let doctor = city.doctor("ha");
    let search = json!({ "request": { "method": "GET", "url": "Patient?_id=ha-p1" } });
    let batch = json!({ "resourceType": "Bundle", "type": "batch", "entry": vec![search; 4] });
    let statuses = |answer: &Answer| {
        let bundle = answer.json();
        let entries = bundle["entry"].as_array().unwrap().iter();
        let status = |entry: &Value| entry["response"]["status"].as_str().unwrap()[..3].to_owned();
        let mut statuses: Vec<String> = entries.map(status).collect();
        statuses.sort();
        statuses
    };
    let mut holder = city.server.database.client().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE patient IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let held = city.get(&doctor, "Patient?_id=ha-p1");
    let mut held = Box::pin(held);
    // It has the connection once the database says that somebody waits for the lock.
    let waits =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'patient'::regclass";
    let watcher = city.server.database.client().await;
    for _ in 0..10_000 {
        let _ = futures_util::poll!(&mut held);
        if watcher.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let answered = city.post(&doctor, "", &batch).await.expect(200);
    assert_eq!(statuses(&answered), ["429", "429", "503", "503"]);
    lock.rollback().await.unwrap();
    held.await.expect(200);
    let one_by_one =
        json!({ "resourceType": "Bundle", "type": "batch", "entry": [batch["entry"][0]] });
    let answered = city.post(&doctor, "", &one_by_one).await.expect(200);
    assert_eq!(statuses(&answered), ["200"]);
}
