//! Whether the clock is to be believed. One that has jumped would make posts go out early, or be taken for late: then
//! nothing is begun until the network says the same time, or the clock has come back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Engine;
use super::connect::Folders;
use super::core::utc;
use crate::ledger::{Alert, LedgerError};

/// A step forward by more than this is not believed at once.
pub(super) const FORWARD: TimeDelta = TimeDelta::minutes(10);

/// Nor is a time by more than this before the last line of the history.
const BACK: TimeDelta = TimeDelta::minutes(5);

/// So far may the time that a network's server tells be from the clock's.
const AGREES: TimeDelta = TimeDelta::minutes(2);

/// How often a server is asked.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// How long it is waited for: meanwhile nothing else is done.
const ASK_LIMIT: Duration = Duration::from_secs(5);

/// What is known of the clock. Pure: told what it shows and how much time has passed.
#[derive(Debug, Default)]
pub(super) struct Trust {
    /// What it showed when it was last believed, and the time that had passed until then.
    believed: Option<(DateTime<Utc>, Duration)>,
    /// The latest line of the history.
    recorded: Option<DateTime<Utc>>,
    /// It is doubted, and this has been told.
    told: bool,
    /// When a server was last asked, and how many were.
    asked: Option<Duration>,
    asks: usize,
}

/// Why the clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It shows so much more than the time that has passed.
    Forward(TimeDelta),
    /// It shows so much less than the history.
    Back(TimeDelta),
}

impl Trust {
    /// Looks at the clock.
    pub(super) fn look(&mut self, now: DateTime<Utc>, elapsed: Duration) -> Option<Doubt> {
        if let Some((at, then)) = self.believed {
            let passed = TimeDelta::from_std(elapsed.saturating_sub(then)).unwrap_or_default();
            let ahead = now - (at + passed);
            if ahead > FORWARD {
                return Some(Doubt::Forward(ahead));
            }
        }
        self.believed = Some((now, elapsed));
        let behind = self.recorded.map_or(TimeDelta::zero(), |recorded| recorded - now);
        (behind > BACK).then_some(Doubt::Back(behind))
    }

    /// The history has a line of this time.
    pub(super) fn recorded(&mut self, at: DateTime<Utc>) {
        self.recorded = self.recorded.max(Some(at));
    }

    /// What it shows is right, whatever was thought before.
    fn believe(&mut self, now: DateTime<Utc>, elapsed: Duration) {
        self.believed = Some((now, elapsed));
        self.recorded = self.recorded.map(|at| at.min(now));
    }
}

impl Engine {
    /// Whether anything may be begun by the clock as it is. Asks a network's server when it is doubted.
    pub async fn is_clock_sound(&self) -> Result<bool, LedgerError> {
        let (now, elapsed) = (self.now(), self.clock.elapsed());
        let (doubt, told, ask) = {
            let mut trust = self.trust();
            let doubt = trust.look(now, elapsed);
            let told = std::mem::replace(&mut trust.told, doubt.is_some());
            let ask = trust.asked.is_none_or(|asked| !told || elapsed >= asked + ASK_AGAIN);
            (doubt, told, ask)
        };
        let Some(doubt) = doubt else {
            if told {
                self.believe_again("has come back");
            }
            return Ok(true);
        };
        if !told {
            self.tell(doubt, now).await?;
        }
        if !ask {
            return Ok(false);
        }
        let theirs = self.ask_server().await;
        let (now, elapsed) = (self.now(), self.clock.elapsed());
        match theirs {
            Some(theirs) if (theirs - now).abs() <= AGREES => {
                self.trust().believe(now, elapsed);
                self.believe_again("is right: a server shows the same time");
                Ok(true)
            }
            Some(theirs) => {
                tracing::error!(server = %theirs, machine = %now, "the machine's clock is wrong; nothing is sent");
                Ok(false)
            }
            None => Ok(false),
        }
    }

    /// Why nothing may be sent by the clock just now, if so. Asks nobody.
    pub(super) fn clock_doubt(&self) -> Option<Doubt> {
        let (now, elapsed) = (self.now(), self.clock.elapsed());
        self.trust().look(now, elapsed)
    }

