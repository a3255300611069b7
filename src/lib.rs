//! pirn: an event loop that any thread may touch, and named threads that talk by message.
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
mod handle;
mod log;
mod mailbox;
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
pub use log::{Level, Sink, log_to};
pub use value::{Bytes, Failure, FreeFn, Pointer, Value};

/// The examples of README.md, which the documentation tests run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
