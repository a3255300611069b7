//! The end of a mailbox.

use super::{Gate, KILL, Lane, Mailbox, Parcel, STOP};
use crate::error::Code;
use crate::sync::atomic::Ordering;
use crate::sys::clock::NEVER;
use std::collections::VecDeque;

impl<T: Parcel> Mailbox<T> {
    /// No more messages from now on; the ones that are queued are still received. Who stands in the line is refused.
    pub(crate) fn stop(&self, tenant: u64) -> Result<(), Code> {
        let mut inner = self.inner.lock();
        inner.belongs_to(tenant)?;
        if inner.gate == Gate::Open {
            inner.gate = Gate::Stopping;
        }
        let line = inner.line.clear();
        self.line_changed(&mut inner);
        let wake = self.notice.ring(STOP);
        drop(inner);
        self.wake(wake);
        refuse(line);
        Ok(())
    }

    /// Nothing is received any more. Callers whose messages wait are told at once, whatever the receiver is doing;
    /// the messages themselves are left for [`Self::drain`].
    pub(crate) fn kill(&self, tenant: u64) -> Result<(), Code> {
        let mut inner = self.inner.lock();
        inner.belongs_to(tenant)?;
        inner.gate = Gate::Closed;
        let line = inner.line.clear();
        self.line_changed(&mut inner);
        let inner_now = &mut *inner;
        let items = inner_now.given_back.items_mut().chain(inner_now.queue.items_mut());
        let replies: Vec<_> = items.map(Parcel::hang_up).collect();
        let wake = self.notice.ring(KILL | STOP);
        drop(inner);
        self.wake(wake);
        refuse(line);
        drop(replies);
        Ok(())
    }

    /// The receiver is gone: closes the mailbox and takes out everything that will not be handled: first what was
    /// accepted, which is counted as undelivered, then what was still to come.
    pub(crate) fn drain(&self, batch: &mut Lane<T>) -> (Vec<T>, Vec<T>) {
        let mut inner = self.inner.lock();
        inner.gate = Gate::Closed;
        let line = inner.line.clear();
        let mut undelivered = Vec::new();
        for mut lane in [std::mem::take(batch), std::mem::take(&mut inner.given_back), std::mem::take(&mut inner.queue)]
        {
            undelivered.extend(std::iter::from_fn(|| lane.pop()));
        }
        let timed = inner.timers.clear();
        let rules = inner.coalescer.take();
        inner.lent_at_most = 0;
        inner.ledger.undelivered += undelivered.len() as u64;
        self.publish_nothing();
        self.message_reason(&inner);
        let wake = self.notice.ring(STOP);
        drop(inner);
        self.wake(wake);
        refuse(line);
        drop(rules);
        (undelivered, timed)
    }

    fn publish_nothing(&self) {
        self.receiver.lent.store(0, Ordering::Release);
        self.blocked.store(0, Ordering::Release);
        self.let_in_below.store(0, Ordering::Release);
        self.next_due.store(NEVER, Ordering::Release);
        self.count_busy();
    }
}

/// Tells everybody in the line that nothing is accepted any more.
fn refuse<T: Parcel>(line: VecDeque<super::line::Blocked<T>>) {
    for blocked in line {
        let mut item = Some(blocked.item);
        let bell = blocked.ticket.end_with(|| match item.take() {
            Some(item) => item.refused(Code::Dead, None),
            None => crate::waiting::waiter::Outcome::Go,
        });
        if let Some(bell) = bell {
            bell.ring();
        }
        // Its wait had ended otherwise.
        item.into_iter().for_each(Parcel::abandon);
    }
}
