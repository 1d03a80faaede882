//! Calls to X.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::matching::{Wanted, shown};
use super::plan::{self, Found, Task};
use super::profile::SERVER;
use super::wire::{Created, Deleted, ErrorBody, Id, Many, One, Post, User};

/// Posts in one page, and the most pages that a look-up reads: each post read is paid for.
const PAGE: usize = 100;
const PAGES: usize = 3;
/// Posts older than this before the first attempt are not asked for.
const LOOK_BACK: chrono::Duration = chrono::Duration::minutes(5);

/// What is asked for of posts that may be ours.
const FIELDS: &str = "attachments,created_at,entities,note_tweet,referenced_tweets,text";

/// One account's connection.
pub(super) struct Client {
    server: String,
    pub(super) outside: Outside,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let server = account.server.as_deref().unwrap_or(SERVER).trim_end_matches('/').to_owned();
        Self { server, outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn origin(&self) -> String {
        url::Url::parse(&self.server).map_or_else(|_| self.server.clone(), |url| url.origin().ascii_serialization())
    }

    /// A repeatable call with the account's token.
    async fn call(&self, request: impl Fn() -> Request + Send) -> Result<Answer, Fault> {
        self.outside.call("X", request, |answer| self.refusal(answer, false)).await
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| {
            query.iter().fold(Request::get(url.as_str()), |request, (name, value)| request.query(*name, *value))
        })
        .await
    }

    pub(super) async fn post(&self, path: &str, body: &Body, timeout: Option<Duration>) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| {
            let request = Request::post(url.as_str()).body(body.clone());
            timeout.into_iter().fold(request, Request::timeout)
        })
        .await
    }

    /// What an answer that is no success means.
    pub(super) fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let body = answer.json::<ErrorBody>().ok();
        let own = body.as_ref().and_then(ErrorBody::told);
        let spent = answer.status == 402 || body.as_ref().is_some_and(ErrorBody::is_spent);
        let duplicate = answer.status == 403 && body.as_ref().is_some_and(ErrorBody::is_duplicate);
        match answer.fault(irreversible, own, self.now()) {
            Fault::Refused { message, .. } if spent => Fault::refused(
                Refusal::Credentials,
                format!(
                    "the app's credits or its spending limit are used up: see to it at https://console.x.com ({message})"
                ),
            ),
            Fault::Refused { message, .. } if duplicate => Fault::refused(Refusal::Duplicate, message),
            Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None } => {
                let reset = answer.header("x-rate-limit-reset").and_then(|at| at.trim().parse().ok());
                let retry_at = reset.and_then(|at| DateTime::from_timestamp(at, 0));
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
            }
            fault => fault,
        }
    }

    /// A success, read.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        if !answer.is_success() {
            return Err(self.refusal(answer, false));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    /// The account's own posts since, the latest first. `Err(why)`: there are more than are read.
    async fn recent(&self, user: &Id, since: DateTime<Utc>) -> Result<Result<Vec<Post>, String>, Fault> {
        let path = format!("/2/users/{}/tweets", user.as_str());
        let (page, since) = (PAGE.to_string(), since.to_rfc3339_opts(SecondsFormat::Secs, true));
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES {
            let mut query =
                vec![("max_results", page.as_str()), ("start_time", since.as_str()), ("tweet.fields", FIELDS)];
            query.extend(next.as_deref().map(|next| ("pagination_token", next)));
            let answer = self.get(&path, &query).await?;
            let many: Many = self.read(&answer)?;
            all.extend(many.data);
            next = many.meta.next_token;
            if next.is_none() {
                return Ok(Ok(all));
            }
        }
        Ok(Err(format!("the account has more than {} posts since", all.len())))
    }

    fn receipt(&self, part: u16, id: &Id) -> Receipt {
        let url = Some(format!("https://x.com/i/status/{}", id.as_str()));
        Receipt { part, id: id.as_str().to_owned(), url, at: self.now(), data: Value::Null }
    }
}

