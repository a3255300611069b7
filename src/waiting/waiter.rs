//! What a thread waits with, and how a wait ends.
//!
//! ```text
//! word:  epoch:62 | state:2        edge:  kind:8 | who is waited for:32
//!
//!             arm                  publish                    the other side, or the detector
//!   OVER ───────────────▶ ARMED ───────────────▶ WAITING ───────────────▶ DONE
//!    ▲                      │  └────────────────────│───────────────────────▲
//!    └──────────────────────┴───────────────────────┘  the waiter itself: timed out, interrupted
//! ```
//!
//! Each wait has an epoch of its own, which never comes again. Whoever may end it holds a [`Ticket`], the waiter and
//! the epoch, and never a pointer into the waiting thread's frame: a caller that unwinds out of its wait leaves tickets
//! behind that no longer end anything. Ending is one compare-and-swap from an open state, so of the reply, the
//! timeout, the kill and the detector exactly one wins, and the losers know it and keep what they brought.
//!
//! ARMED is a wait that still spins: it can be ended, but nobody sees whom it waits for. Only when it is about to
//! sleep it is published, with its edge; then the thread looks for a cycle through itself (see `detect`).

use super::notice::Notice;
use crate::error::Error;
use crate::handle::Handle;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use crate::sys::clock::{NEVER, Nanos, now};
use crate::value::{Failure, Value};

const STATE_BITS: u32 = 2;
const STATE_MASK: u64 = (1 << STATE_BITS) - 1;
const OVER: u64 = 0;
const ARMED: u64 = 1;
const WAITING: u64 = 2;
const DONE: u64 = 3;

/// Reasons of a waiter's notice: its wait was ended, its thread was killed. The second stands until the end.
const ENDED: u32 = 1;
const KILLED: u32 = 2;

/// What a thread waits for. The numbers are the C constants `PIRN_WAIT_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Message = 1,
    Call = 2,
    Room = 3,
    Join = 4,
    Future = 5,
    Sleep = 6,
    Loop = 7,
    Lock = 8,
}

impl Kind {
    /// The word for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Message => "message",
            Kind::Call => "call",
            Kind::Room => "full queue",
            Kind::Join => "join",
            Kind::Future => "future",
            Kind::Sleep => "sleep",
            Kind::Loop => "loop",
            Kind::Lock => "lock",
        }
    }

    fn from_number(number: u8) -> Option<Kind> {
        use Kind::{Call, Future, Join, Lock, Loop, Message, Room, Sleep};
        [Message, Call, Room, Join, Future, Sleep, Loop, Lock].into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What a wait is for, and the node of the thread that must do something so that it ends, if it is a certain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) kind: Kind,
    pub(crate) to: Option<u32>,
}

const NO_NODE: u64 = u32::MAX as u64;

impl Edge {
    pub(crate) fn new(kind: Kind, to: Option<u32>) -> Self {
        Self { kind, to }
    }

    fn bits(self) -> u64 {
        (self.kind as u64) << 32 | self.to.map_or(NO_NODE, u64::from)
    }

    fn from_bits(bits: u64) -> Option<Self> {
        let kind = Kind::from_number((bits >> 32) as u8)?;
        let to = bits & NO_NODE;
        Some(Self { kind, to: (to != NO_NODE).then_some(to as u32) })
    }
}

/// What the other side ends a wait with.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Go on: there is room, it is dead, the lock is free.
    Go,
    /// The reply, or the result.
    Reply(Value),
    /// The other side's function failed.
    Failed(Failure),
    /// It will not happen; a message that was waiting with the caller comes back.
    Refused(Error, Option<Value>),
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The other side, or the detector, ended it.
    Answered(Outcome),
    /// Its time was over.
    TimedOut,
    /// The waiting thread was killed.
    Interrupted,
}

