//! Models of the mailbox: room that is handed over, senders that give up, the end.

use super::testing::Note;
use super::{Lane, Mailbox, Parcel, Sent};
use crate::error::Code;
use crate::sys::clock::{NEVER, Nanos};
use crate::value::Value;
use crate::waiting::waiter::{Edge, End, Kind, Outcome, Plain, Ticket, Waiter};
use loom::sync::Arc;
use loom::thread;

const TENANT: u64 = 1;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 20_000;
    builder.check(body);
}

fn mailbox(limit: usize) -> Arc<Mailbox<Note>> {
    let mailbox = Arc::new(Mailbox::default());
    mailbox.renew(TENANT);
    mailbox.set_limit(TENANT, limit).expect("its own");
    mailbox
}

fn fill(mailbox: &Mailbox<Note>, number: i64) {
    assert_eq!(mailbox.send(TENANT, &mut Some(Note::new(number)), || None), Ok(Sent::Queued));
}

/// Sends as the thread floor does. True: it was accepted; false: the message came back.
fn send(mailbox: &Mailbox<Note>, number: i64, deadline: Nanos) -> bool {
    let waiter: &'static Waiter = Box::leak(Box::default());
    let mut note = Some(Note::new(number));
    let ticket = match mailbox.send(TENANT, &mut note, || Some(waiter.arm())) {
        Ok(Sent::Queued) => return true,
        Ok(Sent::InLine(ticket)) => ticket,
        Err(Code::Dead) => return false,
        Err(other) => panic!("{other:?}"),
    };
    match ticket.wait(Edge::new(Kind::Room, Some(0)), deadline, &mut Plain) {
        End::Answered(Outcome::Go) => true,
        End::Answered(Outcome::Refused(_, message)) => {
            assert_eq!(message, Some(Value::Integer(number)), "a refused message comes back");
            false
        }
        End::TimedOut => {
            assert_eq!(mailbox.leave_line(ticket), Some(Note::new(number)), "one that timed out, too");
            false
        }
        other => panic!("{other:?}"),
    }
}

/// Takes what there is, and then lets in whoever fits, as before a wait.
fn take_all(mailbox: &Mailbox<Note>, batch: &mut Lane<Note>, taken: &mut Vec<i64>) {
    while let Some(note) = mailbox.take(batch) {
        taken.push(note.number);
    }
    mailbox.give_back(batch);
}

/// A sender finds the queue full while the receiver empties it: it gets its room, whichever comes first.
#[test]
fn loom_slot_hand_over() {
    model(|| {
        let mailbox = mailbox(1);
        fill(&mailbox, 1);
        let sender = {
            let mailbox = mailbox.clone();
            thread::spawn(move || assert!(send(&mailbox, 2, NEVER)))
        };
        let (mut batch, mut taken) = (Lane::default(), Vec::new());
        while taken.len() < 2 {
            take_all(&mailbox, &mut batch, &mut taken);
            thread::yield_now();
        }
        sender.join().unwrap();
        assert_eq!(taken, [1, 2]);
        let ledger = mailbox.ledger(TENANT, 0).expect("its own");
        assert_eq!((ledger.accepted, ledger.handled, ledger.peak, ledger.blocked_senders), (2, 2, 1, 0));
    });
}

/// The first in the line gives up just when room comes: the room goes to the next one, and its message back to it.
#[test]
fn loom_room_for_one_that_timed_out_is_passed_on() {
    model(|| {
        let mailbox = mailbox(1);
        fill(&mailbox, 1);
        let [impatient, patient] = [2, 3].map(|number| {
            let waiter: &'static Waiter = Box::leak(Box::default());
            match mailbox.send(TENANT, &mut Some(Note::new(number)), || Some(waiter.arm())) {
                Ok(Sent::InLine(ticket)) => ticket,
                other => panic!("{other:?}"),
            }
        });
        let gives_up = {
            let mailbox = mailbox.clone();
            thread::spawn(move || match impatient.wait(Edge::new(Kind::Room, Some(0)), 0, &mut Plain) {
                End::TimedOut => {
                    assert_eq!(mailbox.leave_line(impatient), Some(Note::new(2)), "its message comes back");
                    false
                }
                _ => true,
            })
        };
        let (mut batch, mut taken) = (Lane::default(), Vec::new());
        take_all(&mailbox, &mut batch, &mut taken);
        take_all(&mailbox, &mut batch, &mut taken);
        let accepted = gives_up.join().unwrap();
        take_all(&mailbox, &mut batch, &mut taken);
        assert_eq!(taken, if accepted { vec![1, 2, 3] } else { vec![1, 3] });
        assert!(!patient.is_open());
    });
}

/// The end of a mailbox against a send that finds it full: accepted and undelivered, or refused and back; and nobody is
/// left waiting.
#[test]
fn loom_close_against_send() {
    model(|| {
        let mailbox = mailbox(1);
        fill(&mailbox, 1);
        let sender = {
            let mailbox = mailbox.clone();
            thread::spawn(move || send(&mailbox, 2, NEVER))
        };
        let mut batch = Lane::default();
        let first = mailbox.take(&mut batch).map(|note| note.number);
        let (undelivered, _) = mailbox.drain(&mut batch);
        let accepted = sender.join().unwrap();
        assert_eq!(first, Some(1));
        assert_eq!(undelivered.len(), usize::from(accepted));
        let ledger = mailbox.ledger(TENANT, 0).expect("its own");
        assert_eq!(ledger.accepted, ledger.handled + ledger.undelivered);
    });
}

/// A call is withdrawn while its receiver takes: it was taken, or it is failed and never was there.
#[test]
fn loom_withdraw_against_take() {
    model(|| {
        let mailbox = mailbox(2);
        let waiter: &'static Waiter = Box::leak(Box::default());
        let ticket: Ticket = waiter.arm();
        let mut note = Some(Note { number: 1, caller: Some(ticket) });
        assert_eq!(mailbox.send(TENANT, &mut note, || None), Ok(Sent::Queued));
        let detector = {
            let mailbox = mailbox.clone();
            thread::spawn(move || mailbox.withdraw(ticket, |note| note.refused(Code::Deadlock, None)))
        };
        let mut batch = Lane::default();
        let taken = mailbox.take(&mut batch).is_some();
        let withdrawn = detector.join().unwrap();
        assert!(taken ^ withdrawn);
        assert_eq!(ticket.is_open(), taken);
        let ledger = mailbox.ledger(TENANT, 0).expect("its own");
        assert_eq!((ledger.accepted, ledger.queued), (u64::from(taken), 0));
    });
}

/// A receiver that waits for somebody has let in whoever fits: who still stands in its line has found it full.
#[test]
fn loom_nobody_stands_before_a_waiting_receiver_with_room() {
    model(|| {
        let mailbox = mailbox(1);
        fill(&mailbox, 1);
        let sender = {
            let mailbox = mailbox.clone();
            thread::spawn(move || {
                let waiter: &'static Waiter = Box::leak(Box::default());
                mailbox.send(TENANT, &mut Some(Note::new(2)), || Some(waiter.arm())).is_ok()
            })
        };
        let mut batch = Lane::default();
        assert!(mailbox.take(&mut batch).is_some());
        // It is about to wait, with this message in hand.
        mailbox.give_back(&mut batch);
        assert!(sender.join().unwrap());
        let ledger = mailbox.ledger(TENANT, 0).expect("its own");
        assert_eq!((ledger.queued, ledger.blocked_senders), (1, 0));
    });
}
