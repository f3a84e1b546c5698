//! Who changes what rights follow from.

use super::admin::Admin;
use super::browser::read;
use super::shared::City;
use serde_json::json;
use std::sync::Arc;

pub(crate) async fn kc_01_only_administrators_change_what_decides_rights(city: Arc<City>) {
    let profile = city.admin.get("/city/users/profile").await;
    let attributes = profile["attributes"].as_array().unwrap();
    for attribute in attributes {
        assert_eq!(attribute["permissions"]["edit"], json!(["admin"]), "{attribute}");
    }
    assert!(profile["unmanagedAttributePolicy"].is_null(), "others are not kept at all");

    let user = city.admin.user("city", "zhao").await;
    let (_, claims) = read(&city.token("zhao", "openid user/*.rs").await);
    assert_eq!(claims["extensions"]["ihe_iua"]["subject_organization_id"], "h001");
    // An administrator does.
    let path = format!("/city/users/{}", user["id"].as_str().unwrap());
    let mut changed = user.clone();
    changed["attributes"]["subject_organization_id"] = json!(["h002"]);
    Admin::done(city.admin.send("PUT", &path, Some(&changed)).await);
    let (_, claims) = read(&city.token("zhao", "openid user/*.rs").await);
    assert_eq!(claims["extensions"]["ihe_iua"]["subject_organization_id"], "h002");
    city.admin.put(&path, &user).await;
}
