//! The city of these tests: Keycloak with the realm that we ship, people who log in, and the server that takes the tokens.

use super::admin::Admin;
use super::browser::{Asked, Browser, encoded};
use super::process::Process;
use crate::harness::{Answer, Callers, Database, Issuer, TestServer, options, settings};
use reqwest::Client;
use serde_json::{Value, json};
use server::identity::ORGANISATION_CLAIM;
use std::net::TcpListener;
use std::path::Path;
use store::Store;
use store::registry::journal::By;
use store::registry::{Client as Registered, Existing, Hospital, Issuer as Signer};

const REALM: &str = include_str!("../../../helm/bund/files/keycloak/city-realm.json");

pub(crate) const PORTAL: &str = "http://127.0.0.1:9/portal/";

/// Somebody who can log in.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) password: String,
    /// Of the second factor.
    pub(crate) secret: String,
}

pub(crate) struct City {
    pub(crate) server: TestServer,
    pub(crate) store: Store,
    pub(crate) admin: Admin,
    /// Publishes the keys of the hospital's own program.
    pub(crate) program: Issuer,
    pub(crate) address: String,
    client: Client,
    seed: String,
    _process: Process,
}

/// (name, groups, attributes)
type Person = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const PEOPLE: [Person; 5] = [
    (
        "wang",
        &["/doctors", "/emergency"],
        &[("subject_organization_id", "h001"), ("subject_name", "王医生")],
    ),
    ("chen", &["/doctors"], &[("subject_organization_id", "h002"), ("subject_name", "陈医生")]),
    (
        "li",
        &["/patients"],
        &[("patient", "p1"), ("subject_name", "李娜"), ("fhirUser", "Patient/p1")],
    ),
    ("sun", &["/auditors"], &[("subject_name", "孙审计")]),
    ("zhao", &["/doctors"], &[("subject_organization_id", "h001"), ("subject_name", "赵医生")]),
];

impl City {
    pub(crate) async fn start(distribution: &Path) -> City {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("http://127.0.0.1:{port}");
        let (database, program) = (Database::migrated().await, Issuer::start().await);
        let store = Store::open(&settings(&database.url)).await.unwrap();
        let all = options(&[("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")]);
        let server = TestServer::start_for(Callers::Known, database, all).await;
        let seed = format!("{:x}", random());
        let people: Vec<Value> =
            PEOPLE.iter().map(|person| representation(person, &seed)).collect();
        let users = json!({ "realm": "city", "users": people });
        let variables = [
            ("KC_BOOTSTRAP_ADMIN_USERNAME", Admin::NAME),
            ("KC_BOOTSTRAP_ADMIN_PASSWORD", seed.as_str()),
            ("CITY_FHIR_BASE", server.base.as_str()),
            ("CITY_PORTAL_URL", PORTAL),
            ("CITY_EHR_JWKS_URL", &program.jwks_uri()),
        ];
        let import =
            [("city-realm.json", REALM.to_owned()), ("city-users-0.json", users.to_string())];
        let mut process = Process::start(distribution, port, &variables, &import);
        let city = format!("{address}/realms/city");
        let mut numbers = Vec::new();
        for code in ["h001", "h002"] {
            let hospital = Hospital {
                id: 0,
                code: code.to_owned(),
                name: code.to_owned(),
                identifier: None,
                prefix: Some(format!("{code}-")),
                is_enabled: true,
            };
            numbers.push(store.save_hospital(&by(), &hospital, Existing::Refuse).await.unwrap());
        }
        store.save_issuer(&by(), &signer(&city, "ES256"), Existing::Refuse).await.unwrap();
        for (id, hospital) in [("portal", None), ("hospital-ehr", numbers.first().copied())] {
            let client = Registered {
                iss: city.clone(),
                client_id: id.to_owned(),
                hospital,
                may_assert_purpose: id == "portal",
                require_bound: false,
                is_enabled: true,
            };
            store.save_client(&by(), &client, Existing::Refuse).await.unwrap();
        }
        process.ready(&format!("{city}/.well-known/openid-configuration")).await;
        let client = Client::builder().no_proxy().build().unwrap();
        let admin = Admin::new(&address, &seed);
        City { server, store, admin, program, address, client, seed, _process: process }
    }

