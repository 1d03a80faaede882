//! Answers that come when their sender was taken for dead: in a shared ledger somebody else has moved the delivery on.

use chrono::{DateTime, Utc};

use super::{Input, Next, Rules, Told, look_at, open_part, settle, settle_time, step};
use crate::adapter::RepeatSafety;
use crate::model::{Delivery, Receipt, State};

/// What is to be done with an answer for a delivery that is not as its sender has left it.
pub(in crate::engine) enum Late {
    /// It was written, and only the confirmation was lost.
    Written(Next),
    /// It is to be written as this.
    Write(Input),
    /// Not now: another attempt is under way.
    Wait,
    /// It says nothing that is not known.
    Nothing,
}

/// What to do with the answer to `sent`, which was to be written over `row`, while the ledger has `fresh`.
pub(in crate::engine) fn late(
    sent: &Delivery,
    row: &Delivery,
    fresh: &Delivery,
    input: &Input,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Late {
    if fresh.version == row.version + 1 {
        let (after, _, next) = step(row, input, rules, now);
        let witnessed = |row: &Delivery| row.unknown.as_ref().map(|unknown| unknown.witnessed);
        if (after.state, after.receipts.len(), witnessed(&after))
            == (fresh.state, fresh.receipts.len(), witnessed(fresh))
        {
            return Late::Written(next);
        }
    }
    let attempt = |row: &Delivery| {
        row.intent.as_ref().map(|intent| (intent.frozen.part, intent.frozen.key.clone(), intent.attempt))
    };
    let same = attempt(fresh) == attempt(sent);
    match input {
        _ if same && fresh.state == State::Sending => Late::Write(input.clone()),
        Input::Answered(receipt) | Input::AnsweredLate(receipt)
            if fresh.generation == sent.generation && receipt.part == open_part(fresh) =>
        {
            if fresh.state == State::Sending { Late::Wait } else { Late::Write(Input::AnsweredLate(receipt.clone())) }
        }
        Input::Faulted(_) if same && fresh.state == State::Unknown => {
            Late::Write(Input::Witnessed("its sender has told that its call is over".to_owned()))
        }
        _ => Late::Nothing,
    }
}

/// The sender of the open attempt was taken for dead, and was not.
pub(super) fn witnessed(next: &mut Delivery, message: &str, rules: &Rules, now: DateTime<Utc>) -> Told {
    let at = match rules.class {
        // Of no use: they are repeated anyway, or never.
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId | RepeatSafety::None => {
            next.unknown.as_ref().and_then(|unknown| unknown.next_look)
        }
        RepeatSafety::Key { .. } | RepeatSafety::TwoStep | RepeatSafety::LookUp => {
            if let Some(unknown) = next.unknown.as_mut() {
                // A look from before its word says nothing.
                (unknown.witnessed, unknown.looks) = (true, 0);
            }
            Some(now + settle_time(rules))
        }
    };
    look_at(next, at);
    ("unknown", message.to_owned(), Next::Look(at))
}

/// What was thought to be open, or not to be out, is out.
pub(super) fn answer(next: &mut Delivery, receipt: Receipt, now: DateTime<Utc>) -> Told {
    let (before, reason) = (next.state, next.reason.take());
    let (kind, detail, _) = settle(next, receipt, now);
    if next.state != State::Published {
        // The other parts are where they were: to be sent, or not.
        next.state = match before {
            State::Held | State::Failed | State::Missed | State::Cancelled => before,
            _ => State::Planned,
        };
        if next.state == before {
            next.reason = reason;
        }
    }
    (kind, format!("{detail}, told late"), Next::Rest)
}
