//! What a thread has done, and what it waits for.

use super::{THREADS, resolve};
use crate::error::Result;
use crate::handle::Handle;
use crate::mailbox::Ledger;
use crate::sys::clock::now;
use crate::waiting::group;
use crate::waiting::waiter::Kind;

/// One thread's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stats {
    pub(crate) ledger: Ledger,
    /// What it sleeps for, and the thread that must end that.
    pub(crate) waiting_for: Option<Kind>,
    pub(crate) waiting_on: Option<Handle>,
}

/// The figures of a thread. Costs the same whatever is in its queue.
pub(crate) fn stats(handle: Handle) -> Result<Stats> {
    let body = resolve(handle)?;
    let ledger = body.mailbox.ledger(handle.bits(), now())?;
    let shown = body.waiter.shown();
    Ok(Stats {
        ledger,
        waiting_for: shown.map(|edge| edge.kind),
        waiting_on: shown
            .and_then(|edge| edge.to)
            .filter(|&node| !group::is_group(node))
            .and_then(|node| THREADS.living(node)),
    })
}
