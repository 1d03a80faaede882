//! Writes what the [`super::core`] has decided, and goes on until what came of a call is written: it cannot be had a
//! second time.

use std::time::Duration;

use super::core::late::{self, Late};
use super::core::{self, Input, Next, Rules};
use super::{Engine, Trouble, alerts};
use crate::adapter::{Fault, Refusal};
use crate::ledger::{LedgerError, Write, Written};
use crate::model::{Delivery, Event, State};
use crate::time::Blackout;
use crate::trial::{Guard, point};

/// What the ledger does not take is offered to it again after at most so long.
const INSIST: Duration = Duration::from_secs(30);

/// Why a delivery was left where it is.
#[derive(Debug)]
pub(super) enum Halt {
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

impl Engine {
    /// Computes the next row and stores it.
    pub(super) async fn advance(&self, row: &Delivery, input: &Input, rules: &Rules) -> Result<(Delivery, Next), Halt> {
        let instead = self.heed(row, input).await;
        let input = instead.as_ref().unwrap_or(input);
        let (after, event, next) = core::step(row, input, rules, self.now());
        self.obey(row, input, &after).await;
        let (kind, detail) = (event.kind.clone(), event.detail.clone());
        match self.store(row, after.clone(), event).await? {
            Written::Done => {
                self.times.note(row.state, &after);
                report(&after, &kind, &detail);
                Ok((Delivery { version: row.version + 1, ..after }, next))
            }
            Written::Stale | Written::AlreadyOut { .. } => Err(Halt::Stale),
        }
    }

    /// Stores the next row over the one that was read, and what somebody has to be told of it.
    pub(super) async fn store(&self, row: &Delivery, after: Delivery, event: Event) -> Result<Written, LedgerError> {
        let (id, at) = (row.id, event.at);
        let hours = self.world().accounts.get(&row.account).and_then(Blackout::of);
        let alert = alerts::of(Some(row), &after, &event, hours.as_ref());
        let rings = alert.is_some();
        let mut write = Write { alert, ..Write::new(after, row.version, event) };
        let mut written =
            self.ledger.write(std::slice::from_ref(&write)).await.inspect_err(|error| self.heed_loss(error))?.pop();
        if written == Some(Written::Stale)
            && !Guard::Fence.holds()
            && let Some(fresh) = self.ledger.delivery(id).await?
        {
            (write.expect, write.delivery.fence) = (fresh.version, fresh.fence);
            written = self.ledger.write(&[write]).await?.pop();
        }
        if written == Some(Written::Done) {
            self.trust().recorded(at);
            if rings {
                self.alarm.ring();
            }
        }
        Ok(written.unwrap_or(Written::Stale))
    }

    /// Stores what came of a call, whatever it takes. A daemon does so until it is stopped: in an exclusive ledger nobody
    /// else takes the delivery for lost meanwhile; in a shared one it is told late then. A pass has
    /// [`Engine::patience`]; what it could not store is left to the next start. `None`: there is nothing to go on with.
    pub(super) async fn insist(
        &self,
        row: &Delivery,
        input: Input,
        rules: &Rules,
    ) -> Result<Option<(Delivery, Next)>, LedgerError> {
        let (sent, mut row, mut input) = (row, row.clone(), input);
        let mut wait = Duration::from_millis(100);
        let begun = self.clock.elapsed();
        loop {
            let failed = match self.advance(&row, &input, rules).await {
                Ok(done) => {
                    point("recorded");
                    return Ok(Some(done));
                }
                Err(Halt::Stale) => match self.ledger.delivery(row.id).await {
                    Ok(Some(fresh)) => match late::late(sent, &row, &fresh, &input, rules, self.now()) {
                        Late::Written(next) => return Ok(Some((fresh, next))),
                        Late::Write(late) => {
                            (row, input) = (fresh, late);
                            continue;
                        }
                        Late::Wait => LedgerError::Busy("another attempt is under way".to_owned()),
                        Late::Nothing => {
                            tracing::warn!(delivery = %row.id.short(), state = %fresh.state, ?input, "an answer came for a delivery that has moved on");
                            return Ok(None);
                        }
                    },
                    Ok(None) => return Ok(None),
                    Err(error) => error,
                },
                Err(Halt::Ledger(error)) => error,
            };
            tracing::error!(
                delivery = %row.id.short(), error = %failed, answer = ?input,
                "what came of a call cannot be written down; trying again, nothing is sent again"
            );
            self.be_patient(begun, failed)?;
            self.clock.wait(wait).await;
            wait = (wait * 2).min(INSIST);
        }
    }

