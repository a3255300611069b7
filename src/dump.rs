//! Everything that lives in the library, as text for people.

use crate::error::{Code, Result};
use crate::event_loop;
use crate::sys::output;
use std::os::fd::RawFd;

/// Writes every loop, event, thread, queue and wait to `fd`. Nothing is stopped meanwhile.
pub(crate) fn dump(fd: RawFd) -> Result<()> {
    let mut text = String::new();
    // Writing to memory fails only for want of it.
    event_loop::dump(&mut text).map_err(|_| Code::NoMemory)?;
    output::write_all(fd, text.as_bytes())
}
