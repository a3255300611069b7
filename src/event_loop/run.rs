//! Running a loop: wait, then hand out what is ready, until something ends it.

use super::dispatch::{BUDGET, Call, Polled};
use super::inbox::Item;
use super::life::Life;
use super::shared::{BREAK, EXITED, INTERRUPTED, LOOK, Shared};
use super::task::{Argument, Callback, Grave, Task, TaskFn};
use super::{LOOPS, find};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sys::clock::{NEVER, Nanos, after, now};
use crate::sys::os_thread;
use crate::sys::poller::Sleeper;
use crate::waiting;
use std::cell::Cell;
use std::collections::VecDeque;

/// How long a loop that is swamped keeps its hands off the inbox, in pauses: some 1.6 µs.
const HOLD_OFF: u32 = 64;

thread_local! {
    static CURRENT: Cell<Option<Handle>> = const { Cell::new(None) };
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing keeps the loop running any more.
    Empty,
    /// An exit or a break was asked.
    Asked,
}

/// One thing that a taker got.
pub(crate) struct Taken {
    pub(crate) event: Option<Handle>,
    pub(crate) what: u32,
    pub(crate) count: u32,
    pub(crate) argument: Argument,
    pub(crate) task: Option<TaskFn>,
}

/// The loop that the calling thread is running.
pub(crate) fn current() -> Option<Handle> {
    CURRENT.try_with(Cell::get).ok().flatten()
}

/// Runs the loop until something ends it.
pub(crate) fn run(handle: Handle) -> Result<End> {
    let mut run = Run::begin(handle)?;
    loop {
        match run.round(NEVER)? {
            Round::Ran(_) => {}
            Round::Ended(end) => {
                run.leave();
                return Ok(end);
            }
        }
    }
}

/// Runs one round, waiting at most `timeout` for something to be ready; how many callbacks ran.
pub(crate) fn run_once(handle: Handle, timeout: Nanos) -> Result<u32> {
    let mut run = Run::begin(handle)?;
    let mut until = limit(timeout);
    let mut ran = 0;
    loop {
        match run.round(until)? {
            Round::Ran(count) => ran += count,
            Round::Ended(End::Asked) => break,
            Round::Ended(End::Empty) => return Ok(ran),
        }
        if !run.shared.asked() {
            return Ok(ran);
        }
        // An exit that was asked meanwhile lets what is active run first, as in a run.
        until = 0;
    }
    run.leave();
    Ok(ran)
}

/// Waits until something is ready; false when `timeout` is over.
///
/// A leaf: no lock is touched, so that a runtime may unwind from any instruction of it. What it leaves behind then
/// is its claim, which the next wait takes over.
pub(crate) fn wait(handle: Handle, timeout: Nanos) -> Result<bool> {
    let shared = find(handle)?;
    shared.check_process()?;
    let me = os_thread::current();
    if shared.runner.load(Ordering::Acquire) != 0 || !claim(&shared.waiter, me) {
        return Err(Error::new(Code::Busy, "another thread runs the loop or waits for it"));
    }
    shared.owner.store(me, Ordering::Release);
    shared.pulled.store(true, Ordering::Release);
    waiting::enter_elsewhere(handle);
    let result = shared.wait_until_ready(limit(timeout));
    waiting::leave_elsewhere();
    shared.waiter.store(0, Ordering::Release);
    result
}

/// Hands up to `capacity` things that are ready to `put`; how many. Never blocks, never calls back.
pub(crate) fn take(handle: Handle, capacity: usize, put: &mut dyn FnMut(Taken)) -> Result<usize> {
    let shared = find(handle)?;
    let me = os_thread::current();
    if shared.runner.load(Ordering::Acquire) != 0 {
        return Err(Error::new(Code::Busy, "the loop is being run"));
    }
    match shared.owner.load(Ordering::Acquire) {
        0 => shared.owner.store(me, Ordering::Release),
        owner if owner == me => {}
        _ => return Err(Error::new(Code::Thread, "another thread waited for this loop last")),
    }
    let count = shared.with(handle, |life| {
        let mut polled = life.polled.take().unwrap_or_default();
        if let Some(basket) = shared.basket.get() {
            basket.empty(&mut polled.reports);
        }
        life.gather(shared, &mut polled);
        let polled_more = !polled.reports.is_empty();
        life.polled = Some(polled);
        let mut count = 0;
        while count < capacity {
            let Some(call) = life.next_call() else { break };
            put(call.into());
            count += 1;
        }
        life.wind_idle_timeouts();
        life.end_round(shared, polled_more);
        Ok(count)
    })?;
    shared.offer_descriptor();
    Ok(count)
}

