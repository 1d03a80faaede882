//! Nobody is left in the dark: what somebody has to know is raised with the row that makes it so ([`rule`]), or by itself
//! where no row goes with it ([`process`]), and told to every target of `smm.toml` ([`Teller`]) until that has worked.
//!
//! An alert is told once to each target, with one exception that cannot be had away: when the process ends after a target
//! has heard it and before the ledger knows, it is told again. The alerts of one message carry their keys, and the message
//! an id that is the same for the same alerts, so that a receiver can tell.
//!
//! What an account needs ahead of time is raised by [`super::horizon`]: its credential ends before posts that are planned.
//!
//! What is due to a target at the same time is one message. A target that was added to `smm.toml` is told what happens from
//! then on: what is open from before is in `smm status`, and a flood of old news would be the first that it hears.

mod command;
mod email;
mod late;
mod message;
mod process;
mod rule;
#[cfg(test)]
mod samples;
mod target;
mod teller;
mod webhook;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

pub use message::Message;
pub use process::{account_down, calendar_broken, credential_ends, ledger_older, renewal_lost};
pub(super) use rule::{late_from_the_start, of};
pub use target::{Sender, Senders, Target};
pub use teller::{Pace, Teller, tell};

use super::Engine;
use crate::ledger::{Alert, LedgerError};

/// A target that does not answer is given up after this long, until the next attempt.
pub const GIVE_UP: Duration = Duration::from_secs(30);

/// What the engine tells the [`Teller`]: that there is something to tell, or may be soon.
#[derive(Default)]
pub struct Alarm {
    rung: Notify,
    /// Raised when their time has come, unless they are called off before.
    later: Mutex<BTreeMap<String, Alert>>,
    /// Keys of what is late now and was raised.
    late: Mutex<HashSet<String>>,
}

impl Alarm {
    /// An alert was written to the ledger.
    pub fn ring(&self) {
        self.rung.notify_one();
    }

    /// Raises an alert at its `tell_at`, unless it is called off before. One for each `what`: the first one holds.
    pub fn later(&self, what: &str, alert: Alert) {
        self.lock().entry(what.to_owned()).or_insert(alert);
        self.ring();
    }

    /// What it was about is over.
    pub fn call_off(&self, what: &str) {
        self.lock().remove(what);
    }

    /// When the first of those that wait is to be raised.
    fn next(&self) -> Option<DateTime<Utc>> {
        self.lock().values().map(|alert| alert.tell_at).min()
    }

    /// Those whose time has come. They stay until [`Alarm::raised`], and then for as long as they are not called off, so
    /// that the same is not raised again.
    fn due(&self, now: DateTime<Utc>) -> Vec<Alert> {
        self.lock().values().filter(|alert| alert.tell_at <= now).cloned().collect()
    }

    fn raised(&self, key: &str) {
        for alert in self.lock().values_mut().filter(|alert| alert.key == key) {
            alert.tell_at = DateTime::<Utc>::MAX_UTC;
        }
    }

    fn is_late_already(&self, key: &str) -> bool {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn keep_late(&self, keys: HashSet<String>) {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Alert>> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Raises an alert that no delivery's row goes with.
    pub async fn raise(&self, alert: &Alert) -> Result<(), LedgerError> {
        self.ledger.raise(alert).await?;
        self.alarm.ring();
        Ok(())
    }
}
