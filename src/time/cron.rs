//! Cron rules. The only file that names the `cron` crate.
//!
//! Three forms are read:
//!
//! - **Five fields as in cron(5)**: minute, hour, day of the month, month, weekday. Weekdays are 0 to 7 where 0 and 7
//!   are Sunday, or names, so `1-5` and `mon-fri` are Monday to Friday. When both day fields are restricted (neither
//!   begins with `*`) a day that fits either of them counts.
//! - **Shorthands**: `@hourly`, `@daily` (`@midnight`), `@weekly` (Sunday), `@monthly`, `@yearly` (`@annually`).
//! - **Six or seven fields exactly as the `cron` crate reads them**: second, minute, hour, day of the month, month,
//!   weekday, and a year from 1970 to 2100. There weekdays are 1 to 7 where **1 is Sunday**, and a day has to fit both
//!   day fields. Names are the same in both forms and therefore the better choice.
//!
//! A rule speaks of civil time: it is evaluated as if no clock ever changed. What a nominal time comes to in a zone is
//! [`super::Zone::local`]'s business. No rule is due after the year 2100.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use cron::Schedule;

use super::MONTHS;

/// A cron rule: five fields as in cron(5), or six or seven as in the `cron` crate.
#[derive(Debug, Clone)]
pub struct CronRule {
    text: String,
    /// One, or two of which either counts.
    either: Vec<Schedule>,
}

/// A rule that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// What is wrong.
    pub message: String,
    /// The byte range of the rule that it is about.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
    /// How to mend it.
    pub help: Option<String>,
}

/// A piece of the rule and where it begins in it.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    start: usize,
}

impl Piece<'_> {
    fn end(self) -> usize {
        self.start + self.text.len()
    }

    fn error(self, message: impl Into<String>) -> CronError {
        CronError { message: message.into(), start: self.start, end: self.end(), help: None }
    }

    /// Its pieces between separators.
    fn split(self, by: char) -> impl Iterator<Item = Self> {
        let whole = self.text;
        whole
            .split(by)
            .map(move |text| Self { text, start: self.start + (text.as_ptr() as usize - whole.as_ptr() as usize) })
    }

    fn split_once(self, by: char) -> Option<(Self, Self)> {
        let (left, right) = self.text.split_once(by)?;
        Some((Self { text: left, ..self }, Self { text: right, start: self.end() - right.len() }))
    }
}

impl CronError {
    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A field of the five.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names of the values, from `least` on.
    names: &'static [&'static str],
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { name: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { name: "month", least: 1, most: 12, names: &MONTHS };
const WEEKDAY: Field = Field { name: "weekday", least: 0, most: 7, names: &WEEKDAYS };

/// The fields of the `cron` crate, in its order.
const CRATE_FIELDS: [(&str, &str); 7] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or names"),
    ("weekday", "1 to 7 where 1 is Sunday, or names"),
    ("year", "1970 to 2100"),
];

impl CronRule {
    /// Reads a rule.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let whole = Piece { text: text.trim(), start: text.len() - text.trim_start().len() };
        let fields: Vec<Piece<'_>> = pieces(text);
        let either = match fields.as_slice() {
            [] => {
                return Err(CronError {
                    message: "the rule is empty".to_owned(),
                    start: 0,
                    end: text.len(),
                    help: Some("write for example `0 9 * * mon-fri`: minute, hour, day, month, weekday".to_owned()),
                });
            }
            [one] if one.text.starts_with('@') => vec![shorthand(*one)?],
            [minute, hour, day, month, weekday] => five_fields([*minute, *hour, *day, *month, *weekday], whole)?,
            six_or_seven @ ([_, _, _, _, _, _] | [_, _, _, _, _, _, _]) => vec![crate_fields(six_or_seven, whole)?],
            other => {
                let fields = if other.len() == 1 { "field" } else { "fields" };
                return Err(whole
                    .error(format!("the rule has {} {fields} instead of five", other.len()))
                    .help("the five are minute, hour, day of the month, month and weekday, as in `0 9 * * mon-fri`"));
            }
        };
        Ok(Self { text: text.to_owned(), either })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first nominal civil time after `after`, whatever any clock does on that day. `None`: never again.
    pub fn next_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // The crate's years begin with 1970, and it takes years for unsigned numbers.
        let earliest = NaiveDate::from_ymd_opt(1969, 12, 31).and_then(|day| day.and_hms_opt(23, 59, 59))?;
        let latest = NaiveDate::from_ymd_opt(2101, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0))?;
        if after >= latest {
            return None;
        }
        let from: DateTime<Utc> = after.max(earliest).and_utc();
        self.either
            .iter()
            .filter_map(|schedule| schedule.after(&from).next())
            .map(|found| found.naive_utc())
            .filter(|found| *found > after)
            .min()
    }
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let whole = Piece { text, start: 0 };
    whole.split(' ').flat_map(|piece| piece.split('\t')).filter(|piece| !piece.text.is_empty()).collect()
}

