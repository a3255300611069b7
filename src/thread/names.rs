//! Who is called what: names, which are one thread's at a time, and services, which pass on.

use super::{State, THREADS, resolve};
use crate::error::{Code, Error, Result};
use crate::handle::Handle;
use crate::sync::Mutex;
use crate::sys::fork;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::LazyLock;

#[derive(Default)]
struct Names {
    threads: HashMap<Arc<str>, Handle>,
    /// The publishers of each service that are not dead, in the order in which they came.
    services: HashMap<Arc<str>, Vec<Handle>>,
    /// What each thread publishes.
    published: HashMap<Handle, Vec<Arc<str>>>,
    /// How many names were made up.
    made_up: u64,
}

static NAMES: LazyLock<Mutex<Names>> = LazyLock::new(Mutex::default);

/// Keeps the names as they are around a fork.
pub(super) fn hold_still() {
    fork::hold(NAMES.lock());
}

/// The name, if it is one.
pub(crate) fn checked(name: Option<&str>) -> Result<Option<&str>> {
    let Some(given) = name else { return Ok(None) };
    let is_fit = |c: u8| c.is_ascii_alphanumeric() || b"._~-".contains(&c);
    if given.is_empty() || given == "." || given == ".." || !given.bytes().all(is_fit) {
        return Err(Error::new(Code::Name, "a name is made of A-Z a-z 0-9 . _ ~ -, and is not . or .."));
    }
    Ok(name)
}

/// Gives `handle` the name, or one that is made up, and tells `called`.
pub(super) fn take(handle: Handle, name: Option<&str>, called: impl FnOnce(Arc<str>)) -> Result<()> {
    let mut names = NAMES.lock();
    let name: Arc<str> = match name {
        Some(name) if names.is_taken(name) => {
            return Err(Error::new(Code::Exists, format!("there is a thread {name}")));
        }
        Some(name) => name.into(),
        None => names.make_up(),
    };
    names.threads.insert(Arc::clone(&name), handle);
    called(name);
    Ok(())
}

impl Names {
    /// A forked child has the parent's names, but not its threads.
    fn is_taken(&self, name: &str) -> bool {
        self.threads.get(name).is_some_and(|&owner| is_of_this_process(owner))
    }

    fn make_up(&mut self) -> Arc<str> {
        loop {
            self.made_up += 1;
            let name = format!("thread-{}", self.made_up);
            if !self.is_taken(&name) {
                return name.into();
            }
        }
    }
}

fn is_of_this_process(handle: Handle) -> bool {
    use crate::sync::atomic::Ordering;
    let generation = crate::sys::fork::generation();
    THREADS.get(handle).is_ok_and(|slot| slot.body().process.load(Ordering::Relaxed) == generation)
}

/// Takes the name and the services of `handle` away; `die` runs in the same step, so that nobody finds a dead thread
/// or is refused a dead one's name.
pub(super) fn release<R>(handle: Handle, die: impl FnOnce() -> R) -> R {
    let mut names = NAMES.lock();
    let result = die();
    let name = super::slot_of(handle).ok().map(|slot| Arc::clone(&slot.body().life.lock().name));
    if let Some(name) = name.filter(|name| names.threads.get(name) == Some(&handle)) {
        names.threads.remove(&name);
    }
    for service in names.published.remove(&handle).unwrap_or_default() {
        if let Some(publishers) = names.services.get_mut(&service) {
            publishers.retain(|&publisher| publisher != handle);
            if publishers.is_empty() {
                names.services.remove(&service);
            }
        }
    }
    result
}

/// The thread with this name that is NEW or RUNNING.
pub(crate) fn find(name: &str) -> Result<Handle> {
    crate::waiting::not_under_lock()?;
    let found = NAMES.lock().threads.get(name).copied();
    found
        .filter(|&handle| is_to_be_found(handle))
        .ok_or_else(|| Error::new(Code::NotFound, format!("no thread {name}")))
}

/// Is it there for everybody: not given up, not a parent process's?
fn is_to_be_found(handle: Handle) -> bool {
    let given_up = THREADS.get(handle).is_ok_and(|slot| {
        use crate::sync::atomic::Ordering;
        slot.word().load(Ordering::Acquire) & super::GIVEN_UP != 0
    });
    !given_up && resolve(handle).is_ok()
}

/// All threads that [`find`] finds.
pub(crate) fn list() -> Result<Vec<Handle>> {
    crate::waiting::not_under_lock()?;
    let mut all: Vec<Handle> = NAMES.lock().threads.values().copied().collect();
    all.retain(|&handle| is_to_be_found(handle));
    Ok(all)
}

/// The thread can be found by its service from now on, after those that published it before.
pub(crate) fn publish(handle: Handle, service: &str) -> Result<()> {
    let body = resolve(handle)?;
    checked(Some(service))?;
    let mut names = NAMES.lock();
    if body.state() == State::Dead {
        return Err(Code::Dead.into());
    }
    let service: Arc<str> = service.into();
    let publishers = names.services.entry(Arc::clone(&service)).or_default();
    if !publishers.contains(&handle) {
        publishers.push(handle);
        names.published.entry(handle).or_default().push(service);
    }
    Ok(())
}

/// The first of the living publishers of `service`.
pub(crate) fn find_service(service: &str) -> Result<Handle> {
    crate::waiting::not_under_lock()?;
    let publishers = NAMES.lock().services.get(service).cloned().unwrap_or_default();
    let first = publishers.into_iter().find(|&handle| is_to_be_found(handle));
    first.ok_or_else(|| Error::new(Code::NotFound, format!("nobody publishes {service}")))
}
