//! What Meta's Graph API is like for every network that speaks it: how a call carries the token, what an error means, how a
//! container comes to be ready, and when a quota is used up.
//!
//! A container is made, worked on by the network, and published by one call. Only the container tells what became of that
//! call when its answer is lost, so its id is what a network freezes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::http::{Answer, Body, Request};
use super::{Fault, Outside, Refusal};

/// Fields of a form or a query.
pub type Fields = Vec<(&'static str, String)>;

/// First wait for a container; each further one is twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So many looks: a bit over five minutes in all, which is what Meta's guides recommend (content publishing, read 2026-11-23).
const LOOKS: u32 = 38;

/// A quota counts the last day, hour by hour: so long until some of it may be free again.
const QUOTA_AGAIN: TimeDelta = TimeDelta::hours(1);

/// An address is asked for after the post is out: it is not worth more time than this.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);

/// One account's connection to a server of the Graph API.
pub struct Graph {
    /// Scheme, host and port.
    origin: String,
    /// Where paths begin: origin and version.
    base: String,
    /// What may be used of the outside.
    pub outside: Outside,
}

/// An id: digits, with some networks a `_` between two of them. It goes into paths, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    /// The id, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let good = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        good.then(|| Self(text.to_owned()))
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
pub struct Made {
    /// The id.
    pub id: Id,
}

/// An answer that is a list.
#[derive(Debug, Deserialize)]
pub struct List<T> {
    /// Its members.
    pub data: Vec<T>,
}

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
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

/// How much of a quota is used: `quota_usage` with its `config`, or others of the same shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Used in the last 24 hours.
    pub used: u64,
    /// At most.
    pub total: u64,
}

impl Quota {
    /// Whether so many more fit.
    pub fn fits(self, more: u64) -> bool {
        self.used.saturating_add(more) <= self.total
    }
}

/// An error of the Graph API (Graph API, handling errors, read 2026-11-23).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wrong {
    message: String,
    code: i64,
    error_subcode: i64,
    is_transient: bool,
    error_user_msg: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: Wrong,
}

/// What a proxy or another server may say.
#[derive(Debug, Deserialize)]
struct PlainError {
    error: String,
}

impl Graph {
    /// With the account's own server, or the network's; `version` is such as `v1.0`.
    pub fn new(server: Option<&str>, network: &str, version: &str, outside: Outside) -> Self {
        let server = server.unwrap_or(network).trim_end_matches('/');
        let origin =
            url::Url::parse(server).map_or_else(|_| server.to_owned(), |url| url.origin().ascii_serialization());
        Self { origin, base: format!("{server}/{version}"), outside }
    }

