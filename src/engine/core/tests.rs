//! One test for each rule of the core.

use serde_json::json;

use super::*;
use crate::engine::samples::*;
use crate::model::{Late, OccurrenceName};

/// The table in the documentation of [`allowed`] has each edge once, with its reason, and no other.
#[test]
fn the_table_of_edges() {
    let rows = include_str!("../core.rs").lines().filter_map(|line| line.strip_prefix("/// | ")?.strip_suffix(" |"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    let documented: Vec<(&str, &str)> = rows
        .iter()
        .filter(|row| row[0] != "from")
        .map(|row| match row[..] {
            [from, to, because] if !because.trim().is_empty() => (from, to),
            _ => panic!("an edge is two states and a reason: {row:?}"),
        })
        .collect();
    for from in State::ALL {
        for to in State::ALL {
            let count = documented.iter().filter(|edge| **edge == (from.as_str(), to.as_str())).count();
            assert_eq!(count, usize::from(allowed(from, to)), "{from} to {to}");
        }
    }
    let edges: usize =
        State::ALL.into_iter().map(|from| State::ALL.into_iter().filter(|to| allowed(from, *to)).count()).sum();
    assert_eq!(documented.len(), edges, "a row of the table names no state");
    assert!(State::ALL.into_iter().all(|to| !allowed(State::Published, to)), "what is out stays out");
}

#[test]
fn a_thread_goes_part_by_part() {
    let rules = rules(WINDOW);
    let row = sending(2, &rules);
    assert_eq!((row.state, row.attempts), (State::Sending, 1));
    let (row, event, next) = step(&row, &Input::Answered(receipt(0)), &rules, after(1));
    assert_eq!((row.state, next, event.kind.as_str()), (State::Claimed, Next::GoOn, "receipt"));
    assert_eq!(row.owner.as_deref(), Some("me"));
    let row = go(&row, &intent(&row, 2), &rules, 2);
    let (row, event, next) = step(&row, &Input::Answered(receipt(1)), &rules, after(3));
    assert_eq!((row.state, next, event.detail.as_str()), (State::Published, Next::Rest, "part 2 of 2"));
    assert_eq!((row.published_at, row.owner), (Some(after(3)), None));
}

#[test]
fn what_was_prepared_belongs_to_its_plan() {
    let rules = rules(WINDOW);
    let prepared = |plan, step| Input::Prepared { plan, step, value: json!(step) };
    let row = go(&claimed(), &prepared(plan_of(1), 0), &rules, 0);
    let row = go(&row, &prepared(plan_of(1), 1), &rules, 0);
    assert_eq!(row.prepared.len(), 2);
    let row = go(&row, &prepared(plan_of(2), 1), &rules, 0);
    assert_eq!(row.prepared.iter().map(|prepared| prepared.step).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_definite_no_with_nothing_open() {
    let rules = rules(RepeatSafety::LookUp);
    let after_fault = |input: &Input| go(&sending(1, &rules), input, &rules, 1);
    let row = after_fault(&Input::Faulted(Fault::NotSent("refused".into())));
    assert_eq!(told(&row), (State::Planned, Some(ReasonCode::Retry)));
    assert!(row.not_before.is_some_and(|at| at > after(1) && at <= after(6)), "{:?}", row.not_before);
    assert_eq!(told(&after_fault(&said(Refusal::Credentials))), (State::Held, Some(ReasonCode::Credentials)));
    for refusal in [Refusal::Forbidden, Refusal::Gone, Refusal::Invalid] {
        assert_eq!(told(&after_fault(&said(refusal))), (State::Failed, Some(ReasonCode::Refused)));
    }
}

#[test]
fn later_means_not_before_then() {
    let rules = rules(RepeatSafety::LookUp);
    let wait = |seconds| {
        let fault = Fault::Refused {
            refusal: Refusal::RateLimited,
            message: "slow down".into(),
            retry_at: Some(after(seconds)),
        };
        go(&sending(1, &rules), &Input::Faulted(fault), &rules, 1)
    };
    let row = wait(600);
    assert_eq!(told(&row), (State::Planned, Some(ReasonCode::Throttled)));
    assert_eq!(row.not_before, Some(after(600)));
    // A year is not waited for.
    assert_eq!(told(&wait(365 * 86_400)), (State::Held, Some(ReasonCode::Throttled)));
}

#[test]
fn blackout_hours_are_waited_out() {
    let rules = rules(RepeatSafety::ChosenId);
    let until = after(9 * 3600);
    let (row, event, next) = step(&claimed(), &Input::Dark { until }, &rules, after(0));
    assert_eq!((told(&row), row.not_before), ((State::Planned, Some(ReasonCode::Blackout)), Some(until)));
    assert_eq!((row.owner, next), (None, Next::Rest));
    assert_eq!(event.detail, "the blackout hours of fedi last until 2026-12-01 18:00 UTC");
    // What may not have arrived is looked at again then, and not sent before.
    let unknown = lost(&rules);
    let (row, _, next) = step(&unknown, &Input::Dark { until }, &rules, after(2));
    assert_eq!((row.state, next_look(&row), next), (State::Unknown, Some(until), Next::Look(Some(until))));
    assert_eq!(row.reason, unknown.reason, "why it is unknown stays");
}

#[test]
fn attempts_end() {
    let rules = Rules { tries: 3, ..rules(RepeatSafety::LookUp) };
    let mut row = claimed();
    for _ in 0..2 {
        row = go(&row, &Input::NotPrepared(Fault::NotSent("no route".into())), &rules, 0);
        assert_eq!(row.state, State::Planned);
        row.state = State::Claimed;
    }
    let row = go(&row, &Input::NotPrepared(Fault::NotSent("no route".into())), &rules, 0);
    assert_eq!(told(&row), (State::Failed, Some(ReasonCode::Retry)));
}

#[test]
fn the_back_off_grows_and_ends_at_its_cap() {
    let rules = rules(RepeatSafety::LookUp);
    let longest = |failures| {
        (0..50)
            .map(|n| {
                let mut row = planned();
                row.id = DeliveryId::derive(&row.calendar, &OccurrenceName::new(n.to_string()), &row.account);
                row.failures = failures;
                wait(&row, &rules)
            })
            .max()
            .expect("some")
    };
    assert!(longest(1) <= TimeDelta::seconds(5));
    assert!(longest(4) > TimeDelta::seconds(20) && longest(4) <= TimeDelta::seconds(40));
    assert!(longest(60) > TimeDelta::minutes(10) && longest(60) <= TimeDelta::minutes(15));
}

#[test]
fn a_chosen_id_is_looked_up_at_once_and_sent_again() {
    let rules = rules(RepeatSafety::ChosenId);
    let row = lost(&rules);
    assert_eq!((told(&row), next_look(&row)), ((State::Unknown, Some(ReasonCode::LostAnswer)), Some(after(1))));
    let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(1));
    assert_eq!(next, Next::Repeat);
    let first = row.intent.clone().expect("open");
    let (row, _, next) = step(&row, &repeat(), &rules, after(1));
    assert_eq!((row.state, next, row.attempts), (State::Sending, Next::Send, 2));
    let second = row.intent.clone().expect("open");
    assert_eq!((second.frozen, second.first_at), (first.frozen, first.first_at));
    assert_eq!(go(&row, &Input::Answered(receipt(0)), &rules, 2).state, State::Published);
}

#[test]
fn a_chosen_id_is_not_sent_for_ever() {
    let rules = Rules { tries: 4, ..rules(RepeatSafety::ChosenId) };
    let mut row = sending(1, &rules);
    for attempt in 1..=4 {
        row = go(&row, &Input::Faulted(Fault::Unknown("502".into())), &rules, 1);
        let (looked, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(1));
        if attempt < 4 {
            assert_eq!(next, Next::Repeat);
            row = go(&looked, &repeat(), &rules, 1);
        } else {
            assert_eq!(next, Next::Look(Some(after(121))), "one more look, and then a person");
            assert_eq!(step(&looked, &Input::Looked(Verdict::NotDone), &rules, after(121)).2, Next::Look(None));
        }
    }
}

#[test]
fn a_key_is_used_once_more_inside_its_window() {
    let rules = rules(WINDOW);
    let row = lost(&rules);
    assert_eq!(next_look(&row), Some(after(121)));
    let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(121));
    assert_eq!(next, Next::Repeat);
    let row = go(&row, &repeat(), &rules, 121);
    let row = go(&row, &Input::Faulted(Fault::Unknown("504".into())), &rules, 122);
    let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(242));
    assert_eq!(next, Next::Look(Some(after(362))), "the repeat is used up");
    let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(362));
    assert_eq!((row.state, next), (State::Unknown, Next::Look(None)));
}

