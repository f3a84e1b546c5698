//! The walls of the database itself, with those of the statements taken away (docs/decisions/0015-walls-in-the-database.md).

use crate::harness::{City, TestServer, observation, patient, settings};
use access::scope::parse_all;
use access::{Agent, Caller, Grant, HospitalId, Interaction, Purposes, Token, Wish, decide};
use audit::record::Record;
use jiff::tz::TimeZone;
use metrics_exporter_prometheus::PrometheusBuilder;
use search::extract::Extractor;
use search::plan::{Plan, plan};
use search::query::{Codes, Context, Query, Unknown};
use search::reader::Reader;
use search::render::{Window, count, page};
use search::veil::Veil;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::Store;
use store::clock::now_micros;
use store::error::Error;
use store::row::Method;
use store::write::stage::{Previous, Put, Staged, shard_of};
use tokio_postgres::types::ToSql;

/// Of a server that asks nobody who calls: its statements have no walls.
pub(crate) fn unwalled(hospital: i32) -> Grant {
    let wish = Wish::new(Interaction::Search, None);
    decide(&Caller::local(HospitalId(hospital)), &wish).unwrap()
}

/// Who reads with this token.
pub(crate) fn reader(token: Token) -> Reader {
    let scopes = parse_all("user/*.rs patient/*.rs");
    let token = Token { scopes, now_micros: now_micros(), ..token };
    let wish = Wish::new(Interaction::Search, Some("Observation"));
    Reader::of(&decide(&Caller::of_token(token, Agent::default()), &wish).unwrap())
}

/// Of who is at a hospital.
pub(crate) fn at(hospital: i32, purposes: Purposes) -> Token {
    let hospital = access::Hospital { id: HospitalId(hospital), prefix: String::new() };
    Token { hospital: Some(hospital), purposes, ..Token::default() }
}

/// A search for all of a type, without walls.
fn everything(kind: &str) -> Plan {
    let table = schema::resource::find(kind).unwrap();
    let codes = Codes::new();
    let context = Context {
        base_url: "",
        time_zone: &TimeZone::UTC,
        now_micros: 0,
        unknown: Unknown::Refuse,
        codes: &codes,
        custom: Arc::default(),
        veil: &Veil::new(b""),
    };
    let query = Query::parse(table.resource, &[], &context).unwrap();
    plan(&query, &unwalled(1)).unwrap()
}

/// What the database shows this reader of a type, as `Type/id`.
pub(crate) async fn shown(
    store: &Store,
    kind: &str,
    reader: &Reader,
) -> Result<BTreeSet<String>, Error> {
    let plan = everything(kind);
    let sql = page(&plan, &Window::all(1_000)).read_by(reader.clone());
    let found = store.find(plan.table(), &sql).await?;
    let names: BTreeSet<String> = found.describe(|found| {
        found.matches.iter().map(|found| format!("{kind}/{}", found.version.id)).collect()
    });
    let counted = store.count(&count(&plan).read_by(reader.clone())).await?;
    assert_eq!(counted.describe(|count| *count), i64::try_from(names.len()).unwrap(), "{kind}");
    Ok(names)
}

/// Two hospitals, each with a patient, an observation of it, and one that was changed.
async fn two_hospitals() -> (City, Store) {
    let city = City::start().await;
    for code in ["ha", "hb"] {
        let token = city.doctor(code);
        let mut resource = patient(code);
        resource["id"] = json!(format!("{code}-p"));
        city.put(&token, &resource).await.expect(201);
        let mut resource = observation(&format!("Patient/{code}-p"));
        resource["id"] = json!(format!("{code}-o"));
        city.put(&token, &resource).await.expect(201);
        resource["status"] = json!("amended");
        city.put(&token, &resource).await.expect(200);
        let location =
            json!({ "resourceType": "Location", "id": format!("{code}-l"), "name": code });
        city.put(&token, &location).await.expect(201);
    }
    let store = Store::open(&settings(&city.server.database.url)).await.unwrap();
    (city, store)
}

