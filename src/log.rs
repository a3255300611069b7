//! What the library has to say that is no call's result: lines of text, to stderr or to whoever asked for them.

use std::fmt;
use std::io::Write;
use std::sync::{PoisonError, RwLock};

/// How serious a line is. The numbers are the C constants `PIRN_LOG_…`, libevent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i32)]
pub enum Level {
    /// For those who look into the library.
    Debug = 0,
    /// Good to know.
    Info = 1,
    /// Something is probably not as it was meant.
    Warning = 2,
    /// Something failed, and nobody else was there to be told.
    Error = 3,
}

/// Gets each line, and how serious it is.
pub type Sink = Box<dyn Fn(Level, &str) + Send + Sync>;

/// Not one of `sync`'s locks: no protocol of the library depends on it, and every floor may log.
static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// Sends every line to `sink` from now on; with `None`, errors go to stderr and the rest nowhere.
///
/// `sink` may be called from any thread, from several at once, and must not call the library. When this returns, the
/// one before it is not running any more and never will.
pub fn log_to(sink: Option<Sink>) {
    let before = std::mem::replace(&mut *SINK.write().unwrap_or_else(PoisonError::into_inner), sink);
    drop(before);
}

/// Says one line.
pub(crate) fn log(level: Level, line: fmt::Arguments<'_>) {
    match &*SINK.read().unwrap_or_else(PoisonError::into_inner) {
        Some(sink) => sink(level, &line.to_string()),
        None if level == Level::Error => {
            // Where stderr can't be written to, there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "pirn: {line}");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn lines_go_to_the_sink_while_there_is_one() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        log_to(Some(Box::new(move |level, line| kept.lock().unwrap().push((level, line.to_owned())))));
        log(Level::Info, format_args!("{} stones", 7));
        log_to(None);
        log(Level::Info, format_args!("nobody hears this"));
        // Other tests may log meanwhile.
        assert!(lines.lock().unwrap().contains(&(Level::Info, "7 stones".to_owned())));
        assert_eq!(Arc::strong_count(&lines), 1);
    }
}
