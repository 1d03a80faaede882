//! The rules of the schedule, one by one, and as properties.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::*;
use crate::model::{
    Account, AccountName, CalendarName, Content, Late, LateThen, Post, Reason, ReasonCode, ReleaseRule, State, Trigger,
};
use crate::time::Zone;

pub(super) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn calendar(zone: &str, posts: Vec<Post>) -> Calendar {
    let account = |name: &str| (AccountName::new(name), Account::new(AccountName::new(name), "some-network"));
    Calendar {
        name: CalendarName::new("acme"),
        zone: Zone::parse(zone).unwrap(),
        folder: ".".into(),
        posts,
        accounts: BTreeMap::from([account("a"), account("b")]),
        campaigns: BTreeMap::new(),
        missing_alt_warns: false,
        media_host: false,
    }
}

pub(super) fn post(id: &str, trigger: Trigger) -> Post {
    Post {
        id: PostId::new(id),
        name: PostId::new(id),
        trigger: Some(trigger),
        to: vec![AccountName::new("a")],
        content: Content::default(),
        overrides: BTreeMap::new(),
        campaign: None,
        late: Late::default(),
        draft: false,
    }
}

/// A post with one time, in UTC.
pub(super) fn once(id: &str, at: &str) -> Post {
    let civil: NaiveDateTime = at.parse().unwrap();
    post(id, Trigger::At { civil, instant: civil.and_utc() })
}

pub(super) fn cron(id: &str, rule: &str) -> Post {
    post(id, Trigger::Cron { rule: rule.to_owned(), from: None, until: None, except: Vec::new() })
}

pub(super) fn late(then: LateThen) -> Late {
    Late { then, ..Late::default() }
}

/// A calendar, its ledger, and the clock.
pub(super) struct World {
    pub(super) calendar: Calendar,
    pub(super) ids: Vec<PostId>,
    pub(super) rows: Vec<Delivery>,
    pub(super) record: CalendarRecord,
    pub(super) now: DateTime<Utc>,
}

impl World {
    /// A ledger that saw an empty calendar long ago.
    pub(super) fn known(now: &str, posts: Vec<Post>) -> Self {
        let record = CalendarRecord { first_seen: Some(utc("2026-01-01T00:00:00Z")), ..CalendarRecord::default() };
        Self { record, ..Self::new(now, posts) }
    }

    /// A ledger that never saw it.
    pub(super) fn new(now: &str, posts: Vec<Post>) -> Self {
        Self {
            calendar: calendar("UTC", posts),
            ids: Vec::new(),
            rows: Vec::new(),
            record: CalendarRecord::default(),
            now: utc(now),
        }
    }

    /// Schedules, stores, schedules again: nothing may be left to do.
    pub(super) fn run(&mut self) -> Vec<String> {
        let ids: Vec<PostId> =
            self.ids.iter().cloned().chain(self.calendar.posts.iter().map(|post| post.id.clone())).collect();
        let done = schedule(&self.calendar, &ids, &Standings::of(&self.rows), &self.record, self.now);
        self.rows = done.apply(&self.rows);
        self.record = done.record;
        let again = schedule(&self.calendar, &ids, &Standings::of(&self.rows), &self.record, self.now);
        assert_eq!(again.changes, [], "scheduling again changes nothing");
        assert_eq!(again.record, self.record);
        assert!(again.again.is_none_or(|again| again > self.now));
        done.changes
            .iter()
            .map(|change| {
                let code = change.after.reason.as_ref().map_or(String::new(), |reason| format!(" {:?}", reason.code));
                let released = if change.after.released { " released" } else { "" };
                format!(
                    "{} {}/{} {} {}{code}{released}",
                    change.kind.as_str(),
                    change.after.occurrence,
                    change.after.account,
                    change.after.due.format("%d %H:%M"),
                    change.after.state,
                )
            })
            .collect()
    }

    pub(super) fn at(&mut self, now: &str) -> Vec<String> {
        self.now = utc(now);
        self.run()
    }

    pub(super) fn row(&mut self, occurrence: &str) -> &mut Delivery {
        self.rows.iter_mut().find(|row| row.occurrence.as_str() == occurrence).unwrap_or_else(|| panic!("{occurrence}"))
    }

    pub(super) fn state(&mut self, occurrence: &str, state: State) {
        self.row(occurrence).state = state;
    }
}

