//! A future's body: what will end it, who waits for that, and how it ended. All of it is behind one small lock, under
//! which nothing is called; what a step leaves to be done is handed out as an [`Aftermath`].
//!
//! **Callbacks** stand in a line. For each of them one delivery is posted to the loop, and a delivery runs whichever
//! callback is first in the line. So they run in the order in which they were attached, however the posts of those who
//! attach and of the one who ends it overtake each other.

use crate::error::{Code, Error, Result};
use crate::future::ending::{Ending, State};
use crate::handle::Handle;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::value::{Failure, Value};
use crate::waiting::waiter::Ticket;
use std::collections::VecDeque;
use std::task::Waker;

/// Work that a pool does for a future.
pub(crate) type Job = Box<dyn FnOnce() -> Result<Value, Failure> + Send>;

/// Somebody who is told how a future ended.
pub(crate) struct Listener {
    /// It takes a pointer that must be freed; others only see that there is one, or NIL in its place.
    pub(crate) takes: bool,
    /// It cares for failures.
    pub(crate) hears_failures: bool,
    /// Called with the future's handle, which may be stale.
    pub(crate) call: Box<dyn FnOnce(Handle, Ending) + Send>,
}

/// What will end a future.
#[derive(Default)]
pub(crate) enum Source {
    /// Whoever has the handle.
    #[default]
    Anyone,
    /// Something of the library's that says so when it can't any more.
    Promise,
    /// A function that runs on this loop's thread.
    Loop(Handle),
    /// This thread's reply.
    Reply(Handle),
    /// A job that waits for one of the threads of this group.
    Queued { job: Job, group: u32 },
    /// A job that runs, on this thread.
    Running(Option<Handle>),
    /// Another future.
    Forwarded(Handle),
}

/// Whom a wait for the future is a wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Towards {
    Unknown,
    Loop(Handle),
    Thread(Handle),
    Group(u32),
    Future(Handle),
}

/// On whose behalf a future is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Somebody who has the handle.
    Holder,
    /// Its source.
    Source,
    /// Somebody who doesn't want it any more.
    Cancel,
}

enum Stage {
    Pending(Source),
    Over(Ending),
}

/// A thread that waits.
struct Waiting {
    ticket: Ticket,
    /// It wants to know when its wait becomes one for somebody else.
    follows: bool,
}

struct Inner {
    stage: Stage,
    callbacks: VecDeque<Listener>,
    /// Told at once, by whoever ends it: other futures.
    watches: Vec<Listener>,
    waiting: Vec<Waiting>,
    waker: Option<Waker>,
    /// It keeps its loop running.
    holds_loop: bool,
    /// Somebody knows, or will know, if it fails.
    is_heard: bool,
    /// A future further down the way of forwards; see `forward`.
    shortcut: Option<Handle>,
}

/// How many places of a line are kept for the next future.
const MOST_KEPT: usize = 8;

/// See the module.
pub(crate) struct Body {
    /// The process, counted by forks, that the future belongs to.
    pub(crate) process: AtomicU32,
    /// Its loop's handle, which stays the same for the future's life.
    event_loop: AtomicU64,
    inner: Mutex<Inner>,
}

impl Default for Body {
    fn default() -> Self {
        let inner = Mutex::new(Inner::new());
        Self { process: AtomicU32::default(), event_loop: AtomicU64::default(), inner }
    }
}

/// What is to be done after a step, with no lock held.
#[derive(Default)]
pub(crate) struct Aftermath {
    /// Waits to end: their threads look again.
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) waker: Option<Waker>,
    /// How many deliveries to post.
    pub(crate) deliveries: usize,
    pub(crate) watches: Vec<(Listener, Ending)>,
    /// What is not needed any more; dropping it may run users' code.
    pub(crate) source: Option<Source>,
    /// Waits for other futures are waits for somebody else now.
    pub(crate) changes_others: bool,
}

impl Aftermath {
    /// Does doing it end no other future and drop nothing of a user's?
    pub(crate) fn is_plain(&self) -> bool {
        let plain_source = matches!(self.source, None | Some(Source::Anyone | Source::Promise | Source::Running(_)));
        plain_source && self.watches.is_empty() && self.waker.is_none()
    }
}

