//! A fork while other threads make and end futures. The parent's futures don't exist in the child, so only what
//! outlives them must be whole there: the table's list of free slots, and the locks that all futures share.
#![expect(unsafe_code, reason = "locks are released by another stack frame than the one that took them")]

use super::{FUTURES, forward, wait};
use crate::sys::fork;
use std::sync::Once;

/// Sees to it that forks are watched for.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| fork::watch(take_locks, give_locks_back));
}

extern "C" fn take_locks() {
    std::mem::forget(forward::ONE_AT_A_TIME.lock());
    std::mem::forget(wait::FOLLOWING.lock());
    FUTURES.hold_still();
}

extern "C" fn give_locks_back() {
    // SAFETY: `take_locks` ran on this thread and forgot this guard.
    unsafe { FUTURES.let_go() };
    // SAFETY: likewise.
    unsafe { wait::FOLLOWING.force_unlock() };
    // SAFETY: likewise.
    unsafe { forward::ONE_AT_A_TIME.force_unlock() };
}
