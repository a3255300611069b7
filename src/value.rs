//! What crosses threads: a [`Value`] owns what it carries, moves, and is dropped exactly once.
#![expect(unsafe_code, reason = "blocks that C may hold and free; the free functions that pointers come with")]

#[cfg(not(loom))]
mod spare;
#[cfg(loom)]
mod spare {
    //! The models have no statics: every block is made and freed.
    use super::Block;

    pub(super) fn capacity_for(length: usize) -> usize {
        length
    }

    pub(super) fn take(_capacity: usize) -> Option<Block> {
        None
    }

    pub(super) fn give(block: Block) -> Option<Block> {
        Some(block)
    }
}

use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use std::alloc::Layout;
use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;

/// How a pointer that moved into the library is given back: called once with the pointer, on any thread, with no
/// lock held.
pub type FreeFn = unsafe extern "C" fn(pointer: *mut c_void);

/// Byte messages up to this length travel inside the value, without an allocation.
pub(crate) const INLINE_BYTES: usize = 70;

/// What a message, a reply or a result is.
#[derive(Debug, Default)]
#[repr(u8)]
pub enum Value {
    /// Nothing.
    #[default]
    Nil,
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A copy of somebody's bytes.
    Bytes(Bytes),
    /// A pointer that moved in, with the function that frees it.
    Pointer(Pointer),
    /// A failure: the code that a function returned, and words.
    Error(Failure),
    /// A future to forward to; only as the result of a then-function.
    Future(FutureRef),
    /// A Rust value, between threads that know its type. C sees nothing there.
    Object(Object),
}

impl Value {
    /// Bytes copied from `bytes`; [`Code::NoMemory`] when there is no room for a copy.
    pub fn bytes(bytes: &[u8]) -> Result<Self> {
        Ok(Self::Bytes(Bytes::copy(bytes)?))
    }

    /// A copy. A pointer is lent: the copy has no free function, so its owner must outlive it.
    pub(crate) fn lend(&self) -> Result<Self> {
        Ok(match self {
            Value::Nil => Value::Nil,
            Value::Integer(integer) => Value::Integer(*integer),
            Value::Number(number) => Value::Number(*number),
            Value::Bytes(bytes) => Value::bytes(bytes.as_slice())?,
            Value::Pointer(pointer) => Value::Pointer(Pointer { address: pointer.address, free: None }),
            Value::Error(failure) => {
                Value::Error(Failure { code: failure.code, text: Bytes::copy(failure.text.as_slice())? })
            }
            Value::Future(future) => Value::Future(*future),
            Value::Object(object) => {
                Value::Object(object.copy().ok_or(Error::new(Code::Invalid, "the Rust value is not to be copied"))?)
            }
        })
    }

    /// Does it hold something outside itself?
    #[inline]
    pub(crate) fn is_on_heap(&self) -> bool {
        match self {
            Value::Nil | Value::Integer(_) | Value::Number(_) | Value::Future(_) => false,
            Value::Bytes(bytes) | Value::Error(Failure { text: bytes, .. }) => matches!(bytes.0, Storage::Heap(_)),
            Value::Pointer(_) | Value::Object(_) => true,
        }
    }

    /// Is it a pointer that must be freed exactly once?
    pub(crate) fn owns_pointer(&self) -> bool {
        matches!(self, Value::Pointer(Pointer { free: Some(_), .. }) | Value::Object(Object { copy: None, .. }))
    }

    /// Lets a pointer go without freeing it: it still belongs to whoever offered it.
    pub(crate) fn give_back(self) {
        if let Value::Pointer(mut pointer) = self {
            pointer.free = None;
        }
    }
}

