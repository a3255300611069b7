//! A round: look at everything that may have become ready, then hand it out one by one.

use super::activation;
use super::inbox::{Item, shed};
use super::life::Life;
use super::record::{Flags, Kind};
use super::records::Place;
use super::shared::{EXITED, LEFT, SIGNALLED, Shared, WORK};
use super::task::{Callback, Task};
use crate::handle::Handle;
use crate::sync::atomic::Ordering;
use crate::sys::clock::{after, now};
use crate::sys::poller::{Buffer, Readiness};
use crate::timer::Key;
use crate::what;
use std::collections::VecDeque;

/// How many callbacks a round runs at the most, before timers, descriptors and exits are looked at again.
pub(super) const BUDGET: usize = 1024;

/// What the kernel's poll reported and nobody has looked at yet.
#[derive(Default)]
pub(super) struct Polled {
    pub(super) buffer: Buffer,
    pub(super) reports: Vec<Readiness>,
    /// The events that a report is for; room that is used again.
    woken: Vec<(Key, u32)>,
    /// It was asked since the last round.
    pub(super) fresh: bool,
}

/// Something to run.
pub(super) enum Call {
    Task(Task),
    Callback(Callback),
}

impl Life {
    /// Looks at everything that may have become ready.
    pub(super) fn gather(&mut self, shared: &'static Shared, polled: &mut Polled) {
        self.come_back();
        if self.is_exiting() {
            return;
        }
        self.stats.rounds += 1;
        self.crowded = false;
        shared.notice.take(LEFT);
        if self.flood.is_empty() && shared.notice.take(WORK) != 0 {
            self.open_inbox(shared);
        }
        self.open_incoming();
        if self.is_exiting() {
            return;
        }
        self.watches.flush();
        let watches = self.watches.registered() > 0 || shared.is_embedded();
        if watches && !std::mem::take(&mut polled.fresh) {
            shared.sleeper().collect(0, &mut polled.buffer, &mut polled.reports);
        }
        self.deliver_reports(polled);
        if shared.notice.take(SIGNALLED) != 0 {
            self.deliver_signals(shared);
        }
        self.expire();
        self.rouse_idle();
    }

    fn open_inbox(&mut self, shared: &Shared) {
        let mut inbox = shared.inbox.lock();
        let count = inbox.items.len();
        self.crowded = count > 1;
        if self.incoming.is_empty() && inbox.others == 0 && count > BUDGET {
            std::mem::swap(&mut inbox.items, &mut self.flood);
            return;
        }
        if self.incoming.is_empty() && self.ready.take_tasks(&mut inbox) {
            return;
        }
        inbox.others = 0;
        if self.incoming.is_empty() {
            std::mem::swap(&mut inbox.items, &mut self.incoming);
        } else {
            self.incoming.append(&mut inbox.items);
        }
    }

    /// Sorts what came out of the inbox, up to a round's budget, so that a timer or a descriptor never stands behind
    /// more than that; and up to an exit: what came after it is for the next run.
    fn open_incoming(&mut self) {
        for _ in 0..BUDGET {
            let Some(item) = self.incoming.pop_front() else { break };
            match item {
                Item::Task(task) => self.ready.push_task(task),
                Item::Activated(event) => self.queue_activated(event),
                Item::Exit(exit) => {
                    self.exit = exit;
                    if self.is_exiting() {
                        break;
                    }
                }
                Item::Event { .. } => unreachable!("an inbox knows events by their handles"),
            }
        }
    }

    fn queue_activated(&mut self, event: Handle) {
        // Freed, removed, or of a loop that lived here before: then there is nothing to do.
        if let Ok(Some(key)) = Place::find(event).and_then(|place| self.events.key(place)) {
            if activation::is_active(self.events.word(key)) {
                self.queue(key, 0);
            }
        }
    }