    /// That the ledger must not be gone on with is remembered: whoever runs this engine stops ([`Engine::is_lost`]).
    pub(super) fn heed_loss(&self, error: &LedgerError) {
        self.pulse.troubled(Trouble::from(error));
        if matches!(error, LedgerError::Gone(_)) {
            self.lost.send_if_modified(|lost| lost.is_none() && lost.replace(error.clone()).is_none());
        }
    }

    /// Waits until this process must not go on with its ledger, and says why.
    pub(super) async fn is_lost(&self) -> LedgerError {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await.map(|lost| lost.clone()) {
            Ok(Some(error)) => error,
            // The sender lives as long as the engine.
            _ => std::future::pending().await,
        }
    }

    /// Whether what failed since `begun` is tried again; when not, all that is under way comes to its end.
    fn be_patient(&self, begun: Duration, failed: LedgerError) -> Result<(), LedgerError> {
        if self.patience.get().is_none_or(|patience| self.clock.elapsed() < begun + *patience) {
            return Ok(());
        }
        self.lost.send_if_modified(|lost| lost.is_none() && lost.replace(failed.clone()).is_none());
        Err(failed)
    }

    /// Frees a delivery whose row could not be written: nothing was sent for it. Where the ledger must not be gone on with
    /// it stays as it is: nothing is begun there any more, and the next start finds it.
    pub(super) async fn give_back(&self, ours: &Delivery) {
        let rules = self.rules(self.connector.repeat(&ours.network));
        let mut wait = Duration::from_millis(100);
        let begun = self.clock.elapsed();
        loop {
            if self.lost.borrow().is_some() {
                return;
            }
            self.clock.wait(wait).await;
            wait = (wait * 2).min(INSIST);
            let row = match self.ledger.delivery(ours.id).await {
                Ok(Some(row)) => row,
                Ok(None) => return,
                Err(error) => {
                    self.heed_loss(&error);
                    if self.be_patient(begun, error).is_err() {
                        return;
                    }
                    continue;
                }
            };
            if row.fence != ours.fence || row.owner.as_ref() != Some(&self.owner) {
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
                Err(Halt::Stale) => {}
                Err(Halt::Ledger(error)) => {
                    tracing::error!(delivery = %row.id.short(), %error, "cannot be given back yet");
                    if self.be_patient(begun, error).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// A row that was `claimed` or `sending` when its process ended, as it is then.
    pub(super) async fn owner_lost(&self, row: &Delivery) -> Result<Option<Delivery>, LedgerError> {
        let rules = self.rules(self.connector.repeat(&row.network));
        let mut row = row.clone();
        loop {
            row = match self.advance(&row, &self.recall(&row), &rules).await {
                // Its part is out, and nobody is there to go on with the next one.
                Ok((row, _)) if row.state == State::Claimed => row,
                Ok((row, _)) => return Ok(Some(row)),
                Err(Halt::Stale) => return Ok(None),
                Err(Halt::Ledger(error)) => return Err(error),
            };
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

    /// Something before the call went wrong.
    pub(super) async fn not_prepared(&self, row: &Delivery, fault: Fault, rules: &Rules) -> Result<(), Halt> {
        if matches!(fault, Fault::Refused { refusal: Refusal::Credentials | Refusal::Secret, .. }) {
            self.forget(&row.account).await;
            self.waiting.refused(&row.account, false, self.clock.elapsed());
        }
        self.advance(row, &Input::NotPrepared(fault), rules).await?;
        Ok(())
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
