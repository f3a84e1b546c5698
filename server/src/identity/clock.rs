//! What time it is: on the calendar for tokens, since the start for keys, which no change of the calendar may age.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub(super) struct Clock {
    began: Instant,
    #[cfg(test)]
    ahead_seconds: std::sync::atomic::AtomicU64,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock {
            began: Instant::now(),
            #[cfg(test)]
            ahead_seconds: std::sync::atomic::AtomicU64::new(0),
        }
    }

    /// In seconds since 1970.
    pub(super) fn calendar(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.ahead();
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
    }

    pub(super) fn since_start(&self) -> Duration {
        self.began.elapsed() + self.ahead()
    }

    #[cfg(not(test))]
    fn ahead(&self) -> Duration {
        Duration::ZERO
    }

    #[cfg(test)]
    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead_seconds.load(std::sync::atomic::Ordering::SeqCst))
    }

    #[cfg(test)]
    pub(super) fn advance(&self, seconds: u64) {
        self.ahead_seconds.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}
