//! What a daemon can be asked about itself from outside: numbers, and no names but those of accounts and networks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::alerts::Teller;
use super::{Engine, Readiness};
use crate::ledger::{Ledger, LedgerError, Tally};
use crate::model::{AccountName, Delivery, State};
use crate::oauth::GrantInfo;
use crate::secrets::{Chain, Owner};

/// A ledger that has not answered for so long is told to be silent.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is kept of sign-ins is read so often: a keyring is not asked at each question.
const TOKENS_AGAIN: Duration = Duration::from_mins(1);

/// Upper bounds of [`Lateness::counts`], in seconds.
pub const LATE: [f64; 11] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

/// How late an account's posts went out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lateness {
    /// How many were at most so late as [`LATE`] says, and later than the bound before it; the last: later than all.
    pub counts: [u64; LATE.len() + 1],
    /// All of it, in seconds.
    pub sum: f64,
}

impl Lateness {
    fn add(&mut self, seconds: f64) {
        let bucket = LATE.iter().position(|bound| seconds <= *bound).unwrap_or(LATE.len());
        self.counts[bucket] += 1;
        self.sum += seconds;
    }
}

/// An account and its network.
pub type Of = (AccountName, String);

/// How late what this process has published went out.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<BTreeMap<Of, Lateness>>);

impl Times {
    /// Takes note of a row that was stored, when it has just been published.
    pub(super) fn note(&self, before: State, after: &Delivery) {
        let (State::Published, Some(at)) = (after.state, after.published_at) else { return };
        if before != State::Published {
            let seconds = (at - after.due).to_std().unwrap_or_default().as_secs_f64();
            let of = (after.account.clone(), after.network.clone());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(of).or_default().add(seconds);
        }
    }

    fn all(&self) -> BTreeMap<Of, Lateness> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a ledger holds.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Deliveries by account and state.
    pub deliveries: Vec<Tally>,
    /// Alerts that a target should know of and does not.
    pub untold: usize,
}

/// A daemon at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// How it is.
    pub readiness: Readiness,
    /// When its process began.
    pub since: DateTime<Utc>,
    /// The accounts that it publishes to.
    pub accounts: Vec<Of>,
    /// How late this process has published.
    pub late: BTreeMap<Of, Lateness>,
    /// How long until a person has to sign in again, where that is known; negative: it is over.
    pub tokens: Vec<(Of, TimeDelta)>,
    /// What its ledger holds; `None`: it did not answer.
    pub ledger: Option<Holdings>,
}

/// Who looks at a daemon.
pub struct Observer {
    engine: Arc<Engine>,
    teller: Arc<Teller>,
    /// A handle of its own, so that a long count keeps no claim waiting.
    reader: Arc<dyn Ledger>,
    secrets: Chain,
    since: DateTime<Utc>,
    /// When sign-ins end, as read at [`crate::time::Clock::elapsed`].
    ends: tokio::sync::Mutex<Option<(Duration, Ends)>>,
}

type Ends = BTreeMap<Of, DateTime<Utc>>;

impl Observer {
    /// Over the engine that a daemon runs; `reader` is another handle to its ledger.
    pub fn new(
        engine: Arc<Engine>,
        teller: Arc<Teller>,
        reader: Arc<dyn Ledger>,
        secrets: Chain,
        since: DateTime<Utc>,
    ) -> Self {
        Self { engine, teller, reader, secrets, since, ends: tokio::sync::Mutex::default() }
    }

    /// How it is. Asks nobody.
    pub fn readiness(&self) -> Readiness {
        self.engine.readiness()
    }

    /// All of it. Reads the ledger, for a few seconds at most.
    pub async fn snapshot(&self) -> Snapshot {
        let ledger = match tokio::time::timeout(PATIENCE, self.holdings()).await {
            Ok(Ok(holdings)) => Some(holdings),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the ledger cannot be counted");
                None
            }
            Err(_) => None,
        };
        let world = self.engine.world();
        let accounts = world.accounts.values().map(|account| (account.name.clone(), account.network.clone()));
        Snapshot {
            readiness: self.readiness(),
            since: self.since,
            accounts: accounts.collect(),
            late: self.engine.times.all(),
            tokens: self.tokens().await,
            ledger,
        }
    }

    /// How long sign-ins last. Those that cannot be read are left out: they hold their account, and an alert says so.
    async fn tokens(&self) -> Vec<(Of, TimeDelta)> {
        let mut kept = self.ends.lock().await;
        let elapsed = self.engine.clock.elapsed();
        let fresh = kept.as_ref().is_some_and(|(read, _)| elapsed.saturating_sub(*read) < TOKENS_AGAIN);
        if !fresh {
            let mut ends = Ends::new();
            let reading = async {
                for account in self.engine.world().accounts.values() {
                    let info = GrantInfo::read(&self.secrets, &Owner::account(account)).await;
                    if let Some(at) = info.ok().flatten().and_then(|info| info.ends()) {
                        ends.insert((account.name.clone(), account.network.clone()), at);
                    }
                }
            };
            let _ = tokio::time::timeout(PATIENCE, reading).await;
            *kept = Some((elapsed, ends));
        }
        let now = self.engine.now();
        kept.iter().flat_map(|(_, ends)| ends).map(|(of, at)| (of.clone(), *at - now)).collect()
    }

    async fn holdings(&self) -> Result<Holdings, LedgerError> {
        let deliveries = self.reader.tally().await?;
        let untold = self.reader.untold(&self.teller.names()).await?.len();
        Ok(Holdings { deliveries, untold })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::samples::planned;
    use super::*;

    #[test]
    fn what_is_published_is_counted_once_and_by_how_late_it_is() {
        let times = Times::default();
        let mut row = planned();
        for (late, before) in
            [(0, State::Sending), (2, State::Unknown), (2, State::Published), (90_000, State::Sending)]
        {
            row.state = State::Published;
            row.published_at = Some(row.due + TimeDelta::seconds(late));
            times.note(before, &row);
        }
        row.state = State::Failed;
        times.note(State::Sending, &row);
        let all = times.all();
        let lateness = &all[&(row.account, row.network)];
        assert_eq!(lateness.counts, [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert!((lateness.sum - 90_002.0).abs() < 1e-6, "{}", lateness.sum);
    }
}
