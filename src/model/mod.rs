//! The nouns of the program, and nothing that needs the outside: no clock, no file, no network.
//!
//! Every other module speaks in these types. Start with [`Post`] (what the calendar says), then [`Delivery`] (one
//! occurrence × one account), then [`Problem`] (what is wrong, before anybody knows in which line).

pub mod codes;

mod account;
mod content;
mod delivery;
mod git_setting;
mod health;
mod id;
mod media;
mod nearest;
mod post;
mod problem;
mod release;
mod standing;

pub use account::{Account, LimitOverrides, WeekSpan};
pub use content::{Content, Fallback, MediaRef, Numbering, Poll, Visibility};
pub use delivery::{
    Binding, Delivery, Event, Frozen, Intent, Origin, Prepared, Reason, ReasonCode, Receipt, State, Unknown,
};
pub use git_setting::GitSetting;
pub use health::{Grade, Health};
pub use id::{AccountName, CalendarName, DeliveryId, InvalidName, OccurrenceName, PostId, hex};
pub use media::{MediaFacts, MediaKind};
pub use nearest::nearest;
pub use post::{Campaign, Late, LateThen, Post, ReleaseKind, ReleaseRule, Trigger, Utm};
pub use problem::{Code, Place, Problem, Severity};
pub use release::{Release, is_early};
pub use standing::{Settled, Standing, Standings};
