//! `kill -9` at any moment, again and again, while posts fall due and the networks drop, delay and refuse: no post goes out
//! twice, none is lost, and what the ledger says is true. Over any ledger.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::Rule;
use smm::model::State;

use crate::process::{Ends, pause};
use crate::proxy::Cut;
use crate::stand::{Net, Planned, Stand, Tally};

/// How the killing is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Game {
    /// Kills of one ledger; then it is brought to rest and checked.
    pub round: u64,
    /// Rounds side by side: most of the time is waiting.
    pub together: u64,
    /// Deliveries that fall due for each kill. There have to be enough that one is under way whenever it comes.
    pub deliveries: u64,
    /// So long after each other they do, in milliseconds.
    pub every: u64,
    /// A post is for one account, in turn; otherwise it is for all.
    pub in_turn: bool,
    /// A ledger comes to rest within this.
    pub rest: Duration,
    /// How much longer than over an embedded ledger a process takes to come to its work.
    pub pace: u64,
    /// Now and then what the process has started is killed with it, as when its machine goes.
    pub children: bool,
}

impl Game {
    /// An embedded ledger: the next process goes on at once with what the last one had.
    pub(crate) const EMBEDDED: Self = Self {
        round: 100,
        together: 4,
        deliveries: 2,
        every: 50,
        in_turn: false,
        rest: Duration::from_mins(1),
        pace: 1,
        children: false,
    };

    /// A shared ledger: what a killed process had, and its account, is nobody's until the lease has lapsed. So about one
    /// delivery falls due in each process's life, and there are so many accounts that the next one is on another.
    pub(crate) const SHARED: Self = Self {
        round: 200,
        together: 6,
        deliveries: 1,
        every: 350,
        in_turn: true,
        rest: Duration::from_mins(3),
        pace: 1,
        children: false,
    };

    /// A ledger in git, where all of it takes longer, and is done by programs that are started: short rounds, since most of
    /// each is a lease that lapses.
    pub(crate) const GIT: Self = Self { round: 2, together: 5, every: 400, pace: 4, children: true, ..Self::SHARED };
}

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
    /// Kills of a process that had a delivery under way.
    pub hits: u64,
    /// What they had: claimed, and sending.
    pub claimed: usize,
    pub sending: usize,
    pub deliveries: usize,
    /// Left to a person, and rightly so.
    pub unknown: usize,
}

impl Killed {
    fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.hits += other.hits;
        self.claimed += other.claimed;
        self.sending += other.sending;
        self.deliveries += other.deliveries;
        self.unknown += other.unknown;
    }
}

/// `SMM_KILLS` and `SMM_SEED`.
pub(crate) fn asked(plain: u64) -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    (number("SMM_KILLS").unwrap_or(plain), number("SMM_SEED").unwrap_or(1))
}

/// Kills so often, in rounds; `stand` makes what one round is played on.
pub(crate) fn kill(game: Game, kills: u64, seed: u64, stand: impl Fn(u64) -> Stand + Sync) -> Killed {
    eprintln!("{kills} kills, seed {seed} (SMM_KILLS, SMM_SEED)");
    let began = Instant::now();
    let rounds = kills.div_ceil(game.round);
    let next = AtomicU64::new(0);
    let all = Mutex::new(Killed::default());
    std::thread::scope(|scope| {
        let work = || loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            if round >= rounds {
                return;
            }
            let count = game.round.min(kills - round * game.round);
            let killed = play(game, &mut stand(round), count, &mut Dice::new(seed + round));
            let mut all = all.lock().expect("no panic");
            all.add(killed);
            if rounds > 1 {
                eprintln!("{:4.0?} {}", began.elapsed(), told(&all));
            }
        };
        let threads: Vec<_> = (0..game.together.min(rounds)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().expect("no post is out twice, lost, or told untruly");
        }
    });
    let all = all.into_inner().expect("no panic");
    eprintln!("{} in {:.0?}: none twice, none lost, none told untruly", told(&all), began.elapsed());
    assert!(all.hits * 3 >= all.kills, "most kills hit nothing: {all:?}");
    all
}

fn told(all: &Killed) -> String {
    format!(
        "{} kills, {} of them with a delivery under way ({} claimed, {} sending); {} deliveries, {} left to a person",
        all.kills, all.hits, all.claimed, all.sending, all.deliveries, all.unknown
    )
}

