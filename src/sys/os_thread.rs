//! The operating system's threads: who is calling, and is that one still there.
#![expect(unsafe_code, reason = "gettid and tgkill")]

use std::cell::Cell;

thread_local! {
    static ID: Cell<u32> = const { Cell::new(0) };
}

/// A number that no other living thread of the process has; never 0.
pub(crate) fn current() -> u32 {
    let known = ID.try_with(Cell::get).unwrap_or(0);
    if known != 0 {
        return known;
    }
    let id = ask();
    let _ = ID.try_with(|cell| cell.set(id));
    id
}

/// The number of the processor that the caller runs on at this moment; -2 where that can't be told.
#[cfg(target_os = "linux")]
pub(crate) fn processor() -> i32 {
    // SAFETY: sched_getcpu has no preconditions.
    unsafe { libc::sched_getcpu() }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn processor() -> i32 {
    -2
}

/// Forgets the number, in a forked child whose only thread has a new one.
pub(crate) fn forget_current() {
    let _ = ID.try_with(|cell| cell.set(0));
}

#[cfg(target_os = "linux")]
fn ask() -> u32 {
    // SAFETY: gettid has no preconditions.
    unsafe { libc::gettid() as u32 }
}

#[cfg(not(target_os = "linux"))]
fn ask() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Is the thread with this number still there? On systems that can't tell: yes.
#[cfg(target_os = "linux")]
pub(crate) fn exists(id: u32) -> bool {
    // SAFETY: getpid has no preconditions.
    let process = unsafe { libc::getpid() };
    // SAFETY: signal 0 only asks.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, process, id, 0) };
    answer == 0
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn exists(_id: u32) -> bool {
    true
}
