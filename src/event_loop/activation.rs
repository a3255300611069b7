//! Activation: how any thread marks an event as active, without a lock.
//!
//! The owner's bits of an event's slot word hold the protocol's whole state, so that one compare-and-swap checks the
//! handle's generation, marks the event and counts:
//!
//! ```text
//! owner's bits:  active:1 (33) | unused:1 | activations since the last dispatch:32
//! ```
//!
//! The thread that turns `active` on puts the event into its loop's inbox; the others merge into it and are done. A
//! dispatch takes mark and count in one step, just before the callback starts. Every step is a read-modify-write of
//! the one word, so what an activator wrote before is visible to the callback that its activation is merged into.

use crate::error::Result;
use crate::handle::{Handle, OWNER_BITS, Slot, check_word};
use crate::sync::atomic::{AtomicU64, Ordering};

const ACTIVE: u64 = 1 << 33;
const COUNT: u64 = u32::MAX as u64;
const _: () = assert!((ACTIVE | COUNT) & !OWNER_BITS == 0);

/// Where an event lives: its loop's slot and its key there. Written before the handle is published.
#[derive(Debug, Default)]
pub(crate) struct Home(AtomicU64);

impl Home {
    pub(super) fn set(&self, loop_slot: u32, key: u32) {
        self.0.store((u64::from(loop_slot) << 32) | u64::from(key), Ordering::Release);
    }

    /// The loop's slot and the key. Of whichever event lived here at some moment: check the handle afterwards.
    pub(super) fn get(&self) -> (u32, u32) {
        let home = self.0.load(Ordering::Acquire);
        ((home >> 32) as u32, home as u32)
    }
}

/// What an activation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// It was active already; this one is counted.
    Merged,
    /// The caller must put it into the inbox of the loop in this slot.
    First { loop_slot: u32 },
}

/// Marks the event as active.
pub(super) fn activate(slot: &Slot<Home>, handle: Handle) -> Result<Activation> {
    let mut word = slot.word().load(Ordering::Acquire);
    loop {
        check_word(word, handle)?;
        let active = word & ACTIVE != 0;
        let (loop_slot, _) = slot.body().get();
        // A count that is full stays full; the write is still needed, for the memory order.
        let counted = if word & COUNT == COUNT { word } else { word + 1 };
        match slot.word().compare_exchange_weak(word, counted | ACTIVE, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) if active => return Ok(Activation::Merged),
            // The generation did not change between the two looks at the word, so this is its loop.
            Ok(_) => return Ok(Activation::First { loop_slot }),
            Err(now) => word = now,
        }
    }
}

/// Is it marked?
pub(super) fn is_active(slot: &Slot<Home>) -> bool {
    slot.word().load(Ordering::Acquire) & ACTIVE != 0
}

/// Takes the mark and the count. What the activators wrote is visible afterwards.
pub(super) fn take(slot: &Slot<Home>) -> u32 {
    (slot.word().fetch_and(!(ACTIVE | COUNT), Ordering::AcqRel) & COUNT) as u32
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::handle::{Kind, Table};
    use crate::sync::Mutex;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU32;

    /// Two activators against a dispatcher: nothing is lost, each is counted once, and the dispatch that counts an
    /// activation sees what was written before it, although the data itself is written relaxed.
    #[test]
    fn loom_activate_against_dispatch() {
        loom::model(|| {
            let table: Arc<Table<Home>> = Arc::new(Table::new(Kind::Event));
            let event = table.insert(|_, home| home.set(3, 7)).expect("room");
            let inbox = Arc::new(Mutex::new(0u32));
            let data = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let activators: Vec<_> = (0..2)
                .map(|index| {
                    let (table, inbox, data) = (table.clone(), inbox.clone(), data.clone());
                    loom::thread::spawn(move || {
                        data[index].store(1, Ordering::Relaxed);
                        let slot = table.get(event).expect("alive");
                        if let Activation::First { loop_slot } = activate(slot, event).expect("alive") {
                            assert_eq!(loop_slot, 3);
                            *inbox.lock() += 1;
                        }
                    })
                })
                .collect();
            let slot = table.get(event).expect("alive");
            let dispatch = || {
                let entries = std::mem::take(&mut *inbox.lock());
                assert!(entries <= 1, "in the inbox twice");
                if entries == 0 {
                    return 0;
                }
                let count = take(slot);
                assert!(count >= 1);
                let seen: u32 = data.iter().map(|cell| cell.load(Ordering::Relaxed)).sum();
                assert!(seen >= count, "a callback that does not see what was activated for");
                count
            };
            let early = dispatch();
            for activator in activators {
                activator.join().expect("an activator");
            }
            assert_eq!(early + dispatch(), 2);
        });
    }

    /// Activation against free: counted, or stale; a freed event is never marked.
    #[test]
    fn loom_activate_against_free() {
        loom::model(|| {
            let table: Arc<Table<Home>> = Arc::new(Table::new(Kind::Event));
            let event = table.insert(|_, home| home.set(1, 1)).expect("room");
            let activator = {
                let table = table.clone();
                loom::thread::spawn(move || match table.get(event) {
                    Ok(slot) => activate(slot, event).is_ok(),
                    Err(_) => false,
                })
            };
            table.remove(event).expect("alive");
            activator.join().expect("the activator");
            let slot = table.find(event).expect("made");
            assert!(!is_active(slot));
        });
    }
}
