//! Accounts that publish by a program of the operator's, with the one in `examples/exec/`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::TestEnv;

const CALENDAR: &str = "name = 'acme'\ntimezone = 'Europe/Berlin'\n\n\
    [[posts]]\nid = 'hello'\nat = 2026-01-01T09:00:00\nto = ['journal']\ntext = 'One'\nthread = ['Two']\n\
    late = { grace = '15m', then = 'publish' }\n";

/// An account with a program: the example, before which `before` may do something in a shell.
fn config(env: &TestEnv, before: &str) -> String {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/exec/journal.py");
    let journal = env.path().join("journal.jsonl");
    let script = format!("{before}exec python3 {} {}", program.display(), journal.display());
    format!(
        "[accounts.journal]\nnetwork = 'exec'\ncommand = ['sh', '-c', '''{script}''']\nrepeat = 'chosen-id'\n\
         [delivery]\nsettle = '1s'\n"
    )
}

fn journal(env: &TestEnv) -> Vec<Value> {
    let text = std::fs::read_to_string(env.path().join("journal.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Whether the example can be run; says so loudly where it cannot.
fn has_python() -> bool {
    let there = Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success());
    assert!(there || std::env::var_os("SMM_REAL_REQUIRED").is_none(), "python3 is not installed");
    there
}

#[test]
fn the_example_publishes_a_thread_once() {
    if !has_python() {
        return;
    }
    let env = TestEnv::new();
    env.write("calendar.toml", CALENDAR);
    env.write("own/smm.toml", config(&env, ""));
    let run = env.smm(&["publish", "--config", "own/smm.toml", "--format", "json"]).expect(0);
    assert_eq!(run.json()["deliveries"][0]["state"], "published", "{}", run.stdout);
    let posts = journal(&env);
    assert_eq!((&posts[0]["text"], &posts[1]["text"]), (&Value::from("One"), &Value::from("Two")));
    assert_eq!(posts[1]["after"], posts[0]["id"]);
    env.smm(&["publish", "--config", "own/smm.toml"]).expect(0);
    assert_eq!(journal(&env).len(), 2);
}

#[test]
fn an_answer_that_is_lost_leads_to_one_post() {
    if !has_python() {
        return;
    }
    let env = TestEnv::new();
    env.write("calendar.toml", CALENDAR);
    // It publishes, and the first time that it does nobody hears of it.
    let mark = env.path().join("lost");
    let lose = format!(
        "if [ ! -e {0} ]; then q=$(cat); case $q in *publish*) : > {0}; printf %s \"$q\" | python3 {1} {2} >&2; exit 1;; \
         esac; printf %s \"$q\" | python3 {1} {2}; exit; fi; ",
        mark.display(),
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/exec/journal.py").display(),
        env.path().join("journal.jsonl").display(),
    );
    env.write("own/smm.toml", config(&env, &lose));
    let mut state = Value::Null;
    for _ in 0..20 {
        let run = env.smm(&["publish", "--config", "own/smm.toml", "--format", "json"]);
        state = env.smm(&["status", "--config", "own/smm.toml", "--format", "json"]).json()["deliveries"][0]["state"]
            .clone();
        if state == "published" {
            break;
        }
        assert!(!run.stdout.is_empty(), "{}", run.stderr);
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert_eq!(state, "published");
    assert!(mark.exists(), "an answer was lost");
    assert_eq!(journal(&env).len(), 2, "published twice");
}

#[test]
fn a_config_beside_a_calendar_runs_nothing() {
    let env = TestEnv::new();
    env.write("calendar.toml", CALENDAR);
    let ran = env.path().join("ran");
    let config = format!("[accounts.journal]\nnetwork = 'exec'\ncommand = ['sh', '-c', ': > {}']\n", ran.display());
    env.write("smm.toml", &config);
    let told = env.smm(&["check"]).expect(1);
    assert!(format!("{}{}", told.stdout, told.stderr).contains("untrusted-command"), "{} {}", told.stdout, told.stderr);
    env.smm(&["publish"]).expect(1);
    assert!(!ran.exists());
    // Named, it is the operator's word.
    env.smm(&["check", "--config", "smm.toml"]).expect(0);
}
