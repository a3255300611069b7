//! Futures: results that come later.
//!
//! A future ends once, with a value or a failure, or cancelled. Any thread may end it, wait for it, attach to it, free
//! it, at any time. It is bound to a loop: what is attached is called on that loop's thread, one after the other in the
//! order attached, from the loop and never from inside the call that ends it; also what is attached after the end. A
//! pending future with something attached keeps its loop running.
//!
//! A value goes to all who are attached or wait, a pointer that has a free function to the first of them: it is taken
//! by future_wait, by the first on_value function (which drops it if it leaves it), or by a future that was forwarded;
//! the others get PIRN_NIL. A function of future_then only looks at it. Nobody took it: it is freed with the future.
//!
//! A failure that nobody was attached to, with an on_error function or by future_then and the like, and nobody waited
//! for is logged when the future is freed.

use super::base::{pirn_future, pirn_loop, pirn_ns, pirn_thread};
use super::outcome::{self, Argument};
use super::values::{self, pirn_value};
use super::{guard, handle, optional_text, patience, pointer, required};
use crate::error::{Code, Error, Result};
use crate::future::{self, By, Ending, Hold, Listener, Next, Source, State};
use crate::handle::Handle;
use crate::value::{Failure, Value};
use std::ffi::{c_char, c_int, c_void};

/// A future's state: it has not ended.
pub const PIRN_PENDING: c_int = 0;
/// A future's state: it ended with a value.
pub const PIRN_FINISHED: c_int = 1;
/// A future's state: it ended with a failure.
pub const PIRN_FAILED: c_int = 2;
/// A future's state: it was cancelled.
pub const PIRN_CANCELLED: c_int = 3;

const _: () = assert!(
    PIRN_PENDING == State::Pending as c_int
        && PIRN_FINISHED == State::Finished as c_int
        && PIRN_FAILED == State::Failed as c_int
        && PIRN_CANCELLED == State::Cancelled as c_int
);

/// What a function given to future_then returns to go on with another future: the one that it has set in result by
/// pirn_set_future.
pub const PIRN_FORWARD: c_int = 1;

/// Gets the value of a future. What it leaves in value is dropped after it; pirn_move takes it out.
pub type pirn_value_fn = Option<unsafe extern "C" fn(f: *mut pirn_future, value: *mut pirn_value, arg: *mut c_void)>;

/// Gets the failure of a future: its code and words. PIRN_ECANCELED: it was cancelled.
pub type pirn_error_fn = Option<unsafe extern "C" fn(f: *mut pirn_future, error: *const pirn_value, arg: *mut c_void)>;

/// Makes a result of a value. It returns 0, with a result if it sets one; PIRN_FORWARD, with a future to go on with; or
/// a code of its own that says what failed, with words by pirn_set_error(result, …).
pub type pirn_then_fn =
    Option<unsafe extern "C" fn(value: *const pirn_value, result: *mut pirn_value, arg: *mut c_void) -> c_int>;

/// Makes a future, to be ended by future_finish, future_signal_error, future_forward or future_cancel.
///
/// Thread: any.
/// Owns: the caller gives the future up with free_future.
/// Returns: the future, or NULL: PIRN_EHANDLE, PIRN_ESTALE, PIRN_ESTATE the loop is the parent process's,
///   PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn make_future(r#loop: *mut pirn_loop) -> *mut pirn_future {
    made(|| future::make(handle(r#loop), Source::Anyone))
}

/// Ends a future with a value. What is attached is called later, from the loop.
///
/// Thread: any; what the thread wrote before is visible to whoever gets the value.
/// Owns: bytes are copied; a pointer moves if the call succeeds.
/// Returns: PIRN_OK; PIRN_ESTATE it is over, or something else ends it: a job, a reply, a function of
///   future_then, the future that it was forwarded to; PIRN_EINVAL no valid value; PIRN_EHANDLE; PIRN_ESTALE;
///   PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn future_finish(f: *mut pirn_future, value: *const pirn_value) -> c_int {
    guard(|| {
        let future = future::find(handle(f))?;
        let finish = |value: &mut Value| future.end(By::Holder, || Ending::Finished(std::mem::take(value)));
        // SAFETY: C's promise: NULL or a value.
        unsafe { values::offer(value, finish) }
    })
}

/// Ends a future with a failure: a code, which means what the caller wants it to, and words, or NULL.
///
/// Thread: any; what the thread wrote before is visible to whoever gets the failure.
/// Owns: the words are copied.
/// Returns: PIRN_OK; PIRN_ESTATE as for future_finish; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or
///   merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn future_signal_error(f: *mut pirn_future, code: c_int, text: *const c_char) -> c_int {
    guard(|| {
        let future = future::find(handle(f))?;
        // SAFETY: C's promise: NULL or text.
        let text = unsafe { optional_text(text) };
        let failure = Failure::new(code, text.as_deref().unwrap_or_default())?;
        future.end(By::Holder, || Ending::Failed(failure))
    })
}

