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

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::adapter::{Fault, Plan, Refusal, RepeatSafety, Verdict};
use crate::model::{
    Binding, Delivery, DeliveryId, Event, Frozen, Intent, LateThen, Prepared, Reason, ReasonCode, Receipt, State,
    Unknown,
};

/// A network that asks to come back later than this is not waited for: a person decides.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24);

/// Longest back-off between two attempts.
const BACK_OFF_CAP: Duration = Duration::from_secs(15 * 60);

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
    /// Every earlier sender is surely dead: this process holds the ledger's lock.
    pub alone: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            class: RepeatSafety::None,
            settle: Duration::from_secs(120),
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
    /// The network answered the irreversible call.
    Answered(Receipt),
    /// The irreversible call went wrong.
    Faulted(Fault),
    /// A look at the network.
    Looked(Verdict),
    /// The look itself failed: it says nothing.
    NotLooked(Fault),
    /// The same request is about to be sent again; see [`may_repeat`].
    Repeat,
    /// The process that had it is gone.
    OwnerLost,
    /// It is given back before anything irreversible was sent: at a stop, or since the calendar changed meanwhile.
    GivenBack(String),
    /// The account's name leads to another identity or host than the ledger knows.
    AccountChanged(String),
    /// The post cannot be composed (any more).
    CannotCompose(String),
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

/// What a person may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonCommand {
    /// Try again: failed, missed, held and cancelled deliveries, and those that wait for their next attempt.
    Retry,
    /// Do not send (the rest of) it.
    Cancel,
    /// It is out: the person has seen it there.
    ResolvePublished {
        /// Where.
        url: String,
    },
    /// It is not out: the person has looked.
    ResolveNotPublished,
    /// Publish although it is late or the ledger was new (`smm publish --backlog`).
    Release,
}

