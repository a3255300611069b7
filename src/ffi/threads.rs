//! Threads: made, started, stopped, joined, found, and looked at.
//!
//! A thread has a name, a queue of messages (see message.h) and a life: PIRN_NEW until it is started, PIRN_RUNNING
//! while its function runs, PIRN_DEAD when that and its hooks have returned. Wherever a thread waits in this library, a
//! kill ends the wait with PIRN_EINTERRUPTED, and a wait that would close a cycle of threads that wait for each other
//! fails at once with PIRN_EDEADLK; pirn_last_error_text() then names the cycle.

use super::base::{pirn_event, pirn_ns, pirn_task_fn, pirn_thread};
use super::outcome::{self, Argument};
use super::values::{self, pirn_value};
use super::{Growing, copy_text, fill, guard, handle, optional_text, patience, pointer, required, text};
use crate::error::{Code, Error, Result};
use crate::event_loop::TaskFn;
use crate::sys::clock::after;
use crate::thread::{self, Joined, State};
use crate::waiting::waiter::Kind;
use std::ffi::{c_char, c_int, c_void};

/// Made and not started; messages wait in its queue.
pub const PIRN_NEW: c_int = 0;
/// Its function or one of its hooks runs.
pub const PIRN_RUNNING: c_int = 1;
/// Everything of it has returned.
pub const PIRN_DEAD: c_int = 2;

/// It doesn't wait.
pub const PIRN_WAIT_NONE: u32 = 0;
/// For a message, in a receive loop or thread_wait.
pub const PIRN_WAIT_MESSAGE: u32 = 1;
/// For the reply to a sync message.
pub const PIRN_WAIT_CALL: u32 = 2;
/// For room in a full queue.
pub const PIRN_WAIT_ROOM: u32 = 3;
/// For a thread's death.
pub const PIRN_WAIT_JOIN: u32 = 4;
/// For a future.
pub const PIRN_WAIT_FUTURE: u32 = 5;
/// In thread_sleep.
pub const PIRN_WAIT_SLEEP: u32 = 6;
/// In an event loop.
pub const PIRN_WAIT_LOOP: u32 = 7;
/// For something of the caller's own, by pirn_wait_begin.
pub const PIRN_WAIT_USER: u32 = 8;

const _: () = assert!(
    PIRN_NEW == State::New as c_int
        && PIRN_RUNNING == State::Running as c_int
        && PIRN_DEAD == State::Dead as c_int
        && PIRN_WAIT_MESSAGE == Kind::Message as u32
        && PIRN_WAIT_CALL == Kind::Call as u32
        && PIRN_WAIT_ROOM == Kind::Room as u32
        && PIRN_WAIT_JOIN == Kind::Join as u32
        && PIRN_WAIT_FUTURE == Kind::Future as u32
        && PIRN_WAIT_SLEEP == Kind::Sleep as u32
        && PIRN_WAIT_LOOP == Kind::Loop as u32
        && PIRN_WAIT_USER == Kind::Lock as u32
);

/// What a thread does. It returns 0, with a result if it sets one, or a code of its own that says what failed.
pub type pirn_run_fn =
    Option<unsafe extern "C" fn(self_: *mut pirn_thread, result: *mut pirn_value, arg: *mut c_void) -> c_int>;

/// Gets an accepted message that nobody will handle. Why: PIRN_EDEAD the thread has stopped or died,
/// PIRN_EINTERRUPTED it was killed. What it leaves in message is dropped after it.
pub type pirn_undelivered_fn =
    Option<unsafe extern "C" fn(t: *mut pirn_thread, reason: c_int, message: *mut pirn_value, arg: *mut c_void)>;

