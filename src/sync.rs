//! The one place that picks the primitives: std's, or loom's when its models are checked.
//!
//! The mutex is std's, a word that sleeps in the kernel: with no table of sleepers beside it, one that was held across
//! a fork can simply be released in the child, whoever slept on it in the parent. (parking_lot's hands itself over to
//! such a sleeper, who is not there.)

#[cfg(not(loom))]
pub(crate) use std::sync::atomic;
#[cfg(not(loom))]
pub(crate) use std::thread::yield_now;

#[cfg(loom)]
pub(crate) use loom::sync::atomic;
#[cfg(loom)]
pub(crate) use loom::thread::yield_now;

#[cfg(loom)]
use loom::sync as primitive;
#[cfg(not(loom))]
use std::sync as primitive;

pub(crate) use primitive::MutexGuard;
use std::sync::{PoisonError, TryLockError};

/// A mutex that a panic does not spoil: nothing is called under a lock of the library's that could leave its data half
/// changed.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(primitive::Mutex<T>);

impl<T> Mutex<T> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: T) -> Self {
        Self(primitive::Mutex::new(value))
    }

    #[cfg(loom)]
    pub(crate) fn new(value: T) -> Self {
        Self(primitive::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.try_lock() {
            Ok(guard) => guard,
            Err(_) => self.lock_slowly(),
        }
    }

    /// The lock, if nobody has it.
    #[cfg(not(loom))]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }

    /// The library's locks are held for some ten or a hundred nanoseconds: going to sleep for one costs both sides more
    /// than a few more looks do.
    #[cold]
    fn lock_slowly(&self) -> MutexGuard<'_, T> {
        for _ in 0..if cfg!(loom) { 0 } else { LOOKS } {
            std::hint::spin_loop();
            match self.0.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a lock is tried, with a pause between, before its taker sleeps: some 2 µs.
const LOOKS: u32 = 80;
