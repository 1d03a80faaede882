//! Blackout hours, jitter, spacing and catching up, as commands show them.

use std::fmt::Write as _;

use chrono::{TimeDelta, Timelike as _, Utc};

use crate::support::TestEnv;

const HEAD: &str =
    "name = 'acme'\ntimezone = 'UTC'\n[defaults]\nto = ['site']\nlate = { grace = '15m', then = 'publish' }\n";

/// A calendar with a feed that has these settings too, and these posts.
fn calendar(env: &TestEnv, settings: &str, posts: &[(&str, &str)]) {
    let mut text = format!("{HEAD}[accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n{settings}\n");
    for (id, at) in posts {
        let _ = writeln!(text, "[[posts]]\nid = '{id}'\nat = {at}\ntext = 'This is {id}.'");
    }
    env.write("calendar.toml", text);
}

/// Hours that the present is within, and their end as `--at` takes it.
fn dark_now() -> (String, String) {
    let now = Utc::now();
    let (from, to) = (now - TimeDelta::hours(1), now + TimeDelta::hours(2));
    let to = to.with_second(0).expect("a time");
    (format!("blackout = '{}-{}'", from.format("%H:%M"), to.format("%H:%M")), to.format("%Y-%m-%d %H:%M").to_string())
}

#[test]
fn a_post_in_blackout_hours_is_planned_for_their_end() {
    let env = TestEnv::new();
    let posts = [("night", "2090-12-01T23:30:00"), ("day", "2090-12-01T12:00:00")];
    calendar(&env, "blackout = ['22:00-07:00', 'sat-sun']", &posts);
    let run = env.smm(&["plan", "--format", "json"]).expect(0);
    let plan = run.json();
    let night = &plan["deliveries"][1];
    // A Friday night, and the weekend after it.
    assert_eq!((&night["due"], &night["civil"]), (&"2090-12-04T07:00:00Z".into(), &"2090-12-01T23:30:00".into()));
    assert_eq!(night["reason"]["code"], "blackout");
    let run = env.smm(&["plan"]).expect(0);
    let moved = "moved from Fri 2090-12-01 23:30 to Mon 2090-12-04 07:00 by the blackout hours of site";
    assert!(run.stdout.contains(moved), "{}", run.stdout);
    let run = env.smm(&["preview", "--post", "night"]).expect(0);
    assert!(run.stdout.contains("by the blackout hours of site"), "{}", run.stdout);
    // status has it from the ledger.
    env.smm(&["publish"]).expect(0);
    let run = env.smm(&["status"]).expect(0);
    assert!(run.stdout.contains("by the blackout hours of site"), "{}", run.stdout);
}

#[test]
fn post_does_not_send_into_blackout_hours_unless_told_to() {
    let env = TestEnv::new();
    let (hours, end) = dark_now();
    calendar(&env, &hours, &[]);
    let run = env.smm(&["post", "Good night", "--to", "site"]).expect(1);
    assert!(run.stderr.contains("site is in its blackout hours until"), "{}", run.stderr);
    assert!(
        run.stderr.contains(&format!("--at \"{end}\"")) && run.stderr.contains("--during-blackout"),
        "{}",
        run.stderr
    );
    assert!(!env.path().join("public").exists(), "nothing was sent");
    // Asked for within the hours, it is due at their end.
    let run = env.smm(&["post", "Good night", "--to", "site", "--at", "in 1 hour", "--format", "json"]).expect(0);
    let due = run.json()["deliveries"][0]["due"].as_str().expect("a time").to_owned();
    assert_eq!(due, format!("{}:00Z", end.replace(' ', "T")), "{}", run.stderr);
    assert!(run.stderr.contains("by the blackout hours of site"), "{}", run.stderr);
    // And now, when that is meant.
    let run = env.smm(&["post", "Urgent", "--to", "site", "--during-blackout", "--format", "json"]).expect(0);
    assert_eq!(run.json()["deliveries"][0]["state"], "published", "{}", run.stdout);
}

