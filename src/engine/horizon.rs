//! Looks ahead: an account whose credential ends before posts that are planned for it is told of in time, two weeks, a week
//! and a day before. What is known is what was kept when somebody signed in: no network is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;

use super::driver::delta;
use super::{Engine, alerts};
use crate::ledger::{LedgerError, Query};
use crate::model::{AccountName, State};
use crate::oauth::GrantInfo;
use crate::schedule::beyond;

/// So many days before the end it is told; 0: when it has ended. The last first.
const DAYS: [i64; 4] = [0, 1, 7, 14];

/// What is kept is read again after so long, since each renewal may move the end.
const READ_AGAIN: Duration = Duration::from_hours(24);

/// However often somebody rings.
const RUNG: Duration = Duration::from_mins(1);

/// A keyring that hangs is waited for so long: meanwhile nothing else is done.
const LIMIT: Duration = Duration::from_secs(5);

/// What is known of the accounts' credentials.
#[derive(Default)]
pub(super) struct Horizon(Mutex<Known>);

#[derive(Default)]
struct Known {
    grants: BTreeMap<AccountName, GrantInfo>,
    /// When all were last read, by the time that passes.
    read: Option<Duration>,
    /// They may be others by now.
    stale: bool,
    /// Keys of what this process has raised: it need not be offered to the ledger again.
    raised: BTreeSet<String>,
}

impl Known {
    /// When the grants are read again. `None`: there are none, and nothing has happened.
    fn read_again(&self) -> Option<Duration> {
        match self.read {
            None => Some(Duration::ZERO),
            Some(read) if self.stale => Some(read + RUNG),
            Some(read) => (!self.grants.is_empty()).then(|| read + READ_AGAIN),
        }
    }
}

impl Horizon {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody may have signed in, or something has gone wrong that may have to do with it.
    pub(super) fn doubt(&self) {
        self.lock().stale = true;
    }
}

/// How far an end is: the step of [`DAYS`] that it has come to, and when the next one comes. `None`: none yet, no more.
fn step(end: DateTime<Utc>, now: DateTime<Utc>) -> (Option<i64>, Option<DateTime<Utc>>) {
    let at = |days: i64| end - TimeDelta::days(days);
    let come = DAYS.into_iter().find(|days| at(*days) <= now);
    (come, DAYS.into_iter().map(at).filter(|at| *at > now).min())
}

