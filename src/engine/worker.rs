//! Runs deliveries side by side: at most one for each account, many accounts at once. What the daemon, `publish` and
//! `post` share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::{Id, JoinError, JoinSet};

use super::{Engine, World, dark};
use crate::adapter::Fault;
use crate::ledger::{Burst, ClaimRequest, LedgerError, Query};
use crate::model::{AccountName, Delivery, DeliveryId, State};
use crate::trial::point;

/// Deliveries under way at once: beyond this a group's commit costs no less for each.
const TOGETHER: usize = 64;

/// Runs deliveries side by side. The caller holds the ledger's lock.
pub struct Worker {
    engine: Arc<Engine>,
    only: Option<Vec<DeliveryId>>,
    tasks: JoinSet<()>,
    at_work: HashMap<Id, (DeliveryId, AccountName)>,
    /// Unknowns that are to be looked up, with when.
    looks: BTreeMap<DeliveryId, (AccountName, DateTime<Utc>)>,
    /// Accounts that are paused, as last read; `None` for all of them.
    paused: BTreeSet<Option<AccountName>>,
    /// Planned deliveries that blackout hours do not concern, as last read.
    any_hour: Vec<DeliveryId>,
    touched: BTreeSet<DeliveryId>,
    /// Deliveries whose task has ended, and that were not looked at since.
    left: Vec<DeliveryId>,
}

impl Worker {
    /// A worker; `only`: nothing but these deliveries.
    pub fn new(engine: Arc<Engine>, only: Option<Vec<DeliveryId>>) -> Self {
        Self {
            engine,
            only,
            tasks: JoinSet::new(),
            at_work: HashMap::new(),
            looks: BTreeMap::new(),
            paused: BTreeSet::new(),
            any_hour: Vec::new(),
            touched: BTreeSet::new(),
            left: Vec::new(),
        }
    }

    /// What an earlier process has left: `sending` becomes unknown, `claimed` planned again. Once, before anything else;
    /// the ledger's lock proves that whoever had them is dead.
    pub async fn recover(&mut self) -> Result<(), LedgerError> {
        let states = vec![State::Claimed, State::Sending];
        for row in self.engine.ledger.deliveries(&Query { states, ..Query::default() }).await? {
            self.engine.owner_lost(&row).await?;
        }
        self.read_unknown().await
    }

    /// Reads anew what others may have changed: unknowns that a person settled, pauses.
    pub async fn read_unknown(&mut self) -> Result<(), LedgerError> {
        let world = self.engine.world();
        let calendars = world.calendars();
        let states = vec![State::Unknown];
        let rows = self.engine.ledger.deliveries(&Query { states, ..Query::default() }).await?;
        self.looks.clear();
        for row in rows.iter().filter(|row| calendars.contains(&row.calendar)) {
            self.note(row);
        }
        self.paused.clear();
        if self.engine.ledger.paused().await?.is_some() {
            self.paused.insert(None);
        }
        for account in world.accounts.keys() {
            if self.engine.ledger.account(account).await?.paused.is_some() {
                self.paused.insert(Some(account.clone()));
            }
        }
        self.any_hour.clear();
        for account in world.accounts.values().filter(|account| !account.blackout.is_empty()) {
            let (account, states) = (Some(account.name.clone()), vec![State::Planned]);
            let rows = self.engine.ledger.deliveries(&Query { account, states, ..Query::default() }).await?;
            self.any_hour.extend(rows.iter().filter(|row| row.any_hour).map(|row| row.id));
        }
        Ok(())
    }

    fn note(&mut self, row: &Delivery) {
        let ours = self.only.as_ref().is_none_or(|only| only.contains(&row.id));
        match row.unknown.as_ref().and_then(|unknown| unknown.next_look) {
            Some(at) if ours && row.state == State::Unknown => {
                self.looks.insert(row.id, (row.account.clone(), at));
            }
            _ => {
                self.looks.remove(&row.id);
            }
        }
    }

