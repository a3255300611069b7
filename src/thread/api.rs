//! Threads for Rust: messages and replies of the user's own types.

use super::on_loop::Handler;
use super::{Key, Merge, Room, State, join::Joined, life, messages, names, receive as loops, send as sends};
use crate::error::{Code, Error, Result};
use crate::event_loop::{EventRef, LoopRef};
use crate::handle::Handle;
use crate::sys::clock::{NEVER, Nanos, after};
use crate::value::{Failure, Object, Value};
use crate::waiting;
use crate::waiting::waiter::Kind;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// What a thread is made with.
///
/// ```
/// use pirn::Builder;
///
/// // A thread that adds up what it is sent, and answers with the sum so far.
/// let mut sum = 0;
/// let adder = Builder::new().name("adder").serve(move |number: i64| {
///     sum += number;
///     Ok(sum)
/// })?;
/// adder.send(40)?;
/// assert_eq!(adder.call(2)?, 42);
/// adder.stop()?;
/// adder.join()?;
/// # Ok::<(), pirn::Error>(())
/// ```
#[derive(Default)]
pub struct Builder {
    name: Option<String>,
    queue_limit: Option<usize>,
    on_start: Option<life::Hook>,
    on_stop: Option<life::Hook>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).field("queue_limit", &self.queue_limit).finish()
    }
}

impl Builder {
    /// A thread with a made-up name, and room for 1000 messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names it: `A-Z a-z 0-9 . _ ~ -`, and no other living thread's name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many messages may wait; 0 for any number.
    #[must_use]
    pub fn queue_limit(mut self, messages: usize) -> Self {
        self.queue_limit = Some(messages);
        self
    }

    /// Runs on the thread before its body.
    #[must_use]
    pub fn on_start(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.on_start = Some(Box::new(hook));
        self
    }

    /// Runs on the thread after its body, however that ended.
    #[must_use]
    pub fn on_stop(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.on_stop = Some(Box::new(hook));
        self
    }