#[test]
fn a_key_out_of_its_window_is_a_look_up() {
    let rules = rules(WINDOW);
    let (row, _, next) = step(&lost(&rules), &Input::Looked(Verdict::NotDone), &rules, after(3300));
    assert_eq!(next, Next::Look(Some(after(3420))));
    assert_eq!(step(&row, &Input::Looked(Verdict::NotDone), &rules, after(3420)).2, Next::Repeat);
}

#[test]
fn a_look_up_takes_two_looks_and_a_dead_sender() {
    for class in [RepeatSafety::LookUp, RepeatSafety::TwoStep] {
        let rules = rules(class);
        let row = go(&lost(&rules), &Input::Looked(Verdict::NotDone), &rules, 121);
        assert_eq!(next_look(&row), Some(after(241)));
        let several = Rules { alone: false, ..rules };
        let mut taken_over = row.clone();
        taken_over.unknown.as_mut().expect("unknown").witnessed = false;
        assert_eq!(step(&taken_over, &Input::Looked(Verdict::NotDone), &several, after(241)).2, Next::Look(None));
        assert_eq!(
            step(&row, &Input::Looked(Verdict::NotDone), &several, after(241)).2,
            Next::Repeat,
            "it told itself"
        );
        let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(241));
        assert_eq!(next, Next::Repeat);
        assert_eq!(go(&row, &repeat(), &rules, 241).state, State::Sending);
    }
}

