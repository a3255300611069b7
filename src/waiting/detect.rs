//! Deadlock: a cycle of threads that each wait for the next.
//!
//! A thread waits for at most one other, so whoever closes a cycle finds it by walking from thread to thread until it
//! is back, or until somebody does not wait. The walk happens only when a thread is about to sleep, and its length is
//! the chain's, whatever the number of threads.
//!
//! **None is missed.** Each thread publishes its wait, fences, and then walks. Of the threads that close a cycle
//! together, the one whose fence is last sees the waits of all the others.
//!
//! **None is imagined.** A walk reads one wait after the other, so it may put together what never stood at one time.
//! So there is a second look, under a lock that lets one thread look at a time: walk again, then read every wait
//! again. What did not change between the two was there at one moment, all of it; and a wait is taken back by
//! whatever satisfies it, in the step that satisfies it, so those who wait in a cycle at one moment wait for ever.
//!
//! **One is failed.** Under the same lock; whoever looks next finds the cycle broken. It must be one whose message its
//! receiver has not taken yet, since a call that ends so has never happened. In a cycle there is one: the message
//! that came last went to a thread that was waiting, or began to wait without taking it. A wait with a timeout ends
//! by itself: while the cycle has one, nobody without a timeout is failed.
//!
//! **Groups.** A wait may also be for any one of a group of threads (a pool's, of which one will run the job). Then it
//! is not enough that one chain comes back: the wait is hopeless when *all* who might end it, directly or not, wait as
//! well. Such a knot is looked for by the thread whose wait closes it, in the same two looks, and is untied by failing
//! that one.

use super::group;
use super::waiter::{Published, Waiter};
use crate::sync::Mutex;
use crate::sync::atomic::{Ordering, fence};
use crate::sys::clock::NEVER;
use std::collections::HashSet;

/// One thread of a cycle, and its wait for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) node: u32,
    pub(crate) next: u32,
    pub(crate) wait: Published,
}

/// Where the detector finds the threads.
pub(crate) trait Graph {
    /// What the thread at `node` waits with.
    fn waiter(&self, node: u32) -> Option<&'static Waiter>;

    /// Fails the wait of `cycle[victim]`, if nothing of it has happened yet; true when it is failed. When that went
    /// for none of them, they are asked again, with `anyhow`: something may have happened already.
    fn fail(&self, cycle: &[Link], victim: usize, anyhow: bool) -> bool;
}

/// Lets one thread at a time decide.
#[derive(Debug, Default)]
pub(crate) struct Detector {
    one_at_a_time: Mutex<()>,
    #[cfg(all(test, loom))]
    without: Without,
}

/// What a model leaves out, to see that it is needed.
#[cfg(all(test, loom))]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Without {
    pub(crate) fence: bool,
    pub(crate) lock: bool,
}

impl Detector {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { one_at_a_time: Mutex::new(()) }
    }

    /// Lets nobody look until a fork is over.
    #[cfg(not(loom))]
    pub(crate) fn hold_still(&'static self) {
        crate::sys::fork::hold(self.one_at_a_time.lock());
    }

    /// Called by the thread at `node` when it has published its wait, or by whoever has changed whom it waits for.
    pub(crate) fn look<G: Graph>(&self, graph: &G, node: u32) {
        if self.fences() {
            fence(Ordering::SeqCst);
        }
        let find: fn(&G, u32) -> Vec<Link> = match way_from(graph, node) {
            Way::Back => cycle_through,
            Way::ToGroup => knot_of,
            Way::Ends => return,
        };
        let _guard = self.locks().then(|| self.one_at_a_time.lock());
        let cycle = find(graph, node);
        if !cycle.is_empty() && stands(graph, &cycle) {
            fail_one(graph, &cycle);
        }
    }

    #[cfg(not(all(test, loom)))]
    fn fences(&self) -> bool {
        true
    }

    #[cfg(not(all(test, loom)))]
    fn locks(&self) -> bool {
        true
    }
}

