//! When a task on a loop is polled: once for any number of wake-ups before the poll begins, and once more for one that
//! comes while it is polled.
//!
//! ```text
//!           wake: post                poll begins
//!   IDLE ───────────────▶ POSTED ───────────────────▶ POLLED ── wake ──▶ WOKEN
//!    ▲                       ▲                       │   │                 │
//!    └───────────────────────┼───────────────────────┘   └──▶ DONE         │
//!                            └──────────── poll ends: post ────────────────┘
//! ```

use crate::sync::atomic::{AtomicU8, Ordering};

const IDLE: u8 = 0;
const POSTED: u8 = 1;
const POLLED: u8 = 2;
const WOKEN: u8 = 3;
const DONE: u8 = 4;

/// See the module. Begins as one that was posted.
pub(crate) struct Wakeup(AtomicU8);

impl Wakeup {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(POSTED))
    }

    /// True: the caller posts the task.
    pub(crate) fn wake(&self) -> bool {
        let step = |state| match state {
            IDLE => Some(POSTED),
            POLLED => Some(WOKEN),
            // A write all the same: what was written before the wake-up is visible to the poll that it is merged into.
            other => Some(other),
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) == Ok(IDLE)
    }

    pub(crate) fn poll_begins(&self) {
        self.0.swap(POLLED, Ordering::AcqRel);
    }

    /// True: the caller posts the task.
    pub(crate) fn poll_ends(&self, is_done: bool) -> bool {
        if is_done {
            self.0.swap(DONE, Ordering::AcqRel);
            return false;
        }
        let idle = self.0.compare_exchange(POLLED, IDLE, Ordering::AcqRel, Ordering::Acquire);
        if idle.is_err() {
            self.0.swap(POSTED, Ordering::AcqRel);
        }
        idle.is_err()
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Mutex;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU32;

    /// Two wakers against the loop: the task is posted once at a time, and a poll comes after each wake-up that sees
    /// what was written before it.
    #[test]
    fn loom_wake_against_poll() {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(2);
        builder.check(|| {
            let wakeup = Arc::new(Wakeup::new());
            let posts = Arc::new(Mutex::new(1u32));
            let data = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let wakers: Vec<_> = (0..2)
                .map(|index| {
                    let (wakeup, posts, data) = (wakeup.clone(), posts.clone(), data.clone());
                    loom::thread::spawn(move || {
                        data[index].store(1, Ordering::Relaxed);
                        if wakeup.wake() {
                            *posts.lock() += 1;
                        }
                    })
                })
                .collect();
            let mut seen = 0;
            let mut round = || {
                let posted = std::mem::take(&mut *posts.lock());
                assert!(posted <= 1, "posted twice");
                if posted == 1 {
                    wakeup.poll_begins();
                    seen = data.iter().map(|cell| cell.load(Ordering::Relaxed)).sum::<u32>();
                    if wakeup.poll_ends(false) {
                        *posts.lock() += 1;
                    }
                }
                posted == 1
            };
            round();
            for waker in wakers {
                waker.join().expect("a waker");
            }
            while round() {}
            assert_eq!(seen, 2, "the last poll sees everything");
        });
    }
}
