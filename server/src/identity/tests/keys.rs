//! Keys: where they come from, how long they are good, what is never asked for.

use super::issuer::{Issuer, Serving, SigningKey, base64url};
use super::{
    AWAY, BASE, Registered, alone, identity, one, refused, registered, registry, verify, with,
};
use crate::identity::fetch::address;
use crate::identity::{Identity, Refusal};
use crate::settings;
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

#[tokio::test]
async fn tok_08_asks_nobody_who_is_not_registered() {
    let (issuer, identity) = one().await;
    let stranger = Issuer::start().await;
    refused(
        verify(&identity, &stranger.mint(&stranger.claims(BASE, "a"))).await,
        "unknown issuer",
        "a stranger",
    );
    for near in [format!("{}/", issuer.iss), issuer.iss.to_uppercase(), format!(" {}", issuer.iss)]
    {
        let token = issuer.mint(&with(&issuer, "iss", json!(near)));
        refused(verify(&identity, &token).await, "unknown issuer", &near);
    }
    assert_eq!(issuer.requests(), 0);
    let mut header = stranger.key.header();
    for name in ["jku", "x5u"] {
        header[name] = json!(stranger.jwks_uri());
    }
    header["jwk"] = stranger.key.jwk();
    header["x5c"] = json!([base64url([0; 8])]);
    let token = stranger.key.mint_with(&header, &issuer.claims(BASE, "a"));
    refused(verify(&identity, &token).await, "signature", "keys of one's own");
    header["kid"] = json!("k2");
    let token = stranger.key.mint_with(&header, &issuer.claims(BASE, "a"));
    refused(verify(&identity, &token).await, "unknown key", "keys of one's own");
    assert_eq!(stranger.requests(), 0);
}

#[tokio::test]
async fn tok_09_follows_a_change_of_keys() {
    let (issuer, identity) = one().await;
    let clock = &identity.inner.clock;
    let old = issuer.mint(&issuer.claims(BASE, "a"));
    verify(&identity, &old).await.unwrap();
    let next = SigningKey::new("k2", "ES256");
    issuer.publish(vec![issuer.key.jwk(), next.jwk()]);
    clock.advance(31);
    assert!(verify(&identity, &next.mint(&issuer.claims(BASE, "a"))).await.is_ok());
    assert_eq!(issuer.fetches(), 2);
    assert!(verify(&identity, &old).await.is_ok());
    issuer.publish(vec![next.jwk()]);
    clock.advance(100);
    assert!(verify(&identity, &old).await.is_ok(), "for as long as keys are kept");
    clock.advance(601);
    let late = |key: &SigningKey| {
        let mut claims = issuer.claims(BASE, "a");
        claims["exp"] = json!(clock.calendar() + 60);
        key.mint(&claims)
    };
    refused(verify(&identity, &late(&issuer.key)).await, "unknown key", "taken back");
    assert!(verify(&identity, &late(&next)).await.is_ok());
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test]
async fn tok_10_a_flood_of_unknown_keys_costs_one_fetch() {
    let (issuer, identity) = one().await;
    let good = issuer.mint(&issuer.claims(BASE, "a"));
    verify(&identity, &good).await.unwrap();
    let claims = issuer.claims(BASE, "a");
    let flood = async |from: u32| {
        let tokens = (from..from + 500).map(|number| {
            let header =
                json!({ "typ": "at+jwt", "alg": "ES256", "kid": format!("random{number}") });
            let token = issuer.key.mint_with(&header, &claims);
            let identity = identity.clone();
            async move { verify(&identity, &token).await }
        });
        for outcome in futures_util::future::join_all(tokens).await {
            refused(outcome, "unknown key", "random");
        }
    };
    flood(0).await;
    assert_eq!(issuer.fetches(), 1, "within 30 s of the first");
    identity.inner.clock.advance(31);
    flood(500).await;
    flood(1_000).await;
    assert_eq!(issuer.fetches(), 2);
    // What is known goes on while a fetch for what is not known hangs.
    identity.inner.clock.advance(31);
    issuer.serve(Serving::Silent);
    let waiting = tokio::spawn({
        let (identity, header) =
            (identity.clone(), json!({ "typ": "at+jwt", "alg": "ES256", "kid": "x" }));
        let token = issuer.key.mint_with(&header, &claims);
        async move { verify(&identity, &token).await }
    });
    while issuer.requests() < 5 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    identity.inner.verified.clear();
    assert!(verify(&identity, &good).await.is_ok());
    assert!(began.elapsed().as_millis() < 1_000);
    waiting.abort();
    for number in 0..1_000 {
        let token = issuer.mint(&with(&issuer, "iss", json!(format!("{}/{number}", issuer.iss))));
        refused(verify(&identity, &token).await, "unknown issuer", "random");
    }
    assert_eq!(issuer.requests(), 5);
}

