//! Which events watch which descriptor, and what the kernel was told about it.
//!
//! The kernel hears of a descriptor when its first event is added. When the last one is removed it hears of it only
//! before the next sleep, so that a remove and an add between two waits cost no system call. Freeing an event tells
//! at once: its owner may close the descriptor then, and the number may come back with another file behind it.

use crate::error::{Code, Error, Result};
use crate::sys::clock::Nanos;
use crate::sys::poller::{Poller, Readiness, Watch};
use crate::what;
use std::io;
use std::os::fd::RawFd;

/// One descriptor.
#[derive(Debug, Default)]
struct Entry {
    /// The events that watch it now, each with its interest.
    watchers: Vec<(u32, u16)>,
    /// What the kernel was told.
    registered: Option<Watch>,
    /// The event that was removed last: the kernel still watches the file that this one meant.
    last: Option<u32>,
    /// Counts registrations: a report with an older one is of a file that lost its number.
    generation: u32,
    changed: bool,
}

impl Entry {
    fn wanted(&self) -> Watch {
        let mut wanted = Watch { edge: !self.watchers.is_empty(), ..Watch::default() };
        for &(_, interest) in &self.watchers {
            let interest = u32::from(interest);
            wanted.read |= interest & what::READ != 0;
            wanted.write |= interest & what::WRITE != 0;
            wanted.closed |= interest & what::CLOSED != 0;
            // One event that wants the lasting state makes it that for all of the descriptor's.
            wanted.edge &= interest & what::EDGE != 0;
        }
        wanted
    }