/// Every edge of a delivery's life. Staying in a state is an edge too where work goes on inside it.
pub fn allowed(from: State, to: State) -> bool {
    use State::{Cancelled, Claimed, Failed, Held, Missed, Planned, Published, Sending, Unknown};
    matches!(
        (from, to),
        (Planned, Planned | Claimed | Held | Missed | Cancelled)
            | (Claimed, Claimed | Planned | Sending | Published | Failed | Held | Cancelled)
            | (Sending, Claimed | Planned | Published | Failed | Held | Unknown)
            | (Unknown, Unknown | Sending | Planned | Published | Failed | Held | Missed)
            | (Held, Held | Planned | Missed | Cancelled)
            | (Failed | Missed, Planned | Cancelled)
            | (Cancelled, Planned)
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
            next.intent = Some(Intent {
                frozen: frozen.clone(),
                binding: binding.clone(),
                attempt: next.attempts,
                first_at: now,
                at: now,
            });
            ("intent", part_of(&next, frozen.part), Next::Send)
        }
        Input::AlreadyOut { by, plan, receipt } => {
            expect(row, &[State::Claimed], "an occurrence that is out already");
            let reason =
                Reason::new(ReasonCode::Already, format!("delivery {} brought it to the same identity", by.short()));
            if let Some(receipt) = receipt {
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
        Input::Answered(receipt) => {
            expect(row, &[State::Sending, State::Unknown], "an answer");
            next.reason = None;
            settle(&mut next, receipt.clone(), now)
        }
        Input::Faulted(fault) => {
            expect(row, &[State::Sending], "a fault of the call");
            faulted(&mut next, fault, rules, now)
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
        Input::Repeat => {
            assert!(may_repeat(row, rules, now), "a request sent again without permission ({})", row.id);
            let attempts = row.attempts + 1;
            next.state = State::Sending;
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
                doubt(&mut next, "the process that sent it ended before the answer came", rules, now)
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
    };
    if !matches!(next.state, State::Claimed | State::Sending) {
        next.owner = None;
    }
    check(row, &next);
    let event = event(&next, kind, detail, SMM, now);
    (next, event, then)
}

/// What a person asked for. `Err` says why not, and what to do instead.
///
/// `ResolveNotPublished` keeps the generation, and with it the keys: should the person be mistaken, a network that knows
/// the key still keeps one post. A delivery that is past its grace by then goes by its own `late`, since a person who
/// says "it is not there" has not yet said "send it now".
pub fn person(
    row: &Delivery,
    command: &PersonCommand,
    now: DateTime<Utc>,
    actor: &str,
) -> Result<(Delivery, Event), String> {
    let mut next = row.clone();
    let (kind, detail) = match command {
        PersonCommand::Retry => retry(row, &mut next)?,
        PersonCommand::Cancel => cancel(row, &mut next)?,
        PersonCommand::Release => release(row, &mut next)?,
        PersonCommand::ResolvePublished { url } => {
            let part = resolvable(row)?.frozen.part;
            next.reason = None;
            let data = serde_json::Value::Null;
            settle(&mut next, Receipt { part, id: url.clone(), url: Some(url.clone()), at: now, data }, now);
            ("resolved", format!("published: {url}"))
        }
        PersonCommand::ResolveNotPublished => {
            resolvable(row)?;
            next.failures = 0;
            let started = !row.receipts.is_empty();
            let over =
                now > row.due + TimeDelta::seconds(i64::try_from(row.late.grace_seconds).unwrap_or(i64::MAX / 2_000));
            let late = |text: &str| Some(Reason::new(ReasonCode::Late, text));
            let (state, reason) = match row.late.then {
                LateThen::Hold if over && !row.released && !started => {
                    (State::Held, late("not published, and past its grace by now: retry it or cancel it"))
                }
                LateThen::Skip if over && !row.released && !started => {
                    (State::Missed, late("not published, and past its grace by now"))
                }
                _ => (State::Planned, None),
            };
            rest(&mut next, state, reason, None);
            ("resolved", "not published".to_owned())
        }
    };
    check(row, &next);
    let event = event(&next, kind, detail, actor, now);
    Ok((next, event))
}

fn retry(row: &Delivery, next: &mut Delivery) -> Result<(&'static str, String), String> {
    match row.state {
        State::Failed | State::Missed | State::Held => {}
        State::Cancelled if row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Removed) => {
            return Err("it is no longer in the calendar; put the post back there".to_owned());
        }
        State::Cancelled => {}
        State::Planned if row.not_before.is_some() => {}
        State::Planned => return Err(format!("it is planned for {}; there is nothing to try again", utc(row.due))),
        State::Claimed | State::Sending => return Err("it is being sent just now".to_owned()),
        State::Published => return Err(format!("it is published already{}", at_url(row))),
        State::Unknown => return Err(unresolved(row)),
    }
    rest(next, State::Planned, None, None);
    next.released = true;
    next.failures = 0;
    // Uploads do not live for ever, and an edited post is to be composed anew.
    next.prepared.clear();
    if !row.is_frozen() {
        next.plan = None;
    }
    Ok(("planned", "to be tried again".to_owned()))
}

fn cancel(row: &Delivery, next: &mut Delivery) -> Result<(&'static str, String), String> {
    match row.state {
        // A claimed one, too: whoever has it finds its intent refused, since the row has moved on.
        State::Planned | State::Claimed | State::Held | State::Failed | State::Missed => {}
        State::Cancelled => return Err("it is cancelled already".to_owned()),
        State::Sending => return Err("it is being sent just now".to_owned()),
        State::Published => {
            return Err(format!("it is published already{}; take it back on the network itself", at_url(row)));
        }
        State::Unknown => return Err(unresolved(row)),
    }
    let out = row.receipts.len();
    let detail =
        if out == 0 { "cancelled".to_owned() } else { format!("cancelled; the {out} part(s) that are out stay out") };
    rest(next, State::Cancelled, Some(Reason::new(ReasonCode::Person, detail.clone())), None);
    next.owner = None;
    Ok(("cancelled", detail))
}

fn release(row: &Delivery, next: &mut Delivery) -> Result<(&'static str, String), String> {
    let code = row.reason.as_ref().map(|reason| reason.code);
    if row.state != State::Held || !matches!(code, Some(ReasonCode::FirstRun | ReasonCode::Late)) {
        return Err(format!("it is {}, not held for being late or from before the first run", row.state));
    }
    rest(next, State::Planned, None, None);
    next.released = true;
    Ok(("released", "published although it is late".to_owned()))
}

fn resolvable(row: &Delivery) -> Result<&Intent, String> {
    match (row.state, &row.intent) {
        (State::Unknown, Some(intent)) => Ok(intent),
        (State::Sending, _) => {
            Err("it is being sent, or its process ended meanwhile; `smm publish` finds that out".to_owned())
        }
        (State::Published, _) => Err(format!("it is published already{}", at_url(row))),
        (state, _) => Err(format!("it is {state}; only an unknown outcome can be resolved")),
    }
}

fn unresolved(row: &Delivery) -> String {
    format!(
        "whether it arrived is not known, so sending it again could post it twice; look at the account, then run \
         `smm resolve {id} --published URL` or `smm resolve {id} --not-published`",
        id = row.id.short()
    )
}

/// The request of an unknown may be sent again, under the same key.
pub fn may_repeat(row: &Delivery, rules: &Rules, now: DateTime<Utc>) -> bool {
    let (State::Unknown, Some(intent), Some(unknown)) = (row.state, &row.intent, &row.unknown) else { return false };
    if row.reason.as_ref().is_some_and(|reason| reason.code != ReasonCode::LostAnswer) {
        return false;
    }
    match rules.class {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => row.failures < rules.tries,
        RepeatSafety::Key { window_seconds } if key_holds(intent, window_seconds, now) => {
            !unknown.repeated && unknown.looks >= 1 && rules.alone
        }
        RepeatSafety::Key { .. } | RepeatSafety::TwoStep | RepeatSafety::LookUp => {
            !unknown.repeated && unknown.looks >= 2 && rules.alone
        }
        RepeatSafety::None => false,
    }
}

/// The server still knows the key, with a tenth of the window to spare for clocks that differ.
fn key_holds(intent: &Intent, window_seconds: u64, now: DateTime<Utc>) -> bool {
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
        Fault::Unknown(message) => doubt(next, message, rules, now),
        Fault::Refused { refusal: Refusal::Duplicate, message, .. } => {
            // It says that it has it: nothing is ever sent again for this, only looked up.
            let told = doubt(next, &format!("the network says that it has it already: {message}"), rules, now);
            if let Some(unknown) = next.unknown.as_mut() {
                unknown.repeated = true;
                unknown.next_look = (rules.class != RepeatSafety::None).then_some(now);
            }
            let at = next.unknown.as_ref().and_then(|unknown| unknown.next_look);
            (told.0, told.1, Next::Look(at))
        }
        _ if !earlier => definite(next, fault, rules, now),
        // This attempt did nothing, but the one before it may have.
        Fault::NotSent(message) => again_later(next, message, None, rules, now),
        Fault::Refused { refusal: Refusal::Busy | Refusal::RateLimited, message, retry_at } => {
            again_later(next, message, *retry_at, rules, now)
        }
        Fault::Refused { refusal, message, .. } => {
            let code = if *refusal == Refusal::Credentials { ReasonCode::Credentials } else { ReasonCode::Refused };
            next.state = State::Unknown;
            next.reason = Some(Reason::new(code, message.clone()));
            if let Some(unknown) = next.unknown.as_mut() {
                unknown.looks = 0;
            }
            let at = (rules.class != RepeatSafety::None).then(|| now + delta(rules.settle));
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
fn doubt(next: &mut Delivery, message: &str, rules: &Rules, now: DateTime<Utc>) -> Told {
    next.failures += 1;
    let at = match rules.class {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId if next.failures == 1 => Some(now),
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => Some(now + wait(next, rules)),
        RepeatSafety::Key { .. } | RepeatSafety::TwoStep | RepeatSafety::LookUp => Some(now + delta(rules.settle)),
        RepeatSafety::None => None,
    };
    let before = next.unknown.take();
    next.state = State::Unknown;
    next.reason = Some(Reason::new(ReasonCode::LostAnswer, message));
    next.unknown = Some(Unknown {
        since: before.as_ref().map_or(now, |unknown| unknown.since),
        looks: 0,
        next_look: at,
        repeated: before.is_some_and(|unknown| unknown.repeated),
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
    let looks = next.unknown.as_mut().map_or(0, |unknown| {
        unknown.looks += u32::from(empty);
        unknown.looks
    });
    if empty && refused && looks >= 2 && rules.alone {
        // Both attempts are resolved now: the first is not there, the second was refused.
        let reason = next.reason.take();
        let (kind, detail, then) = rest(next, State::Failed, reason, None);
        return (kind, format!("{why}; {detail}"), then);
    }
    if (empty || named) && may_repeat(next, rules, now) {
        look_at(next, Some(now));
        return ("look", why, Next::Repeat);
    }
    let at = (empty && looks < 2).then(|| now + delta(rules.settle));
    look_at(next, at);
    let why = if at.is_none() { format!("{why}; a person has to settle it") } else { why };
    ("look", why, Next::Look(at))
}

/// What is told of a step: the event's kind, its detail, and what to do.
type Told = (&'static str, String, Next);

/// The open part is out.
fn settle(next: &mut Delivery, receipt: Receipt, now: DateTime<Utc>) -> Told {
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
fn rest(next: &mut Delivery, state: State, reason: Option<Reason>, not_before: Option<DateTime<Utc>>) -> Told {
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

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(LONGEST_WAIT)
}

fn part_of(row: &Delivery, part: u16) -> String {
    match parts(row) {
        1 => "sent in one part".to_owned(),
        all => format!("part {} of {all}", part + 1),
    }
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn at_url(row: &Delivery) -> String {
    let url = row.receipts.first().and_then(|receipt| receipt.url.as_deref());
    url.map_or_else(String::new, |url| format!(", at {url}"))
}

fn event(row: &Delivery, kind: &str, detail: String, actor: &str, at: DateTime<Utc>) -> Event {
    Event { at, delivery: row.id, kind: kind.to_owned(), state: row.state, detail, actor: actor.to_owned() }
}

fn expect(row: &Delivery, states: &[State], what: &str) {
    assert!(states.contains(&row.state), "{what} for a delivery that is {} ({})", row.state, row.id);
}

fn check(before: &Delivery, after: &Delivery) {
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
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::adapter::{Step, StepKind};
    use crate::model::{AccountName, CalendarName, Late, OccurrenceName, Origin, PostId};

    const WINDOW: RepeatSafety = RepeatSafety::Key { window_seconds: 3600 };

    fn start() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 12, 1, 9, 0, 0).single().expect("a time")
    }

    fn after(seconds: i64) -> DateTime<Utc> {
        start() + TimeDelta::seconds(seconds)
    }

    fn rules(class: RepeatSafety) -> Rules {
        Rules { class, ..Rules::default() }
    }

    fn plan_of(parts: u16) -> serde_json::Value {
        let steps = (0..parts)
            .map(|part| Step { index: part.into(), part, kind: StepKind::Publish, payload: json!({}) })
            .collect();
        serde_json::to_value(Plan { steps }).expect("a plan")
    }

    fn planned() -> Delivery {
        let id = PostId::new("launch");
        let (calendar, account) = (CalendarName::new("acme"), AccountName::new("fedi"));
        let occurrence = OccurrenceName::once(&id);
        let civil = start().naive_utc();
        let late = Late::default();
        Delivery::planned(calendar, id, occurrence, account, "mastodon", Origin::Calendar, start(), civil, late)
    }

    fn claimed() -> Delivery {
        Delivery { state: State::Claimed, owner: Some("me".into()), fence: 1, version: 2, ..planned() }
    }

    fn frozen(part: u16) -> Frozen {
        Frozen { part, key: format!("key-{part}"), request: json!({ "part": part }) }
    }

    fn intent(row: &Delivery, parts: u16) -> Input {
        let binding = Binding {
            network: "mastodon".into(),
            host: "https://fedi.example".into(),
            uid: "1".into(),
            handle: "@acme".into(),
        };
        Input::Intent { plan: plan_of(parts), frozen: frozen(open_part(row)), binding }
    }

    fn receipt(part: u16) -> Receipt {
        Receipt { part, id: format!("id-{part}"), url: None, at: start(), data: serde_json::Value::Null }
    }

    fn go(row: &Delivery, input: &Input, rules: &Rules, seconds: i64) -> Delivery {
        step(row, input, rules, after(seconds)).0
    }

    fn sending(parts: u16, rules: &Rules) -> Delivery {
        let row = claimed();
        go(&row, &intent(&row, parts), rules, 0)
    }

    fn lost(rules: &Rules) -> Delivery {
        go(&sending(1, rules), &Input::Faulted(Fault::Unknown("reset".into())), rules, 1)
    }

    fn next_look(row: &Delivery) -> Option<DateTime<Utc>> {
        row.unknown.as_ref().expect("an unknown").next_look
    }

    fn told(row: &Delivery) -> (State, Option<ReasonCode>) {
        (row.state, row.reason.as_ref().map(|reason| reason.code))
    }

    fn said(refusal: Refusal) -> Input {
        Input::Faulted(Fault::refused(refusal, "no"))
    }

    #[test]
    fn the_table_of_edges() {
        use State::{Cancelled, Claimed, Failed, Held, Missed, Planned, Published, Sending, Unknown};
        let to = |from| State::ALL.into_iter().filter(|to| allowed(from, *to)).collect::<Vec<_>>();
        assert_eq!(to(Planned), [Planned, Claimed, Held, Missed, Cancelled]);
        assert_eq!(to(Claimed), [Planned, Claimed, Sending, Published, Failed, Held, Cancelled]);
        assert_eq!(to(Sending), [Planned, Claimed, Published, Failed, Unknown, Held]);
        assert_eq!(to(Unknown), [Planned, Sending, Published, Failed, Unknown, Held, Missed]);
        assert_eq!(to(Held), [Planned, Held, Missed, Cancelled]);
        assert_eq!(to(Failed), [Planned, Cancelled]);
        assert_eq!(to(Missed), [Planned, Cancelled]);
        assert_eq!(to(Cancelled), [Planned]);
        assert_eq!(to(Published), []);
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
        let (row, _, next) = step(&row, &Input::Repeat, &rules, after(1));
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
                row = go(&looked, &Input::Repeat, &rules, 1);
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
        let row = go(&row, &Input::Repeat, &rules, 121);
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
            assert_eq!(step(&row, &Input::Looked(Verdict::NotDone), &several, after(241)).2, Next::Look(None));
            let (row, _, next) = step(&row, &Input::Looked(Verdict::NotDone), &rules, after(241));
            assert_eq!(next, Next::Repeat);
            assert_eq!(go(&row, &Input::Repeat, &rules, 241).state, State::Sending);
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
            go(&row, &Input::Repeat, &rules, 121)
        };
        for refusal in [Refusal::Invalid, Refusal::Forbidden, Refusal::Credentials, Refusal::Busy, Refusal::RateLimited]
        {
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

    #[test]
    fn people_try_again_what_is_definite() {
        let ask = |row: &Delivery, command| person(row, &command, after(9000), "ann");
        let failed = go(&sending(1, &rules(WINDOW)), &said(Refusal::Invalid), &rules(WINDOW), 1);
        let (row, event) = ask(&failed, PersonCommand::Retry).expect("allowed");
        assert_eq!((row.state, row.released, row.generation, row.plan), (State::Planned, true, 0, None));
        assert_eq!(event.actor, "ann");
        for state in [State::Missed, State::Held, State::Cancelled] {
            let row = Delivery { state, ..planned() };
            assert!(ask(&row, PersonCommand::Retry).is_ok_and(|(row, _)| row.state == State::Planned), "{state}");
        }
        let reason = Some(Reason::new(ReasonCode::Removed, "gone"));
        let removed = Delivery { state: State::Cancelled, reason, ..planned() };
        assert!(ask(&removed, PersonCommand::Retry).is_err());
        assert!(ask(&planned(), PersonCommand::Retry).is_err());
        let unknown = lost(&rules(WINDOW));
        let refused = ask(&unknown, PersonCommand::Retry).expect_err("refused");
        assert!(refused.contains("smm resolve"), "{refused}");
        assert!(ask(&unknown, PersonCommand::Cancel).is_err());
        assert!(ask(&sending(1, &rules(WINDOW)), PersonCommand::Cancel).is_err());
        assert!(ask(&claimed(), PersonCommand::Cancel).is_ok_and(|(row, _)| row.state == State::Cancelled));
        let published = go(&unknown, &Input::Looked(Verdict::Done(receipt(0))), &rules(WINDOW), 121);
        for command in [PersonCommand::Retry, PersonCommand::Cancel, PersonCommand::ResolveNotPublished] {
            assert!(ask(&published, command).is_err());
        }
    }

    #[test]
    fn people_settle_what_is_unknown() {
        let unknown = lost(&rules(RepeatSafety::None));
        let url = "https://fedi.example/@acme/1".to_owned();
        let resolve = PersonCommand::ResolvePublished { url: url.clone() };
        let (row, _) = person(&unknown, &resolve, after(60), "ann").expect("allowed");
        assert_eq!((row.state, row.receipts[0].url.as_ref()), (State::Published, Some(&url)));
        let no = PersonCommand::ResolveNotPublished;
        let (row, _) = person(&unknown, &no, after(60), "ann").expect("allowed");
        assert_eq!((row.state, row.generation), (State::Planned, 0));
        let (row, _) = person(&unknown, &no, after(5000), "ann").expect("allowed");
        assert_eq!(told(&row), (State::Held, Some(ReasonCode::Late)), "late by then: held, not sent");
        assert!(person(&planned(), &no, after(60), "ann").is_err());
        // A thread goes on.
        let rules = rules(RepeatSafety::None);
        let thread = go(&sending(2, &rules), &Input::Faulted(Fault::Unknown("reset".into())), &rules, 1);
        let (row, _) = person(&thread, &resolve, after(60), "ann").expect("allowed");
        assert_eq!((row.state, row.receipts.len()), (State::Planned, 1));
    }

    #[test]
    fn people_release_what_is_late() {
        let held = |code| Delivery { state: State::Held, reason: Some(Reason::new(code, "late")), ..planned() };
        for code in [ReasonCode::Late, ReasonCode::FirstRun] {
            let (row, _) = person(&held(code), &PersonCommand::Release, start(), "ann").expect("allowed");
            assert_eq!((row.state, row.released), (State::Planned, true));
        }
        assert!(person(&held(ReasonCode::Credentials), &PersonCommand::Release, start(), "ann").is_err());
    }

    /// What a server does with one call.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Answered,
        KeptAndLost,
        DroppedAndLost,
        NotSent,
        Refused(Refusal),
        Killed { kept: bool },
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        let fate = prop_oneof![
            3 => Just(Fate::Answered),
            3 => Just(Fate::KeptAndLost),
            3 => Just(Fate::DroppedAndLost),
            1 => Just(Fate::NotSent),
            1 => prop_oneof![
                Just(Refusal::Busy), Just(Refusal::Invalid), Just(Refusal::RateLimited), Just(Refusal::Credentials)
            ].prop_map(Fate::Refused),
            1 => any::<bool>().prop_map(|kept| Fate::Killed { kept }),
        ];
        prop::collection::vec(fate, 0..12)
    }

    fn classes() -> impl Strategy<Value = RepeatSafety> {
        prop_oneof![
            Just(RepeatSafety::ContentAddressed),
            Just(RepeatSafety::ChosenId),
            Just(WINDOW),
            Just(RepeatSafety::Key { window_seconds: 100 }),
            Just(RepeatSafety::TwoStep),
            Just(RepeatSafety::LookUp),
            Just(RepeatSafety::None),
        ]
    }

    /// A server that keeps the parts that reached it: by their key only where its class promises that.
    struct Server {
        class: RepeatSafety,
        kept: Vec<(String, DateTime<Utc>)>,
    }

    impl Server {
        fn keep(&mut self, key: &str, now: DateTime<Utc>) {
            let known = |window: Option<TimeDelta>| {
                self.kept.iter().any(|(kept, at)| kept == key && window.is_none_or(|window| now < *at + window))
            };
            let deduplicated = match self.class {
                RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => known(None),
                RepeatSafety::Key { window_seconds } => {
                    known(Some(TimeDelta::seconds(i64::try_from(window_seconds).expect("small"))))
                }
                _ => false,
            };
            if !deduplicated {
                self.kept.push((key.to_owned(), now));
            }
        }

        fn count(&self, key: &str) -> usize {
            self.kept.iter().filter(|(kept, _)| kept == key).count()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Whatever a truthful server and the process's death do: no part is out twice, and every state is true.
        #[test]
        fn never_twice_and_never_a_lie(class in classes(), fates in fates(), parts in 1_u16..4) {
            let rules = rules(class);
            let mut server = Server { class, kept: Vec::new() };
            let mut fates = fates.into_iter();
            let mut now = start();
            let mut row = planned();
            for _ in 0..200 {
                now = now.max(row.ready_at());
                row = match row.state {
                    State::Planned => Delivery { state: State::Claimed, owner: Some("me".into()), ..row },
                    State::Claimed => step(&row, &intent(&row, parts), &rules, now).0,
                    State::Sending => {
                        let key = row.intent.as_ref().expect("an intent").frozen.key.clone();
                        let part = open_part(&row);
                        let fate = fates.next().unwrap_or(Fate::Answered);
                        if matches!(fate, Fate::Answered | Fate::KeptAndLost | Fate::Killed { kept: true }) {
                            server.keep(&key, now);
                        }
                        let input = match fate {
                            Fate::Answered => Input::Answered(receipt(part)),
                            Fate::KeptAndLost | Fate::DroppedAndLost => Input::Faulted(Fault::Unknown("lost".into())),
                            Fate::NotSent => Input::Faulted(Fault::NotSent("refused".into())),
                            Fate::Refused(refusal) => said(refusal),
                            Fate::Killed { .. } => Input::OwnerLost,
                        };
                        step(&row, &input, &rules, now).0
                    }
                    State::Unknown => {
                        let Some(at) = next_look(&row) else { break };
                        now = now.max(at);
                        let part = open_part(&row);
                        let there = server.count(&row.intent.as_ref().expect("an intent").frozen.key) > 0;
                        let verdict = if there { Verdict::Done(receipt(part)) } else { Verdict::NotDone };
                        let (row, _, next) = step(&row, &Input::Looked(verdict), &rules, now);
                        if next == Next::Repeat { step(&row, &Input::Repeat, &rules, now).0 } else { row }
                    }
                    _ => break,
                };
            }
            for part in 0..parts {
                let count = server.count(&format!("key-{part}"));
                prop_assert!(count <= 1, "part {part} is out {count} times");
                let known = row.receipts.iter().any(|receipt| receipt.part == part);
                let open = row.intent.as_ref().is_some_and(|intent| intent.frozen.part == part);
                prop_assert!(known == (count == 1) || open, "part {part}: the ledger says {known}, the server has {count}");
            }
            prop_assert!(!matches!(row.state, State::Planned | State::Claimed | State::Sending), "{:?}", row.state);
            if row.state == State::Published {
                prop_assert_eq!(row.receipts.len(), usize::from(parts));
            }
        }
    }
}
