//! What a loop has counted.

/// A loop's counters. All but `events` and `pending` only grow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events that live in the loop now.
    pub events: u64,
    /// Events that are pending or active now.
    pub pending: u64,
    /// Rounds: how often the loop looked for what is ready.
    pub rounds: u64,
    /// Callbacks and tasks run, or taken.
    pub callbacks: u64,
    /// Activations that callbacks were run for.
    pub activations: u64,
    /// Of those, the ones that were merged into an earlier one.
    pub merged: u64,
    /// Tasks posted and come to the loop.
    pub posts: u64,
    /// How often the loop came back from sleep.
    pub wakeups: u64,
    /// Timeouts and ticks that callbacks were run for.
    pub timers_fired: u64,
    /// The longest that a timer was late.
    pub max_lateness_ns: u64,
}
