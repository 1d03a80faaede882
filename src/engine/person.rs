//! What a person may ask of a delivery. Pure, like [`super::core`], and held to the same table of edges.

use chrono::{DateTime, Utc};

use super::core::{check, event, open_part, past_grace, rest, settle, utc};
use crate::ledger::may_be_out;
use crate::model::{Delivery, Event, Intent, LateThen, Reason, ReasonCode, Receipt, State};

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
    /// The account may be another one than the ledger knew (`smm resume --accept-change`). By now late, it goes by its own
    /// `late`: nothing was said of that.
    AcceptAccount,
    /// The account has credentials again (`smm login`). By now late, it goes by its own `late`; a thread that was begun
    /// goes on.
    SignedIn,
    /// The ledger was older than what had been seen, and the person adopts it (`smm ledger adopt`): what was due may be
    /// out, and waits for a word on each.
    Doubt,
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
        PersonCommand::AcceptAccount => accept(row, &mut next)?,
        PersonCommand::SignedIn => signed_in(row, &mut next)?,
        PersonCommand::Doubt => doubt(row, &mut next, now)?,
        PersonCommand::ResolvePublished { url } if is_doubted(row) => {
            // Of the whole of it: which parts the ledger before had sent nobody can tell.
            let (part, data) = (open_part(row), serde_json::Value::Null);
            next.receipts.push(Receipt { part, id: url.clone(), url: Some(url.clone()), at: now, data });
            rest(&mut next, State::Published, None, None);
            next.published_at = Some(now);
            next.prepared.clear();
            ("resolved", format!("published: {url}"))
        }
        PersonCommand::ResolvePublished { url } => {
            let part = resolvable(row)?.frozen.part;
            next.reason = None;
            let data = serde_json::Value::Null;
            settle(&mut next, Receipt { part, id: url.clone(), url: Some(url.clone()), at: now, data }, now);
            ("resolved", format!("published: {url}"))
        }
        PersonCommand::ResolveNotPublished => {
            if !is_doubted(row) {
                resolvable(row)?;
            }
            next.failures = 0;
            let started = !row.receipts.is_empty();
            let over = past_grace(row, now);
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
            // What announces a release was looked for before it was sent: it is not again.
            next.released |= row.occurrence.tag().is_some();
            ("resolved", "not published".to_owned())
        }
    };
    check(row, &next);
    let event = event(&next, kind, detail, actor, now);
    Ok((next, event))
}

fn retry(row: &Delivery, next: &mut Delivery) -> Result<(&'static str, String), String> {
    match row.state {
        State::Cancelled if row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Removed) => {
            return Err("it is no longer in the calendar; put the post back there".to_owned());
        }
        State::Failed | State::Missed | State::Held | State::Cancelled => {}
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

fn accept(row: &Delivery, next: &mut Delivery) -> Result<(&'static str, String), String> {
    if row.state != State::Held || row.reason.as_ref().is_none_or(|reason| reason.code != ReasonCode::AccountChanged) {
        return Err(format!("it is {}, not held for a changed account", row.state));
    }
    if !row.receipts.is_empty() {
        return Err("a part of it is out under the account's old identity: cancel the rest".to_owned());
    }
    rest(next, State::Planned, None, None);
    next.prepared.clear();
    Ok(("released", "the account's change is meant".to_owned()))
}

fn signed_in(row: &Delivery, next: &mut Delivery) -> Result<(&'static str, String), String> {
    let code = row.reason.as_ref().map(|reason| reason.code);
    if row.state != State::Held || !matches!(code, Some(ReasonCode::Credentials | ReasonCode::Secret)) {
        return Err(format!("it is {}, not held for want of credentials", row.state));
    }
    rest(next, State::Planned, None, None);
    next.failures = 0;
    // What was uploaded may have gone with the credentials.
    next.prepared.clear();
    Ok(("released", "its account has credentials again".to_owned()))
}

/// Held since it was due before an older ledger was adopted.
fn is_doubted(row: &Delivery) -> bool {
    row.state == State::Held && row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::LedgerOlder)
}

fn doubt(row: &Delivery, next: &mut Delivery, now: DateTime<Utc>) -> Result<(&'static str, String), String> {
    if !matches!(row.state, State::Planned | State::Claimed | State::Held) || row.due > now || is_doubted(row) {
        return Err(format!("it is {}, and due {}", row.state, utc(row.due)));
    }
    let mut reason = may_be_out();
    if let Some(before) = row.reason.as_ref().filter(|_| row.state == State::Held) {
        reason.message = format!("{}; before: {}", reason.message, before.message);
    }
    rest(next, State::Held, Some(reason), None);
    next.released = false;
    next.owner = None;
    Ok(("held", "the ledger was older than what had been seen, and was adopted".to_owned()))
}

fn resolvable(row: &Delivery) -> Result<&Intent, String> {
    match (row.state, &row.intent) {
        (State::Unknown, Some(intent)) => Ok(intent),
        (State::Sending, _) => {
            Err("it is being sent, or its process ended meanwhile; `smm publish` finds that out".to_owned())
        }
        (State::Published, _) => Err(format!("it is published already{}", at_url(row))),
        (state, _) => Err(format!("it is {state}; only an outcome that is not known can be resolved")),
    }
}

