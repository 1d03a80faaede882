//! Brings a run to rest, and compares what the networks really hold with what the ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use smm::model::{Delivery, DeliveryId, State};

use super::network::Held;
use super::paper::{Entry, When};
use super::play::World;
use super::stage::Stage;

/// A person sees to everything this often, so many times.
const SWEEPS: u32 = 72;
const BETWEEN_SWEEPS: Duration = Duration::from_hours(1);

/// Nobody is down for longer, and neither is everybody's calendar unreadable for longer.
const LONGEST_DOWN: TimeDelta = TimeDelta::days(25);

/// Lets everything work, and gives it time.
pub(crate) async fn come_to_rest(world: &World) {
    world.heal().await;
    for _ in 0..SWEEPS {
        tokio::time::sleep(BETWEEN_SWEEPS).await;
        world.sweep().await;
    }
    tokio::time::sleep(BETWEEN_SWEEPS).await;
}

/// Compares.
pub(crate) fn check(world: &World) {
    let stage = &world.stage;
    let rows = world.store.deliveries();
    let mut out: BTreeMap<DeliveryId, Vec<Held>> = BTreeMap::new();
    for network in world.networks.values() {
        for held in network.held() {
            out.entry(held.request.delivery).or_default().push(held);
        }
    }
    for row in &rows {
        stage.count("deliveries");
        stage.count(row.state.as_str());
        let held = out.remove(&row.id).unwrap_or_default();
        is_once(stage, row, &held);
        let elsewhere = brought_by_another(world, row);
        is_true(stage, row, &held, &elsewhere);
        is_settled(world, row);
    }
    everybody_was_told(world, &rows);
    every_window_has_its_run(world, &rows);
    for held in out.values().flatten() {
        stage.wrong(format_args!("{} is out, and the ledger has never heard of {}", held.id, held.request.delivery));
    }
}

/// No part is out twice.
fn is_once(stage: &Stage, row: &Delivery, held: &[Held]) {
    let mut parts = BTreeSet::new();
    for post in held {
        if !parts.insert(post.request.part) {
            stage.wrong(format_args!(
                "DUPLICATE: part {} of {} ({}/{}, {}) is out more than once",
                post.request.part + 1,
                row.id.short(),
                row.occurrence,
                row.account,
                row.state
            ));
        }
    }
}

/// Two accounts may turn out to be one identity: then what one of them has brought counts for both.
fn brought_by_another(world: &World, row: &Delivery) -> Vec<Held> {
    let Some(uid) = row.binding.as_ref().map(|binding| &binding.uid).or(world.bound(row).as_ref()).cloned() else {
        return Vec::new();
    };
    let same = |held: &Held| {
        let other = world.store.row(held.request.delivery);
        held.request.uid == uid && other.is_some_and(|other| other.occurrence == row.occurrence)
    };
    world.networks[row.network.as_str()].held().into_iter().filter(same).collect()
}

/// What is out is what the row has receipts for, no more and no less.
fn is_true(stage: &Stage, row: &Delivery, held: &[Held], elsewhere: &[Held]) {
    let name = format!("{} ({}/{}, {})", row.id.short(), row.occurrence, row.account, row.state);
    for receipt in &row.receipts {
        let mut all = held.iter().chain(elsewhere);
        if !all.any(|post| post.request.part == receipt.part && post.id == receipt.id) {
            stage.wrong(format_args!(
                "UNTRUE: {name} says that part {} is {}, which is not out",
                receipt.part + 1,
                receipt.id
            ));
        }
    }
    for post in held {
        let open = row.intent.as_ref().is_some_and(|intent| intent.frozen.part == post.request.part);
        if !open && row.receipts.iter().all(|receipt| receipt.part != post.request.part) {
            stage.wrong(format_args!("UNTRUE: {name} does not know that part {} is out", post.request.part + 1));
        }
    }
}

/// Nothing is left that somebody or something should have seen to.
fn is_settled(world: &World, row: &Delivery) {
    let stage = &world.stage;
    let name = format!("{} ({}/{}, {})", row.id.short(), row.occurrence, row.account, row.state);
    match row.state {
        State::Claimed | State::Sending => stage.wrong(format_args!("LEFT: {name}")),
        State::Unknown => stage.wrong(format_args!("LEFT: {name}, {:?}", row.unknown)),
        State::Planned if row.ready_at() + TimeDelta::hours(3) < stage.now() => {
            stage.wrong(format_args!("LEFT: {name}, ready since {}", row.ready_at()));
        }
        State::Held | State::Missed | State::Failed | State::Cancelled if row.reason.is_none() => {
            stage.wrong(format_args!("SILENT: {name} without a reason"));
        }
        _ => {}
    }
}

