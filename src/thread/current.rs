//! The calling OS thread: which of our threads it is.

use super::letter::Letter;
use super::{Body, slot_of};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::mailbox::Lane;
use crate::sys::fork;
use crate::waiting;
use std::cell::{Cell, RefCell};

/// One of our threads, that the calling OS thread is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    pub(super) handle: Handle,
    pub(super) body: &'static Body,
    /// It is one by [`super::attach`], and can stop being one.
    pub(super) attached: bool,
    process: u32,
}

thread_local! {
    static HERE: Cell<Option<Here>> = const { Cell::new(None) };
    /// How many receive loops and handlers are on the stack.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the thread has taken out of its mailbox and not handled yet.
    static BATCH: RefCell<Lane<Letter>> = RefCell::default();
}

impl Here {
    pub(super) fn new(handle: Handle, attached: bool) -> Result<Self> {
        let body = slot_of(handle)?.body();
        Ok(Self { handle, body, attached, process: fork::generation() })
    }
}

/// The thread that the caller is, if it is one. A forked child's thread is none.
#[inline]
pub(crate) fn current() -> Option<Here> {
    HERE.get().filter(|here| here.process == fork::generation())
}

/// Its handle.
pub(crate) fn handle() -> Option<Handle> {
    current().map(|here| here.handle)
}

/// The OS thread is `here` from now on, or no one's.
pub(super) fn become_thread(here: Option<Here>) {
    HERE.set(here);
    waiting::set_current(here.map(|here| &here.body.waiter));
}

/// The caller, which must be the thread that `handle` names.
pub(super) fn own(handle: Handle) -> Result<Here> {
    match current() {
        Some(here) if here.handle == handle => Ok(here),
        _ => {
            super::resolve(handle)?;
            Err(Error::new(Code::Thread, "only the thread itself receives its messages"))
        }
    }
}

/// Runs `body` with what the thread has taken out of its mailbox and not handled yet.
pub(super) fn with_batch<R>(body: impl FnOnce(&mut Lane<Letter>) -> R) -> R {
    let mut body = Some(body);
    let result = BATCH.try_with(|batch| body.take().map(|body| body(&mut batch.borrow_mut())));
    match (result, body) {
        (Ok(Some(result)), _) => result,
        // The OS thread is at its very end: nothing is left of its batch.
        (_, Some(body)) => body(&mut Lane::default()),
        (_, None) => unreachable!("the closure ran without a result"),
    }
}

/// Counts a receive loop or handler for as long as it lives.
pub(super) struct Nested(());

impl Nested {
    pub(super) fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self(())
    }

    pub(super) fn is_inside() -> bool {
        DEPTH.get() > 0
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}
