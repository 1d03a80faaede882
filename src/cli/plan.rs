//! `smm plan`.

mod revision;
mod since;

use chrono::{DateTime, Utc};

use super::output::{self, Stream};
use super::workspace::{CalendarArg, Workspace, block_on, last_sent};
use super::{Exit, Failure, Global, older};
use crate::compose;
use crate::engine::compare;
use crate::ledger::{Burst, OpenMode, Query};
use crate::model::{Account, Origin, Post, Problem, Severity, Standings};
use crate::report::{Plan, Scope};
use crate::time::{Clock as _, SystemClock, Zone, parse_human_in};

/// Show what will go out when, against the ledger
///
/// Nothing is changed: the ledger is only read, and one that does not exist yet is an empty one. Times are those of the
/// calendar's zone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Tell what the change since this commit does: what it adds, moves or drops, and what would be sent again
    ///
    /// The calendar of the commit is read from git's objects; nothing is checked out. A ledger is asked where there is one;
    /// without any, every post whose time is past is taken to be out.
    #[arg(long, value_name = "REV", conflicts_with_all = ["until", "limit"])]
    since: Option<String>,
    /// With --since: ask no ledger, whatever smm.toml says
    #[arg(long, requires = "since")]
    no_ledger: bool,
    /// Leave out what is due later, such as `fri 18:00` or `2026-12-31`
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// At most this many deliveries to come, and as many times of each series [default: 50 for people, and 5 times of
    /// each series]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// Lines that people are shown unasked.
const LINES: usize = 50;
/// Times of each series.
const PER_SERIES: usize = 5;

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    if let Some(revision) = &args.since {
        return since::run(args, revision, global);
    }
    let workspace = Workspace::read(&args.calendar, global)?;
    let calendar = workspace.calendar()?;
    let now = SystemClock.now();
    let until = args.until.as_deref().map(|text| until(text, &calendar.zone, now)).transpose()?;

    let ledger = workspace.settings.ledger(OpenMode::ReadOnly)?;
    let (rows, record, last_sent, age, next) = block_on(async {
        let query = Query { calendar: Some(calendar.name.clone()), ..Query::default() };
        let last_sent = last_sent(&*ledger, calendar.accounts.values()).await?;
        let age = ledger.age().await?;
        let mut rows = ledger.deliveries(&query).await?;
        rows.retain(|row| row.origin == Origin::Calendar);
        let record = ledger.calendar(&calendar.name).await?;
        let next = compare(&*ledger, calendar, &workspace.loaded.ids, &Standings::of(&rows), &record, now).await?;
        Ok((rows, record, last_sent, age, next))
    })?;
    let limit = args.limit.or((args.format != Format::Json).then_some(LINES));
    let burst = Burst::of(workspace.config()?.delivery.catch_up);
    let scope = Scope { until, per_series: args.limit.unwrap_or(PER_SERIES), limit, burst };
    let plan = Plan::new(calendar, &rows, &record, &last_sent, &next, now, scope).priced(calendar);
    match args.format {
        Format::Human => output::stdout(&plan.human(output::colours(Stream::Stdout))),
        Format::Json => output::json(&plan.json())?,
        Format::Markdown => output::machine(&plan.markdown()),
    }
    older::warn(&age, global);
    if !global.quiet {
        warn_of_endings(&compose::endings(calendar, now));
    }
    let errors = workspace.loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    if errors > 0 && !global.quiet {
        let hint = output::paint(Stream::Stderr, output::Style::Warning, "warning:");
        let mistakes = if errors == 1 { "1 mistake" } else { &format!("{errors} mistakes") };
        output::stderr(&format!(
            "{hint} the calendar has {mistakes}; posts that cannot be read are left out (`smm check` shows them)\n"
        ));
    }
    Ok(Exit::Done)
}

/// Says once for each account what its network takes no more when a post is due, or soon.
fn warn_of_endings(endings: &[(&Post, &Account, Problem)]) {
    let hint = output::paint(Stream::Stderr, output::Style::Warning, "warning:");
    for of_one in endings.chunk_by(|(_, one, _), (_, other, _)| one.name == other.name) {
        let [(post, account, problem), rest @ ..] = of_one else { continue };
        let more = match rest.len() {
            0 => String::new(),
            1 => " (and 1 more post)".to_owned(),
            more => format!(" (and {more} more posts)"),
        };
        let help = problem.help.as_deref().map(|help| format!("; {help}")).unwrap_or_default();
        output::stderr(&format!("{hint} `{}` to {}: {}{more}{help}\n", post.id, account.name, problem.message));
    }
}

/// A time, or the end of a day.
fn until(text: &str, zone: &Zone, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    parse_human_in(text, zone, now)
        .or_else(|error| parse_human_in(&format!("{text} 23:59:59"), zone, now).map_err(|_| error))
        .map_err(|error| Failure::usage(format!("--until: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_its_end() {
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        let now = "2026-11-22T12:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("2026-12-31", "2026-12-31T22:59:59Z"),
            ("2026-12-31 18:00", "2026-12-31T17:00:00Z"),
            ("tomorrow", "2026-11-23T22:59:59Z"),
            ("in 2 weeks", "2026-12-06T12:00:00Z"),
        ] {
            let expected: DateTime<Utc> = expected.parse().expect("a time");
            assert_eq!(until(text, &zone, now).expect("it is read"), expected, "{text}");
        }
        assert!(until("someday", &zone, now).is_err());
    }
}
