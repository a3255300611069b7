//! What goes from thread to thread: a value, and where the reply goes.

use crate::error::{Code, Error};
use crate::mailbox::Parcel;
use crate::value::{Failure, Value};
use crate::waiting::waiter::{Outcome, Ticket};

/// Gets a reply that no thread waits for: a future's end of it.
pub(crate) type Receiver = Box<dyn FnOnce(Result<Value, Failure>) + Send>;

/// A message in a mailbox.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(super) value: Value,
    pub(super) reply: ReplyTo,
}

/// Who gets the reply. Dropped without one, it tells them that it will not come.
#[derive(Debug, Default)]
pub(crate) struct ReplyTo(Address);

#[derive(Default)]
enum Address {
    #[default]
    Nobody,
    Caller(Ticket),
    Function(Receiver),
    /// The senders of messages that were merged.
    Many(Vec<ReplyTo>),
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Address::Nobody => "nobody",
            Address::Caller(_) => "a caller",
            Address::Function(_) => "a future",
            Address::Many(_) => "many",
        })
    }
}

impl ReplyTo {
    pub(super) fn caller(ticket: Ticket) -> Self {
        Self(Address::Caller(ticket))
    }

    pub(super) fn function(receiver: Receiver) -> Self {
        Self(Address::Function(receiver))
    }

    /// Does nobody wait for it?
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self.0, Address::Nobody)
    }

    /// The reply is here. A pointer goes to the first of many who still waits, the others get NIL in its place.
    pub(super) fn answer(mut self, result: Result<Value, Failure>) {
        match std::mem::take(&mut self.0) {
            Address::Nobody => {}
            Address::Caller(ticket) => {
                let outcome = match result {
                    Ok(value) => Outcome::Reply(value),
                    Err(failure) => Outcome::Failed(failure),
                };
                // A caller that is gone doesn't get it, and nobody else does: it is dropped.
                if let Ok(bell) = ticket.end(outcome) {
                    bell.ring();
                }
            }
            Address::Function(receiver) => receiver(result),
            Address::Many(all) => answer_many(all, result),
        }
    }

    /// Both get the reply from now on.
    pub(super) fn join(&mut self, other: ReplyTo) {
        if other.is_nobody() {
            return;
        }
        match &mut self.0 {
            Address::Nobody => *self = other,
            Address::Many(all) => all.push(other),
            _ => {
                let first = std::mem::take(self);
                self.0 = Address::Many(vec![first, other]);
            }
        }
    }

    /// Forgets whom it knows, without telling them.
    fn forget_all(&mut self) {
        self.0 = Address::Nobody;
    }
}

fn answer_many(all: Vec<ReplyTo>, result: Result<Value, Failure>) {
    let open = |reply: &ReplyTo| !matches!(reply.0, Address::Caller(ticket) if !ticket.is_open());
    let (mut waiting, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(open);
    gone.into_iter().for_each(|mut reply| reply.forget_all());
    if waiting.is_empty() {
        return;
    }
    let first = waiting.remove(0);
    for reply in waiting {
        reply.answer(copy(&result));
    }
    first.answer(result);
}

fn copy(result: &Result<Value, Failure>) -> Result<Value, Failure> {
    let no_memory = |error: Error| Failure::from(&error);
    match result {
        Ok(value) if value.owns_pointer() => Ok(Value::Nil),
        Ok(value) => value.lend().map_err(no_memory),
        Err(failure) => Err(Failure::new(failure.code(), &failure.text()).unwrap_or_else(no_memory)),
    }
}

impl Drop for ReplyTo {
    #[inline]
    fn drop(&mut self) {
        if !self.is_nobody() {
            self.hang_up();
        }
    }
}

impl ReplyTo {
    /// No reply will come.
    #[cold]
    fn hang_up(&mut self) {
        match std::mem::take(&mut self.0) {
            Address::Nobody | Address::Many(_) => {}
            Address::Caller(ticket) => {
                if let Ok(bell) = ticket.end(Outcome::Refused(Code::Dead.into(), None)) {
                    bell.ring();
                }
            }
            Address::Function(receiver) => receiver(Err(Failure::from(&Error::from(Code::Dead)))),
        }
    }
}

impl Letter {
    /// A message that nobody waits for an answer to.
    pub(super) fn plain(value: Value) -> Self {
        Self { value, reply: ReplyTo::default() }
    }

    /// Takes the letter apart without telling anybody.
    pub(super) fn into_value(mut self) -> Value {
        self.reply.forget_all();
        std::mem::take(&mut self.value)
    }
}

impl Parcel for Letter {
    type Reply = ReplyTo;

    fn caller(&self) -> Option<Ticket> {
        match self.reply.0 {
            Address::Caller(ticket) => Some(ticket),
            _ => None,
        }
    }

    fn forget(&mut self, caller: Ticket) -> bool {
        let Address::Many(all) = &mut self.reply.0 else { return false };
        let is_caller = |reply: &ReplyTo| matches!(reply.0, Address::Caller(ticket) if ticket == caller);
        let Some(place) = all.iter().position(is_caller) else { return false };
        all.swap_remove(place).forget_all();
        true
    }

    fn hang_up(&mut self) -> ReplyTo {
        std::mem::take(&mut self.reply)
    }

    fn refused(self, code: Code, text: Option<String>) -> Outcome {
        let error = text.map_or_else(|| Error::from(code), |text| Error::new(code, text));
        Outcome::Refused(error, Some(self.into_value()))
    }

    fn abandon(self) {
        // A call that is over has taken its pointer with it; a send that did not happen leaves it to the sender.
        let is_call = !self.reply.is_nobody();
        let value = self.into_value();
        if !is_call {
            value.give_back();
        }
    }

    fn again(&self) -> Option<Self> {
        self.value.lend().ok().map(Self::plain)
    }
}
