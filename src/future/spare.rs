//! Free slots at hand, so that threads that make and free many futures seldom meet at the table's list.

use super::FUTURES;
use super::body::Body;
use crate::error::Result;
use crate::handle::Handle;
use std::cell::RefCell;

/// How many a thread keeps.
const MOST: usize = 256;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare(Vec::new())) };
}

struct Spare(Vec<u32>);

impl Drop for Spare {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|slot| FUTURES.give_back(slot));
    }
}

/// Takes a slot for a future.
pub(super) fn insert(fill: impl FnOnce(Handle, &'static Body)) -> Result<Handle> {
    match SPARE.try_with(|spare| spare.borrow_mut().0.pop()) {
        Ok(Some(slot)) => FUTURES.occupy(slot, fill),
        _ => FUTURES.insert(fill),
    }
}

/// Frees the slot; its body is empty.
pub(super) fn remove(future: Handle) -> Result<()> {
    if FUTURES.vacate(future)? {
        let kept = SPARE.try_with(|spare| {
            let slots = &mut spare.borrow_mut().0;
            slots.len() < MOST && {
                slots.push(future.slot());
                true
            }
        });
        if kept != Ok(true) {
            FUTURES.give_back(future.slot());
        }
    }
    Ok(())
}
