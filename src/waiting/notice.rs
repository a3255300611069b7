//! A word that says what there is to look at, and whether somebody sleeps on it.
//!
//! ```text
//! word:  asleep in the kernel's poll:1 (31) | asleep on the word:1 (30) | reasons:30
//! ```
//!
//! Reasons and sleep share one word, so there is no window between "nothing to do" and "asleep": falling asleep is a
//! compare-and-swap from a word without reasons, ringing is one `fetch_or`. A ringer makes a system call only when
//! the word says that somebody sleeps; the first one takes that mark away, so a burst wakes once.

use super::patience::{Patience, RungOn};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sys::clock::{NEVER, Nanos, now};

/// Asleep in epoll or poll: woken through a descriptor.
const ASLEEP_IN_POLL: u32 = 1 << 31;
/// Asleep on the word itself: woken by a futex call.
const ASLEEP_ON_WORD: u32 = 1 << 30;
const ASLEEP: u32 = ASLEEP_IN_POLL | ASLEEP_ON_WORD;

/// See the module.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Notice {
    word: AtomicU32,
    /// Ringers that have yet to wake the poll: its descriptors must not be closed under them.
    wakers: AtomicU32,
    rung_on: RungOn,
    /// The waiter's, on a line of its own.
    patience: Patience,
}

/// Who must be woken after a ring; the ringer does it when it holds no lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a sleeper that is not woken sleeps on"]
pub(crate) enum Wake {
    /// Nobody sleeps.
    Nobody,
    /// Somebody sleeps on the word.
    Word,
    /// Somebody sleeps in the kernel's poll.
    Poll,
}

impl Notice {
    /// The reasons that stand now.
    pub(crate) fn reasons(&self) -> u32 {
        self.word.load(Ordering::Acquire) & !ASLEEP
    }

    /// Adds `reasons`. Everything written before is seen by whoever takes them.
    pub(crate) fn ring(&self, reasons: u32) -> Wake {
        let before = self.word.fetch_or(reasons, Ordering::AcqRel);
        if before & !ASLEEP == 0 {
            self.rung_on.note();
        }
        if before & ASLEEP == 0 {
            return Wake::Nobody;
        }
        // Whoever takes the mark away does the waking.
        self.wakers.fetch_add(1, Ordering::AcqRel);
        let before = self.word.fetch_and(!ASLEEP, Ordering::AcqRel);
        if before & ASLEEP_IN_POLL != 0 {
            return Wake::Poll;
        }
        self.woke_poll();
        if before & ASLEEP_ON_WORD != 0 { Wake::Word } else { Wake::Nobody }
    }

    /// After [`Wake::Poll`]: the descriptor was written to.
    pub(crate) fn woke_poll(&self) {
        self.wakers.fetch_sub(1, Ordering::AcqRel);
    }

    /// Begins anew, for another owner: no reasons, nobody asleep.
    pub(crate) fn renew(&self) {
        // In one step with the marks' taking, so that a ringer that saw one is among the wakers that are waited for.
        self.word.swap(0, Ordering::AcqRel);
    }

    /// In a forked child, where the ringers of the parent are not: nobody is on the way to wake the poll.
    pub(crate) fn forget_wakers(&self) {
        self.wakers.store(0, Ordering::Release);
    }

    /// Waits for ringers that are on their way to wake the poll, after the last ring. A few instructions of theirs;
    /// yielding lets them run where they share the core.
    pub(crate) fn let_wakers_pass(&self) {
        while self.wakers.load(Ordering::Acquire) != 0 {
            crate::sync::yield_now();
        }
    }

    /// Adds `reasons` and wakes a sleeper on the word. For notices that are never slept on in poll.
    pub(crate) fn ring_and_wake(&self, reasons: u32) {
        if self.ring(reasons) != Wake::Nobody {
            self.wake();
        }
    }

    /// Wakes a sleeper on the word.
    pub(crate) fn wake(&self) {
        #[cfg(not(loom))]
        crate::sys::futex::wake(&self.word);
    }

