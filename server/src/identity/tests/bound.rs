//! Tokens that are bound to a key or a certificate, and the proofs that belong to them.

use super::issuer::{Issuer, SigningKey, base64url};
use super::{BASE, alone, client, refused, registered, registry, settings, verify, with};
use crate::identity::{Identity, Principal, Refusal, Shown, proof};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

const ADDRESS: &str = "https://fhir.hub.example/fhir/Patient/1";

/// Base64url of the thumbprint of a key.
fn thumbprint(key: &SigningKey) -> String {
    base64url(proof::thumbprint(key.jwk().as_object().unwrap()).unwrap())
}

fn header(key: &SigningKey) -> Value {
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    json!({ "typ": "dpop+jwt", "alg": key.algorithm, "jwk": jwk })
}

/// Of a GET of the address, with this token.
fn payload(identity: &Identity, token: &str, id: &str) -> Value {
    json!({
        "jti": id,
        "htm": "GET",
        "htu": ADDRESS,
        "iat": identity.inner.clock.calendar(),
        "ath": base64url(Sha256::digest(token)),
    })
}

async fn shown(
    identity: &Identity,
    scheme: &str,
    token: &str,
    proofs: &[&str],
) -> Result<Arc<Principal>, Refusal> {
    let value = format!("{scheme} {token}");
    let authorization: &[&str] = &[&value];
    let shown = Shown { authorization, proofs, method: "GET", address: ADDRESS, certificate: None };
    identity.verify(&shown).await
}

/// An issuer, who knows it, a key, and a token that is bound to the key.
async fn bound(algorithm: &'static str) -> (Issuer, Identity, SigningKey, String) {
    let (issuer, identity) = super::one().await;
    let key = SigningKey::new("own", algorithm);
    let token = issuer.mint(&with(&issuer, "cnf", json!({ "jkt": thumbprint(&key) })));
    (issuer, identity, key, token)
}

#[tokio::test]
async fn pop_01_a_token_of_a_certificate_needs_that_certificate() {
    let (issuer, identity) = super::one().await;
    let thumbprint: [u8; 32] = Sha256::digest("a certificate").into();
    let claim = json!({ "x5t#S256": base64url(thumbprint) });
    let value = format!("Bearer {}", issuer.mint(&with(&issuer, "cnf", claim)));
    let authorization: &[&str] = &[&value];
    let with_certificate = |certificate| Shown { authorization, certificate, ..Shown::default() };
    // Also when the token is remembered.
    for _ in 0..2 {
        assert!(identity.verify(&with_certificate(Some(thumbprint))).await.is_ok());
        refused(identity.verify(&with_certificate(None)).await, "no certificate", "none");
        let other = Some([7; 32]);
        refused(identity.verify(&with_certificate(other)).await, "another certificate", "another");
    }
}

#[tokio::test]
async fn pop_01_a_binding_that_is_not_understood_binds() {
    let (issuer, identity) = super::one().await;
    for (cnf, reason) in [
        (json!({}), "malformed binding"),
        (json!("x"), "malformed binding"),
        (json!([]), "malformed binding"),
        (json!({ "jkt": base64url([0; 31]) }), "malformed binding"),
        (json!({ "x5t#S256": 1 }), "malformed binding"),
        (json!({ "x5t#S256": format!("{}=", base64url([0; 32])) }), "malformed binding"),
        (json!({ "jwk": issuer.key.jwk() }), "unknown binding"),
        (json!({ "kid": "x" }), "unknown binding"),
        (json!({ "x5t": base64url([0; 20]) }), "unknown binding"),
    ] {
        let token = issuer.mint(&with(&issuer, "cnf", cnf.clone()));
        refused(verify(&identity, &token).await, reason, &cnf.to_string());
    }
}

