//! Carries out what the [`super::core`] decides: reads, calls, and writes each row before the next step.
//!
//! The order is the promise: compose, prepare, freeze, intent durable, one call, answer durable. When the intent's commit
//! is not confirmed nothing is sent. When the answer cannot be written it is written again and again, and nothing is sent
//! again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use super::alerts::Alarm;
use super::before::Before;
use super::connect::{Connector, Folders};
use super::core::{self, Input, Next, Rules};
use super::dark;
use super::hold_off::Breakers;
use super::horizon::Horizon;
use super::jump::Trust;
use super::links::{Link, Links, Trouble};
use super::readiness::Pulse;
use super::record::Halt;
use super::snapshot::Times;
use super::source::Source;
use super::waiting::Waiting;
use super::window::Begun;
use crate::adapter::{Fault, Plan, Progress, Refusal, RepeatSafety, Step, StepKind};
use crate::calendar::{Calendar, DeliverySettings, Loaded};
use crate::compose::Instance;
use crate::ledger::{Attempt, Brought, Evidence, Ledger, LedgerError, NoEvidence, Written};
use crate::model::{Account, AccountName, CalendarName, Delivery, Frozen, Origin, PostId, Prepared, Receipt};
use crate::time::{Blackout, Clock};
use crate::trial::{Guard, point};

/// The calendar that posts written by `smm post` belong to.
pub const COMMAND_CALENDAR: &str = "post";

/// Why a delivery is given back when the clock is doubted.
const JUMPED: &str = "the machine's clock has jumped";

/// What was prepared longer ago is prepared anew: networks throw away uploads that nothing refers to.
const PREPARED_KEEPS: TimeDelta = TimeDelta::hours(1);

/// What is published: a calendar, and the accounts of calendar and `smm.toml`.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The calendar; `None`: only what `smm post` has stored is published.
    pub calendar: Option<Arc<Calendar>>,
    /// The ids of all posts in the calendar's files, also of those that cannot be read just now.
    pub ids: Vec<PostId>,
    /// Every file could be read to its end.
    pub complete: bool,
    /// The accounts that can be served.
    pub accounts: BTreeMap<AccountName, Account>,
    /// The folder that networks write into which publish files.
    pub folder: PathBuf,
}

impl World {
    /// The world of a calendar that was read; `None` when it cannot be used at all.
    pub fn of(loaded: &Loaded) -> Option<Self> {
        let calendar = loaded.calendar.as_ref()?;
        Some(Self {
            calendar: Some(Arc::new(calendar.clone())),
            ids: loaded.ids.clone(),
            complete: loaded.complete,
            accounts: calendar.accounts.clone(),
            folder: calendar.folder.clone(),
        })
    }

    /// The names of the calendars whose posts this world knows.
    pub fn calendars(&self) -> Vec<CalendarName> {
        let own = self.calendar.iter().map(|calendar| calendar.name.clone());
        own.chain([CalendarName::new(COMMAND_CALENDAR)]).collect()
    }
}

/// Delivers. Shared by all deliveries that are under way.
pub struct Engine {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) connector: Arc<dyn Connector>,
    /// How this process is called in the ledger; no other one ever is.
    pub(super) owner: String,
    /// A claim not renewed for this long is dead (a shared ledger). As the ledger was opened with: it does not change.
    pub(super) lease: Duration,
    /// When the leases were last surely renewed, on [`Clock::elapsed`].
    pub(super) renewed: Mutex<Duration>,
    /// From when on they were renewed without a gap in which they may have ended: a lease that is over is not renewed.
    pub(super) unbroken: Mutex<Duration>,
    /// That the machine's clock differs was told.
    pub(super) skew_told: AtomicBool,
    trust: Mutex<Trust>,
    settings: RwLock<DeliverySettings>,
    world: RwLock<Arc<World>>,
    links: Links,
    pub(super) breakers: Breakers,
    pub(super) horizon: Horizon,
    pub(super) waiting: Waiting,
    pub(super) alarm: Arc<Alarm>,
    pub(super) evidence: Arc<dyn Evidence>,
    /// That the ledger is older than what was seen of it was told.
    pub(super) older_told: AtomicBool,
    stopping: AtomicBool,
    /// A row was given back since it may not be what the calendar says any more.
    outdated: AtomicBool,
    /// The intents that this process has written and that are open.
    pub(super) begun: Begun,
    /// Why this process must not go on with its ledger, once that is so.
    pub(super) lost: watch::Sender<Option<LedgerError>>,
    /// How the daemon that runs this is.
    pub(super) pulse: Pulse,
    /// How late what this process has published went out.
    pub(super) times: Times,
    /// How long what came of a call is offered to a ledger that does not take it; `None`: until the process is stopped.
    pub(super) patience: OnceLock<Duration>,
}

