//! The ledger: the store of deliveries, intents and receipts.
//!
//! One trait, one behaviour suite ([`suite`]) that every implementation passes; the SQL of each is written for it alone.
//! The ledger decides nothing: [`crate::engine::core`] computes the next row, [`Ledger::write`] stores it if nobody was
//! faster. What it does promise:
//!
//! - a write is durable before [`Ledger::write`] returns, and all of a batch is written or nothing;
//! - a row is written only over the version that the writer has read, so the fence and the version only rise;
//! - one receipt per (calendar, occurrence, network, immutable account id, part, generation), whatever the account is
//!   called: a second intent for the same is answered with [`Written::AlreadyOut`];
//! - [`Ledger::claim`] hands a delivery to one worker, one at a time per account, spacing held;
//! - an alert is raised in the transaction that makes it necessary, and kept until it was told.
//!
//! A ledger is either *exclusive*, for one publishing process whose lock proves every earlier one dead, or *shared*: then
//! claims are leases in the ledger's own time, and only a lapsed lease lets somebody else take a delivery over.

//!
//! What is kept where, and what each protects against. `L` stands for the ledger's file, or for a name in the state folder
//! that follows from a server's address ([`Opening::beside`]).
//!
//! | what | where | against |
//! |---|---|---|
//! | intents, before each call | the ledger, durable | a crash after which nobody knows that something was sent |
//! | receipts, after each call | the ledger, durable | sending again what is out, under another name of the account too |
//! | evidence ([`Evidence`]) | `L.evidence/`, one file for each process, not synced | a process that is killed between an answer and its record: no look-up, and no person, is needed then |
//! | the deliveries' own refs | a ledger in [`git`]: beside its state, in the same push | a state that was deleted or set back: nothing that was begun is claimed again, on a machine without a mark either |
//! | the mark ([`MarkFile`]) | `L.mark`, on each machine | a ledger that was restored, rolled back, deleted or replaced: nothing is sent until a person has adopted it ([`Age`]) |
//! | the lock | `L.lock` (an embedded ledger) | two processes that publish from one file; holding it proves the last one dead |
//! | leases and fences | the ledger (a shared one), in its own time, or in that of whoever looks | a process that was frozen and goes on after somebody else took over |
//!
//! Each line holds without those after it. Evidence and mark live outside of the ledger, since they are about its loss.
//! Neither is synced at each step: a killed process loses nothing of them, and a loss of power leaves less evidence or a
//! lower mark, which falls back to the rule of the network's class and never to a wrong word. A state folder that is
//! restored whole takes its mark with it, which cannot be noticed; then look-ups and keys are what is left. A ledger of a
//! newer version is refused ([`LedgerError::Newer`]), so that going back to an older smm does not read what it does not
//! know.

mod age;
mod alert;
#[cfg(unix)]
mod disk;
mod evidence;
pub mod git;
mod mark;
#[cfg(feature = "testing")]
pub mod memory;
pub mod postgres;
pub mod sqlite;
mod standing;
#[cfg(feature = "testing")]
pub mod suite;
mod tables;
mod transfer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use age::{Age, Mark, may_be_out};
pub use alert::{Alert, Errand, Raised, Told};
#[cfg(unix)]
pub use disk::health as disk_health;
pub use evidence::{Attempt, Brought, Evidence, EvidenceFolder, NoEvidence};
pub use mark::MarkFile;
pub use transfer::{Check, FORMAT, Record, Telling, Whole};

use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, GitSetting, Health, LimitOverrides,
    OccurrenceName, PostId, Receipt, Release, Standings, State,
};

/// Why the ledger could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds it.
    #[error("{0}")]
    Busy(String),
    /// It was written by a newer version.
    #[error("{0}")]
    Newer(String),
    /// Disk, file or database.
    #[error("{0}")]
    Storage(String),
    /// The disk is full: nothing is begun until there is room. What came of a call can still be written.
    #[error("{0}")]
    Full(String),
    /// The store is no longer the one that was opened, or its disk has failed: this process must not go on with it.
    #[error("{0}")]
    Gone(String),
    /// What is stored cannot be read.
    #[error("{0}")]
    Corrupt(String),
}