#[test]
fn one_row_for_each_account() {
    let mut launch = once("launch", "2026-12-01T09:00:00");
    launch.to = vec![AccountName::new("b"), AccountName::new("a"), AccountName::new("unknown")];
    let mut draft = once("draft", "2026-12-01T09:00:00");
    draft.draft = true;
    let mut untimed = once("untimed", "2026-12-01T09:00:00");
    untimed.trigger = None;
    let mut world = World::new(
        "2026-11-01T00:00:00Z",
        vec![launch, draft, untimed, post("release", Trigger::Release(ReleaseRule::default()))],
    );
    assert_eq!(world.run(), ["added launch/b 01 09:00 planned", "added launch/a 01 09:00 planned"]);
    assert_eq!(world.record.first_seen, Some(utc("2026-11-01T00:00:00Z")));
    world.now = utc("2026-11-02T00:00:00Z");
    assert_eq!(world.run(), [""; 0]);
    assert_eq!(world.record.first_seen, Some(utc("2026-11-01T00:00:00Z")), "the first sight stays");
}

#[test]
fn the_late_rule() {
    for (then, minutes, new, waiting) in [
        (LateThen::Hold, 0, "added p/a 01 09:00 planned", ""),
        (LateThen::Hold, 15, "added p/a 01 09:00 planned", ""),
        (LateThen::Hold, 16, "held p/a 01 09:00 held Late", "held p/a 01 09:00 held Late"),
        (LateThen::Skip, 15, "added p/a 01 09:00 planned", ""),
        (LateThen::Skip, 16, "missed p/a 01 09:00 missed Late", "missed p/a 01 09:00 missed Late"),
        (LateThen::Publish, 16, "added p/a 01 09:00 planned released", ""),
    ] {
        let now = utc("2026-12-01T09:00:00Z") + TimeDelta::minutes(minutes);
        let entry = Post { late: late(then), ..once("p", "2026-12-01T09:00:00") };
        // Never seen, in a known calendar.
        let mut world = World::known("2026-12-01T00:00:00Z", vec![entry.clone()]);
        world.now = now;
        assert_eq!(world.run(), [new], "{then:?} {minutes}");
        // Planned in time, and not published when its time came.
        let mut world = World::known("2026-12-01T00:00:00Z", vec![entry]);
        world.run();
        world.now = now;
        assert_eq!(world.run().first().map_or("", |line| line.as_str()), waiting, "{then:?} {minutes}");
    }
}

#[test]
fn what_a_person_released_is_exempt_from_the_late_rule_until_it_is_moved() {
    let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T09:00:00")]);
    world.run();
    world.row("p").released = true;
    assert_eq!(world.at("2026-12-05T09:00:00Z"), [""; 0]);
    world.calendar.posts = vec![once("p", "2026-12-02T09:00:00")];
    assert_eq!(world.run(), ["held p/a 02 09:00 held Late"]);
}

#[test]
fn a_held_row_is_planned_again_when_its_time_is_moved_ahead() {
    for (code, moved_to, expected) in [
        (ReasonCode::Late, "2026-12-09T09:00:00", "moved p/a 09 09:00 planned"),
        (ReasonCode::Late, "2026-12-04T23:50:00", "moved p/a 04 23:50 planned"),
        (ReasonCode::Late, "2026-12-03T09:00:00", "moved p/a 03 09:00 held Late"),
        (ReasonCode::FirstRun, "2026-12-09T09:00:00", "moved p/a 09 09:00 planned"),
        (ReasonCode::FirstRun, "2026-12-04T23:50:00", "moved p/a 04 23:50 held FirstRun"),
        (ReasonCode::Secret, "2026-12-09T09:00:00", "moved p/a 09 09:00 held Secret"),
    ] {
        let mut world = World::known("2026-12-05T00:00:00Z", vec![once("p", "2026-12-01T09:00:00")]);
        assert_eq!(world.run(), ["held p/a 01 09:00 held Late"]);
        world.row("p").reason = Some(Reason::new(code, ""));
        world.calendar.posts = vec![once("p", moved_to)];
        assert_eq!(world.run(), [expected], "{code:?} {moved_to}");
    }
    // A new rule alone wakes nobody: an edit of `[defaults]` must not publish what was held for months.
    let mut world = World::known("2026-12-05T00:00:00Z", vec![once("p", "2026-12-01T09:00:00")]);
    world.run();
    world.calendar.posts[0].late = late(LateThen::Publish);
    assert_eq!(world.run(), ["edited p/a 01 09:00 held Late"]);
}

