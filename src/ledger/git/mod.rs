//! The ledger in git: for CI, laptops and a daemon together, without a server of its own.
//!
//! The whole ledger is a tree of readable files behind one ref on a remote of the calendar's repository, and each change is
//! a commit that is pushed over the one it was worked out from: `git push --atomic --force-with-lease=REF:OLD`. A push that
//! is refused, since somebody was faster, changed nothing; the change is worked out anew over what is there now, by the
//! rules that a ledger in memory has ([`super::tables`]). So of any number of runners one claims, one sends, and everybody
//! reads one truth. The log of the ref says in words what happened: `git fetch origin refs/smm/ledger/state && git log
//! FETCH_HEAD`.
//!
//! | setting | remote | refs |
//! |---|---|---|
//! | `git` | `origin`, or the only one | `refs/smm/ledger/…` |
//! | `git:REMOTE` | that one | `refs/smm/ledger/…` |
//! | `git#NAME`, `git:REMOTE#NAME` | as above | `refs/smm/NAME/…` |
//!
//! A ledger holds any number of calendars, as every ledger does: all calendars of a repository share one, unless they are
//! given names of their own because their accounts are called the same and are not.
//!
//! | ref | what | made, moved | against |
//! |---|---|---|---|
//! | `…/state` | everything | with every change, over the commit before | two that do the same; the loss of a machine |
//! | `…/deliveries/ID` | one delivery (`delivery.json`), from its claim on: the claim first, then the receipts | made with the claim, only where there is none; moved when a part is out; taken away when it is given back | a `state` that was deleted or set back, by a person or a script: what is begun or out cannot be claimed again |
//!
//! Both change in one push, all or nothing. What is in the tree: see the `README.md` in it. Secrets never are. Who can read
//! the repository can read it: names of posts and accounts, times, the accounts' public ids, names of machines, and the text
//! of what has been sent, was about to be sent, or waits as `smm post --at`. Texts of planned posts of a calendar are not in
//! it before they are sent. In a public repository that is what the repository and the networks show anyway, except for
//! posts with a visibility that is not public: keep the ledger of those on a private remote.
//!
//! **Leases** need no clock that all share. A process that holds a claim says that it lives by a number in `owners/`, which
//! it raises each third of `delivery.lease`. A claim is dead for whoever has seen it unchanged for the whole of
//! `delivery.lease`, by the time that has passed for the observer; the owner counts from before its own push, so its lease
//! is over for itself before it is for anybody else. [`Ledger::time`] is none, since a remote has no clock that it tells.
//!
//! **Age**: this machine's mark keeps the commit that it saw last; a ledger whose commit does not come after it was set
//! back. A fresh runner has no mark: there the deliveries' own refs tell the same. Either way nothing is sent until `smm
//! ledger adopt`, which takes in what those refs know.
//!
//! **What it costs.** A read asks the remote (`git ls-remote`, one ref) unless that was done in the last two seconds; when
//! the ref has changed, its objects are fetched. A change is one push over what was loaded last, nothing else, unless
//! somebody was faster. Everything that waits is done in one push. An idle daemon asks about four times a minute.
//!
//! Nothing else of the repository is touched: no branch, no tag, no index, no file, no `FETCH_HEAD`, no reflog; objects are
//! added that no ref leads to. `git gc` takes them away, and what is wanted of them is fetched again. It works in a shallow
//! or partial clone, a worktree, with a detached HEAD, with objects named by SHA-1 or SHA-256. The server must take refs
//! below `refs/smm/`, atomic pushes, and that those refs are moved and deleted.

mod adopt;
mod age;
mod bell;
mod desk;
mod gc;
mod guards;
mod keeper;
mod layout;
mod objects;
mod place;
mod program;
mod remote;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use self::age::{Watch, older};
use self::bell::Bell;
use self::keeper::{Keeper, Kind, Terms, Turn};
use self::program::Git;
use super::tables::Tables;
use super::{
    About, AccountRecord, Age, Alert, CalendarRecord, ClaimRequest, Collected, Errand, Ledger, LedgerError, MarkFile,
    OpenMode, Opening, Query, Raised, Record, Result, StoredPost, Tally, TellRequest, Told, Write, Written,
    with_ending,
};
use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, GitSetting, Health, LimitOverrides, PostId,
    Standings, State,
};
use crate::time::{Clock, SystemClock};

