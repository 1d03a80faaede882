//! Delivers: claims, runs, settles, and follows the calendar. A pure core ([`core`]) decides, the rest carries out.
//!
//! # Several daemons, and different versions of one calendar
//!
//! Each daemon makes the ledger agree with the calendar that it reads: at its start, when its files change, when somebody
//! rings, when a time of its own has come, and in a shared ledger every few minutes. While one machine has an older version
//! (its checkout is slow, say), the two write what they differ in back and forth, at most once in a comparison: none of
//! them rings the bell, so a comparison never sets off another one. What that comes to, for a post that
//!
//! - only the newer version has: the older one's daemon takes it for removed (`cancelled`), the newer one's brings it back,
//!   at the latest with the comparison every few minutes. Should the older one's daemon claim it meanwhile, it cannot compose
//!   it, and gives it back with a back-off, so that it is free for the other. It may go out by so much later; when its
//!   grace is over by then, its `late` rule says what happens and a person is told;
//! - only the older version has: it comes back as often, and when it is due before the older one is mended, that machine
//!   sends it: it cannot know of its removal;
//! - both have, with other times or texts: it has the time of who compared last, and the text of who claims it.
//!
//! Nothing is lost in silence, and nothing goes out twice: whatever a version says of time and text, the delivery's name is
//! the same, one process at a time has it, and what is being sent or is out follows no calendar any more. Which version wins
//! is not decided here, since nothing in two texts says which of them is newer: machines that publish from one ledger have
//! to read one calendar, and a difference has to be short.

pub mod alerts;
pub mod core;
pub mod outside;
pub mod watched;

mod adopt;
mod apply;
mod before;
mod breaker;
mod connect;
mod daemon;
mod dark;
mod driver;
mod follow;
mod hold_off;
mod horizon;
mod jump;
mod lease;
mod links;
mod look;
mod media_host;
mod news;
mod older;
mod pass;
mod person;
mod programs;
mod readiness;
mod recall;
mod record;
mod signals;
mod snapshot;
mod source;
mod systemd;
mod waiting;
mod window;
mod worker;

#[cfg(test)]
mod explore;
#[cfg(test)]
mod model_check;
#[cfg(test)]
mod samples;

pub use adopt::{adopt, doubted};
pub use apply::compare;
pub use connect::{Connector, Folders, Networks};
pub use daemon::run as run_daemon;
pub use driver::{COMMAND_CALENDAR, Engine, World};
pub use news::{News, Newsroom, Present, Reading, Watch};
pub use pass::{Pass, Passed, release_backlog, wait_for};
pub use person::{PersonCommand, person};
pub use readiness::{Readiness, Trouble};
pub use signals::{Asked, Signals};
pub use snapshot::{Holdings, LATE, Lateness, Observer, Of, Snapshot};
pub use systemd::service_manager;
pub use worker::Worker;
