//! What other threads leave for a loop: one list under one lock, taken whole.

use super::task::Task;
use crate::handle::Handle;
use crate::timer::Key;
use std::collections::VecDeque;

/// Something for the loop to look at or to run, in the order it came.
pub(super) enum Item {
    /// Run this.
    Task(Task),
    /// This event was activated and is in no queue yet.
    Activated(Handle),
    /// An event that is ready, unless its stamp has moved on: then the entry is void. Only in the ready queue.
    Event { key: Key, stamp: u32 },
    /// Leave when everything before this has run; if the exit with this number still stands.
    Exit(u32),
}

/// See the module.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) items: VecDeque<Item>,
    /// How many of them are no tasks.
    pub(super) others: usize,
    /// Which life of the slot's loop this is for; a post to an earlier one finds it changed.
    pub(super) handle: Option<Handle>,
    /// How many tasks users have posted.
    pub(super) posts: u64,
    /// The last exit's number.
    pub(super) exits: u32,
}

impl Inbox {
    #[inline]
    pub(super) fn push(&mut self, item: Item) {
        self.others += usize::from(!matches!(item, Item::Task(_)));
        self.items.push_back(item);
    }
}

/// How much room an empty queue keeps, in items.
const SPARE_ROOM: usize = 4096;

/// Gives back the memory that a flood left behind.
pub(super) fn shed(queue: &mut VecDeque<Item>) {
    if queue.is_empty() && queue.capacity() > SPARE_ROOM {
        queue.shrink_to(SPARE_ROOM / 2);
    }
}
