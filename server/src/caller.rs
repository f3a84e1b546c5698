//! From a verified principal to a caller, whom the decision is about.

use crate::app::App;
use crate::http::failure::{Failure, Tried};
use crate::http::origin::Origin;
use crate::identity::{Identity, Principal, Refusal, Shown, certificate};
use access::scope::parse_all;
use access::{Agent, Caller, Hospital, HospitalId, Purposes, Role, Token};
use actix_web::HttpRequest;
use fhir::outcome::Code;
use store::clock::now_micros;

/// Who may call.
pub enum Callers {
    /// Whoever reaches the address: `--insecure-no-auth`.
    Anyone(HospitalId),
    /// Who shows a token of a registered issuer.
    Known(Identity),
}

impl Callers {
    /// Whether a request can be anybody's yet.
    pub fn are_known(&self) -> bool {
        match self {
            Callers::Anyone(_) => true,
            Callers::Known(identity) => identity.is_ready(),
        }
    }
}

/// Who calls. Without a token only what needs no right is answered.
pub async fn caller(
    app: &App,
    http: &HttpRequest,
    origin: &Origin,
    needs_token: bool,
) -> Result<Caller, Failure> {
    let identity = match &app.callers {
        Callers::Anyone(hospital) => return Ok(Caller::local(*hospital)),
        Callers::Known(identity) => identity,
    };
    let tried = tried(http);
    if tried == Tried::Nothing {
        app.traffic.admit_unknown(origin.address)?;
        return match needs_token {
            true => Err(Failure::unauthenticated(tried)),
            false => Ok(Caller::nobody()),
        };
    }
    let refused = || Failure::unauthenticated(tried);
    let authorization = texts(http, "authorization").ok_or_else(refused)?;
    let path = http.path().strip_prefix("/fhir").unwrap_or_default();
    let shown = Shown {
        authorization: &authorization,
        proofs: &texts(http, "dpop").ok_or_else(refused)?,
        method: http.method().as_str(),
        address: &format!("{}{path}", app.settings.service.base_url),
        certificate: certificate(app, http),
    };
    let principal = identity.verify(&shown).await.map_err(|refusal| match refusal {
        Refusal::Unauthenticated(_) => match app.traffic.admit_unknown(origin.address) {
            Ok(()) => refused(),
            Err(failure) => failure,
        },
        Refusal::Forbidden(_) => Failure::new(
            403,
            Code::Forbidden,
            "the issuer of the token does not speak for this hospital",
        ),
        Refusal::Unavailable(_) => Failure::new(
            503,
            Code::Transient,
            "the token cannot be verified at the moment; try again",
        ),
    })?;
    let asserted = match http.headers().get("x-purpose-of-use").map(|value| value.to_str()) {
        None => None,
        Some(Ok(code)) if identity.may_assert_purpose(&principal) => {
            let purpose = Purposes::parse(code);
            Some(purpose.ok_or_else(|| Failure::bad_request("X-Purpose-Of-Use is not known"))?)
        }
        Some(_) => {
            return Err(Failure::new(
                403,
                Code::Forbidden,
                "this client may not say itself what it asks for; leave X-Purpose-Of-Use out",
            ));
        }
    };
    of(app, identity, &principal, asserted).await
}

/// How the caller shows a token, good or not.
pub fn tried(http: &HttpRequest) -> Tried {
    match http.headers().get("authorization").map(|value| value.as_bytes().get(..5)) {
        None => Tried::Nothing,
        Some(Some(scheme)) if scheme.eq_ignore_ascii_case(b"dpop ") => Tried::Proof,
        Some(Some(_) | None) => Tried::Bearer,
    }
}

/// The values of all headers of the name; none where one of them is no text.
fn texts<'a>(http: &'a HttpRequest, name: &str) -> Option<Vec<&'a str>> {
    http.headers().get_all(name).map(|value| value.to_str().ok()).collect()
}

/// Only who ends TLS for us is believed what a client showed there: from anybody else the header says nothing.
fn certificate(app: &App, http: &HttpRequest) -> Option<[u8; 32]> {
    let settings = &app.settings.identity;
    let header = settings.certificate_header.as_deref()?;
    let peer = http.peer_addr()?.ip();
    if !settings.trusted_proxies.contains(peer) {
        return None;
    }
    certificate::thumbprint(header, &texts(http, header)?)
}

async fn of(
    app: &App,
    identity: &Identity,
    principal: &Principal,
    asserted: Option<Purposes>,
) -> Result<Caller, Failure> {
    let codes = principal.purposes.iter().filter_map(|code| Purposes::parse(code));
    let purposes = codes.fold(Purposes::default(), Purposes::with);
    let hospital = principal.hospital.as_ref().map(|(id, _)| Hospital {
        id: HospitalId(*id),
        prefix: identity.prefix(*id).unwrap_or_default(),
    });
    let agent = Agent {
        issuer: principal.issuer.clone(),
        subject: principal.subject.clone(),
        client: principal.client.clone(),
        name: principal.name.clone(),
        token_id: principal.token_id.clone(),
        roles: principal.roles.iter().map(|(_, code)| code.clone()).collect(),
    };
    let roles: Vec<Role> =
        principal.roles.iter().filter_map(|(_, code)| Role::parse(code)).collect();
    let purposes = asserted.unwrap_or(purposes);
    let opened = match &hospital {
        Some(hospital)
            if roles.contains(&Role::Emergency) && purposes.meets(Purposes::EMERGENCY) =>
        {
            let _permit = app.traffic.working.enter(Some(hospital.id)).await?;
            app.store.opened(&agent, hospital.id).await?
        }
        Some(_) | None => Vec::new(),
    };
    // A hospital's issuer that names a patient and no hospital would open any record it likes.
    let may_be_patient = hospital.is_some() || identity.is_broker(&principal.issuer);
    let patient = principal.patient.clone().filter(|_| may_be_patient);
    let token = Token {
        hospital,
        scopes: parse_all(&principal.scope),
        patient,
        roles,
        assurance: assurance(principal.acr.as_deref()),
        purposes,
        policy: app.settings.sharing.policy,
        withdrawn: identity.withdrawn(),
        opened,
        is_treating: false,
        now_micros: now_micros(),
    };
    Ok(Caller::of_token(token, agent))
}

/// The number that an `acr` ends with: `2`, `loa2`, `urn:example:loa:2`.
fn assurance(acr: Option<&str>) -> u8 {
    let digits: Vec<char> =
        acr.unwrap_or_default().chars().rev().take_while(char::is_ascii_digit).collect();
    digits.into_iter().rev().collect::<String>().parse().unwrap_or(0)
}
