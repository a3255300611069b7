//! Futures through their Rust API.

use pirn::{Code, Error, EventLoop, Future, FutureState, LoopRef, Promise, queue_work};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn pair<T: Send + 'static>(event_loop: &LoopRef) -> (Promise<T>, Future<T>) {
    event_loop.future().expect("a future")
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("a failure").code()
}

#[test]
fn a_callback_gets_the_result_on_the_loops_thread() {
    let event_loop = EventLoop::new().unwrap();
    let (promise, future) = pair(&event_loop);
    let seen = Arc::new(Mutex::new(None));
    let place = Arc::clone(&seen);
    future.on_end(move |text: Result<String, Error>| {
        *place.lock().unwrap() = Some((text.unwrap(), thread::current().id(), LoopRef::current()));
    });
    let other = thread::spawn(move || {
        thread::sleep(20 * MS);
        promise.finish("late".to_owned()).unwrap();
    });
    // The pending future keeps it running.
    event_loop.run().unwrap();
    let expected = ("late".to_owned(), thread::current().id(), Some(*event_loop));
    assert_eq!(seen.lock().unwrap().take(), Some(expected));
    other.join().unwrap();
}

#[test]
fn what_was_promised_and_not_kept_is_dead() {
    let event_loop = EventLoop::new().unwrap();
    let (promise, future) = pair::<i32>(&event_loop);
    drop(promise);
    assert_eq!(code(future.wait()), Code::Dead);
    let (promise, future) = pair::<i32>(&event_loop);
    promise.fail(&Error::new(Code::NotFound, "no such stone")).unwrap();
    let error = future.wait().unwrap_err();
    assert_eq!((error.code(), error.text()), (Code::NotFound, "no such stone"));
}

#[test]
fn a_result_is_given_out_once_and_dropped_once() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    let (promise, mut future) = pair(&event_loop);
    assert_eq!(code(future.wait_within(MS).map(drop)), Code::TimedOut);
    promise.finish(Counted(Arc::clone(&drops))).unwrap();
    drop(future.wait_within(MS).unwrap());
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(code(future.wait_within(MS).map(drop)), Code::State);
    let (promise, future) = pair(&event_loop);
    promise.finish(Counted(Arc::clone(&drops))).unwrap();
    drop(future);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}

#[test]
fn a_freed_loop_drops_what_is_attached_and_leaves_the_waits() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    let (kept, counted) = (Arc::clone(&drops), |drops: &Arc<AtomicUsize>| Counted(Arc::clone(drops)));
    let mut promises = Vec::new();
    for pending in [true, false] {
        let (promise, future) = pair::<i32>(&event_loop);
        let owner = counted(&drops);
        future.on_end(move |_| {
            let _owner = owner;
            panic!("a callback of a freed loop ran");
        });
        if pending {
            promises.push(promise);
        } else {
            promise.finish(1).unwrap();
        }
    }
    let (promise, future) = pair::<i32>(&event_loop);
    let owner = counted(&drops);
    let then = future
        .then(move |_| {
            let _owner = &owner;
        })
        .unwrap();
    let (waited_promise, waited) = pair(&event_loop);
    drop(event_loop);
    promises.into_iter().for_each(|promise| promise.finish(2).unwrap());
    promise.finish(3).unwrap();
    assert_eq!(kept.load(Ordering::SeqCst), 3);
    assert_eq!(code(then.wait()), Code::Dead);
    waited_promise.finish(4).unwrap();
    assert_eq!(waited.wait().unwrap(), 4);
}

#[test]
fn eight_threads_race_for_one_end() {
    const RACERS: usize = 8;
    let event_loop = EventLoop::new().unwrap();
    for round in 0..300 {
        let drops = Arc::new(AtomicUsize::new(0));
        let (promise, future) = pair(&event_loop);
        let future = Arc::new(future);
        let promise = Arc::new(Mutex::new(Some(promise)));
        let line = Arc::new(Barrier::new(RACERS));
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let (future, promise, line, drops) =
                    (Arc::clone(&future), Arc::clone(&promise), Arc::clone(&line), Arc::clone(&drops));
                thread::spawn(move || {
                    line.wait();
                    if racer % 2 == round % 2 {
                        return future.cancel().unwrap();
                    }
                    let mine = promise.lock().unwrap().take();
                    mine.is_some_and(|promise| promise.finish(Counted(drops)).is_ok())
                })
            })
            .collect();
        let ends = racers.into_iter().filter(|_| true).map(|racer| usize::from(racer.join().unwrap())).sum::<usize>();
        assert_eq!(ends, 1);
        let finished = future.state() == FutureState::Finished;
        drop(future);
        let made = if finished { 1 } else { drops.load(Ordering::SeqCst) };
        assert_eq!(drops.load(Ordering::SeqCst), made);
    }
}

