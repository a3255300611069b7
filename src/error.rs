//! What can go wrong: the pinned codes, and the error type that carries one.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::CStr;
use std::fmt;

/// A failure's kind. The numbers are the C constants `PIRN_E…` and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum Code {
    /// An argument is out of its range.
    Invalid = -1,
    /// Not a handle, or one of another kind.
    Handle = -2,
    /// The object was freed.
    Stale = -3,
    /// The object is not in a state that allows this.
    State = -4,
    /// Called from the wrong thread.
    Thread = -5,
    /// Not a valid name.
    Name = -6,
    /// The name is taken.
    Exists = -7,
    /// There is no such thing.
    NotFound = -8,
    /// It would have to wait.
    Again = -9,
    /// The time given is over.
    TimedOut = -10,
    /// Waiting would close a cycle of threads that wait for each other.
    Deadlock = -11,
    /// The thread is dead, or died meanwhile.
    Dead = -12,
    /// The calling thread was killed while it waited.
    Interrupted = -13,
    /// The other side's function returned a failure.
    Handler = -14,
    /// It was cancelled.
    Cancelled = -15,
    /// It is in use.
    Busy = -16,
    /// A panic was stopped at the library's edge.
    Panic = -17,
    /// Out of memory.
    NoMemory = -18,
    /// The operating system refused; the text has the errno.
    System = -19,
}

impl Code {
    /// Every code, in the order of the numbers.
    pub const ALL: [Code; 19] = [
        Code::Invalid,
        Code::Handle,
        Code::Stale,
        Code::State,
        Code::Thread,
        Code::Name,
        Code::Exists,
        Code::NotFound,
        Code::Again,
        Code::TimedOut,
        Code::Deadlock,
        Code::Dead,
        Code::Interrupted,
        Code::Handler,
        Code::Cancelled,
        Code::Busy,
        Code::Panic,
        Code::NoMemory,
        Code::System,
    ];

    /// The code with this number.
    pub fn from_number(number: i32) -> Option<Code> {
        Self::ALL.into_iter().find(|code| *code as i32 == number)
    }

    /// The C constant's name, `"PIRN_EINVAL"` and so on.
    pub fn name(self) -> &'static str {
        self.c_words().0.to_str().unwrap_or_default()
    }

    /// One line that says what the code means.
    pub fn text(self) -> &'static str {
        self.c_words().1.to_str().unwrap_or_default()
    }

    /// Name and meaning, as C reads them.
    pub(crate) fn c_words(self) -> (&'static CStr, &'static CStr) {
        match self {
            Code::Invalid => (c"PIRN_EINVAL", c"an argument is out of its range"),
            Code::Handle => (c"PIRN_EHANDLE", c"not a handle of this kind"),
            Code::Stale => (c"PIRN_ESTALE", c"the object was freed"),
            Code::State => (c"PIRN_ESTATE", c"the object's state does not allow this"),
            Code::Thread => (c"PIRN_ETHREAD", c"called from the wrong thread"),
            Code::Name => (c"PIRN_ENAME", c"not a valid name"),
            Code::Exists => (c"PIRN_EEXIST", c"the name is taken"),
            Code::NotFound => (c"PIRN_ENOENT", c"there is no such thing"),
            Code::Again => (c"PIRN_EAGAIN", c"it would have to wait"),
            Code::TimedOut => (c"PIRN_ETIMEDOUT", c"the time given is over"),
            Code::Deadlock => (c"PIRN_EDEADLK", c"waiting would close a cycle of waiting threads"),
            Code::Dead => (c"PIRN_EDEAD", c"the thread is dead"),
            Code::Interrupted => (c"PIRN_EINTERRUPTED", c"the waiting thread was killed"),
            Code::Handler => (c"PIRN_EHANDLER", c"the other side's function failed"),
            Code::Cancelled => (c"PIRN_ECANCELED", c"it was cancelled"),
            Code::Busy => (c"PIRN_EBUSY", c"it is in use"),
            Code::Panic => (c"PIRN_EPANIC", c"a panic was stopped at the library's edge"),
            Code::NoMemory => (c"PIRN_ENOMEM", c"out of memory"),
            Code::System => (c"PIRN_ESYS", c"the operating system refused"),
        }
    }
}

/// A failure: its [`Code`], and words for people.
///
/// Making one from a code alone does not allocate, so that a path which fails often
/// ([`Code::Again`] on a full queue) costs no more than one that succeeds.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: Code,
    /// Boxed, so that a result comes back in two registers.
    text: Option<Box<Cow<'static, str>>>,
}

/// The library's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with words of its own.
    pub fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: Some(Box::new(text.into())) }
    }

    /// What kind of failure it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened, for people.
    pub fn text(&self) -> &str {
        self.text.as_deref().map_or(self.code.text(), |text| text.as_ref())
    }

    /// The failure of a system call, from errno.
    pub(crate) fn system(call: &str) -> Self {
        Self::os(call, &std::io::Error::last_os_error())
    }

    /// The failure that the operating system reported for `call`.
    pub(crate) fn os(call: &str, error: &std::io::Error) -> Self {
        Self::new(Code::System, format!("{call}: {error}"))
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self { code, text: None }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.text())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

thread_local! {
    static LAST: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Keeps `error` as the calling thread's last one, for C callers.
pub(crate) fn remember(error: Error) {
    // A thread that is being torn down has no last error any more; nobody can ask for it.
    let _ = LAST.try_with(|last| last.replace(Some(error)));
}

/// The calling thread's last failure, as `look` sees it.
pub(crate) fn last<R>(look: impl FnOnce(Option<&Error>) -> R) -> R {
    let mut look = Some(look);
    let seen = LAST.try_with(|last| look.take().map(|look| look(last.borrow().as_ref())));
    match (seen, look) {
        (Ok(Some(result)), _) => result,
        (_, Some(look)) => look(None),
        // `look` was taken, so the first arm has its result.
        (_, None) => unreachable!("the closure ran without a result"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_one_to_one() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code as i32, -(index as i32) - 1);
            assert_eq!(Code::from_number(code as i32), Some(code));
        }
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(-20), None);
    }

    #[test]
    fn the_last_error_is_the_threads_own() {
        remember(Error::new(Code::Busy, "here"));
        std::thread::spawn(|| assert!(last(|e| e.is_none()))).join().expect("the other thread");
        assert_eq!(last(|e| e.map(Error::code)), Some(Code::Busy));
    }
}
