//! `smm publish` and the commands that follow a delivery, with feeds.

use crate::support::TestEnv;

const FEED: &str =
    "timezone = 'UTC'\n[accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n[defaults]\nto = ['site']\n";

/// A calendar with one post that was due on 2026-01-01.
fn calendar(env: &TestEnv, path: &str, name: &str, folder: &str) {
    let post = "[[posts]]\nid = 'hello'\nat = 2026-01-01T09:00:00\ntext = 'Hello.'\n";
    env.write(path, format!("name = '{name}'\n{}{post}", FEED.replace("public", folder)));
}

#[test]
fn calendars_of_one_ledger_may_each_have_a_feed_of_the_same_name() {
    let env = TestEnv::new();
    calendar(&env, "one/calendar.toml", "one", "public");
    calendar(&env, "two/calendar.toml", "two", "site");
    for folder in ["one", "two"] {
        let run = env.smm(&["publish", folder, "--format", "json"]).expect(0);
        assert_eq!(run.json()["deliveries"][0]["state"], "published", "{}", run.stdout);
    }
    assert!(env.path().join("one/public/index.html").exists() && env.path().join("two/site/index.html").exists());
    // A folder that was moved is where the next post goes, and nothing goes out again.
    calendar(&env, "two/calendar.toml", "two", "elsewhere");
    let run = env.smm(&["publish", "two"]).expect(0);
    assert!(run.stderr.contains("nothing is due"), "{}", run.stderr);
}

#[test]
fn pausing_and_resuming_say_what_holds() {
    let env = TestEnv::new();
    calendar(&env, "calendar.toml", "one", "public");
    env.smm(&["publish"]).expect(0);
    let say = |args: &[&str]| env.smm(args).expect(0).stderr;
    assert_eq!(say(&["pause", "site"]), "site is paused; `smm resume site` goes on\n");
    assert_eq!(say(&["pause"]), "everything is paused; `smm resume` goes on\n");
    assert_eq!(say(&["resume"]), "everything goes on, save what is paused by itself: site\n");
    say(&["pause"]);
    let both = "site is no longer paused by itself, but everything is paused: `smm resume`\n";
    assert_eq!(say(&["resume", "site"]), both);
    assert_eq!(say(&["resume"]), "everything goes on\n");
    assert_eq!(say(&["resume", "site"]), "site was not paused\n");
    let run = env.smm(&["pause", "sit"]).expect(1);
    assert!(run.stderr.contains("there is no account `sit`") && run.stderr.contains("site"), "{}", run.stderr);
}

#[test]
fn a_post_that_several_calendars_have_is_that_of_the_one_here() {
    let env = TestEnv::new();
    calendar(&env, "one/calendar.toml", "one", "public");
    calendar(&env, "two/calendar.toml", "two", "public");
    env.smm(&["publish", "one"]).expect(0);
    env.smm(&["publish", "two"]).expect(0);
    let run = env.smm(&["show", "hello", "--calendar", "two", "--format", "json"]).expect(0);
    assert_eq!(run.json()["deliveries"].as_array().map(Vec::len), Some(1), "{}", run.stdout);
    assert!(env.smm(&["show", "hello", "--calendar", "two"]).expect(0).stdout.contains("calendar    two"));
    let run = env.smm(&["show", "hello"]).expect(1);
    assert!(run.stderr.contains("several calendars") && run.stderr.contains("--calendar"), "{}", run.stderr);
}

#[test]
fn a_file_that_is_not_there_has_no_excerpt() {
    let env = TestEnv::new();
    calendar(&env, "calendar.toml", "one", "public");
    let run = env.smm(&["check", "--config", "nope.toml"]).expect(1);
    assert!(run.stdout.contains("cannot read nope.toml: there is no such file"), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("1 |"), "{}", run.stdout);
}

#[test]
fn an_attempt_that_failed_fails_until_it_is_over() {
    let env = TestEnv::new();
    calendar(&env, "calendar.toml", "one", "public");
    env.write("public", "a file, no folder");
    for _ in 0..2 {
        let run = env.smm(&["publish"]).expect(1);
        assert!(run.stdout.contains("leads through a file") && run.stdout.contains("1 planned"), "{}", run.stdout);
    }
}

/// A reader that has read enough is no failure; an answer that a full disk has swallowed is one.
#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_fails() {
    let env = TestEnv::new();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let run = env.command().arg("networks").stdout(full()).output().expect("smm runs");
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(String::from_utf8_lossy(&run.stderr).contains("could not be written"), "{run:?}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let run = env.command().arg("networks").stdout(writer).output().expect("smm runs");
    assert_eq!((run.status.code(), run.stderr.len()), (Some(0), 0), "{run:?}");
}
