//! `smm status`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;

use super::output::{self, Stream, Style};
use super::pause::{held_off, paused};
use super::workspace::{self, CalendarArg, Settings, Workspace};
use super::{Exit, Failure, Format, Global, older};
use crate::ledger::{Burst, Ledger, OpenMode, Query};
use crate::model::{Account, AccountName, CalendarName, Delivery, State};
use crate::report::Status;
use crate::schedule::turns;
use crate::time::{Clock, SystemClock};

/// Posts of `smm post` belong to a calendar of this name.
const POSTS: &str = "post";

/// An alert that could not be told for so long is itself something that needs a person.
const UNHEARD: TimeDelta = TimeDelta::minutes(5);

/// Show the state of every delivery
///
/// What needs a person comes first, then what is next, then what went out last. Times are the calendar's. The exit status
/// is 1 while something needs a person or an alert could not be told for minutes, and 3 while an outcome is unknown. Without a calendar, everything in the ledger is
/// shown.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// Leave nothing out of the table (JSON has everything in any case)
    #[arg(long)]
    all: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let settings = Settings::read(global, &args.calendar.file());
    let (name, accounts) = calendar(args, global, &settings)?;
    let burst = Burst::of(settings.config()?.delivery.catch_up);
    let targets: Vec<String> = settings.config()?.alerts.iter().map(|alert| alert.name.clone()).collect();
    let ledger = settings.ledger(OpenMode::ReadOnly)?;
    workspace::block_on(async {
        let rows = rows(&*ledger, name).await?;
        let named: BTreeSet<_> = rows.iter().map(|row| row.account.clone()).collect();
        let (named, now) = (named.into_iter().collect::<Vec<_>>(), SystemClock.now());
        let paused = paused(&*ledger, &named).await?;
        let held_off = held_off(&*ledger, &named, now).await?;
        let untold = ledger.untold(&targets).await?;
        let last_sent = workspace::last_sent(&*ledger, accounts.values()).await?;
        let turns = turns(&rows, &accounts, &last_sent, burst, now);
        let age = ledger.age().await?;
        let status = Status::new(&rows, paused, now).held_off(held_off).untold(&untold).turns(&turns).age(&age);
        let needy = status.count(State::needs_person);
        let unheard = untold.iter().any(|errand| now - errand.alert.tell_at >= UNHEARD);
        match args.format {
            Format::Json => output::json(&status)?,
            Format::Human => {
                output::stdout(&status.human(args.all, output::colours(Stream::Stdout)));
                if status.older.is_some() {
                    older::hint(global);
                }
                if needy > 0 && !global.quiet {
                    let label = output::paint(Stream::Stderr, Style::Hint, "hint:");
                    output::stderr(&format!(
                        "{label} `smm show ID` tells more; settle it with `smm retry ID`, `smm cancel ID` or, when its \
                         outcome is not known, `smm resolve ID`\n"
                    ));
                }
            }
        }
        Ok(match status.count(|state| state == State::Unknown) {
            0 if needy == 0 && !unheard && status.older.is_none() => Exit::Done,
            0 => Exit::Failed,
            _ => Exit::Unknown,
        })
    })
}

/// The calendar's name (`None`: there is none here, or it cannot be read just now), and the accounts that are known.
fn calendar(
    args: &Args,
    global: &Global,
    settings: &Settings,
) -> Result<(Option<CalendarName>, BTreeMap<AccountName, Account>), Failure> {
    let own = || settings.config.as_ref().map(|config| config.accounts.clone()).unwrap_or_default();
    if args.calendar.calendar == Path::new("calendar.toml") && !args.calendar.file().exists() {
        return Ok((None, own()));
    }
    let workspace = Workspace::read(&args.calendar, global)?;
    let name = workspace.loaded.calendar.as_ref().map(|calendar| calendar.name.clone());
    if name.is_none() {
        let label = output::paint(Stream::Stderr, Style::Warning, "warning:");
        output::stderr(&format!(
            "{label} the calendar cannot be read (see `smm check`), so the deliveries of all calendars are shown\n"
        ));
    }
    let accounts = workspace.loaded.calendar.map_or_else(own, |calendar| calendar.accounts);
    Ok((name, accounts))
}

/// Earliest due first.
async fn rows(ledger: &dyn Ledger, name: Option<CalendarName>) -> Result<Vec<Delivery>, Failure> {
    let Some(name) = name else { return Ok(ledger.deliveries(&Query::default()).await?) };
    let posts = CalendarName::new(POSTS);
    let mut rows = Vec::new();
    if name != posts {
        rows = ledger.deliveries(&Query { calendar: Some(posts), ..Query::default() }).await?;
    }
    rows.extend(ledger.deliveries(&Query { calendar: Some(name), ..Query::default() }).await?);
    rows.sort_by_key(|row| (row.due, row.id));
    Ok(rows)
}
