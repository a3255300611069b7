//! A thread that receives its messages as events of a loop, and so waits for everything at once.

use super::Body;
use super::current::{self, Here, with_batch};
use super::receive::handle;
use crate::error::{Code, Error, Result};
use crate::event_loop::{self, Event, EventRef, LoopRef};
use crate::handle::Handle;
use crate::mailbox::{LoopBell, Rest};
use crate::sys::clock::{NEVER, Nanos, now};
use crate::value::{Failure, Value};
use std::sync::Arc;

/// How many messages one callback handles, so that a flood of them starves nothing else in the loop.
const AT_ONCE: usize = 64;

/// Handles messages.
pub(crate) type Handler = Box<dyn FnMut(&mut Value) -> Result<Value, Failure> + Send>;

/// That a thread is on a loop; dropped, it is not any more.
pub(super) struct OnLoop {
    event_loop: Handle,
    /// The loop can't be freed.
    binds: bool,
    here: Here,
    /// Keeps the loop running.
    _event: Event,
}

impl Drop for OnLoop {
    fn drop(&mut self) {
        self.here.body.mailbox.set_bell(None);
        self.unbind();
    }
}

impl OnLoop {
    fn unbind(&mut self) {
        if std::mem::take(&mut self.binds) {
            // The loop can't have been freed, but for a fork.
            let _ = event_loop::bind(self.event_loop, false);
        }
    }
}

/// The thread was killed: its body may free the loop when the run has ended.
pub(super) fn unbind(body: &Body) {
    let bound = body.life.lock().on_loop.as_mut().and_then(|on_loop| {
        let bound = std::mem::take(&mut on_loop.binds);
        bound.then_some(on_loop.event_loop)
    });
    if let Some(event_loop) = bound {
        let _ = event_loop::bind(event_loop, false);
    }
}

/// From now on the messages of the calling thread are handled by `handler` inside the runs of `event_loop`, which they
/// keep running until the thread is stopped and its queue is empty.
pub(crate) fn receive_on(own: Handle, event_loop: Handle, mut handler: Handler) -> Result<()> {
    let here = current::own(own)?;
    if here.body.life.lock().on_loop.is_some() {
        return Err(Error::new(Code::State, "the thread is on a loop already"));
    }
    event_loop::bind(event_loop, true)?;
    let mut timer = NEVER;
    let made = LoopRef(event_loop).make_private_event(move |event, _| serve(here, event, &mut handler, &mut timer));
    let event = match made {
        Ok(event) => event,
        Err(error) => {
            event_loop::bind(event_loop, false)?;
            return Err(error);
        }
    };
    let bell = *event;
    // An event that is gone needs no more rings.
    let ring = move || drop(bell.activate());
    here.body.mailbox.set_bell(Some(LoopBell(Arc::new(ring))));
    here.body.life.lock().on_loop = Some(OnLoop { event_loop, binds: true, here, _event: event });
    bell.activate()
}

/// The event's callback.
fn serve(here: Here, event: EventRef, handler: &mut Handler, timer: &mut Nanos) {
    if current::handle() != Some(here.handle) {
        // Another thread runs the loop; only this one may handle its messages.
        return;
    }
    let mailbox = &here.body.mailbox;
    mailbox.awake_on_loop();
    for _ in 0..AT_ONCE {
        let letter = if mailbox.is_killed() { None } else { with_batch(|batch| mailbox.take(batch)) };
        let Some(letter) = letter else { break };
        handle(here, letter, handler);
    }
    with_batch(|batch| mailbox.give_back(batch));
    match mailbox.rest() {
        Rest::More => drop(event.activate()),
        Rest::Until(due) => set_timer(event, due, timer),
        Rest::Ended => leave(here.body),
        // The loop's run ends because of it.
        Rest::Killed => {}
    }
}

/// The loop calls again when the first timer is due.
fn set_timer(event: EventRef, due: Nanos, timer: &mut Nanos) {
    if due != NEVER || *timer != NEVER {
        *timer = due;
        let timeout = if due == NEVER { NEVER } else { (due - now()).max(0) };
        let _ = event_loop::add(event.0, timeout);
    }
}

/// The thread is on no loop any more.
pub(super) fn leave(body: &Body) {
    let on_loop = body.life.lock().on_loop.take();
    drop(on_loop);
}
