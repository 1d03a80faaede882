//! Dates as people say them: `tomorrow 9:00`, `fri 14:30`, `in 3 hours`, `2026-12-01 09:00`.
//!
//! What may mean two things is refused rather than guessed (`01/12/2026`, `next friday`, a day without a time of day,
//! `tomorrow midnight`), for a post at the wrong time cannot be taken back. A clock time alone is the next such time, a
//! weekday the next such day, a date without a year the next such date. A time that has gone by (`today 8:00` at
//! noon) is given as it is: what to do about it is the caller's business.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};

use super::{Local, MONTHS, WEEKDAYS, Zone};

/// A time that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` {why}")]
pub struct HumanError {
    /// As written.
    pub text: String,
    /// What is wrong with it, and what to write instead.
    pub why: String,
}

const EXAMPLES: &str = "is not a time that smm understands; write for example `tomorrow 9:00`, `fri 14:30`, `in 2 hours` or `2026-12-01 09:00`";
const NO_TIME_OF_DAY: &str = "has no time of day; write for example `tomorrow 9:00` or `2026-12-01 09:00`";

/// What was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// A civil time.
    Civil(NaiveDateTime),
    /// So much time from now, whatever the clocks do.
    Elapsed(TimeDelta),
    /// With an offset.
    Instant(DateTime<Utc>),
}

/// Reads a time. `now` is the present in the zone that the text is meant in; so is the answer. A span of hours is counted
/// on the civil clock, and an offset is refused: see [`parse_in`], which knows the zone.
pub fn parse(text: &str, now: NaiveDateTime) -> Result<NaiveDateTime, HumanError> {
    let error = |why: &str| HumanError { text: text.to_owned(), why: why.to_owned() };
    match read(text, now).map_err(error)? {
        Said::Civil(civil) => Ok(civil),
        Said::Elapsed(span) => now.checked_add_signed(span).ok_or_else(|| error("is too far away")),
        Said::Instant(_) => Err(error("has an offset; write the time as the clock of its zone shows it")),
    }
}

/// Reads a time that is meant in a zone. A span of hours is real time, an offset is honoured, a time that the clocks
/// jump over is refused with both times that there are, and of a time that they show twice the first is taken.
pub fn parse_in(text: &str, zone: &Zone, now: DateTime<Utc>) -> Result<DateTime<Utc>, HumanError> {
    let error = |why: &str| HumanError { text: text.to_owned(), why: why.to_owned() };
    match read(text, zone.civil(now)).map_err(error)? {
        Said::Instant(at) => Ok(at),
        Said::Elapsed(span) => now.checked_add_signed(span).ok_or_else(|| error("is too far away")),
        Said::Civil(civil) => match zone.local(civil) {
            Local::Gap { before, after, .. } => Err(error(&format!(
                "does not exist: the clocks in {} jump over it; write `{}` or `{}`",
                zone.name(),
                before.format("%Y-%m-%d %H:%M"),
                after.format("%Y-%m-%d %H:%M"),
            ))),
            local => Ok(local.instant()),
        },
    }
}

