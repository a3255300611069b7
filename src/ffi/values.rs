//! Values: what crosses threads, as a message, a reply or a result.
//!
//! A function that sends takes a const pirn_value *, made by PIRN_INT, PIRN_STR and the other macros below or filled in
//! by hand; NULL is PIRN_NIL. One that receives fills a pirn_value of yours, which you drop with pirn_clear; where it
//! is an out parameter NULL is allowed, and the value is dropped. A callback is handed a pirn_value * to look at, to
//! move out with pirn_move, or to fill with the pirn_set_ functions; what it leaves there is dropped or sent for it.
//!
//! A value owns what it points to exactly when its free is set. Bytes that are only lent, and what the macros make,
//! have none.

use super::base::{pirn_free_fn, pirn_future};
use super::{guard_anywhere as guard, handle, pointer};
use crate::error::{Code, Error, Result};
use crate::value::{Block, Bytes, Failure, FutureRef, Pointer, Value, release_block};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::NonNull;

/// Nothing.
pub const PIRN_NIL: u32 = 0;
/// as.integer.
pub const PIRN_INTEGER: u32 = 1;
/// as.number.
pub const PIRN_NUMBER: u32 = 2;
/// size bytes at as.data. They are copied when the value is sent.
pub const PIRN_BYTES: u32 = 3;
/// as.pointer, which free drops. It moves when the value is sent.
pub const PIRN_POINTER: u32 = 4;
/// A failure: code, and size bytes of text at as.data.
pub const PIRN_ERROR: u32 = 5;
/// The future to go on with; only as the result of a function given to future_then.
pub const PIRN_FUTURE: u32 = 6;

/// What a value holds; its kind says which.
#[derive(Clone, Copy)]
#[repr(C)]
pub union pirn_payload {
    /// PIRN_INTEGER
    pub integer: i64,
    /// PIRN_NUMBER
    pub number: f64,
    /// PIRN_BYTES, PIRN_ERROR: read only
    pub data: *const c_void,
    /// PIRN_POINTER, PIRN_FUTURE
    pub pointer: *mut c_void,
}

/// What crosses threads: a message, a reply, a result.
///
/// Integers and numbers travel as they are and bytes are copied. A pointer moves: once a call that takes it has
/// succeeded it belongs to the library, which hands it to exactly one receiver or frees it exactly once; when
/// the call failed it is still the caller's.
///
/// A value that you make yourself begins as {0}, which is PIRN_NIL, or comes from PIRN_INT and the other
/// macros. A value that you got from the library is dropped with pirn_clear, or moved on with pirn_move.
#[repr(C)]
pub struct pirn_value {
    /// PIRN_NIL and so on.
    pub kind: u32,
    /// PIRN_ERROR: the failure's code; else 0.
    pub code: i32,
    /// What it holds.
    pub r#as: pirn_payload,
    /// PIRN_BYTES, PIRN_ERROR: the length of as.data. A NUL follows it in values that the library made.
    pub size: usize,
    /// How to drop what it holds, or NULL if that belongs to someone else.
    pub free: pirn_free_fn,
}

const _: () = assert!(size_of::<pirn_value>() == 32 && align_of::<pirn_value>() == 8, "as value.h asserts it");

/// Makes it PIRN_NIL, dropping what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: what the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v is NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_nil(v: *mut pirn_value) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { set(v, || Ok(pirn_value::NIL)) })
}

/// Makes it PIRN_INTEGER, dropping what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: what the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v is NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_integer(v: *mut pirn_value, integer: i64) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { set(v, || Ok(pirn_value::new(PIRN_INTEGER, pirn_payload { integer }, None))) })
}

/// Makes it PIRN_NUMBER, dropping what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: what the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v is NULL.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_number(v: *mut pirn_value, number: f64) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { set(v, || Ok(pirn_value::new(PIRN_NUMBER, pirn_payload { number }, None))) })
}

