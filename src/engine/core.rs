//! What happens to a delivery: a pure function from the present row and what has happened to the next row. No clock, no
//! disk, no network, no randomness: even the jitter of a back-off is derived from the delivery's id, so that a failing
//! run can be played again exactly.
//!
//! The rules that everything rests on, and that [`step`] asserts in release builds too:
//!
//! - `sending` without an intent cannot be, and an intent is open only while `sending` or `unknown`;
//! - nothing becomes `failed`, `planned`, `held` or `cancelled` while an earlier attempt is unresolved: a definite "no" to
//!   the second attempt says nothing about the first;
//! - receipts are contiguous: part k+1 is sent after part k's receipt, and a thread goes on where it stopped;
//! - a state changes only along an edge of [`allowed`].
//!
//! How an `unknown` is settled follows the network's [`RepeatSafety`]:
//!
//! | class | after a lost answer |
//! |---|---|
//! | content-addressed, chosen-id | look at once; not there: the same frozen request again, with back-off, at most [`Rules::tries`] in a row |
//! | key | look after the settle time; not there: the same key once, while its window lasts; then as look-up |
//! | two-step, look-up | two looks a settle time apart; both empty and the sender surely dead: once more, then a person |
//! | none | a person |
//!
//! A key's window and the clock. The window is counted from the first intent's time, with a tenth of it to spare, and ends at
//! once for a clock that shows a time before that. A clock that was set back, but not behind the history, could make a key
//! look younger than it is; three things keep that from counting:
//!
//! - the process that wrote the intent counts by the time that has passed as well, which nobody sets: too old by either is
//!   too old, and the key is then no better than none;
//! - the processes of a shared ledger go by that ledger's clock, whatever their machines show;
//! - a process that starts anew on an exclusive ledger does not believe a clock more than five minutes behind the history,
//!   which each look adds to. What it can be wrong by within that is not covered by the tenth of a short window. It is by
//!   the look before: no key is used again unless its sender is done, the settle time is over and the network was looked at
//!   and has not got it. With a key that it has forgotten such a repeat is a first request, and not a second.

pub(super) mod late;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::adapter::{Fault, Plan, Refusal, RepeatSafety, Verdict};
use crate::model::{
    Binding, Delivery, DeliveryId, Event, Frozen, Intent, LateThen, Prepared, Reason, ReasonCode, Receipt, State,
    Unknown,
};
use crate::trial::Guard;

/// A network that asks to come back later than this is not waited for: a person decides.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24);

/// Longest back-off between two attempts.
const BACK_OFF_CAP: Duration = Duration::from_mins(15);

/// Who acts when no person does.
const SMM: &str = "smm";

