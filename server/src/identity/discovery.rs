//! What the issuer that apps are sent to says of itself: kept ten minutes, and longer while it is away.

use super::clock::Clock;
use super::fetch::Fetch;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const AGE_MAX: Duration = Duration::from_secs(600);
/// Between two tries while it is away.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Discovery {
    /// Whoever asks while it is fetched waits for that.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    iss: String,
    document: Option<(Arc<Value>, Duration)>,
    attempted: Option<Duration>,
}

impl Discovery {
    pub(super) async fn of(&self, iss: &str, fetch: &Fetch, clock: &Clock) -> Option<Arc<Value>> {
        let mut state = self.state.lock().await;
        let now = clock.since_start();
        if state.iss != iss {
            *state = State { iss: iss.to_owned(), ..State::default() };
        }
        let is_fresh =
            state.document.as_ref().is_some_and(|(_, at)| now.saturating_sub(*at) < AGE_MAX);
        let was_tried = state.attempted.is_some_and(|at| now.saturating_sub(at) < PAUSE);
        if !is_fresh && !was_tried {
            state.attempted = Some(now);
            match fetch.document(iss).await {
                Ok(document) => state.document = Some((Arc::new(document), now)),
                Err(error) => tracing::warn!(issuer = iss, %error, "discovery failed"),
            }
        }
        state.document.as_ref().map(|(document, _)| Arc::clone(document))
    }
}
