//! What a loop knows of one of its events: 80 bytes, plus 16 in the handle table.

use super::slab;
use super::task::{Argument, EventFn};
use crate::sys::clock::Nanos;
use crate::timer::{Key, Node, Nodes};
use crate::value::FreeFn;

/// What sort of event it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No event: the record is free.
    #[default]
    Vacant,
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

/// Facts about an event, one bit each.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u8);

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

    pub(super) fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(super) fn set(&mut self, flag: Flags, on: bool) {
        if on {
            self.0 |= flag.0;
        } else {
            self.0 &= !flag.0;
        }
    }
}

/// One event.
#[derive(Debug)]
pub(super) struct Record {
    /// Its timer; the node's spare bytes are `reasons` and `stamp`.
    pub(super) node: Node,
    pub(super) call: Option<EventFn>,
    pub(super) argument: Argument,
    pub(super) on_free: Option<FreeFn>,
    /// An interval's period, or a descriptor's idle timeout; 0 when there is none.
    pub(super) period: Nanos,
    /// Its slot in the handle table.
    pub(super) slot: u32,
    /// The descriptor or the signal.
    pub(super) target: i32,
    pub(super) interest: u16,
    pub(super) kind: Kind,
    pub(super) flags: Flags,
    pub(super) priority: u8,
}

/// The urgency of an event that was given none.
pub(super) const PRIORITY: u8 = 4;

impl Default for Record {
    fn default() -> Self {
        Self {
            node: Node::IDLE,
            call: None,
            argument: Argument::NONE,
            on_free: None,
            period: 0,
            slot: 0,
            target: -1,
            interest: 0,
            kind: Kind::Vacant,
            flags: Flags::default(),
            priority: PRIORITY,
        }
    }
}

impl Record {
    /// Why its callback is to run, activations apart.
    pub(super) fn reasons(&mut self) -> &mut u16 {
        &mut self.node.small
    }

    /// Tells its entry in the ready queue from older ones, which are skipped.
    pub(super) fn stamp(&mut self) -> &mut u32 {
        &mut self.node.large
    }

    /// Is it added, and of a sort that is pending then?
    pub(super) fn is_watched(&self) -> bool {
        self.flags.has(Flags::ADDED) && self.kind != Kind::User
    }

    /// Is there anything that will make it run? An activation that only its slot's word knows of yet apart.
    pub(super) fn pends(&self) -> bool {
        self.is_watched() || self.flags.has(Flags::QUEUED) || self.node.is_armed()
    }

    /// Should it keep the loop running?
    pub(super) fn should_hold(&self) -> bool {
        let waits = self.pends() || self.flags.has(Flags::ADDED);
        waits && !self.flags.has(Flags::UNREFERENCED) && !self.flags.has(Flags::FREED)
    }
}

impl slab::Record for Record {
    fn link(&mut self) -> &mut u32 {
        self.node.idle_link()
    }
}

impl Nodes for slab::Slab<Record> {
    fn node(&mut self, key: Key) -> &mut Node {
        &mut self.get(key).node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_small() {
        assert_eq!(size_of::<Record>(), 80);
    }
}
