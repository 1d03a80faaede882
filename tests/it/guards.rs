//! Each guard is missed by a test when it is off. `tests/guards.toml` says by which.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use smm::trial::Guard;

use crate::process::pause;

/// A guard that is off may make its test wait for what never comes.
const LONGEST: Duration = Duration::from_secs(90);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    against: String,
    test: String,
    needs: Option<String>,
}

fn table() -> BTreeMap<String, Entry> {
    toml::from_str(include_str!("../guards.toml")).expect("guards.toml is read")
}

/// The program asks whether it holds.
fn asked(guard: Guard) -> bool {
    let asks = format!("Guard::{guard:?}.holds()");
    crate::support::rust_files("src")
        .iter()
        .any(|(path, text)| !path.starts_with("src/ledger/memory") && text.contains(&asks))
}

/// Runs one test in a process of its own, this guard off. `true`: it passed.
fn passes_without(guard: &str, entry: &Entry) -> bool {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", &entry.test])
        .env("SMM_TRIAL_OFF", guard)
        .stdout(Stdio::from(log.reopen().expect("the file")))
        .stderr(Stdio::null())
        .spawn()
        .expect("the test binary runs");
    let end = Instant::now() + LONGEST;
    let status = loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => break status,
            None if Instant::now() > end => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("without the guard `{guard}`, {} did not end within {LONGEST:?}", entry.test);
            }
            None => pause(20),
        }
    };
    let told = std::fs::read_to_string(log.path()).expect("what it said");
    assert!(told.contains("running 1 test"), "there is no test `{}`:\n{told}", entry.test);
    status.success()
}

#[test]
fn every_guard_is_in_the_table_and_nothing_else() {
    let table = table();
    let mut all: Vec<&str> = Guard::ALL.iter().map(|guard| guard.as_str()).collect();
    all.sort_unstable();
    assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), all);
    for (guard, entry) in &table {
        assert!(!entry.against.is_empty(), "{guard}: what it protects against is said");
    }
}

/// One test for each guard, so that they run side by side.
macro_rules! guards {
    ($($name:ident $guard:expr),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                missed($guard);
            }
        )+

        #[test]
        fn every_guard_is_turned_off_once() {
            assert_eq!([$($guard),+], Guard::ALL);
        }
    };
}

guards! {
    intent Guard::Intent,
    fence Guard::Fence,
    deadline Guard::Deadline,
    settle Guard::Settle,
    witness Guard::Witness,
    sync Guard::Sync,
    lock Guard::Lock,
    key_window Guard::KeyWindow,
    redirect Guard::Redirect,
    binding Guard::Binding,
    first_run Guard::FirstRun,
    freeze Guard::Freeze,
    age Guard::Age,
    early Guard::Early,
    unresolved Guard::Unresolved,
    forgotten Guard::Forgotten,
    expected Guard::Expected,
    own_ref Guard::OwnRef,
}

fn missed(guard: Guard) {
    let entry = table().remove(guard.as_str()).expect("it is in the table");
    if !asked(guard) {
        eprintln!("SKIPPED: nothing in src asks the guard `{}` yet", guard.as_str());
        return;
    }
    let there = match entry.needs.as_deref() {
        None => true,
        Some("strace") => crate::guarded::strace(),
        Some("postgres") => crate::rig::postgres(),
        Some("git") => crate::repository::has_git(),
        Some(other) => panic!("the table asks for `{other}`, which nobody looks for"),
    };
    if !there {
        return;
    }
    assert!(
        !passes_without(guard.as_str(), &entry),
        "{} passes although the guard `{}` is off: it does not test it",
        entry.test,
        guard.as_str()
    );
}
