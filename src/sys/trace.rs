//! The stack of a thread, its own or another one's.
//!
//! Another thread is asked by a signal: its handler notes the return addresses of the stack it interrupted, and nothing
//! else; names are looked up by who asked. The handler does not allocate, takes no lock and calls only the unwinder,
//! which was called once before, so that it has loaded what it needs. The signal is a real-time one that nobody handled
//! when the first was asked for; the handler then stays, since one that comes late must find it.
#![expect(unsafe_code, reason = "sigaction, tgkill and the unwinder")]

use crate::error::{Error, Result};
use crate::sync::{Mutex, MutexGuard};
use crate::sys::clock::{after, now};
use crate::sys::{futex, os_thread, signal::keeping_errno};
use std::ffi::{c_int, c_void};
use std::fmt::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The most frames that are noted.
const MOST_FRAMES: usize = 128;
/// How long a thread may take to answer: it may be stopped, or block the signal.
const PATIENCE: i64 = 2_000_000_000;

/// Who is asked, by its number, until it has begun to answer.
static ASKED: AtomicU32 = AtomicU32::new(0);
static FRAMES: [AtomicUsize; MOST_FRAMES] = [const { AtomicUsize::new(0) }; MOST_FRAMES];
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// 1 when it has answered.
static ANSWERED: AtomicU32 = AtomicU32::new(0);
/// One question at a time.
static ONE: Mutex<()> = Mutex::new(());

/// A question that was sent.
pub(crate) struct Question(MutexGuard<'static, ()>);

/// The caller's own stack.
#[inline(never)]
pub(crate) fn of_caller() -> Vec<usize> {
    let mut frames = Vec::with_capacity(MOST_FRAMES);
    backtrace::trace(|frame| {
        frames.push(frame.ip().addr());
        frames.len() < MOST_FRAMES
    });
    frames
}

/// Asks the OS thread with this number, which can't end meanwhile.
pub(crate) fn ask(os_thread: u32) -> Result<Question> {
    let one = ONE.lock();
    let signal = signal()?;
    // Loads what the unwinder needs, out here.
    of_caller();
    ANSWERED.store(0, Ordering::Relaxed);
    COUNT.store(0, Ordering::Relaxed);
    ASKED.store(os_thread, Ordering::Release);
    send(os_thread, signal)?;
    Ok(Question(one))
}

impl Question {
    /// Waits for the answer.
    pub(crate) fn wait(self) -> Result<Vec<usize>> {
        let in_time = is_answered_by(after(PATIENCE));
        if !in_time && ASKED.swap(0, Ordering::AcqRel) != 0 {
            let error = std::io::Error::from_raw_os_error(libc::ETIMEDOUT);
            return Err(Error::os("the thread does not take its signals", &error));
        }
        // One that had begun in the last moment is soon done.
        is_answered_by(after(PATIENCE));
        let count = COUNT.load(Ordering::Acquire).min(MOST_FRAMES);
        let frames = FRAMES[..count].iter().map(|frame| frame.load(Ordering::Relaxed)).collect();
        drop(self.0);
        Ok(frames)
    }
}

fn is_answered_by(deadline: i64) -> bool {
    while ANSWERED.load(Ordering::Acquire) == 0 {
        if now() >= deadline {
            return false;
        }
        futex::wait(&ANSWERED, 0, deadline);
    }
    true
}

fn send(os_thread: u32, signal: c_int) -> Result<()> {
    // SAFETY: getpid has no preconditions.
    let process = unsafe { libc::getpid() };
    // SAFETY: plain numbers; a thread that isn't there is an error.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, os_thread, signal) };
    if sent == 0 { Ok(()) } else { Err(Error::system("tgkill")) }
}

/// The signal to ask by; the handler is there.
fn signal() -> Result<c_int> {
    static SIGNAL: OnceLock<c_int> = OnceLock::new();
    if let Some(signal) = SIGNAL.get() {
        return Ok(*signal);
    }
    let free = (libc::SIGRTMIN() + 2..libc::SIGRTMAX()).rev().find(|&signal| is_free(signal));
    let signal = free.ok_or_else(|| Error::os("sigaction", &std::io::Error::from_raw_os_error(libc::EBUSY)))?;
    // SAFETY: a sigaction of zeros is one: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = note_stack as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `action` is complete, and its handler async-signal-safe as the module says.
    if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(Error::system("sigaction"));
    }
    Ok(*SIGNAL.get_or_init(|| signal))
}

/// Does nobody handle it?
fn is_free(signal: c_int) -> bool {
    // SAFETY: a sigaction of zeros is one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks only; `action` has room for the answer.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) };
    asked == 0 && action.sa_sigaction == libc::SIG_DFL
}

/// The handler.
extern "C" fn note_stack(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    let own = os_thread::current();
    if ASKED.compare_exchange(own, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        // It comes too late.
        return;
    }
    keeping_errno(|| note_frames(interrupted_at(context)));
}

/// Notes the frames from the interrupted place on; all of them, the handler's included, where that isn't known.
fn note_frames(interrupted: Option<usize>) {
    let mut skips = interrupted.is_some();
    let mut count = 0;
    let note = |frame: &backtrace::Frame| {
        let ip = frame.ip().addr();
        skips &= Some(ip) != interrupted;
        if !skips && count < MOST_FRAMES {
            FRAMES[count].store(ip, Ordering::Relaxed);
            count += 1;
        }
        count < MOST_FRAMES
    };
    // SAFETY: the lock that `trace` would take guards only the look-up of names, which this does not do.
    unsafe { backtrace::trace_unsynchronized(note) };
    COUNT.store(count, Ordering::Release);
    ANSWERED.store(1, Ordering::Release);
    futex::wake(&ANSWERED);
}

/// Where the signal has interrupted the thread.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn interrupted_at(context: *mut c_void) -> Option<usize> {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: SA_SIGINFO: the kernel gives the handler a ucontext.
    let place = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] };
    Some(place as usize)
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
fn interrupted_at(context: *mut c_void) -> Option<usize> {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: SA_SIGINFO: the kernel gives the handler a ucontext.
    let place = unsafe { (*context).uc_mcontext.pc };
    Some(place as usize)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn interrupted_at(_context: *mut c_void) -> Option<usize> {
    None
}

/// The frames for people, one a line: its function, after those that were inlined into it, and where that is in the
/// source, as far as it is known.
pub(crate) fn in_words(frames: &[usize]) -> String {
    let mut words = String::new();
    for (number, &ip) in frames.iter().enumerate().filter(|(_, ip)| **ip != 0) {
        // A return address is that of the next instruction, which may be another function's already.
        let at = std::ptr::without_provenance_mut(if number == 0 { ip } else { ip - 1 });
        let _ = write!(words, "{ip:#018x}");
        let mut before = "";
        backtrace::resolve(at, |symbol| {
            let Some(name) = symbol.name() else { return };
            let _ = write!(words, "{before} {name:#}");
            before = ", in";
            if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
                let _ = write!(words, " ({}:{line})", file.display());
            }
        });
        words.push('\n');
    }
    words
}
