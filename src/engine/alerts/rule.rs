//! Which change of a delivery somebody has to be told of, and in which words. Pure.
//!
//! | what happened | told |
//! |---|---|
//! | failed, held, missed | at once; again when it is held for another reason |
//! | unknown, and only a person can settle it | at once |
//! | unknown, and `smm` looks it up | a minute after it began, unless it is settled before |
//! | published later than its grace | at once, unless it was told that it is late |
//! | not out although its grace is over ([`overdue`]) | at once |
//!
//! What a person asked for is not told: whoever asked knows.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike as _, Utc};

use crate::ledger::Alert;
use crate::model::{Delivery, Event, LateThen, ReasonCode, Standing, State};
use crate::schedule::span;
use crate::text::is_hidden;
use crate::time::Blackout;

/// An outcome that is unknown is told after so long, unless it is settled by then.
const UNKNOWN: TimeDelta = TimeDelta::minutes(1);

/// What goes out within so long of its time is on time, however short its grace.
const ON_TIME: u64 = 60;

/// Most characters of a message.
const LONGEST: usize = 600;

/// The alert that goes with a row's change; `before`: the row as it is stored, `None` when it is new. `hours`: its account's
/// blackout hours, which are no lateness.
pub(in crate::engine) fn of(
    before: Option<&Delivery>,
    after: &Delivery,
    event: &Event,
    hours: Option<&Blackout>,
) -> Option<Alert> {
    let version = before.map_or(0, |before| before.version) + 1;
    let happened = |kind: &str, key: String, tell_at: DateTime<Utc>, what: String, help: String| {
        Some(alert(&Standing::of(after), kind, key, (event.at, tell_at), &what, help))
    };
    let id = after.id;
    match after.state {
        State::Failed | State::Held | State::Missed if is_news(before, after) => {
            let word = after.state.as_str();
            let why = after.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", reason.message));
            happened(word, format!("{id}/{version}"), event.at, format!("{word}{why}"), help(after))
        }
        State::Unknown => {
            let unknown = after.unknown.as_ref()?;
            let earlier = before.and_then(|before| before.unknown.as_ref());
            let since = unknown.since.timestamp_millis();
            let why = after.reason.as_ref().map_or("the answer was lost", |reason| &reason.message);
            let resolve = format!(
                "look at the account, then `smm resolve {id} --published URL` or `smm resolve {id} --not-published`",
                id = id.short()
            );
            match unknown.next_look {
                // The unknown may begin with this, or the last look may have been of no use.
                None if earlier.is_none_or(|earlier| earlier.next_look.is_some())
                    || before.is_none_or(|before| before.state != State::Unknown) =>
                {
                    let what = format!("sent, and whether it arrived only a person can find out: {why}");
                    happened("unknown", format!("{id}/unknown/{since}/person"), event.at, what, resolve)
                }
                Some(look) if before.is_none_or(|before| before.state != State::Unknown) => {
                    let tell_at = (unknown.since + UNKNOWN).max(event.at);
                    let what = format!("sent, and whether it arrived is not known yet: {why}");
                    let help = format!(
                        "smm looks it up by itself, from {} on, and tells when it needs you; or {resolve}",
                        clock(look)
                    );
                    happened("unknown", format!("{id}/unknown/{since}"), tell_at, what, help)
                }
                _ => None,
            }
        }
        State::Published if before.is_none_or(|before| before.state != State::Published) => {
            let row = Standing::of(after);
            let end = grace_end(&row, hours).filter(|_| counts(&row));
            let at = after.published_at.filter(|at| end.is_some_and(|end| *at >= end))?;
            let what = format!("published {} late", late_by(&row, at));
            let help = "nothing is to be done; `late` in the calendar decides what becomes of late posts".to_owned();
            happened("late", late_key(&row), event.at, what, help)
        }
        _ => None,
    }
}

/// Whether the state, or the reason for it, is another one than before.
fn is_news(before: Option<&Delivery>, after: &Delivery) -> bool {
    let code = |row: &Delivery| row.reason.as_ref().map(|reason| reason.code);
    before.is_none_or(|before| before.state != after.state || code(before) != code(after))
}

