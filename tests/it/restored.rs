//! A ledger that is older than what this machine has seen of it: nothing goes out until a person has adopted it, and then
//! nothing that may be out already goes out by itself.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::json;
use smm::model::{Delivery, ReasonCode, State};

use crate::process::{Daemon, pause};
use crate::stand::{Kind, Planned, Stand};

/// The ledger of a stand, and copies of it.
struct Shelf {
    file: PathBuf,
    copy: PathBuf,
}

impl Shelf {
    fn of(stand: &Stand) -> Self {
        Self { file: stand.env.path().join("state/smm/ledger.db"), copy: stand.env.path().join("yesterday.db") }
    }

    fn with(path: &Path, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", path.display()))
    }

    fn put_away(&self) {
        for ending in ["", "-wal"] {
            let from = Self::with(&self.file, ending);
            if from.exists() {
                std::fs::copy(from, Self::with(&self.copy, ending)).expect("a copy");
            }
        }
    }

    fn remove(&self) {
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(Self::with(&self.file, ending));
        }
    }

    fn restore(&self) {
        self.remove();
        for ending in ["", "-wal"] {
            let from = Self::with(&self.copy, ending);
            if from.exists() {
                std::fs::copy(from, Self::with(&self.file, ending)).expect("restored");
            }
        }
    }
}

/// How often anything was published, or looked up.
fn asked(stand: &Stand) -> usize {
    stand.nets[0].fake().front().expect("it speaks HTTP").seen().len()
}

fn out(stand: &Stand) -> usize {
    stand.held(&stand.nets[0]).values().map(Vec::len).sum()
}

fn row(stand: &Stand, post: &str) -> Option<Delivery> {
    stand.rows().into_iter().find(|row| row.post.as_str() == post)
}

#[track_caller]
fn until(stand: &Stand, post: &str, state: State) -> Delivery {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match row(stand, post) {
            Some(row) if row.state == state => return row,
            row if Instant::now() > end => panic!("{post} did not become {state}: {row:?}"),
            _ => pause(20),
        }
    }
}

/// One post is out and in a copy of the ledger; two more are out, of which the copy knows one as planned.
fn gone_on(shelf_with_log: bool) -> (Stand, Shelf, Vec<Planned>) {
    let mut stand = Stand::new(&[Kind::LookUp]);
    let shelf = Shelf::of(&stand);
    let soon = Utc::now() + TimeDelta::milliseconds(2500);
    let mut posts = vec![Planned::new("first", Utc::now()), Planned::new("second", soon)];
    stand.calendar(posts.clone());
    if shelf_with_log {
        // The daemon has the ledger open, so what is new is in its log.
        let daemon = stand.daemon();
        until(&stand, "first", State::Published);
        shelf.put_away();
        until(&stand, "second", State::Published);
        daemon.stops();
    } else {
        stand.smm(&["publish"]).expect(0);
        shelf.put_away();
        let daemon = stand.daemon();
        until(&stand, "second", State::Published);
        daemon.stops();
    }
    posts.push(Planned::new("third", Utc::now()));
    stand.calendar(posts.clone());
    stand.smm(&["publish"]).expect(0);
    assert_eq!(out(&stand), 3);
    shelf.restore();
    (stand, shelf, posts)
}

fn nothing_goes_out(stand: &Stand) -> Daemon {
    let before = asked(stand);
    let refused = stand.smm(&["publish"]).expect(1);
    assert!(refused.stderr.contains("nothing was sent: the ledger is older"), "{}", refused.stderr);
    assert!(refused.stderr.contains("smm ledger adopt"), "{}", refused.stderr);
    let account = &stand.nets[0].account;
    stand.smm(&["post", "hello", "--to", account]).expect(1);
    stand.smm(&["publish", "--backlog"]).expect(1);

    let status = stand.smm(&["status"]).expect(1);
    assert!(status.stdout.starts_with("nothing is sent: the ledger is older"), "{}", status.stdout);
    let status = stand.smm(&["status", "--format", "json"]).expect(1).json();
    assert_eq!((&status["older"]["seen"]["sequence"], &status["older"]["found"]["sequence"]), (&json!(3), &json!(1)));
    let plan = stand.smm(&["plan"]).expect(0);
    assert!(plan.stderr.contains("nothing is sent: the ledger is older"), "{}", plan.stderr);
    let info = stand.smm(&["ledger"]).expect(1);
    assert!(info.stdout.contains("it knows of 1 call") && info.stdout.contains("there were 3"), "{}", info.stdout);
    // In another place nobody would notice.
    let export = stand.smm(&["ledger", "export", "-"]).expect(1);
    assert!(export.stdout.is_empty() && export.stderr.contains("older"), "{}", export.stderr);

    let daemon = stand.daemon();
    let said = daemon.says("nothing is sent until `smm ledger adopt`");
    assert_eq!(said["level"], json!("ERROR"));
    stand.smm(&["retry", "second"]);
    pause(1500);
    assert_eq!(asked(stand), before, "no post, no look, not even a who-am-I");
    let refused = stand.smm(&["publish"]).expect(1);
    assert!(refused.stderr.contains("older"), "also beside a daemon: {}", refused.stderr);
    daemon
}

