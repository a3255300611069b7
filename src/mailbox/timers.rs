//! Messages that come later.

use crate::sys::clock::{NEVER, Nanos};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug)]
struct Timed<T> {
    item: T,
    /// 0: it comes once.
    period: Nanos,
}

/// What is to come, by deadline, then by the order in which it was asked for.
#[derive(Debug)]
pub(super) struct Timers<T> {
    by_deadline: BTreeMap<(Nanos, u64), Timed<T>>,
    deadlines: HashMap<u64, Nanos>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { by_deadline: BTreeMap::new(), deadlines: HashMap::new() }
    }
}

impl<T> Timers<T> {
    pub(super) fn len(&self) -> usize {
        self.by_deadline.len()
    }

    /// When the first is due; [`NEVER`] when there is none.
    pub(super) fn next(&self) -> Nanos {
        self.by_deadline.keys().next().map_or(NEVER, |(deadline, _)| *deadline)
    }

    pub(super) fn add(&mut self, ticket: u64, deadline: Nanos, period: Nanos, item: T) {
        self.deadlines.insert(ticket, deadline);
        self.by_deadline.insert((deadline, ticket), Timed { item, period });
    }

    pub(super) fn cancel(&mut self, ticket: u64) -> Option<T> {
        let deadline = self.deadlines.remove(&ticket)?;
        self.by_deadline.remove(&(deadline, ticket)).map(|timed| timed.item)
    }

    /// The first that is due at `now`. One that repeats stays, with the next deadline that is not over: it doesn't
    /// drift, and what was missed comes once. `again` copies it; without a copy it has come for the last time.
    pub(super) fn due(&mut self, now: Nanos, again: impl FnOnce(&T) -> Option<T>) -> Option<T> {
        let first = self.by_deadline.first_entry().filter(|first| first.key().0 <= now)?;
        let ((deadline, ticket), timed) = first.remove_entry();
        self.deadlines.remove(&ticket);
        if timed.period > 0 {
            let missed = (now - deadline) / timed.period;
            let next = deadline.saturating_add(timed.period.saturating_mul(missed + 1));
            if let Some(copy) = again(&timed.item) {
                self.add(ticket, next, timed.period, copy);
            }
        }
        Some(timed.item)
    }

    pub(super) fn clear(&mut self) -> Vec<T> {
        self.deadlines.clear();
        std::mem::take(&mut self.by_deadline).into_values().map(|timed| timed.item).collect()
    }
}
