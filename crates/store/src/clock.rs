//! Version keys: the order in which versions came to be.
//!
//! Microseconds since 1970 in the upper 52 bits (enough until 2112), a random node in the lower 11, so that two replicas do
//! not meet; inside one process the microseconds only go up. Meeting all the same violates a unique index, and the write is
//! tried again.

use crate::Store;
use crate::error::Error;
use search::key::NODE_BITS;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

impl Store {
    /// How far this machine's clock is from the database's, in seconds: above 0 when it is ahead. What the way there and back
    /// may have taken is not counted.
    pub async fn clock_offset(&self) -> Result<f64, Error> {
        let client = self.pool.get().await?;
        let text = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
        let statement = client.prepare_cached(text).await?;
        let asked = now_micros();
        let there: i64 = client.query_one(&statement, &[]).await?.try_get(0)?;
        Ok(offset_seconds(asked, there, now_micros()))
    }
}

/// `there` is a moment between the other two, if the clocks agree.
fn offset_seconds(asked: i64, there: i64, answered: i64) -> f64 {
    let micros = if there < asked {
        asked.saturating_sub(there)
    } else {
        answered.saturating_sub(there).min(0)
    };
    Duration::from_micros(micros.unsigned_abs()).as_secs_f64().copysign(sign(micros))
}

fn sign(number: i64) -> f64 {
    if number < 0 { -1.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::{Clock, micros, offset_seconds};
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

    #[test]
    fn aud_08_the_clock_is_compared_with_the_databases() {
        const SECOND: i64 = 1_000_000;
        for (there, expected) in
            [(10 * SECOND, 0.0), (11 * SECOND, 0.0), (7 * SECOND, 3.0), (14 * SECOND, -2.5)]
        {
            let offset = offset_seconds(10 * SECOND, there, 11 * SECOND + SECOND / 2);
            assert!((offset - expected).abs() < 1e-9, "{there}: {offset}");
        }
    }
}
