//! Instants as the server keeps them: microseconds, rounded to the side on which nothing is early.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// Rounded down: for the present, and for what has happened.
pub(super) fn down(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// Rounded up: for what must not happen early.
pub(super) fn up(at: DateTime<Utc>) -> DateTime<Utc> {
    let down = down(at);
    if down == at { down } else { down + TimeDelta::microseconds(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_early_is_rounded_up() {
        let at = |seconds, nanos| DateTime::from_timestamp(seconds, nanos).unwrap();
        assert_eq!((down(at(1, 1_001)), up(at(1, 1_001))), (at(1, 1_000), at(1, 2_000)));
        assert_eq!((down(at(1, 1_000)), up(at(1, 1_000))), (at(1, 1_000), at(1, 1_000)));
        assert_eq!((down(at(-1, 999_999_999)), up(at(-1, 999_999_999))), (at(-1, 999_999_000), at(0, 0)));
    }
}
