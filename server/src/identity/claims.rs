//! What a signed token says, checked and mapped (RFC 9068 section 4; claims of IHE IUA, ITI-71).

use super::binding::Binding;
use super::known::{Known, LEVELS, Trusted};
use super::{Principal, Refusal};
use serde_json::Value;
use store::registry::Client;

/// Between the issuer's clock and ours.
const LEEWAY_SECONDS: i64 = 30;
/// Tokens for a program instead of a person live this long at most.
pub(super) const SYSTEM_LIFETIME_MAX: i64 = 600;
/// Roles and purposes of one token.
const CODES_MAX: usize = 64;

/// As resources name the codes of purposes, and as an OID.
const PURPOSES: [&str; 2] =
    ["http://terminology.hl7.org/CodeSystem/v3-ActReason", "urn:oid:2.16.840.1.113883.5.8"];

/// The organisation of IHE IUA; an issuer may have another place for it.
pub const ORGANISATION_CLAIM: &str = "/extensions/ihe_iua/subject_organization_id";

/// Who it is, and what the token is bound to.
pub(super) fn check(
    claims: &Value,
    trusted: &Trusted,
    known: &Known,
    now: i64,
) -> Result<(Principal, Option<Binding>), Refusal> {
    let refuse = Refusal::Unauthenticated;
    let binding = Binding::read(claims).map_err(refuse)?;
    audience(claims, &trusted.audience).map_err(refuse)?;
    let (issued, expires) = times(claims, now).map_err(refuse)?;
    let lifetime = expires - issued;
    if lifetime > i64::from(trusted.issuer.max_lifetime) {
        return Err(refuse("lives too long"));
    }
    let id = client_id(claims).map_err(refuse)?;
    let client = trusted.client(&id).map_err(refuse)?;
    if binding.is_none() && client.is_some_and(|client| client.require_bound) {
        return Err(refuse("not bound"));
    }
    let asked = required(claims, "scope").map_err(refuse)?;
    let (scope, is_system) = scope(&asked, trusted).map_err(refuse)?;
    if is_system && lifetime > SYSTEM_LIFETIME_MAX {
        return Err(refuse("lives too long"));
    }
    let hospital = hospital(claims, trusted, client, known)?;
    let iua = |name: &str| claims.pointer("/extensions/ihe_iua").and_then(|iua| iua.get(name));
    let roles = codes(iua("subject_role")).map_err(refuse)?;
    let purposes = codes(iua("purpose_of_use")).map_err(refuse)?;
    let is_purpose = |system: &Option<String>| {
        system.as_ref().is_some_and(|system| PURPOSES.contains(&system.as_str()))
    };
    let principal = Principal {
        issuer: trusted.issuer.iss.clone(),
        subject: required(claims, "sub").map_err(refuse)?,
        client: id,
        hospital,
        scope,
        patient: resource_id(claims, "patient").map_err(refuse)?,
        encounter: resource_id(claims, "encounter").map_err(refuse)?,
        fhir_user: text(claims.get("fhirUser")).map_err(refuse)?,
        name: text(iua("subject_name")).map_err(refuse)?,
        roles,
        purposes: purposes
            .into_iter()
            .filter(|(system, _)| is_purpose(system))
            .map(|(_, code)| code)
            .collect(),
        acr: text(claims.get("acr")).map_err(refuse)?,
        auth_time: optional_time(claims, "auth_time").map_err(refuse)?,
        token_id: text(claims.get("jti")).map_err(refuse)?,
        issued,
        expires,
    };
    Ok((principal, binding))
}

/// Whole strings: what only begins as we do is somebody else.
pub(super) fn audience(claims: &Value, ours: &[String]) -> Result<(), &'static str> {
    let is_ours = |name: &str| ours.iter().any(|our| our == name);
    let found = match claims.get("aud") {
        Some(Value::String(name)) => is_ours(name),
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            names.iter().filter_map(Value::as_str).any(is_ours)
        }
        _ => return Err("malformed audience"),
    };
    if found { Ok(()) } else { Err("another audience") }
}

/// When it was issued and when it ends.
pub(super) fn times(claims: &Value, now: i64) -> Result<(i64, i64), &'static str> {
    let issued = optional_time(claims, "iat")?.ok_or("malformed time")?;
    let expires = optional_time(claims, "exp")?.ok_or("malformed time")?;
    let begins = optional_time(claims, "nbf")?.unwrap_or(issued);
    // None is negative, so that no difference overflows.
    if now - expires > LEEWAY_SECONDS {
        return Err("expired");
    }
    if begins - now > LEEWAY_SECONDS || issued - now > LEEWAY_SECONDS {
        return Err("not valid yet");
    }
    if expires <= issued {
        return Err("malformed time");
    }
    Ok((issued, expires))
}

