//! What the realm gives and to whom: logins, scopes, challenges, refresh tokens.

use super::browser::{Asked, Browser, Page, authorization, encoded, read};
use super::shared::{City, PORTAL, portal};
use reqwest::Url;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) async fn kc_01_a_login_gives_a_token_that_is_taken(city: Arc<City>) {
    let tokens = city.tokens("wang", "openid fhirUser user/*.cruds").await;
    let (header, claims) = read(tokens["access_token"].as_str().unwrap());
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    assert_eq!(claims["aud"], json!(city.server.base));
    assert_eq!(claims["client_id"], "portal");
    assert_eq!(claims["acr"], "1");
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 300);
    let iua = &claims["extensions"]["ihe_iua"];
    assert_eq!(iua["subject_name"], "王医生");
    assert_eq!(iua["subject_organization_id"], "h001");
    assert!(iua["subject_role"].as_array().unwrap().iter().any(|role| role["code"] == "doctor"));
    assert_eq!(iua["purpose_of_use"][0]["code"], "TREAT");
    assert!(claims["realm_access"].is_null() && claims["resource_access"].is_null());

    let token = tokens["access_token"].as_str().unwrap();
    let patient = json!({ "resourceType": "Patient", "id": "h001-p1", "gender": "female" });
    let written = city.server.json("PUT", "Patient/h001-p1", &patient).bearer_auth(token);
    let status = city.server.send(written).await.status;
    assert!([200, 201].contains(&status), "{status}");
    city.get(token, "Patient/h001-p1").await.expect(200);
    // Another hospital's doctor, who treats nobody here.
    let other = city.token("chen", "openid user/*.rs").await;
    city.get(&other, "Patient/h001-p1").await.expect(404);
    // A wrong password gives nothing.
    let mut wrong = city.login("zhao");
    wrong.password.push('x');
    Browser::new().tokens(&city, portal("openid"), &wrong).await.unwrap_err();
}

pub(crate) async fn kc_01_every_scope_that_is_listed_can_be_asked_for(city: Arc<City>) {
    let document = city.server.get(".well-known/smart-configuration").await.expect(200).json();
    let listed: Vec<&str> =
        document["scopes_supported"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(listed.len() > 8);
    let given = |tokens: &Value| -> Vec<String> {
        let scope = tokens["scope"].as_str().unwrap();
        scope.split(' ').map(str::to_owned).collect()
    };
    let is_of = |level: &str| {
        let found = listed.iter().filter(|scope| scope.starts_with(level));
        found.copied().collect::<Vec<&str>>().join(" ")
    };
    let of_doctors = format!("openid fhirUser {}", is_of("user/"));
    let of_patients = format!("openid launch/patient offline_access {}", is_of("patient/"));
    let mut all = given(&city.tokens("wang", &of_doctors).await);
    let patient = city.tokens("li", &of_patients).await;
    assert_eq!(read(patient["access_token"].as_str().unwrap()).1["patient"], "p1");
    all.extend(given(&patient));
    all.extend(given(&super::program::tokens(&city, &is_of("system/")).await));
    let missing: Vec<&&str> =
        listed.iter().filter(|scope| !all.contains(&(**scope).to_owned())).collect();
    assert!(missing.is_empty(), "{missing:?} of {all:?}");
    city.get(patient["access_token"].as_str().unwrap(), "Patient/p1").await.expect(404);
}

pub(crate) async fn kc_01_scopes_are_for_those_whose_role_they_are(city: Arc<City>) {
    let granted = |tokens: Value| tokens["scope"].as_str().unwrap().to_owned();
    let everything = "openid launch/patient patient/*.rs user/*.cruds user/AuditEvent.rs";
    for (name, has, has_not) in [
        ("li", vec!["patient/*.rs"], vec!["user/"]),
        ("wang", vec!["user/*.cruds"], vec!["patient/", "AuditEvent"]),
        ("sun", vec!["user/AuditEvent.rs"], vec!["patient/", "user/*"]),
    ] {
        let scope = granted(city.tokens(name, everything).await);
        assert!(has.iter().all(|part| scope.contains(part)), "{name}: {scope}");
        assert!(!has_not.iter().any(|part| scope.contains(part)), "{name}: {scope}");
    }
    let auditor = city.token("sun", "openid user/AuditEvent.rs").await;
    city.get(&auditor, "AuditEvent?_count=1").await.expect(200);
    city.get(&auditor, "Patient").await.expect(403);
}

pub(crate) async fn kc_01_only_codes_with_a_challenge_and_exact_addresses(city: Arc<City>) {
    let whole = Url::parse(&authorization(&city, portal("openid user/*.rs"))).unwrap();
    let with = |name: &str, value: Option<&str>| {
        let mut changed = whole.clone();
        let pairs: Vec<(String, String)> = whole.query_pairs().into_owned().collect();
        let mut query = changed.query_pairs_mut();
        query.clear();
        for (key, old) in &pairs {
            match value {
                _ if key != name => query.append_pair(key, old),
                Some(value) => query.append_pair(key, value),
                None => &mut query,
            };
        }
        drop(query);
        changed.to_string()
    };
    let browser = Browser::new();
    assert!(matches!(browser.open(whole.as_str(), None).await, Page::Form { .. }));
    for (name, value) in [
        ("code_challenge", None),
        ("code_challenge_method", None),
        ("code_challenge_method", Some("plain")),
        ("response_type", Some("token")),
        ("response_type", Some("id_token token")),
    ] {
        let page = Browser::new().open(&with(name, value), None).await;
        let is_sent_back = matches!(&page, Page::Away(to)
            if to.as_str().starts_with(PORTAL) && to.as_str().contains("error="));
        assert!(is_sent_back, "{name} {value:?}: {page:?}");
    }
    for near in [
        format!("{PORTAL}x"),
        PORTAL.trim_end_matches('/').to_owned(),
        format!("{PORTAL}?a=b"),
        "http://evil.test/portal/".to_owned(),
    ] {
        let page = Browser::new().open(&with("redirect_uri", Some(&near)), None).await;
        assert!(matches!(page, Page::Refused(400, _)), "{near}: {page:?}");
    }
    let login = city.login("wang");
    let direct = [
        ("grant_type", "password"),
        ("client_id", "portal"),
        ("username", login.name.as_str()),
        ("password", login.password.as_str()),
    ];
    let refused = city.ask_for_token("city", &direct).await;
    assert_eq!(refused["error"], "unauthorized_client", "{refused}");
    // What was caught on its way is worth nothing without what only the app knows.
    let to = Browser::new().log_in(&city, portal("openid"), &login).await.unwrap();
    let code = to.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    for verifier in [None, Some("a-verifier-of-somebody-else-who-caught-the-code-1")] {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", "portal"),
            ("redirect_uri", PORTAL),
            ("code", code.as_str()),
        ];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let refused = city.ask_for_token("city", &fields).await;
        assert_eq!(refused["error"], "invalid_grant", "{refused} {}", encoded(&fields));
    }
}

