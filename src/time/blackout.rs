//! Blackout hours: parts of the week in which an account publishes nothing.
//!
//! They are civil: what counts is what the clock in the zone shows. So an hour that the clocks jump over is not waited
//! for, and one that they show twice is dark twice.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};

use super::{WEEKDAYS, Zone};
use crate::model::{Account, WeekSpan};

/// Between two ends of a span lie at most a week and a few changes of the clocks; more steps than this are never made.
const STEPS: usize = 400;

const DAY: u16 = 24 * 60;
const EXAMPLES: &str = "write for example `22:00-07:00`, `sat-sun`, `fri 18:00-24:00` or `fri 18:00-mon 08:00`";

/// Hours that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HoursError {
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// The blackout hours of an account, in their zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Blackout {
    zone: Zone,
    spans: Vec<WeekSpan>,
}

impl Blackout {
    /// Those of an account; `None`: it has none.
    pub fn of(account: &Account) -> Option<Self> {
        if account.blackout.is_empty() {
            return None;
        }
        let zone = account.timezone.as_deref().and_then(|name| Zone::parse(name).ok()).unwrap_or_default();
        Some(Self { zone, spans: account.blackout.clone() })
    }

    /// Whether nothing may go out at an instant.
    pub fn covers(&self, at: DateTime<Utc>) -> bool {
        let minute = minute_of_week(self.zone.civil(at));
        self.spans.iter().any(|span| (span.start..span.end).contains(&minute))
    }

    /// The first instant from `at` on that is outside: `at` itself when it is.
    pub fn end(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.covers(at) { self.edge(at) } else { at }
    }

    /// The first instant from `at` on that is inside: `at` itself when it is.
    pub fn start(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.covers(at) { at } else { self.edge(at) }
    }

    /// When `span` has passed since `from`, the blackout hours not counted.
    pub fn after(&self, from: DateTime<Utc>, span: TimeDelta) -> Option<DateTime<Utc>> {
        let (mut at, mut left) = (self.end(from), span);
        for _ in 0..STEPS {
            let start = self.start(at);
            if start - at > left {
                break;
            }
            left -= start - at;
            at = self.end(start);
        }
        at.checked_add_signed(left)
    }

    /// How much of the time from `from` to `to` lies outside.
    pub fn outside(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        let (mut at, mut sum) = (self.end(from), TimeDelta::zero());
        for _ in 0..STEPS {
            if at >= to {
                return sum;
            }
            let start = self.start(at);
            sum += start.min(to) - at;
            at = self.end(start);
        }
        // So long ago that the hours do not matter.
        (to - from).max(sum)
    }

    /// The next instant after `at` at which [`Blackout::covers`] changes.
    fn edge(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let inside = self.covers(at);
        let mut at = at;
        for _ in 0..STEPS {
            let civil = self.zone.civil(at);
            let minute = minute_of_week(civil);
            // The end of the week is an edge too, though it may be none: it is only walked to.
            let next = self.spans.iter().flat_map(|span| [span.start, span.end]).filter(|edge| *edge > minute).min();
            let minutes = i64::from(next.unwrap_or(WeekSpan::WEEK) - minute);
            let into = TimeDelta::seconds(civil.second().into()) + TimeDelta::nanoseconds(civil.nanosecond().into());
            let ahead = at + TimeDelta::minutes(minutes) - into;
            // Up to a change of the clocks, civil time goes as time does.
            at = self.zone.next_change(at).map_or(ahead, |change| change.min(ahead));
            if self.covers(at) != inside {
                break;
            }
        }
        at
    }
}

fn minute_of_week(civil: NaiveDateTime) -> u16 {
    let minutes = civil.weekday().num_days_from_monday() * u32::from(DAY) + civil.hour() * 60 + civil.minute();
    u16::try_from(minutes).unwrap_or(0)
}

