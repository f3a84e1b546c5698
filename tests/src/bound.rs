//! Tokens that are bound to a key (RFC 9449) or to a certificate (RFC 8705), shown over HTTP.

use crate::harness::{Answer, City, SigningKey, TestServer, base64url};
use aws_lc_rs::digest::{SHA256, digest};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// What clients call the server, whatever address it has.
const BASE: &str = "https://hub.test/fhir";

fn sha256(text: &str) -> String {
    base64url(digest(&SHA256, text.as_bytes()))
}

fn jwk(key: &SigningKey) -> Value {
    let jwk = key.jwk();
    json!({ "crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"] })
}

fn proof(key: &SigningKey, token: &str, method: &str, address: &str, id: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm, "jwk": jwk(key) });
    let ath = sha256(token);
    let claims = json!({ "jti": id, "htm": method, "htu": address, "iat": now, "ath": ath });
    key.mint_with(&header, &claims)
}

/// A doctor's token that is bound so.
fn token(city: &City, cnf: &Value) -> String {
    city.token("ha", |claims| {
        claims["aud"] = json!([BASE]);
        claims["cnf"] = cnf.clone();
    })
}

fn of_key(city: &City, key: &SigningKey) -> String {
    token(city, &json!({ "jkt": sha256(&jwk(key).to_string()) }))
}

async fn shown(server: &TestServer, path: &str, token: &str, proof: &str) -> Answer {
    let request = server.request("GET", path).header("authorization", format!("DPoP {token}"));
    server.send(request.header("dpop", proof)).await
}

/// All challenges, in order.
fn challenges(answer: &Answer) -> Vec<&str> {
    let values = answer.headers.get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn pop_03_a_proof_is_taken_once_by_whichever_replica() {
    let options = [("BUND_BASE_URL", BASE)];
    let city = City::start_with(&options).await;
    let replica = city.replica_with(&options).await;
    let key = SigningKey::new("own", "ES256");
    let token = of_key(&city, &key);
    let address = format!("{BASE}/Patient");
    let first = proof(&key, &token, "GET", &address, "1");
    // The query belongs to the request, and not to what is proven.
    shown(&city.server, "Patient?name=x", &token, &first).await.expect(200);
    for server in [&city.server, &replica] {
        shown(server, "Patient", &token, &first).await.expect(401);
    }
    let second = proof(&key, &token, "GET", &address, "2");
    shown(&replica, "Patient", &token, &second).await.expect(200);
    shown(&city.server, "Patient", &token, &second).await.expect(401);
    // Of several that come at once one is answered.
    let third = proof(&key, &token, "GET", &address, "3");
    let at_once = (0..8).map(|number| {
        let server = if number % 2 == 0 { &city.server } else { &replica };
        shown(server, "Patient", &token, &third)
    });
    let answers = futures_util::future::join_all(at_once).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 7, "{statuses:?}");
    // The address is the one that clients know, and not the one that this process listens on.
    let inside = format!("{}/Patient", city.server.base);
    let fourth = proof(&key, &token, "GET", &inside, "4");
    shown(&city.server, "Patient", &token, &fourth).await.expect(401);
    let fifth = proof(&key, &token, "GET", &format!("{BASE}/Patient/ha-1"), "5");
    shown(&city.server, "Patient/ha-1", &token, &fifth).await.expect(404);
}

#[tokio::test]
async fn pop_04_who_is_refused_is_told_to_show_a_proof_and_not_why() {
    let city = City::start_with(&[("BUND_BASE_URL", BASE)]).await;
    let key = SigningKey::new("own", "ES256");
    let token = of_key(&city, &key);
    let none = city.server.get("Patient").await.expect(401);
    let algorithms = "algs=\"ES256 ES384 RS256 RS384 PS256 PS384 EdDSA\"";
    assert_eq!(challenges(&none), ["Bearer", &format!("DPoP {algorithms}")]);

    let address = format!("{BASE}/Patient");
    let post = proof(&key, &token, "POST", &address, "1");
    let stolen = proof(&SigningKey::new("other", "ES256"), &token, "GET", &address, "2");
    let good = proof(&key, &token, "GET", &address, "3");
    let mut answers = vec![none];
    for wrong in ["", "a.b.c", &post, &stolen, &token] {
        let answer = shown(&city.server, "Patient", &token, wrong).await.expect(401);
        let expected = format!("DPoP error=\"invalid_token\", {algorithms}");
        assert_eq!(challenges(&answer), [expected]);
        answers.push(answer);
    }
    let request = city.server.request("GET", "Patient").header("dpop", &good);
    let downgraded = city.server.send(request.bearer_auth(&token)).await.expect(401);
    assert_eq!(
        challenges(&downgraded),
        ["Bearer error=\"invalid_token\"", &format!("DPoP {algorithms}")]
    );
    answers.push(downgraded);
    let free = city.token("ha", |claims| claims["aud"] = json!([BASE]));
    answers.push(shown(&city.server, "Patient", &free, &good).await.expect(401));
    answers.iter().for_each(|answer| assert_eq!(answer.text, answers[0].text));
    // What was refused has used nothing up.
    shown(&city.server, "Patient", &token, &good).await.expect(200);

    // What a scope lacks is told in the same way.
    let narrow = city.token("ha", |claims| {
        claims["aud"] = json!([BASE]);
        claims["cnf"] = json!({ "jkt": sha256(&jwk(&key).to_string()) });
        claims["scope"] = json!("user/Observation.rs");
    });
    let fourth = proof(&key, &narrow, "GET", &address, "4");
    let denied = shown(&city.server, "Patient", &narrow, &fourth).await.expect(403);
    assert!(challenges(&denied)[0].starts_with("DPoP error=\"insufficient_scope\""));
}

