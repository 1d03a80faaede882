//! Carries out what the [`super::core`] decides: reads, calls, and writes each row before the next step.
//!
//! The order is the promise: compose, prepare, freeze, intent durable, one call, answer durable. When the intent's commit
//! is not confirmed nothing is sent. When the answer cannot be written it is written again and again, and nothing is sent
//! again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::alerts::{self, Alarm};
use super::connect::{Connector, Folders};
use super::core::{self, Input, Next, Rules};
use super::dark;
use super::links::{Link, Links, Trouble};
use crate::adapter::{Fault, Plan, Progress, Refusal, RepeatSafety, StepKind};
use crate::calendar::{Calendar, DeliverySettings, Loaded};
use crate::compose::Instance;
use crate::ledger::{Ledger, LedgerError, Write, Written};
use crate::model::{
    Account, AccountName, CalendarName, Delivery, Frozen, Origin, Post, PostId, Prepared, Receipt, State,
};
use crate::time::{Blackout, Clock, Zone};
use crate::trial::point;

/// The calendar that posts written by `smm post` belong to.
pub const COMMAND_CALENDAR: &str = "post";

/// What was prepared longer ago is prepared anew: networks throw away uploads that nothing refers to.
const PREPARED_KEEPS: TimeDelta = TimeDelta::hours(1);

/// What the ledger does not take is offered to it again after at most so long.
const INSIST: TimeDelta = TimeDelta::seconds(30);

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
    /// How this process is called in the ledger.
    pub(super) owner: String,
    settings: RwLock<DeliverySettings>,
    world: RwLock<Arc<World>>,
    links: Links,
    pub(super) alarm: Arc<Alarm>,
    stopping: AtomicBool,
    /// A row was given back since it may not be what the calendar says any more.
    outdated: AtomicBool,
}

/// Why a delivery was left where it is.
#[derive(Debug)]
enum Halt {
    /// Somebody else has moved it on.
    Stale,
    /// The ledger did not answer, or said no.
    Ledger(LedgerError),
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

/// The post of a delivery, wherever it is kept.
struct Source {
    calendar: Arc<Calendar>,
    post: Post,
    folders: Folders,
}

impl Engine {
    /// An engine. The caller holds the ledger's lock.
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
            settings: RwLock::new(settings),
            world: RwLock::new(Arc::new(world)),
            links: Links::default(),
            alarm: Arc::default(),
            stopping: AtomicBool::new(false),
            outdated: AtomicBool::new(false),
        }
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

