//! Futures for Rust programs: typed, owned by the one who wants the result, and awaitable.
#![expect(unsafe_code, reason = "a result of any type travels as a pointer to a box of it")]

use super::body::{By, Source};
use super::chain::Ender;
use super::{Ending, Hold, Listener, Next, State, attach, forward, make, task, then, wait};
use crate::error::{Code, Error, Result};
use crate::event_loop::{LoopRef, stop_on_panic};
use crate::sync::Mutex;
use crate::sys::clock::{NEVER, Nanos};
use crate::thread;
use crate::value::{Failure, Pointer, Value};
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A result that comes later, as a function of a loop's thread, to a thread that waits, or to an `.await` in any
/// executor.
///
/// ```
/// use pirn::EventLoop;
///
/// let event_loop = EventLoop::new()?;
/// let nine = pirn::queue_work(&event_loop, || 4 + 5)?;
/// let text = nine.then(|sum| format!("4 + 5 = {sum}"))?;
/// text.on_end(|text| assert_eq!(text.unwrap(), "4 + 5 = 9"));
/// event_loop.run()?;
/// # Ok::<(), pirn::Error>(())
/// ```
///
/// A failure that nobody looks at is logged when the future is dropped.
pub struct Future<T> {
    hold: Hold,
    result: PhantomData<fn() -> T>,
}

/// The duty to give a [`Future`] its end. Dropped without, it ends the future with [`Code::Dead`].
///
/// ```
/// let event_loop = pirn::EventLoop::new()?;
/// let (promise, future) = event_loop.future()?;
/// std::thread::spawn(move || promise.finish(7));
/// assert_eq!(future.wait()?, 7);
/// # Ok::<(), pirn::Error>(())
/// ```
pub struct Promise<T> {
    hold: Hold,
    ender: Ender,
    result: PhantomData<fn(T)>,
}

impl LoopRef {
    /// A future whose callbacks run on this loop's thread, and the promise that ends it.
    pub fn future<T: Send + 'static>(&self) -> Result<(Promise<T>, Future<T>)> {
        let hold = make(self.0, Source::Promise)?;
        let promise = Promise { ender: Ender::new(&hold), hold: hold.clone(), result: PhantomData };
        Ok((promise, Future::owned(hold)?))
    }

    /// Polls `task` on this loop's thread, from the next round on, until it is done. It keeps the loop running. The
    /// future is what it returns; cancelling that drops the task. A task that waits for something that can't come any
    /// more, because all its wakers were dropped, is dropped: [`Code::Dead`].
    ///
    /// ```
    /// let event_loop = pirn::EventLoop::new()?;
    /// let on = *event_loop;
    /// let sum = event_loop.spawn(async move {
    ///     let four = pirn::queue_work(&on, || 4)?;
    ///     Ok::<_, pirn::Error>(four.await? + 5)
    /// })?;
    /// event_loop.run()?;
    /// assert_eq!(sum.wait()??, 9);
    /// # Ok::<(), pirn::Error>(())
    /// ```
    pub fn spawn<F>(&self, task: F) -> Result<Future<F::Output>>
    where
        F: std::future::Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Future::owned(task::spawn(self.0, Box::pin(async move { seal(task.await) }))?)
    }
}

impl<T: Send + 'static> Promise<T> {
    /// The future ends with `value`. [`Code::State`] when it was cancelled.
    pub fn finish(self, value: T) -> Result<()> {
        self.hold.end(By::Source, || Ending::Finished(seal(value)))
    }

    /// The future ends with a failure. [`Code::State`] when it was cancelled.
    pub fn fail(self, error: &Error) -> Result<()> {
        self.hold.end(By::Source, || Ending::Failed(Failure::from(error)))
    }

    /// The future ends as `to` ends. [`Code::State`] when it was cancelled, [`Code::Deadlock`] when `to` is the
    /// promise's own future, or waits for it by such forwards.
    pub fn forward(self, to: Future<T>) -> Result<()> {
        forward(&self.hold, By::Source, &to.hold)?;
        self.ender.release();
        Ok(())
    }

    /// Does nobody want the result any more?
    pub fn is_cancelled(&self) -> bool {
        self.hold.state() == State::Cancelled
    }
}

