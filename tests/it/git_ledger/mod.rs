//! The ledger in git, beyond what every ledger does: what it leaves alone, what becomes of refs that somebody deletes or
//! sets back, of pushes whose answer is lost, and what it says when it cannot be used.

mod commands;
mod lost;
mod objects;
mod rewound;
mod words;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use smm::ledger::git::GitLedger;
use smm::ledger::{Burst, ClaimRequest, Ledger, OpenMode, Opening, Write, Written};
use smm::model::{
    AccountName, Binding, CalendarName, Delivery, Event, Frozen, Intent, Late, OccurrenceName, Origin as PostOrigin,
    PostId, Receipt, State,
};
use smm::time::SystemClock;

use crate::process::wait;
use crate::repository::{Origin, git, has_git};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
}

/// A machine: a clone, and what it keeps outside of the ledger.
struct Machine {
    clone: PathBuf,
    state: PathBuf,
    environment: Option<Vec<(OsString, OsString)>>,
}

impl Machine {
    fn new(origin: &Origin, name: &str, options: &[&str]) -> Self {
        let clone = origin.clone_to(name, options);
        Self { clone, state: origin.folder().join(format!("{name}-state")), environment: None }
    }

    fn open(&self) -> GitLedger {
        self.open_as("git")
    }

    fn open_as(&self, setting: &str) -> GitLedger {
        let mut opening = Opening::new(setting, &self.state, OpenMode::ReadWrite);
        opening.folder = Some(&self.clone);
        opening.environment.clone_from(&self.environment);
        GitLedger::open_with(&opening, Arc::new(SystemClock), Duration::ZERO).expect("a ledger")
    }

    /// Puts a script before git, which is `$GIT` in it.
    fn wrap(&mut self, origin: &Origin, script: &str) {
        let folder = origin.folder().join(format!("{}-bin", self.clone.file_name().expect("a name").display()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("git");
        std::fs::write(&path, format!("#!/bin/sh\nGIT={}\n{script}", real_git().display())).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
        let before = std::env::var_os("PATH").unwrap_or_default();
        let all = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&before))).expect("a path");
        self.environment = Some(vec![("PATH".into(), all), ("HOME".into(), origin.folder().into())]);
    }
}

fn real_git() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).expect("git is there")
}

fn row(post: &str, account: &str) -> Delivery {
    Delivery::planned(
        CalendarName::new("acme"),
        PostId::new(post),
        OccurrenceName::new(format!("{post}@v2.0.0")),
        AccountName::new(account),
        "some-network",
        PostOrigin::Calendar,
        at(0),
        at(0).naive_utc(),
        Late::default(),
    )
}

fn change(row: &Delivery, kind: &str) -> Write {
    let event = Event {
        at: at(1),
        delivery: row.id,
        kind: kind.to_owned(),
        state: row.state,
        detail: String::new(),
        actor: "smm".to_owned(),
    };
    Write::new(row.clone(), row.version, event)
}

fn put(ledger: &GitLedger, row: &Delivery, kind: &str) -> Delivery {
    assert_eq!(wait(ledger.write(&[change(row, kind)])), Ok(vec![Written::Done]), "{row:?}");
    wait(ledger.delivery(row.id)).expect("an answer").expect("it is there")
}

fn ask(accounts: &[&str]) -> ClaimRequest {
    ClaimRequest {
        owner: "smm announce on a runner, process 7".to_owned(),
        now: at(120),
        accounts: accounts.iter().map(|name| (AccountName::new(*name), 0)).collect(),
        calendars: Vec::new(),
        limit: 10,
        only: None,
        burst: Burst::default(),
    }
}

fn claim(ledger: &GitLedger, account: &str) -> Delivery {
    let mut rows = wait(ledger.claim(&ask(&[account]))).expect("a claim");
    assert_eq!(rows.len(), 1, "one is ready");
    rows.remove(0)
}

fn begin(ledger: &GitLedger, claimed: &Delivery) -> Delivery {
    let mut next = claimed.clone();
    (next.state, next.attempts) = (State::Sending, 1);
    next.intent = Some(Box::new(Intent {
        frozen: Frozen { part: 0, key: "key".to_owned(), request: serde_json::json!({"status": "hello"}) },
        binding: Binding {
            network: "some-network".to_owned(),
            host: "https://fedi.example".to_owned(),
            uid: format!("9-{}", claimed.account),
            handle: "@acme@fedi.example".to_owned(),
        },
        attempt: 1,
        first_at: at(61),
        at: at(61),
    }));
    put(ledger, &next, "intent")
}

/// From a planned row to one that is out.
fn publish(ledger: &GitLedger, post: &str, account: &str) -> Delivery {
    put(ledger, &row(post, account), "planned");
    let sent = begin(ledger, &claim(ledger, account));
    let mut out = Delivery { intent: None, owner: None, state: State::Published, ..sent };
    let url = Some("https://fedi.example/1".to_owned());
    out.receipts = vec![Receipt { part: 0, id: "1".to_owned(), url, at: at(62), data: serde_json::Value::Null }];
    out.published_at = Some(at(62));
    put(ledger, &out, "receipt")
}

fn guard(row: &Delivery) -> String {
    format!("refs/smm/ledger/deliveries/{}", row.id)
}

/// The files of a folder and what is in them, without git's objects.
fn snapshot(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.ends_with(".git/objects") {
                    found.push((name, Vec::new()));
                    collect(root, &path, found);
                }
            } else {
                found.push((name, std::fs::read(&path).expect("read")));
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort();
    found
}