/// A thread's figures. Set struct_size to sizeof(pirn_thread_stats) before asking.
///
/// accepted = handled + coalesced + undelivered + queued, at any time when nothing moves.
#[repr(C)]
pub struct pirn_thread_stats {
    /// The size of the caller's struct.
    pub struct_size: usize,
    /// Messages that wait now. The one in hand is not among them.
    pub queued: u64,
    /// The most that ever waited.
    pub peak: u64,
    /// Messages taken into the queue; timed ones and monitors when they are due.
    pub accepted: u64,
    /// Messages given to a handler, or taken.
    pub handled: u64,
    /// Messages merged into others.
    pub coalesced: u64,
    /// Sends that failed because the queue was full or the thread was not there any more.
    pub refused: u64,
    /// Accepted messages that nobody will handle.
    pub undelivered: u64,
    /// Senders that wait for room now.
    pub blocked_senders: u64,
    /// Timed messages that are still to come.
    pub timers: u64,
    /// Time in which its receive loop was awake, in nanoseconds.
    pub busy_ns: u64,
    /// The thread that must do something before this one goes on, or NULL.
    pub waiting_on: *mut pirn_thread,
    /// What it waits for: PIRN_WAIT_NONE and so on.
    pub waiting_for: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: `repr(C)`, a usize first, and fields of eight and twice four bytes: no padding.
unsafe impl Growing for pirn_thread_stats {}

/// Makes a thread, which is PIRN_NEW: messages may be sent to it, and it runs when it is started.
///
/// A name is made of A-Z a-z 0-9 . _ ~ - and belongs to one NEW or RUNNING thread at a time. With NULL one is
/// made up.
///
/// Thread: any.
/// Owns: the caller gives the handle up with free_thread; arg stays the caller's.
/// Returns: the thread, or NULL: PIRN_ENAME not a name; PIRN_EEXIST the name is taken; PIRN_EINVAL run is NULL;
///   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn make_thread(name: *const c_char, run: pirn_run_fn, arg: *mut c_void) -> *mut pirn_thread {
    let arg = Argument::new(arg);
    guard(|| {
        let run = required(run)?;
        // SAFETY: C's promise: NULL or text.
        let name = unsafe { optional_text(name) };
        // SAFETY: C gave the function to be called like this, once.
        let body = move |me| outcome::of_call(|result| unsafe { run(pointer(me), result, arg.get()) });
        thread::make(name.as_deref(), Box::new(body)).map(pointer)
    })
}

/// Starts a NEW thread on an OS thread of its own.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ESTATE it was started before, or stopped; PIRN_ESYS the system has no thread for it,
///   which leaves it NEW; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_start(t: *mut pirn_thread) -> c_int {
    guard(|| thread::start(handle(t)))
}

/// Runs a NEW thread on the calling OS thread, and comes back when it is dead.
///
/// Thread: any OS thread that is not one of the library's threads already.
/// Owns: nothing.
/// Returns: PIRN_OK whatever its function returned, see thread_join; PIRN_ESTATE it was started before or
///   stopped, or the caller is a thread; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_run(t: *mut pirn_thread) -> c_int {
    guard(|| thread::run(handle(t)))
}

/// Makes the calling OS thread a RUNNING thread: main, or one that another runtime has made.
///
/// It is dead after thread_detach, or when the OS thread ends without.
///
/// Thread: any OS thread that is not one of the library's threads already.
/// Owns: the caller gives the handle up with free_thread, also after thread_detach.
/// Returns: the thread, or NULL: PIRN_ESTATE the caller is a thread; PIRN_ENAME; PIRN_EEXIST the name is taken;
///   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_attach(name: *const c_char) -> *mut pirn_thread {
    guard(|| {
        // SAFETY: C's promise: NULL or text.
        let name = unsafe { optional_text(name) };
        thread::attach(name.as_deref()).map(pointer)
    })
}

/// Ends what thread_attach began: the thread's on_stop runs, and it is dead.
///
/// Thread: own; an attached one.
/// Owns: the handle is still to be given up with free_thread.
/// Returns: PIRN_OK; PIRN_ESTATE the caller is not attached, or inside a receive loop or a handler.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_detach() -> c_int {
    guard(thread::detach)
}

/// Asks a thread to end.
///
/// It accepts no more messages, handles what is queued, and then its receive loop returns.
///
/// It interrupts no wait. Who waits for room in its queue is let go with PIRN_EDEAD. A NEW thread is dead at
/// once.
///
/// Thread: any; also the thread itself.
/// Owns: nothing.
/// Returns: PIRN_OK, also for one that is dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_stop(t: *mut pirn_thread) -> c_int {
    guard(|| thread::stop(handle(t)))
}

/// Ends a thread at its next interruption point: every wait of it in this library returns PIRN_EINTERRUPTED.
///
/// What is queued is discarded; callers whose messages wait there get PIRN_EDEAD at once. A NEW thread is dead
/// at once.
///
/// Thread: any; also the thread itself.
/// Owns: nothing.
/// Returns: PIRN_OK, also for one that is dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_kill(t: *mut pirn_thread) -> c_int {
    guard(|| thread::kill(handle(t)))
}

