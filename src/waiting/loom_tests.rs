//! Models of a wait's end, and of the search for deadlocks.
//!
//! A thread of a model has one of a few waiters, which are leaked: tickets point to them for ever, as in the library.

use super::detect::{Detector, Graph, Link, Without};
use super::waiter::{Edge, End, Kind, Outcome, Plain, Ticket, Turns, Waiter};
use crate::error::{Code, Error};
use crate::sys::clock::{NEVER, Nanos};
use crate::value::Value;
use loom::sync::Arc;
use loom::sync::Mutex;
use loom::thread;

fn leak<T: Default>() -> &'static T {
    Box::leak(Box::default())
}

/// Every run of `body` in which threads are interrupted at most three times where they did not wait.
fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 20_000;
    builder.check(body);
}

fn deadlock() -> Outcome {
    Outcome::Refused(Error::from(Code::Deadlock), None)
}

/// What `end` did with the payload: the waiter has it, or it came back.
fn end_with_value(ticket: Ticket, value: i64) -> bool {
    match ticket.end(Outcome::Reply(Value::Integer(value))) {
        Ok(bell) => {
            bell.ring();
            true
        }
        Err(Outcome::Reply(Value::Integer(back))) => {
            assert_eq!(back, value, "the loser keeps what it brought");
            false
        }
        Err(other) => panic!("{other:?}"),
    }
}

// ---- one word

/// Reply, timeout, kill and the detector race: one ends the wait, and the payload has one owner.
fn one_end(deadline: Nanos, kills: bool, fails: bool) {
    model(move || {
        let waiter: &'static Waiter = leak();
        let ticket = waiter.arm();
        let replier = thread::spawn(move || end_with_value(ticket, 7));
        let killer = thread::spawn(move || {
            if kills {
                waiter.kill();
            }
            fails && ticket.end(deadlock()).map(|bell| bell.ring()).is_ok()
        });
        let end = ticket.wait(Edge::new(Kind::Call, None), deadline, &mut Plain);
        let (replied, failed) = (replier.join().unwrap(), killer.join().unwrap());
        match end {
            End::Answered(Outcome::Reply(value)) => assert!(replied && !failed && value == Value::Integer(7)),
            End::Answered(Outcome::Refused(..)) => assert!(failed && !replied),
            End::TimedOut => assert!(deadline != NEVER && !replied && !failed),
            End::Interrupted => assert!(kills && !replied && !failed),
            other => panic!("{other:?}"),
        }
        assert!(!ticket.is_open());
    });
}

#[test]
fn loom_reply_against_timeout_and_kill() {
    one_end(0, true, false);
}

#[test]
fn loom_reply_against_timeout_and_deadlock() {
    one_end(0, false, true);
}

#[test]
fn loom_reply_against_kill_and_deadlock() {
    one_end(NEVER, true, true);
}

#[test]
fn loom_reply_wakes_the_sleeper() {
    one_end(NEVER, false, false);
}

/// A ticket of an earlier wait ends nothing, whatever the waiter does now.
#[test]
fn loom_an_old_ticket_ends_nothing() {
    model(|| {
        let waiter: &'static Waiter = leak();
        let old = waiter.arm();
        let late = thread::spawn(move || end_with_value(old, 1));
        // The caller has unwound out of its first wait, and begins another.
        let new = waiter.arm();
        let replier = thread::spawn(move || end_with_value(new, 2));
        match new.wait(Edge::new(Kind::Call, None), NEVER, &mut Plain) {
            End::Answered(Outcome::Reply(value)) => assert_eq!(value, Value::Integer(2)),
            other => panic!("{other:?}"),
        }
        late.join().unwrap();
        assert!(replier.join().unwrap());
    });
}

/// A call in the line that moves up while its thread publishes: afterwards both sides know it as a call.
#[test]
fn loom_moved_up_against_publish() {
    model(|| {
        let waiter: &'static Waiter = leak();
        let ticket = waiter.arm();
        let receiver = thread::spawn(move || ticket.moved_up());
        ticket.announce(Edge::new(Kind::Room, Some(1)));
        receiver.join().unwrap();
        assert_eq!(waiter.shown(), Some(Edge::new(Kind::Call, Some(1))));
    });
}

// ---- cycles

/// The threads of a model: who waits with what, and how often one was failed.
struct Threads {
    waiters: Vec<&'static Waiter>,
    detector: Detector,
    victims: Mutex<Vec<u32>>,
}

impl Threads {
    fn new(count: usize, without: Without) -> Arc<Self> {
        let waiters = (0..count).map(|_| leak()).collect();
        Arc::new(Self { waiters, detector: Detector::without(without), victims: Mutex::new(Vec::new()) })
    }