/// Are two values the same? Pointers by address; numbers by their bits, so that a key is always equal to itself.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a.to_bits() == b.to_bits(),
            (Value::Bytes(a), Value::Bytes(b)) => a.as_slice() == b.as_slice(),
            (Value::Pointer(a), Value::Pointer(b)) => a.address == b.address,
            (Value::Error(a), Value::Error(b)) => a.code == b.code && a.text.as_slice() == b.text.as_slice(),
            (Value::Future(a), Value::Future(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl std::hash::Hash for Value {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Value::Nil => {}
            Value::Integer(integer) => integer.hash(state),
            Value::Number(number) => number.to_bits().hash(state),
            Value::Bytes(bytes) => bytes.as_slice().hash(state),
            Value::Pointer(pointer) => pointer.address.hash(state),
            Value::Error(failure) => (failure.code, failure.text.as_slice()).hash(state),
            Value::Future(future) => future.0.hash(state),
            Value::Object(object) => std::ptr::hash(&raw const *object.value, state),
        }
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Value::Integer(integer)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

/// A failure as a value: what the other side's function returned, and what it said.
#[derive(Debug)]
pub struct Failure {
    pub(crate) code: i32,
    pub(crate) text: Bytes,
}

impl Failure {
    /// The failure `code` with these words.
    pub fn new(code: i32, text: &str) -> Result<Self> {
        Ok(Self { code, text: Bytes::copy(text.as_bytes())? })
    }

    /// The code.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The words; what is no UTF-8 is replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.text.as_slice())
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        // Words that find no memory are left out; the code always gets through.
        let text = Bytes::copy(error.text().as_bytes()).unwrap_or_else(|_| Bytes::default());
        Self { code: error.code() as i32, text }
    }
}

/// A Rust value of any type, owned.
pub struct Object {
    value: Box<dyn Any + Send>,
    copy: Option<fn(&(dyn Any + Send)) -> Option<Object>>,
}

impl Object {
    /// Takes `value` in.
    pub fn new<T: Send + 'static>(value: T) -> Self {
        Self { value: Box::new(value), copy: None }
    }

    /// The same for one that may be wanted more than once: by all callers of messages that were merged.
    pub fn copyable<T: Clone + Send + 'static>(value: T) -> Self {
        let copy = |value: &(dyn Any + Send)| value.downcast_ref::<T>().cloned().map(Object::copyable);
        Self { value: Box::new(value), copy: Some(copy) }
    }

    fn copy(&self) -> Option<Self> {
        (self.copy?)(&*self.value)
    }

    /// The value, if that is its type.
    pub fn take<T: 'static>(self) -> Option<T> {
        self.value.downcast().ok().map(|value| *value)
    }

    /// A look at it, if that is its type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The same, to change it.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.value.downcast_mut()
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Object")
    }
}

/// A handle of a future, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FutureRef(pub(crate) Handle);

/// Owned bytes. A NUL that does not count follows them, so that C may read text as it is.
#[derive(Clone)]
pub struct Bytes(Storage);

#[derive(Clone)]
#[repr(u8)]
enum Storage {
    Inline { length: u8, bytes: InlineBytes },
    Heap(Block),
}

/// Aligned, so that a small struct that was sent as bytes can be read in place.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct InlineBytes([u8; INLINE_BYTES + 1]);

impl Bytes {
    pub(crate) fn copy(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > INLINE_BYTES {
            return Ok(Self(Storage::Heap(Block::copy(bytes)?)));
        }
        let mut inline = InlineBytes([0; INLINE_BYTES + 1]);
        inline.0[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(Storage::Inline { length: bytes.len() as u8, bytes: inline }))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        let with_nul = self.with_nul();
        &with_nul[..with_nul.len() - 1]
    }

    /// The bytes and the NUL behind them.
    pub(crate) fn with_nul(&self) -> &[u8] {
        match &self.0 {
            Storage::Inline { length, bytes } => &bytes.0[..=usize::from(*length)],
            Storage::Heap(block) => block.with_nul(),
        }
    }

    /// The block that long bytes are in; short ones come back as they are.
    pub(crate) fn into_block(self) -> Result<Block, Self> {
        match self.0 {
            Storage::Heap(block) => Ok(block),
            inline => Err(Self(inline)),
        }
    }
}

impl From<Block> for Bytes {
    fn from(block: Block) -> Self {
        Self(Storage::Heap(block))
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self(Storage::Inline { length: 0, bytes: InlineBytes([0; INLINE_BYTES + 1]) })
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_slice()))
    }
}

