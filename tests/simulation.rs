//! The simulator: the real engine, worker and daemon loop, on machines, networks and a ledger that live in this process and
//! go wrong in every way that is known, in a time that is not waited for. Everything follows from a seed: a seed replays
//! byte for byte, and one that fails is printed with its log.
//!
//! - `SMM_SEED=n` plays one seed and prints its log: what was done, each row as it was written, each call;
//! - `SMM_SEEDS=n` plays so many instead of the usual number, and `SMM_FROM=n` begins there instead of at 0.
//!
//! A seed means the same as long as neither the code under test nor the simulator draws or waits otherwise: replay it with
//! the commit that failed.
//!
//! What is the program's own: the rules, the worker, the daemon's loop, reconciling, planning, what a person can do, and
//! taking over an older ledger. What is played: time, chance, machines and their clocks, processes that are killed or
//! stopped at any await that leaves the engine, a ledger (`ledger::memory`, which passes the same behaviour suite as the
//! real ones) that fails before or after it has written, and networks of every class of repeat safety.
//!
//! What is not played, and where it is instead:
//! - a process that is stopped between the last look at its clock and the first byte of a call, for longer than its lease:
//!   only the network's own class can save that case;
//! - torn writes, a lost sync, transactions of a real database: the process rig kills the real program on the real ledgers;
//! - adapters, HTTP and secrets: each network's own tests, and `tests/contract.rs`;
//! - threads at once: a run has one thread, and its tasks change only at an await;
//! - a ledger that is lost together with all that its machine remembered of it: then only the first-run guard is left, and
//!   its tests are those of `schedule`. In a run with a restored ledger no post is moved after the backup, none is a
//!   thread, and no clock is set: no ledger can know of those, and the person would have to. Such a run is held to three
//!   things alone: nothing twice, nothing sent before the ledger was adopted, no panic.
//!
//! | file | what |
//! |---|---|
//! | `scenario` | what a seed means: accounts, calendar, machines, and what everybody will do |
//! | `play` | carries it out |
//! | `process` | a process: killed or stopped at any await, with a clock that is set and a ledger that fails |
//! | `network`, `link` | the networks, and what goes wrong on the way to them |
//! | `paper` | the calendar as it is edited and read |
//! | `operator` | the person |
//! | `witness` | holds every row and every call to the rules while it goes on |
//! | `rest` | compares what the networks hold with what the ledger says, when all has come to rest |

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

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use network::Kind;
use play::{Played, play, play_quietly};
use scenario::Bias;
use smm::trial::Guard;
use tally::Tally;

/// Seeds of a usual run.
const SEEDS: u64 = 2_000;

/// Seeds with a ledger that is restored.
const RESTORES: u64 = 100;

/// A guard is turned off in the whole process: whoever does that is alone.
static GUARDS: RwLock<()> = RwLock::new(());

/// Every kind of fault that is to happen. One that never does proves nothing.
const FAULTS: [&str; 33] = [
    "2xx without an id",
    "422",
    "429",
    "429 though done",
    "500 though done",
    "503 that did nothing",
    "a question fails",
    "answer lost",
    "clock set back",
    "clock set forward",
    "connection refused",
    "disk full",
    "duplicate, it says",
    "id of another post",
    "killed at a step",
    "killed at some time",
    "late effect",
    "ledger away",
    "ledger fails, nothing written",
    "ledger hangs",
    "ledger's answer lost, written",
    "machine down",
    "no answer",
    "outage",
    "request doubled",
    "request lost",
    "stale listing",
    "stopped for a while",
    "stopped past the lease",
    "token expired",
    "token of another account",
    "calendar broken",
    "post with a mistake",
];

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Plays seeds on all cores, until one is what is looked for. That one is played again for its log.
fn play_all(
    seeds: std::ops::Range<u64>,
    bias: Bias,
    found: impl Fn(&Played) -> bool + Sync,
) -> (Tally, Option<Played>) {
    let next = AtomicU64::new(seeds.start);
    let result = Mutex::new((Tally::default(), None::<Played>));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let played = play_quietly(seed, bias);
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    result.0.merge(&played.tally);
                    // Others may be at work on a smaller seed.
                    if found(&played) && result.1.as_ref().is_none_or(|best| best.seed > seed) {
                        next.store(seeds.end, Ordering::SeqCst);
                        result.1 = Some(played);
                    }
                }
            });
        }
    });
    let (tally, seen) = result.into_inner().unwrap_or_else(PoisonError::into_inner);
    (tally, seen.map(|played| play(played.seed, bias)))
}

#[test]
#[expect(clippy::print_stdout, reason = "what a run came to is what it is for")]
fn nothing_goes_out_twice_and_nothing_is_lost() {
    let _all = GUARDS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(seed) = asked("SMM_SEED") {
        let played = play(seed, Bias::default());
        println!("{}{}", played.log, played.tally);
        assert!(played.wrong.is_empty(), "seed {seed}:\n{}", played.wrong.join("\n"));
        return;
    }
    let seeds = asked("SMM_SEEDS").unwrap_or(SEEDS);
    let begun = Instant::now();
    let from = asked("SMM_FROM").unwrap_or(0);
    let (tally, failed) = play_all(from..from + seeds, Bias::default(), |played| !played.wrong.is_empty());
    if let Some(played) = failed {
        println!("{}", played.log);
        panic!("seed {} (SMM_SEED={} plays it again):\n{}", played.seed, played.seed, played.wrong.join("\n"));
    }
    println!("{seeds} seeds, {} simulated days, in {:.1?}\n{tally}", seeds * 60, begun.elapsed());
    let never: Vec<&str> = FAULTS.into_iter().filter(|kind| tally.faults(kind) == 0).collect();
    assert!(never.is_empty() || seeds < 500, "these never happened: {never:?}");
}