fn read(text: &str, now: NaiveDateTime) -> Result<Said, &'static str> {
    let trimmed = text.trim();
    if trimmed.len() > 100 {
        return Err(EXAMPLES);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(trimmed) {
        return Ok(Said::Instant(at.to_utc()));
    }
    for form in ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        match NaiveDateTime::parse_from_str(trimmed, form) {
            Ok(at) if at.nanosecond() >= 1_000_000_000 => return Err("is a leap second; write `:59` instead of `:60`"),
            Ok(at) if in_range(at) => return Ok(Said::Civil(at)),
            Ok(_) => return Err("is too far away"),
            Err(_) => {}
        }
    }
    let lower = trimmed.to_lowercase().replace(',', " ");
    let mut words: Vec<&str> = lower.split_whitespace().collect();
    if words == ["now"] {
        return Ok(Said::Elapsed(TimeDelta::zero()));
    }
    words.retain(|word| !matches!(*word, "at" | "on" | "the" | "of"));
    if let Some(at) = span(&words, now)? {
        return Ok(at);
    }
    let (mut rest, time) = match take_clock(&words) {
        Some((rest, time)) => (rest, Some(time)),
        None => (words, None),
    };
    if rest.last() == Some(&"tonight") && rest.len() == 1 {
        let evening = NaiveTime::from_hms_opt(20, 0, 0).ok_or(EXAMPLES)?;
        return match time {
            Some(Clock { midnight: true, .. }) => Err(MIDNIGHT),
            Some(clock) if clock.time.hour() < 12 => Err("is not in the evening; write `tomorrow` with the time"),
            clock => Ok(Said::Civil(now.date().and_time(clock.map_or(evening, |clock| clock.time)))),
        };
    }
    if rest.first() == Some(&"this") {
        rest.remove(0);
    }
    if rest.is_empty() {
        let time = time.ok_or(EXAMPLES)?.time;
        let today = now.date().and_time(time);
        let next = if today > now { Some(today) } else { today.checked_add_days(Days::new(1)) };
        return next.map(Said::Civil).ok_or("is too far away");
    }
    let day = day(&rest, now)?;
    let Clock { time, midnight } = time.ok_or(NO_TIME_OF_DAY)?;
    if midnight {
        return Err(MIDNIGHT);
    }
    let at = match day {
        Day::Date(date) => date.and_time(time),
        Day::Weekday(ahead) => {
            let first = now.date().checked_add_days(Days::new(ahead)).ok_or("is too far away")?.and_time(time);
            if first > now { first } else { first.checked_add_days(Days::new(7)).ok_or("is too far away")? }
        }
        Day::Yearly { day, month } => (now.year()..now.year() + 9)
            .filter_map(|year| NaiveDate::from_ymd_opt(year, month, day))
            .map(|date| date.and_time(time))
            .find(|at| *at > now)
            .ok_or("is a day that no month has")?,
    };
    if in_range(at) { Ok(Said::Civil(at)) } else { Err("is too far away") }
}

const MIDNIGHT: &str = "may mean the midnight before or after that day; write `0:00` with the day that begins";

/// Years that every other part of the program can show and reckon with.
fn in_range(at: NaiveDateTime) -> bool {
    (1970..=9000).contains(&at.year())
}

#[derive(Debug, Clone, Copy)]
struct Clock {
    time: NaiveTime,
    /// Said as the word, so it may belong to the day before.
    midnight: bool,
}

/// Takes the time of day out of the words, wherever it stands: `tomorrow 9:00`, `9 am tomorrow`.
fn take_clock<'a>(words: &[&'a str]) -> Option<(Vec<&'a str>, Clock)> {
    for start in 0..words.len() {
        for length in [2, 1] {
            let Some(said) = words.get(start..start + length) else { continue };
            if let Some(clock) = clock(&said.concat(), length) {
                let mut rest = words.to_vec();
                rest.drain(start..start + length);
                return Some((rest, clock));
            }
        }
    }
    None
}

