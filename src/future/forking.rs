//! A fork while other threads make and end futures. The parent's futures don't exist in the child, so only what
//! outlives them must be whole there: the table's list of free slots, and the locks that all futures share.

use super::{FUTURES, forward, wait};
use crate::sys::fork;
use std::sync::Once;

/// Sees to it that forks are watched for.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| fork::watch(take_locks));
}

extern "C" fn take_locks() {
    fork::hold(forward::ONE_AT_A_TIME.lock());
    fork::hold(wait::FOLLOWING.lock());
    FUTURES.hold_still();
}
