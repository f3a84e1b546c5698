//! What is verified, what is refused, and what keys cost their issuers. Names are those of the requirements.

mod bound;
mod claims;
#[path = "../../../tests/src/harness/issuer.rs"]
mod issuer;
mod keys;
mod opaque;
mod registry;
mod token;

use super::{Identity, ORGANISATION_CLAIM, Principal, Refusal, Replays, Shown};
use crate::settings;
use issuer::Issuer;
use serde_json::Value;
use std::sync::Arc;
use store::registry::{Client, Hospital, Issuer as Registered, Registry};

/// While an issuer's keys cannot be had.
const AWAY: Refusal = Refusal::Unavailable("keys not to be had");

const BASE: &str = "https://fhir.hub.example/fhir";

fn settings() -> settings::Identity {
    settings::Identity { allow_http_loopback: true, ..settings::Identity::default() }
}

/// Hospitals `a` (1), `b` (2), `c` (3); `b` is known by an OID too.
fn hospitals() -> Vec<Hospital> {
    let hospital = |id, code: &str, identifier: Option<&str>| Hospital {
        id,
        code: code.to_owned(),
        name: code.to_owned(),
        identifier: identifier.map(str::to_owned),
        prefix: None,
        is_enabled: true,
    };
    vec![
        hospital(1, "a", None),
        hospital(2, "b", Some("urn:oid:2.16.156.1")),
        hospital(3, "c", None),
    ]
}

/// For the hospitals `a` and `b`, with keys by discovery, without a list of clients.
fn registered(iss: &str) -> Registered {
    Registered {
        iss: iss.to_owned(),
        name: "city".to_owned(),
        jwks_uri: None,
        algorithms: vec!["ES256".to_owned()],
        audience: Vec::new(),
        levels: ["patient", "user", "system"].map(str::to_owned).to_vec(),
        max_lifetime: 3_600,
        organisation_claim: ORGANISATION_CLAIM.to_owned(),
        is_broker: false,
        is_enabled: true,
        hospitals: vec![1, 2],
        introspection: None,
    }
}

fn client(iss: &str, id: &str, hospital: Option<i32>) -> Client {
    Client {
        iss: iss.to_owned(),
        client_id: id.to_owned(),
        hospital,
        may_assert_purpose: false,
        require_bound: false,
        is_enabled: true,
    }
}

fn registry(issuers: Vec<Registered>) -> Registry {
    Registry { hospitals: hospitals(), issuers, clients: Vec::new() }
}

fn identity(issuers: Vec<Registered>) -> Identity {
    Identity::new(&settings(), BASE, registry(issuers), alone()).unwrap()
}

fn alone() -> Replays {
    Replays::Alone(std::sync::Mutex::default())
}

/// An issuer, and an identity that knows it and nobody else.
async fn one() -> (Issuer, Identity) {
    let issuer = Issuer::start().await;
    let identity = identity(vec![registered(&issuer.iss)]);
    (issuer, identity)
}

async fn verify(identity: &Identity, token: &str) -> Result<Arc<Principal>, Refusal> {
    authorized(identity, &format!("Bearer {token}")).await
}

async fn authorized(identity: &Identity, value: &str) -> Result<Arc<Principal>, Refusal> {
    identity.verify(&Shown { authorization: &[value], ..Shown::default() }).await
}

/// The valid claims of hospital `a`, with one member changed, or taken away by `null`.
fn with(issuer: &Issuer, name: &str, value: Value) -> Value {
    let mut claims = issuer.claims(BASE, "a");
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

#[track_caller]
fn refused(outcome: Result<Arc<Principal>, Refusal>, reason: &str, what: &str) {
    match outcome {
        Err(Refusal::Unauthenticated(found)) => assert_eq!(found, reason, "{what}"),
        other => panic!("{what}: {other:?}"),
    }
}

/// `cargo test --release … -- --nocapture` shows what it costs.
#[tokio::test]
async fn tok_17_a_token_that_is_remembered_costs_a_hash_and_a_look_up() {
    for algorithm in ["ES256", "RS256"] {
        let issuer = Issuer::start().await;
        let key = issuer::SigningKey::new("k", algorithm);
        issuer.publish(vec![key.jwk()]);
        let algorithms = vec![algorithm.to_owned()];
        let identity = identity(vec![Registered { algorithms, ..registered(&issuer.iss) }]);
        let token = format!("Bearer {}", key.mint(&issuer.claims(BASE, "a")));
        authorized(&identity, &token).await.unwrap();
        let mut nanoseconds = Vec::new();
        for is_kept in [true, false] {
            let rounds = 2_000;
            let began = std::time::Instant::now();
            for _ in 0..rounds {
                if !is_kept {
                    identity.inner.verified.clear();
                }
                authorized(&identity, &token).await.unwrap();
            }
            nanoseconds.push(began.elapsed().as_nanos() / rounds);
        }
        let [kept, verified] = nanoseconds[..] else { panic!() };
        println!("{algorithm}, {} bytes: kept {kept} ns, verified {verified} ns", token.len());
        assert!(kept < verified);
    }
}
