//! A living loop's part under its lock: its events, their timers, and what keeps it running.

use super::activation::{self, Home};
use super::dispatch::Polled;
use super::inbox::Item;
use super::ready::Ready;
use super::record::{Flags, Kind, Record};
use super::shared::Shared;
use super::signals::Signals;
use super::slab::Slab;
use super::stats::Stats;
use super::task::{Grave, Task};
use super::watch::Watches;
use super::{EVENTS, LOOPS};
use crate::error::{Code, Error, Result};
use crate::handle::{Cache, Handle, Slot};
use crate::sync::atomic::Ordering;
use crate::sys::clock::{NEVER, Nanos, after, now};
use crate::sys::poller::{Poller, WATCHES_FROM_NEXT_SLEEP};
use crate::timer::Timers;
use crate::what;
use std::collections::VecDeque;

/// See the module.
pub(super) struct Life {
    pub(super) handle: Handle,
    pub(super) shared: &'static Shared,
    pub(super) events: Slab<Record>,
    spare: Cache,
    pub(super) timers: Timers,
    pub(super) watches: Watches,
    pub(super) signals: Signals,
    pub(super) idle: Vec<u32>,
    pub(super) ready: Ready,
    /// What came out of the inbox and was not looked at yet.
    pub(super) incoming: VecDeque<Item>,
    /// Kept between runs.
    pub(super) polled: Option<Box<Polled>>,
    /// The event whose callback runs now; or those that were taken and that the taker may still be calling.
    pub(super) out: Vec<u32>,
    pub(super) exits: Vec<Task>,
    /// Futures and threads that keep the loop running, and threads that are bound to it.
    pub(super) guests: usize,
    pub(super) bound: usize,
    pending: u64,
    /// An exit came out of the inbox: nothing new is looked at until what is ready has run.
    pub(super) exiting: bool,
    /// The round's time.
    pub(super) now: Nanos,
    pub(super) stats: Stats,
    /// Owners of freed events who are still to be told.
    pub(super) graves: Vec<Grave>,
    /// The sleeping loop must look again: a nearer deadline, or nothing left to wait for.
    pub(super) look_again: bool,
}

impl Life {
    pub(super) fn new(handle: Handle, shared: &'static Shared, poller: Poller) -> Self {
        let now = now();
        Self {
            handle,
            shared,
            events: Slab::default(),
            spare: Cache::default(),
            timers: Timers::new(now),
            watches: Watches::new(poller),
            signals: Signals::default(),
            idle: Vec::new(),
            ready: Ready::default(),
            incoming: VecDeque::new(),
            polled: None,
            out: Vec::new(),
            exits: Vec::new(),
            guests: 0,
            bound: 0,
            pending: 0,
            exiting: false,
            now,
            stats: Stats::default(),
            graves: Vec::new(),
            look_again: false,
        }
    }

