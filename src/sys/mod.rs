//! What the operating system gives. Each file says what a platform must supply; nothing above names the platform.

pub(crate) mod clock;
pub(crate) mod fork;
pub(crate) mod futex;
#[cfg(not(loom))]
pub(crate) mod memory;
pub(crate) mod os_thread;
pub(crate) mod output;
pub(crate) mod poller;
pub(crate) mod signal;
pub(crate) mod spawn;
#[cfg(all(target_os = "linux", not(loom)))]
pub(crate) mod trace;