impl Engine {
    /// An engine. The caller holds the ledger's lock. `owner`: how the ledger calls this process; no other one, before or
    /// beside it, may be called the same.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        connector: Arc<dyn Connector>,
        settings: DeliverySettings,
        owner: impl Into<String>,
        world: World,
    ) -> Self {
        Self {
            ledger,
            clock,
            connector,
            owner: owner.into(),
            lease: settings.lease,
            renewed: Mutex::default(),
            unbroken: Mutex::default(),
            skew_told: AtomicBool::new(false),
            trust: Mutex::default(),
            settings: RwLock::new(settings),
            world: RwLock::new(Arc::new(world)),
            links: Links::default(),
            breakers: Breakers::default(),
            horizon: Horizon::default(),
            waiting: Waiting::default(),
            alarm: Arc::default(),
            evidence: Arc::new(NoEvidence),
            older_told: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
            begun: Begun::default(),
            lost: watch::Sender::new(None),
            pulse: Pulse::default(),
            times: Times::default(),
            patience: OnceLock::new(),
        }
    }

    /// Keeps there what calls brought until it is in the ledger. Without, a record that is lost with its process is left to
    /// the rule of the network's class.
    #[must_use]
    pub fn with_evidence(self, evidence: Arc<dyn Evidence>) -> Self {
        Self { evidence, ..self }
    }

    /// What is published now.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes another calendar, other accounts and other settings from now on. What is under way finds out before its intent.
    /// Nothing may be claimed until [`Engine::apply`] has made the ledger agree with it.
    pub fn set_world(&self, world: World, settings: DeliverySettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(world);
    }

    /// `[delivery]`.
    pub fn settings(&self) -> DeliverySettings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store.
    pub fn ledger(&self) -> &Arc<dyn Ledger> {
        &self.ledger
    }

    /// The only "now".
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// From now on nothing that is not sent yet is sent.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn trust(&self) -> MutexGuard<'_, Trust> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows may be at odds with the calendar.
    pub(super) fn outdate(&self) {
        self.outdated.store(true, Ordering::SeqCst);
    }

    /// Whether rows may be at odds with the calendar: then [`Engine::apply`] comes before anything is claimed. Asking
    /// once answers once.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.swap(false, Ordering::SeqCst)
    }

    pub(super) fn rules(&self, class: RepeatSafety) -> Rules {
        let settle = self.settings().settle;
        // A short settle time means a server that is near; its back-off need not be longer.
        let alone = self.ledger.is_exclusive();
        Rules { class, settle, back_off: Duration::from_secs(5).min(settle), alone, ..Rules::default() }
    }

    /// Brings a claimed delivery as far as it goes now. What it comes to is in the ledger. `world`: what was published when
    /// it was claimed; `leased`: [`Clock::elapsed`] before it was claimed.
    pub async fn deliver(&self, row: Delivery, world: Arc<World>, leased: Duration) {
        let id = row.id;
        match self.try_deliver(&row, world, leased).await {
            Ok(()) => {}
            Err(Halt::Stale) => {
                tracing::info!(delivery = %id.short(), "somebody else has moved it on; nothing more is sent");
            }
            Err(Halt::Ledger(error)) => {
                tracing::error!(delivery = %id.short(), %error, "the ledger does not take what is to be sent; nothing is sent");
                self.give_back(&row).await;
            }
        }
    }

    async fn try_deliver(&self, claimed: &Delivery, world: Arc<World>, leased: Duration) -> Result<(), Halt> {
        let mut row = claimed.clone();
        let rules = self.rules(self.connector.repeat(&row.network));
        if self.clock_doubt().is_some() {
            self.advance(&row, &Input::GivenBack(JUMPED.to_owned()), &rules).await?;
            return Ok(());
        }
        let blackout = world.accounts.get(&row.account).and_then(Blackout::of);
        if core::too_late(&row, dark::counted(&row, blackout.as_ref(), self.now())) {
            self.advance(&row, &Input::TooLate, &rules).await?;
            return Ok(());
        }
        let Some(account) = world.accounts.get(&row.account) else {
            self.advance(&row, &Input::GivenBack("its account is no longer in smm.toml".to_owned()), &rules).await?;
            return Ok(());
        };
        let source = match self.source(&row, &world).await? {
            Ok(source) => source,
            // Another machine's calendar may be newer and have it: that one shall find it free.
            Err(why) if self.is_of_others(&row, &world) => {
                let fault = Fault::NotSent(format!("{} cannot send it: {why}", self.owner));
                self.advance(&row, &Input::NotPrepared(fault), &rules).await?;
                return Ok(());
            }
            Err(why) => {
                self.advance(&row, &Input::CannotCompose(why), &rules).await?;
                return Ok(());
            }
        };
        let link = match self.link(account, &source.folders).await {
            Ok(link) => link,
            Err(trouble) => {
                let input = match trouble {
                    Trouble::Fault(fault) => return self.not_prepared(&row, fault, &rules).await,
                    Trouble::Changed(message) => Input::AccountChanged(message),
                    Trouble::Ledger(error) => return Err(error.into()),
                };
                self.advance(&row, &input, &rules).await?;
                return Ok(());
            }
        };
        if let Some(begun) = row.binding.as_ref().filter(|_| !row.receipts.is_empty())
            && (&begun.network, &begun.host, &begun.uid)
                != (&link.binding.network, &link.binding.host, &link.binding.uid)
        {
            let message = format!(
                "it was begun as {} ({}) at {}, and the account is {} ({}) at {} now; what is out stays out, the rest can \
                 only be cancelled",
                begun.handle, begun.uid, begun.host, link.binding.handle, link.binding.uid, link.binding.host
            );
            self.advance(&row, &Input::AccountChanged(message), &rules).await?;
            return Ok(());
        }
        let rules = self.rules(link.class(rules.class));
        let Some(plan) = self.plan(&mut row, &source, account, &link, &rules).await? else { return Ok(()) };
        let Some(prepared) = self.prepare(&mut row, &plan, &link, &rules).await? else { return Ok(()) };
        self.send_parts(row, &world, &source, &plan, prepared, &link, &rules, leased).await
    }

    /// Whether a row can only be of a version of the calendar that another process reads.
    fn is_of_others(&self, row: &Delivery, world: &World) -> bool {
        row.origin == Origin::Calendar && !self.ledger.is_exclusive() && !world.ids.contains(&row.post)
    }

    /// The frozen plan, or a new one from the post as it is now. `None`: it cannot be composed, which is written.
    async fn plan(
        &self,
        row: &mut Delivery,
        source: &Source,
        account: &Account,
        link: &Link,
        rules: &Rules,
    ) -> Result<Option<Plan>, Halt> {
        if row.is_frozen() {
            if let Some(plan) = core::plan(row) {
                return Ok(Some(plan));
            }
            let why = "the plan that it was begun with cannot be read".to_owned();
            self.advance(row, &Input::CannotCompose(why), rules).await?;
            return Ok(None);
        }
        let texts = source
            .post
            .content
            .texts
            .len()
            .max(source.post.overrides.values().map(|content| content.texts.len()).max().unwrap_or(0));
        if row.variation.is_none() && texts > 0 {
            let number = self.ledger.variation(row, u32::try_from(texts).unwrap_or(u32::MAX)).await?;
            (*row, _) = self.advance(row, &Input::Variation(number), rules).await?;
        }
        let mut account = account.clone();
        account.limits = account.limits.or(&link.identity.limits);
        let instance =
            Instance { delivery: row.id, generation: row.generation, variation: row.variation.unwrap_or(0) as usize };
        match self.connector.compose(&source.calendar, &source.post, &account, instance) {
            Ok(plan) => Ok(Some(plan)),
            Err(why) => {
                self.advance(row, &Input::CannotCompose(why), rules).await?;
                Ok(None)
            }
        }
    }

    /// Runs the repeatable steps that are not done yet, but for those that wait for a part that is not out. `None`: one went
    /// wrong, which is written.
    async fn prepare(
        &self,
        row: &mut Delivery,
        plan: &Plan,
        link: &Link,
        rules: &Rules,
    ) -> Result<Option<Vec<Prepared>>, Halt> {
        let stored = value(plan);
        let now = self.now();
        let mut done = if row.plan.as_ref() == Some(&stored) { row.prepared.clone() } else { Vec::new() };
        done.retain(|prepared| now - prepared.at < PREPARED_KEEPS);
        let open = core::open_part(row);
        let now_or_later = |step: &&Step| step.part == open || (step.part > open && !link.api.follows(step));
        let steps = || plan.steps.iter().filter(|step| step.kind == StepKind::Prepare).filter(now_or_later);
        // A step may build on those before it: what comes after one that has to be done anew has to be, too.
        let is_done = |step: &&Step| done.iter().any(|prepared| prepared.step == step.index);
        if let Some(anew) = steps().find(|step| !is_done(step)).map(|step| step.index) {
            done.retain(|prepared| prepared.step < anew);
        }
        for step in steps() {
            if done.iter().any(|prepared| prepared.step == step.index) {
                continue;
            }
            let progress = Progress { prepared: done.clone(), receipts: row.receipts.clone() };
            match link.api.prepare(step, &progress).await {
                Ok(value) => {
                    let input = Input::Prepared { plan: stored.clone(), step: step.index, value: value.clone() };
                    (*row, _) = self.advance(row, &input, rules).await?;
                    point("prepared");
                    done.push(Prepared { step: step.index, value, at: now });
                }
                Err(fault) => {
                    self.not_prepared(row, fault, rules).await?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(done))
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different noun, and all stay the same over the parts")]
    async fn send_parts(
        &self,
        mut row: Delivery,
        world: &Arc<World>,
        source: &Source,
        plan: &Plan,
        mut prepared: Vec<Prepared>,
        link: &Link,
        rules: &Rules,
        leased: Duration,
    ) -> Result<(), Halt> {
        let stored = value(plan);
        loop {
            let part = core::open_part(&row);
            let follows = |step: &Step| step.part == part && step.kind == StepKind::Prepare && link.api.follows(step);
            if part > 0 && plan.steps.iter().any(follows) {
                let Some(done) = self.prepare(&mut row, plan, link, rules).await? else { return Ok(()) };
                prepared = done;
            }
            let Some(step) = plan.publish_step(part) else {
                let why = format!("its plan has no part {}", part + 1);
                self.advance(&row, &Input::CannotCompose(why), rules).await?;
                return Ok(());
            };
            let progress = Progress { prepared: prepared.clone(), receipts: row.receipts.clone() };
            let now = self.now();
            let frozen = match link.api.freeze(step, &progress, &link.identity, now) {
                Ok(frozen) => Frozen { part, ..frozen },
                Err(fault) => return self.not_prepared(&row, fault, rules).await,
            };
            if let Some(why) = self.not_now(&row, now) {
                self.advance(&row, &why, rules).await?;
                return Ok(());
            }
            if let Some(since) = source.announced.filter(|_| self.is_new(&row)) {
                match self.look_before(&frozen, link, rules, since).await {
                    Ok(Before::Nothing) => {}
                    Ok(Before::Out(receipt)) => {
                        let (after, next) =
                            self.advance(&row, &Input::Found { plan: stored.clone(), receipt }, rules).await?;
                        if next != Next::GoOn {
                            return Ok(());
                        }
                        row = after;
                        continue;
                    }
                    Ok(Before::Perhaps(why)) => {
                        self.advance(&row, &Input::MayBeOut(why), rules).await?;
                        return Ok(());
                    }
                    Err(fault) => return self.not_prepared(&row, fault, rules).await,
                }
            }
            if self.is_edited(&row, world, source) {
                self.advance(&row, &Input::GivenBack("the calendar was edited meanwhile".to_owned()), rules).await?;
                // The row still has its old time.
                self.outdate();
                return Ok(());
            }
            assert!(now >= row.due || !Guard::Early.holds(), "a delivery before its time ({})", row.id);
            if !self.is_lease_long_enough(leased) {
                self.renew().await?;
            }
            point("intent");
            let early = if Guard::Intent.holds() { None } else { Some(self.call(&frozen, link, leased).await) };
            let input = Input::Intent { plan: stored.clone(), frozen, binding: link.binding.clone() };
            let (sending, event, _) = core::step(&row, &input, rules, now);
            let elapsed = self.clock.elapsed();
            match self.store(&row, sending.clone(), event).await? {
                Written::Done => {
                    self.begun.keep(&sending, elapsed);
                    row = Delivery { version: row.version + 1, ..sending };
                }
                Written::AlreadyOut { by, receipt } => {
                    let input = Input::AlreadyOut { by, plan: stored.clone(), receipt };
                    let (after, next) = self.advance(&row, &input, rules).await?;
                    if next != Next::GoOn {
                        return Ok(());
                    }
                    row = after;
                    continue;
                }
                Written::Stale => return Err(Halt::Stale),
            }
            point("intent-written");
            let sent = match early {
                Some(answer) => self.take(&row, answer, rules).await,
                None => self.send(&row, link, rules, leased).await,
            };
            match sent {
                Some((after, Next::GoOn)) => row = after,
                _ => return Ok(()),
            }
        }
    }

    /// Why the intent must not be written now, if so.
    fn not_now(&self, row: &Delivery, now: DateTime<Utc>) -> Option<Input> {
        let back = |why: &str| Some(Input::GivenBack(why.to_owned()));
        if self.is_stopping() {
            back("smm is stopping")
        } else if self.clock_doubt().is_some() {
            // Time has not passed as the clock says: on the one that nobody sets, it may not be due.
            back(JUMPED)
        } else if now < row.due && Guard::Early.holds() {
            back("the clock was set back to before its time")
        } else {
            let world = self.world();
            let blackout = world.accounts.get(&row.account).and_then(Blackout::of);
            if core::too_late(row, dark::counted(row, blackout.as_ref(), now)) {
                // It may have been kept from going on for hours since it was claimed.
                return Some(Input::TooLate);
            }
            // A thread that was begun is brought to its end.
            let until = world.accounts.get(&row.account).and_then(|account| dark::until(row, account, now))?;
            (!row.is_frozen()).then_some(Input::Dark { until })
        }
    }

    /// Whether an edit has arrived since the delivery was claimed. It wins, as long as nothing was sent.
    fn is_edited(&self, row: &Delivery, world: &Arc<World>, source: &Source) -> bool {
        let present = self.world();
        if row.is_frozen() || row.origin == Origin::Command || Arc::ptr_eq(&present, world) {
            return false;
        }
        let Some(calendar) = &present.calendar else { return true };
        if source.announced.is_some() {
            return present.accounts.get(&row.account) != world.accounts.get(&row.account);
        }
        let campaign =
            |calendar: &Calendar| source.post.campaign.as_ref().and_then(|it| calendar.campaigns.get(it).cloned());
        calendar.post(&row.post) != Some(&source.post)
            || campaign(calendar) != campaign(&source.calendar)
            || present.accounts.get(&row.account) != world.accounts.get(&row.account)
    }

    /// Makes the one call of a row whose intent is durable, and writes what came of it. `None`: it could not be written.
    pub(super) async fn send(
        &self,
        row: &Delivery,
        link: &Link,
        rules: &Rules,
        leased: Duration,
    ) -> Option<(Delivery, Next)> {
        let frozen = row.intent.as_ref()?.frozen.clone();
        let frozen = if Guard::Freeze.holds() { frozen } else { self.freeze_anew(row, link).await.unwrap_or(frozen) };
        if Guard::Deadline.holds() && !self.is_lease_long_enough(leased) {
            let why = "the lease would have ended before the call: smm was kept from going on".to_owned();
            return self.insist(row, Input::Faulted(Fault::NotSent(why)), rules).await.unwrap_or(None);
        }
        tracing::debug!(delivery = %row.id.short(), post = %row.post, account = %row.account, part = frozen.part + 1, "sending");
        let answer = self.call(&frozen, link, leased).await;
        self.take(row, answer, rules).await
    }

    /// The one call that cannot be taken back.
    async fn call(&self, frozen: &Frozen, link: &Link, leased: Duration) -> Result<Receipt, Fault> {
        point("send");
        let answer = tokio::select! {
            biased;
            answer = link.api.publish(frozen) => answer,
            time = self.time_is_up(link.api.more_time(frozen), leased) => {
                Err(Fault::Unknown(format!("no answer within {} s", time.as_secs_f32())))
            }
        };
        point("answered");
        answer
    }

    /// Writes what came of the call.
    async fn take(&self, row: &Delivery, answer: Result<Receipt, Fault>, rules: &Rules) -> Option<(Delivery, Next)> {
        let (attempt, part) = (Attempt::of(row)?, row.intent.as_ref()?.frozen.part);
        // Before anything at which this task could end.
        let input = match answer {
            Ok(receipt) => {
                let receipt = Receipt { part, ..receipt };
                self.evidence.keep(&attempt, &Brought::Receipt(receipt.clone()));
                Input::Answered(receipt)
            }
            Err(fault) => {
                self.evidence.keep(&attempt, &Brought::fault(&fault));
                Input::Faulted(fault)
            }
        };
        point("evidence-written");
        if let Input::Faulted(Fault::Refused { refusal: Refusal::Credentials | Refusal::Secret, .. }) = &input {
            self.forget(&row.account).await;
            self.waiting.refused(&row.account, true, self.clock.elapsed());
        }
        // What the ledger did not take is still known to the evidence.
        let recorded = self.insist(row, input, rules).await.ok()?;
        self.evidence.recorded(&attempt);
        if let Some((row, _)) = &recorded {
            self.begun.left(row);
        }
        recorded
    }

    /// What would be sent if what the intent says did not count: with [`Guard::Freeze`] off alone.
    async fn freeze_anew(&self, row: &Delivery, link: &Link) -> Option<Frozen> {
        let world = self.world();
        let source = self.source(row, &world).await.ok()?.ok()?;
        let variation = row.variation.unwrap_or(0) as usize;
        let instance = Instance { delivery: row.id, generation: row.generation, variation };
        let account = world.accounts.get(&row.account)?;
        let plan = self.connector.compose(&source.calendar, &source.post, account, instance).ok()?;
        let part = core::open_part(row);
        let progress = Progress { prepared: row.prepared.clone(), receipts: row.receipts.clone() };
        let frozen = link.api.freeze(plan.publish_step(part)?, &progress, &link.identity, self.now()).ok()?;
        Some(Frozen { part, ..frozen })
    }

    /// The account, spoken to.
    pub(super) async fn link(&self, account: &Account, folders: &Folders) -> Result<Arc<Link>, Trouble> {
        self.read_first(&account.name).await;
        let link = self.links.get(account, folders, &*self.connector, &*self.ledger, self.now()).await;
        match link {
            Ok(link) => {
                self.reached(&account.name).await;
                self.signed_in(&account.name).await;
                Ok(link)
            }
            Err(trouble) => {
                // It may have been a renewal whose answer was lost.
                self.horizon.doubt();
                Err(trouble)
            }
        }
    }

    /// Asks who-am-I again, with a new adapter, before anything else is sent for an account.
    pub(super) async fn forget(&self, account: &AccountName) {
        self.links.forget(account).await;
    }
}

fn value(plan: &Plan) -> serde_json::Value {
    serde_json::to_value(plan).expect("a plan is made of values that JSON has")
}

pub(super) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::hours(24))
}

#[cfg(test)]
mod tests;
