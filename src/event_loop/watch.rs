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

/// From how many reports on a descriptor's file is looked at.
const DOUBT: u32 = 16;

/// How many reports for nobody it takes to begin with a new set.
const MOST_STRAYS: u32 = 8;

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
    /// How often it was reported since the registration was last found to be of the file behind the number.
    reports: u32,
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
    /// Reports in a row that were for nobody.
    strays: u32,
}

impl Watches {
    pub(super) fn new(poller: Poller) -> Self {
        Self { poller, entries: Vec::new(), changed: Vec::new(), registered: 0, strays: 0 }
    }

    /// A descriptor that stands for the whole set, and is readable at `deadline` too.
    pub(super) fn embed(&mut self, deadline: Nanos) -> Result<RawFd> {
        let fd = self.poller.embed()?;
        self.poller.set_alarm(deadline)?;
        Ok(fd)
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
        entry.watchers.push((key, interest));
        let wanted = entry.wanted();
        // The event that was removed last means the file that is registered. Of another one that is not sure, and an
        // edge that came while nobody watched is gone: then the kernel must be asked.
        let sure = entry.last == Some(key) && !wanted.edge;
        if entry.registered == Some(wanted) && sure {
            return Ok(true);
        }
        if self.is_reused(fd, wanted) {
            self.entries[index].watchers = vec![(key, interest)];
        }
        let wanted = self.entries[index].wanted();
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
        let entry = &mut self.entries[fd as usize];
        let is_current = entry.registered.is_some() && entry.token(fd) == report.token;
        entry.reports += u32::from(is_current);
        // A descriptor that is reported on and on may be one that its owner closed while a copy lives: asked about
        // more and more seldom, for most are just busy.
        let doubtful = entry.reports >= DOUBT && entry.reports.is_power_of_two();
        let wanted = entry.wanted();
        if !is_current {
            // Of a moment ago, before the kernel was told to forget it; or of a file that lost its number.
            self.strays += 1;
            if self.strays == MOST_STRAYS {
                self.rebuild();
            }
            return;
        }
        self.strays = 0;
        if doubtful && self.is_reused(fd, wanted) {
            self.rebuild();
            return;
        }
        for &(key, interest) in &self.entries[fd as usize].watchers {
            let seen = report.what & u32::from(interest) & what::READINESS;
            if seen != 0 {
                wake(key, seen);
            }
        }
    }

    /// Is the file that was registered gone from its number? Then the events that meant it are deaf from now on.
    fn is_reused(&mut self, fd: RawFd, wanted: Watch) -> bool {
        let entry = &mut self.entries[fd as usize];
        if entry.registered.is_none() {
            return false;
        }
        match self.poller.modify(fd, entry.token(fd), wanted) {
            Ok(()) => {
                entry.registered = Some(wanted);
                false
            }
            Err(_) => {
                entry.registered = None;
                entry.watchers.clear();
                self.registered -= 1;
                true
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

    /// Makes the kernel forget everything, and tells it anew what is watched now: the only way to be rid of a file
    /// that lives on without its number.
    fn rebuild(&mut self) {
        self.strays = 0;
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
                    // One that was closed meanwhile is lost to its events, as with the old set.
                    let _ = self.register(fd, wanted);
                }
            }
        }
    }

    fn register(&mut self, fd: RawFd, wanted: Watch) -> io::Result<()> {
        let entry = &mut self.entries[fd as usize];
        entry.reports = 0;
        if entry.registered.is_some() {
            if entry.registered != Some(wanted) {
                self.poller.modify(fd, entry.token(fd), wanted)?;
            }
        } else {
            entry.generation = entry.generation.wrapping_add(1);
            self.poller.add(fd, entry.token(fd), wanted)?;
            self.registered += 1;
        }
        entry.registered = Some(wanted);
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
