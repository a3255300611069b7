//! Sending, calling, and sending later.

use super::letter::{Letter, Receiver, ReplyTo};
use super::{Body, resolve, wait};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::mailbox::Sent;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sys::clock::{NEVER, Nanos, after, now};
use crate::value::{Failure, Value};
use crate::waiting;
use crate::waiting::waiter::{End, Kind, Outcome, Ticket};

/// What to do when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Fail with [`Code::Again`].
    Now,
    /// Wait until then.
    Until(Nanos),
}

impl Room {
    /// A wait begins, if there may be one.
    fn ticket(self) -> Option<Ticket> {
        match self {
            Room::Now => None,
            Room::Until(deadline) => (deadline == NEVER || now() < deadline).then(|| waiting::current().arm()),
        }
    }

    /// Why there was none.
    fn refusal(self) -> Code {
        if self == Room::Now { Code::Again } else { Code::TimedOut }
    }
}

/// Sends `value`; nobody waits for an answer. What was not sent is still in `value`.
pub(crate) fn send(to: Handle, value: &mut Value, room: Room) -> Result<()> {
    send_letter(to, value, ReplyTo::default(), room)
}

/// Sends `value`; the reply goes to `receiver`, which is called exactly once if this succeeds.
pub(crate) fn send_with(to: Handle, value: &mut Value, receiver: Receiver) -> Result<()> {
    send_letter(to, value, ReplyTo::function(receiver), Room::Until(NEVER))
}

fn send_letter(to: Handle, value: &mut Value, reply: ReplyTo, room: Room) -> Result<()> {
    let body = resolve(to)?;
    let mut letter = Some(Letter { value: std::mem::take(value), reply });
    match body.mailbox.send(to.bits(), &mut letter, || room.ticket()) {
        Ok(Sent::Queued) => Ok(()),
        Ok(Sent::InLine(ticket)) => wait_for_room(to, body, ticket, room, value),
        Err(code) => {
            *value = letter.map(Letter::into_value).unwrap_or_default();
            Err(if code == Code::Again { room.refusal() } else { code }.into())
        }
    }
}

/// The message stands in the line: waits until it is in the queue, or comes back.
fn wait_for_room(to: Handle, body: &'static Body, ticket: Ticket, room: Room, value: &mut Value) -> Result<()> {
    let deadline = if let Room::Until(deadline) = room { deadline } else { NEVER };
    let code = match wait::wait(ticket, Kind::Room, Some(to), deadline, Some(&body.mailbox)) {
        End::Answered(Outcome::Refused(error, message)) => {
            *value = message.unwrap_or_default();
            return Err(error);
        }
        End::Answered(_) => return Ok(()),
        End::TimedOut => Code::TimedOut,
        End::Interrupted => Code::Interrupted,
    };
    if let Some(letter) = body.mailbox.leave_line(ticket) {
        *value = letter.into_value();
    }
    Err(code.into())
}

/// Sends `value` and waits for the reply, which may be a failure of the receiver's. `value` is left as it is after the
/// errors that say that nothing was sent; after others it has moved.
pub(crate) fn call(to: Handle, value: &mut Value, deadline: Nanos) -> Result<Result<Value, Failure>> {
    let body = resolve(to)?;
    let ticket = waiting::current().arm();
    let mut letter = Some(Letter { value: std::mem::take(value), reply: ReplyTo::caller(ticket) });
    let may_wait = || (deadline == NEVER || now() < deadline).then_some(ticket);
    let line = match body.mailbox.send(to.bits(), &mut letter, may_wait) {
        Ok(Sent::Queued) => None,
        Ok(Sent::InLine(_)) => Some(&body.mailbox),
        Err(code) => return Err(not_called(code, letter, value)),
    };
    let kind = if line.is_some() { Kind::Room } else { Kind::Call };
    let error = match wait::wait(ticket, kind, Some(to), deadline, line) {
        End::Answered(Outcome::Reply(reply)) => return Ok(Ok(reply)),
        End::Answered(Outcome::Failed(failure)) => return Ok(Err(failure)),
        End::Answered(Outcome::Refused(error, message)) => {
            if error.code() == Code::Deadlock {
                *value = message.unwrap_or_default();
            }
            return Err(error);
        }
        End::Answered(Outcome::Go) => Code::Dead,
        End::TimedOut => Code::TimedOut,
        End::Interrupted => Code::Interrupted,
    };
    // Still in the line: then it never gets into the queue, and is dropped here.
    let left = line.and_then(|mailbox| mailbox.leave_line(ticket));
    drop(left.map(Letter::into_value));
    Err(error.into())
}

/// A full queue and no time to wait, or nobody there.
fn not_called(code: Code, letter: Option<Letter>, value: &mut Value) -> Error {
    let message = letter.map(Letter::into_value).unwrap_or_default();
    match code {
        Code::Again => Code::TimedOut.into(),
        Code::Stale => {
            *value = message;
            code.into()
        }
        _ => code.into(),
    }
}

/// Tickets of timed messages, over all threads: none is used twice.
static TICKETS: AtomicU64 = AtomicU64::new(0);

/// Sends `value` after `delay`, and again and again if `repeat`. The answer is a ticket to take it back with.
pub(crate) fn send_later(to: Handle, delay: Nanos, value: &mut Value, repeat: bool) -> Result<u64> {
    let body = resolve(to)?;
    if repeat && delay <= 0 {
        return Err(Error::new(Code::Invalid, "what repeats needs a period"));
    }
    if repeat && value.owns_pointer() {
        return Err(Error::new(Code::Invalid, "a pointer that is freed once can't be sent again and again"));
    }
    let ticket = TICKETS.fetch_add(1, Ordering::Relaxed) + 1;
    let mut letter = Some(Letter::plain(std::mem::take(value)));
    let period = if repeat { delay } else { 0 };
    let sent = body.mailbox.send_later(to.bits(), &mut letter, ticket, after(delay), period);
    if let Some(letter) = letter {
        *value = letter.into_value();
    }
    sent?;
    Ok(ticket)
}

/// Takes a timer's message back: false when it has come, or was taken back before.
pub(crate) fn cancel_later(to: Handle, ticket: u64) -> Result<bool> {
    let body = resolve(to)?;
    if ticket == 0 || ticket > TICKETS.load(Ordering::Relaxed) {
        return Err(Error::new(Code::NotFound, "there never was such a ticket"));
    }
    let taken_back = body.mailbox.cancel_later(to.bits(), ticket)?;
    Ok(taken_back.is_some())
}
