//! Calendar + clock + ledger → occurrences and deliveries: due, moved, dropped, late. Pure; what `plan` shows and what
//! the engine stores.
//!
//! The rules, in the order in which they matter:
//!
//! 1. What was sent is never touched, and neither is what is being sent, what a person cancelled, what failed and what
//!    was missed. Only rows that are planned or held, without intent and receipts, follow the calendar.
//! 2. A post that cannot be read just now is not a post that was removed: its rows stay as they are.
//! 3. A row is known by its occurrence's name and its account, never by its time: moving a post moves its row.
//! 4. A time that went by longer ago than the post's grace is held, missed or published, as its `late` says. A row that a
//!    person released is exempt.
//! 5. A ledger that meets a calendar for the first time publishes at most [`UNASKED`] overdue posts, and holds them all
//!    when there are more. A series makes nothing overdue then.
//!    It holds all that is due when another calendar has brought out the same: it is that one under a new name.
//! 6. A series has one row ahead for each account. Of its times that went by unmade the last alone may still go out; the
//!    others are recorded as missed, the latest [`RECORDED`] one by one, and the first of all speaks for the rest.
//! 7. An edited series, and one that comes back, makes no time at or before the present.
//! 8. When a person has adopted an older ledger, whatever it never saw and that was due by then is held: it may be out.
//!
//! What happens where time is not simple:
//!
//! | question | decision |
//! |---|---|
//! | a post with one time, where the clocks jump over it | an error of `check` with both times that there are |
//! | the same, since the zone's data was changed later | it goes out as much later as was jumped |
//! | a series, where the clocks jump over its time | as much later as was jumped, once, unless the series has a time of its own up to there |
//! | a time that the clocks show twice | once, the first time; an offset chooses the other for a post with one time |
//! | where the instant comes from | civil time, zone and rule, anew at each comparison: newer zone data moves what is not sent |
//! | another zone, rule or bound of a series | no time at or before the change is made; what was sent stays |
//! | what names a time of a series | its nominal civil time: one delivery each, over any history of clocks and zones |
//! | times missed while nobody ran | one catch-up for each series; the late rule says whether it still goes out |
//! | blackout hours | moved to their end; of a series one time for all that fall into the same hours, and they are no lateness |
//! | jitter | later by what follows from the delivery's id: never past its grace, into blackout hours, or onto the next time |
//! | spacing, catching up | held by the ledger's claim; [`turns`] forecasts it |
//! | a time moved into the past, or added there | held, unless it is within its grace |
//! | a clock that was set back | nothing is made twice: a series' watermark and a row's state only go forward |
//! | leap seconds | `:60` is refused where times are read |
//!
//! What this module does not do: it reads no clock and writes no ledger. See [`crate::engine`] for who does.

mod beyond;
mod diff;
mod forecast;
mod late;
mod occurrence;
mod renamed;
mod shift;
mod since;
mod turn;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::calendar::Calendar;
use crate::ledger::CalendarRecord;
use crate::model::{CalendarName, Delivery, DeliveryId, PostId, Standing, Standings};

pub use beyond::{Beyond, beyond};
pub use forecast::{Forecast, forecast, next_time};
pub use late::span;
pub use occurrence::RECORDED;
pub use shift::due_for;
pub use since::{Difference, Effect, Ledgered, Side, since};
pub use turn::{Turn, Wait, turns};

/// Overdue posts that are published although nobody was asked: at a ledger's first sight of a calendar, and when posts
/// with `late.then = "publish"` turn up in a known calendar with times long gone.
pub const UNASKED: usize = 5;

/// What has to be done so that the ledger agrees with the calendar.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The calendar.
    pub calendar: CalendarName,
    /// Rows to be added or changed, with why: in the calendar's order, removed posts last.
    pub changes: Vec<Change>,
    /// The calendar's record as it shall be.
    pub record: CalendarRecord,
    /// When there is more to be done, if nobody edits anything: a series' next time, or a row's grace running out.
    /// `None`: never.
    pub again: Option<DateTime<Utc>>,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// How it stands; `None`: there is no row yet. In a box, since a new calendar has a change for each of its deliveries.
    pub before: Option<Box<Standing>>,
    /// How it shall stand. Its version is the one that was read.
    pub after: Standing,
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// New.
    Added,
    /// Its time changed.
    Moved,
    /// Its post's id, its network or its late rule changed; its time did not.
    Edited,
    /// Removed from the calendar before it was sent.
    Dropped,
    /// Came back into the calendar.
    Restored,
    /// Held, since it is late or the ledger is new. The row may be new.
    Held,
    /// Its time went by, and it was not to be published late. The row may be new.
    Missed,
}

impl ChangeKind {
    /// The word in JSON and in the ledger's history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Moved => "moved",
            Self::Edited => "edited",
            Self::Dropped => "dropped",
            Self::Restored => "restored",
            Self::Held => "held",
            Self::Missed => "missed",
        }
    }
}

/// Compares a calendar with what the ledger knows of its deliveries.
/// `ids`: the ids of all posts in the files, also of those that cannot be read just now.
pub fn schedule(
    calendar: &Calendar,
    ids: &[PostId],
    rows: &Standings,
    record: &CalendarRecord,
    now: DateTime<Utc>,
) -> Schedule {
    diff::Diff::new(calendar, ids, rows, record, now).run()
}

impl Change {
    /// The row as it shall be; `present`: as it is, if it is there.
    pub fn row(&self, calendar: &CalendarName, present: Option<&Delivery>) -> Delivery {
        match present {
            None => self.after.row(calendar),
            Some(row) => {
                let mut row = row.clone();
                self.after.lay_over(&mut row);
                row
            }
        }
    }
}

impl Schedule {
    /// The rows as they will be when all changes are stored: the old ones in their order, then the new ones.
    pub fn apply(&self, rows: &[Delivery]) -> Vec<Delivery> {
        let (old, new): (Vec<&Change>, Vec<&Change>) = self.changes.iter().partition(|change| change.before.is_some());
        let old: HashMap<DeliveryId, &Change> = old.into_iter().map(|change| (change.after.id, change)).collect();
        let kept = rows.iter().map(|row| match old.get(&row.id) {
            Some(change) => change.row(&self.calendar, Some(row)),
            None => row.clone(),
        });
        kept.chain(new.into_iter().map(|change| change.row(&self.calendar, None))).collect()
    }

    /// How those of `rows` that are open will stand then, in the same order.
    pub fn standings<'a>(&'a self, rows: &'a Standings) -> impl Iterator<Item = &'a Standing> {
        let (old, new): (Vec<&Change>, Vec<&Change>) = self.changes.iter().partition(|change| change.before.is_some());
        let old: HashMap<DeliveryId, &Standing> = old.into_iter().map(|it| (it.after.id, &it.after)).collect();
        let kept = rows.open.iter().map(move |row| old.get(&row.id).copied().unwrap_or(row));
        kept.chain(new.into_iter().map(|change| &change.after))
    }
}
