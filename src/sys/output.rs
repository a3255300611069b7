//! Writing text to a descriptor that somebody gave us.
#![expect(unsafe_code, reason = "write and poll")]

use crate::error::{Error, Result};
use std::io::ErrorKind;
use std::os::fd::RawFd;

/// Writes all of `bytes`, waiting where the descriptor is full and does not block by itself.
pub(crate) fn write_all(fd: RawFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        // SAFETY: `bytes.len()` bytes are there to be read.
        let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if let Ok(written) = usize::try_from(written) {
            bytes = &bytes[written..];
            continue;
        }
        let error = std::io::Error::last_os_error();
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => wait_for_room(fd),
            _ => return Err(Error::os("write", &error)),
        }
    }
    Ok(())
}

fn wait_for_room(fd: RawFd) {
    let mut room = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, which lives through the call. Whatever comes back, writing is tried again.
    unsafe { libc::poll(&raw mut room, 1, -1) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_full_descriptor_is_waited_for() {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        writer.set_nonblocking(true).unwrap();
        let text = vec![b'x'; 1 << 20];
        let expected = text.len();
        let reading = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()).unwrap());
        write_all(writer.as_raw_fd(), &text).unwrap();
        drop(writer);
        assert_eq!(reading.join().unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_written_to_is_an_error() {
        assert!(write_all(-1, b"x").is_err());
    }
}
