//! Receiving by pull: messages as things that are taken, answered and freed.

use super::current::{self, with_batch};
use super::letter::ReplyTo;
use crate::error::{Code, Error, Result};
use crate::handle::{Handle, Kind, Table};
use crate::mailbox::Ready;
use crate::sync::Mutex;
use crate::sys::clock::Nanos;
use crate::value::{Failure, Value};
use std::cell::RefCell;

/// A message that was taken.
#[derive(Debug, Default)]
struct Taken {
    /// Whose it is, so that a look-up that comes late touches no other.
    handle: Option<Handle>,
    value: Value,
    reply: ReplyTo,
    is_answered: bool,
}

static MESSAGES: Table<Mutex<Taken>> = Table::new(Kind::Message);

thread_local! {
    /// What the thread has taken; some of it may be freed by now.
    static IN_HAND: RefCell<InHand> = RefCell::default();
}

#[derive(Default)]
struct InHand {
    messages: Vec<Handle>,
    /// How long the list may get before the freed ones are thrown out.
    tidy_at: usize,
}

impl InHand {
    fn add(&mut self, message: Handle) {
        if self.messages.len() >= self.tidy_at {
            self.messages.retain(|&message| MESSAGES.get(message).is_ok());
            self.tidy_at = 2 * self.messages.len() + 16;
        }
        self.messages.push(message);
    }
}

/// Keeps the list of messages as it is around a fork.
pub(super) fn hold_still() {
    MESSAGES.hold_still();
}

/// Waits for a message: true when there is one, false when the time is over. A leaf: it takes no lock and leaves
/// nothing behind, so that a caller may unwind from any point of it. Own thread.
pub(crate) fn wait(own: Handle, deadline: Nanos) -> Result<bool> {
    let here = current::own(own)?;
    here.body.mailbox.ring_bell_later();
    match here.body.mailbox.wait(deadline, &here.body.waiter) {
        Ready::Message => Ok(true),
        Ready::Nothing => Ok(false),
        Ready::Stopped => Err(Code::Cancelled.into()),
        Ready::Killed => Err(Code::Interrupted.into()),
    }
}

/// Takes the next message, [`Code::Again`] when there is none. Own thread.
pub(crate) fn take(own: Handle) -> Result<Handle> {
    let here = current::own(own)?;
    crate::waiting::not_under_lock()?;
    if here.body.mailbox.is_killed() {
        // What is queued is discarded. That it was killed is for [`wait`] to tell.
        return Err(Code::Again.into());
    }
    let letter = with_batch(|batch| here.body.mailbox.take_one(batch)).ok_or(Code::Again)?;
    let mut letter = Some(letter);
    let message = MESSAGES.insert(|handle, taken| {
        if let Some(letter) = letter.take() {
            let handle = Some(handle);
            *taken.lock() = Taken { handle, value: letter.value, reply: letter.reply, is_answered: false };
        }
    })?;
    let _ = IN_HAND.try_with(|in_hand| in_hand.borrow_mut().add(message));
    Ok(message)
}

fn with_message<R>(message: Handle, body: impl FnOnce(&mut Taken) -> Result<R>) -> Result<R> {
    crate::waiting::not_under_lock()?;
    let mut taken = MESSAGES.get(message)?.body().lock();
    if taken.handle == Some(message) { body(&mut taken) } else { Err(Code::Stale.into()) }
}

/// Moves the message's value out; NIL from then on.
pub(crate) fn value_of(message: Handle) -> Result<Value> {
    with_message(message, |taken| Ok(std::mem::take(&mut taken.value)))
}

/// Answers a message. One that nobody waits for takes the answer too. What could not be answered with is left in
/// `value`.
pub(crate) fn reply(message: Handle, value: &mut Value) -> Result<()> {
    let reply = answer(message)?;
    reply.answer(Ok(std::mem::take(value)));
    Ok(())
}

/// Answers a message with a failure.
pub(crate) fn fail(message: Handle, failure: Failure) -> Result<()> {
    answer(message)?.answer(Err(failure));
    Ok(())
}

fn answer(message: Handle) -> Result<ReplyTo> {
    with_message(message, |taken| {
        if std::mem::replace(&mut taken.is_answered, true) {
            return Err(Error::new(Code::State, "the message was answered before"));
        }
        Ok(std::mem::take(&mut taken.reply))
    })
}

/// Gives a message back. A caller that still waits for its answer is told that none will come.
pub(crate) fn free_message(message: Handle) -> Result<()> {
    let taken = with_message(message, |taken| Ok(std::mem::take(taken)))?;
    MESSAGES.remove(message)?;
    drop(taken);
    Ok(())
}

/// The thread is at its end: who waits for an answer to what it has in hand is told that none will come.
pub(super) fn let_go() {
    let in_hand = IN_HAND.try_with(RefCell::take).unwrap_or_default();
    for message in in_hand.messages {
        drop(with_message(message, |taken| Ok(std::mem::take(&mut taken.reply))));
    }
}
