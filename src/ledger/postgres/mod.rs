//! The ledger in PostgreSQL, for several daemons on several machines.

use std::path::Path;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    About, AccountRecord, Age, Alert, CalendarRecord, ClaimRequest, Errand, Ledger, LedgerError, Opening, Query,
    Raised, Record, Result, StoredPost, TellRequest, Told, Write, Written,
};
use crate::model::{AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, LimitOverrides, PostId};

/// A ledger in PostgreSQL.
#[derive(Debug)]
pub struct PostgresLedger {}

impl PostgresLedger {
    /// Reads the address; connects to nothing yet.
    pub fn open(_opening: &Opening<'_>) -> Result<Self> {
        Err(later())
    }
}

fn later() -> LedgerError {
    LedgerError::Storage("a ledger in PostgreSQL is not built in yet".to_owned())
}

#[async_trait]
impl Ledger for PostgresLedger {
    async fn lock(&self, _owner: &str) -> Result<Box<dyn Send + Sync>> {
        Err(later())
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    async fn time(&self) -> Result<Option<DateTime<Utc>>> {
        Err(later())
    }

    async fn renew(&self, _owner: &str) -> Result<()> {
        Err(later())
    }

    async fn lapsed(&self, _owner: &str) -> Result<Vec<Delivery>> {
        Err(later())
    }

    async fn about(&self) -> Result<About> {
        Err(later())
    }

    async fn age(&self) -> Result<Age> {
        Err(later())
    }

    async fn adopt(&self, _now: DateTime<Utc>) -> Result<()> {
        Err(later())
    }

    async fn deliveries(&self, _query: &Query) -> Result<Vec<Delivery>> {
        Err(later())
    }

    async fn delivery(&self, _id: DeliveryId) -> Result<Option<Delivery>> {
        Err(later())
    }

    async fn write(&self, _writes: &[Write]) -> Result<Vec<Written>> {
        Err(later())
    }

    async fn claim(&self, _request: &ClaimRequest) -> Result<Vec<Delivery>> {
        Err(later())
    }

    async fn next_ready(&self, _request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
        Err(later())
    }

    async fn calendar(&self, _name: &CalendarName) -> Result<CalendarRecord> {
        Err(later())
    }

    async fn put_calendar(&self, _name: &CalendarName, _record: &CalendarRecord) -> Result<()> {
        Err(later())
    }

    async fn account(&self, _name: &AccountName) -> Result<AccountRecord> {
        Err(later())
    }

    async fn bind(&self, _name: &AccountName, _binding: &Binding) -> Result<Binding> {
        Err(later())
    }

    async fn unbind(&self, _name: &AccountName) -> Result<Option<Binding>> {
        Err(later())
    }

    async fn pause(&self, _name: Option<&AccountName>, _paused: Option<(DateTime<Utc>, String)>) -> Result<()> {
        Err(later())
    }

    async fn paused(&self) -> Result<Option<(DateTime<Utc>, String)>> {
        Err(later())
    }

    async fn hold_off(&self, _name: &AccountName, _until: DateTime<Utc>, _why: &str) -> Result<()> {
        Err(later())
    }

    async fn hold_on(&self, _name: &AccountName) -> Result<()> {
        Err(later())
    }

    async fn put_limits(&self, _name: &AccountName, _limits: &LimitOverrides, _at: DateTime<Utc>) -> Result<()> {
        Err(later())
    }

    async fn variation(&self, _delivery: &Delivery, _count: u32) -> Result<u32> {
        Err(later())
    }

    async fn put_post(&self, _calendar: &CalendarName, _post: &StoredPost) -> Result<()> {
        Err(later())
    }

    async fn post(&self, _calendar: &CalendarName, _id: &PostId) -> Result<Option<StoredPost>> {
        Err(later())
    }

    async fn events(&self, _delivery: Option<DeliveryId>, _limit: usize) -> Result<Vec<Event>> {
        Err(later())
    }

    async fn raise(&self, _alert: &Alert) -> Result<()> {
        Err(later())
    }

    async fn meet(&self, _targets: &[String], _now: DateTime<Utc>) -> Result<()> {
        Err(later())
    }

    async fn tell(&self, _request: &TellRequest) -> Result<Vec<Errand>> {
        Err(later())
    }

    async fn told(&self, _target: &str, _keys: &[String], _told: &Told, _now: DateTime<Utc>) -> Result<()> {
        Err(later())
    }

    async fn next_tell(&self, _targets: &[String]) -> Result<Option<DateTime<Utc>>> {
        Err(later())
    }

    async fn untold(&self, _targets: &[String]) -> Result<Vec<Errand>> {
        Err(later())
    }

    async fn alerts(&self, _delivery: DeliveryId) -> Result<Vec<Raised>> {
        Err(later())
    }

    async fn export(&self, _skip: u64, _limit: usize) -> Result<Vec<Record>> {
        Err(later())
    }

    async fn import(&self, _records: &[Record]) -> Result<()> {
        Err(later())
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(later())
    }

    async fn ring(&self) -> Result<()> {
        Err(later())
    }

    fn bell(&self) -> Option<std::path::PathBuf> {
        None
    }

    async fn rung(&self) {
        std::future::pending().await
    }
}
