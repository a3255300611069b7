//! The loop for Rust programs: closures, durations, owners that free what they made.
#![expect(unsafe_code, reason = "closures travel as a function and a pointer, as C callbacks do")]

use super::task::{Argument, EventFn, Task};
use super::{Callee, End, Stats};
#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::handle::Handle;
use crate::sys::clock::{NEVER, Nanos};
use crate::what;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::fmt;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Why a callback runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct What(u32);

impl What {
    /// Its timeout expired.
    pub fn timeout(self) -> bool {
        self.0 & what::TIMEOUT != 0
    }

    /// Somebody activated it.
    pub fn activated(self) -> bool {
        self.0 & what::ACTIVATED != 0
    }

    /// Its descriptor can be read, or is at its end.
    pub fn readable(self) -> bool {
        self.0 & what::READ != 0
    }

    /// Its descriptor can be written.
    pub fn writable(self) -> bool {
        self.0 & what::WRITE != 0
    }

    /// The other side closed the connection.
    pub fn closed(self) -> bool {
        self.0 & what::CLOSED != 0
    }

    /// The signal came.
    pub fn signalled(self) -> bool {
        self.0 & what::SIGNAL != 0
    }

    /// All reasons, as the bits that C callers see.
    pub fn bits(self) -> u32 {
        self.0
    }
}

/// What to watch a descriptor for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest(u32);

impl Interest {
    /// It can be read, or is at its end.
    pub const READ: Interest = Interest(what::READ);
    /// It can be written.
    pub const WRITE: Interest = Interest(what::WRITE);
    /// The other side closed the connection.
    pub const CLOSED: Interest = Interest(what::CLOSED);

    /// Report changes only, not a state that lasts.
    pub fn edge(self) -> Interest {
        Interest(self.0 | what::EDGE)
    }

    /// Report once; the event is not pending any more then.
    pub fn once(self) -> Interest {
        Interest(self.0 | what::ONESHOT)
    }
}

impl std::ops::BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

/// An event loop, owned: dropping it frees it.
///
/// Everything is done through its [`LoopRef`], which any thread may hold.
///
/// ```
/// use pirn::EventLoop;
/// use std::time::Duration;
///
/// let event_loop = EventLoop::new()?;
/// let (sender, receiver) = std::sync::mpsc::channel();
/// event_loop.delay(Duration::from_millis(5), move || sender.send("late").unwrap())?;
/// event_loop.run()?;
/// assert_eq!(receiver.recv().unwrap(), "late");
/// # Ok::<(), pirn::Error>(())
/// ```
#[derive(Debug)]
pub struct EventLoop(LoopRef);

impl EventLoop {
    /// A new loop. [`Code::System`] when the system has no descriptors left.
    pub fn new() -> Result<Self> {
        Ok(Self(LoopRef(super::make()?)))
    }
}

impl std::ops::Deref for EventLoop {
    type Target = LoopRef;

    fn deref(&self) -> &LoopRef {
        &self.0
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // One that another thread still runs is left to it.
        let _ = super::free(self.0.0);
    }
}

/// A loop, by its handle: free to copy, and to use from any thread. Of a loop that was freed, every call is
/// [`Code::Stale`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LoopRef(pub(crate) Handle);

impl LoopRef {
    /// The loop that the calling thread is running.
    pub fn current() -> Option<LoopRef> {
        super::current().map(LoopRef)
    }

    /// Runs the loop on the calling thread until nothing keeps it running, or until an exit or a break.
    ///
    /// [`Code::Busy`] when it runs already, or this thread runs another one. A panic of a callback ends the run and
    /// goes on from here.
    pub fn run(&self) -> Result<End> {
        let end = super::run(self.0);
        go_on_panicking();
        end
    }

    /// Runs one round, waiting at most `timeout` (`None`: without end) for something to be ready. How many callbacks
    /// ran: it may come back early with 0.
    pub fn run_once(&self, timeout: Option<Duration>) -> Result<u32> {
        let ran = super::run_once(self.0, timeout.map_or(NEVER, nanos));
        go_on_panicking();
        ran
    }

    /// Ends the run after the callbacks that are active now; the next run, if there is none.
    pub fn exit(&self) -> Result<()> {
        super::exit(self.0)
    }

