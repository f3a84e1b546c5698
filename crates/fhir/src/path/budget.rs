//! How much work an evaluation may do, so that no expression runs for long or fills the memory.

use super::Error;
use std::cell::Cell;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Terms evaluated, elements looked at and items compared, together.
    pub steps_max: u64,
    /// Items of one collection.
    pub items_max: usize,
    /// Bytes of a text that an expression makes.
    pub text_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps_max: 10_000_000, items_max: 1_000_000, text_bytes_max: 1_000_000 }
    }
}

pub(super) struct Budget {
    limits: Limits,
    left: Cell<u64>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Budget {
        Budget { limits, left: Cell::new(limits.steps_max) }
    }

    pub(super) fn spend(&self, steps: usize) -> Result<(), Error> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        match self.left.get().checked_sub(steps) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Error::TooCostly),
        }
    }

    /// A collection of this many items was made.
    pub(super) fn items(&self, count: usize) -> Result<(), Error> {
        if count > self.limits.items_max { Err(Error::TooCostly) } else { self.spend(count) }
    }

    /// A text of this many bytes is about to be made.
    pub(super) fn text(&self, bytes: usize) -> Result<(), Error> {
        if bytes > self.limits.text_bytes_max {
            return Err(Error::TooCostly);
        }
        self.spend(bytes / 64)
    }
}
