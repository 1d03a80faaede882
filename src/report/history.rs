//! The history of deliveries: what happened, when, by whom.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::table::{Cell, Table, Tone};
use crate::model::{AccountName, Delivery, DeliveryId, Event, PostId, State};

/// A list of events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventList<'a> {
    /// The events.
    pub events: Vec<EventView<'a>>,
}

/// An event as programs see it. Fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventView<'a> {
    /// When.
    pub at: DateTime<Utc>,
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Its post.
    pub post: Option<&'a PostId>,
    /// Its account.
    pub account: Option<&'a AccountName>,
    /// What happened, one word.
    pub kind: &'a str,
    /// The state after it.
    pub state: State,
    /// More, for people.
    pub detail: &'a str,
    /// Who.
    pub actor: &'a str,
}

impl<'a> EventView<'a> {
    /// With the names of its delivery, when that is known.
    pub fn new(event: &'a Event, delivery: Option<&'a Delivery>) -> Self {
        Self {
            at: event.at,
            delivery: event.delivery,
            post: delivery.map(|delivery| &delivery.post),
            account: delivery.map(|delivery| &delivery.account),
            kind: &event.kind,
            state: event.state,
            detail: &event.detail,
            actor: &event.actor,
        }
    }
}

impl<'a> EventList<'a> {
    /// Events with the names of their deliveries.
    pub fn new(events: &'a [Event], deliveries: &'a [Delivery]) -> Self {
        let known: BTreeMap<DeliveryId, &Delivery> = deliveries.iter().map(|row| (row.id, row)).collect();
        let view = |event: &'a Event| EventView::new(event, known.get(&event.delivery).copied());
        Self { events: events.iter().map(view).collect() }
    }

    /// For people. `names`: whether each line says which delivery it is about.
    pub fn table(&self, names: bool, colour: bool) -> Table {
        let mut columns = vec!["when", "what", "state", "who", "detail"];
        if names {
            columns.splice(1..1, ["post", "account", "id"]);
        }
        let mut table = Table::new(&columns, colour);
        for event in &self.events {
            let mut cells = vec![
                Cell::toned(event.at.to_rfc3339_opts(SecondsFormat::Secs, true), Tone::Dim),
                event.kind.into(),
                Cell::toned(event.state, event.state.into()),
                event.actor.into(),
                event.detail.into(),
            ];
            if names {
                let name = |name: Option<&str>| Cell::from(name.unwrap_or("?"));
                cells.splice(
                    1..1,
                    [
                        name(event.post.map(PostId::as_str)),
                        name(event.account.map(AccountName::as_str)),
                        Cell::toned(event.delivery.short(), Tone::Dim),
                    ],
                );
            }
            table.row(cells);
        }
        table
    }
}