/// Has one of two functions called when the future has ended, on its loop's thread; either may be NULL, but not both.
///
/// They are called after those that were attached before, and from the loop also if the future is over already. Both
/// are dropped uncalled when the loop is freed first.
///
/// Thread: any.
/// Owns: arg is the caller's.
/// Returns: PIRN_OK; PIRN_EINVAL both are NULL; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge
///   function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn future_attach(
    f: *mut pirn_future,
    on_value: pirn_value_fn,
    on_error: pirn_error_fn,
    arg: *mut c_void,
) -> c_int {
    let arg = Argument::new(arg);
    guard(|| {
        let future = future::find(handle(f))?;
        future::attach(&future, listener(on_value, on_error, arg)?);
        Ok(())
    })
}

/// Makes a future that ends with what fn makes of this one's value; a failure passes through without a call.
///
/// fn is called on the loop's thread, as an attached function. The new future belongs to the same loop. When it is
/// cancelled before, fn is not called. A future that fn forwards to may belong to another loop.
///
/// Thread: any.
/// Owns: the caller gives the new future up with free_future; arg is the caller's.
/// Returns: the new future, or NULL: PIRN_EINVAL fn is NULL, PIRN_EHANDLE, PIRN_ESTALE the future or its loop was
///   freed, PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn future_then(f: *mut pirn_future, r#fn: pirn_then_fn, arg: *mut c_void) -> *mut pirn_future {
    let arg = Argument::new(arg);
    made(|| {
        let future = future::find(handle(f))?;
        let then = required(r#fn)?;
        future::then(&future, false, move |value| {
            // SAFETY: C gave the function to be called like this, once.
            next(&value, |value, result| unsafe { then(value, result, arg.get()) })
        })
    })
}

/// Has f end as `to` ends, or has ended; also cancelled.
///
/// Thread: any; the two may belong to different loops.
/// Owns: nothing; both handles stay the caller's, and either may be given up.
/// Returns: PIRN_OK; PIRN_ESTATE f is over, or something else ends it; PIRN_EDEADLK `to` is f, or ends as f ends;
///   PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn future_forward(f: *mut pirn_future, to: *mut pirn_future) -> c_int {
    guard(|| {
        let future = future::find(handle(f))?;
        future::forward(&future, By::Holder, &future::find(handle(to))?)
    })
}

/// Waits until the future is over, timeout at the most. No loop needs to run for it.
///
/// It is failed with PIRN_EDEADLK where it could never end: the thread that runs the job or owes the reply waits for
/// the caller, all threads of a pool wait for a job that is queued there, or the future is ended by a function of the
/// loop that the caller runs. With a timeout, a wait that nothing else resolves ends by that.
///
/// Thread: any. An interruption point.
/// Owns: the caller drops out with pirn_clear; out may be NULL. A pointer that has a free function is taken.
/// Returns: PIRN_OK; PIRN_EHANDLER it failed: out is the error value; PIRN_ECANCELED it was cancelled;
///   PIRN_ETIMEDOUT; PIRN_EDEADLK; PIRN_EINTERRUPTED the calling thread was killed; PIRN_EINVAL timeout is
///   negative; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn future_wait(f: *mut pirn_future, timeout: pirn_ns, out: *mut pirn_value) -> c_int {
    // SAFETY: C's promise: NULL or memory for a value.
    guard(|| unsafe { outcome::put(out, wait(handle(f), timeout)) })
}

/// Cancels a future. Attached on_error functions get PIRN_ECANCELED, a job that is queued never runs.
///
/// A message that was sent by thread_send is handled all the same, and its reply dropped.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: 1 it is cancelled now; 0 it was over; PIRN_EBUSY its job runs already; PIRN_EHANDLE; PIRN_ESTALE.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn future_cancel(f: *mut pirn_future) -> c_int {
    guard(|| future::find(handle(f))?.cancel())
}

/// Where a future stands.
///
/// Thread: any.
/// Owns: nothing.
/// Returns: PIRN_PENDING, PIRN_FINISHED, PIRN_FAILED or PIRN_CANCELLED; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY
///   inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn future_state(f: *mut pirn_future) -> c_int {
    guard(|| Ok(future::find(handle(f))?.state() as c_int))
}

/// Gives the handle up. What is attached still runs, a job is still done, futures that go on from here still end.
///
/// A pending future that nothing but its handle could end will never come: it ends with a failure, PIRN_EDEAD.
///
/// Thread: any; also inside its own callbacks.
/// Owns: the handle is stale from now on.
/// Returns: PIRN_OK; PIRN_EHANDLE; PIRN_ESTALE; PIRN_EBUSY inside a key or merge function.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn free_future(f: *mut pirn_future) -> c_int {
    guard(|| future::free(handle(f)))
}

