//! Finds what is not out although its grace is over, and raises it. Whatever holds it up (a paused account, a network that
//! does not answer, a queue) need not end for that.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::rule::{Waits, late_at, late_key, overdue};
use crate::engine::{COMMAND_CALENDAR, Engine};
use crate::ledger::{LedgerError, Query};
use crate::model::{AccountName, CalendarName, Delivery, State};

impl Engine {
    /// Raises what is late of these rows, and of what `smm post` has put into the ledger. Gives when the next one will be, if
    /// it is not out by then.
    pub(in crate::engine) async fn raise_late(
        &self,
        rows: impl Iterator<Item = &Delivery>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let query = Query {
            calendar: Some(CalendarName::new(COMMAND_CALENDAR)),
            states: vec![State::Planned, State::Claimed, State::Sending],
            ..Query::default()
        };
        let posted = self.ledger.deliveries(&query).await?;
        let (mut next, mut late): (Option<DateTime<Utc>>, Vec<&Delivery>) = (None, Vec::new());
        let mut all: Vec<&Delivery> = rows.collect();
        all.extend(&posted);
        for row in all {
            match late_at(row) {
                Some(at) if at <= now => late.push(row),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        // What was raised by this process need not be offered to the ledger again at every look.
        let keys: HashSet<String> = late.iter().map(|row| late_key(row)).collect();
        for row in late {
            if !self.alarm.is_late_already(&late_key(row)) {
                let waits = self.waits(&row.account, now).await?;
                self.ledger.raise(&overdue(row, &waits, now)).await?;
                self.alarm.ring();
            }
        }
        self.alarm.keep_late(keys);
        Ok(next)
    }

    async fn waits(&self, account: &AccountName, now: DateTime<Utc>) -> Result<Waits, LedgerError> {
        if let Some((_, why)) = self.ledger.paused().await? {
            return Ok(Waits::Paused(why));
        }
        let record = self.ledger.account(account).await?;
        Ok(match (record.paused, record.hold_off) {
            (Some((_, why)), _) => Waits::Paused(why),
            (None, Some((until, why))) if until > now => Waits::HeldOff(why),
            _ => Waits::Itself,
        })
    }
}
