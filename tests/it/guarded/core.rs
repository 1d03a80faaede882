//! Guards of the pure core: what it must not decide.

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use serde_json::json;
use smm::adapter::{Fault, Plan, Refusal, RepeatSafety, Step, StepKind, Verdict};
use smm::engine::core::{Input, Next, Rules, step};
use smm::model::{AccountName, Binding, CalendarName, Delivery, Frozen, Late, OccurrenceName, Origin, PostId, State};

fn at(seconds: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 9, 0, 0).single().expect("a time") + TimeDelta::seconds(seconds)
}

/// A delivery of one part whose intent is durable.
fn sending(rules: &Rules) -> Delivery {
    let id = PostId::new("launch");
    let (calendar, account) = (CalendarName::new("acme"), AccountName::new("fedi"));
    let occurrence = OccurrenceName::once(&id);
    let late = Late::default();
    let row = Delivery::planned(
        calendar,
        id,
        occurrence,
        account,
        "some-network",
        Origin::Calendar,
        at(0),
        at(0).naive_utc(),
        late,
    );
    let row = Delivery { state: State::Claimed, owner: Some("me".into()), fence: 1, version: 2, ..row };
    let steps = vec![Step { index: 0, part: 0, kind: StepKind::Publish, payload: json!({}) }];
    let intent = Input::Intent {
        plan: serde_json::to_value(Plan { steps }).expect("a plan"),
        frozen: Frozen { part: 0, key: "key".into(), request: json!({}) },
        binding: Binding {
            network: "some-network".into(),
            host: "https://fedi.example".into(),
            uid: "1".into(),
            handle: "@acme".into(),
        },
    };
    step(&row, &intent, rules, at(0)).0
}

#[test]
fn an_empty_look_does_not_send_again_while_the_sender_may_live() {
    let rules = Rules { class: RepeatSafety::LookUp, alone: false, ..Rules::default() };
    let (mut row, _, _) = step(&sending(&rules), &Input::OwnerLost, &rules, at(100));
    for look in 1..=2 {
        let (after, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, at(100 + 200 * look));
        assert_ne!(next, Next::Repeat, "after look {look}");
        row = after;
    }
    let next_look = row.unknown.as_ref().expect("unknown").next_look;
    assert_eq!((row.state, next_look), (State::Unknown, None), "a person decides");
}

#[test]
fn a_key_is_not_trusted_beyond_its_window() {
    let rules = Rules { class: RepeatSafety::Key { window_seconds: 3600 }, ..Rules::default() };
    let row = step(&sending(&rules), &Input::Faulted(Fault::Unknown("reset".into())), &rules, at(1)).0;
    let looked = Input::Looked(Verdict::NotDone);
    assert_eq!(step(&row, &looked, &rules, at(3000)).2, Next::Repeat, "inside it, one look is enough");
    let (after, _, next) = step(&row, &looked, &rules, at(3601));
    assert_ne!(next, Next::Repeat, "the server has forgotten the key by now: one look proves too little");
    assert_eq!(after.state, State::Unknown);
}

#[test]
fn a_no_to_the_second_attempt_says_nothing_of_the_first() {
    let rules = Rules { class: RepeatSafety::ChosenId, ..Rules::default() };
    let row = step(&sending(&rules), &Input::Faulted(Fault::Unknown("reset".into())), &rules, at(1)).0;
    let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, at(2));
    assert_eq!(next, Next::Repeat);
    let row = step(&row, &Input::Repeat { owner: "another".to_owned() }, &rules, at(3)).0;
    let refused = Input::Faulted(Fault::refused(Refusal::Invalid, "too long"));
    let row = step(&row, &refused, &rules, at(4)).0;
    assert_eq!(row.state, State::Unknown, "the first attempt may be out yet");
}
