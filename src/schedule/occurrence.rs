//! When a series is due: its rule, its bounds, its zone, and what happens where the clocks are changed.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::shift::Shift;
use crate::model::{Late, OccurrenceName, Post, PostId, Trigger};
use crate::time::{CronRule, Local, Zone};

/// Missed times of a series that are recorded one by one after downtime, the latest ones. What lies before them gets one
/// record for all.
pub const RECORDED: usize = 50;

/// A series: a rule with its bounds, in a zone, as an account has it.
#[derive(Debug, Clone)]
pub(super) struct Series<'a> {
    name: &'a PostId,
    late: Late,
    rule: CronRule,
    zone: &'a Zone,
    shift: Option<Shift<'a>>,
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
    except: &'a [NaiveDate],
}

/// One time of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occurrence {
    /// The civil time that the rule says, whatever the clock did that day: it names the occurrence.
    pub(super) nominal: NaiveDateTime,
    /// When that is. In a gap it is later than `nominal` by the gap, in blackout hours it is their end.
    pub(super) due: DateTime<Utc>,
    /// When it would be due without the account's blackout hours, where these have moved it, and their end.
    pub(super) moved: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// The times of a series that have gone by unmade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overdue {
    /// The first of them.
    pub(super) first: Occurrence,
    /// The last of them, in order: at most [`RECORDED`] and one.
    pub(super) latest: VecDeque<Occurrence>,
    /// The very last: the only one that still may go out.
    pub(super) last: Occurrence,
}

impl<'a> Series<'a> {
    /// `None`: the post is no series, or its rule cannot be read.
    pub(super) fn new(post: &'a Post, zone: &'a Zone) -> Option<Self> {
        let Some(Trigger::Cron { rule, from, until, except }) = &post.trigger else { return None };
        let rule = CronRule::parse(rule).ok()?;
        let (name, late) = (&post.name, post.late);
        Some(Self { name, late, rule, zone, shift: None, from: *from, until: *until, except })
    }

    /// The same series for an account that shifts times.
    pub(super) fn shifted(&self, shift: Option<Shift<'a>>) -> Self {
        Self { shift, ..self.clone() }
    }

    /// Everything that its times follow from, as one text: when it differs, the series was edited.
    pub(super) fn text(&self) -> String {
        let day = |day: Option<NaiveDate>| day.map_or("-".to_owned(), |day| day.to_string());
        let except: Vec<String> = self.except.iter().map(ToString::to_string).collect();
        format!(
            "{} {} {} {} {}",
            self.rule.as_str(),
            self.zone.name(),
            day(self.from),
            day(self.until),
            if except.is_empty() { "-".to_owned() } else { except.join(",") },
        )
    }

    /// The first occurrence whose nominal time is after `after`. Each is due later than the one before it.
    pub(super) fn next_after(&self, after: NaiveDateTime) -> Option<Occurrence> {
        Some(self.placed(self.plain_after(after)?))
    }

    /// A nominal time as the account has it; its nominal time is another where a later one serves for both.
    pub(super) fn at(&self, nominal: NaiveDateTime) -> Occurrence {
        self.placed(Occurrence { nominal, due: self.zone.local(nominal).instant(), moved: None })
    }

    /// Puts a time where the account has it. Of those that fall into the same blackout hours the last serves for all,
    /// and one at their very end for them, too.
    fn placed(&self, time: Occurrence) -> Occurrence {
        let Some(shift) = &self.shift else { return time };
        let end = shift.light(time.due);
        let mut placed = time;
        if end > time.due {
            placed = self.last_by(time, end);
            if placed.due < end {
                placed.moved = Some((placed.due, end));
                placed.due = end;
            }
        }
        let next = || self.plain_after(placed.nominal).map(|next| next.due);
        placed.due = shift.jittered(&OccurrenceName::civil(self.name, placed.nominal), self.late, placed.due, next);
        placed
    }

    /// The last time from `first` on that is due by `end`. The work is bounded however many there are.
    fn last_by(&self, first: Occurrence, end: DateTime<Utc>) -> Occurrence {
        let present = self.zone.civil(end);
        let mut hours = 1;
        loop {
            let early = present.checked_sub_signed(TimeDelta::hours(hours)).unwrap_or(first.nominal);
            let start = early.max(first.nominal);
            let mut last = None;
            let mut after = start;
            while let Some(found) = self.plain_after(after).filter(|found| found.due <= end) {
                after = found.nominal;
                last = Some(found);
            }
            match last {
                Some(last) => return last,
                None if start == first.nominal => return first,
                None => hours *= 10,
            }
        }
    }

    /// The first occurrence whose nominal time is after `after`, whatever the account.
    fn plain_after(&self, after: NaiveDateTime) -> Option<Occurrence> {
        let mut after = after;
        loop {
            let nominal = self.nominal_after(after)?;
            match self.zone.local(nominal) {
                // It would be shifted onto, or past, another time of the same series: that one serves for both.
                Local::Gap { after: shown, .. } if self.has_own(nominal, shown) => after = nominal,
                local => return Some(Occurrence { nominal, due: local.instant(), moved: None }),
            }
        }
    }

