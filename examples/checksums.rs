//! checksums - the SHA-256 of all files under a directory, as `sha256sum` prints them: `checksums.c`'s twin.
//!
//!     cargo run --release --example checksums -- DIRECTORY
//!
//! A pool of threads reads and hashes; the loop's thread shows how far it is, on a terminal, and prints the sums in the
//! order of the names. Ctrl-C cancels: what is queued never starts, what runs stops at its next block.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use pirn::{EventLoop, EventRef, Pool};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

const BLOCK: usize = 128 * 1024;

/// What the jobs share with the loop's thread while they run.
#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    bytes: AtomicU64,
}

/// The loop's thread's own; behind a mutex only because callbacks may be sent.
struct Progress {
    paths: Vec<PathBuf>,
    sums: Vec<Option<io::Result<String>>>,
    printed: usize,
    failed: usize,
    /// What keeps the loop running beside the jobs.
    others: Vec<EventRef>,
}

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("usage: checksums DIRECTORY");
        return ExitCode::from(2);
    };
    match checksums(Path::new(&directory)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("checksums: {error}");
            ExitCode::FAILURE
        }
    }
}

fn checksums(directory: &Path) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut paths = Vec::new();
    find_files(directory, &mut paths)?;
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));

    let event_loop = EventLoop::new()?;
    let pool = Pool::new("checksums", available_parallelism().map_or(2, usize::from), 0)?;
    let shared = Arc::new(Shared::default());
    let sums = paths.iter().map(|_| None).collect();
    let progress =
        Arc::new(Mutex::new(Progress { paths: paths.clone(), sums, printed: 0, failed: 0, others: Vec::new() }));

    let jobs = paths.into_iter().enumerate().map(|(index, path)| {
        let (here, there) = (progress.clone(), shared.clone());
        let sum = pool.queue_work(&event_loop, move || hash(&path, &there))?;
        sum.on_end(move |sum| {
            let sum = sum.unwrap_or_else(|error| Err(io::Error::other(error)));
            lock(&here).ended(index, sum);
        });
        Ok(())
    });
    jobs.collect::<pirn::Result<()>>()?;

    let interrupted = shared.clone();
    let ctrl_c = event_loop.make_signal_event(libc::SIGINT, move |_, _| interrupted.cancelled.store(true, Relaxed))?;
    ctrl_c.add(None)?;
    let mut others = vec![ctrl_c.leak()];
    if io::stderr().is_terminal() {
        let (here, bytes) = (progress.clone(), shared.clone());
        let tick = move |_, _| lock(&here).show(bytes.bytes.load(Relaxed));
        others.push(event_loop.interval(Duration::from_millis(100), tick)?.leak());
    }
    lock(&progress).others = others;
    lock(&progress).finish_if_done();
    event_loop.run()?;

    let failed = lock(&progress).failed;
    Ok(match (shared.cancelled.load(Relaxed), failed) {
        (true, _) => ExitCode::from(130),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::FAILURE,
    })
}

impl Progress {
    /// A job came to its end; what is next in the order of the names is printed.
    fn ended(&mut self, index: usize, sum: io::Result<String>) {
        self.sums[index] = Some(sum);
        while let Some(Some(sum)) = self.sums.get_mut(self.printed).map(Option::take) {
            let path = self.paths[self.printed].display();
            match sum {
                Ok(sum) => println!("{sum}  {path}"),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.failed += 1,
                Err(error) => {
                    eprintln!("checksums: {path}: {error}");
                    self.failed += 1;
                }
            }
            self.printed += 1;
        }
        self.finish_if_done();
    }

    fn finish_if_done(&mut self) {
        if self.printed == self.paths.len() {
            for event in self.others.drain(..) {
                // It is this program's own, and freed here alone.
                let _ = event.free();
            }
        }
    }

    fn show(&self, bytes: u64) {
        let (done, all) = (self.printed, self.paths.len());
        let bar = "#".repeat(40 * done / all.max(1));
        eprint!("\r[{bar:<40}] {done}/{all} files, {} MB", bytes >> 20);
    }
}

/// Runs on one of the pool's threads.
fn hash(path: &Path, shared: &Shared) -> io::Result<String> {
    let mut block = vec![0; BLOCK];
    let mut file = if shared.cancelled.load(Relaxed) { return Err(cancelled()) } else { File::open(path)? };
    let mut sum = Sha256::new();
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(format!("{:x}", sum.finalize()));
        }
        if shared.cancelled.load(Relaxed) {
            return Err(cancelled());
        }
        sum.update(&block[..read]);
        shared.bytes.fetch_add(read as u64, Relaxed);
    }
}

fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "cancelled")
}

fn find_files(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in directory.read_dir()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            find_files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
