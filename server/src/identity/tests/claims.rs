//! What signed tokens say.

use super::issuer::{Issuer, now};
use super::{
    BASE, Registered, alone, client, identity, one, refused, registered, registry, settings,
    verify, with,
};
use crate::identity::{Identity, Refusal};
use serde_json::{Value, json};

#[tokio::test]
async fn a_token_becomes_a_principal() {
    let (issuer, identity) = one().await;
    let mut claims = issuer.claims(BASE, "urn:oid:2.16.156.1");
    for (name, value) in [
        ("azp", json!("ehr")),
        ("patient", json!("p-8841")),
        ("encounter", json!("e.1")),
        ("fhirUser", json!("https://fhir.hub.example/fhir/Practitioner/dr-17")),
        ("acr", json!("loa3")),
        ("auth_time", json!(1_794_999_000)),
        ("unknown", json!({ "to": ["us,\non two lines"] })),
    ] {
        claims[name] = value;
    }
    let principal = verify(&identity, &issuer.mint(&claims)).await.unwrap();
    assert_eq!(principal.issuer, issuer.iss);
    assert_eq!((principal.subject.as_str(), principal.client.as_str()), ("b3ca1045", "ehr"));
    assert_eq!(principal.hospital, Some((2, "b".to_owned())));
    assert_eq!(principal.scope, "openid user/*.cruds");
    assert_eq!(principal.patient.as_deref(), Some("p-8841"));
    assert_eq!(principal.encounter.as_deref(), Some("e.1"));
    assert!(principal.fhir_user.as_ref().unwrap().ends_with("/Practitioner/dr-17"));
    assert_eq!(principal.name.as_deref(), Some("王医生"));
    let role = "http://terminology.hl7.org/CodeSystem/practitioner-role".to_owned();
    assert_eq!(principal.roles, [(Some(role), "doctor".to_owned())]);
    assert_eq!(principal.purposes, ["TREAT"]);
    assert_eq!(
        (principal.acr.as_deref(), principal.auth_time),
        (Some("loa3"), Some(1_794_999_000))
    );
    assert!(principal.token_id.is_some());
    assert_eq!(principal.expires - principal.issued, 300);
}

#[tokio::test]
async fn claims_of_the_wrong_shape_are_refused_and_not_passed_over() {
    let (issuer, identity) = one().await;
    for (name, value, reason) in [
        ("sub", Value::Null, "no subject"),
        ("sub", json!(""), "no subject"),
        ("sub", json!(7), "no subject"),
        ("client_id", Value::Null, "no client"),
        ("client_id", json!(7), "no client"),
        ("azp", json!("another"), "two clients"),
        ("patient", json!("Patient/1"), "malformed claim"),
        ("patient", json!(["1"]), "malformed claim"),
        ("encounter", json!("a b"), "malformed claim"),
        ("fhirUser", json!(1), "malformed claim"),
        ("acr", json!(3), "malformed claim"),
        ("jti", json!(3), "malformed claim"),
        ("auth_time", json!("1"), "malformed time"),
        ("scope", json!("user/*.rs\tsystem/*.rs"), "no scope"),
        ("sub", json!("a\nb"), "no subject"),
        ("jti", json!("a\u{1b}[2J"), "malformed claim"),
        ("scope", json!("user/*.rs\u{a0}system/*.rs"), "malformed scope"),
        ("cnf", json!({ "x5t#S256": "x" }), "malformed binding"),
        ("cnf", json!({ "jkt": "x" }), "malformed binding"),
        ("extensions", json!({ "ihe_iua": { "subject_role": "doctor" } }), "malformed claim"),
        (
            "extensions",
            json!({ "ihe_iua": { "purpose_of_use": [{ "system": "x" }] } }),
            "malformed claim",
        ),
        (
            "extensions",
            json!({ "ihe_iua": { "subject_organization_id": ["a"] } }),
            "malformed hospital",
        ),
    ] {
        let token = issuer.mint(&with(&issuer, name, value.clone()));
        refused(verify(&identity, &token).await, reason, &format!("{name} {value}"));
    }
    let mut claims = issuer.claims(BASE, "a");
    claims.as_object_mut().unwrap().remove("client_id");
    claims["azp"] = json!("ehr");
    assert_eq!(verify(&identity, &issuer.mint(&claims)).await.unwrap().client, "ehr");
}

