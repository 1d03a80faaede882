//! Calls to an account's server.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::http::{Answer, Body, Field, Request};
use crate::adapter::{
    Api, Credential, DraftMedia, Fault, Identity, Limits, Looks, Metrics, Outside, Progress, Refusal, Reply, Step,
    Verdict,
};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::kin;
use super::matching::{Wanted, plain};
use super::plan::{self, Found, Task};
use super::profile::PROFILE;
use super::wire::{
    AccountAnswer, AppAnswer, ContextAnswer, ErrorBody, Id, InstanceAnswer, MediaAnswer, SearchAnswer, StatusAnswer,
};

/// Total time of an upload, beyond what its bytes need: many servers work on a picture before they answer.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(2);

/// At a file that the server is still working on: about two minutes in all.
const LOOKS: Looks = Looks::new(Duration::from_millis(100), Duration::from_secs(5), 28);

/// Statuses in one page, and the most pages that a look-up reads.
const PAGE: usize = 40;
const PAGES: usize = 5;
/// Statuses older than this before the first attempt end a look-up.
const LOOK_BACK: chrono::Duration = chrono::Duration::minutes(5);

/// The first version of Mastodon's API that takes quotes (Mastodon 4.5; `mastodon/documentation`, entities/Instance.md,
/// read 2026-11-22).
const QUOTES_SINCE: u64 = 7;

