//! The C interface: a thin coat over the Rust one.
//!
//! Every function here does the same four things: [`guard`] keeps panics in and remembers what failed, [`handle`] makes
//! a handle of the caller's bits, one call below does the work, and [`Answer`] turns the result into C's. What C shows
//! us by pointer (values, names, out parameters) is read and written here and in `values`, and nowhere else.
//!
//! The headers under `include/` are made from these files, one from each, so the comments are written for C's readers.
//! A function's rows are: one line that says what it does; `Thread:` who may call it; `Owns:` who frees what;
//! `Returns:` each code that can come, and why; `Since:`. A test holds them.
#![expect(unsafe_code, reason = "the boundary to C: exported names, and pointers that C vouches for")]
#![allow(non_camel_case_types, reason = "types are named as C's readers see them")]

mod base;
mod errors;
mod events;
mod futures;
mod inspect;
mod loops;
mod messages;
mod outcome;
mod threads;
mod values;
mod work;

use crate::error::{self, Code, Error, Result};
use crate::handle::Handle;
use crate::sys::clock::{NEVER, Nanos};
use crate::waiting;
use base::{PIRN_FOREVER, pirn_ns};
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// Runs the inside of a C function: the result in C's terms, the failure remembered, a panic turned into
/// `PIRN_EPANIC`. Not inside a key or merge function, which runs under a lock.
fn guard<A: Answer>(call: impl FnOnce() -> Result<A>) -> A::InC {
    guard_anywhere(|| {
        waiting::not_under_lock()?;
        call()
    })
}

/// The same for functions that touch nothing but values.
fn guard_anywhere<A: Answer>(call: impl FnOnce() -> Result<A>) -> A::InC {
    let failure = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => return answer.good(),
        Ok(Err(failure)) => failure,
        Err(panic) => Error::new(Code::Panic, words_of(panic)),
    };
    let code = failure.code();
    error::remember(failure);
    A::failed(code)
}

/// What a panic said.
fn words_of(panic: Box<dyn std::any::Any + Send>) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let words = format!("panic: {}", words.unwrap_or("without words"));
    // Dropping somebody's payload may panic again.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
    words
}

/// How a result looks in C.
trait Answer {
    type InC;
    fn good(self) -> Self::InC;
    fn failed(code: Code) -> Self::InC;
}

/// Nothing to tell but success: `PIRN_OK` or a code.
impl Answer for () {
    type InC = c_int;
    fn good(self) -> c_int {
        0
    }
    fn failed(code: Code) -> c_int {
        code as c_int
    }
}

/// A question: 1, 0 or a code.
impl Answer for bool {
    type InC = c_int;
    fn good(self) -> c_int {
        c_int::from(self)
    }
    fn failed(code: Code) -> c_int {
        code as c_int
    }
}

/// A number that is good as it is, or a code.
impl Answer for c_int {
    type InC = c_int;
    fn good(self) -> c_int {
        self
    }
    fn failed(code: Code) -> c_int {
        code as c_int
    }
}

/// How many, or a code; what an `int` can't count is its greatest.
impl Answer for usize {
    type InC = c_int;
    fn good(self) -> c_int {
        c_int::try_from(self).unwrap_or(c_int::MAX)
    }
    fn failed(code: Code) -> c_int {
        code as c_int
    }
}

/// The same.
impl Answer for u32 {
    type InC = c_int;
    fn good(self) -> c_int {
        c_int::try_from(self).unwrap_or(c_int::MAX)
    }
    fn failed(code: Code) -> c_int {
        code as c_int
    }
}

/// A ticket, or 0.
impl Answer for u64 {
    type InC = u64;
    fn good(self) -> u64 {
        self
    }
    fn failed(_: Code) -> u64 {
        0
    }
}

/// A handle as C holds it, or NULL.
impl<T> Answer for *mut T {
    type InC = *mut T;
    fn good(self) -> *mut T {
        self
    }
    fn failed(_: Code) -> *mut T {
        std::ptr::null_mut()
    }
}

const _: () = assert!(size_of::<*mut u8>() == size_of::<u64>(), "a handle needs all 64 bits of a pointer");

/// The handle that C holds as `pointer`, whatever the bits are. Nobody ever follows the pointer.
fn handle<T>(pointer: *mut T) -> Handle {
    Handle::from_bits(pointer.addr() as u64)
}

/// How C holds `handle`: a pointer to nothing, with the handle's bits.
fn pointer<T>(handle: Handle) -> *mut T {
    std::ptr::without_provenance_mut(handle.bits() as usize)
}

/// How long to wait: `PIRN_FOREVER` is [`NEVER`].
fn patience(time: pirn_ns) -> Result<Nanos> {
    if time == PIRN_FOREVER { Ok(NEVER) } else { duration(time) }
}

/// A time that must be one: not negative, so not `PIRN_FOREVER` either. The longest is no more than long.
fn duration(time: pirn_ns) -> Result<Nanos> {
    if time < 0 { Err(Error::new(Code::Invalid, "a time is not negative")) } else { Ok(time.min(NEVER - 1)) }
}

/// A callback, where NULL has no meaning.
fn required<F>(function: Option<F>) -> Result<F> {
    function.ok_or(Error::new(Code::Invalid, "the function is NULL"))
}

