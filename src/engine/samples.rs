//! Deliveries as tests need them, and a connector that reaches nobody.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use serde_json::json;

use super::connect::{Connector, Folders};
use super::core::{Input, Rules, event, open_part, step};
use crate::adapter::{Api, Fault, Plan, Refusal, RepeatSafety, Step, StepKind};
use crate::calendar::Calendar;
use crate::compose::Instance;
use crate::model::{
    Account, AccountName, Binding, CalendarName, Delivery, Event, Frozen, Late, OccurrenceName, Origin, Post, PostId,
    ReasonCode, Receipt, State,
};
use crate::oauth::GrantInfo;

/// Reaches nobody, and knows what grant is kept.
#[derive(Default)]
pub(super) struct Nobody {
    pub(super) kept: Arc<Mutex<Option<GrantInfo>>>,
}

#[async_trait]
impl Connector for Nobody {
    fn repeat(&self, _network: &str) -> RepeatSafety {
        RepeatSafety::None
    }

    fn compose(&self, _: &Calendar, _: &Post, _: &Account, _: Instance) -> Result<Plan, String> {
        Err("there is nobody".to_owned())
    }

    fn connect(&self, _: &Account, _: &Folders) -> Result<Box<dyn Api>, String> {
        Err("there is nobody".to_owned())
    }

    async fn grant(&self, _: &Account) -> Result<Option<GrantInfo>, String> {
        Ok(self.kept.lock().expect("no panic").clone())
    }
}

pub(super) const WINDOW: RepeatSafety = RepeatSafety::Key { window_seconds: 3600 };

pub(super) fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 12, 1, 9, 0, 0).single().expect("a time")
}

pub(super) fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

pub(super) fn rules(class: RepeatSafety) -> Rules {
    Rules { class, ..Rules::default() }
}

pub(super) fn plan_of(parts: u16) -> serde_json::Value {
    let steps =
        (0..parts).map(|part| Step { index: part.into(), part, kind: StepKind::Publish, payload: json!({}) }).collect();
    serde_json::to_value(Plan { steps }).expect("a plan")
}

pub(super) fn planned() -> Delivery {
    let id = PostId::new("launch");
    let (calendar, account) = (CalendarName::new("acme"), AccountName::new("fedi"));
    let occurrence = OccurrenceName::once(&id);
    let civil = start().naive_utc();
    let late = Late::default();
    Delivery::planned(calendar, id, occurrence, account, "some-network", Origin::Calendar, start(), civil, late)
}

/// What the history says of a row that a test has put into a ledger.
pub(super) fn planned_event(row: &Delivery) -> Event {
    event(row, "planned", String::new(), "test", start())
}

pub(super) fn claimed() -> Delivery {
    Delivery { state: State::Claimed, owner: Some("me".into()), fence: 1, version: 2, ..planned() }
}

pub(super) fn frozen(part: u16) -> Frozen {
    Frozen { part, key: format!("key-{part}"), request: json!({ "part": part }) }
}

pub(super) fn intent(row: &Delivery, parts: u16) -> Input {
    let binding = Binding {
        network: "some-network".into(),
        host: "https://fedi.example".into(),
        uid: "1".into(),
        handle: "@acme".into(),
    };
    Input::Intent { plan: plan_of(parts), frozen: frozen(open_part(row)), binding }
}

pub(super) fn receipt(part: u16) -> Receipt {
    Receipt { part, id: format!("id-{part}"), url: None, at: start(), data: serde_json::Value::Null }
}

pub(super) fn go(row: &Delivery, input: &Input, rules: &Rules, seconds: i64) -> Delivery {
    step(row, input, rules, after(seconds)).0
}

pub(super) fn sending(parts: u16, rules: &Rules) -> Delivery {
    let row = claimed();
    go(&row, &intent(&row, parts), rules, 0)
}

pub(super) fn lost(rules: &Rules) -> Delivery {
    go(&sending(1, rules), &Input::Faulted(Fault::Unknown("reset".into())), rules, 1)
}

pub(super) fn repeat() -> Input {
    Input::Repeat { owner: "me".into() }
}

pub(super) fn next_look(row: &Delivery) -> Option<DateTime<Utc>> {
    row.unknown.as_ref().expect("an unknown").next_look
}

pub(super) fn told(row: &Delivery) -> (State, Option<ReasonCode>) {
    (row.state, row.reason.as_ref().map(|reason| reason.code))
}

pub(super) fn said(refusal: Refusal) -> Input {
    Input::Faulted(Fault::refused(refusal, "no"))
}
