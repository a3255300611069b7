//! The event loop: events that any thread may make, arm, activate, remove and free, and whose callbacks run on the
//! thread that runs the loop.
//!
//! A loop is two parts. [`shared::Shared`] is what any thread may touch at any time: the notice, the inbox, a few
//! numbers. [`life::Life`] is what a living loop has, under its lock: records of the events, timers, descriptors, and
//! what is ready. The loop's thread *waits* (a leaf that holds nothing) and *takes* (never blocks, never calls back);
//! [`mod@run`] is the thin loop over the two.
//!
//! ```text
//! add_event_activate ── slot's word (activation) ──┐
//! event_loop_post ─────────────────────────────────┴─▶ inbox ─▶ notice ─▶ gather ─▶ ready ─▶ callback
//! add_event ── record, timers ──────────────────────────────────────────────▲
//! descriptors, signals ─────────────────────────────────────────────────────┘
//! ```

mod activation;
mod api;
mod dispatch;
mod dump;
mod forking;
mod holder;
mod inbox;
mod life;
mod look;
mod pull;
mod ready;
mod record;
mod records;
mod run;
mod shared;
mod signals;
mod stats;
mod task;
mod watch;

pub(crate) use api::stop_on_panic;
pub use api::{Event, EventLoop, EventRef, Interest, LoopRef, What};
pub(crate) use dump::dump;
pub(crate) use pull::{Taken, take, wait};
pub use run::End;
pub(crate) use run::{current, run, run_once};
pub(crate) use shared::Shared;
pub use stats::Stats;
pub(crate) use task::{Argument, Task};
pub use task::{EventFn, TaskFn};

use crate::error::{Code, Error, Result};
use crate::handle::{Handle, Kind as HandleKind, Table};
use crate::sync::atomic::Ordering;
use crate::sys::clock::{NEVER, Nanos, after};
use crate::sys::poller::Poller;
use crate::sys::{fork, poller, signal};
use crate::value::FreeFn;
use crate::what;
use activation::Activation;
use holder::{Claim, Role};
use inbox::Item;
use life::{Life, with_event};
use record::{Call, Flags, Kind, Record};
use records::Place;
use std::ffi::c_void;
use std::os::fd::RawFd;

static LOOPS: Table<Shared> = Table::new(HandleKind::Loop);

// ---- loops

fn find(handle: Handle) -> Result<&'static Shared> {
    Ok(LOOPS.get(handle)?.body())
}

/// A new loop.
pub(crate) fn make() -> Result<Handle> {
    enable_threading()?;
    let poller = Poller::new()?;
    LOOPS.insert(|handle, shared| {
        shared.set_sleeper(poller.sleeper());
        shared.process.store(fork::generation(), Ordering::Relaxed);
        shared.deadline.store(NEVER, Ordering::Relaxed);
        *shared.life.lock() = Some(Box::new(Life::new(handle, shared, poller)));
        shared.inbox.lock().handle = Some(handle);
    })
}

/// Ends a loop that nobody runs; its events become stale and their owners are told.
pub(crate) fn free(handle: Handle) -> Result<()> {
    let claim = Claim::new(handle, Role::Frees)?;
    let mut life = claim.0.end(handle)?;
    let again = LOOPS.vacate(handle)?;
    drop(claim);
    if again {
        // From here on the slot may be another loop's.
        LOOPS.give_back(handle.slot());
    }
    for grave in std::mem::take(&mut life.graves) {
        grave.close();
    }
    Ok(())
}

impl Shared {
    /// Takes the loop's life out and makes the slot ready for the next one. The caller has claimed it.
    fn end(&'static self, handle: Handle) -> Result<Box<Life>> {
        let mut life = {
            let mut guard = self.life.lock();
            if guard.as_ref().is_some_and(|life| life.bound > 0) {
                return Err(Error::new(Code::Busy, "a thread receives its messages in the loop"));
            }
            let mut inbox = self.inbox.lock();
            let dropped = std::mem::take(&mut *inbox).items;
            drop(inbox);
            let Some(mut life) = guard.take().filter(|life| life.handle == handle) else {
                return Err(Code::Stale.into());
            };
            life.incoming.extend(dropped);
            life
        };
        life.free_all();
        self.notice.renew();
        self.notice.let_wakers_pass();
        self.deadline.store(NEVER, Ordering::Relaxed);
        for count in [&self.holds, &self.idle, &self.descriptors] {
            count.store(0, Ordering::Relaxed);
        }
        self.owner.store(0, Ordering::Relaxed);
        self.exit.store(0, Ordering::Relaxed);
        self.embedded.store(false, Ordering::Relaxed);
        self.pulled.store(false, Ordering::Relaxed);
        self.wakeups.store(0, Ordering::Relaxed);
        self.basket.empty(&mut Vec::new());
        Ok(life)
    }
}

/// Asks the run to end after the callbacks that are active now.
pub(crate) fn exit(handle: Handle) -> Result<()> {
    find(handle)?.put_exit(handle)
}

