//! A ledger that is older than what was seen of it does not know what is out: nothing is claimed, looked up or repeated,
//! and nothing planned, until a person has adopted it.

use std::sync::atomic::Ordering;

use super::{Engine, alerts, systemd};
use crate::ledger::{Age, LedgerError};

/// What the service manager is told then.
pub(super) const OLDER: &str = "the ledger is older than what was seen of it; nothing is sent until `smm ledger adopt`";

impl Engine {
    /// Whether a person has to adopt the ledger first. Told once: in the log, to the service manager, and as an alert.
    pub(super) async fn is_ledger_older(&self) -> Result<bool, LedgerError> {
        let age = self.ledger.age().await?;
        let (Age::Older { seen, found }, Some(doubt)) = (&age, age.doubt()) else {
            if self.older_told.swap(false, Ordering::SeqCst) {
                tracing::info!("the ledger was adopted");
            }
            return Ok(false);
        };
        if !self.older_told.swap(true, Ordering::SeqCst) {
            tracing::error!("{doubt}; nothing is sent until `smm ledger adopt`");
            systemd::status(OLDER);
            self.ledger.raise(&alerts::ledger_older(seen, found, self.now())).await?;
            self.alarm.ring();
        }
        Ok(true)
    }
}
