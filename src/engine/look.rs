//! Looks up an unknown, and sends the same request again where that is right.

use chrono::{DateTime, TimeDelta, Utc};

use super::Engine;
use super::core::{self, Input, Next};
use super::dark;
use super::driver::delta;
use super::links::Trouble;
use super::record::Halt;
use crate::adapter::{Fault, Refusal, RepeatSafety, Verdict};
use crate::ledger::{LedgerError, Query, Written};
use crate::model::{Account, Delivery, State};
use crate::trial::point;

/// Among so many deliveries of the account, the latest due, one is looked for that has brought what a look has found.
const ALIKE: usize = 1_000;

/// An account that is busy is asked for again after this long.
const BUSY_AGAIN: TimeDelta = TimeDelta::seconds(5);

impl Engine {
    /// Looks up an unknown whose time to be looked up has come, and sends the same request again where that is right.
    /// Several processes may look at once: only one of them writes what it saw.
    pub async fn settle(&self, row: Delivery) {
        let id = row.id;
        match self.try_settle(&row).await {
            Ok(()) => {}
            Err(Halt::Stale) => tracing::info!(delivery = %id.short(), "somebody else has settled it"),
            Err(Halt::Ledger(error)) => {
                tracing::error!(delivery = %id.short(), %error, "the ledger does not answer; nothing is sent");
                // Had the repeat been written after all, it was not sent.
                self.give_back(&row).await;
            }
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
                self.doubt_link(row, &fault).await;
                self.advance(row, &Input::NotLooked(fault), &rules).await?;
                return Ok(());
            }
            Err(Trouble::Changed(message)) => {
                self.advance(row, &Input::AccountChanged(message), &rules).await?;
                return Ok(());
            }
            Err(Trouble::Ledger(error)) => return Err(error.into()),
        };
        let rules = self.rules(self.aged(row, link.class(rules.class)));
        point("look");
        let looked = tokio::select! {
            biased;
            looked = link.api.reconcile(&intent.frozen, self.began(intent.first_at)) => looked,
            () = self.clock.wait(self.settings().timeout) => Err(Fault::NotSent("no answer in time".to_owned())),
        };
        let input = match looked {
            Ok(verdict) => Input::Looked(self.own(row, verdict, rules.class).await?),
            Err(fault) => {
                self.doubt_link(row, &fault).await;
                Input::NotLooked(fault)
            }
        };
        point("looked");
        let (row, next) = self.advance(row, &input, &rules).await?;
        self.begun.left(&row);
        if next != Next::Repeat || self.is_stopping() || self.clock_doubt().is_some() {
            return Ok(());
        }
        let now = self.now();
        if !core::may_repeat(&row, &rules, now) {
            return Ok(());
        }
        if let Some(until) = dark::until(&row, account, now) {
            self.advance(&row, &Input::Dark { until }, &rules).await?;
            return Ok(());
        }
        if let Some(at) = self.free_at(&row, account, now).await? {
            self.advance(&row, &Input::NotYet(at), &rules).await?;
            return Ok(());
        }
        let leased = self.clock.elapsed();
        let (sending, event, _) = core::step(&row, &Input::Repeat { owner: self.owner.clone() }, &rules, now);
        let row = match self.store(&row, sending.clone(), event).await? {
            Written::Done => Delivery { version: row.version + 1, ..sending },
            Written::AlreadyOut { by, receipt } => {
                let plan = row.plan.clone().unwrap_or_default();
                self.advance(&row, &Input::AlreadyOut { by, plan, receipt }, &rules).await?;
                return Ok(());
            }
            Written::Stale => {
                // The row has moved on; or it has not, and the ledger found its account busy.
                self.advance(&row, &Input::NotYet(now + BUSY_AGAIN), &rules).await?;
                return Ok(());
            }
        };
        point("repeat-written");
        // More parts are not sent from here: they are claimed as those of any other thread.
        if let Some((row, Next::GoOn)) = self.send(&row, &link, &rules, leased).await {
            self.advance(&row, &Input::GivenBack("its next part is due".to_owned()), &rules).await?;
        }
        Ok(())
    }

    /// When a call began by anybody's clock, at the earliest. The clock that stamped it may have been ahead of the network's,
    /// by as much as is believed without a question or as it is now: a look that begins too late finds nothing, and what it
    /// has not found would be sent again.
    fn began(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let now = self.now();
        let ahead =
            self.connector.server_time().map_or(TimeDelta::zero(), |server| (now - server).max(TimeDelta::zero()));
        at.min(now) - super::jump::FORWARD - ahead
    }

    /// Credentials that are no good are read anew before the next look: a person may have mended them meanwhile.
    async fn doubt_link(&self, row: &Delivery, fault: &Fault) {
        if matches!(fault, Fault::Refused { refusal: Refusal::Credentials | Refusal::Secret, .. }) {
            self.forget(&row.account).await;
        }
    }

    /// A post that is like this one and was brought by another delivery is not this one: two posts of a series may say the
    /// same, and a look at a list cannot tell them apart.
    async fn own(&self, row: &Delivery, verdict: Verdict, class: RepeatSafety) -> Result<Verdict, LedgerError> {
        let Verdict::Done(receipt) = &verdict else { return Ok(verdict) };
        if matches!(class, RepeatSafety::ContentAddressed | RepeatSafety::ChosenId) {
            // Found by its name, which no other has.
            return Ok(verdict);
        }
        let query = Query { account: Some(row.account.clone()), latest: Some(ALIKE), ..Query::default() };
        let others = self.ledger.deliveries(&query).await?;
        let taken = |other: &&Delivery| {
            other.receipts.iter().any(|theirs| theirs.id == receipt.id)
                || (other.post == row.post && other.intent.is_some())
        };
        Ok(match others.iter().filter(|other| other.id != row.id).find(taken) {
            None => verdict,
            Some(other) => {
                let why = format!("what is there is, or may be, what the delivery {} brought", other.id.short());
                Verdict::CannotTell { why }
            }
        })
    }

    /// When the account may send again, if not now: a repeat keeps order and spacing as any other call.
    async fn free_at(
        &self,
        row: &Delivery,
        account: &Account,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        let states = vec![State::Claimed, State::Sending];
        let query = Query { account: Some(account.name.clone()), states, ..Query::default() };
        if self.ledger.deliveries(&query).await?.iter().any(|other| other.id != row.id) {
            return Ok(Some(now + BUSY_AGAIN));
        }
        let Some(spacing) = account.spacing else { return Ok(None) };
        let last = self.ledger.account(&account.name).await?.last_sent;
        Ok(last.map(|last| last + delta(spacing)).filter(|free| *free > now))
    }
}
