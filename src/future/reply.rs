//! A thread's reply as a future.

use super::chain::Ender;
use super::{Hold, Source, make};
use crate::error::Result;
use crate::handle::Handle;
use crate::thread;
use crate::value::Value;

/// Sends `value` to a thread; the reply will be a future of `event_loop`. What was not sent is still in `value`.
pub(crate) fn ask(to: Handle, value: &mut Value, event_loop: Handle) -> Result<Hold> {
    let future = make(event_loop, Source::Reply(to))?;
    let ender = Ender::new(&future);
    // A thread that dies drops its messages, and the ender with them.
    match thread::send_with(to, value, Box::new(move |reply| ender.end(reply.into()))) {
        Ok(()) => Ok(future),
        Err(error) => {
            future.discard();
            Err(error)
        }
    }
}
