//! The receiver's side: waiting, which is a leaf, and taking, which never blocks.

use super::{Aftermath, Coalescer, Inner, KILL, Lane, MESSAGE, Mailbox, Parcel, Rules, STOP, TIMER, lent_word};
use crate::error::Code;
use crate::sync::atomic::{Ordering, fence};
use crate::sys::clock::{NEVER, Nanos, now};
use crate::waiting::waiter::{Edge, Kind, Waiter};

/// After a batch of this size a moment's wait is worth it; that is so many looks' time, less than a microsecond. Smaller
/// ones are those of a few callers, who send no more until they are answered.
const SOME: usize = 5;
const FEW: usize = 32;
const MOMENT: u32 = 32;

/// What a receiver finds when it has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Something to take.
    Message,
    /// Nothing, and the time is over.
    Nothing,
    /// Nothing, and nothing will come.
    Stopped,
    /// The thread was killed.
    Killed,
}

impl<T: Parcel> Mailbox<T> {
    /// Sleeps until there is something to take, until `deadline`, a stop or a kill. Own thread. A leaf: it takes no
    /// lock and leaves nothing behind, so that a caller may unwind from any point of it.
    pub(crate) fn wait(&self, deadline: Nanos, waiter: &Waiter) -> Ready {
        loop {
            if let Some(ready) = self.ready() {
                return ready;
            }
            // Taken away first: whoever adds an earlier timer from now on rings again.
            if self.notice.reasons() & TIMER != 0 {
                self.notice.take(TIMER);
            }
            let due = self.next_due.load(Ordering::Acquire);
            let until = deadline.min(due);
            if until != NEVER {
                let now = now();
                if now >= due {
                    return Ready::Message;
                }
                if now >= deadline {
                    return Ready::Nothing;
                }
            }
            if !self.notice.linger(|| false) {
                self.sleep(until, waiter);
            }
        }
    }

    fn sleep(&self, until: Nanos, waiter: &Waiter) {
        self.count_busy();
        waiter.show(Edge::new(Kind::Message, None));
        self.notice.park(until);
        waiter.hide();
        self.awake();
    }

    /// The receiver is not busy any more.
    pub(super) fn count_busy(&self) {
        let since = self.receiver.awake_since.swap(0, Ordering::Relaxed);
        if since != 0 {
            self.receiver.busy.store(self.receiver.busy.load(Ordering::Relaxed) + (now() - since), Ordering::Relaxed);
        }
    }

    /// The receiver begins to be busy.
    pub(crate) fn awake(&self) {
        self.receiver.awake_since.store(now(), Ordering::Relaxed);
    }

    /// What there is without a look at the clock.
    fn ready(&self) -> Option<Ready> {
        let reasons = self.notice.reasons();
        if reasons & KILL != 0 {
            Some(Ready::Killed)
        } else if reasons & MESSAGE != 0 || self.receiver.lent.load(Ordering::Relaxed) != 0 {
            Some(Ready::Message)
        } else if reasons & STOP != 0 {
            Some(Ready::Stopped)
        } else {
            None
        }
    }

    /// Has a kill been asked for?
    pub(crate) fn is_killed(&self) -> bool {
        self.notice.reasons() & KILL != 0
    }

    /// Takes the next message: a timer's that is due, but no two of them while others wait; else the oldest. Refills
    /// `batch` with all that is queued. Own thread; never blocks.
    #[inline]
    pub(crate) fn take(&self, batch: &mut Lane<T>) -> Option<T> {
        if let Some(item) = self.take_due(batch) {
            return Some(item);
        }
        if batch.live() == 0 {
            self.fetch(batch)?;
        }
        self.take_from(batch)
    }

    /// The same, one at a time: what is not taken stays in the queue, where others may merge with it.
    pub(crate) fn take_one(&self, batch: &mut Lane<T>) -> Option<T> {
        if let Some(item) = self.take_due(batch) {
            return Some(item);
        }
        if batch.live() > 0 {
            return self.take_from(batch);
        }
        if self.notice.reasons() & MESSAGE == 0 {
            return None;
        }
        let mut after = Aftermath::default();
        let mut inner = self.inner.lock();
        let item = self.pop(&mut inner, &mut after);
        if item.is_some() {
            self.count_taken();
            self.let_in_if_worthwhile(&mut inner, &mut after);
        }
        self.message_reason(&inner);
        drop(inner);
        self.finish(after);
        item
    }

    /// The first of the timers that are due, unless it is a message's turn.
    #[inline]
    fn take_due(&self, batch: &Lane<T>) -> Option<T> {
        let due = self.next_due.load(Ordering::Acquire);
        if due == NEVER {
            return None;
        }
        let reasons = self.notice.reasons();
        let messages_wait = batch.live() > 0 || reasons & MESSAGE != 0;
        if messages_wait && self.receiver.after_timer.load(Ordering::Relaxed) {
            return None;
        }
        if !messages_wait && reasons & STOP != 0 {
            // The last message was received: a timer that is always due keeps no thread from ending.
            return None;
        }
        let now = now();
        if now < due {
            return None;
        }
        let mut inner = self.inner.lock();
        let item = inner.timers.due(now, T::again);
        self.next_due.store(inner.timers.next(), Ordering::Release);
        if item.is_some() {
            inner.ledger.accepted += 1;
            self.count_taken();
        }
        drop(inner);
        self.receiver.after_timer.store(item.is_some(), Ordering::Relaxed);
        item
    }

