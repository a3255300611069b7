//! From NEW to DEAD.

use super::current::{self, Here, Nested, become_thread, with_batch};
use super::letter::Letter;
use super::{Body, GIVEN_UP, State, THREADS, forking, join, locals, messages, names, on_loop, resolve, slot_of, wait};
use crate::error::{Code, Error, Result};
use crate::event_loop;
use crate::handle::{Handle, check_word};
use crate::log::{self, Level};
use crate::mailbox::Lane;
use crate::sync::atomic::Ordering;
use crate::sys::clock::Nanos;
use crate::sys::{fork, os_thread, spawn};
use crate::value::{Failure, Value};
use crate::waiting::waiter::Ticket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a thread does: its result, or a failure.
pub(crate) type Run = Box<dyn FnOnce(Handle) -> Result<Value, Failure> + Send>;
/// Called once, on the thread.
pub(crate) type Hook = Box<dyn FnOnce() + Send>;
/// Called with each accepted message that nobody will handle.
pub(crate) type OnUndelivered = Arc<dyn Fn(Handle, Code, Value) + Send + Sync>;

/// What a thread is besides its mailbox; behind a lock.
#[derive(Default)]
pub(super) struct Life {
    /// Whose life it is.
    pub(super) handle: Option<Handle>,
    pub(super) name: Arc<str>,
    pub(super) run: Option<Run>,
    pub(super) on_start: Option<Hook>,
    pub(super) on_stop: Option<Hook>,
    pub(super) on_undelivered: Option<OnUndelivered>,
    /// The OS thread, while there is one.
    pub(super) os_thread: u32,
    pub(super) end: join::Ending,
    /// Waits that end with its death: those of joiners, who get the result, and others.
    pub(super) joiners: Vec<Ticket>,
    pub(super) watchers: Vec<Ticket>,
    /// The loop that its messages come in by.
    pub(super) on_loop: Option<on_loop::OnLoop>,
    /// What is sent and activated when it dies.
    pub(super) monitors: Vec<(Handle, Letter)>,
    pub(super) events: Vec<Handle>,
}

impl std::fmt::Debug for Life {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Life({:?})", self.name)
    }
}

impl Body {
    /// Runs `body` on the life of the thread that `handle` names.
    pub(super) fn with_life<R>(&self, handle: Handle, body: impl FnOnce(&mut Life) -> Result<R>) -> Result<R> {
        let mut life = self.life.lock();
        if life.handle == Some(handle) { body(&mut life) } else { Err(Code::Stale.into()) }
    }
}

/// Makes a thread. Without a name it gets one.
pub(crate) fn make(name: Option<&str>, run: Run) -> Result<Handle> {
    make_in(State::New, name, Some(run))
}

fn make_in(state: State, name: Option<&str>, run: Option<Run>) -> Result<Handle> {
    crate::waiting::not_under_lock()?;
    let name = names::checked(name)?;
    forking::prepare();
    let handle = THREADS.insert(|handle, body| {
        body.mailbox.renew(handle.bits());
        body.waiter.renew();
        body.stopping.store(false, Ordering::Relaxed);
        body.process.store(fork::generation(), Ordering::Relaxed);
        body.set_state(state);
        *body.life.lock() = Life { handle: Some(handle), run, ..Life::default() };
    })?;
    let body = slot_of(handle)?.body();
    match names::take(handle, name, |name| body.life.lock().name = name) {
        Ok(()) => Ok(handle),
        Err(error) => {
            body.set_state(State::Dead);
            drop(std::mem::take(&mut *body.life.lock()));
            THREADS.remove(handle)?;
            Err(error)
        }
    }
}

