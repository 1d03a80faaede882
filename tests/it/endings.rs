//! What a network takes only so long, as checking and planning tell it.

use chrono::{Datelike as _, Months, Utc};
use serde_json::Value;

use crate::support::TestEnv;

/// A calendar with two posts for a page on `LinkedIn`, which speaks this version of its API.
fn calendar(env: &TestEnv, version: &str, at: &str) {
    env.write(
        "smm.toml",
        format!("[accounts.page]\nnetwork = 'linkedin'\nauthor = 'urn:li:organization:7'\nversion = '{version}'\n"),
    );
    let post =
        |id: &str, when: &str| format!("[[posts]]\nid = '{id}'\n{when}\ntext = 'This is {id}.'\nto = ['page']\n");
    let posts = post("one", &format!("at = {at}")) + &post("tip", "cron = '0 9 * * MON'");
    env.write("calendar.toml", format!("name = 'acme'\ntimezone = 'UTC'\n{posts}"));
}

fn warned(env: &TestEnv) -> Vec<(String, String)> {
    let report = env.smm(&["check", "--format", "json"]).expect(0).json();
    let of = |found: &Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let found = report["diagnostics"].as_array().expect("a list").iter();
    let found =
        found.filter(|found| found["code"] == "api-ending").inspect(|found| assert_eq!(found["severity"], "warning"));
    found.map(|found| (of(found, "post"), of(found, "message"))).collect()
}

/// `YYYYMM` of the month that lies so far from now.
fn month(ahead: i32) -> String {
    let now = Utc::now().date_naive();
    let months = Months::new(ahead.unsigned_abs());
    let day = if ahead < 0 { now - months } else { now + months };
    format!("{}{:02}", day.year(), day.month())
}

#[test]
fn a_post_after_the_end_of_a_version_is_warned_of() {
    let env = TestEnv::new();
    // Versions live for a year: this one ends in about eleven months.
    calendar(&env, &month(-1), "2090-12-01T09:00:00");
    let found = warned(&env);
    let [(post, message)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(post, "one", "a series goes on, and the end is far away");
    assert!(message.starts_with("LinkedIn (page): version ") && message.contains(" ends on "), "{message}");
    assert!(message.ends_with("before this post is due: it would be refused"), "{message}");
    let run = env.smm(&["plan"]).expect(0);
    assert!(run.stderr.contains("warning: `one` to page: version "), "{}", run.stderr);
    assert!(run.stderr.contains("set a later one"), "{}", run.stderr);
    assert!(!env.smm(&["plan", "-q"]).expect(0).stderr.contains("version"));
}

#[test]
fn an_end_that_is_near_is_told_once() {
    let env = TestEnv::new();
    let tomorrow = (Utc::now() + chrono::TimeDelta::days(1)).format("%Y-%m-%dT%H:%M:%S").to_string();
    // Ends in about a month.
    calendar(&env, &month(-11), &tomorrow);
    let found = warned(&env);
    let [(post, message)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(post, "one");
    assert!(message.contains("what this account posts after that is refused"), "{message}");
    // It has ended.
    calendar(&env, "202406", &tomorrow);
    let found = warned(&env);
    assert!(
        matches!(found.as_slice(), [(post, message)] if post == "one" && message.contains(" ended on 2025-06-15")),
        "{found:?}"
    );
    // It lives long enough.
    calendar(&env, &month(-1), &tomorrow);
    assert_eq!(warned(&env), []);
    assert!(!env.smm(&["plan"]).expect(0).stderr.contains("warning: `one`"));
}