    /// Ends the run after the callback that runs now; what is left active runs in the next run.
    pub fn break_now(&self) -> Result<()> {
        super::break_now(self.0)
    }

    /// Runs `task` once on the loop's thread, after those that this thread posted before. Dropped unrun if the loop
    /// is freed first.
    pub fn post(&self, task: impl FnOnce() + Send + 'static) -> Result<()> {
        super::post(self.0, Task::Closure(Box::new(move || stop_on_panic(task))))
    }

    /// Runs `task` when the run ends, before those that were given earlier.
    pub fn on_exit(&self, task: impl FnOnce() + Send + 'static) -> Result<()> {
        super::on_exit(self.0, Task::Closure(Box::new(move || stop_on_panic(task))))
    }

    /// An event that sits in the loop, inactive, and keeps it running, until any thread activates it.
    pub fn make_event(&self, callback: impl FnMut(EventRef, What) + Send + 'static) -> Result<Event> {
        make(callback, |callee| super::make_event(self.0, callee))
    }

    /// An event that stands for one of the library's threads; a forked child has no use for it.
    pub(crate) fn make_private_event(&self, callback: impl FnMut(EventRef, What) + Send + 'static) -> Result<Event> {
        make(callback, |callee| super::make_private_event(self.0, callee))
    }

    /// An event that, once added, runs whenever `source` is ready.
    ///
    /// The event owns `source`, which is closed, if that is what dropping it does, when the event is freed and no
    /// callback can run any more.
    pub fn make_fd_event<S: AsFd + Send + 'static>(
        &self,
        source: S,
        interest: Interest,
        mut callback: impl FnMut(EventRef, What, &mut S) + Send + 'static,
    ) -> Result<Event> {
        let fd = source.as_fd().as_raw_fd();
        let mut source = source;
        make(
            move |event, what| callback(event, what, &mut source),
            |callee| super::make_fd_event(self.0, fd, interest.0, callee),
        )
    }

    /// An event that, once added, runs when the process gets the signal. The action that stood before is set aside
    /// meanwhile.
    pub fn make_signal_event(
        &self,
        signum: i32,
        callback: impl FnMut(EventRef, What) + Send + 'static,
    ) -> Result<Event> {
        make(callback, |callee| super::make_signal_event(self.0, signum, callee))
    }

    /// An event that, once added, runs every round.
    pub fn make_idle_event(&self, callback: impl FnMut(EventRef, What) + Send + 'static) -> Result<Event> {
        make(callback, |callee| super::make_idle_event(self.0, callee))
    }

    /// Runs `task` once, not before `delay` is over. The event is freed by itself.
    pub fn delay(&self, delay: Duration, task: impl FnOnce() + Send + 'static) -> Result<EventRef> {
        let mut task = Some(task);
        let run = move |_: EventRef, _: What| {
            if let Some(task) = task.take() {
                task();
            }
        };
        let event = make(run, |callee| super::delay(self.0, nanos(delay), callee))?;
        Ok(event.leak())
    }

    /// Runs `callback` every `period` until it is freed. Ticks that were missed come as one.
    pub fn interval(&self, period: Duration, callback: impl FnMut(EventRef, What) + Send + 'static) -> Result<Event> {
        make(callback, |callee| super::interval(self.0, nanos(period), callee))
    }

    /// A descriptor that is readable when the loop has work, to embed it in another loop: call
    /// [`LoopRef::run_once`] with no time then.
    pub fn fd(&self) -> Result<std::os::fd::RawFd> {
        super::fd(self.0)
    }

    /// What the loop has counted.
    pub fn stats(&self) -> Result<Stats> {
        super::stats(self.0)
    }
}

impl fmt::Debug for LoopRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoopRef({:#x})", self.0.bits())
    }
}

/// An event, owned: dropping it frees it, from any thread, also inside its own callback.
#[derive(Debug)]
pub struct Event(EventRef);

impl Event {
    /// Gives up the ownership: the event lives until it is freed by itself, by hand, or with its loop.
    pub fn leak(self) -> EventRef {
        let event = self.0;
        std::mem::forget(self);
        event
    }
}