/// What the engine knows beside the row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How repeats are safe on this account's server.
    pub class: RepeatSafety,
    /// Wait before a lost answer is looked up, and between two looks.
    pub settle: Duration,
    /// The back-off's first step; it doubles up to 15 minutes.
    pub back_off: Duration,
    /// Attempts in a row without an answer (or with a "later") before it is given up.
    pub tries: u32,
    /// Every earlier sender is surely dead: this process holds the lock of an exclusive ledger.
    pub alone: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            class: RepeatSafety::None,
            settle: Duration::from_mins(2),
            back_off: Duration::from_secs(5),
            tries: 30,
            alone: true,
        }
    }
}

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Which of the post's texts it gets.
    Variation(u32),
    /// A repeatable step gave its value. A plan that differs from the row's throws away what was prepared for the old one.
    Prepared {
        /// The plan that the step is of.
        plan: serde_json::Value,
        /// The step's index.
        step: usize,
        /// Its value.
        value: serde_json::Value,
    },
    /// Something before the irreversible call failed: who-am-I, a repeatable step, the freezing.
    NotPrepared(Fault),
    /// The request is about to be sent; the row that comes of it must be durable before it is.
    Intent {
        /// The plan, frozen from the first intent on.
        plan: serde_json::Value,
        /// The exact request.
        frozen: Frozen,
        /// To whom.
        binding: Binding,
    },
    /// Another delivery has brought, or is bringing, this part to the same identity.
    AlreadyOut {
        /// Which delivery.
        by: DeliveryId,
        /// The plan, as for an intent.
        plan: serde_json::Value,
        /// What it got, when it has it.
        receipt: Option<Receipt>,
    },
    /// A look before the first call has found the part: somebody whose ledger is lost has sent it.
    Found {
        /// The plan, as for an intent.
        plan: serde_json::Value,
        /// What is there.
        receipt: Receipt,
    },
    /// A look before the first call cannot tell whether the part is there.
    MayBeOut(String),
    /// The network answered the irreversible call.
    Answered(Receipt),
    /// The irreversible call went wrong.
    Faulted(Fault),
    /// An answer comes when its sender was taken for dead and the delivery has moved on: it is out, whatever was thought.
    AnsweredLate(Receipt),
    /// A sender that was taken for dead tells that its call is over, without an answer: nothing of it is on its way.
    Witnessed(String),
    /// A look at the network.
    Looked(Verdict),
    /// The look itself failed: it says nothing.
    NotLooked(Fault),
    /// The same request is about to be sent again; see [`may_repeat`].
    Repeat {
        /// By whom.
        owner: String,
    },
    /// It may be sent again, but not before this: its account is busy.
    NotYet(DateTime<Utc>),
    /// The process that had it is gone.
    OwnerLost,
    /// Its account's blackout hours have begun: what is not begun waits for their end, and so does sending again what may
    /// not have arrived.
    Dark {
        /// Their end.
        until: DateTime<Utc>,
    },
    /// It is given back before anything irreversible was sent: at a stop, or since the calendar changed meanwhile.
    GivenBack(String),
    /// The account's name leads to another identity or host than the ledger knows.
    AccountChanged(String),
    /// The post cannot be composed (any more).
    CannotCompose(String),
    /// It was claimed past its grace: it goes by its own `late`.
    TooLate,
}

/// What the driver does after the row is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Claimed: go on with the open part.
    GoOn,
    /// Make the one irreversible call.
    Send,
    /// Look at the network at this time; `None`: a person settles it.
    Look(Option<DateTime<Utc>>),
    /// [`Input::Repeat`] may be applied, once the account is free.
    Repeat,
    /// Nothing.
    Rest,
}

