//! Pools through their Rust API.

use pirn::{Code, EventLoop, FutureState, Pool, queue_work};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A job that begins, says so, and ends when it is let go.
fn gate() -> (impl FnOnce() + Send + 'static, Receiver<()>, Sender<()>) {
    let (began, has_begun) = channel();
    let (let_go, may_go) = channel::<()>();
    let job = move || {
        began.send(()).expect("somebody who waits for it");
        // Let go by a message, or by nobody being there any more.
        let _ = may_go.recv();
    };
    (job, has_begun, let_go)
}

#[test]
fn a_hundred_thousand_jobs_are_all_accounted_for() {
    const JOBS: usize = 100_000;
    let event_loop = EventLoop::new().unwrap();
    let pool = Pool::new("account", 3, 0).unwrap();
    let counts: Arc<[AtomicUsize; 3]> = Arc::default();
    let ran = Arc::new(AtomicUsize::new(0));
    let mut cancelled = 0;
    let mut dice = 77u32;
    for number in 0..JOBS {
        let its_ran = Arc::clone(&ran);
        let job = move || {
            its_ran.fetch_add(1, Ordering::Relaxed);
            assert!(number % 1000 != 999, "as it must");
            if number % 7 == 3 { Err(number) } else { Ok(number) }
        };
        let future = pool.queue_work(&event_loop, job).unwrap();
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if dice >> 30 == 0 {
            match future.cancel() {
                Ok(yes) => cancelled += usize::from(yes),
                Err(error) => assert_eq!(error.code(), Code::Busy),
            }
        }
        let counts = Arc::clone(&counts);
        future.on_end(move |end| {
            let kind = match end {
                Ok(Ok(value)) => {
                    assert_eq!(value, number);
                    0
                }
                Ok(Err(value)) => {
                    assert_eq!(value, number);
                    0
                }
                Err(error) if error.code() == Code::Panic => 1,
                Err(error) => {
                    assert_eq!(error.code(), Code::Cancelled);
                    2
                }
            };
            counts[kind].fetch_add(1, Ordering::Relaxed);
        });
    }
    event_loop.run().unwrap();
    let [done, panicked, not_run] = [0, 1, 2].map(|kind: usize| counts[kind].load(Ordering::Relaxed));
    assert_eq!(done + panicked + not_run, JOBS);
    assert_eq!(not_run, cancelled);
    assert_eq!(ran.load(Ordering::Relaxed), JOBS - cancelled);
    assert!(panicked <= JOBS / 1000);
}

#[test]
fn sixteen_queued_jobs_are_cancelled_on_a_saturated_pool() {
    let event_loop = EventLoop::new().unwrap();
    let pool = Pool::new("saturated", 1, 0).unwrap();
    let (job, has_begun, let_go) = gate();
    let running = pool.queue_work(&event_loop, job).unwrap();
    has_begun.recv().unwrap();
    let owner = Arc::new(());
    let queued: Vec<_> = (0..16)
        .map(|_| {
            let owner = Arc::clone(&owner);
            pool.queue_work(&event_loop, move || drop(owner)).unwrap()
        })
        .collect();
    assert_eq!(running.cancel().unwrap_err().code(), Code::Busy);
    for future in &queued {
        assert!(future.cancel().unwrap());
        assert!(!future.cancel().unwrap());
    }
    assert_eq!(Arc::strong_count(&owner), 1, "what a cancelled job owns is dropped at once");
    let_go.send(()).unwrap();
    running.wait().unwrap();
    assert!(queued.into_iter().all(|future| future.wait().unwrap_err().code() == Code::Cancelled));
}

