//! Issuers, clients and hospitals as data: what changes in the database changes on every replica.

use crate::harness::{Callers, Database, Issuer, Serving, TestServer, options, settings};
use server::identity::{Identity, ORGANISATION_CLAIM, Refusal, Replays, Shown};
use server::settings as server_settings;
use std::time::Duration;
use store::Store;
use store::registry::journal::By;
use store::registry::{Client, Error, Existing, Hospital, Issuer as Registered};

const BASE: &str = "https://fhir.hub.example/fhir";

fn by() -> By {
    By::new("ann", "root")
}

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
        introspection: None,
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

    let a = store.save_hospital(&by(), &hospital("a"), Existing::Refuse).await.unwrap();
    let b = store.save_hospital(&by(), &hospital("b"), Existing::Refuse).await.unwrap();
    assert_eq!((a, b, store.register_hospital("c").await.unwrap()), (1, 2, 3));
    let again = store.save_hospital(&by(), &hospital("a"), Existing::Refuse).await.unwrap_err();
    assert_eq!(again.to_string(), "hospital a is registered already; --replace changes it");
    let renamed = Hospital { name: "other".to_owned(), ..hospital("a") };
    assert_eq!(store.save_hospital(&by(), &renamed, Existing::Replace).await.unwrap(), 1);
    // No two are called the same, by whichever of their names.
    let called = |code: &str, identifier: &str| Hospital {
        identifier: Some(identifier.to_owned()),
        prefix: None,
        ..hospital(code)
    };
    for taken in [called("d", "a"), called("urn:oid:1.2.a", "x"), called("d", "urn:oid:1.2.a")] {
        let error = store.save_hospital(&by(), &taken, Existing::Refuse).await.unwrap_err();
        assert!(matches!(error, Error::Taken(_)), "{error}");
    }

    let iss = "https://id.hub.example";
    let error = store.save_client(&by(), &client(iss, "ehr"), Existing::Refuse).await.unwrap_err();
    assert_eq!(error.to_string(), "issuer https://id.hub.example is not registered");
    store.save_issuer(&by(), &issuer(iss, vec![b, a, a]), Existing::Refuse).await.unwrap();
    let error = store.save_issuer(&by(), &issuer(iss, vec![]), Existing::Refuse).await.unwrap_err();
    assert!(matches!(error, Error::Known { .. }), "{error}");
    store.save_client(&by(), &client(iss, "ehr"), Existing::Refuse).await.unwrap();
    store.enable_client(&by(), iss, "ehr", false).await.unwrap();
    store.enable_hospital(&by(), "b", false).await.unwrap();
    let registry = store.registry().await.unwrap();
    assert_eq!(registry.issuers, [issuer(iss, vec![a, b])], "as it was before what was refused");
    assert_eq!(registry.clients, [Client { is_enabled: false, ..client(iss, "ehr") }]);
    assert_eq!(registry.hospitals[0].name, "other");
    assert_eq!(
        registry.hospitals.iter().map(|it| it.is_enabled).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(store.enable_hospital(&by(), "x", true).await.is_err());
    assert!(store.enable_issuer(&by(), "https://id.hub.example/", true).await.is_err());

    let broker = Registered { is_broker: true, ..issuer(iss, vec![]) };
    store.save_issuer(&by(), &broker, Existing::Replace).await.unwrap();
    assert_eq!(store.registry().await.unwrap().issuers, [broker]);
    store.remove_issuer(&by(), iss).await.unwrap();
    let registry = store.registry().await.unwrap();
    assert!(registry.issuers.is_empty() && registry.clients.is_empty());
    assert!(store.remove_issuer(&by(), iss).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tok_25_what_is_disabled_is_so_on_all_replicas_within_five_seconds() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let signs = Issuer::start().await;
    let a = store.save_hospital(&by(), &hospital("a"), Existing::Refuse).await.unwrap();
    let replicas = [replica(&store).await, replica(&store).await];
    let token = signs.mint(&signs.claims(BASE, "a"));
    let everywhere = async |expected: Result<(), Refusal>| {
        for replica in &replicas {
            becomes(replica, &token, expected).await;
        }
    };
    let iss = &signs.iss;
    everywhere(Err(Refusal::Unauthenticated("unknown issuer"))).await;
    store.save_issuer(&by(), &issuer(iss, vec![a]), Existing::Refuse).await.unwrap();
    everywhere(Ok(())).await;
    store.save_client(&by(), &client(iss, "ehr"), Existing::Refuse).await.unwrap();
    store.enable_client(&by(), iss, "ehr", false).await.unwrap();
    everywhere(Err(Refusal::Unauthenticated("client disabled"))).await;
    store.enable_client(&by(), iss, "ehr", true).await.unwrap();
    everywhere(Ok(())).await;
    store.enable_hospital(&by(), "a", false).await.unwrap();
    everywhere(Err(Refusal::Forbidden("hospital disabled"))).await;
    store.enable_hospital(&by(), "a", true).await.unwrap();
    everywhere(Ok(())).await;

    // The connection that listens may break at any time; another takes its place.
    let administrator = database.client().await;
    let break_off = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE application_name = 'bund registry' AND datname = current_database()";
    administrator.execute(break_off, &[]).await.unwrap();
    store.enable_issuer(&by(), iss, false).await.unwrap();
    everywhere(Err(Refusal::Unauthenticated("unknown issuer"))).await;

    // What nobody gave notice of is found by looking.
    administrator.execute("UPDATE issuer SET enabled = true", &[]).await.unwrap();
    everywhere(Ok(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tok_20_an_issuer_comes_into_force_when_two_people_say_so() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let (ann, bob) = (By::new("Ann", "root"), By::new("bob", "root"));
    let iss = "https://id.hub.example";
    let hospital = store.save_hospital(&ann, &hospital("a"), Existing::Refuse).await.unwrap();
    let proposed = issuer(iss, vec![hospital]);
    store.propose_issuer(&ann, &proposed, Existing::Refuse).await.unwrap();
    assert!(store.registry().await.unwrap().issuers.is_empty(), "nobody approved");
    assert_eq!(store.issuer_proposals().await.unwrap()[0].issuer, proposed);
    // Nobody approves what is one's own, however the name is written.
    for same in ["Ann", "ann", " ANN "] {
        let error = store.approve_issuer(&By::new(same, "other"), iss).await.unwrap_err();
        assert_eq!(error.to_string(), "Ann proposed it: somebody else has to approve");
    }
    let error = store.approve_issuer(&bob, "https://other.example").await.unwrap_err();
    assert!(matches!(error, Error::NotProposed(_)), "{error}");
    // Nor is there a way around: it is not registered, so it can neither be enabled nor have clients.
    assert!(store.enable_issuer(&ann, iss, true).await.is_err());
    assert!(store.save_client(&ann, &client(iss, "ehr"), Existing::Refuse).await.is_err());
    store.approve_issuer(&bob, iss).await.unwrap();
    assert_eq!(store.registry().await.unwrap().issuers, std::slice::from_ref(&proposed));
    assert!(store.approve_issuer(&bob, iss).await.is_err(), "it is done");

    // What is changed waits for approval too, and what is in force stays so meanwhile.
    let again = store.propose_issuer(&bob, &proposed, Existing::Refuse).await.unwrap_err();
    assert!(matches!(again, Error::Known { .. }), "{again}");
    let wider = Registered { is_broker: true, hospitals: Vec::new(), ..proposed.clone() };
    store.propose_issuer(&bob, &wider, Existing::Replace).await.unwrap();
    assert_eq!(store.registry().await.unwrap().issuers, std::slice::from_ref(&proposed));
    store.reject_issuer(&ann, iss).await.unwrap();
    assert!(store.approve_issuer(&ann, iss).await.is_err(), "it was rejected");
    assert_eq!(store.registry().await.unwrap().issuers, [proposed]);
    store.propose_issuer(&bob, &wider, Existing::Replace).await.unwrap();
    store.approve_issuer(&ann, iss).await.unwrap();
    assert_eq!(store.registry().await.unwrap().issuers, [wider]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tok_20_every_change_of_the_registry_is_recorded_with_who_made_it() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let (ann, bob) = (By::new("ann", "root"), By::new("bob", "bob"));
    let iss = "https://id.hub.example";
    store.save_hospital(&ann, &hospital("a"), Existing::Refuse).await.unwrap();
    store.enable_hospital(&ann, "a", false).await.unwrap();
    store.enable_hospital(&bob, "a", true).await.unwrap();
    store.propose_issuer(&ann, &issuer(iss, vec![1]), Existing::Refuse).await.unwrap();
    store.approve_issuer(&bob, iss).await.unwrap();
    store.save_client(&ann, &client(iss, "ehr"), Existing::Refuse).await.unwrap();
    store.enable_client(&ann, iss, "ehr", false).await.unwrap();
    // What fails changes nothing, and so leaves nothing.
    assert!(store.enable_client(&ann, iss, "nobody", false).await.is_err());
    assert!(store.approve_issuer(&ann, iss).await.is_err());
    assert!(store.save_hospital(&ann, &hospital("a"), Existing::Refuse).await.is_err());
    store.save_issuer(&bob, &issuer(iss, vec![]), Existing::Replace).await.unwrap();
    store.enable_issuer(&bob, iss, false).await.unwrap();
    store.remove_issuer(&bob, iss).await.unwrap();
    let journal = store.registry_journal(100).await.unwrap();
    let told: Vec<_> = journal
        .iter()
        .map(|entry| (entry.by.name.as_str(), entry.action.as_str(), entry.subject.as_str()))
        .collect();
    let expected = [
        ("ann", "hospital saved", "a"),
        ("ann", "hospital disabled", "a"),
        ("bob", "hospital enabled", "a"),
        ("ann", "issuer proposed", iss),
        ("bob", "issuer approved", iss),
        ("ann", "client saved", "ehr"),
        ("ann", "client disabled", "ehr"),
        ("bob", "issuer saved by one", iss),
        ("bob", "issuer disabled", iss),
        ("bob", "issuer removed", iss),
    ];
    assert_eq!(told, expected);
    let approved = &journal[4];
    assert_eq!(approved.by.account, "bob");
    assert_eq!(approved.detail["proposed_by"], "ann");
    assert_eq!(approved.detail["issuer"]["max_lifetime"], 3_600);
    let latest = store.registry_journal(2).await.unwrap();
    assert_eq!(latest.last(), journal.last());
    assert_eq!(latest.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn kc_02_a_server_is_ready_when_it_had_the_keys_of_one_issuer() {
    let database = Database::migrated().await;
    let store = Store::open(&settings(&database.url)).await.unwrap();
    let all = options(&[("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")]);
    let (dead, alive) = (Issuer::start().await, Issuer::start().await);
    let by = By::new("tests", "tests");
    for signs in [&dead, &alive] {
        signs.serve(Serving::Down);
    }
    store.save_issuer(&by, &issuer(&dead.iss, vec![]), Existing::Refuse).await.unwrap();
    let server = TestServer::start_for(Callers::Known, database, all).await;
    let reason = server.is_ready(503).await;
    assert!(reason.contains("the keys of no issuer"), "{reason}");
    assert_eq!(server.get_outside("livez").await.status, 200);
    // It is in nobody's way: one that answers is enough.
    alive.serve(Serving::Normal);
    store.save_issuer(&by, &issuer(&alive.iss, vec![]), Existing::Refuse).await.unwrap();
    server.is_ready(200).await;
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
