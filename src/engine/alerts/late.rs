//! Finds what is not out although its grace is over, and raises it. Whatever holds it up (a paused account, a network that
//! does not answer, a queue) need not end for that.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::rule::{Waits, late_at, late_key, overdue};
use crate::engine::{COMMAND_CALENDAR, Engine};
use crate::ledger::{LedgerError, Query};
use crate::model::{AccountName, CalendarName, Standing, State};
use crate::time::Blackout;

impl Engine {
    /// Raises what is late of these rows, and of what `smm post` has put into the ledger. Gives when the next one will be, if
    /// it is not out by then.
    pub(in crate::engine) async fn raise_late(
        &self,
        rows: impl Iterator<Item = &Standing>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let query = Query {
            calendar: Some(CalendarName::new(COMMAND_CALENDAR)),
            states: vec![State::Planned, State::Claimed, State::Sending],
            ..Query::default()
        };
        let posted: Vec<Standing> = self.ledger.deliveries(&query).await?.iter().map(Standing::of).collect();
        let (mut next, mut late): (Option<DateTime<Utc>>, Vec<&Standing>) = (None, Vec::new());
        let mut all: Vec<&Standing> = rows.collect();
        all.extend(&posted);
        let world = self.world();
        let hours: HashMap<&AccountName, Blackout> =
            world.accounts.iter().filter_map(|(name, account)| Some((name, Blackout::of(account)?))).collect();
        for row in all {
            match late_at(row, hours.get(&row.account)) {
                Some(at) if at <= now => late.push(row),
                Some(at) => next = Some(next.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        // What was raised by this process need not be offered to the ledger again at every look.
        let keys: HashSet<String> = late.iter().map(|row| late_key(row)).collect();
        let mut accounts = HashMap::new();
        for row in late {
            let key = late_key(row);
            if self.alarm.is_late_already(&key)
                || self.ledger.alerts(row.id).await?.iter().any(|raised| raised.alert.key == key)
            {
                continue;
            }
            let waits = match accounts.entry(&row.account) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(self.waits(&row.account, now).await?),
            };
            self.raise(&overdue(row, waits, now)).await?;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::samples::{after, planned, start};
    use super::super::samples::{alerts, engine_at, store};
    use super::*;
    use crate::model::{Delivery, Late, LateThen};
    use crate::time::ManualClock;

    #[tokio::test]
    async fn what_is_not_out_when_its_grace_ends_is_raised_once_whatever_holds_it_up() {
        let (store, clock) = (store(), ManualClock::new(start()));
        let engine = engine_at(&store, Arc::new(clock.clone()));
        let late = Late { grace_seconds: 900, then: LateThen::Publish };
        let row = Delivery { late, ..planned() };
        let again = engine.raise_late(std::iter::once(&Standing::of(&row)), start()).await.expect("answers");
        assert_eq!(again, Some(after(901)), "this is when to look again");
        assert_eq!(alerts(&engine, &row).await.len(), 0);
        engine.ledger.pause(Some(&row.account), Some((start(), "holiday".to_owned()))).await.expect("paused");
        for seconds in [901, 902, 5000] {
            assert_eq!(engine.raise_late(std::iter::once(&Standing::of(&row)), after(seconds)).await, Ok(None));
        }
        let raised = alerts(&engine, &row).await;
        assert_eq!((raised.len(), raised[0].kind.as_str()), (1, "late"));
        assert!(raised[0].message.ends_with("15 min 1 s late: paused: holiday"), "{}", raised[0].message);
        // Another process finds it raised.
        let other = engine_at(&store, Arc::new(clock));
        other.raise_late(std::iter::once(&Standing::of(&row)), after(6000)).await.expect("answers");
        assert_eq!(alerts(&engine, &row).await.len(), 1);
        // Moved, and late once more.
        let moved = Delivery { due: after(7000), ..row.clone() };
        engine.raise_late(std::iter::once(&Standing::of(&moved)), after(9000)).await.expect("answers");
        assert_eq!(alerts(&engine, &row).await.len(), 2);
    }

    #[tokio::test]
    async fn it_says_what_it_waits_for() {
        let (store, clock) = (store(), Arc::new(ManualClock::new(start())));
        let engine = engine_at(&store, clock);
        let row = planned();
        assert_eq!(engine.waits(&row.account, start()).await, Ok(Waits::Itself));
        engine.ledger.hold_off(&row.account, after(60), "it does not answer").await.expect("held off");
        assert_eq!(engine.waits(&row.account, start()).await, Ok(Waits::HeldOff("it does not answer".to_owned())));
        assert_eq!(engine.waits(&row.account, after(61)).await, Ok(Waits::Itself));
        engine.ledger.pause(None, Some((start(), "all".to_owned()))).await.expect("paused");
        assert_eq!(engine.waits(&row.account, start()).await, Ok(Waits::Paused("all".to_owned())));
    }
}
