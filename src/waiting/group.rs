//! Groups of threads, any one of which may do what somebody waits for: a pool's.
//!
//! To the search for deadlocks a group is a node like a thread, with a number that no thread has.

use crate::sync::Mutex;

/// Threads' numbers are those of their slots, which are smaller.
const FIRST: u32 = 1 << 28;

/// The members of each group.
#[cfg(not(loom))]
static GROUPS: Mutex<Vec<Option<Vec<u32>>>> = Mutex::new(Vec::new());

/// Is it a group's number?
pub(crate) fn is_group(node: u32) -> bool {
    node >= FIRST
}

/// A group, of nobody yet.
#[cfg(not(loom))]
pub(crate) fn make() -> u32 {
    let mut groups = GROUPS.lock();
    let free = groups.iter().position(Option::is_none);
    let place = free.unwrap_or_else(|| {
        groups.push(None);
        groups.len() - 1
    });
    groups[place] = Some(Vec::new());
    FIRST + place as u32
}

/// Says who is in the group.
#[cfg(not(loom))]
pub(crate) fn set_members(group: u32, members: Vec<u32>) {
    if let Some(place) = GROUPS.lock().get_mut((group - FIRST) as usize) {
        *place = Some(members);
    }
}

/// Who is in it now.
#[cfg(not(loom))]
pub(crate) fn members(group: u32) -> Vec<u32> {
    GROUPS.lock().get((group - FIRST) as usize).cloned().flatten().unwrap_or_default()
}

/// The models know no groups.
#[cfg(loom)]
pub(crate) fn members(_: u32) -> Vec<u32> {
    Vec::new()
}

/// The group's number may be another's.
#[cfg(not(loom))]
pub(crate) fn free(group: u32) {
    if let Some(place) = GROUPS.lock().get_mut((group - FIRST) as usize) {
        *place = None;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_freed_groups_number_is_used_again() {
        let (one, other) = (make(), make());
        assert!(is_group(one) && is_group(other) && one != other);
        set_members(one, vec![3, 4]);
        set_members(other, vec![5]);
        assert_eq!(members(one), [3, 4]);
        free(one);
        assert_eq!(members(one), [0; 0]);
        assert_eq!(members(other), [5]);
        free(other);
    }
}
