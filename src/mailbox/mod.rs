//! The mailbox: a bounded queue that many send to and one receives from. It knows nothing of OS threads.
//!
//! ```text
//!                       the limit counts all three of these
//!             ┌──────────────────────────────────────────────┐
//!   line  ──▶ queue  ──swap──▶ the receiver's batch ──▶ in hand
//!             given back ◀──── before the receiver waits for somebody
//! ```
//!
//! Senders push under a lock; the receiver swaps the whole queue for its empty batch, so that the two meet once a
//! batch and the buffers go round without an allocation. What is in the batch still takes room: the receiver
//! publishes how much of it is left with a plain store.
//!
//! **Blocked senders** stand in a line, their messages with them; whoever makes or sees room moves messages from the
//! line into the queue, first come, first served, and then ends their senders' waits. The receiver does so once a
//! worthwhile part of the limit is free, so that a burst wakes each sender once and not once a message. A sender is
//! never left behind for that: it looks by itself after a moment ([`PATIENCE`]), and the receiver lets everybody in
//! who fits before it waits for somebody else ([`Mailbox::give_back`]). So when a thread that waits has somebody in
//! its line, its queue is full: the edge "full queue" is never a phantom.
//!
//! **The word.** MESSAGE stands exactly while something is queued (set and cleared under the lock), so only the push
//! that finds the queue empty rings.

mod close;
mod coalesce;
mod lane;
mod line;
#[cfg(all(test, loom))]
mod loom_tests;
mod on_loop;
mod receive;
#[cfg(test)]
mod testing;
#[cfg(all(test, not(loom)))]
mod tests;
mod timers;

pub(crate) use coalesce::Rules;
pub(crate) use lane::Lane;
pub(crate) use on_loop::Rest;
pub(crate) use receive::Ready;

use crate::error::Code;
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, fence};
use crate::sync::{Mutex, MutexGuard};
use crate::sys::clock::{NEVER, Nanos};
use crate::value::Value;
use crate::waiting::notice::{Notice, Wake};
use crate::waiting::waiter::{Bell, Outcome, Ticket};
use coalesce::Coalescer;
use line::Line;
use std::sync::Arc;
use timers::Timers;

/// How long a blocked sender sleeps before it looks for room by itself.
pub(crate) const PATIENCE: Nanos = 1_000_000;

/// How many messages wait at most, unless it is said otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 1000;

/// The reasons of a mailbox's word.
const MESSAGE: u32 = 1;
/// A timer was added that is the first now.
const TIMER: u32 = 2;
const STOP: u32 = 4;
const KILL: u32 = 8;

/// What a mailbox must know about a message.
pub(crate) trait Parcel: Sized {
    /// What is left of a message when its receiver will not answer it any more.
    type Reply;

    /// The wait of the one caller that the reply ends, if there is one.
    fn caller(&self) -> Option<Ticket>;

    /// Takes `caller` out of those that get the reply; false when it isn't one of them.
    fn forget(&mut self, caller: Ticket) -> bool;

    /// Takes all of them out. Dropped when no lock is held.
    fn hang_up(&mut self) -> Self::Reply;

    /// The message will not be taken: what its sender is told.
    fn refused(self, code: Code, text: Option<String>) -> Outcome;

    /// Its sender is gone, and has been told something else.
    fn abandon(self);

    /// A copy, for a timer that repeats.
    fn again(&self) -> Option<Self>;
}

/// Tells an event loop that there is something for the receiver.
#[derive(Clone)]
pub(crate) struct LoopBell(pub(crate) Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for LoopBell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoopBell")
    }
}

/// Who may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Gate {
    #[default]
    Open,
    /// What is queued is still received.
    Stopping,
    /// Nothing is.
    Closed,
}

/// What was counted, for the ledger: accepted = handled + coalesced + undelivered + what still waits.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ledger {
    pub(crate) queued: u64,
    pub(crate) peak: u64,
    pub(crate) accepted: u64,
    pub(crate) handled: u64,
    pub(crate) coalesced: u64,
    pub(crate) refused: u64,
    pub(crate) undelivered: u64,
    pub(crate) blocked_senders: u64,
    pub(crate) timers: u64,
    pub(crate) busy_ns: u64,
}

