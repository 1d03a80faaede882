//! What is planned for an account beyond a moment: the posts that meet a credential which has ended by then.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::forecast::next_time;
use crate::calendar::Calendar;
use crate::model::{Account, CalendarName, Delivery, PostId, State, Trigger};

/// What is planned for an account after a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// The post that comes first.
    pub post: PostId,
    /// When it is due.
    pub due: DateTime<Utc>,
    /// The same, as its calendar has it.
    pub civil: NaiveDateTime,
    /// How many posts are planned after the moment. A series is one of them, however often it comes.
    pub posts: usize,
    /// How many of them are series.
    pub series: usize,
}

impl Beyond {
    /// How much it is, as a clause.
    pub fn told(&self) -> String {
        let planned = if self.posts == 1 { "1 post is".to_owned() } else { format!("{} posts are", self.posts) };
        match (self.posts, self.series) {
            (_, 0) => format!("{planned} planned after that"),
            (1, 1) => "1 series goes on after that".to_owned(),
            (_, series) => format!("{planned} planned after that, {series} of them series"),
        }
    }
}

/// What is planned for `account` after `end`. `rows`: deliveries of any calendar and account, those of this calendar as
/// they are after [`super::schedule`]. `None`: nothing. Linear in posts and rows.
pub fn beyond<'a>(
    calendar: Option<&Calendar>,
    rows: impl IntoIterator<Item = &'a Delivery>,
    account: &Account,
    end: DateTime<Utc>,
) -> Option<Beyond> {
    // By calendar, too: two may each have a `launch`.
    let mut found: BTreeMap<(CalendarName, PostId), (DateTime<Utc>, NaiveDateTime, bool)> = BTreeMap::new();
    for row in rows {
        if row.state == State::Planned && row.account == account.name && row.ready_at() > end {
            let key = (row.calendar.clone(), row.post.clone());
            let first = found.entry(key).or_insert((row.due, row.civil, false));
            if row.due < first.0 {
                (first.0, first.1) = (row.due, row.civil);
            }
        }
    }
    if let Some(calendar) = calendar {
        for post in calendar.posts.iter().filter(|post| !post.draft && post.to.contains(&account.name)) {
            // Beyond the one row ahead of it.
            if let Some(Trigger::Cron { .. }) = post.trigger
                && let Some((due, civil, _)) = next_time(calendar, post, account, end)
            {
                let key = (calendar.name.clone(), post.id.clone());
                let first = found.entry(key).or_insert((due, civil, true));
                first.2 = true;
            }
        }
    }
    let (posts, series) = (found.len(), found.values().filter(|(.., series)| *series).count());
    let ((_, post), (due, civil, _)) = found.into_iter().min_by_key(|(_, (due, ..))| *due)?;
    Some(Beyond { post, due, civil, posts, series })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{World, cron, once, utc};
    use super::*;
    use crate::model::AccountName;

    fn of(world: &World, account: &str, end: &str) -> Option<Beyond> {
        let account = &world.calendar.accounts[&AccountName::new(account)];
        beyond(Some(&world.calendar), &world.rows, account, utc(end))
    }

    #[test]
    fn posts_after_the_end_are_counted_and_the_first_is_named() {
        let mut both = once("both", "2026-12-24T09:00:00");
        both.to.push(AccountName::new("b"));
        let posts = vec![once("late", "2026-12-31T09:00:00"), both, once("early", "2026-12-01T09:00:00")];
        let mut world = World::known("2026-11-01T00:00:00Z", posts);
        world.run();
        let found = of(&world, "a", "2026-12-10T00:00:00Z").expect("two");
        assert_eq!((found.post.as_str(), found.posts, found.series), ("both", 2, 0));
        assert_eq!(found.due, utc("2026-12-24T09:00:00Z"));
        assert_eq!(of(&world, "b", "2026-12-10T00:00:00Z").map(|found| found.posts), Some(1));
        assert_eq!(of(&world, "a", "2026-12-31T09:00:00Z"), None);
        // What is done with, or waits for a person, is not planned.
        world.state("both", State::Published);
        assert_eq!(of(&world, "a", "2026-12-10T00:00:00Z").map(|found| found.posts), Some(1));
    }

    #[test]
    fn a_series_goes_on_beyond_its_row() {
        let posts = vec![cron("tip", "0 9 * * MON"), once("late", "2026-12-31T09:00:00")];
        let mut world = World::known("2026-11-01T00:00:00Z", posts);
        world.run();
        assert_eq!(world.rows.len(), 2, "one row ahead");
        let found = of(&world, "a", "2026-12-10T00:00:00Z").expect("two");
        assert_eq!((found.post.as_str(), found.posts, found.series), ("tip", 2, 1));
        assert_eq!(found.due, utc("2026-12-14T09:00:00Z"));
        // The row itself, where the end comes before it.
        let found = of(&world, "a", "2026-11-01T12:00:00Z").expect("two");
        assert_eq!((found.due, found.posts, found.series), (utc("2026-11-02T09:00:00Z"), 2, 1));
    }
}