/// Asks the run to end after the callback that runs now.
pub(crate) fn break_now(handle: Handle) -> Result<()> {
    let shared = find(handle)?;
    // Under the lock, so that the ring is not meant for a loop that is gone.
    shared.with(handle, |_| {
        shared.ring(shared::BREAK);
        Ok(())
    })
}

/// Has whoever waits in the loop find out that it was killed.
pub(crate) fn interrupt(handle: Handle) -> Result<()> {
    find(handle)?.ring(shared::INTERRUPTED);
    Ok(())
}

/// Puts a user's task into the loop's inbox.
pub(crate) fn post(handle: Handle, task: Task) -> Result<()> {
    find(handle)?.put(handle, Item::Task(task), 1)
}

/// Puts a task of the library's own into the loop's inbox.
pub(crate) fn post_own(handle: Handle, task: Task) -> Result<()> {
    find(handle)?.put(handle, Item::Task(task), 0)
}

/// Keeps a task for the end of the run.
pub(crate) fn on_exit(handle: Handle, task: Task) -> Result<()> {
    find(handle)?.with(handle, |life| {
        life.exits.push(task);
        Ok(())
    })
}

/// A descriptor that is readable when the loop has work.
pub(crate) fn fd(handle: Handle) -> Result<RawFd> {
    let shared = find(handle)?;
    shared.with(handle, |life| {
        let fd = life.watches.embed(shared.next_deadline())?;
        shared.embedded.store(true, Ordering::Release);
        if shared.is_offered() {
            shared.offer_descriptor();
        }
        Ok(fd)
    })
}

/// What the loop has counted.
pub(crate) fn stats(handle: Handle) -> Result<Stats> {
    find(handle)?.with(handle, |life| Ok(life.stats()))
}

/// Makes the loop the forked child's own. Where nothing was forked since it was made, there is nothing to do.
pub(crate) fn reinit(handle: Handle) -> Result<()> {
    let shared = find(handle)?;
    if shared.check_process().is_ok() {
        return Ok(());
    }
    let poller = Poller::new()?;
    let mut guard = shared.life.lock();
    let life = guard.as_mut().filter(|life| life.handle == handle).ok_or(Code::Stale)?;
    shared.set_sleeper(poller.sleeper());
    life.watches.replace(poller);
    // A fork inside a callback goes on in the run that it was in.
    shared.holder.inherit(current() == Some(handle));
    shared.owner.store(0, Ordering::Release);
    shared.notice.renew();
    shared.notice.forget_wakers();
    life.forget_guests();
    life.graves.clear();
    if shared.is_embedded() {
        life.watches.embed(shared.next_deadline())?;
    }
    shared.process.store(fork::generation(), Ordering::Release);
    drop(guard);
    // What was rung in the parent and not looked at.
    shared.ring(shared::WORK | shared::LEFT | shared::LOOK);
    Ok(())
}

/// Does now what would otherwise happen at the first use.
pub(crate) fn enable_threading() -> Result<()> {
    forking::prepare();
    Ok(())
}

/// Is `handle` a loop that can be used?
pub(crate) fn check(handle: Handle) -> Result<()> {
    find(handle)?.check_process()
}

/// Adds or takes away a reason to keep the loop running that is no event.
pub(crate) fn hold(handle: Handle, more: bool) -> Result<()> {
    find(handle)?.with(handle, |life| {
        life.change_guests(more);
        Ok(())
    })
}

/// Binds a thread to the loop, which can't be freed meanwhile; or lets it go.
pub(crate) fn bind(handle: Handle, more: bool) -> Result<()> {
    find(handle)?.with(handle, |life| {
        life.bound = if more { life.bound + 1 } else { life.bound.saturating_sub(1) };
        Ok(())
    })
}

// ---- events

/// An event's callback and what it is called with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Callee {
    pub(crate) call: Option<EventFn>,
    pub(crate) argument: Argument,
    /// Told when no callback can run any more.
    pub(crate) on_free: Option<FreeFn>,
}

/// An event that is there to be activated.
pub(crate) fn make_event(handle: Handle, callee: Callee) -> Result<Handle> {
    insert(handle, Record::user(), callee.into())
}

/// One of the library's own, for a thread that is bound to the loop.
pub(crate) fn make_private_event(handle: Handle, callee: Callee) -> Result<Handle> {
    let mut record = Record::user();
    record.flags.set(Flags::PRIVATE, true);
    insert(handle, record, callee.into())
}

/// A descriptor's event; watched once it is added.
pub(crate) fn make_fd_event(handle: Handle, fd: RawFd, interest: u32, callee: Callee) -> Result<Handle> {
    find(handle)?;
    if interest & !what::INTEREST != 0 || interest & what::READINESS == 0 {
        return Err(Error::new(Code::Invalid, format!("{interest:#x} is no interest in a descriptor")));
    }
    if !poller::is_open(fd) {
        return Err(Error::new(Code::Invalid, format!("descriptor {fd} is not open")));
    }
    insert(handle, Record::of(Kind::Fd), Call { target: fd, interest: interest as u16, ..callee.into() })
}

