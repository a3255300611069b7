//! Threads with names, that talk by message.
//!
//! ```text
//! make ─▶ NEW ── start, run ─▶ RUNNING ── body and on_stop have returned ─▶ DEAD
//!          └───── stop, kill, free ───────────────────────────────────────▶┘
//! ```
//!
//! A thread lives in a slot of the handle table: its mailbox, what it waits with, and its life, which is behind a lock
//! that is never held while anybody's function runs. The slot is used again when the thread is dead *and* its handle
//! was given up; until then one bit in the slot's word says that the handle is stale for everybody but the thread
//! itself.

mod api;
mod current;
mod dump;
mod forking;
mod join;
mod letter;
mod life;
mod locals;
mod messages;
mod names;
mod on_loop;
mod receive;
mod rules;
mod send;
mod stats;
mod trace;
mod wait;

pub use api::{Attached, Builder, Inbox, Mail, SendError, Thread, ThreadRef, ThreadStats, Ticket, sleep as sleep_for};
pub(crate) use current::handle as current_handle;
pub(crate) use dump::{dump, dump_dot};
pub(crate) use join::{Joined, join, monitor, when_dead};
pub(crate) use life::{Hook, failure_of, is_stopping, name, set_queue_limit, sleep, state};
pub(crate) use life::{attach, detach, free, kill, make, on_start, on_stop, on_undelivered, run, start, stop};
pub(crate) use locals::{local, set_local};
pub(crate) use messages::{fail, free_message, reply, take, value_of, wait};
pub(crate) use names::{checked as checked_name, find, find_service, list, publish};
pub(crate) use on_loop::receive_on;
pub(crate) use receive::{receive, receive_merging};
pub(crate) use rules::{Key, Merge};
pub(crate) use send::{Room, call, cancel_later, send, send_later, send_with};
pub(crate) use stats::{Stats, stats};
pub(crate) use trace::trace;
pub(crate) use wait::{wait_begin, wait_end, wait_for};

use crate::error::{Code, Error, Result};
use crate::handle::{Handle, Kind, OWNER_BITS, Slot, Table, check_word};
use crate::mailbox::Mailbox;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use crate::sys::fork;
use crate::waiting::waiter::Waiter;
use letter::Letter;
use life::Life;

/// Where a thread's life stands. The numbers are the C constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Made, not started; messages wait.
    New = 0,
    /// Its body runs, or its hooks.
    Running = 1,
    /// Everything of it has returned.
    Dead = 2,
}

/// What a slot of the table holds.
#[derive(Debug, Default)]
pub(crate) struct Body {
    mailbox: Mailbox<Letter>,
    waiter: Waiter,
    state: AtomicU8,
    stopping: AtomicBool,
    /// The process, counted by forks, that the thread belongs to.
    process: AtomicU32,
    life: Mutex<Life>,
}

static THREADS: Table<Body> = Table::new(Kind::Thread);

/// The handle was given up, the thread lives on. One of the owner's bits in the slot's word.
const GIVEN_UP: u64 = 1;
const _: () = assert!(GIVEN_UP & OWNER_BITS == GIVEN_UP, "one of the owner's bits");

/// The thread that `handle` names: one of this process, and not given up, except by the thread itself.
#[inline]
fn resolve(handle: Handle) -> Result<&'static Body> {
    let slot = THREADS.find(handle)?;
    let word = slot.word().load(Ordering::Acquire);
    check_word(word, handle)?;
    if word & GIVEN_UP != 0 && current::handle() != Some(handle) {
        return Err(Code::Stale.into());
    }
    let body = slot.body();
    if body.process.load(Ordering::Relaxed) != fork::generation() {
        return Err(Error::new(Code::Stale, "the thread is one of the parent process"));
    }
    Ok(body)
}

fn slot_of(handle: Handle) -> Result<&'static Slot<Body>> {
    THREADS.find(handle)
}

impl Body {
    fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            0 => State::New,
            1 => State::Running,
            _ => State::Dead,
        }
    }

    fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }
}