/// One thread's place to wait at. Lives for ever, and serves one thread after the other.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    word: AtomicU64,
    answer: Mutex<Option<Outcome>>,
    notice: Notice,
    /// The epoch of the latest call that came out of the line for a full queue; see [`Ticket::moved_up`].
    moved_up: AtomicU64,
    edge: AtomicU64,
    deadline: AtomicI64,
    /// The loop that the thread sleeps in; 0 when in none.
    elsewhere: AtomicU64,
}

/// The loop that a thread slept in before it went into another.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Elsewhere(u64);

/// One wait of one waiter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    waiter: &'static Waiter,
    epoch: u64,
}

impl PartialEq for Ticket {
    fn eq(&self, other: &Self) -> bool {
        self.epoch == other.epoch && std::ptr::eq(self.waiter, other.waiter)
    }
}

impl Eq for Ticket {}

/// A published wait, as others see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) ticket: Ticket,
    pub(crate) edge: Edge,
    pub(crate) deadline: Nanos,
}

/// A wait was ended; its thread must be woken, which whoever ended it does when it holds no lock.
#[derive(Debug)]
#[must_use = "a sleeper that is not woken sleeps on"]
pub(crate) struct Bell(Option<&'static Waiter>);

impl Bell {
    pub(crate) fn ring(self) {
        if let Some(waiter) = self.0 {
            waiter.notice.ring_and_wake(ENDED);
        }
    }
}

/// What the floors above do at the turns of a wait.
pub(crate) trait Turns {
    /// The thread is about to sleep: it lets go of what others could wait for.
    fn before_publishing(&mut self) {}
    /// The wait can be seen now.
    fn published(&mut self) {}
    /// When to look after what it waits for by itself, once.
    fn look_at(&self) -> Nanos {
        NEVER
    }
    /// That moment has come.
    fn look(&mut self) {}
}

/// A wait with no turns.
#[cfg(all(test, loom))]
pub(crate) struct Plain;

#[cfg(all(test, loom))]
impl Turns for Plain {}

impl Waiter {
    /// Begins a wait. Own thread.
    pub(crate) fn arm(&'static self) -> Ticket {
        let epoch = (self.word.load(Ordering::Relaxed) >> STATE_BITS) + 1;
        if self.notice.reasons() & ENDED != 0 {
            // A late ring of an earlier wait.
            self.notice.take(ENDED);
        }
        // Only the own thread begins an epoch, and nobody can change the word of one that is over. If the last wait
        // was left by unwinding it is still open: then this store ends it, and its tickets end nothing any more.
        if cfg!(loom) {
            // loom does not infer that a compare-and-swap which read the word before this store comes before it.
            self.word.swap(epoch << STATE_BITS | ARMED, Ordering::AcqRel);
        } else {
            self.word.store(epoch << STATE_BITS | ARMED, Ordering::Release);
        }
        Ticket { waiter: self, epoch }
    }

    /// Lets nobody end the wait until a fork is over.
    #[cfg(not(loom))]
    pub(crate) fn hold_still(&'static self) {
        crate::sys::fork::hold(self.answer.lock());
    }

    /// Marks the thread as killed and wakes it from its wait, whatever it waits for.
    pub(crate) fn kill(&self) {
        self.notice.ring_and_wake(KILLED);
    }

    /// Was the thread killed?
    pub(crate) fn is_killed(&self) -> bool {
        self.notice.reasons() & KILLED != 0
    }

    /// The waiter gets another thread.
    pub(crate) fn renew(&self) {
        self.notice.take(KILLED | ENDED);
        self.edge.store(0, Ordering::Release);
        self.elsewhere.store(0, Ordering::Release);
    }

    /// The thread is about to sleep in `event_loop`. It asks [`Self::is_killed`] after this and before it sleeps.
    pub(crate) fn enter_elsewhere(&self, event_loop: Handle) -> Elsewhere {
        let before = self.elsewhere.swap(event_loop.bits(), Ordering::AcqRel);
        self.show(Edge::new(Kind::Loop, None));
        fence(Ordering::SeqCst);
        Elsewhere(before)
    }

    /// It is back, in the loop where it was before, if it was in one.
    pub(crate) fn leave_elsewhere(&self, before: Elsewhere) {
        self.elsewhere.store(before.0, Ordering::Release);
        if before.0 == 0 {
            self.hide();
        }
    }

    /// The loop that the thread sleeps in. Asked after [`Self::kill`]: either the thread saw the kill, or this sees
    /// the loop.
    pub(crate) fn elsewhere(&self) -> Option<Handle> {
        fence(Ordering::SeqCst);
        let bits = self.elsewhere.load(Ordering::Acquire);
        (bits != 0).then(|| Handle::from_bits(bits))
    }

    /// Says what the thread sleeps for, in a wait that nobody but a message, a clock or a loop ends.
    pub(crate) fn show(&self, edge: Edge) {
        self.edge.store(edge.bits(), Ordering::Release);
    }

    /// It is awake again.
    pub(crate) fn hide(&self) {
        self.edge.store(0, Ordering::Release);
    }

    /// What the thread sleeps for now, for people.
    pub(crate) fn shown(&self) -> Option<Edge> {
        Edge::from_bits(self.edge.load(Ordering::Acquire))
    }

    /// The wait that is published now.
    pub(crate) fn published(&'static self) -> Option<Published> {
        let word = self.word.load(Ordering::Acquire);
        if word & STATE_MASK != WAITING {
            return None;
        }
        let edge = Edge::from_bits(self.edge.load(Ordering::Acquire))?;
        let deadline = self.deadline.load(Ordering::Acquire);
        // Edge and deadline change only between two waits. Had one of them been a later wait's, then the word that
        // ended this one would be visible too.
        let ticket = Ticket { waiter: self, epoch: word >> STATE_BITS };
        (self.word.load(Ordering::Acquire) == word).then_some(Published { ticket, edge, deadline })
    }
}

impl Ticket {
    fn word(self, state: u64) -> u64 {
        self.epoch << STATE_BITS | state
    }

    /// Can the wait still be ended?
    pub(crate) fn is_open(self) -> bool {
        let word = self.waiter.word.load(Ordering::Acquire);
        word == self.word(ARMED) || word == self.word(WAITING)
    }

    /// Has its thread begun no other wait since? Then, if this one is over, the thread still clears up after it.
    pub(crate) fn is_latest(self) -> bool {
        self.waiter.word.load(Ordering::Acquire) >> STATE_BITS == self.epoch
    }

    /// Ends the wait with `outcome`, or gives it back: something else has ended it.
    pub(crate) fn end(self, outcome: Outcome) -> Result<Bell, Outcome> {
        let mut outcome = Some(outcome);
        match (self.end_with(|| outcome.take().unwrap_or(Outcome::Go)), outcome) {
            (Some(bell), _) => Ok(bell),
            (None, outcome) => Err(outcome.unwrap_or(Outcome::Go)),
        }
    }

    /// Ends the wait with what `outcome` makes, which is called only if nothing else has ended it.
    pub(crate) fn end_with(self, outcome: impl FnOnce() -> Outcome) -> Option<Bell> {
        // The lock makes the word and the answer one: the thread that sees DONE waits here until the answer is there.
        let mut answer = self.waiter.answer.lock();
        let state = self.close(DONE)?;
        *answer = Some(outcome());
        // One that is not published doesn't sleep, and looks at the word before it does.
        Some(Bell((state == WAITING).then_some(self.waiter)))
    }

    /// The call's message has left the line for a full queue and is in the queue: what is waited for now is the reply.
    pub(crate) fn moved_up(self) {
        self.waiter.moved_up.store(self.epoch, Ordering::Release);
        // Either this sees the edge, or the thread, which fences after it has published, sees the epoch.
        fence(Ordering::SeqCst);
        let bits = self.waiter.edge.load(Ordering::Acquire);
        if let Some(Edge { kind: Kind::Room, to }) = Edge::from_bits(bits) {
            let call = Edge::new(Kind::Call, to).bits();
            let _ = self.waiter.edge.compare_exchange(bits, call, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Waits until somebody ends it, until `deadline`, or until the thread is killed. Own thread.
    pub(crate) fn wait(self, edge: Edge, deadline: Nanos, turns: &mut impl Turns) -> End {
        let waiter = self.waiter;
        if deadline == NEVER || now() < deadline {
            waiter.notice.linger(|| waiter.word.load(Ordering::Acquire) != self.word(ARMED));
        }
        if let Some(end) = self.over(deadline) {
            return end;
        }
        turns.before_publishing();
        if self.publish(edge, deadline) {
            turns.published();
            self.sleep(deadline, turns);
        }
        waiter.hide();
        self.over(deadline).unwrap_or(End::TimedOut)
    }

    /// Makes the wait visible without sleeping; the caller sleeps outside the library.
    pub(crate) fn announce(self, edge: Edge) {
        self.publish(edge, NEVER);
    }

    /// What it was ended with, if it was.
    pub(crate) fn answer_now(self) -> Option<Outcome> {
        let is_done = self.waiter.word.load(Ordering::Acquire) == self.word(DONE);
        if is_done { self.waiter.answer.lock().take() } else { None }
    }

    /// The wait is over, whatever it was ended with.
    pub(crate) fn take_back(self) {
        self.close(OVER);
        self.waiter.hide();
    }

    /// Makes the wait visible; false when it is over.
    fn publish(self, edge: Edge, deadline: Nanos) -> bool {
        let waiter = self.waiter;
        waiter.deadline.store(deadline, Ordering::Release);
        waiter.show(edge);
        let (armed, waiting) = (self.word(ARMED), self.word(WAITING));
        if waiter.word.compare_exchange(armed, waiting, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return false;
        }
        if edge.kind == Kind::Room {
            // Against `moved_up`: either that sees the edge, or this sees the epoch.
            fence(Ordering::SeqCst);
            if waiter.moved_up.load(Ordering::Acquire) == self.epoch {
                waiter.show(Edge::new(Kind::Call, edge.to));
            }
        }
        true
    }

    /// Sleeps until the wait is over or must be ended.
    fn sleep(self, deadline: Nanos, turns: &mut impl Turns) {
        let waiter = self.waiter;
        let mut look_at = turns.look_at();
        while waiter.word.load(Ordering::Acquire) == self.word(WAITING) {
            let rung = waiter.notice.park(deadline.min(look_at));
            if rung {
                if waiter.is_killed() {
                    return;
                }
                waiter.notice.take(ENDED);
            } else if deadline != NEVER && now() >= deadline {
                return;
            } else {
                look_at = NEVER;
                turns.look();
            }
        }
    }

    /// How the wait ended, if it has or must: its time is over, or its thread was killed.
    fn over(self, deadline: Nanos) -> Option<End> {
        let waiter = self.waiter;
        if waiter.word.load(Ordering::Acquire) != self.word(DONE) {
            let end = if waiter.is_killed() {
                End::Interrupted
            } else if deadline != NEVER && now() >= deadline {
                End::TimedOut
            } else {
                return None;
            };
            if self.close(OVER).is_some() {
                return Some(end);
            }
        }
        let answer = waiter.answer.lock().take();
        answer.map(End::Answered)
    }

    /// Moves the word from an open state, which is returned, to `state`.
    fn close(self, state: u64) -> Option<u64> {
        let mut word = self.waiter.word.load(Ordering::Acquire);
        loop {
            if word != self.word(ARMED) && word != self.word(WAITING) {
                return None;
            }
            let closed = self.word(state);
            match self.waiter.word.compare_exchange_weak(word, closed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(word & STATE_MASK),
                Err(now) => word = now,
            }
        }
    }
}