/// Gives the thread an OS thread of its own.
pub(crate) fn start(handle: Handle) -> Result<()> {
    let body = resolve(handle)?;
    let run = begin(body, handle)?;
    let name = name(handle)?;
    // What can't be started stays NEW: so the run function goes along in a place that survives a failure.
    let place = Arc::new(crate::sync::Mutex::new(Some(run)));
    let taken = Arc::clone(&place);
    let spawned = spawn::spawn(&name, move || {
        let run = taken.lock().take();
        drop(taken);
        if let (Some(run), Ok(here)) = (run, Here::new(handle, false)) {
            live(here, run);
        }
    });
    if let Err(error) = spawned {
        let run = place.lock().take();
        body.with_life(handle, |life| {
            life.run = run;
            body.set_state(State::New);
            Ok(())
        })?;
        if body.stopping.load(Ordering::Acquire) {
            stop(handle)?;
        }
        return Err(error);
    }
    Ok(())
}

/// Runs the thread on the calling OS thread, which must not be one of ours; back when it is dead.
pub(crate) fn run(handle: Handle) -> Result<()> {
    let body = resolve(handle)?;
    if current::current().is_some() {
        return Err(Error::new(Code::State, "the caller is a thread already"));
    }
    let run = begin(body, handle)?;
    live(Here::new(handle, false)?, run);
    Ok(())
}

/// NEW becomes RUNNING; whoever makes it so has the run function.
fn begin(body: &Body, handle: Handle) -> Result<Run> {
    body.with_life(handle, |life| {
        if body.state() != State::New {
            return Err(Error::new(Code::State, "the thread was started before, or stopped"));
        }
        let run = life.run.take().ok_or(Code::State)?;
        body.set_state(State::Running);
        Ok(run)
    })
}

/// The whole life of a running thread, on its OS thread.
fn live(here: Here, run: Run) {
    become_thread(Some(here));
    let kept = locals::put_aside();
    let on_start = {
        let mut life = here.body.life.lock();
        life.os_thread = os_thread::current();
        life.on_start.take()
    };
    call_hook(on_start);
    let end = catch_unwind(AssertUnwindSafe(|| run(here.handle))).unwrap_or_else(|panic| Err(failure_of(panic)));
    let on_stop = here.body.life.lock().on_stop.take();
    call_hook(on_stop);
    die(here, Some(end), kept);
}

fn call_hook(hook: Option<Hook>) {
    if let Some(hook) = hook {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(hook)) {
            log::log(Level::Error, format_args!("a thread's hook: {}", failure_of(panic).text()));
        }
    }
}

/// A panic as a failure. A handler's panic ends its thread, as C's `exit` in a signal handler would not.
pub(crate) fn failure_of(panic: Box<dyn std::any::Any + Send>) -> Failure {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let failure = Failure::from(&Error::new(Code::Panic, format!("panic: {}", words.unwrap_or("without words"))));
    // Dropping somebody's payload could panic again.
    std::mem::forget(panic);
    failure
}

/// The end, on the thread itself.
fn die(here: Here, end: Option<Result<Value, Failure>>, kept: locals::Kept) {
    on_loop::leave(here.body);
    bury_messages(here.handle, here.body);
    messages::let_go();
    wait::end_announced();
    locals::bring_back(kept);
    publish_death(here.handle, here.body, end);
    become_thread(None);
    reclaim_if_given_up(here.handle);
}

/// The end of a thread that never ran, on whichever thread ended it.
fn die_unborn(handle: Handle, body: &'static Body, run: Option<Run>) {
    drop(run);
    bury_messages(handle, body);
    publish_death(handle, body, None);
}

/// What is in the mailbox will not be handled: its senders are told, and so is `on_undelivered`.
fn bury_messages(handle: Handle, body: &Body) {
    let is_own = current::handle() == Some(handle);
    let mut batch = if is_own { with_batch(std::mem::take) } else { Lane::default() };
    let (undelivered, timed) = body.mailbox.drain(&mut batch);
    drop(timed);
    let reason = if body.waiter.is_killed() { Code::Interrupted } else { Code::Dead };
    let told = body.life.lock().on_undelivered.clone();
    for letter in undelivered {
        let Letter { value, reply } = letter;
        drop(reply);
        match &told {
            Some(told) => told(handle, reason, value),
            None => drop(value),
        }
    }
}