/// `9:00`, `14:30:15`, `9am`, `9:30pm`, `noon`, `midnight`.
fn clock(text: &str, words: usize) -> Option<Clock> {
    let plain = |hour, minute, second| {
        NaiveTime::from_hms_opt(hour, minute, second).map(|time| Clock { time, midnight: false })
    };
    match text {
        "noon" | "midday" if words == 1 => return plain(12, 0, 0),
        "midnight" if words == 1 => return plain(0, 0, 0).map(|clock| Clock { midnight: true, ..clock }),
        _ => {}
    }
    let (digits, half) = match text.strip_suffix("am").or_else(|| text.strip_suffix("a.m.")) {
        Some(digits) => (digits, Some(0)),
        None => match text.strip_suffix("pm").or_else(|| text.strip_suffix("p.m.")) {
            Some(digits) => (digits, Some(12)),
            None if words == 1 => (text, None),
            None => return None,
        },
    };
    let numbers: Vec<u32> =
        digits.split(':').map(|part| if part.len() <= 2 { whole(part) } else { None }).collect::<Option<_>>()?;
    let (hour, minute, second) = match (numbers.as_slice(), half) {
        ([hour], Some(_)) => (*hour, 0, 0),
        ([hour, minute], _) => (*hour, *minute, 0),
        ([hour, minute, second], _) => (*hour, *minute, *second),
        _ => return None,
    };
    match half {
        None => plain(hour, minute, second),
        Some(half) if (1..=12).contains(&hour) => plain(hour % 12 + half, minute, second),
        Some(_) => None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Day {
    Date(NaiveDate),
    /// So many days from today, or a week later.
    Weekday(u64),
    /// A date of every year.
    Yearly {
        day: u32,
        month: u32,
    },
}

/// Which of the names a word begins: three letters at least.
fn named(word: &str, names: &[&str]) -> Option<usize> {
    let word = word.trim_end_matches('.');
    (word.len() >= 3).then(|| names.iter().position(|name| name.starts_with(word)))?
}

fn day(words: &[&str], now: NaiveDateTime) -> Result<Day, &'static str> {
    let later = |days| now.date().checked_add_days(Days::new(days)).map(Day::Date).ok_or("is too far away");
    match words {
        ["today"] => later(0),
        ["tomorrow"] => later(1),
        ["day", "after", "tomorrow"] => later(2),
        ["yesterday"] => now.date().checked_sub_days(Days::new(1)).map(Day::Date).ok_or(EXAMPLES),
        ["next", ..] => Err("may mean the coming one or the one after it; leave out `next`, or write the date"),
        [date] if date.contains('/') => {
            Err("may be read as day and month or as month and day; write the date as in `2026-12-01`")
        }
        [date] if NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok() => {
            NaiveDate::parse_from_str(date, "%Y-%m-%d").map(Day::Date).map_err(|_| EXAMPLES)
        }
        [word] => {
            let weekday = named(word, &WEEKDAYS).ok_or(EXAMPLES)?;
            let today = now.weekday().num_days_from_monday() as usize;
            Ok(Day::Weekday(((weekday + 7 - today) % 7) as u64))
        }
        [a, b] => month_day(a, b).map(|(day, month)| Day::Yearly { day, month }).ok_or(EXAMPLES),
        [a, b, year] if year.len() == 4 => {
            let year = whole(year).and_then(|year| i32::try_from(year).ok()).ok_or(EXAMPLES)?;
            let (day, month) = month_day(a, b).ok_or(EXAMPLES)?;
            NaiveDate::from_ymd_opt(year, month, day).map(Day::Date).ok_or("is a day that this month does not have")
        }
        _ => Err(EXAMPLES),
    }
}

/// `1 dec`, `dec 1`, `December 1st`.
fn month_day(a: &str, b: &str) -> Option<(u32, u32)> {
    let (month, day) = match (named(a, &MONTHS), named(b, &MONTHS)) {
        (Some(month), None) => (month, b),
        (None, Some(month)) => (month, a),
        _ => return None,
    };
    let day = ["st", "nd", "rd", "th", "."].iter().find_map(|end| day.strip_suffix(end)).unwrap_or(day);
    Some((whole(day).filter(|day| (1..=31).contains(day))?, u32::try_from(month).ok()? + 1))
}

/// `in 3 hours`, `2 days`, `in 1h30m`, `in a week at 9:00`. `None`: it is no span at all.
fn span(words: &[&str], now: NaiveDateTime) -> Result<Option<Said>, &'static str> {
    let (said, strict) = match words {
        ["in", rest @ ..] => (rest, true),
        rest => (rest, false),
    };
    let (said, clock) = match take_clock(said) {
        Some((rest, clock)) => (rest, Some(clock)),
        None => (said.to_vec(), None),
    };
    let Some((elapsed, days, months)) = units(&said) else {
        return if strict { Err(EXAMPLES) } else { Ok(None) };
    };
    if days == 0 && months == 0 {
        return if clock.is_some() { Err(EXAMPLES) } else { Ok(Some(Said::Elapsed(elapsed))) };
    }
    let date = now.checked_add_months(Months::new(months)).and_then(|at| at.checked_add_days(Days::new(days)));
    let at = date.ok_or("is too far away")?;
    let at = match clock {
        Some(Clock { midnight: true, .. }) => return Err(MIDNIGHT),
        Some(_) if !elapsed.is_zero() => return Err(EXAMPLES),
        Some(clock) => at.date().and_time(clock.time),
        None => at.checked_add_signed(elapsed).ok_or("is too far away")?,
    };
    if in_range(at) { Ok(Some(Said::Civil(at))) } else { Err("is too far away") }
}

