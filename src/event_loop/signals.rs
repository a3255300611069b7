//! Signals: one action per signal for the whole process, that tells every loop which asked.
//!
//! The handler counts the signal in each loop that watches it and rings the loop's notice: read-modify-writes on
//! memory that is never given back, and at the most one `write` or futex call. No pipe, no lock, no mask.

use super::LOOPS;
use super::shared::SIGNALLED;
use crate::error::Result;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::fork;
use crate::sys::signal::{self, END, Saved};
use std::ffi::c_int;

/// What a loop's signals came to since it looked last. Written by the handler.
pub(super) struct Pending {
    watched: AtomicU64,
    counts: [AtomicU32; END],
}

impl Default for Pending {
    fn default() -> Self {
        Self { watched: AtomicU64::new(0), counts: [const { AtomicU32::new(0) }; END] }
    }
}

impl Pending {
    fn watch(&self, signum: c_int, on: bool) {
        if on {
            self.counts[signum as usize].store(0, Ordering::Relaxed);
            self.watched.fetch_or(1 << (signum - 1), Ordering::AcqRel);
        } else {
            self.watched.fetch_and(!(1 << (signum - 1)), Ordering::AcqRel);
        }
    }

    fn count(&self, signum: c_int) -> bool {
        let watched = self.watched.load(Ordering::Acquire) & (1 << (signum - 1)) != 0;
        if watched {
            self.counts[signum as usize].fetch_add(1, Ordering::AcqRel);
        }
        watched
    }

    /// How often the signal came since the last call.
    fn take(&self, signum: c_int) -> u32 {
        self.counts[signum as usize].swap(0, Ordering::AcqRel)
    }
}

/// For each signal that somebody watches: how many loops do, and what stood before.
static ACTIONS: Mutex<[Option<(usize, Saved)>; END]> = Mutex::new([const { None }; END]);

/// The signal events that a loop has added.
#[derive(Debug, Default)]
pub(super) struct Signals {
    added: Vec<Added>,
}

#[derive(Debug)]
struct Added {
    key: u32,
    signum: c_int,
    /// How often the signal came and its callback did not start yet.
    count: u32,
}

impl Signals {
    /// `key` watches `signum` from now on; false if it did already.
    pub(super) fn add(&mut self, pending: &Pending, signum: c_int, key: u32) -> Result<bool> {
        if self.added.iter().any(|added| added.key == key) {
            return Ok(false);
        }
        if !self.watches(signum) {
            pending.watch(signum, true);
            if let Err(error) = one_more(signum) {
                pending.watch(signum, false);
                return Err(error);
            }
        }
        self.added.push(Added { key, signum, count: 0 });
        Ok(true)
    }

    /// `key` watches no longer.
    pub(super) fn remove(&mut self, pending: &Pending, key: u32) {
        let Some(index) = self.added.iter().position(|added| added.key == key) else { return };
        let signum = self.added.swap_remove(index).signum;
        if !self.watches(signum) {
            one_less(signum);
            pending.watch(signum, false);
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self, pending: &Pending) {
        while let Some(added) = self.added.first() {
            let key = added.key;
            self.remove(pending, key);
        }
    }

    /// Calls `wake` with each event whose signal came.
    pub(super) fn deliver(&mut self, pending: &Pending, mut wake: impl FnMut(u32)) {
        let mut counts = [0; END];
        let mut looked = [false; END];
        for added in &mut self.added {
            let index = added.signum as usize;
            if !std::mem::replace(&mut looked[index], true) {
                counts[index] = pending.take(added.signum);
            }
            if counts[index] > 0 {
                added.count = added.count.saturating_add(counts[index]);
                wake(added.key);
            }
        }
    }

    /// Takes the count of `key`.
    pub(super) fn take_count(&mut self, key: u32) -> u32 {
        let added = self.added.iter_mut().find(|added| added.key == key);
        added.map_or(0, |added| std::mem::take(&mut added.count))
    }

    fn watches(&self, signum: c_int) -> bool {
        self.added.iter().any(|added| added.signum == signum)
    }
}

fn one_more(signum: c_int) -> Result<()> {
    let mut actions = ACTIONS.lock();
    match &mut actions[signum as usize] {
        Some((loops, _)) => *loops += 1,
        vacant => *vacant = Some((1, signal::set_aside(signum, on_signal)?)),
    }
    Ok(())
}

fn one_less(signum: c_int) {
    let mut actions = ACTIONS.lock();
    let place = &mut actions[signum as usize];
    if let Some((loops, saved)) = place {
        *loops -= 1;
        if *loops == 0 {
            signal::put_back(signum, saved);
            *place = None;
        }
    }
}

/// Keeps the actions as they are, around a fork.
pub(super) fn hold_still() {
    fork::hold(ACTIONS.lock());
}

/// Async-signal-safe: no lock, no allocation.
extern "C" fn on_signal(signum: c_int) {
    signal::keeping_errno(|| {
        let loops = (0..).map_while(|slot| LOOPS.slot(slot));
        for shared in loops.map(|slot| slot.body()) {
            if shared.signals.count(signum) {
                shared.ring(SIGNALLED);
            }
        }
    });
}