#[test]
fn the_first_run_publishes_a_few_and_holds_many() {
    let overdue = |count: usize| -> Vec<Post> {
        (0..count)
            .map(|day| Post { late: late(LateThen::Skip), ..once(&format!("p{day}"), "2026-10-01T09:00:00") })
            .collect()
    };
    let mut posts = overdue(5);
    posts[0].to.push(AccountName::new("b"));
    posts.push(once("ahead", "2026-12-01T09:00:00"));
    posts.push(cron("weekly", "0 9 * * mon"));
    let mut world = World::new("2026-11-22T12:00:00Z", posts);
    assert_eq!(
        world.run(),
        [
            "added p0/a 01 09:00 planned released",
            "added p0/b 01 09:00 planned released",
            "added p1/a 01 09:00 planned released",
            "added p2/a 01 09:00 planned released",
            "added p3/a 01 09:00 planned released",
            "added p4/a 01 09:00 planned released",
            "added ahead/a 01 09:00 planned",
            "added weekly@2026-11-23T09:00:00/a 23 09:00 planned",
        ]
    );
    let mut world = World::new("2026-11-22T12:00:00Z", overdue(6));
    assert_eq!(world.run(), (0..6).map(|day| format!("held p{day}/a 01 09:00 held FirstRun")).collect::<Vec<_>>());
    // The same in a ledger that knows the calendar: here the late rule speaks.
    let mut world = World::known("2026-11-22T12:00:00Z", overdue(6));
    assert!(world.run().iter().all(|line| line.starts_with("missed ")));
}

#[test]
fn a_first_run_that_was_cut_short_holds_what_it_would_have_held() {
    let posts = (0..6).map(|day| once(&format!("p{day}"), "2026-10-01T09:00:00")).collect();
    let mut world = World::new("2026-11-22T12:00:00Z", posts);
    world.run();
    // The rows were stored, the record was not.
    world.record = CalendarRecord::default();
    assert_eq!(world.run(), [""; 0]);
}

#[test]
fn many_posts_added_after_their_time_do_not_go_out_together() {
    let past = |count: usize| -> Vec<Post> {
        (0..count)
            .map(|day| Post { late: late(LateThen::Publish), ..once(&format!("p{day}"), "2026-10-01T09:00:00") })
            .collect()
    };
    let mut world = World::known("2026-11-22T12:00:00Z", past(5));
    assert!(world.run().iter().all(|line| line.ends_with("planned released")));
    let mut world = World::known("2026-11-22T12:00:00Z", past(6));
    assert!(world.run().iter().all(|line| line.ends_with("held Late")));
}

#[test]
fn rows_follow_edits_until_something_was_sent() {
    for (state, frozen, follows) in [
        (State::Planned, false, true),
        (State::Held, false, true),
        (State::Planned, true, false),
        (State::Claimed, false, false),
        (State::Sending, true, false),
        (State::Unknown, true, false),
        (State::Published, true, false),
        (State::Failed, false, false),
        (State::Missed, false, false),
        (State::Cancelled, false, false),
    ] {
        let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T09:00:00")]);
        world.run();
        let row = world.row("p");
        row.state = state;
        row.version = 7;
        row.reason = matches!(state, State::Held | State::Cancelled).then(|| Reason::new(ReasonCode::Person, ""));
        if frozen {
            let at = utc("2026-11-01T00:00:00Z");
            row.receipts.push(crate::model::Receipt {
                part: 0,
                id: "1".into(),
                url: None,
                at,
                data: serde_json::Value::Null,
            });
        }
        let stored = world.rows.clone();
        for (posts, kind) in [
            (vec![once("p", "2026-12-02T09:00:00")], ChangeKind::Moved),
            (vec![Post { late: late(LateThen::Skip), ..once("p", "2026-12-01T09:00:00") }], ChangeKind::Edited),
            (vec![Post { to: vec![], ..once("p", "2026-12-01T09:00:00") }], ChangeKind::Dropped),
            (vec![Post { draft: true, ..once("p", "2026-12-01T09:00:00") }], ChangeKind::Dropped),
            (vec![], ChangeKind::Dropped),
        ] {
            let done = schedule(&calendar("UTC", posts), &[], &Standings::of(&stored), &world.record, world.now);
            assert_eq!(done.changes.len(), usize::from(follows), "{state} {kind:?}");
            if let Some(change) = done.changes.first() {
                assert_eq!((change.kind, change.after.version), (kind, 7), "{state}");
                assert_eq!(change.before.as_deref(), Standings::of(&stored).open.first());
            }
        }
    }
}

