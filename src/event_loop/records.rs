//! The records of all events, in the slots of the handle table, and which of them a loop has.
//!
//! A record is found from its handle without another look-up: one line of memory has the slot's word and all that
//! arming, moving and cancelling need. What only a callback needs lies in a second array.
//!
//! ```text
//! slot, 64 bytes:  word 8 | loop 4 (+ 4) | kind, flags, priority 5 (+ 3) | period 8 | timer's node 32 (with reasons, stamp)
//! call, 32 bytes:  function 8 | argument 8 | on_free 8 | descriptor or signal 4 | interest 2
//! ```
//!
//! A loop takes slots from the table by the block and keeps them until it is freed. So whoever holds the loop's lock
//! has its records to himself, and their lists need no lock of their own.
#![expect(unsafe_code, reason = "records lie in the table's slots and are guarded by their loop's lock")]

use super::record::{Call, Record};
use crate::error::Result;
use crate::handle::{BLOCK, Chunks, Handle, Kind, Slot, Table};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sys::memory::Zeroes;
use crate::timer::{Key, Node, Nodes};
use std::cell::UnsafeCell;

const NIL: u32 = u32::MAX;

/// What lies in an event's slot beside the word.
#[repr(C)]
pub(super) struct Body {
    /// The slot of the loop that the event lives in.
    home: AtomicU32,
    record: UnsafeCell<Record>,
}

const _: () = assert!(size_of::<Slot<Body>>() == 64);

/// See the module.
struct Cold(UnsafeCell<Call>);

// SAFETY: a record is touched only through the `Records` of the loop whose block it is in; see there.
unsafe impl Sync for Body {}
// SAFETY: likewise.
unsafe impl Sync for Cold {}
// SAFETY: a record and a call of zeroes are a vacant event's: numbers, and functions that are not there.
unsafe impl Zeroes for Body {}
// SAFETY: likewise.
unsafe impl Zeroes for Cold {}

static EVENTS: Table<Body> = Table::of_zeroes(Kind::Event);
static CALLS: Chunks<Cold> = Chunks::of_zeroes();

/// An event's slot: found once, checked again wherever it matters.
#[derive(Clone, Copy)]
pub(super) struct Place {
    event: Handle,
    slot: &'static Slot<Body>,
}

impl Place {
    /// Where the event lives or lived, if its slot was ever made.
    #[inline]
    pub(super) fn find(event: Handle) -> Result<Self> {
        Ok(Self { event, slot: EVENTS.find(event)? })
    }

    /// Does it live?
    #[inline]
    pub(super) fn check(self) -> Result<()> {
        self.slot.check(self.event)
    }

    pub(super) fn word(self) -> &'static AtomicU64 {
        self.slot.word()
    }

    /// The loop's slot of whoever lives here, or lived a moment ago.
    #[inline]
    pub(super) fn home(self) -> u32 {
        self.slot.body().home.load(Ordering::Acquire)
    }
}

/// Keeps the table as it is, around a fork.
pub(super) fn hold_still() {
    EVENTS.hold_still();
}

/// The records of one loop. There is one of these for each living loop, under its lock.
#[derive(Debug)]
pub(super) struct Records {
    loop_slot: u32,
    blocks: Vec<u32>,
    /// The first of the vacant slots, linked through their nodes.
    vacant: u32,
    used: usize,
}

impl Records {
    pub(super) fn new(loop_slot: u32) -> Self {
        Self { loop_slot, blocks: Vec::new(), vacant: NIL, used: 0 }
    }

    /// How many events there are, freed ones whose callback has not returned included.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The key of an event of this loop; `None` if it is another's by now.
    #[inline]
    pub(super) fn key(&self, place: Place) -> Result<Option<Key>> {
        place.check()?;
        Ok((place.home() == self.loop_slot).then_some(place.event.slot()))
    }

    /// The record of a key of this loop.
    #[inline]
    pub(super) fn get(&mut self, key: Key) -> &mut Record {
        // SAFETY: the slot is in a block of this loop, so only this `Records` reaches it, and `self` is borrowed
        // for as long as the record is.
        unsafe { &mut *slot(key).body().record.get() }
    }

    /// What a callback of it needs.
    #[inline]
    pub(super) fn call(&mut self, key: Key) -> &mut Call {
        let Some(cold) = CALLS.get(key) else { unreachable!("made with its slot") };
        // SAFETY: as for the record.
        unsafe { &mut *cold.0.get() }
    }

