//! A ledger that is copied and moved with the real program: everything arrives, and nothing goes out twice.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use chrono::{TimeDelta, Utc};
use serde_json::json;
use smm::model::{ReasonCode, State};

use crate::stand::{Kind, Planned, Stand};
use crate::support::Run;

/// A ledger with a bit of everything, and a second one that is empty.
struct Move {
    stand: Stand,
    posts: Vec<Planned>,
}

impl Move {
    fn new() -> Self {
        let mut stand = Stand::new(&[Kind::Key, Kind::Files]);
        let config = stand.env.read("smm.toml");
        stand.env.write("new.toml", config.replacen("ledger = \"sqlite\"", "ledger = \"other/new.db\"", 1));
        let now = Utc::now();
        let posts = vec![
            Planned::new("out", now),
            Planned::new("thread", now).parts(3),
            Planned::new("refused", now - TimeDelta::hours(3)),
            Planned::new("later", now + TimeDelta::days(300)),
        ];
        stand.calendar(posts.clone());
        // The ledger is not new when the late post turns up.
        stand.smm(&["publish"]).expect(0);
        let account = stand.nets[0].account.clone();
        stand.smm(&["post", "in a year", "--to", &account, "--at", "in 300 days", "--id", "stored"]).expect(0);
        stand.smm(&["pause", &account, "--reason", "holiday"]).expect(0);
        stand.smm(&["cancel", "later"]).expect(0);
        stand.smm(&["resume", &account]).expect(0);
        stand.smm(&["pause", "--reason", "everything"]).expect(0);
        Self { stand, posts }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stand.env.path().join(name)
    }

    /// On the new ledger.
    fn new_smm(&self, args: &[&str]) -> Run {
        let mut command = self.stand.command();
        Run::from(command.args(["--config", "new.toml"]).args(args).output().expect("smm runs"))
    }

    /// The records between the first and the last, as lines.
    fn records(&self, name: &str) -> Vec<String> {
        let text = self.stand.env.read(name);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(lines[0].contains("\"head\"") && lines[lines.len() - 1].contains("\"end\""), "{text}");
        lines[1..lines.len() - 1].to_vec()
    }

    fn sent(&self) -> usize {
        self.stand.nets.iter().map(|net| self.stand.held(net).values().map(Vec::len).sum::<usize>()).sum()
    }
}

