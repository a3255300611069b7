//! How many jobs may be queued, and those who wait until there is room for theirs, first come, first served.

use crate::error::{Code, Error, Result};
use crate::event_loop;
use crate::sync::Mutex;
use crate::sys::clock::NEVER;
use crate::waiting::waiter::{Edge, End, Kind, Outcome, Ticket};
use crate::{thread, waiting};
use std::collections::VecDeque;
use std::sync::Arc;

/// See the module.
pub(super) struct Room {
    inner: Mutex<Inner>,
}

struct Inner {
    free: usize,
    line: VecDeque<Ticket>,
    closed: bool,
}

/// A place among the queued jobs; dropped when the job begins or is cancelled.
pub(super) struct Place(Arc<Room>);

impl Room {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::new(Inner { free: limit, line: VecDeque::new(), closed: false }) })
    }

    /// Takes a place; waits for one of `group`'s threads to make room. A thread that runs a loop doesn't wait.
    pub(super) fn enter(self: &Arc<Self>, group: u32) -> Result<Place> {
        let place = || Ok(Place(Arc::clone(self)));
        let ticket = match self.take_or_queue()? {
            None => return place(),
            Some(ticket) => ticket,
        };
        let error = match thread::wait_for(ticket, Edge::new(Kind::Room, Some(group)), NEVER) {
            End::Answered(Outcome::Refused(error, _)) => error,
            End::Answered(_) => return place(),
            End::TimedOut => Code::TimedOut.into(),
            End::Interrupted => Code::Interrupted.into(),
        };
        self.inner.lock().line.retain(|other| *other != ticket);
        Err(error)
    }

    /// Takes a place, or stands in line for one.
    fn take_or_queue(&self) -> Result<Option<Ticket>> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(freed());
        }
        if inner.free > 0 {
            inner.free -= 1;
            return Ok(None);
        }
        if event_loop::current().is_some() {
            return Err(Error::new(Code::Again, "the pool's queue is full"));
        }
        let ticket = waiting::current().arm();
        inner.line.push_back(ticket);
        Ok(Some(ticket))
    }

    /// Nobody enters any more, and those in the line are told.
    pub(super) fn close(&self) {
        let line = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            std::mem::take(&mut inner.line)
        };
        for ticket in line {
            if let Ok(bell) = ticket.end(Outcome::Refused(freed(), None)) {
                bell.ring();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.0.inner.lock();
        // The place goes to the first who still waits. Free ones are there only when nobody stands in line.
        while let Some(ticket) = inner.line.pop_front() {
            if let Some(bell) = ticket.end_with(|| Outcome::Go) {
                drop(inner);
                return bell.ring();
            }
        }
        inner.free += 1;
    }
}

pub(super) fn freed() -> Error {
    Error::new(Code::Stale, "the pool was freed")
}
