//! A fork while other threads use pools. The parent's pools don't exist in the child; the locks around them must be
//! whole there.
#![expect(unsafe_code, reason = "locks are released by another stack frame than the one that took them")]

use super::{POOLS, SHARED};
use crate::error::Result;
use crate::event_loop;
use crate::sys::fork;
use std::sync::Once;

/// Sees to it that forks are watched for. After the floors below have: what is registered last is called first, and a
/// thread that makes the shared pool takes their locks while it has ours.
pub(super) fn prepare() -> Result<()> {
    static ONCE: Once = Once::new();
    event_loop::enable_threading()?;
    ONCE.call_once(|| fork::watch(take_locks, give_locks_back));
    Ok(())
}

extern "C" fn take_locks() {
    std::mem::forget(SHARED.lock());
    POOLS.hold_still();
}

extern "C" fn give_locks_back() {
    // SAFETY: `take_locks` ran on this thread and forgot this guard.
    unsafe { POOLS.let_go() };
    // SAFETY: likewise.
    unsafe { SHARED.force_unlock() };
}
