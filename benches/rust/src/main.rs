//! The Rust peers: `peers-rs WORKLOAD PEER key=value...`, one output line as from the C programs.
mod util;
mod w1;
mod w2;
mod w3;
mod w4;
mod w5;
mod w6;
mod w7;
mod w9;

fn main() {
    let mut a = std::env::args().skip(1);
    let (w, p) = (a.next().expect("workload"), a.next().expect("peer"));
    let args = util::Args(a.collect());
    match w.as_str() {
        "w1a" => w1::a(&p, args),
        "w1b" => w1::b(&p, args),
        "w2" => w2::run(&p, args),
        "w3a" | "w3b" | "w3c" => w3::run(&w, &p, args),
        "w4" => w4::run(&p, args),
        "w5" => w5::run(&p, args),
        "w6" => w6::run(&p, args),
        "w7" => w7::run(&p, args),
        "w9" => w9::run(&p, args),
        _ => panic!("no workload {w}"),
    }
}
