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
    length: usize,
}

impl Ready {
    /// How many entries there are, void ones included.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push_task(&mut self, task: Task) {
        self.push(PRIORITY, Entry::Task(task));
    }

    pub(super) fn push_event(&mut self, priority: u8, key: u32, stamp: u32) {
        self.push(priority, Entry::Event { key, stamp });
    }

    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.queues.iter_mut().find_map(VecDeque::pop_front)?;
        self.length -= 1;
        Some(entry)
    }

    fn push(&mut self, priority: u8, entry: Entry) {
        self.queues[usize::from(priority)].push_back(entry);
        self.length += 1;
    }
}