/// A ledger's answer.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// What a ledger is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading and writing; made where it does not exist.
    ReadWrite,
    /// Reading alone, beside whoever writes; one that does not exist is an empty one, and is not made.
    ReadOnly,
}

/// How a ledger is opened.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// `sqlite` (`ledger.db` in the state folder), a file's path (a relative one counted from the state folder),
    /// `postgres://…`, or `git…` ([`crate::model::GitSetting`]).
    pub setting: &'a str,
    /// Where this machine keeps state: an embedded ledger, and what is remembered of one elsewhere.
    pub state_folder: &'a Path,
    /// What for.
    pub mode: OpenMode,
    /// A claim not renewed for this long is dead (a shared ledger).
    pub lease: Duration,
    /// The password of a server.
    pub password: Option<SecretString>,
    /// The folder of the calendar: a ledger in git is on a remote of the repository that it is in. `None`: where this
    /// process runs.
    pub folder: Option<&'a Path>,
    /// What the `git` program inherits of the environment; `None`: everything.
    pub environment: Option<Vec<(std::ffi::OsString, std::ffi::OsString)>>,
}

impl<'a> Opening<'a> {
    /// With the usual lease and no password.
    pub fn new(setting: &'a str, state_folder: &'a Path, mode: OpenMode) -> Self {
        let lease = Duration::from_mins(1);
        Self { setting, state_folder, mode, lease, password: None, folder: None, environment: None }
    }

    /// What the files begin with that this machine keeps beside the ledger: `.mark`, `.evidence`. For a server in the
    /// state folder, by its address without user and password; for one in git by the calendar's folder.
    pub fn beside(&self) -> PathBuf {
        match self.setting {
            setting if GitSetting::parse(setting).is_some() => {
                self.state_folder.join(git_file(setting, self.folder.unwrap_or(Path::new("."))))
            }
            url if is_server(url) => self.state_folder.join(server_file(url)),
            "sqlite" => self.state_folder.join("ledger.db"),
            path => self.state_folder.join(path),
        }
    }

    /// Opens it. A server is spoken to at the first question, not here.
    pub fn open(self) -> Result<Arc<dyn Ledger>> {
        let file =
            |path: &Path| -> Result<Arc<dyn Ledger>> { Ok(Arc::new(sqlite::SqliteLedger::open(path, self.mode)?)) };
        match self.setting {
            setting if GitSetting::parse(setting).is_some() => Ok(Arc::new(git::GitLedger::open(&self)?)),
            url if is_server(url) => Ok(Arc::new(postgres::PostgresLedger::open(&self)?)),
            _ => file(&self.beside()),
        }
    }
}

/// Whether a setting is a server's address.
fn is_server(setting: &str) -> bool {
    setting.starts_with("postgres://") || setting.starts_with("postgresql://")
}

/// A file's name for a server's address: readable, and told apart by everything of the address but who asks and how.
fn server_file(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let place = format!("{host}/{database}");
    let readable: String = place.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    format!("postgres-{readable}-{}", &mark::checksum(&place)[..8])
}

/// A file's name for a ledger in git: readable, and told apart by where the calendar is and which remote it is on.
fn git_file(setting: &str, folder: &Path) -> String {
    let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let readable: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(60).collect();
    format!("git-{readable}-{}", &mark::checksum(&format!("{setting} {}", folder.display()))[..8])
}

/// `path` with an ending added: `ledger.db` → `ledger.db.mark`.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Opens a ledger with the usual lease and without a password: see [`Opening`].
pub fn open(setting: &str, state_folder: &Path, mode: OpenMode) -> Result<Arc<dyn Ledger>> {
    Opening::new(setting, state_folder, mode).open()
}