fn unresolved(row: &Delivery) -> String {
    format!(
        "whether it arrived is not known, so sending it again could post it twice; look at the account, then run \
         `smm resolve {id} --published URL` or `smm resolve {id} --not-published`",
        id = row.id.short()
    )
}

fn at_url(row: &Delivery) -> String {
    let url = row.receipts.first().and_then(|receipt| receipt.url.as_deref());
    url.map_or_else(String::new, |url| format!(", at {url}"))
}

#[cfg(test)]
mod tests {
    use super::super::core::Input;
    use super::super::samples::*;
    use super::*;
    use crate::adapter::{Fault, Refusal, RepeatSafety, Verdict};

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
    fn people_accept_a_changed_account_for_what_was_not_begun() {
        let reason = Some(Reason::new(ReasonCode::AccountChanged, "another"));
        let held = Delivery { state: State::Held, reason, ..planned() };
        let (row, _) = person(&held, &PersonCommand::AcceptAccount, start(), "ann").expect("allowed");
        assert_eq!((row.state, row.released), (State::Planned, false), "that it is late was not accepted");
        let begun = Delivery { receipts: vec![receipt(0)], ..held };
        assert!(person(&begun, &PersonCommand::AcceptAccount, start(), "ann").is_err());
        assert!(person(&planned(), &PersonCommand::AcceptAccount, start(), "ann").is_err());
    }

    #[test]
    fn signing_in_releases_what_waited_for_it() {
        let held = |code| Delivery { state: State::Held, reason: Some(Reason::new(code, "no")), ..planned() };
        for code in [ReasonCode::Credentials, ReasonCode::Secret] {
            // Of a thread, too: it goes on.
            let begun = Delivery { receipts: vec![receipt(0)], plan: Some(plan_of(2)), ..held(code) };
            for row in [held(code), begun] {
                let (row, event) = person(&row, &PersonCommand::SignedIn, after(9000), "ann").expect("allowed");
                assert_eq!((row.state, row.released), (State::Planned, false), "that it is late was not accepted");
                assert_eq!((row.reason, event.kind.as_str()), (None, "released"));
            }
        }
        for row in [held(ReasonCode::Late), held(ReasonCode::AccountChanged), planned()] {
            assert!(person(&row, &PersonCommand::SignedIn, start(), "ann").is_err(), "{row:?}");
        }
    }

    #[test]
    fn people_settle_what_an_older_ledger_leaves_open() {
        let doubt = |row: &Delivery| person(row, &PersonCommand::Doubt, after(60), "ann");
        let claimed = Delivery { owner: Some("gone".into()), ..claimed() };
        let late =
            Delivery { state: State::Held, reason: Some(Reason::new(ReasonCode::Late, "too late")), ..planned() };
        for row in [planned(), Delivery { released: true, ..planned() }, claimed, late] {
            let (held, event) = doubt(&row).expect("allowed");
            assert_eq!(told(&held), (State::Held, Some(ReasonCode::LedgerOlder)), "{}", row.state);
            assert_eq!((held.released, held.owner.as_ref(), event.kind.as_str()), (false, None, "held"));
            assert!(doubt(&held).is_err(), "once");
            assert!(person(&held, &PersonCommand::Release, after(60), "ann").is_err(), "no backlog lets it out");

            let url = "https://fedi.example/@acme/1".to_owned();
            let resolve = PersonCommand::ResolvePublished { url: url.clone() };
            let (out, _) = person(&held, &resolve, after(60), "ann").expect("allowed");
            assert_eq!((out.state, out.receipts[0].url.as_ref()), (State::Published, Some(&url)));
            let (not, _) = person(&held, &PersonCommand::ResolveNotPublished, after(60), "ann").expect("allowed");
            assert_eq!(not.state, State::Planned);
            let (not, _) = person(&held, &PersonCommand::ResolveNotPublished, after(5000), "ann").expect("allowed");
            assert_eq!(told(&not), (State::Held, Some(ReasonCode::Late)));
            let (again, _) = person(&held, &PersonCommand::Retry, after(5000), "ann").expect("allowed");
            assert_eq!((again.state, again.released), (State::Planned, true));
            assert!(person(&held, &PersonCommand::Cancel, after(60), "ann").is_ok());
        }
        let (message, _) = doubt(&Delivery {
            state: State::Held,
            reason: Some(Reason::new(ReasonCode::Credentials, "wrong password")),
            ..planned()
        })
        .expect("allowed");
        assert!(message.reason.expect("a reason").message.ends_with("before: wrong password"));
        // What is to come, what was sent, and what is over stays.
        let sending = sending(1, &rules(WINDOW));
        for row in [Delivery { due: after(61), ..planned() }, sending.clone(), lost(&rules(WINDOW))] {
            assert!(doubt(&row).is_err(), "{}", row.state);
        }
        // A thread of which a part was out by then: the person says it of the whole.
        let begun = Delivery { receipts: vec![receipt(0)], plan: Some(plan_of(3)), ..planned() };
        let (held, _) = doubt(&begun).expect("allowed");
        let resolve = PersonCommand::ResolvePublished { url: "https://fedi.example/@acme/2".to_owned() };
        let (out, _) = person(&held, &resolve, after(60), "ann").expect("allowed");
        assert_eq!((out.state, out.receipts.len()), (State::Published, 2));
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
}