    /// Starts a thread that handles its messages one by one until it is stopped. What `handler` returns goes to the
    /// caller, if the message was a call.
    pub fn serve<M, R>(self, handler: impl FnMut(M) -> Result<R> + Send + 'static) -> Result<Thread<M, R>>
    where
        M: Send + 'static,
        R: Send + 'static,
    {
        self.spawn(move |inbox: Inbox<M, R>| inbox.receive(handler))
    }

    /// Starts a thread that runs `body`, which receives as it likes.
    pub fn spawn<M, R, T>(self, body: impl FnOnce(Inbox<M, R>) -> Result<T> + Send + 'static) -> Result<Thread<M, R, T>>
    where
        M: Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        let thread = self.make(body)?;
        life::start(thread.handle)?;
        Ok(thread)
    }

    /// Makes the thread without starting it: messages wait until [`ThreadRef::start`].
    pub fn make<M, R, T>(self, body: impl FnOnce(Inbox<M, R>) -> Result<T> + Send + 'static) -> Result<Thread<M, R, T>>
    where
        M: Send + 'static,
        R: Send + 'static,
        T: Send + 'static,
    {
        waiting::not_under_lock()?;
        let run = move |own| match body(Inbox { own, types: PhantomData }) {
            Ok(result) => Ok(Value::Object(Object::new(result))),
            Err(error) => Err(Failure::from(&error)),
        };
        let thread = Thread(ThreadRef::of(life::make(self.name.as_deref(), Box::new(run))?));
        if let Some(limit) = self.queue_limit {
            life::set_queue_limit(thread.handle, limit)?;
        }
        life::on_start(thread.handle, self.on_start)?;
        life::on_stop(thread.handle, self.on_stop)?;
        Ok(thread)
    }
}

/// A thread, owned: dropping it gives the handle up, and the thread lives on until it is stopped.
///
/// `M` is what it is sent, `R` what it answers, `T` what its body returns.
#[derive(Debug)]
pub struct Thread<M, R = (), T = ()>(ThreadRef<M, R, T>);

impl<M, R, T> std::ops::Deref for Thread<M, R, T> {
    type Target = ThreadRef<M, R, T>;

    fn deref(&self) -> &ThreadRef<M, R, T> {
        &self.0
    }
}

impl<M, R, T> Drop for Thread<M, R, T> {
    fn drop(&mut self) {
        // Stale when it was freed by hand.
        let _ = life::free(self.0.handle);
    }
}

/// A thread, by its handle: free to copy, and to use from any thread. Of one that was given up, every call is
/// [`Code::Stale`].
pub struct ThreadRef<M, R = (), T = ()> {
    pub(super) handle: Handle,
    types: PhantomData<fn(M) -> (R, T)>,
}

impl<M, R, T> Clone for ThreadRef<M, R, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, R, T> Copy for ThreadRef<M, R, T> {}

impl<M, R, T> fmt::Debug for ThreadRef<M, R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThreadRef({:#x})", self.handle.bits())
    }
}

/// A message that was not sent, and why.
pub struct SendError<M> {
    /// The message, back again.
    pub message: Option<M>,
    /// Why it was not sent.
    pub error: Error,
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<M> std::error::Error for SendError<M> {}

impl<M> From<SendError<M>> for Error {
    fn from(refused: SendError<M>) -> Self {
        refused.error
    }
}

impl<M, R, T> ThreadRef<M, R, T> {
    fn of(handle: Handle) -> Self {
        Self { handle, types: PhantomData }
    }

    /// Starts one that was made.
    pub fn start(&self) -> Result<()> {
        life::start(self.handle)
    }

    /// Runs one that was made, on the calling OS thread; back when it is dead.
    pub fn run(&self) -> Result<()> {
        life::run(self.handle)
    }

    /// Asks it to end: what is queued is still handled.
    pub fn stop(&self) -> Result<()> {
        life::stop(self.handle)
    }

    /// Ends it at its next wait; what is queued is discarded.
    pub fn kill(&self) -> Result<()> {
        life::kill(self.handle)
    }

    /// Its name.
    pub fn name(&self) -> Result<String> {
        Ok(life::name(self.handle)?.to_string())
    }

    /// Where its life stands.
    pub fn state(&self) -> Result<State> {
        life::state(self.handle)
    }

    /// Was it asked to end?
    pub fn is_stopping(&self) -> Result<bool> {
        life::is_stopping(self.handle)
    }

    /// What it has counted.
    pub fn stats(&self) -> Result<ThreadStats> {
        let stats = super::stats(self.handle)?;
        Ok(ThreadStats { ledger: stats.ledger, waits_for: stats.waiting_for.map(Kind::word) })
    }

    /// Activates `event` when it is dead.
    pub fn when_dead(&self, event: EventRef) -> Result<()> {
        super::when_dead(self.handle, event.0)
    }

    /// Lets it be found by what it does, see [`ThreadRef::find_service`].
    pub fn publish(&self, service: &str) -> Result<()> {
        names::publish(self.handle, service)
    }

    /// Takes back what [`ThreadRef::send_later`] has promised: false when it had come.
    pub fn cancel_later(&self, ticket: Ticket) -> Result<bool> {
        sends::cancel_later(self.handle, ticket.0)
    }
}

/// A message that is to come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

/// What a thread has counted: accepted = handled + coalesced + undelivered + queued.
#[derive(Debug, Clone, Copy)]
pub struct ThreadStats {
    ledger: crate::mailbox::Ledger,
    waits_for: Option<&'static str>,
}

impl ThreadStats {
    /// Messages that wait.
    pub fn queued(&self) -> u64 {
        self.ledger.queued
    }

    /// The most that ever waited.
    pub fn peak(&self) -> u64 {
        self.ledger.peak
    }

    /// Messages taken into the queue.
    pub fn accepted(&self) -> u64 {
        self.ledger.accepted
    }

    /// Messages given to a handler.
    pub fn handled(&self) -> u64 {
        self.ledger.handled
    }

    /// Messages merged into others.
    pub fn coalesced(&self) -> u64 {
        self.ledger.coalesced
    }

    /// Accepted messages that nobody will handle.
    pub fn undelivered(&self) -> u64 {
        self.ledger.undelivered
    }

    /// Senders that wait for room.
    pub fn blocked_senders(&self) -> u64 {
        self.ledger.blocked_senders
    }

    /// What it waits for, in a word.
    pub fn waits_for(&self) -> Option<&'static str> {
        self.waits_for
    }
}

impl<M: Send + 'static, R: Send + 'static, T: Send + 'static> ThreadRef<M, R, T> {
    /// The living thread with this name. Its types are taken on trust: messages of others fail where they are handled.
    pub fn find(name: &str) -> Result<Self> {
        names::find(name).map(Self::of)
    }

    /// The first of the living threads that publish `service`.
    pub fn find_service(service: &str) -> Result<Self> {
        names::find_service(service).map(Self::of)
    }

    /// Sends a message and does not wait for it to be handled; waits while the queue is full.
    pub fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.send_if(message, Room::Until(NEVER))
    }

