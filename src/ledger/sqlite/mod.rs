//! The ledger in an embedded `SQLite` file: the default.
//!
//! One file holds any number of calendars. Two connections: one writes, in WAL mode with `synchronous=FULL`, on a thread
//! that commits in groups ([`worker`]); one reads, so that a long listing never delays a claim. Readers, and commands that
//! write single rows, need no lock. Beside the file lie
//!
//! - `….lock`, which the publishing process holds for life, with the ledger's file itself;
//! - `….bell`, which wakes it;
//! - `….mark`, which tells a restored copy from the ledger that it is of ([`MarkFile`]);
//! - `….ballast`, which it gives up when the disk is full, so that what came of a call in flight can still be written.
//!   Nothing is claimed then, and no intent written, until there is room to make it again.

mod accounts;
mod age;
mod alerts;
mod backup;
mod ballast;
mod calendars;
mod claim;
mod error;
mod filesystem;
mod health;
mod instant;
mod lock;
mod open;
mod rows;
mod schema;
mod transfer;
mod worker;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use self::ballast::Ballast;
use self::worker::Worker;
use super::{
    About, AccountRecord, Age, Alert, CalendarRecord, ClaimRequest, Errand, Ledger, LedgerError, MarkFile, OpenMode,
    Query, Raised, Record, Result, StoredPost, Tally, TellRequest, Told, Write, Written, with_ending,
};
use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, Health, LimitOverrides, PostId, Standings, State,
};

/// A ledger in an `SQLite` file.
#[derive(Debug)]
pub struct SqliteLedger {
    path: PathBuf,
    /// Which file it was when it was opened.
    identity: Option<(u64, u64)>,
    mark: Arc<MarkFile>,
    reader: Worker,
    writer: Option<Worker>,
    ballast: Arc<Ballast>,
    /// The lock, while it is held through this handle.
    held: Mutex<Weak<lock::Lock>>,
}

