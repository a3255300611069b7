//! Sleeping until a descriptor is ready, a deadline comes, or another thread wakes.
//!
//! A back end supplies a [`Poller`], owned by a loop and changed under its lock, and a [`Sleeper`], plain descriptors
//! that the loop's thread sleeps on while it holds nothing. Linux has epoll; `poll(2)` serves elsewhere, and on Linux
//! with the feature `force-poll`.

#[cfg(all(target_os = "linux", not(feature = "force-poll")))]
#[path = "epoll.rs"]
mod backend;
#[cfg(not(all(target_os = "linux", not(feature = "force-poll"))))]
#[path = "poll.rs"]
mod backend;

pub(crate) use backend::{Basket, Buffer, Poller, Sleeper, WATCHES_FROM_NEXT_SLEEP, hold_still};

/// What a back end says of one descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Readiness {
    /// What the descriptor was registered with.
    pub(crate) token: u64,
    /// READ, WRITE, CLOSED.
    pub(crate) what: u32,
}

/// How a descriptor is to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Watch {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) closed: bool,
    /// Report changes only.
    pub(crate) edge: bool,
}

/// Is there a file behind this descriptor?
#[expect(unsafe_code, reason = "fcntl")]
pub(crate) fn is_open(fd: std::os::fd::RawFd) -> bool {
    // SAFETY: F_GETFD only asks; a bad descriptor is an error.
    fd >= 0 && unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0
}
