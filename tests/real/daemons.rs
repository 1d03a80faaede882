//! Three daemons of three machines on one PostgreSQL, and many posts that are due at once: one daemon is stopped for longer
//! than its lease and woken again, one is killed, and in another run the server is. Each post goes out once, each account's
//! spacing is held, and the ledger says what is so. `SMM_SHARED_POSTS` says how many posts (1,000 in a plain run).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use smm::adapter::suite::Fake;
use smm::ledger::{OpenMode, Opening, Query};
use smm::model::State;

use crate::postgres::{Postgres, Stop};
use crate::process::{Daemon, Ends, ends, pause, serve, signal, stopped, wait};
use crate::support::{Run, TestEnv};

const ACCOUNTS: usize = 100;

/// What goes wrong in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// One daemon is stopped for longer than its lease and woken, another one is killed.
    Daemons,
    /// The server is killed as if its machine had crashed, and started again.
    Server,
}

struct Scene {
    server: Postgres,
    url: String,
    fakes: BTreeMap<String, Box<dyn Fake>>,
    machines: Vec<TestEnv>,
    secrets: Vec<(String, String)>,
    posts: usize,
    due: DateTime<Utc>,
}

impl Scene {
    /// So many posts for so many accounts in turn, due in so many seconds.
    fn new(posts: usize, accounts: usize, due: i64) -> Self {
        let server = Postgres::start(&[]);
        server.database("shared");
        let url = server.url("shared");
        let state = tempfile::tempdir().expect("a folder");
        wait(async {
            let ledger = Opening::new(&url, state.path(), OpenMode::ReadWrite).open().expect("a ledger");
            ledger.lock("the test").await.map(drop).expect("its tables are made");
        });
        let mut config =
            format!("ledger = \"{url}\"\n[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\nlease = \"15s\"\n");
        let (mut fakes, mut secrets) = (BTreeMap::new(), Vec::new());
        for number in 0..accounts {
            let network = if number % 2 == 0 { "bluesky" } else { "mastodon" };
            let fake = serve(smm::networks::find(network).expect("built in").fake()).expect("it has a fake");
            let (name, account) = (format!("a{number}"), fake.account());
            let front = fake.front().expect("it speaks HTTP").url().to_owned();
            let _ = write!(
                config,
                "\n[accounts.{name}]\nnetwork = \"{network}\"\nserver = \"{front}\"\nspacing = \"1s\"\n"
            );
            for (key, value) in &account.settings {
                let _ = writeln!(config, "{key} = {value}");
            }
            for (field, value) in fake.secrets() {
                secrets.push((format!("SMM_{name}_{field}").to_uppercase(), value));
            }
            fakes.insert(name, fake);
        }
        let due = Utc::now() + TimeDelta::seconds(due);
        let mut calendar = "name = \"shared\"\ntimezone = \"UTC\"\n".to_owned();
        for post in 0..posts {
            let at = due.format("%Y-%m-%dT%H:%M:%S");
            let to = post % accounts;
            let _ = write!(
                calendar,
                "\n[[posts]]\nid = \"p{post}\"\nat = {at}\nto = [\"a{to}\"]\ntext = \"Number {post}.\"\n"
            );
        }
        let machines: Vec<TestEnv> = (0..3).map(|_| TestEnv::new()).collect();
        for machine in &machines {
            machine.write("smm.toml", &config);
            machine.write("calendar.toml", &calendar);
        }
        Self { server, url, fakes, machines, secrets, posts, due: due.trunc_subsecs(0) }
    }

    fn command(&self, machine: usize) -> Command {
        let mut command = self.machines[machine].command();
        command.envs(self.secrets.iter().cloned());
        command
    }

    fn daemon(&self, machine: usize) -> Daemon {
        Daemon::start(self.command(machine))
    }

    fn published(&self) -> usize {
        let count = "SELECT count(*) FROM smm.deliveries WHERE state = 'published'";
        self.server.sql("shared", count).parse().expect("a number")
    }

    fn until_published(&self, count: usize, within: Duration) {
        let end = Instant::now() + within;
        while self.published() < count {
            assert!(Instant::now() < end, "{} of {count} are published: {}", self.published(), self.states());
            pause(200);
        }
    }

    fn states(&self) -> String {
        self.server.sql("shared", "SELECT state, count(*) FROM smm.deliveries GROUP BY state ORDER BY state")
    }

    /// Nothing is left that goes on by itself.
    fn until_rest(&self, within: Duration) {
        let open = "SELECT count(*) FROM smm.deliveries WHERE state IN ('planned', 'claimed', 'sending')
                    OR state = 'unknown' AND row::json -> 'unknown' ->> 'next_look' IS NOT NULL";
        let end = Instant::now() + within;
        while self.server.sql("shared", open) != "0" {
            assert!(Instant::now() < end, "not all has come to an end: {}", self.states());
            pause(200);
        }
    }

