//! The two files: `calendar.toml` (content) and `smm.toml` (the operator's), read with their spans, every mistake reported
//! in one run.
//!
//! What this module does not do: it knows no limits of networks and no clock. See [`crate::compose`] for the first and
//! [`crate::schedule`] for the second.

mod account;
mod amend;
mod config;
mod diagnostic;
mod file;
mod include;
mod known;
mod load;
mod markdown;
mod media_host;
mod places;
mod post;
mod raw;
mod read;
mod recover;
mod scalar;
mod schema;
mod source;
mod suggest;
mod syntax;
mod text_span;
mod tree;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use amend::{put_limits, replace};
pub use config::{Alert, AlertKind, Config, DeliverySettings, Found, find, load_config};
pub use diagnostic::Diagnostic;
pub use known::{Check, Known, KnownNetwork, Stranger};
pub use load::{load, load_from};
pub use media_host::{MediaHostSettings, MediaPlace};
pub use places::Places;
pub use schema::{calendar_schema, config_schema};
pub use source::{Position, SourceFile, Sources, Span};
pub use tree::{Kind, Tree};

use crate::model::{Account, AccountName, CalendarName, Campaign, Post, PostId, Problem, Severity};
use crate::time::Zone;

/// A calendar, resolved.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// Its name.
    pub name: CalendarName,
    /// Its zone.
    pub zone: Zone,
    /// The folder that its media and its feeds are in.
    pub folder: PathBuf,
    /// The posts, in the order of the files.
    pub posts: Vec<Post>,
    /// Accounts that it declares itself, and those of `smm.toml`, by name.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Its campaigns, by name.
    pub campaigns: BTreeMap<String, Campaign>,
    /// Missing alt text is a warning instead of an error (`[check] missing_alt = "warn"`).
    pub missing_alt_warns: bool,
    /// `smm.toml` names a place that networks may fetch media from (`[media_host]`).
    pub media_host: bool,
}

impl Calendar {
    /// The post with this id.
    pub fn post(&self, id: &PostId) -> Option<&Post> {
        self.posts.iter().find(|post| &post.id == id)
    }
}

/// What reading a calendar gave.
#[derive(Debug)]
pub struct Loaded {
    /// The calendar; posts with errors in their form are left out. `None` when not even name and zone could be read.
    pub calendar: Option<Calendar>,
    /// Everything that is wrong with the form, in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub sources: Sources,
    /// Ids of all posts found, also of those left out: a post that became unreadable is not a post that was removed.
    pub ids: Vec<PostId>,
    /// Every file could be read to its end, so that a post that is not in [`Loaded::ids`] was surely removed.
    pub complete: bool,
    /// Where each post stands in the files.
    pub places: Places,
}

impl Loaded {
    /// Nothing that is an error.
    pub fn is_ok(&self) -> bool {
        self.calendar.is_some() && self.diagnostics.iter().all(|found| found.severity != Severity::Error)
    }

    /// A problem with a post, with its place in a file.
    pub fn diagnose(&self, post: &PostId, account: Option<&Account>, problem: Problem) -> Diagnostic {
        let name = account.map(|account| &account.name);
        let span = self.span(post, name, &problem.place).unwrap_or(Span { file: 0, start: 0, end: 0 });
        Diagnostic {
            help: problem.help,
            post: Some(post.clone()),
            account: name.cloned(),
            network: account.map(|account| account.network.clone()),
            ..Diagnostic::new(problem.code, problem.severity, problem.message, &self.sources, span)
        }
    }
}