#[tokio::test]
async fn sql_02_statements_without_walls_find_nothing_of_other_hospitals() {
    let (city, store) = two_hospitals().await;
    let hospitals = store.hospitals().await.unwrap();
    let treats = reader(at(hospitals["hb"], Purposes::TREATMENT));
    let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let of = async |kind: &str, reader: &Reader| shown(&store, kind, reader).await.unwrap();
    assert_eq!(of("Observation", &treats).await, only(&["Observation/hb-o"]));
    assert_eq!(of("Patient", &treats).await, only(&["Patient/hb-p"]));
    let both = only(&["Location/ha-l", "Location/hb-l"]);
    assert_eq!(of("Location", &treats).await, both, "directories are everybody's");
    assert_eq!(of("Observation", &Reader::Nobody).await, only(&[]));
    let own = reader(Token { patient: Some("ha-p".to_owned()), ..Token::default() });
    assert_eq!(of("Observation", &own).await, only(&["Observation/ha-o"]));
    assert_eq!(of("Patient", &own).await, only(&["Patient/ha-p"]));

    // Care opens what is not labelled, of the versions that were before, too.
    let care = json!({
        "resourceType": "Encounter", "id": "hb-e", "status": "in-progress",
        "class": { "system": "urn:a", "code": "AMB" }, "subject": { "reference": "Patient/ha-p" },
    });
    city.put(&city.doctor("hb"), &care).await.expect(201);
    let treats = reader(at(hospitals["hb"], Purposes::TREATMENT));
    let both = only(&["Observation/ha-o", "Observation/hb-o"]);
    assert_eq!(of("Observation", &treats).await, both);
    let idle = reader(at(hospitals["hb"], Purposes::default()));
    assert_eq!(of("Observation", &idle).await, only(&["Observation/hb-o"]));
    let third = reader(at(hospitals["hc"], Purposes::TREATMENT));
    assert_eq!(of("Observation", &third).await, only(&[]));
    assert_eq!(past(&city, &treats).await, ["ha-o", "hb-o"]);
    assert_eq!(past(&city, &idle).await, ["hb-o"]);
    assert_eq!(past(&city, &Reader::Nobody).await, Vec::<String>::new());
    let withdrawn =
        Token { withdrawn: vec![hospitals["ha"]], ..at(hospitals["hb"], Purposes::TREATMENT) };
    assert_eq!(of("Observation", &reader(withdrawn)).await, only(&["Observation/hb-o"]));
}

/// Old versions that a reader is shown.
async fn past(city: &City, reader: &Reader) -> Vec<String> {
    let mut client = city.server.database.server_client().await;
    let transaction = client.transaction().await.unwrap();
    let said = "SELECT set_config('bund.reader', $1, true)";
    transaction.query_one(said, &[&reader.text()]).await.unwrap();
    let rows = transaction.query("SELECT id FROM open.history ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn sql_02_who_says_nothing_sees_and_changes_nothing() {
    let (city, _) = two_hospitals().await;
    let client = city.server.database.server_client().await;
    for table in
        ["patient", "observation", "history", "open.patient", "open.observation", "open.history"]
    {
        let rows = client.query(&format!("SELECT FROM {table}"), &[]).await.unwrap();
        assert_eq!(rows.len(), 0, "{table}");
    }
    for change in ["UPDATE patient SET labels = 0", "DELETE FROM history", "DELETE FROM location"] {
        assert_eq!(client.execute(change, &[]).await.unwrap(), 0, "{change}");
    }
}

#[tokio::test]
async fn sql_02_nothing_is_written_for_another_hospital() {
    let (city, store) = two_hospitals().await;
    let hospitals = store.hospitals().await.unwrap();
    let (own, other) = (hospitals["ha"], hospitals["hb"]);
    let mut client = city.server.database.server_client().await;
    let copy = "INSERT INTO location SELECT 'x', shard, -version_key, version, key, $1, labels, patient, code, code2, \
                date_low, date_high, quantity, number, present, tokens, filters, method, dictionary, body \
                FROM location";
    type Change<'a> = (&'a str, &'a [&'a (dyn ToSql + Sync)], Result<u64, ()>);
    let changes: [Change<'_>; 6] = [
        ("UPDATE patient SET labels = 0", &[], Ok(1)),
        ("DELETE FROM observation", &[], Ok(1)),
        ("DELETE FROM history", &[], Ok(1)),
        ("UPDATE patient SET hospital = $1", &[&other], Err(())),
        (copy, &[&own], Ok(1)),
        (copy, &[&other], Err(())),
    ];
    for (change, values, expected) in changes {
        let transaction = client.transaction().await.unwrap();
        let said = "SELECT set_config('bund.hospital', $1, true)";
        transaction.query_one(said, &[&own.to_string()]).await.unwrap();
        let outcome = transaction.execute(change, values).await;
        let text = outcome.as_ref().err().map(|error| format!("{error:?}")).unwrap_or_default();
        assert_eq!(outcome.is_err(), text.contains("row-level security"), "{change}: {text}");
        assert_eq!(outcome.map_err(|_| ()), expected, "{change}");
        transaction.rollback().await.unwrap();
    }
}

