//! What is ready to run: first in, first out within a priority, the most urgent first.

use super::inbox::{Inbox, Item, shed};
use super::record::PRIORITY;
use super::task::Task;
use crate::timer::Key;
use std::collections::VecDeque;

/// How many priorities there are.
pub(super) const PRIORITIES: usize = 8;

/// See the module.
#[derive(Default)]
pub(super) struct Ready {
    queues: [VecDeque<Item>; PRIORITIES],
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
        self.count_in(PRIORITY).push_back(Item::Task(task));
    }

    pub(super) fn push_event(&mut self, priority: u8, key: Key, stamp: u32) {
        self.count_in(priority).push_back(Item::Event { key, stamp });
    }

    /// The most urgent entry.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let priority = self.most_urgent()?;
        let item = self.queues[priority].pop_front();
        self.length -= 1;
        self.note_emptiness(priority);
        item
    }

    /// Takes all of the inbox over as it is, if it has nothing but tasks and nothing of their priority waits; false
    /// if its items must be looked at one by one. How a flood of posts goes through without being moved.
    pub(super) fn take_tasks(&mut self, inbox: &mut Inbox) -> bool {
        let tasks = &mut self.queues[usize::from(PRIORITY)];
        if inbox.others > 0 || !tasks.is_empty() {
            return false;
        }
        std::mem::swap(tasks, &mut inbox.items);
        self.length += tasks.len();
        self.occupied |= u8::from(!tasks.is_empty()) << PRIORITY;
        true
    }

    /// Is there nothing that goes before tasks?
    pub(super) fn lets_tasks_go(&self) -> bool {
        self.most_urgent().is_none_or(|priority| priority > usize::from(PRIORITY))
    }

    /// Lends the queue to a runner of tasks into `batch`, if a task is next.
    pub(super) fn lend_tasks(&mut self, batch: &mut VecDeque<Item>) -> bool {
        let is_next = self.most_urgent() == Some(usize::from(PRIORITY));
        let tasks = &mut self.queues[usize::from(PRIORITY)];
        if !is_next || !matches!(tasks.front(), Some(Item::Task(_))) {
            return false;
        }
        std::mem::swap(tasks, batch);
        self.length -= batch.len();
        self.note_emptiness(usize::from(PRIORITY));
        true
    }

    /// Takes back what is left of what was lent. Nothing came in meanwhile: only the runner's own round puts in.
    pub(super) fn take_back(&mut self, batch: &mut VecDeque<Item>) {
        if !batch.is_empty() {
            self.length += batch.len();
            self.occupied |= 1 << PRIORITY;
            let tasks = &mut self.queues[usize::from(PRIORITY)];
            batch.append(tasks);
            std::mem::swap(tasks, batch);
        }
    }

    /// Gives back the memory that a flood left behind.
    pub(super) fn shed(&mut self) {
        shed(&mut self.queues[usize::from(PRIORITY)]);
    }

    fn most_urgent(&self) -> Option<usize> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros() as usize)
    }

    fn note_emptiness(&mut self, priority: usize) {
        if self.queues[priority].is_empty() {
            self.occupied &= !(1 << priority);
        }
    }

    fn count_in(&mut self, priority: u8) -> &mut VecDeque<Item> {
        self.length += 1;
        self.occupied |= 1 << priority;
        &mut self.queues[usize::from(priority)]
    }
}
