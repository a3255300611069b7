//! Who has a loop: at most one thread at a time, in one role. One word, so that there is no moment between looking and
//! taking.
//!
//! ```text
//! word:  role:32 | thread:32        0: nobody
//! ```

use super::{LOOPS, Shared};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::atomic::{AtomicU64, Ordering, fence};
use crate::sys::os_thread;

/// What the holder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Role {
    Runs = 1,
    Waits = 2,
    Takes = 3,
    Frees = 4,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holder(AtomicU64);

fn word(role: Role, thread: u32) -> u64 {
    (role as u64) << 32 | u64::from(thread)
}

impl Holder {
    /// Does nobody have it? Asked after a change that the next holder must see: either it does, or this sees it.
    pub(super) fn is_surely_free(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Acquire) == 0
    }

    /// May a visitor call functions of the user's? Not while another thread runs the loop, and not inside a take.
    pub(super) fn lets_bury(&self) -> bool {
        let role = self.0.load(Ordering::Acquire) >> 32;
        role != Role::Runs as u64 && role != Role::Takes as u64
    }

    /// Does some thread run the loop?
    #[inline]
    pub(super) fn runs(&self) -> bool {
        self.0.load(Ordering::Acquire) >> 32 == Role::Runs as u64
    }

    /// Does the calling thread run the loop?
    #[inline]
    pub(super) fn runs_here(&self) -> bool {
        self.runs() && self.thread() == os_thread::current()
    }

    /// The thread that has it, or 0.
    pub(super) fn thread(&self) -> u32 {
        self.0.load(Ordering::Acquire) as u32
    }

    /// A forked child's only thread runs the loop, as it did in the parent; or nobody has it.
    pub(super) fn inherit(&self, runs_here: bool) {
        let word = if runs_here { word(Role::Runs, os_thread::current()) } else { 0 };
        self.0.store(word, Ordering::Release);
    }

    pub(super) fn release(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// A wait may have been left by unwinding; its claim stands until the same thread comes again, or is gone.
    fn claim(&self, role: Role) -> bool {
        let me = os_thread::current();
        let mut seen = 0;
        loop {
            match self.0.compare_exchange(seen, word(role, me), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    // See `is_surely_free`.
                    fence(Ordering::SeqCst);
                    return true;
                }
                Err(now) if seen == 0 && is_left_over(now, me) => seen = now,
                Err(_) => return false,
            }
        }
    }
}

fn is_left_over(word: u64, me: u32) -> bool {
    let thread = word as u32;
    word >> 32 == Role::Waits as u64 && (thread == me || !os_thread::exists(thread))
}

/// The calling thread's hold on a loop, until it is dropped. While it lasts the loop can't be freed.
pub(super) struct Claim(pub(super) &'static Shared);

impl Claim {
    /// [`Code::Busy`] while another thread has the loop.
    pub(super) fn new(handle: Handle, role: Role) -> Result<Claim> {
        let shared = LOOPS.get(handle)?.body();
        shared.check_process()?;
        if !shared.holder.claim(role) {
            // Of a loop that was freed meanwhile that is nobody's business.
            LOOPS.get(handle)?;
            return Err(Error::new(Code::Busy, "another thread has the loop, or it is being run"));
        }
        let claim = Claim(shared);
        // It may have been freed, and its slot be another's, before it was claimed.
        LOOPS.get(handle)?;
        Ok(claim)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.holder.release();
    }
}
