//! Makes the ledger agree with the calendar: [`crate::schedule`] says how, this stores it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{Engine, alerts};
use crate::calendar::Calendar;
use crate::ledger::{CalendarRecord, Ledger, LedgerError, Query, Write, Written};
use crate::model::{Account, AccountName, Delivery, Event, Origin, PostId, State};
use crate::schedule::{Change, ChangeKind, Schedule, schedule};
use crate::time::Blackout;
use crate::trial::point;

/// Rows stored in one transaction.
const GROUP: usize = 1_000;

/// Times that the ledger is read anew when somebody else wrote meanwhile.
const TRIES: usize = 5;

/// What was changed.
#[derive(Debug, Default)]
pub struct Applied {
    /// The rows that were added or changed.
    pub changes: Vec<(ChangeKind, Delivery)>,
    /// When there is more to be done, if nobody edits anything.
    pub again: Option<DateTime<Utc>>,
}

impl Engine {
    /// Compares calendar and ledger and stores what differs. Repeating it changes nothing. Nor does a clock that is
    /// doubted: everything would be late by it, or nothing due.
    pub async fn apply(&self) -> Result<Applied, LedgerError> {
        if self.clock_doubt().is_some() {
            return Ok(Applied::default());
        }
        let world = self.world();
        let Some(calendar) = &world.calendar else {
            let again = self.raise_late(std::iter::empty(), self.now()).await?;
            return Ok(Applied { again, ..Applied::default() });
        };
        let mut changes = Vec::new();
        for _ in 0..TRIES {
            let now = self.now();
            let query = Query { calendar: Some(calendar.name.clone()), ..Query::default() };
            let mut rows = self.ledger.deliveries(&query).await?;
            rows.retain(|row| row.origin == Origin::Calendar);
            let mut ids = world.ids.clone();
            if !world.complete {
                // A file that cannot be read may hold any of them: nothing is taken for removed.
                ids.extend(rows.iter().map(|row| row.post.clone()));
            }
            let record = self.ledger.calendar(&calendar.name).await?;
            let wanted = compare(&*self.ledger, calendar, &ids, &rows, &record, now).await?;
            point("apply");
            let (mut stale, mut stored) = (false, Vec::with_capacity(wanted.changes.len()));
            for group in wanted.changes.chunks(GROUP) {
                let writes: Vec<Write> = group.iter().map(|change| write(change, &calendar.accounts, now)).collect();
                let rings = writes.iter().any(|write| write.alert.is_some());
                for (change, written) in group.iter().zip(self.ledger.write(&writes).await?) {
                    let is_stored = written == Written::Done;
                    if is_stored {
                        log(change);
                    }
                    stale |= !is_stored;
                    stored.push(is_stored);
                }
                if rings {
                    self.alarm.ring();
                }
            }
            // Moved, not copied: a new calendar may have a hundred thousand of them.
            let of = |wanted: Schedule| {
                let both = wanted.changes.into_iter().zip(stored);
                both.filter(|(_, is_stored)| *is_stored).map(|(change, _)| (change.kind, change.after))
            };
            if stale {
                changes.extend(of(wanted));
                continue;
            }
            // Last, so that an end in the middle is met by the same comparison again.
            if wanted.record != record {
                self.ledger.put_calendar(&calendar.name, &wanted.record).await?;
            }
            point("applied");
            let late = self.raise_late(wanted.rows(&rows), now).await?;
            let again = wanted.again.into_iter().chain(late).min();
            changes.extend(of(wanted));
            return Ok(Applied { changes, again });
        }
        Err(LedgerError::Busy("others keep changing the deliveries of this calendar; try again".to_owned()))
    }
}

/// What has to be done so that the ledger agrees with the calendar: [`schedule`], and, where the ledger sees the calendar
/// for the first time, what other calendars in it say. `rows`, `ids` and `record` as there.
pub async fn compare(
    ledger: &dyn Ledger,
    calendar: &Calendar,
    ids: &[PostId],
    rows: &[Delivery],
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

fn write(change: &Change, accounts: &BTreeMap<AccountName, Account>, now: DateTime<Utc>) -> Write {
    let row = &change.after;
    let detail = match (&row.reason, change.kind) {
        (Some(reason), _) => reason.message.clone(),
        (None, kind) => format!("{}, due {}", kind.as_str(), row.due.format("%Y-%m-%d %H:%M:%S UTC")),
    };
    let kind = if row.state == State::Planned { "planned" } else { change.kind.as_str() };
    let event =
        Event { at: now, delivery: row.id, kind: kind.to_owned(), state: row.state, detail, actor: "smm".to_owned() };
    let before = change.before.as_ref();
    let hours = accounts.get(&row.account).and_then(Blackout::of);
    let alert = alerts::of(before, row, &event, hours.as_ref()).or_else(|| {
        let newly = before.is_none_or(|before| !before.released);
        newly.then(|| alerts::late_from_the_start(row, hours.as_ref(), now)).flatten()
    });
    Write { alert, ..Write::new(row.clone(), before.map_or(0, |before| before.version), event) }
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