/// DEAD from here on: the name is free, joiners get the result, monitors speak.
fn publish_death(handle: Handle, body: &Body, end: Option<Result<Value, Failure>>) {
    let mut bells = Vec::new();
    let (monitors, events, run) = names::release(handle, || {
        let mut life = body.life.lock();
        life.end = join::Ending::new(end);
        body.stopping.store(true, Ordering::Release);
        body.set_state(State::Dead);
        life.os_thread = 0;
        for ticket in std::mem::take(&mut life.joiners) {
            bells.extend(ticket.end_with(|| life.end.for_joiner()));
        }
        for ticket in std::mem::take(&mut life.watchers) {
            bells.extend(ticket.end_with(join::is_dead));
        }
        (std::mem::take(&mut life.monitors), std::mem::take(&mut life.events), life.run.take())
    });
    drop(run);
    bells.into_iter().for_each(crate::waiting::waiter::Bell::ring);
    for (watcher, letter) in monitors {
        join::tell(watcher, letter);
    }
    for event in events {
        // Freed meanwhile: then nobody wants to know.
        let _ = event_loop::activate(event);
    }
}

/// Asks the thread to end: what is queued is still handled. A NEW one is dead at once.
pub(crate) fn stop(handle: Handle) -> Result<()> {
    end(handle, |body| Ok(body.mailbox.stop(handle.bits())?))
}

/// Ends the thread at its next interruption point; what is queued is discarded.
pub(crate) fn kill(handle: Handle) -> Result<()> {
    end(handle, |body| {
        // Before its waits are interrupted, so that none of them is followed by one more message.
        body.mailbox.kill(handle.bits())?;
        body.with_life(handle, |_| {
            body.waiter.kill();
            Ok(())
        })?;
        on_loop::unbind(body);
        if let Some(event_loop) = body.waiter.elsewhere() {
            // Freed meanwhile: then the thread is not in it.
            let _ = event_loop::interrupt(event_loop);
        }
        Ok(())
    })
}