#[test]
fn a_moved_ledger_is_the_same_and_sends_nothing_twice() {
    let mut it = Move::new();
    let exported = it.stand.smm(&["ledger", "export", "one.jsonl"]).expect(0);
    assert!(exported.stderr.contains("deliveries in"), "{}", exported.stderr);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(it.path("one.jsonl")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let text = it.stand.env.read("one.jsonl");
    for secret in it.stand.secrets() {
        assert!(!text.contains(secret), "no secret");
    }
    let refused = it.stand.smm(&["ledger", "export", "one.jsonl"]).expect(1);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    assert_eq!(it.stand.env.read("one.jsonl"), text, "nothing is overwritten");

    let imported = it.new_smm(&["ledger", "import", "one.jsonl"]).expect(0);
    assert!(imported.stderr.contains("new.db"), "{}", imported.stderr);
    it.new_smm(&["ledger", "export", "two.jsonl"]).expect(0);
    assert_eq!(it.records("one.jsonl"), it.records("two.jsonl"), "everything is there, in its order");
    let again = it.new_smm(&["ledger", "import", "one.jsonl"]).expect(1);
    assert!(again.stderr.contains("already; nothing was imported"), "{}", again.stderr);
    // Back again, through a pipe.
    let piped = it.new_smm(&["ledger", "export"]).expect(0);
    let config = it.stand.env.read("new.toml").replacen("other/new.db", "other/third.db", 1);
    it.stand.env.write("third.toml", config);
    let mut command = it.stand.command();
    command.args(["--config", "third.toml", "ledger", "import", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("smm starts");
    child.stdin.take().expect("a pipe").write_all(piped.stdout.as_bytes()).expect("read");
    assert!(child.wait().expect("it ends").success());
    let mut command = it.stand.command();
    Run::from(command.args(["--config", "third.toml", "ledger", "export", "three.jsonl"]).output().expect("smm runs"))
        .expect(0);
    assert_eq!(it.records("one.jsonl"), it.records("three.jsonl"));

    // The pause has come along; without it, what is new goes out and nothing else.
    let before = it.sent();
    it.new_smm(&["publish"]);
    assert_eq!(it.sent(), before);
    it.new_smm(&["resume"]).expect(0);
    it.new_smm(&["publish"]).expect(0);
    assert_eq!(it.sent(), before, "everything is out");
    it.posts.push(Planned::new("new", Utc::now()));
    it.stand.calendar(it.posts.clone());
    it.new_smm(&["publish"]).expect(0);
    assert_eq!(it.sent(), before + 2);
    let info = it.new_smm(&["ledger", "--format", "json"]).expect(0).json();
    assert_eq!((&info["kind"], &info["older"]), (&json!("SQLite"), &json!(null)));
    assert!(info["states"]["published"].as_u64().is_some_and(|count| count >= 6), "{info}");
    // What this machine has seen of the new one is the new one's.
    assert!(it.path("other/new.db.mark").exists());
}

#[test]
fn what_is_not_whole_changes_nothing() {
    let it = Move::new();
    it.stand.smm(&["ledger", "export", "one.jsonl"]).expect(0);
    let text = it.stand.env.read("one.jsonl");
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len() - 2;
    let swapped = [&lines[..1], &lines[last..=last], &lines[1..last], &lines[last + 1..]].concat().join("\n");
    let without_one = [&lines[..4], &lines[5..]].concat().join("\n");
    for (cut, why) in [
        (lines[..lines.len() - 1].join("\n"), "cut short"),
        (text[..text.len() - 9].to_owned(), "not a record"),
        (lines[1..].join("\n"), "beginning is missing"),
        (without_one, "has"),
        (format!("{text}{text}"), "after its end"),
        (lines[0].replace("\"format\":1", "\"format\":7"), "version 7"),
        (swapped, "not in their order"),
        (String::new(), "empty"),
        ("name = \"acme\"\n".to_owned(), "cut.jsonl:1: not a record"),
    ] {
        it.stand.env.write("cut.jsonl", cut);
        let refused = it.new_smm(&["ledger", "import", "cut.jsonl"]).expect(1);
        assert!(refused.stderr.contains(why) && refused.stderr.contains("nothing was imported"), "{}", refused.stderr);
        assert!(!it.path("other/new.db").exists(), "not even made");
    }
    it.new_smm(&["ledger", "import", "nowhere.jsonl"]).expect(1);
    it.new_smm(&["ledger", "export", "-"]).expect(1);
    it.new_smm(&["ledger", "backup", "copy.db"]).expect(1);
}

#[test]
fn an_old_export_is_an_older_ledger() {
    let mut it = Move::new();
    it.stand.smm(&["resume"]).expect(0);
    it.stand.smm(&["ledger", "export", "one.jsonl"]).expect(0);
    it.posts.push(Planned::new("since", Utc::now()));
    it.stand.calendar(it.posts.clone());
    it.stand.smm(&["publish"]).expect(0);
    let before = it.sent();
    // Written two hours ago: the ledger that it is of has gone on.
    let text = it.stand.env.read("one.jsonl");
    let (head, rest) = text.split_once('\n').expect("lines");
    let mut head: serde_json::Value = serde_json::from_str(head).expect("a record");
    head["at"] = json!(Utc::now() - TimeDelta::hours(2));
    it.stand.env.write("old.jsonl", format!("{head}\n{rest}"));
    let imported = it.new_smm(&["ledger", "import", "old.jsonl"]).expect(0);
    assert!(imported.stderr.contains("may have gone on since"), "{}", imported.stderr);
    it.new_smm(&["publish"]);
    assert_eq!(it.sent(), before, "what it does not know to be out is not sent");
    let rows = it.new_smm(&["status", "--format", "json"]).expect(1).json();
    let held = rows["deliveries"].as_array().expect("rows").iter().filter(|row| row["post"] == json!("since"));
    assert!(held.clone().count() == 2 && held.clone().all(|row| row["state"] == json!("held")), "{rows}");
}

#[test]
fn a_backup_is_made_beside_a_daemon() {
    let mut it = Move::new();
    it.stand.smm(&["resume"]).expect(0);
    let daemon = it.stand.daemon();
    daemon.says("ready");
    it.stand.smm(&["ledger", "backup", "copy.db"]).expect(0);
    let refused = it.stand.smm(&["ledger", "backup", "copy.db"]).expect(1);
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    let busy = it.stand.smm(&["ledger", "export", "one.jsonl"]).expect(1);
    assert!(busy.stderr.contains("smm daemon") && busy.stderr.contains("smm ledger backup"), "{}", busy.stderr);
    assert!(!it.path("one.jsonl").exists());
    it.posts.push(Planned::new("since", Utc::now()));
    it.stand.calendar(it.posts.clone());
    daemon.says("published");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let since = || it.stand.rows().into_iter().filter(|row| row.post.as_str() == "since").collect::<Vec<_>>();
    while since().len() < 2 || since().iter().any(|row| row.state != State::Published) {
        assert!(std::time::Instant::now() < end, "{:?}", since());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.stops();
    let before = it.sent();
    let ledger = it.path("state/smm/ledger.db");
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", ledger.display()));
    }
    std::fs::copy(it.path("copy.db"), &ledger).expect("restored");
    it.stand.smm(&["publish"]).expect(1);
    it.stand.smm(&["ledger", "adopt", "--yes"]).expect(0);
    it.stand.smm(&["publish"]);
    assert_eq!(it.sent(), before);
    assert!(since().iter().all(|row| {
        row.state == State::Held && row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::LedgerOlder)
    }));
}
