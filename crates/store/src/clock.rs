//! Version keys: the order in which versions came to be.
//!
//! Microseconds since 1970 in the upper 52 bits (enough until 2112), a random node in the lower 11, so that two replicas do
//! not meet; inside one process the microseconds only go up. Meeting all the same violates a unique index, and the write is
//! tried again.

use search::key::NODE_BITS;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub struct Clock {
    last_micros: AtomicI64,
    node: i64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

impl Clock {
    pub fn new() -> Clock {
        let random = uuid::Uuid::new_v4().as_u128();
        let node = i64::try_from(random & ((1 << NODE_BITS) - 1)).unwrap_or(0);
        Clock { last_micros: AtomicI64::new(0), node }
    }

    /// A key later than every key this process made, and later than `previous`, whatever the clocks of other replicas say.
    pub fn next(&self, previous: i64) -> i64 {
        let floor = now_micros().max(micros(previous) + 1);
        let before = self
            .last_micros
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(floor.max(last + 1)))
            .unwrap_or(0);
        (floor.max(before + 1) << NODE_BITS) | self.node
    }
}

pub fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX >> NODE_BITS)
}

/// The moment a version came to be, in microseconds since 1970.
pub fn micros(version_key: i64) -> i64 {
    version_key >> NODE_BITS
}

#[cfg(test)]
mod tests {
    use super::{Clock, micros};
    use search::key::version_key_at;

    #[test]
    fn keys_only_go_up() {
        let clock = Clock::new();
        let mut last = 0;
        for _ in 0..10_000 {
            let next = clock.next(0);
            assert!(micros(next) > micros(last));
            last = next;
        }
    }

    #[test]
    fn a_version_is_later_than_the_one_before_even_when_our_clock_is_behind() {
        let clock = Clock::new();
        let ahead = version_key_at(micros(clock.next(0)) + 3_600_000_000) | 5;
        assert!(micros(clock.next(ahead)) > micros(ahead));
    }
}
