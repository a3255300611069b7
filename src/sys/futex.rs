//! Sleeping on a word of memory until it changes: the bottom of every wait that is not a loop's.
//!
//! A platform supplies [`wait`] (sleep while the word has a value, until a deadline at the most) and [`wake`]. `wait`
//! holds nothing while it sleeps, so a caller that unwinds out of it (a Lisp's throw) leaves nothing behind.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the futex system call"))]

pub(crate) use platform::{wait, wake};

#[cfg(target_os = "linux")]
mod platform {
    use crate::sys::clock::{NEVER, Nanos, timespec};
    use std::sync::atomic::AtomicU32;

    /// Sleeps while `word` is `value`, until `deadline` at the latest. May come back early; the caller looks again.
    pub(crate) fn wait(word: &AtomicU32, value: u32, deadline: Nanos) {
        let until = timespec(deadline.max(0));
        let until = if deadline == NEVER { std::ptr::null() } else { &raw const until };
        let operation = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
        let every_bit = libc::FUTEX_BITSET_MATCH_ANY;
        // SAFETY: `word` outlives the call, `until` is null or a timespec that does; FUTEX_WAIT_BITSET takes an
        // absolute time on CLOCK_MONOTONIC. Interrupted, expired and changed all mean: look again.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, until, 0usize, every_bit) };
    }

    /// Wakes whoever sleeps on `word`. Async-signal-safe.
    pub(crate) fn wake(word: &AtomicU32) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the kernel only uses the address as a key; one that is no longer mapped wakes nobody.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, i32::MAX) };
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use crate::sys::clock::{NEVER, Nanos, now};
    use parking_lot::{Condvar, Mutex};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// Sleepers by their word's address, so that a wake rarely disturbs a stranger.
    static ROOMS: [(Mutex<()>, Condvar); 64] = [const { (Mutex::new(()), Condvar::new()) }; 64];

    fn room(word: &AtomicU32) -> &'static (Mutex<()>, Condvar) {
        &ROOMS[(word.as_ptr() as usize >> 6) % ROOMS.len()]
    }

    /// Sleeps while `word` is `value`, until `deadline` at the latest. May come back early; the caller looks again.
    pub(crate) fn wait(word: &AtomicU32, value: u32, deadline: Nanos) {
        let (mutex, condvar) = room(word);
        let mut guard = mutex.lock();
        if word.load(Ordering::SeqCst) != value {
            return;
        }
        if deadline == NEVER {
            condvar.wait(&mut guard);
        } else {
            let left = deadline.saturating_sub(now()).max(0);
            condvar.wait_for(&mut guard, Duration::from_nanos(left as u64));
        }
    }

    /// Wakes whoever sleeps on `word`.
    pub(crate) fn wake(word: &AtomicU32) {
        let (mutex, condvar) = room(word);
        drop(mutex.lock());
        condvar.notify_all();
    }
}
