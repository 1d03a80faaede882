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
