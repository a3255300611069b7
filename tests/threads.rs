//! Threads through the Rust interface, the faults of the model's first implementation among them.

use pirn::{Attached, Builder, Code, Error, EventLoop, Inbox, LoopRef, State, Thread};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);

/// Waits for what another thread brings about.
fn wait_for(what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < LONG, "it does not come");
        sleep(MS / 5);
    }
}

/// A thread that says when it has a message in hand, and goes on when it is let go.
struct Held {
    thread: Thread<u32, u32>,
    in_hand: Receiver<u32>,
    go: Sender<()>,
}

fn hold(limit: usize) -> Held {
    let (tell, in_hand) = channel();
    let (go, gate) = channel::<()>();
    let handler = move |message: u32| {
        let _ = tell.send(message);
        let _ = gate.recv();
        Ok(message + 1)
    };
    let thread = Builder::new().queue_limit(limit).serve(handler).expect("a thread");
    thread.send(0).expect("room");
    assert_eq!(in_hand.recv_timeout(LONG), Ok(0));
    Held { thread, in_hand, go }
}

#[test]
fn messages_are_handled_in_order_and_the_result_is_the_first_joiners() {
    let thread = Builder::new()
        .name("collector")
        .spawn(|inbox: Inbox<u32>| {
            let mut seen = Vec::new();
            inbox.receive(|message| {
                seen.push(message);
                Ok(())
            })?;
            Ok(seen)
        })
        .unwrap();
    (0..5000).for_each(|message| thread.send(message).unwrap());
    assert_eq!(thread.name().unwrap(), "collector");
    thread.stop().unwrap();
    assert_eq!(thread.send(5000).unwrap_err().message, Some(5000), "a message that was not sent comes back");
    assert_eq!(thread.join_within(LONG).unwrap(), (0..5000).collect::<Vec<_>>());
    assert_eq!(thread.join_within(LONG).unwrap_err().code(), Code::State);
    assert_eq!(thread.state().unwrap(), State::Dead);
    let stats = thread.stats().unwrap();
    assert_eq!((stats.accepted(), stats.handled(), stats.queued()), (5000, 5000, 0));
    assert!(stats.peak() <= 1000);
}

#[test]
fn a_failure_is_the_callers_and_the_thread_goes_on() {
    let thread = Builder::new()
        .serve(|divisor: i32| if divisor == 0 { Err(Error::new(Code::Invalid, "by zero")) } else { Ok(60 / divisor) })
        .unwrap();
    let error = thread.call(0).unwrap_err();
    assert_eq!((error.code(), error.text()), (Code::Handler, "by zero"));
    assert_eq!(thread.call(5).unwrap(), 12);
}

#[test]
fn a_panic_ends_the_thread_and_is_told() {
    let thread: Thread<u8, u8> = Builder::new().serve(|_: u8| panic!("no more")).unwrap();
    assert_eq!(thread.call(1).unwrap_err().code(), Code::Dead);
    let error = thread.join_within(LONG).unwrap_err();
    assert_eq!((error.code(), error.text()), (Code::Handler, "panic: no more"));
}

#[test]
fn a_message_of_another_type_fails_where_it_is_handled() {
    let thread = Builder::new().name("numbers-only").serve(|number: u64| Ok(number)).unwrap();
    let wrong = pirn::ThreadRef::<String, u64>::find("numbers-only").unwrap();
    assert_eq!(wrong.call("seven".to_owned()).unwrap_err().code(), Code::Handler);
    assert_eq!(thread.call(7).unwrap(), 7);
}