#[test]
fn a_post_moved_into_the_past_asks_first() {
    let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T09:00:00")]);
    world.run();
    world.calendar.posts = vec![once("p", "2026-10-31T23:50:00")];
    assert_eq!(world.run(), ["moved p/a 31 23:50 planned"], "within its grace");
    world.calendar.posts = vec![once("p", "2026-10-31T09:00:00")];
    assert_eq!(world.run(), ["held p/a 31 09:00 held Late"]);
}

#[test]
fn what_was_removed_comes_back() {
    let entry = once("p", "2026-12-01T09:00:00");
    let mut world = World::known("2026-11-01T00:00:00Z", vec![entry.clone()]);
    world.run();
    world.calendar.posts.clear();
    assert_eq!(world.run(), ["dropped p/a 01 09:00 cancelled Removed"]);
    world.calendar.posts = vec![entry.clone()];
    assert_eq!(world.run(), ["restored p/a 01 09:00 planned"]);
    world.calendar.posts.clear();
    world.run();
    world.calendar.posts = vec![entry.clone()];
    assert_eq!(world.at("2026-12-05T00:00:00Z"), ["restored p/a 01 09:00 held Late"], "too late by now");
    // What a person cancelled stays cancelled, and what failed is not made again.
    for (state, code) in [(State::Cancelled, ReasonCode::Person), (State::Failed, ReasonCode::Refused)] {
        let mut world = World::known("2026-11-01T00:00:00Z", vec![entry.clone()]);
        world.run();
        let row = world.row("p");
        (row.state, row.reason) = (state, Some(Reason::new(code, "")));
        world.calendar.posts.clear();
        assert_eq!(world.run(), [""; 0]);
        world.calendar.posts = vec![entry.clone()];
        assert_eq!(world.run(), [""; 0]);
    }
}

#[test]
fn a_post_that_cannot_be_read_is_left_alone() {
    let mut world = World::known("2026-11-01T00:00:00Z", vec![once("p", "2026-12-01T09:00:00"), cron("s", "@daily")]);
    world.run();
    world.calendar.posts.clear();
    world.ids = vec![PostId::new("p"), PostId::new("s")];
    let record = world.record.clone();
    assert_eq!(world.run(), [""; 0]);
    assert_eq!(world.record, record);
}

#[test]
fn a_renamed_post_keeps_its_row() {
    let mut world =
        World::known("2026-11-01T00:00:00Z", vec![once("old", "2026-12-01T09:00:00"), cron("weekly", "@weekly")]);
    world.run();
    let id = world.row("old").id;
    let renamed = |mut entry: Post, id: &str| {
        entry.id = PostId::new(id);
        entry
    };
    world.calendar.posts =
        vec![renamed(once("old", "2026-12-01T09:00:00"), "new"), renamed(cron("weekly", "@weekly"), "sundays")];
    assert_eq!(world.run(), ["edited old/a 01 09:00 planned", "edited weekly@2026-11-08T00:00:00/a 08 00:00 planned"]);
    assert_eq!((world.row("old").id, world.row("old").post.as_str()), (id, "new"));
    // Known by its new id alone, while it cannot be read.
    world.calendar.posts.clear();
    world.ids = vec![PostId::new("new"), PostId::new("sundays")];
    assert_eq!(world.run(), [""; 0]);
}

#[test]
fn a_series_has_one_row_ahead() {
    let mut world = World::known("2026-11-22T09:00:00Z", vec![cron("s", "0 9 * * *")]);
    // Its time of this very second is not made: it begins after the first sight.
    assert_eq!(world.run(), ["added s@2026-11-23T09:00:00/a 23 09:00 planned"]);
    assert_eq!(world.at("2026-11-23T08:59:59Z"), [""; 0]);
    assert_eq!(world.at("2026-11-23T09:00:00Z"), ["added s@2026-11-24T09:00:00/a 24 09:00 planned"]);
    world.state("s@2026-11-23T09:00:00", State::Published);
    assert_eq!(world.at("2026-11-23T09:00:01Z"), [""; 0]);
    // A second account joins with the next time.
    world.calendar.posts[0].to.push(AccountName::new("b"));
    assert_eq!(world.run(), ["added s@2026-11-24T09:00:00/b 24 09:00 planned"]);
    world.calendar.posts[0].to.remove(0);
    assert_eq!(world.run(), ["dropped s@2026-11-24T09:00:00/a 24 09:00 cancelled Removed"]);
}