impl From<Call> for Taken {
    fn from(call: Call) -> Self {
        match call {
            Call::Task(task) => {
                let (task, argument) = task.into_parts();
                Taken { event: None, what: 0, count: 1, argument, task }
            }
            Call::Callback(callback) => Taken {
                event: Some(callback.event),
                what: callback.what,
                count: callback.count,
                argument: callback.argument,
                task: None,
            },
        }
    }
}

/// What there is to do.
enum Look {
    Interrupted,
    Asked,
    Ready,
    Empty,
    Sleep(Nanos),
}

/// What is to run next.
enum Next {
    Callback(Callback),
    /// Those that the ready queue lent.
    Tasks,
    Nothing,
}

/// What a round came to.
enum Round {
    Ran(u32),
    Ended(End),
}

impl Shared {
    fn breaks(&self) -> bool {
        self.notice.reasons() & BREAK != 0
    }

    /// Was an exit or a break asked, and has not ended a run yet?
    fn asked(&self) -> bool {
        self.breaks() || self.exit.load(Ordering::Acquire) != 0
    }

    /// Was the calling thread killed? What was rung for one that waited here before it is no matter.
    fn check_interrupted(&self) -> Result<()> {
        self.notice.take(INTERRUPTED);
        if waiting::interrupted() { Err(Code::Interrupted.into()) } else { Ok(()) }
    }

    /// What is there to do now? Touches no lock.
    fn look(&self) -> Look {
        let reasons = self.notice.reasons();
        if reasons & INTERRUPTED != 0 {
            return Look::Interrupted;
        }
        let reasons = if reasons & LOOK != 0 {
            // Taken before the rest is read, so that a change after this is rung for again.
            self.notice.take(LOOK);
            self.notice.reasons()
        } else {
            reasons
        };
        if reasons & (EXITED | BREAK) != 0 {
            return Look::Asked;
        }
        if reasons != 0 {
            return Look::Ready;
        }
        // Idle events and timers that don't keep the loop running don't.
        if self.holds.load(Ordering::Acquire) == 0 {
            return Look::Empty;
        }
        let deadline = self.next_deadline();
        let due = deadline != NEVER && deadline <= now();
        if due || self.idle.load(Ordering::Acquire) > 0 { Look::Ready } else { Look::Sleep(deadline) }
    }

    /// The wait of the pull calls.
    fn wait_until_ready(&self, until: Nanos) -> Result<bool> {
        self.check_interrupted()?;
        loop {
            match self.look() {
                Look::Interrupted => self.check_interrupted()?,
                Look::Asked => {
                    self.use_up_exit();
                    return Err(Code::Cancelled.into());
                }
                Look::Ready => return Ok(true),
                Look::Empty => return Err(Code::NotFound.into()),
                Look::Sleep(deadline) => {
                    let basket = self.basket.get_or_init(Box::default);
                    if self.doze(|sleeper| sleeper.collect_into(deadline.min(until), basket), deadline.min(until)) {
                        return Ok(true);
                    }
                }
            }
            if until != NEVER && now() >= until && matches!(self.look(), Look::Sleep(_)) {
                return Ok(false);
            }
        }
    }

    /// Sleeps until `deadline`, a ring, or, by `poll`, a descriptor; what `poll` says.
    fn doze(&self, poll: impl FnOnce(Sleeper) -> bool, deadline: Nanos) -> bool {
        if self.notice.linger(|| false) {
            return false;
        }
        let ready = if !self.sleeps_in_poll() {
            self.notice.park(deadline);
            false
        } else if self.notice.fall_asleep_in_poll() {
            let ready = poll(self.sleeper());
            self.notice.awake();
            ready
        } else {
            return false;
        };
        self.wakeups.fetch_add(1, Ordering::Relaxed);
        ready
    }

