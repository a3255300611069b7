//! Readiness by `poll(2)`: for systems without epoll. Each sleep hands the kernel the whole list, so it costs what is
//! watched, not what is ready; and there are no edges: a descriptor that is watched for them is reported as long as
//! it is ready, which a reader that drains it does not notice. A wait takes the lock of its list, so here it is no leaf
//! that a runtime may unwind from.
#![expect(unsafe_code, reason = "poll, pipe, read and write")]

use super::{Readiness, Watch};
use crate::error::{Code, Error, Result};
use crate::sync::Mutex;
use crate::sys::clock::{NEVER, Nanos, now};
use crate::sys::fork;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Are descriptors looked at only when a sleep begins, so that a sleeper must be woken to see a new one?
pub(crate) const WATCHES_FROM_NEXT_SLEEP: bool = true;

/// What is watched, in the order it was added.
type List = Mutex<Vec<Watched>>;

#[derive(Debug, Clone, Copy)]
struct Watched {
    fd: RawFd,
    token: u64,
    events: i16,
}

/// The lists by number. A number is all that a [`Sleeper`] carries; a list, once made, is used again and never goes
/// away, so that a late sleeper finds one.
static LISTS: Mutex<Lists> = Mutex::new(Lists { all: Vec::new(), free: Vec::new() });

struct Lists {
    all: Vec<&'static List>,
    free: Vec<i32>,
}

/// A set of watched descriptors.
#[derive(Debug)]
pub(crate) struct Poller {
    number: i32,
    list: &'static List,
    /// Readable after a wake; in the list, and only kept open here.
    _ear: OwnedFd,
    mouth: OwnedFd,
}

/// What a loop's thread sleeps on, and others wake it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sleeper {
    list: i32,
    mouth: RawFd,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        let mut ends = [-1; 2];
        // SAFETY: `ends` has room for both descriptors.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
            return Err(Error::system("pipe"));
        }
        // SAFETY: pipe made it, and nobody else has it.
        let ear = unsafe { OwnedFd::from_raw_fd(ends[0]) };
        // SAFETY: likewise.
        let mouth = unsafe { OwnedFd::from_raw_fd(ends[1]) };
        for end in ends {
            set_up(end)?;
        }
        let (number, list) = new_list();
        list.lock().push(Watched { fd: ear.as_raw_fd(), token: u64::MAX, events: libc::POLLIN });
        Ok(Self { number, list, _ear: ear, mouth })
    }

    pub(crate) fn sleeper(&self) -> Sleeper {
        Sleeper { list: self.number, mouth: self.mouth.as_raw_fd() }
    }

    /// There is no single descriptor that stands for the set.
    pub(crate) fn embed(&mut self) -> Result<RawFd> {
        Err(Error::new(Code::System, "a loop that sleeps in poll(2) has no descriptor to embed it by"))
    }

    pub(crate) fn add(&mut self, fd: RawFd, token: u64, watch: Watch) -> io::Result<()> {
        refuse_always_ready(fd)?;
        self.list.lock().push(Watched { fd, token, events: events(watch) });
        Ok(())
    }

    pub(crate) fn modify(&mut self, fd: RawFd, token: u64, watch: Watch) -> io::Result<()> {
        let mut list = self.list.lock();
        match list.iter_mut().find(|watched| watched.fd == fd) {
            Some(watched) => {
                *watched = Watched { fd, token, events: events(watch) };
                Ok(())
            }
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    pub(crate) fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        self.list.lock().retain(|watched| watched.fd != fd);
        Ok(())
    }

    pub(crate) fn restart(&mut self) -> Result<()> {
        self.list.lock().retain(|watched| watched.token == u64::MAX);
        Ok(())
    }

    pub(crate) fn set_alarm(&mut self, _deadline: Nanos) -> Result<()> {
        Ok(())
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.list.lock().clear();
        LISTS.lock().free.push(self.number);
    }
}

impl Sleeper {
    pub(crate) fn into_raw(self) -> (i32, i32) {
        (self.list, self.mouth)
    }

    pub(crate) fn from_raw((list, mouth): (i32, i32)) -> Self {
        Self { list, mouth }
    }

    /// Ends a sleep, now or the next one. Async-signal-safe.
    pub(crate) fn wake(self) {
        // SAFETY: one byte is read. A full pipe is readable already.
        unsafe { libc::write(self.mouth, c"w".as_ptr().cast(), 1) };
    }

    /// Sleeps until a descriptor is ready, woken, or `deadline`; puts what is ready into `found`.
    pub(crate) fn collect(self, deadline: Nanos, buffer: &mut Buffer, found: &mut Vec<Readiness>) {
        self.sleep(deadline, buffer);
        for (set, &token) in buffer.sets.iter().zip(&buffer.tokens).filter(|(set, _)| set.revents != 0) {
            if token == u64::MAX {
                drain(set.fd);
            } else if set.revents & libc::POLLNVAL != 0 {
                // Closed under its events: nothing will ever come of it, and asking again would not sleep.
                self.forget(set.fd, token);
            } else {
                found.push(Readiness { token, what: what(set.revents) });
            }
        }
    }

