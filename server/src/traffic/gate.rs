//! Permits, waited for in the order of the queue.

use super::queue::{Entry, Line, Queue};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::time::timeout;

pub struct Gate {
    inner: Arc<Inner>,
    /// The longest that anybody waits.
    wait_max: Duration,
}

struct Inner {
    name: &'static str,
    queue: Mutex<Queue<oneshot::Sender<Permit>>>,
}

/// Given back when it is dropped.
pub struct Permit {
    inner: Arc<Inner>,
    line: Line,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As many as may wait in this line do.
    Full,
    /// Its turn did not come in time.
    Late,
}

impl Gate {
    pub fn new(name: &'static str, permits: usize, waiting_max: usize, wait_max: Duration) -> Gate {
        let queue = Mutex::new(Queue::new(permits, waiting_max));
        Gate { inner: Arc::new(Inner { name, queue }), wait_max }
    }

    pub async fn pass(&self, line: Line) -> Result<Permit, Refused> {
        let mut turn = None;
        let entry = self.inner.queue().enter(line, || {
            let (give, given) = oneshot::channel();
            turn = Some(given);
            give
        });
        let (number, turn) = match (entry, turn) {
            (Entry::Admitted, _) => return Ok(Permit { inner: Arc::clone(&self.inner), line }),
            (Entry::Waiting(number), Some(turn)) => (number, turn),
            (Entry::Waiting(_), None) | (Entry::Full, _) => return Err(Refused::Full),
        };
        let began = Instant::now();
        let _place = Place { inner: &self.inner, line, number };
        let outcome = timeout(self.wait_max, turn).await;
        metrics::histogram!("bund_queue_seconds", "gate" => self.inner.name)
            .record(began.elapsed().as_secs_f64());
        match outcome {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Refused::Late),
        }
    }

    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    pub fn waiting(&self) -> usize {
        self.inner.queue().waiting()
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue<oneshot::Sender<Permit>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let next = self.inner.queue().leave(self.line);
        if let Some((line, give)) = next {
            // Whoever hung up at this moment drops it, and so passes it on.
            let _ = give.send(Permit { inner: Arc::clone(&self.inner), line });
        }
    }
}

/// Where somebody waits; left when it is dropped, by a client that hung up as well.
struct Place<'a> {
    inner: &'a Inner,
    line: Line,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.inner.queue().forget(self.line, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::{Gate, Line, Refused};
    use futures_util::FutureExt as _;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_permit_goes_on_past_whoever_hung_up() {
        let gate = Gate::new("test", 1, 10, LONG);
        let first = gate.pass(Line(1)).await.ok().unwrap();
        let mut gives_up = Box::pin(gate.pass(Line(2)));
        let mut waits = Box::pin(gate.pass(Line(3)));
        assert!(gives_up.as_mut().now_or_never().is_none());
        assert!(waits.as_mut().now_or_never().is_none());
        drop(gives_up);
        assert_eq!(gate.waiting(), 1);
        drop(first);
        let second = waits.as_mut().now_or_never().expect("its turn").ok().unwrap();
        assert!(gate.pass(Line(4)).now_or_never().is_none());
        drop(second);
        assert!(gate.pass(Line(4)).now_or_never().is_some_and(|passed| passed.is_ok()));
    }

    #[tokio::test]
    async fn a_permit_given_to_one_who_never_looks_comes_back() {
        let gate = Gate::new("test", 1, 10, LONG);
        let first = gate.pass(Line(1)).await.ok().unwrap();
        let mut waits = Box::pin(gate.pass(Line(2)));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(first);
        assert!(gate.pass(Line(3)).now_or_never().is_none(), "it is given already");
        drop(waits);
        assert!(gate.pass(Line(3)).now_or_never().is_some());
    }

    #[tokio::test]
    async fn waiting_has_an_end_and_a_bound() {
        let gate = Gate::new("test", 1, 1, Duration::from_millis(1));
        let _held = gate.pass(Line(1)).await.ok().unwrap();
        assert_eq!(gate.pass(Line(1)).await.err(), Some(Refused::Late));
        let mut waits = Box::pin(gate.pass(Line(1)));
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(gate.pass(Line(1)).await.err(), Some(Refused::Full));
    }
}