#[test]
fn nothing_else_of_the_repository_is_touched() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let here = Machine::new(&origin, "here", &[]);
    let there = Machine::new(&origin, "there", &[]);
    git(&here.clone, &["checkout", "-q", "--detach"]);
    std::fs::write(here.clone.join("README"), "being edited").expect("written");
    git(&here.clone, &["add", "README"]);
    std::fs::write(here.clone.join("new"), "not known to git").expect("written");
    // What a hook, and settings that meddle, would do.
    for hook in ["pre-push", "reference-transaction", "post-index-change"] {
        let path = here.clone.join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\nexit 1\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    for (key, value) in [("fetch.prune", "true"), ("push.followTags", "true"), ("remote.origin.tagOpt", "--tags")] {
        git(&here.clone, &["config", key, value]);
    }
    let (before, refs) = (snapshot(&here.clone), origin.git(&["for-each-ref"]));
    let (ledger, other) = (here.open(), there.open());
    let out = publish(&ledger, "release", "fedi");
    publish(&other, "another", "bsky");
    assert_eq!(wait(ledger.deliveries(&smm::ledger::Query::default())).expect("rows").len(), 2);
    let after = snapshot(&here.clone);
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    assert!(after == before, "a file has changed");
    let others: Vec<String> =
        origin.git(&["for-each-ref"]).lines().filter(|line| !line.contains("refs/smm/")).map(str::to_owned).collect();
    assert_eq!(others, refs.lines().collect::<Vec<_>>());
    // And it can be read with plain git.
    let log = origin.git(&["log", "--format=%s", "refs/smm/ledger/state"]);
    assert!(log.contains("claimed release@v2.0.0 for fedi by smm announce on a runner, process 7\n"), "{log}");
    assert!(log.contains("receipt release@v2.0.0 for fedi"), "{log}");
    assert_eq!(log.lines().count(), 8, "one commit for each change: {log}");
    let file = origin.git(&["show", &format!("{}:delivery.json", guard(&out))]);
    assert!(file.contains("https://fedi.example/1"), "{file}");
    assert!(origin.git(&["show", "refs/smm/ledger/state:README.md"]).contains("ledger of smm"));
    origin.git(&["fsck", "--strict"]);
}

#[test]
fn clones_of_every_kind_share_it() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let whole = Machine::new(&origin, "whole", &[]);
    let shallow = Machine::new(&origin, "shallow", &["--depth=1"]);
    git(&whole.clone, &["worktree", "add", "-q", "../tree", "HEAD"]);
    let tree = Machine { clone: origin.folder().join("tree/"), state: origin.folder().join("s"), environment: None };
    let out = publish(&whole.open(), "release", "fedi");
    // As a git that was killed leaves them.
    for lock in
        ["HEAD.lock", "config.lock", "index.lock", "packed-refs.lock", "shallow.lock", "objects/maintenance.lock"]
    {
        std::fs::write(shallow.clone.join(".git").join(lock), "").expect("written");
    }
    for machine in [&shallow, &tree] {
        let ledger = machine.open();
        assert_eq!(wait(ledger.delivery(out.id)), Ok(Some(out.clone())));
        let name = machine.clone.file_name().expect("a name").to_string_lossy().into_owned();
        publish(&ledger, &name, "bsky");
    }
    assert_eq!(wait(whole.open().deliveries(&smm::ledger::Query::default())).expect("rows").len(), 3);
    assert_eq!(git(&shallow.clone, &["rev-parse", "--is-shallow-repository"]).trim(), "true");
    assert_eq!(git(&shallow.clone, &["rev-list", "--count", "HEAD"]).trim(), "1", "it is as shallow as before");
}

#[test]
fn names_keep_ledgers_apart() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let machine = Machine::new(&origin, "here", &[]);
    publish(&machine.open(), "release", "fedi");
    let other = machine.open_as("git:origin#team-b");
    assert_eq!(wait(other.deliveries(&smm::ledger::Query::default())), Ok(vec![]));
    publish(&other, "release", "fedi");
    let refs = origin.refs();
    assert_eq!(refs.len(), 4, "{refs:?}");
    assert_eq!(refs.iter().filter(|name| name.starts_with("refs/smm/team-b/")).count(), 2, "{refs:?}");
}

#[test]
fn a_claim_that_is_given_back_leaves_no_ref() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let ledger = Machine::new(&origin, "here", &[]).open();
    let planned = put(&ledger, &row("release", "fedi"), "planned");
    assert_eq!(origin.refs(), ["refs/smm/ledger/state"]);
    let claimed = claim(&ledger, "fedi");
    assert_eq!(origin.refs(), [guard(&planned), "refs/smm/ledger/state".to_owned()]);
    put(&ledger, &Delivery { state: State::Planned, owner: None, ..claimed }, "back");
    assert_eq!(origin.refs(), ["refs/smm/ledger/state"]);
    // Somebody has tidied up what they did not know.
    let claimed = claim(&ledger, "fedi");
    origin.git(&["update-ref", "-d", &guard(&planned)]);
    let sent = begin(&ledger, &claimed);
    let failed = Delivery { state: State::Failed, intent: None, owner: None, ..sent };
    put(&ledger, &failed, "failed");
    assert_eq!(origin.refs(), ["refs/smm/ledger/state"]);
}

#[test]
fn of_two_who_claim_over_the_same_state_one_does() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (one, two) = (Machine::new(&origin, "one", &[]).open(), Machine::new(&origin, "two", &[]).open());
    let planned = put(&one, &row("release", "fedi"), "planned");
    assert_eq!(wait(two.delivery(planned.id)), Ok(Some(planned)), "both have loaded the same");
    let claimed = claim(&one, "fedi");
    assert_eq!(wait(two.claim(&ask(&["fedi"]))), Ok(vec![]));
    let log = origin.git(&["log", "--format=%s", "refs/smm/ledger/state"]);
    assert_eq!(log.matches("claimed").count(), 1, "{log}");
    begin(&one, &claimed);
}
