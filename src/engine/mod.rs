//! Delivers: claims, runs, settles, and follows the calendar. A pure core ([`core`]) decides, the rest carries out.

pub mod alerts;
pub mod core;
pub mod outside;

mod adopt;
mod apply;
mod breaker;
mod connect;
mod daemon;
mod dark;
mod driver;
mod follow;
mod hold_off;
mod jump;
mod lease;
mod links;
mod look;
mod news;
mod older;
mod pass;
mod person;
mod recall;
mod record;
mod signals;
mod source;
mod systemd;
mod worker;

#[cfg(test)]
mod explore;
#[cfg(test)]
mod model_check;
#[cfg(test)]
mod samples;

pub use adopt::{adopt, doubted};
pub use apply::Applied;
pub use connect::{Connector, Folders, Networks};
pub use daemon::run as run_daemon;
pub use driver::{COMMAND_CALENDAR, Engine, World};
pub use news::{News, Newsroom, Present, Reading, Watch};
pub use pass::{Pass, Passed, release_backlog, wait_for};
pub use person::{PersonCommand, person};
pub use signals::{Asked, Signals};
pub use worker::Worker;
