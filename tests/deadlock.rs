//! Deadlocks are answers: exactly one of a cycle is told, and the others go on.

use pirn::{Builder, Code, Inbox, Result, Thread, ThreadRef};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(20);

/// What an actor is told to do inside its handler.
#[derive(Clone)]
enum Step {
    /// Meet the others, then call the actor with this number.
    Call(usize, Arc<Barrier>, Option<Duration>),
    /// Nothing.
    Rest,
}

type Actor = ThreadRef<Step, ()>;

/// What came of the calls, by the caller's number.
type Ends = Arc<Mutex<Vec<(usize, Result<()>)>>>;

/// Actors that know each other, and what came of their calls.
struct Ring {
    actors: Vec<Thread<Step, ()>>,
    ends: Ends,
}

fn ring(names: &[&str]) -> Ring {
    let known: Arc<OnceLock<Vec<Actor>>> = Arc::default();
    let ends: Ends = Arc::default();
    let make = |(number, name): (usize, &&str)| {
        let (known, ends) = (known.clone(), ends.clone());
        let handler = move |step: Step| {
            if let Step::Call(to, together, timeout) = step {
                let to = known.get().expect("all are there")[to];
                together.wait();
                let end = timeout.map_or_else(|| to.call(Step::Rest), |timeout| to.call_within(Step::Rest, timeout));
                ends.lock().expect("the ends").push((number, end));
            }
            Ok(())
        };
        Builder::new().name(*name).serve(handler).expect("a thread")
    };
    let actors: Vec<_> = names.iter().enumerate().map(make).collect();
    let _ = known.set(actors.iter().map(|actor| **actor).collect());
    Ring { actors, ends }
}

impl Ring {
    /// All call each other at once: actor `n` calls `to[n]`.
    fn call(&self, to: &[usize], timeouts: &[Option<Duration>]) -> Vec<Result<()>> {
        let together = Arc::new(Barrier::new(to.len()));
        for (number, &to) in to.iter().enumerate() {
            let step = Step::Call(to, together.clone(), timeouts.get(number).copied().flatten());
            self.actors[number].send(step).expect("sent");
        }
        let started = Instant::now();
        while self.ends.lock().expect("the ends").len() < to.len() {
            assert!(started.elapsed() < LONG, "somebody hangs");
            std::thread::sleep(Duration::from_micros(200));
        }
        let mut ends = std::mem::take(&mut *self.ends.lock().expect("the ends"));
        ends.sort_by_key(|(number, _)| *number);
        ends.into_iter().map(|(_, end)| end).collect()
    }
}

fn victims(ends: &[Result<()>]) -> Vec<usize> {
    let failed = |(number, end): (usize, &Result<()>)| end.is_err().then_some(number);
    ends.iter().enumerate().filter_map(failed).collect()
}

