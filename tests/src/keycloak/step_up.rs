//! A second factor where it is asked for.

use super::browser::{Asked, Browser, read};
use super::shared::{City, portal};
use crate::harness::Answer;
use serde_json::json;
use std::sync::Arc;

async fn break_glass(city: &City, token: &str) -> Answer {
    let reason = json!({ "resourceType": "Parameters", "parameter": [
        { "name": "reason", "valueString": "unconscious after an accident" },
    ] });
    let request = city.server.json("POST", "Patient/h002-p9/$break-glass", &reason);
    city.server.send(request.bearer_auth(token).header("x-purpose-of-use", "ETREAT")).await
}

pub(crate) async fn kc_03_emergencies_take_a_second_factor(city: Arc<City>) {
    let browser = Browser::new();
    let asked = portal("openid user/*.rs");
    let login = city.login("wang");
    let tokens = browser.tokens(&city, asked, &login).await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(read(token).1["acr"], "1");
    let refused = break_glass(&city, token).await.expect(401);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(challenge.contains("acr_values=\"2\""), "{challenge}");

    // The same session: only what is missing is asked for, and it has to be right.
    let higher = Asked { acr: Some("2"), ..asked };
    let mut wrong = login.clone();
    wrong.secret.push('x');
    browser.tokens(&city, higher, &wrong).await.unwrap_err();
    let tokens = browser.tokens(&city, higher, &login).await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(read(token).1["acr"], "2");
    break_glass(&city, token).await.expect(201);
    // A second factor alone is no right to it.
    let other = Browser::new().tokens(&city, higher, &city.login("chen")).await.unwrap();
    break_glass(&city, other["access_token"].as_str().unwrap()).await.expect(403);
}
