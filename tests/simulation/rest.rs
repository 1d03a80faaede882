//! Brings a run to rest, and compares what the networks really hold with what the ledger says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use smm::model::{Delivery, DeliveryId, State};

use super::network::Held;
use super::play::World;
use super::stage::Stage;

/// A person sees to everything this often, so many times.
const SWEEPS: u32 = 72;
const BETWEEN_SWEEPS: Duration = Duration::from_secs(3600);

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
        is_true(stage, row, &held);
        is_settled(world, row);
    }
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

/// What is out is what the row has receipts for, no more and no less.
fn is_true(stage: &Stage, row: &Delivery, held: &[Held]) {
    let name = format!("{} ({}/{}, {})", row.id.short(), row.occurrence, row.account, row.state);
    for receipt in &row.receipts {
        if !held.iter().any(|post| post.request.part == receipt.part && post.id == receipt.id) {
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
        State::Planned if row.ready_at() + chrono::TimeDelta::hours(3) < stage.now() => {
            stage.wrong(format_args!("LEFT: {name}, ready since {}", row.ready_at()));
        }
        State::Held | State::Missed | State::Failed | State::Cancelled if row.reason.is_none() => {
            stage.wrong(format_args!("SILENT: {name} without a reason"));
        }
        _ => {}
    }
}
