//! A process that is stopped for longer than its lease and the settle time, and goes on as if nothing had been.

use std::time::Duration;

use chrono::Utc;
use smm::adapter::suite::{Act, Rule};
use smm::model::State;

use crate::postgres::Postgres;
use crate::process::{Daemon, pause};
use crate::stand::{Kind, Planned, Stand, brief};

/// Longer than a lease of five seconds and a settle time of one.
const LONG: u64 = 6500;

/// With an embedded ledger nobody can take over, however long it sleeps.
fn alone(point: &str, kind: Kind) {
    let mut stand = Stand::over("sqlite", "lease = \"5s\"", &[kind]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let daemon = stand.daemon_until(point);
    daemon.stopped();
    let run = stand.smm(&["daemon"]).expect(1);
    assert!(run.stderr.contains(&format!("process {}", daemon.child.id())), "it names the holder: {}", run.stderr);
    pause(LONG);
    daemon.signal("CONT");
    let rows = stand.until_rest(Duration::from_secs(30));
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0, "{:#?}", brief(&rows));
    assert_eq!(rows[0].state, State::Published, "{:#?}", brief(&rows));
}

#[test]
fn stopped_before_the_call_without_keys() {
    alone("intent-written:1:stop", Kind::LookUp);
}

#[test]
fn stopped_at_the_call() {
    alone("send:1:stop", Kind::Key);
}

#[test]
fn stopped_before_the_record() {
    alone("answered:1:stop", Kind::ChosenId);
}

#[test]
fn stopped_in_the_middle_of_a_call() {
    let mut stand = Stand::over("sqlite", "lease = \"5s\"", &[Kind::LookUp]);
    let (method, path) = stand.nets[0].fake().publish_call().expect("HTTP");
    let front = stand.nets[0].fake().front().expect("HTTP");
    front.rule(Rule::new(Act::Wait(Duration::from_secs(1))).on(method, path));
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let daemon = stand.daemon();
    while stand.nets[0].fake().front().expect("HTTP").count(method, path) == 0 {
        pause(5);
    }
    daemon.signal("STOP");
    daemon.stopped();
    pause(LONG);
    daemon.signal("CONT");
    let rows = stand.until_rest(Duration::from_secs(30));
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0, "{:#?}", brief(&rows));
}

/// PostgreSQL is there; `SMM_REAL_REQUIRED=1` makes a missing one a failure.
pub(crate) fn postgres() -> bool {
    let there = Postgres::programs().is_some();
    let required = std::env::var_os("SMM_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(there || !required, "PostgreSQL is missing; tests/real/install installs it");
    if !there {
        eprintln!("SKIPPED: PostgreSQL is not installed");
    }
    there
}

/// With a shared ledger somebody else takes over, and the sleeper sends nothing when it wakes.
#[test]
fn a_daemon_that_slept_past_its_lease_sends_nothing() {
    if !postgres() {
        return;
    }
    let server = Postgres::start(&[]);
    server.database("frozen");
    let mut stand = Stand::over(&server.url("frozen"), "lease = \"12s\"", &[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let sleeper = stand.daemon_until("intent-written:1:stop");
    sleeper.stopped();
    // The other machine.
    let mut other = stand.command();
    other.env("XDG_STATE_HOME", stand.env.path().join("other"));
    let other = Daemon::start(other);
    // Its lease lapses; nobody knows whether the call was made, and looking finds nothing: a person decides.
    let rows = stand.until_rest(Duration::from_secs(30));
    assert_eq!(rows[0].state, State::Unknown, "{:#?}", brief(&rows));
    sleeper.signal("CONT");
    pause(1500);
    let held = stand.held(&stand.nets[0]);
    assert!(held.is_empty(), "the sleeper has sent it: {held:?}");
    let rows = stand.rows();
    assert_eq!(rows[0].state, State::Unknown, "{:#?}", brief(&rows));
    sleeper.stops();
    other.stops();
}