    /// Whether rows may be at odds with the calendar: then [`Engine::apply`] comes before anything is claimed. Asking
    /// once answers once.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated.swap(false, Ordering::SeqCst)
    }

    pub(super) fn rules(&self, class: RepeatSafety) -> Rules {
        let settle = self.settings().settle;
        // A short settle time means a server that is near; its back-off need not be longer.
        Rules { class, settle, back_off: Duration::from_secs(5).min(settle), ..Rules::default() }
    }

    /// Brings a claimed delivery as far as it goes now. What it comes to is in the ledger. `world`: what was published when
    /// it was claimed.
    pub async fn deliver(&self, row: Delivery, world: Arc<World>) {
        let id = row.id;
        match self.try_deliver(&row, world).await {
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

    async fn try_deliver(&self, claimed: &Delivery, world: Arc<World>) -> Result<(), Halt> {
        let mut row = claimed.clone();
        let rules = self.rules(self.connector.repeat(&row.network));
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
            Err(why) => {
                self.advance(&row, &Input::CannotCompose(why), &rules).await?;
                return Ok(());
            }
        };
        let link = match self.link(account, &source.folders).await {
            Ok(link) => link,
            Err(trouble) => {
                let input = match trouble {
                    Trouble::Fault(fault) => Input::NotPrepared(fault),
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
        self.send_parts(row, &world, &source, &plan, prepared, &link, &rules).await
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

    /// Runs the repeatable steps that are not done yet. `None`: one went wrong, which is written.
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
        let steps = plan.steps.iter().filter(|step| step.kind == StepKind::Prepare && step.part >= open);
        for step in steps {
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
        prepared: Vec<Prepared>,
        link: &Link,
        rules: &Rules,
    ) -> Result<(), Halt> {
        let stored = value(plan);
        loop {
            let part = core::open_part(&row);
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
            if self.is_edited(&row, world, source) {
                self.advance(&row, &Input::GivenBack("the calendar was edited meanwhile".to_owned()), rules).await?;
                // The row still has its old time.
                self.outdated.store(true, Ordering::SeqCst);
                return Ok(());
            }
            assert!(now >= row.due, "a delivery before its time ({})", row.id);
            let input = Input::Intent { plan: stored.clone(), frozen, binding: link.binding.clone() };
            let (sending, event, _) = core::step(&row, &input, rules, now);
            let write = Write::new(sending.clone(), row.version, event);
            point("intent");
            match self.ledger.write(&[write]).await?.pop() {
                Some(Written::Done) => {
                    point("intent-written");
                    row = Delivery { version: row.version + 1, ..sending };
                }
                Some(Written::AlreadyOut { by, receipt }) => {
                    let input = Input::AlreadyOut { by, plan: stored.clone(), receipt };
                    let (after, next) = self.advance(&row, &input, rules).await?;
                    if next != Next::GoOn {
                        return Ok(());
                    }
                    row = after;
                    continue;
                }
                Some(Written::Stale) | None => return Err(Halt::Stale),
            }
            match self.send(&row, link, rules).await {
                Some((after, Next::GoOn)) => row = after,
                _ => return Ok(()),
            }
        }
    }

    /// Why the intent must not be written now, if so.
    fn not_now(&self, row: &Delivery, now: DateTime<Utc>) -> Option<Input> {
        if self.stopping.load(Ordering::SeqCst) {
            Some(Input::GivenBack("smm is stopping".to_owned()))
        } else if now < row.due {
            Some(Input::GivenBack("the clock was set back to before its time".to_owned()))
        } else {
            // A thread that was begun is brought to its end.
            let world = self.world();
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
        let campaign =
            |calendar: &Calendar| source.post.campaign.as_ref().and_then(|it| calendar.campaigns.get(it).cloned());
        calendar.post(&row.post) != Some(&source.post)
            || campaign(calendar) != campaign(&source.calendar)
            || present.accounts.get(&row.account) != world.accounts.get(&row.account)
    }

    /// Makes the one call of a row whose intent is durable, and writes what came of it. `None`: it could not be written.
    async fn send(&self, row: &Delivery, link: &Link, rules: &Rules) -> Option<(Delivery, Next)> {
        let intent = row.intent.as_ref()?;
        let frozen = intent.frozen.clone();
        tracing::debug!(delivery = %row.id.short(), post = %row.post, account = %row.account, part = frozen.part + 1, "sending");
        let timeout = self.settings().timeout;
        let limit = self.now() + delta(timeout);
        point("send");
        let answer = tokio::select! {
            biased;
            answer = link.api.publish(&frozen) => answer,
            () = self.clock.sleep_until(limit) => {
                Err(Fault::Unknown(format!("no answer within {} s", timeout.as_secs_f32())))
            }
        };
        let input = match answer {
            Ok(receipt) => Input::Answered(Receipt { part: frozen.part, ..receipt }),
            Err(fault) => {
                if matches!(fault, Fault::Refused { refusal: Refusal::Credentials | Refusal::Secret, .. }) {
                    self.links.forget(&row.account).await;
                }
                Input::Faulted(fault)
            }
        };
        point("answered");
        point("evidence-written");
        let written = self.insist(row, &input, rules).await;
        point("recorded");
        written
    }

    /// Looks up an unknown whose time to be looked up has come, and sends the same request again where that is right.
    pub async fn settle(&self, row: Delivery) {
        let id = row.id;
        match self.try_settle(&row).await {
            Ok(()) => {}
            Err(Halt::Stale) => tracing::info!(delivery = %id.short(), "somebody else has settled it"),
            Err(Halt::Ledger(error)) => tracing::error!(delivery = %id.short(), %error, "the ledger does not answer"),
        }
    }

    async fn try_settle(&self, row: &Delivery) -> Result<(), Halt> {
        let world = self.world();
        let rules = self.rules(self.connector.repeat(&row.network));
        let (Some(account), Some(intent)) = (world.accounts.get(&row.account), &row.intent) else { return Ok(()) };
        let folders = self.folders(row, &world).await?;
        let link = match self.link(account, &folders).await {
            Ok(link) if (&link.binding.uid, &link.binding.host) == (&intent.binding.uid, &intent.binding.host) => link,
            Ok(_) => {
                let message = "the account leads to another identity than the one it was sent to".to_owned();
                self.advance(row, &Input::AccountChanged(message), &rules).await?;
                return Ok(());
            }
            Err(Trouble::Fault(fault)) => {
                self.advance(row, &Input::NotLooked(fault), &rules).await?;
                return Ok(());
            }
            Err(Trouble::Changed(message)) => {
                self.advance(row, &Input::AccountChanged(message), &rules).await?;
                return Ok(());
            }
            Err(Trouble::Ledger(error)) => return Err(error.into()),
        };
        let rules = self.rules(link.class(rules.class));
        let limit = self.now() + delta(self.settings().timeout);
        point("look");
        let looked = tokio::select! {
            biased;
            looked = link.api.reconcile(&intent.frozen, intent.first_at) => looked,
            () = self.clock.sleep_until(limit) => Err(Fault::NotSent("no answer in time".to_owned())),
        };
        let input = match looked {
            Ok(verdict) => Input::Looked(verdict),
            Err(fault) => Input::NotLooked(fault),
        };
        point("looked");
        let (row, next) = self.advance(row, &input, &rules).await?;
        if next != Next::Repeat || self.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        if !core::may_repeat(&row, &rules, self.now()) {
            return Ok(());
        }
        if let Some(until) = dark::until(&row, account, self.now()) {
            self.advance(&row, &Input::Dark { until }, &rules).await?;
            return Ok(());
        }
        let (row, _) = self.advance(&row, &Input::Repeat, &rules).await?;
        point("repeat-written");
        // More parts are not sent from here: they are claimed as those of any other thread.
        if let Some((row, Next::GoOn)) = self.send(&row, &link, &rules).await {
            self.advance(&row, &Input::GivenBack("its next part is due".to_owned()), &rules).await?;
        }
        Ok(())
    }

    /// A row that was `claimed` or `sending` when its process ended.
    pub(super) async fn owner_lost(&self, row: &Delivery) -> Result<(), LedgerError> {
        let rules = self.rules(self.connector.repeat(&row.network));
        match self.advance(row, &Input::OwnerLost, &rules).await {
            Ok(_) | Err(Halt::Stale) => Ok(()),
            Err(Halt::Ledger(error)) => Err(error),
        }
    }

    /// A claimed row that could not be run.
    pub(super) async fn put_aside(&self, row: &Delivery, fault: Fault) -> Result<(), LedgerError> {
        let rules = self.rules(self.connector.repeat(&row.network));
        match self.not_prepared(row, fault, &rules).await {
            Ok(()) | Err(Halt::Stale) => Ok(()),
            Err(Halt::Ledger(error)) => Err(error),
        }
    }

    async fn not_prepared(&self, row: &Delivery, fault: Fault, rules: &Rules) -> Result<(), Halt> {
        if matches!(fault, Fault::Refused { refusal: Refusal::Credentials | Refusal::Secret, .. }) {
            self.links.forget(&row.account).await;
        }
        self.advance(row, &Input::NotPrepared(fault), rules).await?;
        Ok(())
    }

    async fn link(&self, account: &Account, folders: &Folders) -> Result<Arc<Link>, Trouble> {
        self.links.get(account, folders, &*self.connector, &*self.ledger, self.now()).await
    }

    /// Computes the next row and stores it.
    async fn advance(&self, row: &Delivery, input: &Input, rules: &Rules) -> Result<(Delivery, Next), Halt> {
        let (after, event, next) = core::step(row, input, rules, self.now());
        let alert = alerts::of(Some(row), &after, &event);
        let rings = alert.is_some();
        let write = Write { alert, ..Write::new(after.clone(), row.version, event.clone()) };
        match self.ledger.write(&[write]).await?.pop() {
            Some(Written::Done) => {
                if rings {
                    self.alarm.ring();
                }
                report(&after, &event.kind, &event.detail);
                Ok((Delivery { version: row.version + 1, ..after }, next))
            }
            Some(Written::Stale | Written::AlreadyOut { .. }) | None => Err(Halt::Stale),
        }
    }

    /// Stores what came of a call, whatever it takes: it cannot be had a second time. Without end, since while this waits
    /// nobody else takes the delivery for lost.
    async fn insist(&self, row: &Delivery, input: &Input, rules: &Rules) -> Option<(Delivery, Next)> {
        let mut row = row.clone();
        let key = row.intent.as_ref().map(|intent| (intent.frozen.key.clone(), intent.attempt));
        let mut wait = TimeDelta::milliseconds(100);
        loop {
            let failed = match self.advance(&row, input, rules).await {
                Ok(done) => return Some(done),
                Err(Halt::Stale) => match self.ledger.delivery(row.id).await {
                    // The commit had worked although its confirmation was lost.
                    Ok(Some(fresh)) if fresh.version == row.version + 1 && fresh.state != State::Sending => {
                        let (after, _, next) = core::step(&row, input, rules, self.now());
                        return (after.state == fresh.state && after.receipts.len() == fresh.receipts.len())
                            .then_some((fresh, next));
                    }
                    Ok(Some(fresh))
                        if fresh.state == State::Sending
                            && fresh.intent.as_ref().map(|intent| (intent.frozen.key.clone(), intent.attempt))
                                == key =>
                    {
                        row = fresh;
                        continue;
                    }
                    Ok(_) => {
                        tracing::error!(delivery = %row.id.short(), ?input, "an answer came for a delivery that has moved on");
                        return None;
                    }
                    Err(error) => error,
                },
                Err(Halt::Ledger(error)) => error,
            };
            tracing::error!(
                delivery = %row.id.short(), error = %failed, answer = ?input,
                "what came of a call cannot be written down; trying again, nothing is sent again"
            );
            self.clock.sleep_until(self.now() + wait).await;
            wait = (wait * 2).min(INSIST);
        }
    }

    /// Frees a claimed delivery whose row could not be written: nothing was sent for it.
    async fn give_back(&self, claimed: &Delivery) {
        let rules = self.rules(self.connector.repeat(&claimed.network));
        let mut wait = TimeDelta::milliseconds(100);
        loop {
            self.clock.sleep_until(self.now() + wait).await;
            wait = (wait * 2).min(INSIST);
            let Ok(Some(row)) = self.ledger.delivery(claimed.id).await else { continue };
            if row.fence != claimed.fence {
                return;
            }
            let why = "the ledger did not confirm a write".to_owned();
            let input = match row.state {
                State::Claimed => Input::GivenBack(why),
                // The intent was written after all, and not sent since its commit was not confirmed.
                State::Sending => Input::Faulted(Fault::NotSent(why)),
                _ => return,
            };
            match self.advance(&row, &input, &rules).await {
                Ok(_) => return,
                Err(error) => tracing::error!(delivery = %row.id.short(), ?error, "cannot be given back yet"),
            }
        }
    }

    async fn source(&self, row: &Delivery, world: &World) -> Result<Result<Source, String>, Halt> {
        let folders = self.folders(row, world).await?;
        if row.origin == Origin::Command {
            let Some(stored) = self.ledger.post(&row.calendar, &row.post).await? else {
                return Ok(Err("its post is not in the ledger".to_owned()));
            };
            let zone = match Zone::parse(&stored.timezone) {
                Ok(zone) => zone,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let calendar = Calendar {
                name: row.calendar.clone(),
                zone,
                folder: folders.media.clone(),
                posts: Vec::new(),
                accounts: world.accounts.clone(),
                campaigns: BTreeMap::new(),
                missing_alt_warns: true,
            };
            return Ok(Ok(Source { calendar: Arc::new(calendar), post: stored.post, folders }));
        }
        let Some(calendar) = &world.calendar else {
            return Ok(Err(format!("it is of the calendar `{}`, which is not open", row.calendar)));
        };
        Ok(match calendar.post(&row.post) {
            Some(post) => Ok(Source { calendar: Arc::clone(calendar), post: post.clone(), folders }),
            // A thread that was begun goes on by its frozen plan.
            None if row.is_frozen() => {
                let late = row.late;
                let post = Post {
                    id: row.post.clone(),
                    name: row.post.clone(),
                    trigger: None,
                    to: Vec::new(),
                    content: crate::model::Content::default(),
                    overrides: BTreeMap::new(),
                    campaign: None,
                    late,
                    draft: false,
                };
                Ok(Source { calendar: Arc::clone(calendar), post, folders })
            }
            None => Err("its post is not in the calendar, or has errors; `smm check` tells".to_owned()),
        })
    }

    async fn folders(&self, row: &Delivery, world: &World) -> Result<Folders, Halt> {
        let own = || world.calendar.as_ref().map_or_else(|| world.folder.clone(), |calendar| calendar.folder.clone());
        let media = match row.origin {
            Origin::Calendar => own(),
            Origin::Command => {
                let stored = self.ledger.post(&row.calendar, &row.post).await?;
                stored.and_then(|stored| stored.folder).map_or_else(own, PathBuf::from)
            }
        };
        Ok(Folders { media, files: world.folder.clone() })
    }
}

/// What happened, in the log.
fn report(row: &Delivery, kind: &str, detail: &str) {
    let (delivery, post, account, state) =
        (row.id.short(), row.post.as_str(), row.account.as_str(), row.state.as_str());
    match row.state {
        State::Published => {
            let url = row.receipts.first().and_then(|receipt| receipt.url.as_deref()).unwrap_or("");
            let late_by = row.published_at.map_or(0, |at| (at - row.due).num_seconds());
            tracing::info!(delivery, post, account, state, url, late_by, "published");
        }
        State::Failed | State::Held | State::Missed | State::Unknown => {
            tracing::warn!(delivery, post, account, state, kind, "{detail}");
        }
        State::Planned => tracing::info!(delivery, post, account, state, kind, "{detail}"),
        _ => tracing::debug!(delivery, post, account, state, kind, "{detail}"),
    }
}

fn value(plan: &Plan) -> serde_json::Value {
    serde_json::to_value(plan).expect("a plan is made of values that JSON has")
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::hours(24))
}