    /// Puts an event into the ready queue, with a reason to run; if it is there already, the reason joins.
    fn queue(&mut self, key: Key, reason: u32) {
        let record = self.events.get(key);
        *record.reasons() |= reason as u16;
        if record.flags.has(Flags::QUEUED) {
            return;
        }
        record.flags.set(Flags::QUEUED, true);
        let (priority, stamp) = (record.priority, *record.stamp());
        self.ready.push_event(priority, key, stamp);
        self.update_counts(key);
    }

    fn deliver_reports(&mut self, polled: &mut Polled) {
        let Polled { reports, woken, .. } = polled;
        for report in reports.drain(..) {
            self.watches.deliver(report, |key, seen| woken.push((key, seen)));
            for (key, seen) in woken.drain(..) {
                self.queue(key, seen);
            }
        }
    }

    fn deliver_signals(&mut self, shared: &Shared) {
        let mut woken = Vec::new();
        self.signals.deliver(&shared.signals, |key| woken.push(key));
        for key in woken {
            self.queue(key, what::SIGNAL);
        }
    }

    /// Queues all timers that are due, in the order of their deadlines, and publishes the next deadline.
    fn expire(&mut self) {
        if self.timers.armed() > 0 {
            let now = now();
            while let Some(key) = self.timers.expire(&mut self.events, now) {
                self.queue(key, what::TIMEOUT);
            }
        }
        let next = self.next_deadline();
        self.set_deadline(next);
    }

    fn rouse_idle(&mut self) {
        for index in 0..self.idle.len() {
            let key = self.idle[index];
            self.queue(key, what::IDLE);
        }
    }

    /// The next thing to run, alone. A callback counts as started, so only one at a time is taken: it may take the
    /// next one's reasons away.
    pub(super) fn next_call(&mut self) -> Option<Call> {
        while let Some(item) = self.next_item() {
            match item {
                Item::Task(task) => {
                    self.stats.callbacks += 1;
                    return Some(Call::Task(task));
                }
                Item::Event { key, stamp } => {
                    let record = self.events.get(key);
                    if record.flags.has(Flags::QUEUED) && *record.stamp() == stamp {
                        return Some(Call::Callback(self.start(key)));
                    }
                }
                Item::Activated(_) | Item::Exit(_) => unreachable!("sorted before they are ready"),
            }
        }
        None
    }

    fn next_item(&mut self) -> Option<Item> {
        if self.ready.lets_tasks_go() { self.flood.pop_front().or_else(|| self.ready.pop()) } else { self.ready.pop() }
    }

    /// Lends what is next to a runner of tasks into `batch`, if it is tasks.
    pub(super) fn lend_tasks(&mut self, batch: &mut VecDeque<Item>) -> bool {
        if !self.flood.is_empty() && self.ready.lets_tasks_go() {
            std::mem::swap(&mut self.flood, batch);
            return true;
        }
        self.ready.lend_tasks(batch)
    }

    /// Takes back what is left of what was lent.
    pub(super) fn take_tasks_back(&mut self, batch: &mut VecDeque<Item>) {
        if batch.len() > BUDGET {
            std::mem::swap(&mut self.flood, batch);
        } else {
            self.ready.take_back(batch);
        }
    }

    /// Is there anything left to run?
    fn is_ready(&self) -> bool {
        self.ready.len() > 0 || !self.flood.is_empty()
    }

    /// How much a round runs: all that it gathered, of a flood no more than the budget, and before an exit everything.
    pub(super) fn round_size(&self) -> usize {
        if self.is_exiting() { usize::MAX } else { self.ready.len() + self.flood.len().min(BUDGET) }
    }

