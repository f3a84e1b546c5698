//! Asks an issuer whether a token is good, where it alone can say (RFC 7662; SMART App Launch, token introspection).
//!
//! An answer is kept half a minute, and never beyond the end of the token; one that says no for some seconds, so that who repeats
//! himself costs nobody anything. However many ask about one token at once, the issuer is asked once.

use super::clock::Clock;
use super::fetch::{Error, Fetch};
use quick_cache::sync::Cache;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::registry::Introspection;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;
use tokio::time::timeout;

const KEPT_SECONDS: i64 = 30;
const REFUSED_SECONDS: i64 = 10;
const ANSWERS_MAX: usize = 10_000;
/// Questions to one issuer that are under way.
const AT_ONCE_MAX: usize = 8;
/// For one of these places.
const WAIT: Duration = Duration::from_secs(1);
const SECRET_BYTES_MAX: u64 = 4 * 1_024;

pub(super) struct Introspector {
    pub(super) asked: Introspection,
    iss: String,
    secrets: Option<PathBuf>,
    fetch: Arc<Fetch>,
    clock: Arc<Clock>,
    answers: Cache<[u8; 32], Arc<Answer>>,
    places: Semaphore,
}

/// What the issuer says of a token.
pub(super) struct Answer {
    /// None of a token that is not active.
    pub(super) claims: Option<Value>,
    /// In seconds since 1970: then it is asked again.
    pub(super) until: i64,
}

/// It cannot be told whether the token is good.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error(transparent)]
    Fetch(#[from] Error),
    #[error("the secret `{0}` cannot be read: {1}")]
    Secret(String, String),
    #[error("too many questions are under way")]
    Busy,
    #[error("the answer does not say whether the token is active")]
    Silent,
}

impl Introspector {
    pub(super) fn new(
        iss: &str,
        asked: &Introspection,
        secrets: Option<PathBuf>,
        fetch: &Arc<Fetch>,
        clock: &Arc<Clock>,
    ) -> Introspector {
        Introspector {
            asked: asked.clone(),
            iss: iss.to_owned(),
            secrets,
            fetch: Arc::clone(fetch),
            clock: Arc::clone(clock),
            answers: Cache::new(ANSWERS_MAX),
            places: Semaphore::new(AT_ONCE_MAX),
        }
    }

    /// `hash` is that of the token; None when it cannot be told.
    pub(super) async fn ask(&self, token: &str, hash: &[u8; 32]) -> Option<Arc<Answer>> {
        let now = self.clock.calendar();
        self.answers.remove_if(hash, |answer| answer.until <= now);
        match self.answers.get_or_insert_async(hash, self.fetch(token)).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                metrics::counter!("bund_introspections_total", "outcome" => "failed").increment(1);
                tracing::warn!(iss = self.iss, %error, "the issuer cannot be asked about a token");
                None
            }
        }
    }

    async fn fetch(&self, token: &str) -> Result<Arc<Answer>, Away> {
        let place = timeout(WAIT, self.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(Away::Busy) };
        let secret = self.secret().await?;
        let Introspection { uri, client, .. } = &self.asked;
        let said = self.fetch.introspect(uri, client, &secret, token).await?;
        let now = self.clock.calendar();
        let answer = read(said, now).ok_or(Away::Silent)?;
        let outcome = if answer.claims.is_some() { "active" } else { "inactive" };
        metrics::counter!("bund_introspections_total", "outcome" => outcome).increment(1);
        Ok(Arc::new(answer))
    }

    /// Read each time, so that it can be changed without a restart.
    async fn secret(&self) -> Result<String, Away> {
        let name = &self.asked.secret;
        let refuse = |reason: String| Away::Secret(name.clone(), reason);
        let folder = self.secrets.as_ref();
        let folder = folder.ok_or_else(|| refuse("BUND_SECRETS_DIR is not set".to_owned()))?;
        let opened = tokio::fs::File::open(folder.join(name)).await;
        let mut text = String::new();
        let file = opened.map_err(|error| refuse(error.to_string()))?;
        let read = file.take(SECRET_BYTES_MAX).read_to_string(&mut text).await;
        read.map_err(|error| refuse(error.to_string()))?;
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(refuse("it is empty".to_owned())),
            secret => Ok(secret.to_owned()),
        }
    }
}

/// None when it says neither yes nor no.
fn read(said: Value, now: i64) -> Option<Answer> {
    match said.get("active") {
        Some(Value::Bool(false)) => Some(Answer { claims: None, until: now + REFUSED_SECONDS }),
        Some(Value::Bool(true)) => {
            let mut claims = said;
            // RFC 7662 need not say when it was issued: as far as we know, now.
            if claims.get("iat").is_none() {
                claims["iat"] = json!(now);
            }
            let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or(now);
            Some(Answer { claims: Some(claims), until: expires.min(now + KEPT_SECONDS) })
        }
        Some(_) | None => None,
    }
}

/// A text that an issuer may have given out (RFC 6750, section 2.1), and that nobody guesses.
pub(super) fn is_opaque(token: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (16..=4_096).contains(&token.len()) && token.bytes().all(is_plain)
}