#[test]
fn one_of_a_ring_is_told_and_the_words_name_the_cycle() {
    for size in [2, 3, 5] {
        for round in 0..20 {
            let names: Vec<String> = (0..size).map(|n| format!("ring{size}-{round}-{n}")).collect();
            let ring = ring(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let to: Vec<usize> = (0..size).map(|n| (n + 1) % size).collect();
            let ends = ring.call(&to, &[]);
            let victims = victims(&ends);
            assert_eq!(victims.len(), 1, "{ends:?}");
            let error = ends[victims[0]].as_ref().unwrap_err();
            assert_eq!(error.code(), Code::Deadlock);
            let mut words = String::new();
            for n in 0..size {
                words.push_str(&format!("{} -(call)-> ", names[(victims[0] + n) % size]));
            }
            words.push_str(&names[victims[0]]);
            assert_eq!(error.text(), words);
        }
    }
}

#[test]
fn the_tail_of_a_lasso_is_no_victim() {
    for round in 0..20 {
        let names = [format!("tail{round}"), format!("one{round}"), format!("two{round}")];
        let ring = ring(&names.each_ref().map(String::as_str));
        let ends = ring.call(&[1, 2, 1], &[]);
        assert!(ends[0].is_ok(), "{ends:?}");
        assert_eq!(victims(&ends).len(), 1);
    }
}

#[test]
fn a_chain_is_no_cycle() {
    let ring = ring(&["chain-a", "chain-b", "chain-c", "chain-d"]);
    assert_eq!(victims(&ring.call(&[1, 2, 3], &[])), [0usize; 0]);
}

/// A ring with a timeout in it resolves by itself, and never at the cost of one that has none.
#[test]
fn only_the_timed_one_of_a_timed_ring_fails() {
    for round in 0..20 {
        let names = [format!("timed{round}"), format!("patient{round}")];
        let ring = ring(&names.each_ref().map(String::as_str));
        let ends = ring.call(&[1, 0], &[Some(Duration::from_millis(30)), None]);
        assert_eq!(victims(&ends), [0], "{ends:?}");
        let code = ends[0].as_ref().unwrap_err().code();
        assert!(code == Code::Deadlock || code == Code::TimedOut);
    }
}

/// a calls b, which waits for room in a's full queue: kinds may be mixed.
#[test]
fn a_call_and_a_full_queue_make_a_cycle() {
    let known: Arc<OnceLock<ThreadRef<u32, u32>>> = Arc::default();
    let a_known = known.clone();
    let b: Thread<u32, u32> = Builder::new()
        .name("mixed-b")
        .serve(move |_| {
            let a = a_known.get().expect("a");
            while a.try_send(0).is_ok() {}
            a.send(9).map_err(pirn::Error::from)?;
            Ok(0)
        })
        .unwrap();
    let to = *b;
    let a = Builder::new()
        .name("mixed-a")
        .queue_limit(2)
        .make(move |inbox: Inbox<u32, u32>| {
            let called = to.call(1);
            inbox.thread().stop()?;
            inbox.receive(|_| Ok(0))?;
            Ok(called)
        })
        .unwrap();
    let _ = known.set(ThreadRef::find("mixed-a").unwrap());
    a.start().unwrap();
    let called = a.join_within(LONG).unwrap();
    // b has taken a's call by then, so it is b's send that fails, and a hears of that.
    let error = called.unwrap_err();
    assert_eq!(error.code(), Code::Handler);
    assert_eq!(error.text(), "mixed-b -(full queue)-> mixed-a -(call)-> mixed-b");
}

/// Calls over random graphs: nobody hangs, and where calls only go up nobody is told of a deadlock.
#[test]
fn storms_never_hang_and_orders_never_alarm() {
    const ACTORS: usize = 8;
    for ordered in [true, false] {
        let known: Arc<OnceLock<Vec<ThreadRef<u32, u32>>>> = Arc::default();
        let make = |number: usize| {
            let known = known.clone();
            let mut random = number as u32 * 7919 + 1;
            Builder::new()
                .queue_limit(4)
                .serve(move |depth: u32| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let to = (random >> 16) as usize % ACTORS;
                    if depth == 0 || (ordered && to <= number) {
                        return Ok(0);
                    }
                    match known.get().expect("all").get(to).expect("one").call(depth - 1) {
                        Ok(alarms) => Ok(alarms),
                        Err(error) if error.code() == Code::Deadlock => Ok(1),
                        Err(error) => Err(error),
                    }
                })
                .unwrap()
        };
        let actors: Vec<Thread<u32, u32>> = (0..ACTORS).map(make).collect();
        let _ = known.set(actors.iter().map(|actor| **actor).collect());
        let until = Instant::now() + Duration::from_millis(1500);
        let callers: Vec<_> = (0..4)
            .map(|number| {
                let to = *actors[number];
                std::thread::spawn(move || {
                    let (mut calls, mut alarms) = (0u32, 0);
                    while Instant::now() < until {
                        alarms += to.call_within(6, LONG).expect("answered");
                        calls += 1;
                    }
                    (calls, alarms)
                })
            })
            .collect();
        for caller in callers {
            let (calls, alarms) = caller.join().unwrap();
            assert!(calls > 0);
            assert!(!ordered || alarms == 0, "a false alarm");
        }
    }
}
