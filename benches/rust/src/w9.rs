//! W9: see c/w9.h. No event loop here: the main thread takes the results from a channel.
use crate::util::*;

/// `submit` starts job i on a worker, `next` waits for one that is done: its number and its result.
fn bench(peer: &str, args: &Args, submit: impl Fn(u64), mut next: impl FnMut() -> (u64, u64)) {
    let n = args.num("n", 100_000);
    let k = args.num("k", 1);
    let mut phase = |n: u64| {
        let t0 = now_ns();
        let mut submitted = k.min(n);
        (0..submitted).for_each(&submit);
        let mut sum = 0;
        for _ in 0..n {
            let (i, result) = next();
            assert_eq!(result, i * 3 + 1);
            sum += i;
            if submitted < n {
                submit(submitted);
                submitted += 1;
            }
        }
        let dt = now_ns() - t0;
        assert_eq!(sum, n * (n - 1) / 2);
        dt
    };
    phase(args.num("warm", n / 10 + 1));
    let c0 = cpu_ns();
    let dt = phase(n);
    report("w9", peer, n, dt, format_args!("k={k} cpu_ns={:.0}", (cpu_ns() - c0) as f64 / n as f64));
}

pub fn run(peer: &str, args: Args) {
    let threads = args.num("threads", 2) as usize;
    match peer {
        "crossbeam" => {
            type Job = Box<dyn FnOnce() -> (u64, u64) + Send>;
            let (jobs, take) = crossbeam_channel::unbounded::<Job>();
            let (done, results) = crossbeam_channel::unbounded();
            for _ in 0..threads {
                let (take, done) = (take.clone(), done.clone());
                std::thread::spawn(move || {
                    for job in take {
                        done.send(job()).unwrap();
                    }
                });
            }
            bench(peer, &args, |i| jobs.send(Box::new(move || (i, i * 3 + 1))).unwrap(), || results.recv().unwrap());
        }
        "tokio-spawn-blocking" => {
            let rt = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(threads).build().unwrap();
            let (done, mut results) = tokio::sync::mpsc::unbounded_channel();
            let submit = |i| {
                let done = done.clone();
                rt.spawn_blocking(move || done.send((i, i * 3 + 1)).unwrap());
            };
            bench(peer, &args, submit, || rt.block_on(results.recv()).unwrap());
        }
        _ => panic!("no peer {peer}"),
    }
}
