//! Readiness by epoll. Wake-ups come through an eventfd that is watched for edges and never read.
#![expect(unsafe_code, reason = "epoll, eventfd and timerfd")]

use super::{Readiness, Watch};
use crate::error::{Error, Result};
use crate::sys::clock::{NEVER, Nanos, now, timespec};
use std::cell::UnsafeCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Token of the poller's own descriptor; the users' are smaller.
const WAKE: u64 = u64::MAX;

/// Are descriptors looked at only when a sleep begins, so that a sleeper must be woken to see a new one?
pub(crate) const WATCHES_FROM_NEXT_SLEEP: bool = false;

/// A set of watched descriptors.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// Only where it is embedded in a foreign loop.
    embedding: Option<Embedding>,
}

/// What a foreign loop watches: a set of the set and an alarm. Its file stays when the inner one is made anew.
#[derive(Debug)]
struct Embedding {
    outer: OwnedFd,
    alarm: OwnedFd,
}

/// What a loop's thread sleeps on, and others wake it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sleeper {
    epoll: RawFd,
    wake: RawFd,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        let epoll = Self::new_set()?;
        // SAFETY: no preconditions.
        let wake = owned("eventfd", unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        let poller = Self { epoll, wake, embedding: None };
        poller.watch_own()?;
        Ok(poller)
    }

    fn new_set() -> Result<OwnedFd> {
        // SAFETY: no preconditions.
        owned("epoll_create1", unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
    }

    fn watch_own(&self) -> Result<()> {
        let edges = (libc::EPOLLIN | libc::EPOLLET) as u32;
        control(&self.epoll, libc::EPOLL_CTL_ADD, self.wake.as_raw_fd(), edges, WAKE)
            .map_err(|error| Error::os("epoll_ctl", &error))
    }

    pub(crate) fn sleeper(&self) -> Sleeper {
        Sleeper { epoll: self.epoll.as_raw_fd(), wake: self.wake.as_raw_fd() }
    }

    /// A descriptor that is readable when [`Sleeper::collect`] would find something, or the alarm goes off.
    pub(crate) fn embed(&mut self) -> Result<RawFd> {
        if let Some(embedding) = &self.embedding {
            return Ok(embedding.outer.as_raw_fd());
        }
        let outer = Self::new_set()?;
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: no preconditions.
        let alarm = owned("timerfd_create", unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        for inner in [&self.epoll, &alarm] {
            control(&outer, libc::EPOLL_CTL_ADD, inner.as_raw_fd(), libc::EPOLLIN as u32, 0)
                .map_err(|error| Error::os("epoll_ctl", &error))?;
        }
        Ok(self.embedding.insert(Embedding { outer, alarm }).outer.as_raw_fd())
    }

    /// Registers a descriptor.
    pub(crate) fn add(&mut self, fd: RawFd, token: u64, watch: Watch) -> io::Result<()> {
        control(&self.epoll, libc::EPOLL_CTL_ADD, fd, mask(watch), token)
    }

    /// Changes how a registered descriptor is watched.
    pub(crate) fn modify(&mut self, fd: RawFd, token: u64, watch: Watch) -> io::Result<()> {
        control(&self.epoll, libc::EPOLL_CTL_MOD, fd, mask(watch), token)
    }

    /// Forgets a descriptor.
    pub(crate) fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        control(&self.epoll, libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    /// Forgets every descriptor, also those that [`Poller::remove`] can't reach any more. The set's own number stays.
    pub(crate) fn restart(&mut self) -> Result<()> {
        let fresh = Self::new_set()?;
        // SAFETY: both are open descriptors of ours.
        let done = unsafe { libc::dup3(fresh.as_raw_fd(), self.epoll.as_raw_fd(), libc::O_CLOEXEC) };
        if done < 0 {
            return Err(Error::system("dup3"));
        }
        if let Some(Embedding { outer, .. }) = &self.embedding {
            // The old set went out of it when its last descriptor was closed.
            control(outer, libc::EPOLL_CTL_ADD, self.epoll.as_raw_fd(), libc::EPOLLIN as u32, 0)
                .map_err(|error| Error::os("epoll_ctl", &error))?;
        }
        self.watch_own()
    }

    /// Makes the embedding's descriptor readable at `deadline` too.
    pub(crate) fn set_alarm(&mut self, deadline: Nanos) -> Result<()> {
        let Some(Embedding { alarm, .. }) = &self.embedding else { return Ok(()) };
        // All zero disarms; a moment that has passed fires at once.
        let at = if deadline == NEVER { 0 } else { deadline.max(1) };
        let setting = libc::itimerspec { it_interval: timespec(0), it_value: timespec(at) };
        // SAFETY: `alarm` is a timerfd, `setting` is valid, and the old setting is not asked for.
        let done = unsafe {
            libc::timerfd_settime(alarm.as_raw_fd(), libc::TFD_TIMER_ABSTIME, &raw const setting, std::ptr::null_mut())
        };
        if done < 0 { Err(Error::system("timerfd_settime")) } else { Ok(()) }
    }
}

/// Nothing here is shared but with the kernel.
pub(crate) fn hold_still() {}

fn control(set: &OwnedFd, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: token };
    // SAFETY: the set is open and `event` is valid; a bad `fd` is an error, not undefined.
    let done = unsafe { libc::epoll_ctl(set.as_raw_fd(), operation, fd, &raw mut event) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Sleeper {
    /// As two numbers, to be kept in atomics.
    pub(crate) fn into_raw(self) -> (i32, i32) {
        (self.epoll, self.wake)
    }

    /// From [`Sleeper::into_raw`]'s numbers.
    pub(crate) fn from_raw((epoll, wake): (i32, i32)) -> Self {
        Self { epoll, wake }
    }

    /// Ends a sleep, now or the next one. Async-signal-safe.
    pub(crate) fn wake(self) {
        let one = 1u64;
        // SAFETY: eight bytes are read from `one`. A full counter is readable already, and nothing else can fail
        // while the descriptor is open.
        unsafe { libc::write(self.wake, (&raw const one).cast(), 8) };
    }

    /// Sleeps until a descriptor is ready, woken, or `deadline`; puts what is ready into `found`.
    pub(crate) fn collect(self, deadline: Nanos, buffer: &mut Buffer, found: &mut Vec<Readiness>) {
        let count = self.wait(deadline, &mut buffer.0);
        for event in &buffer.0[..count] {
            let token = event.u64;
            if token < WAKE {
                found.push(Readiness { token, what: what(event.events) });
            }
        }
        buffer.grow_after(count);
    }

    /// Sleeps likewise, with what is ready going into `basket`; true when it holds something.
    ///
    /// Touches nothing else and holds nothing, so that a caller may be unwound from any instruction: what the kernel
    /// reported is in the basket then.
    pub(crate) fn collect_into(self, deadline: Nanos, basket: &Basket) -> bool {
        if basket.holds_any() {
            return true;
        }
        self.wait(deadline, basket.room());
        basket.holds_any()
    }

    fn wait(self, deadline: Nanos, buffer: &mut [libc::epoll_event]) -> usize {
        static COARSE: AtomicBool = AtomicBool::new(false);
        let room = buffer.len() as i32;
        if !COARSE.load(Ordering::Relaxed) {
            let left = time_left(deadline);
            let left = left.as_ref().map_or(std::ptr::null(), |left| &raw const *left);
            let no_mask: *const libc::sigset_t = std::ptr::null();
            let events = buffer.as_mut_ptr();
            // SAFETY: `events` has `room` entries; `left` is null or a timespec that outlives the call.
            let count = unsafe { libc::syscall(libc::SYS_epoll_pwait2, self.epoll, events, room, left, no_mask, 8) };
            if count >= 0 {
                return count as usize;
            }
            if io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) {
                return 0;
            }
            // Before Linux 5.11, or where a sandbox does not know the call.
            COARSE.store(true, Ordering::Relaxed);
        }
        let left = match deadline {
            NEVER => -1,
            // Rounded up: a wait that is too short would be one more wait, spinning through the last millisecond.
            _ => (deadline.saturating_sub(now()).max(0) + 999_999).div_euclid(1_000_000).min(i32::MAX.into()) as i32,
        };
        // SAFETY: the buffer has `room` entries.
        let count = unsafe { libc::epoll_wait(self.epoll, buffer.as_mut_ptr(), room, left) };
        count.max(0) as usize
    }
}

/// Room for what one call reports; grows when it was full.
pub(crate) struct Buffer(Vec<libc::epoll_event>);

impl Buffer {
    const MOST: usize = 4096;
    const EMPTY: libc::epoll_event = libc::epoll_event { events: 0, u64: 0 };

    fn grow_after(&mut self, count: usize) {
        if count == self.0.len() && count < Self::MOST {
            self.0.resize(count * 4, Self::EMPTY);
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![Self::EMPTY; 64])
    }
}

/// Where a sleeper that may be unwound has the kernel put its reports. It lies with the loop; its users take turns,
/// as the loop's owner for the time being.
pub(crate) struct Basket(UnsafeCell<[libc::epoll_event; Basket::SIZE]>);

// SAFETY: the entries are read and written only by the thread that holds the loop, in whichever role, and the hold is
// handed on with acquire and release.
unsafe impl Sync for Basket {}

impl Basket {
    const SIZE: usize = 64;
    /// An entry without a report.
    const VACANT: libc::epoll_event = libc::epoll_event { events: 0, u64: WAKE };

    #[expect(clippy::mut_from_ref, reason = "the kernel writes here; claims keep its users apart")]
    fn room(&self) -> &mut [libc::epoll_event] {
        // SAFETY: only the claim's holder comes here, and it keeps no other reference meanwhile.
        unsafe { &mut *self.0.get() }
    }

    /// Wake-ups are no reports.
    fn holds_any(&self) -> bool {
        self.room().iter().any(|event| event.u64 < WAKE)
    }

    /// Takes the reports out.
    pub(crate) fn empty(&self, found: &mut Vec<Readiness>) {
        for event in self.room() {
            let report = std::mem::replace(event, Self::VACANT);
            let token = report.u64;
            if token < WAKE {
                found.push(Readiness { token, what: what(report.events) });
            }
        }
    }
}

impl Default for Basket {
    fn default() -> Self {
        Self(UnsafeCell::new([Self::VACANT; Self::SIZE]))
    }
}

/// The time until `deadline`; none where there is no end.
fn time_left(deadline: Nanos) -> Option<libc::timespec> {
    match deadline {
        NEVER => None,
        // The past is a look without waiting; no clock is read for it.
        ..=0 => Some(timespec(0)),
        _ => Some(timespec(deadline.saturating_sub(now()).max(0))),
    }
}

fn owned(call: &str, fd: RawFd) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(Error::system(call));
    }
    // SAFETY: the call just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn mask(watch: Watch) -> u32 {
    let bits = [
        (watch.read, libc::EPOLLIN),
        (watch.write, libc::EPOLLOUT),
        (watch.closed, libc::EPOLLRDHUP),
        (watch.edge, libc::EPOLLET),
    ];
    bits.into_iter().filter(|(wanted, _)| *wanted).fold(0, |mask, (_, bit)| mask | bit as u32)
}

/// A hang-up or an error is reported as readable and writable, as libevent does: the next read or write tells which.
fn what(events: u32) -> u32 {
    use crate::what::{CLOSED, READ, WRITE};
    let any = |mask: i32| events & mask as u32 != 0;
    let broken = libc::EPOLLERR | libc::EPOLLHUP;
    let mut what = 0;
    if any(libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | broken) {
        what |= READ;
    }
    if any(libc::EPOLLOUT | broken) {
        what |= WRITE;
    }
    if any(libc::EPOLLRDHUP | broken) {
        what |= CLOSED;
    }
    what
}
