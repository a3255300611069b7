//! Running a loop: wait, then hand out what is ready, until something ends it.

use super::dispatch::{Call, Polled};
use super::holder::{Claim, Role};
use super::inbox::Item;
use super::life::Life;
use super::look::{Look, limit};
use super::shared::Shared;
use super::task::{Callback, Grave, Task};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::atomic::Ordering;
use crate::sys::clock::{NEVER, Nanos, now};
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

/// The loop that the calling thread is running.
pub(crate) fn current() -> Option<Handle> {
    CURRENT.try_with(Cell::get).ok().flatten()
}

/// Runs the loop until something ends it.
pub(crate) fn run(handle: Handle) -> Result<End> {
    let mut run = Run::begin(handle)?;
    let end = loop {
        match run.round(NEVER) {
            Ok(Round::Ran(_)) => {}
            Ok(Round::Ended(end)) => break Ok(end),
            Err(error) => break Err(error),
        }
    };
    if end == Ok(End::Asked) {
        // An exit that comes as the run ends by itself is for the next one.
        run.shared.use_up_exit();
    }
    run.leave();
    end
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
    run.shared.use_up_exit();
    run.leave();
    Ok(ran)
}

/// What is to run next.
enum Next {
    Callback(Callback),
    Task(Task),
    /// Those that the ready queue lent.
    Tasks,
    Nothing,
}

/// What a round came to.
enum Round {
    Ran(u32),
    Ended(End),
}

/// The calling thread's run of a loop.
struct Run {
    handle: Handle,
    shared: &'static Shared,
    claim: Option<Claim>,
    /// What the thread would have been interrupted in before.
    before: waiting::Elsewhere,
    /// There from the beginning to the end.
    polled: Option<Box<Polled>>,
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
        super::check(handle)?;
        if current().is_some() {
            return Err(Error::new(Code::Busy, "this thread runs a loop already"));
        }
        let claim = Claim::new(handle, Role::Runs)?;
        let Claim(shared) = claim;
        let polled = shared.with(handle, |life| Ok(life.polled.take().unwrap_or_default()))?;
        let mut run = Run {
            handle,
            shared,
            claim: Some(claim),
            before: waiting::enter_elsewhere(handle),
            polled: Some(polled),
            tasks: VecDeque::new(),
            tasks_run: 0,
            crowded: false,
            looked: false,
        };
        let _ = CURRENT.try_with(|current| current.set(Some(handle)));
        shared.owner.store(os_thread::current(), Ordering::Release);
        shared.pulled.store(false, Ordering::Release);
        let reports = &mut run.polled.get_or_insert_default().reports;
        shared.basket.empty(reports);
        if !reports.is_empty() {
            shared.notice_left();
        }
        shared.notice.awake();
        shared.check_interrupted()?;
        Ok(run)
    }

    /// Waits until something is ready, at most until `until`, and runs it.
    fn round(&mut self, until: Nanos) -> Result<Round> {
        let shared = self.shared;
        // A child that was forked in a callback and comes back here must have made the loop its own.
        shared.check_process()?;
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
                    if self.has_reports() {
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

    fn has_reports(&self) -> bool {
        self.polled.as_ref().is_some_and(|polled| !polled.reports.is_empty())
    }

    /// With nothing to keep it running the loop is empty. An embedded one looks once all the same: what stands in its
    /// descriptor would be there for ever.
    fn may_be_empty(&mut self) -> bool {
        !self.shared.is_embedded() || std::mem::replace(&mut self.looked, true)
    }

    fn sleep(&mut self, deadline: Nanos) {
        let Polled { buffer, reports, fresh, .. } = &mut **self.polled.get_or_insert_default();
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
            life.gather(shared, self.polled.get_or_insert_default());
            life.round_size()
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
                Next::Task(task) => {
                    task.run();
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
        life.wind_idle_timeouts();
        life.come_back();
        life.take_tasks_back(&mut self.tasks);
        life.stats.callbacks += std::mem::take(&mut self.tasks_run);
        let next = if !more || shared.breaks() {
            Next::Nothing
        } else if life.lend_tasks(&mut self.tasks) {
            Next::Tasks
        } else {
            match life.next_call() {
                Some(Call::Callback(callback)) => Next::Callback(callback),
                // One that stood behind void entries.
                Some(Call::Task(task)) => Next::Task(task),
                None => Next::Nothing,
            }
        };
        if matches!(next, Next::Nothing) {
            life.end_round(shared, self.has_reports());
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

    /// The run is over: runs what was left for this moment, last in, first out.
    fn leave(&mut self) {
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
        let polled = self.polled.take();
        waiting::leave_elsewhere(self.before);
        let _ = CURRENT.try_with(|current| current.set(None));
        let claim = self.claim.take();
        // It can't have been freed: the claim stands.
        let _ = shared.with(self.handle, |life| {
            life.polled = polled;
            shared.offer_descriptor();
            // Under the lock, like whoever decides that the running thread is to close a grave.
            drop(claim);
            Ok(())
        });
    }
}
