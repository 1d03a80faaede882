//! `smm pause`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::target::Beside;
use super::workspace::{self, Settings, Workspace};
use super::{Exit, Failure, Format, Global, change, output};
use crate::ledger::{Ledger, OpenMode, Query};
use crate::model::AccountName;
use crate::report::{HoldOffView, PauseView};
use crate::time::{Clock, SystemClock};

/// Publish nothing on an account, or on any, until `smm resume`
///
/// A call that is under way ends. What falls due meanwhile waits; once resumed it goes by its own rule for being late.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account; all of them without it
    #[arg(value_name = "ACCOUNT")]
    pub(super) account: Option<String>,
    /// Why: shown by `smm status`
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    pub(super) beside: Beside,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// What is paused now, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Paused {
    pub(super) paused: Vec<PauseView>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let settings = Settings::read(global, &args.beside.calendar().file());
    let ledger = settings.ledger(OpenMode::ReadWrite)?;
    workspace::block_on(async {
        let account = account(&*ledger, &settings, args.account.as_deref(), &args.beside, global).await?;
        let actor = workspace::actor();
        let reason = if args.reason.is_empty() { format!("by {actor}") } else { format!("{} ({actor})", args.reason) };
        ledger.pause(account.as_ref(), Some((SystemClock.now(), reason))).await?;
        change::ring(&*ledger).await;
        if !global.quiet {
            output::stderr(&match &account {
                Some(name) => format!("{name} is paused; `smm resume {name}` goes on\n"),
                None => "everything is paused; `smm resume` goes on\n".to_owned(),
            });
        }
        if args.format == Format::Json {
            output::json(&Paused { paused: paused(&*ledger, account.as_slice()).await? })?;
        }
        Ok(Exit::Done)
    })
}

/// The pauses of everything and of these accounts.
pub(super) async fn paused(ledger: &dyn Ledger, accounts: &[AccountName]) -> Result<Vec<PauseView>, Failure> {
    let mut paused = Vec::new();
    if let Some((since, reason)) = ledger.paused().await? {
        paused.push(PauseView { account: None, since, reason });
    }
    for account in accounts {
        if let Some((since, reason)) = ledger.account(account).await?.paused {
            paused.push(PauseView { account: Some(account.clone()), since, reason });
        }
    }
    Ok(paused)
}

/// Which of these accounts are left alone for a while, after `now`.
pub(super) async fn held_off(
    ledger: &dyn Ledger,
    accounts: &[AccountName],
    now: DateTime<Utc>,
) -> Result<Vec<HoldOffView>, Failure> {
    let mut held = Vec::new();
    for account in accounts {
        if let Some((until, reason)) = ledger.account(account).await?.hold_off.filter(|(until, _)| *until > now) {
            held.push(HoldOffView { account: account.clone(), until, reason });
        }
    }
    Ok(held)
}

/// The account of that name. A name that nobody knows is refused: whoever pauses has to be sure that it holds.
pub(super) async fn account(
    ledger: &dyn Ledger,
    settings: &Settings,
    name: Option<&str>,
    beside: &Beside,
    global: &Global,
) -> Result<Option<AccountName>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let name = AccountName::parse(name).map_err(|error| Failure::usage(error.to_string()))?;
    if settings.config()?.accounts.contains_key(&name) {
        return Ok(Some(name));
    }
    let query = Query { account: Some(name.clone()), latest: Some(1), ..Query::default() };
    if !ledger.deliveries(&query).await?.is_empty() {
        return Ok(Some(name));
    }
    let calendar = beside.calendar();
    let mut known: Vec<String> = settings.config()?.accounts.keys().map(ToString::to_string).collect();
    if calendar.file().exists() {
        let workspace = Workspace::read(&calendar, global)?;
        if let Some(calendar) = &workspace.loaded.calendar {
            if calendar.accounts.contains_key(&name) {
                return Ok(Some(name));
            }
            known = calendar.accounts.keys().map(ToString::to_string).collect();
        }
    }
    let failure = Failure::new(format!("there is no account `{name}`"));
    Err(if known.is_empty() { failure } else { failure.hint(format!("known accounts: {}", known.join(", "))) })
}