#[derive(Debug)]
struct Inner<T> {
    /// Whose mailbox it is: a handle's bits. 0: nobody's.
    tenant: u64,
    gate: Gate,
    limit: usize,
    queue: Lane<T>,
    /// What the receiver gave back of its batch; older than everything in `queue`.
    given_back: Lane<T>,
    /// How many were in the receiver's batch when it took it: never less than what is now.
    lent_at_most: usize,
    line: Line<T>,
    timers: Timers<T>,
    coalescer: Option<Box<Coalescer<T>>>,
    ledger: Ledger,
}

impl<T> Default for Inner<T> {
    fn default() -> Self {
        Self {
            tenant: 0,
            gate: Gate::default(),
            limit: DEFAULT_LIMIT,
            queue: Lane::default(),
            given_back: Lane::default(),
            lent_at_most: 0,
            line: Line::default(),
            timers: Timers::default(),
            coalescer: None,
            ledger: Ledger::default(),
        }
    }
}

/// See the module. What senders touch, what the receiver stores at each message, and the word that both look at are on
/// lines of their own.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    notice: Notice,
    /// Wakes a receiver that sleeps in an event loop.
    bell: Mutex<Option<LoopBell>>,
    has_bell: AtomicBool,
    /// When the first timer is due.
    next_due: AtomicI64,
    /// How many stand in the line.
    blocked: AtomicUsize,
    /// The receiver lets them in when fewer than this are left in its batch: then a worthwhile part of the limit is
    /// free. A hint, so that it takes the lock only then.
    let_in_below: AtomicUsize,
    inner: Apart<Mutex<Inner<T>>>,
    receiver: Apart<Receiver>,
}

/// Only the receiver stores these.
#[derive(Debug, Default)]
struct Receiver {
    /// What is left in its batch, and how much of that takes room.
    lent: AtomicU64,
    /// How many it found when it fetched.
    last_batch: AtomicUsize,
    /// Messages taken.
    handled: AtomicU64,
    /// The last that was taken was a timer's, so a message is next.
    after_timer: AtomicBool,
    /// Time that it was awake, up to `awake_since`; 0 there: it sleeps.
    busy: AtomicI64,
    awake_since: AtomicI64,
}

/// On cache lines that it shares with nothing.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Apart<T>(T);

impl<T> std::ops::Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self {
            notice: Notice::default(),
            bell: Mutex::new(None),
            has_bell: AtomicBool::new(false),
            next_due: AtomicI64::new(NEVER),
            blocked: AtomicUsize::new(0),
            let_in_below: AtomicUsize::new(0),
            inner: Apart(Mutex::new(Inner::default())),
            receiver: Apart::default(),
        }
    }
}

/// What must happen after the lock was let go, whatever came of the rest: the receiver is woken, and those whose waits
/// were ended, and what users gave is dropped.
#[derive(Debug)]
#[must_use = "whoever was rung for sleeps until it is finished"]
struct Aftermath<T> {
    wake: Wake,
    bells: Vec<Bell>,
    values: Vec<Value>,
    abandoned: Vec<T>,
}

impl<T> Default for Aftermath<T> {
    fn default() -> Self {
        Self { wake: Wake::Nobody, bells: Vec::new(), values: Vec::new(), abandoned: Vec::new() }
    }
}

impl<T> Aftermath<T> {
    /// Of several rings of the mailbox's word, the one that found a sleeper counts.
    fn woke(&mut self, wake: Wake) {
        if wake != Wake::Nobody {
            self.wake = wake;
        }
    }
}

/// What became of a message that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is in the queue.
    Queued,
    /// The queue is full; it stands in the line, for this wait.
    InLine(Ticket),
}

/// Lent messages and how many of them take room, in one word.
fn lent_word(live: usize, counted: usize) -> u64 {
    (live as u64) << 32 | counted as u64
}

impl<T: Parcel> Mailbox<T> {
    /// The mailbox gets another owner. Its batch is empty.
    pub(crate) fn renew(&self, tenant: u64) {
        let mut inner = self.inner.lock();
        *inner = Inner { tenant, ..Inner::default() };
        self.notice.take(MESSAGE | TIMER | STOP | KILL);
        self.notice.awake();
        self.receiver.lent.store(0, Ordering::Relaxed);
        self.blocked.store(0, Ordering::Relaxed);
        self.let_in_below.store(0, Ordering::Relaxed);
        self.next_due.store(NEVER, Ordering::Relaxed);
        self.receiver.handled.store(0, Ordering::Relaxed);
        self.receiver.after_timer.store(false, Ordering::Relaxed);
        self.receiver.busy.store(0, Ordering::Relaxed);
        self.receiver.awake_since.store(0, Ordering::Relaxed);
    }