/// Every edge of a delivery's life. Staying in a state is an edge too where work goes on inside it.
///
/// | from | to | because |
/// |---|---|---|
/// | planned | planned | the calendar moved or edited it; a person wants it at once |
/// | planned | claimed | it is due, and a process has it now |
/// | planned | published | an answer came late: it was out although it was thought not to be |
/// | planned | held | it is late and its rule is `hold`; the ledger is new, or an older one was adopted |
/// | planned | missed | it is late and its rule is `skip`; a later time of its series took its place |
/// | planned | cancelled | the calendar no longer has it; a person cancelled it |
/// | claimed | claimed | its text was chosen, or something was prepared for it |
/// | claimed | planned | it was given back, or its process died, before anything was sent; it was refused for now |
/// | claimed | sending | its intent is durable: from here on it may be out |
/// | claimed | published | another delivery, or a run that is forgotten, has brought the same to the same identity |
/// | claimed | failed | it was refused for good before anything was sent |
/// | claimed | held | it cannot be composed, its account or its credentials changed, it became late meanwhile, or may be out |
/// | claimed | missed | it became late meanwhile, and its rule is `skip` |
/// | claimed | cancelled | a person cancelled it before anything was sent |
/// | sending | claimed | a part is out, and the same process goes on with the next |
/// | sending | planned | nothing was sent, or the network said "later", and no earlier attempt is open |
/// | sending | published | the network confirmed its last part |
/// | sending | failed | the network said no for good, and no earlier attempt is open |
/// | sending | held | the network does not take the credentials, or asks for a long wait, and no earlier attempt is open |
/// | sending | unknown | the answer was lost, or its process died: it may be out |
/// | unknown | unknown | a look told nothing yet; a repeat had to wait; its sender told that its call is over |
/// | unknown | sending | the same request is sent again, as its class allows |
/// | unknown | planned | a part of a thread was found; a person said that it is not out, and wants it sent |
/// | unknown | published | a look has found it, its answer came late, or a person said that it is out |
/// | unknown | failed | the first attempt is not there, and the second was refused |
/// | unknown | held | a person said that it is not out, and it is late by now |
/// | unknown | missed | the same, where its rule is `skip` |
/// | held | held | the calendar moved or edited it |
/// | held | planned | a person released it; its account has credentials again; it was moved to a time that is in time |
/// | held | published | an answer came late |
/// | held | missed | its rule became `skip`, or it was moved, and it is late by that |
/// | held | cancelled | the calendar no longer has it; a person cancelled it |
/// | failed | failed | an answer came late for a part of a thread whose rest has failed |
/// | failed | planned | a person retries it |
/// | failed | published | an answer came late |
/// | failed | cancelled | a person gave it up |
/// | missed | missed | an answer came late for a part of a thread whose rest is missed |
/// | missed | planned | a person wants it all the same |
/// | missed | published | an answer came late |
/// | missed | cancelled | a person gave it up |
/// | cancelled | cancelled | an answer came late for a part of a thread whose rest is cancelled |
/// | cancelled | planned | a person retries it; it came back into the calendar |
/// | cancelled | published | an answer came late |
/// | cancelled | held | it came back into the calendar and is late, or may be out |
/// | cancelled | missed | it came back into the calendar, is late, and its rule is `skip` |
#[expect(clippy::unnested_or_patterns, reason = "a line for each state")]
pub fn allowed(from: State, to: State) -> bool {
    use State::{Cancelled, Claimed, Failed, Held, Missed, Planned, Published, Sending, Unknown};
    matches!(
        (from, to),
        (Planned, Planned | Claimed | Held | Missed | Cancelled | Published)
            | (Claimed, Claimed | Planned | Sending | Published | Failed | Held | Missed | Cancelled)
            | (Sending, Claimed | Planned | Published | Failed | Held | Unknown)
            | (Unknown, Unknown | Sending | Planned | Published | Failed | Held | Missed)
            | (Held, Held | Planned | Missed | Cancelled | Published)
            | (Failed, Failed | Planned | Cancelled | Published)
            | (Missed, Missed | Planned | Cancelled | Published)
            | (Cancelled, Cancelled | Planned | Published | Held | Missed)
    )
}

/// Whether a row can be true; the message says what is wrong with it.
pub fn sound(row: &Delivery) -> Result<(), &'static str> {
    let open = matches!(row.state, State::Sending | State::Unknown);
    let contiguous = row.receipts.iter().enumerate().all(|(index, receipt)| usize::from(receipt.part) == index);
    if row.state == State::Sending && row.intent.is_none() {
        Err("sending without an intent")
    } else if row.state == State::Unknown && (row.intent.is_none() || row.unknown.is_none()) {
        Err("unknown without an intent")
    } else if !open && (row.intent.is_some() || row.unknown.is_some()) {
        Err("an attempt is unresolved, but the state says otherwise")
    } else if !contiguous {
        Err("receipts with a gap")
    } else if row.intent.as_ref().is_some_and(|intent| usize::from(intent.frozen.part) != row.receipts.len()) {
        Err("an intent for another part than the open one")
    } else if row.state == State::Published && (row.receipts.is_empty() || row.published_at.is_none()) {
        Err("published without a receipt")
    } else {
        Ok(())
    }
}

