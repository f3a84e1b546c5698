//! How an app learns where to get a token, and what it may ask for.

use crate::harness::Serving;
use crate::harness::{City, TestServer};
use serde_json::{Value, json};

const CONFIGURATION: &str = ".well-known/smart-configuration";

async fn city() -> City {
    let city = City::start().await;
    let at = |path: &str| format!("{}/{path}", city.issuer.iss);
    city.issuer.serve(Serving::Discovery(json!({
        "authorization_endpoint": at("auth"),
        "token_endpoint": at("token"),
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "code_challenge_methods_supported": ["plain", "S256"],
    })));
    city
}

#[tokio::test]
async fn smart_01_the_configuration_is_json_whatever_is_asked_for() {
    let city = city().await;
    let request =
        city.server.request("GET", CONFIGURATION).header("accept", "application/fhir+xml");
    let answer = city.server.send(request).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.json().is_object());
    // A server that asks for no token has none.
    TestServer::start().await.get(CONFIGURATION).await.expect(404);
    // While the issuer is away, it is what it was.
    city.issuer.serve(Serving::Down);
    city.server.get(CONFIGURATION).await.expect(200);
}

#[tokio::test]
async fn smart_02_what_has_to_be_said_is_said() {
    let document = city().await.server.get(CONFIGURATION).await.expect(200).json();
    for name in ["grant_types_supported", "capabilities", "code_challenge_methods_supported"] {
        assert!(document[name].as_array().is_some_and(|values| !values.is_empty()), "{name}");
    }
    assert!(document["token_endpoint"].is_string());
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
}

#[tokio::test]
async fn smart_04_every_scope_that_is_listed_is_granted() {
    let city = city().await;
    let document = city.server.get(CONFIGURATION).await.expect(200).json();
    let scopes: Vec<&str> =
        document["scopes_supported"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for scope in scopes.into_iter().filter(|scope| scope.contains('.')) {
        let token = match scope.starts_with("patient/") {
            true => city.patient("ha-p1", scope),
            false => city.with_scope("ha", scope),
        };
        let kind = scope.split(['/', '.']).nth(1).unwrap().replace('*', "Observation");
        city.get(&token, &kind).await.expect(200);
    }
}

#[tokio::test]
async fn smart_05_scopes_of_the_first_version_are_taken() {
    let city = city().await;
    let document = city.server.get(CONFIGURATION).await.expect(200).json();
    assert!(document["capabilities"].to_string().contains("permission-v1"));
    city.get(&city.with_scope("ha", "user/Observation.read"), "Observation").await.expect(200);
    city.get(&city.with_scope("ha", "user/Observation.write"), "Observation").await.expect(403);
}

#[tokio::test]
async fn smart_06_only_what_everybody_may_know_is_for_every_origin() {
    let city = city().await;
    for path in [CONFIGURATION, "metadata"] {
        let answer = city.server.get(path).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    let answer = city.get(&city.doctor("ha"), "Observation").await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn smart_07_the_statement_says_how_one_gets_in() {
    let city = city().await;
    let statement = city.server.get("metadata").await.expect(200).json();
    let service = &statement["rest"][0]["security"]["service"][0]["coding"][0]["code"];
    assert_eq!(service, "SMART-on-FHIR");
    let open = TestServer::start().await.get("metadata").await.expect(200).json();
    assert!(open["rest"][0]["security"].is_null());
}