#[test]
fn a_look_finds_it() {
    for class in [RepeatSafety::LookUp, RepeatSafety::TwoStep, RepeatSafety::ChosenId, WINDOW] {
        let rules = rules(class);
        let row = go(&lost(&rules), &Input::Looked(Verdict::Done(receipt(0))), &rules, 121);
        assert_eq!((told(&row), row.receipts.len()), ((State::Published, None), 1));
    }
}

#[test]
fn a_thread_found_by_looking_goes_on() {
    let rules = rules(WINDOW);
    let row = go(&sending(3, &rules), &Input::Faulted(Fault::Unknown("reset".into())), &rules, 1);
    let row = go(&row, &Input::Looked(Verdict::Done(receipt(0))), &rules, 121);
    assert_eq!((row.state, row.not_before, row.receipts.len()), (State::Planned, None, 1));
}

#[test]
fn nothing_tells_so_a_person_decides() {
    let none = rules(RepeatSafety::None);
    assert_eq!(next_look(&lost(&none)), None);
    // A look that cannot tell is the same, where only looking could.
    let why = || Input::Looked(Verdict::CannotTell { why: "two of them".into() });
    for class in [RepeatSafety::LookUp, WINDOW] {
        assert_eq!(step(&lost(&rules(class)), &why(), &rules(class), after(121)).2, Next::Look(None));
    }
    let chosen = rules(RepeatSafety::ChosenId);
    assert_eq!(step(&lost(&chosen), &why(), &chosen, after(1)).2, Next::Repeat);
}

#[test]
fn a_look_that_fails_says_nothing() {
    let rules = rules(RepeatSafety::LookUp);
    let mut row = lost(&rules);
    for _ in 0..100 {
        row = go(&row, &Input::NotLooked(Fault::NotSent("no route".into())), &rules, 121);
    }
    let unknown = row.unknown.as_ref().expect("unknown");
    assert_eq!((row.state, unknown.looks), (State::Unknown, 0));
    assert!(unknown.next_look.is_some());
}

#[test]
fn a_no_to_the_repeat_says_nothing_of_the_first() {
    let rules = rules(WINDOW);
    let repeated = || {
        let row = go(&lost(&rules), &Input::Looked(Verdict::NotDone), &rules, 121);
        go(&row, &repeat(), &rules, 121)
    };
    for refusal in [Refusal::Invalid, Refusal::Forbidden, Refusal::Credentials, Refusal::Busy, Refusal::RateLimited] {
        assert_eq!(go(&repeated(), &said(refusal), &rules, 122).state, State::Unknown, "{refusal:?}");
    }
    let row = go(&repeated(), &Input::Faulted(Fault::NotSent("refused".into())), &rules, 122);
    assert_eq!(row.state, State::Unknown);
    assert!(!row.unknown.as_ref().expect("unknown").repeated, "nothing was sent: the repeat is still to be made");
    // Refused, and not there twice: now nothing is open.
    let row = go(&repeated(), &said(Refusal::Invalid), &rules, 122);
    let row = go(&row, &Input::Looked(Verdict::NotDone), &rules, 242);
    assert_eq!(row.state, State::Unknown);
    let row = go(&row, &Input::Looked(Verdict::NotDone), &rules, 362);
    assert_eq!(told(&row), (State::Failed, Some(ReasonCode::Refused)));
}