/// A sender blocked on a full queue when the target was killed hung for ever.
#[test]
fn a_kill_lets_blocked_senders_and_callers_go() {
    let held = hold(1);
    held.thread.send(1).unwrap();
    let target = *held.thread;
    let blocked: Vec<_> = (0..4)
        .map(|n| {
            spawn(move || match n % 2 {
                0 => target.send(n).unwrap_err().error.code(),
                _ => target.call(n).unwrap_err().code(),
            })
        })
        .collect();
    wait_for(|| target.stats().unwrap().blocked_senders() == 4);
    held.thread.kill().unwrap();
    for sender in blocked {
        assert_eq!(sender.join().unwrap(), Code::Dead);
    }
    held.go.send(()).unwrap();
    assert_eq!(held.thread.join_within(LONG).unwrap_err().code(), Code::Handler);
    let stats = held.thread.stats().unwrap();
    assert_eq!((stats.handled(), stats.undelivered(), stats.blocked_senders()), (1, 1, 0));
}

/// 64 blocked senders took a queue of 1000 to 1062.
#[test]
fn the_limit_is_never_exceeded() {
    let thread: Thread<u32> = Builder::new().queue_limit(10).serve(|_: u32| Ok(())).unwrap();
    let target = *thread;
    let senders: Vec<_> =
        (0..16).map(|_| spawn(move || (0..500).for_each(|message| target.send(message).unwrap()))).collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    thread.stop().unwrap();
    thread.join_within(LONG).unwrap();
    let stats = thread.stats().unwrap();
    assert_eq!(stats.handled(), 8000);
    assert!(stats.peak() <= 10, "{}", stats.peak());
}

/// A sender that is blocked while the handler takes its time is let in as soon as there is room.
#[test]
fn room_is_used_while_the_handler_is_busy() {
    let held = hold(8);
    (1..=8).for_each(|message| held.thread.try_send(message).unwrap());
    let target = *held.thread;
    let sender = spawn(move || target.send(9));
    wait_for(|| target.stats().unwrap().blocked_senders() == 1);
    held.go.send(()).unwrap();
    assert_eq!(held.in_hand.recv_timeout(LONG), Ok(1));
    sender.join().unwrap().unwrap();
    drop(held.go);
    held.thread.stop().unwrap();
    held.thread.join_within(LONG).unwrap();
    assert_eq!(held.thread.stats().unwrap().peak(), 8);
}

/// A coalesced sync call hung for ever; merge changing the key lost later messages.
#[test]
fn callers_of_merged_messages_all_get_the_reply() {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let inside = Arc::new(AtomicBool::new(false));
    let (their_gate, is_inside) = (gate.clone(), inside.clone());
    let thread = Builder::new()
        .spawn(move |inbox: Inbox<(i64, u32), u32>| {
            inbox.receive_merging(
                |message| Some(message.0),
                |pending, incoming| *pending = (pending.0 + 100, pending.1 + incoming.1),
                |(_, count)| {
                    is_inside.store(true, Ordering::SeqCst);
                    drop(their_gate.lock());
                    Ok(count)
                },
            )
        })
        .unwrap();
    thread.send((0, 1)).unwrap();
    wait_for(|| inside.load(Ordering::SeqCst));
    let target = *thread;
    let callers: Vec<_> = (0..3)
        .map(|n| {
            let caller = spawn(move || target.call((7, 1)).unwrap());
            wait_for(|| target.stats().unwrap().accepted() == 2 + n);
            caller
        })
        .collect();
    drop(closed);
    for caller in callers {
        assert_eq!(caller.join().unwrap(), 3);
    }
    let stats = thread.stats().unwrap();
    assert_eq!((stats.accepted(), stats.handled(), stats.coalesced()), (4, 2, 2));
}

/// A timer sent to an idle thread from another one fired only at the next message; a stale ticket killed another timer.
#[test]
fn timers_reach_an_idle_thread_and_tickets_are_never_reused() {
    let (tell, seen) = channel();
    let thread = Builder::new()
        .serve(move |message: u32| {
            let _ = tell.send(message);
            Ok(())
        })
        .unwrap();
    wait_for(|| thread.stats().unwrap().waits_for() == Some("message"));
    let started = Instant::now();
    let first = thread.send_later(20 * MS, 1).unwrap();
    assert_eq!(seen.recv_timeout(LONG), Ok(1));
    assert!(started.elapsed() >= 20 * MS);
    let second = thread.send_later(LONG, 2).unwrap();
    assert_ne!(first, second);
    assert!(!thread.cancel_later(first).unwrap());
    assert!(thread.cancel_later(second).unwrap());
    assert!(!thread.cancel_later(second).unwrap());
}

