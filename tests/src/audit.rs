//! Nothing happens without its record, and no answer leaves before it.

mod patterns;

use crate::harness::{City, TestServer, entry, observation, patient, transaction};
use serde_json::{Value, json};
use std::time::Duration;

/// Interaction code and status of each record, oldest first.
async fn records(server: &TestServer) -> Vec<(i16, i16)> {
    let client = server.database.client().await;
    let rows = client
        .query("SELECT interaction, status FROM audit_record ORDER BY id", &[])
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn every_interaction_leaves_its_audit_record() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Audit")).await;
    server.get(&address).await.expect(200);
    server.get(&format!("{address}/_history/1")).await.expect(200);
    server.get(&format!("{address}/_history")).await.expect(200);
    server.get("Patient/_history").await.expect(200);
    server.get("_history").await.expect(200);
    server.get("Patient?identifier=Audit").await.expect(200);
    server.get("Patient?identifier=nobody").await.expect(200);
    server.get("Patient/nobody").await.expect(404);
    let mut resource = server.get(&address).await.json();
    resource["gender"] = "other".into();
    server.put(&address, &resource).await.expect(200);
    server.delete(&address).await.expect(204);
    let bundle = transaction(vec![
        entry("POST", "Patient", Some(patient("Two"))),
        entry("GET", "Patient?identifier=Two", None),
    ]);
    server.post("", &bundle).await.expect(200);
    let expected = [
        (9, 201),
        (1, 200),
        (2, 200),
        (6, 200),
        (7, 200),
        (8, 200),
        (10, 200),
        (10, 200),
        (1, 404),
        (1, 200),
        (3, 200),
        (5, 204),
        (9, 201),
        (10, 200),
    ];
    assert_eq!(records(&server).await, expected);
}

#[tokio::test]
async fn aud_02_a_search_leaves_a_record_a_patient() {
    let server = TestServer::start().await;
    for family in ["One", "Two", "Three"] {
        let address = server.create(&patient(family)).await;
        server.create(&observation(&address)).await;
        server.create(&observation(&address)).await;
    }
    server.get("Observation?status=final").await.expect(200);
    let client = server.database.client().await;
    let text = "SELECT count(*), count(DISTINCT patient), count(DISTINCT request), min(query) FROM audit_record WHERE interaction = 10";
    let row = client.query_one(text, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (3, 3, 1));
    assert_eq!(row.get::<_, &str>(3), "status=final");
}

#[tokio::test]
async fn an_answer_waits_for_its_audit_record() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Wait")).await;
    let mut client = server.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut read = Box::pin(server.get(&address));
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut read).await;
    assert!(waited.is_err(), "answered without a record: {waited:?}");
    lock.rollback().await.unwrap();
    read.await.expect(200);
}

#[tokio::test]
async fn aud_06_without_a_trail_there_is_no_answer_and_no_change() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Gone")).await;
    let client = server.database.client().await;
    client.batch_execute("ALTER TABLE audit_record RENAME TO elsewhere").await.unwrap();
    server.get(&address).await.refused(503, "not available");
    server.post("Patient", &patient("Lost")).await.refused(503, "not available");
    client.batch_execute("ALTER TABLE elsewhere RENAME TO audit_record").await.unwrap();
    server.get(&address).await.expect(200);
    assert!(server.get("Patient?identifier=Lost").await.expect(200).ids().is_empty());
}

/// A token of one who reads the trail.
fn auditor(city: &City) -> String {
    city.token("ha", |claims| {
        claims["sub"] = json!("auditor");
        claims["scope"] = json!("user/AuditEvent.rs");
        claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": "auditor" }] });
    })
}

async fn events(city: &City, token: &str, search: &str) -> Vec<Value> {
    let bundle = city.get(token, &format!("AuditEvent?{search}")).await.expect(200).json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|entry| entry["resource"].clone()).collect()
}

