//! A commit is on the disk when it returns: seen from the system's side, where nothing can be made up.

use std::process::{Command, Stdio};

use chrono::Utc;

use crate::stand::{Kind, Planned, Stand};

/// `strace` is there, and may look.
pub(crate) fn strace() -> bool {
    let there = Command::new("strace")
        .args(["-qq", "-e", "trace=none", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !there {
        let required = std::env::var_os("SMM_REAL_REQUIRED").is_some_and(|value| value == "1");
        assert!(!required, "strace is missing; tests/real/install installs it");
        eprintln!("SKIPPED: strace is not installed, or may not trace");
    }
    there
}

#[test]
fn the_intent_is_on_the_disk_before_the_call() {
    if !strace() {
        return;
    }
    let mut stand = Stand::new(&[Kind::Key]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let log = stand.env.path().join("calls");
    let plain = stand.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "64", "-e", "trace=fdatasync,fsync,write,writev,sendto,sendmsg", "-o"]).arg(&log);
    command.arg(plain.get_program()).arg("publish").current_dir(stand.env.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("strace runs");
    assert!(output.status.success(), "{output:?}");

    let calls = std::fs::read_to_string(log).expect("a log");
    let mut synced = 0;
    let mut before_the_call = None;
    for line in calls.lines() {
        if line.contains("\"GET /api/v1/accounts/verify_credentials") {
            synced = 0;
        } else if line.contains("\"POST /api/v1/statuses") {
            before_the_call = Some(synced);
        } else if line.contains("sync(") && line.contains("ledger.db-wal") {
            synced += 1;
        }
    }
    let count = before_the_call.expect("the call was seen");
    assert!(count > 0, "the ledger's log was not synced between who-am-I and the call:\n{calls}");
}
