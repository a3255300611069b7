//! Records by key, in chunks that never move: no copying while it grows, no address to invalidate, and what is no
//! longer used goes back to the system chunk by chunk.

const CHUNK: usize = 256;

/// A record that can be vacant, and then has room for a link.
pub(super) trait Record: Default {
    fn link(&mut self) -> &mut u32;
}

#[derive(Debug)]
struct Chunk<T> {
    records: Box<[T]>,
    /// First of the vacant records, linked through them; `CHUNK` when there is none.
    vacant: u32,
    used: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Option<Chunk<T>>>,
    /// Chunks that may have vacant records; checked when used.
    open: Vec<u32>,
    /// Places in `chunks` whose chunk was given back.
    gone: Vec<u32>,
    used: usize,
    /// An empty chunk is kept, so that one event made and freed again and again does not cost an allocation each.
    empty: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), open: Vec::new(), gone: Vec::new(), used: 0, empty: 0 }
    }
}

impl<T: Record> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The record of a key that is in use.
    #[inline]
    pub(super) fn get(&mut self, key: u32) -> &mut T {
        let (place, index) = (key as usize / CHUNK, key as usize % CHUNK);
        match &mut self.chunks[place] {
            Some(chunk) => &mut chunk.records[index],
            None => unreachable!("key {key} is not in use"),
        }
    }

    /// A key for `record`.
    pub(super) fn insert(&mut self, record: T) -> u32 {
        let place = self.open_chunk();
        let Some(chunk) = &mut self.chunks[place as usize] else { unreachable!("an open chunk is there") };
        let index = chunk.vacant;
        let vacant = &mut chunk.records[index as usize];
        chunk.vacant = *vacant.link();
        *vacant = record;
        self.empty -= usize::from(chunk.used == 0);
        chunk.used += 1;
        self.used += 1;
        place * CHUNK as u32 + index
    }

    /// Takes the record of `key`, which is free from now on.
    pub(super) fn remove(&mut self, key: u32) -> T {
        let (place, index) = (key / CHUNK as u32, key % CHUNK as u32);
        let Some(chunk) = &mut self.chunks[place as usize] else { unreachable!("key {key} is not in use") };
        let record = std::mem::take(&mut chunk.records[index as usize]);
        let was_full = chunk.vacant == CHUNK as u32;
        *chunk.records[index as usize].link() = chunk.vacant;
        chunk.vacant = index;
        chunk.used -= 1;
        self.used -= 1;
        if was_full {
            self.open.push(place);
        }
        if chunk.used == 0 {
            self.empty += 1;
            if self.empty > 1 {
                self.chunks[place as usize] = None;
                self.gone.push(place);
                self.empty -= 1;
            }
        }
        record
    }

    /// The keys in use are those for which `in_use` holds.
    pub(super) fn keys(&mut self, in_use: impl Fn(&T) -> bool) -> Vec<u32> {
        let chunks = self.chunks.iter().enumerate().filter_map(|(place, chunk)| Some((place, chunk.as_ref()?)));
        chunks
            .flat_map(|(place, chunk)| {
                let used = chunk.records.iter().enumerate().filter(|(_, record)| in_use(record));
                used.map(move |(index, _)| (place * CHUNK + index) as u32).collect::<Vec<_>>()
            })
            .collect()
    }

    /// A chunk with room.
    fn open_chunk(&mut self) -> u32 {
        while let Some(&place) = self.open.last() {
            match &self.chunks[place as usize] {
                Some(chunk) if chunk.vacant != CHUNK as u32 => return place,
                _ => self.open.pop(),
            };
        }
        let mut records: Vec<T> = Vec::with_capacity(CHUNK);
        for index in 0..CHUNK as u32 {
            let mut record = T::default();
            *record.link() = index + 1;
            records.push(record);
        }
        let chunk = Some(Chunk { records: records.into_boxed_slice(), vacant: 0, used: 0 });
        self.empty += 1;
        let place = match self.gone.pop() {
            Some(place) => {
                self.chunks[place as usize] = chunk;
                place
            }
            None => {
                self.chunks.push(chunk);
                self.chunks.len() as u32 - 1
            }
        };
        self.open.push(place);
        place
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Debug, Default, Clone, PartialEq)]
    struct Numbered {
        number: u64,
        link: u32,
    }

    impl Record for Numbered {
        fn link(&mut self) -> &mut u32 {
            &mut self.link
        }
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((0u8..5, any::<prop::sample::Index>()), 0..3000)) {
            let mut slab = Slab::default();
            let mut model: HashMap<u32, u64> = HashMap::new();
            // Phases that grow and phases that shrink, so that chunks come and go.
            let turn = (steps.len() / 2).max(1);
            for (number, (action, pick)) in steps.into_iter().enumerate() {
                let grows = (action > 0) == ((number / turn) % 2 == 0);
                if grows || model.is_empty() {
                    let key = slab.insert(Numbered { number: number as u64, link: 0 });
                    prop_assert!(model.insert(key, number as u64).is_none(), "a key given twice");
                } else {
                    let key = *pick.get(&model.keys().copied().collect::<Vec<_>>());
                    prop_assert_eq!(Some(slab.remove(key).number), model.remove(&key));
                }
                prop_assert_eq!(slab.len(), model.len());
            }
            for (key, number) in &model {
                prop_assert_eq!(slab.get(*key).number, *number);
            }
            let chunks = slab.chunks.iter().flatten().count();
            let needed = slab.chunks.iter().flatten().filter(|chunk| chunk.used > 0).count();
            prop_assert!(chunks <= needed + 1);
        }
    }
}