/// Why a delivery that is late is not out yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Waits {
    /// Its account, or everything, is paused; why.
    Paused(String),
    /// Its account is held off; why.
    HeldOff(String),
    /// What the row itself says, or nothing.
    Itself,
}

/// The alert of a delivery that is not out although its grace is over.
pub(super) fn overdue(row: &Standing, waits: &Waits, now: DateTime<Utc>) -> Alert {
    let account = &row.account;
    let (why, go_on) = match (waits, &row.reason) {
        (Waits::Paused(why), _) => (format!("paused: {why}"), format!("`smm resume {account}` or `smm resume`")),
        (Waits::HeldOff(why), _) => (why.clone(), "it goes out as soon as its network lets it".to_owned()),
        (Waits::Itself, Some(reason)) => (reason.message.clone(), "it goes out as soon as it can".to_owned()),
        (Waits::Itself, None) => ("it waits for its turn".to_owned(), "it goes out as soon as it can".to_owned()),
    };
    let what = format!("not out yet, {} late: {why}", late_by(row, now));
    let help = format!("{go_on}; `smm cancel {}` drops it", row.id.short());
    alert(row, "late", late_key(row), (now, now), &what, help)
}

/// The alert of a delivery that was late already when it came into the ledger, and goes out all the same.
pub(in crate::engine) fn late_from_the_start(
    row: &Delivery,
    hours: Option<&Blackout>,
    now: DateTime<Utc>,
) -> Option<Alert> {
    let row = &Standing::of(row);
    let late = row.state == State::Planned && row.released && grace_end(row, hours).is_some_and(|end| now >= end);
    late.then(|| {
        let what = format!("late by {} when it was first seen; published all the same", late_by(row, now));
        let help = format!("nothing is to be done; `smm show {}` tells how it went", row.id.short());
        alert(row, "late", late_key(row), (now, now), &what, help)
    })
}

/// When a delivery that is on its way by itself is late; `None`: it is not on its way, or a person has sent it on.
pub(super) fn late_at(row: &Standing, hours: Option<&Blackout>) -> Option<DateTime<Utc>> {
    let on_its_way = matches!(row.state, State::Planned | State::Claimed | State::Sending);
    (on_its_way && counts(row)).then(|| grace_end(row, hours)).flatten()
}

/// Whoever released it knows that it is late. What is published however late was released by nobody.
fn counts(row: &Standing) -> bool {
    !row.released || row.late.then == LateThen::Publish
}

/// The first moment at which it is late.
fn grace_end(row: &Standing, hours: Option<&Blackout>) -> Option<DateTime<Utc>> {
    let grace = i64::try_from(row.late.grace_seconds.max(ON_TIME)).ok()?;
    let grace = TimeDelta::try_seconds(grace)?;
    let end = match hours.filter(|_| !row.any_hour) {
        Some(hours) => hours.after(row.due, grace)?,
        None => row.due.checked_add_signed(grace)?,
    };
    end.checked_add_signed(TimeDelta::seconds(1))
}

/// One for each time that a delivery has had: late, and out late, is one happening.
pub(super) fn late_key(row: &Standing) -> String {
    format!("{}/late/{}", row.id, row.due.timestamp_millis())
}

