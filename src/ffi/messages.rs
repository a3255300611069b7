//! Messages: sent to threads, handled by them, answered.
//!
//! A message is a value. It waits in the thread's queue until the thread takes it, in a receive loop or by hand. Each
//! message that was accepted ends exactly once: handled, merged into another, or undelivered.
//!
//! Whatever the sender wrote before it sent is visible to the receiver, and the other way round with a reply.

use super::base::{pirn_loop, pirn_message, pirn_ns, pirn_thread};
use super::outcome::{self, Argument};
use super::threads::deadline;
use super::values::{self, pirn_value};
use super::{duration, guard, handle, optional_text, pointer, required};
use crate::error::Result;
use crate::handle::Handle;
use crate::sys::clock::NEVER;
use crate::thread::{self, Room};
use crate::value::{Failure, Value};
use std::ffi::{c_char, c_int, c_void};

/// Handles a message. It returns 0, with a reply if it sets one, or a code of its own that says what failed,
/// with words by pirn_set_error(reply, …). What it leaves in message is dropped after it; pirn_move takes it
/// out.
pub type pirn_receive_fn = Option<
    unsafe extern "C" fn(
        self_: *mut pirn_thread,
        message: *mut pirn_value,
        reply: *mut pirn_value,
        arg: *mut c_void,
    ) -> c_int,
>;

/// Sets key to what message is merged by; PIRN_NIL, or returning anything but 0: it is not.
pub type pirn_key_fn =
    Option<unsafe extern "C" fn(message: *const pirn_value, key: *mut pirn_value, arg: *mut c_void) -> c_int>;

/// Merges incoming into pending; returning anything but 0 leaves the two as they are.
pub type pirn_merge_fn =
    Option<unsafe extern "C" fn(pending: *mut pirn_value, incoming: *const pirn_value, arg: *mut c_void) -> c_int>;

/// Sends a message and does not wait for it to be handled.
///
/// Waits while the queue is full; who waits is served first come, first served.
///
/// Thread: any. An interruption point.
/// Owns: bytes are copied; a pointer moves if the call succeeds.
/// Returns: PIRN_OK; PIRN_EDEAD the thread is stopping or dead; PIRN_EINTERRUPTED the calling thread was
///   killed; PIRN_EDEADLK; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or
///   merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_send_async(t: *mut pirn_thread, message: *const pirn_value) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { values::offer(message, |message| thread::send(handle(t), message, Room::Until(NEVER))) })
}

/// Sends a message if there is room for it now.
///
/// Thread: any; never blocks.
/// Owns: bytes are copied; a pointer moves if the call succeeds.
/// Returns: PIRN_OK; PIRN_EAGAIN the queue is full; PIRN_EDEAD the thread is stopping or dead; PIRN_EINVAL no
///   valid value; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_try_send_async(t: *mut pirn_thread, message: *const pirn_value) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { values::offer(message, |message| thread::send(handle(t), message, Room::Now)) })
}

/// Sends a message; waits for room no longer than timeout. With 0 it tries once.
///
/// Thread: any. An interruption point.
/// Owns: bytes are copied; a pointer moves if the call succeeds.
/// Returns: PIRN_OK; PIRN_ETIMEDOUT; PIRN_EDEAD the thread is stopping or dead; PIRN_EINTERRUPTED the calling
///   thread was killed; PIRN_EDEADLK; PIRN_EINVAL timeout, or no valid value; PIRN_EHANDLE; PIRN_ESTALE;
///   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_send_async_within(
    t: *mut pirn_thread,
    message: *const pirn_value,
    timeout: pirn_ns,
) -> c_int {
    guard(|| {
        let room = Room::Until(deadline(timeout)?);
        // SAFETY: C's promise: NULL or a value.
        unsafe { values::offer(message, |message| thread::send(handle(t), message, room)) }
    })
}

/// Sends a message and waits for the reply.
///
/// Thread: any. An interruption point.
/// Owns: bytes are copied. After PIRN_EHANDLE, PIRN_ESTALE, PIRN_EINVAL, PIRN_ENOMEM and PIRN_EDEADLK a pointer
///   is still the caller's, after anything else it has moved. The caller drops the reply with pirn_clear.
/// Returns: PIRN_OK; PIRN_EHANDLER the other side failed: reply is its error value; PIRN_EDEAD it is stopping,
///   dead, or died first; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EDEADLK the message was
///   withdrawn; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_send_sync(
    t: *mut pirn_thread,
    message: *const pirn_value,
    reply: *mut pirn_value,
) -> c_int {
    // SAFETY: C's promises are the same.
    guard(|| unsafe { call(t, message, Ok(NEVER), reply) })
}

