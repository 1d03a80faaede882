//! A calendar under another name: each of its posts is a new one then, and what is due would go out a second time.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{ChangeKind, Schedule};
use crate::model::{CalendarName, Delivery, Origin, Reason, ReasonCode, Standing, State};
use crate::trial::Guard;

impl Schedule {
    /// Whether anything goes out at once.
    pub fn has_due(&self, now: DateTime<Utc>) -> bool {
        self.changes.iter().any(|change| is_due(&change.after, now))
    }

    /// For a calendar that the ledger has never seen: when posts of it, with their times and accounts, were brought out by
    /// another calendar, it is most likely that one under a new name. All that is due is held then, until a person says
    /// that it is to go out. `others`: what may be out of other calendars. Gives the calendar that it is like.
    pub fn hold_renamed(&mut self, others: &[Delivery], now: DateTime<Utc>) -> Option<CalendarName> {
        if !Guard::FirstRun.holds() {
            return None;
        }
        let after = self.changes.iter().map(|change| &change.after);
        let own: HashSet<_> = after.map(|row| (row.post.clone(), row.civil, row.account.clone())).collect();
        let is_own = |row: &Delivery| own.contains(&(row.post.clone(), row.civil, row.account.clone()));
        let like = others.iter().find(|other| {
            let may_be_out = matches!(other.state, State::Published | State::Sending | State::Unknown);
            may_be_out && other.origin == Origin::Calendar && is_own(other)
        })?;
        let message = format!(
            "the calendar `{}` has brought out posts with the same ids at the same times: this one looks like it under a \
             new name, and what is due may be out",
            like.calendar
        );
        for change in self.changes.iter_mut().filter(|change| is_due(&change.after, now)) {
            if change.before.is_none() {
                change.kind = ChangeKind::Held;
            }
            change.after.state = State::Held;
            change.after.released = false;
            change.after.reason = Some(Box::new(Reason::new(ReasonCode::FirstRun, message.clone())));
        }
        Some(like.calendar.clone())
    }
}

fn is_due(row: &Standing, now: DateTime<Utc>) -> bool {
    row.state == State::Planned && row.due <= now
}