    /// Takes the reasons to run an event and counts them.
    fn start(&mut self, key: Key) -> Callback {
        let activations = activation::take(self.events.word(key));
        let record = self.events.get(key);
        record.leave_queue();
        record.flags.set(Flags::OUT, true);
        let mut what = u32::from(std::mem::take(record.reasons()));
        let kind = record.kind;
        let call = self.events.call(key);
        let (function, argument, interest) = (call.function, call.argument, u32::from(call.interest));
        let mut count = activations;
        if activations > 0 {
            self.crowded |= activations > 1;
            what |= what::ACTIVATED;
            self.stats.activations += u64::from(activations);
            self.stats.merged += u64::from(activations) - 1;
        }
        if what & what::TIMEOUT != 0 {
            count = count.saturating_add(self.tick(key));
        }
        if what & what::SIGNAL != 0 {
            count = count.saturating_add(self.signals.take_count(key));
        }
        let fires_once = kind == Kind::Fd && interest & what::ONESHOT != 0;
        if fires_once && what & (what::READINESS | what::TIMEOUT) != 0 {
            self.forget_target(key, false);
            self.events.get(key).flags.set(Flags::ADDED, false);
            self.disarm(key);
        }
        self.out.push(key);
        self.stats.callbacks += 1;
        self.update_counts(key);
        // What is in the queue is not freed.
        let event = self.events.handle(key).unwrap_or(Handle::from_bits(0));
        Callback { call: function, event, what, count: count.max(1), argument }
    }

    /// Accounts for an expired timer and winds an interval up again; how many ticks this stands for.
    fn tick(&mut self, key: Key) -> u32 {
        let record = self.events.get(key);
        let (deadline, period, is_interval) = (record.node.deadline(), record.period, record.flags.has(Flags::TICKS));
        let rewinds = is_interval && !record.node.is_armed();
        // Not the round's time: callbacks before this one may have taken long.
        let late = now().saturating_sub(deadline).max(0);
        self.stats.timers_fired += 1;
        self.stats.max_lateness_ns = self.stats.max_lateness_ns.max(late as u64);
        if !rewinds {
            return 1;
        }
        // Ticks that were missed come as one, and the next one is where it would have been.
        let ticks = late / period + 1;
        let next = deadline.saturating_add(ticks.saturating_mul(period));
        self.arm(key, next);
        ticks.min(u32::MAX.into()) as u32
    }

    /// The callback that ran has returned; or the taker has come back for more.
    pub(super) fn come_back(&mut self) {
        while let Some(key) = self.out.pop() {
            let record = self.events.get(key);
            record.flags.set(Flags::OUT, false);
            if record.flags.has(Flags::FREED) {
                self.bury(key);
            } else if record.kind == Kind::Delay && !self.is_pending(key) {
                if let Some(event) = self.events.handle(key) {
                    // It lives: every free holds this lock.
                    let _ = self.free(event, key);
                }
            }
        }
    }

    /// A descriptor's timeout is one of idleness: it begins anew after each callback. What was taken is out until the
    /// taker comes back; but a wait comes first, and must know, so there it begins anew with the taking.
    pub(super) fn wind_idle_timeouts(&mut self) {
        for index in 0..self.out.len() {
            let key = self.out[index];
            let record = self.events.get(key);
            let period = record.period;
            if period > 0 && !record.flags.has(Flags::TICKS) && record.is_watched() {
                self.arm(key, after(period));
            }
        }
    }

    /// Ends a round: what is left for the next one, and what the kernel must hear before a sleep.
    pub(super) fn end_round(&mut self, shared: &Shared, polled_more: bool) {
        if self.is_exiting() && !self.is_ready() {
            // What was active when the exit was asked has run.
            self.exit = 0;
            shared.ring(EXITED);
        }
        if self.is_ready() || !self.incoming.is_empty() || polled_more {
            shared.ring(LEFT);
        }
        self.watches.flush();
        shared.descriptors.store(self.watches.registered(), Ordering::Release);
        // Its thread is about to look.
        self.look_again = false;
        for queue in [&mut self.incoming, &mut self.flood] {
            shed(queue);
        }
        self.ready.shed();
        if shared.is_embedded() {
            // What was called off inside a callback must not wake the foreign loop.
            let next = self.next_deadline();
            self.set_deadline(next);
        }
    }

    /// Adds or takes away a reason to keep running that is no event: a future, a thread.
    pub(super) fn change_guests(&mut self, more: bool) {
        match (more, self.guests) {
            (true, _) => self.guests += 1,
            // A forked child has forgotten it.
            (false, 0) => return,
            (false, _) => self.guests -= 1,
        }
        self.change_holds(more);
    }
}
