//! The event loop: made, run, ended, posted to, and waited on by those who dispatch by themselves.
//!
//! A loop sleeps until one of its events is ready and then calls that event's function, on the thread that runs it,
//! one after the other. Any thread may make, add, activate, remove and free events of it, and post tasks, while it
//! runs; it is woken only where that is needed, and nothing has to be switched on first.
//!
//! Whatever a thread wrote before it activated an event or posted a task is visible to the function that runs because
//! of it, also when several activations were merged into one call.

use super::base::{pirn_event, pirn_loop, pirn_ns, pirn_task_fn};
use super::{Growing, fill, guard, handle, patience, pointer, required};
use crate::error::{Code, Error, Result};
use crate::event_loop::{self, Argument, End, Stats, Taken, Task};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

/// An event or a task that is ready, as event_loop_take gives it out.
#[repr(C)]
pub struct pirn_ready {
    /// The event, or NULL for a posted task.
    pub event: *mut pirn_event,
    /// Why: PIRN_ACTIVATED, PIRN_TIMEOUT and so on, or'd. 0 for a task.
    pub what: u32,
    /// How many activations and ticks this stands for. 1 for a task.
    pub count: u32,
    /// The event's or the task's argument.
    pub arg: *mut c_void,
    /// The task's function; NULL for events, and for tasks that were posted without one.
    pub task: pirn_task_fn,
}

/// A loop's figures. Set struct_size to sizeof(pirn_loop_stats) before asking.
#[repr(C)]
pub struct pirn_loop_stats {
    /// The size of the caller's struct.
    pub struct_size: usize,
    /// Events that were made and not freed.
    pub events: u64,
    /// Events that are pending or active now.
    pub pending: u64,
    /// Rounds gone.
    pub rounds: u64,
    /// Callbacks called or taken.
    pub callbacks: u64,
    /// Activations that callbacks ran for, and those that were called off. Counted then, not when asked for.
    pub activations: u64,
    /// Activations that came before the callback of an earlier one had started, and were merged into it.
    pub merged: u64,
    /// Tasks posted.
    pub posts: u64,
    /// Times that the loop's thread came back from sleep, whatever ended it.
    pub wakeups: u64,
    /// Timeouts, delays and interval ticks that fired.
    pub timers_fired: u64,
    /// The most that one of them fired after its time, in nanoseconds.
    pub max_lateness_ns: u64,
}

// SAFETY: `repr(C)`, a usize first and eight-byte fields throughout.
unsafe impl Growing for pirn_loop_stats {}

/// Makes an event loop.
///
/// Thread: any; the loop belongs to no thread until one runs it or waits on it.
/// Owns: the caller frees it with free_event_loop.
/// Returns: the loop, or NULL: PIRN_ESYS too many files are open, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn make_event_loop() -> *mut pirn_loop {
    guard(|| event_loop::make().map(pointer))
}

