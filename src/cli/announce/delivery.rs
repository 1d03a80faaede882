//! The deliveries of a release: kept in the ledger, sent by this process or by one that was faster, told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::output::{self, Format, Stream, Style};
use super::super::workspace::{self, Workspace};
use super::super::{Exit, Failure, Global, delivering, upload};
use super::Args;
use super::posts::{self, Filled};
use super::safety::{self, Witness};
use crate::calendar::Calendar;
use crate::engine::{Engine, Pass, PersonCommand, Signals, World, person, wait_for};
use crate::ledger::{Burst, Ledger, LedgerError, Query, Write, Written};
use crate::model::{Delivery, DeliveryId, Event, ReasonCode, State};
use crate::networks;
use crate::report::{DeliveryList, DeliveryView, Status};
use crate::schedule::{Turn, turns};
use crate::time::{Clock as _, SystemClock};

/// A process that holds the ledger and begins nothing of ours for so long does not serve it.
const UNTOUCHED: TimeDelta = TimeDelta::seconds(60);

/// One run.
struct Run<'a> {
    args: &'a Args,
    global: &'a Global,
    workspace: &'a Workspace,
    calendar: &'a Calendar,
    ledger: &'a Arc<dyn Ledger>,
    ids: Vec<DeliveryId>,
    /// When it gives up waiting.
    deadline: DateTime<Utc>,
    /// How often it looks what others do.
    poll: TimeDelta,
    /// What it has said about waiting, so that it is said once.
    said: BTreeSet<String>,
    /// What it has begun or looked up itself.
    touched: BTreeSet<DeliveryId>,
}

/// Announces: gives the exit status once all is told.
pub(super) async fn announce(
    args: &Args,
    global: &Global,
    workspace: &Workspace,
    ledger: &Arc<dyn Ledger>,
    posts: Vec<Filled>,
    is_ci: bool,
) -> Result<Exit, Failure> {
    let calendar = workspace.calendar()?;
    let posts = kept(&**ledger, calendar, posts, global).await?;
    posts::refuse_problems(calendar, &posts)?;
    let now = ledger.time().await?.unwrap_or_else(|| SystemClock.now());
    let planned: Vec<Delivery> = posts.iter().flat_map(|filled| filled.planned(calendar, now)).collect();
    let mut known = Vec::new();
    for row in &planned {
        known.extend(ledger.delivery(row.id).await?);
    }
    let new: Vec<&Delivery> = planned.iter().filter(|row| known.iter().all(|known| known.id != row.id)).collect();
    let open: Vec<&Delivery> = new.iter().copied().chain(known.iter().filter(|row| !is_over(row))).collect();
    refuse_paused(&**ledger, &open).await?;
    say_safety(args, global, &**ledger, calendar, &open, &new, is_ci).await?;
    for filled in &posts {
        ledger.keep_post(&calendar.name, &filled.stored).await?;
    }
    store(&**ledger, new.into_iter().cloned().collect(), now).await?;
    again(&**ledger, &known, now).await?;

    let lease = workspace.config()?.delivery.lease;
    let mut run = Run {
        args,
        global,
        workspace,
        calendar,
        ledger,
        ids: planned.iter().map(|row| row.id).collect(),
        deadline: SystemClock.now() + TimeDelta::from_std(args.wait).unwrap_or(TimeDelta::hours(24)),
        poll: poll(lease, ledger.is_exclusive()),
        said: BTreeSet::new(),
        touched: BTreeSet::new(),
    };
    let published: BTreeSet<DeliveryId> =
        known.iter().filter(|row| row.state == State::Published).map(|row| row.id).collect();
    let stopped = run.publish().await?;
    if stopped {
        output::stderr("stopped before everything was announced; run it again to go on\n");
    }
    let mut rows = run.rows().await?;
    for row in &mut rows {
        let found = row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Already);
        let ours = run.touched.contains(&row.id) && !published.contains(&row.id);
        row.already = row.state == State::Published && (!ours || found);
    }
    run.tell(&rows).await
}

/// How often others are looked at: a ledger elsewhere is asked less often, and a lease that is over is soon noticed.
fn poll(lease: Duration, exclusive: bool) -> TimeDelta {
    let most = if exclusive { Duration::from_millis(500) } else { Duration::from_secs(5) };
    TimeDelta::from_std((lease / 10).clamp(Duration::from_millis(100), most)).unwrap_or(TimeDelta::seconds(1))
}

/// Nothing is left to be done for it.
fn is_over(row: &Delivery) -> bool {
    row.state.is_final()
        || row.state == State::Held
        || (row.state == State::Unknown && row.unknown.as_ref().is_none_or(|unknown| unknown.next_look.is_none()))
}