impl Remains {
    /// Is there nothing to be done, and nothing of a user's to drop?
    pub(crate) fn is_plain(&self) -> bool {
        let (stage, callbacks, watches, waker) = &self.rest;
        let plain_end = match stage {
            None | Some(Stage::Over(Ending::Failed(_) | Ending::Cancelled)) => true,
            Some(Stage::Over(Ending::Finished(value))) => !value.owns_pointer(),
            Some(Stage::Pending(_)) => false,
        };
        let nobody = callbacks.is_empty() && watches.is_empty() && waker.is_none();
        plain_end && nobody && self.unheard.is_none() && self.holds_loop.is_none()
    }
}

/// What an attachment asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    /// It is over: post a delivery.
    pub(crate) deliver: bool,
    /// The hold on the loop that the caller has taken is the future's now.
    pub(crate) keeps_hold: bool,
}

/// What a delivery delivers.
#[derive(Default)]
pub(crate) struct Delivery {
    pub(crate) callback: Option<(Listener, Ending)>,
    /// The loop need not be held any more.
    pub(crate) lets_loop_go: bool,
}

/// What is left of a future that nobody has any more. Dropping it may run users' code.
pub(crate) struct Remains {
    /// It failed, and nobody was there to be told.
    pub(crate) unheard: Option<Failure>,
    pub(crate) holds_loop: Option<Handle>,
    rest: (Option<Stage>, VecDeque<Listener>, Vec<Listener>, Option<Waker>),
}

impl Inner {
    fn new() -> Self {
        Self {
            stage: Stage::Pending(Source::Anyone),
            callbacks: VecDeque::new(),
            watches: Vec::new(),
            waiting: Vec::new(),
            waker: None,
            holds_loop: false,
            is_heard: false,
            shortcut: None,
        }
    }

    fn source(&mut self) -> Option<&mut Source> {
        match &mut self.stage {
            Stage::Pending(source) => Some(source),
            Stage::Over(_) => None,
        }
    }

    /// The source, if `by` may end it or hand it on.
    fn source_for(&mut self, by: By) -> Result<&mut Source> {
        let over = || Error::new(Code::State, "the future is over");
        match (by, self.source().ok_or_else(over)?) {
            (By::Holder, source @ Source::Anyone) => Ok(source),
            (By::Holder, _) => Err(Error::new(Code::State, "the future is ended by what it was made for")),
            (By::Cancel, Source::Running(_)) => Err(Error::new(Code::Busy, "the job runs already")),
            (By::Cancel | By::Source, source) => Ok(source),
        }
    }

    /// Those who wait for it wait for somebody else from now on.
    fn changed(&self, source: Option<Source>) -> Aftermath {
        let tickets = self.waiting.iter().filter(|waiting| waiting.follows).map(|waiting| waiting.ticket).collect();
        Aftermath { tickets, source, changes_others: !self.watches.is_empty(), ..Aftermath::default() }
    }
}

impl Body {
    /// The body gets another future.
    pub(crate) fn renew(&self, event_loop: Handle, source: Source) {
        self.event_loop.store(event_loop.bits(), Ordering::Relaxed);
        self.inner.lock().stage = Stage::Pending(source);
    }

    /// Its loop. Asked by one who has a hold, who got it after the body was published.
    pub(crate) fn event_loop(&self) -> Handle {
        Handle::from_bits(self.event_loop.load(Ordering::Relaxed))
    }

    pub(crate) fn state(&self) -> State {
        match &self.inner.lock().stage {
            Stage::Pending(_) => State::Pending,
            Stage::Over(ending) => ending.state(),
        }
    }

    /// Whom a wait for it is a wait for.
    pub(crate) fn towards(&self) -> Towards {
        match self.inner.lock().source() {
            None | Some(Source::Anyone | Source::Promise | Source::Running(None)) => Towards::Unknown,
            Some(Source::Loop(event_loop)) => Towards::Loop(*event_loop),
            Some(Source::Reply(thread) | Source::Running(Some(thread))) => Towards::Thread(*thread),
            Some(Source::Queued { group, .. }) => Towards::Group(*group),
            Some(Source::Forwarded(future)) => Towards::Future(*future),
        }
    }

    // ---- ending

    /// Ends it with what `ending` makes, which is called only if nothing else has ended it.
    pub(crate) fn end(&self, by: By, ending: impl FnOnce() -> Ending) -> Result<Aftermath> {
        let mut inner = self.inner.lock();
        inner.source_for(by)?;
        Ok(inner.end(ending()))
    }

    /// The queued job, for the thread that runs it from now on; none when it was cancelled.
    pub(crate) fn begin(&self, thread: Option<Handle>) -> Option<(Job, Aftermath)> {
        let mut inner = self.inner.lock();
        let source = inner.source()?;
        match std::mem::replace(source, Source::Running(thread)) {
            Source::Queued { job, .. } => Some((job, inner.changed(None))),
            other => {
                *source = other;
                None
            }
        }
    }

