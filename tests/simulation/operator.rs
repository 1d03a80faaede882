//! The person: truthful, patient, and not always wise.
//!
//! Who resolves an unknown has looked at the account, long enough after the call that nothing of it can still be on its
//! way.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use smm::engine::core::open_part;
use smm::engine::{PersonCommand, adopt, person};
use smm::ledger::memory::{Around, Call, Machine, MemoryLedger};
use smm::ledger::{Age, Ledger as _, LedgerError, Query, Write, Written};
use smm::model::{AccountName, Delivery, ReasonCode, State};

use super::link::Networks;
use super::stage::{Stage, locked};
use super::witness::Witness;

/// A person looks at an account not sooner than this after the call.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// The person.
pub(crate) struct Operator {
    pub(crate) stage: Arc<Stage>,
    pub(crate) ledger: MemoryLedger,
    pub(crate) networks: Arc<Networks>,
    pub(crate) witness: Arc<Witness>,
}

impl Operator {
    /// The ledger was set back to an older state. `machine`: what its machine remembers.
    pub(crate) async fn restored(&self, machine: &Arc<Machine>) {
        *locked(&self.witness.restored) = true;
        let age = self.witness.store.open_on(Arc::clone(machine), Arc::new(Sound)).age().await;
        // When nothing was sent since, it is as good as the other one.
        if matches!(age, Ok(Age::Older { .. })) {
            self.stage.fault("older ledger");
            *locked(&self.witness.older) = true;
        }
    }

    /// Takes the ledger as it is, as `smm ledger adopt` on its machine does.
    pub(crate) async fn adopt(&self, machine: &Arc<Machine>) {
        if !*locked(&self.witness.older) {
            return;
        }
        let ledger = self.witness.store.open_on(Arc::clone(machine), Arc::new(Sound));
        let held = adopt(&ledger, self.stage.now(), "ann").await.expect("a ledger without faults");
        self.stage.say(format_args!("ann: adopts the ledger, {} deliveries wait for her", held.len()));
        self.stage.count("ledgers adopted");
        *locked(&self.witness.older) = false;
        self.ring().await;
    }

    async fn rows(&self) -> Vec<Delivery> {
        self.ledger.deliveries(&Query::default()).await.expect("a ledger without faults")
    }

    /// Does something to a delivery, if it is allowed and nobody was faster.
    pub(crate) async fn command(&self, row: &Delivery, command: &PersonCommand) -> bool {
        let now = self.stage.now();
        let sends = matches!(command, PersonCommand::Retry | PersonCommand::Release);
        let is_out = || self.networks[row.network.as_str()].find(row.id, open_part(row)).is_some();
        // After a restore she looks at the account first.
        if sends && *locked(&self.witness.restored) && is_out() {
            return false;
        }
        let Ok((after, event)) = person(row, command, now, "ann") else { return false };
        self.stage.say(format_args!("ann: {command:?} for {}", row.id.short()));
        let written =
            self.ledger.write(&[Write::new(after, row.version, event)]).await.expect("a ledger without faults");
        let done = written == [Written::Done];
        if done {
            self.witness.person(row.id);
            self.stage.count("commands of a person");
            self.ring().await;
        }
        done
    }

    pub(crate) async fn ring(&self) {
        self.ledger.ring().await.expect("a bell");
    }

    /// Does something to some delivery, whatever state it is in.
    pub(crate) async fn meddle(&self) {
        let rows = self.rows().await;
        if rows.is_empty() {
            return;
        }
        let row = self.stage.dice.pick(&rows).clone();
        let command = match self.stage.dice.below(3) {
            0 => PersonCommand::Cancel,
            1 => PersonCommand::Retry,
            _ => PersonCommand::Release,
        };
        self.command(&row, &command).await;
    }

    /// Pauses or resumes an account, or everything.
    pub(crate) async fn pause(&self, account: Option<&AccountName>, on: bool) {
        let whom = account.map_or("everything", AccountName::as_str);
        self.stage.say(format_args!("ann: {} {whom}", if on { "pauses" } else { "resumes" }));
        let paused = on.then(|| (self.stage.now(), "a holiday".to_owned()));
        self.ledger.pause(account, paused).await.expect("a ledger without faults");
        self.ring().await;
    }

    /// Sees to everything that waits for a person. `all`: leaves nothing for later.
    pub(crate) async fn sweep(&self, all: bool) {
        let now = self.stage.now();
        let rows = self.rows().await;
        for row in rows.iter().filter(|row| row.state == State::Unknown) {
            // Looks that fail for want of a token say so in the status.
            self.renew(&row.account);
        }
        for row in rows {
            if !row.state.needs_person() || !(all || self.stage.dice.chance(700)) {
                continue;
            }
            match row.state {
                State::Unknown => self.resolve(&row, now).await,
                State::Held => self.release(&row).await,
                // What failed or was missed stays so, as a rule.
                _ if !all && self.stage.dice.chance(200) => {
                    self.command(&row, &PersonCommand::Retry).await;
                }
                _ => {}
            }
        }
    }

    async fn resolve(&self, row: &Delivery, now: DateTime<Utc>) {
        let (Some(unknown), Some(intent)) = (&row.unknown, &row.intent) else { return };
        if unknown.next_look.is_some() || now - intent.at.max(unknown.since) < PATIENCE {
            return;
        }
        let found = self.networks[row.network.as_str()].find(row.id, intent.frozen.part);
        let command = match found {
            Some(held) => PersonCommand::ResolvePublished { url: held.id },
            None => PersonCommand::ResolveNotPublished,
        };
        if self.command(row, &command).await {
            self.stage.count("unknowns that a person settled");
        }
    }

    async fn release(&self, row: &Delivery) {
        let command = match row.reason.as_ref().map(|reason| reason.code) {
            Some(ReasonCode::Credentials | ReasonCode::Secret | ReasonCode::AccountChanged) => {
                self.renew(&row.account);
                PersonCommand::Retry
            }
            Some(ReasonCode::LedgerOlder) => match self.networks[row.network.as_str()].find(row.id, open_part(row)) {
                Some(held) => PersonCommand::ResolvePublished { url: held.id },
                None => PersonCommand::Retry,
            },
            Some(ReasonCode::Late | ReasonCode::FirstRun) if self.stage.dice.chance(500) => PersonCommand::Release,
            _ if self.stage.dice.chance(500) => PersonCommand::Cancel,
            _ => PersonCommand::Retry,
        };
        self.command(row, &command).await;
    }

    /// Puts a good token of the right account into its file.
    pub(crate) fn renew(&self, account: &AccountName) {
        for network in self.networks.values().filter(|network| network.knows(account)) {
            if network.owner(account, network.token(account)).as_deref() != Some(&uid(account)) {
                self.stage.say(format_args!("ann: a new token for {account}"));
                network.issue(account, &uid(account));
            }
        }
    }
}

/// A handle on which everything works.
struct Sound;

#[async_trait]
impl Around for Sound {
    async fn before(&self, _: Call) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn after(&self, _: Call) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// The identity that an account is meant to be.
pub(crate) fn uid(account: &AccountName) -> String {
    format!("did:{account}")
}
