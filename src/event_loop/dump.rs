//! Every loop and its events as text, for people.

use super::life::Life;
use super::record::{Flags, Kind};
use super::records::Records;
use super::{LOOPS, Shared};
use crate::handle::Handle;
use crate::sync::atomic::Ordering;
use crate::sys::clock::now;
use crate::timer::Key;
use std::fmt::{Result, Write};

/// Writes down all loops, each as it is at the moment when it is looked at.
pub(crate) fn dump(out: &mut dyn Write) -> Result {
    for handle in LOOPS.all() {
        let Some(slot) = LOOPS.slot(handle.slot()) else { continue };
        let shared = slot.body();
        // What is written while the lock is held goes to memory; the caller's output may block.
        let mut text = String::new();
        if let Some(life) = shared.life.lock().as_mut().filter(|life| life.handle == handle) {
            dump_loop(&mut text, handle, shared, life)?;
        }
        out.write_str(&text)?;
    }
    Ok(())
}

fn dump_loop(out: &mut String, handle: Handle, shared: &Shared, life: &mut Life) -> Result {
    let state = match (shared.holder.runs(), shared.holder.thread()) {
        (_, 0) => "idle".to_owned(),
        (true, runner) => format!("run by OS thread {runner}"),
        (false, waiter) => format!("waited for by OS thread {waiter}"),
    };
    let stats = life.stats();
    writeln!(
        out,
        "loop {:#x}: {state}; {} events, {} pending, {} keep it running; {} ready; {} rounds, {} callbacks, {} posts",
        handle.bits(),
        stats.events,
        stats.pending,
        shared.holds.load(Ordering::Relaxed),
        life.ready.len(),
        stats.rounds,
        stats.callbacks,
        stats.posts,
    )?;
    for key in life.events.keys() {
        dump_event(out, &mut life.events, key)?;
    }
    Ok(())
}

fn dump_event(out: &mut String, events: &mut Records, key: Key) -> Result {
    let call = events.call(key);
    let (target, interest) = (call.target, call.interest);
    let handle = events.handle(key);
    let record = events.get(key);
    let handle = handle.filter(|_| !record.flags.has(Flags::FREED));
    let handle = handle.map_or("freed".to_owned(), |handle| format!("{:#x}", handle.bits()));
    write!(out, "  event {handle}: ")?;
    match record.kind {
        Kind::Fd => write!(out, "descriptor {target}, interest {interest:#x}")?,
        Kind::Signal => write!(out, "signal {target}")?,
        kind => write!(out, "{}", word(kind))?,
    }
    if record.node.is_armed() {
        let left = record.node.deadline().saturating_sub(now());
        write!(out, ", due in {}.{:06} ms", left / 1_000_000, (left % 1_000_000).abs())?;
    }
    let facts = [
        (Flags::ADDED, "added"),
        (Flags::QUEUED, "ready"),
        (Flags::OUT, "its callback is out"),
        (Flags::UNREFERENCED, "does not keep the loop"),
    ];
    for (flag, fact) in facts {
        if record.flags.has(flag) {
            write!(out, ", {fact}")?;
        }
    }
    writeln!(out)
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Vacant => "nothing",
        Kind::User => "to be activated",
        Kind::Fd => "descriptor",
        Kind::Signal => "signal",
        Kind::Idle => "every round",
        Kind::Delay => "delay",
        Kind::Interval => "interval",
    }
}
