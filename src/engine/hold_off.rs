//! Leaves an account alone for a while: its network asks for it, or does not answer ([`super::breaker`]). Written to the
//! ledger, so that it holds over restarts and for every daemon.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::breaker::{Breaker, Outcome, Then};
use super::core::Input;
use super::driver::delta;
use super::{Engine, alerts};
use crate::adapter::{Fault, Refusal, RepeatSafety};
use crate::model::{AccountName, Delivery, DeliveryId, ReasonCode, State};

/// No account is left alone for longer at a time; what asks for more is held for a person.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// How the reason of an open breaker begins, so that another process knows it.
const DOWN: &str = "it does not answer";

/// The breakers of the accounts.
#[derive(Default)]
pub(super) struct Breakers(Mutex<BTreeMap<AccountName, Known>>);

#[derive(Default)]
struct Known {
    breaker: Breaker,
    /// The row whose outcome counted last: one that has to be written again counts once.
    last: Option<(DeliveryId, u64)>,
}

impl Breakers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountName, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Takes in what has come of asking an account's network, before the row says so: whoever claims next has to know.
    /// Gives what is written instead: a delivery that met an open breaker has not been tried.
    ///
    /// What the ledger does not take here is let go: the outcome itself must be written, and this matters less.
    pub(super) async fn heed(&self, row: &Delivery, input: &Input) -> Option<Input> {
        let outcome = outcome(input)?;
        let (then, is_open) = self.count(row, outcome);
        match then {
            Then::Nothing => {}
            Then::Open { until, since, first } => {
                let why = format!("{DOWN} since {}: {}", super::core::utc(since), said(input));
                tracing::warn!(account = %row.account, %until, "{why}; nothing is sent to it until then");
                // The next call is a read: who-am-I is asked again before anything is sent.
                self.forget(&row.account).await;
                if let Err(error) = self.ledger.hold_off(&row.account, until, &why).await {
                    tracing::error!(account = %row.account, %error, "the ledger does not take that it is left alone");
                    return None;
                }
                if first {
                    let alert = alerts::account_down(&row.account, said(input), since);
                    if let Err(error) = self.ledger.raise(&alert).await {
                        tracing::error!(account = %row.account, %error, "the ledger does not take an alert");
                    }
                    self.alarm.ring();
                }
            }
            Then::Close { until } => {
                tracing::info!(account = %row.account, "it answers again");
                self.let_go(&row.account, until).await;
            }
        }
        match input {
            Input::NotPrepared(fault) if is_open && outcome == Outcome::Lost => {
                Some(Input::GivenBack(format!("its account is left alone for a while: {fault}")))
            }
            _ => None,
        }
    }

    /// A network that asks to wait is not asked for other posts either: a later one never steps over an earlier one.
    pub(super) async fn obey(&self, row: &Delivery, input: &Input, after: &Delivery) {
        let (Input::NotPrepared(fault) | Input::Faulted(fault) | Input::NotLooked(fault)) = input else { return };
        let Fault::Refused { refusal: Refusal::Busy | Refusal::RateLimited, retry_at, message } = fault else { return };
        let now = self.now();
        let throttled = after.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Throttled);
        let again = after.not_before.filter(|_| after.state == State::Planned && throttled);
        let Some(until) = retry_at.iter().copied().chain(again).max().filter(|until| *until > now) else { return };
        let until = until.min(now + LONGEST);
        if let Err(error) = self.ledger.hold_off(&row.account, until, &format!("it asks to wait: {message}")).await {
            tracing::error!(account = %row.account, %error, "the ledger does not take that it is left alone");
        }
    }

    /// Before an account is spoken to: where somebody has left its breaker open, who-am-I is asked again first.
    pub(super) async fn read_first(&self, account: &AccountName) {
        let Ok(record) = self.ledger.account(account).await else { return };
        let Some((until, _)) = record.hold_off.filter(|(_, why)| why.starts_with(DOWN)) else { return };
        let known = self.breakers.lock().get(account).is_some_and(|known| known.breaker.is_open());
        if !known {
            let breaker = Breaker::left_open(until);
            self.breakers.lock().insert(account.clone(), Known { breaker, last: None });
            self.forget(account).await;
        }
    }

    /// An account's who-am-I was answered, now or not long ago.
    pub(super) async fn reached(&self, account: &AccountName) {
        let until = {
            let mut breakers = self.breakers.lock();
            let Some(known) = breakers.get_mut(account) else { return };
            let (breaker, then) = known.breaker.step(Outcome::Read, TimeDelta::zero(), 0.0, self.now());
            known.breaker = breaker;
            let Then::Close { until } = then else { return };
            until
        };
        tracing::info!(%account, "it answers again");
        self.let_go(account, until).await;
    }

    /// Counts an outcome. Gives what is to be done, and whether the breaker was open or is.
    fn count(&self, row: &Delivery, outcome: Outcome) -> (Then, bool) {
        let mut breakers = self.breakers.lock();
        let known = breakers.entry(row.account.clone()).or_default();
        let was_open = known.breaker.is_open();
        if known.last == Some((row.id, row.version)) {
            return (Then::Nothing, was_open);
        }
        known.last = Some((row.id, row.version));
        let base = delta(self.rules(RepeatSafety::None).back_off);
        let bytes = row.id.derive_bytes("breaker", 0, u32::try_from(row.version).unwrap_or(u32::MAX));
        let share = f64::from(u16::from_be_bytes([bytes[0], bytes[1]])) / f64::from(u16::MAX);
        let (breaker, then) = known.breaker.step(outcome, base, share, self.now());
        known.breaker = breaker;
        (then, was_open || known.breaker.is_open())
    }

    /// Serves an account again, unless something else keeps it.
    async fn let_go(&self, account: &AccountName, opened: DateTime<Utc>) {
        let held = match self.ledger.account(account).await {
            Ok(record) => record.hold_off,
            Err(_) => return,
        };
        if held.is_some_and(|(until, why)| until <= opened + TimeDelta::milliseconds(1) && why.starts_with(DOWN))
            && let Err(error) = self.ledger.hold_on(account).await
        {
            tracing::error!(%account, %error, "the ledger does not take that it is served again");
        }
    }
}

