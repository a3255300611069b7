//! Looking inside: a picture of everything as text, and the library's own words.

use super::guard;
use crate::dump;
use crate::log::{self, Level, Sink};
use std::ffi::{CString, c_char, c_int, c_void};

/// For those who look into the library.
pub const PIRN_LOG_DEBUG: c_int = 0;
/// Good to know.
pub const PIRN_LOG_INFO: c_int = 1;
/// Something is probably not as it was meant.
pub const PIRN_LOG_WARNING: c_int = 2;
/// Something failed, and nobody else was there to be told.
pub const PIRN_LOG_ERROR: c_int = 3;

const _: () = assert!(
    PIRN_LOG_DEBUG == Level::Debug as c_int
        && PIRN_LOG_INFO == Level::Info as c_int
        && PIRN_LOG_WARNING == Level::Warning as c_int
        && PIRN_LOG_ERROR == Level::Error as c_int
);

/// Gets a line of the library's log, without a newline at its end.
pub type pirn_log_fn = Option<unsafe extern "C" fn(level: c_int, text: *const c_char, arg: *mut c_void)>;

/// Writes every loop, event, thread, queue and wait to fd, as text for people. Its form may change.
///
/// Thread: any; nothing is stopped meanwhile, so it is not one moment's picture.
/// Owns: nothing; fd stays open.
/// Returns: PIRN_OK; PIRN_ESYS fd can't be written to; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_dump(fd: c_int) -> c_int {
    guard(|| dump::dump(fd))
}

/// Writes who waits for whom to fd, as a graph that Graphviz draws (`dot -Tsvg`).
///
/// Thread: any; nothing is stopped meanwhile, so it is not one moment's picture.
/// Owns: nothing; fd stays open.
/// Returns: PIRN_OK; PIRN_ESYS fd can't be written to; PIRN_EBUSY inside a key or merge function; PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_dump_dot(fd: c_int) -> c_int {
    guard(|| dump::dump_dot(fd))
}

/// Has fn get every line of the library's log; with NULL, errors go to stderr and the rest nowhere.
///
/// fn may be called from any thread, from several at once, and must not call the library. When this returns,
/// the function set before is not running any more and will not be called again.
///
/// Thread: any.
/// Owns: arg is the caller's, who keeps it as long as fn is set.
/// Returns: PIRN_OK; it doesn't fail.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn pirn_log_to(r#fn: pirn_log_fn, arg: *mut c_void) -> c_int {
    let arg = arg.expose_provenance();
    let sink = r#fn.map(|f| -> Sink {
        Box::new(move |level, line| tell(f, level, line, std::ptr::with_exposed_provenance_mut(arg)))
    });
    guard(|| {
        log::log_to(sink);
        Ok(())
    })
}

fn tell(f: unsafe extern "C" fn(c_int, *const c_char, *mut c_void), level: Level, line: &str, arg: *mut c_void) {
    let line = CString::new(line.replace('\0', " ")).unwrap_or_default();
    // SAFETY: C gave the function to be called like this, from any thread; the text lives until it returns.
    unsafe { f(level as c_int, line.as_ptr(), arg) };
}
