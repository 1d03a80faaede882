//! Guards as the real program has them.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::{Front, Rule};
use smm::model::{ReasonCode, State};

use crate::process::{ends, pause, serve};
use crate::proxy::Cut;
use crate::stand::{Kind, Planned, Stand};
use crate::support::Run;

/// Waits until a condition holds; says whether it came to hold.
fn comes(within: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    while Instant::now() < end {
        if holds() {
            return true;
        }
        pause(10);
    }
    false
}

/// How many posts are out, on all accounts.
fn out(stand: &Stand) -> usize {
    stand.nets.iter().map(|net| stand.held(net).values().map(Vec::len).sum::<usize>()).sum()
}

#[test]
fn what_was_answered_and_not_recorded_is_not_sent_again() {
    let mut stand = Stand::new(&[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let mut daemon = stand.daemon_until("answered:1:kill");
    ends(&mut daemon.child, Duration::from_secs(20));
    assert_eq!(out(&stand), 1);
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_secs(20));
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0);
}

#[test]
fn what_somebody_else_has_moved_on_is_not_sent() {
    let mut stand = Stand::new(&[Kind::Key]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let daemon = stand.daemon_until("intent:1:stop");
    daemon.stopped();
    stand.smm(&["cancel", "once"]).expect(0);
    daemon.signal("CONT");
    let mut said = String::new();
    let refused = comes(Duration::from_secs(10), || {
        for line in daemon.said() {
            let _ = writeln!(said, "{line}");
        }
        said.contains("moved it on") || out(&stand) > 0
    });
    assert!(refused, "{said}");
    assert_eq!(out(&stand), 0, "a cancelled post went out: {said}");
    assert_eq!(stand.rows()[0].state, State::Cancelled);
    daemon.stops();
}

#[test]
fn a_call_that_arrives_late_is_waited_for() {
    let mut stand = Stand::new(&[Kind::LookUp]);
    let net = &stand.nets[0];
    let call = net.fake().publish_call().expect("HTTP");
    net.proxy().expect("HTTP").cut(call, Cut::Late(600), 1);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_secs(20));
    // Whatever is still on its way arrives.
    pause(900);
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0);
    assert_eq!((rows[0].state, rows[0].attempts), (State::Published, 1), "{:?}", rows[0]);
}

#[test]
fn a_second_daemon_does_not_publish_from_the_same_ledger() {
    let mut stand = Stand::new(&[Kind::Key]);
    stand.calendar(vec![]);
    let first = stand.daemon();
    first.says("ready");
    let mut second = stand.command();
    second.arg("daemon").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut second = second.spawn().expect("smm starts");
    let status = ends(&mut second, Duration::from_secs(5));
    let run = Run::from(second.wait_with_output().expect("ended"));
    assert_eq!(status.code(), Some(1), "{run:?}");
    assert!(run.stderr.contains(&format!("process {}", first.child.id())), "it names the holder: {}", run.stderr);
    first.stops();
}

#[test]
fn nothing_follows_a_redirect_to_another_host() {
    for status in [301, 302, 303, 307, 308] {
        let mut stand = Stand::new(&[Kind::Key]);
        let elsewhere = serve(Front::serve(axum::Router::new()));
        let (method, path) = stand.nets[0].fake().publish_call().expect("HTTP");
        let answer = Rule::answer(status, "").header("location", format!("{}/elsewhere", elsewhere.url()));
        stand.nets[0].fake().front().expect("HTTP").rule(answer.on(method, path));
        stand.calendar(vec![Planned::new("once", Utc::now())]);
        // What it says of a post it did not take in its own words is for a look.
        stand.smm(&["publish", "--wait", "0"]).expect(3);
        let seen = elsewhere.seen();
        assert!(seen.is_empty(), "{status}: another host was sent {seen:?}");
        assert_eq!(stand.rows()[0].state, State::Unknown, "{status}");
    }
}

#[test]
fn a_new_ledger_does_not_publish_the_past() {
    let mut stand = Stand::new(&[Kind::Key]);
    let past = Utc::now() - TimeDelta::seconds(30);
    stand.calendar((0..6).map(|number| Planned::new(format!("old-{number}"), past)).collect());
    let run = stand.smm(&["publish"]);
    assert_eq!(out(&stand), 0, "{run:?}");
    let rows = stand.rows();
    let first_run = |row: &smm::model::Delivery| row.reason.as_ref().is_some_and(|it| it.code == ReasonCode::FirstRun);
    assert!(rows.len() == 6 && rows.iter().all(|row| row.state == State::Held && first_run(row)), "{rows:?}");
}

#[test]
fn an_edit_does_not_reach_what_was_begun() {
    let mut stand = Stand::new(&[Kind::Key]);
    let story = Planned::new("story", Utc::now()).parts(2);
    stand.calendar(vec![story.clone()]);
    let mut daemon = stand.daemon_until("recorded:1:kill");
    ends(&mut daemon.child, Duration::from_secs(20));
    assert_eq!(out(&stand), 1);
    let edited = stand.env.read("calendar.toml").replace("Part 2 of story", "Another end");
    stand.env.write("calendar.toml", edited);
    let daemon = stand.daemon();
    comes(Duration::from_secs(8), || out(&stand) == 2);
    let texts: Vec<String> = stand.held(&stand.nets[0]).into_keys().collect();
    assert_eq!(texts, ["Part 1 of story", "Part 2 of story"]);
    daemon.stops();
}

#[test]
fn nothing_goes_out_before_its_time() {
    let mut stand = Stand::new(&[Kind::Key]);
    let due = Utc::now() + TimeDelta::milliseconds(2500);
    stand.calendar(vec![Planned::new("soon", due)]);
    let daemon = stand.daemon();
    daemon.says("ready");
    let early = comes(Duration::from_secs(1), || out(&stand) > 0);
    assert!(!early && Utc::now() < due, "it is out before its time");
    let rows = stand.until_rest(Duration::from_secs(20));
    daemon.stops();
    stand.check(&rows);
    assert!(rows[0].published_at.is_some_and(|at| at >= due), "{:?}", rows[0]);
}

#[test]
fn a_ledger_that_was_restored_sends_nothing() {
    let mut stand = Stand::new(&[Kind::LookUp]);
    let first = Planned::new("first", Utc::now());
    stand.calendar(vec![first.clone()]);
    stand.smm(&["publish"]).expect(0);
    let folder = stand.env.path().join("state/smm");
    let (file, copy) = (folder.join("ledger.db"), stand.env.path().join("yesterday.db"));
    std::fs::copy(&file, &copy).expect("a copy");
    let second = Planned::new("second", Utc::now());
    stand.calendar(vec![first, second]);
    stand.smm(&["publish"]).expect(0);
    assert_eq!(out(&stand), 2);
    for ending in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = std::fs::remove_file(folder.join(ending));
    }
    std::fs::copy(&copy, &file).expect("restored");
    let run = stand.smm(&["publish"]);
    assert_eq!(out(&stand), 2, "the second post went out again: {run:?}");
    assert_ne!(run.status, 0, "{run:?}");
}
