//! Calls to Instagram.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::plan::{self, Container, Hosted, Task};
use super::profile::PROFILE;
use super::wire::{CommentAnswer, LimitAnswer, MeAnswer, MediaAnswer, NumbersAnswer};
use crate::adapter::graph::{Fields, Graph, Id, List, Made, Stage};
use crate::adapter::{Api, Fault, Identity, Limits, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

/// The network's server.
const SERVER: &str = "https://graph.instagram.com";

/// The version of the Graph API that this was made for, of February 2026; each lives for about two years.
const VERSION: &str = "v25.0";

/// What tells how far a container is.
const STAGE: &str = "id,status_code,status";

/// What of a comment is read.
const COMMENT: &str = "id,text,username,timestamp";

/// Posts older than this before the first attempt are none of its.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(5);

/// So many posts are looked through: more than an account may publish in a day.
const PAGE: &str = "100";

/// One account's connection.
pub(super) struct Client {
    graph: Graph,
    /// The account's id, asked for once.
    user: OnceCell<Id>,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let version = account.setting("api_version").unwrap_or(VERSION);
        Self { graph: Graph::new(account.server.as_deref(), SERVER, version, outside), user: OnceCell::new() }
    }

    async fn me(&self) -> Result<MeAnswer, Fault> {
        let answer = self.graph.get("me", &[("fields", "user_id,username")]).await?;
        self.graph.read(&answer)
    }

    /// A path below the account.
    async fn own(&self, path: &str) -> Result<String, Fault> {
        let user = self.user.get_or_try_init(|| async { Ok::<_, Fault>(self.me().await?.user_id) }).await?;
        Ok(format!("{}/{path}", user.as_str()))
    }

    async fn quota(&self) -> Result<Value, Fault> {
        let path = self.own("content_publishing_limit").await?;
        let answer = self.graph.get(&path, &[("fields", "quota_usage,config")]).await?;
        let list: List<LimitAnswer> = self.graph.read(&answer)?;
        if let Some(quota) = list.data.first().and_then(LimitAnswer::quota) {
            self.graph.quota("posts", quota, 1)?;
        }
        Ok(Value::Null)
    }

    async fn container(&self, fields: &Fields) -> Result<Value, Fault> {
        let answer = self.graph.post(&self.own("media").await?, fields).await?;
        let made: Made = self.graph.read(&answer)?;
        self.graph.ready(&made.id, STAGE).await?;
        Ok(json!(Container { container: made.id.as_str().to_owned() }))
    }

    /// The post that a published container became.
    async fn published(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let since = started - LOOK_BACK;
        let wanted = plain(text(frozen, "caption"));
        let path = format!("{}/media", account(frozen)?.as_str());
        let from = since.timestamp().to_string();
        let query = [("fields", "id,caption,permalink,timestamp"), ("since", from.as_str()), ("limit", PAGE)];
        let posts: List<MediaAnswer> = self.graph.read(&self.graph.get(&path, &query).await?)?;
        let alike = |post: &&MediaAnswer| {
            plain(post.caption.as_deref().unwrap_or_default()) == wanted && post.timestamp.is_none_or(|at| at >= since)
        };
        Ok(match posts.data.iter().filter(alike).collect::<Vec<_>>().as_slice() {
            // It is out for certain, so that it is only a matter of time.
            [] => return Err(Fault::refused(Refusal::Busy, "the post is out, and not in the account's list yet")),
            [post] => Verdict::Done(self.receipt(frozen.part, &post.id, post.permalink.clone())),
            [first, second, ..] => Verdict::CannotTell {
                why: format!(
                    "the container is published, and two posts match: {} and {}",
                    first.id.as_str(),
                    second.id.as_str()
                ),
            },
        })
    }

    /// Whether a comment is there.
    async fn commented(&self, media: &Id, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let comments = self.comments(media).await?;
        let (since, wanted) = (started - LOOK_BACK, plain(text(frozen, "message")));
        let alike = |comment: &&CommentAnswer| {
            plain(comment.text.as_deref().unwrap_or_default()) == wanted
                && comment.timestamp.is_none_or(|at| at >= since)
        };
        Ok(match comments.iter().filter(alike).collect::<Vec<_>>().as_slice() {
            [] => Verdict::NotDone,
            [comment] => Verdict::Done(self.receipt(frozen.part, &comment.id, None)),
            _ => Verdict::CannotTell { why: "two comments match".to_owned() },
        })
    }

    async fn comments(&self, media: &Id) -> Result<Vec<CommentAnswer>, Fault> {
        let path = format!("{}/comments", media.as_str());
        let answer = self.graph.get(&path, &[("fields", COMMENT), ("limit", PAGE)]).await?;
        Ok(self.graph.read::<List<CommentAnswer>>(&answer)?.data)
    }

    fn receipt(&self, part: u16, id: &Id, url: Option<String>) -> Receipt {
        Receipt { part, id: id.as_str().to_owned(), url, at: self.graph.now(), data: Value::Null }
    }
}

