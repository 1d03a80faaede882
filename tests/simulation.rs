//! The simulator: the real engine, worker and daemon loop, on machines, networks and a ledger that live in this process and
//! go wrong in every way that is known, in a time that is not waited for. Everything follows from a seed: a seed replays
//! byte for byte.
//!
//! `SMM_SEED=n` plays one seed and prints its log; `SMM_SEEDS=n` plays so many instead of the usual number.

#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/link.rs"]
mod link;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/operator.rs"]
mod operator;
#[path = "simulation/paper.rs"]
mod paper;
#[path = "simulation/play.rs"]
mod play;
#[path = "simulation/process.rs"]
mod process;
#[path = "simulation/rest.rs"]
mod rest;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/stage.rs"]
mod stage;
#[path = "simulation/tally.rs"]
mod tally;
#[path = "simulation/witness.rs"]
mod witness;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use play::{Played, play};
use tally::Tally;

/// Seeds of a usual run.
const SEEDS: u64 = 300;

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Plays seeds on all cores, until one fails.
fn play_all(seeds: std::ops::Range<u64>) -> (Tally, Option<Played>) {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new((Tally::default(), None));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let played = play(seed);
                    let mut found = found.lock().expect("no thread panics");
                    found.0.merge(&played.tally);
                    if !played.wrong.is_empty() {
                        next.store(seeds.end, Ordering::SeqCst);
                        found.1.get_or_insert(played);
                        return;
                    }
                }
            });
        }
    });
    found.into_inner().expect("no thread panics")
}

#[test]
#[expect(clippy::print_stdout, reason = "what a run came to is what it is for")]
fn nothing_goes_out_twice_and_nothing_is_lost() {
    if let Some(seed) = asked("SMM_SEED") {
        let played = play(seed);
        println!("{}{}", played.log, played.tally);
        assert!(played.wrong.is_empty(), "seed {seed}:\n{}", played.wrong.join("\n"));
        return;
    }
    let seeds = asked("SMM_SEEDS").unwrap_or(SEEDS);
    let begun = Instant::now();
    let (tally, failed) = play_all(0..seeds);
    let took = begun.elapsed();
    if let Some(played) = failed {
        println!("{}", played.log);
        panic!("seed {} (SMM_SEED={} plays it again):\n{}", played.seed, played.seed, played.wrong.join("\n"));
    }
    println!("{seeds} seeds, {} simulated days, in {took:.1?}\n{tally}", seeds * 60);
}