#[test]
fn a_long_chain_of_thens_ends() {
    const LENGTH: u64 = 100_000;
    let event_loop = EventLoop::new().unwrap();
    let (promise, first) = pair(&event_loop);
    let mut last = first;
    for _ in 0..LENGTH {
        last = last.then(|n: u64| n + 1).unwrap();
    }
    promise.finish(0).unwrap();
    event_loop.run().unwrap();
    assert_eq!(last.wait().unwrap(), LENGTH);
    // One that is never run is dropped as well as one that is.
    let (promise, first) = pair(&event_loop);
    let mut last = first;
    for _ in 0..LENGTH {
        last = last.then(|n: u64| n + 1).unwrap();
    }
    drop(event_loop);
    drop(promise);
    assert_eq!(code(last.wait()), Code::Dead);
}

#[test]
fn a_long_way_of_forwards_ends_in_whatever_order_it_was_laid() {
    const LENGTH: usize = 100_000;
    let event_loop = EventLoop::new().unwrap();
    for forwards in [true, false] {
        let (mut promises, mut futures): (Vec<_>, Vec<_>) = (0..LENGTH).map(|_| pair::<usize>(&event_loop)).unzip();
        let wanted = futures.remove(0);
        let last = promises.pop().unwrap();
        let mut way: Vec<_> = promises.into_iter().zip(futures).collect();
        if !forwards {
            way.reverse();
        }
        for (promise, future) in way {
            promise.forward(future).unwrap();
        }
        last.finish(7).unwrap();
        assert_eq!(wanted.wait().unwrap(), 7);
    }
}

#[test]
fn a_future_can_not_end_as_it_ends_itself() {
    let event_loop = EventLoop::new().unwrap();
    let (promise, future) = pair::<i32>(&event_loop);
    assert_eq!(code(promise.forward(future)), Code::Deadlock);
}

#[test]
fn and_then_goes_on_with_another_future() {
    let event_loop = EventLoop::new().unwrap();
    let on = *event_loop;
    let nine = queue_work(&event_loop, || 4).unwrap();
    let nine = nine.and_then(move |four| queue_work(&on, move || four + 5)).unwrap();
    let failed = queue_work(&event_loop, || 4).unwrap();
    let failed = failed.and_then(|_| Err::<Future<i32>, _>(Error::from(Code::NotFound))).unwrap();
    let panicked = queue_work(&event_loop, || 4).unwrap().then(|_| panic!("as it must")).unwrap();
    let passed = panicked.then(|()| unreachable!("a failure passes through")).unwrap();
    event_loop.run().unwrap();
    assert_eq!(nine.wait().unwrap(), 9);
    assert_eq!(code(failed.wait()), Code::NotFound);
    let error = passed.then(|_: ()| ()).unwrap();
    event_loop.run().unwrap();
    assert_eq!(code(error.wait()), Code::Panic);
}

#[test]
fn a_cancelled_then_is_not_called() {
    let event_loop = EventLoop::new().unwrap();
    let (promise, future) = pair(&event_loop);
    let then = future.then(|_: i32| panic!("nobody wants it")).unwrap();
    assert!(then.cancel().unwrap());
    assert!(!then.cancel().unwrap());
    promise.finish(1).unwrap();
    event_loop.run().unwrap();
    assert_eq!(code(then.wait()), Code::Cancelled);
}

#[test]
fn waiting_for_ones_own_loop_is_a_deadlock() {
    let event_loop = EventLoop::new().unwrap();
    let on = *event_loop;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let place = Arc::clone(&seen);
    event_loop
        .post(move || {
            let (promise, future) = pair::<i32>(&on);
            let then = future.then(|n| n + 1).unwrap();
            promise.finish(1).unwrap();
            place.lock().unwrap().push(code(then.wait()));
            // Work in the background ends without the loop.
            assert_eq!(queue_work(&on, || 3).unwrap().wait().unwrap(), 3);
        })
        .unwrap();
    event_loop.run().unwrap();
    assert_eq!(*seen.lock().unwrap(), [Code::Deadlock]);
}

