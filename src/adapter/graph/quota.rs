//! How much may still be published.

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use super::super::{Fault, Refusal};
use super::{Graph, List};

/// A quota counts the last day, hour by hour: so long until some of it may be free again.
pub(super) const QUOTA_AGAIN: TimeDelta = TimeDelta::hours(1);

/// A member of the list that `threads_publishing_limit` or `content_publishing_limit` answers: what was asked for.
#[derive(Debug, Deserialize)]
struct LimitAnswer {
    quota_usage: Option<u64>,
    config: Option<Config>,
    reply_quota_usage: Option<u64>,
    reply_config: Option<Config>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Config {
    quota_total: u64,
}

impl Graph {
    /// Sees that the quotas have room for so many more posts, and so many more answers to posts. Only that which is needed is
    /// asked for: the quota of answers wants a permission of its own. An account without a quota has room.
    pub async fn quota(&self, path: &str, posts: u64, replies: u64) -> Result<Value, Fault> {
        let mut fields = Vec::new();
        fields.extend((posts > 0).then_some("quota_usage,config"));
        fields.extend((replies > 0).then_some("reply_quota_usage,reply_config"));
        let answer = self.get(path, &[("fields", &fields.join(","))]).await?;
        let list: List<LimitAnswer> = self.read(&answer)?;
        if let Some(told) = list.data.first() {
            self.room("posts", (told.quota_usage, told.config), posts)?;
            self.room("answers", (told.reply_quota_usage, told.reply_config), replies)?;
        }
        Ok(Value::Null)
    }

    /// Refuses when there is no room for so many more; nothing was sent.
    fn room(&self, what: &str, quota: (Option<u64>, Option<Config>), more: u64) -> Result<(), Fault> {
        let (Some(used), Some(Config { quota_total })) = quota else { return Ok(()) };
        if more == 0 || used.saturating_add(more) <= quota_total {
            return Ok(());
        }
        let message =
            format!("{used} of {quota_total} {what} of the last 24 hours are used, and {more} more are wanted");
        let retry_at = Some(self.now() + QUOTA_AGAIN);
        Err(Fault::Refused { refusal: Refusal::RateLimited, message, retry_at })
    }
}