pub use self::program::MISLEADING;

/// What was loaded is good enough for a read for so long.
const FRESH: Duration = Duration::from_secs(2);

/// With so many commits a ledger is slow to load on a machine that is new to it.
const MANY: u64 = 5_000;

/// A ledger in git.
pub struct GitLedger {
    keeper: Keeper,
    watch: Arc<Watch>,
    bell: Bell,
    /// This process has claimed something, so that there may be something to renew.
    has_begun: AtomicBool,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for GitLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitLedger").finish_non_exhaustive()
    }
}

impl GitLedger {
    /// Reads the setting; runs nothing yet.
    ///
    /// # Errors
    /// [`LedgerError::Storage`] for a setting that cannot be used.
    pub fn open(opening: &Opening<'_>) -> Result<Self> {
        Self::open_with(opening, Arc::new(SystemClock), FRESH)
    }

    /// With another clock for leases, and for how long what was loaded is good enough for a read.
    pub fn open_with(opening: &Opening<'_>, clock: Arc<dyn Clock>, fresh: Duration) -> Result<Self> {
        let setting = GitSetting::parse(opening.setting)
            .unwrap_or_else(|| Err(format!("`{}` is no ledger in git", opening.setting)))
            .map_err(LedgerError::Storage)?;
        let beside = opening.beside();
        let watch = Arc::new(Watch::new(MarkFile::new(with_ending(&beside, ".mark"))));
        if opening.mode == OpenMode::ReadWrite {
            std::fs::create_dir_all(opening.state_folder).map_err(|error| {
                LedgerError::Storage(format!("cannot make `{}`: {error}", opening.state_folder.display()))
            })?;
        }
        let folder = opening.folder.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let keeper = Keeper::new(Terms {
            git: Git::new(folder, opening.environment.clone()),
            setting,
            read_only: opening.mode == OpenMode::ReadOnly,
            lease: TimeDelta::from_std(opening.lease).unwrap_or(TimeDelta::MAX),
            fresh,
            clock: Arc::clone(&clock),
            watch: Arc::clone(&watch),
        });
        let bell = Bell::new(with_ending(&beside, ".bell"), keeper.news(), Arc::clone(&clock));
        Ok(Self { keeper, watch, bell, has_begun: AtomicBool::new(false), clock })
    }

    async fn read<T: Send + 'static>(&self, mut work: impl FnMut(&Tables) -> T + Send + 'static) -> Result<T> {
        self.keeper.run(Kind::Read, move |turn| Ok(work(&turn.whole.tables))).await
    }

    async fn change<T: Send + 'static>(
        &self,
        says: impl Into<String>,
        mut work: impl FnMut(&mut Tables) -> T + Send + 'static,
    ) -> Result<T> {
        let says = says.into();
        let work = move |turn: &mut Turn<'_>| {
            turn.says.push(says.clone());
            Ok(work(&mut turn.whole.tables))
        };
        self.keeper.run(Kind::Change, work).await
    }
}

/// Of a row's change, for the log.
fn told(write: &Write) -> String {
    let (row, event) = (&write.delivery, &write.event);
    let by = row.owner.as_deref().filter(|_| matches!(row.state, State::Claimed | State::Sending));
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    let detail = if event.detail.is_empty() { String::new() } else { format!(": {}", event.detail) };
    format!("{} {} for {}{by}{detail}", event.kind, row.occurrence, row.account)
}

