//! Posts that come when something that their network takes only so long has ended, such as a version of its API.

use chrono::{DateTime, Utc};

use crate::adapter::Ending;
use crate::calendar::Calendar;
use crate::model::{Account, Place, Post, Problem, Trigger, codes};
use crate::networks;

/// The posts to come that it concerns: each one that is due after the end; and as soon as the end is near, the first one of
/// each account that is not. By account, then in the order of the calendar.
pub fn endings(calendar: &Calendar, now: DateTime<Utc>) -> Vec<(&Post, &Account, Problem)> {
    let mut found = Vec::new();
    for (name, account) in &calendar.accounts {
        let network = networks::find(&account.network);
        let Some(ending) = network.and_then(|network| network.ends(account)) else { continue };
        let mut told = false;
        for post in calendar.posts.iter().filter(|post| !post.draft && post.to.contains(name)) {
            let problem = match post.trigger {
                Some(Trigger::At { instant, .. }) if instant < now => continue,
                Some(Trigger::At { instant, .. }) if ending.days_left(instant) < 0 => {
                    told = true;
                    problem("at", &ending, now, "before this post is due: it would be refused")
                }
                // When a series or a release comes is not known to the day.
                Some(_) if !told && ending.is_near(now) => {
                    told = true;
                    problem("", &ending, now, "and what this account posts after that is refused")
                }
                _ => continue,
            };
            found.push((post, account, problem));
        }
    }
    found
}

fn problem(key: &'static str, ending: &Ending, now: DateTime<Utc>, then: &str) -> Problem {
    let Ending { what, on, help } = ending;
    let ends = if ending.days_left(now) < 0 { "ended" } else { "ends" };
    let place = if key.is_empty() { Place::Post } else { Place::Key { key } };
    Problem::warning(codes::API_ENDING, place, format!("{what} {ends} on {on}, {then}")).help(*help)
}
