//! Takes a ledger as it is, after its ref was deleted, set back or replaced.
//!
//! What the deliveries' own refs still tell is taken in: what they say is out is out, and what they say was begun waits for
//! a person. The ledger gets a new name, and keeps the ones before: a machine that knew it by one of those takes part.

use chrono::{DateTime, Utc};

use super::keeper::{Stray, Turn};
use super::layout::Whole;
use crate::ledger::may_be_out;
use crate::model::{Event, State};

pub(super) fn adopt(turn: &mut Turn<'_>, name: String, now: DateTime<Utc>) {
    let seen = turn.older.map(|(seen, _)| seen.instance.clone());
    let facts = &mut turn.whole.facts;
    let before = std::mem::replace(&mut facts.instance, name);
    for name in [Some(before), seen].into_iter().flatten() {
        if !name.is_empty() && !facts.former.contains(&name) {
            facts.former.push(name);
        }
    }
    turn.whole.tables.adopted = Some(now);
    for stray in turn.strays {
        take_in(turn.whole, stray, now);
    }
    *turn.unguarded = true;
    turn.says.push("adopted the ledger as it is".to_owned());
}

fn take_in(whole: &mut Whole, stray: &Stray, now: DateTime<Utc>) {
    let Some(file) = &stray.file else { return };
    let mut row = file.delivery.clone();
    let present = whole.tables.deliveries.get(&stray.id);
    row.version = row.version.max(present.map_or(0, |present| present.version)) + 1;
    row.fence = row.fence.max(present.map_or(0, |present| present.fence));
    if row.state != State::Published {
        (row.state, row.owner, row.intent, row.unknown) = (State::Held, None, None, None);
        row.reason = Some(may_be_out());
    }
    let event = Event {
        at: now,
        delivery: row.id,
        kind: "adopted".to_owned(),
        state: row.state,
        detail: "known from its own ref alone".to_owned(),
        actor: "smm".to_owned(),
    };
    whole.take_in(file);
    whole.tables.deliveries.insert(row.id, row);
    whole.tables.add_event(event);
    whole.guards.insert(stray.id, stray.oid.clone());
}