/// Makes it PIRN_BYTES: a copy of size bytes at data, and a NUL behind them. Drops what was there.
///
/// data may be part of what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: the copy belongs to the value; what the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v is NULL, or data is NULL and size is not 0; PIRN_ENOMEM. After a failure v
///   is as it was.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_bytes(v: *mut pirn_value, data: *const c_void, size: usize) -> c_int {
    guard(|| {
        // SAFETY: C's promise: `size` bytes are there.
        let bytes = unsafe { bytes_at(data, size) }?;
        // SAFETY: C's promise: NULL or a value.
        unsafe { set(v, || block_of(PIRN_BYTES, 0, bytes)) }
    })
}

/// Makes it PIRN_BYTES: a copy of the text; size is its length without the NUL. Drops what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: the copy belongs to the value; what the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v or text is NULL; PIRN_ENOMEM. After a failure v is as it was.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_string(v: *mut pirn_value, text: *const c_char) -> c_int {
    guard(|| {
        let text = NonNull::new(text.cast_mut()).ok_or(Error::new(Code::Invalid, "the text is NULL"))?;
        // SAFETY: C's promise: NUL-terminated.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) };
        // SAFETY: C's promise: NULL or a value.
        unsafe { set(v, || block_of(PIRN_BYTES, 0, text.to_bytes())) }
    })
}

/// Makes it PIRN_POINTER, dropping what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: with a free function the pointer belongs to the value from now on; without one it is only lent. What
///   the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v is NULL, and the pointer is still the caller's.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_pointer(v: *mut pirn_value, pointer: *mut c_void, free: pirn_free_fn) -> c_int {
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { set(v, || Ok(pirn_value::new(PIRN_POINTER, pirn_payload { pointer }, free))) })
}

/// Makes it PIRN_ERROR with this code and a copy of the text, dropping what was there.
///
/// Thread: any; the value is used by one thread at a time. Also inside key and merge functions.
/// Owns: the copy belongs to the value; what the value owned is freed.
/// Returns: PIRN_OK; PIRN_EINVAL v is NULL; PIRN_ENOMEM, and v is as it was. A text that is NULL counts as
///   empty.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_error(v: *mut pirn_value, code: c_int, text: *const c_char) -> c_int {
    guard(|| {
        let text = if text.is_null() { c"".as_ptr() } else { text };
        // SAFETY: C's promise: NUL-terminated.
        let text = unsafe { CStr::from_ptr(text) };
        // SAFETY: C's promise: NULL or a value.
        unsafe { set(v, || block_of(PIRN_ERROR, code, text.to_bytes())) }
    })
}

/// Makes it PIRN_FUTURE: what a function given to future_then does before it returns PIRN_FORWARD.
///
/// Thread: any; the value is used by one thread at a time.
/// Owns: nothing; the future's handle is copied. What the value owned is freed.
/// Returns: nothing; with v NULL nothing happens.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_set_future(v: *mut pirn_value, f: *mut pirn_future) {
    let value = pirn_value::new(PIRN_FUTURE, pirn_payload { pointer: f.cast() }, None);
    // SAFETY: C's promise: NULL or a value.
    guard(|| unsafe { set(v, || Ok(value)) });
}

/// Takes a value over: to gets it and from becomes PIRN_NIL. Drops what was in to.
///
/// This is how a callback keeps what it was given: what it leaves in the value is dropped when it returns.
/// Values that the library made are not copied, only short bytes of a message are.
///
/// Thread: any; both values are used by one thread at a time. Also inside key and merge functions.
/// Owns: to owns what from owned. With to NULL it is freed; with from NULL, to becomes PIRN_NIL.
/// Returns: nothing. Only without memory for a copy of lent bytes does to become PIRN_NIL; then pirn_last_error
///   says PIRN_ENOMEM.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_move(to: *mut pirn_value, from: *mut pirn_value) {
    if to == from {
        return;
    }
    guard(|| {
        // SAFETY: C's promise: NULL or a value.
        let taken = unsafe { take_owned(from) };
        // SAFETY: C's promise: NULL or a value, and not the one `from` is.
        unsafe { replace(to, pirn_value::NIL) };
        // SAFETY: the same.
        taken.map(|taken| unsafe { replace(to, taken) })
    });
}

