//! Time: the clock (the only "now"), zones, cron, human dates.
//!
//! What this module does not do: it knows no posts and no deliveries. See [`crate::schedule`] for what becomes due.

mod clock;
mod cron;
mod human;
mod zone;

#[cfg(any(test, feature = "testing"))]
pub use clock::ManualClock;
pub use clock::{Clock, SystemClock};
pub use cron::{CronError, CronRule};
pub use human::{HumanError, parse as parse_human, parse_in as parse_human_in};
pub use zone::{Local, Zone, ZoneError, tzdb_version};

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
