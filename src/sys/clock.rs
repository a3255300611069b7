//! The monotonic clock.
#![expect(unsafe_code, reason = "clock_gettime")]

/// Nanoseconds on the monotonic clock: time and durations alike.
pub(crate) type Nanos = i64;

/// A deadline that never comes.
pub(crate) const NEVER: Nanos = i64::MAX;

/// The time now. It stands still while the machine is suspended, and no one can set it.
pub(crate) fn now() -> Nanos {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; CLOCK_MONOTONIC exists on every supported system.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as Nanos * 1_000_000_000 + time.tv_nsec as Nanos
}

/// The moment `duration` from now. One that is too far to be said is the last that can be, in 292 years.
pub(crate) fn after(duration: Nanos) -> Nanos {
    if duration == NEVER { NEVER } else { now().saturating_add(duration).min(NEVER - 1) }
}

/// A timespec of `duration`, which is not negative.
pub(crate) fn timespec(duration: Nanos) -> libc::timespec {
    libc::timespec { tv_sec: duration / 1_000_000_000, tv_nsec: duration % 1_000_000_000 }
}
