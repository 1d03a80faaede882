//! A change that a person asks for: decided by the engine, written to the ledger, told to whoever publishes.

use std::fmt::Write as _;

use super::output::{self, Stream, Style};
use super::target::{TargetArgs, find, name};
use super::{Exit, Failure, Format, Global, workspace};
use crate::engine::{PersonCommand, person};
use crate::ledger::{Ledger, OpenMode, Query, Write, Written};
use crate::model::{AccountName, Delivery, ReasonCode, State};
use crate::report::{DeliveryList, DeliveryView};
use crate::time::{Clock, SystemClock};

/// How often a row is read again when somebody else has changed it meanwhile.
const ROUNDS: usize = 5;

/// What became of a change.
#[derive(Debug, Default)]
struct Outcome {
    /// The rows as they are now, each with what happened.
    changed: Vec<(Delivery, String)>,
    /// The rows that were left as they are, with why.
    refused: Vec<(Delivery, String)>,
}

/// Carries out a command on the deliveries that the arguments name. `note`: what the person says of it.
pub(super) fn run(
    target: &TargetArgs,
    global: &Global,
    command: &PersonCommand,
    note: Option<&str>,
) -> Result<Exit, Failure> {
    let ledger = target.beside.ledger(global, OpenMode::ReadWrite)?;
    workspace::block_on(async {
        let rows = find(&*ledger, target, global).await?;
        if let PersonCommand::ResolvePublished { .. } = command
            && rows.iter().filter(|row| is_open(row)).count() > 1
        {
            return Err(Failure::new(format!("`{}` has several deliveries whose outcome is not known", target.id))
                .hint("one address settles one of them: name it by its own id (`smm status` shows it)"));
        }
        let outcome = apply(&*ledger, rows, command, note).await?;
        if !outcome.changed.is_empty() {
            ring(&*ledger).await;
        }
        report(&outcome, target.format, global)
    })
}

/// Tells whoever publishes. The change is durable: a bell that does not ring only makes it seen later.
pub(super) async fn ring(ledger: &dyn Ledger) {
    if let Err(error) = ledger.ring().await {
        let label = output::paint(Stream::Stderr, Style::Warning, "warning:");
        output::stderr(&format!("{label} {}\n", output::printable(&error.to_string())));
    }
}

/// Lets the deliveries go on that wait since their account has become another one; gives what happened to each.
pub(super) async fn accept_account(ledger: &dyn Ledger, account: &AccountName) -> Result<String, Failure> {
    let query = Query { account: Some(account.clone()), states: vec![State::Held], ..Query::default() };
    let mut rows = ledger.deliveries(&query).await?;
    rows.retain(|row| row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::AccountChanged));
    let outcome = apply(ledger, rows, &PersonCommand::AcceptAccount, None).await?;
    Ok(told(&outcome))
}

/// Lets the deliveries go on that wait since the account had no credentials, or wrong ones; gives how many, and what happened
/// to each.
pub(super) async fn signed_in(ledger: &dyn Ledger, account: &AccountName) -> Result<(usize, String), Failure> {
    let query = Query { account: Some(account.clone()), states: vec![State::Held], ..Query::default() };
    let mut rows = ledger.deliveries(&query).await?;
    let codes = [ReasonCode::Credentials, ReasonCode::Secret];
    rows.retain(|row| row.reason.as_ref().is_some_and(|reason| codes.contains(&reason.code)));
    let outcome = apply(ledger, rows, &PersonCommand::SignedIn, None).await?;
    Ok((outcome.changed.len(), told(&outcome)))
}

/// Nobody knows whether it is out.
fn is_open(row: &Delivery) -> bool {
    let doubted = row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::LedgerOlder);
    row.state == State::Unknown || (row.state == State::Held && doubted)
}

async fn apply(
    ledger: &dyn Ledger,
    rows: Vec<Delivery>,
    command: &PersonCommand,
    note: Option<&str>,
) -> Result<Outcome, Failure> {
    let actor = workspace::actor();
    let mut outcome = Outcome::default();
    let mut left = rows;
    for _ in 0..ROUNDS {
        let now = SystemClock.now();
        let mut writes = Vec::new();
        let mut before = Vec::new();
        for row in left.drain(..) {
            match person(&row, command, now, &actor) {
                Ok((delivery, mut event)) => {
                    if let Some(note) = note {
                        event.detail = format!("{} ({note})", event.detail);
                    }
                    writes.push(Write::new(delivery, row.version, event));
                    before.push(row);
                }
                Err(why) => outcome.refused.push((row, why)),
            }
        }
        let answers = ledger.write(&writes).await?;
        for ((write, row), answer) in writes.into_iter().zip(before).zip(answers) {
            match answer {
                Written::Done => {
                    let version = write.expect + 1;
                    outcome.changed.push((Delivery { version, ..write.delivery }, write.event.detail));
                }
                // Gone cannot be: rows are never deleted.
                Written::Stale => left.extend(ledger.delivery(row.id).await?),
                Written::AlreadyOut { .. } => {
                    outcome.refused.push((row, "another delivery has brought it out".to_owned()));
                }
            }
        }
        if left.is_empty() {
            return Ok(outcome);
        }
    }
    let busy = "it changes all the time; try again".to_owned();
    outcome.refused.extend(left.into_iter().map(|row| (row, busy.clone())));
    Ok(outcome)
}

/// A line for each delivery.
fn told(outcome: &Outcome) -> String {
    let mut text = String::new();
    for (row, what) in &outcome.changed {
        let _ = writeln!(text, "{}: {what}; it is {} now", name(row), row.state);
    }
    for (row, why) in &outcome.refused {
        let _ = writeln!(text, "{}: left as it is: {why}", name(row));
    }
    text
}

fn report(outcome: &Outcome, format: Format, global: &Global) -> Result<Exit, Failure> {
    if outcome.changed.is_empty() {
        let whys: Vec<String> = outcome.refused.iter().map(|(row, why)| format!("{}: {why}", name(row))).collect();
        return Err(Failure::new(whys.join("\n")));
    }
    if !global.quiet {
        output::stderr(&output::printable(&told(outcome)));
    }
    if format == Format::Json {
        let deliveries = outcome.changed.iter().map(|(row, _)| DeliveryView::from(row)).collect();
        output::json(&DeliveryList { deliveries })?;
    }
    Ok(Exit::Done)
}