#[test]
fn after_downtime_the_last_time_alone_may_still_go_out() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    assert_eq!(
        world.at("2026-11-24T09:10:00Z"),
        [
            "missed s@2026-11-22T09:00:00/a 22 09:00 missed Superseded",
            "missed s@2026-11-23T09:00:00/a 23 09:00 missed Superseded",
            "added s@2026-11-24T09:00:00/a 24 09:00 planned",
            "added s@2026-11-25T09:00:00/a 25 09:00 planned",
            "missed s@2026-11-21T09:00:00/a 21 09:00 missed Superseded",
        ]
    );
    // And if even that one is late, the late rule speaks.
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    assert_eq!(world.at("2026-11-22T12:00:00Z")[0], "held s@2026-11-22T09:00:00/a 22 09:00 held Late");
    // Clearly, the one that waits for a person is not superseded.
    world.at("2026-11-23T09:00:00Z");
    assert_eq!(world.row("s@2026-11-22T09:00:00").state, State::Held);
}

#[test]
fn long_downtime_is_recorded_in_bounded_space() {
    let mut world = World::known("2026-01-01T12:30:00Z", vec![cron("s", "0 * * * *")]);
    world.run();
    let lines = world.at("2026-11-24T09:10:00Z");
    assert_eq!(lines.len(), RECORDED + 3, "fifty missed, the planned one superseded, one that goes out, one ahead");
    let lines = {
        let mut world = World::known("2026-01-01T12:30:00Z", vec![cron("s", "0 * * * *")]);
        world.run();
        world.rows.clear();
        world.at("2026-11-24T09:10:00Z");
        world.rows[0].reason.clone().unwrap().message
    };
    assert_eq!(
        lines,
        "went by unmade, like every other time before Sun 2026-11-22 07:00; the one of Tue 2026-11-24 09:00 took its place"
    );
}

#[test]
fn an_edited_series_makes_no_time_before_the_edit() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    world.calendar.posts = vec![cron("s", "0 8 * * *")];
    // The daemon was down over two nights: none of the new rule's times is made up.
    assert_eq!(
        world.at("2026-11-22T08:30:00Z"),
        ["added s@2026-11-23T08:00:00/a 23 08:00 planned", "held s@2026-11-21T09:00:00/a 21 09:00 held Late"]
    );
    // An edit drops what was ahead by the old rule.
    world.calendar.posts = vec![cron("s", "0 10 * * *")];
    assert_eq!(
        world.run(),
        [
            "added s@2026-11-22T10:00:00/a 22 10:00 planned",
            "dropped s@2026-11-23T08:00:00/a 23 08:00 cancelled Removed"
        ]
    );
    // And back.
    world.calendar.posts = vec![cron("s", "0 8 * * *")];
    assert_eq!(
        world.run(),
        [
            "restored s@2026-11-23T08:00:00/a 23 08:00 planned",
            "dropped s@2026-11-22T10:00:00/a 22 10:00 cancelled Removed"
        ]
    );
}

#[test]
fn another_zone_moves_what_is_ahead_and_repeats_nothing() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    world.calendar.zone = Zone::parse("America/New_York").unwrap();
    // Nine o'clock of the twentieth is still to come in New York, and was over in the zone of the rule as it was.
    assert_eq!(world.run(), ["moved s@2026-11-21T09:00:00/a 21 14:00 planned"]);
    // Published at nine in UTC; the same day's nine o'clock in New York is the same occurrence.
    let mut world = World::known("2026-11-20T08:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    world.at("2026-11-20T09:00:00Z");
    world.state("s@2026-11-20T09:00:00", State::Published);
    world.calendar.zone = Zone::parse("America/New_York").unwrap();
    assert_eq!(world.run(), ["moved s@2026-11-21T09:00:00/a 21 14:00 planned"]);
}

