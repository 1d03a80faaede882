//! Runs deliveries side by side: at most one for each account, many accounts at once. What the daemon, `publish` and
//! `post` share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::{Id, JoinSet};

use super::Engine;
use crate::adapter::Fault;
use crate::ledger::{ClaimRequest, LedgerError, Query};
use crate::model::{AccountName, Delivery, DeliveryId, State};

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
    touched: BTreeSet<DeliveryId>,
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
            touched: BTreeSet::new(),
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

    /// Starts everything that can be started now. Gives how much that was.
    pub async fn start(&mut self) -> Result<usize, LedgerError> {
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
            let request = self.request(now);
            if !request.accounts.is_empty() {
                for row in self.engine.ledger.claim(&request).await? {
                    let engine = Arc::clone(&self.engine);
                    let (id, account) = (row.id, row.account.clone());
                    let task = self.tasks.spawn(async move { engine.deliver(row).await });
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
        let request = self.request(self.engine.now());
        let ready = if request.accounts.is_empty() { None } else { self.engine.ledger.next_ready(&request).await? };
        Ok(looks.into_iter().chain(ready).min())
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
    /// nothing is.
    pub async fn ended(&mut self) -> Result<(), LedgerError> {
        let Some(first) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let mut ended = vec![first];
        while let Some(more) = self.tasks.try_join_next_with_id() {
            ended.push(more);
        }
        for result in ended {
            let task = match &result {
                Ok((task, ())) => *task,
                Err(error) => error.id(),
            };
            let Some((id, _)) = self.at_work.remove(&task) else { continue };
            let Some(row) = self.engine.ledger.delivery(id).await? else { continue };
            let row = match result {
                Err(error) if error.is_panic() => {
                    tracing::error!(delivery = %id.short(), "smm has met a mistake of its own; the delivery is put aside");
                    self.engine.broke(&row).await?;
                    self.engine.ledger.delivery(id).await?.unwrap_or(row)
                }
                _ => row,
            };
            self.note(&row);
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

    fn request(&self, now: DateTime<Utc>) -> ClaimRequest {
        let world = self.engine.world();
        let accounts = world
            .accounts
            .values()
            .filter(|account| !self.is_busy(&account.name))
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
    /// A delivery whose task panicked: what may have been sent is unknown, what was not is tried again later.
    async fn broke(&self, row: &Delivery) -> Result<(), LedgerError> {
        match row.state {
            State::Sending => self.owner_lost(row).await,
            State::Claimed => self.put_aside(row, Fault::NotSent("smm has met a mistake of its own".to_owned())).await,
            _ => Ok(()),
        }
    }
}