#[test]
fn all_and_any() {
    let event_loop = EventLoop::new().unwrap();
    let (promises, futures): (Vec<_>, Vec<_>) = (0..5).map(|_| pair::<usize>(&event_loop)).unzip();
    let mut all = Future::all(&event_loop, futures).unwrap();
    for (number, promise) in promises.into_iter().enumerate().rev() {
        assert_eq!(code(all.wait_within(Duration::ZERO)), Code::TimedOut);
        promise.finish(number * number).unwrap();
    }
    assert_eq!(all.wait().unwrap(), [0, 1, 4, 9, 16]);
    assert_eq!(Future::all(&event_loop, Vec::<Future<u8>>::new()).unwrap().wait().unwrap(), [0; 0]);

    let (mut promises, futures): (Vec<_>, Vec<_>) = (0..3).map(|_| pair::<u8>(&event_loop)).unzip();
    let all = Future::all(&event_loop, futures).unwrap();
    promises.remove(1).fail(&Code::NotFound.into()).unwrap();
    assert_eq!(code(all.wait()), Code::NotFound);

    let (mut promises, futures): (Vec<_>, Vec<_>) = (0..3).map(|_| pair::<u8>(&event_loop)).unzip();
    let any = Future::any(&event_loop, futures).unwrap();
    promises.remove(0).fail(&Code::NotFound.into()).unwrap();
    promises.remove(1).finish(2).unwrap();
    assert_eq!(any.wait().unwrap(), 2);
    assert_eq!(code(Future::any(&event_loop, Vec::<Future<u8>>::new())), Code::Invalid);
    let (promise, future) = pair::<u8>(&event_loop);
    let none = Future::any(&event_loop, [future]).unwrap();
    drop(promise);
    assert_eq!(code(none.wait()), Code::Dead);
}

/// Wakes by unparking, as the simplest executor there is.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: std::future::Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn any_executor_awaits() {
    let event_loop = EventLoop::new().unwrap();
    for _ in 0..1000 {
        let future = queue_work(&event_loop, || 42).unwrap();
        assert_eq!(block_on(future).unwrap(), 42);
    }
}

#[test]
fn tasks_are_polled_on_the_loops_thread_and_keep_it_running() {
    let event_loop = EventLoop::new().unwrap();
    let on = *event_loop;
    let here = thread::current().id();
    let (promise, late) = pair::<u32>(&event_loop);
    let task = event_loop
        .spawn(async move {
            let mut sum = late.await.unwrap();
            for n in 0..100u32 {
                assert_eq!(thread::current().id(), here);
                sum += queue_work(&on, move || n).unwrap().await.unwrap();
            }
            sum
        })
        .unwrap();
    let other = thread::spawn(move || {
        thread::sleep(20 * MS);
        promise.finish(1000).unwrap();
    });
    event_loop.run().unwrap();
    assert_eq!(task.wait().unwrap(), 5950);
    other.join().unwrap();
}

#[test]
fn a_cancelled_task_is_dropped_and_a_panicking_one_fails() {
    let event_loop = EventLoop::new().unwrap();
    let drops = Arc::new(AtomicUsize::new(0));
    let owner = Counted(Arc::clone(&drops));
    let (_promise, never) = pair::<()>(&event_loop);
    let task = event_loop
        .spawn(async move {
            let _owner = owner;
            never.await
        })
        .unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    assert!(task.cancel().unwrap());
    event_loop.run().unwrap();
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    let hopeless = event_loop.spawn(std::future::pending::<()>()).unwrap();
    event_loop.run().unwrap();
    assert_eq!(code(hopeless.wait()), Code::Dead);
    let panicking = event_loop.spawn(async { panic!("as it must") }).unwrap();
    event_loop.run().unwrap();
    let error = panicking.wait().unwrap_err();
    assert_eq!(error.code(), Code::Panic);

    // With its loop, it goes as well.
    let owner = Counted(Arc::clone(&drops));
    let (promise, future) = pair::<()>(&event_loop);
    let task = event_loop
        .spawn(async move {
            let _owner = owner;
            let _ = future.await;
        })
        .unwrap();
    event_loop.run_once(Some(Duration::ZERO)).unwrap();
    drop(event_loop);
    promise.finish(()).unwrap();
    assert_eq!(code(task.wait()), Code::Dead);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
}

#[test]
fn many_threads_wait_for_their_own() {
    let event_loop = EventLoop::new().unwrap();
    let began = Instant::now();
    let waiters: Vec<_> = (0..8u64)
        .map(|number| {
            let (promise, future) = pair(&event_loop);
            thread::spawn(move || promise.finish(number * 3));
            thread::spawn(move || future.wait().unwrap() == number * 3)
        })
        .collect();
    assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
    assert!(began.elapsed() < Duration::from_secs(60));
}
