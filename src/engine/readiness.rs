//! Whether the daemon can publish, as it was last seen: for whoever asks it from outside.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Engine;
use crate::ledger::LedgerError;

/// A turn of the daemon's loop that takes longer hangs: on a ledger or a disk that does not answer.
const HANGS: Duration = Duration::from_secs(30);

/// Why nothing can be published. Its text holds no path, no address and nothing of a post: the log has these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// What earlier processes have left is not settled yet, or the calendar not planned.
    Starting,
    /// The ledger is older than what was seen of it: a person has to adopt it.
    LedgerOlder,
    /// The ledger's disk is full.
    DiskFull,
    /// The ledger does not answer, or not as it should.
    Ledger,
    /// The ledger must not be gone on with.
    LedgerGone,
    /// The machine's clock is not to be believed.
    Clock,
    /// Told to stop.
    Stopping,
    /// The daemon's loop has not come to its end for so long.
    Hanging(Duration),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::LedgerOlder => {
                f.write_str("the ledger is older than what was seen of it; a person has to run `smm ledger adopt`")
            }
            Self::DiskFull => f.write_str("the ledger's disk is full"),
            Self::Ledger => f.write_str("the ledger does not answer"),
            Self::LedgerGone => f.write_str("the ledger must not be gone on with; the log says why"),
            Self::Clock => f.write_str("the machine's clock is not to be believed"),
            Self::Stopping => f.write_str("stopping"),
            Self::Hanging(time) => write!(f, "the daemon has been busy with one thing for {} s", time.as_secs()),
        }
    }
}

impl From<&LedgerError> for Trouble {
    fn from(error: &LedgerError) -> Self {
        match error {
            LedgerError::Full(_) => Self::DiskFull,
            LedgerError::Gone(_) => Self::LedgerGone,
            LedgerError::Busy(_) | LedgerError::Newer(_) | LedgerError::Storage(_) | LedgerError::Corrupt(_) => {
                Self::Ledger
            }
        }
    }
}

/// What the daemon's loop tells of itself.
#[derive(Debug)]
pub(super) struct Pulse(Mutex<Beat>);

#[derive(Debug, Clone, Copy)]
struct Beat {
    /// Nothing can be published for this reason.
    trouble: Option<Trouble>,
    /// Since when the loop is at work, by the time that has passed; `None`: it waits for something to happen.
    busy: Option<Duration>,
    /// When a turn of the loop last did what was to be done.
    turned: Option<DateTime<Utc>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(Mutex::new(Beat { trouble: Some(Trouble::Starting), busy: None, turned: None }))
    }
}

impl Pulse {
    fn lock(&self) -> MutexGuard<'_, Beat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop is at work from now on.
    pub(super) fn begins(&self, elapsed: Duration) {
        self.lock().busy = Some(elapsed);
    }

    /// The loop waits for something to happen.
    pub(super) fn rests(&self) {
        self.lock().busy = None;
    }

    /// A turn has done what was to be done.
    pub(super) fn turned(&self, now: DateTime<Utc>) {
        let mut beat = self.lock();
        (beat.trouble, beat.turned) = (None, Some(now));
    }

    /// Nothing can be published until a turn has done what was to be done.
    pub(super) fn troubled(&self, trouble: Trouble) {
        self.lock().trouble = Some(trouble);
    }

    /// How it is, at this time that has passed.
    fn readiness(&self, elapsed: Duration, stopping: bool) -> Readiness {
        let beat = *self.lock();
        let busy = beat.busy.and_then(|since| elapsed.checked_sub(since)).filter(|time| *time >= HANGS);
        let stopping = stopping.then_some(Trouble::Stopping);
        Readiness { trouble: stopping.or(busy.map(Trouble::Hanging)).or(beat.trouble), turned: beat.turned }
    }
}

/// How the daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// Why nothing can be published; `None`: it can.
    pub trouble: Option<Trouble>,
    /// When the daemon last did what was to be done. An idle one sleeps until something is.
    pub turned: Option<DateTime<Utc>>,
}

impl Engine {
    /// How the daemon that runs this engine is. Asks nobody.
    pub fn readiness(&self) -> Readiness {
        self.pulse.readiness(self.clock.elapsed(), self.is_stopping())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_after_a_turn_and_not_while_it_hangs() {
        let (pulse, now) = (Pulse::default(), DateTime::UNIX_EPOCH);
        let trouble = |seconds: u64| pulse.readiness(Duration::from_secs(seconds), false).trouble;
        pulse.begins(Duration::from_secs(10));
        assert_eq!(trouble(11), Some(Trouble::Starting));
        pulse.turned(now);
        pulse.rests();
        assert_eq!((trouble(12), trouble(1_000_000)), (None, None), "an idle one may sleep for ever");
        pulse.begins(Duration::from_secs(2_000_000));
        assert_eq!(trouble(2_000_029), None);
        assert_eq!(trouble(2_000_030), Some(Trouble::Hanging(HANGS)));
        pulse.rests();
        pulse.troubled(Trouble::from(&LedgerError::Full("/var/lib/smm/ledger.db".to_owned())));
        assert_eq!(trouble(2_000_031), Some(Trouble::DiskFull));
        pulse.turned(now);
        assert_eq!(trouble(2_000_032), None, "there is room again");
        let stopping = pulse.readiness(Duration::ZERO, true);
        assert_eq!(stopping, Readiness { trouble: Some(Trouble::Stopping), turned: Some(now) });
    }

    #[test]
    fn words_say_nothing_of_where_and_what() {
        let secret = "postgres://smm:pw@db/smm";
        for error in [
            LedgerError::Busy(secret.to_owned()),
            LedgerError::Storage(secret.to_owned()),
            LedgerError::Gone(secret.to_owned()),
            LedgerError::Corrupt(secret.to_owned()),
        ] {
            assert!(!Trouble::from(&error).to_string().contains("postgres"));
        }
    }
}
