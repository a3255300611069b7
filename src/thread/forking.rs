//! A fork while other threads send, wait and die: every lock is taken first, so that the child, which has none of the
//! threads, can make its own.

use super::{THREADS, messages, names, wait};
use crate::event_loop;
use crate::sys::fork;
use crate::waiting;
use std::sync::Once;

/// Sees to it that forks are watched for.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The loops' first: their locks are taken after these.
        let _ = event_loop::enable_threading();
        fork::watch(take_locks);
    });
}

/// In the order in which the library nests them.
extern "C" fn take_locks() {
    // First the table's, so that no thread appears meanwhile. It is nested in no other.
    THREADS.hold_still();
    wait::hold_still();
    names::hold_still();
    let bodies = (0..).map_while(|slot| THREADS.slot(slot)).map(|slot| slot.body());
    for body in bodies {
        fork::hold(body.life.lock());
        body.mailbox.hold_still();
    }
    messages::hold_still();
    waiting::hold_still();
}
