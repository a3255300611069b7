//! What a loop knows of one of its events.

use super::task::{Argument, EventFn};
use crate::sys::clock::Nanos;
use crate::timer::Node;
use crate::value::FreeFn;

/// What sort of event it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// No event: the record is free.
    #[default]
    Vacant = 0,
    /// Made to be activated.
    User,
    /// A descriptor's.
    Fd,
    /// A signal's.
    Signal,
    /// Every round's.
    Idle,
    /// One shot, freed by itself.
    Delay,
    /// Until it is freed.
    Interval,
}

impl Kind {
    /// Does it persist until it is removed, and a timeout of it likewise?
    pub(super) fn persists(self) -> bool {
        matches!(self, Kind::Fd | Kind::Signal)
    }

    /// Is there more to it than its timer and activations: something that is watched while it is added?
    pub(super) fn watches(self) -> bool {
        matches!(self, Kind::Fd | Kind::Signal | Kind::Idle)
    }
}

/// Facts about an event, one bit each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    /// A user event that was not removed, or another one that is watched for.
    pub(super) const ADDED: Flags = Flags(1);
    /// It does not keep the loop running, by its user's wish.
    pub(super) const UNREFERENCED: Flags = Flags(2);
    /// It is in the ready queue.
    pub(super) const QUEUED: Flags = Flags(4);
    /// Its callback runs, or it was taken and the taker has not come back.
    pub(super) const OUT: Flags = Flags(8);
    /// Its handle is stale; the record waits for the callback to return.
    pub(super) const FREED: Flags = Flags(16);
    /// It counts among those that keep the loop running.
    pub(super) const HOLDS: Flags = Flags(32);
    /// It counts among those that are pending.
    pub(super) const PENDS: Flags = Flags(64);
    /// Its period is an interval's, and not a timeout of idleness.
    pub(super) const TICKS: Flags = Flags(128);
    /// The library's own: it stands for one of its threads.
    pub(super) const PRIVATE: Flags = Flags(256);

    #[inline]
    pub(super) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    #[inline]
    pub(super) fn set(&mut self, flag: Flags, on: bool) {
        self.0 = if on { self.0 | flag.0 } else { self.0 & !flag.0 };
    }
}

/// The urgency of an event that was given none.
pub(super) const PRIORITY: u8 = 4;

/// One event, but for its call.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) flags: Flags,
    pub(super) priority: u8,
    /// An interval's period, or a descriptor's idle timeout; 0 when there is none.
    pub(super) period: Nanos,
    /// Its timer; the node's spare bytes are `reasons` and `stamp`.
    pub(super) node: Node,
}

impl Default for Record {
    fn default() -> Self {
        Self { kind: Kind::Vacant, flags: Flags::default(), priority: PRIORITY, period: 0, node: Node::IDLE }
    }
}

/// What a callback needs, and what is watched.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) function: Option<EventFn>,
    pub(super) argument: Argument,
    pub(super) on_free: Option<FreeFn>,
    /// The descriptor or the signal.
    pub(super) target: i32,
    pub(super) interest: u16,
}

impl Record {
    pub(super) fn of(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// An event that ticks.
    pub(super) fn interval(period: Nanos) -> Self {
        let mut record = Self { period, ..Self::of(Kind::Interval) };
        record.flags.set(Flags::TICKS, true);
        record
    }

    /// An event that is there from the beginning.
    pub(super) fn user() -> Self {
        let mut record = Self::of(Kind::User);
        record.flags.set(Flags::ADDED, true);
        record
    }

    pub(super) fn is_vacant(&self) -> bool {
        self.kind == Kind::Vacant
    }

    /// Why its callback is to run, activations apart.
    pub(super) fn reasons(&mut self) -> &mut u16 {
        &mut self.node.small
    }

    /// Tells its entry in the ready queue from older ones, which are skipped.
    pub(super) fn stamp(&mut self) -> &mut u32 {
        &mut self.node.large
    }

    /// Makes its entry in the ready queue void, if there is one.
    pub(super) fn leave_queue(&mut self) {
        self.flags.set(Flags::QUEUED, false);
        *self.stamp() = self.stamp().wrapping_add(1);
    }

    /// Is it added, and of a sort that is pending then?
    pub(super) fn is_watched(&self) -> bool {
        self.flags.has(Flags::ADDED) && self.kind != Kind::User
    }

    /// Is there anything that will make it run? An activation that only its slot's word knows of yet apart.
    #[inline]
    pub(super) fn pends(&self) -> bool {
        self.is_watched() || self.flags.has(Flags::QUEUED) || self.node.is_armed()
    }

    /// Notes whether it pends and whether it should keep the loop running; the flags before and now.
    #[inline]
    pub(super) fn recount(&mut self) -> (Flags, Flags) {
        let before = self.flags;
        let pends = self.pends();
        let waits = pends || before.has(Flags::ADDED);
        let counts = !before.has(Flags::UNREFERENCED) && !before.has(Flags::FREED);
        self.flags.set(Flags::PENDS, pends);
        self.flags.set(Flags::HOLDS, waits && counts);
        (before, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_small() {
        // With the slot's word and the loop's number, 96 bytes in all.
        assert_eq!(size_of::<Record>(), 48);
        assert_eq!(size_of::<Call>(), 32);
    }
}
