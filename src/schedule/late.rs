//! What becomes of a delivery whose time has gone by.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::model::{Late, LateThen, Reason, ReasonCode};
use crate::time::Blackout;

/// What the late rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its time has not come, or no longer ago than its grace.
    InTime,
    /// Late, and published all the same.
    Publish,
    /// Late: a person is asked.
    Hold,
    /// Late, and no longer wanted.
    Miss,
}

/// Applies the late rule. Blackout hours do not count as lateness.
pub(super) fn fate(late: Late, due: DateTime<Utc>, now: DateTime<Utc>, blackout: Option<&Blackout>) -> Fate {
    let by = (now - due).to_std().unwrap_or_default();
    if by <= Duration::from_secs(late.grace_seconds)
        || blackout.is_some_and(|hours| grace_end(late, due, Some(hours)).is_none_or(|end| now <= end))
    {
        return Fate::InTime;
    }
    match late.then {
        LateThen::Publish => Fate::Publish,
        LateThen::Hold => Fate::Hold,
        LateThen::Skip => Fate::Miss,
    }
}

/// When the late rule begins to speak, for a delivery that it would hold or miss.
pub(super) fn deadline(late: Late, due: DateTime<Utc>, blackout: Option<&Blackout>) -> Option<DateTime<Utc>> {
    if late.then == LateThen::Publish {
        return None;
    }
    grace_end(late, due, blackout)?.checked_add_signed(TimeDelta::seconds(1))
}

/// The last instant of its grace.
fn grace_end(late: Late, due: DateTime<Utc>, blackout: Option<&Blackout>) -> Option<DateTime<Utc>> {
    let grace = TimeDelta::try_seconds(i64::try_from(late.grace_seconds).ok()?)?;
    match blackout {
        None => due.checked_add_signed(grace),
        Some(hours) => hours.after(due, grace),
    }
}

/// Why a late delivery was held or missed.
pub(super) fn reason(late: Late, civil: NaiveDateTime, due: DateTime<Utc>, now: DateTime<Utc>) -> Reason {
    Reason::new(
        ReasonCode::Late,
        format!(
            "due {}, {} late; its grace is {}",
            civil.format("%a %Y-%m-%d %H:%M"),
            span((now - due).to_std().unwrap_or_default()),
            span(Duration::from_secs(late.grace_seconds)),
        ),
    )
}

/// A span in its two greatest units: `2 d 3 h`, `15 min`, `42 s`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("d", seconds / 86_400), ("h", seconds / 3600 % 24), ("min", seconds / 60 % 60), ("s", seconds % 60)];
    let first = units.iter().position(|(_, count)| *count > 0).unwrap_or(units.len() - 1);
    let shown: Vec<String> = units[first..]
        .iter()
        .take(2)
        .enumerate()
        .filter(|(index, (_, count))| *index == 0 || *count > 0)
        .map(|(_, (unit, count))| format!("{count} {unit}"))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        let due: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().unwrap();
        for (then, seconds, expected) in [
            (LateThen::Hold, -1, Fate::InTime),
            (LateThen::Hold, 0, Fate::InTime),
            (LateThen::Hold, 900, Fate::InTime),
            (LateThen::Hold, 901, Fate::Hold),
            (LateThen::Skip, 900, Fate::InTime),
            (LateThen::Skip, 901, Fate::Miss),
            (LateThen::Publish, 901, Fate::Publish),
        ] {
            let late = Late { grace_seconds: 900, then };
            assert_eq!(fate(late, due, due + TimeDelta::seconds(seconds), None), expected, "{then:?} {seconds}");
        }
        let forever = Late { grace_seconds: u64::MAX, then: LateThen::Hold };
        assert_eq!(fate(forever, DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, None), Fate::InTime);
        assert_eq!(deadline(forever, due, None), None);
        assert_eq!(deadline(Late::default(), due, None), Some(due + TimeDelta::seconds(901)));
        assert_eq!(fate(Late::default(), due, due + TimeDelta::seconds(901), None), Fate::Hold);
    }

    #[test]
    fn spans_are_short() {
        for (seconds, expected) in [
            (0, "0 s"),
            (42, "42 s"),
            (900, "15 min"),
            (905, "15 min 5 s"),
            (11_100, "3 h 5 min"),
            (86_400, "1 d"),
            (190_000, "2 d 4 h"),
            (86_460, "1 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