    /// Starts everything that can be started now, after a look at what has ended meanwhile. Gives how much was started.
    pub async fn start(&mut self) -> Result<usize, LedgerError> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note_ended(&ended);
        }
        self.look_after().await?;
        let before = self.tasks.len();
        let now = self.engine.now();
        let due: Vec<DeliveryId> = self
            .looks
            .iter()
            .filter(|(_, (account, at))| *at <= now && self.may_look(account))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some((account, _)) = self.looks.get(&id) else { continue };
            if self.tasks.len() >= TOGETHER || self.is_busy(account) {
                continue;
            }
            let Some(row) = self.engine.ledger.delivery(id).await? else { continue };
            self.note(&row);
            if self.looks.remove(&id).is_some_and(|(_, at)| at <= now) {
                let engine = Arc::clone(&self.engine);
                let (id, account) = (row.id, row.account.clone());
                let task = self.tasks.spawn(async move { engine.settle(row).await });
                self.at_work.insert(task.id(), (id, account));
                self.touched.insert(id);
            }
        }
        if self.tasks.len() < TOGETHER {
            let world = self.engine.world();
            for request in self.requests(&world, now) {
                point("claim");
                let claimed = self.engine.ledger.claim(&request).await?;
                if !claimed.is_empty() {
                    point("claimed");
                }
                for row in claimed {
                    let (engine, world) = (Arc::clone(&self.engine), Arc::clone(&world));
                    let (id, account) = (row.id, row.account.clone());
                    let task = self.tasks.spawn(async move { engine.deliver(row, world).await });
                    self.at_work.insert(task.id(), (id, account));
                    self.touched.insert(id);
                }
            }
        }
        Ok(self.tasks.len() - before)
    }

    /// When [`Worker::start`] has something to do again, if nothing ends before and nobody rings.
    pub async fn next(&self) -> Result<Option<DateTime<Utc>>, LedgerError> {
        if self.tasks.len() >= TOGETHER {
            return Ok(None);
        }
        let looks = self.next_look();
        let (world, now) = (self.engine.world(), self.engine.now());
        let mut next = looks;
        for request in self.requests(&world, now) {
            next = next.into_iter().chain(self.engine.ledger.next_ready(&request).await?).min();
        }
        for (account, until) in self.dark(&world, now) {
            let request = self.request(&world, now, |name| *name == account);
            let ready = self.engine.ledger.next_ready(&request).await?;
            next = next.into_iter().chain(ready.map(|ready| ready.max(until))).min();
        }
        Ok(next)
    }

    /// What may be claimed now: everything of the accounts that are not in their blackout hours, and of those that are
    /// what a person wants out in spite of it.
    fn requests(&self, world: &World, now: DateTime<Utc>) -> Vec<ClaimRequest> {
        let dark = self.dark(world, now);
        let mut requests = vec![self.request(world, now, |account| !dark.contains_key(account))];
        if !dark.is_empty() && !self.any_hour.is_empty() {
            let mut request = self.request(world, now, |account| dark.contains_key(account));
            let wanted = |id: &&DeliveryId| self.only.as_ref().is_none_or(|only| only.contains(id));
            request.only = Some(self.any_hour.iter().filter(wanted).copied().collect());
            requests.push(request);
        }
        requests.retain(|request| !request.accounts.is_empty());
        requests
    }

    /// The accounts that are in their blackout hours, with when these end.
    fn dark(&self, world: &World, now: DateTime<Utc>) -> BTreeMap<AccountName, DateTime<Utc>> {
        let accounts = world.accounts.values().filter(|account| !self.is_busy(&account.name));
        accounts.filter_map(|account| Some((account.name.clone(), dark::account_until(account, now)?))).collect()
    }

    /// When the next unknown is to be looked up.
    pub fn next_look(&self) -> Option<DateTime<Utc>> {
        self.looks
            .values()
            .filter(|(account, _)| self.may_look(account) && !self.is_busy(account))
            .map(|(_, at)| *at)
            .min()
    }

    /// Something is under way.
    pub fn is_working(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// The deliveries that were begun or looked up.
    pub fn touched(&self) -> &BTreeSet<DeliveryId> {
        &self.touched
    }

    /// Waits until something that is under way has ended, with all that ended at the same time. Waits for ever when
    /// nothing is. May be dropped at any time: what has ended is never forgotten.
    pub async fn ended(&mut self) -> Result<(), LedgerError> {
        let Some(first) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        self.note_ended(&first);
        while let Some(more) = self.tasks.try_join_next_with_id() {
            self.note_ended(&more);
        }
        self.look_after().await
    }

    fn note_ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        let Some((id, _)) = self.at_work.remove(&task) else { return };
        if ended.as_ref().is_err_and(JoinError::is_panic) {
            tracing::error!(delivery = %id.short(), "smm has met a mistake of its own; the delivery is put aside");
        }
        self.left.push(id);
    }

    /// Looks how tasks that have ended left their deliveries. A row that is claimed, or being sent, while nobody is at
    /// work on it would keep its account busy for ever.
    async fn look_after(&mut self) -> Result<(), LedgerError> {
        while let Some(id) = self.left.last().copied() {
            let ledger = Arc::clone(&self.engine.ledger);
            if let Some(mut row) = ledger.delivery(id).await? {
                if matches!(row.state, State::Claimed | State::Sending) {
                    self.engine.abandoned(&row).await?;
                    row = ledger.delivery(id).await?.unwrap_or(row);
                }
                self.note(&row);
            }
            self.left.pop();
        }
        Ok(())
    }

    /// Lets what is under way end until `deadline`, and leaves the rest as it is: `sending`, for the next start to settle.
    pub async fn drain(&mut self, deadline: DateTime<Utc>) {
        let clock = Arc::clone(&self.engine.clock);
        while self.is_working() {
            tokio::select! {
                biased;
                ended = self.ended() => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the ledger does not answer");
                    }
                }
                () = clock.sleep_until(deadline) => {
                    tracing::warn!(left = self.tasks.len(), "calls did not end in time; their outcome is settled at the next start");
                    self.tasks.abort_all();
                    return;
                }
            }
        }
    }

    fn request(&self, world: &World, now: DateTime<Utc>, of: impl Fn(&AccountName) -> bool) -> ClaimRequest {
        let accounts = world
            .accounts
            .values()
            .filter(|account| !self.is_busy(&account.name) && of(&account.name))
            .map(|account| {
                // Spacing is kept to the second; a part of one counts as a whole.
                let spacing =
                    account.spacing.map_or(0, |spacing| spacing.as_secs() + u64::from(spacing.subsec_nanos() > 0));
                (account.name.clone(), spacing)
            })
            .collect();
        ClaimRequest {
            owner: self.engine.owner.clone(),
            now,
            accounts,
            calendars: world.calendars(),
            limit: TOGETHER - self.tasks.len().min(TOGETHER),
            only: self.only.clone(),
            burst: Burst::default(),
        }
    }

    fn is_busy(&self, account: &AccountName) -> bool {
        self.at_work.values().any(|(_, busy)| busy == account)
    }

    fn may_look(&self, account: &AccountName) -> bool {
        !self.paused.contains(&None)
            && !self.paused.contains(&Some(account.clone()))
            && self.engine.world().accounts.contains_key(account)
    }
}