impl std::ops::Deref for Event {
    type Target = EventRef;

    fn deref(&self) -> &EventRef {
        &self.0
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // Stale when it was freed by hand or with its loop.
        let _ = self.0.free();
    }
}

/// An event, by its handle: free to copy, and to use from any thread. Of an event that was freed, every call is
/// [`Code::Stale`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventRef(pub(crate) Handle);

impl EventRef {
    /// Has the callback run on the loop's thread, now. Activations before it starts merge; what this thread wrote
    /// before is visible to it.
    pub fn activate(&self) -> Result<()> {
        super::activate(self.0)
    }

    /// Makes the event pending, with a timeout or without; replaces the one it had.
    pub fn add(&self, timeout: Option<Duration>) -> Result<()> {
        super::add(self.0, timeout.map_or(NEVER, nanos))
    }

    /// Makes the event run every `period`.
    pub fn add_interval(&self, period: Duration) -> Result<()> {
        super::add_interval(self.0, nanos(period))
    }

    /// True: it was pending or active and will not run.
    pub fn remove(&self) -> Result<bool> {
        super::remove(self.0)
    }

    /// Frees the event. No callback of it starts any more.
    pub fn free(&self) -> Result<()> {
        super::free_event(self.0)
    }

    /// Is there anything that will make it run?
    pub fn is_pending(&self) -> Result<bool> {
        super::is_pending(self.0)
    }

    /// Does it keep the loop running?
    pub fn keep_loop(&self, keeps: bool) -> Result<()> {
        super::set_ref(self.0, keeps)
    }

    /// 0 is most urgent, 7 least, 4 what it is made with.
    pub fn set_priority(&self, priority: u8) -> Result<()> {
        super::set_priority(self.0, priority.into())
    }
}

impl fmt::Debug for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventRef({:#x})", self.0.bits())
    }
}

fn nanos(duration: Duration) -> Nanos {
    // The longest that fits is 292 years; longer is the same in effect.
    Nanos::try_from(duration.as_nanos()).unwrap_or(NEVER - 1)
}

/// Makes an event whose callback is the closure; the closure is dropped when no callback can run any more.
fn make<F: FnMut(EventRef, What) + Send + 'static>(
    callback: F,
    make: impl FnOnce(Callee) -> Result<Handle>,
) -> Result<Event> {
    let argument = Box::into_raw(Box::new(callback));
    let call: EventFn = call_closure::<F>;
    match make(Callee { call: Some(call), argument: Argument(argument.cast()), on_free: Some(drop_closure::<F>) }) {
        Ok(event) => Ok(Event(EventRef(event))),
        Err(error) => {
            // SAFETY: the event was not made, so nobody else has the box.
            drop(unsafe { Box::from_raw(argument) });
            Err(error)
        }
    }
}

unsafe extern "C" fn call_closure<F: FnMut(EventRef, What)>(event: *mut c_void, what: u32, argument: *mut c_void) {
    // SAFETY: `make` made the pointer from a box of this type, which lives until `drop_closure`; callbacks of one
    // event never overlap.
    let callback = unsafe { &mut *argument.cast::<F>() };
    let event = EventRef(super::from_callback(event));
    stop_on_panic(|| callback(event, What(what)));
}

unsafe extern "C" fn drop_closure<F>(argument: *mut c_void) {
    // SAFETY: `make` made the pointer from a box of this type; this is called once, when no callback can run.
    let closure = unsafe { Box::from_raw(argument.cast::<F>()) };
    stop_on_panic(|| drop(closure));
}

thread_local! {
    static PANIC: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// Runs a user's closure. A panic breaks off the run and is kept for whoever called it: it can't unwind through the
/// C frames between.
pub(crate) fn stop_on_panic(body: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
        if let Some(current) = super::current() {
            let _ = super::break_now(current);
        }
        // The first one is what went wrong.
        let _ = PANIC.try_with(|place| {
            place.borrow_mut().get_or_insert(panic);
        });
    }
}

fn go_on_panicking() {
    if let Ok(Some(panic)) = PANIC.try_with(|place| place.borrow_mut().take()) {
        resume_unwind(panic);
    }
}