#[async_trait]
impl Ledger for GitLedger {
    async fn lock(&self, _owner: &str) -> Result<Box<dyn Send + Sync>> {
        // Every push is over what is there: being heard is enough.
        self.keeper.run(Kind::Read, |_| Ok(())).await?;
        Ok(Box::new(()))
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    async fn time(&self) -> Result<Option<DateTime<Utc>>> {
        Ok(None)
    }

    async fn renew(&self, owner: &str) -> Result<()> {
        if !self.has_begun.load(Ordering::SeqCst) {
            return Ok(());
        }
        let owner = owner.to_owned();
        let work = move |turn: &mut Turn<'_>| {
            let (whole, now) = (&mut *turn.whole, turn.now);
            let tables = &mut whole.tables;
            let mut held = false;
            for row in tables.deliveries.values() {
                if row.owner.as_ref() == Some(&owner) && matches!(row.state, State::Claimed | State::Sending) {
                    held = true;
                    // One that is over stays over for whoever held it.
                    if let Some(began) = tables.leases.get_mut(&row.id).filter(|began| now - **began < turn.lease) {
                        *began = now;
                    }
                }
            }
            if held {
                *whole.beats.entry(owner.clone()).or_default() += 1;
                turn.says.push(format!("still there: {owner}"));
            }
            Ok(())
        };
        self.keeper.run(Kind::Own, work).await
    }

    async fn lapsed(&self, owner: &str) -> Result<Vec<Delivery>> {
        let owner = owner.to_owned();
        let look = move |turn: &mut Turn<'_>| Ok(turn.whole.tables.lapsed(&owner, Some(turn.lease), turn.now));
        if self.keeper.run(Kind::Read, look.clone()).await?.is_empty() {
            return Ok(Vec::new());
        }
        // Somebody may have said meanwhile that it lives: only what is there now counts.
        self.keeper.run(Kind::Fresh, look).await
    }

