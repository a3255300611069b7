//! A fork while other threads work on loops: every lock is taken first, so that the child, which has none of those
//! threads, finds nothing half done and no lock held.
#![expect(unsafe_code, reason = "locks are released by another stack frame than the one that took them")]

use super::{LOOPS, Shared, records, signals};
use crate::sys::fork;
use std::sync::Once;

/// Sees to it that forks are watched for.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| fork::watch(take_locks, give_locks_back));
}

fn loops() -> impl Iterator<Item = &'static Shared> {
    (0..).map_while(|slot| LOOPS.slot(slot)).map(|slot| slot.body())
}

/// In the order in which the library nests them.
extern "C" fn take_locks() {
    // First the table's, so that no loop appears meanwhile. It is nested in no other.
    LOOPS.hold_still();
    for shared in loops() {
        std::mem::forget(shared.life.lock());
        std::mem::forget(shared.inbox.lock());
    }
    signals::hold_still();
    records::hold_still();
}

extern "C" fn give_locks_back() {
    // SAFETY: `take_locks` ran on this thread and forgot this guard.
    unsafe { records::let_go() };
    // SAFETY: likewise.
    unsafe { signals::let_go() };
    for shared in loops() {
        // SAFETY: likewise; the table was held, so these are the same loops.
        unsafe { shared.inbox.force_unlock() };
        // SAFETY: likewise.
        unsafe { shared.life.force_unlock() };
    }
    // SAFETY: likewise.
    unsafe { LOOPS.let_go() };
}