/// Zone data is replaced with the program: what is not sent yet is where the new data has it.
#[test]
fn newer_zone_data_moves_what_is_planned() {
    // The old data lets the summer end on 1 November, the new one has no winter time any more.
    let old = Zone::of_rule("America/Vancouver", "PST8PDT,M3.2.0,M11.1.0");
    let new = Zone::of_rule("America/Vancouver", "PDT7");
    let winter = |zone: &Zone| {
        let civil: NaiveDateTime = "2026-12-01T09:00:00".parse().unwrap();
        let mut calendar =
            calendar("UTC", vec![post("p", Trigger::At { civil, instant: zone.local(civil).instant() })]);
        calendar.posts.push(cron("s", "0 9 * * tue"));
        calendar.zone = zone.clone();
        calendar
    };
    let mut world = World::known("2026-11-26T12:00:00Z", Vec::new());
    world.calendar = winter(&old);
    assert_eq!(world.run(), ["added p/a 01 17:00 planned", "added s@2026-12-01T09:00:00/a 01 17:00 planned"]);
    // One that is being sent is not touched.
    let mut sending = world.row("p").clone();
    sending.state = State::Claimed;
    world.calendar = winter(&new);
    assert_eq!(
        world.run(),
        ["moved p/a 01 16:00 planned", "moved s@2026-12-01T09:00:00/a 01 16:00 planned"],
        "the same occurrences, an hour earlier; no time of the series is made twice or left out"
    );
    assert_eq!(world.row("p").civil.to_string(), "2026-12-01 09:00:00");
    world.calendar = winter(&old);
    *world.row("p") = sending;
    assert_eq!(world.run(), ["moved s@2026-12-01T09:00:00/a 01 17:00 planned"]);
}

#[test]
fn a_series_that_comes_back_replays_nothing() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    let posts = std::mem::take(&mut world.calendar.posts);
    assert_eq!(world.run(), ["dropped s@2026-11-21T09:00:00/a 21 09:00 cancelled Removed"]);
    assert_eq!(world.at("2026-11-25T12:00:00Z"), [""; 0]);
    world.calendar.posts = posts;
    assert_eq!(world.run(), ["added s@2026-11-26T09:00:00/a 26 09:00 planned"]);
}

#[test]
fn a_cancelled_time_of_a_series_is_followed_by_the_next() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    let row = world.row("s@2026-11-21T09:00:00");
    (row.state, row.reason) = (State::Cancelled, Some(Reason::new(ReasonCode::Person, "")));
    assert_eq!(world.run(), ["added s@2026-11-22T09:00:00/a 22 09:00 planned"]);
    assert_eq!(world.at("2026-11-21T09:00:00Z"), [""; 0]);
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_twice() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "*/10 * * * *")]);
    world.run();
    world.at("2026-11-20T12:30:00Z");
    for row in &mut world.rows {
        if row.due <= utc("2026-11-20T12:30:00Z") && row.state == State::Planned {
            row.state = State::Published;
        }
    }
    let count = world.rows.len();
    assert_eq!(world.at("2026-11-20T12:05:00Z"), [""; 0]);
    assert_eq!(world.at("2026-11-20T12:35:00Z"), [""; 0]);
    assert_eq!(world.rows.len(), count);
}

#[test]
fn a_series_begins_after_the_second_showing_of_a_time() {
    // 02:10 in Berlin for the second time: 02:30 was 40 minutes ago.
    let mut world = World::known("2026-10-25T01:10:00Z", vec![cron("s", "30 2 * * *")]);
    world.calendar.zone = Zone::parse("Europe/Berlin").unwrap();
    assert_eq!(world.run(), ["added s@2026-10-26T02:30:00/a 26 01:30 planned"]);
}

#[test]
fn a_trigger_of_another_kind_drops_the_rows_of_the_old() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *")]);
    world.run();
    world.calendar.posts = vec![once("s", "2026-12-01T09:00:00")];
    assert_eq!(
        world.run(),
        ["added s/a 01 09:00 planned", "dropped s@2026-11-21T09:00:00/a 21 09:00 cancelled Removed"]
    );
    world.calendar.posts = vec![cron("s", "0 9 * * *")];
    assert_eq!(
        world.run(),
        ["restored s@2026-11-21T09:00:00/a 21 09:00 planned", "dropped s/a 01 09:00 cancelled Removed"]
    );
}

