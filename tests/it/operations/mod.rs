//! Bad days: what the person who runs `smm` meets, and what must be true then. The real program against the networks'
//! stand-ins.

mod accounts;
mod alerts;
mod beside;
#[cfg(target_os = "linux")]
pub(crate) mod disk;
mod edits;
#[cfg(target_os = "linux")]
mod manager;

mod network;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use smm::adapter::suite::Fake;
use smm::ledger::{OpenMode, Query};
use smm::model::{Delivery, State};

use crate::process::{Daemon, pause, serve, wait};
use crate::support::{Run, TestEnv};

/// `[delivery]` for tests: nothing is waited for long.
const QUICK: &str = "[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\n";

/// A folder with an account on one network's stand-in.
struct Site {
    env: TestEnv,
    fake: Box<dyn Fake>,
    account: String,
    secrets: BTreeMap<String, String>,
}

impl Site {
    /// With the account in `smm.toml`, and its secrets at hand.
    fn new(network: &str) -> Self {
        let network = smm::networks::find(network).expect("built in");
        let fake = serve(network.fake()).expect("it has a fake");
        let account = fake.account().name.to_string();
        let mut site = Self { env: TestEnv::new(), fake, account, secrets: BTreeMap::new() };
        for (field, value) in site.fake.secrets() {
            site.secrets.insert(format!("SMM_{}_{field}", site.account).to_uppercase(), value);
        }
        site.config(site.url(), "");
        site
    }

    fn url(&self) -> &str {
        self.fake.front().expect("it speaks HTTP").url()
    }

    /// Writes `smm.toml`, with the account at this server; `more` are further lines of the account.
    fn config(&self, server: &str, more: &str) {
        let account = self.fake.account();
        let mut text = format!(
            "{QUICK}\n[accounts.{}]\nnetwork = \"{}\"\nserver = \"{server}\"\n{more}",
            self.account, account.network
        );
        for (key, value) in &account.settings {
            let _ = writeln!(text, "{key} = {value}");
        }
        self.env.write("smm.toml", text);
    }

    /// Writes the calendar with these posts.
    fn calendar(&self, posts: &str) {
        self.env.write(
            "calendar.toml",
            format!("name = \"ops\"\ntimezone = \"UTC\"\n[defaults]\nto = [\"{}\"]\n{posts}", self.account),
        );
    }

    fn command(&self) -> Command {
        let mut command = self.env.command();
        command.envs(&self.secrets);
        command
    }

    fn smm(&self, args: &[&str]) -> Run {
        Run::from(self.command().args(args).output().expect("smm runs"))
    }

    fn daemon(&self) -> Daemon {
        Daemon::start(self.command())
    }

    fn rows(&self) -> Vec<Delivery> {
        rows(&self.env)
    }

    /// Waits until a delivery of this post is in one of these states.
    #[track_caller]
    fn until(&self, post: &str, states: &[State]) -> Delivery {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let rows = self.rows();
            let row = rows.into_iter().find(|row| row.post.as_str() == post);
            match row {
                Some(row) if states.contains(&row.state) => return row,
                row if Instant::now() > end => panic!("{post} did not become {states:?}: {row:?}"),
                _ => pause(20),
            }
        }
    }

    /// The texts that are out, in their order.
    fn out(&self) -> Vec<String> {
        wait(self.fake.posts()).into_iter().map(|post| post.text).collect()
    }

    /// Waits until so many requests of this kind have come in.
    fn asked(&self, method: &str, path: &str, count: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.fake.front().expect("it speaks HTTP").count(method, path) < count {
            assert!(Instant::now() < end, "{method} {path} did not come {count} times");
            pause(5);
        }
    }
}

fn rows(env: &TestEnv) -> Vec<Delivery> {
    let ledger = smm::ledger::open("sqlite", &env.path().join("state/smm"), OpenMode::ReadOnly).expect("a ledger");
    wait(ledger.deliveries(&Query::default())).expect("rows")
}

/// An entry with this time; `more` are further lines.
fn post(id: &str, at: DateTime<Utc>, more: &str) -> String {
    format!("[[posts]]\nid = \"{id}\"\nat = {}\ntext = \"Text of {id}\"\n{more}\n", at.format("%Y-%m-%dT%H:%M:%S%.3f"))
}
