//! `smm resume`.

use std::collections::BTreeSet;

use super::pause::{Paused, account, held_off, paused};
use super::target::Beside;
use super::workspace::{self, Settings};
use super::{Exit, Failure, Format, Global, change, output};
use crate::ledger::{Ledger, OpenMode, Query};
use crate::model::AccountName;
use crate::time::{Clock, SystemClock};

/// Publish again on an account, or on all, after `smm pause`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The account; without it the pause of everything ends, and those of single accounts stay
    #[arg(value_name = "ACCOUNT")]
    account: Option<String>,
    /// The account has become another one (another host, another identity), and that is meant: whoever its credentials
    /// belong to at the next sign-in is it from then on
    #[arg(long, requires = "account")]
    accept_change: bool,
    #[command(flatten)]
    beside: Beside,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let settings = Settings::read(global, &args.beside.calendar().file());
    let ledger = settings.ledger(OpenMode::ReadWrite)?;
    workspace::block_on(async {
        let account = account(&*ledger, &settings, args.account.as_deref(), &args.beside, global).await?;
        let what = account.as_ref().map_or("everything", AccountName::as_str);
        let was = match &account {
            Some(name) => ledger.account(name).await?.paused,
            None => ledger.paused().await?,
        };
        if was.is_some() {
            ledger.pause(account.as_ref(), None).await?;
        }
        if args.accept_change
            && let Some(name) = &account
        {
            let mut text = match ledger.unbind(name).await? {
                Some(old) => format!("{name} is no longer bound to {} ({}) at {}\n", old.handle, old.uid, old.host),
                None => format!("{name} was not bound to anybody\n"),
            };
            text.push_str(&change::accept_account(&*ledger, name).await?);
            if !global.quiet {
                output::stderr(&output::printable(&text));
            }
        }
        let left_alone = match &account {
            Some(name) => !held_off(&*ledger, std::slice::from_ref(name), SystemClock.now()).await?.is_empty(),
            None => false,
        };
        if left_alone && let Some(name) = &account {
            ledger.hold_on(name).await?;
            if !global.quiet {
                output::stderr(&format!("{name} was left alone for a while; it is tried again now\n"));
            }
        }
        if was.is_some() || args.accept_change || left_alone {
            change::ring(&*ledger).await;
        }
        if !global.quiet {
            let still = account.is_some() && ledger.paused().await?.is_some();
            output::stderr(&match (was.is_some(), still) {
                (true, true) => {
                    format!("{what} is no longer paused by itself, but everything is paused: `smm resume`\n")
                }
                (false, true) => format!("{what} has no pause of its own, but everything is paused: `smm resume`\n"),
                (true, false) if account.is_none() => match alone(&*ledger, &settings).await?.join(", ") {
                    none if none.is_empty() => "everything goes on\n".to_owned(),
                    names => format!("everything goes on, save what is paused by itself: {names}\n"),
                },
                (true, false) => format!("{what} goes on\n"),
                (false, false) if args.accept_change || left_alone => String::new(),
                (false, false) => format!("{what} was not paused\n"),
            });
        }
        if args.format == Format::Json {
            output::json(&Paused { paused: paused(&*ledger, account.as_slice()).await? })?;
        }
        Ok(Exit::Done)
    })
}

/// The accounts that have a pause of their own, among those of smm.toml and of the latest deliveries.
async fn alone(ledger: &dyn Ledger, settings: &Settings) -> Result<Vec<String>, Failure> {
    let mut names: BTreeSet<AccountName> = settings.config()?.accounts.keys().cloned().collect();
    let query = Query { latest: Some(1000), ..Query::default() };
    names.extend(ledger.deliveries(&query).await?.into_iter().map(|row| row.account));
    let paused = paused(ledger, &names.into_iter().collect::<Vec<_>>()).await?;
    Ok(paused.into_iter().filter_map(|pause| pause.account).map(|name| name.to_string()).collect())
}
