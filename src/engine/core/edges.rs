//! Every edge of a delivery's life, walked once: each has a case here, and no case leaves the table.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::calendar::Calendar;
use crate::engine::samples::*;
use crate::engine::{PersonCommand, person};
use crate::ledger::CalendarRecord;
use crate::model::{Account, CalendarName, Content, Late, Post, Standings, Trigger};
use crate::schedule::schedule;
use crate::time::Zone;

/// What walks an edge.
enum By {
    /// The engine.
    Engine(Input),
    /// A person.
    Person(PersonCommand),
    /// The calendar, looked at so many seconds after the start: its post is due so many seconds after it.
    Calendar { due: i64, looked: i64 },
    /// The ledger hands it out.
    Claim,
}

fn engine(input: Input) -> By {
    By::Engine(input)
}

fn lost_answer() -> Input {
    Input::Faulted(Fault::Unknown("reset".into()))
}

/// The row at the other end.
fn walk(row: &Delivery, by: &By) -> Delivery {
    match by {
        By::Engine(input) => step(row, input, &rules(WINDOW), after(4000)).0,
        By::Person(command) => person(row, command, after(4000), "ann").expect("allowed").0,
        By::Claim => Delivery { state: State::Claimed, owner: Some("me".into()), ..row.clone() },
        By::Calendar { due, looked } => {
            let rows = Standings::of([row]);
            let wanted = schedule(&calendar(row, after(*due)), &[], &rows, &known(), after(*looked));
            wanted.changes.first().expect("a change").row(&wanted.calendar, Some(row))
        }
    }
}

fn calendar(row: &Delivery, due: DateTime<Utc>) -> Calendar {
    let post = Post {
        id: row.post.clone(),
        name: row.post.clone(),
        trigger: Some(Trigger::At { civil: due.naive_utc(), instant: due }),
        to: vec![row.account.clone()],
        content: Content::default(),
        overrides: BTreeMap::new(),
        campaign: None,
        late: row.late,
        draft: false,
    };
    Calendar {
        name: CalendarName::new("acme"),
        zone: Zone::parse("UTC").expect("a zone"),
        folder: ".".into(),
        posts: vec![post],
        accounts: BTreeMap::from([(row.account.clone(), Account::new(row.account.clone(), row.network.clone()))]),
        campaigns: BTreeMap::new(),
        missing_alt_warns: false,
        media_host: false,
    }
}

fn known() -> CalendarRecord {
    CalendarRecord { first_seen: Some(after(-86_400)), ..CalendarRecord::default() }
}

