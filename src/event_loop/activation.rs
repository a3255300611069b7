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
use crate::handle::{Handle, OWNER_BITS, check_word};
use crate::sync::atomic::{AtomicU64, Ordering};

const ACTIVE: u64 = 1 << 33;
const COUNT: u64 = u32::MAX as u64;
const _: () = assert!((ACTIVE | COUNT) & !OWNER_BITS == 0);

/// What an activation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// It was active already; this one is counted.
    Merged,
    /// The caller must put it into its loop's inbox.
    First,
}

/// Marks the event as active.
#[inline]
pub(super) fn activate(word: &AtomicU64, handle: Handle) -> Result<Activation> {
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        check_word(seen, handle)?;
        // A count that is full stays full; the write is still needed, for the memory order.
        let counted = if seen & COUNT == COUNT { seen } else { seen + 1 };
        match word.compare_exchange_weak(seen, counted | ACTIVE, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) if seen & ACTIVE != 0 => return Ok(Activation::Merged),
            Ok(_) => return Ok(Activation::First),
            Err(now) => seen = now,
        }
    }
}

/// Is it marked?
pub(super) fn is_active(word: &AtomicU64) -> bool {
    word.load(Ordering::Acquire) & ACTIVE != 0
}

/// Takes the mark and the count. What the activators wrote is visible afterwards.
pub(super) fn take(word: &AtomicU64) -> u32 {
    (word.fetch_and(!(ACTIVE | COUNT), Ordering::AcqRel) & COUNT) as u32
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::handle::{Kind, Table};
    use crate::sync::Mutex;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU32;

    type Events = Table<AtomicU32>;

    /// Two activators against a dispatcher: nothing is lost, each is counted once, and the dispatch that counts an
    /// activation sees what was written before it, although the data itself is written relaxed.
    #[test]
    fn loom_activate_against_dispatch() {
        loom::model(|| {
            let table: Arc<Events> = Arc::new(Table::new(Kind::Event));
            let event = table.insert(|_, _| ()).expect("room");
            let inbox = Arc::new(Mutex::new(0u32));
            let data = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let activators: Vec<_> = (0..2)
                .map(|index| {
                    let (table, inbox, data) = (table.clone(), inbox.clone(), data.clone());
                    loom::thread::spawn(move || {
                        data[index].store(1, Ordering::Relaxed);
                        let word = table.find(event).expect("made").word();
                        if activate(word, event).expect("alive") == Activation::First {
                            *inbox.lock() += 1;
                        }
                    })
                })
                .collect();
            let word = table.find(event).expect("made").word();
            let dispatch = || {
                let entries = std::mem::take(&mut *inbox.lock());
                assert!(entries <= 1, "in the inbox twice");
                if entries == 0 {
                    return 0;
                }
                let count = take(word);
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
            let table: Arc<Events> = Arc::new(Table::new(Kind::Event));
            let event = table.insert(|_, _| ()).expect("room");
            let activator = {
                let table = table.clone();
                loom::thread::spawn(move || activate(table.find(event).expect("made").word(), event).is_ok())
            };
            table.remove(event).expect("alive");
            activator.join().expect("the activator");
            assert!(!is_active(table.find(event).expect("made").word()));
        });
    }
}
