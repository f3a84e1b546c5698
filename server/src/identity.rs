//! Who calls: turns an `Authorization` header into a verified principal (RFC 6750, 8725, 9068; IHE IUA).
//!
//! Issuers, clients and hospitals are data that may change at any time; `follow` keeps what is held here as it is in the database.
//! A token that was verified is not verified again for a minute, unless the registry or the keys have changed meanwhile.

mod claims;
mod clock;
mod discovery;
mod fetch;
mod keys;
mod known;
mod supply;
#[cfg(test)]
mod tests;
mod token;

pub use claims::ORGANISATION_CLAIM;
pub use fetch::Error;
pub use known::objection;

use crate::settings;
use clock::Clock;
use discovery::Discovery;
use fetch::Fetch;
use known::{Known, Trusted};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::Store;
use store::registry::Registry;
use supply::{Missing, Supply};
use tokio::time::timeout;

/// Who calls, as far as a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub issuer: String,
    /// Of one person or program only together with the issuer.
    pub subject: String,
    pub client: String,
    /// Our number and code of the hospital that the token speaks for.
    pub hospital: Option<(i32, String)>,
    /// Without what the issuer may not grant.
    pub scope: String,
    pub patient: Option<String>,
    pub encounter: Option<String>,
    pub fhir_user: Option<String>,
    pub name: Option<String>,
    /// (system, code)
    pub roles: Vec<(Option<String>, String)>,
    /// codes of v3-ActReason
    pub purposes: Vec<String>,
    pub acr: Option<String>,
    pub auth_time: Option<i64>,
    pub token_id: Option<String>,
    pub issued: i64,
    pub expires: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Why, for log and metric only: every cause has the same answer.
    Unauthenticated(&'static str),
    /// The token is genuine, and speaks for a hospital that it may not speak for: 403.
    Forbidden(&'static str),
    /// The issuer's keys cannot be had: 503.
    Unavailable,
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    fetch: Arc<Fetch>,
    clock: Arc<Clock>,
    known: RwLock<Arc<Known>>,
    verified: Cache<[u8; 32], Arc<Verified>>,
    discovery: Discovery,
}

/// A token that was verified, and what that rested on.
struct Verified {
    principal: Arc<Principal>,
    until: i64,
    known: u64,
    supply: Arc<Supply>,
    keys: u64,
}

/// Tokens that are remembered.
const VERIFIED_MAX: usize = 10_000;
const REMEMBERED_SECONDS: i64 = 60;

/// How often the registry is read though nothing was heard: a notice may be lost, and five seconds are the promise.
const LOOK_EVERY: Duration = Duration::from_secs(4);

impl Identity {
    /// `base` is what tokens are for, unless their issuer says otherwise.
    pub fn new(
        settings: &settings::Identity,
        base: &str,
        registry: Registry,
    ) -> Result<Identity, Error> {
        let fetch = Arc::new(Fetch::new(settings)?);
        let clock = Arc::new(Clock::new());
        let known = Known::new(registry, None, base, &fetch, &clock);
        let inner = Inner {
            base: base.to_owned(),
            fetch,
            clock,
            known: RwLock::new(Arc::new(known)),
            verified: Cache::new(VERIFIED_MAX),
            discovery: Discovery::default(),
        };
        Ok(Identity { inner: Arc::new(inner) })
    }

    /// As long as the server runs.
    pub async fn follow(self, store: Store) {
        loop {
            // Listening comes before reading, so that no change falls between the two.
            let mut changes = match timeout(LOOK_EVERY, store.registry_changes()).await {
                Ok(Ok(changes)) => Some(changes),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "changes of the registry are not heard of, only looked for");
                    None
                }
                Err(_) => None,
            };
            loop {
                match timeout(LOOK_EVERY, store.registry()).await {
                    Ok(Ok(registry)) => self.replace(registry),
                    Ok(Err(error)) => tracing::warn!(%error, "the registry cannot be read"),
                    Err(_) => tracing::warn!("the registry cannot be read in time"),
                }
                let pause = tokio::time::sleep(LOOK_EVERY);
                let Some(changes) = &mut changes else {
                    pause.await;
                    break;
                };
                let is_over = tokio::select! {
                    heard = changes.next() => heard.is_none(),
                    () = pause => false,
                };
                if is_over {
                    break;
                }
            }
        }
    }

    /// From now on this is registered; what was verified before is forgotten.
    pub fn replace(&self, registry: Registry) {
        let Inner { base, fetch, clock, known, verified, .. } = &*self.inner;
        let mut held = known.write().unwrap_or_else(PoisonError::into_inner);
        if held.registry == registry {
            return;
        }
        let after = Known::new(registry, Some(&held), base, fetch, clock);
        *held = Arc::new(after);
        drop(held);
        verified.clear();
        tracing::info!("the registry of issuers has changed");
    }

    /// `authorization`: the values of all such headers.
    pub async fn verify(&self, authorization: &[&str]) -> Result<Arc<Principal>, Refusal> {
        let outcome = match token::bearer(authorization) {
            Ok(token) => self.verify_token(token).await,
            Err(reason) => Err(Refusal::Unauthenticated(reason)),
        };
        if let Err(refusal) = &outcome {
            let reason = refusal.reason();
            metrics::counter!("bund_token_refusals_total", "reason" => reason).increment(1);
        }
        outcome
    }

    /// Whether the principal's client may say itself what it asks for (the token's own purposes are the issuer's word).
    pub fn may_assert_purpose(&self, principal: &Principal) -> bool {
        let known = self.known();
        let client =
            known.issuer(&principal.issuer).map(|trusted| trusted.client(&principal.client));
        matches!(client, Some(Ok(Some(client))) if client.may_assert_purpose)
    }

    /// What ids begin with that callers of this hospital choose.
    pub fn prefix(&self, hospital: i32) -> Option<String> {
        let known = self.known();
        let hospital = known.registry.hospitals.iter().find(|known| known.id == hospital);
        hospital.and_then(|hospital| hospital.prefix.clone())
    }

    /// Whether the issuer speaks for the whole city: only then it may say who is a patient.
    pub fn is_broker(&self, iss: &str) -> bool {
        self.known().issuer(iss).is_some_and(|trusted| trusted.issuer.is_broker)
    }

    /// Hospitals that no longer take part.
    pub fn withdrawn(&self) -> Vec<i32> {
        let known = self.known();
        let hospitals = known.registry.hospitals.iter().filter(|hospital| !hospital.is_enabled);
        hospitals.map(|hospital| hospital.id).collect()
    }

    /// What the issuer says of itself that apps are sent to: the one that speaks for all hospitals, else the first.
    pub async fn discovery(&self) -> Option<Arc<serde_json::Value>> {
        let known = self.known();
        let mut enabled = known.registry.issuers.iter().filter(|issuer| issuer.is_enabled);
        let first = enabled.clone().next();
        let issuer = enabled.find(|issuer| issuer.is_broker).or(first)?;
        let Inner { fetch, clock, discovery, .. } = &*self.inner;
        discovery.of(&issuer.iss, fetch, clock).await
    }

    async fn verify_token(&self, token: &str) -> Result<Arc<Principal>, Refusal> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let now = self.inner.clock.calendar();
        let known = self.known();
        if let Some(verified) = self.inner.verified.get(&hash)
            && verified.holds(now, known.number)
        {
            return Ok(Arc::clone(&verified.principal));
        }
        let mut seen = Seen::default();
        let outcome = self.check(token, now, &known, &mut seen).await;
        match outcome {
            Ok((principal, trusted, keys)) => {
                let principal = Arc::new(principal);
                let verified = Verified {
                    principal: Arc::clone(&principal),
                    until: principal.expires.min(now + REMEMBERED_SECONDS),
                    known: known.number,
                    supply: Arc::clone(&trusted.supply),
                    keys,
                };
                self.inner.verified.insert(hash, Arc::new(verified));
                Ok(principal)
            }
            Err(refusal) => {
                seen.log(refusal, &hash);
                Err(refusal)
            }
        }
    }

    /// And the number of the keys that it was verified with.
    async fn check<'a>(
        &self,
        text: &str,
        now: i64,
        known: &'a Known,
        seen: &mut Seen,
    ) -> Result<(Principal, &'a Arc<Trusted>, u64), Refusal> {
        let refuse = Refusal::Unauthenticated;
        let token = token::read(text).map_err(refuse)?;
        let iss = token.claims.get("iss").and_then(serde_json::Value::as_str);
        let trusted = iss.and_then(|iss| known.issuer(iss)).ok_or(refuse("unknown issuer"))?;
        seen.issuer = Some(trusted.issuer.iss.clone());
        let algorithm = keys::algorithm(&token.algorithm)
            .filter(|algorithm| trusted.algorithms.contains(algorithm))
            .ok_or(refuse("algorithm"))?;
        let (key, keys) = match trusted.supply.key(&token.kid).await {
            Ok(found) => found,
            Err(Missing::Unknown) => return Err(refuse("unknown key")),
            Err(Missing::Unavailable) => return Err(Refusal::Unavailable),
        };
        if !key.is_for(algorithm) {
            return Err(refuse("algorithm"));
        }
        if !key.verifies(algorithm, token.message, token.signature) {
            return Err(refuse("signature"));
        }
        // Only from here on it is the issuer who speaks.
        seen.read(&token.claims);
        let principal = claims::check(&token.claims, trusted, known, now)?;
        Ok((principal, trusted, keys))
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.inner.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Verified {
    fn holds(&self, now: i64, known: u64) -> bool {
        now < self.until && self.known == known && self.keys == self.supply.number()
    }
}

impl Refusal {
    /// Of the refusal, not of the answer.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Unauthenticated(reason) | Refusal::Forbidden(reason) => reason,
            Refusal::Unavailable => "keys not to be had",
        }
    }
}

/// What a log may say of a token that was refused.
#[derive(Default)]
struct Seen {
    issuer: Option<String>,
    client: Option<String>,
    token_id: Option<String>,
}

impl Seen {
    fn read(&mut self, claims: &serde_json::Value) {
        let text = |name: &str| {
            let text = claims.get(name)?.as_str()?;
            Some(text.chars().filter(|letter| !letter.is_control()).take(64).collect())
        };
        self.client = text("client_id").or_else(|| text("azp"));
        self.token_id = text("jti");
    }

    fn log(&self, refusal: Refusal, hash: &[u8; 32]) {
        let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let (issuer, client, jti) =
            (self.issuer.as_deref(), self.client.as_deref(), self.token_id.as_deref());
        let reason = refusal.reason();
        match refusal {
            Refusal::Unauthenticated(_) => {
                tracing::info!(reason, issuer, client, jti, hash, "token refused");
            }
            // Genuine, and beyond what its issuer may say: somebody has to look.
            Refusal::Forbidden(_) => {
                tracing::warn!(reason, issuer, client, jti, hash, "token beyond its issuer");
            }
            Refusal::Unavailable => {
                tracing::warn!(reason, issuer, client, jti, hash, "token not verified");
            }
        }
    }
}
