//! What a loop calls: functions with an argument, and closures.
#![expect(unsafe_code, reason = "user functions are called with the argument they were given with")]

use crate::handle::Handle;
use crate::value::FreeFn;
use std::ffi::c_void;

/// A function to run once. On which thread is said where it is passed.
pub type TaskFn = unsafe extern "C" fn(arg: *mut c_void);

/// An event's callback: the event's handle, why it runs, and the argument it was made with.
pub type EventFn = unsafe extern "C" fn(event: *mut c_void, what: u32, arg: *mut c_void);

/// What a user function is called with. The library only keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Argument(pub(crate) *mut c_void);

// SAFETY: the library never follows the pointer. It goes back to the user's own function, on the thread that the
// user was told of, and whether that is sound is what the user vouched for when giving it.
unsafe impl Send for Argument {}

impl Default for Argument {
    fn default() -> Self {
        Self(std::ptr::null_mut())
    }
}

/// Something to run once on a loop's thread.
pub(crate) enum Task {
    /// A function; none: only a taker can make something of the argument.
    Function(Option<TaskFn>, Argument),
    /// A closure; dropped unrun with its loop.
    Closure(Box<dyn FnOnce() + Send>),
}

impl Task {
    pub(crate) fn run(self) {
        match self {
            // SAFETY: whoever posted the function vouched that it can be called once with this argument.
            Task::Function(Some(function), argument) => unsafe { function(argument.0) },
            Task::Function(None, _) => {}
            Task::Closure(closure) => closure(),
        }
    }

    /// As a function and its argument, for takers.
    pub(super) fn into_parts(self) -> (Option<TaskFn>, Argument) {
        match self {
            Task::Function(function, argument) => (function, argument),
            Task::Closure(closure) => {
                let boxed: Box<Box<dyn FnOnce() + Send>> = Box::new(closure);
                (Some(run_boxed as TaskFn), Argument(Box::into_raw(boxed).cast()))
            }
        }
    }
}

unsafe extern "C" fn run_boxed(argument: *mut c_void) {
    // SAFETY: `into_parts` made the pointer from a box of this type, and it is called once.
    let closure = unsafe { Box::from_raw(argument.cast::<Box<dyn FnOnce() + Send>>()) };
    closure();
}

/// A callback that is about to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callback {
    pub(super) call: Option<EventFn>,
    pub(super) event: Handle,
    pub(super) what: u32,
    pub(super) count: u32,
    pub(super) argument: Argument,
}

impl Callback {
    pub(super) fn run(self) {
        if let Some(call) = self.call {
            let event = std::ptr::without_provenance_mut(self.event.bits() as usize);
            // SAFETY: whoever made the event vouched that its callback can be called with this argument on the
            // loop's thread, which this is, until `on_free`.
            unsafe { call(event, self.what, self.argument.0) };
        }
    }
}

/// What is left to do for a freed event: tell its owner.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grave {
    pub(super) on_free: FreeFn,
    pub(super) argument: Argument,
}

impl Grave {
    pub(super) fn close(self) {
        // SAFETY: the event's owner set the function to be called once with the event's argument when no callback
        // can run any more.
        unsafe { (self.on_free)(self.argument.0) };
    }
}
