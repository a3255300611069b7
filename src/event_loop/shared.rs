//! A loop's part that any thread may touch at any time. It lies in the handle table and is never given back, so that
//! a late ringer finds memory there, and at worst a loop that it has nothing to do with.

use super::holder::Holder;
use super::inbox::{Inbox, Item};
use super::life::Life;
use super::signals::Pending;
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::sys::clock::{NEVER, Nanos};
use crate::sys::fork;
use crate::sys::poller::{Basket, Sleeper};
use crate::waiting::notice::{Notice, Wake};

/// Something is in the inbox. Rung and taken so that it stands whenever there is.
pub(super) const WORK: u32 = 1;
/// A signal came.
pub(super) const SIGNALLED: u32 = 2;
/// The callbacks that were active at an exit have run.
pub(super) const EXITED: u32 = 4;
/// Leave after the callback that runs now.
pub(super) const BREAK: u32 = 8;
/// Somebody who waits elsewhere must be let go: a killed thread's loop.
pub(super) const INTERRUPTED: u32 = 16;
/// Something changed that a sleeper must take into account: a nearer deadline, nothing left to wait for.
pub(super) const LOOK: u32 = 32;
/// Something that came out of the inbox, or out of the kernel, is left over; or owners wait to be told.
pub(super) const LEFT: u32 = 64;

/// How many of the inbox's items are looked through for one that was called off.
const NEWEST: usize = 64;

/// See the module.
pub(crate) struct Shared {
    pub(super) notice: Notice,
    /// When the next timer is due, or a little before.
    pub(super) deadline: AtomicI64,
    /// How many events, futures and so on keep the loop running.
    pub(super) holds: AtomicUsize,
    /// How many idle events are added: with any, there is no sleep.
    pub(super) idle: AtomicUsize,
    /// How many descriptors are watched: with none, the loop sleeps on the notice itself.
    pub(super) descriptors: AtomicUsize,
    /// The thread that runs, waits, takes or frees.
    pub(super) holder: Holder,
    /// The thread that waited last.
    pub(super) owner: AtomicU32,
    /// The owner drives it by pull calls.
    pub(super) pulled: AtomicBool,
    /// How often its thread came back from sleep.
    pub(super) wakeups: AtomicU64,
    /// What the kernel reported to a waiter and nobody took yet. The holder's.
    pub(super) basket: Basket,
    /// The number of the exit that was asked and has not ended a run yet; 0 when there is none.
    pub(super) exit: AtomicU32,
    /// A foreign loop watches this one's descriptor.
    pub(super) embedded: AtomicBool,
    /// The process, counted by forks, that the loop belongs to.
    pub(super) process: AtomicU32,
    /// The sleeper's descriptors.
    pub(super) sleep_fd: AtomicI32,
    pub(super) wake_fd: AtomicI32,
    pub(super) signals: Pending,
    pub(super) inbox: Mutex<Inbox>,
    pub(super) life: Mutex<Option<Box<Life>>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            notice: Notice::default(),
            deadline: AtomicI64::new(NEVER),
            holds: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            descriptors: AtomicUsize::new(0),
            holder: Holder::default(),
            owner: AtomicU32::new(0),
            pulled: AtomicBool::new(false),
            wakeups: AtomicU64::new(0),
            basket: Basket::default(),
            exit: AtomicU32::new(0),
            embedded: AtomicBool::new(false),
            process: AtomicU32::new(0),
            sleep_fd: AtomicI32::new(-1),
            wake_fd: AtomicI32::new(-1),
            signals: Pending::default(),
            inbox: Mutex::default(),
            life: Mutex::default(),
        }
    }
}

impl Shared {
    /// Runs `body` on the loop's life, if it is the one that `handle` names, and does what the change asks for
    /// afterwards: wakes the loop, and tells the owners of freed events.
    pub(super) fn with<R>(&'static self, handle: Handle, body: impl FnOnce(&mut Life) -> Result<R>) -> Result<R> {
        self.with_any(|life| if life.handle == handle { body(life) } else { Err(Code::Stale.into()) })
    }

    /// The same, for a caller that checks by itself whose life it is.
    pub(super) fn with_any<R>(&'static self, body: impl FnOnce(&mut Life) -> Result<R>) -> Result<R> {
        self.check_process()?;
        let mut guard = self.life.lock();
        let life = guard.as_mut().ok_or(Code::Stale)?;
        let result = body(life);
        if life.look_again || !life.graves.is_empty() {
            self.settle(guard);
        }
        result
    }

    /// Ends a visit that changed something for others.
    #[cold]
    fn settle(&'static self, mut guard: MutexGuard<'static, Option<Box<Life>>>) {
        let Some(life) = guard.as_mut() else { return };
        // On a running loop its thread tells the owners of freed events; while somebody takes, nobody does.
        let runs_here = self.holder.runs_here();
        let buries = runs_here || self.holder.lets_bury();
        let graves = if buries { std::mem::take(&mut life.graves) } else { Vec::new() };
        let mut reasons = if std::mem::take(&mut life.look_again) { LOOK } else { 0 };
        if self.holder.runs() && !life.graves.is_empty() {
            reasons |= LEFT;
        }
        let wake = if reasons == 0 || runs_here {
            Wake::Nobody
        } else if self.is_offered() {
            self.offer_descriptor();
            Wake::Nobody
        } else {
            self.notice.ring(reasons)
        };
        drop(guard);
        self.finish_ring(wake);
        for grave in graves {
            grave.close();
        }
    }

