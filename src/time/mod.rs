//! Time: the clock (the only "now"), zones, cron, blackout hours, human dates.
//!
//! What this module does not do: it knows no posts and no deliveries. See [`crate::schedule`] for what becomes due.

mod blackout;
mod clock;
mod cron;
mod human;
mod zone;

pub use blackout::{Blackout, HoursError, merge as merge_hours, parse as parse_hours};
#[cfg(any(test, feature = "testing"))]
pub use clock::ManualClock;
pub use clock::{Clock, SyncedClock, SystemClock};
pub use cron::{CronError, CronRule};
pub use human::{HumanError, parse as parse_human, parse_in as parse_human_in};
pub use zone::{Local, Zone, ZoneError, timestamp, tzdb_version};

/// The months, as rules and people write them.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The days of the week, as people write them.
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
