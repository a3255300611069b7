//! Forks: how often this process's line has forked, so that what belongs to the parent can be told from the child's.
#![expect(unsafe_code, reason = "pthread_atfork")]

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the first process that used the library and this one.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has `before` run before each fork from now on, and `after` after it, in both processes: the first takes locks, so
/// that the child finds nothing half done, the second gives them back. Call it once for each pair.
pub(crate) fn watch(before: extern "C" fn(), after: extern "C" fn()) {
    extern "C" fn in_child() {
        GENERATION.fetch_add(1, Ordering::Relaxed);
        super::os_thread::forget_current();
    }
    static COUNT: Once = Once::new();
    COUNT.call_once(|| register(None, None, Some(in_child)));
    register(Some(before), Some(after), Some(after));
}

type Handler = Option<unsafe extern "C" fn()>;

fn register(before: Option<extern "C" fn()>, parent: Option<extern "C" fn()>, child: Option<extern "C" fn()>) {
    let plain =
        |handler: Option<extern "C" fn()>| -> Handler { handler.map(|handler| handler as unsafe extern "C" fn()) };
    // SAFETY: the functions are valid for the life of the process: the library pins itself. Registering fails only
    // for want of memory, and then forks go unnoticed, as they would without the library.
    unsafe { libc::pthread_atfork(plain(before), plain(parent), plain(child)) };
}