    /// Is it embedded, and nobody of ours inside? Then its descriptor says whether there is work.
    pub(super) fn is_offered(&self) -> bool {
        self.is_embedded() && self.holder.is_surely_free()
    }

    /// There is something left over from before the run.
    pub(super) fn notice_left(&self) {
        self.ring(LEFT);
    }

    /// Puts `item` into the inbox of the loop that `handle` names, as so many of a user's posts.
    pub(super) fn put(&self, handle: Handle, item: Item, posts: u64) -> Result<()> {
        self.check_process()?;
        self.put_if(item, |inbox| {
            inbox.posts += posts;
            inbox.handle == Some(handle)
        })
    }

    /// Puts `item` into the inbox of whichever loop lives here; what it means there is seen when it is taken out.
    pub(super) fn put_anyway(&self, item: Item) {
        let _ = self.put_if(item, |inbox| inbox.handle.is_some());
    }

    /// Asks the loop that `handle` names to leave when what is active now has run.
    pub(super) fn put_exit(&self, handle: Handle) -> Result<()> {
        self.check_process()?;
        let wake = {
            let mut inbox = self.inbox.lock();
            if inbox.handle != Some(handle) {
                return Err(Code::Stale.into());
            }
            if self.exit.load(Ordering::Acquire) != 0 {
                // It is leaving already.
                return Ok(());
            }
            inbox.exits = inbox.exits.wrapping_add(1).max(1);
            self.exit.store(inbox.exits, Ordering::Release);
            let active = self.notice.reasons() & (WORK | LEFT) != 0 || self.holder.runs();
            if active {
                let exit = Item::Exit(inbox.exits);
                inbox.push(exit);
                self.ring_for_inbox()
            } else {
                // Nothing is active that it would have to wait for.
                self.notice.ring(EXITED)
            }
        };
        self.finish_ring(wake);
        Ok(())
    }

    /// What asked for the end has had it.
    pub(super) fn use_up_exit(&self) {
        self.exit.store(0, Ordering::Release);
        self.notice.take(EXITED | BREAK);
    }

    /// Takes an activation that was called off out of the inbox, so that it promises nothing to a wait. Only among the
    /// newest items: an older one is found void when it is taken out.
    pub(super) fn call_off(&self, event: Handle) {
        let mut inbox = self.inbox.lock();
        let newest = inbox.items.len().saturating_sub(NEWEST);
        let is_it = |item: &Item| matches!(item, Item::Activated(activated) if *activated == event);
        if let Some(index) = inbox.items.range(newest..).position(is_it) {
            inbox.items.remove(newest + index);
            inbox.others -= 1;
        }
        if inbox.items.is_empty() {
            // Inside the lock: whoever puts something in later rings again.
            self.notice.take(WORK);
        }
    }

    fn put_if(&self, item: Item, fits: impl FnOnce(&mut Inbox) -> bool) -> Result<()> {
        let wake = {
            let mut inbox = self.inbox.lock();
            if !fits(&mut inbox) {
                return Err(Code::Stale.into());
            }
            inbox.push(item);
            self.ring_for_inbox()
        };
        self.finish_ring(wake);
        Ok(())
    }

    /// Rings for what was put into the inbox; called with the inbox locked.
    ///
    /// The loop takes WORK away before it locks the inbox. So whoever finds WORK standing inside the lock put its
    /// item in before the loop's next look, and need not ring again.
    pub(super) fn ring_for_inbox(&self) -> Wake {
        if self.notice.reasons() & WORK != 0 { Wake::Nobody } else { self.notice.ring(WORK) }
    }

    /// Rings, from any thread and from a signal handler, and wakes.
    pub(super) fn ring(&self, reasons: u32) {
        let wake = self.notice.ring(reasons);
        self.finish_ring(wake);
    }

    /// Wakes whoever `ring` found asleep; with no lock held.
    pub(super) fn finish_ring(&self, wake: Wake) {
        match wake {
            Wake::Nobody => {}
            Wake::Word => self.notice.wake(),
            Wake::Poll => {
                self.sleeper().wake();
                self.notice.woke_poll();
            }
        }
    }

    pub(super) fn sleeper(&self) -> Sleeper {
        Sleeper::from_raw((self.sleep_fd.load(Ordering::Acquire), self.wake_fd.load(Ordering::Acquire)))
    }

    pub(super) fn set_sleeper(&self, sleeper: Sleeper) {
        let (sleep, wake) = sleeper.into_raw();
        self.sleep_fd.store(sleep, Ordering::Release);
        self.wake_fd.store(wake, Ordering::Release);
    }

    /// In a forked child the parent's loops are out of bounds until they are made anew.
    pub(super) fn check_process(&self) -> Result<()> {
        if self.process.load(Ordering::Relaxed) == fork::generation() {
            Ok(())
        } else {
            Err(Error::new(
                Code::State,
                "the loop belongs to the parent process; event_loop_reinit makes it the child's",
            ))
        }
    }

    pub(super) fn next_deadline(&self) -> Nanos {
        self.deadline.load(Ordering::Acquire)
    }

    pub(super) fn is_embedded(&self) -> bool {
        self.embedded.load(Ordering::Acquire)
    }
}
