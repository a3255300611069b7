//! Work in the background: pools of threads, and results that come back to the loop as futures.
//!
//! One pool is shared by the whole process, has as many threads as the machine has cores, and begins when it is first
//! used. Others are made by name, so that jobs that block don't keep others waiting. A pool's threads are threads like
//! all others: thread_current() in a job is one of them, called NAME-1.4 (the first, of four; the shared pool's
//! pirn-pool-1.4), dumps and traces show it, and the search for deadlocks knows it. Jobs that want to have somewhere to
//! keep things use thread_locals_set. A thread that is killed leaves its pool when it has ended its job; without
//! threads, what is queued ends with PIRN_EDEAD.
//!
//! In a forked child there are no pools; the shared one begins anew.

use super::base::{pirn_future, pirn_loop, pirn_pool};
use super::futures::made;
use super::outcome::{self, Argument};
use super::values::pirn_value;
use super::{guard, handle, pointer, required, text};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::pool;
use std::ffi::{c_char, c_int, c_void};

/// Does some work, on a thread of a pool. It returns 0, with a result if it sets one, or a code of its own that says
/// what failed, with words by pirn_set_error(result, …).
pub type pirn_work_fn = Option<unsafe extern "C" fn(result: *mut pirn_value, arg: *mut c_void) -> c_int>;

/// Has work done by a thread of the shared pool; the result is a future of loop (libuv: uv_queue_work).
///
/// It runs although nobody waits for it or the future was given up; future_cancel takes it back as long as it has not
/// begun. What is attached to the future is called on the loop's thread.
///
/// Thread: any; never blocks. What the thread wrote before is visible to work, and what work wrote to whoever gets
///   the result.
/// Owns: the caller gives the future up with free_future; arg is the caller's, to be kept until work has returned or
///   was cancelled.
/// Returns: the future, or NULL: PIRN_EINVAL work is NULL, PIRN_EHANDLE, PIRN_ESTALE, PIRN_ESTATE the loop is the
///   parent process's, PIRN_ESYS the pool's threads can't be started, PIRN_EBUSY inside a key or merge function,
///   PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn queue_work(r#loop: *mut pirn_loop, work: pirn_work_fn, arg: *mut c_void) -> *mut pirn_future {
    submit(None, r#loop, work, arg)
}

/// Makes a pool with threads of its own and room for queue_limit jobs that have not begun, 0 for any number.
///
/// Thread: any.
/// Owns: the caller frees it with free_pool.
/// Returns: the pool, or NULL: PIRN_EINVAL threads is below 1 or name is NULL, PIRN_ENAME, PIRN_EEXIST there is a pool
///   of this name, PIRN_ESYS its threads can't be started, PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn make_pool(name: *const c_char, threads: c_int, queue_limit: usize) -> *mut pirn_pool {
    guard(|| {
        // SAFETY: C's promise: NULL or text.
        let name = unsafe { text(name) }?;
        pool::make(&name, count(threads)?, queue_limit).map(pointer)
    })
}

/// Has work done by a thread of this pool; as queue_work otherwise.
///
/// When the queue is full it waits for room, first come, first served. A thread that runs a loop doesn't wait.
///
/// Thread: any. An interruption point.
/// Owns: as for queue_work.
/// Returns: the future, or NULL: PIRN_EAGAIN the queue is full and the caller runs a loop, PIRN_EDEADLK it is full and
///   all the pool's threads wait for the caller, or for the pool as the caller does, PIRN_EINTERRUPTED the calling
///   thread was killed, PIRN_EDEAD the pool's threads were killed, PIRN_EINVAL work is NULL, PIRN_EHANDLE, PIRN_ESTALE
///   the pool or the loop was freed, PIRN_ESTATE the loop is the parent process's, PIRN_EBUSY inside a key or merge
///   function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pool_queue_work(
    pool: *mut pirn_pool,
    r#loop: *mut pirn_loop,
    work: pirn_work_fn,
    arg: *mut c_void,
) -> *mut pirn_future {
    submit(Some(handle(pool)), r#loop, work, arg)
}

/// Changes how many threads a pool has; with NULL, the shared pool. Those that are too many end their jobs first.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_OK; PIRN_EINVAL threads is below 1; PIRN_ESYS not all could be started; PIRN_EDEAD its threads were
///   killed; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pool_set_threads(pool: *mut pirn_pool, threads: c_int) -> c_int {
    let pool = (!pool.is_null()).then(|| handle(pool));
    guard(|| pool::resize(pool, count(threads)?))
}

/// Frees a pool: jobs that have not begun are cancelled, those that run end first.
///
/// It waits for them, except when one of them is the caller.
///
/// Thread: any; also in the pool's own jobs. An interruption point.
/// Owns: the handle is stale from now on, its threads' names are free again.
/// Returns: PIRN_OK; PIRN_EINTERRUPTED the calling thread was killed, PIRN_EDEADLK a job waits for the caller: then
///   the pool is freed all the same, and its last jobs end later; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key
///   or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn free_pool(pool: *mut pirn_pool) -> c_int {
    guard(|| pool::free(handle(pool)))
}

fn submit(pool: Option<Handle>, r#loop: *mut pirn_loop, work: pirn_work_fn, arg: *mut c_void) -> *mut pirn_future {
    let arg = Argument::new(arg);
    made(|| {
        let work = required(work)?;
        // SAFETY: C gave the function to be called like this, once, from any thread.
        let job = move || outcome::of_call(|result| unsafe { work(result, arg.get()) });
        pool::submit(pool, handle(r#loop), job)
    })
}

fn count(threads: c_int) -> Result<usize> {
    usize::try_from(threads).map_err(|_| Error::new(Code::Invalid, "a pool needs a thread"))
}