/// What an input says of the network. `None`: nothing.
fn outcome(input: &Input) -> Option<Outcome> {
    let of = |fault: &Fault, answered| match fault {
        Fault::NotSent(_) | Fault::Unknown(_) | Fault::Refused { refusal: Refusal::Busy, retry_at: None, .. } => {
            Some(Outcome::Lost)
        }
        Fault::Refused { refusal: Refusal::Secret, .. } => None,
        Fault::Refused { .. } => Some(answered),
    };
    match input {
        Input::NotPrepared(fault) | Input::NotLooked(fault) => of(fault, Outcome::Read),
        Input::Faulted(fault) => of(fault, Outcome::Answered),
        Input::Answered(_) => Some(Outcome::Answered),
        Input::Looked(_) | Input::Prepared { .. } => Some(Outcome::Read),
        _ => None,
    }
}

/// What the network, or the system, has said.
fn said(input: &Input) -> &str {
    match input {
        Input::NotPrepared(fault) | Input::Faulted(fault) | Input::NotLooked(fault) => match fault {
            Fault::NotSent(message) | Fault::Unknown(message) | Fault::Refused { message, .. } => message,
        },
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use async_trait::async_trait;

    use super::super::breaker::STRIKES;
    use super::super::connect::{Connector, Folders};
    use super::super::samples::{after, planned_event, start};
    use super::super::{COMMAND_CALENDAR, Worker, World};
    use super::*;
    use crate::adapter::{Api, Identity, Metrics, Plan, Progress, RepeatSafety, Reply, Step, StepKind, Verdict};
    use crate::calendar::{Calendar, DeliverySettings};
    use crate::compose::Instance;
    use crate::ledger::{Ledger, OpenMode, Record, StoredPost, Write};
    use crate::model::{
        Account, CalendarName, Content, Frozen, Late, LateThen, LimitOverrides, OccurrenceName, Origin, Post, PostId,
        Receipt,
    };
    use crate::time::{Clock, ManualClock};

    const HOURS: i64 = 3600;

    /// A call that reached for a network: when (in seconds from the start), of which account, and what.
    type Call = (i64, String, &'static str);

    /// Networks of which one is down for six hours, and one asks to wait at its first post.
    #[derive(Clone)]
    struct Networks {
        clock: ManualClock,
        calls: Arc<Mutex<Vec<Call>>>,
    }

    impl Networks {
        fn call(&self, account: &str, what: &'static str) -> Result<(), Fault> {
            let at = (self.clock.now() - start()).num_seconds();
            let mut calls = self.calls.lock().expect("no panic");
            let first = !calls.iter().any(|(_, of, what)| of == account && *what == "publish");
            calls.push((at, account.to_owned(), what));
            match account {
                "down" if (30..6 * HOURS).contains(&at) => Err(Fault::NotSent("connection refused".to_owned())),
                "slow" if first && what == "publish" => Err(Fault::Refused {
                    refusal: Refusal::RateLimited,
                    message: "too many".to_owned(),
                    retry_at: Some(after(at + 300)),
                }),
                _ => Ok(()),
            }
        }

        fn of(&self, account: &str) -> Vec<(i64, &'static str)> {
            let calls = self.calls.lock().expect("no panic");
            calls.iter().filter(|(_, of, _)| of == account).map(|(at, _, what)| (*at, *what)).collect()
        }
    }

    struct Spoken(Networks, String);

    #[async_trait]
    impl Api for Spoken {
        async fn host(&self) -> Result<Option<String>, Fault> {
            Ok(Some(format!("https://{}.example", self.1)))
        }

        async fn whoami(&self) -> Result<Identity, Fault> {
            self.0.call(&self.1, "read")?;
            let host = format!("https://{}.example", self.1);
            let (uid, limits) = (self.1.clone(), LimitOverrides::default());
            Ok(Identity { handle: uid.clone(), uid, host, limits, repeat: None })
        }

        async fn prepare(&self, _: &Step, _: &Progress) -> Result<serde_json::Value, Fault> {
            Ok(serde_json::Value::Null)
        }

        fn freeze(&self, _: &Step, _: &Progress, _: &Identity, _: DateTime<Utc>) -> Result<Frozen, Fault> {
            Ok(Frozen { part: 0, key: "key".to_owned(), request: serde_json::Value::Null })
        }

        async fn publish(&self, _: &Frozen) -> Result<Receipt, Fault> {
            self.0.call(&self.1, "publish")?;
            let at = self.0.clock.now();
            Ok(Receipt { part: 0, id: "1".to_owned(), url: None, at, data: serde_json::Value::Null })
        }

        async fn reconcile(&self, _: &Frozen, _: DateTime<Utc>) -> Result<Verdict, Fault> {
            Ok(Verdict::NotDone)
        }

        async fn metrics(&self, _: &Receipt) -> Result<Metrics, Fault> {
            Err(Fault::NotSent("not asked for".to_owned()))
        }

        async fn replies(&self, _: &Receipt) -> Result<Vec<Reply>, Fault> {
            Ok(Vec::new())
        }

        async fn delete(&self, _: &Receipt) -> Result<(), Fault> {
            Ok(())
        }
    }

    impl Connector for Networks {
        fn repeat(&self, _network: &str) -> RepeatSafety {
            RepeatSafety::None
        }

        fn compose(&self, _: &Calendar, _: &Post, _: &Account, _: Instance) -> Result<Plan, String> {
            let payload = serde_json::Value::Null;
            Ok(Plan { steps: vec![Step { index: 0, part: 0, kind: StepKind::Publish, payload }] })
        }

        fn connect(&self, account: &Account, _: &Folders) -> Result<Box<dyn Api>, String> {
            Ok(Box::new(Spoken(self.clone(), account.name.as_str().to_owned())))
        }
    }

    /// A ledger with posts for accounts at their times, and the networks.
    struct Stage {
        _folder: tempfile::TempDir,
        ledger: Arc<dyn Ledger>,
        networks: Networks,
    }

    impl Stage {
        async fn new(posts: &[(&str, i64)]) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let ledger = crate::ledger::open("sqlite", folder.path(), OpenMode::ReadWrite).expect("a ledger");
            for (account, due) in posts {
                let id = PostId::new(format!("{account}-{due}"));
                let late = Late { grace_seconds: 60, then: LateThen::Publish };
                let post = Post {
                    id: id.clone(),
                    name: id.clone(),
                    trigger: None,
                    to: vec![AccountName::new(*account)],
                    content: Content::default(),
                    overrides: BTreeMap::new(),
                    campaign: None,
                    late,
                    draft: false,
                };
                let (calendar, timezone) = (CalendarName::new(COMMAND_CALENDAR), "UTC".to_owned());
                let stored = StoredPost { post, folder: None, timezone, at: start(), announced: None };
                ledger.put_post(&calendar, &stored).await.expect("stored");
                let row = Delivery::planned(
                    calendar,
                    id.clone(),
                    OccurrenceName::once(&id),
                    AccountName::new(*account),
                    "some-network",
                    Origin::Command,
                    after(*due),
                    after(*due).naive_utc(),
                    late,
                );
                let event = planned_event(&row);
                ledger.write(&[Write::new(row, 0, event)]).await.expect("written");
            }
            let networks = Networks { clock: ManualClock::new(start()), calls: Arc::default() };
            Self { _folder: folder, ledger, networks }
        }

        fn worker(&self, owner: &str) -> Worker {
            let accounts = ["up", "down", "slow"].map(|name| {
                let name = AccountName::new(name);
                (name.clone(), Account::new(name, "some-network"))
            });
            let world = World { accounts: accounts.into(), ..World::default() };
            let clock = Arc::new(self.networks.clock.clone());
            let connector = Arc::new(self.networks.clone());
            let ledger = Arc::clone(&self.ledger);
            Worker::new(
                Arc::new(Engine::new(ledger, clock, connector, DeliverySettings::default(), owner, world)),
                None,
            )
        }

        /// Lets a worker work until then, or until nothing is left.
        async fn until(&self, worker: &mut Worker, end: i64) {
            for _ in 0..20_000 {
                worker.start().await.expect("the ledger answers");
                while worker.is_working() {
                    worker.ended().await.expect("the ledger answers");
                }
                let Some(next) = worker.next().await.expect("the ledger answers") else { return };
                if next > after(end) {
                    return;
                }
                if let Ok(time) = (next - self.networks.clock.now()).to_std() {
                    self.networks.clock.pass(time);
                }
            }
            panic!("it does not come to an end");
        }

        async fn rows(&self, account: &str) -> Vec<Delivery> {
            let account = Some(AccountName::new(account));
            let query = crate::ledger::Query { account, ..crate::ledger::Query::default() };
            self.ledger.deliveries(&query).await.expect("rows")
        }

        async fn hold_off(&self, account: &str) -> Option<(DateTime<Utc>, String)> {
            self.ledger.account(&AccountName::new(account)).await.expect("a record").hold_off
        }
    }

    fn every(account: &'static str, minutes: i64) -> impl Iterator<Item = (&'static str, i64)> {
        (0..8 * 60 / minutes).map(move |number| (account, number * minutes * 60))
    }

    #[tokio::test]
    async fn a_network_that_is_down_for_six_hours_delays_no_other_and_is_tried_by_reading() {
        let posts: Vec<_> =
            every("up", 5).chain(every("down", 20)).chain([("down", 60), ("down", 61), ("down", 62)]).collect();
        let stage = Stage::new(&posts).await;
        let mut worker = stage.worker("first");
        stage.until(&mut worker, 3 * HOURS).await;
        let (until, why) = stage.hold_off("down").await.expect("it is left alone");
        assert!(until > stage.networks.clock.now() && why.contains("connection refused"), "{until} {why}");
        // Another process takes over in the middle: it waits as well, and begins with a read.
        let before = stage.networks.of("down").len();
        let mut worker = stage.worker("second");
        stage.until(&mut worker, 9 * HOURS).await;
        let calls = stage.networks.of("down");
        assert!(calls[before].0 >= (until - start()).num_seconds(), "{:?}", calls[before]);
        assert_eq!(calls[before].1, "read");
        let opened = calls.iter().filter(|(at, _)| *at >= 30).nth(STRIKES as usize - 1).expect("five calls").0;
        let away: Vec<_> = calls.iter().filter(|(at, _)| *at > opened && *at < 6 * HOURS).collect();
        assert!(away.iter().all(|(_, what)| *what == "read"), "no post tries whether it is back: {away:?}");
        assert!(away.len() > 20 && away.len() < 200, "{} reads in six hours", away.len());
        let back = calls.iter().find(|(at, _)| *at >= 6 * HOURS).expect("it is tried again");
        assert_eq!(back.1, "read");
        assert!(back.0 <= 6 * HOURS + 900, "soon enough: {back:?}");
        for row in stage.rows("down").await {
            assert_eq!(row.state, State::Published, "{row:?}");
        }
        for row in stage.rows("up").await {
            let late = row.published_at.expect("published") - row.due;
            assert!(late <= TimeDelta::seconds(1), "{} was {late} late", row.post);
        }
        assert_eq!(stage.hold_off("down").await, None, "it is served again");
        let records = stage.ledger.export(0, 100_000).await.expect("records");
        let alerts =
            records.iter().filter(|record| matches!(record, Record::Alert { alert, .. } if alert.kind == "account"));
        assert_eq!(alerts.count(), 1, "told once");
    }

    #[tokio::test]
    async fn no_later_post_steps_over_one_that_was_throttled() {
        let stage = Stage::new(&[("slow", 0), ("slow", 10), ("slow", 20), ("up", 15)]).await;
        let mut worker = stage.worker("first");
        stage.until(&mut worker, 60).await;
        let (until, why) = stage.hold_off("slow").await.expect("it is left alone");
        assert!(until >= after(300) && why == "it asks to wait: too many", "{until} {why}");
        stage.until(&mut worker, 2 * HOURS).await;
        let rows = stage.rows("slow").await;
        let times: Vec<_> = rows.iter().map(|row| row.published_at.expect("published")).collect();
        assert!(times[0] >= after(300) && times.is_sorted(), "in their order: {times:?}");
        let posts: Vec<_> = stage.networks.of("slow").into_iter().filter(|(_, what)| *what == "publish").collect();
        assert!(posts[1].0 - posts[0].0 >= 300, "the least that was asked for: {posts:?}");
        assert_eq!(stage.rows("up").await[0].published_at, Some(after(15)));
    }
}
