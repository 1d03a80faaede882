//! What Meta's Graph API is like for every network that speaks it: how a call carries the token, what an error means, how a
//! container comes to be ready, and when a quota is used up.
//!
//! A container is made, worked on by the network, and published by one call. Only the container tells what became of that
//! call when its answer is lost, so its id is what a network freezes.

mod container;
mod error;
mod media;
mod quota;

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::http::{Answer, Body, Request};
use super::{Fault, Outside, Refusal, Reply};
use crate::model::Receipt;

pub use container::{Container, PAGE};
pub use media::{File, Hosting, Shown};

/// Fields of a form or a query.
pub type Fields = Vec<(&'static str, String)>;

/// An address is asked for after the post is out: it is not worth more time than this.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);

/// What differs from one network of the family to the next.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The network's server.
    pub server: &'static str,
    /// The fields that tell how far a container is.
    pub stage: &'static str,
    /// The fields of a post that it is known again by.
    pub post: &'static str,
}

/// One account's connection to a server of the Graph API.
pub struct Graph {
    dialect: Dialect,
    /// Scheme, host and port.
    origin: String,
    /// Where paths begin: origin and version.
    base: String,
    outside: Outside,
}

/// An id: digits, with some networks a `_` between two of them. It goes into paths, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Id(String);

impl Id {
    /// The id, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        good.then(|| Self(text.to_owned()))
    }

    /// That of what a receipt is for.
    pub fn of(receipt: &Receipt) -> Result<Self, Fault> {
        Self::parse(&receipt.id).ok_or_else(|| Fault::NotSent(format!("`{}` is no id", receipt.id)))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(serde::de::Error::custom("an id was expected")),
        };
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("an id was expected"))
    }
}

/// An answer that is nothing but an id.
#[derive(Debug, Deserialize)]
struct Made {
    id: Id,
}

/// An answer that is a list.
#[derive(Debug, Deserialize)]
pub struct List<T> {
    /// Its members.
    pub data: Vec<T>,
}

/// A post, a reply or a comment, in a list.
#[derive(Debug, Deserialize)]
pub struct Post {
    /// Its id.
    pub id: Id,
    /// Its text; Instagram calls that of a post its caption.
    #[serde(alias = "caption")]
    pub text: Option<String>,
    /// Where people see it.
    pub permalink: Option<String>,
    /// Who wrote it.
    pub username: Option<String>,
    /// When it was published.
    #[serde(default, deserialize_with = "date")]
    pub timestamp: Option<DateTime<Utc>>,
}

impl From<Post> for Reply {
    fn from(post: Post) -> Self {
        Self {
            id: post.id.0,
            author: format!("@{}", post.username.unwrap_or_default()),
            text: post.text.unwrap_or_default(),
            at: post.timestamp,
            url: post.permalink,
        }
    }
}

impl Graph {
    /// With the account's own server, or the network's; `version` is such as `v1.0`.
    pub fn new(dialect: Dialect, server: Option<&str>, version: &str, outside: Outside) -> Self {
        let server = server.unwrap_or(dialect.server).trim_end_matches('/');
        let origin =
            url::Url::parse(server).map_or_else(|_| server.to_owned(), |url| url.origin().ascii_serialization());
        Self { dialect, origin, base: format!("{server}/{version}"), outside }
    }

