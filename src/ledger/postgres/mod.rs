//! The ledger in PostgreSQL, for several daemons on several machines.
//!
//! All of it is in the schema `smm` of one database. Who may send what is decided by locks, unique indexes and the
//! database's clock, never by a process for itself:
//!
//! - a claim locks its accounts, then looks again ([`claim`]);
//! - a claim is a lease, counted with `clock_timestamp()`; [`Ledger::renew`] lengthens those that last, never one that is
//!   over, so that whoever takes a delivery over cannot be overtaken by its late owner;
//! - an intent is taken only while the lease of its row lasts, in the statement that stores the row, and only when no other
//!   one is open for the same part, occurrence and identity, by a unique index ([`mod@write`]);
//! - what was committed is kept: a server that says otherwise is refused ([`session`]).
//!
//! A transaction that the server has taken back is tried again. One whose commit was not answered is not: it is an error,
//! and the engine sends nothing.

mod accounts;
mod address;
mod age;
mod alerts;
mod ask;
mod bell;
mod calendars;
mod claim;
mod error;
mod group;
mod instant;
mod rows;
mod schema;
mod session;
mod store;
mod transfer;
mod write;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use self::ask::{change, pipelined, read, transact};
use self::bell::Bell;
use self::group::Group;
use self::session::Server;
use super::{
    About, AccountRecord, Age, Alert, CalendarRecord, ClaimRequest, Errand, Ledger, LedgerError, Opening, Query,
    Raised, Record, Result, StoredPost, Tally, TellRequest, Told, Write, Written,
};
use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, Health, LimitOverrides, PostId, Standings,
};

/// A ledger in PostgreSQL.
pub struct PostgresLedger {
    server: Arc<Server>,
    group: Group,
    bell: Bell,
}

impl std::fmt::Debug for PostgresLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresLedger").field("place", &self.server.place()).finish_non_exhaustive()
    }
}

/// A request may read a whole ledger: it has this many times the time of any other.
const LONG: u32 = 4;

