//! What goes over the wire. Parameters and answers are those of `fbsamples/threads_api`, Postman collection (read 2026-11-23).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::adapter::graph::{Id, Quota};

/// `GET me?fields=id,username`.
#[derive(Debug, Deserialize)]
pub(super) struct MeAnswer {
    pub(super) id: Id,
    #[serde(default)]
    pub(super) username: String,
}

/// `GET me/threads_publishing_limit`.
#[derive(Debug, Deserialize)]
pub(super) struct LimitAnswer {
    quota_usage: Option<u64>,
    config: Option<Config>,
    reply_quota_usage: Option<u64>,
    reply_config: Option<Config>,
}

#[derive(Debug, Deserialize)]
struct Config {
    quota_total: u64,
}

impl LimitAnswer {
    /// Posts; `None`: it does not say.
    pub(super) fn posts(&self) -> Option<Quota> {
        quota(self.quota_usage, self.config.as_ref())
    }

    /// Replies; `None`: it does not say.
    pub(super) fn replies(&self) -> Option<Quota> {
        quota(self.reply_quota_usage, self.reply_config.as_ref())
    }
}

fn quota(used: Option<u64>, config: Option<&Config>) -> Option<Quota> {
    Some(Quota { used: used?, total: config?.quota_total })
}

/// A post, in `GET me/threads`, `me/replies` and `{id}/replies`.
#[derive(Debug, Deserialize)]
pub(super) struct PostAnswer {
    pub(super) id: Id,
    pub(super) text: Option<String>,
    pub(super) permalink: Option<String>,
    pub(super) username: Option<String>,
    #[serde(default, deserialize_with = "date")]
    pub(super) timestamp: Option<DateTime<Utc>>,
}

/// A number, in `GET {id}/insights`.
#[derive(Debug, Deserialize)]
pub(super) struct InsightAnswer {
    pub(super) name: String,
    #[serde(default)]
    values: Vec<InsightValue>,
    total_value: Option<InsightValue>,
}

#[derive(Debug, Deserialize)]
struct InsightValue {
    value: Value,
}

impl InsightAnswer {
    pub(super) fn number(&self) -> Option<u64> {
        self.values.first().or(self.total_value.as_ref())?.value.as_u64()
    }
}

/// `2026-11-23T09:00:00+0000`. A date that cannot be read is none.
fn date<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: &str| {
        DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").or_else(|_| DateTime::parse_from_rfc3339(text)).ok()
    };
    Ok(text.as_deref().and_then(parse).map(|at| at.with_timezone(&Utc)))
}
