//! Waiting: the one mechanism through which everything in the library that sleeps, sleeps.

pub(crate) mod notice;
mod patience;