    /// The word of its slot.
    #[inline]
    pub(super) fn word(&self, key: Key) -> &'static AtomicU64 {
        slot(key).word()
    }

    /// The handle of an event that is not freed.
    pub(super) fn handle(&self, key: Key) -> Option<Handle> {
        EVENTS.living(key)
    }

    /// A new event.
    pub(super) fn insert(&mut self, record: Record, call: Call) -> Result<Handle> {
        if self.vacant == NIL {
            self.take_block()?;
        }
        let key = self.vacant;
        self.vacant = *self.get(key).node.idle_link();
        self.replace(key, record);
        *self.call(key) = call;
        self.used += 1;
        let home = self.loop_slot;
        EVENTS.occupy(key, |_, body| body.home.store(home, Ordering::Release))
    }

    /// Makes the handle stale. The record stays until it is removed.
    pub(super) fn end(&mut self, event: Handle) -> Result<()> {
        EVENTS.vacate(event).map(|_| ())
    }

    /// Removes the record of an event whose handle is stale; what its callback needed.
    pub(super) fn remove(&mut self, key: Key) -> Call {
        self.replace(key, Record::default());
        self.used -= 1;
        self.link_vacant(key);
        std::mem::take(self.call(key))
    }

    /// The keys of all events.
    pub(super) fn keys(&mut self) -> Vec<Key> {
        let all = self.blocks.iter().flat_map(|&first| first..first + BLOCK).collect::<Vec<_>>();
        all.into_iter().filter(|&key| !self.get(key).is_vacant()).collect()
    }

    /// Gives all slots back; none is in use any more.
    pub(super) fn give_back(&mut self) {
        for first in self.blocks.drain(..) {
            EVENTS.give_back(first);
        }
        self.vacant = NIL;
    }

    /// Entries of the ready queue outlive the event they were for: the slot's stamps go on.
    fn replace(&mut self, key: Key, mut record: Record) {
        let place = self.get(key);
        *record.stamp() = place.stamp().wrapping_add(1);
        *place = record;
    }

    fn take_block(&mut self) -> Result<()> {
        let first = EVENTS.take_block()?;
        if let Err(error) = CALLS.make(first) {
            EVENTS.give_back(first);
            return Err(error);
        }
        self.blocks.push(first);
        for key in (first..first + BLOCK).rev() {
            self.link_vacant(key);
        }
        Ok(())
    }

    /// A slot whose generations have run out is left out for ever.
    fn link_vacant(&mut self, key: Key) {
        if !slot(key).is_retired() {
            *self.get(key).node.idle_link() = self.vacant;
            self.vacant = key;
        }
    }
}

impl Nodes for Records {
    #[inline]
    fn node(&mut self, key: Key) -> &mut Node {
        &mut self.get(key).node
    }
}

#[inline]
fn slot(key: Key) -> &'static Slot<Body> {
    match EVENTS.slot(key) {
        Some(slot) => slot,
        None => unreachable!("a loop's keys are of slots that it took"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn numbered(number: u16) -> (Record, Call) {
        (Record { period: number.into(), ..Record::user() }, Call { interest: number, ..Call::default() })
    }

    fn key(records: &Records, event: Handle) -> Key {
        records.key(Place::find(event).expect("made")).expect("alive").expect("this loop's")
    }

    proptest! {
        /// Two loops that make and free at once each find their own, and no slot is given twice.
        #[test]
        fn behaves_like_maps(steps in proptest::collection::vec((any::<bool>(), 0u8..3, any::<prop::sample::Index>()), 0..600)) {
            let mut loops = [Records::new(900), Records::new(901)];
            let mut models: [HashMap<u64, u16>; 2] = Default::default();
            for (number, (which, action, pick)) in steps.into_iter().enumerate() {
                let (records, model) = (&mut loops[usize::from(which)], &mut models[usize::from(which)]);
                if action > 0 || model.is_empty() {
                    let (record, call) = numbered(number as u16);
                    let handle = records.insert(record, call).expect("room");
                    prop_assert!(model.insert(handle.bits(), number as u16).is_none());
                } else {
                    let handle = Handle::from_bits(*pick.get(&model.keys().copied().collect::<Vec<_>>()));
                    let key = key(records, handle);
                    records.end(handle).expect("alive");
                    prop_assert_eq!(Some(records.remove(key).interest), model.remove(&handle.bits()));
                }
            }
            for (records, model) in loops.iter_mut().zip(&models) {
                prop_assert_eq!(records.len(), model.len());
                prop_assert_eq!(records.keys().len(), model.len());
                for (&bits, &number) in model {
                    let handle = Handle::from_bits(bits);
                    let key = key(records, handle);
                    prop_assert_eq!(records.get(key).period, number.into());
                    prop_assert_eq!(records.call(key).interest, number);
                    records.end(handle).expect("alive");
                    records.remove(key);
                }
                records.give_back();
            }
        }
    }
}
