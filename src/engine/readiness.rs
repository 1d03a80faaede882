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

    /// Nothing can be published. A process that stops does not recover.
    pub(super) fn troubled(&self, trouble: Trouble) {
        self.lock().trouble = Some(trouble);
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
        let beat = *self.pulse.lock();
        let hangs = beat.busy.and_then(|since| self.clock.elapsed().checked_sub(since)).filter(|time| *time >= HANGS);
        let stopping = self.is_stopping().then_some(Trouble::Stopping);
        Readiness { trouble: stopping.or(hangs.map(Trouble::Hanging)).or(beat.trouble), turned: beat.turned }
    }
}