/// Elapsed time, days and months of a span such as `2 days and 3 hours` or `1h30m`.
fn units(words: &[&str]) -> Option<(TimeDelta, u64, u32)> {
    if matches!(words, ["half", "an", "hour"]) {
        return Some((TimeDelta::minutes(30), 0, 0));
    }
    let joined = words.iter().filter(|word| **word != "and").copied().collect::<Vec<_>>().join(" ");
    let mut left = joined.as_str();
    let (mut elapsed, mut days, mut months) = (TimeDelta::zero(), 0_u64, 0_u32);
    if left.is_empty() {
        return None;
    }
    while !left.is_empty() {
        let digits = left.find(|c: char| !c.is_ascii_digit()).unwrap_or(left.len());
        let count = if digits > 0 {
            let count = if digits <= 5 { whole(&left[..digits])? } else { return None };
            left = left[digits..].trim_start();
            count
        } else {
            left =
                left.strip_prefix("an ").or_else(|| left.strip_prefix("a ")).or_else(|| left.strip_prefix("one "))?;
            1
        };
        let end = left.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(left.len());
        match &left[..end] {
            "s" | "sec" | "secs" | "second" | "seconds" => elapsed += TimeDelta::seconds(i64::from(count)),
            "m" | "min" | "mins" | "minute" | "minutes" => elapsed += TimeDelta::minutes(i64::from(count)),
            "h" | "hr" | "hrs" | "hour" | "hours" => elapsed += TimeDelta::hours(i64::from(count)),
            "d" | "day" | "days" => days += u64::from(count),
            "w" | "week" | "weeks" => days += 7 * u64::from(count),
            "month" | "months" => months = months.checked_add(count)?,
            _ => return None,
        }
        left = left[end..].trim_start();
    }
    Some((elapsed, days, months))
}