/// One round, on a ledger of its own.
fn play(game: Game, stand: &mut Stand, kills: u64, dice: &mut Dice) -> Killed {
    stand.calendar(posts(game, stand, kills));
    let mut killed = Killed { kills, ..Killed::default() };
    for _ in 0..kills {
        let net = usize::try_from(dice.roll(u64::try_from(stand.nets.len()).expect("small"))).expect("small");
        trouble(&stand.nets[net], dice);
        let before = stand.requests();
        let mut daemon = Ends(start(stand.command()));
        moment(game, stand, before, dice);
        let with = if game.children && dice.roll(2) == 0 { children(daemon.0.id()) } else { Vec::new() };
        daemon.0.kill().expect("killed");
        for process in with {
            // It may have ended by itself.
            let _ = Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status();
        }
        let status = daemon.0.wait().expect("ended");
        assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
        let (claimed, sending) = hit(stand, daemon.0.id());
        killed.hits += u64::from(claimed + sending > 0);
        killed.claimed += claimed;
        killed.sending += sending;
    }
    // Left alone, it settles everything by itself.
    let daemon = Ends(start(stand.command()));
    let rows = stand.until_rest(game.rest);
    drop(daemon);
    let Tally { deliveries, unknown } = stand.check(&rows);
    Killed { deliveries, unknown, ..killed }
}

fn posts(game: Game, stand: &Stand, kills: u64) -> Vec<Planned> {
    let accounts: Vec<String> = stand.nets.iter().map(|net| net.account.clone()).collect();
    let each = if game.in_turn { 1 } else { u64::try_from(accounts.len()).expect("small") };
    let from = Utc::now() + TimeDelta::milliseconds(200);
    let post = |number: u64| {
        let at = from + TimeDelta::milliseconds(i64::try_from(number * each * game.every).expect("small"));
        let post = Planned::new(format!("p{number}"), at);
        let post = match number % 5 {
            1 => post.parts(3),
            3 => post.picture(),
            _ => post,
        };
        let turn = usize::try_from(number).expect("small") % accounts.len();
        if game.in_turn { post.to(&accounts[turn..=turn]) } else { post }
    };
    (0..5 + (kills * game.deliveries).div_ceil(each)).map(post).collect()
}

/// Waits until the process is to be killed: some while after its start, after its first requests, or after a call that
/// cannot be taken back. `before`: what there was of both.
fn moment(game: Game, stand: &Stand, before: (usize, usize), dice: &mut Dice) {
    let (requests, calls) = match dice.roll(5) {
        0 => return pause((10 + dice.roll(140)) * game.pace),
        1 | 2 => (1 + usize::try_from(dice.roll(5)).expect("small"), usize::MAX),
        _ => (usize::MAX, 1),
    };
    let end = Instant::now() + Duration::from_millis(800 * game.pace);
    let comes = |now: usize, before: usize, wanted: usize| now - before >= wanted;
    while Instant::now() < end {
        let now = stand.requests();
        if comes(now.0, before.0, requests) || comes(now.1, before.1, calls) {
            break;
        }
        pause(1);
    }
    pause(dice.roll(10 * game.pace));
}

/// What the killed process had, as the ledger says: claimed, and sending.
fn hit(stand: &Stand, process: u32) -> (usize, usize) {
    let of = format!(", process {process}, ");
    let rows = stand.begun();
    let count = |state: State| {
        let his = |owner: &String| owner.contains(&of);
        rows.iter().filter(|row| row.state == state && row.owner.as_ref().is_some_and(his)).count()
    };
    (count(State::Claimed), count(State::Sending))
}

/// What a process has started, and what that has: but for the remote's side of a ledger in git, which is another machine.
fn children(of: u32) -> Vec<u32> {
    let process = |entry: std::fs::DirEntry| -> Option<(u32, u32, String)> {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        Some((number, parent, std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default()))
    };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let all: Vec<_> = entries.flatten().filter_map(process).collect();
    let mut found = vec![of];
    for at in 0.. {
        let Some(parent) = found.get(at).copied() else { break };
        let own = all.iter().filter(|(_, by, command)| *by == parent && !command.contains("receive-pack"));
        found.extend(own.map(|(number, _, _)| *number));
    }
    found.split_off(1)
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
