//! Single values: times, days, lengths of time, words of a fixed set, and tables whose keys are names.

use std::borrow::Cow;
use std::ops::Range;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use super::raw::{MissingAlt, RawAlertKind, RawMediaHostKind};
use super::read::{At, FromToml, Reader, Table};
use super::suggest;
use crate::model::{LateThen, Numbering, ReleaseKind, Visibility, codes};

/// A date and time, with or without an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// In the calendar's zone.
    Civil(NaiveDateTime),
    /// UTC, from an offset.
    Utc(NaiveDateTime),
}

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(pub(super) NaiveDate);

/// A length of time in seconds: `90s`, `15m`, `2h`, `1d`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length(pub(super) u64);

/// A string, or a list of strings.
#[derive(Debug, Clone, Default)]
pub(super) struct OneOrMany(pub(super) Vec<At<String>>);

/// A table whose keys are names that the user chose.
#[derive(Debug, Clone)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, At<T>)>);

/// Keys that only somebody above knows: a network's own settings.
#[derive(Debug, Default)]
pub(super) struct Rest(pub(super) Vec<(String, At<serde_json::Value>)>);

/// One of a fixed set of words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<T>(pub(super) T);

/// `release`, the only thing that a post may be `on`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Release;

/// A fixed set of words.
pub(super) trait Words: Copy + 'static {
    /// Each word, what it stands for, and what editors say of it.
    const WORDS: &'static [(&'static str, Self, &'static str)];
}

impl Words for Release {
    const WORDS: &'static [(&'static str, Self, &'static str)] =
        &[("release", Self, "Published by `smm announce --tag TAG`, once for each tag.")];
}

impl Words for ReleaseKind {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("prerelease", Self::Prerelease, "Releases that are not for everybody yet."),
        ("stable", Self::Stable, "Releases that are for everybody."),
    ];
}

impl Words for Visibility {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("public", Self::Public, "Everybody, and it may be listed anywhere."),
        ("unlisted", Self::Unlisted, "Everybody who has the link; not in public time lines."),
        ("private", Self::Private, "Followers."),
        ("direct", Self::Direct, "Those who are mentioned."),
    ];
}

impl Words for Numbering {
    const WORDS: &'static [(&'static str, Self, &'static str)] =
        &[("none", Self::None, "No numbers."), ("suffix", Self::Suffix, "` 1/3` at the end of each message.")];
}

impl Words for LateThen {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("hold", Self::Hold, "Wait for a person."),
        ("publish", Self::Publish, "Publish anyway."),
        ("skip", Self::Skip, "Do not publish; it is recorded as missed."),
    ];
}

impl Words for MissingAlt {
    const WORDS: &'static [(&'static str, Self, &'static str)] =
        &[("error", Self::Error, "The calendar is refused."), ("warn", Self::Warn, "A warning.")];
}

impl Words for RawAlertKind {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("command", Self::Command, "Runs a program. Only in a config that was not found beside a calendar."),
        ("email", Self::Email, "A mail."),
        ("webhook", Self::Webhook, "An HTTP POST."),
    ];
}

impl Words for RawMediaHostKind {
    const WORDS: &'static [(&'static str, Self, &'static str)] = &[
        ("folder", Self::Folder, "A folder of this machine that a web server shows."),
        ("s3", Self::S3, "A bucket of any server that speaks the API of Amazon S3."),
    ];
}

impl<T: Words> FromToml for Word<T> {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        let written = match &value {
            DeValue::String(text) => text,
            other => {
                let words: Vec<String> = T::WORDS.iter().map(|(word, ..)| format!("`\"{word}\"`")).collect();
                reader.wrong_type(&words.join(" or "), other, span);
                return None;
            }
        };
        if let Some(&(_, value, _)) = T::WORDS.iter().find(|(word, ..)| word == written) {
            return Some(Self(value));
        }
        let place = reader.span(span);
        reader.error(codes::UNKNOWN_VALUE, place, format!("`{written}` is not a word that is known here")).help =
            suggest::help(written, T::WORDS.iter().map(|&(word, ..)| word));
        None
    }
}

