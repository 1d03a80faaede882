//! Makes the ledger agree with the calendar: [`crate::schedule`] says how, this stores it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::{Engine, alerts};
use crate::calendar::Calendar;
use crate::ledger::{CalendarRecord, Ledger, LedgerError, Query, Write, Written};
use crate::model::{Delivery, DeliveryId, Event, PostId, Standings, State};
use crate::schedule::{Change, Schedule, schedule};
use crate::time::Blackout;
use crate::trial::point;

/// Rows stored in one transaction.
const GROUP: usize = 1_000;

/// Times that the ledger is read anew when somebody else wrote meanwhile.
const TRIES: usize = 5;

impl Engine {
    /// Compares calendar and ledger and stores what differs. Repeating it changes nothing. Nor does a clock that is
    /// doubted: everything would be late by it, or nothing due. Gives when there is more to be done, if nobody edits
    /// anything.
    pub async fn apply(&self) -> Result<Option<DateTime<Utc>>, LedgerError> {
        if self.clock_doubt().is_some() {
            return Ok(None);
        }
        let world = self.world();
        let Some(calendar) = &world.calendar else {
            return self.raise_late(std::iter::empty(), self.now()).await;
        };
        for _ in 0..TRIES {
            let now = self.now();
            let rows = self.ledger.standings(&calendar.name).await?;
            let mut ids = world.ids.clone();
            if !world.complete {
                // A file that cannot be read may hold any of them: nothing is taken for removed.
                ids.extend(rows.posts().cloned());
            }
            let record = self.ledger.calendar(&calendar.name).await?;
            let wanted = compare(&*self.ledger, calendar, &ids, &rows, &record, now).await?;
            point("apply");
            let mut stale = false;
            for group in wanted.changes.chunks(GROUP) {
                stale |= !self.store_group(calendar, group, now).await?;
            }
            if stale {
                continue;
            }
            // Last, so that an end in the middle is met by the same comparison again.
            if wanted.record != record {
                self.ledger.put_calendar(&calendar.name, &wanted.record).await?;
            }
            point("applied");
            let late = self.raise_late(wanted.standings(&rows), now).await?;
            return Ok(wanted.again.into_iter().chain(late).min());
        }
        Err(LedgerError::Busy("others keep changing the deliveries of this calendar; try again".to_owned()))
    }

    /// Stores a group of changes. Gives whether all of them were: somebody else may have been faster.
    async fn store_group(
        &self,
        calendar: &Calendar,
        group: &[Change],
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let known: Vec<DeliveryId> =
            group.iter().filter(|change| change.before.is_some()).map(|change| change.after.id).collect();
        let mut present = HashMap::with_capacity(known.len());
        if !known.is_empty() {
            let query = Query { ids: Some(known), ..Query::default() };
            present.extend(self.ledger.deliveries(&query).await?.into_iter().map(|row| (row.id, row)));
        }
        // Should a row not be there any more, the ledger takes no write over it.
        let writes: Vec<Write> =
            group.iter().map(|change| write(change, present.get(&change.after.id), calendar, now)).collect();
        let rings = writes.iter().any(|write| write.alert.is_some());
        let mut all = true;
        for (change, written) in group.iter().zip(self.ledger.write(&writes).await?) {
            if written == Written::Done {
                log(change);
            } else {
                all = false;
            }
        }
        if rings {
            self.alarm.ring();
        }
        Ok(all)
    }
}

/// What has to be done so that the ledger agrees with the calendar: [`schedule`], and, where the ledger sees the calendar
/// for the first time, what other calendars in it say. `rows`, `ids` and `record` as there.
pub async fn compare(
    ledger: &dyn Ledger,
    calendar: &Calendar,
    ids: &[PostId],
    rows: &Standings,
    record: &CalendarRecord,
    now: DateTime<Utc>,
) -> Result<Schedule, LedgerError> {
    let mut wanted = schedule(calendar, ids, rows, record, now);
    if record.first_seen.is_none() && wanted.has_due(now) {
        let states = vec![State::Published, State::Sending, State::Unknown];
        let mut others = ledger.deliveries(&Query { states, ..Query::default() }).await?;
        others.retain(|row| row.calendar != calendar.name);
        // An account that is bound to nobody is each calendar's own: two may well have a `site` with a `hello`.
        let mut bound = BTreeSet::new();
        for account in others.iter().map(|row| &row.account).collect::<BTreeSet<_>>() {
            if ledger.account(account).await?.binding.is_some() {
                bound.insert(account.clone());
            }
        }
        others.retain(|row| bound.contains(&row.account));
        if let Some(like) = wanted.hold_renamed(&others, now) {
            tracing::warn!(calendar = %calendar.name, %like, "it looks like another calendar under a new name; what is due is held");
        }
    }
    Ok(wanted)
}

/// `present`: the row as it is, where there is one.
fn write(change: &Change, present: Option<&Delivery>, calendar: &Calendar, now: DateTime<Utc>) -> Write {
    let row = change.row(&calendar.name, present);
    let detail = match (&row.reason, change.kind) {
        (Some(reason), _) => reason.message.clone(),
        (None, kind) => format!("{}, due {}", kind.as_str(), row.due.format("%Y-%m-%d %H:%M:%S UTC")),
    };
    let kind = if row.state == State::Planned { "planned" } else { change.kind.as_str() };
    let event =
        Event { at: now, delivery: row.id, kind: kind.to_owned(), state: row.state, detail, actor: "smm".to_owned() };
    let hours = calendar.accounts.get(&row.account).and_then(Blackout::of);
    let alert = alerts::of(present, &row, &event, hours.as_ref()).or_else(|| {
        let newly = present.is_none_or(|present| !present.released);
        newly.then(|| alerts::late_from_the_start(&row, hours.as_ref(), now)).flatten()
    });
    Write { alert, ..Write::new(row, change.after.version, event) }
}

fn log(change: &Change) {
    let row = &change.after;
    let (delivery, post, account, what) =
        (row.id.short(), row.post.as_str(), row.account.as_str(), change.kind.as_str());
    if let (Some(reason), State::Held | State::Missed) = (&row.reason, row.state) {
        tracing::warn!(delivery, post, account, what, "{}", reason.message);
    } else {
        tracing::info!(delivery, post, account, what, due = %row.due, "calendar");
    }
}
