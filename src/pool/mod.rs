//! Pools: threads that do work in the background, each piece of it for a future.
//!
//! One pool is shared by the whole process, has as many threads as there are cores, and is made when it is first used.
//! Others are made by name. Their threads are ordinary threads of the library, called `NAME-1.4` and so on (the first,
//! of four), so that dumps, locals, stack traces and the search for deadlocks know them.

mod api;
mod crew;
mod forking;
mod idle;
mod room;

pub use api::{Pool, queue_work, set_threads};

use crate::error::{Code, Error, Result};
use crate::future::Hold;
use crate::handle::{Handle, Kind, Table};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sys::clock::NEVER;
use crate::sys::fork;
use crate::value::{Failure, Value};
use crate::{thread, waiting};
use crew::Crew;
use std::sync::Arc;

/// The name of the pool that all share.
const SHARED_NAME: &str = "pirn-pool";

#[derive(Default)]
struct Body {
    /// The process, counted by forks, that the pool belongs to.
    process: AtomicU32,
    crew: Mutex<Option<Arc<Crew>>>,
}

static POOLS: Table<Body> = Table::new(Kind::Pool);

/// The shared pool, and the process that it is in.
static SHARED: Mutex<Option<(u32, Arc<Crew>)>> = Mutex::new(None);

/// Makes a pool. `limit` is how many jobs may be queued, 0 for any number.
pub(crate) fn make(name: &str, threads: usize, limit: usize) -> Result<Handle> {
    waiting::not_under_lock()?;
    forking::prepare()?;
    let crew = Crew::new(name, threads, limit)?;
    POOLS.insert(|_, body| {
        body.process.store(fork::generation(), Ordering::Relaxed);
        *body.crew.lock() = Some(crew);
    })
}

fn find(handle: Handle) -> Result<Arc<Crew>> {
    with_crew(handle, |crew| crew.clone())
}

fn with_crew(handle: Handle, body: impl FnOnce(&mut Option<Arc<Crew>>) -> Option<Arc<Crew>>) -> Result<Arc<Crew>> {
    waiting::not_under_lock()?;
    let slot = POOLS.get(handle)?;
    if slot.body().process.load(Ordering::Relaxed) != fork::generation() {
        return Err(Error::new(Code::Stale, "the pool is one of the parent process"));
    }
    let mut crew = slot.body().crew.lock();
    slot.check(handle)?;
    Ok(body(&mut crew).ok_or(Code::Stale)?)
}

/// The shared pool; made when there is none, or when all its threads were killed.
fn shared() -> Result<Arc<Crew>> {
    waiting::not_under_lock()?;
    forking::prepare()?;
    let process = fork::generation();
    let mut shared = SHARED.lock();
    if let Some((_, crew)) = shared.as_ref().filter(|(home, crew)| *home == process && crew.check_open().is_ok()) {
        return Ok(Arc::clone(crew));
    }
    let crew = Crew::new(SHARED_NAME, cores(), 0)?;
    // What the parent had is not to be touched, not even to be dropped.
    std::mem::forget(shared.replace((process, Arc::clone(&crew))));
    Ok(crew)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Has a pool's thread do `job`, for a future of `event_loop`; without a pool, one of the shared pool's.
pub(crate) fn submit<F>(pool: Option<Handle>, event_loop: Handle, job: F) -> Result<Hold>
where
    F: FnOnce() -> Result<Value, Failure> + Send + 'static,
{
    match pool {
        Some(pool) => find(pool)?.submit(event_loop, job),
        None => shared()?.submit(event_loop, job),
    }
}

/// Changes how many threads a pool has; without one, the shared pool.
pub(crate) fn resize(pool: Option<Handle>, threads: usize) -> Result<()> {
    match pool {
        Some(pool) => find(pool)?.resize(threads),
        None => shared()?.resize(threads),
    }
}

/// Frees a pool: cancels the queued jobs and waits for the running ones, except when one of them is the caller.
pub(crate) fn free(handle: Handle) -> Result<()> {
    let crew = with_crew(handle, Option::take)?;
    // Taking the crew was what one caller only succeeds in.
    let _ = POOLS.remove(handle);
    let workers = crew.close();
    let is_own = thread::current_handle().is_some_and(|me| workers.contains(&me));
    let mut ended = Ok(());
    for worker in workers {
        if !is_own && ended.is_ok() {
            ended = wait_for(worker);
        }
        let _ = thread::free(worker);
    }
    ended
}

fn wait_for(worker: Handle) -> Result<()> {
    match thread::join(worker, NEVER) {
        // Given up by somebody else: then nobody can wait for it any more.
        Err(error) if error.code() != Code::Stale => Err(error),
        _ => Ok(()),
    }
}
