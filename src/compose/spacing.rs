//! Posts that `spacing` makes later than their grace: each alone is in time, together they are not.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::Calendar;
use crate::model::{AccountName, Place, Post, PostId, Problem, Trigger, codes};
use crate::time::Blackout;

/// What is wrong with each post, for the accounts that it is wrong for. Only posts with one time that is to come are
/// looked at: what a series says is not known to the minute.
pub(super) fn late_by_spacing(
    calendar: &Calendar,
    now: DateTime<Utc>,
) -> HashMap<&PostId, Vec<(&AccountName, Problem)>> {
    let mut found: HashMap<&PostId, Vec<(&AccountName, Problem)>> = HashMap::new();
    for (name, account) in &calendar.accounts {
        let Some(spacing) = account.spacing.and_then(|spacing| TimeDelta::from_std(spacing).ok()) else { continue };
        let hours = Blackout::of(account);
        let light = |at: DateTime<Utc>| hours.as_ref().map_or(at, |hours| hours.end(at));
        let mut queue: Vec<(DateTime<Utc>, &Post)> = calendar
            .posts
            .iter()
            .filter(|post| !post.draft && post.to.contains(name))
            .filter_map(|post| match post.trigger {
                Some(Trigger::At { instant, .. }) if instant >= now => Some((light(instant), post)),
                _ => None,
            })
            .collect();
        queue.sort_by_key(|(due, _)| *due);
        let mut free = DateTime::<Utc>::MIN_UTC;
        for (due, post) in queue {
            let at = light(due.max(free));
            free = at.checked_add_signed(spacing).unwrap_or(at);
            let by = (at - due).to_std().unwrap_or_default();
            if by > Duration::from_secs(post.late.grace_seconds) {
                let message = format!(
                    "its turn comes {} after its time, later than its grace: {} lie between two posts of this account",
                    minutes(by),
                    minutes(account.spacing.unwrap_or_default()),
                );
                let problem = Problem::warning(codes::SPACING_LATE, Place::Key { key: "at" }, message)
                    .help("move it, give it a longer `late.grace`, or shorten `spacing` of the account in smm.toml");
                found.entry(&post.id).or_default().push((name, problem));
            }
        }
    }
    found
}

fn minutes(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds < 120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}
