//! A ledger in memory, for tests: what the simulator runs on. It passes the behaviour [`super::suite`] both as an exclusive
//! and as a shared one, so what is proved over it is proved of the rules that every ledger keeps.
//!
//! A [`MemoryStore`] is what would be on the disk or in the server; a [`MemoryLedger`] is one machine's handle to it. What
//! goes wrong is the caller's choice, told by an [`Around`]: a call that fails before it does anything, one that does its
//! work and loses its answer, one that hangs. A store can be set back to an older [`Snapshot`], as a restored backup
//! would; each machine remembers outside of it what it has seen ([`Machine`]).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Notify;

use super::tables::Tables;
use super::{
    About, AccountRecord, Age, Alert, CalendarRecord, ClaimRequest, Errand, Ledger, LedgerError, Mark, Query, Raised,
    Record, Result, StoredPost, Tally, TellRequest, Told, Write, Written,
};
use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, Intent, LimitOverrides, PostId, Standings,
};
use crate::time::Clock;

/// One call, as an [`Around`] is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Changes nothing.
    Read,
    /// [`Ledger::renew`], [`Ledger::lapsed`], [`Ledger::time`] and [`Ledger::age`].
    Lease,
    /// [`Ledger::claim`].
    Claim,
    /// [`Ledger::write`]; `intent`: a row of it comes to be sent.
    Write {
        /// A row of it is `sending`.
        intent: bool,
    },
    /// Changes something else than deliveries.
    Other,
}

/// Stands around each call of a handle and decides whether it works.
#[async_trait]
pub trait Around: Send + Sync {
    /// Before anything is done. An error: nothing is.
    async fn before(&self, call: Call) -> Result<()>;

    /// After everything is done and durable. An error: it is, and the caller does not hear of it.
    async fn after(&self, call: Call) -> Result<()>;
}

/// Everything works.
struct Smooth;

#[async_trait]
impl Around for Smooth {
    async fn before(&self, _call: Call) -> Result<()> {
        Ok(())
    }

    async fn after(&self, _call: Call) -> Result<()> {
        Ok(())
    }
}

/// What the disk or the server holds.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    /// Deliveries and all else.
    tables: Mutex<Tables>,
    /// Who publishes, of an exclusive one.
    holder: Mutex<Option<String>>,
    /// A claim not renewed for this long is dead; `None`: one process publishes at a time.
    lease: Option<TimeDelta>,
    clock: Arc<dyn Clock>,
    /// Is shown every row that is written, before and after.
    witness: Mutex<Option<Witness>>,
    /// How often somebody rang.
    rings: AtomicU64,
    bell: Notify,
}

/// Is shown every row that is written: as it was, if it was there, and as it is.
pub type Witness = Arc<dyn Fn(Option<&Delivery>, &Delivery) + Send + Sync>;

/// All that a store held at a moment.
#[derive(Clone)]
pub struct Snapshot(Tables);

/// What a machine remembers of a store, outside of it.
#[derive(Debug, Default)]
pub struct Machine {
    seen: Mutex<Option<Mark>>,
}

impl MemoryStore {
    /// A store for one publishing process at a time.
    pub fn exclusive(clock: Arc<dyn Clock>) -> Self {
        Self::new(None, clock)
    }