    /// With no descriptor to watch, a futex is the cheaper bed.
    fn sleeps_in_poll(&self) -> bool {
        self.descriptors.load(Ordering::Acquire) > 0 || self.is_embedded()
    }

    /// Between rounds the descriptor of an embedded loop stands for a sleeper: it becomes readable when there is
    /// work, and is already if there is some now.
    pub(super) fn offer_descriptor(&self) {
        if self.is_offered() {
            let busy = !matches!(self.look(), Look::Sleep(_) | Look::Empty);
            if busy || !self.notice.fall_asleep_in_poll() {
                self.sleeper().wake();
            }
        }
    }
}

/// Makes `me` the one who holds `place`; not while another thread that still exists does.
fn claim(place: &AtomicU32, me: u32) -> bool {
    match place.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => true,
        Err(holder) if holder == me => true,
        Err(holder) if !os_thread::exists(holder) => {
            place.compare_exchange(holder, me, Ordering::AcqRel, Ordering::Acquire).is_ok()
        }
        Err(_) => false,
    }
}

/// A timeout's moment; no clock is read for none.
fn limit(timeout: Nanos) -> Nanos {
    match timeout {
        0 => 0,
        NEVER => NEVER,
        _ => after(timeout),
    }
}

/// The calling thread's hold on the loop that it runs.
struct Run {
    handle: Handle,
    shared: &'static Shared,
    polled: Box<Polled>,
    /// Lent by the ready queue, to be run now; and how many of them have.
    tasks: VecDeque<Item>,
    tasks_run: u64,
    /// The last round was.
    crowded: bool,
    /// An embedded loop was looked at although nothing keeps it running.
    looked: bool,
}

