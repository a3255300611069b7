//! What there is for a loop to do, and sleeping until there is something. Touches no lock, so that a wait built of this
//! is a leaf.

use super::Shared;
use super::shared::{BREAK, EXITED, INTERRUPTED, LOOK};
use crate::error::{Code, Result};
use crate::sync::atomic::Ordering;
use crate::sys::clock::{NEVER, Nanos, after, now};
use crate::sys::poller::Sleeper;
use crate::waiting;

/// What there is to do.
pub(super) enum Look {
    Interrupted,
    Asked,
    Ready,
    Empty,
    Sleep(Nanos),
}

/// A timeout's moment; no clock is read for none.
pub(super) fn limit(timeout: Nanos) -> Nanos {
    match timeout {
        0 => 0,
        NEVER => NEVER,
        _ => after(timeout),
    }
}

impl Shared {
    pub(super) fn breaks(&self) -> bool {
        self.notice.reasons() & BREAK != 0
    }

    /// Was an exit or a break asked, and has not ended a run yet?
    pub(super) fn asked(&self) -> bool {
        self.breaks() || self.exit.load(Ordering::Acquire) != 0
    }

    /// Was the calling thread killed? What was rung for one that waited here before it is no matter.
    pub(super) fn check_interrupted(&self) -> Result<()> {
        self.notice.take(INTERRUPTED);
        if waiting::interrupted() { Err(Code::Interrupted.into()) } else { Ok(()) }
    }

    /// What is there to do now? Touches no lock.
    pub(super) fn look(&self) -> Look {
        let reasons = self.notice.reasons();
        if reasons & INTERRUPTED != 0 {
            return Look::Interrupted;
        }
        let reasons = if reasons & LOOK != 0 {
            // Taken before the rest is read, so that a change after this is rung for again.
            self.notice.take(LOOK);
            self.notice.reasons()
        } else {
            reasons
        };
        if reasons & (EXITED | BREAK) != 0 {
            return Look::Asked;
        }
        if reasons != 0 {
            return Look::Ready;
        }
        // Idle events and timers that don't keep the loop running don't.
        if self.holds.load(Ordering::Acquire) == 0 {
            return Look::Empty;
        }
        let deadline = self.next_deadline();
        let due = deadline != NEVER && deadline <= now();
        if due || self.idle.load(Ordering::Acquire) > 0 { Look::Ready } else { Look::Sleep(deadline) }
    }

    /// Sleeps until `deadline`, a ring, or, by `poll`, a descriptor; what `poll` says.
    pub(super) fn doze(&self, poll: impl FnOnce(Sleeper) -> bool, deadline: Nanos) -> bool {
        if self.notice.linger(|| false) {
            return false;
        }
        let ready = if !self.sleeps_in_poll() {
            self.notice.park(deadline);
            false
        } else if self.notice.fall_asleep_in_poll() {
            let ready = poll(self.sleeper());
            self.notice.awake();
            ready
        } else {
            return false;
        };
        self.wakeups.fetch_add(1, Ordering::Relaxed);
        ready
    }

    /// With no descriptor to watch, a futex is the cheaper bed.
    pub(super) fn sleeps_in_poll(&self) -> bool {
        self.descriptors.load(Ordering::Acquire) > 0 || self.is_embedded()
    }

    /// Between rounds the descriptor of an embedded loop stands for a sleeper: it becomes readable when there is
    /// work, and is already if there is some now. Called while the loop can't be freed.
    pub(super) fn offer_descriptor(&self) {
        if self.is_embedded() {
            let busy = !matches!(self.look(), Look::Sleep(_) | Look::Empty);
            if busy || !self.notice.fall_asleep_in_poll() {
                self.sleeper().wake();
            }
        }
    }
}
