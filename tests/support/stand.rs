//! Accounts on stand-ins of the networks, one for each class of repeat safety; and the check that everything rests on: what
//! the networks really hold, compared with what the ledger says.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use smm::adapter::suite::{Fake, PICTURE};
use smm::ledger::git::GitLedger;
use smm::ledger::{Ledger, OpenMode, Opening, Query};
use smm::model::{Delivery, State};
use smm::time::SystemClock;

use crate::process::{Daemon, pause, serve, wait};
use crate::proxy::Proxy;
use crate::repository::{Origin, git};
use crate::support::{Run, TestEnv};

/// How an account's server can be asked to do a thing once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The client chooses the id.
    ChosenId,
    /// It keeps our key for a while.
    Key,
    /// It only shows what is out.
    LookUp,
    /// It is a folder on this machine: the id follows from the content.
    Files,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::ChosenId, Self::Key, Self::LookUp, Self::Files];

    fn network(self) -> &'static str {
        match self {
            Self::ChosenId => "bluesky",
            Self::Key | Self::LookUp => "mastodon",
            Self::Files => "feed",
        }
    }
}

/// An account and its server.
pub(crate) struct Net {
    pub kind: Kind,
    /// The account's name.
    pub account: String,
    fake: Box<dyn Fake>,
    proxy: Option<Proxy>,
}

impl Net {
    /// `number`: how many of its kind there are before it.
    fn start(kind: Kind, number: usize) -> Self {
        let network = smm::networks::find(kind.network()).expect("built in");
        let fake = serve(network.fake()).expect("it has a fake");
        let mut account = if kind == Kind::LookUp {
            assert!(fake.forget_keys(), "it has kin without keys");
            "kin".to_owned()
        } else {
            fake.account().name.to_string()
        };
        if number > 0 {
            let _ = write!(account, "{}", number + 1);
        }
        let proxy = fake.front().map(|front| {
            let url = front.url().to_owned();
            serve(async move { Proxy::before(&url).await })
        });
        Self { kind, account, fake, proxy }
    }

    pub(crate) fn fake(&self) -> &dyn Fake {
        &*self.fake
    }

    /// What stands before the server; there is none before a folder.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }
}

/// A post as it stands in the calendar.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    id: String,
    at: DateTime<Utc>,
    parts: usize,
    picture: bool,
    to: Option<Vec<String>>,
}

impl Planned {
    /// A post of one part, for every account.
    pub(crate) fn new(id: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self { id: id.into(), at, parts: 1, picture: false, to: None }
    }

    #[must_use]
    pub(crate) fn parts(mut self, parts: usize) -> Self {
        self.parts = parts;
        self
    }

    #[must_use]
    pub(crate) fn picture(mut self) -> Self {
        self.picture = true;
        self
    }

    /// For these accounts alone.
    #[must_use]
    pub(crate) fn to(mut self, accounts: &[String]) -> Self {
        self.to = Some(accounts.to_vec());
        self
    }

    fn text(&self, part: usize) -> String {
        format!("Part {} of {}", part + 1, self.id)
    }

    fn write(&self, calendar: &mut String) {
        let _ = write!(
            calendar,
            "\n[[posts]]\nid = \"{}\"\nat = {}\ntext = \"{}\"\n",
            self.id,
            self.at.format("%Y-%m-%dT%H:%M:%S%.3f"),
            self.text(0)
        );
        if self.parts > 1 {
            let rest: Vec<String> = (1..self.parts).map(|part| self.text(part)).collect();
            let _ = writeln!(calendar, "thread = {rest:?}");
        }
        if self.picture {
            calendar.push_str("media = [{ file = \"dot.png\", alt = \"A dot\" }]\n");
        }
        if let Some(to) = &self.to {
            let _ = writeln!(calendar, "to = {to:?}");
        }
    }
}

/// A folder with a calendar, and accounts on stand-ins.
pub(crate) struct Stand {
    pub env: TestEnv,
    pub nets: Vec<Net>,
    posts: Vec<Planned>,
    ledger: String,
    secrets: BTreeMap<String, String>,
    /// A shared ledger, opened for reading: a connection is not made anew for each look.
    reader: OnceLock<Arc<dyn Ledger>>,
    /// Of a ledger in git: the remote that it is on.
    pub origin: Option<Origin>,
}

/// What a check has counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub deliveries: usize,
    /// For a person: sent twice at most, seen never, and rightly so.
    pub unknown: usize,
}

impl Stand {
    /// With an account of each of these kinds, each with a server of its own, and a ledger of its own in the folder.
    pub(crate) fn new(kinds: &[Kind]) -> Self {
        Self::over("sqlite", "", kinds)
    }