/// A signal's event; watched once it is added.
pub(crate) fn make_signal_event(handle: Handle, signum: i32, callee: Callee) -> Result<Handle> {
    find(handle)?;
    if !signal::is_watchable(signum) {
        return Err(Error::new(Code::Invalid, format!("signal {signum} cannot be watched")));
    }
    insert(handle, Record::of(Kind::Signal), Call { target: signum, ..callee.into() })
}

/// An event of every round; once it is added.
pub(crate) fn make_idle_event(handle: Handle, callee: Callee) -> Result<Handle> {
    insert(handle, Record::of(Kind::Idle), callee.into())
}

/// Runs once after `delay`, and is freed by itself.
pub(crate) fn delay(handle: Handle, delay: Nanos, callee: Callee) -> Result<Handle> {
    insert_armed(handle, delay, Record::of(Kind::Delay), callee.into())
}

/// Runs every `period` until it is freed.
pub(crate) fn interval(handle: Handle, period: Nanos, callee: Callee) -> Result<Handle> {
    find(handle)?;
    check_period(period)?;
    insert_armed(handle, period, Record::interval(period), callee.into())
}

fn check_period(period: Nanos) -> Result<()> {
    if period <= 0 || period == NEVER {
        return Err(Error::new(Code::Invalid, "a period must be longer than nothing and have an end"));
    }
    Ok(())
}

impl From<Callee> for Call {
    fn from(Callee { call: function, argument, on_free }: Callee) -> Self {
        Self { function, argument, on_free, ..Self::default() }
    }
}

fn insert(handle: Handle, record: Record, call: Call) -> Result<Handle> {
    find(handle)?.with(handle, |life| life.insert(record, call))
}

fn insert_armed(handle: Handle, first: Nanos, record: Record, call: Call) -> Result<Handle> {
    let deadline = after(first);
    find(handle)?.with(handle, |life| {
        let event = life.insert(record, call)?;
        life.arm(event.slot(), deadline);
        life.update_counts(event.slot());
        Ok(event)
    })
}

/// Makes the event pending.
pub(crate) fn add(event: Handle, timeout: Nanos) -> Result<()> {
    with_event(event, |life, key| life.add(key, timeout))
}

/// Makes the event run every `period`.
pub(crate) fn add_interval(event: Handle, period: Nanos) -> Result<()> {
    check_event(event)?;
    check_period(period)?;
    with_event(event, |life, key| life.add_interval(key, period))
}

/// Is it an event?
pub(crate) fn check_event(event: Handle) -> Result<()> {
    Place::find(event)?.check()
}

/// Has the event's callback run on the loop's thread, now.
#[inline]
pub(crate) fn activate(event: Handle) -> Result<()> {
    let place = Place::find(event)?;
    if fork::generation() != 0 {
        place.check()?;
        LOOPS.slot(place.home()).map_or(Ok(()), |slot| slot.body().check_process())?;
    }
    if activation::activate(place.word(), event)? == Activation::First {
        // Of an event that was freed since, another's loop may hear; it finds out.
        if let Some(slot) = LOOPS.slot(place.home()) {
            slot.body().put_anyway(Item::Activated(event));
        }
    }
    Ok(())
}

/// Takes back whatever was to make the event run; true if there was anything.
pub(crate) fn remove(event: Handle) -> Result<bool> {
    with_event(event, |life, key| Ok(life.remove(key)))
}

/// Makes the event's handle stale; no callback of it starts any more.
pub(crate) fn free_event(event: Handle) -> Result<()> {
    with_event(event, |life, key| life.free(event, key))
}

/// Is there anything that will make the event run?
pub(crate) fn is_pending(event: Handle) -> Result<bool> {
    with_event(event, |life, key| Ok(life.is_pending(key)))
}

/// Sets who is told, with the event's argument, when no callback can run any more.
pub(crate) fn on_free(event: Handle, on_free: Option<FreeFn>) -> Result<()> {
    with_event(event, |life, key| {
        life.events.call(key).on_free = on_free;
        Ok(())
    })
}

/// Does the event keep the loop running?
pub(crate) fn set_ref(event: Handle, keeps: bool) -> Result<()> {
    with_event(event, |life, key| {
        life.events.get(key).flags.set(Flags::UNREFERENCED, !keeps);
        life.update_counts(key);
        Ok(())
    })
}

/// 0 is most urgent, 7 least.
pub(crate) fn set_priority(event: Handle, priority: i32) -> Result<()> {
    with_event(event, |life, key| {
        let priority = u8::try_from(priority).ok().filter(|priority| usize::from(*priority) < ready::PRIORITIES);
        life.events.get(key).priority = priority.ok_or(Error::new(Code::Invalid, "priorities are 0 to 7"))?;
        Ok(())
    })
}

/// The event's handle as its callback gets it.
pub(crate) fn from_callback(event: *mut c_void) -> Handle {
    Handle::from_bits(event.addr() as u64)
}
