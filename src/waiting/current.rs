//! What the calling OS thread waits with: the waiter of our thread that it is, or one that it has borrowed.

use super::waiter::{Elsewhere, Waiter};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};
use std::cell::{Cell, RefCell};

thread_local! {
    /// The waiter of the thread of ours that this OS thread is.
    static OURS: Cell<Option<&'static Waiter>> = const { Cell::new(None) };
    /// A function of the user's runs under a lock of ours: one that merges messages.
    static UNDER_LOCK: Cell<bool> = const { Cell::new(false) };
    static BORROWED: RefCell<Borrowed> = const { RefCell::new(Borrowed(None)) };
}

/// How many threads are inside [`under_lock`]: hardly ever any, and then nobody need look at his own mark. A thread
/// always sees its own count.
static ANYWHERE: AtomicU32 = AtomicU32::new(0);

/// The waiter of an OS thread that is none of ours.
struct Borrowed(Option<&'static Waiter>);

/// Waiters that OS threads have left.
static FREE: Mutex<Vec<&'static Waiter>> = Mutex::new(Vec::new());

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(waiter) = self.0.take() {
            FREE.lock().push(waiter);
        }
    }
}

/// The OS thread is one of ours from now on, and this is its waiter; or it is none.
pub(crate) fn set(waiter: Option<&'static Waiter>) {
    OURS.set(waiter);
}

/// What the caller waits with.
pub(crate) fn waiter() -> &'static Waiter {
    OURS.get().unwrap_or_else(borrowed)
}

fn borrowed() -> &'static Waiter {
    let mine = BORROWED.try_with(|borrowed| *borrowed.borrow_mut().0.get_or_insert_with(take_free));
    // At the very end of an OS thread there is nothing that could give it back.
    mine.unwrap_or_else(|_| take_free())
}

fn take_free() -> &'static Waiter {
    let free = FREE.lock().pop();
    let waiter = free.unwrap_or_else(|| Box::leak(Box::default()));
    waiter.renew();
    waiter
}

/// Keeps everybody from what the caller waits with, and from the waiters that are free, until a fork is over.
pub(crate) fn hold_still() {
    waiter().hold_still();
    crate::sys::fork::hold(FREE.lock());
}

/// Was the calling thread killed? Never true for an OS thread that is none of ours.
pub(crate) fn interrupted() -> bool {
    OURS.get().is_some_and(Waiter::is_killed)
}

/// The caller is about to sleep in `event_loop`. It asks [`interrupted`] after this and before it sleeps; whoever
/// kills it later finds the loop and interrupts that.
pub(crate) fn enter_elsewhere(event_loop: Handle) -> Elsewhere {
    OURS.get().map_or(Elsewhere::default(), |waiter| waiter.enter_elsewhere(event_loop))
}

/// The caller is back from the loop that it entered after `before`.
pub(crate) fn leave_elsewhere(before: Elsewhere) {
    if let Some(waiter) = OURS.get() {
        waiter.leave_elsewhere(before);
    }
}

/// Runs a function of the user's under a lock of ours: what could wait for that lock fails meanwhile.
pub(crate) fn under_lock<R>(call: impl FnOnce() -> R) -> R {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            UNDER_LOCK.set(self.0);
            ANYWHERE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    ANYWHERE.fetch_add(1, Ordering::Relaxed);
    let _reset = Reset(UNDER_LOCK.replace(true));
    call()
}

/// Fails inside [`under_lock`].
#[inline]
pub(crate) fn not_under_lock() -> Result<()> {
    if ANYWHERE.load(Ordering::Relaxed) == 0 { Ok(()) } else { not_here_under_lock() }
}

#[cold]
#[inline(never)]
fn not_here_under_lock() -> Result<()> {
    if UNDER_LOCK.get() {
        return Err(Error::new(Code::Busy, "a key or merge function calls nothing but the value helpers"));
    }
    Ok(())
}
