//! Events: what a loop calls back for.
//!
//! Any thread may do anything with an event, whether or not its loop runs. Three promises hold for all of them:
//!
//! - After remove_event or free_event has returned, no callback of the event starts. Neither waits for a callback that
//!   is running on another thread; what event_on_free set comes after that one.
//! - Nothing fires early. Timeouts come by deadline, those of one deadline in the order they were added.
//! - Activations before the callback starts are merged into one call; one that comes while it runs makes it run once
//!   more. What a thread wrote before it activated is visible to the callback.
//!
//! An event may free itself, or any other, in any callback. What its loop is freed with turns stale.

use super::base::{pirn_event, pirn_free_fn, pirn_loop, pirn_ns};
use super::{duration, guard, handle, patience, pointer, required};
use crate::error::Result;
use crate::event_loop::{self, Argument, Callee, EventFn};
use crate::handle::Handle;
use crate::what;
use std::ffi::{c_int, c_void};

/// What: its timeout expired, or its interval came round.
pub const PIRN_TIMEOUT: u32 = 0x01;
/// What and interest: the descriptor can be read, or is at its end.
pub const PIRN_READ: u32 = 0x02;
/// What and interest: the descriptor can be written.
pub const PIRN_WRITE: u32 = 0x04;
/// What: the signal came.
pub const PIRN_SIGNAL: u32 = 0x08;
/// Interest: tell of changes only, not of a state that lasts.
pub const PIRN_EDGE: u32 = 0x20;
/// What: somebody activated it.
pub const PIRN_ACTIVATED: u32 = 0x40;
/// What and interest: the other side closed the connection.
pub const PIRN_CLOSED: u32 = 0x80;
/// Interest: not pending any more once it fired.
pub const PIRN_ONESHOT: u32 = 0x100;
/// What: the loop went round.
pub const PIRN_IDLE: u32 = 0x200;

const _: () = assert!(
    PIRN_TIMEOUT == what::TIMEOUT
        && PIRN_READ == what::READ
        && PIRN_WRITE == what::WRITE
        && PIRN_SIGNAL == what::SIGNAL
        && PIRN_EDGE == what::EDGE
        && PIRN_ACTIVATED == what::ACTIVATED
        && PIRN_CLOSED == what::CLOSED
        && PIRN_ONESHOT == what::ONESHOT
        && PIRN_IDLE == what::IDLE
);

/// An event's function: called on the loop's thread, with the reasons or'd. It may do anything, also free the
/// event.
pub type pirn_event_fn = Option<unsafe extern "C" fn(event: *mut pirn_event, what: u32, arg: *mut c_void)>;

