//! The mailbox against a model of it, step by step.

use super::testing::Note;
use super::{DEFAULT_LIMIT, Lane, Mailbox, Parcel, Sent};
use crate::error::Code;
use crate::waiting::waiter::{Outcome, Ticket, Waiter};
use proptest::prelude::*;
use std::collections::VecDeque;

const TENANT: u64 = 7;

fn mailbox(limit: usize) -> Mailbox<Note> {
    let mailbox = Mailbox::default();
    mailbox.renew(TENANT);
    mailbox.set_limit(TENANT, limit).expect("its own");
    mailbox
}

/// A sender that waits: its message, its wait.
type Blocked = (i64, Ticket);

/// What should be where.
#[derive(Default)]
struct Expected {
    /// Queued, or in the receiver's batch: in the order in which they come.
    waiting: VecDeque<i64>,
    line: VecDeque<Blocked>,
    accepted: u64,
    handled: u64,
}

impl Expected {
    /// Who must be in by now, when everybody who fits was let in.
    fn let_in(&mut self, limit: usize) {
        while self.waiting.len() < limit {
            let Some((number, _)) = self.line.pop_front() else { return };
            self.waiting.push_back(number);
            self.accepted += 1;
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    TrySend,
    Take,
    TakeOne,
    GiveBack,
    GiveUp,
    Withdraw,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use Step::{GiveBack, GiveUp, Send, Take, TakeOne, TrySend, Withdraw};
    let step = prop::sample::select(vec![Send, Send, Send, TrySend, Take, Take, TakeOne, GiveBack, GiveUp, Withdraw]);
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn keeps_order_limit_and_ledger(limit in 1usize..6, steps in steps()) {
        let mailbox = mailbox(limit);
        let mut batch = Lane::default();
        let mut expected = Expected::default();
        for (number, step) in steps.into_iter().enumerate() {
            let number = number as i64;
            match step {
                Step::Send => {
                    let waiter: &'static Waiter = Box::leak(Box::default());
                    let sent = mailbox.send(TENANT, &mut Some(Note::new(number)), || Some(waiter.arm()));
                    // Whoever sends lets in those who came before.
                    expected.let_in(limit);
                    match sent.expect("it is open") {
                        Sent::Queued => {
                            prop_assert!(expected.line.is_empty() && expected.waiting.len() < limit);
                            expected.waiting.push_back(number);
                            expected.accepted += 1;
                        }
                        Sent::InLine(ticket) => {
                            prop_assert!(expected.waiting.len() == limit);
                            expected.line.push_back((number, ticket));
                        }
                    }
                }
                Step::TrySend => {
                    let sent = mailbox.send(TENANT, &mut Some(Note::new(number)), || None);
                    expected.let_in(limit);
                    if expected.line.is_empty() && expected.waiting.len() < limit {
                        prop_assert_eq!(sent, Ok(Sent::Queued));
                        expected.waiting.push_back(number);
                        expected.accepted += 1;
                    } else {
                        prop_assert_eq!(sent, Err(Code::Again));
                    }
                }
                Step::Take | Step::TakeOne => {
                    let one = matches!(step, Step::TakeOne);
                    let taken = if one { mailbox.take_one(&mut batch) } else { mailbox.take(&mut batch) };
                    prop_assert_eq!(taken.map(|note| note.number), expected.waiting.pop_front());
                    expected.handled = expected.accepted - expected.waiting.len() as u64;
                    // The receiver lets in when it is worthwhile; the model follows what it did.
                    let still = mailbox.ledger(TENANT, 0).expect("its own").blocked_senders as usize;
                    while expected.line.len() > still {
                        prop_assert!(expected.waiting.len() < limit);
                        let (number, _) = expected.line.pop_front().expect("one more");
                        expected.waiting.push_back(number);
                        expected.accepted += 1;
                    }
                }
                Step::GiveBack => {
                    mailbox.give_back(&mut batch);
                    expected.let_in(limit);
                }
                Step::GiveUp => {
                    if let Some((number, ticket)) = expected.line.pop_front() {
                        prop_assert!(ticket.end(Outcome::Go).is_ok(), "nobody else has ended it");
                        prop_assert_eq!(mailbox.leave_line(ticket), Some(Note::new(number)));
                    }
                }
                Step::Withdraw => {
                    if let Some((number, ticket)) = expected.line.pop_back() {
                        let withdrawn = mailbox.withdraw(ticket, |note| {
                            assert_eq!(note.number, number);
                            note.refused(Code::Deadlock, None)
                        });
                        prop_assert!(withdrawn);
                        expected.let_in(limit);
                    }
                }
            }
            let ledger = mailbox.ledger(TENANT, 0).expect("its own");
            prop_assert_eq!(ledger.queued as usize, expected.waiting.len());
            prop_assert_eq!(ledger.blocked_senders as usize, expected.line.len());
            prop_assert_eq!(ledger.accepted, expected.accepted);
            prop_assert_eq!(ledger.accepted, ledger.handled + ledger.queued);
            prop_assert!(ledger.peak <= limit as u64);
        }
        let (undelivered, _) = mailbox.drain(&mut batch);
        let left: Vec<i64> = undelivered.into_iter().map(|note| note.number).collect();
        prop_assert_eq!(left, Vec::from(expected.waiting));
        let ledger = mailbox.ledger(TENANT, 0).expect("its own");
        prop_assert_eq!(ledger.accepted, ledger.handled + ledger.undelivered);
        prop_assert!(expected.line.iter().all(|(_, ticket)| !ticket.is_open()), "nobody is left waiting");
    }
}

#[test]
fn another_owner_is_another_mailbox() {
    let mailbox = mailbox(0);
    assert_eq!(mailbox.send(TENANT + 1, &mut Some(Note::new(1)), || None), Err(Code::Stale));
    assert_eq!(mailbox.send(TENANT, &mut Some(Note::new(1)), || None), Ok(Sent::Queued));
    mailbox.renew(TENANT + 1);
    assert_eq!(mailbox.send(TENANT, &mut Some(Note::new(1)), || None), Err(Code::Stale));
    assert_eq!(mailbox.ledger(TENANT + 1, 0).expect("its own").accepted, 0);
}

#[test]
fn without_a_word_a_thousand_may_wait() {
    let mailbox: Mailbox<Note> = Mailbox::default();
    mailbox.renew(TENANT);
    let sent = (0..).take_while(|&n| mailbox.send(TENANT, &mut Some(Note::new(n)), || None).is_ok()).count();
    assert_eq!(sent, DEFAULT_LIMIT);
}

#[test]
fn timers_come_first_but_not_always() {
    let mailbox = mailbox(0);
    let mut batch = Lane::default();
    for number in 0..4 {
        mailbox.send(TENANT, &mut Some(Note::new(number)), || None).expect("room");
    }
    for ticket in 1..4u64 {
        let number = 100 + ticket as i64;
        mailbox.send_later(TENANT, &mut Some(Note::new(number)), ticket, ticket as i64, 0).expect("open");
    }
    let taken: Vec<i64> = std::iter::from_fn(|| mailbox.take(&mut batch)).map(|note| note.number).collect();
    assert_eq!(taken, [101, 0, 102, 1, 103, 2, 3]);
}