/// Sends a message and waits for the reply no longer than timeout, the wait for room included.
///
/// A message that was accepted is handled even if nobody waits any more; its reply is dropped.
///
/// Thread: any. An interruption point.
/// Owns: as for thread_send_sync.
/// Returns: as thread_send_sync, and PIRN_ETIMEDOUT; PIRN_EINVAL timeout.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_send_sync_within(
    t: *mut pirn_thread,
    message: *const pirn_value,
    timeout: pirn_ns,
    reply: *mut pirn_value,
) -> c_int {
    // SAFETY: C's promises are the same.
    guard(|| unsafe { call(t, message, deadline(timeout), reply) })
}

/// # Safety
/// `message` is null or a value, `reply` null or memory for one.
unsafe fn call(
    t: *mut pirn_thread,
    message: *const pirn_value,
    deadline: Result<i64>,
    reply: *mut pirn_value,
) -> Result<()> {
    let called = deadline.and_then(|deadline| {
        // SAFETY: the caller's promise.
        unsafe { values::offer(message, |message| thread::call(handle(t), message, deadline)) }
    });
    // SAFETY: the caller's promise.
    unsafe { outcome::put(reply, called) }
}

/// Sends a message after delay; with repeat, again and again every delay, without drift.
///
/// What was missed comes once.
///
/// It needs no room in the queue and goes before messages that wait. A thread's timers end with it.
///
/// Thread: any; never blocks.
/// Owns: bytes are copied; a pointer moves if the call succeeds.
/// Returns: a ticket for thread_cancel_later, never one that was used before, or 0: PIRN_EINVAL delay, 0 with
///   repeat, repeat with a pointer that has a free function, or no valid value; PIRN_EDEAD the thread is
///   stopping or dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_send_later(
    t: *mut pirn_thread,
    delay: pirn_ns,
    message: *const pirn_value,
    repeat: c_int,
) -> u64 {
    guard(|| {
        let delay = duration(delay)?;
        // SAFETY: C's promise: NULL or a value.
        unsafe { values::offer(message, |message| thread::send_later(handle(t), delay, message, repeat != 0)) }
    })
}

/// Takes a timed message back.
///
/// Thread: any.
/// Owns: a pointer in it is freed.
/// Returns: 1 it will not come, or not again; 0 it had come, or was taken back before; PIRN_ENOENT there never
///   was such a ticket; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_cancel_later(t: *mut pirn_thread, ticket: u64) -> c_int {
    guard(|| thread::cancel_later(handle(t), ticket))
}

/// Handles messages until the thread is stopped and its queue empty, or it is killed.
///
/// A handler's failure goes to whoever waits for the reply, or to the log; the loop goes on.
///
/// Thread: own.
/// Owns: arg stays the caller's.
/// Returns: PIRN_OK stopped; PIRN_EINTERRUPTED killed; PIRN_ETHREAD self is not the calling thread; PIRN_EINVAL
///   receive is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_loop(self_: *mut pirn_thread, receive: pirn_receive_fn, arg: *mut c_void) -> c_int {
    guard(|| thread::receive(handle(self_), handler(self_, receive, arg)?))
}

/// The same; a message is merged into one that waits under the same key, whose place it takes.
///
/// It needs no room then.
///
/// Without key, a message is its own key; without merge, the later message replaces the earlier one. Both are
/// called when a message is sent, on the sender's thread, under the queue's lock: they are quick, and call
/// nothing but the functions of value.h; everything else fails with PIRN_EBUSY. For messages that were queued
/// before, or that waited for room, they are called on the receiver's thread. Everybody who waits for a merged
/// message's reply gets it; a pointer that has a free function goes to the first of them, the others get
/// PIRN_NIL. If merge changes the key, the message is still found under its first one.
///
/// Thread: own.
/// Owns: arg stays the caller's.
/// Returns: as thread_loop.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_loop_coalescing(
    self_: *mut pirn_thread,
    key: pirn_key_fn,
    merge: pirn_merge_fn,
    receive: pirn_receive_fn,
    arg: *mut c_void,
) -> c_int {
    guard(|| {
        let receive = handler(self_, receive, arg)?;
        thread::receive_merging(handle(self_), key_of(key, arg), merge_of(merge, arg), receive)
    })
}