#[test]
fn a_seed_replays_byte_for_byte() {
    let _all = GUARDS.read().unwrap_or_else(PoisonError::into_inner);
    for seed in 0..20 {
        let (first, again) = (play(seed, Bias::default()), play(seed, Bias::default()));
        let differs = first.log.lines().zip(again.log.lines()).position(|(first, again)| first != again);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!((first.log.len(), &first.tally), (again.log.len(), &again.tally), "seed {seed}");
        let quiet = play_quietly(seed, Bias::default());
        assert_eq!((first.tally, first.wrong), (quiet.tally, quiet.wrong), "seed {seed} without its log");
    }
}

/// Turns a guard off and looks for a seed that then ends with something that the networks hold and should not, or with a
/// row that says what is not so. The search begins at `from`, a little before the seed that was found last.
#[expect(clippy::print_stdout, reason = "the seed and its log are the proof")]
fn without(guards: &'static [Guard], bias: Bias, from: u64, sign: &str) {
    struct On(&'static [Guard]);
    impl Drop for On {
        fn drop(&mut self) {
            for guard in self.0 {
                guard.set(true);
            }
        }
    }
    let _alone = GUARDS.write().unwrap_or_else(PoisonError::into_inner);
    let on = On(guards);
    for guard in guards {
        guard.set(false);
    }
    let (_, found) = play_all(from..from + SEEDS, bias, |played| played.wrong.iter().any(|wrong| wrong.contains(sign)));
    drop(on);
    let name = guards.iter().map(|guard| guard.as_str()).collect::<Vec<_>>().join(" and ");
    let found = found.unwrap_or_else(|| panic!("without {name}, {SEEDS} seeds end well: nothing misses it"));
    let wrong = found.wrong.iter().find(|wrong| wrong.contains(sign)).expect("the one that was found");
    println!("without {name}, seed {}: {wrong}", found.seed);
    // Its delivery's short name is the first word that is one.
    let delivery = wrong.split(|c: char| !c.is_ascii_hexdigit()).find(|word| word.len() == 12).unwrap_or_default();
    for line in found.log.lines().filter(|line| line.contains(delivery)) {
        println!("  {line}");
    }
    let played = play(found.seed, bias);
    assert!(!played.wrong.iter().any(|wrong| wrong.contains(sign)), "seed {} with it: {:?}", found.seed, played.wrong);
}

#[test]
fn without_the_intent_a_post_goes_out_twice() {
    without(&[Guard::Intent], Bias::default(), 0, "DUPLICATE");
}

#[test]
fn without_the_settle_time_a_post_goes_out_twice() {
    without(&[Guard::Settle], Bias::default(), 0, "DUPLICATE");
}

#[test]
fn without_the_fence_a_post_goes_out_twice() {
    without(&[Guard::Fence], Bias::default(), 160, "DUPLICATE");
}

/// Networks on which only a look tells.
const LOOKS: Bias =
    Bias { kinds: Some(&[Kind::LookFresh, Kind::LookStale, Kind::TwoStep]), stopped: Some(15), restored: false };

/// Each of the two alone is made good by the other: a call that would come too late is not made, and an empty look is not
/// believed while one may.
#[test]
fn without_witness_and_deadline_a_post_goes_out_twice() {
    without(&[Guard::Witness, Guard::Deadline], LOOKS, 110, "DUPLICATE");
}

#[test]
fn without_the_open_attempt_a_failed_post_is_out() {
    let named = Bias { kinds: Some(&[Kind::Content, Kind::Chosen]), stopped: None, restored: false };
    // It is seldom: it takes a lost answer, and a definite no to the repeat.
    without(&[Guard::Unresolved], named, 2_390, "UNTRUE");
}

/// A ledger that is set back while its daemon is down.
const RESTORED: Bias = Bias { kinds: None, stopped: None, restored: true };

/// What such a run must not come to. That rows are behind until a person has looked is in the nature of it.
fn is_bad_restore(wrong: &str) -> bool {
    wrong.contains("DUPLICATE") || wrong.contains("older than what was seen") || wrong.contains("PANIC")
}

#[test]
#[expect(clippy::print_stdout, reason = "how many were older is what it is for")]
fn a_restored_ledger_sends_nothing_until_it_is_adopted() {
    let _all = GUARDS.read().unwrap_or_else(PoisonError::into_inner);
    let (tally, failed) =
        play_all(0..RESTORES, RESTORED, |played| played.wrong.iter().any(|wrong| is_bad_restore(wrong)));
    if let Some(played) = failed {
        println!("{}", played.log);
        panic!("seed {}: {:?}", played.seed, played.wrong);
    }
    println!("{RESTORES} seeds with a restored ledger\n{tally}");
    assert!(tally.faults("older ledger") > RESTORES / 4, "hardly any was older");
}

#[test]
fn without_the_age_a_restored_ledger_sends_again() {
    without(&[Guard::Age], RESTORED, 0, "DUPLICATE");
}

#[test]
fn without_the_freeze_something_else_is_sent() {
    without(&[Guard::Freeze], Bias::default(), 50, "no intent of the ledger");
}
