//! What goes over the wire. Fields are those of facebook/facebook-business-sdk-codegen, `api_specs/specs`:
//! `IGUserForIGOnlyAPI.json`, `IGMediaForIGOnlyAPI.json`, `ContentPublishingLimitResponse.json` (read 2026-11-23).

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::adapter::graph::{Id, Quota};

/// `GET me?fields=user_id,username`.
#[derive(Debug, Deserialize)]
pub(super) struct MeAnswer {
    pub(super) user_id: Id,
    #[serde(default)]
    pub(super) username: String,
}

/// `GET {user}/content_publishing_limit`.
#[derive(Debug, Deserialize)]
pub(super) struct LimitAnswer {
    quota_usage: Option<u64>,
    config: Option<Config>,
}

#[derive(Debug, Deserialize)]
struct Config {
    quota_total: u64,
}

impl LimitAnswer {
    /// `None`: it does not say.
    pub(super) fn quota(&self) -> Option<Quota> {
        Some(Quota { used: self.quota_usage?, total: self.config.as_ref()?.quota_total })
    }
}

/// A post, in `GET {user}/media`.
#[derive(Debug, Deserialize)]
pub(super) struct MediaAnswer {
    pub(super) id: Id,
    pub(super) caption: Option<String>,
    pub(super) permalink: Option<String>,
    #[serde(default, deserialize_with = "date")]
    pub(super) timestamp: Option<DateTime<Utc>>,
}

/// Its numbers.
#[derive(Debug, Deserialize)]
pub(super) struct NumbersAnswer {
    /// It is an answer of Instagram's at all.
    #[serde(rename = "id")]
    pub(super) _id: Id,
    pub(super) like_count: Option<u64>,
    pub(super) comments_count: Option<u64>,
}

/// A comment.
#[derive(Debug, Deserialize)]
pub(super) struct CommentAnswer {
    pub(super) id: Id,
    pub(super) text: Option<String>,
    pub(super) username: Option<String>,
    #[serde(default, deserialize_with = "date")]
    pub(super) timestamp: Option<DateTime<Utc>>,
}

/// `2026-11-23T09:00:00+0000`. A date that cannot be read is none.
fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: &str| {
        DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").or_else(|_| DateTime::parse_from_rfc3339(text)).ok()
    };
    Ok(text.as_deref().and_then(parse).map(|at| at.with_timezone(&Utc)))
}
