//! `smm publish`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::output::{self, Stream};
use super::workspace::{self, CalendarArg, Workspace};
use super::{Exit, Failure, Format, Global, delivering, older, upload};
use crate::calendar::Calendar;
use crate::engine::{Pass, Signals, World, compare, release_backlog, wait_for};
use crate::ledger::{Burst, Ledger, LedgerError, OpenMode, Query};
use crate::model::{Delivery, DeliveryId, Origin, ReasonCode, Standings, State};
use crate::report::{DeliveryList, DeliveryView, Status, duration as duration_of};
use crate::schedule::{Turn, Wait, turns};
use crate::time::{Clock, SystemClock};

/// Another process that publishes is given so long to publish what is due.
const OTHERS: TimeDelta = TimeDelta::seconds(60);

/// Publish what is due, then exit
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// Also publish what is held for being late, or from before the first run
    #[arg(long)]
    backlog: bool,
    /// Only this delivery or post; may be given several times
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Wait at most so long for outcomes that are unknown, as in 90s or 5m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    wait: Duration,
    /// How the deliveries are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let workspace = Workspace::read(&args.calendar, global)?;
    let calendar = workspace.sound_calendar()?;
    let ledger = workspace.settings.ledger(OpenMode::ReadWrite)?;
    let burst = Burst::of(workspace.config()?.delivery.catch_up);
    let began = SystemClock.now();
    let (rows, touched) = workspace::block_on(async {
        older::refuse(&*ledger).await?;
        match ledger.lock("smm publish").await {
            Ok(_lock) => by_ourselves(args, &workspace, &ledger, global).await,
            Err(LedgerError::Busy(holder)) => by_another(args, &workspace, calendar, &*ledger, &holder, began).await,
            Err(error) => Err(error.into()),
        }
    })?;
    let turns = workspace::block_on(async {
        let last_sent = workspace::last_sent(&*ledger, calendar.accounts.values()).await?;
        // What went out lately counts, whatever is shown.
        let query = Query { calendar: Some(calendar.name.clone()), ..Query::default() };
        let all = ledger.deliveries(&query).await?;
        Ok(turns(&all, &calendar.accounts, &last_sent, burst, SystemClock.now()))
    })?;
    print(args, global, &rows, &touched, &turns, burst)
}

/// What became of it: the deliveries that were due, and which of them this run has touched.
type Outcome = (Vec<Delivery>, BTreeSet<DeliveryId>);

async fn by_ourselves(
    args: &Args,
    workspace: &Workspace,
    ledger: &Arc<dyn Ledger>,
    global: &Global,
) -> Result<Outcome, Failure> {
    let mut signals = Signals::listen().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
    let config = workspace.config()?;
    let calendar = workspace.calendar()?;
    let world = World::of(&workspace.loaded).unwrap_or_default();
    let engine = delivering::engine(
        ledger,
        &workspace.settings,
        world,
        delivering::owner("smm publish")?,
        upload::Bars::new(global).watch(),
    )?;
    let teller = delivering::teller(&engine, config).await?;
    delivering::begin(&engine, &teller).await?;
    engine.apply().await?;
    let only = chosen(args, &**ledger, calendar).await?;
    if args.backlog {
        let actor = workspace::actor();
        release_backlog(&**ledger, &calendar.name, only.as_deref(), engine.now(), &actor).await?;
    }
    let pass = Pass { only: only.clone(), wait: args.wait };
    let passed = delivering::pass(&engine, &pass, &mut signals).await?;
    if passed.stopped {
        output::stderr("stopped before everything was published\n");
    }
    delivering::tell_all(&teller).await;
    if passed.doubted {
        return Err(delivering::doubted());
    }
    let touched = passed.touched.iter().map(|row| row.id).collect();
    let rows = due(&**ledger, calendar, only.as_deref(), &touched, engine.now()).await?;
    Ok((rows, touched))
}

