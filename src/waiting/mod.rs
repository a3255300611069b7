//! Waiting: the one mechanism through which everything in the library that sleeps, sleeps.
//!
//! [`notice`] is a word that a sleeper and its ringers share. [`waiter`] is what each thread waits with: one word says
//! how the wait stands, and whoever ends it, be it the other side, the clock, a kill or the deadlock detector, does so
//! by one compare-and-swap. [`detect`] looks for cycles of threads that wait for each other.

#[cfg(not(loom))]
mod current;
pub(crate) mod detect;
pub(crate) mod group;
#[cfg(all(test, loom))]
mod loom_tests;
pub(crate) mod notice;
mod patience;
pub(crate) mod waiter;

#[cfg(not(loom))]
pub(crate) use current::{
    enter_elsewhere, hold_still, interrupted, leave_elsewhere, set as set_current, waiter as current,
};
#[cfg(not(loom))]
pub(crate) use current::{not_under_lock, under_lock};
#[cfg(not(loom))]
pub(crate) use waiter::Elsewhere;
