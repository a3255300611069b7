//! pirn: an event loop that any thread may touch, and named threads that talk by message.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod error;
mod handle;
mod sync;
mod sys;
mod value;
mod waiting;

pub use error::{Code, Error, Result};
pub use value::{Bytes, Failure, FreeFn, Pointer, Value};