    /// Over this ledger; `delivery` are further lines of `[delivery]`.
    pub(crate) fn over(ledger: &str, delivery: &str, kinds: &[Kind]) -> Self {
        let before = |index: usize| kinds[..index].iter().filter(|kind| **kind == kinds[index]).count();
        let nets: Vec<Net> = kinds.iter().enumerate().map(|(index, kind)| Net::start(*kind, before(index))).collect();
        let mut config = format!(
            "ledger = \"{ledger}\"\n[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\ncatch_up = 10000\n{delivery}\n"
        );
        let mut secrets = BTreeMap::new();
        for net in &nets {
            let account = net.fake.account();
            let _ = writeln!(config, "\n[accounts.{}]\nnetwork = \"{}\"", net.account, account.network);
            if let Some(proxy) = &net.proxy {
                let _ = writeln!(config, "server = \"{}\"", proxy.url());
            }
            for (key, value) in &account.settings {
                let _ = writeln!(config, "{key} = {value}");
            }
            for (field, value) in net.fake.secrets() {
                secrets.insert(format!("SMM_{}_{field}", net.account).to_uppercase(), value);
            }
        }
        let env = TestEnv::new();
        env.write("smm.toml", config);
        env.write("dot.png", PICTURE);
        let origin = ledger.starts_with("git").then(|| {
            let origin = Origin::new();
            git(env.path(), &["init", "-q"]);
            git(env.path(), &["remote", "add", "origin", &origin.path().to_string_lossy()]);
            origin
        });
        Self { env, nets, posts: Vec::new(), ledger: ledger.to_owned(), secrets, reader: OnceLock::new(), origin }
    }

    /// Writes the calendar.
    pub(crate) fn calendar(&mut self, posts: Vec<Planned>) {
        let accounts: Vec<&str> = self.nets.iter().map(|net| net.account.as_str()).collect();
        let mut text = format!("name = \"rig\"\ntimezone = \"UTC\"\n[defaults]\nto = {accounts:?}\n");
        for post in &posts {
            post.write(&mut text);
        }
        self.posts = posts;
        self.env.write("calendar.toml", text);
    }

    /// How many deliveries the calendar makes.
    pub(crate) fn expected(&self) -> usize {
        self.posts.iter().map(|post| post.to.as_ref().map_or(self.nets.len(), Vec::len)).sum()
    }