/// A whole number of seconds: no string, no fraction, no exponent.
fn optional_time(claims: &Value, name: &str) -> Result<Option<i64>, &'static str> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            number.as_i64().filter(|seconds| *seconds >= 0).map(Some).ok_or("malformed time")
        }
        Some(_) => Err("malformed time"),
    }
}

pub(super) fn client_id(claims: &Value) -> Result<String, &'static str> {
    let malformed = |_| "no client";
    let id = text(claims.get("client_id")).map_err(malformed)?;
    let party = text(claims.get("azp")).map_err(malformed)?;
    match (id, party) {
        (Some(id), Some(party)) if id != party => Err("two clients"),
        (Some(id), _) | (None, Some(id)) => Ok(id),
        (None, None) => Err("no client"),
    }
}

/// What the issuer may grant of it, and whether it asked for a program's rights.
pub(super) fn scope(asked: &str, trusted: &Trusted) -> Result<(String, bool), &'static str> {
    // RFC 6749 section 3.3. Any other white space would be one scope to us and two to another reader.
    let is_plain = |byte: u8| matches!(byte, b' ' | b'!' | b'\x23'..=b'\x5b' | b'\x5d'..=b'\x7e');
    if !asked.bytes().all(is_plain) {
        return Err("malformed scope");
    }
    let level = |scope: &&str| {
        LEVELS
            .into_iter()
            .find(|level| scope.strip_prefix(level).is_some_and(|rest| rest.starts_with('/')))
    };
    let scopes: Vec<&str> = asked.split(' ').filter(|scope| !scope.is_empty()).collect();
    let is_system = scopes.iter().any(|scope| level(scope) == Some("system"));
    let allowed: Vec<&str> = scopes
        .into_iter()
        .filter(|scope| level(scope).is_none_or(|level| trusted.allows(level)))
        .collect();
    Ok((allowed.join(" "), is_system))
}

/// Whom the token speaks for: a hospital of the issuer, and of the client where that has one.
pub(super) fn hospital(
    claims: &Value,
    trusted: &Trusted,
    client: Option<&Client>,
    known: &Known,
) -> Result<Option<(i32, String)>, Refusal> {
    let of_client = client.and_then(|client| client.hospital);
    let named = match claims.pointer(&trusted.issuer.organisation_claim) {
        None => of_client.and_then(|id| known.hospital_numbered(id)),
        Some(Value::String(name)) => {
            Some(known.hospital(name).ok_or(Refusal::Forbidden("unknown hospital"))?)
        }
        Some(_) => return Err(Refusal::Unauthenticated("malformed hospital")),
    };
    let Some(hospital) = named else {
        let is_gone = of_client.is_some();
        return if is_gone { Err(Refusal::Forbidden("unknown hospital")) } else { Ok(None) };
    };
    if !hospital.is_enabled {
        return Err(Refusal::Forbidden("hospital disabled"));
    }
    if !trusted.speaks_for(hospital.id) {
        return Err(Refusal::Forbidden("not a hospital of the issuer"));
    }
    if of_client.is_some_and(|id| id != hospital.id) {
        return Err(Refusal::Forbidden("not the hospital of the client"));
    }
    Ok(Some((hospital.id, hospital.code.clone())))
}

/// Codings as (system, code).
pub(super) fn codes(claim: Option<&Value>) -> Result<Vec<(Option<String>, String)>, &'static str> {
    let codings = match claim {
        None => return Ok(Vec::new()),
        Some(Value::Array(codings)) if codings.len() <= CODES_MAX => codings,
        Some(_) => return Err("malformed claim"),
    };
    let pair = |coding: &Value| {
        Ok((text(coding.get("system"))?, text(coding.get("code"))?.ok_or("malformed claim")?))
    };
    codings.iter().map(pair).collect()
}

/// The id of a resource, as a launch context has it.
fn resource_id(claims: &Value, name: &str) -> Result<Option<String>, &'static str> {
    let id = text(claims.get(name))?;
    let is_id = |id: &String| {
        id.len() <= 64
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    if id.as_ref().is_none_or(is_id) { Ok(id) } else { Err("malformed claim") }
}

pub(super) fn required(claims: &Value, name: &str) -> Result<String, &'static str> {
    match text(claims.get(name)) {
        Ok(Some(text)) => Ok(text),
        Ok(None) | Err(_) => Err(match name {
            "scope" => "no scope",
            _ => "no subject",
        }),
    }
}

/// Text, where there is any: one line, as it may come to stand in a log or a header.
pub(super) fn text(claim: Option<&Value>) -> Result<Option<String>, &'static str> {
    match claim {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && !text.chars().any(char::is_control) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err("malformed claim"),
    }
}
