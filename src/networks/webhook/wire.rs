//! What goes over the wire: events, and what receivers say.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// `webhook-id`.
    pub(super) id: String,
    pub(super) data: Value,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    /// `webhook-id`.
    pub(super) id: String,
    /// The body to the byte: the signature is over it.
    pub(super) body: String,
}

/// What a receiver may say of a success.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Receipted {
    pub(super) id: Option<String>,
    pub(super) url: Option<String>,
}

/// What a receiver says of a "no".
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    error: Value,
    #[serde(default)]
    message: Value,
}

impl ErrorBody {
    /// For people. `None`: it says nothing.
    pub(super) fn told(self) -> Option<String> {
        let text = |value: Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        text(self.error).or_else(|| text(self.message))
    }
}
