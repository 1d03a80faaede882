//! Time: the clock (the only "now"), zones, cron, human dates.

mod clock;
mod cron;
mod human;
mod zone;

pub use clock::{Clock, SystemClock};
pub use cron::{CronError, CronRule};
pub use human::{HumanError, parse as parse_human};
pub use zone::{Local, Zone, ZoneError, tzdb_version};