#[test]
fn what_is_overdue_waits_for_the_end_and_publish_says_so() {
    let env = TestEnv::new();
    let (hours, _) = dark_now();
    let early = (Utc::now() - TimeDelta::hours(2)).format("%Y-%m-%dT%H:%M:%S").to_string();
    calendar(&env, &hours, &[("early", &early)]);
    let run = env.smm(&["publish"]).expect(0);
    assert!(run.stdout.contains("blackout hours"), "{}", run.stdout);
    assert!(run.stderr.contains("1 is left for later: the account's blackout hours"), "{}", run.stderr);
    let run = env.smm(&["status", "--format", "json"]).expect(0);
    let row = run.json()["deliveries"][0].clone();
    assert_eq!((&row["state"], &row["turn"]["wait"]), (&"planned".into(), &"blackout".into()), "{row}");
    // Without the hours it goes out.
    calendar(&env, "", &[("early", &early)]);
    let run = env.smm(&["publish"]).expect(0);
    assert!(run.stdout.contains("1 published"), "{}", run.stdout);
}

#[test]
fn after_downtime_five_go_out_and_publish_says_when_the_others_do() {
    let env = TestEnv::new();
    let ids: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let posts: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "2026-01-01T09:00:00")).collect();
    calendar(&env, "", &posts);
    let run = env.smm(&["publish", "--backlog"]).expect(0);
    assert!(run.stdout.contains("3 planned, 5 published"), "{}", run.stdout);
    assert!(run.stdout.contains("catching up, a few at a time"), "{}", run.stdout);
    let left = "3 are left for later: an account catches up with at most 5 posts in 10 min; run `smm publish` again in";
    assert!(run.stderr.contains(left), "{}", run.stderr);
    let run = env.smm(&["publish"]).expect(0);
    assert!(run.stderr.contains("3 are left for later"), "{}", run.stderr);
    let run = env.smm(&["plan"]).expect(0);
    assert!(run.stdout.contains("its turn comes about"), "{}", run.stdout);
}

#[test]
fn spacing_is_forecast_and_warned_of_when_it_is_too_long() {
    let env = TestEnv::new();
    let at = "2090-12-01T09:00:00";
    calendar(&env, "spacing = '10m'", &[("one", at), ("two", at), ("three", at)]);
    let run = env.smm(&["plan", "--format", "json"]).expect(0);
    let mut turns: Vec<String> = run.json()["deliveries"]
        .as_array()
        .expect("deliveries")
        .iter()
        .map(|row| row["turn"]["at"].as_str().unwrap_or("on time").to_owned())
        .collect();
    turns.sort();
    assert_eq!(turns, ["2090-12-01T09:10:00Z", "2090-12-01T09:20:00Z", "on time"]);
    let run = env.smm(&["check", "--format", "json"]).expect(0);
    let report = run.json();
    let found: Vec<&serde_json::Value> = report["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|found| found["code"] == "spacing-late")
        .collect();
    assert_eq!(found.len(), 1, "only the third is later than its grace: {}", run.stdout);
    assert_eq!((&found[0]["severity"], &found[0]["post"]), (&"warning".into(), &"three".into()));
}

#[test]
fn settings_are_checked_at_their_place() {
    let env = TestEnv::new();
    for (settings, code, says) in [
        ("blackout = ['mon-sun']", "bad-blackout", "the whole week"),
        ("blackout = ['22:00-07:00', '07:00-22:00']", "bad-blackout", "the whole week"),
        ("blackout = '22-7'", "bad-blackout", "22:00-07:00"),
        ("blackout = 'sat-sun'\nspare = 1", "unknown-key", "spare"),
        ("timezone = 'CET'", "unknown-zone", "Europe/Berlin"),
        ("jitter = 5", "wrong-type", "5m"),
    ] {
        calendar(&env, settings, &[]);
        let run = env.smm(&["check"]).expect(1);
        assert!(run.stdout.contains(code) && run.stdout.contains(says), "{settings}: {}", run.stdout);
    }
}
