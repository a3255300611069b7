//! Who still has a future: how long a slot of the table stays what it is.
//!
//! A future outlives its handle: what is attached to it still runs when the handle was given up, a job still ends it,
//! another future still ends as it ends. Whoever has to do with it takes a *hold*. All is in the owner's bits of the
//! slot's word, so that one compare-and-swap checks the handle and takes the hold:
//!
//! ```text
//! owner's bits:  given up:1 (33) | unused:1 | holds:32
//! ```
//!
//! A living handle counts for a hold of its own. The one who makes the word "given up, no holds" is the last to touch
//! the future, and empties the slot.

use crate::error::{Code, Result};
use crate::handle::{Handle, OWNER_BITS, Slot, check_word};
use crate::sync::atomic::Ordering;

const GIVEN_UP: u64 = 1 << 33;
const HOLDS: u64 = u32::MAX as u64;
const ONE: u64 = 1;
const MINE: u64 = GIVEN_UP | HOLDS;
const _: () = assert!(MINE & !OWNER_BITS == 0);

/// Takes a hold by the handle; not after it was given up.
pub(crate) fn take<T>(slot: &Slot<T>, handle: Handle) -> Result<()> {
    change(slot, handle, |word| (word & GIVEN_UP == 0).then_some(word + ONE)).map(drop)
}

/// Takes a hold whether or not the handle was given up, as long as anybody has one.
pub(crate) fn take_anyway<T>(slot: &Slot<T>, handle: Handle) -> Result<()> {
    change(slot, handle, |word| (word & MINE != GIVEN_UP).then_some(word + ONE)).map(drop)
}

/// One more hold, by one who has one.
pub(crate) fn take_another<T>(slot: &Slot<T>) {
    slot.word().fetch_add(ONE, Ordering::AcqRel);
}

/// Lets a hold go; true: it was the last, and the slot is the caller's to empty.
#[must_use]
pub(crate) fn let_go<T>(slot: &Slot<T>) -> bool {
    slot.word().fetch_sub(ONE, Ordering::AcqRel) & MINE == GIVEN_UP | ONE
}

/// Gives the handle up. Exactly one caller succeeds.
pub(crate) fn give_up<T>(slot: &Slot<T>, handle: Handle) -> Result<()> {
    // With a hold in the other hand, so that there is one place where a future ends: where the last is let go.
    change(slot, handle, |word| (word & GIVEN_UP == 0).then_some(word | GIVEN_UP)).map(drop)
}

/// Is the caller, who has a hold, the only one who ever will?
pub(crate) fn is_alone<T>(slot: &Slot<T>) -> bool {
    slot.word().load(Ordering::Acquire) & MINE == GIVEN_UP | ONE
}

fn change<T>(slot: &Slot<T>, handle: Handle, next: impl Fn(u64) -> Option<u64>) -> Result<u64> {
    let mut word = slot.word().load(Ordering::Acquire);
    loop {
        check_word(word, handle)?;
        let next = next(word).ok_or(Code::Stale)?;
        match slot.word().compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(next),
            Err(now) => word = now,
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::handle::{Kind, Table};
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU32;

    type Bodies = Table<AtomicU32>;

    /// Lets go as the futures do: the last one empties the slot and frees it.
    fn leave(table: &Bodies, slot: &Slot<AtomicU32>, handle: Handle) -> u32 {
        if !let_go(slot) {
            return 0;
        }
        slot.body().store(0, Ordering::Relaxed);
        table.remove(handle).expect("nobody else removes it");
        1
    }

    fn future(table: &Bodies) -> Handle {
        table.insert(|_, body| body.store(7, Ordering::Relaxed)).expect("room")
    }

    /// A look-up against giving up: it finds a body that stays, or a stale handle, and the slot is emptied once.
    #[test]
    fn loom_take_against_give_up() {
        loom::model(|| {
            let table: Arc<Bodies> = Arc::new(Table::new(Kind::Future));
            let handle = future(&table);
            let other = {
                let table = table.clone();
                loom::thread::spawn(move || {
                    let slot = table.find(handle).expect("made");
                    if take(slot, handle).is_err() {
                        return 0;
                    }
                    assert_eq!(slot.body().load(Ordering::Relaxed), 7, "emptied under a hold");
                    leave(&table, slot, handle)
                })
            };
            let slot = table.find(handle).expect("made");
            take(slot, handle).expect("nobody gave it up");
            give_up(slot, handle).expect("once");
            let ends = leave(&table, slot, handle) + other.join().expect("the other");
            assert_eq!(ends, 1);
            assert_eq!(take(slot, handle).expect_err("given up").code(), Code::Stale);
        });
    }

    /// One who knows of it without the handle, against the last who lets go: no hold of an emptied slot.
    #[test]
    fn loom_take_anyway_against_the_last() {
        loom::model(|| {
            let table: Arc<Bodies> = Arc::new(Table::new(Kind::Future));
            let handle = future(&table);
            let slot = table.find(handle).expect("made");
            take(slot, handle).expect("alive");
            give_up(slot, handle).expect("once");
            let other = {
                let table = table.clone();
                loom::thread::spawn(move || {
                    let slot = table.find(handle).expect("made");
                    if take_anyway(slot, handle).is_err() {
                        return 0;
                    }
                    assert_eq!(slot.body().load(Ordering::Relaxed), 7, "a hold of nothing");
                    leave(&table, slot, handle)
                })
            };
            let ends = leave(&table, slot, handle) + other.join().expect("the other");
            assert_eq!(ends, 1);
        });
    }

    /// Of two who give one handle up, one succeeds.
    #[test]
    fn loom_give_up_once() {
        loom::model(|| {
            let table: Arc<Bodies> = Arc::new(Table::new(Kind::Future));
            let handle = future(&table);
            let free = move |table: &Bodies| {
                let slot = table.find(handle).expect("made");
                if take(slot, handle).is_err() {
                    return (0, 0);
                }
                let given = give_up(slot, handle).is_ok();
                (u32::from(given), leave(table, slot, handle))
            };
            let other = {
                let table = table.clone();
                loom::thread::spawn(move || free(&table))
            };
            let (mine, ended) = free(&table);
            let (others, ended_there) = other.join().expect("the other");
            assert_eq!((mine + others, ended + ended_there), (1, 1));
        });
    }
}
