//! Calendar + clock + ledger → occurrences and deliveries: due, moved, dropped, late. Pure; what `plan` shows and what
//! the engine stores.

use chrono::{DateTime, Utc};

use crate::calendar::Calendar;
use crate::ledger::CalendarRecord;
use crate::model::{Delivery, PostId};

/// What has to be done so that the ledger agrees with the calendar.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Rows to be added or changed, with why.
    pub changes: Vec<Change>,
    /// The calendar's record as it shall be.
    pub record: CalendarRecord,
}

/// One row that differs.
#[derive(Debug, Clone)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// The row as it is; `None`: there is none.
    pub before: Option<Delivery>,
    /// The row as it shall be.
    pub after: Delivery,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// New.
    Added,
    /// Its time changed.
    Moved,
    /// Removed from the calendar before it was sent.
    Dropped,
    /// Came back into the calendar.
    Restored,
    /// Held, since it is late or the ledger is new.
    Held,
    /// Its time went by, and it was not to be published late.
    Missed,
}

/// Compares a calendar with what the ledger knows. `rows`: all deliveries of this calendar whose origin is the calendar.
/// `ids`: the ids of all posts in the files, also of those that cannot be read just now.
pub fn schedule(
    calendar: &Calendar,
    ids: &[PostId],
    rows: &[Delivery],
    record: &CalendarRecord,
    now: DateTime<Utc>,
) -> Schedule {
    let _ = (calendar, ids, rows, record, now);
    todo!()
}