/// Waits until a thread is dead. The first who asks gets its result, the others PIRN_NIL.
///
/// Thread: any. An interruption point.
/// Owns: the caller drops the result with pirn_clear.
/// Returns: PIRN_OK; PIRN_EHANDLER its function failed: an error value, or PIRN_NIL for all but the first;
///   PIRN_ETIMEDOUT; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EDEADLK; PIRN_ESTATE it was not
///   started; PIRN_EINVAL timeout; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function;
///   PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_join(t: *mut pirn_thread, timeout: pirn_ns, result: *mut pirn_value) -> c_int {
    guard(|| {
        let joined = deadline(timeout).and_then(|deadline| thread::join(handle(t), deadline));
        let ended = joined.and_then(|joined| match joined {
            Joined::Finished(value) => Ok(Ok(value)),
            Joined::Failed(Some(failure)) => Ok(Err(failure)),
            Joined::Failed(None) => Err(Error::new(Code::Handler, "its function failed; who joined first knows how")),
        });
        // SAFETY: C's promise: NULL or memory for a value.
        unsafe { outcome::put(result, ended) }
    })
}

/// Gives a thread's handle up: it is stale from now on, except for the thread itself, which goes on with it.
///
/// A NEW thread is dead at once; a RUNNING one lives on and is reclaimed when it is dead. Its name stays taken.
///
/// Thread: any; also the thread itself.
/// Owns: the handle is gone, and with it a result that nobody has asked for.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn free_thread(t: *mut pirn_thread) -> c_int {
    guard(|| thread::free(handle(t)))
}

/// The thread that the caller is.
///
/// Thread: any.
/// Owns: the handle is lent.
/// Returns: the thread, or NULL if the OS thread is none of the library's.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_current() -> *mut pirn_thread {
    thread::current_handle().map_or(std::ptr::null_mut(), pointer)
}

/// The NEW or RUNNING thread with a name.
///
/// Thread: any.
/// Owns: the handle is lent.
/// Returns: the thread, or NULL: PIRN_ENOENT there is none; PIRN_EINVAL name is NULL; PIRN_EBUSY inside a key
///   or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_find(name: *const c_char) -> *mut pirn_thread {
    // SAFETY: C's promise: NULL or text.
    guard(|| thread::find(&unsafe { text(name) }?).map(pointer))
}

/// All threads that are NEW or RUNNING and not given up, in no particular order.
///
/// Thread: any.
/// Owns: the handles are lent. out may be NULL if capacity is 0.
/// Returns: how many there are, also when that is more than fit; PIRN_EINVAL out is NULL; PIRN_EBUSY inside a
///   key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_list(out: *mut *mut pirn_thread, capacity: usize) -> c_int {
    guard(|| {
        let all = thread::list()?;
        if out.is_null() && capacity > 0 {
            return Err(Error::new(Code::Invalid, "there is nowhere to put them"));
        }
        for (index, &found) in all.iter().take(capacity).enumerate() {
            // SAFETY: C's promise: room for `capacity` pointers.
            let place = unsafe { out.add(index) };
            // SAFETY: the same.
            unsafe { place.write(pointer(found)) };
        }
        Ok(all.len())
    })
}

/// A thread's name, as far as it fits, NUL-terminated.
///
/// Thread: any.
/// Owns: nothing. out may be NULL if capacity is 0.
/// Returns: the name's length, also when that is more than fits; PIRN_EINVAL out is NULL; PIRN_EHANDLE;
///   PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_name(t: *mut pirn_thread, out: *mut c_char, capacity: usize) -> c_int {
    guard(|| {
        let name = thread::name(handle(t))?;
        // SAFETY: C's promise: NULL, or room for `capacity` bytes.
        unsafe { copy_text(out, capacity, &name) }
    })
}

/// Where a thread's life stands.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_NEW, PIRN_RUNNING or PIRN_DEAD; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_state(t: *mut pirn_thread) -> c_int {
    guard(|| Ok(thread::state(handle(t))? as c_int))
}

/// Was thread_stop or thread_kill asked for? The flag that a function without a receive loop polls.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: 1 or 0; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_is_stopping(t: *mut pirn_thread) -> c_int {
    guard(|| thread::is_stopping(handle(t)))
}