#[tokio::test]
async fn many_who_wait_for_the_first_keys_share_one_fetch() {
    let (issuer, identity) = one().await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let all = (0..50).map(|_| verify(&identity, &token));
    for outcome in futures_util::future::join_all(all).await {
        assert!(outcome.is_ok());
    }
    assert_eq!((issuer.fetches(), issuer.requests()), (1, 2));
}

/// What the outcome is when this is all that the issuer has to say.
async fn after(serving: Serving) -> Result<(), Refusal> {
    let (issuer, identity) = one().await;
    issuer.serve(serving);
    verify(&identity, &issuer.mint(&issuer.claims(BASE, "a"))).await.map(|_| ())
}

#[tokio::test]
async fn tok_11_takes_no_keys_out_of_bounds() {
    let other = Issuer::start().await;
    let unavailable = Err(AWAY);
    assert_eq!(after(Serving::Redirect(other.jwks_uri())).await, unavailable);
    assert_eq!(other.requests(), 0);
    assert_eq!(after(Serving::Down).await, unavailable);
    for body in
        [b"".to_vec(), b"{}".to_vec(), b"<html>".to_vec(), b"{\"keys\":[],\"keys\":[]}".to_vec()]
    {
        assert_eq!(after(Serving::Bytes(body)).await, unavailable);
    }
    let key = other.key.jwk();
    let set = |count: usize, padding: usize| {
        let mut keys = vec![key.clone()];
        keys.extend((1..count).map(|number| json!({ "kty": "EC", "kid": number.to_string() })));
        Serving::Bytes(json!({ "keys": keys, "x": "x".repeat(padding) }).to_string().into_bytes())
    };
    // The key is that of another issuer: what is refused for its signature had its keys taken.
    assert_eq!(after(set(64, 0)).await, Err(Refusal::Unauthenticated("signature")));
    assert_eq!(after(set(65, 0)).await, unavailable);
    assert_eq!(after(set(1, 200_000)).await, Err(Refusal::Unauthenticated("signature")));
    assert_eq!(after(set(1, 300_000)).await, unavailable);
}

