//! Where and how an app gets a token: the SMART configuration (hl7.org/fhir/smart-app-launch/conformance.html). The endpoints are
//! the issuer's, as its own discovery tells them.

use crate::app::App;
use crate::caller::Callers;
use crate::http::answer::failure_response;
use crate::http::failure::Failure;
use crate::http::format::Format;
use crate::http::request::Presentation;
use actix_web::HttpResponse;
use actix_web::web::Data;
use fhir::outcome::Code;
use serde_json::{Value, json};

/// Scopes that every app may ask for here; others of the same grammar are taken too.
pub const SCOPES: [&str; 11] = [
    "openid",
    "fhirUser",
    "launch/patient",
    "offline_access",
    "patient/*.rs",
    "patient/*.read",
    "patient/AuditEvent.rs",
    "user/*.cruds",
    "user/*.rs",
    "user/Consent.cruds",
    "system/*.cruds",
];

const MEMBERS: [&str; 7] = [
    "issuer",
    "jwks_uri",
    "authorization_endpoint",
    "token_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "registration_endpoint",
];

pub async fn configuration(app: Data<App>) -> HttpResponse {
    match document(&app).await {
        Ok(document) => HttpResponse::Ok()
            .insert_header(("content-type", "application/json"))
            .insert_header(("access-control-allow-origin", "*"))
            .body(document.to_string()),
        Err(failure) => {
            failure_response(&failure, Presentation { format: Format::Json, pretty: false })
        }
    }
}

async fn document(app: &App) -> Result<Value, Failure> {
    let Callers::Known(identity) = &app.callers else {
        return Err(Failure::not_found(
            "a SMART configuration: this server asks for no token, so it",
        ));
    };
    let away = || {
        Failure::new(
            503,
            Code::Transient,
            "the issuer's discovery cannot be had at the moment; try again",
        )
    };
    let issuer = identity.discovery().await.ok_or_else(away)?;
    if !issuer["token_endpoint"].is_string() {
        return Err(away());
    }
    Ok(of(&issuer))
}

