//! Calls to Threads.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::plan::{self, Container, Hosted, Task};
use super::profile::PROFILE;
use super::wire::{InsightAnswer, LimitAnswer, MeAnswer, PostAnswer};
use crate::adapter::graph::{Fields, Graph, Id, List, Made, Stage};
use crate::adapter::{Api, Fault, Identity, Limits, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

/// The network's server.
const SERVER: &str = "https://graph.threads.net";

/// The only version there is (2026-11-23).
const VERSION: &str = "v1.0";

/// What tells how far a container is.
const STAGE: &str = "id,status,error_message";

/// What of a post is read.
const POST: &str = "id,text,permalink,username,timestamp";

/// Posts older than this before the first attempt are none of its.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(5);

/// So many posts are looked through; no account posts more at a time.
const PAGE: &str = "100";

/// One account's connection.
pub(super) struct Client {
    graph: Graph,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { graph: Graph::new(account.server.as_deref(), SERVER, VERSION, outside) }
    }

    async fn quota(&self, posts: u64, replies: u64) -> Result<Value, Fault> {
        let fields = "quota_usage,config,reply_quota_usage,reply_config";
        let answer = self.graph.get("me/threads_publishing_limit", &[("fields", fields)]).await?;
        let list: List<LimitAnswer> = self.graph.read(&answer)?;
        if let Some(limit) = list.data.first() {
            for (what, quota, more) in [("posts", limit.posts(), posts), ("replies", limit.replies(), replies)] {
                if let Some(quota) = quota.filter(|_| more > 0) {
                    self.graph.quota(what, quota, more)?;
                }
            }
        }
        Ok(Value::Null)
    }

    async fn container(&self, fields: &Fields) -> Result<Value, Fault> {
        let answer = self.graph.post("me/threads", fields).await?;
        let made: Made = self.graph.read(&answer)?;
        self.graph.ready(&made.id, STAGE).await?;
        Ok(json!(Container { container: made.id.as_str().to_owned() }))
    }

    /// The account's latest posts, or replies.
    async fn recent(&self, reply: bool, since: DateTime<Utc>) -> Result<Vec<PostAnswer>, Fault> {
        let path = if reply { "me/replies" } else { "me/threads" };
        let since = since.timestamp().to_string();
        let answer = self.graph.get(path, &[("fields", POST), ("since", &since), ("limit", PAGE)]).await?;
        Ok(self.graph.read::<List<PostAnswer>>(&answer)?.data)
    }

    /// The post that a published container became.
    async fn published(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let since = started - LOOK_BACK;
        let reply = frozen.request.get("reply").and_then(Value::as_bool).unwrap_or(false);
        let wanted = plain(frozen.request.get("text").and_then(Value::as_str).unwrap_or_default());
        let posts = self.recent(reply, since).await?;
        let alike = |post: &&PostAnswer| {
            plain(post.text.as_deref().unwrap_or_default()) == wanted && post.timestamp.is_none_or(|at| at >= since)
        };
        Ok(match posts.iter().filter(alike).collect::<Vec<_>>().as_slice() {
            // It is out for certain, so that it is only a matter of time.
            [] => return Err(Fault::refused(Refusal::Busy, "the post is out, and not in the account's list yet")),
            [post] => Verdict::Done(Receipt {
                part: frozen.part,
                id: post.id.as_str().to_owned(),
                url: post.permalink.clone(),
                at: self.graph.now(),
                data: Value::Null,
            }),
            [first, second, ..] => Verdict::CannotTell {
                why: format!(
                    "the container is published, and two posts match: {} and {}",
                    first.id.as_str(),
                    second.id.as_str()
                ),
            },
        })
    }
}

/// A text without what a server may change of white space.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn known(receipt: &Receipt) -> Result<Id, Fault> {
    Id::parse(&receipt.id).ok_or_else(|| Fault::NotSent(format!("`{}` is no post's id", receipt.id)))
}

fn creation(frozen: &Frozen) -> Result<Id, Fault> {
    let id = frozen.request.get("creation_id").and_then(Value::as_str).and_then(Id::parse);
    id.ok_or_else(|| Fault::NotSent("the request names no container".to_owned()))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.graph.origin().to_owned()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let answer = self.graph.get("me", &[("fields", "id,username")]).await?;
        let me: MeAnswer = self.graph.read(&answer)?;
        Ok(Identity {
            uid: me.id.as_str().to_owned(),
            handle: format!("@{}", me.username),
            host: self.graph.origin().to_owned(),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    fn follows(&self, step: &Step) -> bool {
        matches!(plan::task(step), Ok(Task::Container(message)) if message.follows)
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        match plan::task(step)? {
            Task::Quota { posts, replies } => self.quota(posts, replies).await,
            Task::Host { media, limits } => {
                let Some(host) = &self.graph.outside.host else {
                    let message = "`smm.toml` names no place that the network can fetch media from: `[media_host]`";
                    return Err(Fault::refused(Refusal::Invalid, message));
                };
                let file = self.graph.outside.media.fetch(&media, &Limits::new(&PROFILE, &limits)).await?;
                Ok(json!(Hosted { url: host.put(&file).await? }))
            }
            Task::Item(file) => self.container(&file.item(progress)?).await,
            Task::Container(message) => self.container(&message.fields(step.part, progress)?).await,
            Task::Publish { .. } => Err(Fault::NotSent(format!("step {} is not to be prepared", step.index))),
        }
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        identity: &Identity,
        _at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress, identity)
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let fields = vec![("creation_id", creation(frozen)?.as_str().to_owned())];
        let id = self.graph.publish("me/threads_publish", &fields).await?;
        let url = self.graph.permalink(&id).await;
        Ok(Receipt { part: frozen.part, id: id.as_str().to_owned(), url, at: self.graph.now(), data: Value::Null })
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let (stage, why) = self.graph.stage(&creation(frozen)?, STAGE).await?;
        match stage {
            Stage::Published => self.published(frozen, started).await,
            // It was finished when it was to be published: the network is at it.
            Stage::InProgress => Err(Fault::refused(Refusal::Busy, "the network is publishing it just now")),
            Stage::Finished | Stage::Expired => Ok(Verdict::NotDone),
            Stage::Error => {
                tracing::debug!("the container came to nothing: {why}");
                Ok(Verdict::NotDone)
            }
        }
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let path = format!("{}/insights", known(receipt)?.as_str());
        let answer = self.graph.get(&path, &[("metric", "views,likes,replies,reposts,quotes")]).await?;
        let numbers: List<InsightAnswer> = self.graph.read(&answer)?;
        let number = |name: &str| numbers.data.iter().find(|insight| insight.name == name)?.number();
        Ok(Metrics {
            likes: number("likes"),
            reposts: number("reposts"),
            replies: number("replies"),
            quotes: number("quotes"),
            views: number("views"),
        })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let path = format!("{}/replies", known(receipt)?.as_str());
        let answer = self.graph.get(&path, &[("fields", POST), ("reverse", "false")]).await?;
        let list: List<PostAnswer> = self.graph.read(&answer)?;
        let mut replies: Vec<Reply> = list
            .data
            .into_iter()
            .map(|post| Reply {
                id: post.id.as_str().to_owned(),
                author: format!("@{}", post.username.unwrap_or_default()),
                text: post.text.unwrap_or_default(),
                at: post.timestamp,
                url: post.permalink,
            })
            .collect();
        replies.sort_by_key(|reply| reply.at);
        Ok(replies)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        self.graph.remove(&known(receipt)?).await
    }
}

#[cfg(test)]
mod tests;
