//! A fork while other threads work on loops: every lock is taken first, so that the child, which has none of those
//! threads, finds nothing half done and no lock held.

use super::{LOOPS, records, signals};
use crate::sys::{fork, poller};
use std::sync::Once;

/// Sees to it that forks are watched for.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| fork::watch(take_locks));
}

/// In the order in which the library nests them.
extern "C" fn take_locks() {
    // First the table's, so that no loop appears meanwhile. It is nested in no other.
    LOOPS.hold_still();
    let loops = (0..).map_while(|slot| LOOPS.slot(slot));
    for shared in loops.map(|slot| slot.body()) {
        fork::hold(shared.life.lock());
        fork::hold(shared.inbox.lock());
    }
    signals::hold_still();
    records::hold_still();
    poller::hold_still();
}
