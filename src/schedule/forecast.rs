//! The times of series that no row stands for yet: what `plan` lists beyond the stored rows.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::occurrence::Series;
use super::shift::{self, Shift, due_for};
use crate::calendar::Calendar;
use crate::ledger::CalendarRecord;
use crate::model::{Account, AccountName, Delivery, OccurrenceName, Post, PostId, Reason, Trigger};

/// A delivery to come, without a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The post.
    pub post: PostId,
    /// The occurrence.
    pub occurrence: OccurrenceName,
    /// The account.
    pub account: AccountName,
    /// The account's network.
    pub network: String,
    /// When it will be due.
    pub due: DateTime<Utc>,
    /// The time that the rule says.
    pub civil: NaiveDateTime,
    /// Why it is due at another time, where blackout hours make it so.
    pub reason: Option<Reason>,
}

/// The next `per_series` times of each series up to `until`, for every account, without those that have a row. `rows` and
/// `record` are those after [`super::schedule`]. By due time, then in the calendar's order.
pub fn forecast(
    calendar: &Calendar,
    rows: &[Delivery],
    record: &CalendarRecord,
    now: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    per_series: usize,
) -> Vec<Forecast> {
    let stored: HashSet<(&str, &str)> =
        rows.iter().map(|row| (row.occurrence.as_str(), row.account.as_str())).collect();
    let present = calendar.zone.civil(now);
    let mut found = Vec::new();
    for post in calendar.posts.iter().filter(|post| !post.draft) {
        let Some(plain) = Series::new(post, &calendar.zone) else { continue };
        let begin = record.series.get(post.name.as_str()).map_or(present, |seen| seen.watermark);
        for name in &post.to {
            let Some(account) = calendar.accounts.get(name) else { continue };
            let shifted = Shift::of(&calendar.name, account).map(|shift| plain.shifted(Some(shift)));
            let series = shifted.as_ref().unwrap_or(&plain);
            let (mut after, mut shown) = (begin, 0);
            while shown < per_series
                && let Some(next) = series.next_after(after)
                && until.is_none_or(|until| next.due <= until)
            {
                after = next.nominal;
                if next.due <= now {
                    continue;
                }
                shown += 1;
                let occurrence = OccurrenceName::civil(&post.name, next.nominal);
                if !stored.contains(&(occurrence.as_str(), name.as_str())) {
                    found.push(Forecast {
                        post: post.id.clone(),
                        occurrence,
                        account: name.clone(),
                        network: account.network.clone(),
                        due: next.due,
                        civil: next.nominal,
                        reason: next.moved.map(|(asked, end)| shift::reason(&calendar.zone, name, asked, end)),
                    });
                }
            }
        }
    }
    found.sort_by_key(|forecast| forecast.due);
    found
}

/// The next time of a post for an account, as `plan` will have it: when it is due, its nominal time in the calendar's
/// zone, and why these differ where blackout hours make them. `None`: no time is known.
pub fn next_time(
    calendar: &Calendar,
    post: &Post,
    account: &Account,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, NaiveDateTime, Option<Reason>)> {
    if let Some(Trigger::At { civil, instant }) = post.trigger {
        let occurrence = OccurrenceName::once(&post.name);
        let (due, reason) = due_for(calendar, account, &occurrence, post.late, instant);
        return Some((due, civil, reason));
    }
    let series = Series::new(post, &calendar.zone)?.shifted(Shift::of(&calendar.name, account));
    let mut after = calendar.zone.civil(now);
    let time = loop {
        let time = series.next_after(after)?;
        if time.due > now {
            break time;
        }
        after = time.nominal;
    };
    let reason = time.moved.map(|(asked, end)| shift::reason(&calendar.zone, &account.name, asked, end));
    Some((time.due, time.nominal, reason))
}
