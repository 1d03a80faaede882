//! `smm ledger adopt`.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::super::output::{self, Stream};
use super::super::workspace::{CalendarArg, Settings, Workspace, actor};
use super::{Exit, Failure, Format, Global, asked, block_on, deliveries};
use crate::engine;
use crate::ledger::{CalendarRecord, Ledger, OpenMode};
use crate::model::{Delivery, DeliveryId, ReasonCode};
use crate::report::{DeliveryList, DeliveryView, Status};
use crate::schedule::schedule;
use crate::time::{Clock as _, SystemClock};

/// Take a restored ledger as it is, and hold what may be out already
///
/// A ledger that is older than what this machine has seen of it does not know what went out since, so nothing is sent from
/// it. This shows what was seen and what the ledger says. Then everything that was due by now, and that the ledger does not
/// know to be out, is held, and what is to come goes on as planned. Settle each of them with `smm resolve ID --published
/// URL`, `smm retry ID` or `smm cancel ID`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// How the held deliveries are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let settings = Settings::read(global, &args.calendar.file());
    let ledger = settings.ledger(OpenMode::ReadWrite)?;
    // Without a calendar here the ledger is adopted all the same: its deliveries are of any number of them.
    let workspace = args.calendar.file().exists().then(|| Workspace::read(&args.calendar, global)).transpose()?;
    block_on(async {
        let Some(doubt) = ledger.age().await?.doubt() else {
            if !global.quiet {
                output::stderr("the ledger is as new as this machine has seen it; there is nothing to adopt\n");
            }
            return list(args, &[]);
        };
        let now = SystemClock.now();
        let about = ledger.about().await?;
        let mut rows = engine::doubted(&*ledger, now).await?;
        rows.extend(unseen(&*ledger, workspace.as_ref(), &rows, now).await?);
        output::stderr(&output::printable(&format!(
            "{} at {}: {doubt}\nit has {}; {} due by now and not known to be out would be held\n",
            about.kind,
            about.place,
            deliveries(about.deliveries()),
            deliveries(rows.len() as u64),
        )));
        if !args.yes {
            match asked("Is the ledger the right one, and is it to be used as it is?") {
                Some(true) => {}
                Some(false) => return Err(Failure::new("nothing was changed, and nothing is sent")),
                None => {
                    return Err(Failure::new("nothing was changed: there is nobody to ask")
                        .hint("`--yes` adopts the ledger without a question"));
                }
            }
        }
        engine::adopt(&*ledger, now, &actor()).await?;
        ledger.ring().await?;
        if !global.quiet {
            output::stderr(
                "adopted; look at the accounts, and settle what is held with `smm resolve ID --published URL`, \
                            `smm retry ID` or `smm cancel ID`\n",
            );
        }
        // Those that the calendar makes are stored by whoever publishes next.
        let mut held = Vec::with_capacity(rows.len());
        for row in rows {
            held.push(ledger.delivery(row.id).await?.unwrap_or(row));
        }
        list(args, &held)
    })
}

/// What the calendar would yet make of times before the adoption.
async fn unseen(
    ledger: &dyn Ledger,
    workspace: Option<&Workspace>,
    doubted: &[Delivery],
    now: DateTime<Utc>,
) -> Result<Vec<Delivery>, Failure> {
    let Some(workspace) = workspace else { return Ok(Vec::new()) };
    let Some(calendar) = &workspace.loaded.calendar else { return Ok(Vec::new()) };
    let known: HashSet<DeliveryId> = doubted.iter().map(|row| row.id).collect();
    let mut rows = ledger.standings(&calendar.name).await?;
    rows.open.retain(|row| !known.contains(&row.id));
    let record = CalendarRecord { adopted: Some(now), ..ledger.calendar(&calendar.name).await? };
    let made = schedule(calendar, &workspace.loaded.ids, &rows, &record, now);
    let mut held = Vec::new();
    for change in &made.changes {
        let row = &change.after;
        let is_held = row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::LedgerOlder);
        if is_held && !known.contains(&row.id) {
            let present = ledger.delivery(row.id).await?;
            held.push(change.row(&made.calendar, present.as_ref()));
        }
    }
    Ok(held)
}

fn list(args: &Args, rows: &[Delivery]) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    match args.format {
        Format::Json => {
            output::json(&DeliveryList { deliveries: rows.iter().map(|row| DeliveryView::at(row, now)).collect() })?;
        }
        Format::Human if rows.is_empty() => {}
        Format::Human => {
            output::stdout(&Status::new(rows, Vec::new(), now).human(true, output::colours(Stream::Stdout)));
        }
    }
    Ok(Exit::Done)
}
