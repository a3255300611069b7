//! Deadlines: which timer is due, and when the next one will be.
//!
//! A hierarchical wheel over a heap. The wheel holds what is far away in buckets, at a constant price for adding,
//! moving and cancelling; a bucket that comes near is poured into the heap, which puts its timers in exact order, by
//! deadline and then by when they were armed. A timer is linked through a [`Node`] inside its owner's own record, so
//! arming allocates nothing.
//!
//! ```text
//! level 0: 64 buckets of 2^20 ns (1.05 ms)   level l: 64 buckets of 2^(20 + 6 l) ns   level 7 ends beyond i64
//! ```
//!
//! Moving a timer to a later moment leaves it in its bucket: that bucket is looked at before the new deadline, and
//! finds the timer a new place then. So a timeout that is pushed back all the time costs next to nothing.

use crate::sys::clock::{NEVER, Nanos};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Names a timer to its owner.
pub(crate) type Key = u32;

const NIL: Key = Key::MAX;
const TICK_SHIFT: u32 = 20;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = (63 - TICK_SHIFT).div_ceil(SLOT_BITS) as usize;

/// In no list.
const NOWHERE: u16 = u16::MAX;
/// In the heap.
const NEAR: u16 = u16::MAX - 1;

/// From how many stale entries on the heap is swept.
const SWEEP: usize = 64;

/// A timer's place in the lists; part of its owner's record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    deadline: Nanos,
    order: u64,
    previous: Key,
    next: Key,
    place: u16,
    /// The bytes that alignment leaves are the owner's.
    pub(crate) small: u16,
    /// See `small`.
    pub(crate) large: u32,
}

impl Node {
    pub(crate) const IDLE: Node =
        Node { deadline: 0, order: 0, previous: NIL, next: NIL, place: NOWHERE, small: 0, large: 0 };

    /// The link of an idle node is free for its owner's list of vacant records.
    pub(crate) fn idle_link(&mut self) -> &mut Key {
        &mut self.next
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.place != NOWHERE
    }

    /// When it is due, or was when it expired.
    pub(crate) fn deadline(&self) -> Nanos {
        self.deadline
    }
}

/// Where the owner keeps its nodes.
pub(crate) trait Nodes {
    fn node(&mut self, key: Key) -> &mut Node;
}

/// All timers of one loop.
#[derive(Debug)]
pub(crate) struct Timers {
    buckets: Box<[[Key; SLOTS]; LEVELS]>,
    occupied: [u64; LEVELS],
    /// Every armed timer whose tick is not after this one is in the heap.
    horizon: u64,
    near: BinaryHeap<Reverse<(Nanos, u64, Key)>>,
    /// Entries of the heap whose timer was cancelled or moved.
    stale: usize,
    armed: usize,
    order: u64,
    /// No timer of the wheel is due before this moment; `None` when it must be looked up again.
    wheel_next: Option<Nanos>,
}

impl Timers {
    pub(crate) fn new(now: Nanos) -> Self {
        Self {
            buckets: Box::new([[NIL; SLOTS]; LEVELS]),
            occupied: [0; LEVELS],
            horizon: tick_of(now),
            near: BinaryHeap::new(),
            stale: 0,
            armed: 0,
            order: 0,
            wheel_next: Some(NEVER),
        }
    }

    /// How many timers are armed.
    pub(crate) fn armed(&self) -> usize {
        self.armed
    }

    /// Arms `key`, or moves it: due at `deadline`, after all that are due then already.
    #[inline]
    pub(crate) fn arm(&mut self, nodes: &mut impl Nodes, key: Key, deadline: Nanos) {
        self.order += 1;
        let order = self.order;
        let node = nodes.node(key);
        let (place, before) = (node.place, node.deadline);
        node.deadline = deadline;
        node.order = order;
        if in_wheel(place) && deadline >= before {
            self.forget_next(before);
            return;
        }
        if place == NOWHERE {
            self.armed += 1;
        } else {
            self.unlink(nodes, key, before);
        }
        self.insert(nodes, key);
    }

    /// Disarms `key`; when it would have been due, if it was armed.
    #[inline]
    pub(crate) fn disarm(&mut self, nodes: &mut impl Nodes, key: Key) -> Option<Nanos> {
        let node = nodes.node(key);
        if !node.is_armed() {
            return None;
        }
        let deadline = node.deadline;
        self.unlink(nodes, key, deadline);
        nodes.node(key).place = NOWHERE;
        self.armed -= 1;
        Some(deadline)
    }

    /// The next timer that is due at `now`, disarmed, in the order of the deadlines.
    pub(crate) fn expire(&mut self, nodes: &mut impl Nodes, now: Nanos) -> Option<Key> {
        self.pour_until(nodes, tick_of(now));
        while let Some(&Reverse((deadline, order, key))) = self.near.peek() {
            if self.forget_stale(nodes, order, key) {
                continue;
            }
            if deadline > now {
                return None;
            }
            self.near.pop();
            nodes.node(key).place = NOWHERE;
            self.armed -= 1;
            return Some(key);
        }
        None
    }

