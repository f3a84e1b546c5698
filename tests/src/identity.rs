//! Issuers, clients and hospitals as data: what changes in the database changes on every replica.

use crate::harness::{Callers, Database, Issuer, Serving, TestServer, options, settings};
use server::identity::{Identity, ORGANISATION_CLAIM, Refusal, Replays, Shown};
use server::settings as server_settings;
use std::time::Duration;
use store::Store;
use store::registry::{Client, Error, Existing, Hospital, Issuer as Registered};

const BASE: &str = "https://fhir.hub.example/fhir";

fn hospital(code: &str) -> Hospital {
    Hospital {
        id: 0,
        code: code.to_owned(),
        name: format!("Hospital {code}"),
        identifier: Some(format!("urn:oid:1.2.{code}")),
        prefix: Some(format!("{code}-")),
        is_enabled: true,
    }
}

fn issuer(iss: &str, hospitals: Vec<i32>) -> Registered {
    Registered {
        iss: iss.to_owned(),
        name: "city".to_owned(),
        jwks_uri: None,
        algorithms: vec!["ES256".to_owned()],
        audience: Vec::new(),
        levels: ["patient", "user"].map(str::to_owned).to_vec(),
        max_lifetime: 3_600,
        organisation_claim: ORGANISATION_CLAIM.to_owned(),
        is_broker: false,
        is_enabled: true,
        hospitals,
    }
}

fn client(iss: &str, id: &str) -> Client {
    Client {
        iss: iss.to_owned(),
        client_id: id.to_owned(),
        hospital: None,
        may_assert_purpose: false,
        require_bound: false,
        is_enabled: true,
    }
}

/// What a replica has: the registry, followed.
async fn replica(store: &Store) -> Identity {
    let settings = server_settings::Identity {
        allow_http_loopback: true,
        ..server_settings::Identity::default()
    };
    let registry = store.registry().await.unwrap();
    let replays = Replays::Shared(store.clone());
    let identity = Identity::new(&settings, BASE, registry, replays).unwrap();
    tokio::spawn(identity.clone().follow(store.clone()));
    identity
}

