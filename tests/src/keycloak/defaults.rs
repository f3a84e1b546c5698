//! What Keycloak does where nobody told it otherwise, tokens that are not of the city, and how `bund issuer check` names what is wrong.

use super::browser::{Asked, Browser, Page, authorization, read};
use super::shared::{City, portal, signer};
use crate::harness::{SigningKey, base64url};
use serde_json::{Value, json};
use server::identity::{Finding, Identity, Replays, inspect};
use server::settings;
use std::sync::Arc;
use store::registry::Existing;
use tokio::sync::OnceCell;

/// A realm and a client as they are made by clicking, with an attribute or two.
const REALM: &str = "plain";

static MADE: OnceCell<()> = OnceCell::const_new();

async fn plain(city: &City) {
    let make = async || {
        let client = json!({
            "clientId": "app", "publicClient": false, "secret": "of-a-test", "serviceAccountsEnabled": true,
            "directAccessGrantsEnabled": true, "standardFlowEnabled": true, "redirectUris": [super::shared::PORTAL],
        });
        city.admin.post("", &json!({ "realm": REALM, "enabled": true, "clients": [client] })).await;
        let registered = signer(&city.issuer(REALM), "RS256");
        city.store.save_issuer(&super::shared::by(), &registered, Existing::Refuse).await.unwrap();
    };
    MADE.get_or_init(make).await;
}

async fn token(city: &City) -> String {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "of-a-test"),
    ];
    let answer = city.ask_for_token(REALM, &fields).await;
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn findings(city: &City, realm: &str, token: Option<&str>) -> Vec<Finding> {
    let settings = settings::Identity { allow_http_loopback: true, ..Default::default() };
    let registry = city.store.registry().await.unwrap();
    let replays = Replays::Shared(city.store.clone());
    let identity = Identity::new(&settings, &city.server.base, registry, replays).unwrap();
    inspect(&identity, &city.issuer(realm), token).await
}

fn wrong(findings: &[Finding]) -> Vec<(&'static str, &str)> {
    let wrong = findings.iter().filter_map(|finding| {
        finding.outcome.as_ref().err().map(|text| (finding.what, text.as_str()))
    });
    wrong.collect()
}

pub(crate) async fn kc_01_what_keycloak_does_by_itself_is_refused(city: Arc<City>) {
    plain(&city).await;
    let by_itself = token(&city).await;
    city.becomes(&by_itself, "Patient", 401, 5).await;
    let (header, claims) = read(&by_itself);
    assert_eq!(header["typ"], "JWT");
    assert!(!claims["aud"].to_string().contains(&city.server.base), "{claims}");
    // One after the other is put right; each alone is enough to be refused.
    city.refused(&by_itself, "not an access token").await;
    let mut client = city.admin.client(REALM, "app").await;
    let path = format!("/{REALM}/clients/{}", client["id"].as_str().unwrap());
    client["attributes"]["access.token.header.type.rfc9068"] = json!("true");
    city.admin.put(&path, &client).await;
    let typed = token(&city).await;
    assert_eq!(read(&typed).0["typ"], "at+jwt");
    let reason =
        if read(&typed).1["aud"].is_null() { "malformed audience" } else { "another audience" };
    city.refused(&typed, reason).await;
    let audience = json!({
        "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
        "config": { "included.custom.audience": city.server.base, "access.token.claim": "true" },
    });
    city.admin.post(&format!("{path}/protocol-mappers/models"), &audience).await;
    let addressed = token(&city).await;
    // Somebody's now, and without a scope that opens anything.
    city.get(&addressed, "Patient").await.expect(403);

    // Without a challenge, and without a client_id: here, not in the city's realm.
    let asked = Asked { client: "app", ..portal("openid") };
    let bare = authorization(&city, asked)
        .replace("/realms/city/", &format!("/realms/{REALM}/"))
        .replace("code_challenge", "x_challenge");
    assert!(matches!(Browser::new().open(&bare, None).await, Page::Form { .. }));
    let credentials = json!([{ "type": "password", "value": "of-a-test", "temporary": false }]);
    let user = json!({
        "username": "somebody", "enabled": true, "email": "s@city.test", "firstName": "s", "lastName": "s",
        "credentials": credentials,
    });
    city.admin.post(&format!("/{REALM}/users"), &user).await;
    let fields = [
        ("grant_type", "password"),
        ("client_id", "app"),
        ("client_secret", "of-a-test"),
        ("username", "somebody"),
        ("password", "of-a-test"),
    ];
    let answer = city.ask_for_token(REALM, &fields).await;
    let (_, claims) = read(answer["access_token"].as_str().unwrap());
    assert!(claims["client_id"].is_null() && claims["azp"] == "app", "{claims}");
    let (_, claims) = read(&city.token("wang", "openid user/*.rs").await);
    assert_eq!((&claims["client_id"], &claims["azp"]), (&json!("portal"), &json!("portal")));
}