#[tokio::test]
async fn tok_04_rejects_another_audience() {
    let (issuer, identity) = one().await;
    for aud in [
        json!("https://fhir.hub.example/fhir.evil"),
        json!("https://fhir.hub.example/fhir/"),
        json!("https://fhir.hub.example"),
        json!("HTTPS://fhir.hub.example/fhir"),
        json!(["https://fhir.hub.example/fhi"]),
        json!([]),
        json!(""),
    ] {
        let token = issuer.mint(&with(&issuer, "aud", aud.clone()));
        let outcome = verify(&identity, &token).await;
        refused(outcome, "another audience", &aud.to_string());
    }
    for aud in [
        Value::Null,
        json!({ BASE: BASE }),
        json!(1),
        json!([BASE, 1]),
        json!([[BASE]]),
        json!(true),
    ] {
        let token = issuer.mint(&with(&issuer, "aud", aud.clone()));
        refused(verify(&identity, &token).await, "malformed audience", &aud.to_string());
    }
    for aud in [json!(BASE), json!(["another", BASE])] {
        assert!(verify(&identity, &issuer.mint(&with(&issuer, "aud", aud))).await.is_ok());
    }
    let own = Registered { audience: vec!["hub".to_owned()], ..registered(&issuer.iss) };
    let identity = super::identity(vec![own]);
    refused(
        verify(&identity, &issuer.mint(&issuer.claims(BASE, "a"))).await,
        "another audience",
        "the base, where the issuer has an audience of its own",
    );
    assert!(verify(&identity, &issuer.mint(&issuer.claims("hub", "a"))).await.is_ok());
}

#[tokio::test]
async fn tok_05_rejects_what_is_over_and_what_is_no_time() {
    let (issuer, identity) = one().await;
    let token = issuer.mint(&with(&issuer, "exp", json!(now() - 31)));
    refused(verify(&identity, &token).await, "expired", "31 s ago");
    for name in ["exp", "iat", "nbf"] {
        let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for value in [
            json!("1795000300"),
            json!(-1),
            number("1795000300.5"),
            number("1795000300.0"),
            number("1e10"),
            number("9223372036854775808"),
            number("99999999999999999999999999"),
            json!(true),
            json!([1]),
        ] {
            let token = issuer.mint(&with(&issuer, name, value.clone()));
            refused(verify(&identity, &token).await, "malformed time", &format!("{name} {value}"));
        }
        let outcome = verify(&identity, &issuer.mint(&with(&issuer, name, Value::Null))).await;
        assert_eq!(outcome.is_ok(), name == "nbf", "without {name}: {outcome:?}");
    }
    let token = issuer.key.mint_text(
        issuer.key.header().to_string(),
        with(&issuer, "exp", json!("NaN")).to_string().replace("\"NaN\"", "NaN"),
    );
    refused(verify(&identity, &token).await, "not a JSON object", "NaN");
    let mut forever = with(&issuer, "exp", json!(i64::MAX));
    refused(verify(&identity, &issuer.mint(&forever)).await, "lives too long", "for ever");
    forever["iat"] = json!(i64::MAX - 10);
    refused(verify(&identity, &issuer.mint(&forever)).await, "not valid yet", "at the end of time");
    let mut backwards = with(&issuer, "exp", json!(now() - 5));
    backwards["iat"] = json!(now());
    refused(verify(&identity, &issuer.mint(&backwards)).await, "malformed time", "before it began");
}

