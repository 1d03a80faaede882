//! `smm show`.

use serde::Serialize;

use super::output::{self, Stream};
use super::target::{TargetArgs, find};
use super::workspace;
use super::{Exit, Failure, Format, Global};
use crate::ledger::OpenMode;
use crate::report::Detail;
use crate::time::{Clock, SystemClock};

/// Show all that the ledger knows of a delivery
///
/// Its parts, where they are, its history, and the request whose outcome is open, if there is one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Details<'a> {
    deliveries: Vec<Detail<'a>>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let ledger = args.target.beside.ledger(global, OpenMode::ReadOnly)?;
    workspace::block_on(async {
        let rows = find(&*ledger, &args.target, global).await?;
        let mut histories = Vec::with_capacity(rows.len());
        for row in &rows {
            histories.push((ledger.events(Some(row.id), usize::MAX).await?, ledger.alerts(row.id).await?));
        }
        let now = SystemClock.now();
        let details = rows.iter().zip(&histories).map(|(row, (events, alerts))| Detail::new(row, events, alerts, now));
        match args.target.format {
            Format::Json => output::json(&Details { deliveries: details.collect() })?,
            Format::Human => {
                let colour = output::colours(Stream::Stdout);
                let texts: Vec<String> = details.map(|detail| detail.human(colour)).collect();
                output::stdout(&texts.join("\n"));
            }
        }
        Ok(Exit::Done)
    })
}