#[test]
fn eight_loops_get_their_own_results() {
    let threads: Vec<_> = (0..8u32)
        .map(|number| {
            thread::spawn(move || {
                let event_loop = EventLoop::new().unwrap();
                let here = thread::current().id();
                let got = Arc::new(AtomicUsize::new(0));
                for job in 0..1000 {
                    let future = queue_work(&event_loop, move || (number, job)).unwrap();
                    let got = Arc::clone(&got);
                    future.on_end(move |result| {
                        assert_eq!(result.unwrap(), (number, job));
                        assert_eq!(thread::current().id(), here);
                        got.fetch_add(1, Ordering::Relaxed);
                    });
                }
                event_loop.run().unwrap();
                assert_eq!(got.load(Ordering::Relaxed), 1000);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_full_queue_holds_its_submitter_and_not_its_loop() {
    let event_loop = EventLoop::new().unwrap();
    let pool = Arc::new(Pool::new("full", 1, 2).unwrap());
    let (job, has_begun, let_go) = gate();
    let running = pool.queue_work(&event_loop, job).unwrap();
    has_begun.recv().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let submit = |number: usize| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(number)
    };
    let queued = [0, 1].map(|number| pool.queue_work(&event_loop, submit(number)).unwrap());

    let through = Arc::new(AtomicBool::new(false));
    let submitter = {
        let (pool, on, job, through) = (Arc::clone(&pool), *event_loop, submit(2), Arc::clone(&through));
        thread::spawn(move || {
            let future = pool.queue_work(&on, job).unwrap();
            through.store(true, Ordering::SeqCst);
            future.wait().unwrap();
        })
    };
    thread::sleep(30 * MS);
    assert!(!through.load(Ordering::SeqCst));
    let refused = {
        let (pool, on) = (Arc::clone(&pool), *event_loop);
        event_loop.spawn(async move { pool.queue_work(&on, || ()).map(drop).unwrap_err().code() }).unwrap()
    };
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    assert_eq!(refused.wait().unwrap(), Code::Again);

    // A place that a cancelled job leaves goes to the one who waits.
    assert!(queued[0].cancel().unwrap());
    while !through.load(Ordering::SeqCst) {
        thread::yield_now();
    }
    let_go.send(()).unwrap();
    running.wait().unwrap();
    submitter.join().unwrap();
    assert_eq!(*order.lock().unwrap(), [1, 2]);
}

#[test]
fn a_job_that_waits_for_its_own_pool_is_told() {
    for width in 1..=3 {
        let event_loop = EventLoop::new().unwrap();
        let pool = Arc::new(Pool::new(&format!("nest{width}"), width, 0).unwrap());
        let inside = Arc::new(AtomicUsize::new(0));
        let parents: Vec<_> = (0..width)
            .map(|_| {
                let (inner, on, inside) = (Arc::clone(&pool), *event_loop, Arc::clone(&inside));
                let parent = move || {
                    inside.fetch_add(1, Ordering::SeqCst);
                    while inside.load(Ordering::SeqCst) < width {
                        thread::yield_now();
                    }
                    let child = inner.queue_work(&on, || ()).unwrap();
                    child.wait().map_err(|error| (error.code(), error.text().to_owned()))
                };
                pool.queue_work(&event_loop, parent).unwrap()
            })
            .collect();
        let failed: Vec<_> = parents.into_iter().filter_map(|parent| parent.wait().unwrap().err()).collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(failed[0].0, Code::Deadlock);
        assert!(failed[0].1.contains(&format!("nest{width}-1.{width} -(future)-> ")), "{}", failed[0].1);
    }
}

#[test]
fn a_job_that_fills_its_own_queue_is_told() {
    let event_loop = EventLoop::new().unwrap();
    let pool = Arc::new(Pool::new("gorged", 1, 1).unwrap());
    let (inner, on) = (Arc::clone(&pool), *event_loop);
    let glutton = move || {
        let first = inner.queue_work(&on, || ()).unwrap();
        let second = inner.queue_work(&on, || ()).map(drop).unwrap_err().code();
        drop(first);
        second
    };
    assert_eq!(pool.queue_work(&event_loop, glutton).unwrap().wait().unwrap(), Code::Deadlock);
}

#[test]
fn a_dropped_pool_ends_what_runs_and_cancels_what_waits() {
    let event_loop = EventLoop::new().unwrap();
    let pool = Pool::new("doomed", 1, 0).unwrap();
    assert_eq!(Pool::new("doomed", 1, 0).unwrap_err().code(), Code::Exists);
    let (job, has_begun, let_go) = gate();
    let running = pool.queue_work(&event_loop, job).unwrap();
    has_begun.recv().unwrap();
    let queued: Vec<_> = (0..5).map(|_| pool.queue_work(&event_loop, || panic!("cancelled")).unwrap()).collect();
    let opener = thread::spawn(move || {
        thread::sleep(30 * MS);
        let_go.send(()).unwrap();
    });
    drop(pool);
    assert_eq!(running.state(), FutureState::Finished);
    assert!(queued.iter().all(|future: &pirn::Future<()>| future.state() == FutureState::Cancelled));
    opener.join().unwrap();
    // Its names are free again.
    drop(Pool::new("doomed", 1, 0).unwrap());
}

#[test]
fn a_pool_grows_and_shrinks() {
    let event_loop = EventLoop::new().unwrap();
    let pool = Pool::new("elastic", 1, 0).unwrap();
    assert_eq!(pool.set_threads(0).unwrap_err().code(), Code::Invalid);
    for width in [3, 1, 4, 2, 2] {
        pool.set_threads(width).unwrap();
        // Exactly that many run at once.
        let (begun, ends): (Vec<_>, Vec<_>) = (0..width)
            .map(|_| {
                let (job, has_begun, let_go) = gate();
                (has_begun, (let_go, pool.queue_work(&event_loop, job).unwrap()))
            })
            .unzip();
        begun.iter().for_each(|begun| begun.recv().unwrap());
        let one_more = pool.queue_work(&event_loop, || ()).unwrap();
        thread::sleep(5 * MS);
        assert_eq!(one_more.state(), FutureState::Pending);
        for (let_go, running) in ends {
            let_go.send(()).unwrap();
            running.wait().unwrap();
        }
        one_more.wait().unwrap();
    }
}

#[test]
fn pools_need_a_name_and_a_thread() {
    assert_eq!(Pool::new("", 1, 0).unwrap_err().code(), Code::Name);
    assert_eq!(Pool::new("a/b", 1, 0).unwrap_err().code(), Code::Name);
    assert_eq!(Pool::new("none", 0, 0).unwrap_err().code(), Code::Invalid);
    let event_loop = EventLoop::new().unwrap();
    let on = *event_loop;
    drop(event_loop);
    assert_eq!(queue_work(&on, || ()).unwrap_err().code(), Code::Stale);
}

#[test]
fn a_job_is_done_although_the_one_woken_for_it_leaves() {
    let event_loop = EventLoop::new().unwrap();
    let pool = Arc::new(Pool::new("fickle", 2, 0).unwrap());
    let resizing = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || (0..500).for_each(|n| pool.set_threads(1 + n % 4).unwrap()))
    };
    while !resizing.is_finished() {
        assert_eq!(pool.queue_work(&event_loop, || 1).unwrap().wait().unwrap(), 1);
    }
    resizing.join().unwrap();
}