    /// No timer is due before this moment. The earliest deadline itself, if no more than `looks` timers have to be
    /// looked at for it, else the begin of its bucket: one wake-up more, shared by all those timers. [`NEVER`] when
    /// there is none.
    pub(crate) fn next(&mut self, nodes: &mut impl Nodes, looks: usize) -> Nanos {
        if self.armed == 0 {
            return NEVER;
        }
        while let Some(&Reverse((deadline, order, key))) = self.near.peek() {
            if !self.forget_stale(nodes, order, key) {
                // Whatever the wheel holds is due after the horizon, and so after this.
                return deadline;
            }
        }
        if let Some(next) = self.wheel_next {
            return next;
        }
        let next = self.look_up_next(nodes, looks);
        self.wheel_next = Some(next);
        next
    }

    /// Drops the heap's first entry if its timer was cancelled or moved.
    fn forget_stale(&mut self, nodes: &mut impl Nodes, order: u64, key: Key) -> bool {
        let node = nodes.node(key);
        let stale = node.place != NEAR || node.order != order;
        if stale {
            self.near.pop();
            self.stale -= 1;
        }
        stale
    }

    #[inline]
    fn insert(&mut self, nodes: &mut impl Nodes, key: Key) {
        let node = nodes.node(key);
        let (deadline, order) = (node.deadline, node.order);
        let tick = tick_of(deadline);
        if tick <= self.horizon {
            node.place = NEAR;
            self.near.push(Reverse((deadline, order, key)));
            return;
        }
        let (level, slot) = bucket_of(tick, self.horizon);
        let head = std::mem::replace(&mut self.buckets[level][slot], key);
        node.place = (level * SLOTS + slot) as u16;
        node.previous = NIL;
        node.next = head;
        if head != NIL {
            nodes.node(head).previous = key;
        }
        self.occupied[level] |= 1 << slot;
        self.wheel_next = self.wheel_next.map(|next| next.min(deadline));
    }

    /// Takes `key`, which was due at `deadline`, out of where it is.
    #[inline]
    fn unlink(&mut self, nodes: &mut impl Nodes, key: Key, deadline: Nanos) {
        let node = nodes.node(key);
        let (previous, next, place) = (node.previous, node.next, node.place);
        if place == NEAR {
            // Its entry in the heap is stale: the place, or the order, is another one from here on.
            node.place = NOWHERE;
            self.stale += 1;
            self.sweep(nodes);
            return;
        }
        self.forget_next(deadline);
        let (level, slot) = (usize::from(place) / SLOTS, usize::from(place) % SLOTS);
        if previous == NIL {
            self.buckets[level][slot] = next;
            if next == NIL {
                self.occupied[level] &= !(1 << slot);
            }
        } else {
            nodes.node(previous).next = next;
        }
        if next != NIL {
            nodes.node(next).previous = previous;
        }
    }

    /// A timer that was due at `deadline` has left its place in the wheel.
    #[inline]
    fn forget_next(&mut self, deadline: Nanos) {
        if self.wheel_next == Some(deadline) {
            self.wheel_next = None;
        }
    }

    /// Clears the heap of stale entries when they are most of it: its size follows what is armed.
    fn sweep(&mut self, nodes: &mut impl Nodes) {
        if self.stale > SWEEP && self.stale > self.near.len() / 2 {
            self.near.retain(|&Reverse((_, order, key))| {
                let node = nodes.node(key);
                node.place == NEAR && node.order == order
            });
            self.stale = 0;
        }
    }

    /// Opens every bucket that begins at `tick` or before.
    fn pour_until(&mut self, nodes: &mut impl Nodes, tick: u64) {
        while let Some((level, slot)) = self.earliest_bucket() {
            let begins = self.begin_of(level, slot);
            if begins > tick {
                break;
            }
            self.horizon = begins;
            self.wheel_next = None;
            self.occupied[level] &= !(1 << slot);
            let mut key = std::mem::replace(&mut self.buckets[level][slot], NIL);
            while key != NIL {
                let next = nodes.node(key).next;
                self.insert(nodes, key);
                key = next;
            }
        }
        // Nothing stands between here and `tick`: later insertions count from there.
        self.horizon = self.horizon.max(tick);
    }

