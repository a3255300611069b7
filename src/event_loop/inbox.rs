//! What other threads leave for a loop: one list under one lock, taken whole.

use super::task::Task;
use crate::handle::Handle;
use std::collections::VecDeque;

/// Something for the loop to look at, in the order it came.
pub(super) enum Item {
    /// Run this.
    Task(Task),
    /// This event was activated and is in no queue yet.
    Activated(Handle),
    /// Leave when everything before this has run.
    Exit,
}

/// See the module.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) items: VecDeque<Item>,
    /// Which life of the slot's loop this is for; a post to an earlier one finds it changed.
    pub(super) handle: Option<Handle>,
    /// An exit is under way: another one adds nothing to it.
    pub(super) exit_asked: bool,
}