impl<T: Words> JsonSchema for Word<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = T::WORDS
            .iter()
            .map(|(word, _, about)| serde_json::json!({ "const": word, "description": about }))
            .collect();
        json_schema!({ "type": "string", "oneOf": words })
    }
}

/// The form that help shows.
const FORM: &str = "2026-12-01T09:00:00";

impl FromToml for Moment {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            DeValue::Datetime(written) => read_moment(written, span, reader),
            DeValue::String(text) => {
                let meant = guess(&text).unwrap_or_else(|| FORM.to_owned());
                let place = reader.span(span);
                reader
                    .error(codes::BAD_TIME, place, "a time is written without quotes")
                    .help(format!("write it as a TOML date-time: `{meant}`"));
                None
            }
            other => {
                if let Some(finding) = reader.wrong_type("a date and time", &other, span) {
                    finding.help(format!("write it as `{FORM}`"));
                }
                None
            }
        }
    }
}

fn read_moment(written: Datetime, range: Range<usize>, reader: &mut Reader<'_>) -> Option<Moment> {
    if reader.is_broken_in(range.clone()) {
        return None;
    }
    let span = reader.span(range);
    let (Some(date), Some(time)) = (written.date, written.time) else {
        match written.date {
            Some(date) => reader
                .error(codes::BAD_TIME, span, "a date alone does not say when on that day")
                .help(format!("add a time: `{date}T09:00:00`")),
            None => reader
                .error(codes::BAD_TIME, span, "a time alone does not say on which day")
                .help(format!("add a date: `{FORM}`")),
        }
        return None;
    };
    let second = time.second.unwrap_or(0);
    if second > 59 {
        reader
            .error(codes::BAD_TIME, span, "seconds go from 00 to 59")
            .help("a leap second has no civil name; use `:59`");
        return None;
    }
    let day = NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into());
    let clock =
        NaiveTime::from_hms_nano_opt(time.hour.into(), time.minute.into(), second.into(), time.nanosecond.unwrap_or(0));
    let (Some(day), Some(clock)) = (day, clock) else {
        reader.error(codes::BAD_TIME, span, "there is no such date and time").help(format!("write it as `{FORM}`"));
        return None;
    };
    let civil = day.and_time(clock);
    let minutes = match written.offset {
        None => return Some(Moment::Civil(civil)),
        Some(Offset::Z) => 0,
        Some(Offset::Custom { minutes }) => minutes,
    };
    // A year with four digits and an offset of a day at most cannot leave chrono's range.
    civil.checked_sub_signed(TimeDelta::minutes(minutes.into())).map(Moment::Utc)
}

/// What a time in quotes was meant to be.
fn guess(text: &str) -> Option<String> {
    let text = text.trim();
    for form in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"] {
        if let Ok(civil) = NaiveDateTime::parse_from_str(text, form) {
            return Some(civil.format("%Y-%m-%dT%H:%M:%S").to_string());
        }
    }
    let with_offset = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(with_offset.to_rfc3339())
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // What TOML's language servers call a local or an offset date-time; neither has a JSON type.
        json_schema!({ "type": "string", "anyOf": [{ "format": "date-time-local" }, { "format": "date-time" }] })
    }
}

impl FromToml for Day {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        let day = match &value {
            DeValue::Datetime(Datetime { date: Some(date), time: None, offset: None }) => {
                NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
            }
            _ => None,
        };
        if day.is_none()
            && let Some(finding) = reader.wrong_type("a date without a time", &value, span)
        {
            finding.help("write it as `2026-12-01`, without quotes");
        }
        day.map(Self)
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

impl Length {
    /// Reads `90s`, `15m`, `2h`, `1d`, `1h30m`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut seconds = 0_u64;
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = rest[..digits].parse().ok()?;
            let unit = match rest.as_bytes()[digits] {
                b's' => 1,
                b'm' => 60,
                b'h' => 3600,
                b'd' => 86400,
                _ => return None,
            };
            seconds = seconds.checked_add(number.checked_mul(unit)?)?;
            rest = &rest[digits + 1..];
        }
        // A hundred years are for ever; more would only overflow somewhere later.
        (!text.is_empty() && seconds <= 100 * 366 * 86400).then_some(Self(seconds))
    }
}