impl Run {
    fn begin(handle: Handle) -> Result<Run> {
        let slot = LOOPS.get(handle)?;
        let shared = slot.body();
        shared.check_process()?;
        if current().is_some() {
            return Err(Error::new(Code::Busy, "this thread runs a loop already"));
        }
        let me = os_thread::current();
        if !claim(&shared.waiter, me) {
            return Err(Error::new(Code::Busy, "another thread waits for the loop"));
        }
        shared.waiter.store(0, Ordering::Release);
        if shared.runner.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return Err(Error::new(Code::Busy, "another thread runs the loop"));
        }
        let _ = CURRENT.try_with(|current| current.set(Some(handle)));
        let mut run = Run {
            handle,
            shared,
            polled: Box::default(),
            tasks: VecDeque::new(),
            tasks_run: 0,
            crowded: false,
            looked: false,
        };
        shared.owner.store(me, Ordering::Release);
        shared.pulled.store(false, Ordering::Release);
        // It may have been freed before it was claimed.
        if let Some(polled) = shared.with(handle, |life| Ok(life.polled.take()))? {
            run.polled = polled;
        }
        if let Some(basket) = shared.basket.get() {
            basket.empty(&mut run.polled.reports);
        }
        shared.notice.awake();
        waiting::enter_elsewhere(handle);
        shared.check_interrupted()?;
        Ok(run)
    }

    /// Waits until something is ready, at most until `until`, and runs it.
    fn round(&mut self, until: Nanos) -> Result<Round> {
        let shared = self.shared;
        self.hold_off();
        loop {
            match shared.look() {
                Look::Interrupted => shared.check_interrupted()?,
                Look::Asked => return Ok(Round::Ended(End::Asked)),
                Look::Empty if self.may_be_empty() => return Ok(Round::Ended(End::Empty)),
                Look::Empty | Look::Ready => break,
                // No time to wait is time for one look at the descriptors.
                Look::Sleep(_) if until == 0 => break,
                Look::Sleep(deadline) => {
                    self.sleep(deadline.min(until));
                    if !self.polled.reports.is_empty() {
                        break;
                    }
                }
            }
            if until != NEVER && now() >= until {
                break;
            }
        }
        self.dispatch().map(Round::Ran)
    }

    /// With nothing to keep it running the loop is empty. An embedded one looks once all the same: what stands in its
    /// descriptor would be there for ever.
    fn may_be_empty(&mut self) -> bool {
        !self.shared.is_embedded() || std::mem::replace(&mut self.looked, true)
    }

    fn sleep(&mut self, deadline: Nanos) {
        let Polled { buffer, reports, fresh } = &mut *self.polled;
        let poll = |sleeper: Sleeper| {
            sleeper.collect(deadline, buffer, reports);
            *fresh = true;
            !reports.is_empty()
        };
        self.shared.doze(poll, deadline);
    }

    /// Runs what is ready, up to the round's budget; how much ran.
    fn dispatch(&mut self) -> Result<u32> {
        let shared = self.shared;
        let left = {
            let mut guard = shared.life.lock();
            let life = guard.as_mut().ok_or(Code::Stale)?;
            life.gather(shared, &mut self.polled);
            // An exit waits for all that was active then.
            if life.is_exiting() { usize::MAX } else { BUDGET.min(life.ready.len()) }
        };
        let mut ran = 0;
        loop {
            let (next, graves) = self.next(left > ran)?;
            graves.into_iter().for_each(Grave::close);
            match next {
                Next::Callback(callback) => {
                    callback.run();
                    ran += 1;
                }
                Next::Tasks => ran += self.run_tasks(left - ran),
                Next::Nothing => return Ok(ran.try_into().unwrap_or(u32::MAX)),
            }
        }
    }

    /// Takes what to run next, if `more` is to run; with nothing, the round is over. The owners of events that were
    /// freed meanwhile are the caller's to tell.
    fn next(&mut self, more: bool) -> Result<(Next, Vec<Grave>)> {
        let shared = self.shared;
        let mut guard = shared.life.lock();
        let life: &mut Life = guard.as_mut().ok_or(Code::Stale)?;
        life.come_back();
        life.ready.take_back(&mut self.tasks);
        life.stats.callbacks += std::mem::take(&mut self.tasks_run);
        let next = if !more || shared.breaks() {
            Next::Nothing
        } else if life.ready.lend_tasks(&mut self.tasks) {
            Next::Tasks
        } else {
            match life.next_call() {
                Some(Call::Callback(callback)) => Next::Callback(callback),
                // One behind void entries: it is next now.
                Some(Call::Task(task)) => {
                    self.tasks.push_back(Item::Task(task));
                    life.stats.callbacks -= 1;
                    Next::Tasks
                }
                None => Next::Nothing,
            }
        };
        if matches!(next, Next::Nothing) {
            life.end_round(shared, !self.polled.reports.is_empty());
            self.crowded = life.crowded;
        }
        Ok((next, std::mem::take(&mut life.graves)))
    }

    /// Runs the tasks that were lent, at most `most`, up to what is no task. No lock is held or needed: a task, once
    /// posted, can't be taken back.
    fn run_tasks(&mut self, most: usize) -> usize {
        let mut ran = 0;
        while ran < most && matches!(self.tasks.front(), Some(Item::Task(_))) {
            if let Some(Item::Task(task)) = self.tasks.pop_front() {
                task.run();
            }
            ran += 1;
            if self.shared.breaks() {
                break;
            }
        }
        self.tasks_run += ran as u64;
        ran
    }

    /// Lets more come in when things come faster than the loop turns: it would take them one by one, and each time the
    /// senders and it would fight for the inbox.
    fn hold_off(&mut self) {
        if std::mem::take(&mut self.crowded) {
            for _ in 0..HOLD_OFF {
                std::hint::spin_loop();
            }
        }
    }

    /// The run is over: uses up what asked for it, and runs what was left for this moment, last in, first out.
    fn leave(&mut self) {
        self.shared.use_up_exit();
        loop {
            let last = self.shared.with(self.handle, |life| Ok(life.exits.pop()));
            match last {
                Ok(Some(task)) => Task::run(task),
                _ => return,
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let shared = self.shared;
        let polled = std::mem::take(&mut self.polled);
        // Stale when it was freed before it was claimed; then there is nothing to keep.
        let _ = shared.with(self.handle, |life| {
            life.polled = Some(polled);
            Ok(())
        });
        waiting::leave_elsewhere();
        let _ = CURRENT.try_with(|current| current.set(None));
        shared.runner.store(0, Ordering::Release);
        // A post between the last look and here found a runner; the embedder must hear of it.
        shared.offer_descriptor();
    }
}
