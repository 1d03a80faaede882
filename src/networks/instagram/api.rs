//! Calls to Instagram.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::plan::{self, Request, Task};
use super::profile::PROFILE;
use super::wire::{Me, MeAnswer, NumbersAnswer};
use crate::adapter::graph::{Dialect, Graph, Id, PAGE};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Reply, Step, Verdict, thawed};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

const DIALECT: Dialect = Dialect {
    server: "https://graph.instagram.com",
    stage: "id,status_code,status",
    post: "id,caption,permalink,timestamp",
};

/// The version of the Graph API that this was made for, of February 2026; each lives for about two years.
const VERSION: &str = "v25.0";

/// What of a post's comments is read.
const COMMENTS: [(&str, &str); 2] = [("fields", "id,text,username,timestamp"), ("limit", PAGE)];

/// One account's connection.
pub(super) struct Client {
    graph: Graph,
    /// The account's id, asked for once.
    user: OnceCell<Id>,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let version = account.setting("api_version").unwrap_or(VERSION);
        Self { graph: Graph::new(DIALECT, account.server.as_deref(), version, outside), user: OnceCell::new() }
    }

    async fn me(&self) -> Result<Me, Fault> {
        let answer = self.graph.get("me", &[("fields", "user_id,username")]).await?;
        Ok(self.graph.read::<MeAnswer>(&answer)?.account())
    }

    /// A path below the account.
    async fn own(&self, path: &str) -> Result<String, Fault> {
        let user = self.user.get_or_try_init(|| async { Ok::<_, Fault>(self.me().await?.user_id) }).await?;
        Ok(below(user, path))
    }
}

fn below(id: &Id, path: &str) -> String {
    format!("{}/{path}", id.as_str())
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
        match step.task()? {
            Task::Quota => self.graph.quota(&self.own("content_publishing_limit").await?, 1, 0).await,
            Task::Host(file) => self.graph.host(&file, &PROFILE).await,
            Task::Item(file) => self.graph.container(&self.own("media").await?, &plan::item(&file, progress)?).await,
            Task::Container(message) => {
                self.graph.container(&self.own("media").await?, &message.fields(progress)?).await
            }
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
        match thawed(frozen)? {
            Request::Publish { account, creation_id, .. } => {
                self.graph.publish_container(frozen.part, &below(&account, "media_publish"), &creation_id).await
            }
            Request::Comment { media, message, .. } => {
                let id = self.graph.publish(&below(&media, "comments"), &vec![("message", message)]).await?;
                Ok(self.graph.receipt(frozen.part, &id, None))
            }
        }
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        match thawed(frozen)? {
            Request::Publish { account, creation_id, caption } => {
                let list = below(&account, "media");
                self.graph.reconcile_container(frozen.part, &creation_id, (&list, &caption), started).await
            }
            Request::Comment { media, message, .. } => {
                let me = self.me().await?;
                let mut comments = self.graph.posts(&below(&media, "comments"), &COMMENTS).await?;
                comments.retain(|comment| comment.username.as_ref().is_none_or(|name| *name == me.username));
                Ok(self.graph.only(frozen.part, comments, &message, started))
            }
        }
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let fields = if receipt.part == 0 { "id,like_count,comments_count" } else { "id,like_count" };
        let answer = self.graph.get(Id::of(receipt)?.as_str(), &[("fields", fields)]).await?;
        let numbers: NumbersAnswer = self.graph.read(&answer)?;
        Ok(Metrics { likes: numbers.like_count, replies: numbers.comments_count, ..Metrics::default() })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        if receipt.part > 0 {
            return Ok(Vec::new());
        }
        self.graph.replies(&below(&Id::of(receipt)?, "comments"), &COMMENTS).await
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        self.graph.remove(&Id::of(receipt)?).await
    }
}

#[cfg(test)]
mod tests;