pub(crate) async fn kc_01_tokens_of_others_are_refused(city: Arc<City>) {
    plain(&city).await;
    let tokens = city.tokens("wang", "openid user/*.rs").await;
    let token = tokens["access_token"].as_str().unwrap();
    city.get(token, "Patient").await.expect(200);
    for (what, reason) in
        [("id_token", "not an access token"), ("refresh_token", "not an access token")]
    {
        city.refused(tokens[what].as_str().unwrap(), reason).await;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let (header, mut claims) = read(token);
    claims["extensions"]["ihe_iua"]["subject_organization_id"] = json!("h002");
    let changed = format!("{}.{}.{}", parts[0], base64url(claims.to_string()), parts[2]);
    city.refused(&changed, "signature").await;
    let forger = SigningKey::new(header["kid"].as_str().unwrap(), "ES256");
    city.refused(&forger.mint(&claims), "signature").await;
    // Of the same Keycloak, and of nobody who is registered.
    let fields = [
        ("client_id", "admin-cli"),
        ("grant_type", "password"),
        ("username", "nobody"),
        ("password", "x"),
    ];
    assert!(city.ask_for_token("master", &fields).await["access_token"].is_null());
    claims["iss"] = json!(city.issuer("master"));
    city.refused(&forger.mint(&claims), "unknown issuer").await;
    // Of a registered issuer with the name of another one: its keys are its own.
    let foreign = self::token(&city).await;
    let (_, mut foreign_claims) = read(&foreign);
    foreign_claims["iss"] = json!(city.issuer("city"));
    let parts: Vec<&str> = foreign.split('.').collect();
    let renamed = format!("{}.{}.{}", parts[0], base64url(foreign_claims.to_string()), parts[2]);
    city.get(&renamed, "Patient").await.expect(401);
}

pub(crate) async fn kc_02_the_check_says_what_is_wrong_and_how_it_is_put_right(city: Arc<City>) {
    plain(&city).await;
    let good = city.token("wang", "openid user/*.cruds").await;
    let found = findings(&city, "city", Some(&good)).await;
    assert_eq!(wrong(&found), [], "{found:?}");
    assert!(found.len() > 12);
    let registered = findings(&city, "nowhere", None).await;
    assert!(registered[0].outcome.as_ref().unwrap_err().contains("not registered"));

    // A realm as it comes: everything that is wrong, at once.
    let app = json!({ "clientId": "bare", "publicClient": false, "secret": "of-a-test", "serviceAccountsEnabled": true });
    city.admin.post(&format!("/{REALM}/clients"), &app).await;
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "bare"),
        ("client_secret", "of-a-test"),
    ];
    let bare = city.ask_for_token(REALM, &fields).await;
    let found = findings(&city, REALM, bare["access_token"].as_str()).await;
    let wrong = wrong(&found);
    for (what, advice) in [
        ("typ", "Use \"at+jwt\" as access token header type"),
        ("aud", "Included Custom Audience"),
        ("scope", "client scopes"),
        ("all in all", "not an access token"),
    ] {
        let text = wrong.iter().find(|(about, _)| *about == what).map(|(_, text)| *text);
        assert!(text.is_some_and(|text| text.contains(advice)), "{what}: {wrong:?}");
    }
    // A token of one issuer, shown as one of another.
    let found = findings(&city, REALM, Some(&good)).await;
    let about: Vec<&str> = self::wrong(&found).iter().map(|(what, _)| *what).collect();
    assert!(["alg", "signature", "iss"].iter().all(|what| about.contains(what)), "{about:?}");
    let opaque = findings(&city, "city", Some("opaque")).await;
    assert!(self::wrong(&opaque)[0].1.contains("three parts"), "{opaque:?}");
    let texts: Vec<Value> = found.iter().map(|finding| json!(format!("{finding:?}"))).collect();
    assert!(!texts.iter().any(|text| text.to_string().contains(&good)), "no token is printed");
}
