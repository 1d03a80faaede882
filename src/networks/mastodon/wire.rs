//! What goes over the wire: answers, read with patience, since the kin leave things out.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// `GET /api/v1/accounts/verify_credentials`, and who wrote a status.
#[derive(Debug, Deserialize)]
pub(super) struct AccountAnswer {
    pub(super) id: Id,
    #[serde(default)]
    pub(super) acct: String,
}

/// A status.
#[derive(Debug, Deserialize)]
pub(super) struct StatusAnswer {
    pub(super) id: Id,
    pub(super) url: Option<String>,
    pub(super) uri: Option<String>,
    #[serde(default, deserialize_with = "date")]
    pub(super) created_at: Option<DateTime<Utc>>,
    pub(super) in_reply_to_id: Option<Id>,
    pub(super) content: Option<String>,
    pub(super) spoiler_text: Option<String>,
    #[serde(default)]
    pub(super) media_attachments: Option<Vec<Value>>,
    pub(super) account: Option<AccountAnswer>,
    pub(super) favourites_count: Option<u64>,
    pub(super) reblogs_count: Option<u64>,
    pub(super) replies_count: Option<u64>,
    pub(super) quotes_count: Option<u64>,
}

/// An uploaded file.
#[derive(Debug, Deserialize)]
pub(super) struct MediaAnswer {
    pub(super) id: Id,
}

/// `GET /api/v1/statuses/:id/context`.
#[derive(Debug, Deserialize)]
pub(super) struct ContextAnswer {
    #[serde(default)]
    pub(super) descendants: Vec<StatusAnswer>,
}

/// `GET /api/v2/search`.
#[derive(Debug, Deserialize)]
pub(super) struct SearchAnswer {
    #[serde(default)]
    pub(super) statuses: Vec<StatusAnswer>,
}

/// `GET /api/v1/apps/verify_credentials`.
#[derive(Debug, Deserialize)]
pub(super) struct AppAnswer {
    pub(super) scopes: Option<Vec<String>>,
}

/// The error body.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    error: String,
    error_description: Option<String>,
}

impl ErrorBody {
    /// For people.
    pub(super) fn told(self) -> String {
        self.error_description.unwrap_or(self.error)
    }
}

/// `GET /api/v2/instance`, or `/api/v1/instance`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InstanceAnswer {
    pub(super) version: Option<String>,
    pub(super) source_url: Option<String>,
    pub(super) api_versions: Value,
    pub(super) configuration: Configuration,
    /// Pleroma and its kin, version 1.
    pub(super) max_toot_chars: Option<u64>,
}

/// What a server says of its limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Configuration {
    pub(super) statuses: Statuses,
    pub(super) media_attachments: MediaAttachments,
    pub(super) polls: Polls,
}

/// Limits of statuses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Statuses {
    pub(super) max_characters: Option<u64>,
    pub(super) max_media_attachments: Option<u64>,
    pub(super) characters_reserved_per_url: Option<u64>,
}

/// Limits of files.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the API names them so")]
pub(super) struct MediaAttachments {
    pub(super) description_limit: Option<u64>,
    pub(super) image_size_limit: Option<u64>,
    pub(super) image_matrix_limit: Option<u64>,
    pub(super) video_size_limit: Option<u64>,
}

/// Limits of polls.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Polls {
    pub(super) max_options: Option<u64>,
    pub(super) max_characters_per_option: Option<u64>,
    pub(super) min_expiration: Option<u64>,
    pub(super) max_expiration: Option<u64>,
}

/// An id: text, or with some of the kin a number. It goes into paths, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id(String);

impl Id {
    /// The id, if it is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // No `..`: it goes into paths. snac's files are `<hex>.png`.
        let good = (1..=200).contains(&text.len()) && text.bytes().all(inside) && !text.starts_with('.');
        good.then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => return Err(serde::de::Error::custom(format!("`{other}` is no id"))),
        };
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no id")))
    }
}

/// A date that cannot be read is none: nothing else in the answer hangs on it.
fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = Option::<String>::deserialize(deserializer)?;
    Ok(value.and_then(|text| DateTime::parse_from_rfc3339(&text).ok()).map(|at| at.with_timezone(&Utc)))
}