/// A daemon publishes from this ledger: it is rung, and its result told as if it were ours.
async fn by_another(
    args: &Args,
    workspace: &Workspace,
    calendar: &Calendar,
    ledger: &dyn Ledger,
    holder: &str,
    began: DateTime<Utc>,
) -> Result<Outcome, Failure> {
    output::stderr(&format!("{}; asking it to publish\n", output::printable(holder)));
    let query = Query { calendar: Some(calendar.name.clone()), ..Query::default() };
    let rows: Vec<Delivery> =
        ledger.deliveries(&query).await?.into_iter().filter(|row| row.origin == Origin::Calendar).collect();
    let record = ledger.calendar(&calendar.name).await?;
    let only = chosen(args, ledger, calendar).await?;
    if args.backlog {
        release_backlog(ledger, &calendar.name, only.as_deref(), began, &workspace::actor()).await?;
    }
    ledger.ring().await?;
    // Nobody publishes to these now: they are not waited for.
    let mut paused = BTreeSet::new();
    if ledger.paused().await?.is_some() {
        paused.insert(None);
    }
    for account in calendar.accounts.keys() {
        if ledger.account(account).await?.paused.is_some() {
            paused.insert(Some(account.clone()));
        }
    }
    // What it will find when it reads the calendar as it is now.
    let standings = Standings::of(&rows);
    let wanted = compare(ledger, calendar, &workspace.loaded.ids, &standings, &record, began).await?.apply(&rows);
    let last_sent = workspace::last_sent(ledger, calendar.accounts.values()).await?;
    let turns = turns(&wanted, &calendar.accounts, &last_sent, Burst::of(workspace.config()?.delivery.catch_up), began);
    let ids: Vec<DeliveryId> = wanted
        .iter()
        .filter(|row| row.ready_at() <= began && !row.state.is_final() && (args.backlog || row.state != State::Held))
        .filter(|row| !paused.contains(&None) && !paused.contains(&Some(row.account.clone())))
        .map(|row| row.id)
        .filter(|id| only.as_ref().is_none_or(|only| only.contains(id)))
        // Whose turn comes later than that is not waited for either.
        .filter(|id| turns.get(id).is_none_or(|turn| turn.at < began + OTHERS))
        .collect();
    let settled = wait_for(ledger, &SystemClock, &ids, began + OTHERS).await?;
    if settled.len() < ids.len()
        || settled.iter().any(|row| !row.state.is_final() && row.ready_at() <= began && row.state == State::Planned)
    {
        return Err(Failure::new("the other smm has not published everything that is due within a minute")
            .hint("see its log, and `smm status`; does it follow this very calendar?"));
    }
    let touched: BTreeSet<DeliveryId> = ids.into_iter().collect();
    let rows = due(ledger, calendar, only.as_deref(), &touched, SystemClock.now()).await?;
    Ok((rows, touched))
}

/// The deliveries that `--only` names.
async fn chosen(args: &Args, ledger: &dyn Ledger, calendar: &Calendar) -> Result<Option<Vec<DeliveryId>>, Failure> {
    if args.only.is_empty() {
        return Ok(None);
    }
    let rows = ledger.deliveries(&Query { calendar: Some(calendar.name.clone()), ..Query::default() }).await?;
    let mut ids = Vec::new();
    for name in &args.only {
        let named: Vec<&Delivery> = rows.iter().filter(|row| row.post.as_str() == name).collect();
        let start = name.to_ascii_lowercase();
        let found: Vec<&Delivery> = if named.is_empty() && start.chars().all(|c| c.is_ascii_hexdigit()) {
            rows.iter().filter(|row| row.id.to_string().starts_with(&start)).collect()
        } else {
            named
        };
        match found.as_slice() {
            [] => {
                return Err(Failure::new(format!("`{name}` is neither a post nor the start of a delivery's id"))
                    .hint("`smm status` lists them"));
            }
            several if several.len() > 1 && several.iter().any(|row| row.post.as_str() != name) => {
                return Err(Failure::new(format!("`{name}` is the start of {} deliveries' ids", several.len()))
                    .hint("write more digits of it"));
            }
            found => ids.extend(found.iter().map(|row| row.id)),
        }
    }
    Ok(Some(ids))
}