/// The next row, the line of its history, and what to do after both are durable.
///
/// # Panics
/// When the input does not fit the row's state, or the outcome would break a rule: a bug, never a user's mistake. A
/// delivery that this happens to stays as it is in the ledger.
pub fn step(row: &Delivery, input: &Input, rules: &Rules, now: DateTime<Utc>) -> (Delivery, Event, Next) {
    let mut next = row.clone();
    let (kind, detail, then) = match input {
        Input::Variation(number) => {
            expect(row, &[State::Claimed], "a variation");
            next.variation = Some(*number);
            ("variation", format!("text {}", number + 1), Next::GoOn)
        }
        Input::Prepared { plan, step, value } => {
            expect(row, &[State::Claimed], "a prepared step");
            take_plan(&mut next, plan);
            next.prepared.retain(|prepared| prepared.step != *step);
            next.prepared.push(Prepared { step: *step, value: value.clone(), at: now });
            ("prepared", format!("step {}", step + 1), Next::GoOn)
        }
        Input::NotPrepared(fault) => {
            expect(row, &[State::Claimed], "a fault before the call");
            // Whatever could not be told here was repeatable, so nothing is open.
            definite(&mut next, fault, rules, now)
        }
        Input::Intent { plan, frozen, binding } => {
            expect(row, &[State::Claimed], "an intent");
            take_plan(&mut next, plan);
            next.state = State::Sending;
            next.reason = None;
            next.not_before = None;
            next.attempts += 1;
            if next.receipts.is_empty() {
                next.binding = Some(Box::new(binding.clone()));
            }
            next.intent = Some(Box::new(Intent {
                frozen: frozen.clone(),
                binding: binding.clone(),
                attempt: next.attempts,
                first_at: now,
                at: now,
            }));
            ("intent", part_of(&next, frozen.part), Next::Send)
        }
        Input::AlreadyOut { by, plan, receipt } => {
            expect(row, &[State::Claimed, State::Unknown], "an occurrence that is out already");
            let reason =
                Reason::new(ReasonCode::Already, format!("delivery {} brought it to the same identity", by.short()));
            if row.state == State::Unknown && receipt.is_none() {
                let at = now + wait(&next, rules).max(delta(rules.settle));
                look_at(&mut next, Some(at));
                ("look", format!("delivery {} brings it to the same identity", by.short()), Next::Look(Some(at)))
            } else if let Some(receipt) = receipt {
                take_plan(&mut next, plan);
                next.reason = Some(reason);
                let part = open_part(&next);
                settle(&mut next, Receipt { part, ..receipt.clone() }, now)
            } else {
                // The other one is under way: its outcome is ours.
                next.failures += 1;
                let at = now + wait(&next, rules).max(delta(rules.settle));
                rest(&mut next, State::Planned, Some(reason), Some(at))
            }
        }
        Input::Found { plan, receipt } => {
            expect(row, &[State::Claimed], "a look before the first call");
            take_plan(&mut next, plan);
            let message = "it was there already: another run has sent it, of which this ledger does not know";
            next.reason = Some(Reason::new(ReasonCode::Already, message));
            let part = open_part(&next);
            settle(&mut next, Receipt { part, ..receipt.clone() }, now)
        }
        Input::MayBeOut(why) => {
            expect(row, &[State::Claimed], "a look before the first call");
            let reason = Reason::new(ReasonCode::LedgerOlder, format!("another run may have sent it: {why}"));
            rest(&mut next, State::Held, Some(reason), None)
        }
        Input::Answered(receipt) => {
            expect(row, &[State::Sending, State::Unknown], "an answer");
            next.reason = None;
            settle(&mut next, receipt.clone(), now)
        }
        Input::Faulted(fault) => {
            expect(row, &[State::Sending], "a fault of the call");
            faulted(&mut next, fault, rules, now)
        }
        Input::AnsweredLate(receipt) => {
            assert!(
                !matches!(row.state, State::Sending | State::Published),
                "a late answer for a delivery that is {} ({})",
                row.state,
                row.id
            );
            late::answer(&mut next, receipt.clone(), now)
        }
        Input::Witnessed(message) => {
            expect(row, &[State::Unknown], "the word of a sender");
            late::witnessed(&mut next, message, rules, now)
        }
        Input::Looked(verdict) => {
            expect(row, &[State::Unknown], "a look");
            looked(&mut next, verdict, rules, now)
        }
        Input::NotLooked(fault) => {
            expect(row, &[State::Unknown], "a look that failed");
            let at = match fault {
                Fault::Refused { retry_at: Some(at), .. } => (*at).min(now + LONGEST_WAIT),
                _ => now,
            };
            // For the back-off alone: an unreachable network must not use up the repeats.
            next.failures = (next.failures + 1).min(rules.tries.saturating_sub(1));
            let at = at.max(now + wait(&next, rules));
            look_at(&mut next, Some(at));
            ("look", format!("could not look: {fault}"), Next::Look(Some(at)))
        }
        Input::NotYet(at) => {
            expect(row, &[State::Unknown], "a repeat that has to wait");
            look_at(&mut next, Some(*at));
            ("look", "the account is busy".to_owned(), Next::Look(Some(*at)))
        }
        Input::Repeat { owner } => {
            assert!(may_repeat(row, rules, now), "a request sent again without permission ({})", row.id);
            let attempts = row.attempts + 1;
            next.state = State::Sending;
            next.owner = Some(owner.clone());
            next.attempts = attempts;
            let intent = next.intent.as_mut().expect("`may_repeat` has seen the intent");
            intent.attempt = attempts;
            intent.at = now;
            let detail = format!("the same request again, key {}", intent.frozen.key);
            if let Some(unknown) = next.unknown.as_mut() {
                unknown.repeated = true;
                unknown.next_look = None;
            }
            ("intent", detail, Next::Send)
        }
        Input::OwnerLost => {
            expect(row, &[State::Claimed, State::Sending], "a lost owner");
            if row.state == State::Claimed {
                rest(&mut next, State::Planned, row.reason.clone(), row.not_before)
            } else {
                doubt(&mut next, "the process that sent it ended before the answer came", false, rules, now)
            }
        }
        Input::Dark { until } => {
            expect(row, &[State::Claimed, State::Unknown], "blackout hours");
            let message = format!("the blackout hours of {} last until {}", row.account, utc(*until));
            if row.state == State::Unknown {
                look_at(&mut next, Some(*until));
                ("look", format!("not sent again yet: {message}"), Next::Look(Some(*until)))
            } else {
                let reason = Reason::new(ReasonCode::Blackout, message);
                rest(&mut next, State::Planned, Some(reason), Some(*until))
            }
        }
        Input::GivenBack(why) => {
            expect(row, &[State::Claimed], "giving back");
            let (_, _, then) = rest(&mut next, State::Planned, row.reason.clone(), row.not_before);
            ("planned", why.clone(), then)
        }
        Input::AccountChanged(message) => {
            // An open attempt stays open: nothing is looked up at, or sent to, somebody else.
            expect(row, &[State::Claimed, State::Unknown], "a changed account");
            let reason = Reason::new(ReasonCode::AccountChanged, message.clone());
            if row.state == State::Unknown {
                next.reason = Some(reason);
                look_at(&mut next, None);
                ("unknown", message.clone(), Next::Look(None))
            } else {
                rest(&mut next, State::Held, Some(reason), None)
            }
        }
        Input::CannotCompose(message) => {
            expect(row, &[State::Claimed], "a post that cannot be composed");
            let reason = Reason::new(ReasonCode::Invalid, message.clone());
            rest(&mut next, State::Held, Some(reason), None)
        }
        Input::TooLate => {
            assert!(too_late(row, now), "a delivery that is not too late ({})", row.id);
            let state = if row.late.then == LateThen::Skip { State::Missed } else { State::Held };
            let before = row.reason.as_ref().map_or_else(String::new, |reason| format!("; before: {}", reason.message));
            let message = format!("its time was {}, and its grace is over{before}", utc(row.due));
            rest(&mut next, state, Some(Reason::new(ReasonCode::Late, message)), None)
        }
    };
    if !matches!(next.state, State::Claimed | State::Sending) {
        next.owner = None;
    }
    check(row, &next);
    let event = event(&next, kind, detail, SMM, now);
    (next, event, then)
}