/// The posts as they are kept: what the first run has filled in holds for all.
async fn kept(
    ledger: &dyn Ledger,
    calendar: &Calendar,
    posts: Vec<Filled>,
    global: &Global,
) -> Result<Vec<Filled>, Failure> {
    let mut kept = Vec::with_capacity(posts.len());
    for filled in posts {
        let stored = ledger.post(&calendar.name, &filled.stored.post.id).await?;
        kept.push(match stored {
            None => filled,
            Some(stored) => {
                let facts = |post: &crate::ledger::StoredPost| post.announced.as_ref().map(|it| it.release.clone());
                if facts(&stored) != facts(&filled.stored) && !global.quiet {
                    let first = stored.at.format("%Y-%m-%d %H:%M:%S UTC");
                    output::stderr(&format!(
                        "{} was first announced at {first} with other facts or notes: what was filled in then is what goes out\n",
                        output::printable(filled.occurrence.as_str()),
                    ));
                }
                Filled { stored, ..filled }
            }
        });
    }
    Ok(kept)
}

/// What is wanted now is not kept for the end of a pause.
async fn refuse_paused(ledger: &dyn Ledger, open: &[&Delivery]) -> Result<(), Failure> {
    if open.is_empty() {
        return Ok(());
    }
    let paused = |what: &str, why: &str| {
        Failure::new(format!("{what} is paused: {why}; nothing was announced")).hint("`smm resume` ends that")
    };
    if let Some((_, why)) = ledger.paused().await? {
        return Err(paused("everything", &why));
    }
    for row in open {
        if let Some((_, why)) = ledger.account(&row.account).await?.paused {
            return Err(paused(row.account.as_str(), &why));
        }
    }
    Ok(())
}

/// Says for each account what keeps it from getting the release twice. Where nothing does and a job would be run again, it
/// is refused unless that is meant.
async fn say_safety(
    args: &Args,
    global: &Global,
    ledger: &dyn Ledger,
    calendar: &Calendar,
    open: &[&Delivery],
    new: &[&Delivery],
    is_ci: bool,
) -> Result<(), Failure> {
    if open.is_empty() {
        return Ok(());
    }
    let witness = Witness { shared: !ledger.is_exclusive(), kind: ledger.about().await?.kind };
    let mut said = BTreeSet::new();
    let mut alone = BTreeSet::new();
    for row in open {
        let Some(account) = calendar.accounts.get(&row.account) else { continue };
        let Some(network) = networks::find(&account.network) else { continue };
        let class = network.repeat(account);
        if said.insert(account.name.clone()) && !global.quiet {
            output::stderr(&(safety::line(&account.name, witness, class) + "\n"));
        }
        if safety::is_alone(witness, class) && new.iter().any(|new| new.id == row.id) {
            alone.insert(account.name.as_str());
        }
    }
    if is_ci && !alone.is_empty() && !args.may_repeat {
        let names: Vec<&str> = alone.into_iter().collect();
        return Err(Failure::new(format!(
            "nothing tells whether an earlier run of this job has announced it on {}; nothing was announced",
            names.join(", ")
        ))
        .hint("let all runs share a ledger: `ledger = \"git\"` or `ledger = \"postgres://…\"` in smm.toml")
        .hint("or add --may-repeat: run again, the job announces it again there"));
    }
    Ok(())
}

/// Writes the planned deliveries. Those that somebody else has written meanwhile are the same.
async fn store(ledger: &dyn Ledger, deliveries: Vec<Delivery>, now: DateTime<Utc>) -> Result<(), Failure> {
    let write = |delivery: Delivery| {
        let event = Event {
            at: now,
            delivery: delivery.id,
            kind: "planned".to_owned(),
            state: delivery.state,
            detail: "by smm announce".to_owned(),
            actor: workspace::actor(),
        };
        Write::new(delivery, 0, event)
    };
    let writes: Vec<Write> = deliveries.into_iter().map(write).collect();
    if !writes.is_empty() {
        ledger.write(&writes).await?;
        ledger.ring().await?;
    }
    Ok(())
}