    pub(crate) fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.address)
    }

    pub(crate) fn login(&self, name: &str) -> Login {
        login(name, &self.seed)
    }

    pub(crate) async fn ask(client: &Client, issuer: &str, fields: &[(&str, &str)]) -> Value {
        let request = client
            .post(format!("{issuer}/protocol/openid-connect/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(fields));
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }

    pub(crate) async fn ask_for_token(&self, realm: &str, fields: &[(&str, &str)]) -> Value {
        City::ask(&self.client, &self.issuer(realm), fields).await
    }

    /// What the portal gets for somebody.
    pub(crate) async fn tokens(&self, name: &str, scope: &str) -> Value {
        let tokens = Browser::new().tokens(self, portal(scope), &self.login(name)).await.unwrap();
        assert!(tokens["access_token"].is_string(), "{tokens}");
        tokens
    }

    pub(crate) async fn token(&self, name: &str, scope: &str) -> String {
        self.tokens(name, scope).await["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Value {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", "portal"),
            ("refresh_token", refresh_token),
        ];
        self.ask_for_token("city", &fields).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.server.send(self.server.request("GET", path).bearer_auth(token)).await
    }

    /// Waits until the server answers so: what changed in the registry is heard of within five seconds.
    pub(crate) async fn becomes(&self, token: &str, path: &str, status: u16, seconds: u64) {
        let agrees = async {
            while self.get(token, path).await.status != status {
                tokio::task::yield_now().await;
            }
        };
        let limit = std::time::Duration::from_secs(seconds);
        assert!(tokio::time::timeout(limit, agrees).await.is_ok(), "not {status} in {seconds} s");
    }

    /// How often tokens were refused for this reason.
    pub(crate) async fn refusals(&self, reason: &str) -> u64 {
        let page = self.server.get_outside("metrics").await.text;
        let line = format!("bund_token_refusals_total{{reason=\"{reason}\"}} ");
        page.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or(0)
    }

    /// Refused with 401, and for this reason.
    pub(crate) async fn refused(&self, token: &str, reason: &str) {
        let before = self.refusals(reason).await;
        self.get(token, "Patient").await.expect(401);
        assert_eq!(self.refusals(reason).await, before + 1, "{reason}");
    }
}

/// Who changes the registry here.
pub(crate) fn by() -> By {
    By::new("tests", "tests")
}

pub(crate) fn portal(scope: &str) -> Asked<'_> {
    Asked { client: "portal", redirect: PORTAL, scope, acr: None, hint: None }
}

pub(crate) fn signer(iss: &str, algorithm: &str) -> Signer {
    Signer {
        iss: iss.to_owned(),
        name: "city".to_owned(),
        jwks_uri: None,
        algorithms: vec![algorithm.to_owned()],
        audience: Vec::new(),
        levels: ["patient", "user", "system"].map(str::to_owned).to_vec(),
        max_lifetime: 300,
        organisation_claim: ORGANISATION_CLAIM.to_owned(),
        is_broker: true,
        is_enabled: true,
        hospitals: Vec::new(),
        introspection: None,
    }
}

pub(crate) fn login(name: &str, seed: &str) -> Login {
    Login {
        name: name.to_owned(),
        password: format!("{seed}-of-{name}"),
        secret: format!("{seed}{name}"),
    }
}

fn representation((name, groups, attributes): &Person, seed: &str) -> Value {
    let login = login(name, seed);
    let attributes: serde_json::Map<String, Value> =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
    json!({
        "username": name, "enabled": true, "email": format!("{name}@city.test"),
        "firstName": name, "lastName": name, "groups": groups, "attributes": attributes,
        // As every account of a realm has them.
        "clientRoles": { "account": ["manage-account", "view-profile"] },
        "credentials": [
            { "type": "password", "value": login.password, "temporary": false },
            {
                "type": "otp",
                "secretData": json!({ "value": login.secret }).to_string(),
                "credentialData": json!({
                    "subType": "totp", "digits": 6, "period": 30, "algorithm": "HmacSHA1", "counter": 0,
                }).to_string(),
            },
        ],
    })
}

/// Another number for each run.
fn random() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
