//! What comes over the wire, read with patience.

use serde::Deserialize;
use serde_json::Value;

/// Every answer: `result` when `ok`, else why not.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) ok: bool,
    pub(super) result: Option<T>,
}

/// A "no".
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) ok: bool,
    pub(super) description: String,
    #[serde(default)]
    pub(super) parameters: Option<Parameters>,
}

/// What helps with a "no".
#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    /// The group is a supergroup now, with this number.
    pub(super) migrate_to_chat_id: Option<i64>,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
}

/// `getMe`.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
    pub(super) username: Option<String>,
}

/// `getChat`, and where a message is.
#[derive(Debug, Deserialize)]
pub(super) struct ChatAnswer {
    pub(super) id: i64,
    pub(super) title: Option<String>,
    pub(super) username: Option<String>,
}

/// A message that was sent.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) message_id: i64,
    pub(super) chat: ChatAnswer,
}

/// What sending gives: one message, or those of an album.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Sent {
    One(Message),
    Album(Vec<Message>),
}

impl Sent {
    /// In order; at least one. `None`: an album of nothing.
    pub(super) fn messages(self) -> Option<Vec<Message>> {
        match self {
            Self::One(message) => Some(vec![message]),
            Self::Album(messages) => Some(messages).filter(|messages| !messages.is_empty()),
        }
    }
}

/// What a receipt keeps: the numbers of all messages of an album, and their chat.
#[derive(Debug, serde::Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) chat: i64,
    pub(super) messages: Vec<i64>,
}

impl Kept {
    pub(super) fn of(data: &Value) -> Option<Self> {
        serde_json::from_value(data.clone()).ok()
    }
}
