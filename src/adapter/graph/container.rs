//! Containers: made, waited for, published by one call, and asked what became of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Fault, Looks, Refusal, Verdict};
use super::{Fields, Graph, Id, Made, Post};
use crate::model::Receipt;

/// A bit over five minutes in all, which is what Meta's guides recommend (content publishing, read 2026-11-23).
const LOOKS: Looks = Looks::new(Duration::from_millis(100), Duration::from_secs(10), 38);

/// Posts older than this before the first attempt are none of its.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(5);

/// So many posts are looked through: no account publishes more in the minutes in question.
pub const PAGE: &str = "100";

/// A container that is ready: what the step that makes it gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Its id.
    pub container: Id,
}

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is worked on.
    InProgress,
    /// It may be published.
    Finished,
    /// It is out.
    Published,
    /// It came to nothing.
    Error,
    /// Nobody published it for a day.
    Expired,
}

/// Threads has `status` and `error_message`; Instagram `status_code`, and `status` with a sentence.
#[derive(Debug, Deserialize)]
struct ContainerAnswer {
    status_code: Option<String>,
    status: Option<String>,
    error_message: Option<String>,
}

impl Graph {
    /// Makes a container and waits until it may be published; gives a [`Container`].
    pub async fn container(&self, path: &str, fields: &Fields) -> Result<Value, Fault> {
        let Made { id } = self.read(&self.post(path, fields).await?)?;
        self.ready(&id).await?;
        Ok(json!(Container { container: id }))
    }

    /// Publishes a container: the one call that cannot be taken back.
    pub async fn publish_container(&self, part: u16, path: &str, container: &Id) -> Result<Receipt, Fault> {
        let id = self.publish(path, &vec![("creation_id", container.as_str().to_owned())]).await?;
        let url = self.permalink(&id).await;
        Ok(self.receipt(part, &id, url))
    }

    /// What became of the call that was to publish a container. A post that is out is looked for in the list at `path`, by
    /// its text. Read only.
    pub async fn reconcile_container(
        &self,
        part: u16,
        container: &Id,
        (path, text): (&str, &str),
        started: DateTime<Utc>,
    ) -> Result<Verdict, Fault> {
        let (stage, why) = self.stage(container).await?;
        match stage {
            Stage::Published => {}
            // It was finished when it was to be published: the network is at it.
            Stage::InProgress => return Err(Fault::refused(Refusal::Busy, "the network is publishing it just now")),
            Stage::Finished | Stage::Expired => return Ok(Verdict::NotDone),
            Stage::Error => {
                tracing::debug!("the container came to nothing: {why}");
                return Ok(Verdict::NotDone);
            }
        }
        let since = (started - LOOK_BACK).timestamp().to_string();
        let query = [("fields", self.dialect.post), ("since", since.as_str()), ("limit", PAGE)];
        let posts = self.posts(path, &query).await?;
        match self.only(part, posts, text, started) {
            // It is out for certain, so that it is only a matter of time.
            Verdict::NotDone => {
                Err(Fault::refused(Refusal::Busy, "the post is out, and not in the account's list yet"))
            }
            verdict => Ok(verdict),
        }
    }

    /// The one of some posts that says this and is no older than an attempt that `started` then.
    pub fn only(&self, part: u16, posts: Vec<Post>, text: &str, started: DateTime<Utc>) -> Verdict {
        let (since, wanted) = (started - LOOK_BACK, plain(text));
        let alike = |post: &Post| {
            plain(post.text.as_deref().unwrap_or_default()) == wanted && post.timestamp.is_none_or(|at| at >= since)
        };
        let found: Vec<Post> = posts.into_iter().filter(alike).collect();
        match found.as_slice() {
            [] => Verdict::NotDone,
            [post] => Verdict::Done(self.receipt(part, &post.id, post.permalink.clone())),
            [first, second, ..] => Verdict::CannotTell {
                why: format!("it is out, and two match: {} and {}", first.id.as_str(), second.id.as_str()),
            },
        }
    }

    /// How far a container is, and what the network says of it.
    async fn stage(&self, container: &Id) -> Result<(Stage, String), Fault> {
        let answer = self.get(container.as_str(), &[("fields", self.dialect.stage)]).await?;
        let told: ContainerAnswer = self.read(&answer)?;
        let (word, why) = match (told.status_code, told.status) {
            (Some(code), why) => (code, why),
            (None, Some(status)) => (status, told.error_message),
            (None, None) => (String::new(), None),
        };
        let stage = match word.as_str() {
            "IN_PROGRESS" => Stage::InProgress,
            "FINISHED" => Stage::Finished,
            "PUBLISHED" => Stage::Published,
            "ERROR" => Stage::Error,
            "EXPIRED" => Stage::Expired,
            _ => return Err(Fault::refused(Refusal::Busy, "the network does not say how far the container is")),
        };
        Ok((stage, answer.without_secrets(why.unwrap_or_default())))
    }

    /// Waits until a container may be published.
    async fn ready(&self, container: &Id) -> Result<(), Fault> {
        let mut looks = LOOKS;
        loop {
            let (stage, why) = self.stage(container).await?;
            match stage {
                Stage::Finished => return Ok(()),
                Stage::InProgress => {}
                Stage::Error => {
                    let message = format!("the network could not make use of the media: {why}");
                    return Err(Fault::refused(Refusal::Invalid, message));
                }
                Stage::Expired | Stage::Published => {
                    return Err(Fault::refused(Refusal::Busy, "the container is of no use any more"));
                }
            }
            looks.pause("the network is still working on the media").await?;
        }
    }
}

/// A text without what a server may change of white space.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