#[tokio::test]
async fn tok_06_forgives_half_a_minute() {
    let (issuer, identity) = one().await;
    let now = now();
    for (name, at, reason) in [
        ("exp", now - 120, Some("expired")),
        ("exp", now - 25, None),
        ("nbf", now + 25, None),
        ("nbf", now + 120, Some("not valid yet")),
        ("iat", now + 25, None),
        ("iat", now + 120, Some("not valid yet")),
    ] {
        let mut claims = with(&issuer, name, json!(at));
        if name == "exp" {
            claims["iat"] = json!(now - 200);
        }
        let outcome = verify(&identity, &issuer.mint(&claims)).await;
        match reason {
            Some(reason) => refused(outcome, reason, name),
            None => assert!(outcome.is_ok(), "{name}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn tok_21_an_issuer_speaks_only_for_its_hospitals() {
    let (issuer, identity) = one().await;
    let hospital = async |identity: &Identity, name: &str| {
        let outcome = verify(identity, &issuer.mint(&issuer.claims(BASE, name))).await;
        outcome.map(|principal| principal.hospital.clone())
    };
    assert_eq!(hospital(&identity, "a").await, Ok(Some((1, "a".to_owned()))));
    assert_eq!(
        hospital(&identity, "c").await,
        Err(Refusal::Forbidden("not a hospital of the issuer"))
    );
    for unknown in ["A", "a ", "nowhere", "urn:oid:2.16.156.1.1"] {
        let refusal = Err(Refusal::Forbidden("unknown hospital"));
        assert_eq!(hospital(&identity, unknown).await, refusal, "{unknown}");
    }
    let token = issuer.mint(&with(&issuer, "extensions", Value::Null));
    assert_eq!(verify(&identity, &token).await.unwrap().hospital, None);

    let mut changed = registry(vec![registered(&issuer.iss)]);
    changed.hospitals[0].is_enabled = false;
    identity.replace(changed);
    assert_eq!(hospital(&identity, "a").await, Err(Refusal::Forbidden("hospital disabled")));

    // Two hospitals that are called the same cannot be told apart: neither is meant.
    let mut changed = registry(vec![registered(&issuer.iss)]);
    changed.hospitals[2].identifier = Some("a".to_owned());
    identity.replace(changed);
    assert_eq!(hospital(&identity, "a").await, Err(Refusal::Forbidden("unknown hospital")));

    let mapped =
        Registered { organisation_claim: "/org~1id".to_owned(), ..registered(&issuer.iss) };
    identity.replace(registry(vec![mapped]));
    let token = issuer.mint(&with(&issuer, "org/id", json!("b")));
    assert_eq!(verify(&identity, &token).await.unwrap().hospital, Some((2, "b".to_owned())));
}

#[tokio::test]
async fn tok_26_a_broker_speaks_for_all_hospitals() {
    let issuer = Issuer::start().await;
    let broker = Registered { is_broker: true, hospitals: Vec::new(), ..registered(&issuer.iss) };
    let identity = identity(vec![broker]);
    let principal = verify(&identity, &issuer.mint(&issuer.claims(BASE, "c"))).await.unwrap();
    assert_eq!(principal.hospital, Some((3, "c".to_owned())));
}

#[tokio::test]
async fn tok_22_the_same_subject_of_two_issuers_is_two_principals() {
    let (one, two) = (Issuer::start().await, Issuer::start().await);
    let identity = identity(vec![registered(&one.iss), registered(&two.iss)]);
    let first = verify(&identity, &one.mint(&one.claims(BASE, "a"))).await.unwrap();
    let second = verify(&identity, &two.mint(&two.claims(BASE, "a"))).await.unwrap();
    assert_eq!(first.subject, second.subject);
    assert_ne!((&first.issuer, &first.subject), (&second.issuer, &second.subject));
}

#[tokio::test]
async fn tok_23_an_issuer_grants_only_its_levels() {
    let issuer = Issuer::start().await;
    let asked = "openid launch/patient patient/*.rs user/Observation.rs?code=a|b system/*.cruds offline_access";
    for (levels, granted) in [
        (vec!["patient", "user", "system"], asked),
        (vec!["user"], "openid launch/patient user/Observation.rs?code=a|b offline_access"),
        (vec!["patient"], "openid launch/patient patient/*.rs offline_access"),
        (vec![], "openid launch/patient offline_access"),
    ] {
        let levels = levels.into_iter().map(str::to_owned).collect();
        let identity = identity(vec![Registered { levels, ..registered(&issuer.iss) }]);
        let token = issuer.mint(&with(&issuer, "scope", json!(asked)));
        assert_eq!(verify(&identity, &token).await.unwrap().scope, granted);
    }
}

#[tokio::test]
async fn back_01_a_token_for_a_program_is_short_lived() {
    let (issuer, identity) = one().await;
    let mut claims = with(&issuer, "scope", json!("system/Patient.cu"));
    for (seconds, is_taken) in [(600, true), (601, false)] {
        claims["exp"] = json!(claims["iat"].as_i64().unwrap() + seconds);
        let outcome = verify(&identity, &issuer.mint(&claims)).await;
        assert_eq!(outcome.is_ok(), is_taken, "{seconds}: {outcome:?}");
    }
    claims["scope"] = json!("user/Patient.cu");
    assert!(verify(&identity, &issuer.mint(&claims)).await.is_ok());
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 3_601);
    refused(verify(&identity, &issuer.mint(&claims)).await, "lives too long", "user");
}

#[tokio::test]
async fn a_client_is_one_of_the_list_where_there_is_one() {
    let issuer = Issuer::start().await;
    let mut listed = registry(vec![registered(&issuer.iss)]);
    listed.clients = vec![client(&issuer.iss, "ehr", Some(1)), client(&issuer.iss, "off", None)];
    listed.clients[0].may_assert_purpose = true;
    listed.clients[1].is_enabled = false;
    // Of another issuer: no business of this one.
    listed.clients.push(client("https://elsewhere.example", "portal", None));
    let identity = Identity::new(&settings(), BASE, listed, alone()).unwrap();
    let principal = verify(&identity, &issuer.mint(&issuer.claims(BASE, "a"))).await.unwrap();
    assert!(identity.may_assert_purpose(&principal));
    for (id, reason) in
        [("off", "client disabled"), ("portal", "unknown client"), ("EHR", "unknown client")]
    {
        let token = issuer.mint(&with(&issuer, "client_id", json!(id)));
        refused(verify(&identity, &token).await, reason, id);
    }
    let other = verify(&identity, &issuer.mint(&issuer.claims(BASE, "b"))).await;
    assert_eq!(other, Err(Refusal::Forbidden("not the hospital of the client")));
    let none = verify(&identity, &issuer.mint(&with(&issuer, "extensions", Value::Null))).await;
    assert_eq!(none.unwrap().hospital, Some((1, "a".to_owned())));
}