/// A text without what a server may change of white space.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text<'a>(frozen: &'a Frozen, key: &str) -> &'a str {
    frozen.request.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn account(frozen: &Frozen) -> Result<Id, Fault> {
    Id::parse(text(frozen, "account")).ok_or_else(|| Fault::NotSent("the request names no account".to_owned()))
}

fn known(receipt: &Receipt) -> Result<Id, Fault> {
    Id::parse(&receipt.id).ok_or_else(|| Fault::NotSent(format!("`{}` is no post's id", receipt.id)))
}

/// The post that a frozen request comments on.
fn commented_on(frozen: &Frozen) -> Option<Id> {
    Id::parse(text(frozen, "media"))
}

fn creation(frozen: &Frozen) -> Result<Id, Fault> {
    Id::parse(text(frozen, "creation_id")).ok_or_else(|| Fault::NotSent("the request names no container".to_owned()))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.graph.origin().to_owned()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let me = self.me().await?;
        Ok(Identity {
            uid: me.user_id.as_str().to_owned(),
            handle: format!("@{}", me.username),
            host: self.graph.origin().to_owned(),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        match plan::task(step)? {
            Task::Quota => self.quota().await,
            Task::Host { media, limits } => {
                let Some(host) = &self.graph.outside.host else {
                    let message = "`smm.toml` names no place that the network can fetch media from: `[media_host]`";
                    return Err(Fault::refused(Refusal::Invalid, message));
                };
                let file = self.graph.outside.media.fetch(&media, &Limits::new(&PROFILE, &limits)).await?;
                Ok(json!(Hosted { url: host.put(&file).await? }))
            }
            Task::Item(file) => self.container(&file.item(progress)?).await,
            Task::Container(message) => self.container(&message.fields(progress)?).await,
            Task::Publish { .. } | Task::Comment { .. } => {
                Err(Fault::NotSent(format!("step {} is not to be prepared", step.index)))
            }
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
        if let Some(media) = commented_on(frozen) {
            let fields = vec![("message", text(frozen, "message").to_owned())];
            let id = self.graph.publish(&format!("{}/comments", media.as_str()), &fields).await?;
            return Ok(self.receipt(frozen.part, &id, None));
        }
        let fields = vec![("creation_id", creation(frozen)?.as_str().to_owned())];
        let path = format!("{}/media_publish", account(frozen)?.as_str());
        let id = self.graph.publish(&path, &fields).await?;
        let url = self.graph.permalink(&id).await;
        Ok(self.receipt(frozen.part, &id, url))
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        if let Some(media) = commented_on(frozen) {
            return self.commented(&media, frozen, started).await;
        }
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
        let fields = if receipt.part == 0 { "id,like_count,comments_count" } else { "id,like_count" };
        let answer = self.graph.get(known(receipt)?.as_str(), &[("fields", fields)]).await?;
        let numbers: NumbersAnswer = self.graph.read(&answer)?;
        Ok(Metrics { likes: numbers.like_count, replies: numbers.comments_count, ..Metrics::default() })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        if receipt.part > 0 {
            return Ok(Vec::new());
        }
        let mut replies: Vec<Reply> = self
            .comments(&known(receipt)?)
            .await?
            .into_iter()
            .map(|comment| Reply {
                id: comment.id.as_str().to_owned(),
                author: format!("@{}", comment.username.unwrap_or_default()),
                text: comment.text.unwrap_or_default(),
                at: comment.timestamp,
                url: None,
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
