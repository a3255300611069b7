//! Handles: what callers hold instead of pointers.
//!
//! A handle is 64 bits, `kind:8 | generation:28 | slot:28`, and is only ever looked up, never followed. A slot's
//! memory, once made, stays what it is for the life of the process (type-stable), so a look-up is two loads and
//! can't touch freed memory, whatever the bits are. Each slot has one word that says which generation lives there:
//!
//! ```text
//! word:  generation:29 (63..35) | live:1 (34) | for the owner:34 (33..0)
//! ```
//!
//! Freeing moves the generation on, so that every copy of the handle turns stale in the same instant. A slot whose
//! generations run out is retired. What a look-up returns may be freed the next moment: the caller validates again
//! under the lock of what it found, or in the compare-and-swap that makes its change.

use crate::error::{Code, Result};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use crate::sys::memory::{self, Zeroes};
// Chunks are published once and never change: nothing that loom should explore.
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

/// What a handle stands for. The byte is chosen so that no user-space address, small integer, text or common filler
/// has it on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Loop = 0x91,
    Event = 0x92,
    Thread = 0x93,
    Future = 0x94,
    Pool = 0x95,
    Message = 0x96,
}

const SLOT_BITS: u32 = 28;
const GENERATION_BITS: u32 = 28;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const KIND_SHIFT: u32 = SLOT_BITS + GENERATION_BITS;

const WORD_GENERATION_SHIFT: u32 = 35;
const LIVE: u64 = 1 << 34;
/// The bits of a slot's word that belong to the owner of the table.
pub(crate) const OWNER_BITS: u64 = LIVE - 1;

/// A kind, a generation and a slot. Plain bits: copying one is free, and none is ever undefined behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handle(u64);

impl Handle {
    fn new(kind: Kind, generation: u64, slot: u32) -> Self {
        Self(((kind as u64) << KIND_SHIFT) | (generation << SLOT_BITS) | u64::from(slot))
    }

    /// The handle with these bits, which may be garbage.
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn is_kind(self, kind: Kind) -> bool {
        self.0 >> KIND_SHIFT == kind as u64
    }

    pub(crate) fn slot(self) -> u32 {
        (self.0 & SLOT_MASK) as u32
    }

    fn generation(self) -> u64 {
        (self.0 >> SLOT_BITS) & GENERATION_MASK
    }
}

/// One place in a [`Table`]: the word that says who lives there, and the body, which is never dropped or moved.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Slot<T> {
    word: AtomicU64,
    body: T,
}

impl<T> Slot<T> {
    pub(crate) fn body(&self) -> &T {
        &self.body
    }

    /// The word, for protocols that change the owner's bits in one step with the check of the generation.
    pub(crate) fn word(&self) -> &AtomicU64 {
        &self.word
    }

    fn lives(&self) -> u64 {
        self.word.load(Ordering::Relaxed) >> WORD_GENERATION_SHIFT
    }

    /// Have its generations run out? Then nobody lives here any more.
    pub(crate) fn is_retired(&self) -> bool {
        self.lives() > GENERATION_MASK
    }

    /// Does `handle` live here now?
    pub(crate) fn check(&self, handle: Handle) -> Result<()> {
        check_word(self.word.load(Ordering::Acquire), handle)
    }
}

/// Does `word` say that `handle` lives in its slot? The kind was checked when the slot was found.
pub(crate) fn check_word(word: u64, handle: Handle) -> Result<()> {
    let lives = word >> WORD_GENERATION_SHIFT;
    let asked = handle.generation();
    if asked == lives && word & LIVE != 0 {
        Ok(())
    } else if asked < lives && asked != 0 {
        Err(Code::Stale.into())
    } else {
        // A generation that was never handed out.
        Err(Code::Handle.into())
    }
}

/// The first chunk's slots, and how many make a block.
pub(crate) const BLOCK: u32 = 32;
const BLOCK_BITS: u32 = BLOCK.trailing_zeros();
const CHUNKS: usize = (SLOT_BITS - BLOCK_BITS) as usize;

/// Which chunk a slot is in, and where there. Chunk `n` has `BLOCK << n` slots, so no block lies in two.
#[inline]
fn locate(slot: u32) -> (usize, usize) {
    let position = slot as usize + BLOCK as usize;
    let chunk = position.ilog2() - BLOCK_BITS;
    (chunk as usize, position - ((BLOCK as usize) << chunk))
}

