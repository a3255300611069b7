//! Forks: how often this process's line has forked, so that what belongs to the parent can be told from the child's;
//! and the locks that are held meanwhile, so that the child finds nothing half done.
#![expect(unsafe_code, reason = "pthread_atfork")]

use std::any::Any;
use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// What the forking thread holds from just before the fork until just after it, in both processes.
    static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// How many forks lie between the first process that used the library and this one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has `take_locks` run before each fork from now on, on the forking thread. It [`hold`]s the locks of one floor; floors
/// that were registered later, which may nest their locks around these, come before it.
pub(crate) fn watch(take_locks: extern "C" fn()) {
    static RELEASE: Once = Once::new();
    // First of all, so that in the child the generation has moved on before anything else runs there.
    RELEASE.call_once(|| register(None, Some(in_parent), Some(in_child)));
    register(Some(take_locks), None, None);
}

/// Holds a lock until the fork is over.
pub(crate) fn hold(guard: impl Any) {
    // A thread that is being torn down has no place for it; its fork goes without.
    let _ = HELD.try_with(|held| held.borrow_mut().push(Box::new(guard)));
}

extern "C" fn in_parent() {
    let held = HELD.try_with(RefCell::take).unwrap_or_default();
    // The last taken is the first released.
    held.into_iter().rev().for_each(drop);
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    super::os_thread::forget_current();
    in_parent();
}

type Handler = extern "C" fn();

fn register(before: Option<Handler>, parent: Option<Handler>, child: Option<Handler>) {
    let plain = |handler: Option<Handler>| handler.map(|handler| handler as unsafe extern "C" fn());
    // SAFETY: the functions are valid for the life of the process: the library pins itself. Registering fails only
    // for want of memory, and then forks go unnoticed, as they would without the library.
    unsafe { libc::pthread_atfork(plain(before), plain(parent), plain(child)) };
}