/// A name was free while the body still ran, and the old owner's death evicted the new owner.
#[test]
fn a_name_is_its_owners_until_the_body_has_returned() {
    let (go, gate) = channel::<()>();
    let thread: Thread<(), (), ()> = Builder::new()
        .name("only-one")
        .spawn(move |_| {
            let _ = gate.recv();
            Ok(())
        })
        .unwrap();
    thread.kill().unwrap();
    let again = || Builder::new().name("only-one").serve(|()| Ok(()));
    assert_eq!(again().unwrap_err().code(), Code::Exists);
    go.send(()).unwrap();
    thread.join_within(LONG).unwrap();
    let second = again().unwrap();
    drop(thread);
    assert_eq!(pirn::ThreadRef::<()>::find("only-one").unwrap().name().unwrap(), "only-one");
    drop(second);
}

/// join(2 s) came back after 115 ms because an enqueue woke it.
#[test]
fn messages_do_not_end_a_join() {
    let held = hold(0);
    let target = *held.thread;
    let joiner = Builder::new()
        .spawn(move |_: Inbox<u32>| {
            let started = Instant::now();
            let code = target.join_within(100 * MS).unwrap_err().code();
            Ok((code, started.elapsed()))
        })
        .unwrap();
    wait_for(|| joiner.stats().unwrap().waits_for() == Some("join"));
    (0..20).for_each(|message| joiner.send(message).unwrap());
    let (code, took) = joiner.join_within(LONG).unwrap();
    assert_eq!(code, Code::TimedOut);
    assert!(took >= 100 * MS, "{took:?}");
}

/// Self-send and self-stop on a full queue hung.
#[test]
fn a_thread_that_waits_for_itself_is_told() {
    let thread = Builder::new()
        .queue_limit(1)
        .spawn(|inbox: Inbox<u32, u32>| {
            let own = inbox.thread();
            let called = own.call(1).unwrap_err();
            own.try_send(2).map_err(Error::from)?;
            let sent = own.send(3).unwrap_err();
            own.stop()?;
            Ok((called.code(), sent.error.code(), sent.message))
        })
        .unwrap();
    assert_eq!(thread.join_within(LONG).unwrap(), (Code::Deadlock, Code::Deadlock, Some(3)));
    assert_eq!(thread.stats().unwrap().undelivered(), 1);
}

/// Stop on NEW with messages queued stayed NEW.
#[test]
fn a_new_thread_that_is_stopped_is_dead() {
    let thread = Builder::new().make(|_: Inbox<u32>| Ok(())).unwrap();
    thread.send(1).unwrap();
    assert_eq!(thread.state().unwrap(), State::New);
    thread.stop().unwrap();
    assert_eq!(thread.state().unwrap(), State::Dead);
    assert_eq!(thread.stats().unwrap().undelivered(), 1);
    assert_eq!(thread.start().unwrap_err().code(), Code::State);
}

#[test]
fn mail_is_answered_or_its_caller_told() {
    let thread = Builder::new()
        .spawn(|inbox: Inbox<u32, String>| {
            loop {
                let mail = match inbox.take(None) {
                    Ok(mail) => mail,
                    Err(error) if error.code() == Code::Cancelled => return Ok(()),
                    Err(error) => return Err(error),
                };
                let Some(mail) = mail else { continue };
                match mail.message()? {
                    0 => drop(mail),
                    1 => mail.fail(&Error::new(Code::Busy, "not now"))?,
                    n => mail.reply("x".repeat(n as usize))?,
                }
            }
        })
        .unwrap();
    assert_eq!(thread.call(3).unwrap(), "xxx");
    assert_eq!(thread.call(0).unwrap_err().code(), Code::Dead);
    assert_eq!(thread.call(1).unwrap_err().text(), "not now");
    thread.stop().unwrap();
    thread.join_within(LONG).unwrap();
}