/// An array that grows by chunks and whose elements never move or go away.
#[derive(Debug)]
pub(crate) struct Chunks<T: 'static> {
    /// The first element of each chunk, once it is there.
    chunks: [AtomicPtr<T>; CHUNKS],
    make: fn(usize) -> Option<&'static [T]>,
}

impl<T: 'static> Chunks<T> {
    /// Elements that begin as [`Default`] says.
    pub(crate) const fn of_default() -> Self
    where
        T: Default,
    {
        Self::made_by(|count| Some(Box::leak((0..count).map(|_| T::default()).collect())))
    }

    /// Elements that begin as zero bytes, in memory that costs nothing until it is touched.
    #[cfg(not(loom))]
    pub(crate) const fn of_zeroes() -> Self
    where
        T: Zeroes,
    {
        Self::made_by(memory::zeroes)
    }

    const fn made_by(make: fn(usize) -> Option<&'static [T]>) -> Self {
        Self { chunks: [const { AtomicPtr::new(std::ptr::null_mut()) }; CHUNKS], make }
    }

    /// The element, if its chunk was made.
    #[inline]
    #[expect(unsafe_code, reason = "two look-ups on the hottest path that need no check of their bounds")]
    pub(crate) fn get(&self, slot: u32) -> Option<&'static T> {
        // A handle's bits can't say more; whoever has a number from elsewhere gets that slot's element.
        let (chunk, index) = locate(slot & SLOT_MASK as u32);
        let first = self.chunks.get(chunk)?.load(Acquire);
        if first.is_null() {
            return None;
        }
        // SAFETY: chunk `n` has `BLOCK << n` elements and `locate` gives an index below that.
        let element = unsafe { first.add(index) };
        // SAFETY: it was made of a `&'static [T]`.
        Some(unsafe { &*element })
    }

    /// Sees to it that `slot` is there.
    pub(crate) fn make(&self, slot: u32) -> Result<()> {
        let (chunk, _) = locate(slot);
        let place = self.chunks.get(chunk).ok_or(Code::NoMemory)?;
        if place.load(Acquire).is_null() {
            let made = (self.make)((BLOCK as usize) << chunk).ok_or(Code::NoMemory)?;
            // Another thread's may have come first; then this one is of no use, and never missed.
            let _ = place.compare_exchange(std::ptr::null_mut(), made.as_ptr().cast_mut(), AcqRel, Acquire);
        }
        Ok(())
    }
}

// SAFETY: a word of zero says that nobody lives there yet; the body's type vouches for itself.
#[cfg(not(loom))]
#[expect(unsafe_code, reason = "what is vouched for can't be checked")]
unsafe impl<T: Zeroes> Zeroes for Slot<T> {}

#[derive(Debug, Default)]
struct Free {
    slots: Vec<u32>,
    fresh: u32,
}

/// All objects of one kind. Slots are handed out one by one, or by the block to owners who hand them out themselves.
#[derive(Debug)]
pub(crate) struct Table<T: 'static> {
    kind: Kind,
    slots: Chunks<Slot<T>>,
    free: Mutex<Free>,
}

#[cfg(not(loom))]
const fn no_slots() -> Mutex<Free> {
    Mutex::new(Free { slots: Vec::new(), fresh: 0 })
}

#[cfg(loom)]
fn no_slots() -> Mutex<Free> {
    Mutex::new(Free::default())
}

#[cfg(not(loom))]
impl<T: 'static> Table<T> {
    pub(crate) const fn new(kind: Kind) -> Self
    where
        T: Default,
    {
        Self { kind, slots: Chunks::of_default(), free: no_slots() }
    }

    pub(crate) const fn of_zeroes(kind: Kind) -> Self
    where
        T: Zeroes,
    {
        Self { kind, slots: Chunks::of_zeroes(), free: no_slots() }
    }
}

#[cfg(loom)]
impl<T: Default + 'static> Table<T> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, slots: Chunks::of_default(), free: no_slots() }
    }
}

