//! Signal actions: set aside while the library watches a signal, then put back exactly.
#![expect(unsafe_code, reason = "sigaction and errno")]

use crate::error::{Code, Error, Result};
use std::ffi::c_int;

/// The number after the last signal.
pub(crate) const END: usize = 65;

/// The action that stood before.
pub(crate) struct Saved(libc::sigaction);

/// Can an event wait for this signal?
pub(crate) fn is_watchable(signum: c_int) -> bool {
    // The two after the classic ones belong to the C library's own threads.
    (1..END as c_int).contains(&signum) && ![libc::SIGKILL, libc::SIGSTOP, 32, 33].contains(&signum)
}

/// Sets `handler` as the action of `signum`. It runs in any thread, between any two instructions, on the thread's
/// alternate stack if it has one.
pub(crate) fn set_aside(signum: c_int, handler: extern "C" fn(c_int)) -> Result<Saved> {
    // SAFETY: all zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: likewise.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `sa_mask` is a valid set to fill.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    // SAFETY: both are valid sigactions; the handler is async-signal-safe, as its type's users see to.
    if unsafe { libc::sigaction(signum, &raw const action, &raw mut before) } < 0 {
        return Err(Error::new(Code::Invalid, format!("signal {signum}: {}", std::io::Error::last_os_error())));
    }
    Ok(Saved(before))
}

/// Puts the action back that stood before.
pub(crate) fn put_back(signum: c_int, saved: &Saved) {
    // SAFETY: the kernel gave this action for this signal.
    unsafe { libc::sigaction(signum, &raw const saved.0, std::ptr::null_mut()) };
}

/// Runs `body` and leaves errno as it was: what a handler owes the code that it interrupted.
pub(crate) fn keeping_errno(body: impl FnOnce()) {
    // SAFETY: errno's place is valid for the calling thread.
    let place = unsafe { errno_place() };
    // SAFETY: likewise.
    let errno = unsafe { *place };
    body();
    // SAFETY: likewise.
    unsafe { *place = errno };
}

#[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "android"))]
use libc::__errno as errno_place;
#[cfg(any(target_os = "linux", target_os = "emscripten"))]
use libc::__errno_location as errno_place;
#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
use libc::__error as errno_place;
