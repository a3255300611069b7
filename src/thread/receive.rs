//! The receive loops.

use super::current::{self, Here, Nested, with_batch};
use super::letter::Letter;
use super::rules::{ByKey, Key, Merge};
use crate::error::{Code, Result};
use crate::handle::Handle;
use crate::log::{self, Level};
use crate::mailbox::{Lane, Mailbox, Ready};
use crate::sys::clock::NEVER;
use crate::value::{Failure, Value};

/// Handles messages until the thread is stopped and its queue is empty. Own thread.
pub(crate) fn receive(own: Handle, handler: impl FnMut(&mut Value) -> Result<Value, Failure>) -> Result<()> {
    let here = current::own(own)?;
    receive_all(here, handler, Mailbox::take)
}

/// The same; messages with the same key are merged while they wait.
pub(crate) fn receive_merging(
    own: Handle,
    key: Option<Key>,
    merge: Option<Merge>,
    handler: impl FnMut(&mut Value) -> Result<Value, Failure>,
) -> Result<()> {
    let here = current::own(own)?;
    let mailbox = &here.body.mailbox;
    with_batch(|batch| mailbox.give_back(batch));
    mailbox.set_rules(own.bits(), Some(Box::new(ByKey { key, merge })))?;
    let result = receive_all(here, handler, Mailbox::take_one);
    let _ = mailbox.set_rules(own.bits(), None);
    result
}

fn receive_all(
    here: Here,
    mut handler: impl FnMut(&mut Value) -> Result<Value, Failure>,
    take: impl Fn(&Mailbox<Letter>, &mut Lane<Letter>) -> Option<Letter>,
) -> Result<()> {
    let mailbox = &here.body.mailbox;
    let _nested = Nested::enter();
    mailbox.ring_bell_later();
    mailbox.awake();
    loop {
        if mailbox.is_killed() {
            return Err(Code::Interrupted.into());
        }
        if let Some(letter) = with_batch(|batch| take(mailbox, batch)) {
            handle(here, letter, &mut handler);
            continue;
        }
        match mailbox.wait(NEVER, &here.body.waiter) {
            Ready::Message | Ready::Nothing => {}
            Ready::Stopped => return Ok(()),
            Ready::Killed => return Err(Code::Interrupted.into()),
        }
    }
}

/// Handles one message, and sends the reply or the failure to whoever waits for it.
#[inline]
pub(super) fn handle(here: Here, mut letter: Letter, handler: &mut impl FnMut(&mut Value) -> Result<Value, Failure>) {
    let result = handler(&mut letter.value);
    if !letter.reply.is_nobody() {
        letter.reply.answer(result);
    } else if let Err(failure) = result {
        log_failure(here, &failure);
    }
}

#[cold]
fn log_failure(here: Here, failure: &Failure) {
    let name = super::wait::name_at(here.handle.slot());
    let (code, text) = (failure.code(), failure.text());
    log::log(Level::Error, format_args!("{name}: a message's handler failed with {code}: {text}"));
}
