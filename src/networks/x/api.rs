//! Calls to X.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::http::{Answer, Body, Field, Request};
use crate::adapter::{
    Api, DraftMedia, Fault, Identity, Limits, MediaBytes, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict,
};
use crate::model::{Account, Frozen, LimitOverrides, MediaKind, Receipt};

use super::matching::{Wanted, shown};
use super::plan::{self, Found, Task, found};
use super::profile::{PROFILE, SEGMENT, SERVER};
use super::wire::{Created, Deleted, ErrorBody, Id, Many, One, Post, Upload, User};

/// Total time of one segment over a slow line.
const SEGMENT_TIMEOUT: Duration = Duration::from_mins(5);

/// Shortest and longest wait between two looks at a file that X works on, and so many looks.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const LOOKS: u32 = 40;

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
    outside: Outside,
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

    /// A repeatable call with the account's token, which is renewed once should it have ended.
    async fn call(&self, request: impl Fn() -> Request + Send) -> Result<Answer, Fault> {
        let token = self.outside.secrets.secret("token").await?;
        let answer = self.outside.http.call(request().bearer(token.clone())).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let token = self.renewed(&answer, &token).await?;
        self.outside.http.call(request().bearer(token)).await
    }

    /// Another token than the one that was just refused.
    async fn renewed(&self, refused: &Answer, token: &SecretString) -> Result<SecretString, Fault> {
        self.outside.secrets.renewed("token", token).await.map_err(|fault| match fault {
            Fault::Refused { refusal: Refusal::Credentials, message: why, .. } => {
                let said = self.refusal(refused, false);
                Fault::refused(Refusal::Credentials, format!("X does not accept the token ({said}); {why}"))
            }
            // Whatever became of the renewal: nothing of the account's was done.
            Fault::Unknown(why) => Fault::refused(Refusal::Busy, why),
            other => other,
        })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| {
            query.iter().fold(Request::get(url.as_str()), |request, (name, value)| request.query(*name, *value))
        })
        .await
    }

    async fn post(&self, path: &str, body: &Body, timeout: Option<Duration>) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| {
            let request = Request::post(url.as_str()).body(body.clone());
            timeout.into_iter().fold(request, Request::timeout)
        })
        .await
    }

    /// What an answer that is no success means.
    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
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
    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        if !answer.is_success() {
            return Err(self.refusal(answer, false));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    /// Begins an upload.
    async fn begin(&self, kind: MediaKind, mime: &str, bytes: u64) -> Result<Id, Fault> {
        let category = match kind {
            MediaKind::Image => "tweet_image",
            MediaKind::Animation => "tweet_gif",
            MediaKind::Video => "tweet_video",
        };
        let body = Body::Json(json!({"media_type": mime, "total_bytes": bytes, "media_category": category}));
        let answer = self.post("/2/media/upload/initialize", &body, None).await?;
        Ok(self.read::<One<Upload>>(&answer)?.data.id)
    }

    async fn append(&self, id: &Id, segment: u64, bytes: Vec<u8>) -> Result<(), Fault> {
        let body = Body::Multipart(vec![
            Field::Text { name: "segment_index".to_owned(), value: segment.to_string() },
            Field::File {
                name: "media".to_owned(),
                file_name: "segment".to_owned(),
                mime: "application/octet-stream".to_owned(),
                bytes: bytes.into(),
            },
        ]);
        let path = format!("/2/media/upload/{}/append", id.as_str());
        let answer = self.post(&path, &body, Some(SEGMENT_TIMEOUT)).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
    }

    /// Ends an upload. One whose answer was lost is ended already: X is asked how far it is.
    async fn finish(&self, id: &Id) -> Result<Upload, Fault> {
        let path = format!("/2/media/upload/{}/finalize", id.as_str());
        let answer = self.post(&path, &Body::Empty, Some(SEGMENT_TIMEOUT)).await?;
        if answer.status == 400 {
            let status = self.status(id).await?;
            if status.is_success() {
                return Ok(self.read::<One<Upload>>(&status)?.data);
            }
        }
        Ok(self.read::<One<Upload>>(&answer)?.data)
    }

    async fn status(&self, id: &Id) -> Result<Answer, Fault> {
        self.get("/2/media/upload", &[("command", "STATUS"), ("media_id", id.as_str())]).await
    }

    /// Waits until X is done with a file, as long as it says.
    async fn ready(&self, mut upload: Upload) -> Result<(), Fault> {
        for _ in 0..LOOKS {
            let Some(processing) = &upload.processing_info else { return Ok(()) };
            match processing.state.as_str() {
                "succeeded" => return Ok(()),
                "failed" => {
                    let error = processing.error.as_ref();
                    let why = error.and_then(|error| error.message.as_deref().or(error.name.as_deref()));
                    let why = why.unwrap_or("it does not say why");
                    return Err(Fault::refused(Refusal::Invalid, format!("X cannot use the file: {why}")));
                }
                _ => {}
            }
            let wait = Duration::from_secs(processing.check_after_secs.unwrap_or(1));
            tokio::time::sleep(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT)).await;
            let answer = self.status(&upload.id).await?;
            upload = self.read::<One<Upload>>(&answer)?.data;
        }
        Err(Fault::refused(Refusal::Busy, "X is still working on the file"))
    }

    /// A picture, whole.
    async fn upload(&self, media: &DraftMedia, limits: &LimitOverrides) -> Result<Id, Fault> {
        let MediaBytes { bytes, facts, .. } = self.outside.media.fetch(media, &Limits::new(&PROFILE, limits)).await?;
        let id = self.begin(facts.kind, &facts.mime, facts.bytes).await?;
        let segment = usize::try_from(SEGMENT).unwrap_or(usize::MAX);
        for (number, part) in (0..).zip(bytes.chunks(segment)) {
            self.append(&id, number, part.to_vec()).await?;
        }
        self.ready(self.finish(&id).await?).await?;
        Ok(id)
    }

    /// Some segments of a video, one after the other: never more than one is in memory.
    async fn segments(&self, id: &Id, media: &DraftMedia, first: u64, count: u64) -> Result<(), Fault> {
        // It was checked against the account's limits when it was planned.
        let limits = Limits::new(
            &PROFILE,
            &LimitOverrides { video_bytes: Some(media.facts.bytes), ..LimitOverrides::default() },
        );
        for number in first..first.saturating_add(count) {
            let offset = number.saturating_mul(SEGMENT);
            let bytes = self.outside.media.chunk(media, &limits, offset, SEGMENT).await?;
            let end = offset.saturating_add(bytes.len() as u64);
            self.append(id, number, bytes).await?;
            self.outside.media.arrived(media, end);
        }
        Ok(())
    }

    async fn describe(&self, id: &Id, alt: &str) -> Result<(), Fault> {
        let body = Body::Json(json!({"id": id.as_str(), "metadata": {"alt_text": {"text": alt}}}));
        let answer = self.post("/2/media/metadata", &body, None).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
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
        let begun = |step| found(progress, step).and_then(|id| known(&id));
        let id = match plan::task(step)? {
            Task::Upload { media, limits } => self.upload(&media, &limits).await?,
            Task::Begin { media } => self.begin(media.facts.kind, &media.facts.mime, media.facts.bytes).await?,
            Task::Append { media, begin, first, count } => {
                let id = begun(begin)?;
                self.segments(&id, &media, first, count).await?;
                id
            }
            Task::Finish { begin } => self.finish(&begun(begin)?).await?.id,
            Task::Await { begin } => {
                let id = begun(begin)?;
                let answer = self.status(&id).await?;
                self.ready(self.read::<One<Upload>>(&answer)?.data).await?;
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
        let token = self.outside.secrets.secret("token").await?;
        let body = frozen.request.get("body").cloned().unwrap_or_default();
        let request = Request::post(self.url("/2/tweets")).body(Body::Json(body)).bearer(token.clone());
        let answer = self.outside.http.publish(request).await?;
        if !answer.is_success() {
            let fault = self.refusal(&answer, true);
            if answer.status == 401 && matches!(fault, Fault::Refused { .. }) {
                // Nothing was done. It is no matter of credentials as long as there is another token to be had.
                self.renewed(&answer, &token).await?;
                return Err(Fault::refused(Refusal::Busy, "the token had ended; nothing was published"));
            }
            return Err(fault);
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
            reposts: counts.repost_count,
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
    use crate::adapter::suite::{Act, Fake, Film, Rule};
    use crate::adapter::{Draft, DraftPart, Network, StepKind};
    use crate::model::{AccountName, CalendarName, DeliveryId, MediaFacts, OccurrenceName, PostId, Prepared};
    use crate::networks::x::X;
    use crate::networks::x::fake::Service;

    struct Bench {
        fake: Service,
        api: Box<dyn Api>,
        identity: Identity,
    }

    async fn bench() -> Bench {
        let fake = Service::start().await;
        let api = X.connect(&fake.account(), fake.outside());
        let identity = api.whoami().await.expect("the token is good");
        Bench { fake, api, identity }
    }

    impl Bench {
        fn frozen(&self, text: &str) -> Frozen {
            let request = json!({"user": self.identity.uid, "body": {"text": text}});
            Frozen { part: 0, key: "k".to_owned(), request }
        }

        fn rule(&self, rule: Rule) {
            self.fake.front().expect("it has one").rule(rule);
        }

        /// The steps of a film and its post.
        fn film(&self, bytes: u64) -> crate::adapter::Plan {
            let account = self.fake.account();
            let limits = Limits::new(&PROFILE, &LimitOverrides::default());
            let facts = MediaFacts { kind: MediaKind::Video, mime: "video/mp4".to_owned(), bytes, width: 3, height: 2 };
            let media = vec![DraftMedia { file: "film.mp4".to_owned(), alt: "A film".to_owned(), facts }];
            let delivery = DeliveryId::derive(
                &CalendarName::new("c"),
                &OccurrenceName::once(&PostId::new("p")),
                &AccountName::new("a"),
            );
            let parts = vec![DraftPart { text: "Look".to_owned(), media }];
            X.plan(&Draft::new(delivery, &account, &limits, parts)).expect("a plan")
        }
    }

    /// Runs the steps that are not done yet, as the engine does.
    async fn prepare(api: &dyn Api, plan: &crate::adapter::Plan, progress: &mut Progress) -> Result<(), Fault> {
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            if progress.value(step.index).is_none() {
                let value = api.prepare(step, progress).await?;
                progress.prepared.push(Prepared { step: step.index, value, at: Utc::now() });
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_film_goes_in_segments_and_goes_on_after_a_cut() {
        let bench = bench().await;
        let bytes = 9 * SEGMENT + 5;
        let film = Film::new(bytes);
        let outside = Outside { media: film.clone(), ..bench.fake.outside() };
        let api = X.connect(&bench.fake.account(), outside);
        let plan = bench.film(bytes);
        let mut progress = Progress::default();
        // The line is cut while the second group is under way.
        let front = bench.fake.front().expect("it has one");
        let append = "/2/media/upload/101/append";
        front.rule(Rule::new(Act::Wait(Duration::ZERO)).on("POST", append).times(5));
        front.rule(Rule::answer(503, "").on("POST", append));
        let fault = prepare(&*api, &plan, &mut progress).await.expect_err("cut");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        assert_eq!(progress.prepared.len(), 2, "begun, and the first group");
        assert_eq!(front.count("POST", append), 6);
        prepare(&*api, &plan, &mut progress).await.expect("it goes on");
        assert_eq!(front.count("POST", append), 6 + 6, "only the second group and what follows");
        assert_eq!(front.count("POST", "/2/media/upload/initialize"), 1);
        assert_eq!(bench.fake.film("101"), film.bytes(), "every byte, in order");
        assert_eq!(film.most(), SEGMENT, "no more than a segment at once");
        assert_eq!(film.told().last(), Some(&bytes), "who watches sees all of it arrive");
        let step = plan.publish_step(0).expect("a part");
        let frozen = api.freeze(step, &progress, &bench.identity, Utc::now()).expect("a request");
        assert_eq!(frozen.request["body"], json!({"text": "Look", "media": {"media_ids": ["101"]}}));
        api.publish(&frozen).await.expect("published");
    }

    #[tokio::test]
    async fn a_finish_whose_answer_was_lost_is_not_the_end() {
        let bench = bench().await;
        let api = X.connect(&bench.fake.account(), Outside { media: Film::new(9), ..bench.fake.outside() });
        let plan = bench.film(9);
        let mut progress = Progress::default();
        let lost = Act::AnswerAfter { status: 503, headers: Vec::new(), body: String::new() };
        bench.rule(Rule::new(lost).on("POST", "/2/media/upload/101/finalize"));
        prepare(&*api, &plan, &mut progress).await.expect_err("lost");
        prepare(&*api, &plan, &mut progress).await.expect("X is asked how far it is");
    }

    #[tokio::test]
    async fn a_file_that_x_cannot_use_is_refused() {
        let bench = bench().await;
        let api = X.connect(&bench.fake.account(), Outside { media: Film::new(9), ..bench.fake.outside() });
        let plan = bench.film(9);
        let body = r#"{"data":{"id":"101","processing_info":{"state":"failed","error":{"name":"InvalidMedia","message":"not a film"}}}}"#;
        bench.rule(Rule::answer(200, body).on("GET", "/2/media/upload"));
        let fault = prepare(&*api, &plan, &mut Progress::default()).await.expect_err("refused");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("not a film")),
            "{fault:?}"
        );
    }

    #[tokio::test]
    async fn the_same_text_again_is_looked_up() {
        let bench = bench().await;
        let started = Utc::now() - chrono::Duration::seconds(1);
        let frozen = bench.frozen("R&D <2>: see acme.example/a, https://acme.example/?b=1&c=2 🎉");
        let lost = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>".to_owned() };
        bench.rule(Rule::new(lost).on("POST", "/2/tweets"));
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
            let fault = bench.api.publish(&bench.frozen("a")).await.expect_err("no money");
            assert!(
                matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, message, .. } if message.contains("console.x.com")),
                "{fault:?}"
            );
        }
        let limited = Rule::answer(429, r#"{"title":"Too Many Requests"}"#).header("x-rate-limit-reset", "1795000000");
        bench.rule(limited.on("POST", "/2/tweets"));
        let fault = bench.api.publish(&bench.frozen("a")).await.expect_err("too many");
        let at = DateTime::from_timestamp(1_795_000_000, 0);
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::RateLimited, retry_at, .. } if retry_at == at));
        // A success without an id proves nothing.
        bench.rule(Rule::answer(200, r#"{"errors":[{"title":"Odd","detail":"odd"}]}"#).on("POST", "/2/tweets"));
        assert!(matches!(bench.api.publish(&bench.frozen("a")).await, Err(Fault::Unknown(_))));
        assert_eq!(bench.fake.posts().await, []);
    }

    #[tokio::test]
    async fn a_look_goes_back_page_by_page() {
        let bench = bench().await;
        let wanted = bench.frozen("the first of many");
        let started = Utc::now() - chrono::Duration::seconds(1);
        bench.api.publish(&wanted).await.expect("published");
        for number in 0..110 {
            bench.api.publish(&bench.frozen(&format!("post {number}"))).await.expect("published");
        }
        assert!(matches!(bench.api.reconcile(&wanted, started).await, Ok(Verdict::Done(_))));
    }

    #[tokio::test]
    async fn answers_and_numbers() {
        let bench = bench().await;
        let receipt = bench.api.publish(&bench.frozen("one & only")).await.expect("published");
        let mut answer = bench.frozen("an <answer>");
        answer.request["body"]["reply"] = json!({"in_reply_to_tweet_id": receipt.id});
        bench.api.publish(&answer).await.expect("published");
        assert_eq!(bench.api.metrics(&receipt).await.expect("numbers").replies, Some(1));
        let replies = bench.api.replies(&receipt).await.expect("answers");
        assert_eq!((replies.len(), replies[0].text.as_str(), replies[0].author.as_str()), (1, "an <answer>", "@acme"));
    }
}
