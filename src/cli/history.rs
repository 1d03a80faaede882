//! `smm history`.

use std::collections::BTreeMap;

use super::output::{self, Stream};
use super::target::Beside;
use super::workspace;
use super::{Exit, Failure, Format, Global};
use crate::ledger::{Ledger, OpenMode, Query};
use crate::model::{AccountName, Delivery, Event, PostId};
use crate::report::EventList;

/// Show what happened, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// At most so many lines
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Only of this post
    #[arg(long, value_name = "ID")]
    post: Option<String>,
    /// Only of this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[command(flatten)]
    beside: Beside,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let ledger = args.beside.ledger(global, OpenMode::ReadOnly)?;
    workspace::block_on(async {
        let (events, rows) = read(&*ledger, args).await?;
        let list = EventList::new(&events, &rows);
        match args.format {
            Format::Json => output::json(&list)?,
            Format::Human if events.is_empty() => output::stderr("nothing has happened yet\n"),
            Format::Human => output::stdout(&list.table(true, output::colours(Stream::Stdout)).to_string()),
        }
        Ok(Exit::Done)
    })
}

/// The events, newest first, and the deliveries that they are about.
async fn read(ledger: &dyn Ledger, args: &Args) -> Result<(Vec<Event>, Vec<Delivery>), Failure> {
    if args.post.is_none() && args.account.is_none() {
        let events = ledger.events(None, args.limit).await?;
        let mut rows = BTreeMap::new();
        for event in &events {
            if !rows.contains_key(&event.delivery)
                && let Some(row) = ledger.delivery(event.delivery).await?
            {
                rows.insert(event.delivery, row);
            }
        }
        return Ok((events, rows.into_values().collect()));
    }
    let query = Query {
        post: args.post.as_deref().map(PostId::new),
        account: args.account.as_deref().map(AccountName::new),
        ..Query::default()
    };
    let rows = ledger.deliveries(&query).await?;
    let mut events = Vec::new();
    for row in &rows {
        // Each history is in its order; a stable sort keeps it where two events are of the same instant.
        events.extend(ledger.events(Some(row.id), usize::MAX).await?.into_iter().rev());
    }
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events.truncate(args.limit);
    Ok((events, rows))
}
