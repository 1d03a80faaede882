//! Everything that is known of one delivery.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::alert::RaisedView;
use super::delivery::DeliveryView;
use super::history::{EventList, EventView};
use super::printable;
use super::status::{civil, duration};
use crate::adapter::Plan;
use crate::ledger::Raised;
use crate::model::{CalendarName, Delivery, Event, Intent, Origin, Unknown};

/// A delivery with all that the ledger holds of it. Fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Detail<'a> {
    /// What every listing shows.
    #[serde(flatten)]
    pub delivery: DeliveryView<'a>,
    /// Its calendar.
    pub calendar: &'a CalendarName,
    /// Where its post is kept.
    pub origin: Origin,
    /// Not claimed before this.
    pub not_before: Option<DateTime<Utc>>,
    /// Attempts in a row without an answer.
    pub failures: u32,
    /// How often a person has said "post again".
    pub generation: u32,
    /// Rises with every change.
    pub version: u64,
    /// Rises with every claim.
    pub fence: u64,
    /// The process that has it.
    pub owner: Option<&'a str>,
    /// Which of the post's texts, from 0.
    pub variation: Option<u32>,
    /// How many parts it has, once that is fixed.
    pub parts: Option<u16>,
    /// The steps that publish it, once they are fixed.
    pub plan: Option<&'a serde_json::Value>,
    /// The request whose outcome is open.
    pub intent: Option<&'a Intent>,
    /// What is known of an unknown.
    pub unknown: Option<&'a Unknown>,
    /// When the last part went out.
    pub published_at: Option<DateTime<Utc>>,
    /// Its history, oldest first.
    pub events: Vec<EventView<'a>>,
    /// The alerts about it, oldest first.
    pub alerts: Vec<RaisedView<'a>>,
}

impl<'a> Detail<'a> {
    /// All of `row` at `now`.
    pub fn new(row: &'a Delivery, events: &'a [Event], alerts: &'a [Raised], now: DateTime<Utc>) -> Self {
        let plan: Option<Plan> = row.plan.as_ref().and_then(|plan| serde_json::from_value(plan.clone()).ok());
        Self {
            delivery: DeliveryView::at(row, now),
            calendar: &row.calendar,
            origin: row.origin,
            not_before: row.not_before,
            failures: row.failures,
            generation: row.generation,
            version: row.version,
            fence: row.fence,
            owner: row.owner.as_deref(),
            variation: row.variation,
            parts: plan.map(|plan| plan.parts()),
            plan: row.plan.as_ref(),
            intent: row.intent.as_deref(),
            unknown: row.unknown.as_ref(),
            published_at: row.published_at,
            events: events.iter().map(|event| EventView::new(event, Some(row))).collect(),
            alerts: alerts.iter().map(RaisedView::from).collect(),
        }
    }

    /// For people.
    pub fn human(&self, colour: bool) -> String {
        let row = &self.delivery;
        let mut text = format!("{} → {} ({})\n", row.post, row.account, row.network);
        let mut line = |label: &str, value: String| {
            let _ = writeln!(text, "  {label:<12}{}", printable(&value));
        };
        line("id", row.id.to_string());
        line("calendar", self.calendar.to_string());
        line("occurrence", row.occurrence.to_string());
        line("due", format!("{} ({})", civil(row.civil), utc(row.due)));
        let late =
            row.late_by.filter(|&late| late > 0).map_or_else(String::new, |late| format!(", {} late", duration(late)));
        line("state", format!("{}{late}", row.state));
        if let Some(reason) = row.reason {
            line("why", reason.message.clone());
        }
        if let Some(at) = self.not_before {
            line("not before", utc(at));
        }
        if let Some(owner) = self.owner {
            line("worker", owner.to_owned());
        }
        if let Some(variation) = self.variation {
            line("text", format!("the {}. of its texts", u64::from(variation) + 1));
        }
        if let Some(parts) = self.parts.filter(|&parts| parts > 1) {
            line("parts", format!("{} of {parts} are out", row.receipts.len()));
        }
        line("attempts", row.attempts.to_string());
        for receipt in &row.receipts {
            let place = receipt.url.unwrap_or("no address");
            line(&format!("part {}", receipt.part), format!("{place} (id {}, at {})", receipt.id, utc(receipt.at)));
        }
        if let Some(intent) = self.intent {
            let to = &intent.binding;
            line(
                "sent",
                format!(
                    "part {} to {} ({} at {}, id {}), attempt {} at {}, key {}",
                    u32::from(intent.frozen.part) + 1,
                    to.handle,
                    to.network,
                    to.host,
                    to.uid,
                    intent.attempt,
                    utc(intent.at),
                    intent.frozen.key,
                ),
            );
        }
        if let Some(unknown) = self.unknown {
            let next = unknown
                .next_look
                .map_or_else(|| "a person has to look".to_owned(), |at| format!("the next look is at {}", utc(at)));
            line("unknown", format!("since {}; looked {} times; {next}", utc(unknown.since), unknown.looks));
        }
        for alert in &self.alerts {
            line("alert", alert.line());
        }
        if !self.events.is_empty() {
            let table = EventList { events: self.events.clone() }.table(false, colour);
            let _ = write!(text, "\n{table}");
        }
        text
    }
}

fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