impl<T: Send + 'static> Future<T> {
    /// The future is the hold's only owner: there is no handle.
    pub(crate) fn owned(hold: Hold) -> Result<Self> {
        hold.give_up()?;
        Ok(Self { hold, result: PhantomData })
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.hold.state()
    }

    /// True: it is cancelled now. False: it was over. [`Code::Busy`]: its job runs already.
    pub fn cancel(&self) -> Result<bool> {
        self.hold.cancel()
    }

    /// Waits for the result. No loop needs to run for that, unless a function of its thread is what makes it:
    /// [`Code::Deadlock`] when the caller is that thread, and when threads would wait for each other in a circle.
    pub fn wait(self) -> Result<T> {
        open(wait(&self.hold, NEVER)?)
    }

    /// Waits for the result, `timeout` at the most: then [`Code::TimedOut`], and the result can still be asked for.
    /// Once it was given out, it is [`Code::State`].
    pub fn wait_within(&mut self, timeout: Duration) -> Result<T> {
        open(wait(&self.hold, Nanos::try_from(timeout.as_nanos()).unwrap_or(NEVER - 1))?)
    }

    /// Has `callback` called on the loop's thread with the result, or why there is none. Dropped uncalled with its
    /// loop.
    pub fn on_end(self, callback: impl FnOnce(Result<T>) + Send + 'static) {
        let call = Box::new(move |_, ending| stop_on_panic(|| callback(open(ending))));
        attach(&self.hold, Listener { takes: true, hears_failures: true, call });
    }

    /// A future of what `next`, on the loop's thread, makes of the result. A failure passes through; a panic is one.
    pub fn then<U: Send + 'static>(self, next: impl FnOnce(T) -> U + Send + 'static) -> Result<Future<U>> {
        self.chain(move |value| Next::End(Ok(seal(next(value)))))
    }

    /// The same with a `next` that begins something: the future ends as the one that it returns.
    pub fn and_then<U: Send + 'static>(
        self,
        next: impl FnOnce(T) -> Result<Future<U>> + Send + 'static,
    ) -> Result<Future<U>> {
        self.chain(move |value| match next(value) {
            Ok(future) => Next::Forward(future.hold),
            Err(error) => Next::End(Err(Failure::from(&error))),
        })
    }

    fn chain<U: Send + 'static>(self, next: impl FnOnce(T) -> Next + Send + 'static) -> Result<Future<U>> {
        let next = move |value| match open(Ending::Finished(value)) {
            Ok(value) => catch_unwind(AssertUnwindSafe(|| next(value)))
                .unwrap_or_else(|panic| Next::End(Err(thread::failure_of(panic)))),
            Err(error) => Next::End(Err(Failure::from(&error))),
        };
        Future::owned(then(&self.hold, true, next)?)
    }

    /// A future of all results, in the order given; it fails at once as the first fails.
    ///
    /// ```
    /// use pirn::{EventLoop, Future, queue_work};
    ///
    /// let event_loop = EventLoop::new()?;
    /// let squares = (0..10).map(|n| queue_work(&event_loop, move || n * n)).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(Future::all(&event_loop, squares)?.wait()?.iter().sum::<i32>(), 285);
    /// # Ok::<(), pirn::Error>(())
    /// ```
    pub fn all(event_loop: &LoopRef, futures: impl IntoIterator<Item = Future<T>>) -> Result<Future<Vec<T>>> {
        let futures: Vec<_> = futures.into_iter().collect();
        let (promise, all) = event_loop.future()?;
        let missing = Arc::new(Mutex::new(Missing::new(promise, futures.len())));
        for (place, future) in futures.into_iter().enumerate() {
            let missing = Arc::clone(&missing);
            future.tell(move |result| {
                let done = missing.lock().arrived(place, result);
                done.into_iter().for_each(Done::settle);
            });
        }
        let done = missing.lock().done();
        done.into_iter().for_each(Done::settle);
        Ok(all)
    }

    /// A future that ends with the first result; when there is none, it fails as the last of them. Of no futures:
    /// [`Code::Invalid`].
    pub fn any(event_loop: &LoopRef, futures: impl IntoIterator<Item = Future<T>>) -> Result<Future<T>> {
        let futures: Vec<_> = futures.into_iter().collect();
        if futures.is_empty() {
            return Err(Error::new(Code::Invalid, "of no futures none finishes"));
        }
        let (promise, any) = event_loop.future()?;
        let left = Arc::new(Mutex::new((futures.len(), Some(promise))));
        for future in futures {
            let left = Arc::clone(&left);
            future.tell(move |result| {
                let promise = {
                    let mut left = left.lock();
                    left.0 -= 1;
                    if result.is_ok() || left.0 == 0 { left.1.take() } else { None }
                };
                if let Some(promise) = promise {
                    promise.settle(result);
                }
            });
        }
        Ok(any)
    }

    /// Has `told` called at once when it ends, on whichever thread ends it.
    fn tell(self, told: impl FnOnce(Result<T>) + Send + 'static) {
        let call = Box::new(move |_, ending| told(open(ending)));
        if let Some((watch, ending)) = self.hold.body().watch(Listener { takes: true, hears_failures: true, call }) {
            (watch.call)(self.hold.handle(), ending);
        }
    }
}