impl PostgresLedger {
    /// Reads the address; connects to nothing yet.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] for an address that cannot be used.
    pub fn open(opening: &Opening<'_>) -> Result<Self> {
        Ok(Self { server: Arc::new(Server::open(opening)?), group: Group::default(), bell: Bell::default() })
    }
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn lock(&self, _owner: &str) -> Result<Box<dyn Send + Sync>> {
        // Each connection is looked over when it is made: being here is enough.
        change!(self.server, _session => async { Ok(()) })?;
        Ok(Box::new(()))
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    async fn time(&self) -> Result<Option<DateTime<Utc>>> {
        read!(self.server, self.server.limit, session => rows::time(session))
    }

    async fn renew(&self, owner: &str) -> Result<()> {
        change!(self.server, session => rows::renew(session, owner, self.server.lease))
    }

    async fn lapsed(&self, _owner: &str) -> Result<Vec<Delivery>> {
        Ok(read!(self.server, self.server.limit, session => rows::lapsed(session))?.unwrap_or_default())
    }

    async fn health(&self) -> Result<Vec<Health>> {
        let found = read!(self.server, self.server.limit, session => session::kept(session))?;
        Ok(found.unwrap_or_default())
    }

    async fn about(&self) -> Result<About> {
        let about = read!(self.server, self.server.limit * LONG, session => rows::about(session, self.server.place()))?;
        Ok(about.unwrap_or_else(|| About::new("PostgreSQL", self.server.place())))
    }

    async fn tally(&self) -> Result<Vec<Tally>> {
        Ok(read!(self.server, self.server.limit * LONG, session => rows::tally(session))?.unwrap_or_default())
    }

    async fn age(&self) -> Result<Age> {
        let server = &*self.server;
        let age = read!(server, server.limit, session => server.watch.look(session, false))?;
        // There is none: what was seen of it is gone.
        age.map_or_else(|| Ok(server.watch.of_nothing()), Ok)
    }

    async fn adopt(&self, now: DateTime<Utc>) -> Result<()> {
        let server = &*self.server;
        transact!(server, server.limit, transaction => age::adopt(transaction, now))?;
        change!(server, session => server.watch.adopted(session))
    }

    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>> {
        Ok(read!(self.server, self.server.limit * LONG, session => rows::deliveries(session, query))?
            .unwrap_or_default())
    }

    async fn standings(&self, calendar: &CalendarName) -> Result<Standings> {
        let limit = self.server.limit * LONG;
        Ok(read!(self.server, limit, session => rows::standings(session, calendar))?.unwrap_or_default())
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        Ok(read!(self.server, self.server.limit, session => rows::delivery(session, id))?.flatten())
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.server.may_write()?;
        self.group.write(&self.server, writes).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Delivery>> {
        let server = &*self.server;
        server.may_write()?;
        let lease = server.lease.as_secs_f64();
        let (claimed, _) = pipelined!(server, committing, session => async {
            server.watch.may_send(session).await?;
            claim::claim(session, committing, request, lease).await
        });
        claimed
    }

    async fn next_ready(&self, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
        Ok(read!(self.server, self.server.limit, session => claim::next_ready(session, request))?.flatten())
    }

    async fn calendar(&self, name: &CalendarName) -> Result<CalendarRecord> {
        Ok(read!(self.server, self.server.limit, session => calendars::calendar(session, name))?.unwrap_or_default())
    }

    async fn put_calendar(&self, name: &CalendarName, record: &CalendarRecord) -> Result<()> {
        transact!(self.server, self.server.limit, transaction => calendars::put_calendar(transaction, name, record))
    }

    async fn account(&self, name: &AccountName) -> Result<AccountRecord> {
        Ok(read!(self.server, self.server.limit, session => accounts::account(session, name))?.unwrap_or_default())
    }

    async fn bind(&self, name: &AccountName, binding: &Binding) -> Result<Binding> {
        change!(self.server, session => accounts::bind(session, name, binding))
    }

    async fn unbind(&self, name: &AccountName) -> Result<Option<Binding>> {
        change!(self.server, session => accounts::unbind(session, name))
    }

    async fn pause(&self, name: Option<&AccountName>, paused: Option<(DateTime<Utc>, String)>) -> Result<()> {
        change!(self.server, session => accounts::pause(session, name, paused.as_ref()))
    }

    async fn paused(&self) -> Result<Option<(DateTime<Utc>, String)>> {
        Ok(read!(self.server, self.server.limit, session => accounts::paused(session))?.flatten())
    }

    async fn hold_off(&self, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()> {
        change!(self.server, session => accounts::hold_off(session, name, until, why))
    }

    async fn hold_on(&self, name: &AccountName) -> Result<()> {
        change!(self.server, session => accounts::hold_on(session, name))
    }

    async fn put_limits(&self, name: &AccountName, limits: &LimitOverrides, at: DateTime<Utc>) -> Result<()> {
        change!(self.server, session => accounts::put_limits(session, name, limits, at))
    }

    async fn variation(&self, delivery: &Delivery, count: u32) -> Result<u32> {
        transact!(self.server, self.server.limit, transaction => calendars::variation(transaction, delivery, count))
    }

    async fn put_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<()> {
        change!(self.server, session => calendars::put_post(session, calendar, post))
    }

    async fn keep_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<StoredPost> {
        change!(self.server, session => calendars::keep_post(session, calendar, post))
    }

    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
        Ok(read!(self.server, self.server.limit, session => calendars::post(session, calendar, id))?.flatten())
    }

    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>> {
        Ok(read!(self.server, self.server.limit * LONG, session => rows::events(session, delivery, limit))?
            .unwrap_or_default())
    }

    async fn raise(&self, alert: &Alert) -> Result<()> {
        change!(self.server, session => alerts::add(session, alert))
    }

    async fn meet(&self, targets: &[String], now: DateTime<Utc>) -> Result<()> {
        change!(self.server, session => alerts::meet(session, targets, now))
    }

    async fn tell(&self, request: &TellRequest) -> Result<Vec<Errand>> {
        transact!(self.server, self.server.limit, transaction => alerts::tell(transaction, request))
    }

    async fn told(&self, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) -> Result<()> {
        transact!(self.server, self.server.limit, transaction => alerts::told(transaction, target, keys, told, now))
    }

    async fn next_tell(&self, targets: &[String]) -> Result<Option<DateTime<Utc>>> {
        Ok(read!(self.server, self.server.limit, session => alerts::next_tell(session, targets))?.flatten())
    }

    async fn untold(&self, targets: &[String]) -> Result<Vec<Errand>> {
        Ok(read!(self.server, self.server.limit, session => alerts::untold(session, targets))?.unwrap_or_default())
    }

    async fn alerts(&self, delivery: DeliveryId) -> Result<Vec<Raised>> {
        Ok(read!(self.server, self.server.limit, session => alerts::about(session, delivery))?.unwrap_or_default())
    }

    async fn export(&self, skip: u64, limit: usize) -> Result<Vec<Record>> {
        Ok(read!(self.server, self.server.limit * LONG, session => transfer::export(session, skip, limit))?
            .unwrap_or_default())
    }

    async fn import(&self, records: &[Record]) -> Result<()> {
        transact!(self.server, self.server.limit * LONG, transaction => transfer::import(transaction, records))
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(LedgerError::Storage(
            "a ledger in PostgreSQL is backed up with the server's own tools: `pg_dump --schema=smm`; `smm ledger export` \
             writes it as records"
                .to_owned(),
        ))
    }

    async fn ring(&self) -> Result<()> {
        change!(self.server, session => bell::ring(session))
    }

    fn bell(&self) -> Option<std::path::PathBuf> {
        None
    }

    async fn rung(&self) {
        self.bell.rung(&self.server).await;
    }
}