    /// What must be found nowhere.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &String> {
        self.secrets.values()
    }

    /// The same, by the variable that each is read from.
    pub(crate) fn secrets_by_name(&self) -> &BTreeMap<String, String> {
        &self.secrets
    }

    /// The program, with the accounts' secrets.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.env.command();
        command.envs(&self.secrets);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn smm(&self, args: &[&str]) -> Run {
        Run::from(self.command().args(args).output().expect("smm runs"))
    }

    pub(crate) fn daemon(&self) -> Daemon {
        Daemon::start(self.command())
    }

    /// A daemon that is killed, or stopped, at a fail point: `SMM_TRIAL_POINT`.
    pub(crate) fn daemon_until(&self, point: &str) -> Daemon {
        let mut command = self.command();
        command.env("SMM_TRIAL_POINT", point);
        Daemon::start(command)
    }

    /// Several processes may publish from its ledger.
    pub(crate) fn is_shared(&self) -> bool {
        self.ledger.starts_with("postgres:") || self.origin.is_some()
    }

    /// The ledger, for reading.
    pub(crate) fn open(&self) -> Arc<dyn Ledger> {
        let state = self.env.path().join("state/smm");
        let mut opening = Opening::new(&self.ledger, &state, OpenMode::ReadOnly);
        opening.folder = Some(self.env.path());
        if self.origin.is_some() {
            // What the remote has now, not a moment ago.
            return Arc::new(GitLedger::open_with(&opening, Arc::new(SystemClock), Duration::ZERO).expect("a ledger"));
        }
        opening.open().expect("a ledger")
    }

    pub(crate) fn rows(&self) -> Vec<Delivery> {
        self.read(Query::default())
    }

    /// What the ledger says is under way.
    pub(crate) fn begun(&self) -> Vec<Delivery> {
        self.read(Query { states: vec![State::Claimed, State::Sending], ..Query::default() })
    }

    fn read(&self, query: Query) -> Vec<Delivery> {
        // An embedded one is left alone between two looks: what a killed process has left is for the next one to find.
        let ledger = if self.is_shared() { Arc::clone(self.reader.get_or_init(|| self.open())) } else { self.open() };
        serve(async move { ledger.deliveries(&query).await }).expect("rows")
    }

    /// How many requests its servers have seen, and how many of them cannot be taken back.
    pub(crate) fn requests(&self) -> (usize, usize) {
        let nets = self.nets.iter().filter_map(|net| Some((net.proxy()?, net.fake().publish_call()?)));
        nets.fold((0, 0), |(all, calls), (proxy, call)| (all + proxy.requests(), calls + proxy.count(call)))
    }

    /// Waits until everything that is expected is there and nothing moves by itself any more.
    #[track_caller]
    pub(crate) fn until_rest(&self, within: Duration) -> Vec<Delivery> {
        let end = Instant::now() + within;
        let mut between = 25;
        loop {
            let rows = self.rows();
            if rows.len() == self.expected() && rows.iter().all(rests) {
                return rows;
            }
            assert!(Instant::now() < end, "not at rest within {within:?}: {:#?}", brief(&rows));
            pause(between);
            between = (between + 5).min(200);
        }
    }

    /// How often each text is out on an account, as ids.
    pub(crate) fn held(&self, net: &Net) -> BTreeMap<String, Vec<String>> {
        let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
        if net.kind == Kind::Files {
            let mut entries = Vec::new();
            let account = net.fake.account();
            let folder = account.setting("folder").expect("a feed has one");
            files_called("entry.json", &self.env.path().join(folder), &mut entries);
            for entry in entries {
                let key = entry["key"].as_str().expect("a key");
                for part in entry["parts"].as_array().expect("parts") {
                    let number = part["part"].as_u64().expect("a number");
                    let id = if number == 0 { key.to_owned() } else { format!("{key}/{}", number + 1) };
                    held.entry(part["text"].as_str().expect("a text").to_owned()).or_default().push(id);
                }
            }
        } else {
            for post in wait(net.fake.posts()) {
                held.entry(post.text).or_default().push(post.id);
            }
        }
        held
    }

    /// Every post is out at most once, nothing is lost, and each state is true. Deliveries must be at rest or unattended.
    #[track_caller]
    pub(crate) fn check(&self, rows: &[Delivery]) -> Tally {
        assert_eq!(rows.len(), self.expected(), "deliveries: {:#?}", brief(rows));
        let mut tally = Tally { deliveries: rows.len(), unknown: 0 };
        for net in &self.nets {
            let mut held = self.held(net);
            for row in rows.iter().filter(|row| row.account.as_str() == net.account) {
                let post = self.posts.iter().find(|post| post.id == row.post.as_str()).expect("of the calendar");
                let out: Vec<Vec<String>> =
                    (0..post.parts).map(|part| held.remove(&post.text(part)).unwrap_or_default()).collect();
                for (part, ids) in out.iter().enumerate() {
                    let receipt = row.receipts.get(part);
                    let (id, account) = (&post.id, &net.account);
                    assert!(ids.len() <= 1, "part {part} of {id} is out {} times on {account}: {row:?}", ids.len());
                    match receipt {
                        Some(receipt) => {
                            assert_eq!(ids[..], *std::slice::from_ref(&receipt.id), "the receipt is untrue: {row:?}");
                        }
                        None if part == row.receipts.len() && row.intent.is_some() => {}
                        None => assert_eq!(ids.len(), 0, "part {part} of {id} is out without a word: {row:?}"),
                    }
                }
                match row.state {
                    State::Published => assert_eq!(row.receipts.len(), post.parts, "{row:?}"),
                    State::Unknown => tally.unknown += 1,
                    _ => {}
                }
            }
            assert!(held.is_empty(), "on {}, but not in the ledger: {held:?}", net.account);
        }
        tally
    }
}

/// Nothing moves it by itself any more.
pub(crate) fn rests(row: &Delivery) -> bool {
    row.state.is_final()
        || row.state == State::Held
        || (row.state == State::Unknown && row.unknown.as_ref().is_none_or(|unknown| unknown.next_look.is_none()))
}

/// Rows for people who look for a mistake.
pub(crate) fn brief(rows: &[Delivery]) -> Vec<String> {
    let tell = |row: &Delivery| {
        format!(
            "{} on {}: {}, {} receipts, {} attempts, {:?} {:?}",
            row.post,
            row.account,
            row.state,
            row.receipts.len(),
            row.attempts,
            row.reason.as_ref().map(|reason| (reason.code, &reason.message)),
            row.unknown
        )
    };
    rows.iter().map(tell).collect()
}

fn files_called(name: &str, folder: &Path, found: &mut Vec<serde_json::Value>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files_called(name, &entry, found);
        } else if entry.file_name().is_some_and(|file| file == name) {
            found.push(serde_json::from_slice(&std::fs::read(&entry).expect("a file")).expect("JSON"));
        }
    }
}