#[test]
fn announced_releases_stay() {
    let mut world =
        World::known("2026-11-20T12:00:00Z", vec![post("release", Trigger::Release(ReleaseRule::default()))]);
    let mut row = {
        let mut other = World::known("2026-11-20T12:00:00Z", vec![once("release", "2026-11-20T12:00:00")]);
        other.run();
        other.rows.remove(0)
    };
    row.occurrence = crate::model::OccurrenceName::release(&PostId::new("release"), "v2.0");
    world.rows.push(row);
    assert_eq!(world.run(), [""; 0]);
    world.calendar.posts[0].to = vec![AccountName::new("b")];
    assert_eq!(world.run(), [""; 0], "whoever announced it may read a newer calendar");
    world.calendar.posts[0].draft = true;
    assert_eq!(world.run(), [""; 0]);
    world.calendar.posts = vec![once("other", "2026-11-20T12:00:00")];
    assert_eq!(world.run(), ["added other/a 20 12:00 planned"]);
    world.calendar.posts = vec![cron("release", "0 9 * * *"), once("other", "2026-11-20T12:00:00")];
    assert_eq!(world.run(), ["added release@2026-11-21T09:00:00/a 21 09:00 planned"]);
}

#[test]
fn it_says_when_to_look_again() {
    let mut world = World::known("2026-11-20T12:00:00Z", vec![once("p", "2026-12-01T09:00:00")]);
    let again =
        |world: &World| schedule(&world.calendar, &[], &Standings::of(&world.rows), &world.record, world.now).again;
    world.run();
    assert_eq!(again(&world), Some(utc("2026-12-01T09:15:01Z")), "its grace has run out");
    world.calendar.posts.push(cron("s", "0 9 * * *"));
    assert_eq!(again(&world), Some(utc("2026-11-21T09:00:00Z")), "the series has to have a row ahead again");
    world.calendar.posts.clear();
    world.run();
    assert_eq!(again(&world), None);
}

#[test]
fn a_forecast_lists_what_has_no_row_yet() {
    let mut world =
        World::known("2026-11-20T12:00:00Z", vec![cron("s", "0 9 * * *"), once("p", "2026-12-01T09:00:00")]);
    world.run();
    let list = |until: Option<&str>, count| -> Vec<String> {
        forecast(&world.calendar, &world.rows, &world.record, world.now, until.map(utc), count)
            .iter()
            .map(|time| format!("{} {}", time.occurrence, time.account))
            .collect()
    };
    assert_eq!(list(None, 3), ["s@2026-11-22T09:00:00 a", "s@2026-11-23T09:00:00 a"], "the first has its row");
    assert_eq!(list(Some("2026-11-22T10:00:00Z"), 5), ["s@2026-11-22T09:00:00 a"]);
    assert_eq!(list(None, 0), [""; 0]);
}