/// A claimed delivery that must not go out any more by itself: past its grace, not released by a person, not begun, and
/// not told to be published however late.
pub fn too_late(row: &Delivery, now: DateTime<Utc>) -> bool {
    row.state == State::Claimed
        && row.late.then != LateThen::Publish
        && !row.released
        && !row.is_frozen()
        && past_grace(row, now)
}

/// Later than its grace.
pub(super) fn past_grace(row: &Delivery, now: DateTime<Utc>) -> bool {
    let grace = i64::try_from(row.late.grace_seconds).ok().and_then(TimeDelta::try_seconds);
    grace.and_then(|grace| row.due.checked_add_signed(grace)).is_some_and(|end| now > end)
}

/// The request of an unknown may be sent again, under the same key.
pub fn may_repeat(row: &Delivery, rules: &Rules, now: DateTime<Utc>) -> bool {
    let (State::Unknown, Some(intent), Some(unknown)) = (row.state, &row.intent, &row.unknown) else { return false };
    if row.reason.as_ref().is_some_and(|reason| reason.code != ReasonCode::LostAnswer) {
        return false;
    }
    // An empty look at a sender that may still be at it says nothing: its call may arrive after the look.
    let sender_done = rules.alone || unknown.witnessed || !Guard::Witness.holds();
    match rules.class {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => row.failures < rules.tries,
        RepeatSafety::Key { window_seconds } if key_holds(intent, window_seconds, now) => {
            !unknown.repeated && unknown.looks >= 1 && sender_done
        }
        RepeatSafety::Key { .. } | RepeatSafety::TwoStep | RepeatSafety::LookUp => {
            !unknown.repeated && unknown.looks >= 2 && sender_done
        }
        RepeatSafety::None => false,
    }
}