/// One account's connection.
pub(super) struct Client {
    server: Option<String>,
    outside: Outside,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { server: account.server.clone(), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    fn server(&self) -> Result<&str, Fault> {
        self.server
            .as_deref()
            .map(|server| server.trim_end_matches('/'))
            .ok_or_else(|| Fault::NotSent("the account has no `server`".to_owned()))
    }

    fn url(&self, path: &str) -> Result<String, Fault> {
        Ok(format!("{}{path}", self.server()?))
    }

    fn origin(&self) -> Result<String, Fault> {
        let server = self.server()?;
        Ok(url::Url::parse(server).map_or_else(|_| server.to_owned(), |url| url.origin().ascii_serialization()))
    }

    /// A repeatable call with the account's token.
    async fn call(&self, request: impl Fn() -> Request + Send) -> Result<Answer, Fault> {
        self.outside.call(&self.origin()?, request, |answer| self.refusal(answer, false)).await
    }

    async fn get(&self, path: &str) -> Result<Answer, Fault> {
        let url = self.url(path)?;
        self.call(|| Request::get(url.as_str())).await
    }

    /// What an answer that is no success means.
    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let own = answer.json::<ErrorBody>().ok().map(ErrorBody::told);
        // Pixelfed remembers a key before it does the work, and then refuses it.
        let repeated = own.as_deref().is_some_and(|own| own.to_lowercase().contains("idempotency"));
        match answer.fault(irreversible, own, self.now()) {
            Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None } => {
                let reset = answer.header("x-ratelimit-reset").and_then(|at| DateTime::parse_from_rfc3339(at).ok());
                let retry_at = reset.map(|at| at.with_timezone(&Utc));
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
            }
            Fault::Refused { message, retry_at, .. } if repeated => {
                Fault::Refused { refusal: Refusal::Duplicate, message, retry_at }
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

    /// What the server says of itself; what is not said is built in.
    async fn instance(&self) -> Result<InstanceAnswer, Fault> {
        for path in ["/api/v2/instance", "/api/v1/instance"] {
            // Without a token: anybody may read it.
            let answer = self.outside.http.call(Request::get(self.url(path)?)).await?;
            if answer.is_success() {
                if let Ok(instance) = answer.json() {
                    return Ok(instance);
                }
            } else if answer.status == 429 || answer.status >= 500 {
                return Err(self.refusal(&answer, false));
            }
        }
        Ok(InstanceAnswer::default())
    }

    /// Uploads a file. `wait`: until it is ready.
    async fn upload(&self, media: &DraftMedia, limits: &LimitOverrides, wait: bool) -> Result<Found, Fault> {
        let file = self.outside.file(media, &Limits::new(&PROFILE, limits)).await?;
        let mut fields = Vec::new();
        if !media.alt.is_empty() {
            fields.push(Field::Text { name: "description".to_owned(), value: media.alt.clone() });
        }
        fields.push(Field::File {
            name: "file".to_owned(),
            file_name: file.name,
            mime: file.facts.mime,
            bytes: file.content,
        });
        let body = Body::Multipart(fields);
        let mut answer = self.send_file("/api/v2/media", &body).await?;
        if matches!(answer.status, 404 | 405) {
            answer = self.send_file("/api/v1/media", &body).await?;
        }
        let id = self.read::<MediaAnswer>(&answer)?.id;
        if wait && answer.status == 202 {
            self.ready(&id).await?;
        }
        Ok(Found { id: id.as_str().to_owned() })
    }

    async fn send_file(&self, path: &str, body: &Body) -> Result<Answer, Fault> {
        let url = self.url(path)?;
        self.call(|| Request::post(url.as_str()).body(body.clone()).timeout(UPLOAD_TIMEOUT)).await
    }

    /// Waits until a file is ready: a status with one that is not is refused.
    async fn ready(&self, id: &Id) -> Result<(), Fault> {
        let mut looks = LOOKS;
        loop {
            let answer = self.get(&format!("/api/v1/media/{}", id.as_str())).await?;
            match answer.status {
                206 => looks.pause("the server is still working on the file").await?,
                // Some of the kin cannot be asked (404, 405); then nothing is known but that it was taken.
                200..300 | 404 | 405 => return Ok(()),
                _ => return Err(self.refusal(&answer, false)),
            }
        }
    }

    /// The id that a post has on this server.
    async fn find(&self, post: &str, quote: bool) -> Result<Found, Fault> {
        if quote && kin::api_version(&self.instance().await?).is_none_or(|version| version < QUOTES_SINCE) {
            return Err(Fault::refused(Refusal::Invalid, "this server takes no quotes; Mastodon does since 4.5"));
        }
        if Id::parse(post).is_some() {
            return Ok(Found { id: post.to_owned() });
        }
        let gone = || Fault::refused(Refusal::Gone, format!("the server does not find the post {post}"));
        // Its own posts a server need not look for.
        if let Some(id) = self.own(post)? {
            let answer = self.get(&format!("/api/v1/statuses/{}", id.as_str())).await?;
            if answer.is_success() {
                return Ok(Found { id: self.read::<StatusAnswer>(&answer)?.id.as_str().to_owned() });
            }
        }
        let url = self.url("/api/v2/search")?;
        let request = || {
            Request::get(url.as_str())
                .query("q", post)
                .query("type", "statuses")
                .query("resolve", "true")
                .query("limit", "1")
        };
        let answer = self.call(request).await?;
        let found: SearchAnswer = self.read(&answer)?;
        let id = found.statuses.first().map(|status| status.id.as_str().to_owned());
        Ok(Found { id: id.ok_or_else(gone)? })
    }

    /// The id in the address of a post on this very server.
    fn own(&self, post: &str) -> Result<Option<Id>, Fault> {
        let Some(path) = post.strip_prefix(self.server()?) else { return Ok(None) };
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(Some(last).filter(|last| last.bytes().all(|byte| byte.is_ascii_digit())).and_then(Id::parse))
    }

    /// The account's own statuses, the latest first, as far back as a request can be among them. `Err(why)`: there are
    /// more than are read.
    async fn recent(&self, account: &str, started: DateTime<Utc>) -> Result<Result<Vec<StatusAnswer>, String>, Fault> {
        let account = Id::parse(account).ok_or_else(|| Fault::NotSent(format!("`{account}` is no account's id")))?;
        let mut all: Vec<StatusAnswer> = Vec::new();
        for _ in 0..PAGES {
            let mut request = Request::get(self.url(&format!("/api/v1/accounts/{}/statuses", account.as_str()))?)
                .query("exclude_reblogs", "true")
                .query("limit", PAGE.to_string());
            if let Some(last) = all.last() {
                request = request.query("max_id", last.id.as_str());
            }
            let answer = self.call(|| request.clone()).await?;
            let page: Vec<StatusAnswer> = self.read(&answer)?;
            // A server that does not page gives the same again.
            let new: Vec<_> =
                page.into_iter().filter(|status| !all.iter().any(|known| known.id == status.id)).collect();
            // Pinned posts may come first, so one old status says nothing; the last one does.
            let old = new.last().is_none_or(|last| last.created_at.is_some_and(|at| at < started - LOOK_BACK));
            all.extend(new);
            if old {
                return Ok(Ok(all));
            }
        }
        Ok(Err(format!("the account has more than {} posts since", all.len())))
    }

    fn receipt(&self, part: u16, status: &StatusAnswer) -> Receipt {
        Receipt {
            part,
            id: status.id.as_str().to_owned(),
            url: status.url.clone().or_else(|| status.uri.clone()),
            at: self.now(),
            data: Value::Null,
        }
    }

    async fn status(&self, receipt: &Receipt) -> Result<Answer, Fault> {
        self.get(&format!("/api/v1/statuses/{}", known(receipt)?.as_str())).await
    }
}

/// What a refusal says.
fn told(fault: Fault) -> String {
    match fault {
        Fault::Refused { message, .. } | Fault::NotSent(message) | Fault::Unknown(message) => message,
    }
}

fn known(receipt: &Receipt) -> Result<Id, Fault> {
    Id::parse(&receipt.id).ok_or_else(|| Fault::NotSent(format!("`{}` is no post's id", receipt.id)))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        self.origin().map(Some)
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let answer = self.get("/api/v1/accounts/verify_credentials").await?;
        // snac refuses a token with 422 and an empty body.
        if answer.status == 401 || answer.status == 403 || (answer.status == 422 && answer.body.is_empty()) {
            let message = told(self.refusal(&answer, false));
            let message = format!("{} does not accept the token ({message})", self.origin()?);
            return Err(Fault::refused(Refusal::Credentials, message));
        }
        let who: AccountAnswer = self.read(&answer)?;
        let instance = self.instance().await?;
        let host = self.origin()?;
        let url = url::Url::parse(&host).map_err(|error| Fault::NotSent(format!("`{host}` is no address: {error}")))?;
        let name = url.host_str().unwrap_or_default();
        let place = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
        let handle = if who.acct.contains('@') { who.acct } else { format!("{}@{name}", who.acct) };
        Ok(Identity {
            // Every server counts its accounts from 1. Its own word for its name is not taken: many say `localhost`.
            uid: format!("{}@{place}", who.id.as_str()),
            handle: format!("@{handle}"),
            host,
            limits: kin::limits(&instance, &PROFILE),
            repeat: Some(kin::repeat(&instance)),
        })
    }

    /// The scopes are those of the application, which a token of its own has unless they were changed since; servers say
    /// them since Mastodon 4.3 (`mastodon/documentation`, entities/Application.md, read 2026-11-22).
    async fn credential(&self) -> Result<Credential, Fault> {
        let answer = self.get("/api/v1/apps/verify_credentials").await?;
        // Not all of the kin can be asked.
        if matches!(answer.status, 404 | 405 | 501) {
            return Ok(Credential::default());
        }
        let app: AppAnswer = self.read(&answer)?;
        Ok(Credential { scopes: app.scopes, expires: None })
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        let found = match step.task()? {
            Task::Upload { media, limits } => self.upload(&media, &limits, true).await?,
            Task::Send { media, limits } => self.upload(&media, &limits, false).await?,
            Task::Ready { upload } => {
                let Found { id } = progress.given(upload)?;
                let known = Id::parse(&id).ok_or_else(|| Fault::NotSent(format!("`{id}` is no file's id")))?;
                // A video that is ready says 200 at the first look.
                self.ready(&known).await?;
                Found { id }
            }
            Task::Find { post, quote } => self.find(&post, quote).await?,
            Task::Publish(_) => return Err(Fault::NotSent(format!("step {} is not to be prepared", step.index))),
        };
        Ok(json!(found))
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
        let request = Request::post(self.url("/api/v1/statuses")?)
            .header("idempotency-key", frozen.key.clone())
            .body(Body::Json(frozen.request.get("body").cloned().unwrap_or_default()));
        let answer = self.outside.publish(&self.origin()?, request, |answer| self.refusal(answer, true)).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        let status: StatusAnswer =
            answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        Ok(self.receipt(frozen.part, &status))
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let text = |key: &str| frozen.request.get(key).and_then(Value::as_str).unwrap_or_default();
        let body = frozen.request.get("body").cloned().unwrap_or_default();
        let statuses = match self.recent(text("account"), started).await? {
            Ok(statuses) => statuses,
            Err(why) => return Ok(Verdict::CannotTell { why }),
        };
        Ok(match Wanted::new(&body, started).among(&statuses).as_slice() {
            [] => Verdict::NotDone,
            [status] => Verdict::Done(self.receipt(frozen.part, status)),
            [first, second, ..] => Verdict::CannotTell {
                why: format!("two posts match: {} and {}", first.id.as_str(), second.id.as_str()),
            },
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let status: StatusAnswer = self.read(&self.status(receipt).await?)?;
        Ok(Metrics {
            likes: status.favourites_count,
            reposts: status.reblogs_count,
            replies: status.replies_count,
            quotes: status.quotes_count,
            views: None,
        })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let id = known(receipt)?;
        let answer = self.get(&format!("/api/v1/statuses/{}/context", id.as_str())).await?;
        let context: ContextAnswer = self.read(&answer)?;
        let mut direct: Vec<_> =
            context.descendants.into_iter().filter(|status| status.in_reply_to_id.as_ref() == Some(&id)).collect();
        direct.sort_by_key(|status| status.created_at);
        Ok(direct
            .into_iter()
            .map(|status| Reply {
                id: status.id.as_str().to_owned(),
                author: status.account.map(|account| format!("@{}", account.acct)).unwrap_or_default(),
                text: plain(status.content.as_deref().unwrap_or_default()),
                at: status.created_at,
                url: status.url,
            })
            .collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let path = format!("/api/v1/statuses/{}", known(receipt)?.as_str());
        let url = self.url(&path)?;
        let answer = self.call(|| Request::delete(url.as_str())).await?;
        match answer.status {
            200..300 => Ok(()),
            // Gone already, unless the server cannot delete at all and says the same of that.
            404 | 405 | 410 => {
                if self.status(receipt).await?.is_success() {
                    return Err(Fault::refused(
                        Refusal::Forbidden,
                        "the server does not delete posts over its API; delete it there",
                    ));
                }
                Ok(())
            }
            _ => Err(self.refusal(&answer, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::{Bench, Fake, Film, Rule, plans};
    use crate::adapter::{DraftPart, Network, Plan, RepeatSafety, StepKind};
    use crate::model::{MediaKind, Prepared};
    use crate::networks::mastodon::Mastodon;
    use crate::networks::mastodon::fake::{ACCOUNT, Instance};

    async fn bench(kin: bool) -> Bench<Instance> {
        Bench::new(&Mastodon, Instance::start(kin).await).await
    }

    fn frozen(text: &str, part: u16) -> Frozen {
        let request = json!({"account": ACCOUNT, "body": {"status": text}});
        let key = text.chars().filter(char::is_ascii_alphanumeric).collect();
        Frozen { part, key, request }
    }

    fn soon() -> DateTime<Utc> {
        DateTime::<Utc>::from(std::time::SystemTime::now()) - chrono::Duration::seconds(1)
    }

    #[tokio::test]
    async fn who_am_i() {
        let real = bench(false).await;
        let place = real.identity.host.strip_prefix("http://").expect("plain HTTP");
        assert_eq!(real.identity.uid, format!("{ACCOUNT}@{place}"));
        assert_eq!(real.identity.handle, "@acme@127.0.0.1");
        assert_eq!(Some(real.identity.host.clone()), real.api.host().await.expect("a host"));
        assert_eq!(real.identity.repeat, Some(RepeatSafety::Key { window_seconds: 3600 }));
        assert_eq!(real.identity.limits, LimitOverrides { alt: Some(10_000), ..LimitOverrides::default() });
        let kin = bench(true).await;
        assert_eq!(kin.identity.repeat, Some(RepeatSafety::LookUp));
        assert_eq!(kin.identity.limits.text, Some(5000));
    }

    #[tokio::test]
    async fn a_token_that_is_none() {
        let bench = bench(false).await;
        bench.fake.change_secret();
        // snac answers 422 with nothing in it.
        for rule in [None, Some(Rule::answer(422, ""))] {
            if let Some(rule) = rule {
                bench.rule(rule);
            }
            let fault = bench.api.whoami().await.expect_err("the token was changed");
            assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_token_that_ended_is_renewed() {
        let bench = bench(false).await;
        bench.fake.end_session();
        assert_eq!(bench.api.whoami().await.expect("renewed").uid, bench.identity.uid);
        bench.fake.end_session();
        let fault = bench.api.publish(&frozen("in between", 0)).await.expect_err("nothing was published");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        assert_eq!(bench.fake.posts().await, []);
        bench.api.publish(&frozen("in between", 0)).await.expect("published");
        // A proxy's word proves nothing, also of credentials.
        bench.rule(Rule::answer(401, "<h1>No"));
        let fault = bench.api.publish(&frozen("by a proxy", 0)).await.expect_err("unclear");
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        // A token that cannot be renewed is a matter of credentials, once and for all.
        bench.fake.change_secret();
        let requests = bench.front().seen().len();
        let fault = bench.api.whoami().await.expect_err("changed");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
        assert!(fault.to_string().contains("The access token is invalid"), "{fault}");
        assert_eq!(bench.front().seen().len(), requests + 1);
    }

    #[tokio::test]
    async fn the_scopes_of_a_token() {
        let real = bench(false).await;
        let scopes = real.api.credential().await.expect("it says").scopes;
        assert_eq!(scopes, Some(vec!["read".to_owned(), "write".to_owned()]));
        let kin = bench(true).await;
        assert_eq!(kin.api.credential().await, Ok(Credential::default()));
    }

    #[tokio::test]
    async fn a_picture_waits_until_it_is_ready() {
        let bench = bench(false).await;
        let media = plans::file("a.png", MediaKind::Image, "image/png", 9, "Äpfel");
        let task = json!({"do": "upload", "media": media, "limits": {}});
        let step = Step { index: 0, part: 0, kind: StepKind::Prepare, payload: task };
        let value = bench.api.prepare(&step, &Progress::default()).await.expect("uploaded");
        let mut frozen = frozen("with a picture", 0);
        frozen.request["body"]["media_ids"] = json!([value["id"]]);
        let receipt = bench.api.publish(&frozen).await.expect("published");
        assert_eq!(bench.fake.posts().await[0].alts, ["Äpfel"]);
        assert_eq!(bench.fake.body(&receipt.id).expect("it is there")["media_ids"], json!([value["id"]]));
    }

    /// The steps of a post with a film.
    fn plan_of(bench: &Bench<Instance>, film: &Film) -> Plan {
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let media = plans::file("a.mp4", MediaKind::Video, "video/mp4", film.length(), "A film");
        let parts = vec![DraftPart { media: vec![media], ..plans::text("Look") }];
        let account = bench.fake.account();
        Mastodon.plan(&plans::draft(&account, &limits, parts)).expect("a plan")
    }

    #[tokio::test]
    async fn a_video_is_not_sent_again_because_the_server_takes_its_time() {
        let bench = bench(false).await;
        let film = Film::new(3 * 1024 * 1024 + 7);
        let api = Mastodon.connect(&bench.fake.account(), Outside { media: film.clone(), ..bench.fake.outside() });
        let plan = plan_of(&bench, &film);
        let mut progress = Progress::default();
        let value = api.prepare(&plan.steps[0], &progress).await.expect("uploaded");
        assert!(film.most() < film.length() && film.told().last() == Some(&film.length()), "it went in pieces");
        assert_eq!(bench.fake.file(value["id"].as_str().expect("an id")), film.bytes(), "every byte, in order");
        progress.prepared.push(Prepared { step: 0, value: value.clone(), at: plans::at() });
        let front = bench.front();
        let path = format!("/api/v1/media/{}", value["id"].as_str().expect("an id"));
        front.rule(Rule::answer(503, "").on("GET", &path));
        let fault = api.prepare(&plan.steps[1], &progress).await.expect_err("cut");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        assert_eq!(api.prepare(&plan.steps[1], &progress).await.expect("ready"), value);
        assert_eq!(front.count("POST", "/api/v2/media"), 1, "the file went once");
        assert_eq!(front.count("GET", &path), 3, "busy, 206, 200");
        progress.prepared.push(Prepared { step: 1, value: value.clone(), at: plans::at() });
        let frozen = api.freeze(&plan.steps[2], &progress, &bench.identity, plans::at()).expect("a request");
        api.publish(&frozen).await.expect("published");
        assert_eq!(bench.fake.posts().await[0].alts, ["A film"]);
    }

    #[tokio::test]
    async fn a_video_that_the_server_cannot_use_is_refused() {
        let bench = bench(false).await;
        let film = Film::new(9);
        let api = Mastodon.connect(&bench.fake.account(), Outside { media: film.clone(), ..bench.fake.outside() });
        let plan = plan_of(&bench, &film);
        let mut progress = Progress::default();
        let value = api.prepare(&plan.steps[0], &progress).await.expect("uploaded");
        progress.prepared.push(Prepared { step: 0, value, at: plans::at() });
        let failed = r#"{"error":"Error processing thumbnail for uploaded media"}"#;
        bench.rule(Rule::answer(422, failed).on("GET", "/api/v1/media/*"));
        let fault = api.prepare(&plan.steps[1], &progress).await.expect_err("it failed");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, .. }), "{fault:?}");
        assert!(fault.to_string().contains("Error processing thumbnail"), "{fault}");
    }

    #[tokio::test]
    async fn a_file_goes_the_older_way_where_there_is_no_other_and_again_with_another_token() {
        let bench = bench(false).await;
        let film = Film::new(1024 * 1024);
        let api = Mastodon.connect(&bench.fake.account(), Outside { media: film.clone(), ..bench.fake.outside() });
        let plan = plan_of(&bench, &film);
        let front = bench.front();
        front.rule(Rule::answer(404, "").on("POST", "/api/v2/media"));
        front.rule(Rule::answer(401, r#"{"error":"The access token has expired"}"#).on("POST", "/api/v1/media"));
        front.rule(Rule::answer(200, r#"{"id":"7"}"#).on("POST", "/api/v1/media"));
        let value = api.prepare(&plan.steps[0], &Progress::default()).await.expect("uploaded");
        assert_eq!(value, json!({"id": "7"}));
        // Each was a call of its own, whole from the first byte.
        let lengths: Vec<_> = front
            .seen()
            .iter()
            .filter(|seen| seen.path.ends_with("/media"))
            .map(|seen| (seen.body.len().to_string(), seen.header("content-length").map(str::to_owned)))
            .collect();
        assert_eq!(lengths.len(), 3);
        assert!(lengths.iter().all(|(got, told)| told.as_ref() == Some(got) && got.len() == 7), "{lengths:?}");
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up() {
        for kin in [false, true] {
            let bench = bench(kin).await;
            let frozen = frozen("Hi @bob@fedi.example: https://acme.example/a?b=1&c=2 “x”\n\n#tag", 0);
            let started = soon();
            assert_eq!(bench.api.reconcile(&frozen, started).await, Ok(Verdict::NotDone));
            bench.lose_answer();
            let fault = bench.api.publish(&frozen).await.expect_err("the answer was lost");
            assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
            let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
            assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.part == 0), "{verdict:?}");
            let again = bench.api.publish(&frozen).await.expect("published");
            assert_eq!(bench.fake.posts().await.len(), if kin { 2 } else { 1 });
            let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
            match verdict {
                Verdict::Done(receipt) => assert!(!kin && receipt.id == again.id),
                Verdict::CannotTell { why } => assert!(kin && why.starts_with("two posts match"), "{why}"),
                Verdict::NotDone => panic!("it is out"),
            }
        }
    }

    #[tokio::test]
    async fn a_look_goes_back_page_by_page() {
        let bench = bench(false).await;
        let wanted = frozen("the first of many", 0);
        let started = soon();
        bench.api.publish(&wanted).await.expect("published");
        for number in 0..45 {
            bench.api.publish(&frozen(&format!("post {number}"), 0)).await.expect("published");
        }
        assert!(matches!(bench.api.reconcile(&wanted, started).await, Ok(Verdict::Done(_))));
    }

    #[tokio::test]
    async fn refusals_tell_what_the_server_said() {
        let bench = bench(false).await;
        let long = bench.api.publish(&frozen(&"x".repeat(501), 0)).await.expect_err("too long");
        assert!(
            matches!(&long, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("500")),
            "{long:?}"
        );
        let front = bench.front();
        let limited = Rule::answer(429, r#"{"error":"Too many requests"}"#)
            .header("x-ratelimit-reset", "2026-12-01T09:05:00.000Z");
        front.rule(limited);
        let fault = bench.api.publish(&frozen("a", 0)).await.expect_err("too many");
        let at = "2026-12-01T09:05:00Z".parse::<DateTime<Utc>>().expect("a date");
        assert!(
            matches!(fault, Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(retry), .. } if retry == at)
        );
        front.rule(Rule::answer(400, r#"{"error":"Duplicate idempotency key."}"#));
        let fault = bench.api.publish(&frozen("a", 0)).await.expect_err("a key again");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Duplicate, .. }), "{fault:?}");
        for (status, body) in [(500, "{}"), (422, ""), (200, "{}"), (200, "no json"), (302, "")] {
            front.rule(Rule::answer(status, body));
            let fault = bench.api.publish(&frozen("a", 0)).await.expect_err("unclear");
            assert!(matches!(fault, Fault::Unknown(_)), "{status} {body}: {fault:?}");
        }
        assert_eq!(bench.fake.posts().await, []);
    }

    #[tokio::test]
    async fn answers_numbers_and_taking_back() {
        let bench = bench(false).await;
        let receipt = bench.api.publish(&frozen("one & only", 0)).await.expect("published");
        let mut answer = frozen("an <answer>", 1);
        answer.request["body"]["in_reply_to_id"] = json!(receipt.id);
        bench.api.publish(&answer).await.expect("published");
        assert_eq!(bench.api.metrics(&receipt).await.expect("numbers").replies, Some(1));
        let replies = bench.api.replies(&receipt).await.expect("answers");
        assert_eq!((replies.len(), replies[0].text.as_str(), replies[0].author.as_str()), (1, "an <answer>", "@acme"));
        assert_eq!(bench.api.delete(&receipt).await, Ok(()));
        assert_eq!(bench.api.delete(&receipt).await, Ok(()));
        assert_eq!(bench.fake.posts().await.len(), 1);
        // snac knows no DELETE, and its 404 must not be taken for success.
        let left = Receipt { id: bench.fake.posts().await[0].id.clone(), ..receipt };
        bench.rule(Rule::answer(404, ""));
        assert!(matches!(bench.api.delete(&left).await, Err(Fault::Refused { refusal: Refusal::Forbidden, .. })));
    }

    #[tokio::test]
    async fn posts_to_answer_are_found() {
        let bench = bench(false).await;
        let receipt = bench.api.publish(&frozen("one", 0)).await.expect("published");
        let url = receipt.url.clone().expect("it has one");
        let own = format!("{}/@acme/{}", bench.identity.host, receipt.id);
        for (post, quote) in [(url.as_str(), false), (own.as_str(), true), (receipt.id.as_str(), false)] {
            let payload = json!({"do": "find", "post": post, "quote": quote});
            let step = Step { index: 0, part: 0, kind: StepKind::Prepare, payload };
            assert_eq!(bench.api.prepare(&step, &Progress::default()).await, Ok(json!({"id": receipt.id})), "{post}");
        }
        let payload = json!({"do": "find", "post": "https://other.example/@eve/1", "quote": false});
        let step = Step { index: 0, part: 0, kind: StepKind::Prepare, payload };
        let fault = bench.api.prepare(&step, &Progress::default()).await.expect_err("nobody's");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Gone, .. }), "{fault:?}");
    }
}
