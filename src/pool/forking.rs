//! A fork while other threads use pools. The parent's pools don't exist in the child; the locks around them must be
//! whole there.

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
    ONCE.call_once(|| fork::watch(take_locks));
    Ok(())
}

extern "C" fn take_locks() {
    fork::hold(SHARED.lock());
    POOLS.hold_still();
}