/// The server still knows the key, with a tenth of the window to spare for clocks that differ.
fn key_holds(intent: &Intent, window_seconds: u64, now: DateTime<Utc>) -> bool {
    if !Guard::KeyWindow.holds() {
        return true;
    }
    let safe = i64::try_from(window_seconds / 10 * 9).unwrap_or(0);
    now < intent.first_at + TimeDelta::seconds(safe) && now >= intent.first_at
}

/// A "no", or nothing sent, while nothing is open.
fn definite(next: &mut Delivery, fault: &Fault, rules: &Rules, now: DateTime<Utc>) -> Told {
    let message = fault.to_string();
    let (refusal, retry_at) = match fault {
        Fault::NotSent(_) | Fault::Unknown(_) => (None, None),
        Fault::Refused { refusal, retry_at, .. } => (Some(*refusal), *retry_at),
    };
    let (state, code) = match refusal {
        None => (State::Planned, ReasonCode::Retry),
        Some(Refusal::Busy | Refusal::RateLimited) => (State::Planned, ReasonCode::Throttled),
        Some(Refusal::Credentials) => (State::Held, ReasonCode::Credentials),
        Some(Refusal::Secret) => (State::Held, ReasonCode::Secret),
        Some(Refusal::Duplicate | Refusal::Forbidden | Refusal::Gone | Refusal::Invalid) => {
            (State::Failed, ReasonCode::Refused)
        }
    };
    if state != State::Planned {
        return rest(next, state, Some(Reason::new(code, message)), None);
    }
    next.failures += 1;
    if next.failures >= rules.tries {
        let message = format!("given up after {} attempts: {message}", next.failures);
        return rest(next, State::Failed, Some(Reason::new(code, message)), None);
    }
    if let Some(at) = retry_at.filter(|at| *at > now + LONGEST_WAIT) {
        let message = format!("the network asks to wait until {}: {message}", utc(at));
        return rest(next, State::Held, Some(Reason::new(code, message)), None);
    }
    let at = (now + wait(next, rules)).max(retry_at.unwrap_or(now));
    rest(next, State::Planned, Some(Reason::new(code, message)), Some(at))
}

/// The irreversible call went wrong.
fn faulted(next: &mut Delivery, fault: &Fault, rules: &Rules, now: DateTime<Utc>) -> Told {
    let earlier = next.unknown.is_some();
    match fault {
        Fault::Unknown(message) => doubt(next, message, true, rules, now),
        Fault::Refused { refusal: Refusal::Duplicate, message, .. } => {
            // It says that it has it: nothing is ever sent again for this, only looked up.
            let told = doubt(next, &format!("the network says that it has it already: {message}"), true, rules, now);
            if let Some(unknown) = next.unknown.as_mut() {
                unknown.repeated = true;
                unknown.next_look = (rules.class != RepeatSafety::None).then_some(now);
            }
            let at = next.unknown.as_ref().and_then(|unknown| unknown.next_look);
            (told.0, told.1, Next::Look(at))
        }
        _ if !earlier || !Guard::Unresolved.holds() => definite(next, fault, rules, now),
        // This attempt did nothing, but the one before it may have.
        Fault::NotSent(message) => again_later(next, message, None, rules, now),
        Fault::Refused { refusal: Refusal::Busy | Refusal::RateLimited, message, retry_at } => {
            again_later(next, message, *retry_at, rules, now)
        }
        Fault::Refused { refusal, message, .. } => {
            let code = match refusal {
                Refusal::Credentials => ReasonCode::Credentials,
                Refusal::Secret => ReasonCode::Secret,
                _ => ReasonCode::Refused,
            };
            next.state = State::Unknown;
            next.reason = Some(Reason::new(code, message.clone()));
            if let Some(unknown) = next.unknown.as_mut() {
                unknown.looks = 0;
            }
            let at = (rules.class != RepeatSafety::None).then(|| now + settle_time(rules));
            look_at(next, at);
            ("unknown", format!("refused the second time, the first time is not known: {message}"), Next::Look(at))
        }
    }
}