#[tokio::test]
async fn pop_03_a_token_of_a_key_needs_a_proof_by_that_key() {
    for algorithm in ["ES256", "ES384", "EdDSA", "RS256", "PS256"] {
        let (_issuer, identity, key, token) = bound(algorithm).await;
        let proof = key.mint_with(&header(&key), &payload(&identity, &token, "1"));
        let outcome = shown(&identity, "DPoP", &token, &[&proof]).await;
        assert!(outcome.is_ok(), "{algorithm}: {outcome:?}");
        let again = shown(&identity, "DPoP", &token, &[&proof]).await;
        refused(again, "proof: shown before", algorithm);
        let next = key.mint_with(&header(&key), &payload(&identity, &token, "2"));
        assert!(shown(&identity, "dpop", &token, &[&next]).await.is_ok());
        let other = SigningKey::new("other", algorithm);
        let stolen = other.mint_with(&header(&other), &payload(&identity, &token, "3"));
        refused(shown(&identity, "DPoP", &token, &[&stolen]).await, "proof: another key", "stolen");
    }
}

#[tokio::test]
async fn pop_03_a_proof_is_of_this_request_and_of_now() {
    let (_issuer, identity, key, token) = bound("ES256").await;
    let now = identity.inner.clock.calendar();
    for (name, value, reason) in [
        ("htm", json!("POST"), "proof: another method"),
        ("htm", json!("get"), "proof: another method"),
        ("htm", Value::Null, "proof: another method"),
        ("htu", json!("https://fhir.hub.example/fhir/Patient/2"), "proof: another address"),
        ("htu", json!("https://fhir.hub.example/fhir/Patient"), "proof: another address"),
        ("htu", json!("http://fhir.hub.example/fhir/Patient/1"), "proof: another address"),
        ("htu", json!("https://fhir.hub.example:8443/fhir/Patient/1"), "proof: another address"),
        ("htu", json!("https://a@fhir.hub.example/fhir/Patient/1"), "proof: another address"),
        ("htu", json!("/fhir/Patient/1"), "proof: another address"),
        ("htu", json!(["x"]), "proof: another address"),
        ("iat", json!(now - 75), "proof: not of now"),
        ("iat", json!(now + 75), "proof: not of now"),
        ("iat", json!(i64::MAX), "proof: not of now"),
        ("iat", json!(-1), "proof: malformed time"),
        ("iat", json!(now.to_string()), "proof: malformed time"),
        ("iat", Value::Null, "proof: malformed time"),
        ("ath", json!(base64url(Sha256::digest("another"))), "proof: another token"),
        ("ath", Value::Null, "proof: another token"),
        ("jti", json!(""), "proof: no name"),
        ("jti", json!("x".repeat(257)), "proof: no name"),
        ("jti", Value::Null, "proof: no name"),
    ] {
        let mut claims = payload(&identity, &token, "1");
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
        let proof = key.mint_with(&header(&key), &claims);
        let outcome = shown(&identity, "DPoP", &token, &[&proof]).await;
        refused(outcome, reason, &format!("{name} {value}"));
    }
    // One address has many spellings; what stands after its path is not asked for.
    for (number, htu) in [
        "HTTPS://FHIR.hub.example:443/fhir/Patient/1",
        "https://fhir.hub.example/fhir/Patient/1?_pretty=true",
        "https://fhir.hub.example/fhir/Patient/1#x",
        "https://fhir.hub.example/fhir/%50atient/%31",
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = payload(&identity, &token, &format!("spelling {number}"));
        claims["htu"] = json!(htu);
        let proof = key.mint_with(&header(&key), &claims);
        let outcome = shown(&identity, "DPoP", &token, &[&proof]).await;
        assert!(outcome.is_ok(), "{htu}: {outcome:?}");
    }
}

