//! How long this process may be sure that nobody else takes over what it has begun. In a shared ledger that is a lease,
//! counted in the ledger's time there and by [`Clock::elapsed`](crate::time::Clock::elapsed) here, from before the
//! question that gave or renewed it: so it is over here before it is over there. In an exclusive ledger it has no end.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;

use super::Engine;
use crate::ledger::{Alert, LedgerError};

/// What a call may take beyond its time limit before it is over for certain.
pub(super) const MARGIN: Duration = Duration::from_secs(5);

/// Clocks that differ by this much or more are told.
const SKEW: TimeDelta = TimeDelta::seconds(2);

impl Engine {
    /// Renews the leases of all that this process has begun, and reads the ledger's clock.
    pub(super) async fn renew(&self) -> Result<(), LedgerError> {
        let before = self.clock.elapsed();
        self.ledger.renew(&self.owner).await?;
        let last = std::mem::replace(&mut *self.renewed.lock().unwrap_or_else(PoisonError::into_inner), before);
        if before >= last + self.lease {
            // What was begun earlier may be somebody else's by now, although this has worked.
            *self.unbroken.lock().unwrap_or_else(PoisonError::into_inner) = before;
        }
        self.sync().await
    }

    /// Reads the ledger's clock, where it has one: from then on the engine goes by it.
    pub(super) async fn sync(&self) -> Result<(), LedgerError> {
        let Some(at) = self.ledger.time().await? else { return Ok(()) };
        let Some(ahead) = self.clock.sync(at) else { return Ok(()) };
        if ahead.abs() < SKEW || self.skew_told.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let by = ahead.num_seconds().abs();
        let way = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
        let message = format!("the clock of {} is {by} s {way} the ledger's; the ledger's holds", self.owner);
        tracing::warn!("{message}");
        self.ledger
            .raise(&Alert {
                // One a day, however often a process is started.
                key: format!("clock/skew/{}", at.format("%Y-%m-%d")),
                at,
                tell_at: at,
                delivery: None,
                kind: "clock".to_owned(),
                message,
                help: "let both machines set their clocks by the network (NTP)".to_owned(),
            })
            .await?;
        self.alarm.ring();
        Ok(())
    }

    /// How often the leases are to be renewed.
    pub(super) fn renew_every(&self) -> Duration {
        self.lease / 3
    }

    /// Whether a call that begins now ends before somebody else may take its delivery over. `leased`: when the delivery
    /// was claimed, from before the question.
    pub(super) fn is_lease_long_enough(&self, leased: Duration) -> bool {
        let over = self.lease_over(leased);
        over.is_some_and(|over| self.clock.elapsed() + self.settings().timeout + MARGIN < over)
    }

    /// When somebody else may take over what was claimed then. `None`: it may have been taken over already.
    fn lease_over(&self, leased: Duration) -> Option<Duration> {
        if self.ledger.is_exclusive() {
            return Some(Duration::MAX);
        }
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        let unbroken = *self.unbroken.lock().unwrap_or_else(PoisonError::into_inner);
        (leased >= unbroken).then(|| leased.max(renewed) + self.lease)
    }

    /// Waits as long as a call may take that begins now and for which the lease is long enough: the usual time limit, and
    /// `more` as long as the lease is renewed. Gives how long that was.
    pub(super) async fn time_is_up(&self, more: Duration, leased: Duration) -> Duration {
        let (begun, usual) = (self.clock.elapsed(), self.settings().timeout);
        let mut ends = begun + usual;
        loop {
            // Once it was broken, nothing that is renewed counts for this call.
            if let Some(over) = self.lease_over(leased) {
                ends = ends.max((begun + usual + more).min(over.saturating_sub(MARGIN)));
            }
            let left = ends.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return ends.saturating_sub(begun);
            }
            self.clock.wait(left).await;
        }
    }
}
