//! The line for a full queue: senders that wait for room, each with its message.

use super::{Aftermath, Inner, MESSAGE, Mailbox, Parcel};
use crate::sync::atomic::Ordering;
use crate::waiting::waiter::{Bell, Outcome, Ticket};
use std::collections::VecDeque;

/// A sender that waits for room.
#[derive(Debug)]
pub(super) struct Blocked<T> {
    pub(super) item: T,
    pub(super) ticket: Ticket,
}

#[derive(Debug)]
pub(super) struct Line<T> {
    blocked: VecDeque<Blocked<T>>,
    /// Somebody has looked by itself and found no room: the receiver lets in as soon as there is some.
    pub(super) urgent: bool,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { blocked: VecDeque::new(), urgent: false }
    }
}

impl<T> Line<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.blocked.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.blocked.len()
    }

    pub(super) fn join(&mut self, item: T, ticket: Ticket) {
        self.blocked.push_back(Blocked { item, ticket });
    }

    pub(super) fn clear(&mut self) -> VecDeque<Blocked<T>> {
        self.urgent = false;
        std::mem::take(&mut self.blocked)
    }

    fn place_of(&self, ticket: Ticket) -> Option<usize> {
        self.blocked.iter().position(|blocked| blocked.ticket == ticket)
    }
}

/// What to do with the one who is next in the line.
enum Turn {
    /// Its message goes into the queue.
    In,
    /// Its wait is over, and it will come for its message.
    Leaving,
    /// Its thread has left that wait by unwinding, and does not come.
    Gone,
}

impl<T: Parcel> Mailbox<T> {
    /// Lets in who fits, first come, first served.
    pub(super) fn let_in(&self, inner: &mut Inner<T>, after: &mut Aftermath<T>) {
        let mut place = 0;
        while place < inner.line.len() && self.has_room(inner) {
            match turn(&inner.line.blocked[place], after) {
                Turn::Leaving => place += 1,
                Turn::Gone => {
                    after.abandoned.extend(inner.line.blocked.remove(place).map(|blocked| blocked.item));
                }
                Turn::In => {
                    if let Some(blocked) = inner.line.blocked.remove(place) {
                        if let Some(coalescer) = &mut inner.coalescer {
                            coalescer.queued_unseen();
                        }
                        after.woke(self.accept(inner, &mut Some(blocked.item), true));
                    }
                }
            }
        }
        self.line_changed(inner);
    }

    /// A blocked sender has been patient: is there room by now? From now on the receiver does not let it wait.
    pub(crate) fn look(&self, ticket: Ticket) {
        let mut after = Aftermath::default();
        let mut inner = self.inner.lock();
        self.let_in(&mut inner, &mut after);
        inner.line.urgent |= inner.line.place_of(ticket).is_some();
        self.line_changed(&mut inner);
        drop(inner);
        self.finish(after);
    }

    /// A sender whose wait has ended comes for its message; none when that is in the queue, or refused.
    pub(crate) fn leave_line(&self, ticket: Ticket) -> Option<T> {
        let mut inner = self.inner.lock();
        let place = inner.line.place_of(ticket)?;
        let blocked = inner.line.blocked.remove(place);
        self.line_changed(&mut inner);
        blocked.map(|blocked| blocked.item)
    }

    /// Does the message of this wait stand in the line, and not in the queue?
    pub(crate) fn is_in_line(&self, ticket: Ticket) -> bool {
        self.inner.lock().line.place_of(ticket).is_some()
    }

    /// Takes back the message that `ticket` waits with, if the receiver has not taken it, and ends the wait with what
    /// `refused` makes of the message; false when nothing was ended.
    pub(crate) fn withdraw(&self, ticket: Ticket, refused: impl FnOnce(T) -> Outcome) -> bool {
        let mut after = Aftermath::default();
        let mut inner = self.inner.lock();
        let withdrawn = self
            .withdraw_from_line(&mut inner, ticket, refused)
            .unwrap_or_else(|refused| self.withdraw_from_queue(&mut inner, ticket, refused));
        self.let_in(&mut inner, &mut after);
        drop(inner);
        let is_withdrawn = withdrawn.is_some();
        after.bells.extend(withdrawn);
        self.finish(after);
        is_withdrawn
    }

    /// Gives `refused` back when it isn't in the line.
    fn withdraw_from_line<F: FnOnce(T) -> Outcome>(
        &self,
        inner: &mut Inner<T>,
        ticket: Ticket,
        refused: F,
    ) -> Result<Option<Bell>, F> {
        let Some(place) = inner.line.place_of(ticket) else { return Err(refused) };
        let line = &mut inner.line.blocked;
        Ok(ticket.end_with(|| line.remove(place).map_or(Outcome::Go, |blocked| refused(blocked.item))))
    }

    fn withdraw_from_queue(
        &self,
        inner: &mut Inner<T>,
        ticket: Ticket,
        refused: impl FnOnce(T) -> Outcome,
    ) -> Option<Bell> {
        let is_its = |item: &T| item.caller() == Some(ticket);
        let Inner { queue, given_back, ledger, .. } = inner;
        let (lane, place) = match (queue.place_of(is_its), given_back.place_of(is_its)) {
            (Some(place), _) => (queue, place),
            (None, Some(place)) => (given_back, place),
            (None, None) => return None,
        };
        let bell = ticket.end_with(|| {
            ledger.accepted -= 1;
            lane.take(place).map_or(Outcome::Go, refused)
        });
        self.message_reason(inner);
        bell
    }

    /// Takes `ticket` out of the callers of a merged message that is still queued, and ends its wait with `outcome`.
    pub(crate) fn withdraw_from_merged(&self, ticket: Ticket, outcome: impl FnOnce() -> Outcome) -> bool {
        let mut inner = self.inner.lock();
        let Inner { queue, given_back, .. } = &mut *inner;
        let forgotten = queue.items_mut().chain(given_back.items_mut()).any(|item| item.forget(ticket));
        let bell = if forgotten { ticket.end_with(outcome) } else { None };
        drop(inner);
        bell.map(Bell::ring).is_some()
    }

    /// After every change of the line or of what is queued while somebody stands in it.
    pub(super) fn line_changed(&self, inner: &mut Inner<T>) {
        inner.line.urgent &= !inner.line.is_empty();
        self.blocked.store(inner.line.len(), Ordering::Release);
        let queued = inner.queue.counted() + inner.given_back.counted();
        let let_in_below = match (inner.line.is_empty(), inner.line.urgent) {
            (true, _) => 0,
            (false, true) => usize::MAX,
            (false, false) => (inner.limit - inner.limit / 4).saturating_sub(queued),
        };
        self.let_in_below.store(let_in_below, Ordering::Release);
    }

    /// Takes the reason MESSAGE away when nothing is queued any more.
    pub(super) fn message_reason(&self, inner: &Inner<T>) {
        if inner.queue.live() + inner.given_back.live() == 0 {
            self.notice.take(MESSAGE);
        }
    }
}

/// Whose turn it is. A sender that only waits for room is done with its wait now; a caller goes on to wait for the
/// reply, and is not woken for this.
fn turn<T: Parcel>(blocked: &Blocked<T>, after: &mut Aftermath<T>) -> Turn {
    let ticket = blocked.ticket;
    if blocked.item.caller() == Some(ticket) {
        if ticket.is_open() {
            ticket.moved_up();
            return Turn::In;
        }
    } else if let Ok(bell) = ticket.end(Outcome::Go) {
        after.bells.push(bell);
        return Turn::In;
    }
    if ticket.is_latest() { Turn::Leaving } else { Turn::Gone }
}