/// What to do about a delivery that failed, is held or was missed.
fn help(row: &Delivery) -> String {
    let (id, account) = (row.id.short(), &row.account);
    let code = row.reason.as_ref().map(|reason| reason.code);
    let or_drop = format!("`smm cancel {id}` drops it");
    match (row.state, code) {
        (State::Missed, _) => {
            format!("it does not go out by itself any more; `smm retry {id}` sends it all the same")
        }
        (_, Some(ReasonCode::Credentials | ReasonCode::Secret)) => {
            format!(
                "renew the secret of account `{account}` (`smm login {account}`), and it goes on by itself; \
                 `smm retry {id}` tries it at once; {or_drop}"
            )
        }
        (_, Some(ReasonCode::AccountChanged)) if !row.receipts.is_empty() => {
            format!("mend the settings of account `{account}`, then `smm retry {id}`; `smm cancel {id}` drops the rest")
        }
        (_, Some(ReasonCode::AccountChanged)) => format!(
            "`smm resume {account} --accept-change` if the change is meant; else mend its settings, then `smm retry {id}`"
        ),
        (_, Some(ReasonCode::FirstRun)) => {
            format!("`smm publish --backlog` sends all that is held like this, `smm retry {id}` this one; {or_drop}")
        }
        (_, Some(ReasonCode::LedgerOlder)) => {
            format!("look at the account: `smm cancel {id}` when it is out already, `smm retry {id}` when it is not")
        }
        (_, Some(ReasonCode::Late)) => format!("`smm retry {id}` sends it now; {or_drop}"),
        (_, Some(ReasonCode::Clock)) => {
            format!("see that the machine's clock is right, then `smm retry {id}`; {or_drop}")
        }
        (_, Some(ReasonCode::Invalid)) => {
            format!("mend the post (`smm check` shows what is wrong), then `smm retry {id}`; {or_drop}")
        }
        (State::Failed, _) => format!("mend what it says, then `smm retry {id}`; {or_drop}"),
        _ => format!("`smm show {id}` tells more; `smm retry {id}` sends it; {or_drop}"),
    }
}

fn alert(
    row: &Standing,
    kind: &str,
    key: String,
    (at, tell_at): (DateTime<Utc>, DateTime<Utc>),
    what: &str,
    help: String,
) -> Alert {
    let message = format!("{} → {} ({}), due {}: {what}", row.post, row.account, row.network, due(row.civil, row.due));
    Alert { key, at, tell_at, delivery: Some(row.id), kind: kind.to_owned(), message: one_line(&message), help }
}

/// Words of others in one line that can be shown anywhere: without what is not seen, and not longer than a few lines.
pub(super) fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c == '\n' || is_hidden(c) { ' ' } else { c }).collect();
    let words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", words[..end].trim_end()),
        None => words,
    }
}

/// A time as the calendar has it, and in UTC where that is another one.
fn due(civil: NaiveDateTime, instant: DateTime<Utc>) -> String {
    let date = civil.format("%a %Y-%m-%d");
    let time = |at: NaiveDateTime| at.format(if at.second() == 0 { "%H:%M" } else { "%H:%M:%S" }).to_string();
    let utc = instant.naive_utc();
    if civil == utc {
        format!("{date} {} UTC", time(civil))
    } else if civil.date() == utc.date() {
        format!("{date} {} ({} UTC)", time(civil), time(utc))
    } else {
        format!("{date} {} ({} {} UTC)", time(civil), utc.format("%Y-%m-%d"), time(utc))
    }
}

