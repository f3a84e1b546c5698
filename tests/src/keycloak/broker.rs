//! A hospital's own Keycloak behind that of the city: one issuer for the server, whose word on roles and hospitals is the city's.

use super::browser::{Asked, Browser, read};
use super::shared::{City, login, portal};
use serde_json::json;
use std::sync::Arc;

const REALM: &str = "hospital";

/// The hospital's realm says `groups` and, though nobody asked it, whom it speaks for.
async fn hospital(city: &City) {
    let claim = |name: &str, kind: &str, config: serde_json::Value| {
        let mut all = json!({ "claim.name": name, "jsonType.label": "String", "id.token.claim": "true", "access.token.claim": "true", "userinfo.token.claim": "true" });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        json!({ "name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": all })
    };
    let client = json!({
        "clientId": "city", "publicClient": false, "secret": "of-a-test", "standardFlowEnabled": true,
        "redirectUris": [format!("{}/broker/h002/endpoint", city.issuer("city"))],
        "protocolMappers": [
            claim("groups", "oidc-group-membership-mapper", json!({ "full.path": "false" })),
            claim("subject_organization_id", "oidc-hardcoded-claim-mapper", json!({ "claim.value": "h001" })),
            claim("subject_role", "oidc-hardcoded-claim-mapper", json!({ "claim.value": "auditor" })),
        ],
    });
    let user = login("qian", "a-hospital");
    let realm = json!({
        "realm": REALM, "enabled": true, "clients": [client],
        "groups": [{ "name": "cardiologists" }, { "name": "auditors" }],
        "users": [{
            "username": user.name, "enabled": true, "email": "q@hospital.test", "firstName": "q", "lastName": "q",
            "groups": ["/cardiologists", "/auditors"],
            "credentials": [{ "type": "password", "value": user.password, "temporary": false }],
        }],
    });
    city.admin.post("", &realm).await;
}

/// What the city knows of it.
async fn broker(city: &City) {
    let at = |path: &str| format!("{}/protocol/openid-connect/{path}", city.issuer(REALM));
    let provider = json!({
        "alias": "h002", "providerId": "oidc", "enabled": true, "trustEmail": false, "storeToken": false,
        "config": {
            "issuer": city.issuer(REALM), "authorizationUrl": at("auth"), "tokenUrl": at("token"),
            "jwksUrl": at("certs"), "useJwksUrl": "true", "validateSignature": "true", "syncMode": "FORCE",
            "clientId": "city", "clientSecret": "of-a-test", "clientAuthMethod": "client_secret_post",
            "defaultScope": "openid", "pkceEnabled": "true", "pkceMethod": "S256", "disableUserInfo": "true",
        },
    });
    city.admin.post("/city/identity-provider/instances", &provider).await;
    for (name, kind, config) in [
        (
            "hospital",
            "hardcoded-attribute-idp-mapper",
            json!({ "attribute": "subject_organization_id", "attribute.value": "h002" }),
        ),
        (
            "doctors",
            "oidc-advanced-group-idp-mapper",
            json!({
                "claims": json!([{ "key": "groups", "value": "cardiologists" }]).to_string(),
                "are.claim.values.regex": "false", "group": "/doctors",
            }),
        ),
    ] {
        let mut config = config;
        config["syncMode"] = json!("FORCE");
        let mapper = json!({ "name": name, "identityProviderAlias": "h002", "identityProviderMapper": kind, "config": config });
        city.admin.post("/city/identity-provider/instances/h002/mappers", &mapper).await;
    }
}

pub(crate) async fn kc_04_groups_of_a_hospital_become_roles_by_mappers_alone(city: Arc<City>) {
    hospital(&city).await;
    broker(&city).await;
    // The hospital has a second factor of its own: the city asks for none to be set up.
    let path = "/city/authentication/required-actions/CONFIGURE_TOTP";
    let mut action = city.admin.get(path).await;
    action["defaultAction"] = json!(false);
    city.admin.put(path, &action).await;
    let asked = Asked { hint: Some("h002"), ..portal("openid user/*.rs user/AuditEvent.rs") };
    let tokens = Browser::new().tokens(&city, asked, &login("qian", "a-hospital")).await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let (_, claims) = read(token);
    let iua = &claims["extensions"]["ihe_iua"];
    // What the city's mappers say, and not what the hospital says of itself.
    assert_eq!(iua["subject_organization_id"], "h002", "{claims}");
    let roles: Vec<&str> = iua["subject_role"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["code"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["doctor"]);
    assert_eq!(claims["scope"], "openid user/*.rs");
    assert_eq!(claims["identity_provider"], "h002", "who vouched for the login");
    assert_eq!(claims["iss"], json!(city.issuer("city")), "the server knows one issuer");
    city.get(token, "Patient").await.expect(200);
}
