//! Tasks: std futures that are polled on a loop's thread.

use super::chain::Ender;
use super::wakeup::Wakeup;
use super::{Ending, Hold, Listener, Source, let_loop_go, make};
use crate::error::Result;
use crate::event_loop::{self, Task as Post};
use crate::handle::Handle;
use crate::sync::Mutex;
use crate::thread;
use crate::value::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

type Polled = Pin<Box<dyn std::future::Future<Output = Value> + Send>>;

/// A task: woken from any thread, polled on the loop's.
struct Task {
    event_loop: Handle,
    wakeup: Wakeup,
    /// None when it is done.
    inside: Mutex<Option<Inside>>,
}

struct Inside {
    polled: Polled,
    ender: Ender,
    /// Last: what the end leads to is posted before the loop is let go.
    _running: Running,
}

/// Keeps the loop running.
struct Running(Handle);

impl Running {
    fn new(event_loop: Handle) -> Result<Self> {
        event_loop::hold(event_loop, true)?;
        Ok(Self(event_loop))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let_loop_go(self.0);
    }
}

/// Runs `polled` on the loop's thread, from its next round on; it keeps the loop running until it is done. The future
/// is what it returns; when that is cancelled, the task is dropped. One that nobody can wake any more is dropped too.
pub(super) fn spawn(event_loop: Handle, polled: Polled) -> Result<Hold> {
    let future = make(event_loop, Source::Loop(event_loop))?;
    let inside = Inside { polled, ender: Ender::new(&future), _running: Running::new(event_loop)? };
    let inside = Mutex::new(Some(inside));
    let task = Arc::new(Task { event_loop, wakeup: Wakeup::new(), inside });
    let weak = Arc::downgrade(&task);
    let wake = move |_, _| {
        if let Some(task) = weak.upgrade() {
            task.wake();
        }
    };
    let _ = future.body().watch(Listener { takes: false, hears_failures: false, call: Box::new(wake) });
    task.post();
    Ok(future)
}

impl Task {
    fn post(self: &Arc<Self>) {
        let posted = Posted(Some(Arc::clone(self)));
        // When the loop is gone, dropping the closure ends the task.
        let _ = event_loop::post_own(self.event_loop, Post::Closure(Box::new(move || posted.run())));
    }

    /// One poll, on the loop's thread.
    fn poll(self: &Arc<Self>) {
        self.wakeup.poll_begins();
        let Some(mut inside) = self.inside.lock().take() else { return };
        let waker = Waker::from(Arc::clone(self));
        let end = if inside.ender.is_over() {
            Some(Ending::Cancelled)
        } else {
            match catch_unwind(AssertUnwindSafe(|| inside.polled.as_mut().poll(&mut Context::from_waker(&waker)))) {
                Ok(Poll::Pending) => None,
                Ok(Poll::Ready(value)) => Some(Ending::Finished(value)),
                Err(panic) => Some(Ending::Failed(thread::failure_of(panic))),
            }
        };
        match end {
            None => *self.inside.lock() = Some(inside),
            Some(ending) => {
                self.wakeup.poll_ends(true);
                drop(inside.polled);
                inside.ender.end(ending);
                return;
            }
        }
        if self.wakeup.poll_ends(false) {
            self.post();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.wakeup.wake() {
            self.post();
        }
    }
}

/// A poll on its way. If it never comes, the loop was freed, and what the task had is dropped.
struct Posted(Option<Arc<Task>>);

impl Posted {
    fn run(mut self) {
        if let Some(task) = self.0.take() {
            task.poll();
        }
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            let left = task.inside.lock().take();
            drop(left);
        }
    }
}