pub(crate) async fn kc_01_every_client_keeps_to_the_rules_whoever_registers_it(city: Arc<City>) {
    for (id, is_public) in [("late-app", true), ("late-program", false)] {
        let careless = json!({
            "clientId": id, "publicClient": is_public, "standardFlowEnabled": true,
            "implicitFlowEnabled": true, "directAccessGrantsEnabled": true, "fullScopeAllowed": true,
            "redirectUris": [PORTAL],
        });
        city.admin.post("/city/clients", &careless).await;
        let client = city.admin.client("city", id).await;
        for name in ["implicitFlowEnabled", "directAccessGrantsEnabled", "fullScopeAllowed"] {
            assert_eq!(client[name], json!(false), "{id}: {name}");
        }
        assert_eq!(client["attributes"]["pkce.code.challenge.method"], "S256", "{id}");
        let asked = Asked { client: id, ..portal("openid") };
        let bare = authorization(&city, asked).replace("code_challenge", "x_challenge");
        let page = Browser::new().open(&bare, None).await;
        assert!(matches!(&page, Page::Away(to) if to.as_str().contains("error=")), "{page:?}");
    }
    let realm = city.admin.get("/city").await;
    for (name, expected) in [
        ("eventsEnabled", json!(true)),
        ("adminEventsEnabled", json!(true)),
        ("bruteForceProtected", json!(true)),
        ("registrationAllowed", json!(false)),
        ("accessTokenLifespan", json!(300)),
        ("defaultSignatureAlgorithm", json!("ES256")),
        ("revokeRefreshToken", json!(true)),
    ] {
        assert_eq!(realm[name], expected, "{name}");
    }
}

pub(crate) async fn kc_01_a_refresh_token_is_used_once(city: Arc<City>) {
    let first = city.tokens("zhao", "openid user/*.rs").await;
    let old = first["refresh_token"].as_str().unwrap();
    let second = city.refresh(old).await;
    city.get(second["access_token"].as_str().unwrap(), "Patient").await.expect(200);
    let again = city.refresh(old).await;
    assert_eq!(again["error"], "invalid_grant", "{again}");
    // Somebody has it who should not: what came of it ends too.
    let stolen = city.refresh(second["refresh_token"].as_str().unwrap()).await;
    assert_eq!(stolen["error"], "invalid_grant", "{stolen}");
}