/// Bytes on the heap that know their own length: C may hold the pointer, and free it, without telling it.
///
/// ```text
/// | capacity | length | bytes … NUL |
///                     ^ data
/// ```
pub(crate) struct Block {
    data: NonNull<u8>,
}

#[repr(C, align(16))]
struct Head {
    capacity: usize,
    length: usize,
}

// SAFETY: a block owns plain bytes that nobody else points to while it is a `Block`.
unsafe impl Send for Block {}
// SAFETY: a shared block is only read.
unsafe impl Sync for Block {}

impl Block {
    /// A block with a copy of `bytes` and a NUL.
    pub(crate) fn copy(bytes: &[u8]) -> Result<Self> {
        let capacity = spare::capacity_for(bytes.len());
        let mut block = match spare::take(capacity) {
            Some(block) => block,
            None => Self::make(capacity)?,
        };
        // SAFETY: the block has room for `capacity` bytes, no fewer than these, and nobody else points there.
        unsafe { block.data.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        block.end_at(bytes.len());
        Ok(block)
    }

    fn make(capacity: usize) -> Result<Self> {
        let layout = Self::layout(capacity).ok_or(Code::NoMemory)?;
        // SAFETY: the layout has room for a head, so its size is not zero.
        let start = NonNull::new(unsafe { std::alloc::alloc(layout) }).ok_or(Code::NoMemory)?;
        // SAFETY: the allocation starts with room for a head, and is aligned for it.
        unsafe { start.cast::<Head>().write(Head { capacity, length: 0 }) };
        // SAFETY: capacity + 1 bytes follow the head in the same allocation.
        let data = unsafe { start.add(size_of::<Head>()) };
        Ok(Self { data })
    }

    /// Gives the memory back.
    fn free(self) {
        let head = self.place_of_head();
        // The same capacity gave a layout when the block was made.
        if let Some(layout) = Self::layout(self.capacity()) {
            std::mem::forget(self);
            // SAFETY: allocated in `make` with this layout; the only owner frees it, and was forgotten.
            unsafe { std::alloc::dealloc(head.cast().as_ptr(), layout) };
        }
    }

    fn capacity(&self) -> usize {
        self.head().capacity
    }

    /// What C gets; [`Block::from_raw`] or [`release_block`] takes it back.
    pub(crate) fn into_raw(self) -> *mut c_void {
        let data = self.data.as_ptr().cast();
        std::mem::forget(self);
        data
    }

    /// # Safety
    /// `data` came out of [`Block::into_raw`] and was not taken back before.
    pub(crate) unsafe fn from_raw(data: NonNull<c_void>) -> Self {
        Self { data: data.cast() }
    }

    /// Forgets all but the first `length` bytes; a length that is too great changes nothing.
    pub(crate) fn truncate(&mut self, length: usize) {
        if length < self.head().length {
            self.end_at(length);
        }
    }

    pub(crate) fn with_nul(&self) -> &[u8] {
        // SAFETY: `length` bytes and a NUL were written there, and live as long as the block.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.head().length + 1) }
    }

    /// `length` is at most the capacity.
    fn end_at(&mut self, length: usize) {
        let mut head = self.place_of_head();
        // SAFETY: the head was written when the block was made, and `self` is borrowed mutably.
        unsafe { head.as_mut() }.length = length;
        // SAFETY: capacity + 1 bytes are there.
        let end = unsafe { self.data.add(length) };
        // SAFETY: the same, and `self` is borrowed mutably.
        unsafe { end.write(0) };
    }

    fn head(&self) -> &Head {
        // SAFETY: the head was written when the block was made, and lives as long as it.
        unsafe { self.place_of_head().as_ref() }
    }

    fn place_of_head(&self) -> NonNull<Head> {
        // SAFETY: the data follow the head in one allocation.
        unsafe { self.data.sub(size_of::<Head>()) }.cast()
    }

    fn layout(capacity: usize) -> Option<Layout> {
        let size = capacity.checked_add(size_of::<Head>() + 1)?;
        Layout::from_size_align(size, align_of::<Head>()).ok()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(block) = spare::give(Self { data: self.data }) {
            block.free();
        }
    }
}

impl Clone for Block {
    fn clone(&self) -> Self {
        let bytes = self.with_nul();
        Self::copy(&bytes[..bytes.len() - 1]).unwrap_or_else(|_| {
            std::alloc::handle_alloc_error(Self::layout(bytes.len()).unwrap_or(Layout::new::<Head>()))
        })
    }
}

/// Frees a block that C holds.
///
/// # Safety
/// `data` came out of [`Block::into_raw`] and was not taken back before, or is null.
pub(crate) unsafe extern "C" fn release_block(data: *mut c_void) {
    if let Some(data) = NonNull::new(data) {
        // SAFETY: the caller's promise.
        drop(unsafe { Block::from_raw(data) });
    }
}

/// A pointer that belongs to the value, and how to free it.
#[derive(Debug)]
pub struct Pointer {
    address: usize,
    free: Option<FreeFn>,
}

impl Pointer {
    /// # Safety
    /// With a `free`, the pointer is the caller's to give away, and `free` may be called with it once, from any
    /// thread, at any later time.
    pub unsafe fn new(pointer: *mut c_void, free: Option<FreeFn>) -> Self {
        Self { address: pointer.expose_provenance(), free }
    }

