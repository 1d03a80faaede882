//! Calls to Threads.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::plan::{self, Request, Task};
use super::profile::PROFILE;
use super::wire::{InsightAnswer, MeAnswer};
use crate::adapter::graph::{Dialect, Graph, Id, List};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Reply, Step, Verdict, thawed};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

const DIALECT: Dialect = Dialect {
    server: "https://graph.threads.net",
    stage: "id,status,error_message",
    post: "id,text,permalink,username,timestamp",
};

/// The only version there is (2026-11-23).
const VERSION: &str = "v1.0";

/// Where containers are made, and the account's posts are listed.
const POSTS: &str = "me/threads";

/// One account's connection.
pub(super) struct Client {
    graph: Graph,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { graph: Graph::new(DIALECT, account.server.as_deref(), VERSION, outside) }
    }
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
        matches!(step.task(), Ok(Task::Container(message)) if message.follows)
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        match step.task()? {
            Task::Quota { posts, replies } => self.graph.quota("me/threads_publishing_limit", posts, replies).await,
            Task::Host(file) => self.graph.host(&file, &PROFILE).await,
            Task::Item(file) => self.graph.container(POSTS, &plan::item(&file, progress)?).await,
            Task::Container(message) => self.graph.container(POSTS, &message.fields(step.part, progress)?).await,
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
        let Request { creation_id, .. } = thawed(frozen)?;
        self.graph.publish_container(frozen.part, "me/threads_publish", &creation_id).await
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let Request { creation_id, text, reply, .. } = thawed(frozen)?;
        let list = if reply { "me/replies" } else { POSTS };
        self.graph.reconcile_container(frozen.part, &creation_id, (list, &text), started).await
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let path = format!("{}/insights", Id::of(receipt)?.as_str());
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
        let path = format!("{}/replies", Id::of(receipt)?.as_str());
        self.graph.replies(&path, &[("fields", DIALECT.post), ("reverse", "false")]).await
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        self.graph.remove(&Id::of(receipt)?).await
    }
}

#[cfg(test)]
mod tests;
