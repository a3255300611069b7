//! How long to stay awake before sleeping: as long as it has paid lately.
//!
//! A hand-over to a thread that spins costs a hundredth of one to a thread that sleeps, if the two run on different
//! cores; if they share one, spinning only delays the other. So each notice remembers how its last waits ended: a
//! spin that ends with success earns more of it, one in vain halves it, down to nothing but a rare probe. Between
//! spinning and sleeping come a few yields, which on one core hand the core to the other side; they are earned and
//! lost the same way.

use crate::sync::atomic::{AtomicU32, Ordering};

/// Longest spin, in looks at the word (with a pause each, about 4 µs in all), and most yields.
const MOST_SPINS: u32 = 256;
const MOST_YIELDS: u32 = 8;
/// After the credit is used up, one wait in so many tries again.
const PROBE_EVERY: u32 = 32;

/// What a notice has learnt about its waits. A hint only: races on it cost time, never correctness.
#[derive(Debug)]
pub(crate) struct Patience {
    spins: AtomicU32,
    yields: AtomicU32,
    waits: AtomicU32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { spins: AtomicU32::new(MOST_SPINS / 4), yields: AtomicU32::new(MOST_YIELDS), waits: AtomicU32::new(0) }
    }
}

impl Patience {
    /// Looks at `done` a while; true as soon as it holds, false when it is time to sleep.
    pub(crate) fn try_for(&self, done: impl Fn() -> bool) -> bool {
        if done() {
            return true;
        }
        if cfg!(loom) {
            return false;
        }
        let wait = self.waits.load(Ordering::Relaxed).wrapping_add(1);
        self.waits.store(wait, Ordering::Relaxed);
        let probe = wait % PROBE_EVERY == 0;
        attempt(&self.spins, MOST_SPINS, probe, std::hint::spin_loop, &done)
            || attempt(&self.yields, MOST_YIELDS, probe, std::thread::yield_now, &done)
    }
}

/// Up to `credit` rounds of `pass` and a look; success doubles the credit, failure halves it.
fn attempt(credit: &AtomicU32, most: u32, probe: bool, pass: fn(), done: &impl Fn() -> bool) -> bool {
    let earned = credit.load(Ordering::Relaxed);
    let rounds = if probe { earned.max(most / 4) } else { earned };
    for _ in 0..rounds {
        pass();
        if done() {
            credit.store((earned * 2).clamp(most / 4, most), Ordering::Relaxed);
            return true;
        }
    }
    credit.store(earned / 2, Ordering::Relaxed);
    false
}