#[tokio::test]
async fn pop_02_a_certificate_is_believed_only_from_the_ingress() {
    // The hash of a certificate as Envoy hands it on, and as a token is bound to it.
    let bytes = digest(&SHA256, b"certificate");
    let hexadecimal: String = bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let header = format!("Hash={hexadecimal};Subject=\"CN=ehr\"");
    let claim = json!({ "x5t#S256": base64url(bytes) });
    let from = |networks: &'static str| {
        [
            ("BUND_BASE_URL", BASE),
            ("BUND_TRUSTED_PROXIES", networks),
            ("BUND_CLIENT_CERTIFICATE_HEADER", "X-Forwarded-Client-Cert"),
        ]
    };
    let ask = |city: &City, headers: &[&str]| -> RequestBuilder {
        let request = city.server.request("GET", "Patient").bearer_auth(token(city, &claim));
        headers
            .iter()
            .fold(request, |request, value| request.header("x-forwarded-client-cert", *value))
    };
    let trusting = City::start_with(&from("10.0.0.0/8, 127.0.0.0/8")).await;
    trusting.server.send(ask(&trusting, &[&header])).await.expect(200);
    let other = format!("Hash={}", "0".repeat(64));
    for headers in [vec![], vec![other.as_str()], vec![&header, &header], vec!["x"]] {
        trusting.server.send(ask(&trusting, &headers)).await.expect(401);
    }
    // Somebody who reaches the server past the ingress can write any header.
    let distrusting = City::start_with(&from("10.0.0.0/8")).await;
    distrusting.server.send(ask(&distrusting, &[&header])).await.expect(401);
    let unconfigured = City::start_with(&[("BUND_BASE_URL", BASE)]).await;
    unconfigured.server.send(ask(&unconfigured, &[&header])).await.expect(401);
}

#[tokio::test]
async fn pop_03_a_proof_of_long_ago_is_forgotten_and_a_fresh_one_is_not() {
    use store::Store;
    let database = crate::harness::Database::migrated().await;
    let store = Store::open(&crate::harness::settings(&database.url)).await.unwrap();
    let [old, fresh] = [1, 2].map(uuid::Uuid::from_u128);
    assert!(store.save_proof(old, 1_000).await.unwrap());
    assert!(store.save_proof(fresh, 2_000).await.unwrap());
    assert_eq!(store.forget_proofs(1_500).await.unwrap(), 1);
    assert!(!store.save_proof(fresh, 2_000).await.unwrap());
    assert!(store.save_proof(old, 1_000).await.unwrap(), "it was forgotten");
}

/// `cargo test --release -p tests what_a_proof_costs -- --nocapture` shows the figures.
#[tokio::test]
async fn what_a_proof_costs_is_one_row() {
    use store::Store;
    let database = crate::harness::Database::migrated().await;
    let store = Store::open(&crate::harness::settings(&database.url)).await.unwrap();
    let rounds: u32 = 500;
    let began = std::time::Instant::now();
    for number in 0..rounds {
        assert!(store.save_proof(uuid::Uuid::new_v4(), i64::from(number)).await.unwrap());
    }
    println!("{} microseconds a proof", began.elapsed().as_micros() / u128::from(rounds));
    let rows = database.client().await.query_one("SELECT count(*) FROM proof_seen", &[]).await;
    assert_eq!(rows.unwrap().get::<_, i64>(0), i64::from(rounds));
}
