//! `bund demo-issuer`: signs tokens for invented people, so that a demonstration has logins where there is no Keycloak. Only ever on a
//! loopback address; its key lives as long as its process.

use super::say;
use crate::http::request::parse_query;
use crate::serve::listen;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::{Context as _, Result, bail};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// The address to listen on; only a loopback address is taken.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8180")]
    listen: SocketAddr,

    /// Who can log in: a line each, separated by tabs: login, password, group (doctors, patients, auditors, operators), hospital or `-`, patient or `-`, name.
    #[arg(long, value_name = "FILE")]
    logins: PathBuf,

    /// For whom the tokens are: the base of the FHIR server.
    #[arg(long, value_name = "URL")]
    audience: String,
}

const LIFETIME_SECONDS: u64 = 300;

/// The one client that it knows.
const CLIENT: &str = "portal";

struct Login {
    name: String,
    password: String,
    group: Group,
    hospital: Option<String>,
    patient: Option<String>,
    shown: String,
}

#[derive(Clone, Copy)]
enum Group {
    Doctors,
    Patients,
    Auditors,
    Operators,
}

struct Issuer {
    iss: String,
    audience: String,
    logins: Vec<Login>,
    kid: String,
    key: EcdsaKeyPair,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let address = arguments.listen;
    if !address.ip().is_loopback() {
        bail!(
            "this issuer is for demonstrations: it signs only on a loopback address, not on {address}"
        );
    }
    let logins = read(&arguments.logins)?;
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .map_err(|_| anyhow::anyhow!("no key can be made on this machine"))?;
    let iss = format!("http://{address}/realms/city");
    let kid = Uuid::new_v4().to_string();
    let issuer = Issuer { iss, audience: arguments.audience, logins, kid, key };
    say(&format!(
        "INSECURE: {} signs tokens for invented people; never register it anywhere else",
        issuer.iss
    ));
    actix_web::rt::System::new().block_on(async {
        let listener = listen(address)?;
        let issuer = Data::new(issuer);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(issuer.clone())
                .route("/realms/city/.well-known/openid-configuration", web::get().to(discovery))
                .route("/realms/city/certs", web::get().to(keys))
                .route("/realms/city/token", web::post().to(token))
        });
        Ok(server.workers(1).listen(listener)?.run().await?)
    })
}

fn read(path: &Path) -> Result<Vec<Login>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = text.lines().enumerate().map(|(index, line)| {
        login(line).with_context(|| format!("{}, line {}", path.display(), index + 1))
    });
    lines.collect()
}

fn login(line: &str) -> Result<Login> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, password, group, hospital, patient, shown] = columns[..] else {
        bail!("it has {} columns, not the 6 of a login", columns.len());
    };
    if password.len() < 12 {
        bail!("a password has 12 characters at least");
    }
    let group = match group {
        "doctors" => Group::Doctors,
        "patients" => Group::Patients,
        "auditors" => Group::Auditors,
        "operators" => Group::Operators,
        other => bail!("`{other}` is no group: doctors, patients, auditors, operators"),
    };
    let given = |text: &str| (text != "-").then(|| text.to_owned());
    Ok(Login {
        name: name.to_owned(),
        password: password.to_owned(),
        group,
        hospital: given(hospital),
        patient: given(patient),
        shown: shown.to_owned(),
    })
}

impl Group {
    fn scope(self) -> &'static str {
        match self {
            Group::Doctors => "openid user/*.cruds",
            Group::Patients => "openid launch/patient patient/*.rs patient/AuditEvent.rs",
            Group::Auditors => "openid user/AuditEvent.rs",
            Group::Operators => "openid user/*.rs",
        }
    }

    fn role(self) -> Option<&'static str> {
        match self {
            Group::Doctors => Some("doctor"),
            Group::Patients => None,
            Group::Auditors => Some("auditor"),
            Group::Operators => Some("operator"),
        }
    }

    fn purpose(self) -> Option<&'static str> {
        matches!(self, Group::Doctors).then_some("TREAT")
    }
}

async fn discovery(issuer: Data<Issuer>) -> HttpResponse {
    let iss = &issuer.iss;
    HttpResponse::Ok().json(json!({
        "issuer": iss,
        "jwks_uri": format!("{iss}/certs"),
        "token_endpoint": format!("{iss}/token"),
        "grant_types_supported": ["password"],
        "token_endpoint_auth_methods_supported": ["none"],
    }))
}

async fn keys(issuer: Data<Issuer>) -> HttpResponse {
    // A point that is not compressed: a byte that says so, then both coordinates.
    let point = issuer.key.public_key().as_ref().get(1..).unwrap_or_default();
    let (x, y) = point.split_at(point.len() / 2);
    HttpResponse::Ok().json(json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": issuer.kid,
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    }] }))
}

async fn token(issuer: Data<Issuer>, body: Bytes) -> HttpResponse {
    let fields =
        std::str::from_utf8(&body).ok().and_then(|text| parse_query(text).ok()).unwrap_or_default();
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    if field("grant_type") != "password" {
        return HttpResponse::BadRequest().json(json!({ "error": "unsupported_grant_type" }));
    }
    let digest = |text: &str| Sha256::digest(text);
    let asked = digest(field("password"));
    let login = issuer.logins.iter().find(|login| {
        login.name == field("username")
            && verify_slices_are_equal(&digest(&login.password), &asked).is_ok()
    });
    match login.and_then(|login| sign(&issuer, &claims(&issuer, login))) {
        Some(token) => HttpResponse::Ok().json(json!({
            "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS,
        })),
        None => HttpResponse::BadRequest().json(json!({ "error": "invalid_grant" })),
    }
}

fn claims(issuer: &Issuer, login: &Login) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut iua = json!({ "subject_name": login.shown });
    if let Some(hospital) = &login.hospital {
        iua["subject_organization_id"] = json!(hospital);
    }
    if let Some(role) = login.group.role() {
        iua["subject_role"] = json!([{ "code": role }]);
    }
    if let Some(purpose) = login.group.purpose() {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
        iua["purpose_of_use"] = json!([{ "system": system, "code": purpose }]);
    }
    let mut claims = json!({
        "iss": issuer.iss, "sub": login.name, "aud": issuer.audience, "client_id": CLIENT,
        "iat": now, "exp": now + LIFETIME_SECONDS, "jti": Uuid::new_v4().to_string(), "acr": "1",
        "scope": login.group.scope(), "extensions": { "ihe_iua": iua },
    });
    if let Some(patient) = &login.patient {
        claims["patient"] = json!(patient);
    }
    claims
}

fn sign(issuer: &Issuer, claims: &Value) -> Option<String> {
    let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": issuer.kid });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = issuer.key.sign(&SystemRandom::new(), message.as_bytes()).ok()?;
    Some(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