fn known(id: &str) -> Result<Id, Fault> {
    Id::parse(id).ok_or_else(|| Fault::NotSent(format!("`{id}` is no id of X")))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.origin()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let answer = self.get("/2/users/me", &[]).await?;
        if answer.status == 401 || answer.status == 403 {
            let fault = self.refusal(&answer, false);
            return Err(Fault::refused(Refusal::Credentials, format!("X does not accept the token ({fault})")));
        }
        let who = self.read::<One<User>>(&answer)?.data;
        Ok(Identity {
            uid: who.id.as_str().to_owned(),
            handle: format!("@{}", who.username),
            host: self.origin(),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        let begun = |step| progress.given::<Found>(step).and_then(|found| known(&found.id));
        let id = match step.task()? {
            Task::Upload { media, limits } => self.upload(&media, &limits).await?,
            Task::Begin { media } => self.begin(&media.facts).await?,
            Task::Append { media, begin, first, count } => {
                let id = begun(begin)?;
                self.segments(&id, &media, first, count).await?;
                id
            }
            Task::Finish { begin } => self.finish(&begun(begin)?).await?.id,
            Task::Await { begin } => {
                let id = begun(begin)?;
                self.ready(self.status(&id).await?).await?;
                id
            }
            Task::Describe { upload, alt } => {
                let id = begun(upload)?;
                self.describe(&id, &alt).await?;
                id
            }
            Task::Publish(_) => return Err(Fault::NotSent(format!("step {} is not to be prepared", step.index))),
        };
        Ok(json!(Found { id: id.as_str().to_owned() }))
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
        let body = frozen.request.get("body").cloned().unwrap_or_default();
        let request = Request::post(self.url("/2/tweets")).body(Body::Json(body));
        let answer = self.outside.publish("X", request, |answer| self.refusal(answer, true)).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        // A success may come with errors and without an id: then nothing is proven.
        let created: One<Created> =
            answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        Ok(self.receipt(frozen.part, &created.data.id))
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let user = known(frozen.request["user"].as_str().unwrap_or_default())?;
        let posts = match self.recent(&user, started - LOOK_BACK).await? {
            Ok(posts) => posts,
            Err(why) => return Ok(Verdict::CannotTell { why }),
        };
        Ok(match Wanted::new(&frozen.request["body"], started).among(&posts).as_slice() {
            [] => Verdict::NotDone,
            [post] => Verdict::Done(self.receipt(frozen.part, &post.id)),
            [first, second, ..] => Verdict::CannotTell {
                why: format!("two posts match: {} and {}", first.id.as_str(), second.id.as_str()),
            },
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let path = format!("/2/tweets/{}", known(&receipt.id)?.as_str());
        let answer = self.get(&path, &[("tweet.fields", "public_metrics")]).await?;
        let counts = self.read::<One<Post>>(&answer)?.data.public_metrics;
        Ok(counts.map_or_else(Metrics::default, |counts| Metrics {
            likes: counts.like_count,
            reposts: counts.reposts(),
            replies: counts.reply_count,
            quotes: counts.quote_count,
            views: counts.impression_count,
        }))
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let query = format!("in_reply_to_tweet_id:{}", known(&receipt.id)?.as_str());
        let query = [
            ("query", query.as_str()),
            ("max_results", "100"),
            ("tweet.fields", "author_id,created_at,entities,note_tweet,text"),
            ("expansions", "author_id"),
        ];
        let answer = self.get("/2/tweets/search/recent", &query).await?;
        let mut many: Many = self.read(&answer)?;
        many.data.sort_by_key(|post| post.created_at);
        let author = |post: &Post| {
            let author = many.includes.users.iter().find(|user| Some(&user.id) == post.author_id.as_ref());
            author.map(|user| user.username.as_str())
        };
        let reply = |post: &Post| Reply {
            id: post.id.as_str().to_owned(),
            author: author(post).map(|name| format!("@{name}")).unwrap_or_default(),
            text: shown(post),
            at: post.created_at,
            url: Some(format!("https://x.com/{}/status/{}", author(post).unwrap_or("i"), post.id.as_str())),
        };
        Ok(many.data.iter().map(reply).collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let url = self.url(&format!("/2/tweets/{}", known(&receipt.id)?.as_str()));
        let answer = self.call(|| Request::delete(url.as_str())).await?;
        match answer.status {
            404 | 410 => Ok(()),
            200..300 if self.read::<One<Deleted>>(&answer)?.data.deleted => Ok(()),
            200..300 => Err(Fault::refused(Refusal::Forbidden, "X did not delete the post")),
            _ => Err(self.refusal(&answer, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{at, draft, file, prepare, text};
    use crate::adapter::suite::{Bench, Fake, Rule, unnamed};
    use crate::adapter::{DraftPart, Limits, Network};
    use crate::model::{MediaKind, Poll};
    use crate::networks::x::X;
    use crate::networks::x::fake::Service;
    use crate::networks::x::profile::PROFILE;

    async fn bench() -> Bench<Service> {
        Bench::new(&X, Service::start().await).await
    }

    fn request_of(bench: &Bench<Service>, text: &str) -> Frozen {
        let request = json!({"user": bench.identity.uid, "body": {"text": text}});
        Frozen { part: 0, key: "k".to_owned(), request }
    }

    #[tokio::test]
    async fn the_same_text_again_is_looked_up() {
        let bench = bench().await;
        let started = Utc::now() - chrono::Duration::seconds(1);
        let frozen = request_of(&bench, "R&D <2>: see acme.example/a, https://acme.example/?b=1&c=2 🎉");
        bench.lose_answer();
        assert!(matches!(bench.api.publish(&frozen).await, Err(Fault::Unknown(_))));
        let again = bench.api.publish(&frozen).await.expect_err("X has it");
        assert!(matches!(again, Fault::Refused { refusal: Refusal::Duplicate, .. }), "{again:?}");
        let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
        assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.id == "101"), "{verdict:?}");
        // One that is older than our first attempt is not ours: a person decides.
        let later = Utc::now() + chrono::Duration::minutes(10);
        assert_eq!(bench.api.reconcile(&frozen, later).await, Ok(Verdict::NotDone));
    }

    #[tokio::test]
    async fn money_and_limits() {
        let bench = bench().await;
        let spent =
            r#"{"title":"CreditsDepleted","detail":"no credits","type":"https://api.x.com/2/problems/credits"}"#;
        for status in [402, 403] {
            bench.rule(Rule::answer(status, spent).on("POST", "/2/tweets"));
            let fault = bench.api.publish(&request_of(&bench, "a")).await.expect_err("no money");
            assert!(
                matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, message, .. } if message.contains("console.x.com")),
                "{fault:?}"
            );
        }
        let limited = Rule::answer(429, r#"{"title":"Too Many Requests"}"#).header("x-rate-limit-reset", "1795000000");
        bench.rule(limited.on("POST", "/2/tweets"));
        let fault = bench.api.publish(&request_of(&bench, "a")).await.expect_err("too many");
        let at = DateTime::from_timestamp(1_795_000_000, 0);
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::RateLimited, retry_at, .. } if retry_at == at));
        // A success without an id proves nothing.
        bench.rule(Rule::answer(200, r#"{"errors":[{"title":"Odd","detail":"odd"}]}"#).on("POST", "/2/tweets"));
        assert!(matches!(bench.api.publish(&request_of(&bench, "a")).await, Err(Fault::Unknown(_))));
        assert_eq!(bench.fake.posts().await, []);
    }

    #[tokio::test]
    async fn a_look_goes_back_page_by_page() {
        let bench = bench().await;
        let wanted = request_of(&bench, "the first of many");
        let started = Utc::now() - chrono::Duration::seconds(1);
        bench.api.publish(&wanted).await.expect("published");
        for number in 0..110 {
            bench.api.publish(&request_of(&bench, &format!("post {number}"))).await.expect("published");
        }
        assert!(matches!(bench.api.reconcile(&wanted, started).await, Ok(Verdict::Done(_))));
    }

    #[tokio::test]
    async fn answers_and_numbers() {
        let bench = bench().await;
        let receipt = bench.api.publish(&request_of(&bench, "one & only")).await.expect("published");
        let mut answer = request_of(&bench, "an <answer>");
        answer.request["body"]["reply"] = json!({"in_reply_to_tweet_id": receipt.id});
        bench.api.publish(&answer).await.expect("published");
        assert_eq!(bench.api.metrics(&receipt).await.expect("numbers").replies, Some(1));
        let replies = bench.api.replies(&receipt).await.expect("answers");
        assert_eq!((replies.len(), replies[0].text.as_str(), replies[0].author.as_str()), (1, "an <answer>", "@acme"));
    }

    #[tokio::test]
    async fn the_readme_names_each_field() {
        let bench = bench().await;
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let picture = file("a.png", MediaKind::Image, "image/png", 9, "What it shows");
        let mut draft =
            draft(&account, &limits, vec![text("Which one?"), DraftPart { media: vec![picture], ..text("Two") }]);
        let options = vec!["This".to_owned(), "That".to_owned()];
        draft.poll = Some(Poll { options, seconds: 3600, multiple: false, hide_totals: false });
        let plan = X.plan(&draft).expect("a plan");
        let mut progress = Progress::default();
        prepare(&*bench.api, &plan, &mut progress).await.expect("prepared");
        for part in 0..plan.parts() {
            let step = plan.publish_step(part).expect("a part");
            let frozen = bench.api.freeze(step, &progress, &bench.identity, at()).expect("a request");
            progress.receipts.push(bench.api.publish(&frozen).await.expect("published"));
            bench.api.reconcile(&frozen, Utc::now()).await.expect("a verdict");
        }
        let last = &progress.receipts[1];
        bench.api.metrics(last).await.expect("numbers");
        bench.api.replies(last).await.expect("answers");
        bench.api.delete(last).await.expect("deleted");
        let missing = unnamed(X.readme(), &bench.front().seen());
        assert!(missing.is_empty(), "README.md does not name {missing:?}");
    }
}