/// Frees a loop that isn't running. Its events turn stale, and what event_on_free set for them is called.
///
/// Tasks that were posted and have not run are dropped. Futures of the loop can still be waited for, but run no
/// callbacks any more.
///
/// Thread: any; also other threads that use the loop or its events at that moment: they get PIRN_ESTALE.
/// Owns: the loop and its events are gone.
/// Returns: PIRN_OK; PIRN_EBUSY it is running, or a thread is on it by thread_loop_on; PIRN_EHANDLE;
///   PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn free_event_loop(r#loop: *mut pirn_loop) -> c_int {
    guard(|| event_loop::free(handle(r#loop)))
}

/// Runs the loop on the calling thread, until nothing keeps it alive, or until exit or break.
///
/// What keeps it alive: a made event that was not removed, a pending fd event, delay, interval or timeout, an
/// active event, a posted task, a thread on it by thread_loop_on, a pending future with something attached.
/// event_unref takes an event out of that. Each round has a budget, so that no flood of activations or posts
/// can starve timers, fds or exit. It is event_loop_wait and event_loop_take in a row.
///
/// Thread: any, one at a time; that one is the loop's own while it runs.
/// Owns: nothing.
/// Returns: 1 nothing is left that keeps it alive; 0 event_loop_exit or event_loop_break ended it, and is used
///   up; PIRN_EBUSY it runs already, or this thread is running one; PIRN_EINTERRUPTED the thread was killed;
///   PIRN_ESYS; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_run(r#loop: *mut pirn_loop) -> c_int {
    guard(|| event_loop::run(handle(r#loop)).map(|end| matches!(end, End::Empty)))
}

/// Runs one round: waits for something to become ready, timeout at the most, and calls what is.
///
/// It may come back early, with 0. With timeout 0 it doesn't wait (libevent: EVLOOP_NONBLOCK; libuv:
/// UV_RUN_NOWAIT), with PIRN_FOREVER it waits without end (EVLOOP_ONCE; UV_RUN_ONCE).
///
/// Thread: any, one at a time; that one is the loop's own while it runs.
/// Owns: nothing.
/// Returns: how many callbacks ran; 0 at once when nothing keeps the loop alive; exit or break end the round
///   early and are used up; PIRN_EINVAL timeout is negative; PIRN_EBUSY, PIRN_EINTERRUPTED, PIRN_ESYS,
///   PIRN_EHANDLE and PIRN_ESTALE as for event_loop_run.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_run_once(r#loop: *mut pirn_loop, timeout: pirn_ns) -> c_int {
    guard(|| event_loop::run_once(handle(r#loop), patience(timeout)?))
}

/// Ends the run once the callbacks that are active now have run (libevent: event_base_loopexit).
///
/// It is sticky: asked while the loop isn't running, it ends the next run, before that waits.
///
/// Thread: any; also inside the loop's callbacks.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_exit(r#loop: *mut pirn_loop) -> c_int {
    guard(|| event_loop::exit(handle(r#loop)))
}

/// Ends the run after the callback that runs now (libevent: event_base_loopbreak).
///
/// What was active and did not run, runs in the next run. It is sticky: asked while the loop isn't running, it
/// ends the next run, before anything is called.
///
/// Thread: any; also inside the loop's callbacks.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_break(r#loop: *mut pirn_loop) -> c_int {
    guard(|| event_loop::break_now(handle(r#loop)))
}

/// The loop that the calling thread is running.
///
/// Thread: any.
/// Owns: nothing; it stays the maker's.
/// Returns: the loop, or NULL if this thread runs none, which is no failure.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_current() -> *mut pirn_loop {
    guard(|| Ok(event_loop::current().map_or(null_mut(), pointer)))
}

/// Has fn(arg) called once on the loop's thread.
///
/// None is lost and none is merged; the tasks of one poster run in the order they were posted. A task may post.
/// With fn NULL the task can only be taken, by event_loop_take; event_loop_run drops it.
///
/// Thread: any; wakes the loop if it sleeps.
/// Owns: arg is the caller's; a task that never runs, because the loop is freed, is dropped without a word.
/// Returns: PIRN_OK; PIRN_ENOMEM; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_post(r#loop: *mut pirn_loop, r#fn: pirn_task_fn, arg: *mut c_void) -> c_int {
    guard(|| event_loop::post(handle(r#loop), Task::Function(r#fn, Argument(arg))))
}

/// Has fn(arg) called when the run ends, on the thread that ran; the last one set is called first.
///
/// Thread: any.
/// Owns: arg is the caller's; the call is used up by the run's end.
/// Returns: PIRN_OK; PIRN_EINVAL fn is NULL; PIRN_ENOMEM; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_on_exit(r#loop: *mut pirn_loop, r#fn: pirn_task_fn, arg: *mut c_void) -> c_int {
    guard(|| event_loop::on_exit(handle(r#loop), Task::Function(Some(required(r#fn)?), Argument(arg))))
}

/// A descriptor that is readable when the loop has work, also for due timers: to embed it in another loop.
///
/// Watch it for reading, level-triggered; when it is readable call event_loop_run_once(loop, 0). Don't read
/// from it, write to it or close it.
///
/// Thread: any.
/// Owns: the descriptor is the loop's, and closed with it.
/// Returns: the descriptor; PIRN_ESYS too many files are open, or the system has no epoll and so nothing that
///   could stand for all of a loop; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_fd(r#loop: *mut pirn_loop) -> c_int {
    guard(|| event_loop::fd(handle(r#loop)))
}

/// Fills in the loop's figures, as far as out->struct_size reaches.
///
/// Thread: any; the figures are counted without a lock, so they need not belong to one moment.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EINVAL out is NULL or its struct_size too small; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_loop_stats(r#loop: *mut pirn_loop, out: *mut pirn_loop_stats) -> c_int {
    guard(|| {
        let stats = in_c(event_loop::stats(handle(r#loop))?);
        // SAFETY: C's promise: NULL, or a struct as long as its struct_size says.
        unsafe { fill(out, stats) }
    })
}

/// Makes the loop usable in a forked child; without it a loop of the parent's works in the parent only.
///
/// Events stay as they are. The parent's threads, pools and futures do not exist in the child. In a callback
/// that forked, the run goes on in the child as well. Where nothing was forked it does nothing.
///
/// Thread: any, which is the child's only one; before anything else of the library is called for this loop.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ESYS too many files are open; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_reinit(r#loop: *mut pirn_loop) -> c_int {
    guard(|| event_loop::reinit(handle(r#loop)))
}

/// Does now every set-up that would otherwise happen, and could fail, at the first call from another thread.
///
/// It is never needed: any thread may call anything from the start (libevent needs evthread_use_pthreads).
///
/// Thread: any; calling it again is harmless.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_ESYS.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn enable_threading_support() -> c_int {
    guard(event_loop::enable_threading)
}

/// Sleeps until something is ready, timeout at the most. Nothing is called.
///
/// What is ready is given out by event_loop_take. It is a leaf, for runtimes that dispatch by themselves or
/// unwind (a Lisp's throw, a C++ exception): it holds nothing while it sleeps, so leaving it by a non-local
/// exit costs nothing.
///
/// Thread: own; the thread that waited last is the loop's own.
/// Owns: nothing.
/// Returns: 1 something is ready; 0 not, or not any more; PIRN_ECANCELED exit or break was asked, and is used
///   up; PIRN_ENOENT nothing keeps the loop alive; PIRN_EINVAL timeout is negative; PIRN_EBUSY another thread
///   waits on it or runs it; PIRN_EINTERRUPTED the thread was killed; PIRN_ESYS; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn event_loop_wait(r#loop: *mut pirn_loop, timeout: pirn_ns) -> c_int {
    guard(|| event_loop::wait(handle(r#loop), patience(timeout)?))
}

/// Takes what is ready, most urgent first. Never blocks and never calls back: calling is up to the taker.
///
/// An event that was taken counts as called: an activation from then on makes it ready once more. One that has
/// a function, and a task that has one, is the taker's to call.
///
/// Thread: own; the thread that waited last is the loop's own.
/// Owns: out is the caller's; of the events and arguments in it nothing changes hands.
/// Returns: how many were filled in, capacity at the most; PIRN_EINVAL capacity is below 1, or out is NULL;
///   PIRN_ETHREAD this isn't the loop's own thread; PIRN_EBUSY it runs; PIRN_ESYS; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn event_loop_take(r#loop: *mut pirn_loop, out: *mut pirn_ready, capacity: c_int) -> c_int {
    guard(|| {
        // SAFETY: C's promise: NULL, or room for `capacity`.
        let mut shelf = unsafe { Shelf::new(out, capacity) }?;
        event_loop::take(handle(r#loop), shelf.capacity, &mut |taken| shelf.put(taken))
    })
}

/// The caller's array, and how much of it is filled.
struct Shelf {
    next: *mut pirn_ready,
    capacity: usize,
    filled: usize,
}

impl Shelf {
    /// # Safety
    /// `out` is null or has room for `capacity` entries.
    unsafe fn new(out: *mut pirn_ready, capacity: c_int) -> Result<Self> {
        match usize::try_from(capacity) {
            Ok(capacity) if capacity > 0 && !out.is_null() => Ok(Self { next: out, capacity, filled: 0 }),
            _ => Err(Error::new(Code::Invalid, "there is no room to fill")),
        }
    }

    fn put(&mut self, taken: Taken) {
        assert!(self.filled < self.capacity, "no more is taken than there is room for");
        let Taken { event, what, count, argument: Argument(arg), task } = taken;
        let event = event.map_or(null_mut(), pointer);
        // SAFETY: `next` is inside the array, by the assertion and the promise to `new`.
        unsafe { self.next.write(pirn_ready { event, what, count, arg, task }) };
        // SAFETY: at most one past the array's end.
        self.next = unsafe { self.next.add(1) };
        self.filled += 1;
    }
}

fn in_c(stats: Stats) -> pirn_loop_stats {
    pirn_loop_stats {
        struct_size: size_of::<pirn_loop_stats>(),
        events: stats.events,
        pending: stats.pending,
        rounds: stats.rounds,
        callbacks: stats.callbacks,
        activations: stats.activations,
        merged: stats.merged,
        posts: stats.posts,
        wakeups: stats.wakeups,
        timers_fired: stats.timers_fired,
        max_lateness_ns: stats.max_lateness_ns,
    }
}