/// A repeat that did nothing: the repeat is still to be made.
fn again_later(
    next: &mut Delivery,
    message: &str,
    retry_at: Option<DateTime<Utc>>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Told {
    next.state = State::Unknown;
    next.failures += 1;
    let at = (now + wait(next, rules)).max(retry_at.unwrap_or(now)).min(now + LONGEST_WAIT);
    if let Some(unknown) = next.unknown.as_mut() {
        unknown.repeated = false;
    }
    look_at(next, Some(at));
    ("unknown", format!("the repeat was not sent: {message}"), Next::Look(Some(at)))
}

/// Sent, outcome not known.
fn doubt(next: &mut Delivery, message: &str, witnessed: bool, rules: &Rules, now: DateTime<Utc>) -> Told {
    next.failures += 1;
    let at = match rules.class {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId if next.failures == 1 => Some(now),
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => Some(now + wait(next, rules)),
        RepeatSafety::Key { .. } | RepeatSafety::TwoStep | RepeatSafety::LookUp => Some(now + settle_time(rules)),
        RepeatSafety::None => None,
    };
    let before = next.unknown.take();
    next.state = State::Unknown;
    next.reason = Some(Reason::new(ReasonCode::LostAnswer, message));
    next.unknown = Some(Unknown {
        since: before.as_ref().map_or(now, |unknown| unknown.since),
        looks: 0,
        next_look: at,
        repeated: before.as_ref().is_some_and(|unknown| unknown.repeated),
        // The word of this attempt's sender says nothing of an earlier attempt's.
        witnessed: witnessed && before.is_none_or(|unknown| unknown.witnessed),
    });
    ("unknown", message.to_owned(), Next::Look(at))
}

fn looked(next: &mut Delivery, verdict: &Verdict, rules: &Rules, now: DateTime<Utc>) -> Told {
    let why = match verdict {
        Verdict::Done(receipt) => {
            next.reason = None;
            let (kind, detail, then) = settle(next, receipt.clone(), now);
            return (kind, format!("{detail}, found by looking"), then);
        }
        Verdict::NotDone => "looked: it is not there".to_owned(),
        Verdict::CannotTell { why } => format!("looked, and cannot tell: {why}"),
    };
    let refused = next.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Refused);
    let named = matches!(rules.class, RepeatSafety::ContentAddressed | RepeatSafety::ChosenId);
    let empty = *verdict == Verdict::NotDone;
    let (looks, witnessed) = next.unknown.as_mut().map_or((0, false), |unknown| {
        unknown.looks += u32::from(empty);
        (unknown.looks, unknown.witnessed)
    });
    if empty && refused && looks >= 2 && (rules.alone || witnessed) {
        // Both attempts are resolved now: the first is not there, the second was refused.
        let reason = next.reason.take();
        let (kind, detail, then) = rest(next, State::Failed, reason, None);
        return (kind, format!("{why}; {detail}"), then);
    }
    if (empty || named) && may_repeat(next, rules, now) {
        look_at(next, Some(now));
        return ("look", why, Next::Repeat);
    }
    let at = (empty && looks < 2).then(|| now + settle_time(rules));
    look_at(next, at);
    let why = if at.is_none() { format!("{why}; a person has to settle it") } else { why };
    ("look", why, Next::Look(at))
}