/// Asks once more for what an earlier run could not bring out, and what a person may have mended since.
async fn again(ledger: &dyn Ledger, known: &[Delivery], now: DateTime<Utc>) -> Result<(), Failure> {
    let mut rung = false;
    for row in known {
        let code = row.reason.as_ref().map(|reason| reason.code);
        let command = match (row.state, code) {
            (State::Held, Some(ReasonCode::Credentials | ReasonCode::Secret)) => PersonCommand::SignedIn,
            (State::Held, Some(ReasonCode::AccountChanged | ReasonCode::LedgerOlder | ReasonCode::Person)) => continue,
            (State::Held | State::Failed | State::Missed, _) => PersonCommand::Retry,
            _ => continue,
        };
        if let Ok((delivery, event)) = person(row, &command, now, &workspace::actor()) {
            // It is asked for anew, so it is due anew; nobody has said that it was looked for.
            let delivery = Delivery { due: now, released: row.released, ..delivery };
            // Somebody else may ask at the same time: once is enough.
            rung |= ledger.write(&[Write::new(delivery, row.version, event)]).await?.first() == Some(&Written::Done);
        }
    }
    if rung {
        ledger.ring().await?;
    }
    Ok(())
}

impl Run<'_> {
    async fn rows(&self) -> Result<Vec<Delivery>, Failure> {
        let mut rows = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            rows.extend(self.ledger.delivery(*id).await?);
        }
        Ok(rows)
    }

    fn say(&mut self, what: &str) {
        if !self.global.quiet && self.said.insert(what.to_owned()) {
            output::stderr(&format!("{}\n", output::printable(what)));
        }
    }

    /// Brings everything out, by this process or by others. `true`: it was told to stop before.
    async fn publish(&mut self) -> Result<bool, Failure> {
        if self.rows().await?.iter().all(is_over) {
            return Ok(false);
        }
        let mut signals =
            Signals::listen().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
        let began = SystemClock.now();
        loop {
            match self.ledger.lock("smm announce").await {
                Ok(_held) => return self.by_ourselves(&mut signals).await,
                Err(LedgerError::Busy(holder)) => {
                    if self.waits_for(&holder, began, &mut signals).await? {
                        return Ok(true);
                    }
                    if self.rows().await?.iter().all(is_over) || SystemClock.now() >= self.deadline {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Somebody else publishes from this ledger: it is rung, and its result told as if it were ours. Another announcer may
    /// end at any time, and then it is our turn. `true`: this one was told to stop.
    async fn waits_for(&mut self, holder: &str, began: DateTime<Utc>, signals: &mut Signals) -> Result<bool, Failure> {
        self.say(&format!("{holder}; waiting for what it does"));
        self.ledger.ring().await?;
        let until = (SystemClock.now() + self.poll).min(self.deadline);
        tokio::select! {
            rows = wait_for(&**self.ledger, &SystemClock, &self.ids, until) => {
                let rows = rows?;
                let untouched = rows.iter().any(|row| row.state == State::Planned && row.version == 1);
                if untouched && SystemClock.now() > began + UNTOUCHED && self.is_idle(&rows).await? {
                    return Err(Failure::new("the other smm has not announced it within a minute; it is planned")
                        .hint("does it follow this very calendar, and does its smm.toml have the accounts? see its log")
                        .hint("run `smm announce` again when it has ended, or `smm cancel` what is planned"));
                }
                // Settled by the other one, or nearly: not to be asked in a tight loop.
                if rows.iter().all(|row| row.state != State::Claimed && row.state != State::Sending) {
                    SystemClock.sleep_until(until).await;
                }
                Ok(false)
            }
            () = signals.stop() => Ok(true),
        }
    }

    /// None of our accounts is at work on anything.
    async fn is_idle(&self, rows: &[Delivery]) -> Result<bool, Failure> {
        let states = vec![State::Claimed, State::Sending];
        let busy = self.ledger.deliveries(&Query { states, ..Query::default() }).await?;
        Ok(busy.iter().all(|other| rows.iter().all(|row| row.account != other.account)))
    }

    /// This process publishes; from a shared ledger others may do so beside it, and be faster.
    async fn by_ourselves(&mut self, signals: &mut Signals) -> Result<bool, Failure> {
        let world = World::of(&self.workspace.loaded).unwrap_or_default();
        let owner = delivering::owner("smm announce")?;
        let watch = upload::Bars::new(self.global).watch();
        let engine = delivering::engine(self.ledger, &self.workspace.settings, world, owner, watch)?;
        let teller = delivering::teller(&engine, self.workspace.config()?).await?;
        delivering::begin(&engine, &teller).await?;
        let done = self.passes(&engine, signals).await;
        delivering::tell_all(&teller).await;
        done
    }

    async fn passes(&mut self, engine: &Arc<Engine>, signals: &mut Signals) -> Result<bool, Failure> {
        loop {
            let wait = (self.deadline - SystemClock.now()).to_std().unwrap_or_default();
            let pass = Pass { only: Some(self.ids.clone()), wait };
            let passed = engine.pass(&pass, signals.stop()).await?;
            self.touched.extend(passed.touched.iter().map(|row| row.id));
            if passed.doubted {
                return Err(delivering::doubted());
            }
            if passed.stopped {
                return Ok(true);
            }
            let rows = self.rows().await?;
            let now = SystemClock.now();
            let (next, waits) = self.next(&rows, now).await?;
            let Some(next) = next.filter(|next| *next <= self.deadline) else { return Ok(false) };
            for wait in waits {
                self.say(&wait);
            }
            tokio::select! {
                () = SystemClock.sleep_until(next.max(now + TimeDelta::milliseconds(50))) => {}
                () = signals.stop() => return Ok(true),
            }
        }
    }

    /// When there is something to be done or to be seen again, and what is waited for. `None`: everything is over.
    async fn next(
        &self,
        rows: &[Delivery],
        now: DateTime<Utc>,
    ) -> Result<(Option<DateTime<Utc>>, Vec<String>), Failure> {
        let turns = self.turns().await?;
        let (mut next, mut waits): (Option<DateTime<Utc>>, _) = (None, Vec::new());
        for row in rows.iter().filter(|row| !is_over(row)) {
            let name = row.account.as_str();
            let until =
                |at: DateTime<Utc>, why: &str| format!("{name}: waiting until {} ({why})", at.format("%H:%M:%S UTC"));
            let turn = turns.get(&row.id).filter(|turn| turn.at > now);
            let at = match row.state {
                State::Claimed | State::Sending => {
                    let owner = row.owner.as_deref().unwrap_or("another run");
                    waits.push(format!("{name}: {owner} is at it; waiting for what comes of it"));
                    now + self.poll
                }
                State::Unknown => {
                    waits.push(format!("{name}: the answer was lost; waiting for a look at what is out"));
                    now + self.poll
                }
                _ if row.ready_at() > now => {
                    let why = row.reason.as_ref().map_or("its next attempt", |reason| &reason.message);
                    waits.push(until(row.ready_at(), why));
                    row.ready_at()
                }
                _ => match turn {
                    Some(turn) => {
                        waits.push(until(turn.at, turn.wait.as_str()));
                        turn.at
                    }
                    None => now + self.poll,
                },
            };
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        Ok((next, waits))
    }

    /// When the turns of those come that wait for their account.
    async fn turns(&self) -> Result<HashMap<DeliveryId, Turn>, Failure> {
        let mut accounts: BTreeMap<_, _> = self.calendar.accounts.clone();
        let last_sent = workspace::last_sent(&**self.ledger, accounts.values()).await?;
        let query = Query { calendar: Some(self.calendar.name.clone()), ..Query::default() };
        let mut all = self.ledger.deliveries(&query).await?;
        // Blackout hours do not concern a release; spacing does.
        for account in accounts.values_mut() {
            account.blackout.clear();
        }
        for row in &mut all {
            row.any_hour = false;
        }
        let burst = Burst::of(self.workspace.config()?.delivery.catch_up);
        Ok(turns(&all, &accounts, &last_sent, burst, SystemClock.now()))
    }

    /// What became of it.
    async fn tell(&self, rows: &[Delivery]) -> Result<Exit, Failure> {
        let now = SystemClock.now();
        let turns =
            if rows.iter().any(|row| row.state == State::Planned) { self.turns().await? } else { HashMap::new() };
        output::summarize("smm announce", rows.iter().map(DeliveryView::from));
        match self.args.format {
            Format::Json => {
                let view = |row| DeliveryView::at(row, now).turn(turns.get(&row.id).copied());
                output::json(&DeliveryList { deliveries: rows.iter().map(view).collect() })?;
            }
            Format::Human => {
                let status = Status::new(rows, Vec::new(), now).turns(&turns);
                let text = status.human(true, output::colours(Stream::Stdout));
                output::grouped("smm-announce", "smm announce: the deliveries", &text);
            }
        }
        let already = rows.iter().filter(|row| row.already).count();
        if !self.global.quiet && already > 0 {
            let count =
                if already == rows.len() { "all of it".to_owned() } else { format!("{already} of {}", rows.len()) };
            output::stderr(&format!("{count} was out already\n"));
        }
        let mut exit = Exit::Done;
        for row in rows {
            match row.state {
                State::Unknown => exit = Exit::Unknown,
                State::Published | State::Cancelled => {}
                _ if exit == Exit::Unknown => {}
                _ => exit = Exit::Failed,
            }
        }
        if exit != Exit::Done && !self.global.quiet {
            let label = output::paint(Stream::Stderr, Style::Hint, "hint:");
            output::stderr(&format!(
                "{label} run `smm announce` again: what is out stays out, and the rest is tried again\n"
            ));
        }
        Ok(exit)
    }
}
