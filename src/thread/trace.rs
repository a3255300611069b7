//! A thread's own stack, as text.

use super::{State, current, resolve};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sys::{output, trace as stack};
use std::os::fd::RawFd;

/// Writes the thread's stack to `fd`, one frame a line.
pub(crate) fn trace(handle: Handle, fd: RawFd) -> Result<()> {
    let body = resolve(handle)?;
    let not_running = || Error::new(Code::State, "the thread is not running");
    if body.state() != State::Running {
        return Err(not_running());
    }
    let frames = if current::handle() == Some(handle) {
        stack::of_caller()
    } else {
        // While the life is locked the OS thread can't end, so the signal goes to no other.
        let asked = body.with_life(handle, |life| match life.os_thread {
            0 => Err(not_running()),
            os_thread => stack::ask(os_thread),
        })?;
        asked.wait()?
    };
    output::write_all(fd, stack::in_words(&frames).as_bytes())
}
