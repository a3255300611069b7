//! A receiver that sleeps in an event loop instead of on the mailbox's word.
//!
//! It marks itself as asleep in poll; whoever takes that mark away rings the bell, which activates an event of the
//! loop. So here, too, a burst wakes once, and an awake receiver costs its senders nothing.

use super::{KILL, LoopBell, MESSAGE, Mailbox, Parcel, STOP, TIMER};
use crate::sync::atomic::Ordering;
use crate::sys::clock::{Nanos, now};

/// How a receiver on a loop goes to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Not at all: there is more.
    More,
    /// Until the bell rings, or a timer is due then.
    Until(Nanos),
    /// For good: stopped, and everything was received.
    Ended,
    /// It was killed.
    Killed,
}

impl<T: Parcel> Mailbox<T> {
    /// What rings from now on when the receiver sleeps in a loop; none: it doesn't any more.
    pub(crate) fn set_bell(&self, bell: Option<LoopBell>) {
        self.has_bell.store(bell.is_some(), Ordering::Relaxed);
        let old = std::mem::replace(&mut *self.bell.lock(), bell);
        self.notice.awake();
        drop(old);
    }

    /// Rings the bell, if there is one.
    pub(crate) fn ring_bell(&self) {
        let bell = self.bell.lock().clone();
        if let Some(LoopBell(ring)) = bell {
            ring();
        }
    }

    /// A receiver on a loop waits by itself for once. The loop must look afterwards: the mark that rings the bell may
    /// be gone then.
    pub(crate) fn ring_bell_later(&self) {
        if self.has_bell.load(Ordering::Relaxed) {
            self.ring_bell();
        }
    }

    /// The loop has called the receiver.
    pub(crate) fn awake_on_loop(&self) {
        self.notice.awake();
        self.awake();
    }

    /// The receiver goes back to the loop.
    pub(crate) fn rest(&self) -> Rest {
        self.count_busy();
        // Taken away first: whoever adds an earlier timer from now on rings.
        self.notice.take(TIMER);
        let due = self.next_due.load(Ordering::Acquire);
        let reasons = self.notice.reasons();
        if reasons & KILL != 0 {
            Rest::Killed
        } else if reasons & MESSAGE != 0 {
            Rest::More
        } else if reasons & STOP != 0 {
            Rest::Ended
        } else if due <= now() {
            Rest::More
        } else if self.notice.fall_asleep_in_poll() {
            Rest::Until(due)
        } else {
            Rest::More
        }
    }
}