#[tokio::test]
async fn pop_03_a_proof_is_a_signed_text_of_its_own_kind() {
    let (issuer, identity, key, token) = bound("ES256").await;
    let claims = payload(&identity, &token, "1");
    let good = header(&key);
    let private = {
        let mut jwk = good["jwk"].clone();
        jwk["d"] = json!(base64url([1; 32]));
        jwk
    };
    for (name, value, reason) in [
        ("typ", json!("at+jwt"), "proof: not a proof"),
        ("typ", json!("JWT"), "proof: not a proof"),
        ("typ", Value::Null, "proof: not a proof"),
        ("alg", json!("none"), "proof: algorithm"),
        ("alg", json!("HS256"), "proof: algorithm"),
        ("alg", json!("RS256"), "proof: algorithm"),
        ("alg", Value::Null, "proof: algorithm"),
        ("jwk", Value::Null, "proof: no key"),
        ("jwk", private, "proof: private key"),
        ("jwk", json!({ "kty": "oct", "k": "x" }), "proof: private key"),
        (
            "jwk",
            json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
            "proof: unusable key",
        ),
        ("jwk", SigningKey::new("x", "ES256").jwk(), "proof: signature"),
        ("crit", json!(["exp"]), "proof: not a signed token"),
    ] {
        let mut changed = good.clone();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(name);
        } else {
            changed[name] = value.clone();
        }
        let proof = key.mint_with(&changed, &claims);
        let outcome = shown(&identity, "DPoP", &token, &[&proof]).await;
        refused(outcome, reason, &format!("{name} {value}"));
    }
    let one = key.mint_with(&good, &claims);
    let two = key.mint_with(&good, &payload(&identity, &token, "2"));
    let twice = good.to_string().replacen('{', "{\"typ\":\"dpop+jwt\",", 1);
    let duplicate = key.mint_text(twice, claims.to_string());
    let long = "x".repeat(9_000);
    let (message, _) = one.rsplit_once('.').unwrap();
    let (_, signature) = two.rsplit_once('.').unwrap();
    let tampered = format!("{message}.{signature}");
    for (proofs, reason) in [
        (vec![], "no proof"),
        (vec![one.as_str(), two.as_str()], "several proofs"),
        (vec!["a.b.c"], "proof: not a signed token"),
        (vec![token.as_str()], "proof: not a proof"),
        (vec![duplicate.as_str()], "proof: not a signed token"),
        (vec![long.as_str()], "proof: too long"),
        (vec![tampered.as_str()], "proof: signature"),
    ] {
        refused(shown(&identity, "DPoP", &token, &proofs).await, reason, reason);
    }
    // None of what was refused has used the proof up.
    assert!(shown(&identity, "DPoP", &token, &[&one]).await.is_ok());
    drop(issuer);
}

#[tokio::test]
async fn pop_04_a_bound_token_is_not_taken_without_its_proof() {
    let (issuer, identity, key, token) = bound("ES256").await;
    let proof = key.mint_with(&header(&key), &payload(&identity, &token, "1"));
    let reason = "bound token without a proof";
    refused(shown(&identity, "Bearer", &token, &[]).await, reason, "as bearer");
    refused(shown(&identity, "Bearer", &token, &[&proof]).await, reason, "as bearer, with one");
    let free = issuer.mint(&issuer.claims(BASE, "a"));
    let proof = key.mint_with(&header(&key), &payload(&identity, &free, "2"));
    let outcome = shown(&identity, "DPoP", &free, &[&proof]).await;
    refused(outcome, "proof for a token that is not bound", "a token of nobody's key");
    // Bound to both: both are asked for.
    let cnf = json!({ "jkt": thumbprint(&key), "x5t#S256": base64url([9; 32]) });
    let both = issuer.mint(&with(&issuer, "cnf", cnf));
    let proof = key.mint_with(&header(&key), &payload(&identity, &both, "3"));
    refused(shown(&identity, "DPoP", &both, &[&proof]).await, "no certificate", "half of it");
}

#[tokio::test]
async fn pop_05_a_client_can_be_held_to_bound_tokens() {
    let issuer = Issuer::start().await;
    let mut listed = registry(vec![registered(&issuer.iss)]);
    listed.clients = vec![client(&issuer.iss, "ehr", None)];
    listed.clients[0].require_bound = true;
    let identity = Identity::new(&settings(), BASE, listed, alone()).unwrap();
    let free = issuer.mint(&issuer.claims(BASE, "a"));
    refused(verify(&identity, &free).await, "not bound", "a bearer's token");
    let key = SigningKey::new("own", "ES256");
    let token = issuer.mint(&with(&issuer, "cnf", json!({ "jkt": thumbprint(&key) })));
    let proof = key.mint_with(&header(&key), &payload(&identity, &token, "1"));
    assert!(shown(&identity, "DPoP", &token, &[&proof]).await.is_ok());
}

#[test]
fn pop_03_the_thumbprint_is_that_of_the_standard() {
    // The example of RFC 7638, section 3.1.
    let jwk = json!({
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    });
    let found = proof::thumbprint(jwk.as_object().unwrap()).unwrap();
    assert_eq!(base64url(found), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}