    /// The record's slot in the handle table.
    pub(super) fn slot(&mut self, key: u32) -> &'static Slot<Home> {
        let slot = self.events.get(key).slot;
        match EVENTS.slot(slot) {
            Some(slot) => slot,
            None => unreachable!("an event's slot was made with it"),
        }
    }

    /// The handle of the event with this key, which is not freed.
    pub(super) fn event(&mut self, key: u32) -> Option<Handle> {
        EVENTS.living(self.events.get(key).slot)
    }

    // ---- making and freeing

    /// Takes `record` in.
    pub(super) fn insert(&mut self, record: Record) -> Result<Handle> {
        let key = self.events.insert(record);
        let loop_slot = self.handle.slot();
        let made = EVENTS.insert_cached(&mut self.spare, |_, home| home.set(loop_slot, key));
        match made {
            Ok(handle) => {
                self.events.get(key).slot = handle.slot();
                self.update_hold(key);
                Ok(handle)
            }
            Err(error) => {
                self.events.remove(key);
                Err(error)
            }
        }
    }

    /// Makes the event's handle stale, now and for every thread; its owner is told when no callback can run any more.
    pub(super) fn free(&mut self, handle: Handle, key: u32) -> Result<()> {
        self.calm(key);
        EVENTS.remove_cached(&mut self.spare, handle)?;
        let record = self.events.get(key);
        record.flags.set(Flags::FREED, true);
        self.forget_target(key, true);
        self.update_hold(key);
        if !self.events.get(key).flags.has(Flags::OUT) {
            self.bury(key);
        }
        Ok(())
    }

    /// Gives a freed event's record back.
    pub(super) fn bury(&mut self, key: u32) {
        let record = self.events.remove(key);
        if let Some(on_free) = record.on_free {
            self.graves.push(Grave { on_free, argument: record.argument });
        }
    }

    /// Frees all events; what is left of the loop is dropped by the caller.
    pub(super) fn free_all(&mut self) {
        self.out.clear();
        for key in self.events.keys(|record| record.kind != Kind::Vacant) {
            let flags = &mut self.events.get(key).flags;
            flags.set(Flags::OUT, false);
            let freed = flags.has(Flags::FREED);
            match self.event(key) {
                Some(handle) if !freed => {
                    // It lives: every free holds this lock.
                    let _ = self.free(handle, key);
                }
                _ => self.bury(key),
            }
        }
        self.signals.clear(&self.shared.signals);
        EVENTS.give_back(&mut self.spare);
    }

    // ---- arming and disarming

    /// Makes the event pending, with a timeout or without.
    pub(super) fn add(&mut self, key: u32, timeout: Nanos) -> Result<()> {
        self.watch_target(key)?;
        self.withdraw_timeout(key);
        let record = self.events.get(key);
        record.flags.set(Flags::ADDED, matches!(record.kind, Kind::User | Kind::Fd | Kind::Signal | Kind::Idle));
        // A descriptor's or a signal's event persists, and so does its timeout.
        let persists = matches!(record.kind, Kind::Fd | Kind::Signal) && timeout != NEVER;
        record.period = if persists { timeout } else { 0 };
        if timeout == NEVER {
            self.disarm(key);
        } else {
            self.arm(key, after(timeout));
        }
        self.update_hold(key);
        Ok(())
    }

    /// Makes the event run every `period`.
    pub(super) fn add_interval(&mut self, key: u32, period: Nanos) -> Result<()> {
        self.watch_target(key)?;
        self.withdraw_timeout(key);
        let record = self.events.get(key);
        record.flags.set(Flags::ADDED, record.kind != Kind::Delay && record.kind != Kind::Interval);
        record.period = period;
        self.arm(key, after(period));
        self.update_hold(key);
        Ok(())
    }

    /// Takes back whatever was to make the event run; true if there was anything.
    pub(super) fn remove(&mut self, key: u32) -> bool {
        let watched = self.events.get(key).is_watched();
        let active = self.calm(key);
        self.forget_target(key, false);
        self.events.get(key).flags.set(Flags::ADDED, false);
        self.update_hold(key);
        watched || active
    }

    /// Is there anything that will make it run?
    pub(super) fn is_pending(&mut self, key: u32) -> bool {
        activation::is_active(self.slot(key)) || self.events.get(key).pends()
    }

    pub(super) fn arm(&mut self, key: u32, deadline: Nanos) {
        self.timers.arm(&mut self.events, key, deadline);
        if deadline < self.shared.next_deadline() {
            self.set_deadline(deadline);
            self.look_again = true;
        }
    }

    pub(super) fn disarm(&mut self, key: u32) -> bool {
        self.timers.disarm(&mut self.events, key)
    }

    /// Publishes when the loop must be awake at the latest.
    pub(super) fn set_deadline(&mut self, deadline: Nanos) {
        self.shared.deadline.store(deadline, Ordering::Release);
        if self.shared.is_embedded() {
            // The descriptor was made when the loop was embedded; setting it can't fail any more.
            let _ = self.watches.set_alarm(deadline);
        }
    }

    /// Takes a timer and an activation back, and the entry in the ready queue; true if there was any.
    fn calm(&mut self, key: u32) -> bool {
        let was_armed = self.disarm(key);
        // Activations that nothing will run for are counted all the same.
        let activations = activation::take(self.slot(key));
        self.stats.activations += u64::from(activations);
        let record = self.events.get(key);
        let was_queued = record.flags.has(Flags::QUEUED);
        record.flags.set(Flags::QUEUED, false);
        *record.reasons() = 0;
        *record.stamp() = record.stamp().wrapping_add(1);
        was_armed || activations > 0 || was_queued
    }

    /// A timeout that is replaced has not expired, even if its callback was about to hear of it.
    fn withdraw_timeout(&mut self, key: u32) {
        let slot = self.slot(key);
        let record = self.events.get(key);
        if u32::from(*record.reasons()) & what::TIMEOUT == 0 {
            return;
        }
        *record.reasons() &= !(what::TIMEOUT as u16);
        if *record.reasons() == 0 && !activation::is_active(slot) {
            record.flags.set(Flags::QUEUED, false);
            *record.stamp() = record.stamp().wrapping_add(1);
        }
    }

    fn watch_target(&mut self, key: u32) -> Result<()> {
        let record = self.events.get(key);
        let (target, interest) = (record.target, record.interest);
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

    pub(super) fn forget_target(&mut self, key: u32, closing: bool) {
        let record = self.events.get(key);
        let target = record.target;
        match record.kind {
            Kind::Fd => {
                self.watches.remove(target, key, closing);
                if self.shared.pulled.load(Ordering::Acquire) {
                    // A wait may come at any time, and can't tell the kernel itself.
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
    pub(super) fn update_hold(&mut self, key: u32) {
        let record = self.events.get(key);
        let pends = record.pends();
        if pends != record.flags.has(Flags::PENDS) {
            record.flags.set(Flags::PENDS, pends);
            self.pending = if pends { self.pending + 1 } else { self.pending - 1 };
        }
        let record = self.events.get(key);
        let holds = record.should_hold();
        if holds != record.flags.has(Flags::HOLDS) {
            record.flags.set(Flags::HOLDS, holds);
            self.change_holds(holds);
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

    pub(super) fn stats(&self) -> Stats {
        let wakeups = self.shared.wakeups.load(Ordering::Relaxed);
        Stats { events: self.events.len() as u64, pending: self.pending, wakeups, ..self.stats }
    }
}

/// The event `handle` in its loop's life, while the lock keeps it alive.
pub(super) fn with_event<R>(handle: Handle, body: impl FnOnce(&mut Life, u32) -> Result<R>) -> Result<R> {
    let slot = EVENTS.get(handle)?;
    let (loop_slot, _) = slot.body().get();
    let shared = LOOPS.slot(loop_slot).ok_or(Code::Stale)?.body();
    shared.with_any(|life| {
        // Every free of an event of this loop holds this lock; so what lives here now lives until the end.
        slot.check(handle)?;
        match slot.body().get() {
            (home, key) if home == life.handle.slot() => body(life, key),
            _ => Err(Error::from(Code::Stale)),
        }
    })
}
