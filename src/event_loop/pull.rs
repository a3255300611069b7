//! The pull calls, for runtimes that dispatch by themselves: wait, a leaf that sleeps and holds nothing; take, which never
//! blocks.

use super::dispatch::Call;
use super::holder::{Claim, Role};
use super::look::{Look, limit};
use super::task::{Argument, TaskFn};
use super::{Shared, find};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::atomic::Ordering;
use crate::sys::clock::{NEVER, Nanos, now};
use crate::sys::os_thread;
use crate::waiting;

/// One thing that a taker got.
pub(crate) struct Taken {
    pub(crate) event: Option<Handle>,
    pub(crate) what: u32,
    pub(crate) count: u32,
    pub(crate) argument: Argument,
    pub(crate) task: Option<TaskFn>,
}

/// Waits until something is ready; false when `timeout` is over.
///
/// A leaf: no lock is touched, so that a runtime may unwind from any instruction of it. What it leaves behind then
/// is its claim, which the next wait takes over.
pub(crate) fn wait(handle: Handle, timeout: Nanos) -> Result<bool> {
    let Claim(shared) = &Claim::new(handle, Role::Waits)?;
    shared.owner.store(os_thread::current(), Ordering::Release);
    shared.pulled.store(true, Ordering::Release);
    let before = waiting::enter_elsewhere(handle);
    let result = shared.wait_until_ready(limit(timeout));
    waiting::leave_elsewhere(before);
    result
}

/// Hands up to `capacity` things that are ready to `put`; how many. Never blocks.
pub(crate) fn take(handle: Handle, capacity: usize, put: &mut dyn FnMut(Taken)) -> Result<usize> {
    let me = os_thread::current();
    let owner = find(handle)?.owner.load(Ordering::Acquire);
    if owner != 0 && owner != me {
        return Err(Error::new(Code::Thread, "another thread waited for this loop last"));
    }
    let Claim(shared) = &Claim::new(handle, Role::Takes)?;
    shared.owner.store(me, Ordering::Release);
    shared.with(handle, |life| {
        let mut polled = life.polled.take().unwrap_or_default();
        shared.basket.empty(&mut polled.reports);
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
        shared.offer_descriptor();
        Ok(count)
    })
}

impl Shared {
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
                // No time to wait is time for one look at the descriptors.
                Look::Sleep(_) if until == 0 => {
                    return Ok(self.sleeps_in_poll() && self.sleeper().collect_into(0, &self.basket));
                }
                Look::Sleep(deadline) => {
                    let deadline = deadline.min(until);
                    if self.doze(|sleeper| sleeper.collect_into(deadline, &self.basket), deadline) {
                        return Ok(true);
                    }
                }
            }
            if until != NEVER && now() >= until && matches!(self.look(), Look::Sleep(_)) {
                return Ok(false);
            }
        }
    }
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
