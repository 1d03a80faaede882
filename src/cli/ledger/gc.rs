//! `smm ledger gc`.

use std::time::Duration;

use chrono::TimeDelta;

use super::super::output;
use super::super::publish::duration;
use super::super::target::Beside;
use super::{Exit, Failure, Global, block_on, deliveries, existing, older};
use crate::ledger::OpenMode;
use crate::time::{Clock as _, SystemClock};

/// Make a ledger in git smaller: cut its history off, and fold what was settled long ago
///
/// What is folded keeps its name and its receipts, so that it is never sent again; its history goes. Other machines go on
/// with it as before. A ledger in a file or in PostgreSQL has no need of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fold what was settled longer ago than this
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = duration)]
    older_than: Duration,
    #[command(flatten)]
    beside: Beside,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let ledger = existing(&args.beside, global, OpenMode::ReadWrite)?;
    let before = SystemClock.now() - TimeDelta::from_std(args.older_than).unwrap_or(TimeDelta::days(90));
    let collected = block_on(async {
        older::refuse(&*ledger).await?;
        let Some(mut all) = ledger.gc(before).await? else { return Ok(None) };
        while all.left {
            let Some(more) = ledger.gc(before).await? else { break };
            (all.folded, all.left) = (all.folded + more.folded, more.left);
        }
        Ok(Some(all))
    })?;
    if !global.quiet {
        output::stderr(&match collected {
            None => "there is nothing to collect: only a ledger in git grows with its history\n".to_owned(),
            Some(all) => {
                let s = if all.commits == 1 { "" } else { "s" };
                format!("cut off {} commit{s} and folded {}\n", all.commits, deliveries(all.folded))
            }
        });
    }
    Ok(Exit::Done)
}