fn of(issuer: &Value) -> Value {
    let mut document = json!({});
    for name in MEMBERS {
        if issuer[name].is_string() {
            document[name] = issuer[name].clone();
        }
    }
    // Those that RFC 8414 implies where nothing is said.
    let listed = |name: &str, implied: &[&str]| -> Vec<String> {
        match issuer[name].as_array() {
            Some(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            None => implied.iter().map(|value| (*value).to_owned()).collect(),
        }
    };
    let grants = listed("grant_types_supported", &["authorization_code"]);
    let methods = listed("token_endpoint_auth_methods_supported", &["client_secret_basic"]);
    let mut capabilities =
        vec!["permission-v1", "permission-v2", "permission-patient", "permission-user"];
    let has_login = issuer["authorization_endpoint"].is_string()
        && grants.iter().any(|grant| grant == "authorization_code");
    if has_login {
        capabilities.extend(["launch-standalone", "context-standalone-patient", "client-public"]);
    }
    if grants.iter().any(|grant| grant == "refresh_token") {
        capabilities.push("permission-offline");
    }
    if methods.iter().any(|method| method == "private_key_jwt") {
        capabilities.push("client-confidential-asymmetric");
    }
    if has_login && issuer["jwks_uri"].is_string() && issuer["issuer"].is_string() {
        capabilities.push("sso-openid-connect");
    }
    document["grant_types_supported"] = json!(grants);
    document["response_types_supported"] = json!(["code"]);
    document["token_endpoint_auth_methods_supported"] = json!(methods);
    // Whatever else the issuer takes: a challenge that is sent as it is proves nothing.
    document["code_challenge_methods_supported"] = json!(["S256"]);
    document["scopes_supported"] = json!(SCOPES);
    document["capabilities"] = json!(capabilities);
    document
}

/// What the CapabilityStatement says of how one gets in.
pub fn security(app: &App) -> Option<Value> {
    match &app.callers {
        Callers::Anyone(_) => None,
        Callers::Known(_) => Some(json!({
            "cors": false,
            "service": [{ "coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
            }] }],
            "description": "OAuth 2.0 access tokens with SMART scopes; see .well-known/smart-configuration",
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::{SCOPES, of};
    use access::scope::Scope;
    use serde_json::{Value, json};

    #[test]
    fn smart_04_every_scope_that_is_listed_is_understood() {
        let of_records = SCOPES.iter().filter(|scope| scope.contains('.'));
        assert!(of_records.clone().count() >= 6);
        for scope in of_records {
            assert!(Scope::parse(scope).is_some(), "{scope}");
        }
    }

    const REALM: &str = include_str!("../../helm/bund/files/keycloak/city-realm.json");

    #[test]
    fn the_realm_that_we_ship_has_the_scopes_that_we_list_and_no_others_than_we_understand() {
        let realm: Value = serde_json::from_str(REALM).unwrap();
        let scopes = realm["clientScopes"].as_array().unwrap();
        let names: Vec<&str> = scopes.iter().map(|scope| scope["name"].as_str().unwrap()).collect();
        // `openid` is Keycloak's own.
        for scope in SCOPES.iter().filter(|scope| **scope != "openid") {
            assert!(names.contains(scope), "{scope}");
        }
        let of_records = names.iter().filter(|name| name.contains('.'));
        for name in of_records {
            assert!(Scope::parse(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_realm_that_we_ship_has_no_secret_and_nobody_in_it() {
        for word in ["\"secret\"", "\"users\"", "\"credentials\"", "clientSecret", "privateKey"] {
            assert!(!REALM.contains(word), "{word}");
        }
        let realm: Value = serde_json::from_str(REALM).unwrap();
        for client in realm["clients"].as_array().unwrap() {
            for name in ["directAccessGrantsEnabled", "implicitFlowEnabled", "fullScopeAllowed"] {
                assert_eq!(client[name], json!(false), "{name} of {}", client["clientId"]);
            }
            let addresses = client["redirectUris"].as_array().cloned().unwrap_or_default();
            assert!(!json!(addresses).to_string().contains('*'), "exact addresses only");
        }
    }

    /// A key that Keycloak made with the first login would be unknown to whoever fetched the keys before.
    #[test]
    fn the_realm_that_we_ship_has_its_key_before_anybody_logs_in() {
        let realm: Value = serde_json::from_str(REALM).unwrap();
        assert_eq!(realm["defaultSignatureAlgorithm"], "ES256");
        let keys = realm["components"]["org.keycloak.keys.KeyProvider"].as_array().unwrap();
        let signing = keys.iter().find(|key| key["providerId"] == "ecdsa-generated").unwrap();
        assert_eq!(signing["config"]["ecdsaEllipticCurveKey"], json!(["P-256"]));
    }

    #[test]
    fn smart_03_only_what_the_issuer_supports_is_claimed() {
        let bare = of(
            &json!({ "issuer": "https://i.test", "token_endpoint": "https://i.test/token",
            "grant_types_supported": ["client_credentials"], "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "code_challenge_methods_supported": ["plain", "S256"] }),
        );
        let claims = bare["capabilities"].to_string();
        assert!(claims.contains("client-confidential-asymmetric"), "{claims}");
        assert!(!claims.contains("launch") && !claims.contains("sso-openid-connect"), "{claims}");
        assert_eq!(bare["code_challenge_methods_supported"], json!(["S256"]));
        let whole =
            of(&json!({ "issuer": "https://i.test", "token_endpoint": "https://i.test/token",
            "jwks_uri": "https://i.test/jwks", "authorization_endpoint": "https://i.test/auth" }));
        let claims = whole["capabilities"].to_string();
        assert!(
            claims.contains("launch-standalone") && claims.contains("sso-openid-connect"),
            "{claims}"
        );
        assert!(whole["authorization_endpoint"].is_string() && whole["jwks_uri"].is_string());
    }
}
