//! Whether a ledger is as new as what this machine has seen of it. A restored backup, a snapshot rolled back or a replica
//! that took over too early knows nothing of posts that are out: with it they would go out again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{Reason, ReasonCode};
use crate::trial::Guard;

/// What a ledger says of itself, and what is remembered outside of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which ledger: told apart from every other one, also after a copy was restored under its name. For a server, with
    /// what tells that another one has taken over.
    pub instance: String,
    /// Rises with every intent.
    pub sequence: u64,
    /// When the last intent was written.
    pub at: Option<DateTime<Utc>>,
}

/// A ledger's age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Age {
    /// Nothing is known that it does not hold.
    Current,
    /// It is older than what was seen, or another one: nothing is sent until a person has adopted it.
    Older {
        /// What was seen last.
        seen: Mark,
        /// What it says.
        found: Mark,
    },
}

impl Age {
    /// A ledger's age by what was seen of it. `seen` has to be read before the ledger is asked, since the ledger comes
    /// first when both go on.
    pub fn of(seen: Option<Mark>, found: Mark) -> Self {
        let Some(seen) = seen else { return Self::Current };
        // Of a ledger from which nothing was sent nothing can be missing.
        let nothing_sent = seen.sequence == 0 && !seen.is_unreadable();
        if nothing_sent || (seen.instance == found.instance && seen.sequence <= found.sequence) || !Guard::Age.holds() {
            return Self::Current;
        }
        Self::Older { seen, found }
    }
}

impl Age {
    /// What is wrong, in a sentence; `None`: nothing is.
    pub fn doubt(&self) -> Option<String> {
        let Self::Older { seen, found } = self else { return None };
        let calls = |mark: &Mark| {
            let last = mark.at.map(|at| format!(", the last at {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
            let s = if mark.sequence == 1 { "" } else { "s" };
            format!("{} call{s}{}", mark.sequence, last.unwrap_or_default())
        };
        Some(if seen.is_unreadable() {
            "what this machine has seen of the ledger cannot be read any more, so nobody knows whether the ledger is \
             as new as that"
                .to_owned()
        } else if seen.instance == found.instance {
            format!(
                "the ledger is older than what this machine has seen of it: it knows of {}, and there were {}",
                calls(found),
                calls(seen)
            )
        } else {
            format!(
                "the ledger is another one than this machine has published from: it knows of {}, and from that one there \
                 were {}",
                calls(found),
                calls(seen)
            )
        })
    }
}

/// Why a delivery of an adopted ledger waits for a person: it was due before the adoption.
pub fn may_be_out() -> Reason {
    Reason::new(
        ReasonCode::LedgerOlder,
        "the ledger was older than what had been seen, so it may be out: look at the account, then `smm resolve ID \
         --published URL`, `smm retry ID` to send it, or `smm cancel ID`",
    )
}

impl Mark {
    /// Something was seen, and what it was cannot be read any more: like no ledger, so that a person is asked.
    pub fn unreadable() -> Self {
        Self { instance: String::new(), sequence: 0, at: None }
    }

    /// See [`Mark::unreadable`].
    pub fn is_unreadable(&self) -> bool {
        self.instance.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_older_when_it_lacks_what_was_sent() {
        let mark = |instance: &str, sequence| Mark { instance: instance.to_owned(), sequence, at: None };
        let older = |seen: Mark, found: Mark| matches!(Age::of(Some(seen), found), Age::Older { .. });
        assert_eq!(Age::of(None, mark("a", 0)), Age::Current);
        assert!(!older(mark("a", 5), mark("a", 5)));
        assert!(!older(mark("a", 5), mark("a", 6)));
        assert!(older(mark("a", 5), mark("a", 4)));
        assert!(older(mark("a", 5), mark("b", 6)), "another one");
        assert!(!older(mark("a", 0), mark("b", 0)), "nothing was sent from the one before");
        assert!(older(Mark::unreadable(), mark("a", 9)));

        assert_eq!(Age::Current.doubt(), None);
        let at = DateTime::from_timestamp(1_800_000_000, 0);
        let doubt = |seen, found| Age::of(Some(seen), found).doubt().expect("older");
        assert_eq!(
            doubt(Mark { at, ..mark("a", 5) }, mark("a", 1)),
            "the ledger is older than what this machine has seen of it: it knows of 1 call, and there were 5 calls, the \
             last at 2027-01-15 08:00:00 UTC"
        );
        assert!(doubt(mark("a", 5), mark("b", 0)).contains("another one"));
        assert!(doubt(Mark::unreadable(), mark("b", 0)).contains("cannot be read"));
    }
}
