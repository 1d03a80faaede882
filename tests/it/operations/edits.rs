//! Edits that arrive at the worst moment.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::{Act, PICTURE, Rule};
use smm::model::{ReasonCode, State};

use super::{Site, pause, post};

const MEDIA: &str = "media = [{ file = \"dot.png\", alt = \"A dot\" }]";

/// A delivery whose picture is being uploaded.
fn preparing(wait: Duration) -> (Site, super::Daemon) {
    let site = Site::new("mastodon");
    site.env.write("dot.png", PICTURE);
    site.calendar(&post("launch", Utc::now(), MEDIA));
    site.fake.front().expect("HTTP").rule(Rule::new(Act::Wait(wait)).on("POST", "/api/v2/media"));
    let daemon = site.daemon();
    site.asked("POST", "/api/v2/media", 1);
    (site, daemon)
}

#[test]
fn a_post_that_is_moved_while_its_picture_is_uploaded_does_not_go_out() {
    let (site, daemon) = preparing(Duration::from_millis(1500));
    let later = Utc::now() + TimeDelta::days(3);
    site.calendar(&post("launch", later, MEDIA));
    daemon.says("read again");
    daemon.says("edited meanwhile");
    pause(700);
    assert_eq!(site.out(), [""; 0], "it went out at its old time");
    let row = site.until("launch", &[State::Planned]);
    assert!((row.due - later).abs() < TimeDelta::seconds(1), "{row:?}");
    daemon.stops();
}

#[test]
fn a_post_that_is_removed_while_its_picture_is_uploaded_is_cancelled() {
    let (site, daemon) = preparing(Duration::from_millis(1500));
    site.calendar("");
    daemon.says("edited meanwhile");
    let row = site.until("launch", &[State::Cancelled, State::Held]);
    assert_eq!(row.reason.expect("a reason").code, ReasonCode::Removed);
    assert_eq!(site.out(), [""; 0]);
    daemon.stops();
}

#[test]
fn a_calendar_that_is_gone_for_a_while_drops_nothing() {
    let site = Site::new("mastodon");
    let later = Utc::now() + TimeDelta::days(3);
    site.env.write("more/one.toml", post("included", later, ""));
    let head = |posts: &str| {
        site.env.write(
            "calendar.toml",
            format!(
                "name = \"ops\"\ntimezone = \"UTC\"\ninclude = [\"more/*.toml\"]\n[defaults]\nto = [\"fedi\"]\n{posts}"
            ),
        )
    };
    let file = head(&post("own", later, ""));
    let daemon = site.daemon();
    daemon.says("ready");
    std::fs::remove_file(&file).expect("removed");
    daemon.says("the last good calendar stays in force");
    pause(300);
    assert!(site.rows().iter().all(|row| row.state == State::Planned), "{:?}", site.rows());
    // What comes back, with the whole folder of what it includes made anew, is followed again.
    std::fs::remove_dir_all(site.env.path().join("more")).expect("removed");
    site.env.write("more/one.toml", post("included", later, ""));
    head(&post("own", later, ""));
    daemon.says("read again");
    pause(300);
    assert!(site.rows().iter().all(|row| row.state == State::Planned), "{:?}", site.rows());
    site.env.write("more/one.toml", post("included", Utc::now(), ""));
    let line = daemon.says("published");
    assert_eq!(line["post"], "included");
    assert_eq!((line["account"].as_str(), line["url"].is_string()), (Some("fedi"), true), "{line}");
    daemon.stops();
}

#[test]
fn a_calendar_under_another_name_is_not_another_calendar() {
    let site = Site::new("mastodon");
    site.calendar(&post("once", Utc::now(), ""));
    let daemon = site.daemon();
    daemon.says("published");
    let text = site.env.read("calendar.toml");
    site.env.write("calendar.toml", text.replace("\"ops\"", "\"renamed\""));
    daemon.says("no longer `ops`");
    pause(300);
    assert_eq!(site.out(), ["Text of once"]);
    site.env.write("calendar.toml", text);
    daemon.says("read again");
    daemon.stops();
}

#[test]
fn each_time_of_a_series_once_and_one_for_those_that_went_by() {
    let site = Site::new("mastodon");
    site.calendar("[[posts]]\nid = \"tick\"\ncron = \"*/2 * * * * *\"\ntext = \"Tick.\"\n");
    // The same text again is refused by nobody: these are different occurrences.
    let daemon = site.daemon();
    daemon.says("ready");
    pause(6500);
    daemon.stops();
    let rows = site.rows();
    let published = rows.iter().filter(|row| row.state == State::Published).count();
    assert!((2..=4).contains(&published), "{rows:?}");
    assert_eq!(site.out().len(), published);
    for row in rows.iter().filter(|row| row.state == State::Published) {
        let late = row.published_at.expect("a time") - row.due;
        assert!(late >= TimeDelta::zero() && late < TimeDelta::seconds(2), "{row:?}");
    }
    pause(6000);
    let daemon = site.daemon();
    daemon.says("published");
    pause(200);
    daemon.stops();
    let rows = site.rows();
    let missed: Vec<_> = rows.iter().filter(|row| row.state == State::Missed).collect();
    assert!((1..=4).contains(&missed.len()), "{rows:?}");
    assert!(missed.iter().all(|row| row.reason.as_ref().is_some_and(|it| it.code == ReasonCode::Superseded)));
    let now = rows.iter().filter(|row| row.state == State::Published).count();
    assert!((1..=2).contains(&(now - published)), "one catch-up, perhaps one that fell due meanwhile: {rows:?}");
    assert_eq!(site.out().len(), now);
}

#[test]
fn a_calendar_under_a_new_name_sends_nothing_a_second_time_until_a_person_says_so() {
    let site = Site::new("mastodon");
    let posts = post("launch", Utc::now(), "");
    site.calendar(&posts);
    site.smm(&["publish"]).expect(0);
    assert_eq!(site.out(), ["Text of launch"]);
    let path = site.env.path().join("calendar.toml");
    let text = std::fs::read_to_string(&path).expect("a calendar");
    let later = post("later", Utc::now() + TimeDelta::days(3), "");
    site.env.write("calendar.toml", format!("{}{later}", text.replace("\"ops\"", "\"renamed\"")));
    let renamed = |id: &str| {
        let of = |row: &smm::model::Delivery| row.calendar.as_str() == "renamed" && row.post.as_str() == id;
        site.rows().into_iter().find(of).expect("a row")
    };
    let plan = site.smm(&["plan"]).expect(0);
    assert!(plan.stdout.contains("under a new name"), "{plan:?}");
    // However it is started.
    let daemon = site.daemon();
    daemon.says("ready");
    daemon.stops();
    site.smm(&["publish"]);
    assert_eq!(site.out(), ["Text of launch"], "it went out a second time");
    let held = renamed("launch");
    let reason = held.reason.expect("a reason");
    assert_eq!((held.state, reason.code), (State::Held, ReasonCode::FirstRun));
    assert!(reason.message.contains("`ops`") && reason.message.contains("under a new name"), "{}", reason.message);
    assert_eq!(renamed("later").state, State::Planned, "what is ahead goes out once");
    // It was meant so.
    site.smm(&["publish", "--backlog"]).expect(0);
    assert_eq!(site.out().len(), 2);
    assert_eq!(renamed("launch").state, State::Published);
}