    /// Scheme, host and port that the token is sent to.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// A look.
    pub async fn get(&self, path: &str, query: &[(&'static str, &str)]) -> Result<Answer, Fault> {
        self.call(|token| {
            let request = Request::get(self.url(path));
            by_query(query.iter().fold(request, |request, (name, value)| request.query(*name, *value)), token)
        })
        .await
    }

    /// A call that may be repeated.
    async fn post(&self, path: &str, fields: &Fields) -> Result<Answer, Fault> {
        self.call(|token| by_form(Request::post(self.url(path)), fields, token)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// A repeatable call with the account's token, which is renewed once should it have ended.
    async fn call(&self, request: impl Fn(&SecretString) -> Request + Send) -> Result<Answer, Fault> {
        let token = self.outside.secrets.secret("token").await?;
        let answer = self.outside.http.call(request(&token)).await?;
        if !error::is_token_refused(&answer) {
            return Ok(answer);
        }
        let token = self.outside.renewed(&self.origin, &token, &self.fault(&answer, false)).await?;
        self.outside.http.call(request(&token)).await
    }

    /// A success, read.
    pub fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        if !answer.is_success() {
            return Err(self.fault(answer, false));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    /// The one call that cannot be taken back; gives the id of what is out.
    pub async fn publish(&self, path: &str, fields: &Fields) -> Result<Id, Fault> {
        let token = self.outside.secrets.secret("token").await?;
        let answer = self.outside.http.publish(by_form(Request::post(self.url(path)), fields, &token)).await?;
        if !answer.is_success() {
            let fault = self.fault(&answer, true);
            if matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }) {
                // Nothing was done. It is no matter of credentials as long as there is another token to be had.
                self.outside.renewed(&self.origin, &token, &fault).await?;
                return Err(Fault::refused(Refusal::Busy, "the token had ended; nothing was published"));
            }
            return Err(fault);
        }
        let made: Made = answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        Ok(made.id)
    }

    /// The members of a list of posts, replies or comments.
    pub async fn posts(&self, path: &str, query: &[(&'static str, &str)]) -> Result<Vec<Post>, Fault> {
        Ok(self.read::<List<Post>>(&self.get(path, query).await?)?.data)
    }

    /// Answers to a post, oldest first.
    pub async fn replies(&self, path: &str, query: &[(&'static str, &str)]) -> Result<Vec<Reply>, Fault> {
        let mut replies: Vec<Reply> = self.posts(path, query).await?.into_iter().map(Reply::from).collect();
        replies.sort_by_key(|reply| reply.at);
        Ok(replies)
    }

    /// What is kept of something that is out.
    pub fn receipt(&self, part: u16, id: &Id, url: Option<String>) -> Receipt {
        Receipt { part, id: id.0.clone(), url, at: self.now(), data: Value::Null }
    }

    /// Where people see something. It is out already: that this cannot be told is no reason to say otherwise.
    async fn permalink(&self, id: &Id) -> Option<String> {
        #[derive(Deserialize)]
        struct Link {
            permalink: Option<String>,
        }
        let token = self.outside.secrets.secret("token").await.ok()?;
        let request = Request::get(self.url(id.as_str())).query("fields", "id,permalink").timeout(ADDRESS_TIMEOUT);
        let answer = self.outside.http.call(by_query(request, &token)).await.ok()?;
        let link: Link = self.read(&answer).ok()?;
        link.permalink.filter(|link| link.starts_with("https://") || link.starts_with("http://"))
    }

    /// Removes a post. The Graph API answers "it does not exist, or you may not" alike, so the post is looked for then.
    pub async fn remove(&self, id: &Id) -> Result<(), Fault> {
        let answer = self.call(|token| by_query(Request::delete(self.url(id.as_str())), token)).await?;
        if answer.is_success() {
            return Ok(());
        }
        let fault = self.fault(&answer, false);
        if !matches!(fault, Fault::Refused { refusal: Refusal::Gone, .. }) {
            return Err(fault);
        }
        let looked = self.get(id.as_str(), &[("fields", "id")]).await?;
        if looked.is_success() {
            return Err(Fault::refused(Refusal::Forbidden, "the network does not let it be deleted; delete it there"));
        }
        match self.fault(&looked, false) {
            Fault::Refused { refusal: Refusal::Gone, .. } => Ok(()),
            other => Err(other),
        }
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

/// The token as a parameter, which is how Meta's own collections send it.
fn by_query(request: Request, token: &SecretString) -> Request {
    request.query("access_token", token.expose_secret()).hide(token.clone())
}

fn by_form(request: Request, fields: &Fields, token: &SecretString) -> Request {
    let mut form: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    form.push(("access_token".to_owned(), token.expose_secret().to_owned()));
    request.body(Body::Form(form)).hide(token.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_digits() {
        assert!(Id::parse("17846368219941196").is_some() && Id::parse("17846_18").is_some());
        for bad in ["", "../me", "me", "1?x", "1 ", &"1".repeat(65)] {
            assert!(Id::parse(bad).is_none(), "{bad}");
        }
    }
}
