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
//! - [`Ledger::claim`] hands a delivery to one worker, one at a time per account, spacing held.

pub mod sqlite;
#[cfg(feature = "testing")]
pub mod suite;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, LimitOverrides, PostId, Receipt, State,
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

/// Opens the ledger that a setting names: `sqlite` (`ledger.db` in the state folder) or a file's path, a relative one
/// counted from the state folder.
pub fn open(setting: &str, state_folder: &Path, mode: OpenMode) -> Result<Arc<dyn Ledger>> {
    let later = |what: &str| {
        LedgerError::Storage(format!(
            "{what} is not built in yet; write `ledger = \"sqlite\"` or a file's path in smm.toml"
        ))
    };
    match setting {
        "git" => Err(later("a ledger in git")),
        _ if setting.starts_with("postgres://") || setting.starts_with("postgresql://") => {
            Err(later("a ledger in PostgreSQL"))
        }
        "sqlite" => Ok(Arc::new(sqlite::SqliteLedger::open(&state_folder.join("ledger.db"), mode)?)),
        path => Ok(Arc::new(sqlite::SqliteLedger::open(&state_folder.join(path), mode)?)),
    }
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
}

/// What a ledger knows of a calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarRecord {
    /// When the ledger first saw it; `None`: never.
    pub first_seen: Option<DateTime<Utc>>,
    /// What is known of its series, by the post's name.
    pub series: BTreeMap<String, SeriesRecord>,
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
}

/// A post that `smm post` put into the ledger.
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
}

/// The store of deliveries, intents and receipts.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Takes the right to publish, for as long as the guard lives. [`LedgerError::Busy`] names the holder.
    /// Holding it proves that every earlier holder is dead.
    async fn lock(&self, owner: &str) -> Result<Box<dyn Send + Sync>>;

    /// Reads deliveries.
    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>>;

    /// Reads one delivery.
    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>>;

    /// Stores rows. All that can be written are written in one durable transaction; the answers are in the same order.
    /// A row that comes to hold an intent (state `sending`) also sets its account's [`AccountRecord::last_sent`].
    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>>;

    /// Claims deliveries that are ready: state `planned`, [`Delivery::ready_at`] ≤ now, account served by the worker and not
    /// paused, no other delivery of the account claimed or sending, spacing since the account's last call over. At most
    /// one per account; earliest due first. Each comes back `claimed`, with its fence and version raised.
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

    /// Stores limits that an account's server stated.
    async fn put_limits(&self, name: &AccountName, limits: &LimitOverrides, at: DateTime<Utc>) -> Result<()>;

    /// The variation of an occurrence, settled at its first claim and the same for all its accounts: the one after the
    /// one that the series used last. `count` is how many texts there are now.
    async fn variation(&self, delivery: &Delivery, count: u32) -> Result<u32>;

    /// Stores a post that `smm post` wrote.
    async fn put_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<()>;

    /// Reads a post that `smm post` wrote.
    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>>;

    /// The history of one delivery, oldest first; or the latest `limit` events of all, newest first.
    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>>;

    /// Rings the process that publishes: there is news.
    async fn ring(&self) -> Result<()>;

    /// A file that changes when somebody rings; `None`: poll.
    fn bell(&self) -> Option<std::path::PathBuf>;
}
