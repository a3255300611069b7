//! Forwarding: a future that ends as another ends.
//!
//! Forwards make ways from future to future. One that closes a circle is refused: nothing in it could ever end. To see
//! that quickly however long the way is, each future on it has a *shortcut* to one further down, which is moved ahead
//! whenever it is used. While a future is pending, so are all that follow on its way, except for the moment in which
//! the end of one of them walks up; so a shortcut leads past nothing that matters, but a circle that was found by
//! shortcuts is looked at once more, step by step.

use super::body::Towards;
use super::chain::Ender;
use super::{By, Hold, Listener, State, find_anyway};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::Mutex;

/// Two forwards at once could close a circle that neither sees.
pub(super) static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// `future` ends as `to` ends.
pub(crate) fn forward(future: &Hold, by: By, to: &Hold) -> Result<()> {
    if future.state() != State::Pending {
        return Err(Error::new(Code::State, "the future is over"));
    }
    let after = {
        let _guard = ONE_AT_A_TIME.lock();
        let last = last_on_way(to.handle());
        if last == future.handle() && leads_to(to.handle(), last) {
            return Err(Error::new(Code::Deadlock, "the future would end as it ends itself"));
        }
        future.body().forward(by, to.handle(), last)?
    };
    future.settle(after);
    let ender = Ender::new(future);
    let watch = Listener { takes: true, hears_failures: true, call: Box::new(move |_, ending| ender.end(ending)) };
    if let Some((watch, ending)) = to.body().watch(watch) {
        (watch.call)(to.handle(), ending);
    }
    Ok(())
}

/// The last future on the way that begins at `from`: the one that is not forwarded.
pub(super) fn last_on_way(from: Handle) -> Handle {
    let mut passed = Vec::new();
    let mut at = from;
    while let Ok(future) = find_anyway(at) {
        let Some(next) = future.body().shortcut() else { break };
        passed.push(future);
        at = next;
    }
    passed.iter().for_each(|future| future.body().set_shortcut(at));
    at
}

/// Is `goal` on the way from `at`, step by step?
fn leads_to(mut at: Handle, goal: Handle) -> bool {
    while at != goal {
        let Ok(future) = find_anyway(at) else { return false };
        let Towards::Future(next) = future.body().towards() else { return false };
        at = next;
    }
    true
}
