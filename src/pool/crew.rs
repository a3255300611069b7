//! A pool's inside: the queue, and the threads that take jobs out of it.
//!
//! The queue is a channel of futures; a future has its job with it. A job that is cancelled is taken out of its future
//! at once, with all that it owns, and leaves an empty future in the channel, which a worker throws away.
//!
//! ```text
//! submit: future ──▶ channel ──▶ wake one idle worker
//! worker: begin the next future's job (it may be cancelled: the next) ──▶ run it ──▶ end the future
//!         nothing in the channel ──▶ idle ──▶ look once more ──▶ sleep
//! ```

use super::idle::Idle;
use super::room::{self, Room};
use crate::error::{Code, Error, Result};
use crate::event_loop;
use crate::future::{self, By, Ending, Hold, Source};
use crate::handle::Handle;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sync::{Mutex, yield_now};
use crate::sys::clock::NEVER;
use crate::value::{Failure, Value};
use crate::waiting::group;
use crate::waiting::waiter::{Edge, Kind};
use crate::{thread, waiting};
use crossbeam_channel::{Receiver, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// See the module.
pub(super) struct Crew {
    name: String,
    /// What a wait for a queued job is a wait for.
    group: u32,
    submit: Sender<Hold>,
    queue: Receiver<Hold>,
    /// None: any number of jobs may be queued.
    room: Option<Arc<Room>>,
    idle: Idle,
    workers: Mutex<Workers>,
    /// There may be more workers than are wanted.
    crowded: AtomicBool,
    /// OPEN, or why no job is begun any more.
    gate: AtomicU8,
}

const OPEN: u8 = 0;
/// The pool was freed.
const FREED: u8 = 1;
/// All its threads were killed.
const DESERTED: u8 = 2;

#[derive(Default)]
struct Workers {
    threads: Vec<Handle>,
    wanted: usize,
    /// How many there ever were; their names count on.
    serial: usize,
}

/// Why a worker stops.
#[derive(PartialEq, Eq)]
enum Leave {
    /// The pool is closed.
    Closed,
    /// It was killed, or is too many: it is not one of the crew any more.
    Struck,
}

impl Crew {
    /// A crew of `count` threads. `limit` is how many jobs may be queued, 0 for any number.
    pub(super) fn new(name: &str, count: usize, limit: usize) -> Result<Arc<Self>> {
        thread::checked_name(Some(name))?;
        let (submit, queue) = crossbeam_channel::unbounded();
        let crew = Arc::new(Self {
            name: name.to_owned(),
            group: group::make(),
            submit,
            queue,
            room: (limit > 0).then(|| Room::new(limit)),
            idle: Idle::default(),
            workers: Mutex::default(),
            crowded: AtomicBool::new(false),
            gate: AtomicU8::new(OPEN),
        });
        match crew.resize(count) {
            Ok(()) => Ok(crew),
            Err(error) => {
                for worker in crew.close() {
                    let _ = thread::free(worker);
                }
                Err(error)
            }
        }
    }

    /// Has one of the threads do `job`, for a future of `event_loop`.
    pub(super) fn submit<F>(&self, event_loop: Handle, job: F) -> Result<Hold>
    where
        F: FnOnce() -> Result<Value, Failure> + Send + 'static,
    {
        event_loop::check(event_loop)?;
        self.check_open()?;
        let place = self.room.as_ref().map(|room| room.enter(self.group)).transpose()?;
        let job = Box::new(move || {
            drop(place);
            job()
        });
        let future = future::make(event_loop, Source::Queued { job, group: self.group })?;
        // The crew has the receiving end itself, so this can't fail.
        let _ = self.submit.send(future.clone());
        self.idle.wake_one();
        // Either this sees that the pool was closed meanwhile, or who closed it sees the job.
        if self.check_open().is_err() {
            self.drop_queued();
        }
        Ok(future)
    }

    /// Makes it a crew of `count` threads. Those that are too many end their jobs first.
    pub(super) fn resize(self: &Arc<Self>, count: usize) -> Result<()> {
        if count == 0 {
            return Err(Error::new(Code::Invalid, "a pool needs a thread"));
        }
        let mut workers = self.workers.lock();
        self.check_open()?;
        workers.wanted = count;
        while workers.threads.len() < count {
            self.start_one(&mut workers)?;
        }
        let is_crowded = workers.threads.len() > count;
        self.crowded.store(is_crowded, Ordering::SeqCst);
        drop(workers);
        if is_crowded {
            self.idle.wake_all();
        }
        Ok(())
    }

    fn start_one(self: &Arc<Self>, workers: &mut Workers) -> Result<()> {
        let serial = workers.serial + 1;
        let name = format!("{}-{serial}.{}", self.name, workers.wanted);
        let crew = Arc::clone(self);
        let worker = thread::make(Some(&name), Box::new(move |me| crew.work(me)))?;
        if let Err(error) = thread::start(worker) {
            let _ = thread::free(worker);
            return Err(error);
        }
        workers.serial = serial;
        workers.threads.push(worker);
        self.tell_group(workers);
        Ok(())
    }

    fn tell_group(&self, workers: &Workers) {
        group::set_members(self.group, workers.threads.iter().map(|worker| worker.slot()).collect());
    }

    // ---- the workers

    /// A worker's whole life.
    fn work(&self, me: Handle) -> Result<Value, Failure> {
        let mut run = 0;
        let why = loop {
            match self.next(me, &mut run) {
                Ok(future) => self.run(&future),
                Err(why) => break why,
            }
        };
        // Whoever closes the pool has the handles.
        if why != Leave::Closed {
            // It may be the one that was woken for a job.
            self.idle.wake_one();
            // Given up by somebody else already, perhaps.
            let _ = thread::free(me);
        }
        Ok(Value::Nil)
    }

    fn run(&self, future: &Hold) {
        let Some(job) = future.begin() else { return };
        let done = catch_unwind(AssertUnwindSafe(job));
        let result = done.unwrap_or_else(|panic| Err(thread::failure_of(panic)));
        let _ = future.end(By::Source, || Ending::from(result));
    }

    /// The next in the queue; waits for one. `run` counts those that came without a wait.
    fn next(&self, me: Handle, run: &mut u32) -> Result<Hold, Leave> {
        loop {
            if self.check_open().is_err() {
                return Err(Leave::Closed);
            }
            if waiting::interrupted() {
                self.strike_off(me, |_| true);
                return Err(Leave::Struck);
            }
            if self.crowded.load(Ordering::Acquire) && self.strike_off(me, |workers| workers.is_crowded()) {
                return Err(Leave::Struck);
            }
            if let Ok(future) = self.queue.try_recv() {
                if !self.queue.is_empty() {
                    self.idle.wake_one();
                }
                *run += 1;
                return Ok(future);
            }
            // Where jobs come quickly, whoever submits them may need just this processor; when it has had it there is
            // a batch of them. Where they come one by one this would only cost.
            if std::mem::take(run) > 1 {
                yield_now();
            } else {
                self.sleep();
            }
        }
    }

    /// Sleeps until there may be something to do.
    fn sleep(&self) {
        let ticket = waiting::current().arm();
        self.idle.enter(ticket);
        if self.queue.is_empty() && self.check_open().is_ok() && !self.crowded.load(Ordering::Acquire) {
            thread::wait_for(ticket, Edge::new(Kind::Message, None), NEVER);
        }
        self.idle.leave(ticket);
    }

    /// Takes a worker out of the crew, if `leaves` says so. When nobody is left, nobody will do what is queued.
    fn strike_off(&self, me: Handle, leaves: impl FnOnce(&Workers) -> bool) -> bool {
        let mut workers = self.workers.lock();
        if !leaves(&workers) {
            return false;
        }
        workers.threads.retain(|worker| *worker != me);
        self.tell_group(&workers);
        self.crowded.store(workers.is_crowded(), Ordering::Relaxed);
        let is_last = workers.threads.is_empty();
        drop(workers);
        if is_last && self.gate.compare_exchange(OPEN, DESERTED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.shut();
        }
        true
    }

    // ---- the end

    /// Ends the pool: queued jobs are cancelled, running ones end by themselves. The threads that were still there.
    pub(super) fn close(&self) -> Vec<Handle> {
        // What was deserted stays so.
        let _ = self.gate.compare_exchange(OPEN, FREED, Ordering::SeqCst, Ordering::SeqCst);
        self.shut();
        std::mem::take(&mut self.workers.lock().threads)
    }

    fn shut(&self) {
        if let Some(room) = &self.room {
            room.close();
        }
        self.drop_queued();
        self.idle.wake_all();
    }

    /// Will jobs be begun?
    pub(super) fn check_open(&self) -> Result<()> {
        match self.gate.load(Ordering::SeqCst) {
            OPEN => Ok(()),
            DESERTED => Err(Error::new(Code::Dead, "the pool's threads were killed")),
            _ => Err(room::freed()),
        }
    }

    fn drop_queued(&self) {
        let is_deserted = self.gate.load(Ordering::Relaxed) == DESERTED;
        while let Ok(future) = self.queue.try_recv() {
            let _ = match is_deserted {
                true => future.end(By::Source, || Ending::never(Code::Dead, "the pool's threads were killed")),
                false => future.end(By::Cancel, || Ending::Cancelled),
            };
        }
    }
}

impl Workers {
    fn is_crowded(&self) -> bool {
        self.threads.len() > self.wanted
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        group::free(self.group);
    }
}