    /// It ends as `to` ends, from now on; `last` is where that way ends now.
    pub(crate) fn forward(&self, by: By, to: Handle, last: Handle) -> Result<Aftermath> {
        let mut inner = self.inner.lock();
        let source = std::mem::replace(inner.source_for(by)?, Source::Forwarded(to));
        inner.shortcut = Some(last);
        Ok(inner.changed(Some(source)))
    }

    // ---- being told

    /// Must the loop be held before a callback is attached?
    pub(crate) fn needs_hold(&self) -> bool {
        let inner = self.inner.lock();
        matches!(inner.stage, Stage::Pending(_)) && !inner.holds_loop
    }

    /// Puts a callback into the line. `has_hold`: the caller holds the loop for it.
    pub(crate) fn attach(&self, callback: Listener, has_hold: bool) -> Attached {
        let mut inner = self.inner.lock();
        let is_pending = matches!(inner.stage, Stage::Pending(_));
        inner.is_heard |= callback.hears_failures;
        inner.callbacks.push_back(callback);
        let keeps_hold = has_hold && is_pending && !inner.holds_loop;
        inner.holds_loop |= keeps_hold;
        Attached { deliver: !is_pending, keeps_hold }
    }

    /// The first callback in the line, for the delivery that runs it. `is_last`: nobody but this delivery has the
    /// future any more, so that nothing needs to be copied.
    pub(crate) fn deliver(&self, is_last: bool) -> Delivery {
        let mut inner = self.inner.lock();
        let lets_loop_go = std::mem::take(&mut inner.holds_loop);
        let Some(listener) = inner.callbacks.pop_front() else {
            return Delivery { callback: None, lets_loop_go };
        };
        let Stage::Over(ending) = &mut inner.stage else {
            return Delivery { callback: None, lets_loop_go };
        };
        let ending = match (listener.takes, is_last) {
            (true, true) => std::mem::replace(ending, Ending::Cancelled),
            (true, false) => ending.take(),
            (false, _) => ending.show(),
        };
        Delivery { callback: Some((listener, ending)), lets_loop_go }
    }

    /// The callbacks of a future whose loop is gone.
    pub(crate) fn drop_callbacks(&self) -> VecDeque<Listener> {
        let mut inner = self.inner.lock();
        inner.holds_loop = false;
        std::mem::take(&mut inner.callbacks)
    }

    /// Has `watch` told at once when it ends; when it is over already, the caller does it.
    pub(crate) fn watch(&self, watch: Listener) -> Option<(Listener, Ending)> {
        let mut inner = self.inner.lock();
        inner.is_heard |= watch.hears_failures;
        match &mut inner.stage {
            Stage::Pending(_) => {
                inner.watches.push(watch);
                None
            }
            Stage::Over(ending) => {
                let ending = if watch.takes { ending.take() } else { ending.share() };
                Some((watch, ending))
            }
        }
    }

    /// How it ended; else `ticket`, if there is one, is ended with it. `follows`: and when the wait becomes one for
    /// somebody else.
    pub(crate) fn wait(&self, ticket: Option<Ticket>, follows: bool) -> Option<Ending> {
        let mut inner = self.inner.lock();
        if let Some(ending) = inner.taken() {
            return Some(ending);
        }
        if let Some(ticket) = ticket {
            // Those who left their wait by unwinding are still there.
            if inner.waiting.len() == inner.waiting.capacity() {
                inner.waiting.retain(|waiting| waiting.ticket.is_open());
            }
            inner.waiting.push(Waiting { ticket, follows });
        }
        None
    }

    /// The wait is over, whatever ended it.
    pub(crate) fn forget(&self, ticket: Ticket) {
        self.inner.lock().waiting.retain(|waiting| waiting.ticket != ticket);
    }