/// Every input with the edges that it walks.
fn cases() -> Vec<(Delivery, By)> {
    let rules = rules(WINDOW);
    let skip = Late { grace_seconds: 60, then: LateThen::Skip };
    let hold = Late { grace_seconds: 60, then: LateThen::Hold };
    let retried = || go(&sending(1, &rules), &Input::Faulted(Fault::NotSent("refused".into())), &rules, 1);
    let failed = || go(&sending(1, &rules), &said(Refusal::Invalid), &rules, 1);
    let held = |code| {
        let reason = Some(Reason::new(code, "why"));
        Delivery { state: State::Held, late: hold, reason, ..planned() }
    };
    let removed = |late| {
        let reason = Some(Reason::new(ReasonCode::Removed, "why"));
        Delivery { state: State::Cancelled, late, reason, ..planned() }
    };
    let looked_once = || go(&lost(&rules), &Input::Looked(Verdict::NotDone), &rules, 121);
    let refused_twice = || {
        let row = go(&looked_once(), &repeat(), &rules, 121);
        let row = go(&row, &said(Refusal::Invalid), &rules, 122);
        go(&row, &Input::Looked(Verdict::NotDone), &rules, 242)
    };
    let thread_unknown = || go(&sending(2, &rules), &lost_answer(), &rules, 1);
    // Settled by a person who was mistaken.
    let mistaken = |parts, state| {
        let row = Delivery { plan: Some(plan_of(parts)), state, ..planned() };
        (row, engine(Input::AnsweredLate(receipt(0))))
    };
    let already = |receipt| Input::AlreadyOut { by: planned().id, plan: plan_of(1), receipt };
    vec![
        (planned(), By::Claim),
        (planned(), By::Calendar { due: 600, looked: 0 }),
        (Delivery { late: hold, ..planned() }, By::Calendar { due: 0, looked: 61 }),
        (Delivery { late: skip, ..planned() }, By::Calendar { due: 0, looked: 61 }),
        (planned(), By::Person(PersonCommand::Cancel)),
        (retried(), By::Person(PersonCommand::Retry)),
        mistaken(1, State::Planned),
        mistaken(2, State::Planned),
        (claimed(), engine(Input::Variation(1))),
        (claimed(), engine(Input::Prepared { plan: plan_of(1), step: 0, value: serde_json::Value::Null })),
        (claimed(), engine(Input::GivenBack("stopping".into()))),
        (claimed(), engine(Input::OwnerLost)),
        (claimed(), engine(Input::Dark { until: after(9000) })),
        (claimed(), engine(intent(&claimed(), 1))),
        (claimed(), engine(already(Some(receipt(0))))),
        (claimed(), engine(already(None))),
        (claimed(), engine(Input::Found { plan: plan_of(1), receipt: receipt(0) })),
        (claimed(), engine(Input::Found { plan: plan_of(2), receipt: receipt(0) })),
        (claimed(), engine(Input::MayBeOut("two posts match".into()))),
        (claimed(), engine(Input::NotPrepared(Fault::refused(Refusal::Invalid, "no")))),
        (claimed(), engine(Input::CannotCompose("no such file".into()))),
        (claimed(), engine(Input::AccountChanged("another".into()))),
        (Delivery { late: skip, ..claimed() }, engine(Input::TooLate)),
        (Delivery { late: hold, ..claimed() }, engine(Input::TooLate)),
        (claimed(), By::Person(PersonCommand::Cancel)),
        (sending(2, &rules), engine(Input::Answered(receipt(0)))),
        (sending(1, &rules), engine(Input::Answered(receipt(0)))),
        (sending(1, &rules), engine(Input::Faulted(Fault::NotSent("refused".into())))),
        (sending(1, &rules), engine(said(Refusal::Invalid))),
        (sending(1, &rules), engine(said(Refusal::Credentials))),
        (sending(1, &rules), engine(lost_answer())),
        (sending(1, &rules), engine(Input::OwnerLost)),
        (lost(&rules), engine(Input::Looked(Verdict::NotDone))),
        (lost(&rules), engine(Input::NotLooked(Fault::NotSent("no route".into())))),
        (lost(&rules), engine(Input::NotYet(after(5000)))),
        (lost(&rules), engine(Input::Witnessed("alive".into()))),
        (lost(&rules), engine(already(None))),
        (lost(&rules), engine(already(Some(receipt(0))))),
        (lost(&rules), engine(Input::Looked(Verdict::Done(receipt(0))))),
        (go(&looked_once(), &Input::Looked(Verdict::NotDone), &rules, 4000), engine(repeat())),
        (thread_unknown(), engine(Input::Looked(Verdict::Done(receipt(0))))),
        (refused_twice(), engine(Input::Looked(Verdict::NotDone))),
        (Delivery { late: hold, ..lost(&rules) }, By::Person(PersonCommand::ResolveNotPublished)),
        (Delivery { late: skip, ..lost(&rules) }, By::Person(PersonCommand::ResolveNotPublished)),
        (held(ReasonCode::Late), By::Person(PersonCommand::Release)),
        (held(ReasonCode::Late), By::Person(PersonCommand::Cancel)),
        (held(ReasonCode::Credentials), By::Calendar { due: 600, looked: 0 }),
        (held(ReasonCode::Credentials), By::Person(PersonCommand::SignedIn)),
        (Delivery { late: skip, ..held(ReasonCode::Late) }, By::Calendar { due: -600, looked: 0 }),
        mistaken(1, State::Held),
        mistaken(2, State::Held),
        (failed(), By::Person(PersonCommand::Retry)),
        (failed(), By::Person(PersonCommand::Cancel)),
        mistaken(1, State::Failed),
        mistaken(2, State::Failed),
        (Delivery { state: State::Missed, ..planned() }, By::Person(PersonCommand::Retry)),
        (Delivery { state: State::Missed, ..planned() }, By::Person(PersonCommand::Cancel)),
        mistaken(1, State::Missed),
        mistaken(2, State::Missed),
        (Delivery { state: State::Cancelled, ..planned() }, By::Person(PersonCommand::Retry)),
        (removed(hold), By::Calendar { due: 0, looked: 61 }),
        (removed(skip), By::Calendar { due: 0, looked: 61 }),
        mistaken(1, State::Cancelled),
        mistaken(2, State::Cancelled),
    ]
}

#[test]
fn each_edge_has_a_case_and_no_case_leaves_the_table() {
    let mut walked = BTreeSet::new();
    for (row, by) in cases() {
        sound(&row).expect("a row that can be true");
        let next = walk(&row, &by);
        assert_eq!(sound(&next), Ok(()), "{} to {}", row.state, next.state);
        assert!(allowed(row.state, next.state), "{} to {}", row.state, next.state);
        walked.insert((row.state, next.state));
    }
    let pairs = State::ALL.into_iter().flat_map(|from| State::ALL.into_iter().map(move |to| (from, to)));
    let never: Vec<(State, State)> =
        pairs.filter(|(from, to)| allowed(*from, *to) && !walked.contains(&(*from, *to))).collect();
    assert_eq!(never, [], "edges that nothing walks");
}

/// A build without debug assertions has them too: they are plain `assert!`.
#[test]
fn the_invariants_are_asserted_in_every_build() {
    let text = include_str!("../core.rs");
    assert!(!text.contains("debug_assert"), "the core's rules hold in release builds");
    let gap = Delivery { receipts: vec![receipt(1)], ..planned() };
    for (wrong, why) in [
        (Delivery { state: State::Sending, ..planned() }, "sending without an intent"),
        (Delivery { state: State::Unknown, ..planned() }, "unknown without an intent"),
        (
            Delivery { state: State::Failed, ..lost(&rules(WINDOW)) },
            "an attempt is unresolved, but the state says otherwise",
        ),
        (gap, "receipts with a gap"),
        (
            Delivery { receipts: vec![receipt(0)], ..sending(2, &rules(WINDOW)) },
            "an intent for another part than the open one",
        ),
        (Delivery { state: State::Published, ..planned() }, "published without a receipt"),
    ] {
        assert_eq!(sound(&wrong), Err(why));
    }
}
