//! Futures: results that come later, and the callbacks, waits and further futures that they are awaited with.
//!
//! ```text
//!  finish, signal_error ┐                                  ┌▶ callbacks, from the loop, in the order attached
//!  a job, a reply       ├──▶ body: exactly one end ────────┼▶ waits of other threads, a task's waker: at once
//!  another future       │                                  └▶ futures that end as this one ends: at once
//!  cancel               ┘
//! ```
//!
//! A future is a [`body::Body`] in a slot of the handle table, and lives as long as somebody has a [`Hold`] of it:
//! the handle counts as one, a delivery under way, a job or a future that forwards to it are others.
//!
//! Nothing here calls itself, however long a chain of futures is: what the end of one leads to is one of the thread's
//! [`chores`], which are done one after the other.

mod api;
mod body;
mod chain;
mod chores;
mod combine;
mod ending;
mod forking;
mod forward;
mod hold;
mod reply;
mod spare;
mod task;
mod wait;
mod wakeup;

pub(crate) use api::seal;
pub use api::{Future, Promise};
pub(crate) use body::{By, Job, Listener, Source};
pub(crate) use chain::{Next, attach, then};
pub(crate) use combine::{all, any};
pub(crate) use ending::Ending;
pub use ending::State;
pub(crate) use forward::forward;
pub(crate) use reply::ask;
pub(crate) use wait::wait;

use crate::error::{Code, Error, Result};
use crate::event_loop::{self, Task};
use crate::handle::{Handle, Kind, Slot, Table};
use crate::log::{self, Level};
use crate::sync::atomic::Ordering;
use crate::sys::fork;
use crate::value::Failure;
use crate::waiting::waiter::Outcome;
use crate::{thread, waiting};
use body::{Aftermath, Body, Delivery, Remains};
use chores::Chore;

static FUTURES: Table<Body> = Table::new(Kind::Future);

/// Keeps a future's body.
pub(crate) struct Hold {
    slot: &'static Slot<Body>,
    handle: Handle,
}

/// Makes a future for `event_loop`, to be ended by `source`. It has a handle, which somebody must give up.
pub(crate) fn make(event_loop: Handle, source: Source) -> Result<Hold> {
    waiting::not_under_lock()?;
    forking::prepare();
    event_loop::check(event_loop)?;
    let fill = |_: Handle, body: &Body| {
        body.process.store(fork::generation(), Ordering::Relaxed);
        body.renew(event_loop, source);
    };
    let handle = spare::insert(fill)?;
    let slot = FUTURES.find(handle)?;
    hold::take(slot, handle)?;
    Ok(Hold { slot, handle })
}

/// The future that `handle` names.
pub(crate) fn find(handle: Handle) -> Result<Hold> {
    waiting::not_under_lock()?;
    take_hold(handle, hold::take)
}

/// The same, also when the handle was given up.
fn find_anyway(handle: Handle) -> Result<Hold> {
    take_hold(handle, hold::take_anyway)
}

fn take_hold(handle: Handle, take: fn(&Slot<Body>, Handle) -> Result<()>) -> Result<Hold> {
    let slot = FUTURES.find(handle)?;
    slot.check(handle)?;
    if slot.body().process.load(Ordering::Relaxed) != fork::generation() {
        return Err(Error::new(Code::Stale, "the future is one of the parent process"));
    }
    take(slot, handle)?;
    Ok(Hold { slot, handle })
}

/// Gives the handle up. What is attached still runs; one that only its handle could end will never come, and ends so.
pub(crate) fn free(handle: Handle) -> Result<()> {
    let future = find(handle)?;
    future.give_up()?;
    // It may be ended by something else: then that goes on.
    if future.end(By::Holder, || Ending::never(Code::Dead, "the future was freed before it ended")).is_ok() {
        // Whoever freed it knows.
        future.body().listen();
    }
    Ok(())
}