/// Makes an event that sits in the loop, inactive, and keeps it running until it is removed, freed or unref'd.
///
/// It needs no add_event: add_event_activate runs its function, from any thread and again and again, and
/// add_event gives it a timeout. With fn NULL it can only be taken, by event_loop_take.
///
/// Thread: any; wakes the loop only if needed.
/// Owns: the caller frees it with free_event; arg is the caller's, see event_on_free.
/// Returns: the event, or NULL: PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn make_event(r#loop: *mut pirn_loop, r#fn: pirn_event_fn, arg: *mut c_void) -> *mut pirn_event {
    made(|| event_loop::make_event(handle(r#loop), callee(r#fn, arg)))
}

/// Makes an event for a descriptor: its function runs whenever fd is what interest says.
///
/// It is watched from add_event on. interest is PIRN_READ, PIRN_WRITE and PIRN_CLOSED or'd, and may have
/// PIRN_EDGE and PIRN_ONESHOT. End of file is PIRN_READ. Without PIRN_ONESHOT it stays pending. A timeout given
/// to add_event is an idle timeout, which begins anew after each callback (as in libevent). If any event of a
/// descriptor wants lasting readiness, PIRN_EDGE is that too for the others; so it is on systems without epoll.
///
/// Thread: any.
/// Owns: the caller frees it with free_event, before closing fd; fd is never closed by the library. An event
///   whose fd was closed first hears nothing more, not of the next file that gets the number either.
/// Returns: the event, or NULL: PIRN_EINVAL fd is negative or interest makes no sense, PIRN_EHANDLE,
///   PIRN_ESTALE, PIRN_ENOMEM. What can't be watched, such as a regular file, is refused by add_event.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn make_fd_event(
    r#loop: *mut pirn_loop,
    fd: c_int,
    interest: u32,
    r#fn: pirn_event_fn,
    arg: *mut c_void,
) -> *mut pirn_event {
    made(|| event_loop::make_fd_event(handle(r#loop), fd, interest, callee(r#fn, arg)))
}

/// Makes an event for a signal: its function runs on the loop's thread, as a plain call.
///
/// It is watched from add_event on. Any number of events, loops and threads may watch one signal; all are told.
/// While a signal is watched, the action that stood before is set aside; it is put back exactly, at the latest
/// when the last event of that signal is freed. Signals that come in quick succession are merged, and counted
/// in pirn_ready.count.
///
/// Thread: any; the library blocks no signal in any thread but its own.
/// Owns: the caller frees it with free_event.
/// Returns: the event, or NULL: PIRN_EINVAL there is no such signal or it can't be caught, PIRN_EHANDLE,
///   PIRN_ESTALE, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn make_signal_event(
    r#loop: *mut pirn_loop,
    signum: c_int,
    r#fn: pirn_event_fn,
    arg: *mut c_void,
) -> *mut pirn_event {
    made(|| event_loop::make_signal_event(handle(r#loop), signum, callee(r#fn, arg)))
}

/// Makes an event whose function runs every round, once it was added (libuv: uv_idle_t).
///
/// While it is pending the loop doesn't sleep.
///
/// Thread: any.
/// Owns: the caller frees it with free_event.
/// Returns: the event, or NULL: PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn make_idle_event(r#loop: *mut pirn_loop, r#fn: pirn_event_fn, arg: *mut c_void) -> *mut pirn_event {
    made(|| event_loop::make_idle_event(handle(r#loop), callee(r#fn, arg)))
}

/// Makes the event pending: its descriptor or signal is watched, and its timeout runs.
///
/// Added again, the new timeout replaces the old one. With PIRN_FOREVER there is no timeout; a made event that
/// was removed keeps the loop running again. A timeout fires once; one of 0 that is set in the event's own
/// callback fires in the next round, not in this one.
///
/// Thread: any; wakes the loop only if needed.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EINVAL timeout is negative, or the descriptor can't be watched: it is a regular file,
///   or closed; PIRN_ESYS; PIRN_ENOMEM; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn add_event(event: *mut pirn_event, timeout: pirn_ns) -> c_int {
    guard(|| event_loop::add(handle(event), patience(timeout)?))
}

/// Has the event's function run every period, until it is removed. Replaces its timeout.
///
/// Ticks don't drift. Those that were missed collapse into one call; pirn_ready.count says how many it stands
/// for.
///
/// Thread: any; wakes the loop only if needed.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EINVAL period is not above 0; otherwise as add_event.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn add_event_interval(event: *mut pirn_event, period: pirn_ns) -> c_int {
    guard(|| event_loop::add_interval(handle(event), duration(period)?))
}

/// Has the event's function run on the loop's thread, now, with PIRN_ACTIVATED.
///
/// libevent has event_active for this, libuv uv_async_send. Activations that come before the function starts
/// are merged into that one call, and all that their threads wrote before is visible to it; one that comes
/// while it runs runs it once more. If the loop is awake this costs no system call.
///
/// Thread: any, the loop's own as well; also inside the event's own function.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ESTALE the event or its loop was freed; PIRN_EHANDLE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn add_event_activate(event: *mut pirn_event) -> c_int {
    guard(|| event_loop::activate(handle(event)))
}

/// Makes the event neither pending nor active; it doesn't keep the loop running any more.
///
/// It may be added or activated again. When this has returned, no callback of it starts. One that is running on
/// another thread finishes; nobody waits for it.
///
/// Thread: any; wakes the loop only if needed.
/// Owns: nothing; the event is still the caller's to free.
/// Returns: 1 it was pending or active, and will not run; 0 there was nothing to remove: neither active nor
///   with a timeout, or its callback had started; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn remove_event(event: *mut pirn_event) -> c_int {
    guard(|| event_loop::remove(handle(event)))
}

/// Frees the event, removing it first. Its handle, and every copy of it, is stale from now on.
///
/// When this has returned, no callback of it starts. One that is running on another thread finishes; nobody
/// waits for it: what event_on_free set is called after it.
///
/// Thread: any; also inside the event's own function.
/// Owns: the event is gone.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE it was freed before, or its loop was.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn free_event(event: *mut pirn_event) -> c_int {
    guard(|| event_loop::free_event(handle(event)))
}

/// Is the event pending or active?
///
/// Pending is: a timeout runs, its descriptor or signal is watched, it is an added idle event.
///
/// Thread: any; by the time the answer is here, another thread may have changed it.
/// Owns: nothing.
/// Returns: 1 yes; 0 no; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_is_pending(event: *mut pirn_event) -> c_int {
    guard(|| event_loop::is_pending(handle(event)))
}

/// Has fn called with the event's arg, once, when the event was freed and no callback of it can run any more.
///
/// It is called on the loop's thread, or on the freeing one when the loop isn't running, with no lock held, and
/// may call the library. A second one replaces the first. Of an event that was taken by a pull call it comes
/// with the first call for the loop, other than wait and take, after the taker has taken again.
///
/// Thread: any.
/// Owns: with fn set, arg is the library's to free.
/// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE, and fn will not be called.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_on_free(event: *mut pirn_event, r#fn: pirn_free_fn) -> c_int {
    guard(|| event_loop::on_free(handle(event), Some(required(r#fn)?)))
}

/// Has the event keep the loop running, which is how it begins.
///
/// One that was made by make_event keeps it until it is removed, any other while it is pending.
///
/// Thread: any.
/// Owns: nothing; this is a switch, not a counter.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_ref(event: *mut pirn_event) -> c_int {
    guard(|| event_loop::set_ref(handle(event), true))
}

/// Has the event not keep the loop running (libuv: uv_unref).
///
/// Thread: any.
/// Owns: nothing; this is a switch, not a counter.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_unref(event: *mut pirn_event) -> c_int {
    guard(|| event_loop::set_ref(handle(event), false))
}

/// Sets how urgent the event is: 0 is most urgent, 7 least, 4 how it begins.
///
/// Of what is ready in a round, the most urgent runs first.
///
/// Thread: any; an event that is active already keeps its place.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EINVAL priority is not 0 to 7; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_set_priority(event: *mut pirn_event, priority: c_int) -> c_int {
    guard(|| event_loop::set_priority(handle(event), priority))
}

/// Has fn called once, delay from now. The event frees itself after the call.
///
/// Delays of the same deadline run in the order they were made.
///
/// Thread: any; wakes the loop only if needed.
/// Owns: the library frees the event when it has run; free_event before that calls it off.
/// Returns: the event, or NULL: PIRN_EINVAL delay is negative, PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_delay(
    r#loop: *mut pirn_loop,
    delay: pirn_ns,
    r#fn: pirn_event_fn,
    arg: *mut c_void,
) -> *mut pirn_event {
    made(|| event_loop::delay(handle(r#loop), duration(delay)?, callee(r#fn, arg)))
}

/// Has fn called every period, the first time one period from now, until the event is freed or removed.
///
/// Ticks don't drift. Those that were missed collapse into one call; pirn_ready.count says how many it stands
/// for.
///
/// Thread: any; wakes the loop only if needed.
/// Owns: the caller frees the event with free_event.
/// Returns: the event, or NULL: PIRN_EINVAL period is not above 0, PIRN_EHANDLE, PIRN_ESTALE, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_interval(
    r#loop: *mut pirn_loop,
    period: pirn_ns,
    r#fn: pirn_event_fn,
    arg: *mut c_void,
) -> *mut pirn_event {
    made(|| event_loop::interval(handle(r#loop), duration(period)?, callee(r#fn, arg)))
}

fn made(make: impl FnOnce() -> Result<Handle>) -> *mut pirn_event {
    guard(|| make().map(pointer))
}

/// An event's function and argument as the core has them. For the core an event is any pointer.
fn callee(function: pirn_event_fn, arg: *mut c_void) -> Callee {
    // SAFETY: the two types differ in what a parameter points to, which changes nothing about the call.
    let call = function.map(|function| unsafe { std::mem::transmute::<_, EventFn>(function) });
    Callee { call, argument: Argument(arg), on_free: None }
}