/// Which deliveries.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of this calendar.
    pub calendar: Option<CalendarName>,
    /// Of this post.
    pub post: Option<PostId>,
    /// Of this account.
    pub account: Option<AccountName>,
    /// Only these states; empty: all.
    pub states: Vec<State>,
    /// Only these.
    pub ids: Option<Vec<DeliveryId>>,
    /// Ids that start with these hex digits.
    pub id_start: Option<String>,
    /// At most so many, latest due first when set; else all, earliest due first.
    pub latest: Option<usize>,
}

/// A row to be stored.
#[derive(Debug, Clone)]
pub struct Write {
    /// The row as it shall be. The ledger sets its `version` to `expect + 1`.
    pub delivery: Delivery,
    /// The version that the writer has read; 0: the row must not exist yet.
    pub expect: u64,
    /// What is added to the history.
    pub event: Event,
    /// Somebody has to be told. Raised with the row, or not at all.
    pub alert: Option<Alert>,
}

impl Write {
    /// A write that nobody has to be told of.
    pub fn new(delivery: Delivery, expect: u64, event: Event) -> Self {
        Self { delivery, expect, event, alert: None }
    }

    /// Once it is stored, the alerts about its delivery that were not to be told yet (`tell_at` after the event's time) are
    /// withdrawn: it needs nobody any more, or its own alert says more. An attempt that is unresolved keeps them, also
    /// while the same request is being sent again.
    pub fn withdraws(&self) -> bool {
        let row = &self.delivery;
        self.alert.is_some() || !(row.state.needs_person() || row.unknown.is_some())
    }
}

/// What became of a [`Write`].
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Durable.
    Done,
    /// Somebody was faster: nothing was written. Read again.
    Stale,
    /// For an intent: this part of this occurrence was brought (or is being brought) to the same identity by another
    /// delivery. Nothing was written.
    AlreadyOut {
        /// That delivery.
        by: DeliveryId,
        /// Its receipt, when it has one.
        receipt: Option<Receipt>,
    },
}

/// Asks for work.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Who asks: recorded as the owner.
    pub owner: String,
    /// The present.
    pub now: DateTime<Utc>,
    /// The accounts that this worker can serve, each with its spacing in seconds.
    pub accounts: BTreeMap<AccountName, u64>,
    /// Only deliveries of these calendars: a ledger holds any number, and a worker knows the posts of its own alone.
    /// Empty: of all.
    pub calendars: Vec<CalendarName>,
    /// At most so many.
    pub limit: usize,
    /// Only these deliveries (`smm post`); `None`: any.
    pub only: Option<Vec<DeliveryId>>,
    /// How fast an account catches up.
    pub burst: Burst,
}

/// How fast an account catches up after downtime: of what is overdue, no more than `posts` begin within `within`. What is
/// on time is not concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// A delivery is overdue when it was ready longer ago than this, in seconds.
    pub overdue: u64,
    /// So many posts (not parts), overdue or not, …
    pub posts: u32,
    /// … that began within so many seconds.
    pub within: u64,
}

impl Burst {
    /// So many posts in ten minutes.
    pub fn of(posts: u32) -> Self {
        Self { posts, ..Self::default() }
    }
}

impl Default for Burst {
    /// Five posts in ten minutes, for what was ready more than a minute ago.
    fn default() -> Self {
        Self { overdue: 60, posts: 5, within: 600 }
    }
}

/// Asks for alerts to tell.
#[derive(Debug, Clone)]
pub struct TellRequest {
    /// The target's name in `smm.toml`.
    pub target: String,
    /// The present.
    pub now: DateTime<Utc>,
    /// Nobody else is handed them before this.
    pub until: DateTime<Utc>,
    /// At most so many.
    pub limit: usize,
}