/// Waits until the replica answers so, for as long as a change may take.
async fn becomes(identity: &Identity, token: &str, expected: Result<(), Refusal>) {
    let authorization = format!("Bearer {token}");
    let authorization = [authorization.as_str()];
    let shown = Shown { authorization: &authorization, ..Shown::default() };
    let agrees = async {
        while identity.verify(&shown).await.map(|_| ()) != expected {
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(5), agrees).await;
    assert!(outcome.is_ok(), "not {expected:?} within 5 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn tok_20_the_registry_is_data() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    assert_eq!(store.registry().await.unwrap(), store::registry::Registry::default());

    let a = store.save_hospital(&hospital("a"), Existing::Refuse).await.unwrap();
    let b = store.save_hospital(&hospital("b"), Existing::Refuse).await.unwrap();
    assert_eq!((a, b, store.register_hospital("c").await.unwrap()), (1, 2, 3));
    let again = store.save_hospital(&hospital("a"), Existing::Refuse).await.unwrap_err();
    assert_eq!(again.to_string(), "hospital a is registered already; --replace changes it");
    let renamed = Hospital { name: "other".to_owned(), ..hospital("a") };
    assert_eq!(store.save_hospital(&renamed, Existing::Replace).await.unwrap(), 1);
    // No two are called the same, by whichever of their names.
    let called = |code: &str, identifier: &str| Hospital {
        identifier: Some(identifier.to_owned()),
        prefix: None,
        ..hospital(code)
    };
    for taken in [called("d", "a"), called("urn:oid:1.2.a", "x"), called("d", "urn:oid:1.2.a")] {
        let error = store.save_hospital(&taken, Existing::Refuse).await.unwrap_err();
        assert!(matches!(error, Error::Taken(_)), "{error}");
    }

    let iss = "https://id.hub.example";
    let error = store.save_client(&client(iss, "ehr"), Existing::Refuse).await.unwrap_err();
    assert_eq!(error.to_string(), "issuer https://id.hub.example is not registered");
    store.save_issuer(&issuer(iss, vec![b, a, a]), Existing::Refuse).await.unwrap();
    let error = store.save_issuer(&issuer(iss, vec![]), Existing::Refuse).await.unwrap_err();
    assert!(matches!(error, Error::Known { .. }), "{error}");
    store.save_client(&client(iss, "ehr"), Existing::Refuse).await.unwrap();
    store.enable_client(iss, "ehr", false).await.unwrap();
    store.enable_hospital("b", false).await.unwrap();
    let registry = store.registry().await.unwrap();
    assert_eq!(registry.issuers, [issuer(iss, vec![a, b])], "as it was before what was refused");
    assert_eq!(registry.clients, [Client { is_enabled: false, ..client(iss, "ehr") }]);
    assert_eq!(registry.hospitals[0].name, "other");
    assert_eq!(
        registry.hospitals.iter().map(|it| it.is_enabled).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(store.enable_hospital("x", true).await.is_err());
    assert!(store.enable_issuer("https://id.hub.example/", true).await.is_err());

    let broker = Registered { is_broker: true, ..issuer(iss, vec![]) };
    store.save_issuer(&broker, Existing::Replace).await.unwrap();
    assert_eq!(store.registry().await.unwrap().issuers, [broker]);
    store.remove_issuer(iss).await.unwrap();
    let registry = store.registry().await.unwrap();
    assert!(registry.issuers.is_empty() && registry.clients.is_empty());
    assert!(store.remove_issuer(iss).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tok_25_what_is_disabled_is_so_on_all_replicas_within_five_seconds() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let signs = Issuer::start().await;
    let a = store.save_hospital(&hospital("a"), Existing::Refuse).await.unwrap();
    let replicas = [replica(&store).await, replica(&store).await];
    let token = signs.mint(&signs.claims(BASE, "a"));
    let everywhere = async |expected: Result<(), Refusal>| {
        for replica in &replicas {
            becomes(replica, &token, expected).await;
        }
    };
    let iss = &signs.iss;
    everywhere(Err(Refusal::Unauthenticated("unknown issuer"))).await;
    store.save_issuer(&issuer(iss, vec![a]), Existing::Refuse).await.unwrap();
    everywhere(Ok(())).await;
    store.save_client(&client(iss, "ehr"), Existing::Refuse).await.unwrap();
    store.enable_client(iss, "ehr", false).await.unwrap();
    everywhere(Err(Refusal::Unauthenticated("client disabled"))).await;
    store.enable_client(iss, "ehr", true).await.unwrap();
    everywhere(Ok(())).await;
    store.enable_hospital("a", false).await.unwrap();
    everywhere(Err(Refusal::Forbidden("hospital disabled"))).await;
    store.enable_hospital("a", true).await.unwrap();
    everywhere(Ok(())).await;

    // The connection that listens may break at any time; another takes its place.
    let administrator = database.client().await;
    let break_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE application_name = 'bund registry' AND datname = current_database()";
    administrator.execute(break_off, &[]).await.unwrap();
    store.enable_issuer(iss, false).await.unwrap();
    everywhere(Err(Refusal::Unauthenticated("unknown issuer"))).await;

    // What nobody gave notice of is found by looking.
    administrator.execute("UPDATE issuer SET enabled = true", &[]).await.unwrap();
    everywhere(Ok(())).await;
}

/// Waits until the server says whether it is ready.
async fn is_ready(server: &TestServer, expected: u16) -> String {
    let agrees = async {
        loop {
            let answer = server.get_outside("readyz").await;
            if answer.status == expected {
                return answer.text;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), agrees).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kc_02_a_server_is_ready_when_it_had_the_keys_of_one_issuer() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let all = options(&[("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")]);
    let (dead, alive) = (Issuer::start().await, Issuer::start().await);
    for signs in [&dead, &alive] {
        signs.serve(Serving::Down);
    }
    store.save_issuer(&issuer(&dead.iss, vec![]), Existing::Refuse).await.unwrap();
    let server = TestServer::start_for(Callers::Known, database, all).await;
    let reason = is_ready(&server, 503).await;
    assert!(reason.contains("the keys of no issuer"), "{reason}");
    assert_eq!(server.get_outside("livez").await.status, 200);
    // It is in nobody's way: one that answers is enough.
    alive.serve(Serving::Normal);
    store.save_issuer(&issuer(&alive.iss, vec![]), Existing::Refuse).await.unwrap();
    is_ready(&server, 200).await;
    // What dies later takes nothing down.
    alive.serve(Serving::Down);
    assert_eq!(server.get_outside("readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn kc_02_a_server_that_knows_no_issuer_waits_for_none() {
    let all = options(&[("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")]);
    let database = Database::migrated().await;
    let server = TestServer::start_for(Callers::Known, database, all).await;
    assert_eq!(server.get_outside("readyz").await.status, 200);
}