    /// How it ended; else `waker` is woken when it does.
    pub(crate) fn poll(&self, waker: &Waker) -> Option<Ending> {
        let mut inner = self.inner.lock();
        let ending = inner.taken();
        if ending.is_none() && !inner.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            inner.waker = Some(waker.clone());
        }
        ending
    }

    /// A failure needs no mention: somebody knows of it.
    pub(crate) fn listen(&self) {
        self.inner.lock().is_heard = true;
    }

    // ---- the way of forwards

    pub(crate) fn shortcut(&self) -> Option<Handle> {
        let mut inner = self.inner.lock();
        matches!(inner.source(), Some(Source::Forwarded(_))).then_some(inner.shortcut)?
    }

    pub(crate) fn set_shortcut(&self, to: Handle) {
        self.inner.lock().shortcut = Some(to);
    }

    // ---- the end

    /// Empties the body for the next future, which finds the line's memory there.
    pub(crate) fn empty(&self) -> Remains {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let holds_loop = inner.holds_loop.then(|| self.event_loop());
        let stage = std::mem::replace(&mut inner.stage, Stage::Pending(Source::Anyone));
        let keeps_line = inner.callbacks.is_empty() && inner.callbacks.capacity() <= MOST_KEPT;
        let callbacks = if keeps_line { VecDeque::new() } else { std::mem::take(&mut inner.callbacks) };
        let watches = std::mem::take(&mut inner.watches);
        let waker = inner.waker.take();
        inner.waiting.clear();
        inner.shortcut = None;
        inner.holds_loop = false;
        let is_heard = std::mem::take(&mut inner.is_heard);
        drop(guard);
        let (unheard, ending) = match stage {
            Stage::Over(Ending::Failed(failure)) if !is_heard => (Some(failure), None),
            other => (None, Some(other)),
        };
        Remains { unheard, holds_loop, rest: (ending, callbacks, watches, waker) }
    }
}

impl Inner {
    fn end(&mut self, ending: Ending) -> Aftermath {
        let mut after = Aftermath {
            tickets: self.waiting.drain(..).map(|waiting| waiting.ticket).collect(),
            waker: self.waker.take(),
            deliveries: self.callbacks.len(),
            ..Aftermath::default()
        };
        let mut ending = ending;
        // Whoever waits or is called back for this future comes before those who end as it ends.
        let mut may_take = after.tickets.is_empty() && after.deliveries == 0;
        for watch in std::mem::take(&mut self.watches) {
            let takes = may_take && watch.takes;
            may_take &= !takes;
            let its_own = if takes { ending.take() } else { ending.share() };
            after.watches.push((watch, its_own));
        }
        if let Stage::Pending(source) = std::mem::replace(&mut self.stage, Stage::Over(ending)) {
            after.source = Some(source);
        }
        after
    }

    /// For a waiter.
    fn taken(&mut self) -> Option<Ending> {
        let Stage::Over(ending) = &mut self.stage else { return None };
        self.is_heard = true;
        Some(ending.take())
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::handle::{Kind, Table};
    use crate::waiting::waiter::{Edge, End, Kind as WaitKind, Outcome, Plain, Waiter};
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicI32, AtomicU32, Ordering};
    use loom::thread;

