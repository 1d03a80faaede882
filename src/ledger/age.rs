//! Whether a ledger is as new as what this machine has seen of it. A restored backup, a snapshot rolled back or a replica
//! that took over too early knows nothing of posts that are out: with it they would go out again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
