//! Waiting for another thread: what a thread does before it sleeps, and what happens when it would sleep for ever.

use super::current::{self, with_batch};
use super::letter::Letter;
use super::{Body, THREADS, resolve};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::log::{self, Level};
use crate::mailbox::{Mailbox, PATIENCE, Parcel};
use crate::sys::clock::{NEVER, Nanos, after};
use crate::waiting;
use crate::waiting::detect::{Detector, Graph, Link};
use crate::waiting::group;
use crate::waiting::waiter::{Edge, End, Kind, Outcome, Ticket, Turns, Waiter};
use std::cell::Cell;

static DETECTOR: Detector = Detector::new();

/// Lets nobody look for a deadlock around a fork.
pub(super) fn hold_still() {
    DETECTOR.hold_still();
}

/// Waits with `ticket` until somebody ends it. With `to`, that thread must do something for it: then a cycle of such
/// waits is found, and ends one of them. With `line`, the message stands in that mailbox's line.
pub(super) fn wait(
    ticket: Ticket,
    kind: Kind,
    to: Option<Handle>,
    deadline: Nanos,
    line: Option<&'static Mailbox<Letter>>,
) -> End {
    let edge = Edge::new(kind, to.map(Handle::slot));
    let look_at = if line.is_some() { after(PATIENCE) } else { NEVER };
    ticket.wait(edge, deadline, &mut OfThread { ticket, looks: to.is_some(), line, look_at })
}

/// Waits for something that is no thread's own, such as a future: `edge` says for whom, if for a certain one.
pub(crate) fn wait_for(ticket: Ticket, edge: Edge, deadline: Nanos) -> End {
    let looks = edge.to.is_some();
    ticket.wait(edge, deadline, &mut OfThread { ticket, looks, line: None, look_at: NEVER })
}

/// The turns of a thread's wait.
struct OfThread {
    ticket: Ticket,
    looks: bool,
    line: Option<&'static Mailbox<Letter>>,
    look_at: Nanos,
}

impl Turns for OfThread {
    fn before_publishing(&mut self) {
        give_back();
    }

    fn published(&mut self) {
        if let (true, Some(here)) = (self.looks, current::current()) {
            DETECTOR.look(&Threads, here.handle.slot());
        }
    }

    fn look_at(&self) -> Nanos {
        self.look_at
    }

    fn look(&mut self) {
        if let Some(mailbox) = self.line {
            mailbox.look(self.ticket);
        }
    }
}

/// Whoever waits for room in the calling thread's mailbox gets what there is; what it has fetched can be withdrawn.
fn give_back() {
    if let Some(here) = current::current() {
        with_batch(|batch| here.body.mailbox.give_back(batch));
    }
}

/// Sleeps for a while.
pub(super) fn sleep(duration: Nanos) -> Result<()> {
    let ticket = waiting::current().arm();
    match wait(ticket, Kind::Sleep, None, after(duration), None) {
        End::Interrupted => Err(Code::Interrupted.into()),
        End::TimedOut | End::Answered(_) => Ok(()),
    }
}

/// A wait that ends when it is taken back: for a caller's own lock, held by a thread.
#[derive(Debug, Clone, Copy)]
struct Announced {
    holder: &'static Body,
    ticket: Ticket,
}

thread_local! {
    static ANNOUNCED: Cell<Option<Announced>> = const { Cell::new(None) };
}

/// Says that the caller is about to wait, outside the library, for something that `holder` has. Fails when that would
/// close a cycle.
pub(crate) fn wait_begin(holder: Handle) -> Result<()> {
    let body = resolve(holder)?;
    if ANNOUNCED.get().is_some() {
        return Err(Error::new(Code::State, "the wait before was not ended"));
    }
    let ticket = waiting::current().arm();
    super::join::watch(body, holder, ticket)?;
    give_back();
    ANNOUNCED.set(Some(Announced { holder: body, ticket }));
    ticket.announce(Edge::new(Kind::Lock, Some(holder.slot())));
    if let Some(here) = current::current() {
        DETECTOR.look(&Threads, here.handle.slot());
    }
    match ticket.answer_now() {
        Some(Outcome::Refused(error, _)) if error.code() == Code::Deadlock => {
            wait_end()?;
            Err(error)
        }
        _ => Ok(()),
    }
}

/// The caller waits no longer.
pub(crate) fn wait_end() -> Result<()> {
    let Announced { holder, ticket } = ANNOUNCED.take().ok_or(Error::new(Code::State, "no wait was begun"))?;
    ticket.take_back();
    super::join::unwatch(holder, ticket);
    Ok(())
}

/// The thread is at its end: it waits for nobody any more.
pub(super) fn end_announced() {
    // An error says that it did not.
    let _ = wait_end();
}

/// The threads as the detector sees them.
struct Threads;

impl Graph for Threads {
    fn waiter(&self, node: u32) -> Option<&'static Waiter> {
        thread_at(node).map(|body| &body.waiter)
    }

    fn fail(&self, cycle: &[Link], victim: usize, anyhow: bool) -> bool {
        let link = &cycle[victim];
        let ticket = link.wait.ticket;
        let words = words(cycle, victim);
        let outcome = || Outcome::Refused(Error::new(Code::Deadlock, words.clone()), None);
        let end = || ticket.end_with(outcome).map(|bell| bell.ring()).is_some();
        let mailbox = thread_at(link.next).map(|body| &body.mailbox);
        let failed = match (link.wait.edge.kind, mailbox) {
            (Kind::Call | Kind::Room, Some(mailbox)) if anyhow => {
                let has_lock = cycle.iter().any(|link| link.wait.edge.kind == Kind::Lock);
                mailbox.withdraw_from_merged(ticket, outcome) || (has_lock && end())
            }
            (Kind::Call | Kind::Room, Some(mailbox)) => {
                mailbox.withdraw(ticket, |letter: Letter| letter.refused(Code::Deadlock, Some(words.clone())))
            }
            // Who sleeps in a lock of its own can't be told; who is about to can.
            (Kind::Lock, _) => victim == 0 && end(),
            _ => end(),
        };
        if failed {
            log::log(Level::Warning, format_args!("deadlock: {words}"));
        }
        failed
    }
}

/// The cycle for people: `a -(call)-> b -(full queue)-> a`, beginning with the victim.
fn words(cycle: &[Link], victim: usize) -> String {
    let mut words = String::new();
    for link in cycle[victim..].iter().chain(&cycle[..victim]) {
        words.push_str(&format!("{} -({})-> ", name_at(link.node), kind_now(link).word()));
    }
    words.push_str(&name_at(cycle[victim].node));
    words
}

/// What is waited for: a call that stands in the line waits for room.
fn kind_now(link: &Link) -> Kind {
    let kind = link.wait.edge.kind;
    match (kind, thread_at(link.next)) {
        (Kind::Call | Kind::Room, Some(body)) if body.mailbox.is_in_line(link.wait.ticket) => Kind::Room,
        (Kind::Room, Some(_)) => Kind::Call,
        _ => kind,
    }
}

/// The thread that lives in a slot; none for a group's number.
pub(super) fn thread_at(node: u32) -> Option<&'static Body> {
    let slot = if group::is_group(node) { None } else { THREADS.slot(node) };
    slot.map(|slot| slot.body())
}

/// The name of the thread that lives in a slot.
pub(super) fn name_at(node: u32) -> String {
    thread_at(node).map_or_else(String::new, |body| body.life.lock().name.to_string())
}
