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
use crate::model::{Delivery, Event, LateThen, ReasonCode, State};
use crate::schedule::span;
use crate::text::is_hidden;

/// An outcome that is unknown is told after so long, unless it is settled by then.
const UNKNOWN: TimeDelta = TimeDelta::minutes(1);

/// What goes out within so long of its time is on time, however short its grace.
const ON_TIME: u64 = 60;

/// Most characters of a message.
const LONGEST: usize = 600;

/// The alert that goes with a row's change; `before`: the row as it is stored, `None` when it is new.
pub(in crate::engine) fn of(before: Option<&Delivery>, after: &Delivery, event: &Event) -> Option<Alert> {
    let version = before.map_or(0, |before| before.version) + 1;
    let happened = |kind: &str, key: String, tell_at: DateTime<Utc>, what: String, help: String| {
        Some(alert(after, kind, key, (event.at, tell_at), &what, help))
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
                    let help = format!("smm looks it up at {}, and tells when it needs you; or {resolve}", clock(look));
                    happened("unknown", format!("{id}/unknown/{since}"), tell_at, what, help)
                }
                _ => None,
            }
        }
        State::Published if before.is_none_or(|before| before.state != State::Published) && counts(after) => {
            let at = after.published_at.filter(|at| grace_end(after).is_some_and(|end| *at >= end))?;
            let what = format!("published {} late", late_by(after, at));
            let help = "nothing is to be done; `late` in the calendar decides what becomes of late posts".to_owned();
            happened("late", late_key(after), event.at, what, help)
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
pub(super) fn overdue(row: &Delivery, waits: &Waits, now: DateTime<Utc>) -> Alert {
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
pub(in crate::engine) fn late_from_the_start(row: &Delivery, now: DateTime<Utc>) -> Option<Alert> {
    let late = row.state == State::Planned && row.released && grace_end(row).is_some_and(|end| now >= end);
    late.then(|| {
        let what = format!("late by {} when it was first seen; published all the same", late_by(row, now));
        let help = format!("nothing is to be done; `smm show {}` tells how it went", row.id.short());
        alert(row, "late", late_key(row), (now, now), &what, help)
    })
}

/// When a delivery that is on its way by itself is late; `None`: it is not on its way, or a person has sent it on.
pub(super) fn late_at(row: &Delivery) -> Option<DateTime<Utc>> {
    let on_its_way = matches!(row.state, State::Planned | State::Claimed | State::Sending);
    (on_its_way && counts(row)).then(|| grace_end(row)).flatten()
}

/// Whoever released it knows that it is late. What is published however late was released by nobody.
fn counts(row: &Delivery) -> bool {
    !row.released || row.late.then == LateThen::Publish
}

/// The first moment at which it is late.
fn grace_end(row: &Delivery) -> Option<DateTime<Utc>> {
    let grace = i64::try_from(row.late.grace_seconds.max(ON_TIME)).ok()?;
    row.due.checked_add_signed(TimeDelta::try_seconds(grace)?)?.checked_add_signed(TimeDelta::seconds(1))
}

/// One for each time that a delivery has had: late, and out late, is one happening.
pub(super) fn late_key(row: &Delivery) -> String {
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
            format!("renew the secret of account `{account}`, then `smm retry {id}`; {or_drop}")
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
    row: &Delivery,
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

fn late_by(row: &Delivery, now: DateTime<Utc>) -> String {
    span((now - row.due).to_std().unwrap_or_default())
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S UTC").to_string()
}