impl SqliteLedger {
    /// Opens the file. [`OpenMode::ReadWrite`] makes it (mode 600, its folder 700) where it is missing;
    /// [`OpenMode::ReadOnly`] makes nothing, and takes a missing file for an empty ledger.
    ///
    /// # Errors
    /// [`LedgerError::Newer`] for a ledger of a newer version; [`LedgerError::Storage`] and [`LedgerError::Corrupt`] for
    /// what is no ledger, may be read by others, or lies on a network file system.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self> {
        let mark = Arc::new(MarkFile::new(with_ending(path, ".mark")));
        let writer = match mode {
            OpenMode::ReadWrite => {
                let conn = open::writer(path)?;
                // Here from the beginning, so that whoever publishes can watch it.
                lock::touch(&lock::beside(path, ".bell"))?;
                Some(Worker::writer(conn, age::watch(Arc::clone(&mark)))?)
            }
            OpenMode::ReadOnly => None,
        };
        let conn = match open::reader(path)? {
            Some(conn) => conn,
            None => open::nothing()?,
        };
        Ok(Self {
            path: path.to_owned(),
            identity: lock::identity(path),
            mark,
            reader: Worker::reader(conn)?,
            writer,
            ballast: Arc::new(Ballast::new(path)),
            held: Mutex::default(),
        })
    }

    /// Refuses to go on with a file that was removed or replaced: what is written there nobody will find, and another
    /// process may publish from the one that has its name now.
    fn still_there(&self) -> Result<()> {
        if lock::identity(&self.path) == self.identity {
            return self.held().map_or(Ok(()), |lock| lock.keep());
        }
        Err(LedgerError::Gone(format!(
            "the ledger `{}` was removed or replaced while smm was running, so nothing more is sent; see what happened to \
             it, then start smm again",
            self.path.display()
        )))
    }

    /// The lock, when this handle has it.
    fn held(&self) -> Option<Arc<lock::Lock>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    async fn store(&self, writes: Arc<[Write]>) -> Result<Vec<Written>> {
        let writer = self.writer()?;
        let doubt = writer.doubt();
        writer.run(move |conn| rows::write(conn, &writes, !doubt.load(Ordering::SeqCst))).await
    }

    fn writer(&self) -> Result<&Worker> {
        self.writer.as_ref().ok_or_else(|| {
            LedgerError::Storage(format!("the ledger `{}` was opened for reading only", self.path.display()))
        })
    }
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn lock(&self, owner: &str) -> Result<Box<dyn Send + Sync>> {
        let (owner, path, ballast) = (owner.to_owned(), self.path.clone(), Arc::clone(&self.ballast));
        self.writer()?;
        let mark = Arc::clone(&self.mark);
        let lock = self
            .reader
            .run(move |conn| {
                let lock = Arc::new(lock::Lock::take(&path, &owner)?);
                age::meet(conn, &mark)?;
                // On a full disk nothing is sent, and what came before may still be looked at and settled.
                match ballast.lay() {
                    Ok(()) | Err(LedgerError::Full(_)) => Ok(lock),
                    Err(other) => Err(other),
                }
            })
            .await?;
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&lock);
        Ok(Box::new(lock))
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    async fn time(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(None)
    }

    async fn renew(&self, _owner: &str) -> Result<()> {
        Ok(())
    }

    async fn lapsed(&self, owner: &str) -> Result<Vec<Delivery>> {
        let owner = owner.to_owned();
        self.reader.run(move |conn| rows::of_others(conn, &owner)).await
    }

    async fn about(&self) -> Result<About> {
        let path = self.path.clone();
        self.reader.run(move |conn| age::about(conn, &path)).await
    }

    async fn health(&self) -> Result<Vec<Health>> {
        let path = self.path.clone();
        self.reader.run(move |_| Ok(health::look(&path))).await
    }

    async fn tally(&self) -> Result<Vec<Tally>> {
        self.reader.run(rows::tally).await
    }

    async fn age(&self) -> Result<Age> {
        let mark = Arc::clone(&self.mark);
        self.reader
            .run(move |conn| {
                let seen = mark.read();
                Ok(Age::of(seen, age::mark(conn)?))
            })
            .await
    }

    async fn adopt(&self, now: DateTime<Utc>) -> Result<()> {
        let found = self.writer()?.run(move |conn| age::adopt(conn, now)).await?;
        // Only what is durable is remembered; a kill in between leaves it to be adopted again.
        let mark = Arc::clone(&self.mark);
        let kept = self.reader.run(move |_| Ok(mark.replace(&found))).await?;
        kept.map_err(|error| {
            LedgerError::Storage(format!("cannot write `{}`: {error}; nothing was adopted", self.mark.path().display()))
        })
    }

    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>> {
        let query = query.clone();
        self.reader.run(move |conn| rows::deliveries(conn, &query)).await
    }

    async fn standings(&self, calendar: &CalendarName) -> Result<Standings> {
        let calendar = calendar.clone();
        self.reader.run(move |conn| rows::standings(conn, &calendar)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        self.reader.run(move |conn| rows::delivery(conn, &id.to_string())).await
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let writes: Arc<[Write]> = writes.into();
        if writes.iter().any(|write| write.delivery.state == State::Sending) {
            self.still_there()?;
            if self.ballast.is_full() {
                return Err(ballast::full());
            }
            return self.store(writes).await;
        }
        let stored = self.store(Arc::clone(&writes)).await;
        // The ballast is the publisher's: it alone has calls whose outcome cannot be had a second time.
        if matches!(stored, Err(LedgerError::Full(_))) && self.held().is_some() && self.ballast.give_up() {
            tracing::warn!("the disk is full; nothing is sent until there is room");
            return self.store(writes).await;
        }
        stored
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Delivery>> {
        self.still_there()?;
        let writer = self.writer()?;
        if writer.doubt().load(Ordering::SeqCst) {
            return Err(rows::in_doubt());
        }
        let (request, ballast) = (request.clone(), self.held().map(|_| Arc::clone(&self.ballast)));
        writer
            .run(move |conn| {
                if let Some(ballast) = ballast {
                    ballast.lay()?;
                }
                claim::claim(conn, &request)
            })
            .await
    }

    async fn next_ready(&self, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
        let request = request.clone();
        self.reader.run(move |conn| claim::next_ready(conn, &request)).await
    }

    async fn calendar(&self, name: &CalendarName) -> Result<CalendarRecord> {
        let name = name.clone();
        self.reader.run(move |conn| calendars::calendar(conn, &name)).await
    }

    async fn put_calendar(&self, name: &CalendarName, record: &CalendarRecord) -> Result<()> {
        let (name, record) = (name.clone(), record.clone());
        self.writer()?.run(move |conn| calendars::put_calendar(conn, &name, &record)).await
    }

    async fn account(&self, name: &AccountName) -> Result<AccountRecord> {
        let name = name.clone();
        self.reader.run(move |conn| accounts::account(conn, &name)).await
    }

    async fn bind(&self, name: &AccountName, binding: &Binding) -> Result<Binding> {
        let (name, binding) = (name.clone(), binding.clone());
        self.writer()?.run(move |conn| accounts::bind(conn, &name, &binding)).await
    }

    async fn unbind(&self, name: &AccountName) -> Result<Option<Binding>> {
        let name = name.clone();
        self.writer()?.run(move |conn| accounts::unbind(conn, &name)).await
    }

    async fn pause(&self, name: Option<&AccountName>, paused: Option<(DateTime<Utc>, String)>) -> Result<()> {
        let name = name.cloned();
        self.writer()?.run(move |conn| accounts::pause(conn, name.as_ref(), paused)).await
    }

    async fn paused(&self) -> Result<Option<(DateTime<Utc>, String)>> {
        self.reader.run(|conn| accounts::paused(conn, None)).await
    }

    async fn hold_off(&self, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()> {
        let (name, why) = (name.clone(), why.to_owned());
        self.writer()?.run(move |conn| accounts::hold_off(conn, &name, until, &why)).await
    }

    async fn hold_on(&self, name: &AccountName) -> Result<()> {
        let name = name.clone();
        self.writer()?.run(move |conn| accounts::hold_on(conn, &name)).await
    }

    async fn put_limits(&self, name: &AccountName, limits: &LimitOverrides, at: DateTime<Utc>) -> Result<()> {
        let (name, limits) = (name.clone(), limits.clone());
        self.writer()?.run(move |conn| accounts::put_limits(conn, &name, &limits, at)).await
    }

    async fn variation(&self, delivery: &Delivery, count: u32) -> Result<u32> {
        let delivery = delivery.clone();
        self.writer()?.run(move |conn| calendars::variation(conn, &delivery, count)).await
    }

    async fn put_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<()> {
        let (calendar, post) = (calendar.clone(), post.clone());
        self.writer()?.run(move |conn| calendars::put_post(conn, &calendar, &post)).await
    }

    async fn keep_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<StoredPost> {
        let (calendar, post) = (calendar.clone(), post.clone());
        self.writer()?.run(move |conn| calendars::keep_post(conn, &calendar, &post)).await
    }

    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
        let (calendar, id) = (calendar.clone(), id.clone());
        self.reader.run(move |conn| calendars::post(conn, &calendar, &id)).await
    }

    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>> {
        self.reader.run(move |conn| rows::events(conn, delivery, limit)).await
    }

    async fn raise(&self, alert: &Alert) -> Result<()> {
        let alert = alert.clone();
        self.writer()?.run(move |conn| alerts::raise(conn, &alert)).await
    }

    async fn meet(&self, targets: &[String], now: DateTime<Utc>) -> Result<()> {
        let targets = targets.to_vec();
        self.writer()?.run(move |conn| alerts::meet(conn, &targets, now)).await
    }

    async fn tell(&self, request: &TellRequest) -> Result<Vec<Errand>> {
        let request = request.clone();
        self.writer()?.run(move |conn| alerts::tell(conn, &request)).await
    }

    async fn told(&self, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) -> Result<()> {
        let (target, keys, told) = (target.to_owned(), keys.to_vec(), told.clone());
        self.writer()?.run(move |conn| alerts::told(conn, &target, &keys, &told, now)).await
    }

    async fn next_tell(&self, targets: &[String]) -> Result<Option<DateTime<Utc>>> {
        let targets = targets.to_vec();
        self.reader.run(move |conn| alerts::next_tell(conn, &targets)).await
    }

    async fn untold(&self, targets: &[String]) -> Result<Vec<Errand>> {
        let targets = targets.to_vec();
        self.reader.run(move |conn| alerts::untold(conn, &targets)).await
    }

    async fn alerts(&self, delivery: DeliveryId) -> Result<Vec<Raised>> {
        self.reader.run(move |conn| alerts::about(conn, delivery)).await
    }

    async fn export(&self, skip: u64, limit: usize) -> Result<Vec<Record>> {
        self.reader.run(move |conn| transfer::export(conn, skip, limit)).await
    }

    async fn import(&self, records: &[Record]) -> Result<()> {
        let records = records.to_vec();
        self.writer()?.run(move |conn| transfer::import(conn, &records)).await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        let to = to.to_owned();
        let conn = open::reader(&self.path)?.ok_or_else(|| {
            LedgerError::Storage(format!("there is no ledger at `{}`, so nothing to copy", self.path.display()))
        })?;
        // On a thread of its own: a long copy delays no question.
        Worker::reader(conn)?.run(move |conn| backup::backup(conn, &to)).await
    }

    async fn ring(&self) -> Result<()> {
        self.writer()?;
        let path = lock::beside(&self.path, ".bell");
        self.reader.run(move |_| lock::ring(&path)).await
    }

    fn bell(&self) -> Option<PathBuf> {
        Some(lock::beside(&self.path, ".bell"))
    }

    async fn rung(&self) {
        std::future::pending::<()>().await;
    }
}