impl<T: 'static> Table<T> {
    /// The slot that `handle` lives in. Lock-free: one load for the chunk, one for the word.
    #[inline]
    pub(crate) fn get(&self, handle: Handle) -> Result<&'static Slot<T>> {
        let slot = self.find(handle)?;
        slot.check(handle)?;
        Ok(slot)
    }

    /// The slot that `handle` names, whoever lives there now.
    #[inline]
    pub(crate) fn find(&self, handle: Handle) -> Result<&'static Slot<T>> {
        if !handle.is_kind(self.kind) {
            return Err(Code::Handle.into());
        }
        self.slot(handle.slot()).ok_or(Code::Handle.into())
    }

    /// The slot with this number, if it was ever made.
    #[inline]
    pub(crate) fn slot(&self, slot: u32) -> Option<&'static Slot<T>> {
        self.slots.get(slot)
    }

    /// The handle of whoever lives in `slot` now.
    pub(crate) fn living(&self, slot: u32) -> Option<Handle> {
        let word = self.slot(slot)?.word.load(Ordering::Acquire);
        (word & LIVE != 0).then(|| Handle::new(self.kind, word >> WORD_GENERATION_SHIFT, slot))
    }

    /// The handles of all that live, one after the other; not one moment's picture.
    pub(crate) fn all(&self) -> impl Iterator<Item = Handle> + '_ {
        let made = self.free.lock().fresh;
        (0..made).filter_map(|slot| self.living(slot))
    }

    /// Takes a slot: `fill` gets its body and the handle to be, before anyone can look it up.
    pub(crate) fn insert(&self, fill: impl FnOnce(Handle, &'static T)) -> Result<Handle> {
        let slot = self.draw(1)?;
        self.occupy(slot, fill)
    }

    /// Ends `handle`'s generation. Exactly one caller succeeds; from then on every copy is stale.
    pub(crate) fn remove(&self, handle: Handle) -> Result<()> {
        if self.vacate(handle)? {
            self.give_back(handle.slot());
        }
        Ok(())
    }

    /// Takes [`BLOCK`] slots; the first one's number.
    pub(crate) fn take_block(&self) -> Result<u32> {
        self.draw(BLOCK)
    }

    /// Gives a slot or a block back.
    pub(crate) fn give_back(&self, slot: u32) {
        self.free.lock().slots.push(slot);
    }

    /// Keeps the table's list as it is, around a fork.
    #[cfg(not(loom))]
    pub(crate) fn hold_still(&'static self) {
        crate::sys::fork::hold(self.free.lock());
    }

    /// `count` free slots, reused before new ones are made.
    fn draw(&self, count: u32) -> Result<u32> {
        let mut free = self.free.lock();
        if let Some(slot) = free.slots.pop() {
            return Ok(slot);
        }
        let slot = free.fresh;
        self.slots.make(slot)?;
        free.fresh += count;
        Ok(slot)
    }

    /// Has the next generation live in a free slot of the caller's.
    pub(crate) fn occupy(&self, slot: u32, fill: impl FnOnce(Handle, &'static T)) -> Result<Handle> {
        let place = self.slot(slot).ok_or(Code::NoMemory)?;
        // Generation 0 is never handed out, so that a slot's number alone is no handle.
        let generation = place.lives().max(1);
        let handle = Handle::new(self.kind, generation, slot);
        fill(handle, &place.body);
        place.word.store((generation << WORD_GENERATION_SHIFT) | LIVE, Ordering::Release);
        Ok(handle)
    }

    /// Ends `handle`'s generation. Exactly one caller succeeds; true if the slot may be used again.
    pub(crate) fn vacate(&self, handle: Handle) -> Result<bool> {
        let place = self.find(handle)?;
        let mut word = place.word.load(Ordering::Acquire);
        loop {
            check_word(word, handle)?;
            let ended = (handle.generation() + 1) << WORD_GENERATION_SHIFT;
            match place.word.compare_exchange_weak(word, ended, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(!place.is_retired()),
                Err(now) => word = now,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn chunks_cover_every_slot_once() {
        let mut expected = (0, 0);
        for slot in 0..100_000u32 {
            assert_eq!(locate(slot), expected, "slot {slot}");
            expected.1 += 1;
            if expected.1 == (BLOCK as usize) << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(locate(SLOT_MASK as u32 - BLOCK).0, CHUNKS - 1);
    }

    #[test]
    fn garbage_is_told_from_stale() {
        let table: Table<u8> = Table::new(Kind::Event);
        let handle = table.insert(|_, _| ()).expect("a slot");
        assert!(table.get(handle).is_ok());
        for bits in [0, 1, u64::MAX, 0xdead_beef, 0x9200_0000_0000_0000, handle.bits() + 1, handle.bits() + (1 << 28)] {
            let error = table.get(Handle::from_bits(bits)).expect_err("garbage");
            assert_eq!(error.code(), Code::Handle, "{bits:#x}");
        }
        let other = Handle::from_bits(handle.bits() ^ (1 << KIND_SHIFT));
        assert_eq!(table.get(other).expect_err("another kind").code(), Code::Handle);
        table.remove(handle).expect("freed");
        assert_eq!(table.get(handle).expect_err("freed").code(), Code::Stale);
        assert_eq!(table.remove(handle).expect_err("twice").code(), Code::Stale);
    }

    #[test]
    fn a_slot_is_retired_when_its_generations_run_out() {
        let table: Table<u8> = Table::new(Kind::Event);
        let first = table.insert(|_, _| ()).expect("a slot");
        table.remove(first).expect("freed");
        let place = table.slot(first.slot()).expect("made");
        place.word.store(GENERATION_MASK << WORD_GENERATION_SHIFT, Ordering::Relaxed);
        let last = table.insert(|_, _| ()).expect("the last generation");
        assert_eq!(last.slot(), first.slot());
        table.remove(last).expect("freed");
        assert_eq!(table.get(last).expect_err("retired").code(), Code::Stale);
        assert_eq!(table.get(first).expect_err("old").code(), Code::Stale);
        assert_ne!(table.insert(|_, _| ()).expect("another").slot(), first.slot());
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((0u8..2, any::<prop::sample::Index>()), 0..300)) {
            let table: Table<AtomicU64> = Table::new(Kind::Thread);
            let mut alive: HashMap<u64, u64> = HashMap::new();
            let mut dead: Vec<u64> = Vec::new();
            let mut peak = 0;
            for (serial, (action, pick)) in steps.into_iter().enumerate() {
                let serial = serial as u64;
                let fill = |_: Handle, body: &AtomicU64| body.store(serial, Ordering::Relaxed);
                match action {
                    0 => { alive.insert(table.insert(fill).expect("room").bits(), serial); }
                    _ if alive.is_empty() => {}
                    _ => {
                        let bits = *pick.get(&alive.keys().copied().collect::<Vec<_>>());
                        let handle = Handle::from_bits(bits);
                        table.remove(handle).expect("alive");
                        alive.remove(&bits);
                        dead.push(bits);
                    }
                }
                peak = peak.max(alive.len());
            }
            for (bits, serial) in &alive {
                let slot = table.get(Handle::from_bits(*bits)).expect("alive");
                prop_assert_eq!(slot.body().load(Ordering::Relaxed), *serial);
            }
            for bits in dead {
                prop_assert_eq!(table.get(Handle::from_bits(bits)).expect_err("dead").code(), Code::Stale);
            }
            prop_assert_eq!(table.all().count(), alive.len());
            // Memory follows what is alive: no more slots were made than lived at once.
            prop_assert_eq!(table.free.lock().fresh as usize, peak);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64 as Cell;

    /// A look-up that races with free and reuse sees its own generation's body, or a stale handle; never a mixture.
    #[test]
    fn loom_resolve_against_free_and_reuse() {
        loom::model(|| {
            let table: Arc<Table<Cell>> = Arc::new(Table::new(Kind::Event));
            let old = table.insert(|_, body| body.store(1, Ordering::Relaxed)).expect("room");
            let remover = {
                let table = table.clone();
                loom::thread::spawn(move || {
                    table.remove(old).expect("alive");
                    // Release, so that whoever reads the new body also sees that the old generation ended.
                    table.insert(|_, body| body.store(2, Ordering::Release)).expect("room")
                })
            };
            if let Ok(slot) = table.get(old) {
                let seen = slot.body().load(Ordering::Acquire);
                // Validated after the read: then what was read is the old generation's.
                if slot.check(old).is_ok() {
                    assert_eq!(seen, 1);
                }
            }
            let new = remover.join().expect("the remover");
            assert_eq!(table.get(old).expect_err("freed").code(), Code::Stale);
            assert_eq!(table.get(new).expect("alive").body().load(Ordering::Relaxed), 2);
        });
    }

    /// Of two that free one handle, one succeeds.
    #[test]
    fn loom_free_once() {
        loom::model(|| {
            let table: Arc<Table<Cell>> = Arc::new(Table::new(Kind::Event));
            let handle = table.insert(|_, _| ()).expect("room");
            let other = {
                let table = table.clone();
                loom::thread::spawn(move || table.remove(handle).is_ok())
            };
            let mine = table.remove(handle).is_ok();
            assert!(mine ^ other.join().expect("the other"));
        });
    }
}
