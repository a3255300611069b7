//! Workers that have nothing to do, and how they are told that there is something.
//!
//! A worker counts itself in and then looks at the queue once more; who submits puts a job into the queue and then
//! looks at the count. The channel changes and reads its ends in sequentially consistent order, and so is the count:
//! one of the two sees the other.

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::waiting::waiter::{Outcome, Ticket};

/// The last that came is the first to be woken: what it needs is still in its cache.
#[derive(Default)]
pub(super) struct Idle {
    tickets: Mutex<Vec<Ticket>>,
    count: AtomicUsize,
}

impl Idle {
    /// The worker that waits with `ticket` has nothing to do. It looks once more after this: either it sees what was
    /// put into the queue, or whoever put it there sees the worker.
    pub(super) fn enter(&self, ticket: Ticket) {
        {
            let mut tickets = self.tickets.lock();
            tickets.push(ticket);
            self.count.store(tickets.len(), Ordering::SeqCst);
        }
        // The look that follows may be at something else than the queue.
        fence(Ordering::SeqCst);
    }

    /// It has found something, or leaves.
    pub(super) fn leave(&self, ticket: Ticket) {
        let mut tickets = self.tickets.lock();
        tickets.retain(|other| *other != ticket);
        self.count.store(tickets.len(), Ordering::SeqCst);
    }

    /// Wakes one of them, if there is one; called after something was put into the queue.
    pub(super) fn wake_one(&self) {
        while self.count.load(Ordering::SeqCst) > 0 {
            let Some(ticket) = self.pop() else { return };
            if let Some(bell) = ticket.end_with(|| Outcome::Go) {
                return bell.ring();
            }
        }
    }

    /// Wakes all of them.
    pub(super) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        while let Some(ticket) = self.pop() {
            if let Some(bell) = ticket.end_with(|| Outcome::Go) {
                bell.ring();
            }
        }
    }

    fn pop(&self) -> Option<Ticket> {
        let mut tickets = self.tickets.lock();
        let ticket = tickets.pop();
        self.count.store(tickets.len(), Ordering::SeqCst);
        ticket
    }
}
