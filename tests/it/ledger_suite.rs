//! Every ledger passes the same suite.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use smm::ledger::git::GitLedger;
use smm::ledger::suite::{self, Store};
use smm::ledger::{self, Ledger, OpenMode, Opening};
use smm::time::ManualClock;

use crate::repository::{Origin, has_git};

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
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (name, case) in suite::all().iter().chain(suite::exclusive()) {
        eprintln!("{name}");
        runtime.block_on(case(Box::new(File(tempfile::tempdir().unwrap()))));
    }
}

/// A ledger in git, on a bare repository by its path, whose clock is ours.
struct Repository {
    origin: Origin,
    clock: Arc<ManualClock>,
    clones: Mutex<usize>,
}

impl Repository {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time")));
        Self { origin: Origin::new(), clock, clones: Mutex::new(0) }
    }
}

#[async_trait::async_trait]
impl Store for Repository {
    /// Each handle has a clone and a machine of its own.
    fn open(&self) -> Arc<dyn Ledger> {
        let mut clones = self.clones.lock().expect("no test panicked while it held it");
        *clones += 1;
        let name = format!("clone-{clones}");
        let clone = self.origin.clone_to(&name, &[]);
        let state = self.origin.folder().join(format!("{name}-state"));
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

#[test]
#[expect(clippy::print_stderr, reason = "shown when it fails: the last name is that of the case")]
fn git_passes_the_suite() {
    if !has_git() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (name, case) in suite::all().iter().chain(suite::shared()) {
        let began = std::time::Instant::now();
        runtime.block_on(case(Box::new(Repository::new())));
        eprintln!("{name} {:?}", began.elapsed());
    }
}

#[test]
fn a_ledger_moves_to_git_and_back() {
    if !has_git() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let file = File(tempfile::tempdir().unwrap());
    runtime.block_on(suite::moves_there_and_back(Box::new(file), Box::new(Repository::new())));
}