    /// The thread `node` waits with `ticket` for `next`.
    fn wait(&self, node: u32, ticket: Ticket, next: u32) -> End {
        struct Looks<'a>(&'a Threads, u32);
        impl Turns for Looks<'_> {
            fn published(&mut self) {
                self.0.detector.look(self.0, self.1);
            }
        }
        ticket.wait(Edge::new(Kind::Call, Some(next)), NEVER, &mut Looks(self, node))
    }

    fn victims(&self) -> Vec<u32> {
        self.victims.lock().unwrap().clone()
    }
}

impl Graph for Threads {
    fn waiter(&self, node: u32) -> Option<&'static Waiter> {
        self.waiters.get(node as usize).copied()
    }

    fn fail(&self, cycle: &[Link], victim: usize, _anyhow: bool) -> bool {
        let failed = cycle[victim].wait.ticket.end(deadlock()).map(|bell| bell.ring()).is_ok();
        if failed {
            self.victims.lock().unwrap().push(cycle[victim].node);
        }
        failed
    }
}

const ALL: Without = Without { fence: false, lock: false };

/// Threads that publish their waits at the same time, each `from` one node `to` another, and look for a cycle. They
/// don't sleep, so that three of them can be gone through to the end.
fn publish(waits: &'static [(u32, u32)], without: Without, check: impl Fn(Vec<u32>) + Sync + Send + 'static) {
    model(move || {
        let threads = Threads::new(waits.len(), without);
        let publish = |from: u32, to: u32| {
            let threads = threads.clone();
            move || {
                threads.waiters[from as usize].arm().announce(Edge::new(Kind::Call, Some(to)));
                threads.detector.look(&*threads, from);
            }
        };
        let others: Vec<_> = waits[1..].iter().map(|&(from, to)| thread::spawn(publish(from, to))).collect();
        publish(waits[0].0, waits[0].1)();
        others.into_iter().for_each(|other| other.join().unwrap());
        check(threads.victims());
    });
}

const TWO: &[(u32, u32)] = &[(0, 1), (1, 0)];

#[test]
fn loom_ring_of_two() {
    publish(TWO, ALL, |victims| assert_eq!(victims.len(), 1));
}

#[test]
fn loom_ring_of_three() {
    publish(&[(0, 1), (1, 2), (2, 0)], ALL, |victims| assert_eq!(victims.len(), 1));
}

/// Two wait for each other, a third for one of them: it is no victim.
#[test]
fn loom_lasso() {
    publish(&[(0, 1), (1, 0), (2, 0)], ALL, |victims| assert!(victims == [0] || victims == [1], "{victims:?}"));
}

/// The whole of it: both sleep, one is failed and goes on, and answers the other.
#[test]
fn loom_a_victim_lets_the_other_go_on() {
    model(|| {
        let threads = Threads::new(2, ALL);
        let tickets: Vec<Ticket> = threads.waiters.iter().map(|waiter| waiter.arm()).collect();
        let run = |node: u32| {
            let (threads, tickets) = (threads.clone(), tickets.clone());
            move || {
                threads.wait(node, tickets[node as usize], 1 - node);
                end_with_value(tickets[1 - node as usize], 0);
            }
        };
        let other = thread::spawn(run(1));
        run(0)();
        other.join().unwrap();
        assert_eq!(threads.victims().len(), 1);
    });
}

/// 0 waits for 1, which answers it and then waits for 2, which waits for 0 all the time. Read at different moments
/// these make a ring, but they never stood together.
fn phantom(look: fn(&Detector, &Threads, u32)) {
    model(move || {
        let threads = Threads::new(3, ALL);
        let answered = threads.waiters[0].arm();
        answered.announce(Edge::new(Kind::Call, Some(1)));
        let one = {
            let threads = threads.clone();
            thread::spawn(move || {
                end_with_value(answered, 0);
                threads.waiters[1].arm().announce(Edge::new(Kind::Call, Some(2)));
                look(&threads.detector, &threads, 1);
            })
        };
        threads.waiters[2].arm().announce(Edge::new(Kind::Call, Some(0)));
        look(&threads.detector, &threads, 2);
        one.join().unwrap();
        assert_eq!(threads.victims(), [0u32; 0], "nobody waited in a cycle");
    });
}

#[test]
fn loom_phantom_edge() {
    phantom(Detector::look);
}