    fn model(body: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    /// Any handle will do for a loop.
    fn handle() -> Handle {
        let table: Table<u8> = Table::new(Kind::Loop);
        table.insert(|_, _| ()).expect("room")
    }

    /// A future, and what its loop counts.
    struct World {
        body: Body,
        posts: AtomicU32,
        holds: AtomicI32,
        log: Mutex<Vec<u32>>,
    }

    impl World {
        fn new() -> Arc<Self> {
            let body = Body::default();
            body.renew(handle(), Source::Anyone);
            Arc::new(Self { body, posts: AtomicU32::new(0), holds: AtomicI32::new(0), log: Mutex::default() })
        }

        fn settle(&self, after: Aftermath) {
            self.posts.fetch_add(after.deliveries as u32, Ordering::AcqRel);
            after.tickets.into_iter().filter_map(|ticket| ticket.end_with(|| Outcome::Go)).for_each(|bell| bell.ring());
        }

        fn finish(&self, with: i64) -> bool {
            let after = self.body.end(By::Holder, || Ending::Finished(Value::Integer(with)));
            after.map(|after| self.settle(after)).is_ok()
        }

        fn cancel(&self) -> bool {
            let after = self.body.end(By::Cancel, || Ending::Cancelled);
            after.map(|after| self.settle(after)).is_ok()
        }

        fn attach(this: &Arc<Self>, number: u32) {
            let world = Arc::clone(this);
            let call = Box::new(move |_, _| world.log.lock().push(number));
            let has_hold = this.body.needs_hold();
            if has_hold {
                this.holds.fetch_add(1, Ordering::AcqRel);
            }
            let attached = this.body.attach(Listener { takes: true, hears_failures: true, call }, has_hold);
            if has_hold && !attached.keeps_hold {
                this.holds.fetch_sub(1, Ordering::AcqRel);
            }
            this.posts.fetch_add(u32::from(attached.deliver), Ordering::AcqRel);
        }

        /// What the loop's thread does with the posts that are there.
        fn run(&self) {
            for _ in 0..self.posts.swap(0, Ordering::AcqRel) {
                let Delivery { callback, lets_loop_go } = self.body.deliver(false);
                if lets_loop_go {
                    self.holds.fetch_sub(1, Ordering::AcqRel);
                }
                let (listener, ending) = callback.expect("a callback for each delivery");
                (listener.call)(handle(), ending);
            }
        }
    }

    /// Finish, cancel and attach from three threads, and the loop meanwhile: one end, each callback once and in order,
    /// and the loop is held as often as it is let go.
    #[test]
    fn loom_end_against_attach() {
        model(|| {
            let world = World::new();
            let finisher = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.finish(1))
            };
            let canceller = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.cancel())
            };
            World::attach(&world, 1);
            world.run();
            World::attach(&world, 2);
            let ends = [finisher.join().expect("finisher"), canceller.join().expect("canceller")];
            assert!(ends[0] ^ ends[1]);
            world.run();
            assert_eq!(*world.log.lock(), [1, 2]);
            assert_eq!(world.holds.load(Ordering::Acquire), 0);
            assert_eq!(world.body.state(), if ends[0] { State::Finished } else { State::Cancelled });
            // The callbacks were run, so nothing here keeps the world alive any more.
            let _ = world.body.empty();
        });
    }

    /// A thread that waits is woken by the end, or has seen it; a pointer would have gone to it alone.
    #[test]
    fn loom_end_against_wait() {
        model(|| {
            let world = World::new();
            let waiter: &'static Waiter = Box::leak(Box::default());
            let finisher = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.finish(5))
            };
            let ticket = waiter.arm();
            let ending = world.body.wait(Some(ticket), true).unwrap_or_else(|| {
                let end = ticket.wait(Edge::new(WaitKind::Future, None), crate::sys::clock::NEVER, &mut Plain);
                assert!(matches!(end, End::Answered(Outcome::Go)), "{end:?}");
                world.body.wait(None, false).expect("it was ended by the end")
            });
            assert!(matches!(ending, Ending::Finished(Value::Integer(5))));
            assert!(finisher.join().expect("the finisher"));
        });
    }

    /// A queued job: begun or cancelled, never both; dropped once either way.
    #[test]
    fn loom_begin_against_cancel() {
        model(|| {
            let world = World::new();
            let runs = Arc::new(AtomicU32::new(0));
            let its_runs = Arc::clone(&runs);
            let job: Job = Box::new(move || {
                its_runs.fetch_add(1, Ordering::Relaxed);
                Ok(Value::Nil)
            });
            world.body.renew(handle(), Source::Queued { job, group: 0 });
            let worker = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let Some((job, after)) = world.body.begin(None) else { return };
                    world.settle(after);
                    let result = job();
                    let after = world.body.end(By::Source, || result.into()).expect("a running job is not cancelled");
                    world.settle(after);
                })
            };
            let cancelled = world.body.end(By::Cancel, || Ending::Cancelled);
            let refused = cancelled.as_ref().err().map(Error::code);
            worker.join().expect("the worker");
            match refused {
                None => assert_eq!(runs.load(Ordering::Relaxed), 0),
                Some(code) => {
                    assert!(matches!(code, Code::Busy | Code::State), "{code:?}");
                    assert_eq!(runs.load(Ordering::Relaxed), 1);
                }
            }
        });
    }

    /// A future that is forwarded against the end of the one it is forwarded to: it ends, once, as that one does.
    #[test]
    fn loom_forward_against_end() {
        model(|| {
            let (from, to) = (World::new(), World::new());
            let finisher = {
                let to = Arc::clone(&to);
                thread::spawn(move || {
                    let after = to.body.end(By::Holder, || Ending::Finished(Value::Integer(9))).expect("once");
                    after.watches.into_iter().for_each(|(watch, ending)| (watch.call)(handle(), ending));
                })
            };
            let after = from.body.forward(By::Holder, handle(), handle()).expect("pending");
            from.settle(after);
            let ended = Arc::clone(&from);
            let call = Box::new(move |_, ending| {
                let after = ended.body.end(By::Source, || ending).expect("nobody else ends it");
                ended.settle(after);
            });
            if let Some((watch, ending)) = to.body.watch(Listener { takes: true, hears_failures: true, call }) {
                (watch.call)(handle(), ending);
            }
            finisher.join().expect("the finisher");
            assert!(matches!(from.body.wait(None, false), Some(Ending::Finished(Value::Integer(9)))));
            assert!(!from.finish(1));
        });
    }
}