    /// Before anything else: reads the ledger's clock, where it has one, and takes the clock as it is when the process
    /// begins, save that the history must not be ahead of it. Nobody but this machine writes the history of an exclusive
    /// ledger; others may have clocks of their own.
    pub async fn begin(&self) -> Result<(), LedgerError> {
        self.sync().await?;
        let last = if self.ledger.is_exclusive() { self.ledger.events(None, 1).await? } else { Vec::new() };
        let (now, elapsed) = (self.now(), self.clock.elapsed());
        let mut trust = self.trust();
        trust.believe(now, elapsed);
        if let Some(event) = last.first() {
            trust.recorded(event.at);
        }
        Ok(())
    }

    async fn tell(&self, doubt: Doubt, now: DateTime<Utc>) -> Result<(), LedgerError> {
        let message = match doubt {
            Doubt::Forward(by) => {
                format!("the clock of {} jumped forward by {} minutes, to {}", self.owner, by.num_minutes(), utc(now))
            }
            Doubt::Back(by) => {
                let (by, now) = (by.num_minutes(), utc(now));
                format!("the clock of {} shows {now}, {by} minutes before what was recorded last", self.owner)
            }
        };
        tracing::error!("{message}; nothing is sent until a network's server shows the same time, or it comes back");
        let help = "set the machine's clock (`timedatectl`); if it is right, nothing need be done when an account's \
                    server can be reached, else start smm again";
        self.ledger
            .raise(&Alert {
                key: format!("clock/jump/{}", now.format("%Y-%m-%dT%H:%M")),
                at: now,
                tell_at: now,
                delivery: None,
                kind: "clock".to_owned(),
                message: format!("{message}: nothing is sent"),
                help: help.to_owned(),
            })
            .await?;
        self.alarm.ring();
        Ok(())
    }

    fn believe_again(&self, why: &str) {
        self.trust().told = false;
        tracing::warn!("the clock {why}; going on");
        // Nothing was planned meanwhile.
        self.outdate();
    }

    /// The time of the server of one of the accounts, by a fresh who-am-I; of another account each time.
    async fn ask_server(&self) -> Option<DateTime<Utc>> {
        let world = self.world();
        let number = {
            let mut trust = self.trust();
            trust.asked = Some(self.clock.elapsed());
            trust.asks += 1;
            trust.asks - 1
        };
        let count = world.accounts.len();
        let account = world.accounts.values().nth(number.checked_rem(count)?)?;
        let media = world.calendar.as_ref().map_or_else(|| world.folder.clone(), |calendar| calendar.folder.clone());
        let folders = Folders { media, files: world.folder.clone() };
        self.forget(&account.name).await;
        tokio::select! {
            biased;
            // Whoever it turns out to be: its server has told the time.
            _ = self.link(account, &folders) => {}
            () = self.clock.wait(ASK_LIMIT) => {}
        }
        self.connector.server_time()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{after, start};
    use super::*;

    const BEGIN: Duration = Duration::from_secs(100);

    fn at(seconds: u64) -> Duration {
        BEGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn time_that_passes_is_no_jump_however_long() {
        let mut trust = Trust::default();
        assert_eq!(trust.look(start(), BEGIN), None);
        // Asleep for eight hours.
        assert_eq!(trust.look(after(28_800), at(28_800)), None);
        // Set by a little.
        assert_eq!(trust.look(after(28_800 + 600), at(28_800)), None);
        assert_eq!(trust.look(after(28_800), at(28_800)), None);
    }

    #[test]
    fn a_jump_forward_is_doubted_until_it_comes_back() {
        let mut trust = Trust::default();
        assert_eq!(trust.look(start(), BEGIN), None);
        for seconds in [1, 60, 7200] {
            let shown = after(i64::try_from(seconds).expect("small") + 601);
            assert_eq!(trust.look(shown, at(seconds)), Some(Doubt::Forward(TimeDelta::seconds(601))));
        }
        assert_eq!(trust.look(after(7260), at(7260)), None);
    }

    #[test]
    fn a_time_before_the_history_is_doubted() {
        let mut trust = Trust::default();
        trust.recorded(start());
        trust.recorded(after(-60));
        assert_eq!(trust.look(after(-300), BEGIN), None);
        assert_eq!(trust.look(after(-301), at(1)), Some(Doubt::Back(TimeDelta::seconds(301))));
        assert_eq!(trust.look(after(-299), at(3)), None);
        trust.look(after(-9000), at(4));
        trust.believe(after(-9000), at(4));
        assert_eq!(trust.look(after(-8999), at(5)), None, "a server has said that it is right");
    }
}