#[test]
fn a_restored_ledger_sends_nothing_by_itself() {
    for with_log in [true, false] {
        let (mut stand, _, mut posts) = gone_on(with_log);
        let daemon = nothing_goes_out(&stand);

        let unasked = stand.smm(&["ledger", "adopt"]).expect(1);
        assert!(unasked.stderr.contains("2 deliveries due by now and not known to be out"), "{}", unasked.stderr);
        assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
        let adopted = stand.smm(&["ledger", "adopt", "--yes", "--format", "json"]).expect(0).json();
        let named: Vec<&str> =
            adopted["deliveries"].as_array().expect("rows").iter().filter_map(|row| row["post"].as_str()).collect();
        assert_eq!(named, ["second", "third"]);

        // The daemon goes on by itself: what is to come goes out, what was due does not.
        posts.push(Planned::new("next", Utc::now() + TimeDelta::milliseconds(1500)));
        stand.calendar(posts.clone());
        daemon.says("the ledger was adopted");
        until(&stand, "next", State::Published);
        for post in ["second", "third"] {
            let row = until(&stand, post, State::Held);
            assert_eq!(row.reason.map(|reason| reason.code), Some(ReasonCode::LedgerOlder), "{post}");
        }
        assert_eq!(row(&stand, "first").map(|row| row.state), Some(State::Published));
        assert_eq!(out(&stand), 4);
        stand.smm(&["publish", "--backlog"]);
        stand.smm(&["ledger", "adopt"]).expect(0);
        assert_eq!(out(&stand), 4, "no backlog lets it out");

        // A person knows: one is out, the other was taken down since and is wanted again.
        stand.smm(&["resolve", "second", "--published", "https://fedi.example/@acme/2"]).expect(0);
        assert_eq!(until(&stand, "second", State::Published).receipts.len(), 1);
        stand.smm(&["retry", "third"]).expect(0);
        until(&stand, "third", State::Published);
        assert_eq!(out(&stand), 5);
        daemon.stops();
        stand.smm(&["status"]).expect(0);
    }
}

#[test]
fn a_ledger_that_was_deleted_is_missed() {
    let mut stand = Stand::new(&[Kind::Key]);
    let shelf = Shelf::of(&stand);
    stand.calendar(vec![Planned::new("first", Utc::now())]);
    stand.smm(&["publish"]).expect(0);
    shelf.remove();
    let status = stand.smm(&["status"]).expect(1);
    assert!(status.stdout.contains("the ledger is another one"), "{}", status.stdout);
    stand.smm(&["publish"]).expect(1);
    assert_eq!(out(&stand), 1);
    stand.smm(&["ledger", "adopt", "--yes"]).expect(0);
    let published = stand.smm(&["publish"]);
    assert_eq!(out(&stand), 1, "not even by the rule of the first run: {published:?}");
    assert_eq!(
        row(&stand, "first").and_then(|row| row.reason).map(|reason| reason.code),
        Some(ReasonCode::LedgerOlder)
    );

    // A mark that was torn is no mark that can be trusted.
    let mark = Shelf::with(&shelf.file, ".mark");
    std::fs::write(&mark, "0123456789abcdef {\"turn\":7").expect("torn");
    let refused = stand.smm(&["publish"]).expect(1);
    assert!(refused.stderr.contains("cannot be read any more"), "{}", refused.stderr);
    stand.smm(&["ledger", "adopt", "--yes"]).expect(0);
    stand.smm(&["publish"]);
    assert_eq!(out(&stand), 1);
}

/// Nobody can tell: what was seen was restored with what it was seen of. Then the look-up is what helps, where there is one.
#[test]
fn a_state_folder_that_was_restored_whole_is_not_noticed() {
    let mut stand = Stand::new(&[Kind::Key]);
    let shelf = Shelf::of(&stand);
    let mark = Shelf::with(&shelf.file, ".mark");
    stand.calendar(vec![Planned::new("first", Utc::now())]);
    stand.smm(&["publish"]).expect(0);
    shelf.put_away();
    let seen = std::fs::read(&mark).expect("a mark");
    stand.calendar(vec![Planned::new("first", Utc::now()), Planned::new("second", Utc::now())]);
    stand.smm(&["publish"]).expect(0);
    shelf.restore();
    std::fs::write(&mark, seen).expect("restored");
    assert!(stand.smm(&["ledger"]).expect(0).stdout.contains("as new as this machine has seen it"));
}
