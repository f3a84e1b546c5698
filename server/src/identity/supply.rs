//! The keys of one issuer as they are now: fetched once for all who wait, kept ten minutes, used longer only while the issuer is away.

use super::clock::Clock;
use super::fetch::{Error, Fetch};
use super::keys::{Key, KeySet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// After this a key that its issuer has taken back is gone.
const AGE_MAX: Duration = Duration::from_secs(600);
/// From here on they are fetched anew while the old ones are used, so that nobody waits.
const AGE_EARLY: Duration = Duration::from_secs(480);
/// The longest that keys are used while their issuer is away.
const STALE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Between two fetches, however many unknown keys are named meanwhile.
const PAUSE: Duration = Duration::from_secs(30);
/// The same while there are no keys at all.
const PAUSE_EMPTY: Duration = Duration::from_secs(5);
/// An issuer that is away for longer is somebody's business.
const ALARM: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer has no such key.
    Unknown,
    /// There are no keys, and none can be had.
    Unavailable,
}

pub(super) struct Supply {
    pub(super) iss: String,
    pub(super) jwks_uri: Option<String>,
    fetch: Arc<Fetch>,
    clock: Arc<Clock>,
    state: Mutex<State>,
    /// Tells those who wait that a fetch has ended.
    ended: watch::Sender<()>,
    /// Rises when the keys become others.
    number: AtomicU64,
}

#[derive(Default)]
struct State {
    keys: Option<(Arc<KeySet>, Duration)>,
    attempted: Option<Duration>,
    failing_since: Option<Duration>,
    is_fetching: bool,
}

enum Look {
    /// Whether they should be fetched anew while they are used.
    Found(Arc<Key>, bool),
    Missing(Missing),
    Wait,
}

impl Supply {
    pub(super) fn new(
        iss: &str,
        jwks_uri: Option<&str>,
        fetch: &Arc<Fetch>,
        clock: &Arc<Clock>,
    ) -> Supply {
        Supply {
            iss: iss.to_owned(),
            jwks_uri: jwks_uri.map(str::to_owned),
            fetch: Arc::clone(fetch),
            clock: Arc::clone(clock),
            state: Mutex::default(),
            ended: watch::Sender::new(()),
            number: AtomicU64::new(0),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Whether there were keys ever since the start; where there were none, has them fetched and does not wait.
    pub(super) fn had_keys(self: &Arc<Self>) -> bool {
        let now = self.clock.since_start();
        let mut state = self.lock();
        if state.keys.is_some() {
            return true;
        }
        let is_pause = state.attempted.is_some_and(|at| now.saturating_sub(at) < PAUSE_EMPTY);
        if !state.is_fetching && !is_pause {
            state.is_fetching = true;
            state.attempted = Some(now);
            drop(state);
            Turn { supply: Arc::clone(self), outcome: None }.begin();
        }
        false
    }

    /// And the number of the keys it is of. Waits for one fetch at most.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Result<(Arc<Key>, u64), Missing> {
        let mut may_wait = true;
        loop {
            let mut ended = self.ended.subscribe();
            let (look, number, turn) = self.look(kid, may_wait);
            if let Some(turn) = turn {
                turn.begin();
            }
            match look {
                Look::Found(key, _) => return Ok((key, number)),
                Look::Missing(missing) => return Err(missing),
                // It cannot be closed while we hold the supply.
                Look::Wait => drop(ended.changed().await),
            }
            may_wait = false;
        }
    }

    /// And the turn to fetch, for who is to take it; not to be dropped under the lock.
    fn look(self: &Arc<Self>, kid: &str, may_wait: bool) -> (Look, u64, Option<Turn>) {
        let now = self.clock.since_start();
        let mut state = self.lock();
        let number = self.number();
        let look = state.look(kid, now, may_wait);
        let is_due = match &look {
            Look::Found(_, is_due) => *is_due,
            Look::Missing(_) => false,
            Look::Wait => true,
        };
        if !is_due || state.is_fetching {
            return (look, number, None);
        }
        state.is_fetching = true;
        state.attempted = Some(now);
        (look, number, Some(Turn { supply: Arc::clone(self), outcome: None }))
    }

    fn end(&self, outcome: Option<Result<KeySet, Error>>) {
        let now = self.clock.since_start();
        let mut state = self.lock();
        state.is_fetching = false;
        match outcome {
            Some(Ok(fetched)) => {
                metrics::counter!("bund_key_fetches_total", "outcome" => "fetched").increment(1);
                let is_same =
                    state.keys.as_ref().is_some_and(|(keys, _)| keys.digest == fetched.digest);
                state.keys = Some((Arc::new(fetched), now));
                state.failing_since = None;
                if !is_same {
                    self.number.fetch_add(1, Ordering::AcqRel);
                    tracing::info!(iss = self.iss, "keys fetched");
                }
            }
            failed => {
                metrics::counter!("bund_key_fetches_total", "outcome" => "failed").increment(1);
                let since = *state.failing_since.get_or_insert(now);
                let reason = match failed {
                    Some(Err(error)) => error.to_string(),
                    _ => "the fetch was cut off".to_owned(),
                };
                let seconds = now.saturating_sub(since).as_secs();
                if now.saturating_sub(since) >= ALARM {
                    tracing::error!(
                        iss = self.iss,
                        reason,
                        seconds,
                        "keys cannot be fetched for long"
                    );
                } else {
                    tracing::warn!(iss = self.iss, reason, "keys cannot be fetched");
                }
            }
        }
        drop(state);
        self.ended.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn look(&self, kid: &str, now: Duration, may_wait: bool) -> Look {
        let usable = self
            .keys
            .as_ref()
            .map(|(keys, fetched)| (keys, now.saturating_sub(*fetched)))
            .filter(|(_, age)| *age < STALE_MAX);
        let pause = if usable.is_some() { PAUSE } else { PAUSE_EMPTY };
        let may_begin = !self.is_fetching
            && self.attempted.is_none_or(|before| now.saturating_sub(before) >= pause);
        let waits = may_wait && (self.is_fetching || may_begin);
        let Some((keys, age)) = usable else {
            return if waits { Look::Wait } else { Look::Missing(Missing::Unavailable) };
        };
        match keys.find(kid) {
            None if waits => Look::Wait,
            None => Look::Missing(Missing::Unknown),
            Some(key) if age < AGE_MAX => Look::Found(key, age >= AGE_EARLY && may_begin),
            // While it is known to be away nobody waits for it.
            Some(_) if waits && self.failing_since.is_none() => Look::Wait,
            Some(key) => {
                metrics::counter!("bund_stale_keys_total").increment(1);
                Look::Found(key, may_begin)
            }
        }
    }
}

/// Ends the fetch even when its task is cut off.
struct Turn {
    supply: Arc<Supply>,
    outcome: Option<Result<KeySet, Error>>,
}

impl Turn {
    /// In a task of its own: whoever asked may hang up, others wait for the same answer.
    fn begin(mut self) {
        tokio::spawn(async move {
            let Supply { fetch, iss, jwks_uri, .. } = &*self.supply;
            let outcome = fetch.keys(iss, jwks_uri.as_deref()).await;
            self.outcome = Some(outcome);
            drop(self);
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.supply.end(self.outcome.take());
    }
}
