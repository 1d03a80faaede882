//! Bad days: what the person who runs `smm` meets, and what must be true then. The real program against the networks'
//! stand-ins.

mod accounts;
mod beside;
#[cfg(target_os = "linux")]
mod disk;
mod edits;
#[cfg(target_os = "linux")]
mod manager;

mod network;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use smm::adapter::suite::Fake;
use smm::ledger::{OpenMode, Query};
use smm::model::{Delivery, State};
use tokio::runtime::{Builder, Handle};

use crate::support::{Run, TestEnv};

/// `[delivery]` for tests: nothing is waited for long.
const QUICK: &str = "[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\n";

/// Runs what serves the stand-ins, on a thread of its own, so that a test may wait for a process.
fn servers() -> &'static Handle {
    static SERVERS: OnceLock<Handle> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Runs something there and waits for it.
fn serve<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (tell, told) = channel();
    servers().spawn(async move { tell.send(work.await) });
    told.recv().expect("it ends")
}

/// Waits for something that needs no server of its own.
fn wait<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

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

/// A daemon with its log. It ends with the value.
struct Daemon {
    child: Child,
    lines: Receiver<serde_json::Value>,
}

impl Daemon {
    fn start(mut command: Command) -> Self {
        command.args(["daemon", "--log-format", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("smm starts");
        let (tell, lines) = channel();
        let log = child.stderr.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| serde_json::json!({ "message": line }));
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line whose message holds this.
    #[track_caller]
    fn says(&self, what: &str) -> serde_json::Value {
        let mut before = String::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line["message"].as_str().is_some_and(|message| message.contains(what)) => return line,
                Ok(line) => {
                    let _ = writeln!(before, "{line}");
                }
                Err(error) => panic!("the daemon did not say `{what}`: {error}; it said\n{before}"),
            }
        }
    }

    /// All that it has said and nobody has heard yet.
    fn said(&self) -> Vec<serde_json::Value> {
        self.lines.try_iter().collect()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it in order; gives what it had to say until then.
    #[track_caller]
    fn stops(mut self) -> Vec<serde_json::Value> {
        self.signal("TERM");
        let status = self.child.wait().expect("ended");
        let said: Vec<serde_json::Value> = self.lines.iter().collect();
        assert!(status.success(), "{status}: {said:?}");
        said
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
