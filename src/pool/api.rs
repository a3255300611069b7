//! Pools for Rust programs.

#[cfg(doc)]
use crate::error::Code;
use crate::error::Result;
use crate::event_loop::LoopRef;
use crate::future::{Future, seal};
use crate::handle::Handle;
use std::fmt;

/// A pool of threads, owned: dropping it cancels what is queued and waits for the jobs that run, except on a thread of
/// its own.
///
/// ```
/// let event_loop = pirn::EventLoop::new()?;
/// let pool = pirn::Pool::new("sums", 2, 100)?;
/// let sum = pool.queue_work(&event_loop, || (1..=100).sum::<u32>())?;
/// assert_eq!(sum.wait()?, 5050);
/// # Ok::<(), pirn::Error>(())
/// ```
pub struct Pool(Handle);

impl Pool {
    /// A pool of `threads` threads, whose names begin with `name`, with room for `limit` queued jobs (0: for any
    /// number).
    ///
    /// [`Code::Invalid`] without threads; [`Code::Name`]; [`Code::Exists`] when there is a pool of this name;
    /// [`Code::System`] when the system has no threads left.
    pub fn new(name: &str, threads: usize, limit: usize) -> Result<Self> {
        super::make(name, threads, limit).map(Self)
    }

    /// Has one of the pool's threads do `job`; the result is a future of `event_loop`. A panic is a failure of
    /// [`Code::Panic`].
    ///
    /// When the queue is full this waits for room, on a thread that runs a loop it fails with [`Code::Again`].
    /// [`Code::Deadlock`] when all the pool's threads wait for it themselves.
    pub fn queue_work<T: Send + 'static>(
        &self,
        event_loop: &LoopRef,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Future<T>> {
        Future::owned(super::submit(Some(self.0), event_loop.0, move || Ok(seal(job())))?)
    }

    /// Changes how many threads the pool has.
    pub fn set_threads(&self, threads: usize) -> Result<()> {
        super::resize(Some(self.0), threads)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Interrupted, or in a circle of waits: then the jobs end by themselves.
        let _ = super::free(self.0);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({:#x})", self.0.bits())
    }
}

/// Has a thread of the pool that all share do `job`; the result is a future of `event_loop`. A panic is a failure of
/// [`Code::Panic`].
pub fn queue_work<T: Send + 'static>(
    event_loop: &LoopRef,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<Future<T>> {
    Future::owned(super::submit(None, event_loop.0, move || Ok(seal(job())))?)
}

/// Changes how many threads the shared pool has; at first they are as many as there are cores.
pub fn set_threads(threads: usize) -> Result<()> {
    super::resize(None, threads)
}