    /// The occupied bucket that begins first: on the lowest level that has any, the lowest slot, for all slots of a
    /// level lie ahead of the horizon and within one turn of the next level's slot.
    fn earliest_bucket(&self) -> Option<(usize, usize)> {
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// The first tick of a bucket.
    fn begin_of(&self, level: usize, slot: usize) -> u64 {
        let shift = SLOT_BITS * level as u32;
        let turn = !0u64 << (shift + SLOT_BITS);
        (self.horizon & turn) | ((slot as u64) << shift)
    }

    /// The earliest deadline of the wheel, or a moment before it.
    ///
    /// Timers that were moved to a later moment and lie in the earliest bucket no more get their proper place on the
    /// way, so that a bucket's earliest is the wheel's.
    fn look_up_next(&mut self, nodes: &mut impl Nodes, mut looks: usize) -> Nanos {
        while let Some((level, slot)) = self.earliest_bucket() {
            let mut earliest = NEVER;
            let mut key = self.buckets[level][slot];
            while key != NIL {
                if looks == 0 {
                    return (self.begin_of(level, slot) << TICK_SHIFT) as Nanos;
                }
                looks -= 1;
                let Node { deadline, next, .. } = *nodes.node(key);
                if bucket_of(tick_of(deadline), self.horizon) == (level, slot) {
                    earliest = earliest.min(deadline);
                } else {
                    self.unlink(nodes, key, deadline);
                    self.insert(nodes, key);
                }
                key = next;
            }
            if self.occupied[level] & (1 << slot) != 0 {
                return earliest;
            }
        }
        NEVER
    }
}

fn in_wheel(place: u16) -> bool {
    place < NEAR
}

fn tick_of(time: Nanos) -> u64 {
    (time.max(0) as u64) >> TICK_SHIFT
}

/// The bucket of a tick after the horizon: the level is that of the highest bits in which the two differ.
fn bucket_of(tick: u64, horizon: u64) -> (usize, usize) {
    let level = (tick ^ horizon).ilog2() / SLOT_BITS;
    let slot = (tick >> (level * SLOT_BITS)) & (SLOTS as u64 - 1);
    (level as usize, slot as usize)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Nodes for Vec<Node> {
        fn node(&mut self, key: Key) -> &mut Node {
            &mut self[key as usize]
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Arm(u8, Nanos),
        Disarm(u8),
        Pass(Nanos),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Spans from a nanosecond to a century, so that every level is used.
        let span = (0u32..62, any::<i64>()).prop_map(|(bits, random)| random.rem_euclid(1 << bits));
        prop_oneof![
            4 => (any::<u8>(), span.clone()).prop_map(|(key, after)| Step::Arm(key, after)),
            1 => any::<u8>().prop_map(Step::Disarm),
            2 => span.prop_map(Step::Pass),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
        /// Against a sorted map: what expires, in which order, and that a sleep until `next` misses nothing.
        #[test]
        fn behaves_like_a_sorted_map(start in 0..NEVER / 4, steps in proptest::collection::vec(step(), 1..200)) {
            let mut now = start;
            let mut nodes = vec![Node::IDLE; 256];
            let mut timers = Timers::new(now);
            let mut model: BTreeMap<(Nanos, u64), Key> = BTreeMap::new();
            let mut order = 0;
            for step in steps {
                match step {
                    Step::Arm(key, after) => {
                        let deadline = now.saturating_add(after);
                        order += 1;
                        model.retain(|_, armed| *armed != Key::from(key));
                        model.insert((deadline, order), key.into());
                        timers.arm(&mut nodes, key.into(), deadline);
                    }
                    Step::Disarm(key) => {
                        let before = model.len();
                        model.retain(|_, armed| *armed != Key::from(key));
                        prop_assert_eq!(timers.disarm(&mut nodes, key.into()).is_some(), model.len() < before);
                    }
                    Step::Pass(by) => {
                        now = now.saturating_add(by);
                        let mut expected = Vec::new();
                        while let Some((&(deadline, stamp), &key)) = model.first_key_value() {
                            if deadline > now { break; }
                            model.remove(&(deadline, stamp));
                            expected.push(key);
                        }
                        let mut expired = Vec::new();
                        while let Some(key) = timers.expire(&mut nodes, now) {
                            prop_assert!(!nodes[key as usize].is_armed());
                            expired.push(key);
                        }
                        prop_assert_eq!(expired, expected);
                    }
                }
                prop_assert_eq!(timers.armed(), model.len());
                let earliest = model.first_key_value().map_or(NEVER, |(&(deadline, _), _)| deadline);
                let next = timers.next(&mut nodes, 64);
                prop_assert!(next <= earliest);
                prop_assert_eq!(next == NEVER, earliest == NEVER);
            }
        }
    }

    /// A lone timer, however far away, wakes its loop once: `next` is its deadline, not a bucket's begin.
    #[test]
    fn a_lone_timer_wakes_once() {
        for far in [1, 1_000_000, 1_000_000_000, 3_600_000_000_000, NEVER / 2] {
            let mut nodes = vec![Node::IDLE; 1];
            let mut timers = Timers::new(1_000);
            timers.arm(&mut nodes, 0, 1_000 + far);
            assert_eq!(timers.next(&mut nodes, 64), 1_000 + far);
            assert_eq!(timers.expire(&mut nodes, 1_000 + far - 1), None);
            assert_eq!(timers.next(&mut nodes, 64), 1_000 + far);
            assert_eq!(timers.expire(&mut nodes, 1_000 + far), Some(0));
        }
    }

    /// A timeout that is pushed back again and again leaves nothing behind.
    #[test]
    fn pushing_back_leaves_nothing_behind() {
        let mut nodes = vec![Node::IDLE; 1];
        let mut timers = Timers::new(0);
        for round in 0..100_000 {
            timers.arm(&mut nodes, 0, 500_000 + round % 7);
        }
        assert!(timers.near.len() <= 2 * SWEEP + 2, "{}", timers.near.len());
        assert_eq!(timers.armed(), 1);
    }
}