    /// Takes `reasons` away and says which of them stood. What was written before they were rung is visible.
    pub(crate) fn take(&self, reasons: u32) -> u32 {
        self.word.fetch_and(!reasons, Ordering::AcqRel) & reasons
    }

    /// Marks the caller as asleep in poll; false when a reason stands, and then it must not sleep.
    pub(crate) fn fall_asleep_in_poll(&self) -> bool {
        self.fall_asleep(ASLEEP_IN_POLL)
    }

    /// The caller is back from sleep. Whether a ring ended it decides how the next wait begins.
    pub(crate) fn awake(&self) {
        let before = self.word.fetch_and(!ASLEEP, Ordering::AcqRel);
        self.patience.slept(before & !ASLEEP != 0);
    }

    fn fall_asleep(&self, how: u32) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & !ASLEEP == 0 && self.word.compare_exchange(word, how, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Waits a short while, awake, for a reason or for `more` to hold: as long as that has paid lately.
    pub(crate) fn linger(&self, more: impl Fn() -> bool) -> bool {
        self.patience.try_for(&self.rung_on, || self.reasons() != 0 || more())
    }

    /// Sleeps until a reason stands, or until `deadline`; true when one does.
    #[cfg(test)]
    pub(crate) fn sleep_on_word(&self, deadline: Nanos) -> bool {
        self.linger(|| false) || self.park(deadline)
    }

    /// The same without staying awake first. Holds nothing while it sleeps, so a caller that unwinds from here leaves
    /// at most a mark that costs the next ringer one needless wake.
    pub(crate) fn park(&self, deadline: Nanos) -> bool {
        loop {
            if self.fall_asleep(ASLEEP_ON_WORD) {
                #[cfg(not(loom))]
                crate::sys::futex::wait(&self.word, ASLEEP_ON_WORD, deadline);
                #[cfg(loom)]
                loom::thread::yield_now();
                self.awake();
            }
            if self.reasons() != 0 {
                return true;
            }
            if deadline != NEVER && now() >= deadline {
                return false;
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// No wake-up is lost: a sleeper that fell asleep is told by exactly the ring that came after.
    #[test]
    fn loom_ring_against_fall_asleep() {
        loom::model(|| {
            let notice = Arc::new(Notice::default());
            let ringer = {
                let notice = notice.clone();
                loom::thread::spawn(move || notice.ring(1))
            };
            let slept = notice.fall_asleep_in_poll();
            let wake = ringer.join().expect("the ringer");
            // Either the sleeper saw the reason, or the ringer saw the sleeper; never neither.
            assert_eq!(slept, wake == Wake::Poll);
            assert_eq!(notice.take(1), 1);
        });
    }

    /// Of two ringers, one wakes.
    #[test]
    fn loom_two_ringers_wake_once() {
        loom::model(|| {
            let notice = Arc::new(Notice::default());
            assert!(notice.fall_asleep_in_poll());
            let other = {
                let notice = notice.clone();
                loom::thread::spawn(move || notice.ring(2))
            };
            let mine = notice.ring(1);
            let other = other.join().expect("the other");
            assert!((mine == Wake::Poll) ^ (other == Wake::Poll));
            assert_eq!(notice.take(3), 3);
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sys::clock::after;

    #[test]
    fn a_deadline_is_never_early() {
        let notice = Notice::default();
        for wait in [0, 1, 1_000, 100_000, 3_000_000] {
            let deadline = after(wait);
            assert!(!notice.sleep_on_word(deadline));
            assert!(now() >= deadline);
        }
    }

    #[test]
    fn ping_pong_loses_nothing() {
        let pair: &'static [Notice; 2] = Box::leak(Box::default());
        let echo = std::thread::spawn(|| {
            for _ in 0..20_000 {
                assert!(pair[0].sleep_on_word(NEVER));
                pair[0].take(1);
                pair[1].ring_and_wake(1);
            }
        });
        for _ in 0..20_000 {
            pair[0].ring_and_wake(1);
            assert!(pair[1].sleep_on_word(NEVER));
            pair[1].take(1);
        }
        echo.join().expect("the echo");
    }
}
