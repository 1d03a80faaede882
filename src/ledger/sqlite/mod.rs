//! The ledger in an embedded `SQLite` file: the default.
//!
//! One file holds any number of calendars. Two connections: one writes, in WAL mode with `synchronous=FULL`, on a thread
//! that commits in groups ([`worker`]); one reads, so that a long listing never delays a claim. Beside the file lie
//! `….lock`, which the publishing process holds for life, and `….bell`, which wakes it. Readers, and commands that write
//! single rows, need no lock.
//!
//! Not here yet: a ballast file to give up when the disk is full, so that the result of a call in flight can still be
//! written; a journal of evidence and a high-water mark outside of the file, to notice that an old copy was restored.

mod accounts;
mod calendars;
mod claim;
mod error;
mod filesystem;
mod instant;
mod lock;
mod open;
mod rows;
mod schema;
mod worker;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use self::worker::Worker;
use super::{
    AccountRecord, Age, Alert, CalendarRecord, ClaimRequest, Errand, Ledger, LedgerError, OpenMode, Query, Raised,
    Record, Result, StoredPost, TellRequest, Told, Write, Written,
};
use crate::model::{AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, LimitOverrides, PostId, State};

/// A ledger in an `SQLite` file.
#[derive(Debug)]
pub struct SqliteLedger {
    path: PathBuf,
    /// Which file it was when it was opened.
    identity: Option<(u64, u64)>,
    reader: Worker,
    writer: Option<Worker>,
}

impl SqliteLedger {
    /// Opens the file. [`OpenMode::ReadWrite`] makes it (mode 600, its folder 700) where it is missing;
    /// [`OpenMode::ReadOnly`] makes nothing, and takes a missing file for an empty ledger.
    ///
    /// # Errors
    /// [`LedgerError::Newer`] for a ledger of a newer version; [`LedgerError::Storage`] and [`LedgerError::Corrupt`] for
    /// what is no ledger, may be read by others, or lies on a network file system.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self> {
        let writer = match mode {
            OpenMode::ReadWrite => {
                let conn = open::writer(path)?;
                // Here from the beginning, so that whoever publishes can watch it.
                lock::touch(&lock::beside(path, ".bell"))?;
                Some(Worker::writer(conn)?)
            }
            OpenMode::ReadOnly => None,
        };
        let conn = match open::reader(path)? {
            Some(conn) => conn,
            None => open::nothing()?,
        };
        let identity = open::identity(path);
        Ok(Self { path: path.to_owned(), identity, reader: Worker::reader(conn)?, writer })
    }

    /// Refuses to go on with a file that was removed or replaced: what is written there nobody will find, and another
    /// process may publish from the one that has its name now.
    fn still_there(&self) -> Result<()> {
        if open::identity(&self.path) == self.identity {
            return Ok(());
        }
        Err(LedgerError::Gone(format!(
            "the ledger `{}` was removed or replaced while smm was running, so nothing more is sent; see what happened to \
             it, then start smm again",
            self.path.display()
        )))
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
        let owner = owner.to_owned();
        let path = lock::beside(&self.path, ".lock");
        self.writer()?;
        let lock = self.reader.run(move |_| lock::Lock::take(&path, &owner)).await?;
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
        let states = vec![State::Claimed, State::Sending];
        let mut rows = self.deliveries(&Query { states, ..Query::default() }).await?;
        rows.retain(|row| row.owner.as_deref() != Some(owner));
        Ok(rows)
    }

    async fn age(&self) -> Result<Age> {
        Ok(Age::Current)
    }

    async fn adopt(&self, _now: DateTime<Utc>) -> Result<()> {
        Ok(())
    }

    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>> {
        let query = query.clone();
        self.reader.run(move |conn| rows::deliveries(conn, &query)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        self.reader.run(move |conn| rows::delivery(conn, &id.to_string())).await
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        if writes.iter().any(|write| write.delivery.state == State::Sending) {
            self.still_there()?;
        }
        let writes = writes.to_vec();
        let writer = self.writer()?;
        let doubt = writer.doubt();
        writer.run(move |conn| rows::write(conn, &writes, !doubt.load(Ordering::SeqCst))).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Delivery>> {
        self.still_there()?;
        let writer = self.writer()?;
        if writer.doubt().load(Ordering::SeqCst) {
            return Err(rows::in_doubt());
        }
        let request = request.clone();
        writer.run(move |conn| claim::claim(conn, &request)).await
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

    async fn hold_off(&self, _name: &AccountName, _until: DateTime<Utc>, _why: &str) -> Result<()> {
        Ok(())
    }

    async fn hold_on(&self, _name: &AccountName) -> Result<()> {
        Ok(())
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

    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
        let (calendar, id) = (calendar.clone(), id.clone());
        self.reader.run(move |conn| calendars::post(conn, &calendar, &id)).await
    }

    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>> {
        self.reader.run(move |conn| rows::events(conn, delivery, limit)).await
    }

    async fn raise(&self, _alert: &Alert) -> Result<()> {
        Ok(())
    }

    async fn meet(&self, _targets: &[String], _now: DateTime<Utc>) -> Result<()> {
        Ok(())
    }

    async fn tell(&self, _request: &TellRequest) -> Result<Vec<Errand>> {
        Ok(Vec::new())
    }

    async fn told(&self, _target: &str, _keys: &[String], _told: &Told, _now: DateTime<Utc>) -> Result<()> {
        Ok(())
    }

    async fn next_tell(&self, _targets: &[String]) -> Result<Option<DateTime<Utc>>> {
        Ok(None)
    }

    async fn untold(&self, _targets: &[String]) -> Result<Vec<Errand>> {
        Ok(Vec::new())
    }

    async fn alerts(&self, _delivery: DeliveryId) -> Result<Vec<Raised>> {
        Ok(Vec::new())
    }

    async fn export(&self, _skip: u64, _limit: usize) -> Result<Vec<Record>> {
        Ok(Vec::new())
    }

    async fn import(&self, _records: &[Record]) -> Result<()> {
        Ok(())
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Ok(())
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
        std::future::pending().await
    }
}
