//! Waiting for a future's end.
//!
//! A wait is for a certain thread when that one alone can end it: it runs the job, or owes the reply. Then the wait
//! takes part in the search for deadlocks. Which thread it is may change while one waits: a queued job is begun, a
//! future is forwarded. Whoever changes it ends the waits that follow, and their threads begin anew, with another edge.

use super::body::Towards;
use super::{Ending, Hold, forward};
use crate::error::{Code, Error, Result};
use crate::event_loop;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sys::clock::{NEVER, Nanos, after};
use crate::waiting::waiter::{Edge, End, Kind, Outcome, Ticket};
use crate::{thread, waiting};

/// Waits until the future is over, `timeout` at the most.
pub(crate) fn wait(future: &Hold, timeout: Nanos) -> Result<Ending> {
    let body = future.body();
    if let Some(ending) = body.wait(None, false) {
        return Ok(ending);
    }
    if timeout == 0 {
        return Err(Code::TimedOut.into());
    }
    let deadline = after(timeout);
    loop {
        let ticket = waiting::current().arm();
        let follows = thread::current_handle().is_some();
        if let Some(ending) = body.wait(Some(ticket), follows) {
            return Ok(ending);
        }
        let end = wait_once(future, ticket, follows, deadline);
        body.forget(ticket);
        let error = match end {
            End::Answered(Outcome::Refused(error, _)) => error,
            // It is over, or somebody else is to be waited for.
            End::Answered(_) => continue,
            End::TimedOut => Code::TimedOut.into(),
            End::Interrupted => Code::Interrupted.into(),
        };
        return Err(error);
    }
}

fn wait_once(future: &Hold, ticket: Ticket, follows: bool, deadline: Nanos) -> End {
    let _following = follows.then(|| Following::begin(future, ticket)).flatten();
    let to = match last(future).body().towards() {
        Towards::Thread(thread) => Some(thread.slot()),
        Towards::Group(group) => Some(group),
        Towards::Loop(event_loop) if deadline == NEVER && event_loop::current() == Some(event_loop) => {
            let words = "the future is ended by a function of the loop that this thread runs";
            return End::Answered(Outcome::Refused(Error::new(Code::Deadlock, words), None));
        }
        _ => None,
    };
    thread::wait_for(ticket, Edge::new(Kind::Future, to), deadline)
}

/// The future that this one's end depends on.
fn last(future: &Hold) -> Hold {
    super::find_anyway(forward::last_on_way(future.handle())).unwrap_or_else(|_| future.clone())
}

/// Waits for futures that are forwarded: the change that matters to them happens elsewhere on the way.
pub(super) static FOLLOWING: Mutex<Vec<Ticket>> = Mutex::new(Vec::new());
/// How many there are.
static FOLLOWERS: AtomicUsize = AtomicUsize::new(0);

/// A wait is among those, for as long as this lives.
struct Following(Ticket);

impl Following {
    fn begin(future: &Hold, ticket: Ticket) -> Option<Self> {
        let Towards::Future(_) = future.body().towards() else { return None };
        let mut following = FOLLOWING.lock();
        // Those who left their wait by unwinding are still there.
        following.retain(|ticket| ticket.is_open());
        following.push(ticket);
        FOLLOWERS.store(following.len(), Ordering::Relaxed);
        drop(following);
        // Either this wait sees where the way leads now, or whoever changes that sees this wait.
        fence(Ordering::SeqCst);
        Some(Self(ticket))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut following = FOLLOWING.lock();
        following.retain(|ticket| *ticket != self.0);
        FOLLOWERS.store(following.len(), Ordering::Relaxed);
    }
}

/// Has those who wait for futures that are forwarded look again at whom they wait for.
pub(super) fn tell_followers() {
    fence(Ordering::SeqCst);
    if FOLLOWERS.load(Ordering::Relaxed) == 0 {
        return;
    }
    let following = FOLLOWING.lock().clone();
    for ticket in following {
        if let Some(bell) = ticket.end_with(|| Outcome::Go) {
            bell.ring();
        }
    }
}