    /// The times after `watermark` that are due by `now`. The work is bounded however long ago that was: what is not
    /// recorded one by one is not walked through.
    pub(super) fn overdue(&self, watermark: NaiveDateTime, now: DateTime<Utc>) -> Option<Overdue> {
        let first = self.next_after(watermark).filter(|first| first.due <= now)?;
        let present = self.zone.civil(now);
        let mut hours = 1;
        loop {
            let start = present.checked_sub_signed(TimeDelta::hours(hours)).map_or(watermark, |at| at.max(watermark));
            let mut latest = VecDeque::new();
            let mut after = start;
            while let Some(found) = self.next_after(after).filter(|found| found.due <= now) {
                if latest.len() > RECORDED {
                    latest.pop_front();
                }
                latest.push_back(found);
                after = found.nominal;
            }
            match latest.back() {
                Some(&last) if latest.len() > RECORDED || start == watermark => {
                    return Some(Overdue { first, latest, last });
                }
                _ => hours *= 10,
            }
        }
    }

    /// What the rule says, within the bounds.
    fn nominal_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let before = |day: NaiveDate| day.and_time(NaiveTime::MIN).checked_sub_signed(TimeDelta::seconds(1));
        let mut after = self.from.and_then(before).map_or(after, |start| start.max(after));
        loop {
            let nominal = self.rule.next_after(after)?;
            let day = nominal.date();
            if self.until.is_some_and(|until| day > until) {
                return None;
            }
            if !self.except.contains(&day) {
                return Some(nominal);
            }
            after = day.and_hms_opt(23, 59, 59)?;
        }
    }

    /// Whether the series has a time of its own between the end of the gap that `nominal` is in and `shown`, the time
    /// that it would be shifted to.
    fn has_own(&self, nominal: NaiveDateTime, shown: NaiveDateTime) -> bool {
        // The last second of the gap, by halving: below it all is gap, above it nothing.
        let (mut gap, mut real) = (0, (shown - nominal).num_seconds());
        while real - gap > 1 {
            let middle = gap + (real - gap) / 2;
            if matches!(self.zone.local(nominal + TimeDelta::seconds(middle)), Local::Gap { .. }) {
                gap = middle;
            } else {
                real = middle;
            }
        }
        self.nominal_after(nominal + TimeDelta::seconds(gap)).is_some_and(|own| own <= shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn post(trigger: Trigger) -> Post {
        Post {
            id: PostId::new("s"),
            name: PostId::new("s"),
            trigger: Some(trigger),
            to: Vec::new(),
            content: crate::model::Content::default(),
            overrides: std::collections::BTreeMap::new(),
            campaign: None,
            late: Late::default(),
            draft: false,
        }
    }

    fn cron(rule: &str) -> Post {
        post(Trigger::Cron { rule: rule.to_owned(), from: None, until: None, except: Vec::new() })
    }

    /// The next times as nominal time → time shown on the clock.
    fn next(post: &Post, zone: &str, after: &str, count: usize) -> Vec<String> {
        let zone = Zone::parse(zone).unwrap();
        let series = Series::new(post, &zone).unwrap();
        let mut after = at(after);
        std::iter::from_fn(|| {
            let found = series.next_after(after)?;
            after = found.nominal;
            Some(format!("{} {}", found.nominal.format("%m-%d %H:%M"), zone.civil(found.due).format("%H:%M")))
        })
        .take(count)
        .collect()
    }

    #[test]
    fn a_series_in_a_gap_is_shifted() {
        assert_eq!(
            next(&cron("30 2 * * *"), "Europe/Berlin", "2026-03-28T00:00:00", 3),
            ["03-28 02:30 02:30", "03-29 02:30 03:30", "03-30 02:30 02:30"]
        );
        assert_eq!(
            next(&cron("15 2 * * *"), "Australia/Lord_Howe", "2026-10-03T12:00:00", 2),
            ["10-04 02:15 02:45", "10-05 02:15 02:15"]
        );
        assert_eq!(
            next(&cron("0 0 * * *"), "Asia/Beirut", "2026-03-28T12:00:00", 2),
            ["03-29 00:00 01:00", "03-30 00:00 00:00"]
        );
    }

    #[test]
    fn a_series_with_a_time_after_the_gap_is_not_doubled() {
        assert_eq!(
            next(&cron("0 * * * *"), "Europe/Berlin", "2026-03-29T00:30:00", 3),
            ["03-29 01:00 01:00", "03-29 03:00 03:00", "03-29 04:00 04:00"]
        );
        assert_eq!(
            next(&cron("*/30 * * * *"), "Europe/Berlin", "2026-03-29T01:00:00", 3),
            ["03-29 01:30 01:30", "03-29 03:00 03:00", "03-29 03:30 03:30"]
        );
        assert_eq!(
            next(&cron("30 2,4 * * *"), "Europe/Berlin", "2026-03-29T00:00:00", 2),
            ["03-29 02:30 03:30", "03-29 04:30 04:30"]
        );
        // 30 December 2011 did not exist; the post of the day after serves for it.
        assert_eq!(
            next(&cron("0 9 * * *"), "Pacific/Apia", "2011-12-28T12:00:00", 3),
            ["12-29 09:00 09:00", "12-31 09:00 09:00", "01-01 09:00 09:00"]
        );
        assert_eq!(next(&cron("0 9 30 12 *"), "Pacific/Apia", "2011-12-01T12:00:00", 1), ["12-30 09:00 09:00"]);
    }

    #[test]
    fn a_series_in_an_overlap_runs_once() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let trigger = cron("30 2 * * *");
        let series = Series::new(&trigger, &zone).unwrap();
        let found = series.next_after(at("2026-10-24T12:00:00")).unwrap();
        assert_eq!(found.due, "2026-10-25T00:30:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(series.next_after(found.nominal).unwrap().nominal, at("2026-10-26T02:30:00"));
    }

    #[test]
    fn bounds_and_exceptions() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let trigger = post(Trigger::Cron {
            rule: "0 9 * * mon-fri".to_owned(),
            from: Some(day("2026-12-01")),
            until: Some(day("2026-12-04")),
            except: vec![day("2026-12-02"), day("2026-12-03")],
        });
        assert_eq!(next(&trigger, "UTC", "2026-01-01T00:00:00", 9), ["12-01 09:00 09:00", "12-04 09:00 09:00"]);
        let zone = Zone::parse("UTC").unwrap();
        let series = Series::new(&trigger, &zone).unwrap();
        assert_eq!(series.text(), "0 9 * * mon-fri UTC 2026-12-01 2026-12-04 2026-12-02,2026-12-03");
        let plain = cron("@daily");
        assert_eq!(Series::new(&plain, &zone).unwrap().text(), "@daily UTC - - -");
        assert!(Series::new(&cron("not a rule"), &zone).is_none());
        assert!(Series::new(&post(Trigger::Release(crate::model::ReleaseRule::default())), &zone).is_none());
    }

    #[test]
    fn overdue_times_are_found_without_walking_through_all() {
        let zone = Zone::parse("UTC").unwrap();
        for (rule, watermark, now, first, last, count) in [
            ("0 9 * * *", "2026-12-01T09:00:00", "2026-12-02T08:59:59Z", None, "", 0),
            (
                "0 9 * * *",
                "2026-12-01T09:00:00",
                "2026-12-02T09:00:00Z",
                Some("2026-12-02T09:00:00"),
                "2026-12-02T09:00:00",
                1,
            ),
            (
                "0 9 * * *",
                "2026-12-01T09:00:00",
                "2026-12-04T12:00:00Z",
                Some("2026-12-02T09:00:00"),
                "2026-12-04T09:00:00",
                3,
            ),
            (
                "0 9 * * *",
                "2026-01-01T09:00:00",
                "2026-12-04T12:00:00Z",
                Some("2026-01-02T09:00:00"),
                "2026-12-04T09:00:00",
                51,
            ),
            (
                "0 9 1 1 *",
                "1999-01-01T09:00:00",
                "2026-12-04T12:00:00Z",
                Some("2000-01-01T09:00:00"),
                "2026-01-01T09:00:00",
                27,
            ),
            // Forty years of every second would be 1.2 thousand million steps.
            (
                "* * * * * *",
                "1986-01-01T09:00:00",
                "2026-12-04T12:00:00Z",
                Some("1986-01-01T09:00:01"),
                "2026-12-04T12:00:00",
                51,
            ),
        ] {
            let trigger = cron(rule);
            let series = Series::new(&trigger, &zone).unwrap();
            let found = series.overdue(at(watermark), now.parse().unwrap());
            assert_eq!(found.as_ref().map(|found| found.first.nominal), first.map(at), "{rule}");
            if let Some(found) = found {
                assert_eq!(found.last.nominal, at(last), "{rule}");
                assert_eq!(found.latest.len(), count, "{rule}");
                assert_eq!(found.latest.back(), Some(&found.last));
            }
        }
    }

    proptest! {
        #[test]
        fn each_is_due_later_than_the_one_before(
            minute in prop::sample::select(vec!["0", "30", "*/7", "15,45", "*"]),
            hour in prop::sample::select(vec!["2", "*", "0-3", "*/2", "1,3"]),
            zone in prop::sample::select(vec!["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham", "Asia/Beirut", "America/New_York"]),
            days in 0_i64..730,
        ) {
            let zone = Zone::parse(zone).unwrap();
            let trigger = cron(&format!("{minute} {hour} * * *"));
            let series = Series::new(&trigger, &zone).unwrap();
            let mut after = at("2026-01-01T00:00:00") + TimeDelta::days(days);
            let mut due = DateTime::<Utc>::MIN_UTC;
            for _ in 0..60 {
                let found = series.next_after(after).unwrap();
                prop_assert!(found.nominal > after && found.due > due, "{:?}", found);
                (after, due) = (found.nominal, found.due);
            }
        }
    }
}
