//! A whole ledger as records, one line of JSON each: to move from one kind to another, and to read it without `smm`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountRecord, Alert, CalendarRecord, StoredPost};
use crate::model::{AccountName, CalendarName, Delivery, DeliveryId, Event, Intent, OccurrenceName, Receipt};

/// One record. The ledger itself gives and takes what is between [`Record::Head`] and [`Record::End`]; whoever moves it
/// adds the two. The order in a transfer is that of the variants, and within each the order in which it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// First: what this is.
    Head {
        /// The transfer's own version.
        format: u32,
        /// `smm`'s version.
        smm: String,
        /// When it was written.
        at: DateTime<Utc>,
    },
    /// A calendar and its series.
    Calendar {
        /// Its name.
        name: CalendarName,
        /// What is known of it.
        known: CalendarRecord,
    },
    /// An account.
    Account {
        /// Its name.
        name: AccountName,
        /// What is known of it.
        known: AccountRecord,
    },
    /// Everything is paused.
    Paused {
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        reason: String,
    },
    /// A person has adopted the ledger: see [`CalendarRecord::adopted`].
    Adopted {
        /// When.
        at: DateTime<Utc>,
    },
    /// A delivery, whole.
    Delivery(Box<Delivery>),
    /// An intent of a delivery.
    Intent {
        /// Of which.
        delivery: DeliveryId,
        /// The delivery's generation then.
        generation: u32,
        /// Its outcome is not known.
        open: bool,
        /// What was about to be sent.
        intent: Box<Intent>,
    },
    /// What is out.
    Receipt {
        /// Of which delivery.
        delivery: DeliveryId,
        /// Its generation.
        generation: u32,
        /// The network.
        network: String,
        /// The identity that has it.
        uid: String,
        /// What the network answered.
        receipt: Receipt,
    },
    /// Which of a series' texts an occurrence has.
    Variation {
        /// The calendar.
        calendar: CalendarName,
        /// The series.
        series: String,
        /// The occurrence.
        occurrence: OccurrenceName,
        /// The text's number, from 0.
        variation: u32,
    },
    /// A post of `smm post`.
    Post {
        /// Its calendar.
        calendar: CalendarName,
        /// The post.
        post: Box<StoredPost>,
    },
    /// A line of the history.
    Event(Event),
    /// A target that alerts are told to.
    Target {
        /// Its name.
        name: String,
        /// It is told nothing that was raised before.
        since: DateTime<Utc>,
    },
    /// An alert, with how far its telling is.
    Alert {
        /// The alert.
        alert: Alert,
        /// By target, in the order of their names. A target that was not tried yet is not in it.
        tellings: Vec<Telling>,
    },
    /// Last: how many records came before. A transfer without it is cut short.
    End {
        /// So many.
        records: u64,
    },
}

/// How far the telling of an alert to one target is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// The target's name in `smm.toml`.
    pub target: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Told since; `None`: not yet.
    pub told_at: Option<DateTime<Utc>>,
    /// Not handed out before this.
    pub again: Option<DateTime<Utc>>,
    /// Why the last attempt did not work.
    pub error: Option<String>,
}
