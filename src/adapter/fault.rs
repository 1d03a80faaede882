//! What can go wrong with a call. The variant *is* the retry decision.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What went wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Provably nothing arrived (refused connection, DNS, TLS, a file that cannot be read): may be tried again.
    #[error("{0}")]
    NotSent(String),
    /// A complete "no" by the network itself.
    #[error("{message}")]
    Refused {
        /// What kind of "no".
        refusal: Refusal,
        /// In the network's words, without secrets.
        message: String,
        /// Not before this.
        retry_at: Option<DateTime<Utc>>,
    },
    /// It may have arrived: look before anything else is done.
    #[error("{0}")]
    Unknown(String),
}

impl Fault {
    /// A refusal without a time.
    pub fn refused(refusal: Refusal, message: impl Into<String>) -> Self {
        Self::Refused { refusal, message: message.into(), retry_at: None }
    }
}

/// Kinds of "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The network cannot now and says that it did nothing: may be tried again.
    Busy,
    /// The credentials are wrong or expired.
    Credentials,
    /// The network says that it has this already: look it up.
    Duplicate,
    /// The account may not do this.
    Forbidden,
    /// The thing does not exist (any more).
    Gone,
    /// The content is not acceptable; the same content never will be.
    Invalid,
    /// Too many calls; nothing was done.
    RateLimited,
    /// A secret is not there, or cannot be read: nothing was asked of the network.
    Secret,
}
