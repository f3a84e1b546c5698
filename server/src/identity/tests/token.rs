//! Tokens as text: algorithms, headers, JSON, base64.

use super::issuer::{Issuer, SigningKey, base64url};
use super::{BASE, authorized, identity, one, refused, registered, verify, with};
use crate::identity::{Refusal, Shown};
use aws_lc_rs::hmac;
use serde_json::{Value, json};

/// A token of the issuer with these members of its header changed, or taken away by `null`.
fn with_header(issuer: &Issuer, changes: &[(&str, Value)]) -> String {
    let mut header = issuer.key.header();
    for (name, value) in changes {
        if value.is_null() {
            header.as_object_mut().unwrap().remove(*name);
        } else {
            header[*name] = value.clone();
        }
    }
    issuer.key.mint_with(&header, &issuer.claims(BASE, "a"))
}

#[tokio::test]
async fn tok_01_rejects_alg_none() {
    let (issuer, identity) = one().await;
    for alg in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!("es256"),
        json!(1),
        Value::Null,
    ] {
        let token = with_header(&issuer, &[("alg", alg.clone())]);
        refused(verify(&identity, &token).await, "algorithm", &alg.to_string());
        let (message, _) = token.rsplit_once('.').unwrap();
        let unsigned = format!("{message}.");
        refused(verify(&identity, &unsigned).await, "algorithm", &alg.to_string());
    }
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let (message, _) = token.rsplit_once('.').unwrap();
    refused(verify(&identity, &format!("{message}.")).await, "signature", "no signature");
    assert!(verify(&identity, &token).await.is_ok());
}

#[tokio::test]
async fn tok_02_rejects_symmetric_signatures_with_the_public_key() {
    let issuer = Issuer::start().await;
    let mut row = registered(&issuer.iss);
    // Even an administrator's mistake opens no door.
    row.algorithms = ["ES256", "HS256", "HS384", "HS512"].map(str::to_owned).to_vec();
    let identity = identity(vec![row]);
    let jwk = issuer.key.jwk();
    let x = jwk["x"].as_str().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{x}\n-----END PUBLIC KEY-----\n");
    for secret in [jwk.to_string(), json!({ "keys": [jwk] }).to_string(), x.to_owned(), pem] {
        for (alg, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ] {
            let header = json!({ "typ": "at+jwt", "alg": alg, "kid": "k1" }).to_string();
            let payload = issuer.claims(BASE, "a").to_string();
            let message = format!("{}.{}", base64url(header), base64url(payload));
            let key = hmac::Key::new(algorithm, secret.as_bytes());
            let signature = base64url(hmac::sign(&key, message.as_bytes()));
            let token = format!("{message}.{signature}");
            refused(verify(&identity, &token).await, "algorithm", alg);
        }
    }
}

#[tokio::test]
async fn every_algorithm_of_the_registry_is_verified_and_no_other() {
    let issuer = Issuer::start().await;
    let names = ["ES256", "ES384", "EdDSA", "RS256", "RS384", "PS256", "PS384"];
    let keys: Vec<SigningKey> = names.iter().map(|name| SigningKey::new(name, name)).collect();
    issuer.publish(keys.iter().map(SigningKey::jwk).collect());
    let mut all = registered(&issuer.iss);
    all.algorithms = names.map(str::to_owned).to_vec();
    let all = identity(vec![all]);
    let none = identity(vec![crate::identity::tests::Registered {
        algorithms: Vec::new(),
        ..registered(&issuer.iss)
    }]);
    for key in keys {
        let token = key.mint(&issuer.claims(BASE, "a"));
        assert!(verify(&all, &token).await.is_ok(), "{}", key.algorithm);
        refused(verify(&none, &token).await, "algorithm", key.algorithm);
        // The header says one thing, the key is for another.
        let other = if key.algorithm.starts_with("RS") { "ES256" } else { "RS256" };
        let header = json!({ "typ": "at+jwt", "alg": other, "kid": key.kid });
        let token = key.mint_with(&header, &issuer.claims(BASE, "a"));
        let outcome = verify(&all, &token).await;
        assert!(outcome.is_err(), "{} as {other}: {outcome:?}", key.algorithm);
    }
    // A key that says what it is for is for nothing else.
    let key = SigningKey::new("rsa", "RS256");
    let mut jwk = key.jwk();
    jwk["alg"] = json!("PS256");
    let issuer = Issuer::start().await;
    issuer.publish(vec![jwk]);
    let mut row = registered(&issuer.iss);
    row.algorithms = names.map(str::to_owned).to_vec();
    let identity = identity(vec![row]);
    let claims = issuer.claims(BASE, "a");
    refused(verify(&identity, &key.mint(&claims)).await, "algorithm", "RS256 by a PS256 key");
    assert!(verify(&identity, &key.with_algorithm("PS256").mint(&claims)).await.is_ok());
}

