//! The two files: `calendar.toml` (content) and `smm.toml` (the operator's), read with their spans, every mistake reported
//! in one run.
//!
//! What this module does not do: it knows no limits of networks and no clock. See [`crate::compose`] for the first and
//! [`crate::schedule`] for the second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::model::{Account, AccountName, CalendarName, Campaign, Code, Place, Post, PostId, Severity};
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
}

impl Loaded {
    /// Nothing that is an error.
    pub fn is_ok(&self) -> bool {
        self.calendar.is_some() && self.diagnostics.iter().all(|found| found.severity != Severity::Error)
    }

    /// The place in a file of a piece of a post.
    pub fn span(&self, post: &PostId, account: Option<&AccountName>, place: &Place) -> Option<Span> {
        let _ = (post, account, place);
        todo!()
    }
}

/// The files that were read, for excerpts.
#[derive(Debug, Default)]
pub struct Sources {
    /// In the order in which they were read.
    pub files: Vec<SourceFile>,
}

/// A file.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path as shown: relative to where the calendar was given.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A byte range of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Index in [`Sources::files`].
    pub file: usize,
    /// From this byte.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
}

/// Something wrong, with its place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and by how much.
    pub message: String,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column after the end.
    pub end_column: usize,
    /// How to mend it.
    pub help: Option<String>,
    /// The post.
    pub post: Option<PostId>,
    /// The account.
    pub account: Option<AccountName>,
    /// The account's network.
    pub network: Option<String>,
    /// The place as bytes, for the excerpt.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// `smm.toml`, resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was found; `None`: there is none.
    pub path: Option<PathBuf>,
    /// Given by `--config` or `$SMM_CONFIG`, or in the user's or the system's folder: may run programs.
    pub trusted: bool,
    /// `sqlite`, a path, `postgres://…` or `git`.
    pub ledger: String,
    /// Its accounts.
    pub accounts: BTreeMap<AccountName, Account>,
    /// `[delivery]`.
    pub delivery: DeliverySettings,
}

/// `[delivery]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Of the one irreversible call.
    pub timeout: Duration,
    /// Wait before an unknown is looked up, and between the two looks.
    pub settle: Duration,
    /// A claim not renewed for this long is dead.
    pub lease: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), settle: Duration::from_secs(120), lease: Duration::from_secs(60) }
    }
}

/// Reads a calendar and what it includes. `config` gives the credentialed accounts.
pub fn load(path: &Path, config: &Config) -> Loaded {
    let _ = (path, config);
    todo!()
}
