//! What the calling thread has still to do because a future ended or was let go.
//!
//! The end of one future may end another, whose end drops a callback, which lets go of a third … Done at once, a
//! chain of them would be as deep on the stack as it is long. So each is a chore, and only the outermost caller does
//! chores, one after the other.

use super::Hold;
use super::body::{Aftermath, Listener, Remains};
use std::cell::RefCell;
use std::collections::VecDeque;

pub(super) enum Chore {
    /// What a step of this future leads to.
    After(Hold, Aftermath),
    /// What is left of a future.
    Bury(Remains),
    /// The callbacks of one whose loop is gone.
    Drop(VecDeque<Listener>),
}

thread_local! {
    /// Those that wait, while one is done.
    static WAITING: RefCell<Option<VecDeque<Chore>>> = const { RefCell::new(None) };
}

/// Does `chore`, now or when the thread has done what it is at.
pub(super) fn run(chore: Chore) {
    let mut chore = Some(chore);
    let is_first = WAITING.try_with(|waiting| match &mut *waiting.borrow_mut() {
        Some(waiting) => {
            waiting.extend(chore.take());
            false
        }
        nobody => {
            *nobody = Some(VecDeque::new());
            true
        }
    });
    let _done = (is_first == Ok(true)).then(|| Done);
    while let Some(this) = chore {
        this.settle();
        chore = next();
    }
}

fn next() -> Option<Chore> {
    WAITING.try_with(|waiting| waiting.borrow_mut().as_mut()?.pop_front()).ok().flatten()
}

/// The thread is not at it any more, also when a user's destructor has panicked.
struct Done;

impl Drop for Done {
    fn drop(&mut self) {
        let left = WAITING.try_with(|waiting| waiting.borrow_mut().take()).ok().flatten();
        for chore in left.into_iter().flatten() {
            run(chore);
        }
    }
}

impl Chore {
    fn settle(self) {
        match self {
            Chore::After(future, after) => after.settle(&future),
            Chore::Bury(remains) => remains.bury(),
            Chore::Drop(callbacks) => drop(callbacks),
        }
    }
}