    async fn about(&self) -> Result<About> {
        let work = |turn: &mut Turn<'_>| {
            let mut about = About::new("git", turn.place);
            about.version = turn.head.map_or(0, |_| turn.whole.facts.format);
            about.states = turn.whole.tables.states();
            Ok(about)
        };
        self.keeper.run(Kind::Read, work).await
    }

    async fn health(&self) -> Result<Vec<Health>> {
        let work = |turn: &mut Turn<'_>| {
            let facts = &turn.whole.facts;
            let commits = facts.serial.saturating_sub(facts.squashed.last().map_or(0, |cut| cut.serial));
            Ok(vec![if commits > MANY {
                Health::warning(
                    format!("the ledger's history has {commits} commits, which every new machine fetches"),
                    "`smm ledger gc` cuts it off",
                )
            } else {
                Health::ok(format!("the ledger's remote answers; its history has {commits} commits"))
            }])
        };
        self.keeper.run(Kind::Read, work).await
    }

    async fn tally(&self) -> Result<Vec<Tally>> {
        self.read(Tables::tally).await
    }

    async fn age(&self) -> Result<Age> {
        self.keeper.run(Kind::Read, |_| Ok(())).await?;
        if self.watch.age() == Age::Current {
            return Ok(Age::Current);
        }
        // What was loaded a moment ago may be behind what another process has seen since.
        self.keeper.run(Kind::Fresh, |_| Ok(())).await?;
        Ok(self.watch.age())
    }

    async fn adopt(&self, now: DateTime<Utc>) -> Result<()> {
        let name = keeper::nonce()? + &keeper::nonce()?;
        self.keeper
            .run(Kind::Adopt, move |turn| {
                adopt::adopt(turn, name.clone(), now);
                Ok(())
            })
            .await
    }

    async fn deliveries(&self, query: &Query) -> Result<Vec<Delivery>> {
        let query = query.clone();
        self.read(move |tables| tables.query(&query)).await
    }

    async fn standings(&self, calendar: &CalendarName) -> Result<Standings> {
        let calendar = calendar.clone();
        self.read(move |tables| tables.standings(&calendar)).await
    }

    async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        self.read(move |tables| tables.deliveries.get(&id).cloned()).await
    }

    async fn write(&self, writes: &[Write]) -> Result<Vec<Written>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let writes = writes.to_vec();
        let sends = writes.iter().any(|write| write.delivery.state == State::Sending);
        if sends {
            self.has_begun.store(true, Ordering::SeqCst);
        }
        let work = move |turn: &mut Turn<'_>| {
            if sends && turn.older.is_some() {
                return Err(older());
            }
            let mut answers = Vec::with_capacity(writes.len());
            for write in &writes {
                let written = turn.whole.tables.write(write, Some(turn.lease), turn.now);
                if written == Written::Done {
                    turn.says.push(told(write));
                }
                answers.push(written);
            }
            Ok(answers)
        };
        self.keeper.run(Kind::Change, work).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Delivery>> {
        let request = request.clone();
        self.has_begun.store(true, Ordering::SeqCst);
        let work = move |turn: &mut Turn<'_>| {
            if turn.older.is_some() {
                return Err(older());
            }
            let claimed = turn.whole.tables.claim(&request, turn.now);
            for (_, row) in &claimed {
                turn.says.push(format!("claimed {} for {} by {}", row.occurrence, row.account, request.owner));
            }
            Ok(claimed.into_iter().map(|(_, row)| row).collect())
        };
        self.keeper.run(Kind::Change, work).await
    }

    async fn next_ready(&self, request: &ClaimRequest) -> Result<Option<DateTime<Utc>>> {
        let request = request.clone();
        self.read(move |tables| tables.next_ready(&request)).await
    }

    async fn calendar(&self, name: &CalendarName) -> Result<CalendarRecord> {
        let name = name.clone();
        self.read(move |tables| tables.calendar(&name)).await
    }

    async fn put_calendar(&self, name: &CalendarName, record: &CalendarRecord) -> Result<()> {
        let (name, record) = (name.clone(), record.clone());
        self.change(format!("looked at the calendar {name}"), move |tables| tables.put_calendar(&name, &record)).await
    }

    async fn account(&self, name: &AccountName) -> Result<AccountRecord> {
        let name = name.clone();
        self.read(move |tables| tables.accounts.get(&name).cloned().unwrap_or_default()).await
    }

    async fn bind(&self, name: &AccountName, binding: &Binding) -> Result<Binding> {
        let (name, binding) = (name.clone(), binding.clone());
        let says = format!("bound {name} to {}", binding.handle);
        self.change(says, move |tables| tables.account(&name).binding.get_or_insert_with(|| binding.clone()).clone())
            .await
    }

    async fn unbind(&self, name: &AccountName) -> Result<Option<Binding>> {
        let name = name.clone();
        self.change(format!("unbound {name}"), move |tables| tables.account(&name).binding.take()).await
    }

    async fn pause(&self, name: Option<&AccountName>, paused: Option<(DateTime<Utc>, String)>) -> Result<()> {
        let name = name.cloned();
        let whom = name.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
        let says = match &paused {
            Some((_, why)) => format!("paused {whom}: {why}"),
            None => format!("resumed {whom}"),
        };
        self.change(says, move |tables| match &name {
            Some(name) => tables.account(name).paused.clone_from(&paused),
            None => tables.paused.clone_from(&paused),
        })
        .await
    }

    async fn paused(&self) -> Result<Option<(DateTime<Utc>, String)>> {
        self.read(|tables| tables.paused.clone()).await
    }

    async fn hold_off(&self, name: &AccountName, until: DateTime<Utc>, why: &str) -> Result<()> {
        let (name, why) = (name.clone(), why.to_owned());
        self.change(format!("{name} holds off: {why}"), move |tables| tables.hold_off(&name, until, &why)).await
    }

    async fn hold_on(&self, name: &AccountName) -> Result<()> {
        let name = name.clone();
        self.change(format!("{name} goes on"), move |tables| tables.account(&name).hold_off = None).await
    }

    async fn put_limits(&self, name: &AccountName, limits: &LimitOverrides, at: DateTime<Utc>) -> Result<()> {
        let (name, limits) = (name.clone(), limits.clone());
        self.change(format!("limits of {name}"), move |tables| {
            tables.account(&name).limits = Some((limits.clone(), at));
        })
        .await
    }

    async fn variation(&self, delivery: &Delivery, count: u32) -> Result<u32> {
        let delivery = delivery.clone();
        let says = format!("settled which text {} has", delivery.occurrence);
        self.change(says, move |tables| tables.variation(&delivery, count)).await
    }

    async fn put_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<()> {
        let (calendar, post) = (calendar.clone(), post.clone());
        self.change(format!("stored the post {}", post.post.id), move |tables| {
            tables.posts.insert((calendar.clone(), post.post.id.clone()), post.clone());
        })
        .await
    }

    async fn keep_post(&self, calendar: &CalendarName, post: &StoredPost) -> Result<StoredPost> {
        let (key, post) = ((calendar.clone(), post.post.id.clone()), post.clone());
        self.change(format!("settled the post {}", key.1), move |tables| {
            tables.posts.entry(key.clone()).or_insert_with(|| post.clone()).clone()
        })
        .await
    }

    async fn post(&self, calendar: &CalendarName, id: &PostId) -> Result<Option<StoredPost>> {
        let key = (calendar.clone(), id.clone());
        self.read(move |tables| tables.posts.get(&key).cloned()).await
    }

    async fn events(&self, delivery: Option<DeliveryId>, limit: usize) -> Result<Vec<Event>> {
        self.read(move |tables| tables.history(delivery, limit)).await
    }

    async fn raise(&self, alert: &Alert) -> Result<()> {
        let alert = alert.clone();
        self.change(format!("alert: {}", alert.kind), move |tables| tables.raise(&alert)).await
    }

    async fn meet(&self, targets: &[String], now: DateTime<Utc>) -> Result<()> {
        let targets = targets.to_vec();
        self.change("met those who are told", move |tables| tables.meet(&targets, now)).await
    }

    async fn tell(&self, request: &TellRequest) -> Result<Vec<Errand>> {
        let request = request.clone();
        self.change(format!("handed out alerts for {}", request.target), move |tables| tables.tell(&request)).await
    }

    async fn told(&self, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) -> Result<()> {
        let (target, keys, told) = (target.to_owned(), keys.to_vec(), told.clone());
        self.change(format!("told {target}"), move |tables| tables.told(&target, &keys, &told, now)).await
    }

    async fn next_tell(&self, targets: &[String]) -> Result<Option<DateTime<Utc>>> {
        let targets = targets.to_vec();
        self.read(move |tables| tables.next_tell(&targets)).await
    }

    async fn untold(&self, targets: &[String]) -> Result<Vec<Errand>> {
        let targets = targets.to_vec();
        self.read(move |tables| tables.untold(&targets)).await
    }

    async fn alerts(&self, delivery: DeliveryId) -> Result<Vec<Raised>> {
        self.read(move |tables| tables.alerts_of(delivery)).await
    }

    async fn export(&self, skip: u64, limit: usize) -> Result<Vec<Record>> {
        self.read(move |tables| {
            let skip = usize::try_from(skip).unwrap_or(usize::MAX);
            tables.export().into_iter().skip(skip).take(limit).collect()
        })
        .await
    }

    async fn import(&self, records: &[Record]) -> Result<()> {
        let records = records.to_vec();
        let work = move |turn: &mut Turn<'_>| {
            // All of them or none.
            let mut tables = turn.whole.tables.clone();
            tables.import(&records)?;
            turn.whole.tables = tables;
            *turn.unguarded = true;
            turn.says.push(format!("imported {} records", records.len()));
            Ok(())
        };
        self.keeper.run(Kind::Change, work).await
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(LedgerError::Storage(
            "a ledger in git is backed up with git: `git fetch REMOTE '+refs/smm/*:refs/smm/*'` in a clone of its own copies \
             it with its history; `smm ledger export` writes it as records"
                .to_owned(),
        ))
    }

    async fn gc(&self, before: DateTime<Utc>) -> Result<Option<Collected>> {
        let now = self.clock.now();
        self.keeper.run(Kind::Change, move |turn| Ok(gc::collect(turn, before, now))).await.map(Some)
    }

    async fn ring(&self) -> Result<()> {
        self.bell.ring()
    }

    fn bell(&self) -> Option<PathBuf> {
        Some(self.bell.file().to_owned())
    }

    async fn rung(&self) {
        self.bell.rung(&self.keeper).await;
    }
}