/// Makes a future that finishes when all of count futures have finished; its value is the integer count.
///
/// It ends at once as the first of them ends that fails or is cancelled. Their values stay with them: after this one
/// has finished, future_wait gives each without waiting. Of none, it has finished.
///
/// Thread: any; the futures may belong to different loops.
/// Owns: the caller gives the new future up with free_future; the others' handles stay the caller's, who may give
///   them up.
/// Returns: the new future, or NULL: PIRN_EINVAL futures is NULL and count is not 0, PIRN_EHANDLE, PIRN_ESTALE,
///   PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn future_all(
    r#loop: *mut pirn_loop,
    futures: *const *mut pirn_future,
    count: usize,
) -> *mut pirn_future {
    // SAFETY: C's promise: NULL, or `count` handles are there.
    made(|| future::all(handle(r#loop), &unsafe { handles(futures, count) }?))
}

/// Makes a future that finishes when the first of count futures has finished; its value is that one's place, from 0.
///
/// When none of them finishes, it ends as the last of them.
///
/// Thread: any; the futures may belong to different loops.
/// Owns: the caller gives the new future up with free_future; the others' handles stay the caller's, who may give
///   them up.
/// Returns: the new future, or NULL: PIRN_EINVAL futures is NULL or count is 0, PIRN_EHANDLE, PIRN_ESTALE,
///   PIRN_EBUSY inside a key or merge function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn future_any(
    r#loop: *mut pirn_loop,
    futures: *const *mut pirn_future,
    count: usize,
) -> *mut pirn_future {
    // SAFETY: C's promise: NULL, or `count` handles are there.
    made(|| future::any(handle(r#loop), &unsafe { handles(futures, count) }?))
}

/// Sends a message; the reply is a future of loop.
///
/// It fails as the receiver fails, and with PIRN_EDEAD when the receiver dies without an answer. The message is handled
/// whether or not anybody wants the reply any more. Waits while the queue is full, as thread_send_async does.
///
/// Thread: any. An interruption point.
/// Owns: bytes are copied; a pointer moves if the call succeeds. The caller gives the future up with free_future.
/// Returns: the future, or NULL: PIRN_EDEAD the thread is stopping or dead, PIRN_EINTERRUPTED the calling thread was
///   killed, PIRN_EDEADLK, PIRN_EINVAL no valid value, PIRN_EHANDLE, PIRN_ESTALE, PIRN_EBUSY inside a key or
///   merge function, PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thread_send(
    t: *mut pirn_thread,
    message: *const pirn_value,
    r#loop: *mut pirn_loop,
) -> *mut pirn_future {
    // SAFETY: C's promise: NULL or a value.
    made(|| unsafe { values::offer(message, |message| future::ask(handle(t), message, handle(r#loop))) })
}

/// A new future's handle as C holds it.
pub(super) fn made(make: impl FnOnce() -> Result<Hold>) -> *mut pirn_future {
    guard(|| make().map(|future| pointer(future.handle())))
}

fn wait(future: Handle, timeout: pirn_ns) -> Result<Result<Value, Failure>> {
    match future::wait(&future::find(future)?, patience(timeout)?)? {
        Ending::Cancelled => Err(Code::Cancelled.into()),
        ending => Ok(ending.into_result()),
    }
}

/// Two C functions as one that is told of any end.
fn listener(on_value: pirn_value_fn, on_error: pirn_error_fn, arg: Argument) -> Result<Listener> {
    if on_value.is_none() && on_error.is_none() {
        return Err(Error::new(Code::Invalid, "both functions are NULL"));
    }
    let call = Box::new(move |f: Handle, ending: Ending| match (ending.into_result(), on_value, on_error) {
        // SAFETY: C gave the function to be called like this, once; the value lives until it returns.
        (Ok(value), Some(call), _) => values::lend(value, |value| unsafe { call(pointer(f), value, arg.get()) }),
        (Err(failure), _, Some(call)) => {
            // SAFETY: likewise.
            values::show(&Value::Error(failure), |error| unsafe { call(pointer(f), error, arg.get()) });
        }
        _ => {}
    });
    Ok(Listener { takes: on_value.is_some(), hears_failures: on_error.is_some(), call })
}

/// Calls a then-function, and looks at what it left.
fn next(value: &Value, then: impl FnOnce(*const pirn_value, *mut pirn_value) -> c_int) -> Next {
    let forwards = |code, left: &Result<Value>| code == PIRN_FORWARD || matches!(left, Ok(Value::Future(_)));
    let (code, left) = values::show(value, |value| values::collect(|result| then(value, result)));
    if !forwards(code, &left) {
        return Next::End(outcome::what_is_left(code, left));
    }
    match (code, left) {
        (PIRN_FORWARD, Ok(Value::Future(to))) => match future::find(to.0) {
            Ok(to) => Next::Forward(to),
            Err(error) => Next::End(Err(Failure::from(&error))),
        },
        _ => {
            let error = Error::new(Code::Invalid, "PIRN_FORWARD and pirn_set_future come together or not at all");
            Next::End(Err(Failure::from(&error)))
        }
    }
}

/// # Safety
/// `futures` is null, or `count` handles are there.
unsafe fn handles(futures: *const *mut pirn_future, count: usize) -> Result<Vec<Handle>> {
    if futures.is_null() && count > 0 {
        return Err(Error::new(Code::Invalid, "there are no futures"));
    }
    let at = |place| {
        // SAFETY: `place` is below `count`.
        let place = unsafe { futures.add(place) };
        // SAFETY: the caller's promise.
        handle(unsafe { place.read() })
    };
    Ok((0..count).map(at).collect())
}