/// Has the thread's messages handled inside the runs of loop, beside fds, timers and signals; returns at once.
///
/// It keeps the loop running until the thread is stopped and its queue empty. A kill ends the run with
/// PIRN_EINTERRUPTED. The loop must be run by the same thread.
///
/// Thread: own.
/// Owns: arg stays the caller's. The loop can't be freed meanwhile.
/// Returns: PIRN_OK; PIRN_ESTATE the thread is on a loop already; PIRN_ETHREAD self is not the calling thread;
/// PIRN_EINVAL receive is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_loop_on(
    self_: *mut pirn_thread,
    r#loop: *mut pirn_loop,
    receive: pirn_receive_fn,
    arg: *mut c_void,
) -> c_int {
    let (own, arg) = (handle(self_), Argument::new(arg));
    guard(|| {
        let receive = required(receive)?;
        let handler = move |value: &mut Value| handle_in_c(own, receive, arg, value);
        thread::receive_on(own, handle(r#loop), Box::new(handler))
    })
}

/// Waits until there is a message to take.
///
/// A leaf: it takes no lock and leaves nothing behind, so that a runtime may unwind out of it from any point.
///
/// Thread: own. An interruption point.
/// Owns: nothing.
/// Returns: 1 there is a message; 0 the time is over; PIRN_ECANCELED stopped, and everything was taken;
///   PIRN_EINTERRUPTED killed; PIRN_ETHREAD self is not the calling thread; PIRN_EINVAL timeout; PIRN_EHANDLE;
///   PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_wait(self_: *mut pirn_thread, timeout: pirn_ns) -> c_int {
    guard(|| thread::wait(handle(self_), deadline(timeout)?))
}

/// Takes the next message.
///
/// Thread: own; never blocks, never calls back.
/// Owns: the caller frees the message with free_message, also after a reply.
/// Returns: the message, or NULL: PIRN_EAGAIN there is none; PIRN_ETHREAD self is not
///   the calling thread; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_take(self_: *mut pirn_thread) -> *mut pirn_message {
    guard(|| thread::take(handle(self_)).map(pointer))
}

/// Moves a message's value out. A second time it is PIRN_NIL.
///
/// Thread: any.
/// Owns: the caller drops the value with pirn_clear.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn message_value(m: *mut pirn_message, out: *mut pirn_value) -> c_int {
    // SAFETY: C's promise: NULL or memory for a value.
    guard(|| unsafe { values::put(out, thread::value_of(handle(m))) })
}

/// Answers a message. If nobody waits for the answer, it is dropped.
///
/// Thread: any.
/// Owns: bytes are copied; a pointer moves if the call succeeds. The message is still to be freed.
/// Returns: PIRN_OK; PIRN_ESTATE it was answered before; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE;
///   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn message_reply(m: *mut pirn_message, reply: *const pirn_value) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { values::offer(reply, |reply| thread::reply(handle(m), reply)) })
}

/// Answers a message with a failure: its sender's call returns PIRN_EHANDLER, with this code and text.
///
/// Thread: any.
/// Owns: the text is copied; NULL is none. The message is still to be freed.
/// Returns: PIRN_OK; PIRN_ESTATE it was answered before; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or
///   merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn message_fail(m: *mut pirn_message, code: c_int, text: *const c_char) -> c_int {
    guard(|| {
        // SAFETY: C's promise: NULL or text.
        let text = unsafe { optional_text(text) }.unwrap_or_default();
        thread::fail(handle(m), Failure::new(code, &text)?)
    })
}

/// Frees a message, and its value if that was not moved out.
///
/// A caller that still waits for an answer gets PIRN_EDEAD.
///
/// Thread: any.
/// Owns: the message is gone.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn free_message(m: *mut pirn_message) -> c_int {
    guard(|| thread::free_message(handle(m)))
}

/// A C handler as the loops call it.
fn handler(
    own: *mut pirn_thread,
    receive: pirn_receive_fn,
    arg: *mut c_void,
) -> Result<impl FnMut(&mut Value) -> Result<Value, Failure> + use<>> {
    let (own, receive, arg) = (handle(own), required(receive)?, Argument::new(arg));
    Ok(move |value: &mut Value| handle_in_c(own, receive, arg, value))
}

type Receive = unsafe extern "C" fn(*mut pirn_thread, *mut pirn_value, *mut pirn_value, *mut c_void) -> c_int;

fn handle_in_c(own: Handle, receive: Receive, arg: Argument, value: &mut Value) -> Result<Value, Failure> {
    values::lend_from(value, |message| {
        // SAFETY: C gave the function to be called like this, on the thread that receives.
        outcome::of_call(|reply| unsafe { receive(pointer(own), message, reply, arg.get()) })
    })
}

fn key_of(key: pirn_key_fn, arg: *mut c_void) -> Option<thread::Key> {
    let (key, arg) = (key?, Argument::new(arg));
    Some(Box::new(move |message| {
        // SAFETY: C gave the function to be called like this, on any thread.
        let key = |out| values::show(message, |message| unsafe { key(message, out, arg.get()) });
        outcome::of_call(key).ok()
    }))
}

fn merge_of(merge: pirn_merge_fn, arg: *mut c_void) -> Option<thread::Merge> {
    let (merge, arg) = (merge?, Argument::new(arg));
    Some(Box::new(move |pending, incoming| {
        let call = |pending| {
            // SAFETY: C gave the function to be called like this, on any thread.
            values::show(incoming, |incoming| unsafe { merge(pending, incoming, arg.get()) })
        };
        values::lend_to_change(pending, call).0 == 0
    }))
}
