//! Everything that lives in the library, as text for people.

use crate::error::{Code, Result};
use crate::sys::output;
use crate::{event_loop, thread};
use std::fmt;
use std::os::fd::RawFd;

/// Writes every loop, event, thread, queue and wait to `fd`. Nothing is stopped meanwhile.
pub(crate) fn dump(fd: RawFd) -> Result<()> {
    let mut text = String::new();
    // Writing to memory fails only for want of it.
    describe(&mut text).map_err(|_| Code::NoMemory)?;
    output::write_all(fd, text.as_bytes())
}

/// Writes who waits for whom to `fd`, for Graphviz.
pub(crate) fn dump_dot(fd: RawFd) -> Result<()> {
    let mut text = String::new();
    thread::dump_dot(&mut text).map_err(|_| Code::NoMemory)?;
    output::write_all(fd, text.as_bytes())
}

fn describe(out: &mut String) -> fmt::Result {
    event_loop::dump(out)?;
    thread::dump(out)
}
