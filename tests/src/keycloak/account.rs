//! What users may change of themselves.

use super::admin::Admin;
use super::browser::{Asked, Browser, read};
use super::shared::City;
use reqwest::Client;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) async fn kc_01_users_do_not_change_what_decides_their_rights(city: Arc<City>) {
    let profile = city.admin.get("/city/users/profile").await;
    let attributes = profile["attributes"].as_array().unwrap();
    for attribute in attributes {
        assert_eq!(attribute["permissions"]["edit"], json!(["admin"]), "{attribute}");
    }
    assert!(profile["unmanagedAttributePolicy"].is_null(), "others are not kept at all");

    // By the interface that the account page uses.
    let redirect = format!("{}/account/", city.issuer("city"));
    let asked = Asked {
        client: "account-console",
        redirect: &redirect,
        scope: "openid",
        acr: None,
        hint: None,
    };
    let tokens = Browser::new().tokens(&city, asked, &city.login("zhao")).await.unwrap();
    let token = tokens["access_token"].as_str().unwrap();
    let address = format!("{}/account/", city.issuer("city"));
    let client = Client::builder().no_proxy().build().unwrap();
    let get = client.get(&address).bearer_auth(token).header("accept", "application/json");
    let answer = get.send().await.unwrap();
    let (_, claims) = read(token);
    assert_eq!(answer.status(), 200, "the account itself is open to its user: {claims}");
    let mut account: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    account["attributes"]["subject_organization_id"] = json!(["h002"]);
    account["attributes"]["subject_role"] = json!([json!({ "code": "auditor" }).to_string()]);
    account["attributes"]["patient"] = json!(["p1"]);
    account["groups"] = json!(["/auditors"]);
    let change =
        client.post(&address).bearer_auth(token).header("content-type", "application/json");
    let status = change.body(account.to_string()).send().await.unwrap().status().as_u16();
    let user = city.admin.user("city", "zhao").await;
    let kept = &user["attributes"];
    assert_eq!(kept["subject_organization_id"], json!(["h001"]), "answered {status}");
    assert!(kept["subject_role"].is_null() && kept["patient"].is_null(), "{kept}");
    let (_, claims) = read(&city.token("zhao", "openid user/*.rs").await);
    let iua = &claims["extensions"]["ihe_iua"];
    assert_eq!(iua["subject_organization_id"], "h001");
    assert!(!iua["subject_role"].to_string().contains("auditor"));

    // An administrator does.
    let path = format!("/city/users/{}", user["id"].as_str().unwrap());
    let mut changed = user.clone();
    changed["attributes"]["subject_organization_id"] = json!(["h002"]);
    Admin::done(city.admin.send("PUT", &path, Some(&changed)).await);
    let (_, claims) = read(&city.token("zhao", "openid user/*.rs").await);
    assert_eq!(claims["extensions"]["ihe_iua"]["subject_organization_id"], "h002");
    city.admin.put(&path, &user).await;
}
