//! A living loop's part under its lock: its events, their timers, and what keeps it running.

use super::dispatch::Polled;
use super::inbox::Item;
use super::ready::Ready;
use super::record::{Call, Flags, Kind, Record};
use super::records::{Place, Records};
use super::shared::Shared;
use super::signals::Signals;
use super::stats::Stats;
use super::task::{Grave, Task};
use super::watch::Watches;
use super::{LOOPS, activation};
use crate::error::{Code, Result};
use crate::handle::Handle;
use crate::sync::atomic::Ordering;
use crate::sys::clock::{NEVER, Nanos, after, now};
use crate::sys::poller::{Poller, WATCHES_FROM_NEXT_SLEEP};
use crate::timer::{Key, Timers};
use crate::what;
use std::collections::VecDeque;

/// How many timers of a bucket are looked at for the earliest: while the loop runs, and else.
const LOOKS: usize = 64;
const MORE_LOOKS: usize = 1024;

/// See the module.
pub(super) struct Life {
    pub(super) handle: Handle,
    pub(super) shared: &'static Shared,
    pub(super) events: Records,
    pub(super) timers: Timers,
    pub(super) watches: Watches,
    pub(super) signals: Signals,
    pub(super) idle: Vec<u32>,
    pub(super) ready: Ready,
    /// What came out of the inbox and was not looked at yet.
    pub(super) incoming: VecDeque<Item>,
    /// Tasks alone, more than a round's budget: they are run from here, a budget a round, with all else before them.
    /// The inbox stays shut meanwhile.
    pub(super) flood: VecDeque<Item>,
    /// Kept between runs.
    pub(super) polled: Option<Box<Polled>>,
    /// The event whose callback runs now; or those that were taken and that the taker may still be calling.
    pub(super) out: Vec<u32>,
    pub(super) exits: Vec<Task>,
    /// Futures and threads that keep the loop running, and threads that are bound to it.
    pub(super) guests: usize,
    pub(super) bound: usize,
    pending: u64,
    /// The exit that came out of the inbox: while it stands, nothing new is looked at, and what is ready runs.
    pub(super) exit: u32,
    /// More came in one round than one thing: the senders are faster than the loop turns.
    pub(super) crowded: bool,
    pub(super) stats: Stats,
    /// Owners of freed events who are still to be told.
    pub(super) graves: Vec<Grave>,
    /// The sleeping loop must look again: a nearer deadline, or nothing left to wait for.
    pub(super) look_again: bool,
}

impl Life {
    pub(super) fn new(handle: Handle, shared: &'static Shared, poller: Poller) -> Self {
        Self {
            handle,
            shared,
            events: Records::new(handle.slot()),
            timers: Timers::new(now()),
            watches: Watches::new(poller),
            signals: Signals::default(),
            idle: Vec::new(),
            ready: Ready::default(),
            incoming: VecDeque::new(),
            flood: VecDeque::new(),
            polled: None,
            out: Vec::new(),
            exits: Vec::new(),
            guests: 0,
            bound: 0,
            pending: 0,
            exit: 0,
            crowded: false,
            stats: Stats::default(),
            graves: Vec::new(),
            look_again: false,
        }
    }

    // ---- making and freeing

    /// Takes a new event in.
    pub(super) fn insert(&mut self, record: Record, call: Call) -> Result<Handle> {
        let event = self.events.insert(record, call)?;
        self.update_counts(event.slot());
        Ok(event)
    }

    /// Makes the event's handle stale, now and for every thread; its owner is told when no callback can run any more.
    pub(super) fn free(&mut self, event: Handle, key: Key) -> Result<()> {
        self.calm(key);
        self.events.end(event)?;
        self.forget_target(key, true);
        let record = self.events.get(key);
        record.flags.set(Flags::ADDED, false);
        record.flags.set(Flags::FREED, true);
        let is_out = record.flags.has(Flags::OUT);
        self.update_counts(key);
        if !is_out {
            self.bury(key);
        }
        Ok(())
    }

    /// Gives a freed event's record back.
    pub(super) fn bury(&mut self, key: Key) {
        let call = self.events.remove(key);
        if let Some(on_free) = call.on_free {
            self.graves.push(Grave { on_free, argument: call.argument });
        }
    }

    /// Frees all events; what is left of the loop is dropped by the caller.
    pub(super) fn free_all(&mut self) {
        self.out.clear();
        for key in self.events.keys() {
            let flags = &mut self.events.get(key).flags;
            flags.set(Flags::OUT, false);
            if flags.has(Flags::FREED) {
                self.bury(key);
            } else if let Some(event) = self.events.handle(key) {
                // It lives: every free holds this lock.
                let _ = self.free(event, key);
            }
        }
        self.signals.clear(&self.shared.signals);
        self.events.give_back();
    }

