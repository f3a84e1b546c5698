//! What is wrong with an issuer, or with one of its tokens, and how it is put right: for who connects one (`bund issuer check`).
//!
//! The server says why to nobody who calls it; this says everything at once to somebody who may read the registry.

use super::claims::{audience, client_id, codes, hospital, required, scope, times};
use super::keys::{KeySet, algorithm};
use super::known::{Known, Trusted};
use super::{Identity, token};
use access::scope::Scope;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::Value;

/// One thing that was looked at: what was found, or what is wrong and what would be right.
#[derive(Debug)]
pub struct Finding {
    pub what: &'static str,
    pub outcome: Result<String, String>,
}

/// Of a registered issuer, and of a token that it signed.
pub async fn inspect(identity: &Identity, iss: &str, token: Option<&str>) -> Vec<Finding> {
    let known = identity.known();
    let Some(trusted) = known.issuer(iss) else {
        return vec![Finding {
            what: "registration",
            outcome: Err(match known.registry.issuers.iter().any(|issuer| issuer.iss == iss) {
                true => "it is disabled; `bund issuer enable` takes its tokens again".to_owned(),
                false => {
                    "it is not registered, byte by byte; see `bund issuer add --help`".to_owned()
                }
            }),
        }];
    };
    let mut findings = vec![Finding { what: "registration", outcome: registration(trusted) }];
    let fetch = &identity.inner.fetch;
    let document = fetch.document(iss).await;
    let outcome = document.as_ref().map_err(ToString::to_string).and_then(discovered);
    findings.push(Finding { what: "discovery", outcome });
    let keys = fetch.keys(iss, trusted.issuer.jwks_uri.as_deref()).await;
    let outcome = keys.as_ref().map_err(ToString::to_string).and_then(|keys| usable(keys, trusted));
    findings.push(Finding { what: "keys", outcome });
    let Some(token) = token else { return findings };
    let now = identity.inner.clock.calendar();
    match read(token) {
        Err(reason) => findings.push(Finding { what: "token", outcome: Err(reason.to_owned()) }),
        Ok(parts) => {
            findings.extend(of_header(&parts, token, trusted, keys.as_ref().ok()));
            findings.extend(of_claims(&parts.claims, trusted, &known, now));
        }
    }
    let outcome = match identity.verify_token(token).await {
        Ok(verified) if verified.binding.is_some() => {
            Ok("the server takes it, from who shows the key or the certificate too".to_owned())
        }
        Ok(_) => Ok("the server takes it".to_owned()),
        Err(refusal) => Err(format!("the server does not take it: {}", refusal.reason())),
    };
    findings.push(Finding { what: "all in all", outcome });
    findings
}

fn registration(trusted: &Trusted) -> Result<String, String> {
    let issuer = &trusted.issuer;
    if !issuer.is_broker && issuer.hospitals.is_empty() {
        return Err(
            "it speaks for no hospital: `bund issuer add --replace` with --hospital or --broker"
                .to_owned(),
        );
    }
    let hospitals = match issuer.is_broker {
        true => "all hospitals".to_owned(),
        false => format!("{} of the hospitals", issuer.hospitals.len()),
    };
    Ok(format!(
        "speaks for {hospitals}; {} scopes; {}",
        issuer.levels.join(", "),
        issuer.algorithms.join(", ")
    ))
}

fn discovered(document: &Value) -> Result<String, String> {
    if !document["token_endpoint"].is_string() {
        return Err("it names no token_endpoint: apps cannot be sent there".to_owned());
    }
    let challenges = document["code_challenge_methods_supported"].as_array();
    let has_challenge =
        challenges.is_some_and(|methods| methods.iter().any(|method| method == "S256"));
    if document["authorization_endpoint"].is_string() && !has_challenge {
        return Err("it lets people log in, and does not list S256 in code_challenge_methods_supported: apps of this server need PKCE".to_owned());
    }
    Ok("the issuer calls itself so".to_owned())
}

