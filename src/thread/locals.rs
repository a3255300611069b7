//! Values that belong to the calling thread, by key; on every OS thread.

use crate::error::{Code, Error, Result};
use crate::value::Value;
use std::cell::RefCell;
use std::collections::HashMap;

/// The locals of one thread.
pub(super) type Kept = HashMap<String, Value>;

thread_local! {
    static LOCALS: RefCell<Kept> = RefCell::default();
}

/// Sets a local; NIL removes it. What was there is dropped.
pub(crate) fn set_local(key: &str, value: &mut Value) -> Result<()> {
    let value = std::mem::take(value);
    let old = LOCALS.with(|locals| match value {
        Value::Nil => locals.borrow_mut().remove(key),
        value => locals.borrow_mut().insert(key.to_owned(), value),
    });
    // Its free function may call the library, and this one too.
    drop(old);
    Ok(())
}

/// A copy of a local; a pointer is lent.
pub(crate) fn local(key: &str) -> Result<Value> {
    let not_found = || Error::new(Code::NotFound, format!("no local {key}"));
    LOCALS.with(|locals| locals.borrow().get(key).map(Value::lend)).unwrap_or_else(|| Err(not_found()))
}

/// The OS thread begins to be another thread, which has no locals yet.
pub(super) fn put_aside() -> Kept {
    LOCALS.try_with(RefCell::take).unwrap_or_default()
}

/// It ends to be that one: its locals are dropped, the ones before are back.
pub(super) fn bring_back(kept: Kept) {
    let dropped = LOCALS.try_with(|locals| locals.replace(kept));
    drop(dropped);
}
