//! What changes while the server runs, what is remembered, and what is told.

use super::issuer::{Issuer, SigningKey};
use super::{
    BASE, Registered, alone, client, identity, one, refused, registered, registry, settings,
    verify, with,
};
use crate::identity::{Error, Identity, Refusal, objection};
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn tok_17_a_token_is_remembered_for_a_minute_and_never_beyond_its_end() {
    let (issuer, identity) = one().await;
    let clock = &identity.inner.clock;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let first = verify(&identity, &token).await.unwrap();
    assert!(Arc::ptr_eq(&first, &verify(&identity, &token).await.unwrap()));
    clock.advance(61);
    assert!(!Arc::ptr_eq(&first, &verify(&identity, &token).await.unwrap()));
    let mut claims = issuer.claims(BASE, "a");
    claims["exp"] = json!(clock.calendar() + 20);
    let short = issuer.mint(&claims);
    assert!(verify(&identity, &short).await.is_ok());
    clock.advance(52);
    refused(verify(&identity, &short).await, "expired", "beyond its end and the leeway");
}

#[tokio::test]
async fn tok_17_other_keys_end_what_was_verified() {
    let (issuer, identity) = one().await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let first = verify(&identity, &token).await.unwrap();
    identity.inner.clock.advance(31);
    let next = SigningKey::new("k2", "ES256");
    issuer.publish(vec![issuer.key.jwk(), next.jwk()]);
    verify(&identity, &next.mint(&issuer.claims(BASE, "a"))).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &verify(&identity, &token).await.unwrap()));
    // Taken back, and noticed on the next fetch for whatever reason.
    identity.inner.clock.advance(31);
    issuer.publish(vec![next.jwk()]);
    let stranger = SigningKey::new("k3", "ES256");
    refused(
        verify(&identity, &stranger.mint(&issuer.claims(BASE, "a"))).await,
        "unknown key",
        "k3",
    );
    refused(verify(&identity, &token).await, "unknown key", "k1, remembered a moment ago");
}

#[tokio::test]
async fn tok_25_what_is_disabled_ends_what_was_verified() {
    let issuer = Issuer::start().await;
    let identity = identity(vec![registered(&issuer.iss)]);
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let all = || {
        let mut all = registry(vec![registered(&issuer.iss)]);
        all.clients = vec![client(&issuer.iss, "ehr", None)];
        all
    };
    assert!(verify(&identity, &token).await.is_ok());
    identity.replace(all());
    assert!(verify(&identity, &token).await.is_ok());

    let mut less = all();
    less.clients[0].is_enabled = false;
    identity.replace(less);
    refused(verify(&identity, &token).await, "client disabled", "a client");
    let mut less = all();
    less.issuers[0].is_enabled = false;
    identity.replace(less);
    refused(verify(&identity, &token).await, "unknown issuer", "an issuer");
    identity.replace(registry(Vec::new()));
    refused(verify(&identity, &token).await, "unknown issuer", "removed");
    let mut less = all();
    less.issuers[0].hospitals = vec![2];
    identity.replace(less);
    let outcome = verify(&identity, &token).await;
    assert_eq!(outcome, Err(Refusal::Forbidden("not a hospital of the issuer")));
    identity.replace(all());
    assert!(verify(&identity, &token).await.is_ok());
}

#[tokio::test]
async fn a_change_elsewhere_leaves_the_keys_as_they_are() {
    let (issuer, identity) = one().await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    verify(&identity, &token).await.unwrap();
    let other = registered("https://other.example");
    identity.replace(registry(vec![registered(&issuer.iss), other]));
    verify(&identity, &token).await.unwrap();
    assert_eq!(issuer.fetches(), 1);
    // Keys from another place are other keys.
    let moved = Registered { jwks_uri: Some(issuer.jwks_uri()), ..registered(&issuer.iss) };
    identity.replace(registry(vec![moved]));
    verify(&identity, &token).await.unwrap();
    assert_eq!(issuer.fetches(), 2);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn tok_16_a_log_has_nothing_of_a_token() {
    let (issuer, identity) = one().await;
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let good = issuer.mint(&issuer.claims(BASE, "a"));
    let far = issuer.mint(&issuer.claims(BASE, "c"));
    let late = issuer.mint(&with(&issuer, "exp", json!(1)));
    let stranger = SigningKey::new("k1", "ES256").mint(&with(&issuer, "jti", json!("forged")));
    for token in [&good, &far, &late, &stranger] {
        let _ = verify(&identity, token).await;
    }
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in
        ["token refused", "token beyond its issuer", &issuer.iss, "ehr", "expired", "signature"]
    {
        assert!(log.contains(said), "{said}: {log}");
    }
    for token in [&good, &far, &late, &stranger] {
        for part in token.split('.') {
            assert!(!log.contains(part) && !log.contains(&part[part.len() - 16..]), "{log}");
        }
    }
    // Nobody vouches for what a forged token says.
    for secret in ["王医生", "b3ca1045", "forged"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn an_issuer_that_could_not_work_is_not_registered() {
    let good = registered("https://id.hub.example/realms/city");
    assert_eq!(objection(&good, false), None);
    let strings = |text: &str| vec![text.to_owned()];
    for (bad, text) in [
        (Registered { iss: "http://id.hub.example".to_owned(), ..good.clone() }, "https://"),
        (Registered { iss: "http://127.0.0.1/".to_owned(), ..good.clone() }, "LOOPBACK"),
        (Registered { iss: "https://id.hub.example?a=b".to_owned(), ..good.clone() }, "query"),
        (Registered { jwks_uri: Some("ftp://x".to_owned()), ..good.clone() }, "https://"),
        (Registered { algorithms: strings("HS256"), ..good.clone() }, "`HS256` is no algorithm"),
        (Registered { algorithms: strings("none"), ..good.clone() }, "`none` is no algorithm"),
        (Registered { algorithms: Vec::new(), ..good.clone() }, "one algorithm"),
        (Registered { levels: strings("admin"), ..good.clone() }, "`admin` is no level"),
        (Registered { max_lifetime: 0, ..good.clone() }, "longest life"),
        (Registered { organisation_claim: "a.b".to_owned(), ..good.clone() }, "JSON Pointer"),
    ] {
        let found = objection(&bad, false).unwrap();
        assert!(found.contains(text), "{found}");
    }
}

#[test]
fn certificates_that_are_none_are_named() {
    let folder = std::env::temp_dir().join(format!("bund-ca-{}", std::process::id()));
    let mut settings = settings();
    settings.ca_file = Some(folder);
    let outcome = Identity::new(&settings, BASE, registry(Vec::new()), alone());
    assert!(matches!(outcome.err(), Some(Error::Certificates(_))));
}
