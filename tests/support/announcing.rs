//! Announcing a release, as often and as badly as jobs do: at once, killed, and started again.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use smm::adapter::suite::{Act, Rule};

use crate::kills::Dice;
use crate::process::{ends, pause};
use crate::stand::Stand;
use crate::support::Run;

/// What each account gets for `v2.0.0`.
pub(crate) const TEXT: &str = "rocket 2.0.0 is out. https://acme.example/2.0.0";

/// Writes a calendar with one post for releases, for all accounts; `more` are further lines of it.
pub(crate) fn calendar(stand: &Stand, text: &str, more: &str) {
    let accounts: Vec<&str> = stand.nets.iter().map(|net| net.account.as_str()).collect();
    let mut calendar = format!("name = \"rig\"\ntimezone = \"UTC\"\n[defaults]\nto = {accounts:?}\n");
    let _ = writeln!(calendar, "\n[[posts]]\nid = \"release\"\non = \"release\"\ntext = '''{text}'''\n{more}");
    stand.env.write("calendar.toml", calendar);
}

/// The calendar of [`TEXT`].
pub(crate) fn plain_calendar(stand: &Stand) {
    calendar(stand, "{{ project }} {{ version }} is out. {{ url }}", "");
}

/// Gives a command what announces `v2.0.0`, with these options more.
pub(crate) fn announcing(mut command: Command, more: &[&str]) -> Command {
    command.args(["announce", "--tag", "v2.0.0", "--project", "rocket", "--url", "https://acme.example/2.0.0"]);
    command.args(["--format", "json"]).args(more);
    command
}

/// Each account has this text once, and nothing else.
#[track_caller]
pub(crate) fn each_has_once(stand: &Stand, text: &str) {
    for net in &stand.nets {
        let held = stand.held(net);
        let counts: Vec<(&str, usize)> = held.iter().map(|(text, ids)| (text.as_str(), ids.len())).collect();
        assert_eq!(counts, [(text, 1)], "on {}", net.account);
    }
}

/// One value of each delivery, by account.
#[track_caller]
pub(crate) fn each(run: &Run, key: &str) -> Vec<String> {
    let json = run.json();
    let rows = json["deliveries"].as_array().expect("deliveries");
    rows.iter().map(|row| format!("{}: {}", row["account"].as_str().expect("a name"), row[key])).collect()
}

/// Lets every network take its time, so that those who announce at once meet.
pub(crate) fn slow(stand: &Stand) {
    for net in &stand.nets {
        if let (Some(front), Some((method, path))) = (net.fake().front(), net.fake().publish_call()) {
            front.rule(Rule::new(Act::Wait(Duration::from_millis(300))).on(method, path));
        }
    }
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("smm starts")
}

#[track_caller]
fn ended(mut child: Child, end: Instant) -> Run {
    ends(&mut child, end.saturating_duration_since(Instant::now()));
    Run::from(child.wait_with_output().expect("ended"))
}

/// Ten at once: all of them end well, and each account was brought the release by one of them. `runner` gives the program as
/// it is started on one of ten machines.
#[track_caller]
pub(crate) fn ten_at_once(stand: &Stand, runner: impl Fn(u64) -> Command) {
    slow(stand);
    let end = Instant::now() + Duration::from_secs(150);
    let children: Vec<Child> = (0..10).map(|number| start(announcing(runner(number), WAIT))).collect();
    let runs: Vec<Run> = children.into_iter().map(|child| ended(child, end).expect(0)).collect();
    each_has_once(stand, TEXT);
    for net in &stand.nets {
        let line = format!("{}: false", net.account);
        let by = runs.iter().filter(|run| each(run, "already").contains(&line)).count();
        assert_eq!(by, 1, "{}", net.account);
    }
    let receipts = |run: &Run| {
        let ids = run.json();
        let rows = ids["deliveries"].as_array().expect("deliveries").clone();
        rows.iter().map(|row| row["receipts"][0]["id"].clone()).collect::<Vec<_>>()
    };
    assert!(runs.iter().all(|run| receipts(run) == receipts(&runs[0])));
}

/// The others are waited for so long.
const WAIT: &[&str] = &["--wait", "2m"];

/// Ten at once, each killed three times at a random moment of its first `most` milliseconds and started again. What nothing
/// but a person can settle, since nobody knows whether its sender is dead, a person settles: by what is there. Gives how
/// many were killed.
#[track_caller]
pub(crate) fn killed_and_started_again(
    stand: &Stand,
    (seed, most): (u64, u64),
    runner: impl Fn(u64) -> Command + Sync,
) -> usize {
    let end = Instant::now() + Duration::from_mins(4);
    let one = |number: u64| {
        let runner = &runner;
        move || {
            let mut dice = Dice::new(seed * 100 + number);
            let mut kills = 0;
            for _ in 0..3 {
                let mut child = start(announcing(runner(number), WAIT));
                pause(dice.roll(most));
                let _ = child.kill();
                let run = Run::from(child.wait_with_output().expect("ended"));
                if run.status == 0 {
                    return kills;
                }
                kills += 1;
            }
            let run = ended(start(announcing(runner(number), WAIT)), end);
            assert!(matches!(run.status, 0 | 3), "{run:?}");
            kills
        }
    };
    let kills: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|number| scope.spawn(one(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it comes to an end, and well")).sum()
    });
    let run = ended(start(announcing(runner(0), WAIT)), end);
    let mut asked = 0;
    for row in run.json()["deliveries"].as_array().expect("deliveries").iter().filter(|row| row["state"] == "unknown") {
        let net = stand.nets.iter().find(|net| row["account"] == net.account.as_str()).expect("one of ours");
        let id = row["id"].as_str().expect("an id");
        let mut command = runner(0);
        command.args(["resolve", id]);
        if stand.held(net).is_empty() {
            command.arg("--not-published");
        } else {
            command.args(["--published", "https://acme.example/seen"]);
        }
        ended(start(command), end).expect(0);
        asked += 1;
    }
    let run = ended(start(announcing(runner(0), WAIT)), end + Duration::from_mins(1)).expect(0);
    each_has_once(stand, TEXT);
    assert!(each(&run, "state").iter().all(|line| line.ends_with("\"published\"")), "{}", run.stdout);
    eprintln!("{kills} kills, seed {seed}; a person was asked {asked} times");
    kills
}

/// Two clones of a repository, each with the calendar and the settings of a stand, whose ledger is on the remote: the
/// runners are machines of their own, half of them in either clone.
pub(crate) struct Clones<'a> {
    pub(crate) stand: &'a Stand,
    pub(crate) clones: [std::path::PathBuf; 2],
}

impl Clones<'_> {
    pub(crate) fn fill(&self) {
        for clone in &self.clones {
            for file in ["calendar.toml", "smm.toml"] {
                std::fs::copy(self.stand.env.path().join(file), clone.join(file)).expect("copied");
            }
        }
    }

    pub(crate) fn runner(&self, number: u64) -> Command {
        let mut command = self.stand.command();
        command.current_dir(&self.clones[usize::try_from(number % 2).expect("small")]);
        command.env("XDG_STATE_HOME", self.stand.env.path().join(format!("machine-{number}")));
        command
    }
}