/// 1 answers 0 and then calls it: no cycle, since the answer ends the first wait in the same step.
#[test]
fn loom_reply_then_call() {
    model(|| {
        let threads = Threads::new(2, ALL);
        let tickets: Vec<Ticket> = threads.waiters.iter().map(|waiter| waiter.arm()).collect();
        let other = {
            let (threads, tickets) = (threads.clone(), tickets.clone());
            thread::spawn(move || {
                end_with_value(tickets[0], 0);
                threads.wait(1, tickets[1], 0)
            })
        };
        threads.wait(0, tickets[0], 1);
        end_with_value(tickets[1], 0);
        other.join().unwrap();
        assert_eq!(threads.victims(), [0u32; 0]);
    });
}

/// Somebody outside answers one of a ring while it closes: that ends it, or a victim does, and nobody is left.
#[test]
fn loom_outside_answer_against_victim() {
    model(|| {
        let threads = Threads::new(2, ALL);
        let tickets: Vec<Ticket> = threads.waiters.iter().map(|waiter| waiter.arm()).collect();
        let outside = {
            let ticket = tickets[1];
            thread::spawn(move || end_with_value(ticket, 9))
        };
        let publish = |node: u32| {
            let (threads, ticket) = (threads.clone(), tickets[node as usize]);
            move || {
                ticket.announce(Edge::new(Kind::Call, Some(1 - node)));
                threads.detector.look(&*threads, node);
            }
        };
        let one = thread::spawn(publish(1));
        publish(0)();
        one.join().unwrap();
        let (answered, victims) = (outside.join().unwrap(), threads.victims());
        assert!(victims.len() <= 1);
        assert!(answered || victims == [1], "whoever did not get the answer was failed");
        assert!(!tickets[0].is_open() || !tickets[1].is_open());
    });
}

// ---- what the models are worth: each part of the protocol is needed

fn fails(body: impl FnOnce() + std::panic::UnwindSafe) {
    assert!(std::panic::catch_unwind(body).is_err(), "the model does not notice");
}

#[test]
fn loom_without_the_fence_a_cycle_is_missed() {
    fails(|| publish(TWO, Without { fence: true, ..ALL }, |victims| assert_eq!(victims.len(), 1)));
}

#[test]
fn loom_without_the_second_look_a_cycle_is_imagined() {
    fails(|| phantom(Detector::look_once));
}

#[test]
fn loom_without_the_lock_two_are_failed() {
    fails(|| publish(TWO, Without { lock: true, ..ALL }, |victims| assert_eq!(victims.len(), 1)));
}

// ---- the end of a thread

/// A thread that others wait for: dead or not, and whose waits end with it. As `thread::join` and its death do it.
#[derive(Default)]
struct Mortal {
    is_dead: bool,
    joiners: Vec<Ticket>,
}

/// A joiner is enlisted before the death, and then ended by it, or finds it dead; also when it times out meanwhile, and
/// the dead one's waiter is another thread's by then.
#[test]
fn loom_join_against_exit() {
    model(|| {
        let mortal = Arc::new(Mutex::new(Mortal::default()));
        let waiter: &'static Waiter = leak();
        let dying = {
            let mortal = mortal.clone();
            thread::spawn(move || {
                let mut life = mortal.lock().unwrap();
                life.is_dead = true;
                let joiners = std::mem::take(&mut life.joiners);
                let bells: Vec<_> = joiners.into_iter().filter_map(|joiner| joiner.end(Outcome::Go).ok()).collect();
                drop(life);
                bells.into_iter().for_each(super::waiter::Bell::ring);
            })
        };
        let ticket = {
            let mut life = mortal.lock().unwrap();
            let ticket = waiter.arm();
            if !life.is_dead {
                life.joiners.push(ticket);
            }
            (!life.is_dead).then_some(ticket)
        };
        if let Some(ticket) = ticket {
            match ticket.wait(Edge::new(Kind::Join, Some(1)), NEVER, &mut Plain) {
                End::Answered(Outcome::Go) => {}
                other => panic!("{other:?}"),
            }
        }
        dying.join().unwrap();
    });
}

/// 0 joins 1, which ends; its waiter serves another thread, which waits for 0: the old edge is no part of a cycle.
#[test]
fn loom_exit_against_publish_and_slot_reuse() {
    model(|| {
        let threads = Threads::new(2, ALL);
        let join = threads.waiters[0].arm();
        let other = {
            let threads = threads.clone();
            thread::spawn(move || {
                // The death of the first thread at 1 ends the wait for it before the second one begins.
                end_with_value(join, 0);
                threads.waiters[1].renew();
                let call = threads.waiters[1].arm();
                let end = thread::spawn(move || end_with_value(call, 0));
                threads.wait(1, call, 0);
                end.join().unwrap();
            })
        };
        threads.wait(0, join, 1);
        other.join().unwrap();
        assert_eq!(threads.victims(), [0u32; 0]);
    });
}