#[tokio::test]
async fn tok_11_takes_no_key_that_is_not_for_this() {
    let names = ["ES256", "RS256", "EdDSA"].map(str::to_owned).to_vec();
    let (curve, rsa) = (SigningKey::new("k", "ES256"), SigningKey::new("k", "RS256"));
    let change = |key: &SigningKey, name: &str, value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        vec![jwk]
    };
    let small = base64url([vec![0x80], vec![1; 127]].concat());
    for (what, key, jwks, is_taken) in [
        ("as it is", &curve, vec![curve.jwk()], true),
        ("as it is", &rsa, vec![rsa.jwk()], true),
        ("for encryption", &curve, change(&curve, "use", json!("enc")), false),
        ("for nothing", &curve, change(&curve, "use", json!(null)), false),
        ("for signing only", &curve, change(&curve, "key_ops", json!(["sign"])), false),
        ("for verifying", &curve, change(&curve, "key_ops", json!(["verify"])), true),
        ("two of one name", &curve, vec![curve.jwk(), rsa.jwk()], false),
        ("three of one name", &curve, vec![curve.jwk(), rsa.jwk(), curve.jwk()], false),
        ("a short modulus", &rsa, change(&rsa, "n", json!(small)), false),
        ("an exponent of 1", &rsa, change(&rsa, "e", json!(base64url([1]))), false),
        ("an even exponent", &rsa, change(&rsa, "e", json!(base64url([1, 0]))), false),
        ("another curve", &curve, change(&curve, "crv", json!("P-521")), false),
        ("the wrong curve", &curve, change(&curve, "crv", json!("P-384")), false),
        ("a short coordinate", &curve, change(&curve, "x", json!("AAAA")), false),
        ("a symmetric key", &curve, vec![json!({ "kty": "oct", "kid": "k", "k": "AAAA" })], false),
        ("an unknown algorithm", &rsa, change(&rsa, "alg", json!("RSA-OAEP")), false),
        ("no name", &curve, change(&curve, "kid", json!(null)), false),
    ] {
        let issuer = Issuer::start().await;
        let identity =
            identity(vec![Registered { algorithms: names.clone(), ..registered(&issuer.iss) }]);
        issuer.publish(jwks);
        let outcome = verify(&identity, &key.mint(&issuer.claims(BASE, "a"))).await;
        if is_taken {
            assert!(outcome.is_ok(), "{what}: {outcome:?}");
        } else {
            refused(outcome, "unknown key", what);
        }
    }
}

#[tokio::test]
async fn discovery_is_of_the_issuer_and_of_its_host() {
    let other = Issuer::start().await;
    let unavailable = Err(AWAY);
    assert_eq!(after(Serving::Discovery(json!({ "issuer": other.iss }))).await, unavailable);
    assert_eq!(
        after(Serving::Discovery(json!({ "jwks_uri": other.jwks_uri() }))).await,
        unavailable
    );
    assert_eq!(after(Serving::Discovery(json!({ "jwks_uri": null }))).await, unavailable);
    assert_eq!(other.requests(), 0);
    // An administrator may name another host.
    let issuer = Issuer::start().await;
    issuer.publish(vec![other.key.jwk()]);
    let row = Registered { jwks_uri: Some(other.jwks_uri()), ..registered(&issuer.iss) };
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    refused(verify(&identity(vec![row]), &token).await, "signature", "keys from elsewhere");
    assert_eq!((issuer.requests(), other.requests()), (0, 1));
}

#[tokio::test]
async fn tok_12_keys_outlive_their_issuer_by_a_day() {
    let (issuer, identity) = one().await;
    let clock = &identity.inner.clock;
    let fresh = || {
        let mut claims = issuer.claims(BASE, "a");
        claims["iat"] = json!(clock.calendar());
        claims["exp"] = json!(clock.calendar() + 60);
        issuer.mint(&claims)
    };
    verify(&identity, &fresh()).await.unwrap();
    issuer.serve(Serving::Down);
    clock.advance(601);
    assert!(verify(&identity, &fresh()).await.is_ok());
    clock.advance(23 * 3_600);
    assert!(verify(&identity, &fresh()).await.is_ok());
    clock.advance(3_600);
    // The first may have waited for a fetch that began an hour ago.
    for _ in 0..2 {
        assert_eq!(verify(&identity, &fresh()).await, Err(AWAY));
    }
    issuer.serve(Serving::Normal);
    assert_eq!(verify(&identity, &fresh()).await, Err(AWAY), "not asked so soon");
    clock.advance(6);
    assert!(verify(&identity, &fresh()).await.is_ok());
}

#[tokio::test]
async fn tok_12_one_dead_issuer_delays_no_other() {
    let (dead, living) = (Issuer::start().await, Issuer::start().await);
    dead.serve(Serving::Silent);
    let identity = identity(vec![registered(&dead.iss), registered(&living.iss)]);
    let waiting = tokio::spawn({
        let (identity, token) = (identity.clone(), dead.mint(&dead.claims(BASE, "a")));
        async move { verify(&identity, &token).await }
    });
    while dead.requests() == 0 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    assert!(verify(&identity, &living.mint(&living.claims(BASE, "a"))).await.is_ok());
    assert!(began.elapsed().as_millis() < 2_000);
    assert_eq!(waiting.await.unwrap(), Err(AWAY), "after its time-out");
}

