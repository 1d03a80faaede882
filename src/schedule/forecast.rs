//! The times of series that no row stands for yet: what `plan` lists beyond the stored rows.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::occurrence::Series;
use crate::calendar::Calendar;
use crate::ledger::CalendarRecord;
use crate::model::{AccountName, Delivery, OccurrenceName, PostId};

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
        let Some(series) = post.trigger.as_ref().and_then(|trigger| Series::new(trigger, &calendar.zone)) else {
            continue;
        };
        let seen = record.series.get(post.name.as_str());
        let mut after = seen.map_or(present, |seen| seen.watermark);
        let mut shown = 0;
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
            for name in &post.to {
                let Some(account) = calendar.accounts.get(name) else { continue };
                if !stored.contains(&(occurrence.as_str(), name.as_str())) {
                    found.push(Forecast {
                        post: post.id.clone(),
                        occurrence: occurrence.clone(),
                        account: name.clone(),
                        network: account.network.clone(),
                        due: next.due,
                        civil: next.nominal,
                    });
                }
            }
        }
    }
    found.sort_by_key(|forecast| forecast.due);
    found
}
