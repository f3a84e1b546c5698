//! Tokens that only their issuer can read.

use super::issuer::{Issuer, Serving, SigningKey, base64url};
use super::{BASE, Registered, alone, client, refused, registered, registry, settings, verify};
use crate::identity::{Identity, Refusal, objection};
use crate::settings::Identity as Settings;
use serde_json::{Value, json};
use std::path::PathBuf;
use store::registry::Introspection;

const OPAQUE: &str = "2YotnFZFEjr1zCsicMWpAA";

/// A folder with the secret that the issuer expects.
struct Secrets(PathBuf);

impl Secrets {
    fn new(name: &str, secret: &str) -> Secrets {
        let folder =
            std::env::temp_dir().join(format!("bund-secrets-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("city"), format!("{secret}\n")).unwrap();
        Secrets(folder)
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn asked(issuer: &Issuer, is_for_all: bool) -> Registered {
    let introspection = Introspection {
        uri: format!("{}/introspect", issuer.iss),
        client: "hub:fhir".to_owned(),
        secret: "city".to_owned(),
        is_for_all,
    };
    Registered { introspection: Some(introspection), ..registered(&issuer.iss) }
}

async fn one(name: &str, is_for_all: bool) -> (Issuer, Identity, Secrets) {
    let issuer = Issuer::start().await;
    let secrets = Secrets::new(name, "a secret/+");
    issuer.expect_client("hub%3Afhir", "a+secret%2F%2B");
    let settings = Settings { secrets_dir: Some(secrets.0.clone()), ..settings() };
    let known = registry(vec![asked(&issuer, is_for_all)]);
    let identity = Identity::new(&settings, BASE, known, alone()).unwrap();
    (issuer, identity, secrets)
}

/// What the issuer answers about a good token.
fn answer(issuer: &Issuer) -> Value {
    let mut answer = issuer.claims(BASE, "a");
    answer["active"] = json!(true);
    answer["patient"] = json!("p-1");
    answer
}

#[tokio::test]
async fn tok_18_an_opaque_token_is_what_its_issuer_says() {
    let (issuer, identity, _secrets) = one("opaque", false).await;
    refused(verify(&identity, OPAQUE).await, "not active", "one that it does not know");
    issuer.say(OPAQUE, answer(&issuer));
    refused(verify(&identity, OPAQUE).await, "not active", "its answer is kept for some seconds");
    assert_eq!(issuer.introspections(), 1);
    identity.inner.clock.advance(11);
    let principal = verify(&identity, OPAQUE).await.unwrap();
    assert_eq!(principal.issuer, issuer.iss);
    assert_eq!(principal.client, "ehr");
    assert_eq!(principal.scope, "openid user/*.cruds");
    assert_eq!(principal.patient.as_deref(), Some("p-1"));
    assert_eq!(principal.hospital, Some((1, "a".to_owned())));
    // It is taken back, which is known within half a minute and not asked before.
    issuer.say(OPAQUE, json!({ "active": false }));
    identity.inner.clock.advance(29);
    assert!(verify(&identity, OPAQUE).await.is_ok());
    assert_eq!(issuer.introspections(), 2);
    identity.inner.clock.advance(2);
    refused(verify(&identity, OPAQUE).await, "not active", "taken back");
    // A signed token of the same issuer is verified here.
    assert!(verify(&identity, &issuer.mint(&issuer.claims(BASE, "a"))).await.is_ok());
    assert_eq!(issuer.introspections(), 3);
}

#[tokio::test]
async fn tok_18_an_answer_is_never_kept_beyond_the_end_of_its_token() {
    let (issuer, identity, _secrets) = one("end", false).await;
    let mut short = answer(&issuer);
    short["exp"] = json!(identity.inner.clock.calendar() + 5);
    short.as_object_mut().unwrap().remove("iat");
    issuer.say(OPAQUE, short);
    assert!(verify(&identity, OPAQUE).await.is_ok());
    issuer.say(OPAQUE, json!({ "active": false }));
    identity.inner.clock.advance(6);
    refused(verify(&identity, OPAQUE).await, "not active", "beyond its end");
}

#[tokio::test]
async fn tok_18_an_answer_has_to_say_all_that_a_token_says() {
    let (issuer, identity, _secrets) = one("all", false).await;
    for (number, (name, value, reason)) in [
        ("scope", Value::Null, "no scope"),
        ("client_id", Value::Null, "no client"),
        ("exp", Value::Null, "malformed time"),
        ("exp", json!("1795000300"), "malformed time"),
        ("sub", Value::Null, "no subject"),
        ("aud", Value::Null, "malformed audience"),
        ("aud", json!("https://elsewhere.example"), "another audience"),
        ("iss", json!("https://elsewhere.example"), "another issuer"),
        ("patient", json!("Patient/1"), "malformed claim"),
        ("cnf", json!({ "jkt": base64url([1; 32]) }), "bound token without a proof"),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("{OPAQUE}-{number}");
        let mut said = answer(&issuer);
        if value.is_null() {
            said.as_object_mut().unwrap().remove(name);
        } else {
            said[name] = value.clone();
        }
        issuer.say(&token, said);
        refused(verify(&identity, &token).await, reason, &format!("{name} {value}"));
    }
    let mut without = answer(&issuer);
    without.as_object_mut().unwrap().remove("iss");
    issuer.say(OPAQUE, without);
    assert!(verify(&identity, OPAQUE).await.is_ok(), "an answer of whom we asked");
}

#[tokio::test]
async fn tok_18_who_cannot_be_asked_refuses_nobody_for_good() {
    let (issuer, identity, _secrets) = one("away", false).await;
    let away = Err(Refusal::Unavailable("the issuer does not say"));
    issuer.say(OPAQUE, answer(&issuer));
    for serving in [
        Serving::Down,
        Serving::Redirect(format!("{}/introspect", issuer.iss)),
        Serving::Bytes(b"{".to_vec()),
        Serving::Bytes(b"{}".to_vec()),
        Serving::Bytes(br#"{"active":"true"}"#.to_vec()),
        Serving::Bytes(br#"{"active":false,"active":true}"#.to_vec()),
        Serving::Bytes(vec![b' '; 300_000]),
    ] {
        issuer.serve(serving.clone());
        assert_eq!(verify(&identity, OPAQUE).await, away, "{serving:?}");
    }
    issuer.serve(Serving::Normal);
    issuer.expect_client("hub%3Afhir", "another");
    assert_eq!(verify(&identity, OPAQUE).await, away, "another secret");
    issuer.expect_client("hub%3Afhir", "a+secret%2F%2B");
    assert!(verify(&identity, OPAQUE).await.is_ok());
}

#[tokio::test]
async fn tok_18_a_crowd_asks_once() {
    let (issuer, identity, _secrets) = one("crowd", false).await;
    issuer.say(OPAQUE, answer(&issuer));
    let crowd = (0..50).map(|_| verify(&identity, OPAQUE));
    let answers = futures_util::future::join_all(crowd).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(issuer.introspections(), 1);
    let crowd = (0..50).map(|_| verify(&identity, "somebody-elses-token"));
    let answers = futures_util::future::join_all(crowd).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(issuer.introspections(), 2);
}

#[tokio::test]
async fn tok_18_nobody_is_asked_about_what_is_no_token() {
    let (issuer, identity, _secrets) = one("shape", false).await;
    let long = "a".repeat(4_097);
    for text in ["short", "with a space in the middle", "a\u{e9}aaaaaaaaaaaaaaaaaa", &long] {
        refused(verify(&identity, text).await, "not a signed token", text);
    }
    // Three parts are a signed token, or nothing.
    refused(
        verify(&identity, "aaaaaaaaaa.bbbbbbbbbb.cccccccccc").await,
        "not a signed token",
        "three",
    );
    // Nobody knows whom to ask where two could be.
    let other = Issuer::start().await;
    identity.replace(registry(vec![asked(&issuer, false), asked(&other, false)]));
    refused(verify(&identity, OPAQUE).await, "several issuers to ask", "two");
    let mut off = asked(&other, false);
    off.is_enabled = false;
    identity.replace(registry(vec![registered(&issuer.iss), off]));
    refused(verify(&identity, OPAQUE).await, "not a signed token", "none");
    assert_eq!((issuer.introspections(), other.introspections()), (0, 0));
}

#[tokio::test]
async fn tok_18_an_issuer_can_be_asked_about_its_signed_tokens_too() {
    let (issuer, identity, _secrets) = one("every", true).await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    refused(verify(&identity, &token).await, "not active", "taken back");
    issuer.say(&token, answer(&issuer));
    identity.inner.clock.advance(11);
    assert!(verify(&identity, &token).await.is_ok());
    // What it does not sign it is not asked about.
    let asked = issuer.introspections();
    let forged = SigningKey::new("k1", "ES256").mint(&issuer.claims(BASE, "b"));
    refused(verify(&identity, &forged).await, "signature", "forged");
    assert_eq!(issuer.introspections(), asked);
    let second = issuer.mint(&issuer.claims(BASE, "b"));
    let mut other = answer(&issuer);
    other["sub"] = json!("somebody else");
    issuer.say(&second, other);
    refused(verify(&identity, &second).await, "another subject", "an answer about another one");
}

#[tokio::test]
async fn pop_05_holds_for_opaque_tokens() {
    let (issuer, identity, _secrets) = one("bound", false).await;
    let mut listed = registry(vec![asked(&issuer, false)]);
    listed.clients = vec![client(&issuer.iss, "ehr", None)];
    listed.clients[0].require_bound = true;
    identity.replace(listed);
    issuer.say(OPAQUE, answer(&issuer));
    refused(verify(&identity, OPAQUE).await, "not bound", "a bearer's token");
}

#[test]
fn tok_18_an_issuer_that_could_not_be_asked_is_not_registered() {
    let good = Introspection {
        uri: "https://id.hub.example/introspect".to_owned(),
        client: "hub".to_owned(),
        secret: "city".to_owned(),
        is_for_all: false,
    };
    let with = |introspection| Registered {
        introspection: Some(introspection),
        ..registered("https://id.hub.example/realms/city")
    };
    assert_eq!(objection(&with(good.clone()), false), None);
    for (bad, text) in [
        (Introspection { uri: "http://id.hub.example/".to_owned(), ..good.clone() }, "https://"),
        (Introspection { client: String::new(), ..good.clone() }, "client"),
        (Introspection { secret: "../../etc/passwd".to_owned(), ..good.clone() }, "name of a file"),
        (Introspection { secret: "..".to_owned(), ..good.clone() }, "name of a file"),
        (Introspection { secret: String::new(), ..good.clone() }, "name of a file"),
    ] {
        let found = objection(&with(bad), false).unwrap();
        assert!(found.contains(text), "{found}");
    }
}