impl Engine {
    /// Raises what has to be known of credentials that end. Gives when there is more to be looked at, if nobody rings.
    pub(super) async fn look_ahead(self: &Arc<Self>) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let elapsed = self.clock.elapsed();
        if self.horizon.lock().read_again().is_some_and(|again| again <= elapsed) {
            self.read_grants(elapsed).await;
        }
        let (grants, read_again) = {
            let known = self.horizon.lock();
            (known.grants.clone(), known.read_again())
        };
        let mut next = read_again.map(|again| self.now() + delta(again.saturating_sub(elapsed)));
        for (account, grant) in &grants {
            let again = self.look_at(account, grant).await?;
            next = next.into_iter().chain(again).min();
        }
        Ok(next)
    }

    async fn look_at(&self, name: &AccountName, grant: &GrantInfo) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let (world, now) = (self.world(), self.now());
        let Some(account) = world.accounts.get(name) else { return Ok(None) };
        if grant.doubtful {
            let which = grant.refresh_ends.or(grant.access_ends).map_or(0, |end| end.timestamp());
            let alert = alerts::renewal_lost(name, which, now);
            self.raise_once(&alert).await?;
        }
        let Some(end) = grant.ends() else { return Ok(None) };
        let (come, next) = step(end, now);
        let Some(days) = come else { return Ok(next) };
        let key = format!("credential/{name}/{}/{days}", end.timestamp());
        if self.horizon.lock().raised.contains(&key) {
            return Ok(next);
        }
        let query = Query { account: Some(name.clone()), states: vec![State::Planned], ..Query::default() };
        let rows = self.ledger.deliveries(&query).await?;
        // Nothing planned after it: the next edit looks again.
        if let Some(beyond) = beyond(world.calendar.as_deref(), &rows, account, end.max(now)) {
            let what = if grant.renewable && !grant.doubtful { "refresh token" } else { "token" };
            self.raise_once(&alerts::credential_ends(name, key, what, end, &beyond, now)).await?;
        }
        Ok(next)
    }

    async fn raise_once(&self, alert: &crate::ledger::Alert) -> Result<(), LedgerError> {
        if self.horizon.lock().raised.contains(&alert.key) {
            return Ok(());
        }
        tracing::warn!("{}", alert.message);
        self.raise(alert).await?;
        self.horizon.lock().raised.insert(alert.key.clone());
        Ok(())
    }

    /// Reads what is kept of all accounts, side by side. One that cannot be read stays as it was known.
    async fn read_grants(self: &Arc<Self>, elapsed: Duration) {
        let world = self.world();
        let mut reading = JoinSet::new();
        for account in world.accounts.values().cloned() {
            let engine = Arc::clone(self);
            reading.spawn(async move { (engine.connector.grant(&account).await, account.name) });
        }
        let mut found: BTreeMap<AccountName, Option<GrantInfo>> = BTreeMap::new();
        let read = async {
            while let Some(read) = reading.join_next().await {
                if let Ok((Ok(grant), name)) = read {
                    found.insert(name, grant);
                }
            }
        };
        tokio::select! {
            biased;
            () = read => {}
            () = self.clock.wait(LIMIT) => {}
        }
        let mut known = self.horizon.lock();
        (known.read, known.stale) = (Some(elapsed), false);
        known.grants.retain(|name, _| world.accounts.contains_key(name));
        for (name, grant) in found {
            match grant {
                Some(grant) => _ = known.grants.insert(name, grant),
                None => _ = known.grants.remove(&name),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::samples::{Nobody, after, planned, planned_event, start};
    use super::super::{Worker, World, core};
    use super::*;
    use crate::calendar::DeliverySettings;
    use crate::ledger::{Errand, OpenMode, TellRequest, Write};
    use crate::model::{Account, Delivery, Reason, ReasonCode};
    use crate::time::{Clock as _, ManualClock};

    const DAY: i64 = 86_400;

    struct Scene {
        engine: Arc<Engine>,
        clock: ManualClock,
        kept: Arc<Mutex<Option<GrantInfo>>>,
    }

    fn grant(ends: i64) -> GrantInfo {
        GrantInfo {
            scopes: Vec::new(),
            access_ends: Some(after(3600)),
            refresh_ends: Some(after(ends)),
            renewable: true,
            doubtful: false,
            source: "vault",
        }
    }

    impl Scene {
        /// With one post for the account, due in so many days.
        async fn new(folder: &Path, due: i64, ends: i64) -> Self {
            let ledger = crate::ledger::open("sqlite", folder, OpenMode::ReadWrite).expect("a ledger");
            ledger.meet(&["ops".to_owned()], start()).await.expect("met");
            let row = Delivery { due: after(due * DAY), ..planned() };
            let event = planned_event(&row);
            ledger.write(&[Write::new(row, 0, event)]).await.expect("written");
            let account = Account::new(planned().account, "some-network");
            let world = World { accounts: [(account.name.clone(), account)].into(), ..World::default() };
            let (clock, kept) = (ManualClock::new(start()), Arc::new(Mutex::new(Some(grant(ends * DAY)))));
            let connector = Arc::new(Nobody { kept: Arc::clone(&kept) });
            let handed = Arc::new(clock.clone());
            let engine = Engine::new(ledger, handed, connector, DeliverySettings::default(), "test", world);
            Self { engine: Arc::new(engine), clock, kept }
        }

        /// What is told from now on, at this day.
        async fn told(&self, day: i64) -> Vec<String> {
            // A look may have taken a moment of it already.
            self.clock.pass((after(day * DAY) - self.clock.now()).to_std().unwrap_or_default());
            self.engine.look_ahead().await.expect("the ledger answers");
            let request =
                TellRequest { target: "ops".to_owned(), now: self.clock.now(), until: self.clock.now(), limit: 10 };
            let errands: Vec<Errand> = self.engine.ledger.tell(&request).await.expect("the ledger answers");
            let keys: Vec<String> = errands.iter().map(|errand| errand.alert.key.clone()).collect();
            self.engine.ledger.told("ops", &keys, &crate::ledger::Told::Yes, self.clock.now()).await.expect("told");
            errands.into_iter().map(|errand| format!("{}: {}", errand.alert.message, errand.alert.help)).collect()
        }
    }

    #[test]
    fn an_end_comes_nearer_in_steps() {
        let end = after(20 * DAY);
        assert_eq!(step(end, start()), (None, Some(after(6 * DAY))));
        assert_eq!(step(end, after(6 * DAY)), (Some(14), Some(after(13 * DAY))));
        assert_eq!(step(end, after(14 * DAY)), (Some(7), Some(after(19 * DAY))));
        assert_eq!(step(end, after(19 * DAY)), (Some(1), Some(end)));
        assert_eq!(step(end, end), (Some(0), None));
    }

    #[tokio::test]
    async fn each_step_is_told_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::new(folder.path(), 40, 20).await;
        assert_eq!(scene.told(5).await, [""; 0]);
        let first = scene.told(6).await;
        assert_eq!(first.len(), 1);
        assert!(
            first[0].contains("refresh token ends") && first[0].contains("1 post is planned after that"),
            "{first:?}"
        );
        assert!(first[0].contains("`smm login fedi`"), "{first:?}");
        assert_eq!(scene.told(7).await, [""; 0]);
        assert_eq!(scene.told(13).await.len(), 1);
        // Another process does not tell it again.
        scene.engine.horizon.lock().raised.clear();
        assert_eq!(scene.told(14).await, [""; 0]);
        // Somebody signed in: the end has moved.
        *scene.kept.lock().expect("no panic") = Some(grant(60 * DAY));
        scene.engine.horizon.doubt();
        assert_eq!(scene.told(19).await, [""; 0]);
    }

    #[tokio::test]
    async fn an_end_that_no_post_meets_is_not_told_until_one_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::new(folder.path(), 10, 20).await;
        assert_eq!(scene.told(8).await, [""; 0], "the post goes out before");
        let late = Delivery { due: after(30 * DAY), version: 1, ..planned() };
        let event = planned_event(&late);
        scene.engine.ledger.write(&[Write::new(late, 1, event)]).await.expect("written");
        assert_eq!(scene.told(9).await.len(), 1, "it was moved beyond the end");
    }

    #[tokio::test]
    async fn a_renewal_whose_answer_was_lost_is_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::new(folder.path(), 2, 90).await;
        assert_eq!(scene.told(0).await, [""; 0]);
        *scene.kept.lock().expect("no panic") = Some(GrantInfo { doubtful: true, ..grant(90 * DAY) });
        scene.engine.horizon.doubt();
        let told = scene.told(1).await;
        assert!(told.iter().any(|told| told.contains("renewal")), "{told:?}");
        assert!(!scene.told(1).await.iter().any(|told| told.contains("renewal")), "once");
    }

    #[tokio::test]
    async fn nobody_is_waited_for_where_nothing_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::new(folder.path(), 2, 90).await;
        *scene.kept.lock().expect("no panic") = None;
        assert_eq!(scene.engine.look_ahead().await, Ok(None), "no timer");
        assert_eq!(Worker::new(Arc::clone(&scene.engine), None).next_look(), None);
    }

    #[tokio::test]
    async fn what_waits_for_credentials_is_found_in_the_ledger() {
        let folder = tempfile::tempdir().expect("a folder");
        let scene = Scene::new(folder.path(), 2, 90).await;
        assert_eq!(scene.engine.try_again_at(), None);
        let row = scene.engine.ledger.deliveries(&Query::default()).await.expect("rows").remove(0);
        let reason = Some(Reason::new(ReasonCode::Credentials, "no"));
        let held = Delivery { state: State::Held, reason, ..row.clone() };
        let event = core::event(&held, "held", String::new(), "smm", start());
        scene.engine.ledger.write(&[Write::new(held, row.version, event)]).await.expect("written");
        scene.engine.find_waiting().await.expect("the ledger answers");
        assert_eq!(scene.engine.try_again_at(), Some(start()), "at once");
        // Nobody is reached: it stays held, and is tried again in an hour.
        scene.engine.try_again().await.expect("the ledger answers");
        assert_eq!(scene.engine.try_again_at(), Some(after(3600)));
        let account = planned().account;
        scene.engine.waiting.refused(&account, false, scene.clock.elapsed());
        scene.engine.signed_in(&account).await;
        let row = scene.engine.ledger.deliveries(&Query::default()).await.expect("rows").remove(0);
        assert_eq!((row.state, row.released), (State::Planned, false));
        assert_eq!(scene.engine.try_again_at(), None);
    }
}
