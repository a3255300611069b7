//! Messages that are merged while they wait.
//!
//! Each place of the queue has a key, or none; a map finds the place where a key is pending. Messages that were queued
//! without a key, before there were rules or by way of the line for a full queue, get theirs on the receiver's
//! thread, before it takes the next.

use super::lane::Lane;
use crate::value::Value;
use std::collections::{HashMap, VecDeque};

/// What is merged with what, and how.
pub(crate) trait Rules<T>: Send {
    /// The message's key; none: it is never merged.
    fn key(&mut self, message: &T) -> Option<Value>;

    /// Merges `incoming` into `pending`, or gives it back: it stays on its own. What is left over of the two goes to
    /// `dropped`, which is dropped when no lock is held.
    fn merge(&mut self, pending: &mut T, incoming: T, dropped: &mut Vec<Value>) -> Result<(), T>;
}

/// The rules, and which keys are pending where.
pub(super) struct Coalescer<T> {
    rules: Box<dyn Rules<T>>,
    /// Where each key is pending. Places are counted from the first that ever was.
    pending: HashMap<Value, u64>,
    /// The keys of the places that are in the queue now.
    keys: VecDeque<Option<Value>>,
    first: u64,
    /// Places whose message has no key yet.
    unkeyed: Vec<u64>,
}

impl<T> std::fmt::Debug for Coalescer<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coalescer({} pending)", self.pending.len())
    }
}

impl<T> Coalescer<T> {
    /// Rules for a queue that has `lane` in it already.
    pub(super) fn new(rules: Box<dyn Rules<T>>, lane: &Lane<T>) -> Self {
        let places = lane.places();
        let keys = std::iter::repeat_with(|| None).take(places).collect();
        Self { rules, pending: HashMap::new(), keys, first: 0, unkeyed: (0..places as u64).collect() }
    }

    /// Merges `incoming` with the message that is pending under its key. Gives it back when there is none, with the
    /// key it is to be queued under.
    pub(super) fn merge(
        &mut self,
        lane: &mut Lane<T>,
        incoming: T,
        dropped: &mut Vec<Value>,
    ) -> Result<(), (T, Option<Value>)> {
        let Some(key) = self.rules.key(&incoming) else { return Err((incoming, None)) };
        let place = self.pending.get(&key).map(|seq| (seq - self.first) as usize);
        let Some(pending) = place.and_then(|place| lane.get_mut(place)) else { return Err((incoming, Some(key))) };
        self.rules.merge(pending, incoming, dropped).map_err(|incoming| (incoming, None))
    }

    /// A message was queued, with what [`Self::merge`] gave as its key.
    pub(super) fn queued(&mut self, key: Option<Value>) {
        if let Some(key) = key.as_ref().and_then(|key| key.lend().ok()) {
            self.pending.insert(key, self.first + self.keys.len() as u64);
        }
        self.keys.push_back(key);
    }

    /// A message was queued that has not been looked at.
    pub(super) fn queued_unseen(&mut self) {
        self.unkeyed.push(self.first + self.keys.len() as u64);
        self.keys.push_back(None);
    }

    /// Gives the unseen messages their keys and merges them; how many were merged. Of two with one key the later one
    /// is merged into the earlier one's place.
    pub(super) fn look_at_unseen(&mut self, lane: &mut Lane<T>, dropped: &mut Vec<Value>) -> usize {
        let mut merged = 0;
        for seq in std::mem::take(&mut self.unkeyed) {
            let Some(place) = seq.checked_sub(self.first).map(|place| place as usize) else { continue };
            let Some(key) = lane.get_mut(place).and_then(|item| self.rules.key(item)) else { continue };
            let other = self.pending.get(&key).map(|other| (other - self.first) as usize);
            let other = other.filter(|&other| lane.get_mut(other).is_some());
            let early = other.map_or(place, |other| other.min(place));
            let late = other.map(|other| other.max(place));
            if late.is_some_and(|late| self.merge_places(lane, early, late, dropped)) {
                merged += 1;
            }
            if let Ok(copy) = key.lend() {
                self.pending.insert(copy, self.first + early as u64);
            }
            self.keys[early] = Some(key);
        }
        merged
    }

    fn merge_places(&mut self, lane: &mut Lane<T>, early: usize, late: usize, dropped: &mut Vec<Value>) -> bool {
        let Some(incoming) = lane.take(late) else { return false };
        let Some(pending) = lane.get_mut(early) else { return false };
        match self.rules.merge(pending, incoming, dropped) {
            Ok(()) => {
                self.keys[late] = None;
                true
            }
            Err(incoming) => {
                lane.put_back(late, incoming);
                false
            }
        }
    }

    /// The first place has left the queue.
    pub(super) fn taken(&mut self) {
        if let Some(Some(key)) = self.keys.pop_front() {
            if self.pending.get(&key) == Some(&self.first) {
                self.pending.remove(&key);
            }
        }
        self.first += 1;
    }
}
