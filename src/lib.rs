//! pirn: an event loop that any thread may touch, and named threads that talk by message.
//!
//! Two programming models in one library, with one wait for messages, descriptors, timers and signals:
//!
//! 1. **Events**, as in libevent and cl-async. An event sits in a loop, inactive; another thread does the work and
//!    activates it; its callback runs on the loop's thread and sees the result without a lock. Events are made, armed,
//!    removed and freed from any thread.
//! 2. **Threads**, as in Fantom. They have names, a life from new over running to dead, and a bounded queue of messages
//!    each; they send and forget, call and get the answer or the failure, or send later. Threads that would wait for
//!    each other for ever are told so instead of hanging.
//!
//! A stale handle is an error and never a crash, and every message that was accepted ends exactly once.
//!
//! # A job in the background
//!
//! ```
//! use pirn::EventLoop;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
//! use std::time::Duration;
//!
//! let event_loop = EventLoop::new()?;
//!
//! // What the loop's thread does meanwhile.
//! let ticker = event_loop.interval(Duration::from_millis(1), |_, _| print!("."))?;
//!
//! // The event sits in the loop and keeps it running, until it is activated.
//! let words = Arc::new(AtomicUsize::new(0));
//! let counted = words.clone();
//! let done = event_loop.make_event(move |done, _| {
//!     // Relaxed is enough: the activation makes what was written before it visible.
//!     assert_eq!(counted.load(Relaxed), 9);
//!     ticker.free().unwrap();
//!     done.free().unwrap();
//! })?;
//!
//! let done = done.leak();
//! let worker = std::thread::spawn(move || {
//!     let text = "the quick brown fox jumps over the lazy dog";
//!     words.store(text.split(' ').count(), Relaxed);
//!     done.activate().unwrap();
//! });
//!
//! // Ends when nothing is left that could happen.
//! event_loop.run()?;
//! worker.join().unwrap();
//! # Ok::<(), pirn::Error>(())
//! ```
//!
//! # Where things are
//!
//! A file names only floors below its own; `docs/architecture.md` has the table, and a test holds the source to it.
//!
//! ```text
//! ffi           the C coat, one file for each header of include/pirn/
//! dump          everything that lives, as text
//! pool          threads that do work in the background
//! future        results that come later
//! thread        threads with names: life, messages, receive loops
//! event_loop    events, rounds, posting      mailbox   a bounded queue that knows nothing of threads
//! waiting       who waits for whom: sleep, wake, deadlock
//! timer         deadlines
//! value         what crosses threads
//! handle        kind, generation, slot: what callers hold instead of pointers
//! sys           what the operating system gives
//! error log sync what                        codes, the library's words, primitives, reasons
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

#[cfg(not(loom))]
mod dump;
mod error;
#[cfg(not(loom))]
mod event_loop;
// The models see the protocols alone, without the statics and system calls around them.
#[cfg(loom)]
#[path = "event_loop/activation.rs"]
mod activation;
#[cfg(not(loom))]
mod ffi;
#[cfg(not(loom))]
mod future;
#[cfg(loom)]
mod future {
    pub(crate) mod body;
    pub(crate) mod ending;
    pub(crate) mod hold;
    pub(crate) mod wakeup;
}
mod handle;
mod log;
mod mailbox;
#[cfg(not(loom))]
mod pool;
mod sync;
mod sys;
#[cfg(not(loom))]
mod thread;
mod timer;
mod value;
mod waiting;
pub mod what;

pub use error::{Code, Error, Result};
#[cfg(not(loom))]
pub use event_loop::{End, Event, EventFn, EventLoop, EventRef, Interest, LoopRef, Stats, TaskFn, What};
#[cfg(not(loom))]
pub use future::{Future, Promise, State as FutureState};
pub use log::{Level, Sink, log_to};
#[cfg(not(loom))]
pub use pool::{Pool, queue_work, set_threads as set_shared_threads};
#[cfg(not(loom))]
pub use thread::{
    Attached, Builder, Inbox, Mail, SendError, State, Thread, ThreadRef, ThreadStats, Ticket, sleep_for as sleep,
};
pub use value::{Bytes, Failure, FreeFn, Object, Pointer, Value};

/// The examples of README.md, which the documentation tests run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
