//! The deliveries' own refs: `refs/smm/NAME/deliveries/ID` is there from a delivery's claim on, for as long as something of
//! it is begun or out. It is made only where there is none, in the push that changes the ledger. So it refuses a second
//! publication also when the ledger's own ref was deleted or set back.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{DeliveryFile, Whole};
use super::place::Place;
use super::remote::{Change, Oid};
use crate::model::{Delivery, DeliveryId, Receipt, State};

/// The file that is behind such a ref.
pub(super) const FILE: &str = "delivery.json";

/// Something of it is begun or out.
fn is_begun(row: &Delivery) -> bool {
    matches!(row.state, State::Claimed | State::Sending | State::Unknown | State::Published)
        || row.intent.is_some()
        || !row.receipts.is_empty()
}

/// What the ref tells of a delivery: when that changes, the ref does.
fn told(row: &Delivery) -> Option<(u32, bool, &[Receipt])> {
    is_begun(row).then(|| (row.generation, row.state == State::Published, row.receipts.as_slice()))
}

/// Takes the guards away that are not wanted any more, and gives what is to be behind those that are new or changed.
pub(super) fn wanted(before: &Whole, after: &mut Whole) -> Vec<(DeliveryId, DeliveryFile)> {
    let mut fresh = Vec::new();
    let mut gone = Vec::new();
    for (id, row) in &after.tables.deliveries {
        let was = before.tables.deliveries.get(id);
        if was == Some(row) {
            continue;
        }
        match (was.and_then(told), told(row)) {
            (_, None) => gone.push(*id),
            (was, is) if was == is && after.guards.contains_key(id) => {}
            _ => fresh.push(*id),
        }
    }
    for id in gone {
        after.guards.remove(&id);
    }
    fresh.into_iter().filter_map(|id| Some((id, after.delivery_file(id)?))).collect()
}

/// The changes of refs between what was and what shall be. `absent`: refs that are not there although they should be;
/// `strays`: refs that are there although nothing was known of them.
pub(super) fn changes(
    place: &Place,
    before: &BTreeMap<DeliveryId, Oid>,
    after: &BTreeMap<DeliveryId, Oid>,
    absent: &BTreeSet<DeliveryId>,
    strays: &BTreeMap<DeliveryId, Oid>,
) -> Vec<Change> {
    let ids: BTreeSet<&DeliveryId> = before.keys().chain(after.keys()).collect();
    let mut changes = Vec::new();
    for id in ids {
        let (was, to) = (before.get(id), after.get(id));
        let from = was.filter(|_| !absent.contains(id)).or_else(|| strays.get(id).filter(|stray| Some(*stray) == to));
        if was != to && from != to {
            changes.push(Change { name: place.delivery(*id), from: from.cloned(), to: to.cloned() });
        }
    }
    changes
}

/// The log of such a ref.
pub(super) fn message(file: &DeliveryFile) -> String {
    let row = &file.delivery;
    let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(200).collect() };
    let what = format!("{} for {}", plain(row.occurrence.as_str()), plain(row.account.as_str()));
    match (row.state, row.receipts.last().and_then(|receipt| receipt.url.as_deref())) {
        (State::Published, Some(url)) => format!("published {what}: {}", plain(url)),
        (State::Published, None) => format!("published {what}"),
        _ if !row.receipts.is_empty() => format!("a part is out of {what}"),
        _ => format!("begun {what} by {}", plain(row.owner.as_deref().unwrap_or("smm"))),
    }
}
