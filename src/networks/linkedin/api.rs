//! Calls to `LinkedIn`.

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{
    Api, Fault, Identity, Limits, MediaBytes, Metrics, Outside, Progress, Refusal, RepeatSafety, Reply, Step, Verdict,
};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};
use crate::text::from_little;

use super::plan::{self, Begun, Found, Parts, Task};
use super::profile::{PROFILE, SERVER, VERSION};
use super::wire::{Comment, Elements, ErrorBody, Post, ShareStatistics, Urn, UserInfo};

/// Posts that a look-up reads.
const PAGE: &str = "100";
/// Clocks differ: a post may seem to be older than the call that made it.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(2);
/// How much older than this request's intent a post may be that `LinkedIn` refuses it for, and still be ours: an attempt before
/// a person said "post again".
const OURS: chrono::Duration = chrono::Duration::hours(1);

/// One account's connection.
pub(super) struct Client {
    server: String,
    /// Who posts, where the account says so.
    author: Option<String>,
    version: String,
    /// Who posts, found out.
    found: OnceCell<Urn>,
    pub(super) outside: Outside,
}

/// Who may post: an organization or a person.
pub(super) fn author(text: &str) -> Option<Urn> {
    Urn::parse(text).filter(|urn| matches!(urn.kind(), "organization" | "person"))
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self {
            server: account.server.as_deref().unwrap_or(SERVER).trim_end_matches('/').to_owned(),
            author: account.setting("author").map(str::to_owned),
            version: account.setting("version").unwrap_or(VERSION).to_owned(),
            found: OnceCell::new(),
            outside,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    pub(super) fn origin(&self) -> String {
        url::Url::parse(&self.server).map_or_else(|_| self.server.clone(), |url| url.origin().ascii_serialization())
    }

    fn request(&self, request: Request) -> Request {
        request.header("linkedin-version", self.version.clone()).header("x-restli-protocol-version", "2.0.0")
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    /// A repeatable call with the account's token.
    pub(super) async fn call(&self, request: impl Fn() -> Request + Send) -> Result<Answer, Fault> {
        self.outside.call("LinkedIn", move || self.request(request()), |answer| self.refusal(answer, false)).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| Request::get(url.as_str())).await
    }

    pub(super) async fn act(&self, path: &str, body: &Value) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| Request::post(url.as_str()).body(Body::Json(body.clone()))).await
    }

    /// What an answer that is no success means.
    pub(super) fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let body = answer.json::<ErrorBody>().ok();
        let says = |word: &str| body.as_ref().is_some_and(|body| body.says(word));
        let fault = answer.fault(irreversible, body.as_ref().and_then(ErrorBody::told), self.now());
        match fault {
            Fault::Refused { message, .. } if answer.status == 426 || says("NONEXISTENT_VERSION") => Fault::refused(
                Refusal::Credentials,
                format!(
                    "LinkedIn takes version {} of its API no more: set a later `version` in the account ({message})",
                    self.version
                ),
            ),
            // Too soon after the upload: nothing was done.
            Fault::Refused { message, .. }
                if says("MEDIA_ASSET_WAITING_UPLOAD")
                    || (says("MEDIA_ASSET") && says("PROCESSING") && !says("FAILED")) =>
            {
                Fault::refused(Refusal::Busy, message)
            }
            // The day is LinkedIn's, and that is UTC's.
            Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None } if says("DAY") => {
                let tomorrow = self.now().date_naive().checked_add_days(Days::new(1));
                let retry_at = tomorrow.map(|day| day.and_time(NaiveTime::MIN).and_utc());
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
            }
            Fault::Refused { message, .. } if says("DUPLICATE") && !says("URN:LI:PERSON") => {
                Fault::refused(Refusal::Duplicate, message)
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

    /// The member whom the token belongs to, and what they are called.
    async fn member(&self) -> Result<(Urn, String), Fault> {
        let info: UserInfo = self.read(&self.get("/v2/userinfo").await?)?;
        let urn = author(&format!("urn:li:person:{}", info.sub))
            .ok_or_else(|| Fault::refused(Refusal::Busy, "LinkedIn does not say who the token belongs to"))?;
        let name = info.name.filter(|name| !name.is_empty()).unwrap_or_else(|| urn.id().to_owned());
        Ok((urn, name))
    }

    /// Who posts.
    pub(super) async fn author(&self) -> Result<&Urn, Fault> {
        self.found
            .get_or_try_init(|| async {
                match &self.author {
                    Some(written) => author(written)
                        .ok_or_else(|| Fault::refused(Refusal::Invalid, format!("`{written}` is nobody who can post"))),
                    None => Ok(self.member().await?.0),
                }
            })
            .await
    }

    /// An organization's own posts, the latest first.
    async fn recent(&self, author: &Urn) -> Result<Vec<Post>, Fault> {
        let path = format!("/rest/posts?author={}&q=author&count={PAGE}&sortBy=CREATED", author.escaped());
        let url = self.url(&path);
        let answer = self.call(|| Request::get(url.as_str()).header("x-restli-method", "FINDER")).await?;
        Ok(self.read::<Elements<Post>>(&answer)?.elements)
    }

    fn receipt(&self, part: u16, urn: &Urn) -> Receipt {
        let url = Some(format!("https://www.linkedin.com/feed/update/{}/", urn.as_str()));
        Receipt { part, id: urn.as_str().to_owned(), url, at: self.now(), data: Value::Null }
    }

    /// The organization that posts. Members' apps are told nothing of posts.
    async fn organization(&self) -> Result<&Urn, Fault> {
        let author = self.author().await?;
        if author.kind() == "organization" {
            return Ok(author);
        }
        Err(Fault::refused(Refusal::Invalid, "LinkedIn tells a member's app nothing of the member's posts"))
    }
}