/// The patients that events are about, sorted.
fn about(events: &[Value]) -> Vec<String> {
    let entities = events.iter().flat_map(|event| event["entity"].as_array().unwrap());
    let patients = entities.filter(|entity| entity["type"]["code"] == "1");
    let mut ids: Vec<String> =
        patients.map(|entity| entity["what"]["reference"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

async fn ward() -> City {
    let city = City::start().await;
    let doctor = city.doctor("ha");
    for id in ["ha-p1", "ha-p2", "ha-p3"] {
        let patient = json!({ "resourceType": "Patient", "id": id });
        city.put(&doctor, &patient).await.expect(201);
        let mut observation = observation(&format!("Patient/{id}"));
        observation["id"] = json!(format!("{id}-o"));
        city.put(&doctor, &observation).await.expect(201);
    }
    city
}

#[tokio::test]
async fn aud_02_a_search_is_an_event_for_each_patient_it_touched() {
    let city = ward().await;
    let (doctor, auditor) = (city.doctor("ha"), auditor(&city));
    city.get(&doctor, "Observation?_id=ha-p1-o,ha-p2-o").await.expect(200);
    let found = events(&city, &auditor, "subtype=search-type&entity=nothing").await;
    assert_eq!(found.len(), 0);
    let found = events(&city, &auditor, "subtype=search-type").await;
    assert_eq!(about(&found), ["Patient/ha-p1", "Patient/ha-p2"]);
    let event = found.iter().find(|event| event["entity"][2].is_object()).unwrap();
    assert_eq!(event["entity"][1]["description"], "Observation?_id=ha-p1-o,ha-p2-o");
    assert_eq!(event["agent"][2]["who"]["display"], "王医生");
    assert_eq!(event["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
    assert!(event["recorded"].as_str().unwrap().ends_with("+08:00"));
    // One that finds nothing is an event, too.
    city.get(&doctor, "Observation?_id=none").await.expect(200);
    let after = events(&city, &auditor, "action=E").await;
    let is_vain = |event: &&Value| event["entity"][1]["description"] == "Observation?_id=none";
    assert_eq!(after.iter().filter(is_vain).count(), 1);
}

/// Without a patient, and about one: every interaction that has a pattern.
#[tokio::test]
async fn aud_01_events_keep_to_the_patterns() {
    let city = ward().await;
    let (doctor, auditor) = (city.doctor("ha"), auditor(&city));
    let patch = |token: &str, path: &str, body: &Value| {
        let request = city.server.request("PATCH", path).bearer_auth(token);
        let request = request.header("content-type", "application/json-patch+json");
        city.server.send(request.body(body.to_string()))
    };
    let mut observed = observation("Patient/ha-p1");
    observed["id"] = json!("ha-o9");
    let practitioner = json!({ "resourceType": "Practitioner", "id": "ha-d1", "gender": "other" });
    for (resource, member, values) in [
        (practitioner, "gender", ["male", "female"]),
        (observed, "status", ["amended", "corrected"]),
    ] {
        let kind = resource["resourceType"].as_str().unwrap();
        let place = format!("{kind}/{}", resource["id"].as_str().unwrap());
        city.put(&doctor, &resource).await.expect(201);
        let mut another = resource.clone();
        another.as_object_mut().unwrap().remove("id");
        city.post(&doctor, kind, &another).await.expect(201);
        city.get(&doctor, &place).await.expect(200);
        city.get(&doctor, &format!("{place}/_history/1")).await.expect(200);
        let mut changed = resource.clone();
        changed[member] = json!(values[0]);
        city.put(&doctor, &changed).await.expect(200);
        let replace =
            json!([{ "op": "replace", "path": format!("/{member}"), "value": values[1] }]);
        patch(&doctor, &place, &replace).await.expect(200);
        let name = resource["id"].as_str().unwrap();
        city.get(&doctor, &format!("{kind}?_id={name}")).await.expect(200);
        city.get(&doctor, &format!("?_type={kind}&_id={name}")).await.expect(200);
        city.delete(&doctor, &place).await.expect(204);
    }
    let mut kept: Vec<String> = Vec::new();
    for event in events(&city, &auditor, "_count=1000&outcome=0").await {
        let code = event["subtype"][0]["code"].as_str().unwrap();
        let profile = event["meta"]["profile"][0].as_str().unwrap_or_default();
        let pattern = profile.rsplit('.').next().unwrap_or_default();
        assert_eq!(patterns::lacks(&event), Vec::<String>::new(), "{event:#}");
        kept.push(format!("{pattern} {code}"));
    }
    kept.sort();
    kept.dedup();
    let mut expected: Vec<String> = Vec::new();
    for (pattern, codes) in [
        ("Create", &["create"][..]),
        ("Read", &["read", "vread"]),
        ("Update", &["update", "patch"]),
        ("Delete", &["delete"]),
        ("Query", &["search-type", "search-system"]),
    ] {
        for code in codes {
            expected.extend([format!("{pattern} {code}"), format!("Patient{pattern} {code}")]);
        }
    }
    expected.sort();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn aud_01_what_an_event_lacks_is_seen() {
    let city = ward().await;
    city.get(&city.doctor("ha"), "Patient/ha-p1").await.expect(200);
    let event = events(&city, &auditor(&city), "subtype=read").await.remove(0);
    assert_eq!(patterns::lacks(&event), Vec::<String>::new());
    let without = |pointer: &str, member: &str| {
        let mut event = event.clone();
        event.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(member);
        patterns::lacks(&event)
    };
    assert_eq!(without("/agent/0", "network"), ["network of the client"]);
    assert_eq!(without("/agent/1", "network"), ["network of the server"]);
    assert!(without("/entity/1", "what").contains(&"what".to_owned()));
    assert!(without("/entity/2", "type").contains(&"one patient, or none".to_owned()));
    assert!(without("", "outcome").contains(&"outcome 0".to_owned()));
}

/// The address that the event of a read has, and the id that was answered, unless it is that of the event.
async fn origin(city: &City, headers: &[(&'static str, &str)]) -> [Value; 2] {
    let mut request = city.server.request("GET", "Patient/ha-p1").bearer_auth(city.doctor("ha"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = city.server.send(request).await.expect(200);
    let event = events(city, &auditor(city), "subtype=read&_count=1").await.remove(0);
    let request = &event["entity"][0];
    assert_eq!(event["agent"][0]["network"]["type"], "2");
    let shown = answer.header("x-request-id").unwrap();
    let is_ours = request["what"]["identifier"]["value"] == shown;
    let shown = if is_ours { "ours" } else { shown };
    [event["agent"][0]["network"]["address"].clone(), json!(shown)]
}

#[tokio::test]
async fn aud_17_nobody_but_a_trusted_proxy_says_who_called() {
    let city = ward().await;
    let claims = [
        ("x-forwarded-for", "192.0.2.7"),
        ("forwarded", "for=192.0.2.8"),
        ("x-request-id", "visit-7"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    assert_eq!(origin(&city, &claims).await, [json!("127.0.0.1"), json!("ours")]);
}

#[tokio::test]
async fn aud_17_a_trusted_proxy_says_who_called_and_how_the_request_is_called() {
    let city = City::start_with(&[("BUND_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8")]).await;
    let patient = json!({ "resourceType": "Patient", "id": "ha-p1" });
    city.put(&city.doctor("ha"), &patient).await.expect(201);
    let claims = [
        ("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.1.1.1"),
        ("forwarded", "for=192.0.2.8"),
        ("x-request-id", "visit-7"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let expected = [json!("192.0.2.7"), json!("visit-7")];
    assert_eq!(origin(&city, &claims).await, expected);
    // What is malformed is as if it were not there.
    let claims = [("x-forwarded-for", "nobody"), ("x-request-id", "a b"), ("traceparent", "00")];
    assert_eq!(origin(&city, &claims).await, [json!("127.0.0.1"), json!("ours")]);
}

#[tokio::test]
async fn aud_03_what_comes_along_is_touched() {
    let city = ward().await;
    let (doctor, auditor) = (city.doctor("ha"), auditor(&city));
    city.get(&doctor, "Patient?_id=ha-p1&_revinclude=Observation:patient").await.expect(200);
    city.get(&doctor, "Patient/ha-p2/$everything").await.expect(200);
    assert_eq!(about(&events(&city, &auditor, "subtype=search-type").await), ["Patient/ha-p1"]);
    assert_eq!(about(&events(&city, &auditor, "subtype=operation").await), ["Patient/ha-p2"]);
}

#[tokio::test]
async fn aud_07_a_look_at_the_trail_is_recorded_once() {
    let city = ward().await;
    let auditor = auditor(&city);
    let count = async || {
        let client = city.server.database.client().await;
        let row = client
            .query_one("SELECT count(DISTINCT request) FROM audit_record", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0)
    };
    let before = count().await;
    let found = events(&city, &auditor, "_count=2").await;
    assert_eq!((found.len(), count().await), (2, before + 1));
    let id = found[0]["id"].as_str().unwrap();
    let read = city.get(&auditor, &format!("AuditEvent/{id}")).await.expect(200).json();
    assert_eq!((read, count().await), (found[0].clone(), before + 2));
}

#[tokio::test]
async fn aud_14_patients_see_who_looked_at_their_record() {
    let city = ward().await;
    let other = city.doctor("ha");
    city.get(&other, "Observation?_id=ha-p1-o,ha-p2-o").await.expect(200);
    let own = city.patient("ha-p1", "patient/AuditEvent.rs");
    for search in ["", "patient=Patient/ha-p1", "action=E"] {
        let found = events(&city, &own, search).await;
        assert!(!found.is_empty(), "{search}");
        let mut about = about(&found);
        about.dedup();
        assert_eq!(about, ["Patient/ha-p1"], "{search}");
    }
    assert_eq!(events(&city, &own, "patient=ha-p2").await.len(), 0);
    let found = events(&city, &auditor(&city), "patient=ha-p2&_count=1").await;
    let foreign = format!("AuditEvent/{}", found[0]["id"].as_str().unwrap());
    city.get(&own, &foreign).await.expect(404);
    // Who treats does not read the trail, whatever the scope.
    let doctor = city.with_scope("ha", "user/AuditEvent.rs user/*.cruds");
    city.get(&doctor, "AuditEvent").await.expect(403);
    city.get(&city.patient("ha-p1", "patient/*.rs"), "AuditEvent").await.expect(403);
}

#[tokio::test]
async fn the_trail_is_written_by_the_server_alone() {
    let city = ward().await;
    let auditor = city.token("ha", |claims| {
        claims["scope"] = json!("user/AuditEvent.cruds");
        claims["extensions"]["ihe_iua"] = json!({ "subject_role": [{ "code": "auditor" }] });
    });
    let found = events(&city, &auditor, "_count=1").await;
    city.put(&auditor, &found[0]).await.expect(405);
    city.post(&auditor, "AuditEvent", &found[0]).await.expect(405);
    let id = found[0]["id"].as_str().unwrap();
    city.delete(&auditor, &format!("AuditEvent/{id}")).await.expect(405);
    city.get(&auditor, &format!("AuditEvent/{id}/_history")).await.expect(405);
    let bundle = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [
        { "resource": found[0], "request": { "method": "POST", "url": "AuditEvent" } },
    ] });
    city.post(&auditor, "", &bundle).await.expect(405);
    city.get(&auditor, "AuditEvent?colour=red").await.expect(400);
    city.get(&auditor, "AuditEvent/zz").await.expect(404);
    // Page by page, each once.
    let mut seen = Vec::new();
    let mut next = Some("AuditEvent?_count=4&date=ge2026&action=C".to_owned());
    while let Some(path) = next {
        let page = city.get(&auditor, &path).await.expect(200);
        seen.extend(page.ids());
        next = page.next();
    }
    let number = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), number), (number, number));
}

#[tokio::test]
async fn aud_08_moments_are_of_a_clock_that_is_compared() {
    let city = ward().await;
    let page = city.server.get_outside("metrics").await.expect(200).text;
    let line = page.lines().find(|line| line.starts_with("bund_clock_offset_seconds ")).unwrap();
    let offset: f64 = line.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(offset.abs() < 1.0, "{line}");
    let seen = events(&city, &auditor(&city), "patient=Patient/ha-p1").await;
    assert!(!seen.is_empty());
    for event in seen {
        let recorded = event["recorded"].as_str().unwrap();
        assert!(recorded.ends_with("+08:00"), "{recorded}");
    }
}
