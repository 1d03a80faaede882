//! Disks that fail, and ledgers that were spoiled.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::Utc;
use smm::model::State;

use crate::guarded::strace;
use crate::operations::disk::SmallDisk;
use crate::process::{Daemon, Ends, ends, pause};
use crate::stand::{Kind, Planned, Stand, brief};

/// Every sync of a stopped daemon fails from now on, as on a disk that is breaking; then it goes on.
fn break_disk(stand: &Stand, daemon: &Daemon) -> Ends {
    let log = stand.env.path().join("injected");
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO", "-o"]).arg(&log);
    command.args(["-p", &daemon.child.id().to_string()]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut tracer = Ends(command.spawn().expect("strace starts"));
    // It says when it has the process, threads and all.
    let told = tracer.0.stderr.take().expect("a pipe");
    let line = std::io::BufRead::lines(std::io::BufReader::new(told)).next();
    assert!(line.is_some_and(|line| line.is_ok_and(|line| line.contains("attached"))), "strace does not trace it");
    pause(100);
    daemon.signal("CONT");
    tracer
}

/// Nobody has to tell it: it does not go on with a disk that has failed.
#[track_caller]
fn stops_itself(daemon: &mut Daemon) {
    let status = ends(&mut daemon.child, Duration::from_secs(20));
    let said: Vec<String> = daemon.said().iter().map(ToString::to_string).collect();
    assert_eq!(status.code(), Some(1), "{said:#?}");
    let told = said.iter().any(|line| line.contains("the disk has failed") && line.contains("start smm again"));
    assert!(told, "{said:#?}");
}

#[test]
fn a_disk_that_does_not_take_the_intent_stops_the_sending() {
    if !strace() {
        return;
    }
    let mut stand = Stand::new(&[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let mut daemon = stand.daemon_until("intent:1:stop");
    daemon.stopped();
    let tracer = break_disk(&stand, &daemon);
    daemon.says("nothing is sent");
    stops_itself(&mut daemon);
    drop(tracer);
    let held = stand.held(&stand.nets[0]);
    assert!(held.is_empty(), "it was sent although its intent is not on the disk: {held:?}");
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_secs(30));
    daemon.stops();
    stand.check(&rows);
}

#[test]
fn a_disk_that_does_not_take_the_record_leads_to_one_post() {
    if !strace() {
        return;
    }
    let mut stand = Stand::new(&[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let mut daemon = stand.daemon_until("answered:1:stop");
    daemon.stopped();
    let tracer = break_disk(&stand, &daemon);
    daemon.says("written down");
    stops_itself(&mut daemon);
    drop(tracer);
    let daemon = stand.daemon();
    daemon.says("ready");
    let rows = stand.until_rest(Duration::from_secs(30));
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0, "{:#?}", brief(&rows));
    assert_eq!(rows[0].state, State::Published);
}

/// A ledger in which one post is published, with nobody at it.
fn published(kind: Kind) -> Stand {
    let mut stand = Stand::new(&[kind]);
    stand.calendar(vec![Planned::new("first", Utc::now())]);
    stand.smm(&["publish"]).expect(0);
    stand.calendar(vec![Planned::new("first", Utc::now()), Planned::new("second", Utc::now())]);
    stand
}

fn out(stand: &Stand) -> usize {
    stand.held(&stand.nets[0]).values().map(Vec::len).sum()
}

#[test]
fn a_damaged_ledger_publishes_nothing() {
    let stand = published(Kind::LookUp);
    let file = stand.env.path().join("state/smm/ledger.db");
    let mut bytes = std::fs::read(&file).expect("a ledger");
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    bytes[page..].fill(0xa5);
    std::fs::write(&file, bytes).expect("written");
    let run = stand.smm(&["publish"]);
    assert_ne!(run.status, 0, "{run:?}");
    assert!(run.stderr.starts_with("error"), "{run:?}");
    assert_eq!(out(&stand), 1, "{run:?}");
}

#[test]
fn a_ledger_that_others_may_read_is_refused() {
    let stand = published(Kind::Key);
    let file = stand.env.path().join("state/smm/ledger.db");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let run = stand.smm(&["publish"]).expect(1);
    assert!(run.stderr.contains("chmod 600"), "{run:?}");
    assert_eq!(out(&stand), 1);
}

#[test]
fn a_ledger_on_a_disk_that_takes_nothing_publishes_nothing() {
    let mut stand = Stand::new(&[Kind::Key]);
    let Some(disk) = SmallDisk::mount(&stand.env) else { return };
    stand.calendar(vec![Planned::new("first", Utc::now())]);
    stand.smm(&["publish"]).expect(0);
    stand.calendar(vec![Planned::new("first", Utc::now()), Planned::new("second", Utc::now())]);
    let mounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().expect("mount runs");
    assert!(mounted.success());
    let run = stand.smm(&["publish"]).expect(1);
    assert!(run.stderr.starts_with("error"), "{run:?}");
    assert_eq!(out(&stand), 1);
}

#[test]
fn a_ledger_whose_newest_part_was_removed_sends_nothing_again() {
    let mut stand = published(Kind::LookUp);
    // Killed, so that what it wrote last is in the log beside the file; and that is taken away.
    let mut daemon = stand.daemon_until("recorded:1:kill");
    ends(&mut daemon.child, Duration::from_secs(20));
    assert_eq!(out(&stand), 2);
    let folder = stand.env.path().join("state/smm");
    std::fs::remove_file(folder.join("ledger.db-wal")).expect("it was there");
    let _ = std::fs::remove_file(folder.join("ledger.db-shm"));
    let third = Planned::new("third", Utc::now());
    stand.calendar(vec![Planned::new("first", Utc::now()), Planned::new("second", Utc::now()), third]);
    let run = stand.smm(&["publish"]);
    assert_ne!(run.status, 0, "{run:?}");
    assert_eq!(out(&stand), 2, "{run:?}");
}
