//! What is said when the ledger cannot be used: what is wrong, and what to do.

use super::*;

fn refused(folder: &Path, setting: &str, state: &Path) -> String {
    let mut opening = Opening::new(setting, state, OpenMode::ReadWrite);
    opening.folder = Some(folder);
    match opening.open() {
        Ok(ledger) => wait(ledger.deliveries(&smm::ledger::Query::default())).expect_err("refused").to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_missing_is_said() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let state = origin.folder().join("state");
    let plain = tempfile::tempdir().expect("a folder");
    let said = refused(plain.path(), "git", &state);
    assert!(said.contains("the calendar is in no repository"), "{said}");
    git(plain.path(), &["init", "-q"]);
    let said = refused(plain.path(), "git", &state);
    assert!(said.contains("has no remote; add one with `git remote add"), "{said}");
    git(plain.path(), &["remote", "add", "up", "http://user:s3cret@127.0.0.1:1/a.git"]);
    let said = refused(plain.path(), "git:origin", &state);
    assert!(said.contains("no remote `origin`; it has `up`"), "{said}");
    let said = refused(plain.path(), "git", &state);
    assert!(said.contains("refs/smm/ledger on up (http://127.0.0.1:1/a.git) cannot be reached"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    git(plain.path(), &["remote", "set-url", "up", "/nowhere/at/all.git"]);
    let said = refused(plain.path(), "git", &state);
    assert!(said.contains("is not found") && said.contains("git remote -v"), "{said}");
    git(plain.path(), &["remote", "set-url", "--add", "--push", "up", "/one.git"]);
    git(plain.path(), &["remote", "set-url", "--add", "--push", "up", "/two.git"]);
    let said = refused(plain.path(), "git", &state);
    assert!(said.contains("several addresses"), "{said}");
    let said = refused(plain.path(), "git:http://u:s3cret@h/a", &state);
    assert!(said.contains("names a remote") && !said.contains("s3cret"), "{said}");
}

#[test]
fn a_server_that_refuses_these_refs_is_said_at_once() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let hook = origin.path().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().expect("a parent")).expect("a folder");
    std::fs::write(
        &hook,
        "#!/bin/sh\necho x >> \"$(dirname \"$0\")/asked\"\necho 'these refs are protected' >&2\nexit 1\n",
    )
    .expect("written");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).expect("set");
    let ledger = Machine::new(&origin, "here", &[]).open();
    let said = wait(ledger.write(&[change(&row("release", "fedi"), "planned")])).expect_err("refused").to_string();
    assert!(said.contains("the server refuses its refs") && said.contains("these refs are protected"), "{said}");
    assert_eq!(std::fs::read_to_string(hook.with_file_name("asked")).expect("asked").lines().count(), 1, "once");
    std::fs::remove_file(&hook).expect("removed");
    put(&ledger, &row("release", "fedi"), "planned");
}

#[test]
fn a_server_that_changes_refs_one_by_one_is_refused() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    origin.git(&["config", "receive.advertiseAtomic", "false"]);
    let ledger = Machine::new(&origin, "here", &[]).open();
    let said = wait(ledger.write(&[change(&row("release", "fedi"), "planned")])).expect_err("refused").to_string();
    assert!(said.contains("cannot change several refs at once"), "{said}");
    assert_eq!(origin.refs(), Vec::<String>::new());
}

#[test]
fn what_is_not_a_ledger_is_left_alone() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    origin.git(&["update-ref", "refs/smm/ledger/state", "refs/heads/main"]);
    let ledger = Machine::new(&origin, "here", &[]).open();
    let said = wait(ledger.write(&[change(&row("release", "fedi"), "planned")])).expect_err("refused").to_string();
    assert!(said.contains("it is not one of smm"), "{said}");
}

#[test]
fn a_lock_that_was_left_behind_is_said() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let ledger = Machine::new(&origin, "here", &[]).open();
    put(&ledger, &row("release", "fedi"), "planned");
    let lock = origin.path().join("refs/smm/ledger/state.lock");
    std::fs::write(&lock, "").expect("written");
    let said = wait(ledger.claim(&ask(&["fedi"]))).expect_err("refused").to_string();
    assert!(said.contains("its refs are locked there") && said.contains("state.lock"), "{said}");
    std::fs::remove_file(&lock).expect("removed");
    claim(&ledger, "fedi");
}