/// Sleeps, at least as long as said.
///
/// Thread: any. An interruption point.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EINVAL duration; PIRN_EBUSY inside a
///   key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_sleep(time: pirn_ns) -> c_int {
    guard(|| thread::sleep(patience(time)?))
}

/// Writes a thread's stack to fd as text, innermost first, one frame a line with its function's name.
///
/// Another thread is looked at by a signal (a real-time one that nobody else handles), which its system calls
/// are restarted after, where the system restarts them.
///
/// Thread: any; the thread itself too.
/// Owns: nothing; fd stays open.
/// Returns: PIRN_OK; PIRN_ESTATE it is not running; PIRN_ESYS fd can't be written to, or the thread can't be
///   looked at; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_trace(t: *mut pirn_thread, fd: c_int) -> c_int {
    guard(|| thread::trace(handle(t), fd))
}

/// Has fn called on the thread before its function.
///
/// Setting it again replaces it.
///
/// Thread: any.
/// Owns: arg stays the caller's.
/// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_on_start(t: *mut pirn_thread, r#fn: pirn_task_fn, arg: *mut c_void) -> c_int {
    guard(|| thread::on_start(handle(t), Some(hook(required(r#fn)?, arg))))
}

/// Has fn called on the thread after its function, however that ended.
///
/// Setting it again replaces it.
///
/// Thread: any.
/// Owns: arg stays the caller's.
/// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_on_stop(t: *mut pirn_thread, r#fn: pirn_task_fn, arg: *mut c_void) -> c_int {
    guard(|| thread::on_stop(handle(t), Some(hook(required(r#fn)?, arg))))
}

/// Says how many messages may wait for a thread; 0: any number. Without it, 1000.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ESTATE it is not NEW, nor the calling thread, attached and without a message so far;
///   PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_set_queue_limit(t: *mut pirn_thread, messages: usize) -> c_int {
    guard(|| thread::set_queue_limit(handle(t), messages))
}

/// Fills out with a thread's figures, as far as out->struct_size says that the caller knows them.
///
/// Thread: any. It costs the same however much is queued.
/// Owns: nothing; waiting_on is lent.
/// Returns: PIRN_OK; PIRN_EINVAL out is NULL or its struct_size 0; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside
///   a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_stats(t: *mut pirn_thread, out: *mut pirn_thread_stats) -> c_int {
    guard(|| {
        let stats = in_c(thread::stats(handle(t))?);
        // SAFETY: C's promise: NULL or a struct that begins with its size.
        unsafe { fill(out, stats) }
    })
}

/// Activates event when a thread is dead, however it died; at once if it is.
///
/// Thread: any.
/// Owns: the event stays the caller's; freed before, it is forgotten.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_when_dead(t: *mut pirn_thread, event: *mut pirn_event) -> c_int {
    guard(|| thread::when_dead(handle(t), handle(event)))
}

/// Sends message to watcher when a thread is dead, however it died; at once if it is.
///
/// It needs no room in the queue.
///
/// If watcher is stopping by then, the message is dropped.
///
/// Thread: any; never blocks.
/// Owns: bytes are copied; a pointer moves if the call succeeds.
/// Returns: PIRN_OK; PIRN_EDEAD watcher is dead; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE;
///   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_monitor(
    t: *mut pirn_thread,
    watcher: *mut pirn_thread,
    message: *const pirn_value,
) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { values::offer(message, |message| thread::monitor(handle(t), handle(watcher), message)) })
}

/// Lets a thread be found by what it does.
///
/// Of several publishers the first that is not dead is found; publishing again keeps the place.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ENAME service is not a name; PIRN_EDEAD the thread is dead; PIRN_EINVAL service is
///   NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_publish(t: *mut pirn_thread, service: *const c_char) -> c_int {
    // SAFETY: C's promise: NULL or text.
    guard(|| thread::publish(handle(t), &unsafe { text(service) }?))
}

/// The first publisher of a service that is not dead.
///
/// Thread: any.
/// Owns: the handle is lent.
/// Returns: the thread, or NULL: PIRN_ENOENT nobody publishes it; PIRN_EINVAL service is NULL; PIRN_EBUSY
///   inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_find_service(service: *const c_char) -> *mut pirn_thread {
    // SAFETY: C's promise: NULL or text.
    guard(|| thread::find_service(&unsafe { text(service) }?).map(pointer))
}

