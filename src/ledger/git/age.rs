//! Whether the ledger is as new as what this machine has seen of it.
//!
//! A ledger goes on from commit to commit. One whose commit does not come after the one that was seen last was set back,
//! deleted or replaced. This machine's mark keeps that commit, with its number, the number of calls and the ledger's name;
//! `smm ledger gc` cuts histories off, and says up to which number.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use super::layout::Whole;
use super::objects;
use super::program::Git;
use super::trouble::Trouble;
use crate::ledger::{Age, LedgerError, Mark, MarkFile, Result};
use crate::trial::Guard;

/// What was seen of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Its name.
    pub(super) instance: String,
    /// How many commits it had.
    pub(super) serial: u64,
    /// The last of them; `None`: there was none.
    pub(super) head: Option<String>,
    /// How many calls it knew of.
    pub(super) sequence: u64,
    /// The last of them.
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) unreadable: bool,
}

impl Seen {
    pub(super) fn of(head: Option<&str>, whole: &Whole) -> Self {
        Self {
            instance: whole.facts.instance.clone(),
            serial: whole.facts.serial,
            head: head.map(str::to_owned),
            sequence: whole.tables.sequence,
            at: whole.tables.last_intent,
            unreadable: false,
        }
    }

    /// From a mark's file.
    fn from(mark: &Mark) -> Self {
        let mut words = mark.instance.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (instance, serial, head) = (word(), word().parse(), word());
        Self {
            unreadable: mark.is_unreadable() || serial.is_err(),
            instance,
            serial: serial.unwrap_or(0),
            head: Some(head).filter(|head| !head.is_empty()),
            sequence: mark.sequence,
            at: mark.at,
        }
    }

    /// For a mark's file.
    fn kept(&self) -> Mark {
        let instance = format!("{} {} {}", self.instance, self.serial, self.head.as_deref().unwrap_or_default());
        Mark { instance, sequence: self.sequence, at: self.at }
    }

    /// For people.
    fn shown(&self) -> Mark {
        if self.unreadable {
            return Mark::unreadable();
        }
        let instance = if self.instance.is_empty() { "none".to_owned() } else { self.instance.clone() };
        Mark { instance, sequence: self.sequence, at: self.at }
    }
}

/// What this machine, and this process, have seen.
pub(super) struct Watch {
    file: MarkFile,
    state: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// What the file said when the remote was about to be asked.
    seen: Option<Seen>,
    /// What this process had loaded before it was set back.
    rewound: Option<Seen>,
    /// What was seen, and what there is: nothing is sent.
    older: Option<(Seen, Seen)>,
    written: Option<Seen>,
}

impl Watch {
    pub(super) fn new(file: MarkFile) -> Self {
        Self { file, state: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what was seen: before the remote is asked, since the ledger comes first when both go on.
    pub(super) fn read(&self) {
        let seen = self.file.read().map(|mark| Seen::from(&mark));
        self.known().seen = seen;
    }

    /// This process had loaded more than there is now.
    pub(super) fn rewound(&self, seen: &Seen) {
        let mut known = self.known();
        if seen.sequence > 0 && known.rewound.is_none() {
            known.rewound = Some(seen.clone());
        }
    }

    /// Compares what was loaded with what was seen. `Some`: it is older than that.
    pub(super) fn compare(
        &self,
        git: &Git,
        head: Option<&str>,
        whole: &Whole,
    ) -> std::result::Result<Option<(Seen, Seen)>, Trouble> {
        if !Guard::Age.holds() {
            return Ok(None);
        }
        let (seen, rewound) = {
            let known = self.known();
            (known.seen.clone(), known.rewound.clone())
        };
        let found = Seen::of(head, whole);
        for seen in rewound.into_iter().chain(seen) {
            if is_older(&seen, &found, git, whole)? {
                return Ok(Some((seen, found)));
            }
        }
        Ok(None)
    }

    pub(super) fn note_older(&self, older: Option<(Seen, Seen)>) {
        self.known().older = older;
    }

    /// What was seen, and what there is, when that is less.
    pub(super) fn older(&self) -> Option<(Seen, Seen)> {
        self.known().older.clone()
    }

    /// The ledger is as new as it should be: this machine knows it from now on.
    pub(super) fn current(&self, found: &Seen) {
        self.keep(found, false);
    }

    /// What was pushed is there. `adopted`: a person takes it as it is.
    pub(super) fn pushed(&self, found: &Seen, adopted: bool) -> Result<()> {
        if adopted {
            let mut known = self.known();
            (known.rewound, known.older, known.seen) = (None, None, None);
            drop(known);
            return self.file.replace(&found.kept()).map_err(|error| {
                LedgerError::Storage(format!("`{}` cannot be written: {error}", self.file.path().display()))
            });
        }
        if self.known().older.is_none() {
            self.keep(found, true);
        }
        Ok(())
    }

    fn keep(&self, found: &Seen, own: bool) {
        let mut known = self.known();
        if found.sequence == 0 || known.written.as_ref() == Some(found) {
            return;
        }
        // Another process of this machine may have seen more.
        let further = |seen: &Seen| !seen.unreadable && seen.instance == found.instance && seen.serial > found.serial;
        if !own && known.seen.as_ref().is_some_and(further) {
            return;
        }
        if self.file.read().is_some_and(|mark| further(&Seen::from(&mark))) {
            return;
        }
        match self.file.replace(&found.kept()) {
            Ok(()) => (known.written, known.seen) = (Some(found.clone()), Some(found.clone())),
            // It is what notices a ledger that was set back, not what makes a call safe.
            Err(error) => {
                tracing::warn!(mark = %self.file.path().display(), %error, "what was seen of the ledger cannot be kept");
            }
        }
    }

    /// For [`crate::ledger::Ledger::age`].
    pub(super) fn age(&self) -> Age {
        match self.older() {
            Some((seen, found)) => Age::Older { seen: seen.shown(), found: found.shown() },
            None => Age::Current,
        }
    }
}

fn is_older(seen: &Seen, found: &Seen, git: &Git, whole: &Whole) -> std::result::Result<bool, Trouble> {
    if seen.unreadable {
        return Ok(true);
    }
    // Of a ledger from which nothing was sent nothing can be missing. One that was adopted elsewhere is taken part in.
    if seen.sequence == 0 || whole.facts.former.contains(&seen.instance) {
        return Ok(false);
    }
    if seen.instance != found.instance || seen.sequence > found.sequence || seen.serial > found.serial {
        return Ok(true);
    }
    if whole.facts.squashed.iter().any(|cut| cut.serial >= seen.serial) {
        return Ok(false);
    }
    match (&seen.head, &found.head) {
        (Some(before), Some(now)) => Ok(!objects::is_ancestor(git, before, now)?),
        _ => Ok(false),
    }
}

/// Nothing is sent.
pub(super) fn older() -> LedgerError {
    LedgerError::Storage(
        "the ledger is older than what was seen of it (was its ref deleted, or set back?), so nothing is sent; `smm ledger` \
         says more, `smm ledger adopt` takes it as it is"
            .to_owned(),
    )
}
