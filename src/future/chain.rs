//! What is attached to a future: callbacks, and the futures that go on where it ended.

use super::body::Attached;
use super::{By, Ending, Hold, Listener, Source, forward, let_loop_go, make};
use crate::error::{Code, Result};
use crate::event_loop;
use crate::value::{Failure, Value};

/// What a then-function makes of a value.
pub(crate) enum Next {
    /// The end of its future.
    End(Result<Value, Failure>),
    /// The future to go on with.
    Forward(Hold),
}

/// Has `callback` called on the loop's thread when `future` has ended, after those that were attached before.
pub(crate) fn attach(future: &Hold, callback: Listener) {
    let body = future.body();
    let event_loop = body.event_loop();
    let has_hold = body.needs_hold() && event_loop::hold(event_loop, true).is_ok();
    let Attached { deliver, keeps_hold } = body.attach(callback, has_hold);
    if has_hold && !keeps_hold {
        let_loop_go(event_loop);
    }
    if deliver {
        future.post_delivery();
    }
}

/// A future that ends with what `next` makes of this one's value, on the loop's thread; what is no value passes
/// through. With `takes`, a pointer moves into `next`; else it is only lent.
pub(crate) fn then(future: &Hold, takes: bool, next: impl FnOnce(Value) -> Next + Send + 'static) -> Result<Hold> {
    let event_loop = future.event_loop();
    let then = make(event_loop, Source::Loop(event_loop))?;
    let ender = Ender::new(&then);
    let call = move |_, ending| match ending {
        // Nobody wants what it would make.
        Ending::Finished(_) if ender.is_over() => {}
        Ending::Finished(value) => ender.go_on(next(value)),
        other => ender.end(other),
    };
    attach(future, Listener { takes, hears_failures: true, call: Box::new(call) });
    Ok(then)
}

/// The duty to end a future. When it is dropped undone, the future ends with [`Code::Dead`].
pub(super) struct Ender(Option<Hold>);

impl Ender {
    pub(super) fn new(future: &Hold) -> Self {
        Self(Some(future.clone()))
    }

    /// Is there nothing to end any more?
    pub(super) fn is_over(&self) -> bool {
        self.0.as_ref().is_none_or(|future| future.state() != super::State::Pending)
    }

    pub(super) fn end(mut self, ending: Ending) {
        if let Some(future) = self.0.take() {
            // It may have been cancelled.
            let _ = future.end(By::Source, || ending);
        }
    }

    /// Somebody else ends it.
    pub(super) fn release(mut self) {
        self.0.take();
    }

    fn go_on(mut self, next: Next) {
        let Next::Forward(to) = next else {
            let Next::End(result) = next else { return };
            return self.end(result.into());
        };
        let Some(future) = self.0.take() else { return };
        if let Err(error) = forward(&future, By::Source, &to) {
            let _ = future.end(By::Source, || Ending::Failed(Failure::from(&error)));
        }
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        if let Some(future) = self.0.take() {
            let _ = future.end(By::Source, || Ending::never(Code::Dead, "nothing is left that could end the future"));
        }
    }
}
