//! Who calls: turns an `Authorization` header into a verified principal (RFC 6750, 8725, 9068; IHE IUA).
//!
//! Issuers, clients and hospitals are data that may change at any time; `follow` keeps what is held here as it is in the database.
//! A token that was verified is not verified again for a minute, unless the registry or the keys have changed meanwhile.

mod binding;
pub mod certificate;
mod claims;
mod clock;
mod discovery;
mod fetch;
mod inspect;
mod introspection;
mod keys;
mod known;
mod proof;
mod replay;
mod supply;
#[cfg(test)]
mod tests;
mod token;

pub use claims::ORGANISATION_CLAIM;
pub use fetch::Error;
pub use inspect::{Finding, inspect};
pub use keys::ALGORITHMS;
pub use known::objection;
pub use replay::Replays;

use crate::settings;
use binding::{Binding, Thumbprint};
use clock::Clock;
use discovery::Discovery;
use fetch::Fetch;
use known::{Asked, Known, Trusted};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::Store;
use store::registry::Registry;
use supply::{Missing, Supply};
use token::Scheme;
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

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// The values of all such headers.
    pub authorization: &'a [&'a str],
    /// The values of all `DPoP` headers.
    pub proofs: &'a [&'a str],
    pub method: &'a str,
    /// As the client sees it.
    pub address: &'a str,
    /// SHA-256 of the certificate that the client showed in TLS.
    pub certificate: Option<[u8; 32]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Why, for log and metric only: every cause has the same answer.
    Unauthenticated(&'static str),
    /// The token is genuine, and speaks for a hospital that it may not speak for: 403.
    Forbidden(&'static str),
    /// What it takes to verify the token cannot be had: 503.
    Unavailable(&'static str),
}

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    base: String,
    secrets: Option<PathBuf>,
    fetch: Arc<Fetch>,
    clock: Arc<Clock>,
    known: RwLock<Arc<Known>>,
    verified: Cache<[u8; 32], Arc<Verified>>,
    discovery: Discovery,
    /// Whether anybody could be verified since the start.
    had_keys: AtomicBool,
    replays: Replays,
}

/// A token that was verified, and what that rested on.
struct Verified {
    principal: Arc<Principal>,
    binding: Option<Binding>,
    until: i64,
    known: u64,
    supply: Arc<Supply>,
    keys: u64,
}

/// Tokens that are remembered.
const VERIFIED_MAX: usize = 10_000;
const REMEMBERED_SECONDS: i64 = 60;

/// When an issuer that has to be asked about a token does not answer.
const SILENT: Refusal = Refusal::Unavailable("the issuer does not say");

/// How often the registry is read though nothing was heard: a notice may be lost, and five seconds are the promise.
const LOOK_EVERY: Duration = Duration::from_secs(4);

impl Identity {
    /// `base` is what tokens are for, unless their issuer says otherwise.
    pub fn new(
        settings: &settings::Identity,
        base: &str,
        registry: Registry,
        replays: Replays,
    ) -> Result<Identity, Error> {
        let fetch = Arc::new(Fetch::new(settings)?);
        let clock = Arc::new(Clock::new());
        let secrets = settings.secrets_dir.clone();
        let known = Known::new(registry, None, base, secrets.as_deref(), &fetch, &clock);
        let inner = Inner {
            base: base.to_owned(),
            secrets,
            fetch,
            clock,
            known: RwLock::new(Arc::new(known)),
            verified: Cache::new(VERIFIED_MAX),
            discovery: Discovery::default(),
            had_keys: AtomicBool::new(false),
            replays,
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
        let Inner { base, secrets, fetch, clock, known, verified, .. } = &*self.inner;
        let mut held = known.write().unwrap_or_else(PoisonError::into_inner);
        if held.registry == registry {
            return;
        }
        let after = Known::new(registry, Some(&held), base, secrets.as_deref(), fetch, clock);
        *held = Arc::new(after);
        drop(held);
        verified.clear();
        tracing::info!("the registry of issuers has changed");
    }

    /// Whether a request can be anybody's: the keys of one enabled issuer were had once. A dead issuer among others keeps nobody
    /// from serving, and one that dies later changes nothing: its keys are kept. Where no issuer is enabled, there is nobody to wait for.
    pub fn is_ready(&self) -> bool {
        if self.inner.had_keys.load(Ordering::Acquire) {
            return true;
        }
        let known = self.known();
        let mut issuers = 0;
        let mut had_keys = false;
        // Each is asked, so that all of them are fetched at once.
        for trusted in known.issuers() {
            issuers += 1;
            had_keys |= trusted.supply.had_keys();
        }
        self.inner.had_keys.fetch_or(had_keys, Ordering::AcqRel);
        had_keys || issuers == 0
    }

    pub async fn verify(&self, shown: &Shown<'_>) -> Result<Arc<Principal>, Refusal> {
        let outcome = self.examine(shown).await;
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

    async fn examine(&self, shown: &Shown<'_>) -> Result<Arc<Principal>, Refusal> {
        let (scheme, token) =
            token::shown(shown.authorization).map_err(Refusal::Unauthenticated)?;
        let verified = self.verify_token(token).await?;
        let principal = Arc::clone(&verified.principal);
        if let Err(refusal) = self.confirm(&verified, scheme, token, shown).await {
            let seen = Seen {
                issuer: Some(principal.issuer.clone()),
                client: Some(principal.client.clone()),
                token_id: principal.token_id.clone(),
            };
            seen.log(refusal, &Sha256::digest(token).into());
            return Err(refusal);
        }
        Ok(principal)
    }

    /// Whether who shows the token is who it was given to; asked anew with every request.
    async fn confirm(
        &self,
        verified: &Verified,
        scheme: Scheme,
        token: &str,
        shown: &Shown<'_>,
    ) -> Result<(), Refusal> {
        let refuse = Refusal::Unauthenticated;
        let binding = verified.binding.as_ref();
        if let Some(expected) = binding.and_then(|binding| binding.certificate) {
            match shown.certificate {
                Some(found) if found == expected => {}
                Some(_) => return Err(refuse("another certificate")),
                None => return Err(refuse("no certificate")),
            }
        }
        let expected: Thumbprint = match (scheme, binding.and_then(|binding| binding.key)) {
            (Scheme::Bearer, None) => return Ok(()),
            (Scheme::Bearer, Some(_)) => return Err(refuse("bound token without a proof")),
            (Scheme::Proof, None) => return Err(refuse("proof for a token that is not bound")),
            (Scheme::Proof, Some(key)) => key,
        };
        let now = self.inner.clock.calendar();
        let about = proof::Use { token, method: shown.method, address: shown.address, now };
        let proof = proof::check(shown.proofs, &about).map_err(refuse)?;
        if proof.key != expected {
            return Err(refuse("proof: another key"));
        }
        match self.inner.replays.is_first(&proof).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(refuse("proof: shown before")),
            Err(error) => {
                tracing::warn!(%error, "whether a proof was shown before cannot be told");
                Err(Refusal::Unavailable("proofs not to be had"))
            }
        }
    }

    async fn verify_token(&self, token: &str) -> Result<Arc<Verified>, Refusal> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let now = self.inner.clock.calendar();
        let known = self.known();
        if let Some(verified) = self.inner.verified.get(&hash)
            && verified.holds(now, known.number)
        {
            return Ok(verified);
        }
        let mut seen = Seen::default();
        let outcome = match token.matches('.').count() {
            2 => self.check(token, &hash, now, &known, &mut seen).await,
            // Of one part, or of five: whatever it is, its issuer alone can read it.
            _ => self.ask(token, &hash, now, &known, &mut seen).await,
        };
        match outcome {
            Ok(verified) => {
                let verified = Arc::new(verified);
                self.inner.verified.insert(hash, Arc::clone(&verified));
                Ok(verified)
            }
            Err(refusal) => {
                seen.log(refusal, &hash);
                Err(refusal)
            }
        }
    }

    async fn check(
        &self,
        text: &str,
        hash: &[u8; 32],
        now: i64,
        known: &Known,
        seen: &mut Seen,
    ) -> Result<Verified, Refusal> {
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
            Err(Missing::Unavailable) => return Err(Refusal::Unavailable("keys not to be had")),
        };
        if !key.is_for(algorithm) {
            return Err(refuse("algorithm"));
        }
        if !key.verifies(algorithm, token.message, token.signature) {
            return Err(refuse("signature"));
        }
        // Only from here on it is the issuer who speaks.
        seen.read(&token.claims);
        let (principal, binding) = claims::check(&token.claims, trusted, known, now)?;
        let mut until = principal.expires.min(now + REMEMBERED_SECONDS);
        if let Some(introspector) = trusted.introspector.as_ref().filter(|it| it.asked.is_for_all) {
            let answer = introspector.ask(text, hash).await.ok_or(SILENT)?;
            let said = answer.claims.as_ref().ok_or(refuse("not active"))?;
            let is_other = |name: &str, ours: &str| {
                said.get(name).is_some_and(|theirs| theirs.as_str() != Some(ours))
            };
            if is_other("sub", &principal.subject) || is_other("client_id", &principal.client) {
                return Err(refuse("another subject"));
            }
            until = until.min(answer.until);
        }
        Ok(Verified {
            until,
            principal: Arc::new(principal),
            binding,
            known: known.number,
            supply: Arc::clone(&trusted.supply),
            keys,
        })
    }

    /// What only its issuer can read.
    async fn ask(
        &self,
        text: &str,
        hash: &[u8; 32],
        now: i64,
        known: &Known,
        seen: &mut Seen,
    ) -> Result<Verified, Refusal> {
        let refuse = Refusal::Unauthenticated;
        let unread = refuse("not a signed token");
        let trusted: &Arc<Trusted> = match &known.opaque {
            Asked::One(trusted) if introspection::is_opaque(text) => trusted,
            Asked::One(_) | Asked::Nobody => return Err(unread),
            Asked::Several => return Err(refuse("several issuers to ask")),
        };
        let introspector = trusted.introspector.as_ref().ok_or(unread)?;
        seen.issuer = Some(trusted.issuer.iss.clone());
        let answer = introspector.ask(text, hash).await.ok_or(SILENT)?;
        let said = answer.claims.as_ref().ok_or(refuse("not active"))?;
        if said.get("iss").is_some_and(|iss| iss.as_str() != Some(&trusted.issuer.iss)) {
            return Err(refuse("another issuer"));
        }
        seen.read(said);
        let (principal, binding) = claims::check(said, trusted, known, now)?;
        Ok(Verified {
            until: principal.expires.min(answer.until),
            principal: Arc::new(principal),
            binding,
            known: known.number,
            keys: trusted.supply.number(),
            supply: Arc::clone(&trusted.supply),
        })
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
            Refusal::Unauthenticated(reason)
            | Refusal::Forbidden(reason)
            | Refusal::Unavailable(reason) => reason,
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
            Refusal::Unavailable(_) => {
                tracing::warn!(reason, issuer, client, jti, hash, "token not verified");
            }
        }
    }
}
