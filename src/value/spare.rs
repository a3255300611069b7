//! Blocks that were let go and will be wanted again soon.
//!
//! A message's block is made by its sender and let go by its receiver, which for the system's allocator is the dear case:
//! each goes back to the arena it came from, under its lock. So a thread keeps the blocks that it lets go, by size, and
//! hands them on by the batch; a thread that needs some takes a batch. The shared store is only tried, never waited
//! for: it is a convenience, and whoever finds it locked goes to the allocator.

use super::Block;
use crate::sync::Mutex;
use std::cell::RefCell;

/// The capacities that are kept, how many blocks make a batch, and how many batches the shared store keeps: enough
/// for a full queue of the default limit, but for the largest.
const SIZES: [(usize, usize, usize); 3] = [(256, 32, 40), (1024, 32, 40), (4096, 8, 40)];

type Batch = Vec<Block>;

thread_local! {
    static NEAR: RefCell<[Batch; SIZES.len()]> = const { RefCell::new([const { Vec::new() }; SIZES.len()]) };
}

static FAR: [Mutex<Vec<Batch>>; SIZES.len()] = [const { Mutex::new(Vec::new()) }; SIZES.len()];

/// The capacity to make a block for `length` bytes with: one that can be kept, if there is one.
pub(super) fn capacity_for(length: usize) -> usize {
    SIZES.iter().map(|(size, ..)| *size).find(|size| length <= *size).unwrap_or(length)
}

/// A block of this capacity, with whatever it held last.
pub(super) fn take(capacity: usize) -> Option<Block> {
    let class = class_of(capacity)?;
    let taken = NEAR.try_with(|near| {
        let mut near = near.try_borrow_mut().ok()?;
        if near[class].is_empty() {
            near[class] = FAR[class].try_lock()?.pop()?;
        }
        near[class].pop()
    });
    taken.ok().flatten()
}

/// Keeps `block` for the next one that is wanted; gives it back if it is of no such use.
pub(super) fn give(block: Block) -> Option<Block> {
    let Some(class) = class_of(block.capacity()) else { return Some(block) };
    let (_, batch, most) = SIZES[class];
    let mut block = Some(block);
    // A thread that is being torn down keeps nothing.
    let _ = NEAR.try_with(|near| {
        let Ok(mut near) = near.try_borrow_mut() else { return };
        near[class].extend(block.take());
        if near[class].len() >= 2 * batch {
            let surplus = near[class].split_off(batch);
            match FAR[class].try_lock() {
                Some(mut far) if far.len() < most => far.push(surplus),
                _ => surplus.into_iter().for_each(Block::free),
            }
        }
    });
    block
}

fn class_of(capacity: usize) -> Option<usize> {
    SIZES.iter().position(|(size, ..)| *size == capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_comes_again_and_the_store_is_bounded() {
        for length in [71, 256, 257, 1024, 4096] {
            let capacity = capacity_for(length);
            let class = class_of(capacity).unwrap();
            let (_, batch, most) = SIZES[class];
            let bytes = vec![5; length];
            let blocks: Vec<_> = (0..batch * most * 2).map(|_| Block::copy(&bytes).unwrap()).collect();
            for block in &blocks {
                assert_eq!(block.with_nul()[..length], bytes);
                assert_eq!(block.with_nul()[length..], [0]);
            }
            drop(blocks);
            assert!(NEAR.with(|near| near.borrow()[class].len()) < 2 * batch);
            assert!(FAR[class].lock().len() <= most);
            assert_eq!(Block::copy(&bytes[..71]).unwrap().with_nul(), [&bytes[..71], &[0]].concat());
        }
        assert_eq!(capacity_for(4097), 4097);
        assert!(take(4097).is_none());
    }
}