    /// Sends a message if there is room for it, else [`Code::Again`].
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        self.send_if(message, Room::Now)
    }

    /// Sends a message; waits for room no longer than `timeout`.
    pub fn send_within(&self, message: M, timeout: Duration) -> Result<(), SendError<M>> {
        self.send_if(message, Room::Until(deadline(timeout)))
    }

    fn send_if(&self, message: M, room: Room) -> Result<(), SendError<M>> {
        let mut value = Value::Object(Object::new(message));
        let sent = waiting::not_under_lock().and_then(|()| sends::send(self.handle, &mut value, room));
        sent.map_err(|error| SendError { message: take(value).ok(), error })
    }

    /// Sends a message and waits for the answer. The handler's failure is [`Code::Handler`] with its words; a wait that
    /// would never end is [`Code::Deadlock`].
    pub fn call(&self, message: M) -> Result<R> {
        self.call_until(message, NEVER)
    }

    /// The same, no longer than `timeout`.
    pub fn call_within(&self, message: M, timeout: Duration) -> Result<R> {
        self.call_until(message, deadline(timeout))
    }

    fn call_until(&self, message: M, deadline: Nanos) -> Result<R> {
        waiting::not_under_lock()?;
        let mut value = Value::Object(Object::new(message));
        match sends::call(self.handle, &mut value, deadline)? {
            Ok(reply) => take(reply),
            Err(failure) => Err(failed(&failure)),
        }
    }

    /// Sends a message after `delay`; it needs no room, and goes before those that wait.
    pub fn send_later(&self, delay: Duration, message: M) -> Result<Ticket> {
        waiting::not_under_lock()?;
        let mut value = Value::Object(Object::new(message));
        sends::send_later(self.handle, nanos(delay), &mut value, false).map(Ticket)
    }

    /// Sends `message` to `watcher` when this thread is dead, however it died. Never blocks, and needs no room.
    pub fn monitor<M2: Send + 'static, R2, T2>(&self, watcher: &ThreadRef<M2, R2, T2>, message: M2) -> Result<()> {
        let mut value = Value::Object(Object::new(message));
        super::monitor(self.handle, watcher.handle, &mut value)
    }

    /// Waits until it is dead; what its body returned. Only the first who asks gets that, others [`Code::State`].
    pub fn join(&self) -> Result<T> {
        joined(super::join(self.handle, NEVER)?)
    }

    /// The same, no longer than `timeout`.
    pub fn join_within(&self, timeout: Duration) -> Result<T> {
        joined(super::join(self.handle, deadline(timeout))?)
    }
}

fn joined<T: 'static>(joined: Joined) -> Result<T> {
    match joined {
        Joined::Finished(Value::Nil) => Err(Error::new(Code::State, "there is no result, or no longer")),
        Joined::Finished(value) => take(value),
        Joined::Failed(Some(failure)) => Err(failed(&failure)),
        Joined::Failed(None) => Err(Code::Handler.into()),
    }
}

fn failed(failure: &Failure) -> Error {
    Error::new(Code::Handler, failure.text().into_owned())
}

/// What a value of a typed thread holds.
fn take<V: 'static>(value: Value) -> Result<V> {
    match value {
        Value::Object(object) => object.take().ok_or_else(wrong_type),
        _ => Err(wrong_type()),
    }
}

fn wrong_type() -> Error {
    Error::new(Code::Invalid, "a message of another type")
}

/// A thread's own end of its queue. It stays on the thread.
#[derive(Debug)]
pub struct Inbox<M, R = ()> {
    own: Handle,
    /// Not Send: only the thread itself receives.
    types: PhantomData<*mut (M, R)>,
}

impl<M: Send + 'static, R: Send + 'static> Inbox<M, R> {
    /// The thread, to give to others.
    pub fn thread(&self) -> ThreadRef<M, R, ()> {
        ThreadRef::of(self.own)
    }

    /// Was the thread asked to end?
    pub fn is_stopping(&self) -> bool {
        life::is_stopping(self.own).unwrap_or(true)
    }

    /// Handles messages until the thread is stopped and its queue is empty; [`Code::Interrupted`] when it is killed.
    pub fn receive(&self, handler: impl FnMut(M) -> Result<R>) -> Result<()> {
        loops::receive(self.own, on_value(handler, Object::new))
    }