/// Drops what a value owns and makes it PIRN_NIL. Doing it twice is harmless.
///
/// Thread: any; the value is used by one thread at a time.
/// Owns: what the value owned is freed.
/// Returns: nothing; with v NULL nothing happens.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_clear(v: *mut pirn_value) {
    guard(|| {
        // SAFETY: C's promise: NULL or a value.
        unsafe { replace(v, pirn_value::NIL) };
        Ok(())
    });
}

impl pirn_value {
    const NIL: Self = Self::new(PIRN_NIL, pirn_payload { integer: 0 }, None);

    const fn new(kind: u32, r#as: pirn_payload, free: pirn_free_fn) -> Self {
        Self { kind, code: 0, r#as, size: 0, free }
    }

    /// `free` set or not decides who owns the bytes.
    const fn with_data(kind: u32, code: i32, data: *mut c_void, size: usize, free: pirn_free_fn) -> Self {
        Self { kind, code, r#as: pirn_payload { pointer: data }, size, free }
    }

    fn has_data(&self) -> bool {
        matches!(self.kind, PIRN_BYTES | PIRN_ERROR)
    }

    /// What `as` points to.
    fn address(&self) -> *mut c_void {
        // SAFETY: every field of the union is eight plain bytes, and a pointer may have any.
        unsafe { self.r#as.pointer }
    }

    /// Is it bytes in one of the library's own blocks?
    fn is_block(&self) -> bool {
        self.has_data() && self.free.is_some_and(|free| std::ptr::fn_addr_eq(free, RELEASE))
    }
}

/// The `free` of the library's own bytes, which come in blocks that know their length.
const RELEASE: unsafe extern "C" fn(*mut c_void) = release_block;

/// Reads what a C caller offers for sending: bytes are copied, a pointer moves. NULL is NIL.
///
/// # Safety
/// `value` is null or points to a value whose data are there.
#[inline]
pub(super) unsafe fn read(value: *const pirn_value) -> Result<Value> {
    // SAFETY: the caller's promise.
    let Some(value) = (unsafe { value.as_ref() }) else { return Ok(Value::Nil) };
    if value.kind == PIRN_INTEGER {
        // SAFETY: any eight bytes are an integer.
        return Ok(Value::Integer(unsafe { value.r#as.integer }));
    }
    if value.kind == PIRN_FUTURE {
        return Err(Error::new(Code::Invalid, "a future is no message"));
    }
    // SAFETY: the caller's promise.
    unsafe { import(value) }
}

/// Gives `call` what a C caller offers. What `call` leaves there was not taken: a pointer is still the
/// caller's.
///
/// # Safety
/// As for [`read`].
#[inline]
pub(super) unsafe fn offer<R>(value: *const pirn_value, call: impl FnOnce(&mut Value) -> Result<R>) -> Result<R> {
    // SAFETY: the caller's promise.
    let mut offered = unsafe { read(value) }?;
    let result = call(&mut offered);
    if offered.owns_pointer() {
        offered.give_back();
    }
    result
}

/// Writes what came of a call into an out parameter: the value, or NIL after a failure. With `out` NULL it is
/// dropped.
///
/// # Safety
/// `out` is null or points to memory for a value; what was there is overwritten, not dropped.
pub(super) unsafe fn put(out: *mut pirn_value, outcome: Result<Value>) -> Result<()> {
    if out.is_null() {
        return outcome.map(drop);
    }
    let (value, result) = match outcome.and_then(export) {
        Ok(value) => (value, Ok(())),
        Err(error) => (pirn_value::NIL, Err(error)),
    };
    // SAFETY: not null; the caller's promise.
    unsafe { out.write(value) };
    result
}

/// Shows a callback a value that it may look at, change, or move out; then drops what it left.
pub(super) fn lend<R>(mut value: Value, call: impl FnOnce(*mut pirn_value) -> R) -> R {
    lend_from(&mut value, call)
}

/// The same with a value that stays where it is; what the callback did not take is dropped, with it or before.
#[inline]
pub(super) fn lend_from<R>(value: &mut Value, call: impl FnOnce(*mut pirn_value) -> R) -> R {
    let mut shown = hand_over(value);
    let result = call(&raw mut shown);
    // SAFETY: what the callback left there is ours to drop.
    unsafe { drop_content(shown) };
    result
}

/// Shows a callback a value that it may change; what it left is the value from then on, or NIL where that is
/// unusable.
pub(super) fn lend_to_change<R>(value: &mut Value, call: impl FnOnce(*mut pirn_value) -> R) -> (R, Result<()>) {
    let mut shown = hand_over(value);
    let result = call(&raw mut shown);
    // SAFETY: what the callback left there is ours; if it is `value`'s short bytes, they are still there.
    let left = unsafe { take_back(shown) };
    let (left, outcome) = match left {
        Ok(left) => (left, Ok(())),
        Err(error) => (Value::Nil, Err(error)),
    };
    *value = left;
    (result, outcome)
}

/// Gives a callback an empty value to fill: what it returned, and what it left there.
#[inline]
pub(super) fn collect<R>(call: impl FnOnce(*mut pirn_value) -> R) -> (R, Result<Value>) {
    let mut shown = pirn_value::NIL;
    let result = call(&raw mut shown);
    if shown.kind == PIRN_NIL {
        return (result, Ok(Value::Nil));
    }
    // SAFETY: what the callback left there is ours.
    (result, unsafe { take_back(shown) })
}

/// Shows a callback a value that it may only look at.
pub(super) fn show<R>(value: &Value, call: impl FnOnce(*const pirn_value) -> R) -> R {
    let shown = view(value);
    call(&raw const shown)
}

/// `value` as C sees it, owning nothing. It is good as long as `value` is.
#[inline]
fn view(value: &Value) -> pirn_value {
    let data = |kind, code, bytes: &Bytes| {
        let data = bytes.with_nul().as_ptr().cast_mut().cast();
        pirn_value::with_data(kind, code, data, bytes.as_slice().len(), None)
    };
    match value {
        Value::Nil => pirn_value::NIL,
        Value::Integer(integer) => pirn_value::new(PIRN_INTEGER, pirn_payload { integer: *integer }, None),
        Value::Number(number) => pirn_value::new(PIRN_NUMBER, pirn_payload { number: *number }, None),
        Value::Bytes(bytes) => data(PIRN_BYTES, 0, bytes),
        Value::Pointer(held) => pirn_value::new(PIRN_POINTER, pirn_payload { pointer: held.as_ptr() }, None),
        Value::Error(failure) => data(PIRN_ERROR, failure.code, &failure.text),
        Value::Future(future) => pirn_value::new(PIRN_FUTURE, pirn_payload { pointer: pointer(future.0) }, None),
        Value::Object(_) => pirn_value::NIL,
    }
}

/// `value` as C sees it. Pointers and long bytes move out, so that C may take them without a copy; short bytes
/// stay in `value`, and are only pointed to.
#[inline]
fn hand_over(value: &mut Value) -> pirn_value {
    if !value.is_on_heap() {
        return view(value);
    }
    hand_over_heap(value)
}

fn hand_over_heap(value: &mut Value) -> pirn_value {
    let (kind, code, bytes) = match std::mem::take(value) {
        Value::Pointer(held) => {
            let (pointer, free) = held.into_raw();
            return pirn_value::new(PIRN_POINTER, pirn_payload { pointer }, free);
        }
        Value::Bytes(bytes) => (PIRN_BYTES, 0, bytes),
        Value::Error(failure) => (PIRN_ERROR, failure.code, failure.text),
        plain => return view(&plain),
    };
    match bytes.into_block() {
        Ok(block) => of_block(kind, code, block),
        Err(short) => {
            *value = of_bytes(kind, code, short);
            view(value)
        }
    }
}

/// `value` as C sees it, owning all that it points to.
fn export(mut value: Value) -> Result<pirn_value> {
    let shown = hand_over(&mut value);
    match value {
        Value::Bytes(short) => block_of(PIRN_BYTES, 0, short.as_slice()),
        Value::Error(short) => block_of(PIRN_ERROR, short.code, short.text.as_slice()),
        _ => Ok(shown),
    }
}

/// A copy of what C shows us; a pointer moves.
///
/// # Safety
/// If it is bytes, they are there; if it is a pointer with a free function, it is given away.
#[inline]
unsafe fn import(value: &pirn_value) -> Result<Value> {
    Ok(match value.kind {
        PIRN_NIL => Value::Nil,
        // SAFETY: any eight bytes are an integer.
        PIRN_INTEGER => Value::Integer(unsafe { value.r#as.integer }),
        // SAFETY: any eight bytes are a number.
        PIRN_NUMBER => Value::Number(unsafe { value.r#as.number }),
        PIRN_BYTES | PIRN_ERROR => {
            // SAFETY: the caller's promise.
            let bytes = unsafe { bytes_at(value.address(), value.size) }?;
            of_bytes(value.kind, value.code, Bytes::copy(bytes)?)
        }
        // SAFETY: the caller's promise.
        PIRN_POINTER => Value::Pointer(unsafe { Pointer::new(value.address(), value.free) }),
        PIRN_FUTURE => Value::Future(FutureRef(handle(value.address()))),
        _ => return Err(Error::new(Code::Invalid, "a value of an unknown kind")),
    })
}

/// What a callback left, as a value. The library's own blocks are taken as they are, everything else is copied.
///
/// # Safety
/// `left` is a value that owns what it points to where its `free` is set.
unsafe fn take_back(left: pirn_value) -> Result<Value> {
    if let (true, Some(data)) = (left.is_block(), NonNull::new(left.address())) {
        // SAFETY: `release_block` is the free function of blocks alone, and the caller's promise.
        let mut block = unsafe { Block::from_raw(data) };
        block.truncate(left.size);
        return Ok(of_bytes(left.kind, left.code, block.into()));
    }
    // SAFETY: the caller's promise.
    let value = unsafe { import(&left) };
    if left.has_data() {
        // SAFETY: they were copied, and are ours to drop.
        unsafe { drop_content(left) };
    }
    value
}

/// Takes what a value owns, or a copy of what it was lent, and leaves NIL.
///
/// # Safety
/// `from` is null or points to a value.
unsafe fn take_owned(from: *mut pirn_value) -> Result<pirn_value> {
    // SAFETY: the caller's promise.
    let Some(from) = (unsafe { from.as_mut() }) else { return Ok(pirn_value::NIL) };
    let taken = std::mem::replace(from, pirn_value::NIL);
    if taken.free.is_some() || !taken.has_data() {
        return Ok(taken);
    }
    // SAFETY: the caller's promise.
    let lent = unsafe { bytes_at(taken.address(), taken.size) }?;
    block_of(taken.kind, taken.code, lent)
}

/// Puts what `make` makes into `v`, and drops what was there. Nothing changes when it fails.
///
/// # Safety
/// `v` is null or points to a value.
unsafe fn set(v: *mut pirn_value, make: impl FnOnce() -> Result<pirn_value>) -> Result<()> {
    if v.is_null() {
        return Err(Error::new(Code::Invalid, "the value is NULL"));
    }
    let value = make()?;
    // SAFETY: the caller's promise.
    unsafe { replace(v, value) };
    Ok(())
}

/// Puts `value` into `v`, or drops it where `v` is null. Drops what was there.
///
/// # Safety
/// `v` is null or points to a value.
unsafe fn replace(v: *mut pirn_value, value: pirn_value) {
    // SAFETY: the caller's promise.
    let old = match unsafe { v.as_mut() } {
        Some(v) => std::mem::replace(v, value),
        None => value,
    };
    // SAFETY: it was taken out, so this is its only drop.
    unsafe { drop_content(old) };
}

/// Frees what a value owns.
///
/// # Safety
/// Where `free` is set, what the value points to may be freed with it, now.
unsafe fn drop_content(value: pirn_value) {
    if let (Some(free), true) = (value.free, value.has_data() || value.kind == PIRN_POINTER) {
        // SAFETY: the caller's promise.
        unsafe { free(value.address()) };
    }
}

/// `size` bytes at `data`; NULL is none.
///
/// # Safety
/// `size` bytes are at `data`, and stay as they are for the length of `'a`.
unsafe fn bytes_at<'a>(data: *const c_void, size: usize) -> Result<&'a [u8]> {
    match (data.is_null(), size) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Error::new(Code::Invalid, "the bytes are NULL")),
        (false, size) if size > isize::MAX as usize => Err(Code::NoMemory.into()),
        // SAFETY: not null, not longer than any object can be, and the caller's promise.
        (false, size) => Ok(unsafe { std::slice::from_raw_parts(data.cast(), size) }),
    }
}

/// A value that owns a copy of `bytes`.
fn block_of(kind: u32, code: i32, bytes: &[u8]) -> Result<pirn_value> {
    Ok(of_block(kind, code, Block::copy(bytes)?))
}

fn of_block(kind: u32, code: i32, block: Block) -> pirn_value {
    let size = block.with_nul().len() - 1;
    pirn_value::with_data(kind, code, block.into_raw(), size, Some(RELEASE))
}

fn of_bytes(kind: u32, code: i32, bytes: Bytes) -> Value {
    if kind == PIRN_ERROR { Value::Error(Failure { code, text: bytes }) } else { Value::Bytes(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: &[u8] = &[b'x'; 500];

    fn set_bytes(v: &mut pirn_value, bytes: &[u8]) {
        // SAFETY: a value, and a slice.
        assert_eq!(unsafe { pirn_set_bytes(v, bytes.as_ptr().cast(), bytes.len()) }, 0);
    }

    fn bytes_of(v: &pirn_value) -> &[u8] {
        // SAFETY: the tests' values hold what they say.
        unsafe { bytes_at(v.address(), v.size) }.expect("bytes")
    }

    fn values() -> Vec<Value> {
        vec![
            Value::Nil,
            Value::Integer(i64::MIN),
            Value::Number(2.5),
            Value::bytes(b"").expect("memory"),
            Value::bytes(b"short").expect("memory"),
            Value::bytes(LONG).expect("memory"),
            Value::Error(Failure::new(-7, "short").expect("memory")),
            Value::Error(Failure::new(7, &"long".repeat(100)).expect("memory")),
        ]
    }

    #[test]
    fn what_goes_out_comes_in_again() {
        for (value, same) in values().into_iter().zip(values()) {
            let mut out = pirn_value::NIL;
            // SAFETY: a value.
            unsafe { put(&raw mut out, Ok(value)) }.expect("memory");
            assert!(!out.has_data() || out.is_block());
            // SAFETY: a value that was just made.
            assert_eq!(unsafe { read(&raw const out) }.expect("memory"), same);
            // SAFETY: the same.
            unsafe { pirn_clear(&raw mut out) };
            assert_eq!(out.kind, PIRN_NIL);
        }
    }

    #[test]
    fn a_callback_may_leave_take_or_change_what_it_was_lent() {
        for (value, same) in values().into_iter().zip(values()) {
            let mut kept = pirn_value::NIL;
            // SAFETY: both are values.
            lend(value, |shown| unsafe { pirn_move(&raw mut kept, shown) });
            // SAFETY: a value that was moved out.
            assert_eq!(unsafe { take_back(kept) }.expect("memory"), same);
        }
        for (mut value, same) in values().into_iter().zip(values()) {
            lend_to_change(&mut value, |_| ()).1.expect("unchanged");
            assert_eq!(value, same);
            // SAFETY: a value.
            lend_to_change(&mut value, |shown| unsafe { pirn_set_integer(shown, 3) }).1.expect("changed");
            assert_eq!(value, Value::Integer(3));
        }
    }

    #[test]
    fn a_size_that_a_caller_edits_breaks_nothing() {
        for bytes in [b"stones".as_slice(), LONG] {
            for size in [0, 3, bytes.len(), usize::MAX] {
                let (_, left) = collect(|v| {
                    // SAFETY: a value.
                    let v = unsafe { &mut *v };
                    set_bytes(v, bytes);
                    v.size = size;
                });
                let expected = &bytes[..size.min(bytes.len())];
                assert_eq!(left.expect("memory"), Value::bytes(expected).expect("memory"));
            }
        }
    }

    #[test]
    fn a_pointer_is_freed_once_whatever_the_callback_does() {
        static FREED: AtomicUsize = AtomicUsize::new(0);
        unsafe extern "C" fn count(_: *mut c_void) {
            FREED.fetch_add(1, Ordering::Relaxed);
        }
        let freed = || FREED.swap(0, Ordering::Relaxed);
        // SAFETY: `count` does not look at the pointer.
        let make = || Value::Pointer(unsafe { Pointer::new(null_mut(), Some(count)) });
        lend(make(), |_| ());
        assert_eq!(freed(), 1);
        // SAFETY: a value.
        lend(make(), |shown| unsafe { pirn_clear(shown) });
        assert_eq!(freed(), 1);
        let mut kept = pirn_value::NIL;
        // SAFETY: both are values.
        lend(make(), |shown| unsafe { pirn_move(&raw mut kept, shown) });
        assert_eq!(freed(), 0);
        // SAFETY: a value; what the call leaves in the offer stays the caller's.
        let refused = unsafe { offer(&raw const kept, |_| Err::<(), _>(Code::Again.into())) };
        assert!(refused.is_err());
        assert_eq!(freed(), 0);
        // SAFETY: a value; the call takes it.
        let taken = unsafe { offer(&raw const kept, |offered| Ok(std::mem::take(offered))) };
        drop(taken.expect("taken"));
        assert_eq!(freed(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let unknown = pirn_value::new(99, pirn_payload { integer: 1 }, None);
        let nothing = pirn_value::with_data(PIRN_BYTES, 0, null_mut(), 1, None);
        let future = pirn_value::new(PIRN_FUTURE, pirn_payload { integer: 1 }, None);
        for value in [unknown, nothing, future] {
            // SAFETY: values whose data, where NULL, are not looked at.
            assert_eq!(unsafe { read(&raw const value) }.expect_err("refused").code(), Code::Invalid);
        }
        // SAFETY: NULL is allowed.
        assert_eq!(unsafe { read(std::ptr::null()) }.expect("NIL"), Value::Nil);
    }

    #[test]
    fn bytes_may_be_set_from_the_value_itself() {
        let mut v = pirn_value::NIL;
        set_bytes(&mut v, LONG);
        set_bytes(&mut v, b"abcdef");
        let (data, size) = (v.address().cast::<u8>(), v.size);
        // SAFETY: the block has six bytes.
        let tail = unsafe { data.add(2) };
        // SAFETY: a value, and size - 2 bytes in it.
        assert_eq!(unsafe { pirn_set_bytes(&raw mut v, tail.cast(), size - 2) }, 0);
        assert_eq!(bytes_of(&v), b"cdef");
        // SAFETY: a value.
        unsafe { pirn_clear(&raw mut v) };
    }
}
