//! Statements: every parameter leads one that PostgreSQL takes, and the searches that people use most stay on their indexes.

use super::sample;
use crate::harness::{TestServer, options};
use city::City;
use serde_json::{Value, json};

#[tokio::test]
async fn every_parameter_leads_and_sorts_a_search_of_its_own() {
    let server = TestServer::start().await;
    let statement = server.get("metadata").await.expect(200).json();
    let mut searches = 0;
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let kind = resource["type"].as_str().unwrap();
        // The trail has a statement of its own.
        if kind == "AuditEvent" {
            continue;
        }
        for parameter in resource["searchParam"].as_array().unwrap() {
            let (name, of) =
                (parameter["name"].as_str().unwrap(), parameter["type"].as_str().unwrap());
            // Those of all types are asked of two.
            if name.starts_with('_') && !["Patient", "Basic"].contains(&kind) {
                continue;
            }
            let value = sample(name, of);
            let mut queries = vec![format!("{name}={value}&_total=accurate")];
            let is_words = ["_text", "_content"].contains(&name);
            if !["_id", "_lastUpdated"].contains(&name) && !is_words {
                queries.push(format!("{name}:missing=true&{name}={value}"));
            }
            if ["date", "number", "quantity"].contains(&of) {
                queries.push(format!("{name}=ge{value}&{name}=lt{value}"));
            }
            if !["composite", "special"].contains(&of) && !is_words && !name.starts_with("combo-") {
                queries.push(format!("{name}={value}&_sort=-{name}"));
            }
            for query in queries {
                server.get(&format!("{kind}?{query}")).await.expect(200);
                searches += 1;
            }
        }
    }
    assert!(searches > 3_000, "{searches}");
}

/// Buffers of 8 KiB that a search may touch in a city of 200 people, some 7,000 resources; a walk over the observations alone
/// would be many times as much.
#[tokio::test]
async fn the_most_used_searches_stay_on_their_indexes() {
    let server = TestServer::start().await;
    load(&server).await;
    let patient = server.get("Patient?_count=1&_sort=-_lastUpdated").await.json();
    let patient = &patient["entry"][0]["resource"];
    let id = patient["id"].as_str().unwrap();
    let identifier = patient["identifier"][0]["value"].as_str().unwrap();
    let value =
        server.get("Observation?value-quantity=gt0&_count=1&code:missing=false").await.json();
    let code =
        value["entry"][0]["resource"]["code"]["coding"][0]["code"].as_str().unwrap().to_owned();
    let appointment = server.get("Appointment?_count=1").await.json();
    let actors = appointment["entry"][0]["resource"]["participant"].as_array().unwrap().clone();
    let doctor = actors
        .iter()
        .filter_map(|actor| actor["actor"]["reference"].as_str())
        .find_map(|reference| reference.strip_prefix("Practitioner/"))
        .unwrap();
    let mut too_many = Vec::new();
    for (search, lead, buffers_max) in [
        (format!("Patient?identifier=urn:oid:2.16.156.10011.1.3|{identifier}"), "token", 30),
        // As it is written, and as a resident's number in the spelling that is kept.
        (format!("Patient?identifier={identifier}"), "keys", 30),
        (format!("Patient?_id={id}"), "id", 20),
        ("Patient?family=王".to_owned(), "text", 400),
        ("Patient?name=zhangwei".to_owned(), "text", 60),
        ("Patient?birthdate=1980-05-05&gender=male".to_owned(), "date", 30),
        (format!("Observation?patient={id}&code={code}&_sort=-date"), "patient", 120),
        (format!("Observation?patient={id}"), "patient", 200),
        (format!("Observation?code={code}&_sort=-date&_count=20"), "code", 120),
        (
            format!(
                "Observation?code={code}&value-quantity=gt1|http://unitsofmeasure.org|mmol/L&_count=20"
            ),
            "code and quantity",
            200,
        ),
        (format!("Observation?code={code}&date=ge2026-01-01&_sort=-date&_count=20"), "code", 200),
        ("Observation?status=final&_sort=-date&_count=20".to_owned(), "walk", 120),
        ("Observation?_sort=-_lastUpdated&_count=20".to_owned(), "walk", 60),
        (format!("Observation?patient.identifier={identifier}"), "chain", 200),
        (format!("Appointment?practitioner={doctor}&date=ge2016"), "actor and date", 200),
        (format!("Appointment?patient.identifier={identifier}"), "chain", 100),
        (format!("Encounter?patient={id}&date=ge2016"), "patient", 60),
        (format!("Condition?patient={id}&clinical-status=active"), "patient", 60),
        ("Condition?code:text=diab&_count=20".to_owned(), "text of a code", 200),
        ("Encounter?date=2026-01-05".to_owned(), "date", 60),
        (format!("MedicationRequest?patient={id}&status=active"), "patient", 60),
        ("Location?near=31.2|121.4|2|km".to_owned(), "position", 60),
    ] {
        let separator = if search.contains('?') { '&' } else { '?' };
        let explained =
            server.get(&format!("{search}{separator}_explain=true")).await.expect(200).json();
        let parameter = |name: &str| {
            let parameters = explained["parameter"].as_array().unwrap();
            parameters.iter().find(|parameter| parameter["name"] == name).unwrap().clone()
        };
        assert_eq!(parameter("lead")["part"][1]["valueString"], lead, "{search}");
        let buffers = parameter("buffers")["valueUnsignedInt"].as_u64().unwrap();
        if buffers > buffers_max {
            too_many.push(format!("{search}: {buffers} of {buffers_max}"));
        }
        let statement = parameter("statement")["valueString"].as_str().unwrap().to_owned();
        assert!(!statement.contains(identifier) && !statement.contains("zhang"), "{statement}");
    }
    assert!(too_many.is_empty(), "{too_many:#?}");
}

async fn load(server: &TestServer) {
    let groups: Vec<Vec<Value>> = City::new(1, 4).groups(200).collect();
    for slice in groups.concat().chunks(1_000) {
        server.post("", &city::bundle(slice.to_vec())).await.expect(200);
    }
    server.database.client().await.batch_execute("VACUUM ANALYZE").await.unwrap();
}

#[tokio::test]
async fn a_search_that_no_index_leads_is_refused_with_advice_and_drags_no_other() {
    let options = options(&[("BUND_DATABASE_WALK_TIMEOUT_MS", "100")]);
    let server = TestServer::start_with(options).await;
    server.create(&json!({ "resourceType": "Patient", "gender": "male" })).await;
    // What a lock keeps waiting stands for what takes too long.
    let mut client = server.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE observation").await.unwrap();
    let walks = (0..8).map(|_| server.get("Observation?status=amended"));
    let walks = futures_util::future::join_all(walks);
    let others = async {
        for _ in 0..20 {
            server.get("Patient?identifier=1").await.expect(200);
            server.get("Patient?_count=1").await.expect(200);
        }
    };
    let (walks, ()) = tokio::join!(walks, others);
    for walk in walks {
        walk.refused(403, "add one of these, which lead a search of Observation: _id, code, date");
        assert_eq!(walk.json()["issue"][0]["code"], "too-costly");
    }
    lock.rollback().await.unwrap();
    server.get("Observation?status=amended").await.expect(200);
}