    /// Swaps the empty `batch` for what is queued.
    fn fetch(&self, batch: &mut Lane<T>) -> Option<()> {
        if self.notice.reasons() & MESSAGE == 0 {
            return None;
        }
        batch.shrink();
        self.let_some_gather();
        let mut inner = self.inner.lock();
        let Inner { queue, given_back, .. } = &mut *inner;
        std::mem::swap(batch, if given_back.live() > 0 { given_back } else { queue });
        inner.lent_at_most = batch.live();
        self.receiver.last_batch.store(batch.live(), Ordering::Relaxed);
        self.publish_lent(batch);
        self.message_reason(&inner);
        if !inner.line.is_empty() {
            self.line_changed(&mut inner);
        }
        Some(())
    }

    /// A receiver that is quicker than its senders would meet them at the lock for every few messages, and both would
    /// wait for its cache line. So after a batch of a few it waits a moment for more to come together.
    fn let_some_gather(&self) {
        if (SOME..FEW).contains(&self.receiver.last_batch.load(Ordering::Relaxed)) {
            (0..MOMENT).for_each(|_| std::hint::spin_loop());
        }
    }

    #[inline]
    fn take_from(&self, batch: &mut Lane<T>) -> Option<T> {
        let item = batch.pop()?;
        self.publish_lent(batch);
        self.count_taken();
        if batch.counted() < self.let_in_below.load(Ordering::Relaxed) {
            self.make_room();
        }
        Some(item)
    }

    #[inline]
    fn publish_lent(&self, batch: &Lane<T>) {
        self.receiver.lent.store(lent_word(batch.live(), batch.counted()), Ordering::Release);
    }

    #[inline]
    fn count_taken(&self) {
        self.receiver.handled.store(self.receiver.handled.load(Ordering::Relaxed) + 1, Ordering::Release);
        if self.receiver.after_timer.load(Ordering::Relaxed) {
            self.receiver.after_timer.store(false, Ordering::Relaxed);
        }
    }

    /// Somebody stands in the line, and may come in.
    #[cold]
    fn make_room(&self) {
        let mut after = Aftermath::default();
        let mut inner = self.inner.lock();
        self.let_in_if_worthwhile(&mut inner, &mut after);
        drop(inner);
        self.finish(after);
    }

    fn let_in_if_worthwhile(&self, inner: &mut Inner<T>, after: &mut Aftermath<T>) {
        let used = inner.queue.counted() + inner.given_back.counted() + self.lent_counted();
        if !inner.line.is_empty() && (inner.line.urgent || inner.limit.saturating_sub(used) > inner.limit / 4) {
            self.let_in(inner, after);
        }
    }

    fn pop(&self, inner: &mut Inner<T>, after: &mut Aftermath<T>) -> Option<T> {
        if let Some(item) = inner.given_back.pop() {
            return Some(item);
        }
        let Inner { queue, coalescer, ledger, .. } = inner;
        let Some(coalescer) = coalescer else { return queue.pop() };
        ledger.coalesced += coalescer.look_at_unseen(queue, &mut after.values) as u64;
        loop {
            let place = queue.pop_place()?;
            coalescer.taken();
            if place.is_some() {
                return place;
            }
        }
    }

    /// Before the receiver waits for somebody else: what is left of its batch goes back, where it can be withdrawn,
    /// and whoever fits is let in.
    pub(crate) fn give_back(&self, batch: &mut Lane<T>) {
        // See `merge_queue_or_line`.
        fence(Ordering::SeqCst);
        if batch.live() == 0 && self.blocked.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut after = Aftermath::default();
        let mut inner = self.inner.lock();
        if batch.live() > 0 {
            // Nothing was given back since this batch was fetched, or it would have been fetched before it.
            std::mem::swap(batch, &mut inner.given_back);
            let _ = self.notice.ring(MESSAGE);
        }
        inner.lent_at_most = 0;
        self.publish_lent(batch);
        self.let_in(&mut inner, &mut after);
        drop(inner);
        self.finish(after);
    }

    /// From now on messages are merged by `rules`; none: no longer.
    pub(crate) fn set_rules(&self, tenant: u64, rules: Option<Box<dyn Rules<T>>>) -> Result<(), Code> {
        let mut inner = self.inner.lock();
        inner.belongs_to(tenant)?;
        let late = std::mem::take(&mut inner.queue);
        let mut queue = std::mem::take(&mut inner.given_back);
        queue.append(late);
        let old = inner.coalescer.take();
        inner.coalescer = rules.map(|rules| Box::new(Coalescer::new(rules, &queue)));
        inner.queue = queue;
        drop(inner);
        drop(old);
        Ok(())
    }
}