/// What a ledger knows of a calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarRecord {
    /// When the ledger first saw it; `None`: never.
    pub first_seen: Option<DateTime<Utc>>,
    /// What is known of its series, by the post's name.
    pub series: BTreeMap<String, SeriesRecord>,
    /// When a person last adopted the ledger although it was older than what had been seen. What was due until then, and
    /// was never seen by this ledger, may be out. Kept once for all calendars, and for those that it has never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<DateTime<Utc>>,
}

/// What a ledger knows of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesRecord {
    /// The rule, zone and bounds as last seen, as one text.
    pub rule: String,
    /// No occurrence at or before this nominal civil time is made any more.
    pub watermark: NaiveDateTime,
}

/// What a ledger knows of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// Who it is.
    pub binding: Option<Binding>,
    /// Paused since, and why.
    pub paused: Option<(DateTime<Utc>, String)>,
    /// When its last irreversible call began: spacing counts from here.
    pub last_sent: Option<DateTime<Utc>>,
    /// Limits that its server stated, and when.
    pub limits: Option<(LimitOverrides, DateTime<Utc>)>,
    /// Nothing is claimed for it before this, and why: its network has asked to wait, or does not answer.
    #[serde(default)]
    pub hold_off: Option<(DateTime<Utc>, String)>,
}

/// A post that `smm post` put into the ledger, or one of a release, filled in by the first who announced it. The latter has
/// its occurrence's name for an id ([`StoredPost::of_release`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPost {
    /// The post.
    pub post: crate::model::Post,
    /// Folder of its media: copies, in the state folder.
    pub folder: Option<String>,
    /// The zone that its civil time is in.
    pub timezone: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The release that it announces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Box<Announced>>,
}

/// What a post was filled in with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Announced {
    /// The release.
    pub release: Release,
    /// It was not announced before this: so far back goes who looks whether somebody has announced it already.
    pub since: DateTime<Utc>,
}

impl StoredPost {
    /// What the post of a release is kept under.
    pub fn of_release(occurrence: &OccurrenceName) -> PostId {
        PostId::new(occurrence.as_str())
    }
}

/// What a ledger is, for `smm ledger`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What keeps it, as people call it.
    pub kind: &'static str,
    /// Where: a file's path, or an address without user and password.
    pub place: String,
    /// The version of its tables; 0: there are none yet.
    pub version: u32,
    /// How much of a disk it takes, where that can be told.
    pub bytes: Option<u64>,
    /// How many deliveries are in which state; those that no delivery is in are left out.
    pub states: BTreeMap<State, u64>,
}

impl About {
    /// Of nothing.
    pub fn new(kind: &'static str, place: impl Into<String>) -> Self {
        Self { kind, place: place.into(), version: 0, bytes: None, states: BTreeMap::new() }
    }

    /// How many deliveries there are.
    pub fn deliveries(&self) -> u64 {
        self.states.values().sum()
    }
}

/// How many deliveries of an account are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The account.
    pub account: AccountName,
    /// Its network.
    pub network: String,
    /// The state.
    pub state: State,
    /// How many.
    pub count: u64,
    /// The earliest [`Delivery::ready_at`] of them.
    pub ready: DateTime<Utc>,
}

/// What [`Ledger::gc`] has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// So many settled deliveries were folded: they keep their names and receipts.
    pub folded: u64,
    /// So many commits of its history were cut off.
    pub commits: u64,
    /// There is more: to be called again.
    pub left: bool,
}

