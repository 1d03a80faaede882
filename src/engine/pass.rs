//! One pass: publish what is due, settle what can be settled in a bounded time, and end. For `smm publish` and `smm post`.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::driver::delta;
use super::older::OLDER;
use super::{Engine, PersonCommand, Worker, person};
use crate::ledger::{Ledger, LedgerError, Query, Write, Written};
use crate::model::{CalendarName, Delivery, DeliveryId, ReasonCode, State};
use crate::time::Clock;

/// How often a ledger that somebody else writes is read while one waits for it.
const READ_AGAIN: TimeDelta = TimeDelta::milliseconds(200);

/// What came of a call is offered so long to a ledger that does not take it. Then the pass ends: somebody waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a pass is for.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// Only these deliveries; `None`: all that are due.
    pub only: Option<Vec<DeliveryId>>,
    /// Outcomes that are unknown are waited for at most so long.
    pub wait: Duration,
}

/// What a pass did.
#[derive(Debug, Default)]
pub struct Passed {
    /// The deliveries that it began or looked up, as they are now.
    pub touched: Vec<Delivery>,
    /// It was told to stop before it was done.
    pub stopped: bool,
    /// Nothing more was begun, since the machine's clock is not to be believed.
    pub doubted: bool,
}

impl Engine {
    /// Publishes what is due now. The caller holds the ledger's lock and has made ledger and calendar agree
    /// ([`Engine::apply`]). `stop`: ends when the pass is to end early; calls in flight are waited for.
    pub async fn pass(self: &Arc<Self>, pass: &Pass, stop: impl Future<Output = ()>) -> Result<Passed, LedgerError> {
        if self.is_ledger_older().await? {
            return Err(LedgerError::Storage(OLDER.to_owned()));
        }
        let _ = self.patience.set(PATIENCE);
        let mut worker = Worker::new(Arc::clone(self), pass.only.clone());
        worker.recover().await?;
        let deadline = self.now() + TimeDelta::from_std(pass.wait).unwrap_or(TimeDelta::hours(24));
        let mut passed = Passed::default();
        tokio::pin!(stop);
        loop {
            passed.doubted = !self.is_clock_sound().await?;
            worker.start().await?;
            if passed.doubted && !worker.is_working() {
                break;
            }
            let next = if worker.is_working() { worker.next().await? } else { worker.next_look() };
            let next = next.filter(|at| *at <= deadline);
            if !worker.is_working() && next.is_none() {
                break;
            }
            let clock = Arc::clone(&self.clock);
            let timer = async {
                match next {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => {
                    self.drain(&mut worker).await;
                    passed.stopped = true;
                    break;
                }
                error = self.is_lost() => {
                    self.drain(&mut worker).await;
                    return Err(error);
                }
                ended = worker.ended(), if worker.is_working() => ended?,
                () = timer => {}
            }
        }
        for id in worker.touched() {
            passed.touched.extend(self.ledger.delivery(*id).await?);
        }
        Ok(passed)
    }

    /// Begins nothing more, and lets what is under way end, as long as a call may take.
    pub(super) async fn drain(&self, worker: &mut Worker) {
        self.stop();
        worker.drain(self.now() + delta(self.settings().timeout)).await;
    }
}

/// Releases what is held for being late, or from before the ledger's first sight of the calendar. Gives the rows as they
/// are then. May be done while another process publishes.
pub async fn release_backlog(
    ledger: &dyn Ledger,
    calendar: &CalendarName,
    only: Option<&[DeliveryId]>,
    now: DateTime<Utc>,
    actor: &str,
) -> Result<Vec<Delivery>, LedgerError> {
    let query = Query { calendar: Some(calendar.clone()), states: vec![State::Held], ..Query::default() };
    let mut released = Vec::new();
    for row in ledger.deliveries(&query).await? {
        let held = row.reason.as_ref().map(|reason| reason.code);
        if !matches!(held, Some(ReasonCode::FirstRun | ReasonCode::Late))
            || only.is_some_and(|only| !only.contains(&row.id))
        {
            continue;
        }
        if let Ok((delivery, event)) = person(&row, &PersonCommand::Release, now, actor) {
            let write = Write::new(delivery.clone(), row.version, event);
            if ledger.write(&[write]).await?.first() == Some(&Written::Done) {
                released.push(delivery);
            }
        }
    }
    Ok(released)
}

/// Waits until another process has settled these deliveries, at most until `deadline`, and gives them as they are then.
/// An unknown that only a person can settle counts as settled; so does one that waits for its next attempt.
pub async fn wait_for(
    ledger: &dyn Ledger,
    clock: &dyn Clock,
    ids: &[DeliveryId],
    deadline: DateTime<Utc>,
) -> Result<Vec<Delivery>, LedgerError> {
    loop {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            rows.extend(ledger.delivery(*id).await?);
        }
        let now = clock.now();
        let settled = rows.len() == ids.len() && rows.iter().all(|row| is_settled(row, now));
        if settled || now >= deadline {
            return Ok(rows);
        }
        clock.sleep_until((now + READ_AGAIN).min(deadline)).await;
    }
}

fn is_settled(row: &Delivery, now: DateTime<Utc>) -> bool {
    match row.state {
        State::Claimed | State::Sending => false,
        State::Planned => row.ready_at() > now,
        State::Unknown => row.unknown.as_ref().is_none_or(|unknown| unknown.next_look.is_none()),
        _ => true,
    }
}
