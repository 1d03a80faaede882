//! The deliveries of a post: kept in the ledger, published by this process or by the one that holds it, told.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::output::{self, Format, Stream};
use super::super::{Exit, Failure, Global, delivering, upload, workspace};
use super::Args;
use super::home::Home;
use crate::engine::{COMMAND_CALENDAR, Pass, PersonCommand, Signals, person, wait_for};
use crate::ledger::{Ledger, LedgerError, Query, Write, Written};
use crate::model::{Account, CalendarName, Delivery, DeliveryId, Event, Post, State};
use crate::report::{DeliveryList, DeliveryView, Status};
use crate::time::{Blackout, Clock, SystemClock, Zone};

/// An outcome that is unknown is waited for so long.
const WAIT: Duration = Duration::from_mins(5);

/// Another process that publishes is given so long.
const OTHERS: TimeDelta = TimeDelta::seconds(60);

/// One that does not begin with what it could begin with for so long does not serve the account.
const UNTOUCHED: TimeDelta = TimeDelta::seconds(5);

/// The same text to the same account is refused for so long.
const REPEAT: TimeDelta = TimeDelta::hours(24);

/// A job is run again with its `--id`: what the last run left undone is done now, and what is out stays as it is.
pub(super) async fn take_up(
    home: &Home,
    ledger: &Arc<dyn Ledger>,
    deliveries: &[Delivery],
    known: Vec<Delivery>,
    now: DateTime<Utc>,
    global: &Global,
) -> Result<Vec<Delivery>, Failure> {
    let new = deliveries.iter().filter(|delivery| known.iter().all(|row| row.id != delivery.id));
    let new: Vec<&str> = new.map(|delivery| delivery.account.as_str()).collect();
    if let (false, Some(row)) = (new.is_empty(), known.first()) {
        return Err(Failure::new(format!("`{}` was posted before, but not to {}", row.post, new.join(", ")))
            .hint("post to further accounts with another --id"));
    }
    let undone = |row: &&Delivery| matches!(row.state, State::Planned | State::Claimed | State::Sending);
    let open: Vec<DeliveryId> =
        known.iter().filter(undone).filter(|row| row.ready_at() <= now).map(|row| row.id).collect();
    if open.is_empty() {
        return Ok(known);
    }
    publish(home, ledger, &open, global).await?;
    let mut rows = Vec::with_capacity(known.len());
    for row in known {
        let fresh = if row.already { None } else { ledger.delivery(row.id).await? };
        rows.push(fresh.unwrap_or(row));
    }
    Ok(rows)
}

/// What is meant to go out now is not kept for the end of a pause.
pub(super) async fn refuse_paused(ledger: &dyn Ledger, accounts: &[Account]) -> Result<(), Failure> {
    if let Some((_, why)) = ledger.paused().await? {
        return Err(
            Failure::new(format!("everything is paused: {why}; nothing was sent")).hint("`smm resume` ends that")
        );
    }
    for account in accounts {
        if let Some((_, why)) = ledger.account(&account.name).await?.paused {
            return Err(Failure::new(format!("{} is paused: {why}; nothing was sent", account.name))
                .hint(format!("`smm resume {}` ends that", account.name)));
        }
    }
    Ok(())
}

/// What is meant to go out now is not kept for the end of blackout hours unasked.
pub(super) fn refuse_blackout(accounts: &[Account], zone: &Zone, now: DateTime<Utc>) -> Result<(), Failure> {
    for account in accounts {
        let Some(hours) = Blackout::of(account).filter(|hours| hours.covers(now)) else { continue };
        let end = zone.civil(hours.end(now));
        return Err(Failure::new(format!(
            "{} is in its blackout hours until {} ({}); nothing was sent",
            account.name,
            end.format("%a %Y-%m-%d %H:%M"),
            zone.name(),
        ))
        .hint(format!(
            "add --at \"{}\" to send it then, or --during-blackout to send it now",
            end.format("%Y-%m-%d %H:%M")
        )));
    }
    Ok(())
}

