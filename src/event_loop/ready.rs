//! What is ready to run: first in, first out within a priority, the most urgent first.

use super::record::PRIORITY;
use super::task::Task;
use std::collections::VecDeque;

/// How many priorities there are.
pub(super) const PRIORITIES: usize = 8;

/// One entry.
pub(super) enum Entry {
    Task(Task),
    /// An event, unless its stamp has moved on: then the entry is void.
    Event {
        key: u32,
        stamp: u32,
    },
}

/// See the module.
#[derive(Default)]
pub(super) struct Ready {
    queues: [VecDeque<Entry>; PRIORITIES],
    /// A bit for each queue that has entries.
    occupied: u8,
    length: usize,
}

impl Ready {
    /// How many entries there are, void ones included.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push_task(&mut self, task: Task) {
        self.count_in(PRIORITY).push_back(Entry::Task(task));
    }

    pub(super) fn push_event(&mut self, priority: u8, key: u32, stamp: u32) {
        self.count_in(priority).push_back(Entry::Event { key, stamp });
    }

    /// A task that was taken and did not run, before all others.
    pub(super) fn put_back_task(&mut self, task: Task) {
        self.count_in(PRIORITY).push_front(Entry::Task(task));
    }

    /// The most urgent entry, if it `fits`.
    pub(super) fn pop_if(&mut self, fits: impl FnOnce(&Entry) -> bool) -> Option<Entry> {
        if self.occupied == 0 {
            return None;
        }
        let priority = self.occupied.trailing_zeros();
        let queue = &mut self.queues[priority as usize];
        if !queue.front().is_some_and(fits) {
            return None;
        }
        let entry = queue.pop_front();
        if queue.is_empty() {
            self.occupied &= !(1 << priority);
        }
        self.length -= 1;
        entry
    }

    fn count_in(&mut self, priority: u8) -> &mut VecDeque<Entry> {
        self.length += 1;
        self.occupied |= 1 << priority;
        &mut self.queues[usize::from(priority)]
    }
}