/// Text that must be there. What is no UTF-8 gets replaced; no name has such characters.
///
/// # Safety
/// `text` is null, or NUL-terminated and unchanged for the length of `'a`.
unsafe fn text<'a>(text: *const c_char) -> Result<std::borrow::Cow<'a, str>> {
    // SAFETY: the caller's promise.
    unsafe { optional_text(text) }.ok_or(Error::new(Code::Invalid, "the text is NULL"))
}

/// Text, or NULL.
///
/// # Safety
/// As for [`text`].
unsafe fn optional_text<'a>(text: *const c_char) -> Option<std::borrow::Cow<'a, str>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, so NUL-terminated; the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy())
}

/// Copies `text` to `out`, cut where `capacity` ends, and a NUL; the text's whole length, as snprintf counts.
///
/// # Safety
/// `out` has room for `capacity` bytes, or is null.
unsafe fn copy_text(out: *mut c_char, capacity: usize, text: &str) -> Result<usize> {
    if capacity > 0 {
        let out = NonNull::new(out).ok_or(Error::new(Code::Invalid, "there is nowhere to put the text"))?;
        let length = text.len().min(capacity - 1);
        let text = NonNull::from(text.as_bytes()).cast();
        // SAFETY: `length` bytes are in both, which do not overlap: the text is ours.
        unsafe { out.copy_from_nonoverlapping(text, length) };
        // SAFETY: `length` is less than `capacity`.
        let end = unsafe { out.add(length) };
        // SAFETY: the same.
        unsafe { end.write(0) };
    }
    Ok(text.len())
}

/// The front part of a struct that grows at its end only: its first field is `struct_size`.
///
/// # Safety
/// `Self` is `repr(C)` without padding, and its first field is a `usize` that holds the struct's size.
unsafe trait Growing {}

/// Fills as much of `*out` as the caller knows of; its `struct_size` stays as it is.
///
/// # Safety
/// `out` is null or begins with a `size_t` that says how many bytes may be written there.
unsafe fn fill<T: Growing>(out: *mut T, full: T) -> Result<()> {
    let head = size_of::<usize>();
    if out.is_null() {
        return Err(Error::new(Code::Invalid, "there is nothing to fill"));
    }
    // SAFETY: not null, so it begins with a size.
    let room = unsafe { out.cast::<usize>().read() };
    if room < head {
        return Err(Error::new(Code::Invalid, "struct_size is not the struct's size"));
    }
    let length = room.min(size_of::<T>()) - head;
    // SAFETY: a `Growing` struct begins with a usize.
    let from = unsafe { (&raw const full).cast::<u8>().add(head) };
    // SAFETY: the caller's struct is at least as long.
    let to = unsafe { out.cast::<u8>().add(head) };
    // SAFETY: `length` bytes follow in both, and `full` is our own.
    unsafe { to.copy_from_nonoverlapping(from, length) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_become_statuses() {
        assert_eq!(guard(|| Ok(())), 0);
        assert_eq!(guard(|| Ok(true)), 1);
        assert_eq!(guard(|| Ok(usize::MAX)), c_int::MAX);
        assert_eq!(guard(|| Err::<(), _>(Code::Busy.into())), -16);
        assert_eq!(guard(|| Err::<u64, _>(Code::Busy.into())), 0);
        assert!(guard(|| Err::<*mut u8, _>(Code::Busy.into())).is_null());
    }

    #[test]
    fn a_panic_stays_inside() {
        assert_eq!(guard(|| -> Result<()> { panic!("oh {}", "no") }), Code::Panic as c_int);
        error::last(|last| assert_eq!(last.map(Error::text), Some("panic: oh no")));
        assert_eq!(guard(|| -> Result<()> { panic!("static") }), Code::Panic as c_int);
        error::last(|last| assert_eq!(last.map(Error::text), Some("panic: static")));
    }

    #[test]
    fn a_handle_survives_the_journey_through_c() {
        for bits in [0, 1, u64::MAX, 0x9200_0000_1000_0001] {
            let there: *mut base::pirn_event = pointer(Handle::from_bits(bits));
            assert_eq!(handle(there).bits(), bits);
        }
    }

    #[test]
    fn times_are_checked() {
        assert_eq!(patience(PIRN_FOREVER).expect("forever"), NEVER);
        assert!(patience(i64::MAX).is_ok_and(|long| long < NEVER));
        assert!(duration(PIRN_FOREVER).is_err());
        assert!(patience(-2).is_err());
        assert_eq!(duration(0).expect("none"), 0);
    }

    #[test]
    fn a_struct_is_filled_as_far_as_its_caller_knows_it() {
        #[repr(C)]
        struct Stats {
            struct_size: usize,
            first: u64,
            second: u64,
        }
        // SAFETY: no padding, and the size comes first.
        unsafe impl Growing for Stats {}
        let new = || Stats { struct_size: 0, first: 1, second: 2 };
        for (room, first, second) in [(8, 7, 7), (16, 1, 7), (24, 1, 2), (1000, 1, 2)] {
            let mut out = Stats { struct_size: room, first: 7, second: 7 };
            // SAFETY: `out` is a Stats; the last one claims more, which is not touched.
            unsafe { fill(&raw mut out, new()) }.expect("filled");
            assert_eq!((out.struct_size, out.first, out.second), (room, first, second));
        }
        let mut out = Stats { struct_size: 0, first: 7, second: 7 };
        // SAFETY: `out` is a Stats.
        assert!(unsafe { fill(&raw mut out, new()) }.is_err());
    }
}