#[test]
fn a_thread_serves_messages_and_events_at_once() {
    let thread = Builder::new()
        .spawn(|inbox: Inbox<u32, u32>| {
            let event_loop = EventLoop::new()?;
            let ticks = Arc::new(AtomicUsize::new(0));
            let counted = ticks.clone();
            let ticking = event_loop.interval(MS, move |_, _| {
                counted.fetch_add(1, Ordering::SeqCst);
            })?;
            ticking.keep_loop(false)?;
            inbox.receive_on(*event_loop, |message| Ok(message * 2))?;
            event_loop.run()?;
            Ok(ticks.load(Ordering::SeqCst))
        })
        .unwrap();
    for message in 0..100 {
        assert_eq!(thread.call(message).unwrap(), message * 2);
        sleep(MS / 4);
    }
    thread.stop().unwrap();
    assert!(thread.join_within(LONG).unwrap() > 2);
    assert!(LoopRef::current().is_none());
}

#[test]
fn roles_pass_on_and_deaths_are_told() {
    let (tell, told) = channel();
    let watcher = Builder::new()
        .serve(move |message: &'static str| {
            let _ = tell.send(message);
            Ok(())
        })
        .unwrap();
    let first: Thread<(), u8> = Builder::new().serve(|()| Ok(1)).unwrap();
    let second: Thread<(), u8> = Builder::new().serve(|()| Ok(2)).unwrap();
    first.publish("counting").unwrap();
    second.publish("counting").unwrap();
    first.monitor(&watcher, "the first is dead").unwrap();
    let service = || pirn::ThreadRef::<(), u8>::find_service("counting").unwrap();
    assert_eq!(service().call(()).unwrap(), 1);
    first.kill().unwrap();
    assert_eq!(told.recv_timeout(LONG), Ok("the first is dead"));
    assert_eq!(service().call(()).unwrap(), 2);
}

#[test]
fn an_attached_thread_is_one_like_any_other() {
    let attached = Attached::<u32, u32>::new(Some("attached")).unwrap();
    let own = attached.inbox().thread();
    assert_eq!(Attached::<u32>::new(None).unwrap_err().code(), Code::State);
    let caller = spawn(move || own.call(20));
    let mail = attached.inbox().take(None).unwrap().unwrap();
    let message = mail.message().unwrap();
    mail.reply(message + 1).unwrap();
    assert_eq!(caller.join().unwrap().unwrap(), 21);
    drop(attached);
    assert_eq!(pirn::ThreadRef::<u32>::find("attached").unwrap_err().code(), Code::NotFound);
}

/// Under any storm of stop, kill and drop the ledger closes: each message ends exactly once.
#[test]
fn storms_lose_nothing() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    let mut made = 0;
    for round in 0..60 {
        let thread: Thread<Counted> = Builder::new().queue_limit(4).serve(|_: Counted| Ok(())).unwrap();
        let target = *thread;
        let senders: Vec<_> = (0..3)
            .map(|_| {
                spawn(move || {
                    (0..50).for_each(|n| drop(if n % 5 == 0 { target.try_send(Counted) } else { target.send(Counted) }))
                })
            })
            .collect();
        made += 150;
        sleep(Duration::from_micros(round * 7));
        if round % 2 == 0 { thread.kill() } else { thread.stop() }.unwrap();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        let _ = thread.join_within(LONG);
        let stats = thread.stats().unwrap();
        assert_eq!(stats.accepted(), stats.handled() + stats.undelivered());
        assert_eq!((stats.queued(), stats.blocked_senders()), (0, 0));
    }
    wait_for(|| DROPPED.load(Ordering::SeqCst) == made);
}
