//! Instants as the ledger's columns have them: integer microseconds since 1970, UTC.

use chrono::{DateTime, Utc};

use crate::ledger::{LedgerError, Result};

/// Rounded down: for the present, and for what has happened.
pub(super) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// Rounded up: for what must not happen early.
pub(super) fn micros_up(at: DateTime<Utc>) -> i64 {
    let down = at.timestamp_micros();
    if at.timestamp_subsec_nanos().is_multiple_of(1000) { down } else { down.saturating_add(1) }
}

/// Back to an instant.
pub(super) fn instant(micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| LedgerError::Corrupt(format!("the ledger holds an impossible time ({micros})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_early_is_rounded_up() {
        let at = DateTime::from_timestamp(1, 1_001).unwrap();
        assert_eq!((micros(at), micros_up(at)), (1_000_001, 1_000_002));
        let whole = DateTime::from_timestamp(1, 1_000).unwrap();
        assert_eq!((micros(whole), micros_up(whole)), (1_000_001, 1_000_001));
        let before = DateTime::from_timestamp(-1, 999_999_999).unwrap();
        assert_eq!((micros(before), micros_up(before)), (-1, 0));
        assert_eq!(instant(1_000_001).unwrap(), whole);
    }
}