    /// A store for any number of them, with leases counted on its own clock.
    pub fn shared(lease: Duration, clock: Arc<dyn Clock>) -> Self {
        Self::new(Some(TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX)), clock)
    }

    fn new(lease: Option<TimeDelta>, clock: Arc<dyn Clock>) -> Self {
        let tables = Mutex::new(Tables::default());
        let (holder, witness) = (Mutex::default(), Mutex::default());
        Self {
            shared: Arc::new(Shared {
                tables,
                holder,
                lease,
                clock,
                witness,
                rings: AtomicU64::new(0),
                bell: Notify::new(),
            }),
        }
    }

    /// A handle for a machine of its own, on which everything works.
    pub fn open(&self) -> MemoryLedger {
        self.open_on(Arc::default(), Arc::new(Smooth))
    }

    /// A handle for a process of a machine.
    pub fn open_on(&self, machine: Arc<Machine>, around: Arc<dyn Around>) -> MemoryLedger {
        let heard = AtomicU64::new(self.shared.rings.load(Ordering::SeqCst));
        MemoryLedger { store: self.clone(), machine, around, heard }
    }

    /// A copy of all that it holds: a backup.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.tables().clone())
    }

    /// Sets it back to what it held then.
    pub fn restore(&self, snapshot: &Snapshot) {
        *self.tables() = snapshot.0.clone();
    }

    /// Shows every row that is written from now on.
    pub fn witness(&self, witness: Witness) {
        *locked(&self.shared.witness) = Some(witness);
    }

    /// One delivery.
    pub fn row(&self, id: DeliveryId) -> Option<Delivery> {
        self.tables().deliveries.get(&id).cloned()
    }

    /// Every intent that was ever written, with its delivery, in order.
    pub fn intents(&self) -> Vec<(DeliveryId, Intent)> {
        self.tables().intents.iter().map(|kept| (kept.delivery, kept.intent.clone())).collect()
    }

    /// What is known of an account.
    pub fn known(&self, name: &AccountName) -> AccountRecord {
        self.tables().accounts.get(name).cloned().unwrap_or_default()
    }

    /// Every delivery, by its id.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.tables().deliveries.values().cloned().collect()
    }

    /// The whole history, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.tables().events.iter().map(|kept| kept.event.clone()).collect()
    }

    /// Every alert, in the order in which they were raised.
    pub fn alerts(&self) -> Vec<Alert> {
        self.tables().alerts.iter().map(|kept| kept.alert.clone()).collect()
    }

    fn show(&self, before: Option<&Delivery>, after: Option<&Delivery>) {
        if let (Some(witness), Some(after)) = (locked(&self.shared.witness).as_ref(), after) {
            witness(before, after);
        }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        locked(&self.shared.tables)
    }

    fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }
}

/// A panic of another test's thread has left nothing half done: each change is made in one go.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process's handle to a store.
pub struct MemoryLedger {
    store: MemoryStore,
    machine: Arc<Machine>,
    around: Arc<dyn Around>,
    /// The rings that it was told of.
    heard: AtomicU64,
}

/// The right to publish from an exclusive store; given back when it is dropped.
struct Holding(Arc<Shared>);

impl Drop for Holding {
    fn drop(&mut self) {
        *locked(&self.0.holder) = None;
    }
}

impl MemoryLedger {
    async fn read<T>(&self, work: impl FnOnce(&Tables) -> T) -> Result<T> {
        self.around.before(Call::Read).await?;
        let done = work(&self.store.tables());
        self.around.after(Call::Read).await?;
        Ok(done)
    }

    async fn change<T>(&self, call: Call, work: impl FnOnce(&mut Tables) -> T) -> Result<T> {
        self.around.before(call).await?;
        let done = work(&mut self.store.tables());
        self.see();
        self.around.after(call).await?;
        Ok(done)
    }