impl<T: Send + 'static> std::future::Future for Future<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        match self.hold.body().poll(context.waker()) {
            Some(ending) => Poll::Ready(open(ending)),
            None => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Future({:?}, {:?})", self.hold, self.hold.state())
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Promise({:?})", self.hold)
    }
}

impl<T: Send + 'static> Promise<T> {
    fn settle(self, result: Result<T>) {
        // Cancelled: then nobody wants it.
        let _ = match result {
            Ok(value) => self.finish(value),
            Err(error) => self.fail(&error),
        };
    }
}

/// The results that are there, of those that [`Future::all`] waits for.
struct Missing<T> {
    results: Vec<Option<T>>,
    left: usize,
    promise: Option<Promise<Vec<T>>>,
}

/// All are there, or one failed. Settled when no lock is held.
struct Done<T>(Promise<Vec<T>>, Result<Vec<T>>);

impl<T: Send + 'static> Missing<T> {
    fn new(promise: Promise<Vec<T>>, count: usize) -> Self {
        Self { results: (0..count).map(|_| None).collect(), left: count, promise: Some(promise) }
    }

    fn arrived(&mut self, place: usize, result: Result<T>) -> Option<Done<T>> {
        match result {
            Ok(value) => {
                self.results[place] = Some(value);
                self.left -= 1;
                self.done()
            }
            Err(error) => Some(Done(self.promise.take()?, Err(error))),
        }
    }

    fn done(&mut self) -> Option<Done<T>> {
        if self.left > 0 {
            return None;
        }
        let promise = self.promise.take()?;
        Some(Done(promise, Ok(std::mem::take(&mut self.results).into_iter().flatten().collect())))
    }
}

impl<T: Send + 'static> Done<T> {
    fn settle(self) {
        self.0.settle(self.1);
    }
}

// ---- results of any type

/// `result` as what futures carry.
pub(crate) fn seal<T: Send + 'static>(result: T) -> Value {
    unsafe extern "C" fn drop_boxed<T>(boxed: *mut c_void) {
        // SAFETY: `seal` made the pointer from a box of this type, and a value frees its pointer once.
        let boxed = unsafe { Box::from_raw(boxed.cast::<T>()) };
        // A destructor that panics must not unwind through C's calling convention.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(boxed)));
    }
    let boxed = Box::into_raw(Box::new(result));
    // SAFETY: the box is given away here, and what it holds may be dropped on any thread.
    Value::Pointer(unsafe { Pointer::new(boxed.cast(), Some(drop_boxed::<T>)) })
}

/// What was sealed; a future of type `T` carries nothing else.
fn open<T: Send + 'static>(ending: Ending) -> Result<T> {
    match ending {
        Ending::Finished(Value::Pointer(sealed)) => {
            let (boxed, _) = sealed.into_raw();
            // SAFETY: only `seal::<T>` ends futures of type `T`, and `Ending::take` gives its pointer out once.
            Ok(*unsafe { Box::from_raw(boxed.cast::<T>()) })
        }
        Ending::Finished(_) => Err(Error::new(Code::State, "the result was given out before")),
        Ending::Cancelled => Err(Code::Cancelled.into()),
        Ending::Failed(failure) => {
            let code = Code::from_number(failure.code()).unwrap_or(Code::Handler);
            Err(Error::new(code, failure.text().into_owned()))
        }
    }
}