fn shorthand(word: Piece<'_>) -> Result<Schedule, CronError> {
    const KNOWN: [(&str, &str); 7] = [
        ("@annually", "0 0 0 1 1 *"),
        ("@daily", "0 0 0 * * *"),
        ("@hourly", "0 0 * * * *"),
        ("@midnight", "0 0 0 * * *"),
        ("@monthly", "0 0 0 1 * *"),
        ("@weekly", "0 0 0 * * 1"),
        ("@yearly", "0 0 0 1 1 *"),
    ];
    let known = |wanted: &str| KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    match known(word.text) {
        Some((_, rule)) => read(rule, word),
        None if word.text.eq_ignore_ascii_case("@reboot") => {
            Err(word.error("`@reboot` is not a time").help("write a rule with a time, such as `@daily` or `0 9 * * *`"))
        }
        None => Err(word
            .error(format!("`{}` is not a known rule", word.text))
            .help("known are @hourly, @daily, @weekly, @monthly and @yearly")),
    }
}

/// Six or seven fields. Each is tried alone first, so that an error knows its field.
fn crate_fields(fields: &[Piece<'_>], whole: Piece<'_>) -> Result<Schedule, CronError> {
    for (index, field) in fields.iter().enumerate() {
        let (name, range) = CRATE_FIELDS[index];
        let mut alone = ["*"; 7];
        alone[index] = field.text;
        if alone.join(" ").parse::<Schedule>().is_err() {
            return Err(field
                .error(format!(
                    "`{}` is not {} {name} of a rule with {} fields",
                    field.text,
                    article(name),
                    fields.len()
                ))
                .help(format!("{} {name} is {range}; ranges are `a-b`, steps `*/n`, lists `a,b`", article(name))));
        }
    }
    let rule: Vec<&str> = fields.iter().map(|field| field.text).collect();
    read(&rule.join(" "), whole)
}

/// Five fields: each becomes the list of its values, in the words of the crate.
fn five_fields(fields: [Piece<'_>; 5], whole: Piece<'_>) -> Result<Vec<Schedule>, CronError> {
    let [minute, hour, day, month, weekday] = fields;
    let minutes = list(values(minute, &MINUTE)?, MINUTE.most);
    let hours = list(values(hour, &HOUR)?, HOUR.most);
    let days = list(values(day, &DAY)?, DAY.most);
    let months = list(values(month, &MONTH)?, MONTH.most);
    // 0 and 7 are Sunday here, 1 is Sunday there.
    let weekday_values = values(weekday, &WEEKDAY)?;
    let weekdays =
        list((0..=7).filter(|day| weekday_values >> day & 1 == 1).fold(0, |set, day| set | 1 << (day % 7 + 1)), 7);

    let restricted = |field: Piece<'_>| !field.text.starts_with('*');
    let rules = if restricted(day) && restricted(weekday) {
        vec![format!("0 {minutes} {hours} {days} {months} *"), format!("0 {minutes} {hours} * {months} {weekdays}")]
    } else {
        vec![format!("0 {minutes} {hours} {days} {months} {weekdays}")]
    };
    rules.iter().map(|rule| read(rule, whole)).collect()
}

fn read(rule: &str, whole: Piece<'_>) -> Result<Schedule, CronError> {
    rule.parse().map_err(|_| {
        whole
            .error("the rule cannot be read")
            .help("write for example `0 9 * * mon-fri`: minute, hour, day, month, weekday")
    })
}

/// The values of a set, as a list.
fn list(set: u64, most: u32) -> String {
    let values: Vec<String> = (0..=most).filter(|value| set >> value & 1 == 1).map(|value| value.to_string()).collect();
    values.join(",")
}

/// The values of a field, as a set of bits.
fn values(field: Piece<'_>, kind: &Field) -> Result<u64, CronError> {
    let mut set = 0;
    for item in field.split(',') {
        if item.text.is_empty() {
            let place = Piece { text: field.text, start: field.start };
            return Err(place.error(format!("the {} `{}` has an empty place in its list", kind.name, field.text)));
        }
        let (range, step) = match item.split_once('/') {
            None => (item, None),
            Some((range, step)) => (range, Some((step, step_of(step, kind)?))),
        };
        let (first, last) = if range.text == "*" {
            (kind.least, if kind.name == WEEKDAY.name { 6 } else { kind.most })
        } else if let Some((from, to)) = range.split_once('-') {
            let (first, mut last) = (value(from, kind)?, value(to, kind)?);
            if kind.name == WEEKDAY.name && last == 0 && first > 0 {
                last = 7; // `sat-sun`
            }
            if first > last {
                return Err(range.error(format!("the {} `{}` runs backwards", kind.name, range.text)).help(format!(
                    "write it as two: `{}-{},{}-{}`",
                    from.text,
                    shown(kind, kind.most),
                    shown(kind, kind.least),
                    to.text
                )));
            }
            (first, last)
        } else {
            let only = value(range, kind)?;
            if step.is_some() {
                return Err(item
                    .error(format!("`{}` has a step, and no range that it steps through", item.text))
                    .help(format!(
                        "write `{}-{}/{}`",
                        range.text,
                        shown(kind, kind.most),
                        item.text.rsplit('/').next().unwrap_or("1")
                    )));
            }
            (only, only)
        };
        let step = step.map_or(1, |(_, step)| step);
        set |= (first..=last).step_by(step as usize).fold(0_u64, |set, value| set | 1 << value);
    }
    Ok(set)
}

/// A value in the words of the field, for a proposal. The last weekday is Saturday there.
fn shown(kind: &Field, value: u32) -> String {
    if kind.name == WEEKDAY.name && value == kind.most { "6".to_owned() } else { value.to_string() }
}

fn step_of(step: Piece<'_>, kind: &Field) -> Result<u32, CronError> {
    match number(step.text) {
        Some(0) => Err(step.error("a step of 0 never comes on").help("leave the step out, or write 1 or more")),
        Some(found) if found <= kind.most => Ok(found),
        Some(_) => Err(step
            .error(format!("a step of {} is more than {} {} has", step.text, article(kind.name), kind.name))
            .help(format!("the greatest is {}", kind.most))),
        None => Err(step.error(format!("`{}` is not a step", step.text)).help("write for example `*/15`")),
    }
}

fn value(item: Piece<'_>, kind: &Field) -> Result<u32, CronError> {
    let range = || {
        let names = match kind.names.first() {
            Some(first) => format!(", or names such as `{}`", &first[..3]),
            None => String::new(),
        };
        format!("{} {} is {} to {}{names}", article(kind.name), kind.name, kind.least, kind.most)
    };
    if let Some(found) = number(item.text) {
        return if (kind.least..=kind.most).contains(&found) {
            Ok(found)
        } else {
            Err(item.error(format!("there is no {} {}", kind.name, item.text)).help(range()))
        };
    }
    let wanted = item.text.to_ascii_lowercase();
    // At least three letters of a name: `mon`, `tues`, `thursday`.
    let named = kind.names.iter().zip(kind.least..).find(|(name, _)| wanted.len() >= 3 && name.starts_with(&wanted));
    match named {
        Some((_, found)) => Ok(found),
        None if matches!(item.text, "?" | "L" | "W" | "#") || item.text.contains(['#', 'L', 'W']) => Err(item
            .error(format!("`{}` is not known to cron(5)", item.text))
            .help("write `*` for any; \"the last\" and \"the second Monday\" cannot be said in a rule, list the dates as posts of their own")),
        None => Err(item.error(format!("`{}` is not {} {}", item.text, article(kind.name), kind.name)).help(range())),
    }
}

fn article(name: &str) -> &'static str {
    if name == "hour" { "an" } else { "a" }
}

/// A number of at most four digits.
fn number(text: &str) -> Option<u32> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, TimeDelta, Timelike};
    use proptest::prelude::*;

    fn at(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    /// The next `count` times after Saturday, 1 August 2026, midnight.
    fn next(rule: &str, count: usize) -> Vec<String> {
        let rule = CronRule::parse(rule).unwrap_or_else(|error| panic!("{rule}: {error}"));
        let mut now = at("2026-08-01T00:00:00");
        let mut found = Vec::new();
        while found.len() < count {
            let Some(next) = rule.next_after(now) else { break };
            assert!(next > now);
            found.push(next.format("%a %m-%d %H:%M:%S").to_string());
            now = next;
        }
        found
    }

    #[test]
    fn one_to_five_is_monday_to_friday() {
        let week = [
            "Mon 08-03 09:00:00",
            "Tue 08-04 09:00:00",
            "Wed 08-05 09:00:00",
            "Thu 08-06 09:00:00",
            "Fri 08-07 09:00:00",
            "Mon 08-10 09:00:00",
        ];
        for rule in [
            "0 9 * * 1-5",
            "0 9 * * mon-fri",
            "0 9 * * MON-FRI",
            "0 9 * * Monday-Friday",
            "0 9 * * 1,2,3,4,5",
            " 0\t9 * *  1-5 ",
        ] {
            assert_eq!(next(rule, 6), week, "{rule}");
        }
    }

    #[test]
    fn rules_as_in_cron_5() {
        for (rule, expected) in [
            ("0 9 * * 0", vec!["Sun 08-02 09:00:00", "Sun 08-09 09:00:00"]),
            ("0 9 * * 7", vec!["Sun 08-02 09:00:00", "Sun 08-09 09:00:00"]),
            ("0 9 * * sun", vec!["Sun 08-02 09:00:00", "Sun 08-09 09:00:00"]),
            ("0 9 * * sat-sun", vec!["Sat 08-01 09:00:00", "Sun 08-02 09:00:00", "Sat 08-08 09:00:00"]),
            ("0 9 * * 6-7", vec!["Sat 08-01 09:00:00", "Sun 08-02 09:00:00", "Sat 08-08 09:00:00"]),
            (
                "*/20 8-9 * * *",
                vec!["Sat 08-01 08:00:00", "Sat 08-01 08:20:00", "Sat 08-01 08:40:00", "Sat 08-01 09:00:00"],
            ),
            ("5-59/27 12 * * *", vec!["Sat 08-01 12:05:00", "Sat 08-01 12:32:00", "Sat 08-01 12:59:00"]),
            (
                "30 4 1,15 * 5",
                vec![
                    "Sat 08-01 04:30:00",
                    "Fri 08-07 04:30:00",
                    "Fri 08-14 04:30:00",
                    "Sat 08-15 04:30:00",
                    "Fri 08-21 04:30:00",
                ],
            ),
            // With a star in front of one of them, a day has to fit both.
            (
                "0 0 */2 * mon",
                vec!["Mon 08-03 00:00:00", "Mon 08-17 00:00:00", "Mon 08-31 00:00:00", "Mon 09-07 00:00:00"],
            ),
            (
                "0 0 1-7 * */2",
                vec!["Sun 08-02 00:00:00", "Tue 08-04 00:00:00", "Thu 08-06 00:00:00", "Tue 09-01 00:00:00"],
            ),
            ("0 12 31 * *", vec!["Mon 08-31 12:00:00", "Sat 10-31 12:00:00"]),
            ("0 12 * feb,Oct *", vec!["Thu 10-01 12:00:00"]),
            ("@hourly", vec!["Sat 08-01 01:00:00", "Sat 08-01 02:00:00"]),
            ("@daily", vec!["Sun 08-02 00:00:00", "Mon 08-03 00:00:00"]),
            ("@midnight", vec!["Sun 08-02 00:00:00"]),
            ("@weekly", vec!["Sun 08-02 00:00:00", "Sun 08-09 00:00:00"]),
            ("@monthly", vec!["Tue 09-01 00:00:00"]),
            ("@yearly", vec!["Fri 01-01 00:00:00", "Sat 01-01 00:00:00"]),
            ("@ANNUALLY", vec!["Fri 01-01 00:00:00"]),
        ] {
            assert_eq!(next(rule, expected.len()), expected, "{rule}");
        }
    }

    #[test]
    fn six_and_seven_fields_as_in_the_crate() {
        // 1 is Sunday there.
        assert_eq!(next("0 0 9 * * 1", 1), ["Sun 08-02 09:00:00"]);
        assert_eq!(next("0 0 9 * * 2-6", 1), ["Mon 08-03 09:00:00"]);
        assert_eq!(next("30 0 9 * * mon-fri", 1), ["Mon 08-03 09:00:30"]);
        assert_eq!(next("0 0 9 1 1 * 2028", 2), ["Sat 01-01 09:00:00"]);
        assert_eq!(next("0 0 9 ? * mon", 1), ["Mon 08-03 09:00:00"]);
        // Both day fields have to fit.
        assert_eq!(next("0 0 9 13 * fri", 1), ["Fri 11-13 09:00:00"]);
    }

    #[test]
    fn a_rule_that_never_comes() {
        for rule in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 9 * * * 2020"] {
            assert_eq!(CronRule::parse(rule).unwrap().next_after(at("2026-08-01T00:00:00")), None, "{rule}");
        }
        // 30 February, or a Monday in February.
        assert_eq!(next("0 0 30 2 1", 1), ["Mon 02-01 00:00:00"]);
        assert_eq!(
            CronRule::parse("0 0 29 2 *").unwrap().next_after(at("2096-03-01T00:00:00")),
            None,
            "2100 is no leap year"
        );
    }

    #[test]
    fn errors_know_their_place_and_help() {
        for (rule, place, message) in [
            ("", "", "the rule is empty"),
            ("   ", "   ", "the rule is empty"),
            ("0 9 * *", "0 9 * *", "the rule has 4 fields instead of five"),
            (" daily ", "daily", "the rule has 1 field instead of five"),
            ("1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8", "the rule has 8 fields instead of five"),
            ("60 9 * * *", "60", "there is no minute 60"),
            ("0 24 * * *", "24", "there is no hour 24"),
            ("0 9 0 * *", "0", "there is no day of the month 0"),
            ("0 9 * 13 *", "13", "there is no month 13"),
            ("0 9 * * 8", "8", "there is no weekday 8"),
            ("0 9 * * 1-8", "8", "there is no weekday 8"),
            ("0 9 * * mo", "mo", "`mo` is not a weekday"),
            ("0 9 * * montag", "montag", "`montag` is not a weekday"),
            ("0 22-2 * * *", "22-2", "the hour `22-2` runs backwards"),
            ("0 9 * * fri-mon", "fri-mon", "the weekday `fri-mon` runs backwards"),
            ("*/0 9 * * *", "0", "a step of 0 never comes on"),
            ("*/60 9 * * *", "60", "a step of 60 is more than a minute has"),
            ("*/x 9 * * *", "x", "`x` is not a step"),
            ("5/15 9 * * *", "5/15", "`5/15` has a step, and no range that it steps through"),
            ("1,,2 9 * * *", "1,,2", "the minute `1,,2` has an empty place in its list"),
            ("0 9 ? * mon", "?", "`?` is not known to cron(5)"),
            ("0 9 L * *", "L", "`L` is not known to cron(5)"),
            ("0 9 * * mon#2", "mon#2", "`mon#2` is not known to cron(5)"),
            ("0 9 * * 99999999999999999999", "99999999999999999999", "`99999999999999999999` is not a weekday"),
            ("@reboot", "@reboot", "`@reboot` is not a time"),
            ("@fortnightly", "@fortnightly", "`@fortnightly` is not a known rule"),
            ("0 0 9 * * 0", "0", "`0` is not a weekday of a rule with 6 fields"),
            ("0 0 9 * * 1 1969", "1969", "`1969` is not a year of a rule with 7 fields"),
            ("** * * * * *", "**", "`**` is not a second of a rule with 6 fields"),
            ("0 ä * * *", "ä", "`ä` is not an hour"),
        ] {
            let error = CronRule::parse(rule).expect_err(rule);
            assert_eq!(error.message, message, "{rule}");
            assert_eq!(&rule[error.start..error.end], place, "{rule}");
        }
        assert_eq!(CronRule::parse("0 22-2 * * *").unwrap_err().help.as_deref(), Some("write it as two: `22-23,0-2`"));
        assert_eq!(
            CronRule::parse("0 9 * * fri-mon").unwrap_err().help.as_deref(),
            Some("write it as two: `fri-6,0-mon`")
        );
        assert_eq!(CronRule::parse("5/15 9 * * *").unwrap_err().help.as_deref(), Some("write `5-59/15`"));
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        for rule in ["* * * * *", "* * * * * *", "0 0 29 2 *"] {
            let rule = CronRule::parse(rule).unwrap();
            assert!(rule.next_after(NaiveDateTime::MIN).is_some());
            assert!(rule.next_after(at("1969-12-31T23:59:59.5")).is_some());
            assert_eq!(rule.next_after(NaiveDateTime::MAX), None);
            assert_eq!(rule.next_after(at("2100-12-31T23:59:59")), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".{0,60}") {
            if let Err(error) = CronRule::parse(&text) {
                prop_assert!(text.get(error.start..error.end).is_some());
            }
        }

        #[test]
        fn anything_like_a_rule_is_answered(fields in prop::collection::vec("[0-9*/,a-zA-Z?#-]{1,8}", 1..8), from in 0_i64..4_200_000_000) {
            let text = fields.join(" ");
            match CronRule::parse(&text) {
                Err(error) => prop_assert!(text.get(error.start..error.end).is_some()),
                Ok(rule) => {
                    let mut now = DateTime::from_timestamp(from, 0).unwrap().naive_utc();
                    for _ in 0..5 {
                        let Some(next) = rule.next_after(now) else { break };
                        prop_assert!(next > now);
                        now = next;
                    }
                }
            }
        }

        /// Against a search minute by minute that knows cron(5) and nothing of the crate.
        #[test]
        fn five_fields_agree_with_a_search(
            minute in 0_u32..60, hour in 0_u32..24, day in prop::option::of(1_u32..29), month in prop::option::of(1_u32..13),
            weekday in prop::option::of(0_u32..8), from in 1_700_000_000_i64..1_900_000_000,
        ) {
            let star = |field: Option<u32>| field.map_or("*".to_owned(), |value| value.to_string());
            let rule = format!("{minute} {hour} {} {} {}", star(day), star(month), star(weekday));
            let from = DateTime::from_timestamp(from, 0).unwrap().naive_utc();
            let fits = |date: NaiveDate| {
                let by_day = day.is_none_or(|day| date.day() == day);
                let by_weekday = weekday.is_none_or(|weekday| date.weekday().num_days_from_sunday() == weekday % 7);
                let both = day.is_some() && weekday.is_some();
                month.is_none_or(|month| date.month() == month) && if both { by_day || by_weekday } else { by_day && by_weekday }
            };
            let expected = (0..400).find_map(|days| {
                let date = from.date() + TimeDelta::days(days);
                let time = date.and_hms_opt(hour, minute, 0).unwrap();
                (fits(date) && time > from).then_some(time)
            });
            prop_assert_eq!(CronRule::parse(&rule).unwrap().next_after(from), expected);
            prop_assert!(expected.is_none_or(|time| time.minute() == minute));
        }
    }
}
