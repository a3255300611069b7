//! What a C function that does somebody's work leaves behind: a code, and a value.

use super::values;
use crate::error::{Code, Error, Result};
use crate::value::{Bytes, Failure, Value};
use std::ffi::{c_int, c_void};

use super::values::pirn_value;

/// Calls a function that returns 0 and a value, or a code and maybe an error value with words.
#[inline]
pub(super) fn of_call(call: impl FnOnce(*mut pirn_value) -> c_int) -> Result<Value, Failure> {
    let (code, left) = values::collect(call);
    if let (0, Ok(Value::Nil)) = (code, &left) {
        return Ok(Value::Nil);
    }
    what_is_left(code, left)
}

/// What such a function returned and left as its result.
pub(super) fn what_is_left(code: c_int, left: Result<Value>) -> Result<Value, Failure> {
    match (code, left) {
        (0, Ok(value)) => Ok(value),
        (0, Err(error)) => Err(Failure::from(&error)),
        // The code that was returned counts, the words come from the error value.
        (code, Ok(Value::Error(failure))) => Err(Failure { code, text: failure.text }),
        (code, _) => Err(Failure { code, text: words_for(code) }),
    }
}

/// Words for a code that came without any: the library's own, if it is one of its codes.
fn words_for(code: c_int) -> Bytes {
    let words = Code::from_number(code).map_or("", Code::text);
    Bytes::copy(words.as_bytes()).unwrap_or_default()
}

/// What C gets for a result that may be the other side's failure: `PIRN_EHANDLER`, and the failure in `out`.
///
/// # Safety
/// As for [`values::put`].
pub(super) unsafe fn put(out: *mut pirn_value, outcome: Result<Result<Value, Failure>>) -> Result<()> {
    let (value, result) = match outcome {
        Ok(Ok(value)) => (Ok(value), Ok(())),
        Ok(Err(failure)) => {
            let error = Error::new(Code::Handler, failure.text().into_owned());
            (Ok(Value::Error(failure)), Err(error))
        }
        Err(error) => (Ok(Value::Nil), Err(error)),
    };
    // SAFETY: the caller's promise.
    unsafe { values::put(out, value) }?;
    result
}

/// A callback's argument, which C lets travel to other threads.
#[derive(Clone, Copy)]
pub(super) struct Argument(usize);

impl Argument {
    pub(super) fn new(arg: *mut c_void) -> Self {
        Self(arg.expose_provenance())
    }

    pub(super) fn get(self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.0)
    }
}