    /// Keeps the mailbox as it is until a fork is over.
    #[cfg(not(loom))]
    pub(crate) fn hold_still(&'static self)
    where
        T: 'static,
    {
        crate::sys::fork::hold(self.inner.lock());
    }

    /// Says how many may wait; 0: as many as like.
    pub(crate) fn set_limit(&self, tenant: u64, limit: usize) -> Result<(), Code> {
        let mut inner = self.inner.lock();
        inner.belongs_to(tenant)?;
        inner.limit = if limit == 0 { usize::MAX } else { limit };
        let mut after = Aftermath::default();
        self.let_in(&mut inner, &mut after);
        drop(inner);
        self.finish(after);
        Ok(())
    }

    /// Was a message ever sent here?
    pub(crate) fn is_untouched(&self) -> bool {
        self.inner.lock().ledger.accepted == 0
    }

    /// Sends `item`. When there is no room it gets in line, for the wait that `ticket` begins; without one that is
    /// [`Code::Again`]. After a failure `item` is still there.
    #[inline]
    pub(crate) fn send(
        &self,
        tenant: u64,
        item: &mut Option<T>,
        ticket: impl FnOnce() -> Option<Ticket>,
    ) -> Result<Sent, Code> {
        let mut inner = self.inner.lock();
        if let Err(code) = inner.admits(tenant) {
            inner.ledger.refused += 1;
            return Err(code);
        }
        if inner.is_plain() && self.has_room(&inner) {
            let wake = self.accept(&mut inner, item, true);
            drop(inner);
            self.wake(wake);
            return Ok(Sent::Queued);
        }
        self.send_slowly(inner, item, ticket)
    }

    /// With rules, with a line, or without room.
    #[cold]
    fn send_slowly(
        &self,
        mut inner: MutexGuard<'_, Inner<T>>,
        item: &mut Option<T>,
        ticket: impl FnOnce() -> Option<Ticket>,
    ) -> Result<Sent, Code> {
        let mut after = Aftermath::default();
        let sent = self.merge_queue_or_line(&mut inner, item, ticket, &mut after);
        drop(inner);
        self.finish(after);
        sent
    }

    fn merge_queue_or_line(
        &self,
        inner: &mut Inner<T>,
        item: &mut Option<T>,
        ticket: impl FnOnce() -> Option<Ticket>,
        after: &mut Aftermath<T>,
    ) -> Result<Sent, Code> {
        let mut key = None;
        let merging = inner.coalescer.as_mut().and_then(|coalescer| Some((coalescer, item.take()?)));
        if let Some((coalescer, incoming)) = merging {
            match coalescer.merge(&mut inner.queue, incoming, &mut after.values) {
                Ok(()) => {
                    inner.ledger.accepted += 1;
                    inner.ledger.coalesced += 1;
                    return Ok(Sent::Queued);
                }
                Err((unmerged, its_key)) => (*item, key) = (Some(unmerged), its_key),
            }
        }
        self.let_in(inner, after);
        if inner.line.is_empty() && self.has_room(inner) {
            if let Some(coalescer) = &mut inner.coalescer {
                coalescer.queued(key);
            }
            after.woke(self.accept(inner, item, true));
            return Ok(Sent::Queued);
        }
        let Some(ticket) = ticket() else {
            inner.ledger.refused += 1;
            return Err(Code::Again);
        };
        if let Some(item) = item.take() {
            inner.line.join(item, ticket);
        }
        self.line_changed(inner);
        // Either the receiver, which fences before it gives back, sees the line, or this sees what it has taken.
        fence(Ordering::SeqCst);
        self.let_in(inner, after);
        Ok(Sent::InLine(ticket))
    }

    /// Sends without room and without a wait: what the limit does not count.
    pub(crate) fn send_outside_the_limit(&self, tenant: u64, item: &mut Option<T>) -> Result<(), Code> {
        let mut inner = self.inner.lock();
        inner.admits(tenant)?;
        if let Some(coalescer) = &mut inner.coalescer {
            coalescer.queued(None);
        }
        let wake = self.accept(&mut inner, item, false);
        drop(inner);
        self.wake(wake);
        Ok(())
    }

    /// Sends `item` at `deadline`, and then every `period` if that is not 0.
    pub(crate) fn send_later(
        &self,
        tenant: u64,
        item: &mut Option<T>,
        ticket: u64,
        deadline: Nanos,
        period: Nanos,
    ) -> Result<(), Code> {
        let mut inner = self.inner.lock();
        inner.admits(tenant)?;
        let first = inner.timers.next();
        if let Some(item) = item.take() {
            inner.timers.add(ticket, deadline, period, item);
        }
        let mut wake = Wake::Nobody;
        if deadline < first {
            // The receiver takes the reason away and then reads the deadline.
            self.next_due.store(deadline, Ordering::Release);
            wake = self.notice.ring(TIMER);
        }
        drop(inner);
        self.wake(wake);
        Ok(())
    }

    /// Takes back what [`Self::send_later`] was given; none when it has come, or was taken back.
    pub(crate) fn cancel_later(&self, tenant: u64, ticket: u64) -> Result<Option<T>, Code> {
        let mut inner = self.inner.lock();
        inner.belongs_to(tenant)?;
        let item = inner.timers.cancel(ticket);
        self.next_due.store(inner.timers.next(), Ordering::Release);
        Ok(item)
    }

    /// What was counted, now. Scans nothing.
    pub(crate) fn ledger(&self, tenant: u64, now: Nanos) -> Result<Ledger, Code> {
        let inner = self.inner.lock();
        inner.belongs_to(tenant)?;
        let lent = self.receiver.lent.load(Ordering::Acquire) >> 32;
        let since = self.receiver.awake_since.load(Ordering::Relaxed);
        let awake = if since == 0 { 0 } else { (now - since).max(0) };
        Ok(Ledger {
            queued: (inner.queue.live() + inner.given_back.live()) as u64 + lent,
            handled: self.receiver.handled.load(Ordering::Acquire),
            blocked_senders: inner.line.len() as u64,
            timers: inner.timers.len() as u64,
            busy_ns: (self.receiver.busy.load(Ordering::Relaxed) + awake) as u64,
            ..inner.ledger
        })
    }

    /// Puts `item` into the queue.
    #[inline]
    fn accept(&self, inner: &mut Inner<T>, item: &mut Option<T>, counted: bool) -> Wake {
        let waiting = inner.queue.live() + inner.given_back.live();
        inner.queue.push(item, counted);
        inner.ledger.accepted += 1;
        if (waiting + 1 + inner.lent_at_most) as u64 > inner.ledger.peak {
            self.note_peak(inner);
        }
        // Whoever takes the last one takes the reason away, under this lock.
        if waiting == 0 { self.notice.ring(MESSAGE) } else { Wake::Nobody }
    }

    fn note_peak(&self, inner: &mut Inner<T>) {
        let lent = (self.receiver.lent.load(Ordering::Acquire) >> 32) as usize;
        let exactly = (inner.queue.live() + inner.given_back.live() + lent) as u64;
        inner.ledger.peak = inner.ledger.peak.max(exactly);
    }

    /// Is there room for one more? The receiver's own count is read only when it matters.
    #[inline]
    fn has_room(&self, inner: &Inner<T>) -> bool {
        let queued = inner.queue.counted() + inner.given_back.counted();
        queued + inner.lent_at_most < inner.limit || queued + self.lent_counted() < inner.limit
    }

    /// How many messages in the receiver's batch take room. An old value is a larger one.
    fn lent_counted(&self) -> usize {
        (self.receiver.lent.load(Ordering::Acquire) & u64::from(u32::MAX)) as usize
    }

    fn finish(&self, after: Aftermath<T>) {
        self.wake(after.wake);
        after.bells.into_iter().for_each(Bell::ring);
        after.abandoned.into_iter().for_each(Parcel::abandon);
    }

    fn wake(&self, wake: Wake) {
        match wake {
            Wake::Nobody => {}
            Wake::Word => self.notice.wake(),
            Wake::Poll => {
                self.ring_bell();
                self.notice.woke_poll();
            }
        }
    }
}

impl<T> Inner<T> {
    fn belongs_to(&self, tenant: u64) -> Result<(), Code> {
        if self.tenant == tenant { Ok(()) } else { Err(Code::Stale) }
    }

    /// Has it neither rules nor a line?
    fn is_plain(&self) -> bool {
        self.coalescer.is_none() && self.line.is_empty()
    }

    #[inline]
    fn admits(&self, tenant: u64) -> Result<(), Code> {
        self.belongs_to(tenant)?;
        if self.gate == Gate::Open { Ok(()) } else { Err(Code::Dead) }
    }
}