    /// Remembers how new the store is, unless it is older than that.
    fn see(&self) {
        let found = self.store.tables().mark("memory");
        let mut seen = locked(&self.machine.seen);
        if seen.as_ref().is_none_or(|seen| seen.instance == found.instance && seen.sequence <= found.sequence) {
            *seen = Some(found);
        }
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn lock(&self, owner: &str) -> Result<Box<dyn Send + Sync>> {
        self.around.before(Call::Other).await?;
        if !self.is_exclusive() {
            return Ok(Box::new(()));
        }
        let holding = {
            let mut holder = locked(&self.store.shared.holder);
            if let Some(holder) = holder.as_ref().filter(|_| crate::trial::Guard::Lock.holds()) {
                return Err(LedgerError::Busy(format!("the ledger is held by {holder}")));
            }
            *holder = Some(owner.to_owned());
            Holding(Arc::clone(&self.store.shared))
        };
        self.around.after(Call::Other).await?;
        Ok(Box::new(holding))
    }

    fn is_exclusive(&self) -> bool {
        self.store.shared.lease.is_none()
    }

    async fn time(&self) -> Result<Option<DateTime<Utc>>> {
        self.around.before(Call::Lease).await?;
        let now = (!self.is_exclusive()).then(|| self.store.now());
        self.around.after(Call::Lease).await?;
        Ok(now)
    }

    async fn renew(&self, owner: &str) -> Result<()> {
        let now = self.store.now();
        self.change(Call::Lease, |tables| tables.renew(owner, now)).await
    }

    async fn lapsed(&self, owner: &str) -> Result<Vec<Delivery>> {
        self.around.before(Call::Lease).await?;
        let now = self.store.now();
        let lapsed = self.store.tables().lapsed(owner, self.store.shared.lease, now);
        self.around.after(Call::Lease).await?;
        Ok(lapsed)
    }

    async fn about(&self) -> Result<About> {
        self.read(|tables| {
            let mut about = About::new("memory", "this process");
            about.states = tables.states();
            about
        })
        .await
    }

    async fn tally(&self) -> Result<Vec<Tally>> {
        self.read(Tables::tally).await
    }

    async fn age(&self) -> Result<Age> {
        self.around.before(Call::Lease).await?;
        let found = self.store.tables().mark("memory");
        let seen = locked(&self.machine.seen).clone();
        let age = Age::of(seen, found);
        self.see();
        self.around.after(Call::Lease).await?;
        Ok(age)
    }

    async fn adopt(&self, now: DateTime<Utc>) -> Result<()> {
        self.around.before(Call::Other).await?;
        self.store.tables().adopted = Some(now);
        *locked(&self.machine.seen) = Some(self.store.tables().mark("memory"));
        self.around.after(Call::Other).await
    }

    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>> {
        self.read(|tables| tables.query(query)).await
    }

    async fn standings(&self, calendar: &CalendarName) -> Result<Standings> {
        self.read(|tables| tables.standings(calendar)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        self.read(|tables| tables.deliveries.get(&id).cloned()).await
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let intent = writes.iter().any(|write| write.delivery.state == crate::model::State::Sending);
        let (lease, now) = (self.store.shared.lease, self.store.now());
        self.change(Call::Write { intent }, |tables| {
            writes
                .iter()
                .map(|write| {
                    let before = tables.deliveries.get(&write.delivery.id).cloned();
                    let written = tables.write(write, lease, now);
                    if written == Written::Done {
                        self.store.show(before.as_ref(), tables.deliveries.get(&write.delivery.id));
                    }
                    written
                })
                .collect()
        })
        .await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Delivery>> {
        let now = self.store.now();
        self.change(Call::Claim, |tables| {
            let claimed = tables.claim(request, now);
            for (before, row) in &claimed {
                self.store.show(Some(before), Some(row));
            }
            claimed.into_iter().map(|(_, row)| row).collect()
        })
        .await
    }

    async fn next_ready(&self, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
        self.read(|tables| tables.next_ready(request)).await
    }

    async fn calendar(&self, name: &CalendarName) -> Result<CalendarRecord> {
        self.read(|tables| tables.calendar(name)).await
    }

    async fn put_calendar(&self, name: &CalendarName, record: &CalendarRecord) -> Result<()> {
        self.change(Call::Other, |tables| tables.put_calendar(name, record)).await
    }

    async fn account(&self, name: &AccountName) -> Result<AccountRecord> {
        self.read(|tables| tables.accounts.get(name).cloned().unwrap_or_default()).await
    }

    async fn bind(&self, name: &AccountName, binding: &Binding) -> Result<Binding> {
        self.change(Call::Other, |tables| tables.account(name).binding.get_or_insert_with(|| binding.clone()).clone())
            .await
    }

    async fn unbind(&self, name: &AccountName) -> Result<Option<Binding>> {
        self.change(Call::Other, |tables| tables.account(name).binding.take()).await
    }

    async fn pause(&self, name: Option<&AccountName>, paused: Option<(DateTime<Utc>, String)>) -> Result<()> {
        self.change(Call::Other, |tables| match name {
            Some(name) => tables.account(name).paused = paused,
            None => tables.paused = paused,
        })
        .await
    }

    async fn paused(&self) -> Result<Option<(DateTime<Utc>, String)>> {
        self.read(|tables| tables.paused.clone()).await
    }

    async fn hold_off(&self, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()> {
        self.change(Call::Other, |tables| tables.hold_off(name, until, why)).await
    }

    async fn hold_on(&self, name: &AccountName) -> Result<()> {
        self.change(Call::Other, |tables| tables.account(name).hold_off = None).await
    }

    async fn put_limits(&self, name: &AccountName, limits: &LimitOverrides, at: DateTime<Utc>) -> Result<()> {
        self.change(Call::Other, |tables| tables.account(name).limits = Some((limits.clone(), at))).await
    }

    async fn variation(&self, delivery: &Delivery, count: u32) -> Result<u32> {
        self.change(Call::Other, |tables| tables.variation(delivery, count)).await
    }

    async fn put_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<()> {
        self.change(Call::Other, |tables| {
            tables.posts.insert((calendar.clone(), post.post.id.clone()), post.clone());
        })
        .await
    }

    async fn keep_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<StoredPost> {
        let key = (calendar.clone(), post.post.id.clone());
        self.change(Call::Other, |tables| tables.posts.entry(key).or_insert_with(|| post.clone()).clone()).await
    }

    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
        self.read(|tables| tables.posts.get(&(calendar.clone(), id.clone())).cloned()).await
    }

    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>> {
        self.read(|tables| tables.history(delivery, limit)).await
    }

    async fn raise(&self, alert: &Alert) -> Result<()> {
        self.change(Call::Other, |tables| tables.raise(alert)).await
    }

    async fn meet(&self, targets: &[String], now: DateTime<Utc>) -> Result<()> {
        self.change(Call::Other, |tables| tables.meet(targets, now)).await
    }

    async fn tell(&self, request: &TellRequest) -> Result<Vec<Errand>> {
        self.change(Call::Other, |tables| tables.tell(request)).await
    }

    async fn told(&self, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) -> Result<()> {
        self.change(Call::Other, |tables| tables.told(target, keys, told, now)).await
    }

    async fn next_tell(&self, targets: &[String]) -> Result<Option<DateTime<Utc>>> {
        self.read(|tables| tables.next_tell(targets)).await
    }

    async fn untold(&self, targets: &[String]) -> Result<Vec<Errand>> {
        self.read(|tables| tables.untold(targets)).await
    }

    async fn alerts(&self, delivery: DeliveryId) -> Result<Vec<Raised>> {
        self.read(|tables| tables.alerts_of(delivery)).await
    }

    async fn export(&self, skip: u64, limit: usize) -> Result<Vec<Record>> {
        self.read(|tables| {
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            tables.export().into_iter().skip(skip).take(limit).collect()
        })
        .await
    }

    async fn import(&self, records: &[Record]) -> Result<()> {
        self.change(Call::Other, |tables| tables.import(records)).await?
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(LedgerError::Storage("a ledger in memory is no file".to_owned()))
    }

    async fn ring(&self) -> Result<()> {
        self.store.shared.rings.fetch_add(1, Ordering::SeqCst);
        self.store.shared.bell.notify_waiters();
        Ok(())
    }

    fn bell(&self) -> Option<PathBuf> {
        None
    }

    async fn rung(&self) {
        loop {
            let mut ring = std::pin::pin!(self.store.shared.bell.notified());
            // Waiting from here on, so that no ring falls between the look and the wait.
            ring.as_mut().enable();
            let rings = self.store.shared.rings.load(Ordering::SeqCst);
            if self.heard.swap(rings, Ordering::SeqCst) != rings {
                return;
            }
            ring.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::suite::{self, Store};
    use crate::time::ManualClock;

    struct Kept(MemoryStore, Arc<ManualClock>);

    impl Kept {
        fn exclusive() -> Self {
            Self(MemoryStore::exclusive(clock()), clock())
        }

        fn shared() -> Self {
            let clock = clock();
            Self(MemoryStore::shared(Duration::from_mins(1), Arc::clone(&clock) as Arc<dyn Clock>), clock)
        }
    }

    #[async_trait]
    impl Store for Kept {
        fn open(&self) -> Arc<dyn Ledger> {
            Arc::new(self.0.open())
        }

        fn another(&self) -> Box<dyn Store> {
            Box::new(if self.0.shared.lease.is_none() { Self::exclusive() } else { Self::shared() })
        }

        async fn pass(&self, time: Duration) {
            self.1.pass(time);
        }
    }

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).expect("a time")))
    }

    #[tokio::test]
    async fn it_passes_the_suite() {
        for (_, case) in suite::all().iter().chain(suite::exclusive()) {
            case(Box::new(Kept::exclusive())).await;
        }
    }

    #[tokio::test]
    async fn shared_it_passes_the_suite() {
        for (_, case) in suite::all().iter().chain(suite::shared()).chain(suite::clocked()) {
            case(Box::new(Kept::shared())).await;
        }
    }

    #[tokio::test]
    async fn an_older_state_is_told_from_a_newer_one() {
        let store = MemoryStore::exclusive(clock());
        let before = store.snapshot();
        let machine: Arc<Machine> = Arc::default();
        let ledger = store.open_on(Arc::clone(&machine), Arc::new(Smooth));
        assert_eq!(ledger.age().await, Ok(Age::Current));
        store.tables().sequence = 7;
        assert_eq!(ledger.age().await, Ok(Age::Current));
        store.restore(&before);
        assert!(matches!(ledger.age().await, Ok(Age::Older { .. })));
        assert!(matches!(ledger.age().await, Ok(Age::Older { .. })), "asking does not adopt it");
        assert_eq!(store.open().age().await, Ok(Age::Current), "a machine that has seen nothing");
        ledger.adopt(store.now()).await.expect("adopted");
        assert_eq!(ledger.age().await, Ok(Age::Current));
    }
}
