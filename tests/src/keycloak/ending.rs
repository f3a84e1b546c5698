//! How access ends: sessions, users, keys.

use super::browser::read;
use super::shared::City;
use serde_json::{Value, json};
use std::sync::Arc;

async fn refused_refresh(city: &City, tokens: &Value) {
    let answer = city.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(answer["error"], "invalid_grant", "{answer}");
}

pub(crate) async fn kc_05_a_session_that_was_ended_gets_no_more_tokens(city: Arc<City>) {
    // By the person: the portal's log-out.
    let tokens = city.tokens("chen", "openid user/*.rs").await;
    let fields =
        [("client_id", "portal"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let address = format!("{}/protocol/openid-connect/logout", city.issuer("city"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(address).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(super::browser::encoded(&fields)).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    refused_refresh(&city, &tokens).await;
    // By an administrator.
    let tokens = city.tokens("chen", "openid user/*.rs").await;
    let (_, claims) = read(tokens["access_token"].as_str().unwrap());
    let session = claims["sid"].as_str().unwrap();
    let path = format!("/city/sessions/{session}");
    super::admin::Admin::done(city.admin.send("DELETE", &path, None).await);
    refused_refresh(&city, &tokens).await;
    // What is out ends by itself, soon.
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!(expires - issued <= 300);
}

pub(crate) async fn kc_05_a_user_who_was_disabled_gets_no_more_tokens(city: Arc<City>) {
    let tokens = city.tokens("chen", "openid user/*.rs").await;
    let mut user = city.admin.user("city", "chen").await;
    let path = format!("/city/users/{}", user["id"].as_str().unwrap());
    user["enabled"] = json!(false);
    city.admin.put(&path, &user).await;
    refused_refresh(&city, &tokens).await;
    let browser = super::browser::Browser::new();
    let asked = super::shared::portal("openid user/*.rs");
    browser.tokens(&city, asked, &city.login("chen")).await.unwrap_err();
    user["enabled"] = json!(true);
    city.admin.put(&path, &user).await;
}

pub(crate) async fn tok_09_a_change_of_keys_is_followed(city: Arc<City>) {
    let old = city.token("wang", "openid user/*.rs").await;
    let realm = city.admin.get("/city").await;
    let key = json!({
        "name": "next", "providerId": "ecdsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm["id"],
        "config": { "priority": ["1000"], "enabled": ["true"], "active": ["true"], "ecdsaEllipticCurveKey": ["P-256"] },
    });
    city.admin.post("/city/components", &key).await;
    let new = city.token("wang", "openid user/*.rs").await;
    assert_ne!(read(&old).0["kid"], read(&new).0["kid"]);
    // Keys are asked for every 30 seconds at most.
    city.becomes(&new, "Patient", 200, 40).await;
    city.get(&old, "Patient").await.expect(200);
}