#[tokio::test]
async fn tok_03_rejects_tokens_of_other_kinds() {
    let (issuer, identity) = one().await;
    for typ in [
        json!("JWT"),
        json!("jwt"),
        json!("logout+jwt"),
        json!("Refresh"),
        json!("AT+JWT"),
        json!(1),
        Value::Null,
    ] {
        let token = with_header(&issuer, &[("typ", typ.clone())]);
        refused(verify(&identity, &token).await, "not an access token", &typ.to_string());
    }
    for scope in [Value::Null, json!(""), json!(["user/*.rs"]), json!(1)] {
        let token = issuer.mint(&with(&issuer, "scope", scope.clone()));
        refused(verify(&identity, &token).await, "no scope", &scope.to_string());
    }
    let token = with_header(&issuer, &[("typ", json!("application/at+jwt"))]);
    assert!(verify(&identity, &token).await.is_ok());
}

#[tokio::test]
async fn tok_07_rejects_what_two_readers_read_differently() {
    let (issuer, identity) = one().await;
    let key = &issuer.key;
    let header = key.header().to_string();
    let claims = issuer.claims(BASE, "a").to_string();
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    let deep = format!("{{\"x\":{}{},{}", "[".repeat(40), "]".repeat(40), &claims[1..]);
    for (what, header, payload) in [
        ("alg twice", twice(&header, "\"alg\":\"none\"").into_bytes(), claims.clone().into_bytes()),
        ("kid twice", twice(&header, "\"kid\":\"k1\"").into_bytes(), claims.clone().into_bytes()),
        ("sub twice", header.clone().into_bytes(), twice(&claims, "\"sub\":\"x\"").into_bytes()),
        (
            "an escaped name twice",
            header.clone().into_bytes(),
            twice(&claims, "\"s\\u0075b\":\"x\"").into_bytes(),
        ),
        (
            "twice, deep inside",
            header.clone().into_bytes(),
            claims
                .replacen("\"ihe_iua\":{", "\"ihe_iua\":{\"subject_name\":\"x\",", 1)
                .into_bytes(),
        ),
        ("bytes after the end", header.clone().into_bytes(), [claims.as_bytes(), b"\0"].concat()),
        ("space after the end", header.clone().into_bytes(), [claims.as_bytes(), b" "].concat()),
        ("a second object", header.clone().into_bytes(), [claims.as_bytes(), b"{}"].concat()),
        (
            "a byte order mark",
            header.clone().into_bytes(),
            [b"\xef\xbb\xbf", claims.as_bytes()].concat(),
        ),
        (
            "a NUL in a claim",
            header.clone().into_bytes(),
            claims.replace("b3ca1045", "b3ca\\u00001045").into_bytes(),
        ),
        (
            "not UTF-8",
            header.clone().into_bytes(),
            [b"{\"x\":\"\xff\",", &claims.as_bytes()[1..]].concat(),
        ),
        ("no object", header.clone().into_bytes(), b"[]".to_vec()),
        ("too deep", header.clone().into_bytes(), deep.into_bytes()),
        (
            "UTF-16",
            header.clone().into_bytes(),
            claims.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
    ] {
        refused(
            verify(&identity, &key.mint_text(header, payload)).await,
            "not a JSON object",
            what,
        );
    }
    let token = key.mint_text(&header, &claims);
    let (message, signature) = token.rsplit_once('.').unwrap();
    for (what, token) in [
        ("padding", format!("{token}==")),
        ("a fourth part", format!("{token}.")),
        ("two parts", message.to_owned()),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("the other alphabet", format!("{message}.+{signature}")),
        ("white space", format!("{message}. {signature}")),
        ("a NUL", format!("{token}\0")),
    ] {
        let outcome = verify(&identity, &token).await;
        assert!(matches!(outcome, Err(Refusal::Unauthenticated(_))), "{what}: {outcome:?}");
    }
    // Bits that a lenient reader drops make another text of the same signature.
    let last = signature.chars().last().unwrap();
    let next = char::from_u32(u32::from(last) + 1).unwrap();
    let other = format!("{message}.{}{next}", &signature[..signature.len() - 1]);
    assert!(verify(&identity, &other).await.is_err());
    assert!(verify(&identity, &token).await.is_ok());
}

#[tokio::test]
async fn the_header_names_a_key_and_no_extension() {
    let (issuer, identity) = one().await;
    for (changes, reason) in [
        ([("kid", Value::Null)], "no key named"),
        ([("kid", json!(""))], "no key named"),
        ([("kid", json!(1))], "no key named"),
        ([("kid", json!("k".repeat(257)))], "no key named"),
        ([("crit", json!(["exp"]))], "critical extension"),
        ([("crit", json!([]))], "critical extension"),
        ([("crit", json!(["b64"]))], "critical extension"),
    ] {
        let token = with_header(&issuer, &changes);
        refused(verify(&identity, &token).await, reason, &format!("{changes:?}"));
    }
}

#[tokio::test]
async fn there_is_one_bearer_token_of_bounded_length() {
    let (issuer, identity) = one().await;
    let token = issuer.mint(&issuer.claims(BASE, "a"));
    let bearer = format!("Bearer {token}");
    let long = format!("Bearer {}", "a".repeat(16 * 1_024 + 1));
    for (headers, reason) in [
        (vec![], "no token"),
        (vec![bearer.as_str(), bearer.as_str()], "several tokens"),
        (vec![token.as_str()], "no bearer token"),
        (vec!["Bearer"], "no bearer token"),
        (vec!["Basic YTpi"], "no bearer token"),
        (vec![&format!("DPoP {token}")], "proof for a token that is not bound"),
        (vec![&long], "too long"),
    ] {
        refused(
            identity.verify(&Shown { authorization: &headers, ..Shown::default() }).await,
            reason,
            reason,
        );
    }
    for outcome in [
        authorized(&identity, &format!("bearer {token}")).await,
        authorized(&identity, &bearer).await,
    ] {
        assert!(outcome.is_ok());
    }
    for value in
        [format!("Bearer  {token}"), format!("Bearer {token} "), format!("Bearer {token},{token}")]
    {
        assert!(authorized(&identity, &value).await.is_err(), "{value}");
    }
}

#[tokio::test]
async fn a_signature_is_for_one_message_and_one_key() {
    let (issuer, identity) = one().await;
    let claims = issuer.claims(BASE, "a");
    let token = issuer.mint(&claims);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let mut other = claims.clone();
    other["sub"] = json!("somebody else");
    let forged = format!("{header}.{}.{signature}", base64url(other.to_string()));
    refused(verify(&identity, &forged).await, "signature", "another payload");
    let stranger = SigningKey::new("k1", "ES256").mint(&claims);
    refused(verify(&identity, &stranger).await, "signature", "another key of that name");
    // ECDSA over nothing: the zero signature was accepted once by a well-known library.
    let zero = format!("{message}.{}", base64url([0; 64]));
    refused(verify(&identity, &zero).await, "signature", "zero");
}
