//! Starting a thread of the operating system.
#![expect(unsafe_code, reason = "pthread_create, whose threads cost less memory than std's")]

use crate::error::{Error, Result};
use std::ffi::{CString, c_void};

type Body = Box<dyn FnOnce() + Send>;

/// Runs `body` on a thread of its own, which shows as `name` in debuggers. Nothing waits for it; `body` does not panic.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let name = name.to_owned();
    let body: Box<Body> = Box::new(Box::new(move || {
        show_name(&name);
        body();
    }));
    let mut thread = std::mem::MaybeUninit::uninit();
    let body = Box::into_raw(body);
    // SAFETY: `thread` has room for the answer, and `enter` takes `body` over if the thread is made.
    let failure = unsafe { libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), enter, body.cast()) };
    if failure != 0 {
        // SAFETY: no thread was made, so the box is still ours.
        drop(unsafe { Box::from_raw(body) });
        return Err(Error::os("pthread_create", &std::io::Error::from_raw_os_error(failure)));
    }
    // SAFETY: pthread_create has filled it.
    let thread = unsafe { thread.assume_init() };
    // SAFETY: a thread that was made just now, that nobody joins.
    unsafe { libc::pthread_detach(thread) };
    Ok(())
}

extern "C" fn enter(body: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` gave the box to this thread alone.
    let body = unsafe { Box::from_raw(body.cast::<Body>()) };
    body();
    std::ptr::null_mut()
}

/// The first 15 bytes of a name are what Linux keeps.
#[cfg(target_os = "linux")]
fn show_name(name: &str) {
    let short: String = name.chars().take(15).filter(char::is_ascii).collect();
    if let Ok(short) = CString::new(short) {
        // SAFETY: pthread_self has no preconditions.
        let thread = unsafe { libc::pthread_self() };
        // SAFETY: the calling thread, and a NUL-terminated name of at most 16 bytes with the NUL.
        unsafe { libc::pthread_setname_np(thread, short.as_ptr()) };
    }
}

#[cfg(not(target_os = "linux"))]
fn show_name(_name: &str) {}
