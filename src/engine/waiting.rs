//! Accounts whose credentials are missing, or were refused: their deliveries are held, the others' go on. What waits goes on
//! by itself once there are credentials again.
//!
//! A daemon tries such an account when it starts, when somebody rings (as `smm login` does), at most once a minute, and by
//! itself once an hour: a sign-in is rationed by most networks. It tries by asking who-am-I, which sends nothing. Credentials
//! that are good for that and were refused for a post are not tried by itself: that would hold, release and tell for ever.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::connect::Folders;
use super::driver::delta;
use super::{Engine, PersonCommand, person};
use crate::ledger::{LedgerError, Query, Write, Written};
use crate::model::{AccountName, Delivery, ReasonCode, State};

/// However often somebody rings.
const RUNG: Duration = Duration::from_mins(1);

/// By itself.
const BY_ITSELF: Duration = Duration::from_hours(1);

/// Servers are waited for so long: meanwhile nothing else is done.
const LIMIT: Duration = Duration::from_secs(10);

/// The accounts that wait for credentials.
#[derive(Default)]
pub(super) struct Waiting(Mutex<BTreeMap<AccountName, Wait>>);

/// How an account waits.
#[derive(Debug, Default, Clone, Copy)]
struct Wait {
    /// When it was last tried or refused, by the time that passes; `None`: not since the start.
    tried: Option<Duration>,
    /// Somebody has rung since it was last tried.
    rung: bool,
    /// When it was last tried since somebody had rung.
    tried_for_ring: Option<Duration>,
    /// They were refused for a post, after who-am-I had been answered.
    for_post: bool,
}