/// Whatever waits for a person, or was decided against the calendar, has raised an alert, within a minute.
fn everybody_was_told(world: &World, rows: &[Delivery]) {
    let alerts = world.store.alerts();
    for row in rows.iter().filter(|row| row.state.needs_person()) {
        let code = row.reason.as_ref().map(|reason| reason.code);
        let name = format!("{} ({}/{}, {}, {code:?})", row.id.short(), row.occurrence, row.account, row.state);
        let about: Vec<_> = alerts.iter().filter(|alert| alert.delivery == Some(row.id)).collect();
        if about.is_empty() {
            world.stage.wrong(format_args!("SILENT: nobody was told of {name}"));
        } else if about.iter().any(|alert| alert.tell_at - alert.at > TimeDelta::hours(1)) {
            world.stage.wrong(format_args!("SILENT: somebody is told of {name} hours later"));
        }
    }
}

/// The way of Chronos: the windows that the calendar asks for are worked out by somebody else (croner knows the rules and
/// nothing of `smm`), and each has to be matched by one row of the ledger, which is out or says why not.
fn every_window_has_its_run(world: &World, rows: &[Delivery]) {
    let mut known: BTreeMap<(&str, &str), &Delivery> = BTreeMap::new();
    for row in rows {
        if known.insert((row.occurrence.as_str(), row.account.as_str()), row).is_some() {
            world.stage.wrong(format_args!("TWO RUNS: {}/{}", row.occurrence, row.account));
        }
    }
    let end = world.stage.now();
    for entry in world.paper.entries().iter().filter(|entry| entry.present) {
        for window in windows(world, rows, entry) {
            world.stage.count("windows of the calendar");
            for account in &entry.to {
                let row = known.get(&(window.name.as_str(), account.as_str()));
                match row {
                    None => world.stage.wrong(format_args!("LOST: {}/{account}, due {}", window.name, window.due)),
                    Some(row) if row.state == State::Planned && window.due + TimeDelta::hours(3) < end => {
                        world.stage.wrong(format_args!("LOST: {}/{account} still waits", window.name));
                    }
                    Some(row) if row.due != window.due && !row.is_frozen() && row.state == State::Planned => {
                        world.stage.wrong(format_args!(
                            "MISTIMED: {}/{account} is due {}, and the calendar says {}",
                            window.name, row.due, window.due
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

/// A time at which the calendar wants a post out.
struct Window {
    name: String,
    due: DateTime<Utc>,
}

/// The windows of a post that nobody can deny: all of a one-off, and those of a series that fell into the time for which it
/// stood in the calendar untouched, and somebody had surely read it.
fn windows(world: &World, rows: &[Delivery], entry: &Entry) -> Vec<Window> {
    let rule = match &entry.when {
        When::Once(civil) => {
            let due = world.paper.zone.local(*civil).instant();
            return vec![Window { name: entry.name.as_str().to_owned(), due }];
        }
        When::Series(rule) => rule,
    };
    // A series begins when somebody first reads it, which its first row tells; from then on nothing is left out.
    let own =
        |row: &&Delivery| row.occurrence.as_str().split_once('@').is_some_and(|(name, _)| name == entry.name.as_str());
    let Some(mut from) = rows.iter().filter(own).map(|row| row.civil).min() else { return Vec::new() };
    for (at, entries) in world.paper.all() {
        if !entries.iter().any(|other| other.name == entry.name && other.present && other.readable) {
            // It begins anew when somebody reads that it is back: all that time later.
            from = from.max(world.paper.zone.civil(at + LONGEST_DOWN));
        }
    }
    let until = world.paper.zone.civil(world.stage.now() - TimeDelta::hours(1));
    let rule: croner::Cron = rule.parse().expect("a rule");
    // Civil times, counted as if the clocks were never changed; the zone says when each of them was.
    rule.iter_from(from.and_utc(), croner::Direction::Forward)
        .map(|nominal| nominal.naive_utc())
        .take_while(|nominal| *nominal <= until)
        .map(|nominal| Window {
            name: format!("{}@{}", entry.name, nominal.format("%Y-%m-%dT%H:%M:%S")),
            due: world.paper.zone.local(nominal).instant(),
        })
        .collect()
}
