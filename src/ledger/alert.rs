//! Alerts as the ledger keeps them: raised in the transaction that makes them necessary, told once to each target, kept
//! until that has worked.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::DeliveryId;

/// Something that a person has to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What makes it one: the same key is raised once.
    pub key: String,
    /// When it was raised.
    pub at: DateTime<Utc>,
    /// Not told before this; withdrawn when its delivery comes to need nobody before (see [`super::Write::withdraws`]).
    pub tell_at: DateTime<Utc>,
    /// What it is about; `None`: the process itself, its clock, its calendar, its ledger.
    pub delivery: Option<DeliveryId>,
    /// One word for programs: `late`, `missed`, `failed`, `held`, `unknown`, `account`, `calendar`, `clock`, `ledger`,
    /// `target`.
    pub kind: String,
    /// What has happened, in one line. Holds no secret and no post's text.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// An alert on its way to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The alert.
    pub alert: Alert,
    /// The target's name in `smm.toml`.
    pub target: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Told to this target since; `None`: not yet.
    pub told_at: Option<DateTime<Utc>>,
    /// Why the last attempt did not work.
    pub error: Option<String>,
}

/// An alert, and who knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// The alert.
    pub alert: Alert,
    /// The targets that were told, with when.
    pub told: BTreeMap<String, DateTime<Utc>>,
}

/// How telling a target went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It knows.
    Yes,
    /// It does not; try again at this time.
    NotYet {
        /// When.
        again: DateTime<Utc>,
        /// Why, for `smm status`. Holds no secret.
        error: String,
    },
}