    // ---- arming and disarming

    /// Makes the event pending, with a timeout or without.
    #[inline]
    pub(super) fn add(&mut self, key: Key, timeout: Nanos) -> Result<()> {
        let kind = self.prepare_to_add(key)?;
        let record = self.events.get(key);
        record.flags.set(Flags::ADDED, kind != Kind::Delay && kind != Kind::Interval);
        record.flags.set(Flags::TICKS, false);
        record.period = if kind.persists() && timeout != NEVER { timeout } else { 0 };
        if timeout == NEVER {
            self.disarm(key);
        } else {
            self.arm(key, after(timeout));
        }
        self.update_counts(key);
        Ok(())
    }

    /// Makes the event run every `period`.
    pub(super) fn add_interval(&mut self, key: Key, period: Nanos) -> Result<()> {
        let kind = self.prepare_to_add(key)?;
        let record = self.events.get(key);
        record.flags.set(Flags::ADDED, kind != Kind::Delay && kind != Kind::Interval);
        record.flags.set(Flags::TICKS, true);
        record.period = period;
        self.arm(key, after(period));
        self.update_counts(key);
        Ok(())
    }

    /// What the event watches is watched from here on, and a timeout that is replaced has not expired, even if its
    /// callback was about to hear of it.
    fn prepare_to_add(&mut self, key: Key) -> Result<Kind> {
        let kind = self.events.get(key).kind;
        if kind.watches() {
            self.watch_target(key)?;
        }
        let record = self.events.get(key);
        if u32::from(*record.reasons()) & what::TIMEOUT != 0 {
            *record.reasons() &= !(what::TIMEOUT as u16);
            if *record.reasons() == 0 && !activation::is_active(self.events.word(key)) {
                self.events.get(key).leave_queue();
            }
        }
        Ok(kind)
    }

    /// Takes back whatever was to make the event run; true if there was anything.
    pub(super) fn remove(&mut self, key: Key) -> bool {
        let record = self.events.get(key);
        let (watches, watched) = (record.kind.watches(), record.is_watched());
        let active = self.calm(key);
        if watches {
            self.forget_target(key, false);
        }
        self.events.get(key).flags.set(Flags::ADDED, false);
        self.update_counts(key);
        watched || active
    }

    /// Is there anything that will make it run?
    pub(super) fn is_pending(&mut self, key: Key) -> bool {
        self.events.get(key).pends() || activation::is_active(self.events.word(key))
    }

    #[inline]
    pub(super) fn arm(&mut self, key: Key, deadline: Nanos) {
        self.timers.arm(&mut self.events, key, deadline);
        if deadline < self.shared.next_deadline() {
            self.set_deadline(deadline);
            self.look_again = true;
        }
    }

    #[inline]
    pub(super) fn disarm(&mut self, key: Key) -> bool {
        let Some(deadline) = self.timers.disarm(&mut self.events, key) else { return false };
        if deadline <= self.shared.next_deadline() && !self.is_run() {
            // A wait must not promise what was called off.
            let next = self.next_deadline();
            self.set_deadline(next);
        }
        true
    }

    /// When the next timer is due. For pull calls it is looked up more exactly; a run may wake once too often instead.
    pub(super) fn next_deadline(&mut self) -> Nanos {
        let looks = if self.is_run() { LOOKS } else { MORE_LOOKS };
        self.timers.next(&mut self.events, looks)
    }

    /// Does what is ready run first, for an exit that was asked and not used up since?
    pub(super) fn is_exiting(&self) -> bool {
        self.exit != 0 && self.exit == self.shared.exit.load(Ordering::Acquire)
    }

    /// Does a thread run the loop, rather than pull?
    fn is_run(&self) -> bool {
        self.shared.holder.runs()
    }

    /// Publishes when the loop must be awake at the latest.
    pub(super) fn set_deadline(&mut self, deadline: Nanos) {
        if self.shared.next_deadline() == deadline {
            return;
        }
        self.shared.deadline.store(deadline, Ordering::Release);
        if self.shared.is_embedded() {
            // The descriptor was made when the loop was embedded; setting it can't fail any more.
            let _ = self.watches.set_alarm(deadline);
        }
    }