/// What can be compared of a post: its text without white space, and what is attached to it.
fn seen(commentary: &str, content: &Value) -> (String, Option<String>, usize) {
    let text = from_little(commentary).chars().filter(|c| !c.is_whitespace()).collect();
    let kind = content.as_object().and_then(|content| content.keys().next().cloned());
    (text, kind, content["multiImage"]["images"].as_array().map_or(0, Vec::len))
}

fn known(receipt: &Receipt) -> Result<Urn, Fault> {
    Urn::parse(&receipt.id)
        .filter(Urn::is_post)
        .ok_or_else(|| Fault::NotSent(format!("`{}` is no post of LinkedIn", receipt.id)))
}

fn kept<T: serde::Serialize>(value: T) -> Result<Value, Fault> {
    serde_json::to_value(value).map_err(|error| Fault::NotSent(format!("a step's value cannot be kept: {error}")))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.origin()))
    }

    /// A member is asked for by name; of an organization's token it is tried whether it reads the organization's posts. A
    /// member's lost answer cannot be looked up, and is left to a person.
    async fn whoami(&self) -> Result<Identity, Fault> {
        let refused = |fault: Fault| match fault {
            Fault::Refused { refusal: Refusal::Forbidden | Refusal::Gone, message, .. } => {
                Fault::refused(Refusal::Credentials, format!("the token does not do for `author`: {message}"))
            }
            fault => fault,
        };
        let wanted = self.author.as_deref().and_then(author);
        let (urn, handle, repeat) = match wanted {
            Some(urn) if urn.kind() == "organization" => {
                self.recent(&urn).await.map_err(refused)?;
                let handle = format!("organization {}", urn.id());
                (urn, handle, None)
            }
            wanted => {
                let (urn, name) = self.member().await.map_err(refused)?;
                if wanted.is_some_and(|wanted| wanted != urn) {
                    let message = format!("the token belongs to {}, and `author` is another", urn.as_str());
                    return Err(Fault::refused(Refusal::Credentials, message));
                }
                (urn, name, Some(RepeatSafety::None))
            }
        };
        Ok(Identity {
            uid: urn.as_str().to_owned(),
            handle,
            host: self.origin(),
            limits: LimitOverrides::default(),
            repeat,
        })
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        match step.task()? {
            Task::Image { media, limits } => {
                let MediaBytes { bytes, facts, .. } =
                    self.outside.media.fetch(&media, &Limits::new(&PROFILE, &limits)).await?;
                kept(Found { urn: self.image(bytes, &facts.mime).await?.as_str().to_owned() })
            }
            Task::Begin { media } => kept(self.begin(&media).await?),
            Task::Append { media, begin, first, count } => {
                kept(self.append(&progress.given(begin)?, &media, first, count).await?)
            }
            Task::Finish { begin, parts } => {
                let begun: Begun = progress.given(begin)?;
                let mut ids = Vec::new();
                for step in parts {
                    ids.extend(progress.given::<Parts>(step)?.ids);
                }
                self.finish(&begun, &ids).await?;
                kept(Found { urn: begun.urn })
            }
            Task::Await { finish } => {
                let found: Found = progress.given(finish)?;
                self.video_ready(&found.urn).await?;
                kept(found)
            }
            Task::Document { media } => kept(Found { urn: self.document(&media).await?.as_str().to_owned() }),
            Task::Read { document } => {
                let found: Found = progress.given(document)?;
                self.document_ready(&found.urn).await?;
                kept(found)
            }
            Task::Card { url, needed } => kept(self.article(&url, needed).await?),
            Task::Publish(_) => Err(Fault::NotSent(format!("step {} is not to be prepared", step.index))),
        }
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        identity: &Identity,
        at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress, identity, at)
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let body = frozen.request.get("body").cloned().unwrap_or_default();
        let request = self.request(Request::post(self.url("/rest/posts")).body(Body::Json(body)));
        let answer = self.outside.publish("LinkedIn", request, |answer| self.refusal(answer, true)).await?;
        if answer.is_success() {
            // The body is empty.
            let urn = answer.header("x-restli-id").and_then(Urn::parse).filter(Urn::is_post);
            let urn =
                urn.ok_or_else(|| Fault::Unknown(format!("HTTP {}, but without the post's name", answer.status)))?;
            return Ok(self.receipt(frozen.part, &urn));
        }
        let fault = self.refusal(&answer, true);
        if matches!(fault, Fault::Refused { refusal: Refusal::Duplicate, .. })
            && let Some(first) = answer.json::<ErrorBody>().ok().and_then(|body| body.duplicate())
        {
            // Its own name says when it was made: an earlier attempt of this very request, or somebody else's post.
            let at = frozen.request["at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
            if at.zip(first.at()).is_some_and(|(intent, made)| made >= intent - OURS) {
                return Ok(self.receipt(frozen.part, &first));
            }
        }
        Err(fault)
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let author = author(frozen.request["author"].as_str().unwrap_or_default())
            .ok_or_else(|| Fault::NotSent("the request names no author".to_owned()))?;
        if author.kind() != "organization" {
            return Ok(Verdict::CannotTell {
                why: "LinkedIn lets no app list a member's posts; look there".to_owned(),
            });
        }
        let body = &frozen.request["body"];
        let wanted = seen(body["commentary"].as_str().unwrap_or_default(), &body["content"]);
        let posts = self.recent(&author).await?;
        let ours: Vec<_> = posts
            .iter()
            .filter(|post| post.at().is_none_or(|at| at >= started - CLOCK_SKEW))
            .filter(|post| seen(&post.commentary, &post.content) == wanted)
            .collect();
        Ok(match ours.as_slice() {
            [] => Verdict::NotDone,
            [post] => Verdict::Done(self.receipt(frozen.part, &post.id)),
            [first, second, ..] => Verdict::CannotTell {
                why: format!("two posts match: {} and {}", first.id.as_str(), second.id.as_str()),
            },
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let (urn, organization) = (known(receipt)?, self.organization().await?);
        let list = if urn.kind() == "ugcPost" { "ugcPosts" } else { "shares" };
        let path = format!(
            "/rest/organizationalEntityShareStatistics?q=organizationalEntity&organizationalEntity={}&{list}=List({})",
            organization.escaped(),
            urn.escaped()
        );
        let answer: Elements<ShareStatistics> = self.read(&self.get(&path).await?)?;
        let totals = answer.elements.into_iter().next().map(|element| element.total_share_statistics);
        Ok(totals.map_or_else(Metrics::default, |totals| Metrics {
            likes: totals.like_count,
            reposts: totals.share_count,
            replies: totals.comment_count,
            quotes: None,
            views: totals.impression_count,
        }))
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let urn = known(receipt)?;
        self.organization().await?;
        let answer = self.get(&format!("/rest/socialActions/{}/comments", urn.escaped())).await?;
        let mut comments = self.read::<Elements<Comment>>(&answer)?.elements;
        comments.sort_by_key(|comment| comment.created.as_ref().map(|created| created.time));
        let reply = |comment: Comment| Reply {
            id: comment.comment_urn.or(comment.id).unwrap_or_default(),
            author: comment.actor,
            text: comment.message.map(|message| message.text).unwrap_or_default(),
            at: comment.created.and_then(|created| DateTime::from_timestamp_millis(created.time)),
            url: None,
        };
        Ok(comments.into_iter().map(reply).collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let url = self.url(&format!("/rest/posts/{}", known(receipt)?.escaped()));
        let answer = self.call(|| Request::delete(url.as_str()).header("x-restli-method", "DELETE")).await?;
        match answer.status {
            200..300 | 404 | 410 => Ok(()),
            _ => Err(self.refusal(&answer, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapter::suite::plans::{at, draft, file, prepare, text};
    use crate::adapter::suite::{Bench, Fake, Film, Rule, unnamed};
    use crate::adapter::{Network, StepKind};
    use crate::model::{MediaKind, Poll};
    use crate::networks::linkedin::LinkedIn;
    use crate::networks::linkedin::fake::Service;

    async fn bench(member: bool) -> Bench<Service> {
        Bench::new(&LinkedIn, Service::start(member).await).await
    }

    fn request_of(bench: &Bench<Service>, said: &str, at: DateTime<Utc>) -> Frozen {
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let plan = LinkedIn.plan(&draft(&account, &limits, vec![text(said)])).expect("a plan");
        let step = plan.publish_step(0).expect("a part");
        bench.api.freeze(step, &Progress::default(), &bench.identity, at).expect("a request")
    }

    #[tokio::test]
    async fn a_members_lost_answer_is_left_to_a_person_and_a_duplicate_is_adopted() {
        let bench = bench(true).await;
        assert_eq!(bench.identity.repeat, Some(RepeatSafety::None));
        assert!(bench.identity.uid.starts_with("urn:li:person:"), "{}", bench.identity.uid);
        let frozen = request_of(&bench, "Only (once)", Utc::now());
        bench.lose_answer();
        assert!(matches!(bench.api.publish(&frozen).await, Err(Fault::Unknown(_))));
        assert!(matches!(bench.api.reconcile(&frozen, Utc::now()).await, Ok(Verdict::CannotTell { .. })));
        // A person says "post again": LinkedIn names the first.
        let again = bench.api.publish(&request_of(&bench, "Only (once)", Utc::now())).await.expect("adopted");
        let posts = bench.fake.posts().await;
        assert_eq!((posts.len(), posts[0].id.as_str()), (1, again.id.as_str()));
        // One that is older than an hour is somebody else's.
        let later = Utc::now() + chrono::Duration::hours(2);
        let fault = bench.api.publish(&request_of(&bench, "Only (once)", later)).await.expect_err("not ours");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Duplicate, message, .. } if message.contains(&again.id)),
            "{fault:?}"
        );
        assert!(matches!(bench.api.metrics(&again).await, Err(Fault::Refused { refusal: Refusal::Invalid, .. })));
    }

    #[tokio::test]
    async fn an_organizations_lost_answer_is_looked_up() {
        let bench = bench(false).await;
        assert_eq!(bench.identity.repeat, None);
        let started = Utc::now() - chrono::Duration::seconds(1);
        let frozen = request_of(&bench, "R&D [2.0] is *out* #tag #a_b @all", started);
        bench.api.publish(&request_of(&bench, "Something else", started)).await.expect("published");
        assert_eq!(bench.api.reconcile(&frozen, started).await, Ok(Verdict::NotDone), "another post is not it");
        bench.lose_answer();
        assert!(matches!(bench.api.publish(&frozen).await, Err(Fault::Unknown(_))));
        let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
        assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.part == 0), "{verdict:?}");
        let later = Utc::now() + chrono::Duration::minutes(10);
        assert_eq!(bench.api.reconcile(&frozen, later).await, Ok(Verdict::NotDone));
    }

    #[tokio::test]
    async fn versions_days_and_uploads_elsewhere() {
        let bench = bench(false).await;
        let frozen = request_of(&bench, "a", Utc::now());
        let gone =
            r#"{"status":426,"code":"NONEXISTENT_VERSION","message":"Requested version 20250901 is not active"}"#;
        bench.rule(Rule::answer(426, gone).on("POST", "/rest/posts"));
        let fault = bench.api.publish(&frozen).await.expect_err("an old version");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, message, .. } if message.contains("set a later `version`")),
            "{fault:?}"
        );
        let day =
            r#"{"status":429,"message":"Resource level throttle APPLICATION_AND_MEMBER DAY limit for calls reached"}"#;
        bench.rule(Rule::answer(429, day).on("POST", "/rest/posts"));
        let fault = bench.api.publish(&frozen).await.expect_err("tomorrow");
        let tomorrow = Utc::now().date_naive() + Days::new(1);
        assert!(
            matches!(fault, Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(at), .. } if at.date_naive() == tomorrow)
        );
        let soon = r#"{"status":400,"code":"MEDIA_ASSET_WAITING_UPLOAD","message":"too early"}"#;
        bench.rule(Rule::answer(400, soon).on("POST", "/rest/posts"));
        let fault = bench.api.publish(&frozen).await.expect_err("too early");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        // A token goes to LinkedIn alone, whatever address an answer names.
        let elsewhere = r#"{"value":{"uploadUrl":"https://linkedin.com.example/x","image":"urn:li:image:C1"}}"#;
        bench.rule(Rule::answer(200, elsewhere).on("POST", "/rest/images"));
        let payload = json!({"do": "image", "limits": {}, "media": {"file": "a.png", "alt": "", "facts":
            {"kind": "image", "mime": "image/png", "bytes": 9, "width": 1, "height": 1}}});
        let step = Step { index: 0, part: 0, kind: StepKind::Prepare, payload };
        let fault = bench.api.prepare(&step, &Progress::default()).await.expect_err("not there");
        assert!(fault.to_string().contains("not its own"), "{fault}");
    }

    #[tokio::test]
    async fn numbers_and_comments_of_an_organization() {
        let bench = bench(false).await;
        let receipt = bench.api.publish(&request_of(&bench, "a", Utc::now())).await.expect("published");
        let metrics = bench.api.metrics(&receipt).await.expect("numbers");
        assert_eq!((metrics.likes, metrics.views), (Some(3), Some(40)));
        let replies = bench.api.replies(&receipt).await.expect("comments");
        assert_eq!((replies.len(), replies[0].text.as_str()), (1, "Well done (all of you)"));
    }

    #[tokio::test]
    async fn somebody_elses_token_is_refused() {
        let bench = bench(true).await;
        let mut account = bench.fake.account();
        account.settings.insert("author".to_owned(), json!("urn:li:person:somebody"));
        let fault = LinkedIn.connect(&account, bench.fake.outside()).whoami().await.expect_err("another's");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, message, .. } if message.contains("`author` is another")),
            "{fault:?}"
        );
    }

    #[tokio::test]
    async fn a_token_that_has_ended_is_renewed() {
        let bench = bench(false).await;
        let frozen = request_of(&bench, "a", Utc::now());
        assert!(bench.fake.end_session());
        let fault = bench.api.publish(&frozen).await.expect_err("it had ended");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        assert_eq!(bench.fake.posts().await, []);
        bench.api.publish(&frozen).await.expect("with the new one");
        assert!(bench.fake.end_session());
        bench.api.whoami().await.expect("renewed on the way");
    }

    #[tokio::test]
    async fn the_readme_names_each_field() {
        let bench = bench(false).await;
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let picture = |name: &str| file(name, MediaKind::Image, "image/png", 9, "What it shows");
        let mut pictures = draft(&account, &limits, vec![text("Two")]);
        pictures.parts[0].media = vec![picture("a.png"), picture("b.png")];
        let mut one = draft(&account, &limits, vec![text("One")]);
        one.parts[0].media = vec![picture("a.png")];
        let mut deck = draft(&account, &limits, vec![text("Deck")]);
        deck.parts[0].media = vec![file("a.pdf", MediaKind::Document, "application/pdf", 9, "")];
        deck.titles.insert("a.pdf".to_owned(), "Acme 2.0".to_owned());
        let mut link = draft(&account, &limits, vec![text("Out now")]);
        link.link = Some(format!("{}/page", bench.front().url()));
        let mut poll = draft(&account, &limits, vec![text("Which one?")]);
        let options = vec!["This".to_owned(), "That".to_owned()];
        poll.poll = Some(Poll { options, seconds: 86_400, multiple: false, hide_totals: false });
        let mut share = draft(&account, &limits, vec![text("Read this")]);
        share.quote = Some("urn:li:share:42".to_owned());
        for draft in [pictures, one, deck, link, poll, share] {
            let plan = LinkedIn.plan(&draft).expect("a plan");
            let mut progress = Progress::default();
            prepare(&*bench.api, &plan, &mut progress).await.expect("prepared");
            let step = plan.publish_step(0).expect("a part");
            let frozen = bench.api.freeze(step, &progress, &bench.identity, at()).expect("a request");
            let receipt = bench.api.publish(&frozen).await.expect("published");
            bench.api.reconcile(&frozen, Utc::now()).await.expect("a verdict");
            bench.api.metrics(&receipt).await.expect("numbers");
            bench.api.delete(&receipt).await.expect("deleted");
        }
        let film = Film::new(5 * 1024 * 1024);
        let api = LinkedIn.connect(&account, Outside { media: film, ..bench.fake.outside() });
        let mut moving = draft(&account, &limits, vec![text("Film")]);
        moving.parts[0].media = vec![file("a.mp4", MediaKind::Video, "video/mp4", 5 * 1024 * 1024, "")];
        let plan = LinkedIn.plan(&moving).expect("a plan");
        prepare(&*api, &plan, &mut Progress::default()).await.expect("prepared");
        let missing = unnamed(LinkedIn.readme(), &bench.front().seen());
        assert!(missing.is_empty(), "README.md does not name {missing:?}");
    }
}
