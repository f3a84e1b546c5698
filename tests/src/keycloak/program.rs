//! A hospital's own program: SMART Backend Services with `private_key_jwt` (hl7.org/fhir/smart-app-launch/backend-services.html).

use super::browser::read;
use super::shared::City;
use crate::harness::SigningKey;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static NUMBER: AtomicU32 = AtomicU32::new(0);

fn assertion(city: &City, key: &SigningKey) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "hospital-ehr", "sub": "hospital-ehr", "aud": city.issuer("city"),
        "jti": format!("{now}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        "iat": now, "exp": now + 60,
    });
    let header = json!({ "typ": "JWT", "alg": key.algorithm, "kid": key.kid });
    key.mint_with(&header, &claims)
}

async fn ask(city: &City, assertion: &str, scope: &str) -> Value {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    city.ask_for_token("city", &fields).await
}

/// With a new key, published beforehand.
pub(crate) async fn tokens(city: &City, scope: &str) -> Value {
    let key = SigningKey::new(&format!("k{}", NUMBER.fetch_add(1, Ordering::Relaxed)), "ES384");
    city.program.publish(vec![key.jwk()]);
    let began = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(500));
    // Keys that are not known are asked for again after some seconds; an assertion is good once.
    loop {
        pause.tick().await;
        let answer = ask(city, &assertion(city, &key), scope).await;
        if answer["access_token"].is_string() {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{answer}");
    }
}

pub(crate) async fn kc_01_a_hospital_proves_itself_by_its_own_key(city: Arc<City>) {
    let key = SigningKey::new("of-this-test", "ES384");
    let stranger = SigningKey::new("of-this-test", "ES384");
    let weaker = SigningKey::new("weaker", "ES256");
    let tokens = tokens(&city, "system/*.cruds").await;
    assert!(tokens["refresh_token"].is_null());
    let token = tokens["access_token"].as_str().unwrap();
    let (_, claims) = read(token);
    assert_eq!(claims["client_id"], "hospital-ehr");
    // It writes what its hospital keeps, whatever the resource says.
    let patient = json!({ "resourceType": "Patient", "gender": "male" });
    let created = city.server.json("POST", "Patient", &patient).bearer_auth(token);
    let id = city.server.send(created).await.expect(201).json()["id"].as_str().unwrap().to_owned();
    let own = city.token("wang", "openid user/*.rs").await;
    city.get(&own, &format!("Patient/{id}")).await.expect(200);
    let other = city.token("chen", "openid user/*.rs").await;
    city.get(&other, &format!("Patient/{id}")).await.expect(404);
    // Only what it may ask for.
    city.program.publish(vec![key.jwk(), weaker.jwk()]);
    for (what, assertion, scope) in [
        ("another key", assertion(&city, &stranger), "system/*.rs"),
        ("another algorithm", assertion(&city, &weaker), "system/*.rs"),
        ("a person's scope", assertion(&city, &key), "user/*.cruds"),
    ] {
        let refused = ask(&city, &assertion, scope).await;
        assert!(
            refused["error"].is_string() && refused["access_token"].is_null(),
            "{what}: {refused}"
        );
    }
}
