//! The one JSON shape of a delivery: `plan`, `publish`, `status`, `post` and `announce` all list it under `deliveries`.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;

use crate::adapter::Price;
use crate::model::{AccountName, Delivery, DeliveryId, OccurrenceName, PostId, Reason, Receipt, State};
use crate::schedule::Turn;

/// A list of deliveries, as every command that shows some writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryList<'a> {
    /// The deliveries.
    pub deliveries: Vec<DeliveryView<'a>>,
}

/// A delivery as programs see it. Fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeliveryView<'a> {
    /// 32 hex digits.
    pub id: DeliveryId,
    /// The post's id.
    pub post: &'a PostId,
    /// The occurrence's name.
    pub occurrence: &'a OccurrenceName,
    /// The account's name.
    pub account: &'a AccountName,
    /// The network's id.
    pub network: &'a str,
    /// When it is due, as an instant.
    pub due: DateTime<Utc>,
    /// The same in the calendar's zone.
    pub civil: NaiveDateTime,
    /// One of the nine states.
    pub state: State,
    /// Seconds from its due time to when it went out, or to now while it is overdue. `None`: neither out nor overdue.
    pub late_by: Option<u64>,
    /// Why it is where it is: `{code, message}`.
    pub reason: Option<&'a Reason>,
    /// Irreversible calls so far.
    pub attempts: u32,
    /// An earlier run had published it.
    pub already: bool,
    /// What is out, by part.
    pub receipts: Vec<ReceiptView<'a>>,
    /// When its turn comes, about, and what it waits for (`spacing`, `burst`, `blackout`), where that is later than it is
    /// due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// What this run makes of it (`plan` alone): `added`, `moved`, `dropped`, `restored`, `held`, `missed`, `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<&'static str>,
    /// What its network will take for it, in US dollars (`plan` alone), where it takes money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// A receipt as programs see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReceiptView<'a> {
    /// The part, counted from 1.
    pub part: u32,
    /// The network's id of it.
    pub id: &'a str,
    /// Where people see it.
    pub url: Option<&'a str>,
    /// When it went out.
    pub at: DateTime<Utc>,
}

impl<'a> From<&'a Delivery> for DeliveryView<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        let out = delivery.published_at.filter(|_| delivery.state == State::Published);
        Self {
            id: delivery.id,
            post: &delivery.post,
            occurrence: &delivery.occurrence,
            account: &delivery.account,
            network: &delivery.network,
            due: delivery.due,
            civil: delivery.civil,
            state: delivery.state,
            late_by: out.map(|out| seconds(delivery.due, out)),
            reason: delivery.reason.as_ref(),
            attempts: delivery.attempts,
            already: delivery.already,
            receipts: delivery.receipts.iter().map(ReceiptView::from).collect(),
            turn: None,
            change: None,
            price: None,
        }
    }
}

impl<'a> DeliveryView<'a> {
    /// With the lateness so far of one that is not settled.
    pub fn at(delivery: &'a Delivery, now: DateTime<Utc>) -> Self {
        let view = Self::from(delivery);
        let waits = !delivery.state.is_final() && delivery.due < now;
        Self { late_by: view.late_by.or_else(|| waits.then(|| seconds(delivery.due, now))), ..view }
    }

    /// With when its turn comes.
    #[must_use]
    pub fn turn(mut self, turn: Option<Turn>) -> Self {
        self.turn = turn;
        self
    }

    /// With what `plan` makes of it.
    #[must_use]
    pub fn change(mut self, change: &'static str) -> Self {
        self.change = Some(change);
        self
    }

    /// With what it will cost.
    #[must_use]
    pub fn price(mut self, price: Option<Price>) -> Self {
        self.price = price;
        self
    }
}

impl<'a> From<&'a Receipt> for ReceiptView<'a> {
    fn from(receipt: &'a Receipt) -> Self {
        Self { part: u32::from(receipt.part) + 1, id: &receipt.id, url: receipt.url.as_deref(), at: receipt.at }
    }
}

/// Whole seconds, 0 when it was not late.
fn seconds(due: DateTime<Utc>, out: DateTime<Utc>) -> u64 {
    u64::try_from((out - due).num_seconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CalendarName, Late, Origin, ReasonCode};
    use serde_json::json;

    fn delivery() -> Delivery {
        Delivery::planned(
            CalendarName::new("acme"),
            PostId::new("launch"),
            OccurrenceName::new("launch"),
            AccountName::new("fedi"),
            "some-network",
            Origin::Calendar,
            "2026-12-01T08:00:00Z".parse().unwrap(),
            "2026-12-01T09:00:00".parse().unwrap(),
            Late::default(),
        )
    }

    #[test]
    fn the_shape_is_a_promise() {
        let mut row = delivery();
        row.state = State::Published;
        row.attempts = 1;
        row.published_at = Some("2026-12-01T08:00:42.9Z".parse().unwrap());
        row.receipts = vec![Receipt {
            part: 0,
            id: "117".to_owned(),
            url: Some("https://fedi.example/@acme/117".to_owned()),
            at: "2026-12-01T08:00:42Z".parse().unwrap(),
            data: serde_json::Value::Null,
        }];
        let shown = serde_json::to_value(DeliveryList { deliveries: vec![DeliveryView::from(&row)] }).unwrap();
        assert_eq!(
            shown,
            json!({"deliveries": [{
                "id": row.id.to_string(),
                "post": "launch",
                "occurrence": "launch",
                "account": "fedi",
                "network": "some-network",
                "due": "2026-12-01T08:00:00Z",
                "civil": "2026-12-01T09:00:00",
                "state": "published",
                "late_by": 42,
                "reason": null,
                "attempts": 1,
                "already": false,
                "receipts": [{"part": 1, "id": "117", "url": "https://fedi.example/@acme/117", "at": "2026-12-01T08:00:42Z"}],
            }]})
        );
    }

    #[test]
    fn lateness_so_far() {
        let mut row = delivery();
        let now = "2026-12-01T09:00:01Z".parse().unwrap();
        assert_eq!(DeliveryView::at(&row, now).late_by, Some(3601));
        assert_eq!(DeliveryView::at(&row, row.due).late_by, None);
        row.state = State::Held;
        row.reason = Some(Reason::new(ReasonCode::Late, "an hour late"));
        let view = serde_json::to_value(DeliveryView::at(&row, now).change("held")).unwrap();
        assert_eq!(view["reason"], json!({"code": "late", "message": "an hour late"}));
        assert_eq!((view["late_by"].clone(), view["change"].clone()), (json!(3601), json!("held")));
        row.state = State::Missed;
        assert_eq!(DeliveryView::at(&row, now).late_by, None, "it never went out");
    }
}
