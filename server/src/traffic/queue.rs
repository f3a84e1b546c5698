//! Who gets the next permit: the hospital that holds the fewest; among those, the one that waits for longest. Nobody sleeps here and no clock
//! runs: it only keeps the order, so that all of it can be tested.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// Those who wait for each other, and for nobody else: one hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(pub i32);

pub struct Queue<T> {
    free: usize,
    /// The most that one line holds, so that whoever comes next need not wait for it.
    share: usize,
    /// The most that wait in one line.
    waiting_max: usize,
    /// Those in which somebody holds a permit or waits for one.
    lines: HashMap<Line, State<T>>,
    /// Lines that would take a permit if one were free: how many they hold, and since when they wait.
    ready: BTreeSet<(usize, u64, Line)>,
    number: u64,
}

struct State<T> {
    held: usize,
    /// The number of the moment since when its first one is first.
    since: u64,
    waiting: VecDeque<(u64, T)>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    Admitted,
    /// With this number.
    Waiting(u64),
    Full,
}

impl<T> Queue<T> {
    pub fn new(permits: usize, waiting_max: usize) -> Queue<T> {
        let permits = permits.max(1);
        // A quarter is there for the others.
        let share = permits.saturating_sub((permits / 4).max(1)).max(1);
        Queue {
            free: permits,
            share,
            waiting_max,
            lines: HashMap::new(),
            ready: BTreeSet::new(),
            number: 0,
        }
    }

    /// `waiter` is made only for whoever has to wait.
    pub fn enter(&mut self, line: Line, waiter: impl FnOnce() -> T) -> Entry {
        self.number += 1;
        let number = self.number;
        let (share, waiting_max) = (self.share, self.waiting_max);
        let state = self.lines.entry(line).or_insert_with(State::new);
        // While a permit is free nobody waits but in lines that hold their share.
        if self.free > 0 && state.held < share {
            self.free -= 1;
            state.held += 1;
            return Entry::Admitted;
        }
        if state.waiting.len() >= waiting_max {
            self.tidy(line);
            return Entry::Full;
        }
        if state.waiting.is_empty() {
            state.since = number;
            if state.held < share {
                self.ready.insert((state.held, number, line));
            }
        }
        state.waiting.push_back((number, waiter()));
        Entry::Waiting(number)
    }

    /// A permit of the line is given back: to whom it goes, if anybody waits who may have it.
    pub fn leave(&mut self, line: Line) -> Option<(Line, T)> {
        self.free += 1;
        if let Some(state) = self.lines.get_mut(&line) {
            self.ready.remove(&(state.held, state.since, line));
            state.held = state.held.saturating_sub(1);
            if !state.waiting.is_empty() {
                self.ready.insert((state.held, state.since, line));
            }
        }
        self.tidy(line);
        self.grant()
    }

    /// Whoever waits with this number no longer does.
    pub fn forget(&mut self, line: Line, number: u64) {
        let Some(state) = self.lines.get_mut(&line) else { return };
        state.waiting.retain(|(waiting, _)| *waiting != number);
        if state.waiting.is_empty() {
            self.ready.remove(&(state.held, state.since, line));
        }
        self.tidy(line);
    }

    pub fn waiting(&self) -> usize {
        self.lines.values().map(|state| state.waiting.len()).sum()
    }

    fn grant(&mut self) -> Option<(Line, T)> {
        let (_, _, line) = self.ready.pop_first()?;
        self.number += 1;
        let state = self.lines.get_mut(&line)?;
        let (_, waiter) = state.waiting.pop_front()?;
        self.free -= 1;
        state.held += 1;
        state.since = self.number;
        if !state.waiting.is_empty() && state.held < self.share {
            self.ready.insert((state.held, state.since, line));
        }
        Some((line, waiter))
    }

    fn tidy(&mut self, line: Line) {
        let is_over = |state: &State<T>| state.held == 0 && state.waiting.is_empty();
        if self.lines.get(&line).is_some_and(is_over) {
            self.lines.remove(&line);
        }
    }
}

impl<T> State<T> {
    fn new() -> State<T> {
        State { held: 0, since: 0, waiting: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests;