    fn token(&self, fd: RawFd) -> u64 {
        // 31 bits of the generation keep the token below the poller's own.
        (u64::from(self.generation & 0x7fff_ffff) << 32) | fd as u64
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watches {
    poller: Poller,
    /// By descriptor: these are small numbers, given out from below.
    entries: Vec<Entry>,
    changed: Vec<RawFd>,
    registered: usize,
}

impl Watches {
    pub(super) fn new(poller: Poller) -> Self {
        Self { poller, entries: Vec::new(), changed: Vec::new(), registered: 0 }
    }

    pub(super) fn poller(&mut self) -> &mut Poller {
        &mut self.poller
    }

    /// How many descriptors the kernel watches.
    pub(super) fn registered(&self) -> usize {
        self.registered
    }

    /// `key` watches `fd` from now on; false if it did already.
    pub(super) fn add(&mut self, fd: RawFd, key: u32, interest: u16) -> Result<bool> {
        let index = fd as usize;
        if index >= self.entries.len() {
            // Asked before there is room for it: the number may be any.
            if !crate::sys::poller::is_open(fd) {
                return Err(refusal(fd, &io::Error::from_raw_os_error(libc::EBADF)));
            }
            self.entries.resize_with(index + 1, Entry::default);
        }
        let entry = &mut self.entries[index];
        if entry.watchers.iter().any(|(watcher, _)| *watcher == key) {
            return Ok(false);
        }
        let same_file = !entry.watchers.is_empty() || entry.last == Some(key);
        entry.watchers.push((key, interest));
        let wanted = entry.wanted();
        // An edge that came while nobody watched is gone unless the kernel is told again.
        if entry.registered == Some(wanted) && same_file && !wanted.edge {
            return Ok(true);
        }
        if let Err(error) = self.register(fd, wanted) {
            self.entries[index].watchers.pop();
            return Err(refusal(fd, &error));
        }
        Ok(true)
    }

    /// `key` watches `fd` no longer. With `closing` the kernel is told at once.
    pub(super) fn remove(&mut self, fd: RawFd, key: u32, closing: bool) {
        let Some(entry) = self.entries.get_mut(fd as usize) else { return };
        if let Some(index) = entry.watchers.iter().position(|(watcher, _)| *watcher == key) {
            entry.watchers.remove(index);
            entry.last = Some(key);
        }
        let mine = entry.last == Some(key);
        if closing && mine && entry.watchers.is_empty() {
            entry.last = None;
            self.unregister(fd);
        } else if entry.registered.is_some() && !entry.changed {
            entry.changed = true;
            self.changed.push(fd);
        }
    }

    /// Tells the kernel what changed since the last time.
    pub(super) fn flush(&mut self) {
        while let Some(fd) = self.changed.pop() {
            let entry = &mut self.entries[fd as usize];
            entry.changed = false;
            if entry.watchers.is_empty() {
                self.unregister(fd);
            } else if entry.registered.is_some_and(|registered| registered != entry.wanted()) {
                let wanted = entry.wanted();
                // The file may have been closed under its events; then there is nothing left to tell.
                let _ = self.register(fd, wanted);
            }
        }
    }

    /// Calls `wake` with each event that a report is for, and what it reports.
    pub(super) fn deliver(&mut self, report: Readiness, mut wake: impl FnMut(u32, u32)) {
        let fd = (report.token & u64::from(u32::MAX)) as RawFd;
        let entry = &self.entries[fd as usize];
        if entry.registered.is_none() || entry.token(fd) != report.token {
            // A file that lost its number lives on under another one, and the kernel can't be told to forget it.
            self.rebuild();
            return;
        }
        for &(key, interest) in &entry.watchers {
            let seen = report.what & u32::from(interest) & what::READINESS;
            if seen != 0 {
                wake(key, seen);
            }
        }
    }

    /// Makes the loop's descriptor readable at `deadline`.
    pub(super) fn set_alarm(&mut self, deadline: Nanos) -> Result<()> {
        self.poller.set_alarm(deadline)
    }

    /// Goes on with another poller: a forked child's own.
    pub(super) fn replace(&mut self, poller: Poller) {
        self.poller = poller;
        self.register_all();
    }

    /// Makes the kernel forget everything, and tells it anew what is watched now.
    fn rebuild(&mut self) {
        if self.poller.restart().is_ok() {
            self.register_all();
        }
    }

    fn register_all(&mut self) {
        for fd in 0..self.entries.len() as RawFd {
            let entry = &mut self.entries[fd as usize];
            if entry.registered.take().is_some() {
                self.registered -= 1;
                let wanted = entry.wanted();
                if !entry.watchers.is_empty() {
                    let _ = self.register(fd, wanted);
                }
            }
        }
    }

    fn register(&mut self, fd: RawFd, wanted: Watch) -> io::Result<()> {
        let entry = &mut self.entries[fd as usize];
        if entry.registered.is_some() {
            match self.poller.modify(fd, entry.token(fd), wanted) {
                Ok(()) => {
                    entry.registered = Some(wanted);
                    return Ok(());
                }
                // The file that was registered was closed, and the number has another one behind it.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                    entry.registered = None;
                    self.registered -= 1;
                }
                Err(error) => return Err(error),
            }
        }
        entry.generation = entry.generation.wrapping_add(1);
        self.poller.add(fd, entry.token(fd), wanted)?;
        entry.registered = Some(wanted);
        self.registered += 1;
        Ok(())
    }

    fn unregister(&mut self, fd: RawFd) {
        let entry = &mut self.entries[fd as usize];
        if entry.registered.take().is_some() {
            self.registered -= 1;
            // If its owner closed it already, the kernel has forgotten it.
            let _ = self.poller.remove(fd);
        }
    }
}

/// Why a descriptor can't be watched.
fn refusal(fd: RawFd, error: &io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EPERM) => Error::new(Code::Invalid, format!("descriptor {fd} is a file that is always ready")),
        Some(libc::EBADF) => Error::new(Code::Invalid, format!("descriptor {fd} is not open")),
        Some(libc::EINVAL | libc::ELOOP) => {
            Error::new(Code::Invalid, format!("descriptor {fd} cannot be watched here"))
        }
        _ => Error::os("watching a descriptor", error),
    }
}
