//! The program over a ledger in git.

use std::fmt::Write as _;

use super::*;
use crate::support::{Run, TestEnv};

/// A calendar in a clone, with posts for three accounts that need no server. What git is asked is written to `asked`.
fn project(origin: &Origin) -> (TestEnv, PathBuf) {
    let env = TestEnv::new();
    git(env.path(), &["init", "-q"]);
    git(env.path(), &["remote", "add", "origin", &format!("file://{}", origin.path().display())]);
    env.write("smm.toml", "ledger = \"git\"\n");
    let mut calendar = "name = \"acme\"\ntimezone = \"UTC\"\n".to_owned();
    for account in ["one", "two", "three"] {
        let _ = write!(calendar, "[accounts.{account}]\nnetwork = \"feed\"\nfolder = \"{account}\"\n");
    }
    calendar.push_str("[[posts]]\nid = \"release\"\non = \"release\"\ntext = \"{{ project }} {{ version }} is out\"\nto = [\"one\", \"two\", \"three\"]\n");
    env.write("calendar.toml", calendar);
    let asked = env.path().join("asked");
    let script =
        format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> {}\nexec {} \"$@\"\n", asked.display(), real_git().display());
    let wrapper = env.write("bin/git", script);
    std::fs::set_permissions(wrapper, std::fs::Permissions::from_mode(0o755)).expect("set");
    (env, asked)
}

fn smm(env: &TestEnv, args: &[&str]) -> Run {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(env.path().join("bin")).chain(std::env::split_paths(&path));
    let mut command = env.command();
    command.env("PATH", std::env::join_paths(all).expect("a path")).args(args);
    Run::from(command.output().expect("smm runs"))
}

/// How often the remote was asked since the last time: looks, fetches, pushes.
fn trips(asked: &Path) -> [usize; 3] {
    let text = std::fs::read_to_string(asked).unwrap_or_default();
    let _ = std::fs::remove_file(asked);
    ["ls-remote", "fetch", "push"]
        .map(|word| text.lines().filter(|line| line.split(' ').any(|part| part == word)).count())
}

#[test]
#[expect(clippy::print_stderr, reason = "what it costs is shown with the test's output")]
fn a_release_costs_few_trips_and_a_second_run_next_to_none() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (env, asked) = project(&origin);
    let announce =
        ["announce", "--tag", "v2.0.0", "--project", "acme", "--url", "https://acme.example/2", "--format", "json"];
    let first = smm(&env, &announce).expect(0);
    let cost = trips(&asked);
    eprintln!("first run: {} looks, {} fetches, {} pushes", cost[0], cost[1], cost[2]);
    let rows = first.json();
    let states: Vec<_> = rows["deliveries"].as_array().expect("rows").iter().map(|row| row["state"].clone()).collect();
    assert_eq!(states, ["published", "published", "published"], "{rows}");
    assert!(cost[0] <= 8 && cost[1] == 0 && cost[2] <= 12, "{cost:?}");
    // Another runner, new to it.
    let (other, asked) = project(&origin);
    let again = smm(&other, &announce).expect(0).json();
    let cost = trips(&asked);
    eprintln!("second run: {} looks, {} fetches, {} pushes", cost[0], cost[1], cost[2]);
    for row in again["deliveries"].as_array().expect("rows") {
        assert_eq!((&row["state"], &row["already"]), (&"published".into(), &true.into()), "{row}");
    }
    assert!(cost[0] <= 4 && cost[1] <= 1 && cost[2] <= 2, "{cost:?}");
    assert!(!other.path().join("one").join("feed.xml").exists(), "nothing was sent");
}

#[test]
fn the_ledgers_commands_work_or_say_why_not() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (env, _) = project(&origin);
    let none = smm(&env, &["ledger", "gc"]).expect(1);
    assert!(none.stderr.contains("there is no ledger at refs/smm/ledger on origin"), "{}", none.stderr);
    smm(&env, &["announce", "--tag", "v2.0.0", "--project", "acme", "--url", "https://acme.example/2"]).expect(0);
    let info = smm(&env, &["ledger", "info", "--format", "json"]).expect(0).json();
    assert_eq!((&info["kind"], &info["deliveries"]), (&"git".into(), &3.into()), "{info}");
    let backup = smm(&env, &["ledger", "backup", "x"]).expect(1);
    assert!(backup.stderr.contains("git fetch REMOTE"), "{}", backup.stderr);
    let export = smm(&env, &["ledger", "export"]).expect(0).stdout;
    assert_eq!(export.matches("\"record\":\"delivery\"").count(), 3, "{export}");
    env.write("export.jsonl", &export);
    let elsewhere = Origin::new();
    git(env.path(), &["remote", "add", "other", &format!("file://{}", elsewhere.path().display())]);
    env.write("smm.toml", "ledger = \"git:other\"\n");
    smm(&env, &["ledger", "import", "export.jsonl"]).expect(0);
    let info = smm(&env, &["ledger", "info", "--format", "json"]).expect(0).json();
    assert_eq!(info["deliveries"], 3, "{info}");
    let status = smm(&env, &["status", "--all"]).expect(0);
    assert!(status.stdout.contains("published"), "{}", status.stdout);
    let doctor = smm(&env, &["doctor"]);
    assert!(doctor.stdout.contains("the ledger's remote answers"), "{}{}", doctor.stdout, doctor.stderr);
    let gc = smm(&env, &["ledger", "gc", "--older-than", "0s"]).expect(0);
    assert!(gc.stderr.contains("folded 3 deliveries"), "{}", gc.stderr);
    // Deleted by hand, in a repository that this machine has published from.
    elsewhere.git(&["update-ref", "-d", "refs/smm/ledger/state"]);
    let refused = smm(&env, &["announce", "--tag", "v2.0.1", "--project", "acme", "--url", "https://acme.example/2"]);
    assert_ne!(refused.status, 0);
    assert!(refused.stderr.contains("smm ledger adopt"), "{}", refused.stderr);
    smm(&env, &["ledger", "adopt", "--yes"]).expect(0);
    env.write("smm.toml", "ledger = \"sqlite\"\n");
    let file = smm(&env, &["announce", "--tag", "v2.0.3", "--project", "acme", "--url", "https://acme.example/2"]);
    file.expect(0);
    let gc = smm(&env, &["ledger", "gc"]).expect(0);
    assert!(gc.stderr.contains("nothing to collect"), "{}", gc.stderr);
}
