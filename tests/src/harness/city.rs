//! Hospitals that share a server, and who calls it for them.

use super::server::options;
use super::{Answer, Database, Issuer, TestServer, settings};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use server::identity::ORGANISATION_CLAIM;
use store::Store;
use store::registry::journal::By;
use store::registry::{Existing, Hospital, Issuer as Registered};

/// Codes of the hospitals; the ids of their resources begin with them and a dash.
pub(crate) const HOSPITALS: [&str; 3] = ["ha", "hb", "hc"];

pub(crate) struct City {
    pub(crate) server: TestServer,
    pub(crate) issuer: Issuer,
}

impl City {
    pub(crate) async fn start() -> City {
        City::start_with(&[]).await
    }

    pub(crate) async fn start_with(more: &[(&'static str, &str)]) -> City {
        let database = Database::migrated().await;
        let issuer = Issuer::start().await;
        let store = Store::open(&settings(&database.url)).await.unwrap();
        let by = By::new("tests", "tests");
        let mut hospitals = Vec::new();
        for code in HOSPITALS {
            let hospital = Hospital {
                id: 0,
                code: code.to_owned(),
                name: format!("Hospital {code}"),
                identifier: None,
                prefix: Some(format!("{code}-")),
                is_enabled: true,
            };
            hospitals.push(store.save_hospital(&by, &hospital, Existing::Refuse).await.unwrap());
        }
        let registered = Registered {
            iss: issuer.iss.clone(),
            name: "city".to_owned(),
            jwks_uri: None,
            algorithms: vec!["ES256".to_owned()],
            audience: Vec::new(),
            levels: ["patient", "user", "system"].map(str::to_owned).to_vec(),
            max_lifetime: 3_600,
            organisation_claim: ORGANISATION_CLAIM.to_owned(),
            is_broker: true,
            is_enabled: true,
            hospitals,
            introspection: None,
        };
        store.save_issuer(&by, &registered, Existing::Refuse).await.unwrap();
        let mut all = options(&[("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")]);
        all.extend(options(more));
        let server = TestServer::start_for(super::server::Callers::Known, database, all).await;
        City { server, issuer }
    }

    /// Another replica on the same database.
    pub(crate) async fn replica(&self) -> TestServer {
        self.replica_with(&[]).await
    }

    pub(crate) async fn replica_with(&self, more: &[(&'static str, &str)]) -> TestServer {
        let database = self.server.database.clone();
        let mut all = options(&[("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")]);
        all.extend(options(more));
        TestServer::start_for(super::server::Callers::Known, database, all).await
    }

    /// A server on the same database that anybody may write by, for one hospital.
    pub(crate) async fn writer(&self, options: &super::server::Options) -> TestServer {
        TestServer::start_on(self.server.database.clone(), options.clone()).await
    }

    /// The same token for another server.
    pub(crate) fn readdressed(&self, token: &str, audience: &str) -> String {
        let claims = token.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        claims["aud"] = json!([audience]);
        self.issuer.mint(&claims)
    }

    /// A token of somebody at a hospital.
    pub(crate) fn token(&self, hospital: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.issuer.claims(&self.server.base, hospital);
        change(&mut claims);
        self.issuer.mint(&claims)
    }

    /// Of one who treats patients, and writes what the hospital keeps.
    pub(crate) fn doctor(&self, hospital: &str) -> String {
        self.token(hospital, |_| {})
    }

    pub(crate) fn with_scope(&self, hospital: &str, scope: &str) -> String {
        self.token(hospital, |claims| claims["scope"] = json!(scope))
    }

    /// Of a patient, for the own record.
    pub(crate) fn patient(&self, id: &str, scope: &str) -> String {
        self.token("ha", |claims| {
            claims["sub"] = json!(format!("patient-{id}"));
            claims["patient"] = json!(id);
            claims["scope"] = json!(scope);
            claims["extensions"]["ihe_iua"] = json!({ "subject_name": "李娜" });
        })
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.server.send(self.server.request("GET", path).bearer_auth(token)).await
    }

    pub(crate) async fn put(&self, token: &str, resource: &Value) -> Answer {
        let kind = resource["resourceType"].as_str().unwrap();
        let path = format!("{kind}/{}", resource["id"].as_str().unwrap());
        self.server.send(self.server.json("PUT", &path, resource).bearer_auth(token)).await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, resource: &Value) -> Answer {
        self.server.send(self.server.json("POST", path, resource).bearer_auth(token)).await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        self.server.send(self.server.request("DELETE", path).bearer_auth(token)).await
    }
}