impl Wait {
    /// When it is tried next. `None`: not before somebody rings.
    fn again(self) -> Option<Duration> {
        match self.tried {
            None => Some(Duration::ZERO),
            Some(_) if self.rung => Some(self.tried_for_ring.map_or(Duration::ZERO, |tried| tried + RUNG)),
            Some(tried) => (!self.for_post).then(|| tried + BY_ITSELF),
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountName, Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its credentials are missing, or were refused; `for_post`: by the call itself.
    pub(super) fn refused(&self, account: &AccountName, for_post: bool, elapsed: Duration) {
        let mut known = self.lock();
        let wait = known.entry(account.clone()).or_default();
        *wait = Wait { tried: Some(elapsed), rung: false, for_post, ..*wait };
    }

    /// Somebody has rung: there may be new credentials.
    pub(super) fn rung(&self) {
        self.lock().values_mut().for_each(|wait| wait.rung = true);
    }

    /// Who-am-I was answered. Gives whether what waits goes on by that.
    fn is_mended(&self, account: &AccountName) -> bool {
        self.lock().get(account).is_some_and(|wait| !wait.for_post)
    }

    /// Those whose turn it is, which are tried now.
    fn take(&self, elapsed: Duration) -> Vec<AccountName> {
        let mut known = self.lock();
        let due = known.iter_mut().filter(|(_, wait)| wait.again().is_some_and(|again| again <= elapsed));
        due.map(|(account, wait)| {
            if wait.rung {
                wait.tried_for_ring = Some(elapsed);
            }
            (wait.tried, wait.rung) = (Some(elapsed), false);
            account.clone()
        })
        .collect()
    }
}

impl Engine {
    /// The accounts of which the ledger says that deliveries wait for credentials.
    pub(super) async fn find_waiting(&self) -> Result<(), LedgerError> {
        let world = self.world();
        let held = self.ledger.deliveries(&Query { states: vec![State::Held], ..Query::default() }).await?;
        let mut known = self.waiting.lock();
        for row in held.iter().filter(|row| waits(row) && world.accounts.contains_key(&row.account)) {
            known.entry(row.account.clone()).or_default();
        }
        Ok(())
    }

    /// Tries the accounts whose turn it is. What waits for one that can sign in again goes on.
    pub(super) async fn try_again(self: &Arc<Self>) -> Result<(), LedgerError> {
        let world = self.world();
        let due = self.waiting.take(self.clock.elapsed());
        if due.is_empty() || self.ledger.paused().await?.is_some() {
            return Ok(());
        }
        let media = world.calendar.as_ref().map_or_else(|| world.folder.clone(), |calendar| calendar.folder.clone());
        let folders = Folders { media, files: world.folder.clone() };
        let mut trying = JoinSet::new();
        for name in due {
            let Some(account) = world.accounts.get(&name).cloned() else { continue };
            if self.ledger.account(&name).await?.paused.is_some() {
                continue;
            }
            let (engine, folders) = (Arc::clone(self), folders.clone());
            trying.spawn(async move {
                engine.forget(&account.name).await;
                engine.link(&account, &folders).await.is_ok().then_some(account.name)
            });
        }
        let tried = async {
            let mut good = Vec::new();
            while let Some(tried) = trying.join_next().await {
                good.extend(tried.ok().flatten());
            }
            good
        };
        let good = tokio::select! {
            biased;
            good = tried => good,
            () = self.clock.wait(LIMIT) => Vec::new(),
        };
        for account in good {
            self.goes_on(&account).await?;
        }
        Ok(())
    }

    /// When [`Engine::try_again`] has something to do, if nobody rings.
    pub(super) fn try_again_at(&self) -> Option<DateTime<Utc>> {
        let again = self.waiting.lock().values().filter_map(|wait| wait.again()).min()?;
        Some(self.now() + delta(again.saturating_sub(self.clock.elapsed())))
    }

    /// Who-am-I of an account was answered: what waits for its credentials goes on, where that proves them.
    pub(super) async fn signed_in(&self, account: &AccountName) {
        if self.waiting.is_mended(account)
            && let Err(error) = self.goes_on(account).await
        {
            tracing::error!(%account, %error, "the ledger does not take that its deliveries go on");
        }
    }

    /// An account has credentials again. By now late, a delivery goes by its own `late`.
    async fn goes_on(&self, account: &AccountName) -> Result<(), LedgerError> {
        let states = vec![State::Held];
        let rows =
            self.ledger.deliveries(&Query { account: Some(account.clone()), states, ..Query::default() }).await?;
        let mut count = 0;
        for row in rows.iter().filter(|row| waits(row)) {
            let Ok((after, event)) = person(row, &PersonCommand::SignedIn, self.now(), "smm") else { continue };
            let written = self.ledger.write(&[Write::new(after, row.version, event)]).await?;
            count += usize::from(written.first() == Some(&Written::Done));
        }
        self.waiting.lock().remove(account);
        if count > 0 {
            tracing::info!(%account, count, "it has credentials again; what waited goes on");
        }
        Ok(())
    }
}

/// Held for want of credentials.
fn waits(row: &Delivery) -> bool {
    let code = row.reason.as_ref().map(|reason| reason.code);
    row.state == State::Held && matches!(code, Some(ReasonCode::Credentials | ReasonCode::Secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_account_is_tried_at_a_ring_and_once_an_hour() {
        let (waiting, fedi) = (Waiting::default(), AccountName::new("fedi"));
        let is_tried = |seconds| !waiting.take(at(seconds)).is_empty();
        waiting.lock().insert(fedi.clone(), Wait::default());
        assert!(is_tried(0), "once at the start");
        assert!(!is_tried(3599));
        assert!(is_tried(3600));
        waiting.rung();
        assert!(is_tried(3601), "at once");
        assert!(!is_tried(3661), "one ring is one try");
        waiting.rung();
        assert!(is_tried(3661));
        waiting.rung();
        assert!(!is_tried(3720), "not more than once a minute");
        assert!(is_tried(3721));
        // Refused for a post although who-am-I was answered: only when somebody rings.
        waiting.refused(&fedi, true, at(4000));
        assert!(!waiting.is_mended(&fedi));
        assert!(!is_tried(100_000));
        waiting.rung();
        assert!(is_tried(100_001));
        waiting.refused(&fedi, false, at(200_000));
        assert!(waiting.is_mended(&fedi));
    }
}
