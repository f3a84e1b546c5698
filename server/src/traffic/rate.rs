//! Rates: so many requests a second, and at once as many as come in some seconds.
//!
//! The generic cell rate algorithm: all that is kept of a key is the moment when what it asked for will be worked off.

use quick_cache::sync::Cache;
use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Between two requests that come evenly, in nanoseconds.
    interval: u64,
    /// How far ahead of that a key may be.
    tolerance: u64,
}

impl Rate {
    /// None is no bound.
    pub fn new(a_second: u32, burst_seconds: u32) -> Option<Rate> {
        let interval = SECOND.checked_div(u64::from(a_second))?;
        let tolerance = (SECOND * u64::from(burst_seconds.max(1))).saturating_sub(interval);
        Some(Rate { interval, tolerance })
    }

    /// When it will be worked off, with this; or how long to wait until that may be asked again. Whoever has anything left may ask for
    /// more than is left, and pays later.
    fn take(self, worked_off: u64, now: u64, cost: u64) -> Result<u64, u64> {
        let from = worked_off.max(now);
        match (from - now).checked_sub(self.tolerance) {
            None | Some(0) => Ok(from.saturating_add(self.interval.saturating_mul(cost))),
            Some(wait) => Err(wait),
        }
    }
}

/// One rate for each of many keys, in bounded memory: a key that is forgotten had not asked for longest.
pub struct Rates {
    rate: Option<Rate>,
    began: Instant,
    hasher: RandomState,
    worked_off: Cache<u64, Arc<AtomicU64>>,
}

impl Rates {
    pub fn new(rate: Option<Rate>, keys_max: usize) -> Rates {
        Rates {
            rate,
            began: Instant::now(),
            hasher: RandomState::new(),
            worked_off: Cache::new(keys_max),
        }
    }

    /// Or how long to wait.
    pub fn take(&self, key: impl Hash, cost: u64) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let key = self.hasher.hash_one(key);
        let fresh = || Ok::<_, Infallible>(Arc::default());
        let worked_off = match self.worked_off.get_or_insert_with(&key, fresh) {
            Ok(worked_off) => worked_off,
            Err(never) => match never {},
        };
        let taken = worked_off.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |worked_off| {
            rate.take(worked_off, now, cost).ok()
        });
        match taken {
            Ok(_) => Ok(()),
            Err(worked_off) => {
                let wait = rate.take(worked_off, now, cost).err().unwrap_or(0);
                Err(Duration::from_nanos(wait))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rate, Rates, SECOND};

    /// How many of `number` requests are let in at this moment.
    fn at_once(rate: Rate, worked_off: &mut u64, now: u64, number: u32) -> u32 {
        (0..number).map(|_| u32::from(take(rate, worked_off, now, 1).is_ok())).sum()
    }

    fn take(rate: Rate, worked_off: &mut u64, now: u64, cost: u64) -> Result<(), u64> {
        *worked_off = rate.take(*worked_off, now, cost)?;
        Ok(())
    }

    #[test]
    fn a_burst_is_let_in_and_then_the_rate() {
        let rate = Rate::new(10, 3).unwrap();
        let mut worked_off = 0;
        assert_eq!(at_once(rate, &mut worked_off, SECOND, 100), 30);
        for second in 2..10 {
            assert_eq!(at_once(rate, &mut worked_off, second * SECOND, 100), 10, "{second}");
        }
        assert_eq!(at_once(rate, &mut worked_off, 60 * SECOND, 100), 30, "after a pause");
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_in_and_not_sooner() {
        let rate = Rate::new(7, 1).unwrap();
        let mut worked_off = 0;
        while take(rate, &mut worked_off, SECOND, 1).is_ok() {}
        let wait = take(rate, &mut worked_off, SECOND, 1).unwrap_err();
        assert!(take(rate, &mut worked_off, SECOND + wait - 1, 1).is_err());
        assert!(take(rate, &mut worked_off, SECOND + wait, 1).is_ok());
    }

    #[test]
    fn what_costs_more_than_is_left_is_paid_later() {
        let rate = Rate::new(10, 1).unwrap();
        let mut worked_off = 0;
        assert!(take(rate, &mut worked_off, 0, 500).is_ok());
        assert_eq!(take(rate, &mut worked_off, 0, 1), Err(500 * SECOND / 10 - 9 * SECOND / 10));
    }

    #[test]
    fn keys_are_bounded_apart_and_in_number() {
        let rates = Rates::new(Rate::new(1, 1), 100);
        assert!(rates.take("a", 1).is_ok() && rates.take("b", 1).is_ok());
        assert!(rates.take("a", 1).is_err() && rates.take("b", 1).is_err());
        for number in 0..10_000 {
            let _ = rates.take(number, 1);
        }
        assert!(rates.worked_off.len() <= 100);
        let unbounded = Rates::new(Rate::new(0, 1), 100);
        assert!((0..1_000).all(|_| unbounded.take("a", 1).is_ok()));
    }
}