/// Counts what happens on this thread, apart from the servers of other tests.
macro_rules! counted {
    ($work:expr) => {{
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let guard = metrics::set_default_local_recorder(&recorder);
        let outcome = $work;
        drop(guard);
        (outcome, handle.render())
    }};
}

#[tokio::test]
async fn authz_02_a_row_that_should_not_be_there_is_stopped_and_counted() {
    let (city, store) = two_hospitals().await;
    let hospitals = store.hospitals().await.unwrap();
    let treats = reader(at(hospitals["hb"], Purposes::default()));
    let owner = city.server.database.client().await;
    let broken = "CREATE OR REPLACE VIEW open.observation AS SELECT xmin, * FROM observation";
    owner.batch_execute(broken).await.unwrap();
    let (outcome, told) = counted!(shown(&store, "Observation", &treats).await);
    let error = outcome.unwrap_err();
    assert!(matches!(&error, Error::Mismatch(what) if what.contains("Observation")), "{error}");
    assert!(told.contains("bund_access_mismatches_total 1"), "{told}");
    // The statement's own wall still holds.
    city.get(&city.doctor("hb"), "Observation/ha-o").await.expect(404);
    city.get(&city.doctor("hb"), "Observation/hb-o").await.expect(200);
}

#[tokio::test]
async fn authz_02_a_write_for_another_hospital_is_stopped_and_counted() {
    let server = TestServer::start().await;
    let store = Store::open(&settings(&server.database.url)).await.unwrap();
    let own = store.register_hospital("own").await.unwrap();
    let other = store.register_hospital("other").await.unwrap();
    let staged = |hospital: i32| {
        let mut resource = patient("Han");
        resource["id"] = json!(format!("p{hospital}"));
        Staged { puts: vec![first(&resource, hospital, &store)], ..Staged::default() }
    };
    let grant = unwalled(own);
    let records: [Record; 0] = [];
    let transaction = store.transaction(&grant, 0).await.unwrap();
    transaction.commit(&staged(own), &records).await.unwrap();
    let transaction = store.transaction(&grant, 0).await.unwrap();
    let (outcome, told) = counted!(transaction.commit(&staged(other), &records).await);
    assert!(matches!(outcome, Err(Error::Mismatch(_))), "{outcome:?}");
    assert!(told.contains("bund_access_mismatches_total 1"), "{told}");
    server.get(&format!("Patient/p{own}")).await.expect(200);
    server.get(&format!("Patient/p{other}")).await.expect(404);
}

fn first(resource: &Value, hospital: i32, store: &Store) -> Put {
    let table = schema::resource::find("Patient").unwrap();
    let id = resource["id"].as_str().unwrap().to_owned();
    let shard = shard_of(&id);
    Put {
        table,
        shard,
        key: search::key::resource_key("Patient", &id),
        version: 1,
        version_key: store.clock().next(0),
        hospital,
        entries: Extractor::new("", TimeZone::UTC, Arc::new(Veil::new(b"")))
            .stored(resource, hospital)
            .unwrap(),
        kept_labels: 0,
        method: Method::Put,
        json: resource.to_string().into_bytes(),
        previous: Previous::Nothing,
        id,
    }
}

/// The views of what everybody reads ask nobody who it is; all others do.
#[tokio::test]
async fn sql_02_what_is_about_no_patient_is_everybodys_and_nothing_else() {
    let server = TestServer::start().await;
    let client = server.database.client().await;
    let text = "SELECT viewname::text, definition FROM pg_views WHERE schemaname = 'open'";
    let views = client.query(text, &[]).await.unwrap();
    assert_eq!(views.len(), schema::resource::TABLES.len() + 1);
    for view in views {
        let (name, definition): (String, String) = (view.get(0), view.get(1));
        let is_walled = definition.contains("is_open_to(");
        let table =
            schema::resource::TABLES.iter().find(|table| table.name.trim_matches('"') == name);
        match table {
            Some(table) => assert_eq!(is_walled, !access::is_public(table.resource), "{name}"),
            None => {
                let public = schema::resource::TABLES
                    .iter()
                    .filter(|table| access::is_public(table.resource));
                let codes: Vec<String> = public.map(|table| table.code.to_string()).collect();
                assert!(
                    name == "history" && is_walled && definition.contains(&codes.join(",")),
                    "{definition}"
                );
            }
        }
    }
}
