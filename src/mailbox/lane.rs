//! A row of messages, some of which take room.

use std::collections::VecDeque;

/// Beyond this many places an empty lane gives its memory back.
const KEPT_CAPACITY: usize = 4096;

#[derive(Debug)]
struct Entry<T> {
    /// None: it was taken out of the middle.
    item: Option<T>,
    /// Does it take room? Monitors don't.
    counted: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    entries: VecDeque<Entry<T>>,
    live: usize,
    counted: usize,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), live: 0, counted: 0 }
    }
}

impl<T> Lane<T> {
    /// How many messages there are.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// How many of them take room.
    pub(super) fn counted(&self) -> usize {
        self.counted
    }

    /// How many places there are, the ones that were taken out included.
    pub(super) fn places(&self) -> usize {
        self.entries.len()
    }

    /// Appends what is in `item`.
    #[inline]
    pub(super) fn push(&mut self, item: &mut Option<T>, counted: bool) {
        self.live += 1;
        self.counted += usize::from(counted);
        self.entries.push_back(Entry { item: item.take(), counted });
    }

    /// The first place: none left, or what is in it.
    pub(super) fn pop_place(&mut self) -> Option<Option<T>> {
        let Entry { item, counted } = self.entries.pop_front()?;
        if item.is_some() {
            self.live -= 1;
            self.counted -= usize::from(counted);
        }
        Some(item)
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        loop {
            let Entry { item, counted } = self.entries.pop_front()?;
            if item.is_some() {
                self.live -= 1;
                self.counted -= usize::from(counted);
                return item;
            }
        }
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.entries.get_mut(place)?.item.as_mut()
    }

    /// Takes the message at `place` out; the places behind it stay where they are.
    pub(super) fn take(&mut self, place: usize) -> Option<T> {
        let entry = self.entries.get_mut(place)?;
        let item = entry.item.take()?;
        self.live -= 1;
        self.counted -= usize::from(entry.counted);
        Some(item)
    }

    /// Puts back what [`Self::take`] took from `place`.
    pub(super) fn put_back(&mut self, place: usize, item: T) {
        if let Some(entry) = self.entries.get_mut(place) {
            self.live += 1;
            self.counted += usize::from(entry.counted);
            entry.item = Some(item);
        }
    }

    /// The first place whose message is `wanted`, looked for from the end: what is withdrawn came late.
    pub(super) fn place_of(&self, mut wanted: impl FnMut(&T) -> bool) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.item.as_ref().is_some_and(&mut wanted))
    }

    pub(super) fn items_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().filter_map(|entry| entry.item.as_mut())
    }

    /// Gives memory back that was needed for once.
    pub(super) fn shrink(&mut self) {
        if self.entries.is_empty() && self.entries.capacity() > KEPT_CAPACITY {
            self.entries = VecDeque::new();
        }
    }

    /// Appends what `other` has.
    pub(super) fn append(&mut self, mut other: Lane<T>) {
        self.live += other.live;
        self.counted += other.counted;
        self.entries.append(&mut other.entries);
    }
}