/// What is told of a step: the event's kind, its detail, and what to do.
type Told = (&'static str, String, Next);

/// The open part is out.
pub(super) fn settle(next: &mut Delivery, receipt: Receipt, now: DateTime<Utc>) -> Told {
    let was_unknown = next.state == State::Unknown;
    assert_eq!(receipt.part, open_part(next), "a receipt for another part than the open one ({})", next.id);
    let part = receipt.part;
    next.receipts.push(receipt);
    next.intent = None;
    next.unknown = None;
    next.not_before = None;
    next.failures = 0;
    if open_part(next) >= parts(next) {
        next.state = State::Published;
        next.published_at = Some(now);
        next.prepared.clear();
        ("published", part_of(next, part), Next::Rest)
    } else if was_unknown {
        next.state = State::Planned;
        ("receipt", part_of(next, part), Next::Rest)
    } else {
        next.state = State::Claimed;
        ("receipt", part_of(next, part), Next::GoOn)
    }
}

/// Nothing is open any more; the row rests in a state.
pub(super) fn rest(
    next: &mut Delivery,
    state: State,
    reason: Option<Reason>,
    not_before: Option<DateTime<Utc>>,
) -> Told {
    next.state = state;
    next.intent = None;
    next.unknown = None;
    next.not_before = not_before;
    let detail = reason.as_ref().map_or_else(String::new, |reason| reason.message.clone());
    next.reason = reason;
    let kind = match (state, not_before) {
        (State::Planned, Some(_)) => "retry",
        (state, _) => state.as_str(),
    };
    (kind, detail, Next::Rest)
}

fn take_plan(next: &mut Delivery, plan: &serde_json::Value) {
    if next.plan.as_ref() != Some(plan) {
        assert!(next.receipts.is_empty(), "the plan changed although a part is out ({})", next.id);
        next.plan = Some(plan.clone());
        next.prepared.clear();
    }
}

/// The part that is sent next, from 0.
pub fn open_part(row: &Delivery) -> u16 {
    u16::try_from(row.receipts.len()).unwrap_or(u16::MAX)
}

/// The row's plan, as frozen.
pub fn plan(row: &Delivery) -> Option<Plan> {
    serde_json::from_value(row.plan.clone()?).ok()
}

/// Parts of the frozen plan; one where there is none.
fn parts(row: &Delivery) -> u16 {
    plan(row).map_or(1, |plan| plan.parts().max(1))
}

fn look_at(next: &mut Delivery, at: Option<DateTime<Utc>>) {
    if let Some(unknown) = next.unknown.as_mut() {
        unknown.next_look = at;
    }
}

/// Full jitter: anything up to the doubled step, the same on every replay, and never less than a tenth of a step.
fn wait(row: &Delivery, rules: &Rules) -> TimeDelta {
    let step = rules.back_off.saturating_mul(1 << row.failures.saturating_sub(1).min(20)).min(BACK_OFF_CAP);
    let bytes = row.id.derive_bytes("back-off", open_part(row), row.failures);
    let share = f64::from(u16::from_be_bytes([bytes[0], bytes[1]])) / f64::from(u16::MAX);
    delta(step.mul_f64(share).max(rules.back_off / 10))
}

/// The wait before an unknown is looked up, and between two looks.
fn settle_time(rules: &Rules) -> TimeDelta {
    if Guard::Settle.holds() { delta(rules.settle) } else { TimeDelta::zero() }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(LONGEST_WAIT)
}

fn part_of(row: &Delivery, part: u16) -> String {
    match parts(row) {
        1 => "sent in one part".to_owned(),
        all => format!("part {} of {all}", part + 1),
    }
}

pub(super) fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn event(row: &Delivery, kind: &str, detail: String, actor: &str, at: DateTime<Utc>) -> Event {
    Event { at, delivery: row.id, kind: kind.to_owned(), state: row.state, detail, actor: actor.to_owned() }
}

fn expect(row: &Delivery, states: &[State], what: &str) {
    assert!(states.contains(&row.state), "{what} for a delivery that is {} ({})", row.state, row.id);
}

pub(super) fn check(before: &Delivery, after: &Delivery) {
    assert!(
        allowed(before.state, after.state),
        "no delivery goes from {} to {} ({})",
        before.state,
        after.state,
        before.id
    );
    assert!(after.receipts.len() >= before.receipts.len(), "a receipt was lost ({})", before.id);
    if let Err(wrong) = sound(after) {
        panic!("{wrong} ({})", before.id);
    }
}

#[cfg(test)]
mod edges;
#[cfg(test)]
mod tests;