    /// The same; a message is merged into one that waits under the same key, by `merge`.
    ///
    /// Both run when a message is sent, on the sender's thread, under a lock: they are quick, and call nothing of this
    /// library. Everybody whose call was merged gets a copy of the answer.
    pub fn receive_merging<K: Into<Value>>(
        &self,
        mut key: impl FnMut(&M) -> Option<K> + Send + 'static,
        mut merge: impl FnMut(&mut M, &M) + Send + 'static,
        handler: impl FnMut(M) -> Result<R>,
    ) -> Result<()>
    where
        R: Clone,
    {
        let key: Key = Box::new(move |value| key(look(value)?).map(Into::into));
        let merge: Merge = Box::new(move |pending, incoming| match (look_mut(pending), look(incoming)) {
            (Some(pending), Some(incoming)) => {
                merge(pending, incoming);
                true
            }
            _ => false,
        });
        loops::receive_merging(self.own, Some(key), Some(merge), on_value(handler, Object::copyable))
    }

    /// Has messages handled inside the runs of `event_loop`, which they keep running until the thread is stopped.
    pub fn receive_on(&self, event_loop: LoopRef, handler: impl FnMut(M) -> Result<R> + Send + 'static) -> Result<()> {
        let handler: Handler = Box::new(on_value(handler, Object::new));
        super::receive_on(self.own, event_loop.0, handler)
    }

    /// Waits for a message no longer than `timeout` (`None`: without end), and takes it; none when the time is over.
    /// [`Code::Cancelled`] when the thread is stopped and everything was taken.
    pub fn take(&self, timeout: Option<Duration>) -> Result<Option<Mail<M, R>>> {
        if !messages::wait(self.own, timeout.map_or(NEVER, deadline))? {
            return Ok(None);
        }
        match messages::take(self.own) {
            Ok(message) => Ok(Some(Mail { message, types: PhantomData })),
            // It was withdrawn.
            Err(error) if error.code() == Code::Again => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn look<M: 'static>(value: &Value) -> Option<&M> {
    if let Value::Object(object) = value { object.get() } else { None }
}

fn look_mut<M: 'static>(value: &mut Value) -> Option<&mut M> {
    if let Value::Object(object) = value { object.get_mut() } else { None }
}

fn on_value<M: 'static, R: Send + 'static>(
    mut handler: impl FnMut(M) -> Result<R>,
    wrap: fn(R) -> Object,
) -> impl FnMut(&mut Value) -> Result<Value, Failure> {
    move |value: &mut Value| {
        let handled = take(std::mem::take(value)).and_then(&mut handler);
        handled.map(|reply| Value::Object(wrap(reply))).map_err(|error| Failure::from(&error))
    }
}

/// A message that was taken. Dropped unanswered, its caller is told that no answer will come.
#[derive(Debug)]
pub struct Mail<M, R> {
    message: Handle,
    types: PhantomData<fn(R) -> M>,
}

impl<M: Send + 'static, R: Send + 'static> Mail<M, R> {
    /// The message itself; once.
    pub fn message(&self) -> Result<M> {
        take(messages::value_of(self.message)?)
    }

    /// Answers it. If nobody waits for the answer, it is dropped.
    pub fn reply(self, reply: R) -> Result<()> {
        messages::reply(self.message, &mut Value::Object(Object::new(reply)))
    }

    /// Answers it with a failure.
    pub fn fail(self, error: &Error) -> Result<()> {
        messages::fail(self.message, Failure::from(error))
    }
}

impl<M, R> Drop for Mail<M, R> {
    fn drop(&mut self) {
        let _ = messages::free_message(self.message);
    }
}

/// The calling OS thread as one of the library's threads, until this is dropped.
#[derive(Debug)]
pub struct Attached<M, R = ()> {
    inbox: Inbox<M, R>,
}

impl<M: Send + 'static, R: Send + 'static> Attached<M, R> {
    /// Makes the calling OS thread a running thread; without a name it gets one.
    pub fn new(name: Option<&str>) -> Result<Self> {
        Ok(Self { inbox: Inbox { own: life::attach(name)?, types: PhantomData } })
    }

    /// Its messages.
    pub fn inbox(&self) -> &Inbox<M, R> {
        &self.inbox
    }
}

impl<M, R> Drop for Attached<M, R> {
    fn drop(&mut self) {
        // Inside a loop it stays what it is until the OS thread ends.
        let _ = life::detach();
        let _ = life::free(self.inbox.own);
    }
}

/// Sleeps; [`Code::Interrupted`] when the calling thread is killed.
pub fn sleep(duration: Duration) -> Result<()> {
    life::sleep(nanos(duration))
}

fn nanos(duration: Duration) -> Nanos {
    // The longest that fits is 292 years; longer is the same in effect.
    Nanos::try_from(duration.as_nanos()).unwrap_or(NEVER - 1)
}

fn deadline(timeout: Duration) -> Nanos {
    if timeout.is_zero() { 0 } else { after(nanos(timeout)).min(NEVER - 1) }
}