    fn check(&self) {
        let state = tempfile::tempdir().expect("a folder");
        let rows = wait(async {
            let ledger = Opening::new(&self.url, state.path(), OpenMode::ReadOnly).open().expect("a ledger");
            ledger.deliveries(&Query::default()).await.expect("rows")
        });
        assert_eq!(rows.len(), self.posts);
        let mut unsettled = 0;
        for (name, fake) in &self.fakes {
            let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for post in wait(fake.posts()) {
                held.entry(post.text).or_default().push(post.id);
            }
            for row in rows.iter().filter(|row| row.account.as_str() == name) {
                let text = format!("Number {}.", row.post.as_str().trim_start_matches('p'));
                let out = held.remove(&text).unwrap_or_default();
                assert!(out.len() <= 1, "{} is out {} times: {row:?}", row.post, out.len());
                match row.state {
                    State::Published => assert_eq!(out, [row.receipts[0].id.clone()], "{row:?}"),
                    State::Unknown => unsettled += 1,
                    _ => panic!("{} is {}: {:?}", row.post, row.state, row.reason),
                }
            }
            assert!(held.is_empty(), "on {name}, but not in the ledger: {held:?}");
        }
        let last = rows.iter().filter_map(|row| row.published_at).max().expect("some are out");
        let by = self.server.sql(
            "shared",
            "SELECT count(DISTINCT delivery) || ' by ' || split_part(detail, ', process', 2)
             FROM smm.events WHERE kind = 'claimed' GROUP BY detail ORDER BY detail",
        );
        eprintln!(
            "{} posts on {} accounts, the last one out {} s after they were due, {unsettled} left to a person; claimed: {}",
            rows.len(),
            self.fakes.len(),
            (last - self.due).as_seconds_f64(),
            by.replace('\n', "; ").replace(" by  ", " by process "),
        );
        assert!(unsettled * 20 <= rows.len(), "{unsettled} of {} are left to a person", rows.len());
        // A repeat of the same request is not another post.
        let close = self.server.sql(
            "shared",
            "SELECT count(*) FROM (
                 SELECT at - lag(at) OVER (PARTITION BY account ORDER BY at) AS gap FROM smm.intents
                 WHERE (intent::json ->> 'attempt')::int = 1
             ) gaps WHERE gap < interval '1 second'",
        );
        assert_eq!(close, "0", "posts that came too close to each other");
    }
}

pub fn each_post_once(harm: Harm) {
    let posts = std::env::var("SMM_SHARED_POSTS").ok().and_then(|posts| posts.parse().ok()).unwrap_or(1_000);
    // All begin within the minute in which they count as on time: what is overdue goes out five at a time.
    let mut scene = Scene::new(posts, ACCOUNTS, 12);
    let mut daemons: Vec<Daemon> = (0..3).map(|machine| scene.daemon(machine)).collect();
    let part = |percent: usize| scene.posts * percent / 100;
    let (soon, later) = (part(20), part(40));
    scene.until_published(soon, Duration::from_secs(90));
    match harm {
        Harm::Daemons => {
            daemons[0].signal("STOP");
            let stopped = Instant::now();
            scene.until_published(later, Duration::from_mins(1));
            daemons.remove(1).kill();
            pause(u64::try_from(Duration::from_secs(18).saturating_sub(stopped.elapsed()).as_millis()).expect("small"));
            daemons[0].signal("CONT");
        }
        Harm::Server => {
            scene.server.down(Stop::Immediate);
            pause(1_500);
            scene.server.up();
        }
    }
    scene.until_rest(Duration::from_mins(3));
    scene.check();
    for daemon in daemons {
        daemon.kill();
    }
}

/// Beside a daemon that has claimed what they would publish, `smm publish` and `smm post` wait for it and tell its result.
pub fn post_and_publish_beside_a_daemon() {
    let scene = Scene::new(1, 1, 3);
    let stops = |machine: usize, point: &str| {
        let mut command = scene.command(machine);
        command.env("SMM_TRIAL_POINT", format!("{point}:1:stop"));
        command
    };
    let run = |mut command: Command, args: &[&str]| {
        let spawned = command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Ends(spawned.expect("smm starts"))
    };
    let output = |mut command: Ends| {
        let status = ends(&mut command.0, Duration::from_secs(30));
        let (mut stdout, mut stderr) = (String::new(), String::new());
        command.0.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("UTF-8");
        command.0.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("UTF-8");
        Run { status: status.code().unwrap_or(-1), stdout, stderr }
    };
    let released = |daemon: &Daemon, command: &mut Ends| {
        pause(1_500);
        assert!(command.0.try_wait().expect("a child of ours").is_none(), "it does not wait");
        daemon.signal("CONT");
    };
    let told = |run: Run| {
        let rows = run.expect(0).json();
        assert_eq!(rows["deliveries"][0]["state"], "published", "{rows}");
    };

    let daemon = Daemon::start(stops(0, "intent"));
    daemon.stopped();
    let mut publish = run(scene.command(1), &["publish", "--format", "json"]);
    released(&daemon, &mut publish);
    told(output(publish));
    drop(daemon);

    // The post is in the ledger, and its command is kept from claiming it until the daemon has.
    let mut post = run(stops(1, "claim"), &["post", "--to", "a0", "--format", "json", "Beside a daemon."]);
    stopped(&post.0);
    let daemon = Daemon::start(stops(0, "intent"));
    daemon.stopped();
    signal(&post.0, "CONT");
    released(&daemon, &mut post);
    told(output(post));

    let out: Vec<String> = wait(scene.fakes["a0"].posts()).into_iter().map(|post| post.text).collect();
    assert_eq!(out.len(), 2, "{out:?}");
}
