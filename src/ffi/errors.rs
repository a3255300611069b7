//! Codes, and what a call that failed had to say.
//!
//! A function that returns int returns a code below 0 when it failed. One that returns a pointer returns NULL, and
//! pirn_last_error tells the code. The text is for people; nothing needs to be decided by it.

use crate::error::{self, Code, Error};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

/// Success.
pub const PIRN_OK: c_int = 0;
/// An argument is out of its range.
pub const PIRN_EINVAL: c_int = -1;
/// Not a handle, or one of another kind.
pub const PIRN_EHANDLE: c_int = -2;
/// The object was freed.
pub const PIRN_ESTALE: c_int = -3;
/// The object is not in a state that allows this.
pub const PIRN_ESTATE: c_int = -4;
/// Called from the wrong thread.
pub const PIRN_ETHREAD: c_int = -5;
/// Not a valid name.
pub const PIRN_ENAME: c_int = -6;
/// The name is taken.
pub const PIRN_EEXIST: c_int = -7;
/// There is no such thing.
pub const PIRN_ENOENT: c_int = -8;
/// It would have to wait.
pub const PIRN_EAGAIN: c_int = -9;
/// The time given is over.
pub const PIRN_ETIMEDOUT: c_int = -10;
/// Waiting would close a cycle of threads that wait for each other.
pub const PIRN_EDEADLK: c_int = -11;
/// The thread is dead, or died meanwhile.
pub const PIRN_EDEAD: c_int = -12;
/// The calling thread was killed while it waited.
pub const PIRN_EINTERRUPTED: c_int = -13;
/// The other side's function returned a failure.
pub const PIRN_EHANDLER: c_int = -14;
/// It was cancelled.
pub const PIRN_ECANCELED: c_int = -15;
/// It is in use.
pub const PIRN_EBUSY: c_int = -16;
/// A panic inside the library was stopped at its edge.
pub const PIRN_EPANIC: c_int = -17;
/// Out of memory.
pub const PIRN_ENOMEM: c_int = -18;
/// The operating system refused; the text has the errno.
pub const PIRN_ESYS: c_int = -19;

/// The constants, in the order of their numbers.
const NUMBERS: [c_int; Code::ALL.len()] = [
    PIRN_EINVAL,
    PIRN_EHANDLE,
    PIRN_ESTALE,
    PIRN_ESTATE,
    PIRN_ETHREAD,
    PIRN_ENAME,
    PIRN_EEXIST,
    PIRN_ENOENT,
    PIRN_EAGAIN,
    PIRN_ETIMEDOUT,
    PIRN_EDEADLK,
    PIRN_EDEAD,
    PIRN_EINTERRUPTED,
    PIRN_EHANDLER,
    PIRN_ECANCELED,
    PIRN_EBUSY,
    PIRN_EPANIC,
    PIRN_ENOMEM,
    PIRN_ESYS,
];
const _: () = {
    let mut index = 0;
    while index < NUMBERS.len() {
        assert!(NUMBERS[index] == Code::ALL[index] as c_int, "the constants are the codes");
        index += 1;
    }
};

/// The code of the last call that failed on this thread.
///
/// A call that succeeds leaves it as it is, as with errno.
///
/// Thread: any; each has its own.
/// Owns: nothing.
/// Returns: the code, or PIRN_OK if nothing has failed on this thread yet.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_last_error() -> c_int {
    error::last(|last| last.map_or(PIRN_OK, |last| last.code() as c_int))
}

/// What the last call that failed on this thread had to say, for people.
///
/// Thread: any; each has its own.
/// Owns: the text is the library's, and good until this thread asks again or ends.
/// Returns: the text, empty if nothing has failed on this thread yet; never NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_last_error_text() -> *const c_char {
    error::last(|last| last.map_or(c"".as_ptr(), keep_text))
}

/// The name of a code, such as "PIRN_EINVAL" for PIRN_EINVAL.
///
/// Thread: any.
/// Owns: the text is the library's and lives as long as the process.
/// Returns: the name, "unknown" for a number that is no code; never NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_error_name(code: c_int) -> *const c_char {
    words(code).0.as_ptr()
}

/// What a code means, in one line.
///
/// Thread: any.
/// Owns: the text is the library's and lives as long as the process.
/// Returns: the text, "unknown code" for a number that is no code; never NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_error_text(code: c_int) -> *const c_char {
    words(code).1.as_ptr()
}

fn words(code: c_int) -> (&'static CStr, &'static CStr) {
    match Code::from_number(code) {
        Some(code) => code.c_words(),
        None if code == PIRN_OK => (c"PIRN_OK", c"success"),
        None => (c"unknown", c"unknown code"),
    }
}

thread_local! {
    /// The text that this thread was last given, kept until it asks again.
    static TEXT: RefCell<CString> = RefCell::new(CString::default());
}

/// The failure's text, NUL-terminated, in the calling thread's keeping.
fn keep_text(failure: &Error) -> *const c_char {
    let text = CString::new(failure.text().replace('\0', " ")).unwrap_or_default();
    let kept = TEXT.try_with(|kept| {
        kept.replace(text);
        kept.borrow().as_ptr()
    });
    // A thread that is being torn down keeps nothing any more.
    kept.unwrap_or(failure.code().c_words().1.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_the_last_failures() {
        error::remember(Error::new(Code::Busy, "with a \0 inside"));
        // SAFETY: NUL-terminated, and this thread does not ask again meanwhile.
        let text = unsafe { CStr::from_ptr(pirn_last_error_text()) };
        assert_eq!(text, c"with a   inside");
        assert_eq!(pirn_last_error(), PIRN_EBUSY);
    }
}