impl Hold {
    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    fn body(&self) -> &'static Body {
        self.slot.body()
    }

    pub(crate) fn state(&self) -> State {
        self.body().state()
    }

    pub(crate) fn event_loop(&self) -> Handle {
        self.body().event_loop()
    }

    /// Gives the handle up: what is left are the holds.
    pub(crate) fn give_up(&self) -> Result<()> {
        hold::give_up(self.slot, self.handle)
    }

    /// Ends it with what `ending` makes, if nothing else has.
    pub(crate) fn end(&self, by: By, ending: impl FnOnce() -> Ending) -> Result<()> {
        let after = self.body().end(by, ending)?;
        self.settle(after);
        Ok(())
    }

    /// Lets go of a future that came to nothing: nobody is told how it ended.
    fn discard(self) {
        self.body().listen();
        let _ = self.give_up();
    }

    /// Cancels it: false when it is over already, [`Code::Busy`] when its job runs.
    pub(crate) fn cancel(&self) -> Result<bool> {
        match self.end(By::Cancel, || Ending::Cancelled) {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Code::State => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The job that waits here, for the caller to run and then to end the future.
    pub(crate) fn begin(&self) -> Option<Job> {
        let (job, after) = self.body().begin(thread::current_handle())?;
        self.settle(after);
        Some(job)
    }

    /// Sees to it that what a step of this future leads to is done.
    fn settle(&self, after: Aftermath) {
        if after.is_plain() {
            after.settle(self);
        } else {
            chores::run(Chore::After(self.clone(), after));
        }
    }

    /// Posts a delivery to the loop. If the loop is gone, the callbacks are dropped.
    fn post_delivery(&self) {
        let delivery = Undelivered(Some(self.clone()));
        // When this fails the closure was dropped, and has done what is to be done.
        let _ = event_loop::post_own(self.event_loop(), Task::Closure(Box::new(move || delivery.deliver())));
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        hold::take_another(self.slot);
        Self { slot: self.slot, handle: self.handle }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // In a forked child nobody knows how far the parent's threads had come with the body.
        if self.body().process.load(Ordering::Relaxed) == fork::generation() && hold::let_go(self.slot) {
            let remains = self.body().empty();
            // It lives: the last hold is the only way here.
            let _ = spare::remove(self.handle);
            if !remains.is_plain() {
                chores::run(Chore::Bury(remains));
            }
        }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.handle.bits())
    }
}

/// A delivery on its way. If it never arrives, the loop was freed, and the callbacks are dropped.
struct Undelivered(Option<Hold>);

impl Undelivered {
    fn deliver(mut self) {
        let Some(future) = self.0.take() else { return };
        let body = future.body();
        let Delivery { callback, lets_loop_go } = body.deliver(hold::is_alone(future.slot));
        if lets_loop_go {
            let_loop_go(body.event_loop());
        }
        if let Some((listener, ending)) = callback {
            (listener.call)(future.handle, ending);
        }
    }
}

impl Drop for Undelivered {
    fn drop(&mut self) {
        if let Some(future) = self.0.take().filter(|future| find_anyway(future.handle).is_ok()) {
            chores::run(Chore::Drop(future.body().drop_callbacks()));
        }
    }
}

fn let_loop_go(event_loop: Handle) {
    // Stale: then there is nothing to let go.
    let _ = event_loop::hold(event_loop, false);
}

impl Aftermath {
    /// Does what the end of `future` leads to.
    fn settle(self, future: &Hold) {
        let Aftermath { tickets, waker, deliveries, watches, source, changes_others } = self;
        if changes_others {
            wait::tell_followers();
        }
        for ticket in tickets {
            if let Some(bell) = ticket.end_with(|| Outcome::Go) {
                bell.ring();
            }
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        for _ in 0..deliveries {
            future.post_delivery();
        }
        for (watch, ending) in watches {
            (watch.call)(future.handle, ending);
        }
        drop(source);
    }
}

impl Remains {
    fn bury(self) {
        if let Some(failure) = &self.unheard {
            log_unheard(failure);
        }
        self.holds_loop.into_iter().for_each(let_loop_go);
    }
}

fn log_unheard(failure: &Failure) {
    log::log(
        Level::Error,
        format_args!("a future failed, and nobody was told: {} ({})", failure.text(), failure.code()),
    );
}
