//! What comes over the wire, read with patience.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A number of Discord's: 64 bits, the upper 42 of them milliseconds since 2015 (discord-api-docs, reference, Snowflakes).
/// In JSON it is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Snowflake(u64);

/// 2015-01-01T00:00:00Z.
const EPOCH: i64 = 1_420_070_400_000;

impl Snowflake {
    /// Digits alone, and not 0.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().filter(|number| *number > 0).map(Self)
    }

    /// One smaller than any that is made at this time.
    pub(super) fn before(at: DateTime<Utc>) -> Self {
        let since = u64::try_from(at.timestamp_millis() - EPOCH).unwrap_or(0);
        Self(since.saturating_mul(1 << 22).saturating_sub(1).max(1))
    }
}

impl fmt::Display for Snowflake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Snowflake {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(serde::de::Error::custom(format!("`{other}` is no id"))),
        };
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no id")))
    }
}

/// A "no" of Discord's own.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) code: i64,
    pub(super) message: String,
    /// Which field is wrong, nested as the request is.
    #[serde(default)]
    pub(super) errors: Value,
}

impl ErrorBody {
    /// For people: what is said of the request, and the first things that are said of its fields.
    pub(super) fn told(&self) -> String {
        let mut found = Vec::new();
        leaves(&self.errors, &mut found);
        found.truncate(3);
        if found.is_empty() { self.message.clone() } else { format!("{}: {}", self.message, found.join("; ")) }
    }
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let (Some(Value::String(message)), Some(_)) = (fields.get("message"), fields.get("code")) {
                found.push(message.clone());
            }
            fields.values().for_each(|value| leaves(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| leaves(value, found)),
        _ => {}
    }
}

/// The body of an answer 429.
#[derive(Debug, Deserialize)]
pub(super) struct Limited {
    pub(super) message: String,
    /// Seconds, with a fraction.
    pub(super) retry_after: f64,
    #[serde(default)]
    pub(super) global: bool,
}

/// `GET /users/@me`.
#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: Snowflake,
    pub(super) username: String,
}

/// `GET /channels/{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct Channel {
    pub(super) id: Snowflake,
    #[serde(rename = "type")]
    pub(super) kind: u32,
    pub(super) guild_id: Option<Snowflake>,
    pub(super) name: Option<String>,
}

/// `GET /webhooks/{id}/{token}`.
#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) id: Snowflake,
    pub(super) name: Option<String>,
    pub(super) guild_id: Option<Snowflake>,
}

/// A message.
#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) id: Snowflake,
    pub(super) channel_id: Snowflake,
    #[serde(default)]
    pub(super) content: String,
    pub(super) author: Option<Author>,
    pub(super) timestamp: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) attachments: Vec<Value>,
    #[expect(clippy::struct_field_names, reason = "it is the API's own")]
    pub(super) message_reference: Option<Reference>,
    pub(super) poll: Option<Value>,
    #[serde(default)]
    pub(super) reactions: Vec<Reaction>,
    pub(super) nonce: Option<Value>,
}

/// Who wrote it.
#[derive(Debug, Deserialize)]
pub(super) struct Author {
    pub(super) id: Snowflake,
    #[serde(default)]
    pub(super) username: String,
}

/// What it answers.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) message_id: Option<Snowflake>,
}

/// How often one emoji was chosen.
#[derive(Debug, Deserialize)]
pub(super) struct Reaction {
    #[serde(default)]
    pub(super) count: u64,
}

/// What a receipt keeps.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Where it is.
    pub(super) channel: Snowflake,
    /// Which is a thread that a webhook has posted into.
    #[serde(default)]
    pub(super) thread: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_hold_their_time() {
        // discord-api-docs, reference: 175928847299117063 was made at 2016-04-30 11:18:25.796 UTC.
        let at: DateTime<Utc> = "2016-04-30T11:18:25.796Z".parse().expect("a time");
        let made = Snowflake::parse("175928847299117063").expect("a number");
        assert!(Snowflake::before(at) < made);
        assert!(made < Snowflake::before(at + chrono::TimeDelta::milliseconds(1)));
        for odd in ["", "0", "-1", "1.5", "abc", "99999999999999999999", "1 "] {
            assert_eq!(Snowflake::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn an_error_tells_the_field() {
        let body: ErrorBody = serde_json::from_str(
            r#"{"code": 50035, "message": "Invalid Form Body", "errors": {"content": {"_errors": [
                {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]}}}"#,
        )
        .expect("an error");
        assert_eq!(body.told(), "Invalid Form Body: Must be 2000 or fewer in length.");
    }
}