fn fail_one(graph: &impl Graph, cycle: &[Link]) {
    let victims = victims(cycle);
    let fail = |anyhow| victims.iter().any(|&victim| graph.fail(cycle, victim, anyhow));
    let _ = fail(false) || fail(true);
}

#[cfg(all(test, loom))]
impl Detector {
    pub(crate) fn without(without: Without) -> Self {
        Self { one_at_a_time: Mutex::new(()), without }
    }

    fn fences(&self) -> bool {
        !self.without.fence
    }

    fn locks(&self) -> bool {
        !self.without.lock
    }

    /// [`Detector::look`] that trusts its first look.
    pub(super) fn look_once(&self, graph: &impl Graph, node: u32) {
        fence(Ordering::SeqCst);
        let cycle = cycle_through(graph, node);
        let _guard = self.one_at_a_time.lock();
        if !cycle.is_empty() {
            fail_one(graph, &cycle);
        }
    }
}

/// The wait of `node` for another thread.
fn link(graph: &impl Graph, node: u32) -> Option<Link> {
    let wait = graph.waiter(node)?.published()?;
    Some(Link { node, next: wait.edge.to?, wait })
}

/// Where the chain of waits from a thread leads.
enum Way {
    Back,
    ToGroup,
    Ends,
}

/// Does the chain of waits from `node` come back to it? A chain that runs into a cycle of others (which are at it
/// themselves) is left by Brent's method: a mark that is moved ahead after 1, 2, 4, … steps.
fn way_from(graph: &impl Graph, node: u32) -> Way {
    let (mut at, mut mark, mut steps, mut lap) = (node, node, 0u32, 1u32);
    loop {
        let Some(link) = link(graph, at) else { return Way::Ends };
        at = link.next;
        if at == node {
            return Way::Back;
        }
        if at == mark {
            return Way::Ends;
        }
        if group::is_group(at) {
            return Way::ToGroup;
        }
        steps += 1;
        if steps == lap {
            (mark, steps, lap) = (at, 0, lap.saturating_mul(2));
        }
    }
}

/// The cycle that `node` is in, beginning with it; empty when there is none.
fn cycle_through(graph: &impl Graph, node: u32) -> Vec<Link> {
    let mut cycle = Vec::new();
    let (mut at, mut mark, mut lap) = (node, node, 1);
    while let Some(link) = link(graph, at) {
        cycle.push(link);
        at = link.next;
        if at == node {
            return cycle;
        }
        if at == mark {
            break;
        }
        if cycle.len() == lap {
            (mark, lap) = (at, lap * 2);
        }
    }
    Vec::new()
}

/// All threads that those who wait from `node` on wait for, beginning with `node`, if every one of them waits itself,
/// and for ever; else nothing. Where groups are waited for, this takes the place of a cycle.
fn knot_of(graph: &impl Graph, node: u32) -> Vec<Link> {
    let mut knot: Vec<Link> = Vec::new();
    let (mut found, mut seen) = (vec![node], HashSet::from([node]));
    while let Some(at) = found.pop() {
        let Some(link) = link(graph, at).filter(|link| link.wait.deadline == NEVER) else { return Vec::new() };
        let next = if group::is_group(link.next) { group::members(link.next) } else { vec![link.next] };
        found.extend(next.into_iter().filter(|&next| seen.insert(next)));
        knot.push(link);
    }
    knot
}

/// Does every wait of the cycle still stand as it was seen?
fn stands(graph: &impl Graph, cycle: &[Link]) -> bool {
    cycle.iter().all(|seen| {
        link(graph, seen.node).is_some_and(|now| now.wait.ticket == seen.wait.ticket && now.next == seen.next)
    })
}

/// Who may be failed, the best first: with timeouts in the cycle only the one that is over first; else the thread
/// that closed it, whose call ends before it ever slept, then the others.
fn victims(cycle: &[Link]) -> Vec<usize> {
    let timed = (0..cycle.len()).filter(|&index| cycle[index].wait.deadline != NEVER);
    match timed.min_by_key(|&index| cycle[index].wait.deadline) {
        Some(earliest) => vec![earliest],
        None => (0..cycle.len()).collect(),
    }
}
