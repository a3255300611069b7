//! What every other header needs: the handles' types, time, versions.

use crate::sys::clock;
use std::ffi::{c_char, c_int, c_void};

/// A loop: timers, fds, signals and events, run by one thread at a time. See loop.h.
pub struct pirn_loop {
    _opaque: [u8; 0],
}

/// An event: something that a loop calls back for. See event.h.
pub struct pirn_event {
    _opaque: [u8; 0],
}

/// A thread that has a name and a queue of messages. See thread.h.
pub struct pirn_thread {
    _opaque: [u8; 0],
}

/// A message that was taken from a thread's queue. See message.h.
pub struct pirn_message {
    _opaque: [u8; 0],
}

/// A result that comes later. See future.h.
pub struct pirn_future {
    _opaque: [u8; 0],
}

/// Threads that do work in the background. See work.h.
pub struct pirn_pool {
    _opaque: [u8; 0],
}

/// Time in nanoseconds: a moment on the monotonic clock, or a duration. PIRN_SEC, PIRN_MS and PIRN_US make one.
pub type pirn_ns = i64;

/// As a duration: without end.
pub const PIRN_FOREVER: pirn_ns = -1;

/// A task: called once with its argument.
pub type pirn_task_fn = Option<unsafe extern "C" fn(arg: *mut c_void)>;

/// Frees what a pointer points to. It may be called on any thread, with no lock held, and may call the library.
pub type pirn_free_fn = Option<unsafe extern "C" fn(pointer: *mut c_void)>;

/// The version of the ABI: two libraries with the same number can stand in for each other.
pub const PIRN_ABI_VERSION: c_int = 1;

/// The library's version as text, such as "0.1.0".
///
/// A program that wants to be sure that it runs with the library it was compiled for compares this with
/// PIRN_VERSION.
///
/// Thread: any.
/// Owns: the text is the library's and lives as long as the process.
/// Returns: the text; never NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The number of the library's ABI, PIRN_ABI_VERSION.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: the number; it never fails.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_abi_version() -> c_int {
    PIRN_ABI_VERSION
}

/// The time now, on the monotonic clock that all timers use.
///
/// It stands still while the machine is suspended, and setting the time of day doesn't move it (libuv:
/// uv_hrtime).
///
/// Thread: any; also inside a signal handler.
/// Owns: nothing.
/// Returns: nanoseconds since some moment in the past; it never fails.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_now() -> pirn_ns {
    clock::now()
}
