//! Commands beside a daemon that holds the ledger: they ring it, and its result is theirs.

use chrono::{TimeDelta, Utc};
use smm::model::State;

use super::{Site, pause, post};

#[test]
fn a_post_by_hand_is_published_by_the_daemon_and_told_by_the_command() {
    let site = Site::new("mastodon");
    site.calendar("");
    let daemon = site.daemon();
    daemon.says("ready");
    let run = site.smm(&["post", "By hand", "--to", "fedi", "--format", "json"]).expect(0);
    let row = &run.json()["deliveries"][0];
    assert_eq!((row["state"].as_str(), row["account"].as_str()), (Some("published"), Some("fedi")), "{row}");
    assert!(row["receipts"][0]["url"].is_string(), "{row}");
    assert_eq!(site.out(), ["By hand"]);
    // The same again is refused, and by id it is known.
    site.smm(&["post", "By hand", "--to", "fedi"]).expect(1);
    site.smm(&["post", "With id", "--to", "fedi", "--id", "job-7"]).expect(0);
    let again = site.smm(&["post", "With id", "--to", "fedi", "--id", "job-7", "--format", "json"]).expect(0);
    assert_eq!(again.json()["deliveries"][0]["already"], true);
    assert_eq!(site.out(), ["By hand", "With id"]);
    daemon.stops();
}

#[test]
fn an_account_that_the_daemon_does_not_know_is_refused_and_leaves_nothing_behind() {
    let site = Site::new("mastodon");
    site.calendar("");
    let daemon = site.daemon();
    daemon.says("ready");
    let config = site.env.read("smm.toml").replace("[accounts.fedi]", "[accounts.other]");
    site.env.write("mine/smm.toml", config);
    let mut command = site.command();
    let token = site.secrets["SMM_FEDI_TOKEN"].clone();
    command.env("SMM_OTHER_TOKEN", token);
    std::fs::create_dir(site.env.path().join("elsewhere")).expect("a folder");
    command.args(["--config", &site.env.path().join("mine/smm.toml").display().to_string()]);
    command.args(["post", "To nobody", "--to", "other"]).current_dir(site.env.path().join("elsewhere"));
    let run = crate::support::Run::from(command.output().expect("smm runs")).expect(1);
    assert!(run.stderr.contains("taken back"), "{}", run.stderr);
    assert!(site.rows().iter().all(|row| row.state == State::Cancelled), "{:?}", site.rows());
    daemon.stops();
    assert_eq!(site.out(), [""; 0]);
}

#[test]
fn a_pause_holds_for_everybody_and_is_not_waited_for() {
    let site = Site::new("mastodon");
    site.calendar("");
    let daemon = site.daemon();
    daemon.says("ready");
    site.smm(&["pause", "fedi", "--reason", "storm"]).expect(0);
    site.calendar(&post("waits", Utc::now(), ""));
    let run = site.smm(&["post", "Now", "--to", "fedi"]).expect(1);
    assert!(run.stderr.contains("fedi is paused: storm") && run.stderr.contains("smm resume fedi"), "{}", run.stderr);
    let began = std::time::Instant::now();
    site.smm(&["publish"]).expect(0);
    assert!(began.elapsed().as_secs() < 5, "waited for what is paused");
    pause(300);
    assert_eq!(site.out(), [""; 0]);
    site.smm(&["resume", "fedi"]).expect(0);
    site.until("waits", &[State::Published]);
    assert_eq!(site.out(), ["Text of waits"], "what was refused did not go out later");
    daemon.stops();
}

#[test]
fn held_posts_are_released_cancelled_and_retried_beside_a_daemon() {
    let site = Site::new("mastodon");
    let long_ago = Utc::now() - TimeDelta::days(2);
    let posts: String = (0..6).map(|number| post(&format!("old-{number}"), long_ago, "")).collect();
    site.calendar(&posts);
    let daemon = site.daemon();
    daemon.says("ready");
    let rows = site.rows();
    assert_eq!(rows.iter().filter(|row| row.state == State::Held).count(), 6, "{rows:?}");
    site.smm(&["status"]).expect(1);
    site.smm(&["publish"]).expect(0);
    assert_eq!(site.out(), [""; 0], "held is left alone");
    site.smm(&["cancel", "old-0"]).expect(0);
    site.smm(&["retry", "old-1"]).expect(0);
    site.until("old-1", &[State::Published]);
    let run = site.smm(&["publish", "--backlog", "--format", "json"]).expect(0);
    let rows = run.json()["deliveries"].as_array().expect("a list").clone();
    assert!(rows.iter().all(|row| row["state"] == "published"), "{rows:?}");
    assert_eq!(site.out().len(), 5);
    site.smm(&["status"]).expect(0);
    daemon.stops();
    site.smm(&["publish"]).expect(0);
    assert_eq!(site.out().len(), 5);
}