/// Reads one entry: `22:00-07:00`, `sat-sun`, `mon,wed`, `fri 18:00-24:00`, `mon-fri 22:00-07:00`,
/// `fri 18:00-mon 08:00`. A time that ends before it begins ends on the next day.
pub fn parse(text: &str) -> Result<Vec<WeekSpan>, HoursError> {
    let error = |message: String| HoursError { message, help: EXAMPLES.to_owned() };
    let spaced = text.trim().to_ascii_lowercase().replace(['–', '—'], "-");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    // Blanks around a dash or a comma say nothing.
    let joined = words.join(" ").replace(" - ", "-").replace(" -", "-").replace("- ", "-").replace(", ", ",");
    let words: Vec<&str> = joined.split(' ').filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        [] => Err(error("these hours are empty".to_owned())),
        [days] if !days.contains(':') => {
            Ok(each_day(days, text)?.into_iter().flat_map(|day| week(day * DAY, (day + 1) * DAY)).collect())
        }
        [times] => {
            let (from, to) = times_of(times, text)?;
            Ok((0..7).flat_map(|day| on_day(day, from, to)).collect())
        }
        [days, times] => {
            let (from, to) = times_of(times, text)?;
            Ok(each_day(days, text)?.into_iter().flat_map(|day| on_day(day, from, to)).collect())
        }
        [first, middle, to] => {
            let (from, last) =
                middle.split_once('-').ok_or_else(|| error(format!("`{text}` is not hours of the week")))?;
            let start = day_of(first, text)? * DAY + time_of(from, text)?;
            let end = day_of(last, text)? * DAY + time_of(to, text)?;
            if start == end {
                return Err(error(format!("`{text}` ends when it begins")));
            }
            // To the end of Sunday may be written as Monday 0:00.
            Ok(week(start, if end < start { end + WeekSpan::WEEK } else { end }))
        }
        _ => Err(error(format!("`{text}` is not hours of the week"))),
    }
}

/// Spans sorted and put together where they meet.
pub fn merge(mut spans: Vec<WeekSpan>) -> Vec<WeekSpan> {
    spans.sort_unstable();
    let mut merged: Vec<WeekSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// From one minute to another, which may be in the next week.
fn week(start: u16, end: u16) -> Vec<WeekSpan> {
    if end <= WeekSpan::WEEK {
        return vec![WeekSpan { start, end }];
    }
    let over = WeekSpan { start: 0, end: end - WeekSpan::WEEK };
    if start < WeekSpan::WEEK { vec![WeekSpan { start, end: WeekSpan::WEEK }, over] } else { vec![over] }
}

fn on_day(day: u16, from: u16, to: u16) -> Vec<WeekSpan> {
    let end = if to <= from { to + DAY } else { to };
    week(day * DAY + from, day * DAY + end)
}

fn times_of(times: &str, text: &str) -> Result<(u16, u16), HoursError> {
    let error = |message: String, help: &str| HoursError { message, help: help.to_owned() };
    let (from, to) =
        times.split_once('-').ok_or_else(|| error(format!("`{text}` does not say from when to when"), EXAMPLES))?;
    let (from, to) = (time_of(from, text)?, time_of(to, text)?);
    if from == DAY {
        return Err(error(format!("`{text}` begins at 24:00"), "write `00:00` with the day that begins then"));
    }
    if from == to {
        return Err(error(format!("`{text}` ends when it begins"), "for the whole day write `00:00-24:00`"));
    }
    Ok((from, to))
}

/// Minutes since midnight: `7:00`, `07:00`, `24:00`.
fn time_of(time: &str, text: &str) -> Result<u16, HoursError> {
    let error = || HoursError {
        message: format!("`{time}` in `{text}` is not a time of day"),
        help: "write hours and minutes, as in `22:00-07:00`".to_owned(),
    };
    let (hour, minute) = time.split_once(':').ok_or_else(error)?;
    let number = |part: &str, length: std::ops::RangeInclusive<usize>| {
        let plain = length.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<u16>().ok()).flatten().ok_or_else(error)
    };
    let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
    if hour > 24 || minute > 59 || (hour == 24 && minute > 0) {
        return Err(error());
    }
    Ok(hour * 60 + minute)
}

/// `mon`, `mon-fri`, `sat,sun`, `fri-mon`.
fn each_day(days: &str, text: &str) -> Result<Vec<u16>, HoursError> {
    let mut found = Vec::new();
    for part in days.split(',') {
        match part.split_once('-') {
            None => found.push(day_of(part, text)?),
            Some((first, last)) => {
                let (first, last) = (day_of(first, text)?, day_of(last, text)?);
                found.extend((0..=(last + 7 - first) % 7).map(|step| (first + step) % 7));
            }
        }
    }
    Ok(found)
}

