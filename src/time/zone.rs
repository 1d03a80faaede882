//! Zones: civil time to instants and back. The only file that names jiff.

use chrono::{DateTime, NaiveDateTime, Utc};

/// An IANA time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
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
        /// The last civil time before the jump that is as far before it as the gap is wide: the time minus the gap.
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

impl Zone {
    /// Finds a zone by its IANA name.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let _ = name;
        todo!()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a civil time comes to.
    pub fn local(&self, civil: NaiveDateTime) -> Local {
        let _ = civil;
        todo!()
    }

    /// The civil time at an instant.
    pub fn civil(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let _ = at;
        todo!()
    }
}

/// The version of the zone data that is built in, such as `2026f`.
pub fn tzdb_version() -> String {
    todo!()
}
