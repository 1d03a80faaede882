//! Every ledger passes the same suite.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smm::ledger::git::GitLedger;
use smm::ledger::suite::{self, Case, Store};
use smm::ledger::{self, Ledger, OpenMode, Opening};
use smm::time::ManualClock;

use crate::repository::has_git;

struct File(tempfile::TempDir);

impl Store for File {
    fn open(&self) -> Arc<dyn Ledger> {
        ledger::open("sqlite", self.0.path(), OpenMode::ReadWrite).expect("a ledger")
    }

    fn another(&self) -> Box<dyn Store> {
        Box::new(Self(tempfile::tempdir().expect("a folder")))
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "shown when it fails: the last name is that of the case")]
fn sqlite_passes_the_suite() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for (name, case) in suite::all().iter().chain(suite::exclusive()) {
        eprintln!("{name}");
        runtime.block_on(case(Box::new(File(tempfile::tempdir().expect("a folder")))));
    }
}

/// A ledger in git, on a bare repository by its path, whose clock is ours.
struct Repository {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    machines: Mutex<usize>,
}

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        repository(&folder.path().join("origin.git"), "bare = true\n");
        let clock = Arc::new(ManualClock::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time")));
        Self { folder, clock, machines: Mutex::new(0) }
    }
}

/// What `git init` makes, as far as git asks for it: the cases need many, and each takes several processes.
fn repository(folder: &Path, settings: &str) {
    for name in ["objects", "refs"] {
        std::fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    std::fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").expect("written");
    std::fs::write(folder.join("config"), format!("[core]\nrepositoryformatversion = 0\n{settings}")).expect("written");
}

#[async_trait::async_trait]
impl Store for Repository {
    /// Each handle is on a machine of its own.
    fn open(&self) -> Arc<dyn Ledger> {
        let mut machines = self.machines.lock().expect("no test panicked while it held it");
        *machines += 1;
        let clone = self.folder.path().join(format!("machine-{machines}"));
        let remote = format!("[remote \"origin\"]\nurl = {}/origin.git\n", self.folder.path().display());
        repository(&clone.join(".git"), &remote);
        let state = clone.join("state");
        let mut opening = Opening::new("git", &state, OpenMode::ReadWrite);
        opening.folder = Some(&clone);
        let clock = Arc::clone(&self.clock) as Arc<dyn smm::time::Clock>;
        Arc::new(GitLedger::open_with(&opening, clock, Duration::ZERO).expect("a ledger"))
    }

    fn another(&self) -> Box<dyn Store> {
        Box::new(Self::new())
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }
}

/// A ledger in git takes a while with each case, so each is a test.
mod git {
    use super::{Case, Repository, has_git, suite};

    fn passes(cases: &[(&str, Case)], name: &str) {
        if !has_git() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (_, case) = cases.iter().find(|(known, _)| *known == name).expect("it is in the suite");
        runtime.block_on(case(Box::new(Repository::new())));
    }

    macro_rules! tests {
        (@all $($name:ident)*) => { $(#[test] fn $name() { passes(suite::all(), stringify!($name)); })* };
        (@shared $($name:ident)*) => { $(#[test] fn $name() { passes(suite::shared(), stringify!($name)); })* };
        (@exclusive $($name:ident)*) => {};
        (@clocked $($name:ident)*) => {};
        ($($(#[$doc:meta])* $list:ident: $($file:ident::$name:ident),* $(,)?;)*) => { $(tests!(@$list $($name)*);)* };
    }

    smm::ledger_cases!(tests);
}

#[test]
fn a_ledger_moves_to_git_and_back() {
    if !has_git() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let file = File(tempfile::tempdir().expect("a folder"));
    runtime.block_on(suite::moves_there_and_back(Box::new(file), Box::new(Repository::new())));
}