fn late_by(row: &Standing, now: DateTime<Utc>) -> String {
    span((now - row.due).to_std().unwrap_or_default())
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::core::{Input, Rules, step};
    use super::super::super::samples::*;
    use super::*;
    use crate::adapter::{Fault, Refusal, RepeatSafety, Verdict};
    use crate::model::{Late, Reason, Unknown};

    /// What is raised when this happens to a row, and the row after it.
    fn when(row: &Delivery, input: &Input, rules: &Rules, seconds: i64) -> (Delivery, Option<Alert>) {
        let (after, event, _) = step(row, input, rules, super::super::super::samples::after(seconds));
        let alert = of(Some(row), &after, &event, None);
        (Delivery { version: row.version + 1, ..after }, alert)
    }

    fn event(row: &Delivery) -> Event {
        let (kind, detail, actor) = (String::new(), String::new(), "smm".to_owned());
        Event { at: start(), delivery: row.id, kind, state: row.state, detail, actor }
    }

    fn in_state(state: State, code: ReasonCode) -> Delivery {
        Delivery { state, reason: Some(Reason::new(code, "why it is so")), ..planned() }
    }

    #[test]
    fn what_failed_is_told_at_once_and_once() {
        let rules = rules(RepeatSafety::LookUp);
        let (row, alert) = when(&sending(1, &rules), &said(Refusal::Invalid), &rules, 2);
        let alert = alert.expect("an alert");
        assert_eq!((alert.kind.as_str(), alert.at, alert.tell_at), ("failed", after(2), after(2)));
        assert_eq!(alert.message, "launch → fedi (some-network), due Tue 2026-12-01 09:00 UTC: failed: no");
        assert!(alert.help.contains(&format!("`smm retry {}`", row.id.short())), "{}", alert.help);
        assert_eq!(of(Some(&row), &row, &event(&row), None), None, "nothing has changed");
        // Tried again and failed again: another happening.
        let again = Delivery { version: 9, ..sending(1, &rules) };
        let (_, second) = when(&again, &said(Refusal::Invalid), &rules, 60);
        assert_ne!(second.expect("an alert").key, alert.key);
    }

    #[test]
    fn what_is_held_or_missed_says_what_to_do() {
        let id = planned().id.short();
        for (code, word) in [
            (ReasonCode::Credentials, "renew the secret of account `fedi`"),
            (ReasonCode::Secret, "renew the secret"),
            (ReasonCode::AccountChanged, "`smm resume fedi --accept-change`"),
            (ReasonCode::FirstRun, "`smm publish --backlog`"),
            (ReasonCode::Late, "sends it now"),
            (ReasonCode::Invalid, "`smm check`"),
            (ReasonCode::LedgerOlder, "look at the account"),
            (ReasonCode::Clock, "clock"),
            (ReasonCode::Throttled, "`smm show"),
        ] {
            let held = in_state(State::Held, code);
            let alert = of(Some(&planned()), &held, &event(&held), None).unwrap_or_else(|| panic!("{code:?}"));
            assert_eq!(alert.kind, "held");
            assert!(alert.help.contains(word) && alert.help.contains(&id), "{code:?}: {}", alert.help);
            assert!(alert.message.ends_with("held: why it is so"), "{}", alert.message);
            assert!(of(None, &held, &event(&held), None).is_some(), "a new row too");
        }
        let (late, first) = (in_state(State::Held, ReasonCode::Late), in_state(State::Held, ReasonCode::FirstRun));
        assert!(of(Some(&first), &late, &event(&late), None).is_some(), "for another reason");
        let edited = Delivery { reason: Some(Reason::new(ReasonCode::Late, "3 h late")), ..late.clone() };
        assert_eq!(of(Some(&late), &edited, &event(&edited), None), None, "for the same reason");
        let missed = in_state(State::Missed, ReasonCode::Superseded);
        let alert = of(None, &missed, &event(&missed), None).expect("an alert");
        assert_eq!(alert.kind, "missed");
        assert!(alert.help.contains(&format!("`smm retry {id}`")), "{}", alert.help);
    }

    #[test]
    fn nobody_is_told_of_what_goes_well() {
        let rules = rules(RepeatSafety::LookUp);
        assert_eq!(of(None, &planned(), &event(&planned()), None), None);
        let sending = sending(1, &rules);
        assert_eq!(of(Some(&claimed()), &sending, &event(&sending), None), None);
        let (row, alert) = when(&sending, &Input::Answered(receipt(0)), &rules, 5);
        assert_eq!((row.state, alert), (State::Published, None));
        let (row, alert) = when(&claimed(), &Input::NotPrepared(Fault::NotSent("refused".into())), &rules, 5);
        assert_eq!((row.state, alert), (State::Planned, None), "it is tried again");
        let cancelled = in_state(State::Cancelled, ReasonCode::Removed);
        assert_eq!(of(Some(&planned()), &cancelled, &event(&cancelled), None), None);
    }

    #[test]
    fn what_only_a_person_can_settle_is_told_at_once() {
        let rules = rules(RepeatSafety::None);
        let (row, alert) = when(&sending(1, &rules), &Input::Faulted(Fault::Unknown("reset".into())), &rules, 2);
        let alert = alert.expect("an alert");
        assert_eq!((alert.kind.as_str(), alert.tell_at), ("unknown", after(2)));
        let id = row.id.short();
        for command in [format!("`smm resolve {id} --published URL`"), format!("`smm resolve {id} --not-published`")] {
            assert!(alert.help.contains(&command), "{}", alert.help);
        }
    }

    #[test]
    fn what_is_looked_up_is_told_after_a_minute_and_again_when_looking_was_of_no_use() {
        let rules = Rules { settle: Duration::from_secs(10), ..rules(RepeatSafety::LookUp) };
        let (row, first) = when(&sending(1, &rules), &Input::Faulted(Fault::Unknown("reset".into())), &rules, 2);
        let first = first.expect("an alert");
        assert_eq!((first.at, first.tell_at), (after(2), after(62)));
        assert!(first.help.contains("smm looks it up by itself, from 09:00:12 UTC on"), "{}", first.help);
        let (found, alert) = when(&row, &Input::Looked(Verdict::Done(receipt(0))), &rules, 12);
        assert_eq!((found.state, alert), (State::Published, None), "its row withdraws the first");
        // Sent again after two empty looks, and lost again: the same doubt, so the same key, told when it was to be told.
        let (row, alert) = when(&row, &Input::Looked(Verdict::NotDone), &rules, 12);
        assert_eq!(alert, None);
        let (row, alert) = when(&row, &Input::Looked(Verdict::NotDone), &rules, 22);
        assert_eq!(alert, None);
        let (row, alert) = when(&row, &Input::Repeat { owner: "me".into() }, &rules, 22);
        assert_eq!((row.state, alert), (State::Sending, None));
        let (row, alert) = when(&row, &Input::Faulted(Fault::Unknown("reset".into())), &rules, 25);
        let again = alert.expect("an alert");
        assert_eq!((&again.key, again.tell_at), (&first.key, first.tell_at));
        let (row, alert) = when(&row, &Input::Looked(Verdict::NotDone), &rules, 35);
        assert_eq!(alert, None);
        let (row, alert) = when(&row, &Input::Looked(Verdict::NotDone), &rules, 45);
        let last = alert.expect("an alert");
        assert!(last.key != first.key && last.tell_at == after(45), "{last:?}");
        assert!(last.help.starts_with("look at the account"), "{}", last.help);
        assert_eq!(of(Some(&row), &row, &event(&row), None), None, "once");
    }

    #[test]
    fn a_doubt_about_another_identity_is_for_a_person() {
        let rules = rules(RepeatSafety::LookUp);
        let unknown = lost(&rules);
        let (_, alert) = when(&unknown, &Input::AccountChanged("another".into()), &rules, 20);
        assert!(alert.is_some_and(|alert| alert.key.ends_with("/person") && alert.tell_at == after(20)));
        let failed = Input::NotLooked(Fault::NotSent("no route".into()));
        assert_eq!(when(&unknown, &failed, &rules, 20).1, None, "it looks again");
    }

    #[test]
    fn what_is_late_is_told_once_whether_it_is_out_or_not() {
        let rules = rules(RepeatSafety::LookUp);
        let late = Late { grace_seconds: 300, then: LateThen::Publish };
        let row = Delivery { late, ..planned() };
        assert_eq!(late_at(&Standing::of(&row), None), Some(after(301)));
        let told = overdue(&Standing::of(&row), &Waits::Paused("holiday".into()), after(400));
        assert_eq!(told.kind, "late");
        assert!(told.message.ends_with("not out yet, 6 min 40 s late: paused: holiday"), "{}", told.message);
        assert!(told.help.contains("`smm resume fedi`"), "{}", told.help);
        let sending = Delivery { late, ..sending(1, &rules) };
        let (out, alert) = when(&sending, &Input::Answered(receipt(0)), &rules, 4000);
        let alert = alert.expect("an alert");
        assert!(alert.message.ends_with("published 1 h 6 min late"), "{}", alert.message);
        assert_eq!(alert.key, told.key, "so it is told once");
        assert_eq!(late_at(&Standing::of(&out), None), None);
        assert_eq!(when(&sending, &Input::Answered(receipt(0)), &rules, 300).1, None, "within its grace");
        // A grace of nothing is not a promise to the second.
        let strict = Delivery { late: Late { grace_seconds: 0, then: LateThen::Publish }, ..planned() };
        assert_eq!(late_at(&Standing::of(&strict), None), Some(after(61)));
        let moved = Delivery { due: after(3600), ..row.clone() };
        assert_ne!(late_key(&Standing::of(&moved)), told.key, "its new time is another happening");
        let endless = Delivery { late: Late { grace_seconds: u64::MAX, then: LateThen::Publish }, ..planned() };
        assert_eq!(late_at(&Standing::of(&endless), None), None);
    }

    #[test]
    fn blackout_hours_are_no_lateness() {
        let mut account = crate::model::Account::new(planned().account, "some-network");
        account.blackout = crate::time::parse_hours("09:00-12:00").expect("hours");
        let hours = Blackout::of(&account).expect("hours");
        let row = Delivery { late: Late { grace_seconds: 900, then: LateThen::Publish }, ..planned() };
        assert_eq!(late_at(&Standing::of(&row), Some(&hours)), Some(after(3 * 3600 + 901)));
        let rules = rules(RepeatSafety::LookUp);
        let sending = Delivery { late: row.late, ..sending(1, &rules) };
        let (out, event, _) = step(&sending, &Input::Answered(receipt(0)), &rules, after(3 * 3600 + 60));
        assert_eq!(of(Some(&sending), &out, &event, Some(&hours)), None);
        assert!(of(Some(&sending), &out, &event, None).is_some());
    }

    #[test]
    fn whoever_released_it_knows_that_it_is_late() {
        let rules = rules(RepeatSafety::LookUp);
        let released = Delivery { released: true, ..sending(1, &rules) };
        assert_eq!(late_at(&Standing::of(&released), None), None);
        assert_eq!(when(&released, &Input::Answered(receipt(0)), &rules, 9000).1, None);
        let unasked = Delivery { released: true, ..planned() };
        assert_eq!(late_from_the_start(&unasked, None, after(60)), None);
        let alert = late_from_the_start(&unasked, None, after(9000)).expect("an alert");
        assert!(alert.message.contains("late by 2 h 30 min when it was first seen"), "{}", alert.message);
        assert_eq!(late_from_the_start(&planned(), None, after(9000)), None, "not on its way");
    }

    #[test]
    fn times_are_the_calendars() {
        let civil = |text: &str| text.parse::<NaiveDateTime>().expect("a time");
        let utc = |text: &str| civil(text).and_utc();
        assert_eq!(due(civil("2026-12-01T09:00:00"), utc("2026-12-01T08:00:00")), "Tue 2026-12-01 09:00 (08:00 UTC)");
        assert_eq!(due(civil("2026-12-01T09:00:30"), utc("2026-12-01T09:00:30")), "Tue 2026-12-01 09:00:30 UTC");
        assert_eq!(
            due(civil("2026-12-01T01:00:00"), utc("2026-11-30T12:00:00")),
            "Tue 2026-12-01 01:00 (2026-11-30 12:00 UTC)"
        );
    }

    #[test]
    fn words_of_others_are_one_short_line() {
        assert_eq!(one_line("a\u{1b}[31m\n\t b\u{202e}c"), "a [31m b c");
        assert_eq!(one_line(&"x".repeat(2000)).chars().count(), LONGEST + 1);
        let since = start();
        let unknown = Unknown { since, looks: 0, next_look: None, repeated: false, witnessed: true };
        let evil = Reason::new(ReasonCode::LostAnswer, "HTTP 500: \u{1b}]0;pwned\u{7}\n<!channel>");
        let row = Delivery {
            state: State::Unknown,
            unknown: Some(unknown),
            reason: Some(evil),
            ..lost(&rules(RepeatSafety::None))
        };
        let alert = of(Some(&planned()), &row, &event(&row), None).expect("an alert");
        assert!(!alert.message.contains(char::is_control), "{:?}", alert.message);
    }
}