/// A key for each algorithm, or nobody is verified when the issuer changes to the other one.
fn usable(keys: &KeySet, trusted: &Trusted) -> Result<String, String> {
    let names = &trusted.issuer.algorithms;
    let has_key =
        |name: &&String| algorithm(name).is_some_and(|algorithm| keys.count(algorithm) > 0);
    match names.iter().find(|name| !has_key(name)) {
        None => Ok(format!("{} for {}", keys.len(), names.join(", "))),
        Some(name) => Err(format!(
            "it has no key for {name} that can be used; in Keycloak: Realm settings → Keys → Add provider, and Tokens → Default signature algorithm; or register what it signs with: --algorithm"
        )),
    }
}

/// A token read as forgivingly as anything is: what is wrong with it is what is asked for.
struct Parts {
    header: Value,
    claims: Value,
}

fn read(text: &str) -> Result<Parts, &'static str> {
    let malformed = "it is no signed token in three parts; a lightweight or opaque token is not one: take the access token, whole";
    let part = |part: Option<&str>| {
        let bytes = URL_SAFE_NO_PAD.decode(part.unwrap_or_default()).map_err(|_| malformed)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| malformed)?;
        if value.is_object() { Ok(value) } else { Err(malformed) }
    };
    if text.len() > token::BYTES_MAX {
        return Err(
            "it is longer than the 16 KiB that the server takes: fewer scopes, fewer mappers",
        );
    }
    let mut parts = text.split('.');
    let (header, claims) = (part(parts.next())?, part(parts.next())?);
    if parts.count() == 1 { Ok(Parts { header, claims }) } else { Err(malformed) }
}

fn of_header(parts: &Parts, text: &str, trusted: &Trusted, keys: Option<&KeySet>) -> Vec<Finding> {
    let member = |name: &str| parts.header.get(name).and_then(Value::as_str).unwrap_or("(nothing)");
    let kind = match member("typ") {
        found @ ("at+jwt" | "application/at+jwt") => Ok(found.to_owned()),
        found => Err(format!(
            "`{found}`, not `at+jwt`; in Keycloak: the client → Advanced → Use \"at+jwt\" as access token header type; an ID token or a refresh token is no access token"
        )),
    };
    let named = algorithm(member("alg")).filter(|found| trusted.algorithms.contains(found));
    let signed = named.map(|_| member("alg").to_owned()).ok_or_else(|| {
        format!(
            "`{}`, not {}; in Keycloak: Realm settings → Tokens → Default signature algorithm",
            member("alg"),
            trusted.issuer.algorithms.join(", ")
        )
    });
    let mut findings =
        vec![Finding { what: "typ", outcome: kind }, Finding { what: "alg", outcome: signed }];
    if let Some(keys) = keys {
        findings.push(Finding {
            what: "signature",
            outcome: signature(text, member("kid"), named, keys),
        });
    }
    findings
}

fn signature(
    text: &str,
    kid: &str,
    named: Option<Algorithm>,
    keys: &KeySet,
) -> Result<String, String> {
    let key = keys.find(kid).ok_or_else(|| {
        format!("the issuer publishes no key `{kid}`: a token of another issuer, or its keys were changed since")
    })?;
    let is_signed =
        text.rsplit_once('.').zip(named).is_some_and(|((message, signature), algorithm)| {
            key.verifies(algorithm, message, signature)
        });
    match is_signed {
        true => Ok(format!("by the key `{kid}`")),
        false => Err(format!("not by the key `{kid}`: copied incompletely, or changed on its way")),
    }
}

fn of_claims(claims: &Value, trusted: &Trusted, known: &Known, now: i64) -> Vec<Finding> {
    let named = claims["iss"].as_str().unwrap_or_default();
    let issuer = match named == trusted.issuer.iss {
        true => Ok(named.to_owned()),
        false => Err(format!(
            "`{named}`, not `{}`; in Keycloak: the hostname that it is started with",
            trusted.issuer.iss
        )),
    };
    let audience = audience(claims, &trusted.audience).map(|()| trusted.audience.join(", ")).map_err(|reason| {
        format!(
            "{reason}: `{}`, not `{}`; in Keycloak: a client scope with a mapper Audience, Included Custom Audience, Add to access token",
            claims["aud"],
            trusted.audience.join("`, `")
        )
    });
    let subject = required(claims, "sub").map_err(|reason| {
        format!("{reason}; in Keycloak: the client scope `basic` with its mapper Subject (sub)")
    });
    vec![
        Finding { what: "iss", outcome: issuer },
        Finding { what: "aud", outcome: audience },
        Finding { what: "exp, iat, nbf", outcome: life(claims, trusted, now) },
        Finding { what: "sub", outcome: subject.map(|_| "somebody".to_owned()) },
        Finding { what: "client_id, azp", outcome: client(claims, trusted) },
        Finding { what: "scope", outcome: scopes(claims, trusted) },
        Finding { what: "hospital", outcome: organisation(claims, trusted, known) },
        Finding { what: "roles, purposes", outcome: duties(claims) },
        Finding {
            what: "acr",
            outcome: Ok(claims["acr"].as_str().unwrap_or("none: no emergencies").to_owned()),
        },
    ]
}

