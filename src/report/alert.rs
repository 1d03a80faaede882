//! Alerts as commands show them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::printable;
use crate::ledger::{Errand, Raised};
use crate::model::DeliveryId;

/// An alert that a target could not be told, as programs see it. Fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UntoldView {
    /// The target's name.
    pub target: String,
    /// What makes the alert one.
    pub key: String,
    /// `late`, `missed`, `failed`, `held`, `unknown`, …
    pub kind: String,
    /// The delivery that it is about.
    pub delivery: Option<DeliveryId>,
    /// What has happened.
    pub message: String,
    /// What to do.
    pub help: String,
    /// It was to be told then.
    pub since: DateTime<Utc>,
    /// So often it was tried.
    pub attempts: u32,
    /// Why the last attempt did not work.
    pub error: Option<String>,
}

impl From<&Errand> for UntoldView {
    fn from(errand: &Errand) -> Self {
        let alert = &errand.alert;
        Self {
            target: errand.target.clone(),
            key: alert.key.clone(),
            kind: alert.kind.clone(),
            delivery: alert.delivery,
            message: alert.message.clone(),
            help: alert.help.clone(),
            since: alert.tell_at,
            attempts: errand.attempts,
            error: errand.error.clone(),
        }
    }
}

/// A line for each target that could not be told.
pub(super) fn untold(alerts: &[UntoldView]) -> String {
    let mut targets: BTreeMap<&str, Vec<&UntoldView>> = BTreeMap::new();
    for alert in alerts {
        targets.entry(&alert.target).or_default().push(alert);
    }
    let mut text = String::new();
    for (target, alerts) in targets {
        let what = if alerts.len() == 1 { "1 alert".to_owned() } else { format!("{} alerts", alerts.len()) };
        let since = alerts.iter().map(|alert| alert.since).min().unwrap_or_default();
        let why = alerts.iter().rev().find_map(|alert| alert.error.as_deref()).unwrap_or("no attempt has ended yet");
        let _ = writeln!(
            text,
            "{what} could not be told to {} since {}: {} (`smm alerts test {}` tries it)",
            printable(target),
            utc(since),
            printable(why),
            printable(target)
        );
    }
    text
}

/// An alert about a delivery, as programs see it. Fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RaisedView<'a> {
    /// What makes it one.
    pub key: &'a str,
    /// When it was raised.
    pub at: DateTime<Utc>,
    /// `late`, `missed`, `failed`, `held`, `unknown`.
    pub kind: &'a str,
    /// What has happened.
    pub message: &'a str,
    /// What to do.
    pub help: &'a str,
    /// Who was told, with when.
    pub told: &'a BTreeMap<String, DateTime<Utc>>,
}

impl<'a> From<&'a Raised> for RaisedView<'a> {
    fn from(raised: &'a Raised) -> Self {
        let Raised { alert, told } = raised;
        Self { key: &alert.key, at: alert.at, kind: &alert.kind, message: &alert.message, help: &alert.help, told }
    }
}

impl RaisedView<'_> {
    /// For people: `held at …, told to oncall at …`.
    pub(super) fn line(&self) -> String {
        let told: Vec<String> = self.told.iter().map(|(target, at)| format!("{target} at {}", utc(*at))).collect();
        let told = if told.is_empty() { "told to nobody".to_owned() } else { format!("told to {}", told.join(", ")) };
        format!("{} at {}, {told}", self.kind, utc(self.at))
    }
}

fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