/// What may be done to a calendar and a ledger between two looks.
#[derive(Debug, Clone)]
enum Step {
    Forward(i64),
    Posts(Vec<(usize, usize, bool)>),
    Settle(usize, State),
    Zone(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let states = vec![State::Claimed, State::Published, State::Failed, State::Unknown, State::Missed];
    prop_oneof![
        3 => (1_i64..5_000).prop_map(Step::Forward),
        1 => (1_i64..40_000_000).prop_map(Step::Forward),
        3 => prop::collection::vec((0_usize..8, 0_usize..6, any::<bool>()), 0..6).prop_map(Step::Posts),
        2 => (0_usize..50, prop::sample::select(states)).prop_map(|(row, state)| Step::Settle(row, state)),
        1 => (0_usize..3).prop_map(Step::Zone),
    ]
}

#[test]
fn what_an_adopted_ledger_never_saw_may_be_out() {
    let mut always = once("always", "2026-12-01T09:50:00");
    always.late = late(LateThen::Publish);
    let mut dropped = once("dropped", "2026-12-01T08:00:00");
    dropped.late = late(LateThen::Skip);
    let posts = vec![
        once("early", "2026-12-01T08:00:00"),
        once("in-time", "2026-12-01T09:59:00"),
        always,
        dropped,
        once("later", "2026-12-03T10:00:00"),
        cron("tip", "55 9 * * *"),
    ];
    let mut world = World::known("2026-11-28T10:00:00Z", vec![cron("tip", "55 9 * * *")]);
    world.run();
    world.rows.clear();
    world.calendar.posts = posts;
    world.now = utc("2026-12-01T10:00:00Z");
    world.record.adopted = Some(world.now);
    assert_eq!(
        world.run(),
        [
            "held early/a 01 08:00 held LedgerOlder",
            "held in-time/a 01 09:59 held LedgerOlder",
            "held always/a 01 09:50 held LedgerOlder",
            "missed dropped/a 01 08:00 missed LedgerOlder",
            "added later/a 03 10:00 planned",
            "missed tip@2026-11-29T09:55:00/a 29 09:55 missed LedgerOlder",
            "missed tip@2026-11-30T09:55:00/a 30 09:55 missed LedgerOlder",
            "held tip@2026-12-01T09:55:00/a 01 09:55 held LedgerOlder",
            "added tip@2026-12-02T09:55:00/a 02 09:55 planned",
        ]
    );
    // Later on everything is as ever.
    world.now = utc("2026-12-02T09:56:00Z");
    let run = world.run();
    assert_eq!(run, ["added tip@2026-12-03T09:55:00/a 03 09:55 planned"]);
    // What a person has released goes out, edited or not; what is moved to before the adoption is held again.
    let row = world.rows.iter_mut().find(|row| row.post.as_str() == "early").unwrap();
    (row.state, row.reason, row.released) = (State::Planned, None, true);
    assert_eq!(world.run(), [] as [String; 0]);
    world.calendar.posts[4] = once("later", "2026-12-01T09:30:00");
    assert_eq!(world.run(), ["held later/a 01 09:30 held LedgerOlder"]);
    world.calendar.posts[4] = once("later", "2027-12-01T09:30:00");
    assert_eq!(world.run(), ["moved later/a 01 09:30 held LedgerOlder"], "it may be out: a person decides");
}

#[test]
fn a_new_ledger_that_was_adopted_holds_what_is_overdue() {
    let mut world = World::new("2026-12-01T10:00:00Z", vec![once("past", "2026-12-01T08:00:00")]);
    world.record.adopted = Some(world.now);
    assert_eq!(world.run(), ["held past/a 01 08:00 held LedgerOlder"], "the rule of the first run does not let it out");
    world.calendar.posts.clear();
    assert_eq!(world.run(), ["dropped past/a 01 08:00 cancelled Removed"]);
    world.calendar.posts.push(once("past", "2026-12-01T08:00:00"));
    assert_eq!(world.run(), ["restored past/a 01 08:00 held LedgerOlder"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever happens: one row for an occurrence and an account, nothing settled is touched, nothing is made twice,
    /// and scheduling again changes nothing (asserted in [`World::run`]).
    #[test]
    fn nothing_is_made_twice(steps in prop::collection::vec(step(), 1..24)) {
        let mut world = World::new("2026-03-20T12:00:00Z", vec![]);
        for step in steps {
            match step {
                Step::Forward(seconds) => world.now += TimeDelta::seconds(seconds),
                Step::Zone(index) => {
                    world.calendar.zone = Zone::parse(["UTC", "Europe/Berlin", "America/New_York"][index]).unwrap();
                }
                Step::Settle(index, state) => {
                    if let Some(row) = world.rows.get_mut(index) && row.due <= world.now && row.state == State::Planned {
                        row.state = state;
                    }
                }
                Step::Posts(posts) => {
                    let mut entries: BTreeMap<usize, Post> = BTreeMap::new();
                    for (id, kind, both) in posts {
                        let name = format!("p{id}");
                        let mut entry = match kind {
                            0 => once(&name, "2026-03-29T02:30:00"),
                            1 => once(&name, "2026-06-01T09:00:00"),
                            2 => cron(&name, "*/20 * * * *"),
                            3 => cron(&name, "30 2 * * *"),
                            4 => cron(&name, "0 9 1 * *"),
                            _ => Post { late: late(LateThen::Publish), ..once(&name, "2026-03-01T09:00:00") },
                        };
                        if both {
                            entry.to.push(AccountName::new("b"));
                        }
                        entries.insert(id, entry);
                    }
                    world.calendar.posts = entries.into_values().collect();
                }
            }
            let before: BTreeMap<DeliveryId, Delivery> =
                world.rows.iter().map(|row| (row.id, row.clone())).collect();
            world.run();
            let mut seen = std::collections::HashSet::new();
            for row in &world.rows {
                prop_assert!(seen.insert((row.occurrence.clone(), row.account.clone())), "{} twice", row.occurrence);
                if let Some(before) = before.get(&row.id)
                    && !matches!(before.state, State::Planned | State::Held | State::Cancelled)
                {
                    prop_assert_eq!(before, row);
                }
            }
            for post in &world.calendar.posts {
                let ahead = world.rows.iter().filter(|row| {
                    row.post == post.id && row.account.as_str() == "a" && row.state == State::Planned && row.due > world.now
                        && row.civil > world.record.series.get(post.id.as_str()).map_or(row.civil, |seen| seen.watermark)
                });
                prop_assert!(ahead.count() <= 1, "more than one row ahead of {}", post.id);
            }
        }
    }
}