#[test]
fn a_duplicate_is_looked_up_and_never_sent_again() {
    for class in [WINDOW, RepeatSafety::LookUp] {
        let rules = rules(class);
        let row = go(&sending(1, &rules), &said(Refusal::Duplicate), &rules, 1);
        assert_eq!((row.state, next_look(&row)), (State::Unknown, Some(after(1))));
        let row = go(&row, &Input::Looked(Verdict::NotDone), &rules, 1);
        assert_eq!(step(&row, &Input::Looked(Verdict::NotDone), &rules, after(121)).2, Next::Look(None));
    }
}

#[test]
fn a_lost_owner() {
    let rules = rules(WINDOW);
    let row = go(&claimed(), &Input::OwnerLost, &rules, 1);
    assert_eq!((row.state, row.owner), (State::Planned, None));
    let row = go(&sending(1, &rules), &Input::OwnerLost, &rules, 1);
    assert_eq!((told(&row), row.owner.clone()), ((State::Unknown, Some(ReasonCode::LostAnswer)), None));
    assert_eq!(next_look(&row), Some(after(121)));
}

#[test]
fn a_changed_account_is_held_and_an_open_attempt_stays_open() {
    let rules = rules(WINDOW);
    let input = Input::AccountChanged("another".into());
    assert_eq!(told(&go(&claimed(), &input, &rules, 1)), (State::Held, Some(ReasonCode::AccountChanged)));
    let row = go(&lost(&rules), &input, &rules, 1);
    assert_eq!((told(&row), next_look(&row)), ((State::Unknown, Some(ReasonCode::AccountChanged)), None));
    assert!(!may_repeat(&row, &rules, after(500)));
}

#[test]
fn out_already_under_another_name() {
    let rules = rules(WINDOW);
    let already = |receipt| Input::AlreadyOut { by: planned().id, plan: plan_of(1), receipt };
    let row = go(&claimed(), &already(Some(receipt(0))), &rules, 1);
    assert_eq!(told(&row), (State::Published, Some(ReasonCode::Already)));
    let row = go(&claimed(), &already(None), &rules, 1);
    assert_eq!(told(&row), (State::Planned, Some(ReasonCode::Already)));
    assert!(row.not_before.is_some_and(|at| at >= after(121)));
}

#[test]
fn a_claim_past_its_grace_goes_by_its_late_rule() {
    let rules = rules(WINDOW);
    let with = |then| Delivery { late: Late { grace_seconds: 60, then }, ..claimed() };
    assert!(!too_late(&with(LateThen::Hold), after(60)));
    assert_eq!(told(&go(&with(LateThen::Hold), &Input::TooLate, &rules, 61)), (State::Held, Some(ReasonCode::Late)));
    assert_eq!(told(&go(&with(LateThen::Skip), &Input::TooLate, &rules, 61)), (State::Missed, Some(ReasonCode::Late)));
    assert!(!too_late(&with(LateThen::Publish), after(61)));
    assert!(!too_late(&Delivery { released: true, ..with(LateThen::Hold) }, after(61)));
    assert!(!too_late(&Delivery { receipts: vec![receipt(0)], ..with(LateThen::Hold) }, after(61)), "a thread goes on");
}

#[test]
fn given_back_and_not_composed() {
    let rules = rules(WINDOW);
    assert_eq!(go(&claimed(), &Input::GivenBack("stopping".into()), &rules, 1).state, State::Planned);
    let row = go(&claimed(), &Input::CannotCompose("no such file".into()), &rules, 1);
    assert_eq!(told(&row), (State::Held, Some(ReasonCode::Invalid)));
}

#[test]
#[should_panic(expected = "an intent for a delivery that is planned")]
fn an_input_that_does_not_fit_is_a_bug() {
    let _ = step(&planned(), &intent(&planned(), 1), &rules(WINDOW), start());
}
