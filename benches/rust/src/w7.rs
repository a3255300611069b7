//! W7: see c/w7.h.
use crate::util::*;
use std::future::Future;
use std::time::Duration;

fn measure(what: &str, peer: &str, n: u64, f: impl FnOnce()) {
    let r0 = rss_bytes();
    let t0 = now_ns();
    f();
    let dt = now_ns() - t0;
    report(&format!("w7-{what}"), peer, n, dt, format_args!("bytes_each={:.1}", (rss_bytes() - r0) as f64 / n as f64));
}

pub fn run(peer: &str, args: Args) {
    let what = args.str("what", "timer").to_string();
    let n = args.num("n", if what == "thread" { 1000 } else { 1_000_000 });
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let _in = rt.enter();
    match (what.as_str(), peer) {
        ("timer", "tokio-delayqueue") => {
            let mut s = 1;
            let mut q = tokio_util::time::DelayQueue::new();
            measure(&what, peer, n, || {
                for i in 0..n {
                    q.insert(i as u32, Duration::from_micros(30_000_000 + below(&mut s, 30_000_000)));
                }
            });
        }
        ("timer", "tokio-sleep") => {
            let mut s = 1;
            let mut v = Vec::with_capacity(n as usize);
            // SAFETY: only to fault the vector's pages in before the count.
            unsafe { std::ptr::write_bytes::<u64>(v.as_mut_ptr() as *mut u64, 1, n as usize) };
            measure(&what, peer, n, || {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                for _ in 0..n {
                    let mut s = Box::pin(tokio::time::sleep(Duration::from_micros(30_000_000 + below(&mut s, 30_000_000))));
                    let _ = s.as_mut().poll(&mut cx);
                    v.push(s);
                }
            });
        }
        ("thread", "std-crossbeam") => {
            let mut v = Vec::with_capacity(n as usize);
            let bar = std::sync::Arc::new(std::sync::Barrier::new(n as usize + 1));
            measure(&what, peer, n, || {
                for _ in 0..n {
                    let (s, r) = crossbeam_channel::bounded::<u64>(1024);
                    let bar = bar.clone();
                    v.push((s, std::thread::spawn(move || {
                        bar.wait();
                        while r.recv().is_ok() {}
                    })));
                }
                bar.wait();
            });
            for (s, t) in v {
                drop(s);
                t.join().unwrap();
            }
        }
        _ => panic!("no {what} {peer}"),
    }
    std::process::exit(0);
}
