//! `kill -9` at any moment, again and again, while posts fall due and the networks drop, delay and refuse: no post goes out
//! twice, none is lost, and what the ledger says is true. Over any ledger.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::Rule;

use crate::process::{Ends, pause};
use crate::proxy::Cut;
use crate::stand::{Kind, Net, Planned, Stand, Tally};

/// Kills of one ledger; then it is brought to rest and checked.
const ROUND: u64 = 100;

/// Rounds side by side: most of the time is waiting.
const TOGETHER: u64 = 4;

/// Small, and the same on every run with the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.roll(2);
        dice
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// How the killing went.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Killed {
    pub kills: u64,
    pub deliveries: usize,
    /// Left to a person, and rightly so.
    pub unknown: usize,
}

/// `SMM_KILLS` and `SMM_SEED`.
pub(crate) fn asked(plain: u64) -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    (number("SMM_KILLS").unwrap_or(plain), number("SMM_SEED").unwrap_or(1))
}

/// Kills so often, in rounds; `stand` makes what one round is played on.
pub(crate) fn kill(kills: u64, seed: u64, stand: impl Fn(u64) -> Stand + Sync) -> Killed {
    eprintln!("{kills} kills, seed {seed} (SMM_KILLS, SMM_SEED)");
    let began = Instant::now();
    let rounds = kills.div_ceil(ROUND);
    let next = AtomicU64::new(0);
    let mut all = Killed::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut killed = Killed::default();
            loop {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= rounds {
                    return killed;
                }
                let count = ROUND.min(kills - round * ROUND);
                let tally = play(&mut stand(round), count, &mut Dice::new(seed + round));
                killed.kills += count;
                killed.deliveries += tally.deliveries;
                killed.unknown += tally.unknown;
            }
        };
        let threads: Vec<_> = (0..TOGETHER.min(rounds)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let killed = thread.join().expect("no post is out twice, lost, or told untruly");
            all.kills += killed.kills;
            all.deliveries += killed.deliveries;
            all.unknown += killed.unknown;
        }
    });
    eprintln!(
        "{} kills in {:.0?}: {} deliveries, none twice, none lost, {} left to a person",
        all.kills,
        began.elapsed(),
        all.deliveries,
        all.unknown
    );
    all
}

/// One round, on a ledger of its own.
fn play(stand: &mut Stand, kills: u64, dice: &mut Dice) -> Tally {
    let from = Utc::now() + TimeDelta::milliseconds(200);
    let count = 5 + kills / 3;
    let posts = (0..count).map(|number| {
        let at = from + TimeDelta::milliseconds(i64::try_from(number * 200).expect("small"));
        let post = Planned::new(format!("p{number}"), at);
        match number % 5 {
            1 => post.parts(3),
            3 => post.picture(),
            _ => post,
        }
    });
    stand.calendar(posts.collect());
    for _ in 0..kills {
        let net = usize::try_from(dice.roll(u64::try_from(stand.nets.len()).expect("small"))).expect("small");
        trouble(&stand.nets[net], dice);
        let mut daemon = Ends(start(stand.command()));
        pause(10 + dice.roll(140));
        daemon.0.kill().expect("killed");
        let status = daemon.0.wait().expect("ended");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it ended by itself: {status}");
    }
    // Left alone, it settles everything by itself.
    let daemon = Ends(start(stand.command()));
    let rows = stand.until_rest(Duration::from_mins(1));
    drop(daemon);
    stand.check(&rows)
}

fn start(mut command: Command) -> Child {
    command.args(["daemon", "-q"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("smm starts")
}

/// Something goes wrong with one of the next calls. Not with each: most would be left to a person.
fn trouble(net: &Net, dice: &mut Dice) {
    let (Some(proxy), Some(call)) = (net.proxy(), net.fake().publish_call()) else { return };
    match dice.roll(12) {
        0 => proxy.cut(call, Cut::BeforeForwarding, 1),
        1 => proxy.cut(call, Cut::AfterForwarding, 1),
        2 => proxy.cut(call, Cut::InBody(3), 1),
        3 => proxy.cut(call, Cut::Late(300), 1),
        4 => net.fake().front().expect("HTTP").rule(Rule::answer(503, "busy").on(call.0, call.1)),
        _ => {}
    }
}

/// The accounts of a round. The two kinds of Mastodon are the same account to a ledger, and never in one.
pub(crate) fn kinds(round: u64) -> &'static [Kind] {
    const KEY: &[Kind] = &[Kind::ChosenId, Kind::Key, Kind::Files];
    const LOOK_UP: &[Kind] = &[Kind::ChosenId, Kind::LookUp, Kind::Files];
    if round.is_multiple_of(2) { KEY } else { LOOK_UP }
}
