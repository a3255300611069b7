//! Many futures as one.

use super::chain::Ender;
use super::{Ending, Hold, Listener, Source, find, make};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::value::Value;
use std::sync::Arc;

/// A future that finishes, with their number, when all have finished; it ends at once as the first ends that does not
/// finish.
pub(crate) fn all(event_loop: Handle, futures: &[Handle]) -> Result<Hold> {
    let futures = futures.iter().map(|&future| find(future)).collect::<Result<Vec<_>>>()?;
    let count = futures.len();
    let (all, duty) = Duty::new(event_loop)?;
    if futures.is_empty() {
        duty.end(Ending::Finished(Value::Integer(0)));
    }
    let left = Arc::new(AtomicUsize::new(count));
    for future in futures {
        let (duty, left) = (Arc::clone(&duty), Arc::clone(&left));
        watch(&future, move |ending| match ending {
            Ending::Finished(_) if left.fetch_sub(1, Ordering::AcqRel) > 1 => {}
            Ending::Finished(_) => duty.end(Ending::Finished(Value::Integer(count as i64))),
            other => duty.end(other),
        });
    }
    Ok(all)
}

/// A future that finishes, with its place among them, when the first has finished. When none has, it ends as the last
/// of them.
pub(crate) fn any(event_loop: Handle, futures: &[Handle]) -> Result<Hold> {
    let futures = futures.iter().map(|&future| find(future)).collect::<Result<Vec<_>>>()?;
    if futures.is_empty() {
        return Err(Error::new(Code::Invalid, "of no futures none finishes"));
    }
    let (any, duty) = Duty::new(event_loop)?;
    let left = Arc::new(AtomicUsize::new(futures.len()));
    for (place, future) in futures.into_iter().enumerate() {
        let (duty, left) = (Arc::clone(&duty), Arc::clone(&left));
        watch(&future, move |ending| match ending {
            Ending::Finished(_) => duty.end(Ending::Finished(Value::Integer(place as i64))),
            other if left.fetch_sub(1, Ordering::AcqRel) == 1 => duty.end(other),
            _ => {}
        });
    }
    Ok(any)
}

fn watch(future: &Hold, told: impl FnOnce(Ending) + Send + 'static) {
    let call = Box::new(move |_, ending| told(ending));
    if let Some((watch, ending)) = future.body().watch(Listener { takes: false, hears_failures: true, call }) {
        (watch.call)(future.handle(), ending);
    }
}

/// The duty to end a future, which several share; the first who does it has done it.
struct Duty(Mutex<Option<Ender>>);

impl Duty {
    fn new(event_loop: Handle) -> Result<(Hold, Arc<Self>)> {
        let future = make(event_loop, Source::Promise)?;
        let duty = Arc::new(Self(Mutex::new(Some(Ender::new(&future)))));
        Ok((future, duty))
    }

    fn end(&self, ending: Ending) {
        let ender = self.0.lock().take();
        if let Some(ender) = ender {
            ender.end(ending);
        }
    }
}
