//! All threads, as text and as a graph.

use super::{THREADS, stats};
use crate::handle::Handle;
use crate::sync::atomic::Ordering;
use std::fmt::{Result, Write};

/// One line for each thread: what it does, its queue, and what it waits for.
pub(crate) fn dump(out: &mut dyn Write) -> Result {
    for handle in THREADS.all() {
        let (Ok(slot), Ok(stats)) = (THREADS.get(handle), stats::stats(handle)) else { continue };
        let body = slot.body();
        let ledger = stats.ledger;
        write!(out, "thread {} {:?}", name(handle), body.state())?;
        if body.stopping.load(Ordering::Relaxed) {
            write!(out, " stopping")?;
        }
        write!(out, ": queued {} (peak {}), blocked senders {}", ledger.queued, ledger.peak, ledger.blocked_senders)?;
        write!(out, ", timers {}, accepted {}, handled {}", ledger.timers, ledger.accepted, ledger.handled)?;
        write!(out, ", coalesced {}, undelivered {}", ledger.coalesced, ledger.undelivered)?;
        match (stats.waiting_for, stats.waiting_on) {
            (Some(kind), Some(other)) => writeln!(out, "; {} -({})-> {}", name(handle), kind.word(), name(other))?,
            (Some(kind), None) => writeln!(out, "; waits: {}", kind.word())?,
            (None, _) => writeln!(out)?,
        }
    }
    Ok(())
}

/// Who waits for whom, for Graphviz.
pub(crate) fn dump_dot(out: &mut dyn Write) -> Result {
    writeln!(out, "digraph waits {{")?;
    for handle in THREADS.all() {
        let Ok(stats) = stats::stats(handle) else { continue };
        writeln!(out, "  \"{}\" [label=\"{} ({} queued)\"];", name(handle), name(handle), stats.ledger.queued)?;
        if let (Some(kind), Some(other)) = (stats.waiting_for, stats.waiting_on) {
            writeln!(out, "  \"{}\" -> \"{}\" [label=\"{}\"];", name(handle), name(other), kind.word())?;
        }
    }
    writeln!(out, "}}")
}

fn name(handle: Handle) -> String {
    super::wait::name_at(handle.slot())
}