fn day_of(day: &str, text: &str) -> Result<u16, HoursError> {
    let at = WEEKDAYS.iter().position(|name| day.len() >= 3 && name.starts_with(day));
    at.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| HoursError {
        message: format!("`{day}` in `{text}` is neither a day of the week nor a time of day"),
        help: EXAMPLES.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountName;
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn blackout(zone: &str, entries: &[&str]) -> Blackout {
        let mut account = Account::new(AccountName::new("fedi"), "some-network");
        account.blackout = merge(entries.iter().flat_map(|entry| parse(entry).unwrap()).collect());
        account.timezone = Some(zone.to_owned());
        Blackout::of(&account).unwrap()
    }

    /// Spans as `mon 22:00-24:00`.
    fn shown(entries: &[&str]) -> Vec<String> {
        let spans = merge(entries.iter().flat_map(|entry| parse(entry).unwrap()).collect());
        let at = |minute: u16, day: u16| {
            format!("{} {:02}:{:02}", &WEEKDAYS[usize::from(day)][..3], (minute - day * DAY) / 60, minute % 60)
        };
        spans
            .iter()
            .map(|span| format!("{}-{}", at(span.start, span.start / DAY), at(span.end, (span.end - 1) / DAY)))
            .collect()
    }

    #[test]
    fn the_grammar() {
        assert_eq!(shown(&["sat-sun"]), ["sat 00:00-sun 24:00"]);
        assert_eq!(shown(&["fri 18:00-24:00", "sat,sun"]), ["fri 18:00-sun 24:00"]);
        assert_eq!(shown(&["fri 18:00-mon 08:00"]), ["mon 00:00-mon 08:00", "fri 18:00-sun 24:00"]);
        assert_eq!(shown(&["Friday 18:00 – Monday 8:00"]), ["mon 00:00-mon 08:00", "fri 18:00-sun 24:00"]);
        assert_eq!(shown(&["mon-wed 22:00-02:30"]).len(), 3);
        assert_eq!(shown(&["sun 22:00-02:30"]), ["mon 00:00-mon 02:30", "sun 22:00-sun 24:00"]);
        assert_eq!(shown(&["sun-mon"]), ["mon 00:00-mon 24:00", "sun 00:00-sun 24:00"]);
        assert_eq!(shown(&["22:00-07:00"]).len(), 8, "the night over the end of the week is two");
        assert_eq!(shown(&["12:00 - 13:00"]).len(), 7);
        assert_eq!(shown(&["00:00-24:00"]), ["mon 00:00-sun 24:00"]);
        assert_eq!(shown(&["sun 12:00-sun 24:00"]), ["sun 12:00-sun 24:00"]);
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, message) in [
            ("", "these hours are empty"),
            ("night", "`night` in `night` is neither a day of the week nor a time of day"),
            ("22-7", "`22` in `22-7` is neither a day of the week nor a time of day"),
            ("22:00", "`22:00` does not say from when to when"),
            ("22:00-25:00", "`25:00` in `22:00-25:00` is not a time of day"),
            ("22:00-07:60", "`07:60` in `22:00-07:60` is not a time of day"),
            ("22:00-7pm", "`7pm` in `22:00-7pm` is not a time of day"),
            ("24:00-07:00", "`24:00-07:00` begins at 24:00"),
            ("07:00-07:00", "`07:00-07:00` ends when it begins"),
            ("fri 18:00-fri 18:00", "`fri 18:00-fri 18:00` ends when it begins"),
            ("every fri 18:00-24:00", "`every fri 18:00-24:00` is not hours of the week"),
            ("so 10:00-12:00", "`so` in `so 10:00-12:00` is neither a day of the week nor a time of day"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message == message || text.starts_with("every"), "{text}: {}", error.message);
            assert!(error.help.starts_with("write") || error.help.starts_with("for"), "{text}");
        }
    }

    #[test]
    fn a_night_ends_in_the_morning() {
        let night = blackout("Europe/Berlin", &["22:00-07:00"]);
        // Winter: an hour ahead of UTC.
        for (at, end) in [
            ("2026-12-01T20:59:59.999Z", "2026-12-01T20:59:59.999Z"),
            ("2026-12-01T21:00:00Z", "2026-12-02T06:00:00Z"),
            ("2026-12-01T23:30:00.5Z", "2026-12-02T06:00:00Z"),
            ("2026-12-02T05:59:59Z", "2026-12-02T06:00:00Z"),
            ("2026-12-02T06:00:00Z", "2026-12-02T06:00:00Z"),
            // From Sunday to Monday.
            ("2026-12-06T22:00:00Z", "2026-12-07T06:00:00Z"),
        ] {
            assert_eq!(night.end(utc(at)), utc(end), "{at}");
        }
        assert_eq!(night.start(utc("2026-12-02T06:00:00Z")), utc("2026-12-02T21:00:00Z"));
        assert_eq!(night.start(utc("2026-12-02T22:00:00Z")), utc("2026-12-02T22:00:00Z"));
    }

    #[test]
    fn hours_are_civil_where_the_clocks_change() {
        // On 29 March 2026 the clocks go from 2:00 to 3:00, on 25 October from 3:00 back to 2:00.
        let early = blackout("Europe/Berlin", &["01:00-02:30"]);
        assert_eq!(early.end(utc("2026-03-29T00:30:00Z")), utc("2026-03-29T01:00:00Z"), "2:30 is jumped over: 3:00");
        assert_eq!(early.end(utc("2026-10-25T00:15:00Z")), utc("2026-10-25T00:30:00Z"), "until 2:30 the first time");
        assert_eq!(early.end(utc("2026-10-25T01:15:00Z")), utc("2026-10-25T01:30:00Z"), "dark again the second time");
        let inside = blackout("Europe/Berlin", &["02:15-02:45"]);
        assert_eq!(inside.start(utc("2026-03-29T00:30:00Z")), utc("2026-03-30T00:15:00Z"), "never shown on that day");
        // A day that did not exist.
        let friday = blackout("Pacific/Apia", &["fri"]);
        assert_eq!(friday.start(utc("2011-12-28T12:00:00Z")), utc("2012-01-05T10:00:00Z"));
        // Half an hour.
        let lord = blackout("Australia/Lord_Howe", &["01:00-02:15"]);
        assert_eq!(lord.end(utc("2026-10-03T15:00:00Z")), utc("2026-10-03T15:30:00Z"), "2:00 is 2:30 at once");
    }

    #[test]
    fn a_grace_counts_no_blackout_hours() {
        let night = blackout("UTC", &["22:00-07:00"]);
        for (from, minutes, end) in [
            ("2026-12-01T12:00:00Z", 15, "2026-12-01T12:15:00Z"),
            ("2026-12-01T21:58:00Z", 15, "2026-12-02T07:13:00Z"),
            ("2026-12-01T22:00:00Z", 15, "2026-12-02T07:15:00Z"),
            ("2026-12-01T21:45:00Z", 15, "2026-12-02T07:00:00Z"),
            ("2026-12-01T21:00:00Z", 60 * 16, "2026-12-02T22:00:00Z"),
            ("2026-12-01T00:00:00Z", 60 * 30, "2026-12-03T07:00:00Z"),
        ] {
            let found = night.after(utc(from), TimeDelta::minutes(minutes)).unwrap();
            assert!(found == utc(end) || night.end(utc(end)) == found, "{from} {minutes}: {found}");
        }
        assert_eq!(night.after(utc("2026-12-01T12:00:00Z"), TimeDelta::MAX), None);
    }

    proptest! {
        /// The end and the start are exactly the first instants that the definition allows.
        #[test]
        fn edges_are_the_first_instants(
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Casablanca"]),
            entries in prop::sample::select(vec![
                vec!["22:00-07:00"], vec!["sat-sun"], vec!["fri 18:00-mon 08:00"], vec!["00:00-00:30", "02:00-03:00"],
                vec!["mon-fri 09:00-17:00", "sun"], vec!["23:59-23:58"],
            ]),
            seconds in 1_767_225_600_i64..1_830_297_600,
        ) {
            let hours = blackout(zone, &entries);
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            let inside = hours.covers(at);
            let edge = hours.edge(at);
            prop_assert!(edge > at && edge - at <= TimeDelta::days(8));
            prop_assert_ne!(hours.covers(edge), inside);
            prop_assert_eq!(hours.covers(edge - TimeDelta::nanoseconds(1)), inside);
            // Every change of the predicate is at a full minute: none lies between.
            let mut minute = at;
            while minute < edge {
                prop_assert_eq!(hours.covers(minute), inside, "{}", minute);
                minute += TimeDelta::minutes(13);
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,30}") {
            let _ = parse(&text);
        }
    }
}
