//! The event loop through its Rust API.

#![expect(unsafe_code, reason = "a signal is sent")]

use pirn::{Code, End, EventLoop};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

#[test]
fn an_empty_loop_ends_at_once() {
    let event_loop = EventLoop::new().unwrap();
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    assert_eq!(event_loop.run_once(None).unwrap(), 0);
}

#[test]
fn another_thread_activates() {
    let event_loop = EventLoop::new().unwrap();
    let result = Arc::new(AtomicUsize::new(0));
    let seen = result.clone();
    let (sender, receiver) = mpsc::channel();
    let event = event_loop
        .make_event(move |event, what| {
            assert!(what.activated());
            // Relaxed: the activation itself makes it visible.
            sender.send(seen.load(Ordering::Relaxed)).unwrap();
            event.free().unwrap();
        })
        .unwrap();
    let event = event.leak();
    let worker = thread::spawn(move || {
        thread::sleep(20 * MS);
        result.store(42, Ordering::Relaxed);
        event.activate().unwrap();
    });
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    assert_eq!(receiver.recv().unwrap(), 42);
    worker.join().unwrap();
    assert_eq!(event.activate().unwrap_err().code(), Code::Stale);
}

#[test]
fn posts_are_first_in_first_out_and_none_is_lost() {
    let event_loop = EventLoop::new().unwrap();
    let event = event_loop.make_event(|_, _| ()).unwrap();
    let seen = Arc::new(Mutex::new(vec![0usize; 4]));
    let handle = *event_loop;
    let left = Arc::new(AtomicUsize::new(4 * 5000));
    let posters: Vec<_> = (0..4)
        .map(|poster| {
            let (seen, left) = (seen.clone(), left.clone());
            thread::spawn(move || {
                for number in 0..5000 {
                    let (seen, left) = (seen.clone(), left.clone());
                    handle
                        .post(move || {
                            let mut seen = seen.lock().unwrap();
                            assert_eq!(seen[poster], number);
                            seen[poster] += 1;
                            if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                                handle.exit().unwrap();
                            }
                        })
                        .unwrap();
                }
            })
        })
        .collect();
    assert_eq!(event_loop.run().unwrap(), End::Asked);
    posters.into_iter().for_each(|poster| poster.join().unwrap());
    assert_eq!(*seen.lock().unwrap(), vec![5000; 4]);
    drop(event);
}

#[test]
fn nothing_is_early_and_equal_deadlines_keep_their_order() {
    let event_loop = EventLoop::new().unwrap();
    let fired = Arc::new(AtomicUsize::new(0));
    let mut random = 12345u64;
    for _ in 0..10_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let delay = Duration::from_nanos((random >> 33) % 300_000_000);
        let due = Instant::now() + delay;
        let fired = fired.clone();
        event_loop
            .delay(delay, move || {
                assert!(Instant::now() >= due);
                fired.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
    }
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    assert_eq!(fired.load(Ordering::Relaxed), 10_000);
}

#[test]
fn a_panic_comes_out_of_the_run() {
    let event_loop = EventLoop::new().unwrap();
    event_loop.delay(Duration::ZERO, || panic!("on purpose")).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| event_loop.run()));
    assert_eq!(*caught.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
    assert_eq!(event_loop.run().unwrap(), End::Empty);
}

#[test]
fn a_timer_from_another_thread_wakes_a_sleeping_loop() {
    let event_loop = EventLoop::new().unwrap();
    let far = event_loop.delay(Duration::from_secs(30), || ()).unwrap();
    let handle = *event_loop;
    let start = Instant::now();
    let other = thread::spawn(move || {
        thread::sleep(10 * MS);
        handle.delay(10 * MS, move || assert!(far.remove().unwrap())).unwrap();
    });
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    assert!(start.elapsed() >= 20 * MS);
    assert!(start.elapsed() < Duration::from_secs(20));
    other.join().unwrap();
}

#[test]
fn removing_the_sole_timer_from_another_thread_ends_the_run() {
    let event_loop = EventLoop::new().unwrap();
    let timer = event_loop.delay(Duration::from_secs(30), || unreachable!()).unwrap();
    let other = thread::spawn(move || {
        thread::sleep(10 * MS);
        assert!(timer.remove().unwrap());
    });
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    other.join().unwrap();
}

#[test]
fn intervals_tick_and_collapse() {
    let event_loop = EventLoop::new().unwrap();
    let mut ticks = 0;
    let interval = event_loop
        .interval(2 * MS, move |event, what| {
            assert!(what.timeout());
            ticks += 1;
            if ticks == 1 {
                thread::sleep(20 * MS);
            }
            if ticks == 5 {
                event.free().unwrap();
            }
        })
        .unwrap()
        .leak();
    let start = Instant::now();
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    assert!(start.elapsed() >= 22 * MS + 3 * 2 * MS - 2 * MS);
    assert_eq!(interval.is_pending().unwrap_err().code(), Code::Stale);
}

#[test]
fn a_descriptor_and_a_timer_in_one_wait() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let event_loop = EventLoop::new().unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    let reads = Arc::new(AtomicUsize::new(0));
    let count = reads.clone();
    let event = event_loop
        .make_fd_event(far, pirn::Interest::READ, move |event, what, stream| {
            assert!(what.readable());
            let mut buffer = [0; 16];
            match stream.read(&mut buffer).unwrap() {
                0 => event.free().unwrap(),
                read => _ = count.fetch_add(read, Ordering::Relaxed),
            }
        })
        .unwrap();
    let event = event.leak();
    event.add(None).unwrap();
    event_loop
        .delay(5 * MS, move || {
            near.write_all(b"hello").unwrap();
        })
        .unwrap();
    assert_eq!(event_loop.run().unwrap(), End::Empty);
    assert_eq!(reads.load(Ordering::Relaxed), 5);
}

#[test]
fn a_signal_in_the_same_wait() {
    let event_loop = EventLoop::new().unwrap();
    let event = event_loop
        .make_signal_event(libc::SIGUSR1, |event, what| {
            assert!(what.signalled());
            event.free().unwrap();
        })
        .unwrap()
        .leak();
    event.add(None).unwrap();
    thread::spawn(|| {
        thread::sleep(10 * MS);
        let me = std::process::id() as i32;
        // SAFETY: kill has no preconditions.
        unsafe { libc::kill(me, libc::SIGUSR1) };
    });
    assert_eq!(event_loop.run().unwrap(), End::Empty);
}
