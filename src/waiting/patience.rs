//! How long to stay awake before sleeping: as long as it has paid lately, in the way that fits who rings.
//!
//! A hand-over to a thread that spins costs a thousandth of one to a thread that sleeps, if the two run on different
//! processors; if they share one, spinning only delays the other, and a yield hands the processor over. So whoever
//! rings leaves the number of its processor, and the waiter compares.
//!
//! * The ringer runs **elsewhere**: spin. A little always, more after it paid, and now and then for longer than a
//!   wake-up takes: when both sides sleep, a short spin of either never meets the other's answer, and only a long one
//!   gets them out of that.
//! * The ringer runs **here**: yield, and watch the clock. A yield that took long gave somebody else's work a whole
//!   time slice: the machine is busy, and sleeping is quicker.
//! * The last wait was ended by **nobody's ring** (a deadline, a descriptor): do neither.
//!
//! The figures behind the numbers are in `docs/performance.md`.

use crate::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use crate::sys::clock::{Nanos, now};
use crate::sys::os_thread;

/// Spins, in looks at the word with a pause between: after a success, at the least, and when it is a probe (some
/// 75 µs, where a wake-up across processors takes 40).
const SPINS: u32 = 512;
const FEW_SPINS: u32 = 32;
const MANY_SPINS: u32 = 3000;
const YIELDS: u32 = 8;
const FEW_YIELDS: u32 = 4;
/// A yield that takes longer served somebody else.
const LONG_YIELD: Nanos = 200_000;
/// Waits from one probe to the next: after a good one, and at the most after bad ones.
const SOON: u32 = 8;
const RARE_SPIN: u32 = 512;
const RARE_YIELD: u32 = 65_536;

/// What a notice has learnt about its waits. Hints only: a race on them costs time, never correctness. The fields of
/// the waiter have a cache line of their own; `rung_on` is the ringers'.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Patience {
    waits: AtomicU32,
    spins: AtomicU32,
    yields: AtomicU32,
    spin_probe: Probe,
    yield_probe: Probe,
    /// The last wait was ended by a ring.
    rung: AtomicBool,
}

/// The processor that the last ringer ran on; lies with what ringers write anyway.
#[derive(Debug)]
pub(crate) struct RungOn(AtomicI32);

impl Default for RungOn {
    fn default() -> Self {
        Self(AtomicI32::new(-1))
    }
}

impl RungOn {
    /// The caller rings from here.
    pub(crate) fn note(&self) {
        if !cfg!(loom) {
            self.0.store(os_thread::processor(), Ordering::Relaxed);
        }
    }

    fn is_here(&self) -> bool {
        self.0.load(Ordering::Relaxed) == os_thread::processor()
    }
}

/// When to try for longer than has paid.
#[derive(Debug)]
struct Probe {
    every: AtomicU32,
    next: AtomicU32,
}

impl Probe {
    fn new() -> Self {
        Self { every: AtomicU32::new(SOON), next: AtomicU32::new(SOON) }
    }

    fn is_due(&self, wait: u32) -> bool {
        wait.wrapping_sub(self.next.load(Ordering::Relaxed)) as i32 >= 0
    }

    fn put_off(&self, wait: u32) {
        self.next.store(wait.wrapping_add(self.every.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    /// Soon again after a good one, rarer after each bad one.
    fn learn(&self, wait: u32, good: bool, rarest: u32) {
        let every = if good { SOON } else { (self.every.load(Ordering::Relaxed) * 2).min(rarest) };
        self.every.store(every, Ordering::Relaxed);
        self.put_off(wait);
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            waits: AtomicU32::new(0),
            spins: AtomicU32::new(SPINS),
            yields: AtomicU32::new(YIELDS),
            spin_probe: Probe::new(),
            yield_probe: Probe::new(),
            rung: AtomicBool::new(true),
        }
    }
}

impl Patience {
    /// Looks at `done` a while; true as soon as it holds, false when it is time to sleep.
    pub(crate) fn try_for(&self, rung_on: &RungOn, done: impl Fn() -> bool) -> bool {
        if done() {
            return true;
        }
        if cfg!(loom) || !self.rung.load(Ordering::Relaxed) {
            return false;
        }
        let wait = self.waits.load(Ordering::Relaxed).wrapping_add(1);
        self.waits.store(wait, Ordering::Relaxed);
        if rung_on.is_here() { self.yield_for(wait, done) } else { self.spin_for(wait, done) }
    }

    /// How the sleep that followed came to its end.
    pub(crate) fn slept(&self, rung: bool) {
        if self.rung.load(Ordering::Relaxed) != rung {
            self.rung.store(rung, Ordering::Relaxed);
        }
    }

    fn spin_for(&self, wait: u32, done: impl Fn() -> bool) -> bool {
        let is_probe = self.spin_probe.is_due(wait);
        let earned = self.spins.load(Ordering::Relaxed);
        let paid = (0..if is_probe { MANY_SPINS } else { earned }).any(|_| {
            std::hint::spin_loop();
            done()
        });
        self.spins.store(if paid { SPINS } else { (earned / 2).max(FEW_SPINS) }, Ordering::Relaxed);
        if is_probe {
            self.spin_probe.learn(wait, paid, RARE_SPIN);
        } else if paid {
            self.spin_probe.put_off(wait);
        }
        paid
    }

    fn yield_for(&self, wait: u32, done: impl Fn() -> bool) -> bool {
        let is_probe = self.yield_probe.is_due(wait);
        let earned = self.yields.load(Ordering::Relaxed);
        let (mut paid, mut slow) = (false, false);
        for _ in 0..if is_probe { YIELDS } else { earned } {
            let before = now();
            std::thread::yield_now();
            paid = done();
            slow = now() - before > LONG_YIELD;
            if paid || slow {
                break;
            }
        }
        if slow {
            self.yields.store(0, Ordering::Relaxed);
        } else if is_probe || earned > 0 {
            self.yields.store(if paid { YIELDS } else { (earned / 2).max(FEW_YIELDS) }, Ordering::Relaxed);
        }
        if is_probe || slow {
            self.yield_probe.learn(wait, paid && !slow, RARE_YIELD);
        }
        paid
    }
}