    /// Takes a timer and an activation back, and the entry in the ready queue; true if there was any.
    fn calm(&mut self, key: Key) -> bool {
        let was_armed = self.disarm(key);
        let word = self.events.word(key);
        let was_active = activation::is_active(word);
        let was_queued = self.events.get(key).flags.has(Flags::QUEUED);
        if !was_active && !was_queued {
            return was_armed;
        }
        if was_active {
            // Activations that nothing will run for are counted all the same.
            self.stats.activations += u64::from(activation::take(word));
        }
        if was_active && !was_queued {
            if let Some(event) = self.events.handle(key) {
                self.shared.call_off(event);
            }
        }
        if was_queued {
            let record = self.events.get(key);
            *record.reasons() = 0;
            record.leave_queue();
        }
        true
    }

    fn watch_target(&mut self, key: Key) -> Result<()> {
        let call = self.events.call(key);
        let (target, interest) = (call.target, call.interest);
        let record = self.events.get(key);
        match record.kind {
            Kind::Fd => {
                self.watches.add(target, key, interest)?;
                let before = self.shared.descriptors.swap(self.watches.registered(), Ordering::AcqRel);
                // A loop that sleeps on its word must change over to the kernel's poll.
                self.look_again |= before == 0 || WATCHES_FROM_NEXT_SLEEP;
            }
            Kind::Signal => {
                self.signals.add(&self.shared.signals, target, key)?;
            }
            Kind::Idle if !record.flags.has(Flags::ADDED) => {
                self.idle.push(key);
                self.shared.idle.store(self.idle.len(), Ordering::Release);
                self.look_again = true;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn forget_target(&mut self, key: Key, closing: bool) {
        match self.events.get(key).kind {
            Kind::Fd => {
                let target = self.events.call(key).target;
                self.watches.remove(target, key, closing);
                if self.shared.pulled.load(Ordering::Acquire) || self.shared.is_offered() {
                    // A wait may come at any time, ours or a foreign loop's, and can't tell the kernel itself.
                    self.watches.flush();
                }
                self.shared.descriptors.store(self.watches.registered(), Ordering::Release);
            }
            Kind::Signal => self.signals.remove(&self.shared.signals, key),
            Kind::Idle => {
                self.idle.retain(|idle| *idle != key);
                self.shared.idle.store(self.idle.len(), Ordering::Release);
            }
            _ => {}
        }
    }

    // ---- what keeps the loop running

    /// Counts the event among those that are pending and those that keep the loop running, or no longer.
    #[inline]
    pub(super) fn update_counts(&mut self, key: Key) {
        let record = self.events.get(key);
        let (before, now) = record.recount();
        if now == before {
            return;
        }
        let changed = |flag| now.has(flag) != before.has(flag);
        if changed(Flags::PENDS) {
            self.pending = if now.has(Flags::PENDS) { self.pending + 1 } else { self.pending - 1 };
        }
        if changed(Flags::HOLDS) {
            self.change_holds(now.has(Flags::HOLDS));
        }
    }

    /// One more reason to run, or one less.
    pub(super) fn change_holds(&mut self, more: bool) {
        if more {
            self.shared.holds.fetch_add(1, Ordering::AcqRel);
        } else if self.shared.holds.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.look_again = true;
        }
    }

    /// What the parent's threads had to do with the loop is nothing to a forked child.
    pub(super) fn forget_guests(&mut self) {
        for _ in 0..self.guests {
            self.change_guests(false);
        }
        self.bound = 0;
        for key in self.events.keys() {
            let flags = self.events.get(key).flags;
            if let (true, false, Some(event)) =
                (flags.has(Flags::PRIVATE), flags.has(Flags::FREED), self.events.handle(key))
            {
                // It lives: every free holds this lock.
                let _ = self.free(event, key);
            }
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let wakeups = self.shared.wakeups.load(Ordering::Relaxed);
        let posts = self.shared.inbox.lock().posts;
        Stats { events: self.events.len() as u64, pending: self.pending, wakeups, posts, ..self.stats }
    }
}

/// The event in its loop's life, while the lock keeps it alive.
#[inline]
pub(super) fn with_event<R>(event: Handle, body: impl FnOnce(&mut Life, Key) -> Result<R>) -> Result<R> {
    let place = Place::find(event)?;
    let Some(home) = LOOPS.slot(place.home()) else {
        place.check()?;
        return Err(Code::Stale.into());
    };
    let visited = home.body().with_any(|life| match life.events.key(place)? {
        // Every free of an event of this loop holds this lock; so it lives until the end.
        Some(key) => body(life, key),
        None => Err(Code::Stale.into()),
    });
    match visited {
        // The loop is gone or the child's parent's; but the handle may be wrong in itself.
        Err(error) => place.check().and(Err(error)),
        done => done,
    }
}