/// Has fn called with each accepted message that nobody will handle.
///
/// Setting it again replaces it.
///
/// fn may be called on any thread, with no lock held, and may call the library. Who waited for an answer to the
/// message has been told before.
///
/// Thread: any.
/// Owns: arg stays the caller's; what fn leaves in the message is dropped after it.
/// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn thread_on_undelivered(t: *mut pirn_thread, r#fn: pirn_undelivered_fn, arg: *mut c_void) -> c_int {
    let arg = Argument::new(arg);
    guard(|| {
        let f = required(r#fn)?;
        let told = move |t, reason: Code, value| {
            // SAFETY: C gave the function to be called like this, on any thread.
            values::lend(value, |shown| unsafe { f(pointer(t), reason as c_int, shown, arg.get()) });
        };
        thread::on_undelivered(handle(t), Some(std::sync::Arc::new(told)))
    })
}

/// Sets a value that belongs to the calling thread, under a key. PIRN_NIL takes it away.
///
/// A thread's locals are dropped when it is dead.
///
/// Thread: any; each has locals of its own, also one that is not the library's.
/// Owns: bytes are copied; a pointer moves if the call succeeds. What was under the key is dropped.
/// Returns: PIRN_OK; PIRN_EINVAL key is NULL, or no valid value; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_locals_set(key: *const c_char, value: *const pirn_value) -> c_int {
    guard(|| {
        // SAFETY: C's promise: NULL or text.
        let key = unsafe { text(key) }?;
        // SAFETY: C's promise: NULL or a value.
        unsafe { values::offer(value, |value| thread::set_local(&key, value)) }
    })
}

/// A copy of the value that the calling thread has under a key.
///
/// A pointer is lent: it is freed when the local is.
///
/// Thread: any.
/// Owns: the caller drops the copy with pirn_clear.
/// Returns: PIRN_OK; PIRN_ENOENT there is none; PIRN_EINVAL key is NULL; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_locals_get(key: *const c_char, out: *mut pirn_value) -> c_int {
    guard(|| {
        // SAFETY: C's promise: NULL or text.
        let found = unsafe { text(key) }.and_then(|key| thread::local(&key));
        // SAFETY: C's promise: NULL or memory for a value.
        unsafe { values::put(out, found) }
    })
}

/// Says that the caller is about to wait, outside the library, until holder does something.
///
/// Holder has a lock of the callers' own, say. Cycles of waits that go through it are found then.
///
/// Call it when the lock was found taken, and pirn_wait_end when it is had; a thread has one such wait at a
/// time, and no other wait of this library meanwhile. A wait that was begun can't be failed any more, so in a
/// cycle with it another one gets PIRN_EDEADLK, also a call that its receiver has begun to handle, if there is
/// no other.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EDEADLK waiting would never end, nothing was begun; PIRN_ESTATE a wait was begun and
///   not ended; PIRN_EDEAD holder is dead; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_wait_begin(holder: *mut pirn_thread) -> c_int {
    guard(|| thread::wait_begin(handle(holder)))
}

/// The caller waits no longer, whether it has got what it waited for or not.
///
/// Thread: own; the one that called pirn_wait_begin.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ESTATE no wait was begun.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_wait_end() -> c_int {
    guard(thread::wait_end)
}

/// When a wait that may take `timeout` ends.
pub(super) fn deadline(timeout: pirn_ns) -> Result<i64> {
    Ok(match patience(timeout)? {
        0 => 0,
        timeout => after(timeout),
    })
}

fn hook(task: TaskFn, arg: *mut c_void) -> thread::Hook {
    let arg = Argument::new(arg);
    // SAFETY: C gave the function to be called like this, once, on the thread.
    Box::new(move || unsafe { task(arg.get()) })
}

fn in_c(stats: thread::Stats) -> pirn_thread_stats {
    let ledger = stats.ledger;
    pirn_thread_stats {
        struct_size: 0,
        queued: ledger.queued,
        peak: ledger.peak,
        accepted: ledger.accepted,
        handled: ledger.handled,
        coalesced: ledger.coalesced,
        refused: ledger.refused,
        undelivered: ledger.undelivered,
        blocked_senders: ledger.blocked_senders,
        timers: ledger.timers,
        busy_ns: ledger.busy_ns,
        waiting_on: stats.waiting_on.map_or(std::ptr::null_mut(), pointer),
        waiting_for: stats.waiting_for.map_or(PIRN_WAIT_NONE, |kind| kind as u32),
        reserved: 0,
    }
}