/// The store of deliveries, intents and receipts.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes the right to publish, for as long as the guard lives. An exclusive ledger gives it to one process:
    /// [`LedgerError::Busy`] names the holder, and holding it proves that every earlier holder is dead. A shared one gives
    /// it to any number, once it has seen that the server keeps what it confirms.
    async fn lock(&self, owner: &str) -> Result<Box<dyn Send + Sync>>;

    /// One process publishes at a time. See [`Ledger::lock`].
    fn is_exclusive(&self) -> bool;

    /// The ledger's own clock, by which leases are counted and which every process then goes by. `None`: it has none.
    async fn time(&self) -> Result<Option<DateTime<Utc>>>;

    /// Says that `owner` lives: the leases of all that it has begin anew. Nothing for an exclusive ledger.
    async fn renew(&self, owner: &str) -> Result<()>;

    /// Claimed and sending deliveries whose owner is gone for certain, or whose lease has lapsed: for an exclusive ledger
    /// all that are not `owner`'s, for a shared one those that were not renewed for the lease's time.
    async fn lapsed(&self, owner: &str) -> Result<Vec<Delivery>>;

    /// What it is, and how much is in it.
    async fn about(&self) -> Result<About>;

    /// How well it is, beside what [`Ledger::about`] and [`Ledger::age`] tell: who holds it, whether what is committed is kept.
    /// Changes nothing.
    async fn health(&self) -> Result<Vec<Health>> {
        Ok(Vec::new())
    }

    /// How many deliveries each account has in each state: of all calendars, in no order; states without one are left out.
    async fn tally(&self) -> Result<Vec<Tally>>;

    /// Whether the ledger is as new as what this machine has seen of it. Nothing is sent from one that is not.
    async fn age(&self) -> Result<Age>;

    /// Takes the ledger as it is: what this machine has seen is forgotten, and `now` is kept as
    /// [`CalendarRecord::adopted`].
    async fn adopt(&self, now: DateTime<Utc>) -> Result<()>;

    /// Reads deliveries.
    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>>;

    /// Reads how the deliveries of a calendar stand: faster than the rows, and a fraction of their size.
    async fn standings(&self, calendar: &CalendarName) -> Result<Standings>;

    /// Reads one delivery.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>>;

    /// Stores rows. All that can be written are written in one durable transaction; the answers are in the same order.
    /// A row that comes to hold an intent (state `sending`) also sets its account's [`AccountRecord::last_sent`]; a shared
    /// ledger takes it only while its owner's lease lasts. A repeat (a row whose attempt is unresolved comes to hold another
    /// intent) was not claimed, so it is [`Written::Stale`] while another delivery of its account is claimed or sending, and
    /// when a call has begun there after the time of its intent. First the alerts go that it withdraws ([`Write::withdraws`]),
    /// then its own is raised; one whose key is there already is left as it is.
    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>>;

    /// Claims deliveries that are ready: state `planned`, [`Delivery::ready_at`] ≤ now, account served by the worker and not
    /// paused nor holding off, no other delivery of the account claimed or sending, spacing since the account's last call
    /// over, [`Burst`] held (by new posts: not by what is left of one that is partly out, and a post that has begun lately
    /// does not count against itself). At most one per account; earliest due first. Each comes back `claimed`, with its fence and version raised.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Delivery>>;

    /// When the next claim can succeed: the earliest ready time over the accounts served, spacing and pauses considered.
    /// `None`: nothing is planned.
    async fn next_ready(&self, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>>;

    /// What is known of a calendar.
    async fn calendar(&self, name: &CalendarName) -> Result<CalendarRecord>;

    /// Stores what is known of a calendar.
    async fn put_calendar(&self, name: &CalendarName, record: &CalendarRecord) -> Result<()>;

    /// What is known of an account.
    async fn account(&self, name: &AccountName) -> Result<AccountRecord>;

    /// Binds an account's name to who it turned out to be. Returns the binding that holds: the old one, if there is one.
    async fn bind(&self, name: &AccountName, binding: &Binding) -> Result<Binding>;

    /// Forgets who an account is: a person has said that a change is meant, and the next who-am-I binds it anew. Gives the
    /// binding that held.
    async fn unbind(&self, name: &AccountName) -> Result<Option<Binding>>;

    /// Pauses an account (`None`: all), or resumes it.
    async fn pause(&self, name: Option<&AccountName>, paused: Option<(DateTime<Utc>, String)>) -> Result<()>;

    /// Whether everything is paused, since when and why.
    async fn paused(&self) -> Result<Option<(DateTime<Utc>, String)>>;

    /// Nothing is claimed for an account before `until`, unless it was told so already for longer.
    async fn hold_off(&self, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()>;

    /// An account need not be held off any more.
    async fn hold_on(&self, name: &AccountName) -> Result<()>;

    /// Stores limits that an account's server stated.
    async fn put_limits(&self, name: &AccountName, limits: &LimitOverrides, at: DateTime<Utc>) -> Result<()>;

    /// The variation of an occurrence, settled at its first claim and the same for all its accounts: the one after the
    /// one that the series used last. `count` is how many texts there are now.
    async fn variation(&self, delivery: &Delivery, count: u32) -> Result<u32>;

    /// Stores a post that `smm post` wrote.
    async fn put_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<()>;

    /// Stores a post unless one is kept under its id already. Gives the one that is kept then: of several who store at once
    /// all are given the same.
    async fn keep_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<StoredPost>;

    /// Reads a post that [`Ledger::put_post`] or [`Ledger::keep_post`] has stored.
    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>>;

    /// The history of one delivery, oldest first; or the latest `limit` events of all, newest first.
    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>>;

    /// Raises an alert that no delivery's row goes with. One whose key is there already is left as it is.
    async fn raise(&self, alert: &Alert) -> Result<()>;

    /// Remembers since when each of these targets is there. One that is new is told nothing that was raised before `now`;
    /// one that is known stays as it is (unless it was met later than `now`, by a clock that was set back since), and none
    /// is forgotten.
    async fn meet(&self, targets: &[String], now: DateTime<Utc>) -> Result<()>;

    /// Hands out alerts that a target was not told and that it is time to tell, oldest first. None to a target that was
    /// never met ([`Ledger::meet`]); it counts for nothing in the questions below either.
    async fn tell(&self, request: &TellRequest) -> Result<Vec<Errand>>;

    /// Stores how telling a target went.
    async fn told(&self, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) -> Result<()>;

    /// When the next alert is to be told to one of these targets. `None`: all were told.
    async fn next_tell(&self, targets: &[String]) -> Result<Option<DateTime<Utc>>>;

    /// The errands that have failed so far, for these targets: alerts that somebody should know and does not.
    async fn untold(&self, targets: &[String]) -> Result<Vec<Errand>>;

    /// The alerts about a delivery, oldest first, with who was told.
    async fn alerts(&self, delivery: DeliveryId) -> Result<Vec<Raised>>;

    /// Reads the whole ledger, in the order of [`Record`] and without [`Record::Head`] and [`Record::End`]: up to `limit`
    /// records after the first `skip`. Consistent when nothing else writes.
    async fn export(&self, skip: u64, limit: usize) -> Result<Vec<Record>>;

    /// Takes records into a ledger that has no deliveries, in the order of [`Record`], any number at a time. Until
    /// [`Record::End`] was taken the import is not complete, and nothing is claimed from the ledger. [`Record::Head`]
    /// begins it; a ledger in which an import was cut short refuses another.
    async fn import(&self, records: &[Record]) -> Result<()>;

    /// Copies the ledger into a new file while others use it. An error where the ledger is no file.
    async fn backup(&self, to: &Path) -> Result<()>;

    /// Makes a ledger smaller that grows with its history: what was settled before `before` is kept in short, and never
    /// sent again. `None`: this one has no need of it.
    async fn gc(&self, _before: DateTime<Utc>) -> Result<Option<Collected>> {
        Ok(None)
    }

    /// Rings whoever publishes: there is news.
    async fn ring(&self) -> Result<()>;

    /// A file that changes when somebody rings on this machine; `None`: wait for [`Ledger::rung`].
    fn bell(&self) -> Option<PathBuf>;

    /// Waits until somebody rings. For ever, where the [`Ledger::bell`] tells everything. May be dropped at any time: a
    /// ring that came meanwhile is told to the next call.
    async fn rung(&self);
}
