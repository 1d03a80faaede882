//! `smm ledger gc`: cuts the history off, and folds what was settled long ago into one file.
//!
//! A folded delivery keeps its name, its state and its receipts, so that nothing of it is ever planned or sent again; its
//! plan, its intents and its history go, and with them its own ref. The new first commit says which commits it replaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::keeper::Turn;
use super::layout::{DeliveryFile, Squashed};
use crate::ledger::Collected;
use crate::model::{Delivery, DeliveryId};

/// Most deliveries in one push: each takes its ref away.
const MOST: usize = 1000;

/// A history that was cut off longer ago than the latest of these is not spoken of any more.
const CUTS: usize = 50;

pub(super) fn collect(turn: &mut Turn<'_>, before: DateTime<Utc>, now: DateTime<Utc>) -> Collected {
    let Some(head) = turn.head else { return Collected::default() };
    let whole = &mut *turn.whole;
    let last: BTreeMap<DeliveryId, DateTime<Utc>> =
        whole.tables.events.iter().map(|kept| (kept.event.delivery, kept.event.at)).collect();
    let is_old = |row: &&Delivery| {
        let at = [Some(row.due), row.published_at, last.get(&row.id).copied()].into_iter().flatten().max();
        row.state.is_final() && row.intent.is_none() && at.is_some_and(|at| at < before)
    };
    let own = |row: &&Delivery| {
        whole.folded.get(&row.id).is_none_or(|folded| folded.delivery != **row) || whole.guards.contains_key(&row.id)
    };
    let old: BTreeSet<DeliveryId> =
        whole.tables.deliveries.values().filter(is_old).filter(own).map(|row| row.id).collect();
    let some: BTreeSet<DeliveryId> = old.iter().take(MOST).copied().collect();
    let tables = &mut whole.tables;
    tables.intents.retain(|kept| !some.contains(&kept.delivery));
    tables.events.retain(|kept| !some.contains(&kept.event.delivery));
    tables.alerts.retain(|kept| kept.alert.delivery.is_none_or(|id| !some.contains(&id)));
    for id in &some {
        if let Some(row) = tables.deliveries.get_mut(id) {
            (row.plan, row.prepared, row.reason) = (None, Vec::new(), None);
        }
    }
    let open: BTreeSet<_> = tables
        .deliveries
        .values()
        .filter(|row| !row.state.is_final())
        .map(|row| (row.calendar.clone(), row.post.clone()))
        .collect();
    tables.posts.retain(|key, post| post.at >= before || open.contains(key));
    for id in &some {
        whole.guards.remove(id);
    }
    let mut folded: BTreeMap<DeliveryId, DeliveryFile> = (*whole.folded).clone();
    folded.extend(some.iter().filter_map(|id| Some((*id, whole.delivery_file(*id)?))));
    whole.folded = Arc::new(folded);
    let facts = &mut whole.facts;
    let cut = facts.squashed.last().map_or(0, |cut| cut.serial);
    let collected = Collected {
        folded: some.len() as u64,
        commits: facts.serial.saturating_sub(cut),
        left: old.len() > some.len(),
    };
    facts.squashed.push(Squashed { serial: facts.serial, head: head.clone(), at: now });
    let over = facts.squashed.len().saturating_sub(CUTS);
    facts.squashed.drain(..over);
    (*turn.squash, *turn.unguarded) = (true, true);
    turn.says.push(format!("cut off {} commits and folded {} deliveries", collected.commits, collected.folded));
    collected
}