impl Engine {
    /// A delivery whose task has ended without an end: what may have been sent is unknown, what was not is tried again.
    async fn abandoned(&self, row: &Delivery) -> Result<(), LedgerError> {
        match row.state {
            State::Sending => self.owner_lost(row).await,
            State::Claimed => self.put_aside(row, Fault::NotSent("smm could not go on with it".to_owned())).await,
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::connect::{Connector, Folders};
    use super::super::samples::{planned, start};
    use super::*;
    use crate::adapter::{Api, Plan, RepeatSafety};
    use crate::calendar::{Calendar, DeliverySettings};
    use crate::compose::Instance;
    use crate::ledger::{OpenMode, Write};
    use crate::model::{Account, CalendarName, Event, OccurrenceName, Origin, Post, PostId};
    use crate::time::ManualClock;

    /// Reaches nobody.
    struct Nobody;

    impl Connector for Nobody {
        fn repeat(&self, _network: &str) -> RepeatSafety {
            RepeatSafety::None
        }

        fn compose(&self, _: &Calendar, _: &Post, _: &Account, _: Instance) -> Result<Plan, String> {
            Err("there is nobody".to_owned())
        }

        fn connect(&self, _: &Account, _: &Folders) -> Result<Box<dyn Api>, String> {
            Err("there is nobody".to_owned())
        }
    }

    /// A worker with one account, and as many deliveries for it that are due.
    async fn worker(folder: &tempfile::TempDir, count: usize) -> Worker {
        let ledger = crate::ledger::open("sqlite", folder.path(), OpenMode::ReadWrite).expect("a ledger");
        for number in 0..count {
            let post = PostId::new(format!("post-{number}"));
            let (calendar, occurrence) = (CalendarName::new("post"), OccurrenceName::once(&post));
            let sample = planned();
            let row = Delivery::planned(
                calendar,
                post,
                occurrence,
                sample.account,
                sample.network,
                Origin::Command,
                start(),
                start().naive_utc(),
                sample.late,
            );
            let event = Event {
                at: start(),
                delivery: row.id,
                kind: "planned".to_owned(),
                state: row.state,
                detail: String::new(),
                actor: "test".to_owned(),
            };
            ledger.write(&[Write::new(row, 0, event)]).await.expect("written");
        }
        let account = Account::new(planned().account, "some-network");
        let world = World { accounts: [(account.name.clone(), account)].into(), ..World::default() };
        let clock = Arc::new(ManualClock::new(start()));
        let engine = Engine::new(ledger, clock, Arc::new(Nobody), DeliverySettings::default(), "test", world);
        Worker::new(Arc::new(engine), None)
    }

    #[tokio::test]
    async fn what_has_ended_is_not_forgotten_when_nobody_waits_for_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut worker = worker(&folder, 2).await;
        assert_eq!(worker.start().await, Ok(1), "one of an account at a time");
        // Something else always happens first.
        while worker.is_working() {
            let asked = std::pin::pin!(worker.ended());
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = asked.poll(&mut context);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(worker.start().await, Ok(1), "the account is free again");
        worker.ended().await.expect("the ledger answers");
        assert_eq!(worker.start().await, Ok(0));
        assert_eq!(worker.next().await, Ok(None));
    }

    #[tokio::test]
    async fn a_row_that_its_task_left_behind_does_not_keep_the_account_busy() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut worker = worker(&folder, 1).await;
        let request = worker.request(&worker.engine.world(), start(), |_| true);
        let claimed = worker.engine.ledger.claim(&request).await.expect("claimed").remove(0);
        let task = worker.tasks.spawn(async { panic!("a mistake") });
        worker.at_work.insert(task.id(), (claimed.id, claimed.account.clone()));
        worker.ended().await.expect("the ledger answers");
        let row = worker.engine.ledger.delivery(claimed.id).await.expect("answers").expect("a row");
        assert_eq!((row.state, row.failures), (State::Planned, 1));
        assert!(row.not_before.is_some_and(|at| at > start()), "not at once");
    }
}
