//! `smm plan --since`: what the change since a commit does.

use std::path::Path;

use super::revision::Revision;
use super::{Args, Format};
use crate::calendar::{self, Calendar, Config, Loaded};
use crate::cli::output::{self, Stream};
use crate::cli::workspace::{Workspace, block_on};
use crate::cli::{Exit, Failure, Global};
use crate::ledger::{CalendarRecord, OpenMode, Query};
use crate::model::{Delivery, Origin, Severity};
use crate::networks;
use crate::report::{SincePlan, Source, edited};
use crate::schedule::{Ledgered, Side, since};
use crate::time::{Clock as _, SystemClock};

/// Most bytes of a comment. GitHub takes 65,536 characters (2026-11-23); a bot may want to add a line.
const COMMENT: usize = 65_000;

pub(super) fn run(args: &Args, revision: &str, global: &Global) -> Result<Exit, Failure> {
    let workspace = Workspace::read(&args.calendar, global)?;
    let calendar = workspace.calendar()?;
    let now = SystemClock.now();
    let folder = workspace.file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let revision = Revision::open(folder, revision)?;
    let before = before(&workspace, &revision)?;
    let ledgered = if args.no_ledger { None } else { ledgered(&workspace, calendar, global) };

    let old = before.as_ref().and_then(|loaded| Some((loaded.calendar.as_ref()?, loaded)));
    let side = old.map(|(calendar, loaded)| Side { calendar, ids: &loaded.ids });
    let differs =
        |was: &_, is: &_, account: &_| old.is_none_or(|(before, _)| edited(before, calendar, was, is, account));
    let known = ledgered.as_ref().map(|(rows, record)| Ledgered { rows, record });
    let differences = since(side, Side { calendar, ids: &workspace.loaded.ids }, known, &differs, now);
    let errors = workspace.loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let source = Source {
        commit: revision.commit.clone(),
        renamed: old.map(|(before, _)| before.name.clone()).filter(|name| *name != calendar.name),
        is_new: old.is_none(),
        has_ledger: ledgered.is_some(),
        mistakes: errors,
    };
    let plan = SincePlan::new(calendar, differences, source, now);
    match args.format {
        Format::Human => output::stdout(&plan.human(output::colours(Stream::Stdout))),
        Format::Json => output::json(&plan.json())?,
        Format::Markdown => output::machine(&plan.markdown(COMMENT)),
    }
    Ok(Exit::Done)
}

/// The calendar as it was. `None`: there was none.
fn before(workspace: &Workspace, revision: &Revision) -> Result<Option<Loaded>, Failure> {
    let name = workspace.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !revision.has(name) {
        return Ok(None);
    }
    let empty = Config::default();
    // The operator's accounts are those of today: what a change does to them is not the calendar's.
    let config = workspace.settings.config.as_ref().unwrap_or(&empty);
    let loaded = calendar::load_from(revision, &workspace.file, config, &networks::known());
    if loaded.calendar.is_none() {
        return Err(Failure::new(format!(
            "the calendar in {} has neither a name nor a zone that can be read",
            revision.commit
        ))
        .hint("compare with a commit in which `smm check` finds nothing"));
    }
    Ok(Some(loaded))
}

/// What the ledger knows. `None`: there is none to be had, or it has never seen this calendar.
fn ledgered(workspace: &Workspace, calendar: &Calendar, global: &Global) -> Option<(Vec<Delivery>, CalendarRecord)> {
    let read = || -> Result<(Vec<Delivery>, CalendarRecord), Failure> {
        let ledger = workspace.settings.ledger(OpenMode::ReadOnly)?;
        block_on(async {
            let query = Query { calendar: Some(calendar.name.clone()), ..Query::default() };
            let mut rows = ledger.deliveries(&query).await?;
            rows.retain(|row| row.origin == Origin::Calendar);
            Ok((rows, ledger.calendar(&calendar.name).await?))
        })
    };
    match read() {
        Ok((rows, record)) => record.first_seen.is_some().then_some((rows, record)),
        Err(error) => {
            if !global.quiet {
                let word = output::paint(Stream::Stderr, output::Style::Warning, "warning:");
                output::stderr(&format!(
                    "{word} the ledger cannot be read: {}\n",
                    output::printable(&error.to_string())
                ));
            }
            None
        }
    }
}