/// What was due, as it is now.
async fn due(
    ledger: &dyn Ledger,
    calendar: &Calendar,
    only: Option<&[DeliveryId]>,
    touched: &BTreeSet<DeliveryId>,
    now: DateTime<Utc>,
) -> Result<Vec<Delivery>, Failure> {
    let query = Query { calendar: Some(calendar.name.clone()), ..Query::default() };
    let mut rows = ledger.deliveries(&query).await?;
    rows.retain(|row| {
        row.due <= now && row.state != State::Cancelled && only.is_none_or(|only| only.contains(&row.id))
    });
    for id in touched {
        if rows.iter().all(|row| row.id != *id) {
            rows.extend(ledger.delivery(*id).await?);
        }
    }
    for row in &mut rows {
        row.already = row.state == State::Published
            && (!touched.contains(&row.id)
                || row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Already));
    }
    Ok(rows)
}

fn print(
    args: &Args,
    global: &Global,
    rows: &[Delivery],
    touched: &BTreeSet<DeliveryId>,
    turns: &HashMap<DeliveryId, Turn>,
    burst: Burst,
) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    output::summarize("smm publish", rows.iter().map(DeliveryView::from));
    match args.format {
        Format::Json => {
            let view = |row| DeliveryView::at(row, now).turn(turns.get(&row.id).copied());
            output::json(&DeliveryList { deliveries: rows.iter().map(view).collect() })?;
        }
        Format::Human => {
            let (shown, before): (Vec<Delivery>, Vec<Delivery>) = rows.iter().cloned().partition(|row| {
                touched.contains(&row.id) || matches!(row.state, State::Held | State::Unknown | State::Planned)
            });
            let before = before.iter().filter(|row| row.state == State::Published).count();
            if shown.is_empty() {
                let text = if before == 0 {
                    "nothing is due".to_owned()
                } else {
                    format!("nothing is due; {before} published before")
                };
                if !global.quiet {
                    output::stderr(&(text + "\n"));
                }
            } else {
                let status = Status::new(&shown, Vec::new(), now).turns(turns);
                let text = status.human(true, output::colours(Stream::Stdout));
                output::grouped("smm-publish", "smm publish: the deliveries", &text);
            }
            if !global.quiet {
                left(rows, turns, burst, now);
            }
        }
    }
    // An attempt that failed a moment ago still fails, though its next one is not due yet.
    let waits = |row: &Delivery| row.state == State::Planned && row.failures > 0;
    Ok(exit(rows.iter().filter(|row| touched.contains(&row.id) || waits(row))))
}

/// Says what is left for later although it is due, and when to come back for it.
fn left(rows: &[Delivery], turns: &HashMap<DeliveryId, Turn>, burst: Burst, now: DateTime<Utc>) {
    let waiting: Vec<&Turn> =
        rows.iter().filter(|row| row.ready_at() <= now).filter_map(|row| turns.get(&row.id)).collect();
    let Some(next) = waiting.iter().min_by_key(|turn| turn.at) else { return };
    let wait = u64::try_from((next.at - now).num_seconds()).unwrap_or(0);
    let label = output::paint(Stream::Stderr, output::Style::Hint, "hint:");
    let left = match waiting.len() {
        1 => "1 is left for later".to_owned(),
        count => format!("{count} are left for later"),
    };
    let why = match next.wait {
        Wait::Burst => {
            format!("an account catches up with at most {} posts in {}", burst.posts, duration_of(burst.within))
        }
        Wait::Spacing => "the account's spacing".to_owned(),
        Wait::Blackout => "the account's blackout hours".to_owned(),
    };
    output::stderr(&format!(
        "{label} {left}: {why}; run `smm publish` again in {}, or leave it to `smm daemon`\n",
        duration_of(wait.max(1))
    ));
}

/// The exit status: what this run has not brought out counts, what waited for a person before does not.
fn exit<'a>(rows: impl Iterator<Item = &'a Delivery>) -> Exit {
    let mut exit = Exit::Done;
    for row in rows {
        match row.state {
            State::Unknown => return Exit::Unknown,
            State::Published | State::Cancelled => {}
            _ => exit = Exit::Failed,
        }
    }
    exit
}

/// `90s`, `5m`, `1h`, `200ms`, or a number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| format!("`{text}` is not a time such as 90s or 5m"))?;
    let millis = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        other => return Err(format!("`{other}` is not a unit of time; write s, m, h or d")),
    };
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| format!("`{text}` is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("5d"), Ok(Duration::from_hours(120)));
        for bad in ["", "m", "5w", "-1s", "99999999999999999999h", "18446744073709551615h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