fn end(handle: Handle, how: impl FnOnce(&'static Body) -> Result<()>) -> Result<()> {
    let body = resolve(handle)?;
    let unborn = body.with_life(handle, |life| {
        body.stopping.store(true, Ordering::Release);
        let is_new = body.state() == State::New;
        if is_new {
            // Nobody else can start or end it from now on.
            body.set_state(State::Running);
        }
        Ok(is_new.then(|| life.run.take()))
    })?;
    if body.state() != State::Dead {
        how(body)?;
    }
    if let Some(run) = unborn {
        die_unborn(handle, body, run);
    }
    Ok(())
}

/// Gives the handle up. A NEW thread is dead at once, a running one is reclaimed when it is.
pub(crate) fn free(handle: Handle) -> Result<()> {
    let body = resolve(handle)?;
    if body.state() == State::New {
        stop(handle)?;
    }
    let word = slot_of(handle)?.word();
    let mut now = word.load(Ordering::Acquire);
    loop {
        check_word(now, handle)?;
        if now & GIVEN_UP != 0 {
            return Err(Code::Stale.into());
        }
        match word.compare_exchange(now, now | GIVEN_UP, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(other) => now = other,
        }
    }
    reclaim_if_given_up(handle);
    Ok(())
}

/// The slot is free when the thread is dead and its handle was given up: whoever sees both, of the two that make them
/// so, empties it. The life's lock lets one of them.
fn reclaim_if_given_up(handle: Handle) {
    let Ok(slot) = slot_of(handle) else { return };
    let life = {
        let mut life = slot.body().life.lock();
        let given_up = slot.word().load(Ordering::Acquire) & GIVEN_UP != 0;
        if life.handle != Some(handle) || !given_up || slot.body().state() != State::Dead {
            return;
        }
        std::mem::take(&mut *life)
    };
    drop(life);
    // The life names nobody any more, so this is the only caller that comes here.
    let _ = THREADS.remove(handle);
}

/// The calling OS thread becomes a RUNNING thread.
pub(crate) fn attach(name: Option<&str>) -> Result<Handle> {
    if current::current().is_some() {
        return Err(Error::new(Code::State, "the caller is a thread already"));
    }
    let handle = make_in(State::Running, name, None)?;
    let here = Here::new(handle, true)?;
    here.body.life.lock().os_thread = os_thread::current();
    become_thread(Some(here));
    ATTACHED.with(|attached| attached.0.replace(Some(locals::put_aside())));
    Ok(handle)
}

/// It stops being one, and is dead.
pub(crate) fn detach() -> Result<()> {
    let here = current::current().filter(|here| here.attached);
    let here = here.ok_or(Error::new(Code::State, "the caller is not attached"))?;
    if Nested::is_inside() || event_loop::current().is_some() {
        return Err(Error::new(Code::State, "the caller is inside a loop or a handler"));
    }
    let kept = ATTACHED.try_with(|attached| attached.0.take()).ok().flatten();
    end_attached(here, kept.unwrap_or_default());
    Ok(())
}

fn end_attached(here: Here, kept: locals::Kept) {
    let on_stop = here.body.life.lock().on_stop.take();
    call_hook(on_stop);
    die(here, None, kept);
}

/// Notices that an OS thread ends which is still attached.
struct Attached(std::cell::RefCell<Option<locals::Kept>>);

impl Drop for Attached {
    fn drop(&mut self) {
        if let (Some(kept), Some(here)) = (self.0.take(), current::current().filter(|here| here.attached)) {
            end_attached(here, kept);
        }
    }
}

thread_local! {
    static ATTACHED: Attached = const { Attached(std::cell::RefCell::new(None)) };
}

/// Where the thread's life stands.
pub(crate) fn state(handle: Handle) -> Result<State> {
    Ok(resolve(handle)?.state())
}

/// Was a stop or a kill asked for?
pub(crate) fn is_stopping(handle: Handle) -> Result<bool> {
    Ok(resolve(handle)?.stopping.load(Ordering::Acquire))
}

/// Its name.
pub(crate) fn name(handle: Handle) -> Result<Arc<str>> {
    resolve(handle)?.with_life(handle, |life| Ok(Arc::clone(&life.name)))
}

/// Sleeps; fails when the calling thread was killed.
pub(crate) fn sleep(duration: Nanos) -> Result<()> {
    crate::waiting::not_under_lock()?;
    wait::sleep(duration)
}

/// How many messages may wait, 0 for any number. NEW only, and attached before the first message.
pub(crate) fn set_queue_limit(handle: Handle, limit: usize) -> Result<()> {
    let body = resolve(handle)?;
    let early =
        current::current().is_some_and(|here| here.handle == handle && here.attached) && body.mailbox.is_untouched();
    body.with_life(handle, |_| {
        if body.state() != State::New && !early {
            return Err(Error::new(Code::State, "the thread was started"));
        }
        Ok(body.mailbox.set_limit(handle.bits(), limit)?)
    })
}

/// Has `hook` called on the thread before its body.
pub(crate) fn on_start(handle: Handle, hook: Option<Hook>) -> Result<()> {
    set_hook(handle, |life| std::mem::replace(&mut life.on_start, hook))
}

/// Has `hook` called on the thread after its body.
pub(crate) fn on_stop(handle: Handle, hook: Option<Hook>) -> Result<()> {
    set_hook(handle, |life| std::mem::replace(&mut life.on_stop, hook))
}

/// Has `told` called with each accepted message that nobody will handle.
pub(crate) fn on_undelivered(handle: Handle, told: Option<OnUndelivered>) -> Result<()> {
    set_hook(handle, |life| std::mem::replace(&mut life.on_undelivered, told))
}

/// Dropping the hook before may run user's code, so it is done without the lock.
fn set_hook<H>(handle: Handle, set: impl FnOnce(&mut Life) -> H) -> Result<()> {
    let old = resolve(handle)?.with_life(handle, |life| Ok(set(life)))?;
    drop(old);
    Ok(())
}
