//! The daemon as a process: on time, follows edits, keeps the last good calendar, stops in order, is rung by `publish`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use crate::support::TestEnv;

struct Daemon {
    child: Child,
    lines: Receiver<serde_json::Value>,
}

impl Daemon {
    fn start(env: &TestEnv) -> Self {
        let mut command = env.command();
        command.args(["daemon", "--log-format", "json"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("smm starts");
        let (tell, lines) = channel();
        let log = child.stderr.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
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
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line["message"].as_str().is_some_and(|message| message.contains(what)) => return line,
                Ok(_) => {}
                Err(error) => panic!("the daemon did not say `{what}`: {error}"),
            }
        }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    #[track_caller]
    fn stops(mut self) {
        self.signal("TERM");
        self.says("stopped");
        assert!(self.child.wait().expect("ended").success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const HEAD: &str = "name = \"acme\"\ntimezone = \"UTC\"\n[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n\
                    title = \"Acme\"\nlink = \"https://acme.example\"\n[defaults]\nto = [\"site\"]\n";

fn post(id: &str, at: chrono::DateTime<Utc>) -> String {
    format!("[[posts]]\nid = \"{id}\"\nat = {}\ntext = \"Text of {id}\"\n", at.format("%Y-%m-%dT%H:%M:%S%.3f"))
}

#[test]
fn on_time_and_never_early() {
    let env = TestEnv::new();
    let due = Utc::now() + TimeDelta::milliseconds(1500);
    env.write("calendar.toml", format!("{HEAD}{}", post("soon", due)));
    let daemon = Daemon::start(&env);
    daemon.says("ready");
    daemon.says("published");
    let out = Utc::now();
    assert!(out >= due && out < due + TimeDelta::seconds(5), "due {due}, out {out}");
    daemon.stops();
}

#[test]
fn edits_are_followed_and_broken_ones_are_not() {
    let env = TestEnv::new();
    env.write("calendar.toml", HEAD);
    let daemon = Daemon::start(&env);
    daemon.says("ready");
    env.write("calendar.toml", format!("{HEAD}[[posts]\n"));
    let line = daemon.says("the last good calendar stays in force");
    assert_eq!(line["level"], "ERROR");
    // As an editor does it: a new file takes the old one's place.
    let new = env.write("calendar.new", format!("{HEAD}{}", post("mended", Utc::now())));
    std::fs::rename(new, env.path().join("calendar.toml")).expect("replaced");
    daemon.says("read again");
    let line = daemon.says("published");
    assert_eq!(line["post"], "mended");
    daemon.signal("HUP");
    daemon.says("read again");
    daemon.stops();
}

#[test]
fn one_publisher_for_a_ledger_and_publish_rings_it() {
    let env = TestEnv::new();
    env.write("calendar.toml", format!("{HEAD}{}", post("first", Utc::now())));
    let daemon = Daemon::start(&env);
    daemon.says("published");
    let second = env.smm(&["daemon"]).expect(1);
    assert!(second.stderr.contains("another smm publishes"), "{}", second.stderr);
    env.write("calendar.toml", format!("{HEAD}{}{}", post("first", Utc::now()), post("second", Utc::now())));
    let run = env.smm(&["publish", "--format", "json"]).expect(0);
    let deliveries = run.json()["deliveries"].clone();
    let states: Vec<(&str, &str)> = deliveries
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["post"].as_str().unwrap_or_default(), row["state"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(states, [("first", "published"), ("second", "published")], "{deliveries}");
    daemon.stops();
    // Its rows are taken for published before by whoever comes next.
    let run = env.smm(&["publish", "--format", "json"]).expect(0);
    assert!(run.json()["deliveries"].as_array().expect("a list").iter().all(|row| row["already"] == true));
}