    /// The pointer; it stays owned by the value.
    pub fn as_ptr(&self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.address)
    }

    /// The pointer and its free function, which are now the caller's to look after.
    pub fn into_raw(mut self) -> (*mut c_void, Option<FreeFn>) {
        (self.as_ptr(), self.free.take())
    }
}

impl Drop for Pointer {
    fn drop(&mut self) {
        if let Some(free) = self.free.take() {
            // SAFETY: `new`'s caller gave the pointer away with this function; taking it makes this the only call.
            unsafe { free(self.as_ptr()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn bytes_keep_a_nul_behind_them() {
        for length in [0, 1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 5000] {
            let source = vec![7u8; length];
            let bytes = Bytes::copy(&source).expect("memory");
            assert_eq!(bytes.as_slice(), source);
            assert_eq!(bytes.with_nul()[length], 0);
            assert_eq!(matches!(bytes.0, Storage::Inline { .. }), length <= INLINE_BYTES);
            assert_eq!(bytes.clone().as_slice(), source);
        }
    }

    #[test]
    fn a_block_is_held_by_its_pointer_alone() {
        let raw = Block::copy(b"stones").expect("memory").into_raw();
        // SAFETY: it came out of `into_raw` just now.
        let mut block = unsafe { Block::from_raw(NonNull::new(raw).expect("a block")) };
        block.truncate(100);
        assert_eq!(block.with_nul(), b"stones\0");
        block.truncate(5);
        assert_eq!(block.with_nul(), b"stone\0");
        assert_eq!(raw.addr() % 16, 0, "as malloc would have it");
        // SAFETY: taken out once more.
        unsafe { release_block(block.into_raw()) };
    }

    #[test]
    fn a_pointer_is_freed_once_or_given_back() {
        static FREED: AtomicUsize = AtomicUsize::new(0);
        unsafe extern "C" fn count(_: *mut c_void) {
            FREED.fetch_add(1, Ordering::Relaxed);
        }
        let make = || {
            // SAFETY: `count` does not look at the pointer.
            let pointer = unsafe { Pointer::new(std::ptr::without_provenance_mut(8), Some(count)) };
            Value::Pointer(pointer)
        };
        drop(make());
        assert_eq!(FREED.load(Ordering::Relaxed), 1);
        make().give_back();
        assert_eq!(FREED.load(Ordering::Relaxed), 1);
        let value = make();
        drop(value.lend());
        assert_eq!(FREED.load(Ordering::Relaxed), 1);
        drop(value);
        assert_eq!(FREED.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn values_stay_small() {
        assert!(size_of::<Value>() <= 96, "{}", size_of::<Value>());
    }
}