/// A number of digits alone.
fn whole(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Wednesday, half past ten.
    const NOW: &str = "2026-11-25T10:30:00";

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn what_people_say() {
        for (said, meant) in [
            ("now", "2026-11-25T10:30:00"),
            ("tomorrow 9:00", "2026-11-26T09:00:00"),
            ("Tomorrow at 9am", "2026-11-26T09:00:00"),
            ("9:00 tomorrow", "2026-11-26T09:00:00"),
            ("9 am tomorrow", "2026-11-26T09:00:00"),
            ("tomorrow noon", "2026-11-26T12:00:00"),
            ("day after tomorrow 7:05", "2026-11-27T07:05:00"),
            ("today 18:00", "2026-11-25T18:00:00"),
            ("today 8:00", "2026-11-25T08:00:00"),
            ("tonight", "2026-11-25T20:00:00"),
            ("tonight at 9:30 pm", "2026-11-25T21:30:00"),
            ("fri 14:30", "2026-11-27T14:30:00"),
            ("on friday at 14:30", "2026-11-27T14:30:00"),
            ("this friday, 14:30", "2026-11-27T14:30:00"),
            ("monday 9am", "2026-11-30T09:00:00"),
            ("wed 11:00", "2026-11-25T11:00:00"),
            ("wed 10:30", "2026-12-02T10:30:00"),
            ("wed 9:00", "2026-12-02T09:00:00"),
            ("9:00", "2026-11-26T09:00:00"),
            ("11:00", "2026-11-25T11:00:00"),
            ("10:30", "2026-11-26T10:30:00"),
            ("12am", "2026-11-26T00:00:00"),
            ("12pm", "2026-11-25T12:00:00"),
            ("12:05 am", "2026-11-26T00:05:00"),
            ("noon", "2026-11-25T12:00:00"),
            ("midnight", "2026-11-26T00:00:00"),
            ("in 3 hours", "2026-11-25T13:30:00"),
            ("3 hours", "2026-11-25T13:30:00"),
            ("in 1h30m", "2026-11-25T12:00:00"),
            ("in 90 min", "2026-11-25T12:00:00"),
            ("in half an hour", "2026-11-25T11:00:00"),
            ("in an hour", "2026-11-25T11:30:00"),
            ("in 2 days", "2026-11-27T10:30:00"),
            ("in 2 days at 9:00", "2026-11-27T09:00:00"),
            ("in 2 days and 3 hours", "2026-11-27T13:30:00"),
            ("in a week", "2026-12-02T10:30:00"),
            ("in 3 months", "2027-02-25T10:30:00"),
            ("2026-12-01 09:00", "2026-12-01T09:00:00"),
            ("2026-12-01 9:00", "2026-12-01T09:00:00"),
            ("2026-12-01 9am", "2026-12-01T09:00:00"),
            ("2026-12-01T09:00", "2026-12-01T09:00:00"),
            ("2026-12-01T09:00:30", "2026-12-01T09:00:30"),
            ("2020-01-01 00:00", "2020-01-01T00:00:00"),
            ("1 dec 9:00", "2026-12-01T09:00:00"),
            ("Dec 1st, 9:00", "2026-12-01T09:00:00"),
            ("December 1, 2027 9:00", "2027-12-01T09:00:00"),
            ("1 December 2027 at 9:00", "2027-12-01T09:00:00"),
            ("24 nov 9:00", "2027-11-24T09:00:00"),
            ("29 feb 9:00", "2028-02-29T09:00:00"),
            ("may 4 9:00", "2027-05-04T09:00:00"),
        ] {
            assert_eq!(parse(said, at(NOW)), Ok(at(meant)), "{said}");
        }
    }

    #[test]
    fn what_may_mean_two_things_is_refused() {
        for (said, part) in [
            ("", "not a time"),
            ("soon", "not a time"),
            ("9", "not a time"),
            ("25:00", "not a time"),
            ("9:60", "not a time"),
            ("13pm", "not a time"),
            ("0am", "not a time"),
            ("2026-13-01 09:00", "not a time"),
            ("tomorrow 9:00 10:00", "not a time"),
            ("tomorrow 9:00 please", "not a time"),
            ("1 dec 9pm 20277", "not a time"),
            ("in 3 parsecs", "not a time"),
            ("3 hours ago", "not a time"),
            ("in 5 hours at 9:00", "not a time"),
            ("tomorrow", "no time of day"),
            ("friday", "no time of day"),
            ("2026-12-01", "no time of day"),
            ("next friday 9:00", "the one after it"),
            ("01/12/2026 9:00", "as month and day"),
            ("tomorrow midnight", "before or after"),
            ("tonight 3:00", "not in the evening"),
            ("30 feb 9:00", "no month has"),
            ("31 apr 2027 9:00", "this month does not have"),
            ("2026-12-01T09:00:60", "leap second"),
            ("2026-12-01T09:00:00+01:00", "offset"),
            ("in 99999 months", "too far"),
        ] {
            let error = parse(said, at(NOW)).expect_err(said).to_string();
            assert!(error.contains(part), "{said}: {error}");
            assert!(error.starts_with(&format!("`{said}` ")), "{error}");
        }
    }

    #[test]
    fn in_a_zone() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        // The evening before the clocks go forward.
        let now = utc("2026-03-28T21:00:00Z");
        for (said, meant) in [
            ("tomorrow 9:00", "2026-03-29T07:00:00Z"),
            ("in 12 hours", "2026-03-29T09:00:00Z"),
            ("in 1 day", "2026-03-29T20:00:00Z"),
            ("2026-12-01T09:00:00+03:00", "2026-12-01T06:00:00Z"),
            ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
            ("2026-10-25 2:30", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(parse_in(said, &zone, now), Ok(utc(meant)), "{said}");
        }
        assert_eq!(
            parse_in("tomorrow 2:30", &zone, now).unwrap_err().to_string(),
            "`tomorrow 2:30` does not exist: the clocks in Europe/Berlin jump over it; write `2026-03-29 01:30` or `2026-03-29 03:30`"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,60}") {
            let _ = parse(&text, at(NOW));
            let _ = parse(&text, NaiveDateTime::MAX);
            let _ = parse(&text, NaiveDateTime::MIN);
        }

        #[test]
        fn anything_like_a_time_is_answered(
            words in prop::collection::vec("in|at|tomorrow|fri|next|dec|2027|[0-9]{1,6}|[0-9]{1,2}:[0-9]{2}|am|pm|days|hours|months|tonight|midnight|-", 1..6)
        ) {
            let text = words.join(" ");
            if let Ok(found) = parse(&text, at(NOW)) {
                prop_assert!(in_range(found), "{} {}", text, found);
            }
            let _ = parse(&text, NaiveDateTime::MAX);
        }

        #[test]
        fn a_clock_time_is_the_next_one(hour in 0_u32..24, minute in 0_u32..60) {
            let found = parse(&format!("{hour}:{minute:02}"), at(NOW)).unwrap();
            prop_assert!(found > at(NOW) && found - at(NOW) <= TimeDelta::days(1));
            prop_assert_eq!((found.hour(), found.minute()), (hour, minute));
        }
    }
}