#[tokio::test]
async fn keys_are_fetched_early_so_that_nobody_waits() {
    let (issuer, identity) = one().await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    verify(&identity, &token).await.unwrap();
    identity.inner.clock.advance(490);
    issuer.serve(Serving::Silent);
    let mut claims = issuer.claims(BASE, "a");
    claims["exp"] = json!(identity.inner.clock.calendar() + 60);
    let began = Instant::now();
    assert!(verify(&identity, &issuer.mint(&claims)).await.is_ok());
    assert!(began.elapsed().as_millis() < 1_000);
}

#[tokio::test]
async fn tok_13_the_same_name_of_two_issuers_is_two_keys() {
    let (one, two) = (Issuer::start().await, Issuer::start().await);
    assert_eq!(one.key.kid, two.key.kid);
    let identity = identity(vec![registered(&one.iss), registered(&two.iss)]);
    for issuer in [&one, &two] {
        assert!(verify(&identity, &issuer.mint(&issuer.claims(BASE, "a"))).await.is_ok());
    }
    refused(verify(&identity, &two.mint(&one.claims(BASE, "a"))).await, "signature", "crossed");
    refused(verify(&identity, &one.mint(&two.claims(BASE, "a"))).await, "signature", "crossed");
}

#[test]
fn ssrf_01_keys_come_over_https_or_from_this_machine() {
    for text in [
        "http://hub.example@evil.example/",
        "https://hub.example@evil.example/",
        "https://user:password@hub.example/",
        "http://hub.example/",
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://hub.example/",
        "https://hub.example/#fragment",
        "//hub.example/",
        "hub.example",
        "",
    ] {
        assert!(address(text, true).is_err(), "{text}");
    }
    for text in ["http://127.0.0.1:1/x", "http://[::1]/", "http://localhost/"] {
        assert!(address(text, true).is_ok(), "{text}");
        assert!(address(text, false).is_err(), "{text}");
    }
    assert!(address("https://id.hub.example/realms/city", false).is_ok());
}

#[tokio::test]
async fn ssrf_01_http_needs_the_setting() {
    let issuer = Issuer::start().await;
    let settings = settings::Identity::default();
    let identity =
        Identity::new(&settings, BASE, registry(vec![registered(&issuer.iss)]), alone()).unwrap();
    let outcome = verify(&identity, &issuer.mint(&issuer.claims(BASE, "a"))).await;
    assert_eq!(outcome, Err(AWAY));
    assert_eq!(issuer.requests(), 0);
}

/// Serves the key set over TLS, with a certificate that the file names.
async fn over_tls(keys: String, folder: &std::path::Path) -> (u16, std::path::PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = folder.join("ca.pem");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
            let answer = format!("{head}: {}\r\n\r\n{keys}", keys.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, file)
}

#[tokio::test]
async fn keys_come_over_tls_that_is_trusted() {
    let issuer = Issuer::start().await;
    let folder = std::env::temp_dir().join(format!("bund-tls-{}", std::process::id()));
    let keys = json!({ "keys": [issuer.key.jwk()] }).to_string();
    let (port, file) = over_tls(keys, &folder).await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let fetched = async |host: &str, ca_file| {
        let settings = settings::Identity { ca_file, ..settings::Identity::default() };
        let jwks_uri = Some(format!("https://{host}:{port}/certs"));
        let row = Registered { jwks_uri, ..registered(&issuer.iss) };
        let identity = Identity::new(&settings, BASE, registry(vec![row]), alone()).unwrap();
        verify(&identity, &token).await.map(|_| ())
    };
    assert_eq!(fetched("localhost", Some(file.clone())).await, Ok(()));
    assert_eq!(fetched("localhost", None).await, Err(AWAY), "nobody vouches for it");
    let another = fetched("127.0.0.1", Some(file)).await;
    assert_eq!(another, Err(AWAY), "a certificate of another name");
    std::fs::remove_dir_all(folder).unwrap();
}
