//! Waiting for a thread's death, and being told of it.

use super::letter::Letter;
use super::life::Life;
use super::{Body, State, resolve, wait};
use crate::error::{Code, Error, Result};
use crate::event_loop;
use crate::handle::Handle;
use crate::sys::clock::Nanos;
use crate::value::{Failure, Value};
use crate::waiting;
use crate::waiting::waiter::{End, Kind, Outcome, Ticket};

/// What a joiner gets.
#[derive(Debug, PartialEq)]
pub(crate) enum Joined {
    /// The result; NIL for all but the first.
    Finished(Value),
    /// The body failed; how, for the first.
    Failed(Option<Failure>),
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code() && self.text() == other.text()
    }
}

/// How a body ended, for as long as nobody has asked.
#[derive(Debug, Default)]
pub(super) struct Ending {
    result: Option<Result<Value, Failure>>,
    failed: bool,
}

impl Ending {
    pub(super) fn new(result: Option<Result<Value, Failure>>) -> Self {
        let failed = matches!(result, Some(Err(_)));
        Self { result, failed }
    }

    /// What the next joiner gets.
    fn take(&mut self) -> Joined {
        match self.result.take() {
            Some(Ok(value)) => Joined::Finished(value),
            Some(Err(failure)) => Joined::Failed(Some(failure)),
            None if self.failed => Joined::Failed(None),
            None => Joined::Finished(Value::Nil),
        }
    }

    /// The same for one that waits.
    pub(super) fn for_joiner(&mut self) -> Outcome {
        match self.take() {
            Joined::Finished(value) => Outcome::Reply(value),
            Joined::Failed(Some(failure)) => Outcome::Failed(failure),
            Joined::Failed(None) => Outcome::Refused(Code::Handler.into(), None),
        }
    }
}

/// What a wait for something that died with its thread ends with.
pub(super) fn is_dead() -> Outcome {
    Outcome::Refused(Code::Dead.into(), None)
}

/// Waits until the thread is dead.
pub(crate) fn join(handle: Handle, deadline: Nanos) -> Result<Joined> {
    let body = resolve(handle)?;
    let ticket = match enlist(body, handle)? {
        Ok(joined) => return Ok(joined),
        Err(ticket) => ticket,
    };
    let end = wait::wait(ticket, Kind::Join, Some(handle), deadline, None);
    let error = match end {
        End::Answered(Outcome::Reply(value)) => return Ok(Joined::Finished(value)),
        End::Answered(Outcome::Failed(failure)) => return Ok(Joined::Failed(Some(failure))),
        End::Answered(Outcome::Refused(error, _)) if error.code() == Code::Handler => return Ok(Joined::Failed(None)),
        End::Answered(Outcome::Refused(error, _)) => error,
        End::Answered(Outcome::Go) => Code::Dead.into(),
        End::TimedOut => Code::TimedOut.into(),
        End::Interrupted => Code::Interrupted.into(),
    };
    forget(body, |life| &mut life.joiners, ticket);
    Err(error)
}

/// The result, if the thread is dead; else a wait that ends with it.
fn enlist(body: &'static Body, handle: Handle) -> Result<Result<Joined, Ticket>> {
    body.with_life(handle, |life| match body.state() {
        State::Dead => Ok(Ok(life.end.take())),
        State::New => Err(Error::new(Code::State, "the thread was not started")),
        State::Running => {
            let ticket = waiting::current().arm();
            life.joiners.push(ticket);
            Ok(Err(ticket))
        }
    })
}

/// The wait ends with [`is_dead`] when the thread dies.
pub(super) fn watch(body: &Body, handle: Handle, ticket: Ticket) -> Result<()> {
    body.with_life(handle, |life| {
        if body.state() == State::Dead {
            return Err(Code::Dead.into());
        }
        life.watchers.push(ticket);
        Ok(())
    })
}

/// Takes back what [`watch`] did.
pub(super) fn unwatch(body: &Body, ticket: Ticket) {
    forget(body, |life| &mut life.watchers, ticket);
}

fn forget(body: &Body, list: impl FnOnce(&mut Life) -> &mut Vec<Ticket>, ticket: Ticket) {
    let mut life = body.life.lock();
    let list = list(&mut life);
    if let Some(place) = list.iter().position(|&other| other == ticket) {
        list.remove(place);
    }
}

/// Activates `event` when the thread is dead; at once if it is.
pub(crate) fn when_dead(handle: Handle, event: Handle) -> Result<()> {
    let body = resolve(handle)?;
    event_loop::check_event(event)?;
    let is_dead = body.with_life(handle, |life| {
        let is_dead = body.state() == State::Dead;
        if !is_dead {
            life.events.push(event);
        }
        Ok(is_dead)
    })?;
    if is_dead { event_loop::activate(event) } else { Ok(()) }
}

/// Sends `message` to `watcher` when the thread is dead; at once if it is. Never blocks, and needs no room.
pub(crate) fn monitor(handle: Handle, watcher: Handle, message: &mut Value) -> Result<()> {
    let body = resolve(handle)?;
    let watching = resolve(watcher)?;
    if watching.state() == State::Dead {
        return Err(Code::Dead.into());
    }
    crate::waiting::not_under_lock()?;
    let letter = Letter::plain(std::mem::take(message));
    let mut letter = Some(letter);
    let monitored = body.with_life(handle, |life| {
        if body.state() != State::Dead {
            life.monitors.extend(letter.take().map(|letter| (watcher, letter)));
        }
        Ok(())
    });
    if let Some(letter) = letter {
        if let Err(error) = monitored {
            *message = letter.into_value();
            return Err(error);
        }
        tell(watcher, letter);
    }
    Ok(())
}

/// A thread has died; a watcher that is stopping doesn't get the message.
pub(super) fn tell(watcher: Handle, letter: Letter) {
    if let Ok(slot) = super::slot_of(watcher) {
        // What is refused is dropped here.
        let _ = slot.body().mailbox.send_outside_the_limit(watcher.bits(), &mut Some(letter));
    }
}
