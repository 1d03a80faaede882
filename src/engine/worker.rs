//! Runs deliveries side by side: at most one for each account, many accounts at once. What the daemon, `publish` and
//! `post` share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{Id, JoinError, JoinSet};

use super::core::Input;
use super::driver::delta;
use super::record::Halt;
use super::{Engine, World, dark};
use crate::adapter::Fault;
use crate::ledger::{Burst, ClaimRequest, LedgerError, Query};
use crate::model::{AccountName, Delivery, DeliveryId, State};
use crate::trial::{Guard, point};

/// Deliveries under way at once: beyond this a group's commit costs no less for each.
const TOGETHER: usize = 64;

/// In a shared ledger: after so many renewals of the leases ledger and calendar are compared again. Five minutes, by the
/// usual lease.
const COMPARE_AGAIN: u32 = 30;

/// An unknown that is to be looked up.
struct Look {
    account: AccountName,
    at: DateTime<Utc>,
    /// The row's version.
    version: u64,
}

/// Runs deliveries side by side. The caller holds the ledger's lock.
pub struct Worker {
    engine: Arc<Engine>,
    only: Option<Vec<DeliveryId>>,
    tasks: JoinSet<()>,
    at_work: HashMap<Id, (DeliveryId, AccountName)>,
    /// Unknowns that are to be looked up.
    looks: BTreeMap<DeliveryId, Look>,
    /// Accounts that are paused, as last read; `None` for all of them.
    paused: BTreeSet<Option<AccountName>>,
    /// Planned deliveries that blackout hours do not concern, as last read.
    any_hour: Vec<DeliveryId>,
    touched: BTreeSet<DeliveryId>,
    /// Deliveries whose task has ended, and that were not looked at since.
    left: Vec<DeliveryId>,
    /// When this process last said that it lives, by the time that has passed.
    tended: Option<Duration>,
    /// How often it has.
    tends: u32,
    /// The ledger has not confirmed something: there may be rows of ours that nobody is at work on.
    astray: bool,
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
            tended: None,
            tends: 0,
            astray: false,
        }
    }

    /// What earlier processes have left: `sending` becomes what its call has brought, where that was kept, or else
    /// unknown; `claimed` becomes planned again. Once, before anything else.
    pub async fn recover(&mut self) -> Result<(), LedgerError> {
        self.engine.renew().await?;
        self.engine.begin().await?;
        self.take_over().await?;
        self.engine.recall_unknown().await?;
        self.engine.tidy_evidence().await?;
        self.tended = Some(self.engine.clock.elapsed());
        self.read_unknown().await
    }

    /// In a shared ledger: says that this process lives, and looks after what dead ones have left. When it is time to.
    async fn tend(&mut self) -> Result<(), LedgerError> {
        if self.tend_again().is_none_or(|again| self.engine.clock.elapsed() < again) {
            return Ok(());
        }
        let elapsed = self.engine.clock.elapsed();
        self.engine.renew().await?;
        self.take_over().await?;
        self.tended = Some(elapsed);
        self.tends = self.tends.wrapping_add(1);
        self.astray = true;
        if self.tends.is_multiple_of(COMPARE_AGAIN) {
            // Another process may read another version of the calendar.
            self.engine.outdate();
        }
        // Once in a lease: unknowns whose process is dead are looked up by somebody else.
        if self.tends.is_multiple_of(3) { self.read_unknown().await } else { Ok(()) }
    }

    /// When [`Worker::tend`] has something to do, by the time that has passed.
    fn tend_again(&self) -> Option<Duration> {
        (!self.engine.ledger.is_exclusive())
            .then(|| self.tended.map_or(Duration::ZERO, |tended| tended + self.engine.renew_every()))
    }

    /// Takes over what the ledger says is nobody's any more. Others may be faster.
    async fn take_over(&mut self) -> Result<(), LedgerError> {
        let calendars = self.engine.world().calendars();
        for row in self.engine.ledger.lapsed(&self.engine.owner).await? {
            if let Some(row) = self.engine.owner_lost(&row).await?
                && calendars.contains(&row.calendar)
            {
                self.note(&row);
            }
        }
        Ok(())
    }

    /// Gives free what the ledger holds for this process without anybody being at work on it: a claim, or a repeat, that
    /// was written although its confirmation was lost. It would keep its account busy for ever.
    async fn give_free(&mut self) -> Result<(), LedgerError> {
        let states = vec![State::Claimed, State::Sending];
        for row in self.engine.ledger.deliveries(&Query { states, ..Query::default() }).await? {
            if !self.at_work.values().any(|(id, _)| *id == row.id) {
                self.engine.abandoned(&row).await?;
            }
        }
        Ok(())
    }

    /// Reads anew what others may have changed: unknowns that a person settled, pauses.
    pub async fn read_unknown(&mut self) -> Result<(), LedgerError> {
        let world = self.engine.world();
        let calendars = world.calendars();
        let states = vec![State::Unknown];
        let rows = self.engine.ledger.deliveries(&Query { states, ..Query::default() }).await?;
        let mut before = std::mem::take(&mut self.looks);
        for row in rows.iter().filter(|row| calendars.contains(&row.calendar)) {
            if let Some(look) = before.remove(&row.id).filter(|look| look.version == row.version) {
                self.looks.insert(row.id, look);
                continue;
            }
            self.note(row);
            // Others may be about to: only what they leave is for us.
            if let Some(look) = self.looks.get_mut(&row.id)
                && !self.engine.ledger.is_exclusive()
            {
                look.at += delta(self.engine.lease);
            }
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
                self.looks.insert(row.id, Look { account: row.account.clone(), at, version: row.version });
            }
            _ => {
                self.looks.remove(&row.id);
            }
        }
    }

    /// Starts everything that can be started now, after a look at what has ended meanwhile. Gives how much was started:
    /// nothing, while the clock is doubted.
    pub async fn start(&mut self) -> Result<usize, LedgerError> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.note_ended(&ended);
        }
        self.look_after().await?;
        self.tend().await?;
        if self.astray {
            self.give_free().await?;
            self.astray = false;
        }
        let before = self.tasks.len();
        if self.engine.clock_doubt().is_some() {
            return Ok(0);
        }
        self.start_looks().await?;
        if self.tasks.len() < TOGETHER {
            let world = self.engine.world();
            for request in self.requests(&world, self.engine.now()) {
                point("claim");
                let leased = self.engine.clock.elapsed();
                // Should the answer be lost, the claims may not.
                self.astray = true;
                let claimed = self.engine.ledger.claim(&request).await?;
                self.astray = false;
                if !claimed.is_empty() {
                    point("claimed");
                }
                for row in claimed {
                    let (engine, world) = (Arc::clone(&self.engine), Arc::clone(&world));
                    let (id, account) = (row.id, row.account.clone());
                    let task = self.tasks.spawn(async move { engine.deliver(row, world, leased).await });
                    self.at_work.insert(task.id(), (id, account));
                    self.touched.insert(id);
                }
            }
        }
        Ok(self.tasks.len() - before)
    }

    async fn start_looks(&mut self) -> Result<(), LedgerError> {
        let now = self.engine.now();
        let due: Vec<DeliveryId> = self
            .looks
            .iter()
            .filter(|(_, look)| look.at <= now && self.may_look(&look.account))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(look) = self.looks.get(&id) else { continue };
            if self.tasks.len() >= TOGETHER || self.is_busy(&look.account) {
                continue;
            }
            let same = look.version;
            let Some(row) = self.engine.ledger.delivery(id).await? else { continue };
            self.note(&row);
            // When it is as it was, its time has come, also where that is a later one than the row says.
            if row.version == same || self.looks.get(&id).is_some_and(|look| look.at <= now) {
                self.looks.remove(&id);
                let engine = Arc::clone(&self.engine);
                let (id, account) = (row.id, row.account.clone());
                let task = self.tasks.spawn(async move { engine.settle(row).await });
                self.at_work.insert(task.id(), (id, account));
                self.touched.insert(id);
            }
        }
        Ok(())
    }

    /// When [`Worker::start`] has something to do again, if nothing ends before and nobody rings.
    pub async fn next(&self) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let elapsed = self.engine.clock.elapsed();
        let tend = self.tend_again().map(|again| self.engine.now() + delta(again.saturating_sub(elapsed)));
        if self.tasks.len() >= TOGETHER {
            return Ok(tend);
        }
        let looks = self.next_look();
        let (world, now) = (self.engine.world(), self.engine.now());
        let mut next = looks.into_iter().chain(tend).min();
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
            .filter(|look| self.may_look(&look.account) && !self.is_busy(&look.account))
            .map(|look| look.at)
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
                if self.engine.abandoned(&row).await? {
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
        // Without this guard, what is due within an hour counts as due.
        let now = if Guard::Early.holds() { now } else { now + TimeDelta::hours(1) };
        ClaimRequest {
            owner: self.engine.owner.clone(),
            now,
            accounts,
            calendars: world.calendars(),
            limit: TOGETHER - self.tasks.len().min(TOGETHER),
            only: self.only.clone(),
            burst: Burst::of(self.engine.settings().catch_up),
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
    /// A delivery of this process that nobody is at work on, if it is one: what may have been sent is unknown, what was
    /// not is tried again. Whether anything was done about it.
    async fn abandoned(&self, row: &Delivery) -> Result<bool, LedgerError> {
        if row.owner.as_ref() != Some(&self.owner) {
            return Ok(false);
        }
        match row.state {
            State::Sending => {
                let fault = Fault::Unknown("smm could not go on with it".to_owned());
                let rules = self.rules(self.connector.repeat(&row.network));
                match self.advance(row, &Input::Faulted(fault), &rules).await {
                    Ok(_) | Err(Halt::Stale) => {}
                    Err(Halt::Ledger(error)) => return Err(error),
                }
            }
            State::Claimed => self.put_aside(row, Fault::NotSent("smm could not go on with it".to_owned())).await?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Nobody, planned, planned_event, start};
    use super::*;
    use crate::calendar::DeliverySettings;
    use crate::ledger::{OpenMode, Write};
    use crate::model::{Account, CalendarName, OccurrenceName, Origin, PostId};
    use crate::time::ManualClock;

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
            let event = planned_event(&row);
            ledger.write(&[Write::new(row, 0, event)]).await.expect("written");
        }
        let account = Account::new(planned().account, "some-network");
        let world = World { accounts: [(account.name.clone(), account)].into(), ..World::default() };
        let clock = Arc::new(ManualClock::new(start()));
        let engine =
            Engine::new(ledger, clock, Arc::new(Nobody::default()), DeliverySettings::default(), "test", world);
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
    async fn an_account_in_blackout_hours_is_left_alone_until_their_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut worker = worker(&folder, 1).await;
        let mut world = (*worker.engine.world()).clone();
        for account in world.accounts.values_mut() {
            // The worker's day begins at nine, on a Tuesday.
            account.blackout = crate::time::parse_hours("tue 08:00-17:30").expect("hours");
        }
        worker.engine.set_world(world, DeliverySettings::default());
        assert_eq!(worker.start().await, Ok(0), "it is due, and not now");
        let end = "2026-12-01T17:30:00Z".parse().expect("a time");
        assert_eq!(worker.next().await, Ok(Some(end)), "the timer knows when");
        // A person may want it out all the same.
        let row = worker.engine.ledger.deliveries(&Query::default()).await.expect("answers").remove(0);
        let event = planned_event(&row);
        let write = Write::new(Delivery { any_hour: true, ..row.clone() }, row.version, event);
        worker.engine.ledger.write(&[write]).await.expect("written");
        worker.read_unknown().await.expect("answers");
        assert_eq!(worker.next().await, Ok(Some(start())));
        assert_eq!(worker.start().await, Ok(1));
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