impl FromToml for Length {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::String(text) = &value else {
            if let Some(finding) = reader.wrong_type("a length of time in quotes", &value, span) {
                finding.help("write it as `\"90s\"`, `\"15m\"`, `\"2h\"` or `\"1d\"`");
            }
            return None;
        };
        let length = Self::parse(text);
        if length.is_none() {
            let place = reader.span(span);
            reader
                .error(codes::BAD_DURATION, place, format!("`{text}` is not a length of time"))
                .help("write it as `90s`, `15m`, `2h` or `1d`");
        }
        length
    }
}

impl JsonSchema for Length {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Length".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+[smhd])+$" })
    }
}

impl FromToml for OneOrMany {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        match value {
            DeValue::String(_) => reader.member(Spanned::new(span, value)).map(|one| Self(vec![one])),
            DeValue::Array(_) => Vec::read(value, span, reader).map(Self),
            other => {
                reader.wrong_type("a string or a list of strings", &other, span);
                None
            }
        }
    }
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

impl<T: FromToml> FromToml for Named<T> {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = value else {
            reader.wrong_type("a table", &value, span);
            return None;
        };
        let mut named = Vec::new();
        for (key, value) in table {
            let place = reader.span(key.span());
            let name = At { value: key.get_ref().to_string(), span: place, key: place };
            if let Some(value) = reader.value(key.span(), value) {
                named.push((name, value));
            }
        }
        Some(Self(named))
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

impl Table for Rest {
    fn keys() -> Vec<&'static str> {
        Vec::new()
    }

    fn set<'i>(
        &mut self,
        name: &str,
        key: Range<usize>,
        value: Spanned<DeValue<'i>>,
        reader: &mut Reader<'_>,
    ) -> Result<(), Spanned<DeValue<'i>>> {
        if let Some(value) = reader.value(key, value) {
            self.0.push((name.to_owned(), value));
        }
        Ok(())
    }
}

impl JsonSchema for Rest {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Rest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "properties": {} })
    }
}

impl FromToml for serde_json::Value {
    fn read(value: DeValue<'_>, span: Range<usize>, reader: &mut Reader<'_>) -> Option<Self> {
        Some(match value {
            DeValue::String(_) => Self::from(String::read(value, span, reader)?),
            DeValue::Boolean(value) => Self::from(value),
            DeValue::Integer(ref number) => {
                let read = i64::from_str_radix(number.as_str(), number.radix());
                if read.is_err() {
                    reader.wrong_type("an integer of 64 bits", &value, span);
                }
                Self::from(read.ok()?)
            }
            DeValue::Float(number) => Self::from(number.as_str().parse::<f64>().ok()?),
            DeValue::Datetime(value) => Self::from(value.to_string()),
            DeValue::Array(array) => Self::from(
                array
                    .into_iter()
                    .filter_map(|member| {
                        let span = member.span();
                        Self::read(member.into_inner(), span, reader)
                    })
                    .collect::<Vec<_>>(),
            ),
            DeValue::Table(table) => {
                let mut object = serde_json::Map::new();
                for (key, value) in table {
                    let span = value.span();
                    if let Some(value) = Self::read(value.into_inner(), span, reader) {
                        object.insert(key.get_ref().to_string(), value);
                    }
                }
                Self::Object(object)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        assert_eq!(Length::parse("90s"), Some(Length(90)));
        assert_eq!(Length::parse("1h30m"), Some(Length(5400)));
        assert_eq!(Length::parse("1d"), Some(Length(86400)));
        for bad in ["", "15", "m", "15 m", "1w", "-1m", "99999999999999999999d", "18446744073709551615s", "1.5h"] {
            assert_eq!(Length::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_in_quotes_is_understood_for_the_help() {
        assert_eq!(guess("2026-12-01 09:00").as_deref(), Some("2026-12-01T09:00:00"));
        assert_eq!(guess("2026-12-01T09:00:00Z").as_deref(), Some("2026-12-01T09:00:00+00:00"));
        assert_eq!(guess("tomorrow"), None);
    }
}