/// Says which accounts get it later than asked, and why.
pub(super) fn say_moved(deliveries: &[Delivery]) {
    for reason in deliveries.iter().filter_map(|delivery| delivery.reason.as_ref()) {
        output::stderr(&format!("{}\n", output::printable(&reason.message)));
    }
}

/// Writes the planned deliveries.
pub(super) async fn store(ledger: &dyn Ledger, deliveries: Vec<Delivery>, now: DateTime<Utc>) -> Result<(), Failure> {
    let writes: Vec<Write> = deliveries
        .into_iter()
        .map(|delivery| Write {
            event: Event {
                at: now,
                delivery: delivery.id,
                kind: "planned".to_owned(),
                state: delivery.state,
                detail: "by smm post".to_owned(),
                actor: workspace::actor(),
            },
            delivery,
            expect: 0,
            alert: None,
        })
        .collect();
    let written = ledger.write(&writes).await?;
    if written.iter().all(|written| *written == Written::Done) {
        return Ok(());
    }
    Err(Failure::new("another smm wrote a post with this id at the same moment")
        .hint("`smm status` shows what became of it"))
}

/// Publishes them now: by this process, or by the one that holds the ledger.
pub(super) async fn publish(
    home: &Home,
    ledger: &Arc<dyn Ledger>,
    ids: &[DeliveryId],
    global: &Global,
) -> Result<(), Failure> {
    let bars = upload::Bars::new(global);
    match ledger.lock("smm post").await {
        Ok(_lock) => {
            let mut signals =
                Signals::listen().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
            let config = home.settings.config()?;
            let engine = delivering::engine(
                ledger,
                &home.settings,
                home.world()?,
                delivering::owner("smm post")?,
                bars.watch(),
            )?;
            let teller = delivering::teller(&engine, config).await?;
            let pass = Pass { only: Some(ids.to_vec()), wait: WAIT };
            let progress = progress(&bars, ids.len());
            let passed = delivering::pass(&engine, &pass, &mut signals).await?;
            progress.finish_and_clear();
            if passed.stopped {
                output::stderr("stopped before everything was published; `smm publish` goes on with it\n");
            }
            delivering::tell_all(&teller).await;
            if passed.doubted { Err(delivering::doubted()) } else { Ok(()) }
        }
        Err(LedgerError::Busy(holder)) => {
            let began = SystemClock.now();
            output::stderr(&format!("{}; asking it to publish\n", output::printable(&holder)));
            ledger.ring().await?;
            let progress = progress(&bars, ids.len());
            let mut rows = wait_for(&**ledger, &SystemClock, ids, began + UNTOUCHED).await?;
            if !is_untaken(&**ledger, home, &rows, SystemClock.now()).await? {
                rows = wait_for(&**ledger, &SystemClock, ids, began + OTHERS).await?;
            }
            progress.finish_and_clear();
            // Nobody took them: they are taken back, so that they do not go out when nobody thinks of them any more.
            let names = take_back(&**ledger, &rows).await?;
            if names.is_empty() {
                return Ok(());
            }
            Err(Failure::new(format!(
                "the other smm does not publish to {}; the post was taken back",
                names.join(", ")
            ))
            .hint("does its smm.toml have that account? is it paused? `smm status` and its log say more"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Nobody has begun with it.
fn is_untouched(row: &Delivery) -> bool {
    row.state == State::Planned && row.version == 1
}

/// Nobody takes some of them, although their accounts are free: the other process does not serve those.
async fn is_untaken(ledger: &dyn Ledger, home: &Home, rows: &[Delivery], now: DateTime<Utc>) -> Result<bool, Failure> {
    let accounts = home.known_accounts()?;
    for row in rows.iter().filter(|row| is_untouched(row)) {
        let states = vec![State::Claimed, State::Sending];
        let query = Query { account: Some(row.account.clone()), states, ..Query::default() };
        let busy = !ledger.deliveries(&query).await?.is_empty();
        let spacing = accounts.iter().find(|account| account.name == row.account).and_then(|account| account.spacing);
        let wait = spacing.and_then(|spacing| TimeDelta::from_std(spacing).ok()).unwrap_or_default();
        let last = ledger.account(&row.account).await?.last_sent;
        if !busy && last.is_none_or(|last| last + wait + UNTOUCHED < now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cancels what nobody has begun with; gives the accounts that it was for. What was taken at the last moment stays.
async fn take_back(ledger: &dyn Ledger, rows: &[Delivery]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for row in rows.iter().filter(|row| is_untouched(row)) {
        let (delivery, event) = person(row, &PersonCommand::Cancel, SystemClock.now(), &workspace::actor())
            .map_err(|why| Failure::new(format!("{} cannot be taken back: {why}", row.account)))?;
        let write = Write::new(delivery, row.version, event);
        if ledger.write(&[write]).await?.first() == Some(&Written::Done) {
            names.push(row.account.to_string());
        }
    }
    Ok(names)
}

/// A sign of life on a terminal while the network is slow.
fn progress(bars: &upload::Bars, count: usize) -> indicatif::ProgressBar {
    let progress = bars.spinner();
    progress.set_message(format!("publishing to {count} account{}", if count == 1 { "" } else { "s" }));
    progress.enable_steady_tick(std::time::Duration::from_millis(100));
    progress
}

/// What became of them.
pub(super) fn report(rows: &[Delivery], args: &Args, global: &Global) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    output::summarize("smm post", rows.iter().map(DeliveryView::from));
    match args.format {
        Format::Json => {
            output::json(&DeliveryList { deliveries: rows.iter().map(|row| DeliveryView::at(row, now)).collect() })?;
        }
        Format::Human => {
            let text = Status::new(rows, Vec::new(), now).human(true, output::colours(Stream::Stdout));
            output::grouped("smm-post", "smm post: the deliveries", &text);
            if args.at.is_some() && !global.quiet {
                output::stderr("it is kept in the ledger until `smm daemon` or `smm publish` sends it\n");
            }
        }
    }
    Ok(rows.iter().fold(Exit::Done, |exit, row| match (exit, row.state) {
        (Exit::Unknown, _) | (_, State::Unknown) => Exit::Unknown,
        (_, State::Published) => exit,
        (_, State::Planned) if args.at.is_some() => exit,
        _ => Exit::Failed,
    }))
}

/// The deliveries that the ledger has already, all of which an id that is used again stands for.
pub(super) async fn known(ledger: &dyn Ledger, deliveries: &[Delivery]) -> Result<Vec<Delivery>, Failure> {
    let mut found = Vec::new();
    for delivery in deliveries {
        if let Some(mut delivery) = ledger.delivery(delivery.id).await? {
            delivery.already = delivery.state == State::Published;
            found.push(delivery);
        }
    }
    Ok(found)
}

/// Refuses the same text to the same account within a day.
pub(super) async fn refuse_repeat(
    ledger: &dyn Ledger,
    post: &Post,
    deliveries: &[Delivery],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let calendar = CalendarName::new(COMMAND_CALENDAR);
    for delivery in deliveries {
        let query = Query {
            calendar: Some(calendar.clone()),
            account: Some(delivery.account.clone()),
            latest: Some(500),
            ..Query::default()
        };
        for earlier in ledger.deliveries(&query).await? {
            let over = matches!(earlier.state, State::Failed | State::Cancelled | State::Missed);
            if over || (earlier.due - now).abs() > REPEAT || earlier.id == delivery.id {
                continue;
            }
            let same = ledger.post(&calendar, &earlier.post).await?.is_some_and(|stored| {
                stored.post.content.text == post.content.text && stored.post.content.thread == post.content.thread
            });
            if same {
                return Err(Failure::new(format!(
                    "the same text went to {} less than 24 hours ago ({}, {})",
                    delivery.account,
                    earlier.id.short(),
                    earlier.state,
                ))
                .hint("add --again if it is meant"));
            }
        }
    }
    Ok(())
}