    /// Scheme, host and port that the token is sent to.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// A look.
    pub async fn get(&self, path: &str, query: &[(&'static str, &str)]) -> Result<Answer, Fault> {
        let request =
            || query.iter().fold(Request::get(self.url(path)), |request, (name, value)| request.query(*name, *value));
        self.call(|token| by_query(request(), token)).await
    }

    /// A call that may be repeated.
    pub async fn post(&self, path: &str, fields: &Fields) -> Result<Answer, Fault> {
        self.call(|token| by_form(Request::post(self.url(path)), fields, token)).await
    }

    /// Removes something.
    pub async fn delete(&self, path: &str) -> Result<Answer, Fault> {
        self.call(|token| by_query(Request::delete(self.url(path)), token)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    /// A repeatable call with the account's token, which is renewed once should it have ended.
    async fn call(&self, request: impl Fn(&SecretString) -> Request + Send) -> Result<Answer, Fault> {
        let token = self.outside.secrets.secret("token").await?;
        let answer = self.outside.http.call(request(&token)).await?;
        if !is_token_refused(&answer) {
            return Ok(answer);
        }
        let token = self.renewed(&answer, &token).await?;
        self.outside.http.call(request(&token)).await
    }

    /// Another token than the one that was just refused.
    async fn renewed(&self, refused: &Answer, token: &SecretString) -> Result<SecretString, Fault> {
        self.outside.secrets.renewed("token", token).await.map_err(|fault| match fault {
            Fault::Refused { refusal: Refusal::Credentials, message: why, .. } => {
                let said = self.fault(refused, false);
                let message = format!("{} does not accept the token ({said}); {why}", self.origin);
                Fault::refused(Refusal::Credentials, message)
            }
            // Whatever became of the renewal: nothing of the account's was done.
            Fault::Unknown(why) => Fault::refused(Refusal::Busy, why),
            other => other,
        })
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
                self.renewed(&answer, &token).await?;
                return Err(Fault::refused(Refusal::Busy, "the token had ended; nothing was published"));
            }
            return Err(fault);
        }
        let made: Made = answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        Ok(made.id)
    }

    /// What an answer that is no success means.
    pub fn fault(&self, answer: &Answer, irreversible: bool) -> Fault {
        let now = self.now();
        let Ok(ErrorBody { error }) = answer.json::<ErrorBody>() else {
            let own = answer.json::<PlainError>().ok().map(|plain| plain.error);
            return answer.fault(irreversible, own, now);
        };
        let said = error.error_user_msg.as_deref().filter(|words| !words.is_empty()).unwrap_or(&error.message);
        let told = format!("{said} (code {}, {})", error.code, error.error_subcode);
        let (message, retry_at, first) = match answer.fault(irreversible, Some(told), now) {
            Fault::Refused { refusal, message, retry_at } => (message, retry_at, refusal),
            other => return other,
        };
        let retry_at = || retry_at.or_else(|| regained(answer, now));
        match (meaning(&error), first) {
            (Some(Meaning::Open), _) if irreversible => Fault::Unknown(message),
            (Some(Meaning::Open), _) => Fault::Refused { refusal: Refusal::Busy, message, retry_at: retry_at() },
            (Some(Meaning::No(Refusal::RateLimited)), _) => {
                let retry_at = retry_at().or(Some(now + QUOTA_AGAIN));
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
            }
            // Whatever else a token is refused for has a code of its own.
            (None, Refusal::Credentials) if answer.status != 401 => Fault::refused(Refusal::Forbidden, message),
            (Some(Meaning::No(refusal)), _) | (None, refusal) => {
                Fault::Refused { refusal, message, retry_at: retry_at() }
            }
        }
    }

    /// Says that a quota has no room for so many more; nothing was sent.
    pub fn quota(&self, what: &str, quota: Quota, more: u64) -> Result<(), Fault> {
        if quota.fits(more) {
            return Ok(());
        }
        let at = self.now() + QUOTA_AGAIN;
        let message = format!(
            "{} of {} {what} of the last 24 hours are used, and {more} more are wanted",
            quota.used, quota.total
        );
        Err(Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: Some(at) })
    }

    /// How far a container is, and what the network says of it. `fields` are those that tell.
    pub async fn stage(&self, container: &Id, fields: &str) -> Result<(Stage, String), Fault> {
        let answer = self.get(container.as_str(), &[("fields", fields)]).await?;
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
    pub async fn ready(&self, container: &Id, fields: &str) -> Result<(), Fault> {
        let mut wait = FIRST_WAIT;
        for _ in 0..LOOKS {
            let (stage, why) = self.stage(container, fields).await?;
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
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(Fault::refused(Refusal::Busy, "the network is still working on the media"))
    }

    /// Where people see something. It is out already: that this cannot be told is no reason to say otherwise.
    pub async fn permalink(&self, id: &Id) -> Option<String> {
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
        let answer = self.delete(id.as_str()).await?;
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

/// What an error's numbers say, where they say more than the status.
enum Meaning {
    /// A definite "no".
    No(Refusal),
    /// An error of the network's own: what was done is open.
    Open,
}

/// Codes: Graph API, handling errors and rate limiting; subcodes: Instagram Platform, error codes (read 2026-11-23).
fn meaning(error: &Wrong) -> Option<Meaning> {
    use Meaning::{No, Open};

    Some(match (error.code, error.error_subcode) {
        (_, 2_207_042) | (4 | 17 | 32 | 341 | 613 | 80_001..=80_014, _) => No(Refusal::RateLimited),
        (_, 2_207_050 | 2_207_051) => No(Refusal::Forbidden),
        (_, 2_207_027) => No(Refusal::Busy),
        (102 | 190, _) => No(Refusal::Credentials),
        (100, 33) => No(Refusal::Gone),
        (3 | 10 | 200..=299 | 368, _) => No(Refusal::Forbidden),
        (506, _) => No(Refusal::Duplicate),
        (1 | 2, _) => Open,
        _ if error.is_transient => Open,
        _ => return None,
    })
}

/// The network refuses the token itself.
fn is_token_refused(answer: &Answer) -> bool {
    answer.status == 401
        || ((400..500).contains(&answer.status)
            && answer.json::<ErrorBody>().is_ok_and(|body| matches!(body.error.code, 102 | 190)))
}

/// When calls are free again, as the usage header tells in minutes (Graph API, rate limiting, read 2026-11-23).
fn regained(answer: &Answer, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let usage: Value = serde_json::from_str(answer.header("x-business-use-case-usage")?).ok()?;
    let uses = usage.as_object()?.values().filter_map(Value::as_array).flatten();
    let minutes = uses.filter_map(|one| one.get("estimated_time_to_regain_access")?.as_i64()).max()?;
    (1..=60 * 24 * 30).contains(&minutes).then(|| now + TimeDelta::minutes(minutes))
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
    fn numbers_of_errors() {
        let of = |code: i64, sub: i64| meaning(&Wrong { code, error_subcode: sub, ..Wrong::default() });
        assert!(matches!(of(190, 463), Some(Meaning::No(Refusal::Credentials))));
        assert!(matches!(of(9, 2_207_042), Some(Meaning::No(Refusal::RateLimited))));
        assert!(matches!(of(4, 0), Some(Meaning::No(Refusal::RateLimited))));
        assert!(matches!(of(9007, 2_207_027), Some(Meaning::No(Refusal::Busy))));
        assert!(matches!(of(2, 0), Some(Meaning::Open)));
        assert!(of(100, 2_207_010).is_none());
    }

    #[test]
    fn ids_are_digits() {
        assert!(Id::parse("17846368219941196").is_some() && Id::parse("17846_18").is_some());
        for bad in ["", "../me", "me", "1?x", "1 ", &"1".repeat(65)] {
            assert!(Id::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_quota_has_room_or_not() {
        assert!(Quota { used: 249, total: 250 }.fits(1));
        assert!(!Quota { used: 249, total: 250 }.fits(2));
        assert!(!Quota { used: 300, total: 250 }.fits(0) && Quota { used: 0, total: 0 }.fits(0));
    }
}