fn life(claims: &Value, trusted: &Trusted, now: i64) -> Result<String, String> {
    let (issued, expires) = times(claims, now).map_err(|reason| {
        format!("{reason}; take a fresh one, and compare the clocks of both machines")
    })?;
    let (seconds, most) = (expires - issued, i64::from(trusted.issuer.max_lifetime));
    if seconds > most {
        return Err(format!(
            "it lives {seconds} s, and {most} are registered; in Keycloak: Realm settings → Tokens → Access Token Lifespan"
        ));
    }
    Ok(format!("{seconds} s"))
}

fn client(claims: &Value, trusted: &Trusted) -> Result<String, String> {
    let id = client_id(claims).map_err(|reason| {
        format!("{reason}; in Keycloak: a mapper Hardcoded claim `client_id` of the client, or leave `azp` as it is")
    })?;
    match trusted.client(&id) {
        Ok(_) => Ok(id),
        Err(reason) => Err(format!(
            "{reason}: `{id}`; `bund client add` registers it, `bund client enable` takes it again"
        )),
    }
}

fn scopes(claims: &Value, trusted: &Trusted) -> Result<String, String> {
    let asked = required(claims, "scope").map_err(|reason| {
        format!("{reason}; in Keycloak: client scopes that are called as SMART calls them, with Include in token scope")
    })?;
    let (granted, _) = scope(&asked, trusted).map_err(str::to_owned)?;
    let of_records: Vec<&str> =
        granted.split(' ').filter(|scope| Scope::parse(scope).is_some()).collect();
    if of_records.is_empty() {
        return Err(format!(
            "`{asked}` opens nothing here; in Keycloak: add client scopes such as `user/*.rs` to the client, and ask for them; {} are registered as its levels",
            trusted.issuer.levels.join(", ")
        ));
    }
    Ok(of_records.join(" "))
}

fn organisation(claims: &Value, trusted: &Trusted, known: &Known) -> Result<String, String> {
    let client = client_id(claims).ok().and_then(|id| trusted.client(&id).ok().flatten());
    match hospital(claims, trusted, client, known) {
        Ok(Some((_, code))) => Ok(code),
        Ok(None) => {
            Ok("none: right for a patient, an auditor or an operator, and for nobody else"
                .to_owned())
        }
        Err(refusal) => Err(format!(
            "{}: {} is `{}`; in Keycloak: the attribute subject_organization_id of the user, and its mapper; `bund hospital list` has the codes",
            refusal.reason(),
            trusted.issuer.organisation_claim,
            claims.pointer(&trusted.issuer.organisation_claim).unwrap_or(&Value::Null)
        )),
    }
}

fn duties(claims: &Value) -> Result<String, String> {
    let listed = |name: &str| {
        let claim = claims.pointer("/extensions/ihe_iua").and_then(|iua| iua.get(name));
        let codings = codes(claim).map_err(|_| {
            format!("{name} is no list of codings; in Keycloak: a mapper User Attribute, Claim JSON Type JSON, Multivalued")
        })?;
        let codes: Vec<String> = codings.into_iter().map(|(_, code)| code).collect();
        Ok::<_, String>(if codes.is_empty() { format!("no {name}") } else { codes.join(", ") })
    };
    Ok(format!("{}; {}", listed("subject_role")?, listed("purpose_of_use")?))
}