    /// Sleeps likewise, with what is ready left where it is; true when there is something.
    pub(crate) fn collect_into(self, deadline: Nanos, _basket: &Basket) -> bool {
        let mut buffer = Buffer::default();
        self.sleep(deadline, &mut buffer);
        let mut ready = buffer.sets.iter().zip(&buffer.tokens).filter(|(set, _)| set.revents != 0);
        // A wake is heard and done with; a descriptor stays ready until somebody reads it.
        ready.any(|(set, &token)| {
            if token == u64::MAX {
                drain(set.fd);
            }
            token != u64::MAX
        })
    }

    fn sleep(self, deadline: Nanos, buffer: &mut Buffer) -> i32 {
        buffer.fill(self.list);
        let left = match deadline {
            NEVER => -1,
            ..=0 => 0,
            // Rounded up, so that it does not spin through the last millisecond.
            _ => (deadline.saturating_sub(now()).max(0) + 999_999).div_euclid(1_000_000).min(i32::MAX.into()) as i32,
        };
        // SAFETY: the pointer and the length are those of the list. Interrupted means: look again.
        unsafe { libc::poll(buffer.sets.as_mut_ptr(), buffer.sets.len() as libc::nfds_t, left) }
    }

    fn forget(self, fd: RawFd, token: u64) {
        if let Some(list) = list(self.list) {
            list.lock().retain(|watched| (watched.fd, watched.token) != (fd, token));
        }
    }
}

/// Reports need no keeping here: the next look finds the same.
#[derive(Default)]
pub(crate) struct Basket(());

impl Basket {
    pub(crate) fn empty(&self, _found: &mut Vec<Readiness>) {}
}

/// What one call asks and is told.
#[derive(Default)]
pub(crate) struct Buffer {
    sets: Vec<libc::pollfd>,
    tokens: Vec<u64>,
}

impl Buffer {
    fn fill(&mut self, number: i32) {
        self.sets.clear();
        self.tokens.clear();
        let Some(list) = list(number) else { return };
        for watched in list.lock().iter() {
            self.sets.push(libc::pollfd { fd: watched.fd, events: watched.events, revents: 0 });
            self.tokens.push(watched.token);
        }
    }
}

/// Keeps the lists as they are, around a fork.
pub(crate) fn hold_still() {
    let lists = LISTS.lock();
    for list in &lists.all {
        fork::hold(list.lock());
    }
    fork::hold(lists);
}

fn new_list() -> (i32, &'static List) {
    let mut lists = LISTS.lock();
    let number = lists.free.pop().unwrap_or_else(|| {
        lists.all.push(Box::leak(Box::default()));
        lists.all.len() as i32 - 1
    });
    (number, lists.all[number as usize])
}

fn list(number: i32) -> Option<&'static List> {
    LISTS.lock().all.get(usize::try_from(number).ok()?).copied()
}

/// A file that is always ready is refused here as epoll refuses it.
fn refuse_always_ready(fd: RawFd) -> io::Result<()> {
    // SAFETY: all zero is a valid stat to write to.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for writes; a bad descriptor is an error.
    if unsafe { libc::fstat(fd, &raw mut stat) } < 0 {
        return Err(io::Error::last_os_error());
    }
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR => Err(io::Error::from_raw_os_error(libc::EPERM)),
        _ => Ok(()),
    }
}

/// Neither blocking nor inherited.
fn set_up(fd: RawFd) -> Result<()> {
    // SAFETY: the descriptor is open; the commands take a number.
    let closes = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: likewise.
    let passes = unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    if closes < 0 || passes < 0 { Err(Error::system("fcntl")) } else { Ok(()) }
}

fn drain(fd: RawFd) {
    let mut bytes = [0u8; 64];
    // SAFETY: the buffer has as many bytes as are asked for; the descriptor does not block.
    while unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), bytes.len()) } == bytes.len() as isize {}
}

fn events(watch: Watch) -> i16 {
    let mut events = 0;
    if watch.read {
        events |= libc::POLLIN;
    }
    if watch.write {
        events |= libc::POLLOUT;
    }
    if watch.closed {
        events |= CLOSED;
    }
    events
}

/// The other side's half-close, where `poll` reports it.
#[cfg(target_os = "linux")]
const CLOSED: i16 = libc::POLLRDHUP;
#[cfg(not(target_os = "linux"))]
const CLOSED: i16 = 0;

fn what(revents: i16) -> u32 {
    use crate::what::{CLOSED as IS_CLOSED, READ, WRITE};
    let any = |mask: i16| revents & mask != 0;
    let broken = libc::POLLERR | libc::POLLHUP;
    let mut what = 0;
    if any(libc::POLLIN | libc::POLLPRI | CLOSED | broken) {
        what |= READ;
    }
    if any(libc::POLLOUT | broken) {
        what |= WRITE;
    }
    if any(CLOSED | broken) {
        what |= IS_CLOSED;
    }
    what
}
