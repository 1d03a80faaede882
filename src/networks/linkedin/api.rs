//! Calls to `LinkedIn`.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveTime, Utc};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{
    Api, DraftMedia, Fault, Identity, Limits, MediaBytes, Metrics, Outside, Progress, Refusal, RepeatSafety, Reply,
    Step, Verdict, card,
};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};
use crate::text::from_little;

use super::plan::{self, Begun, Card, Found, Parts, Task, value};
use super::profile::{PROFILE, SERVER, THUMB_BYTES, THUMB_SIDE, VERSION};
use super::wire::{
    Comment, Elements, ErrorBody, ImageUpload, Post, ShareStatistics, Urn, UserInfo, Value as Wrapped, VideoAnswer,
    VideoUpload,
};

/// Total time of one upload over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(5);

/// First wait for a video that `LinkedIn` works on; each further one is twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
const LOOKS: u32 = 40;

/// Posts that a look-up reads.
const PAGE: &str = "100";
/// Clocks differ: a post may seem to be older than the call that made it.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(2);
/// How much older than this request's intent a post may be that `LinkedIn` refuses it for, and still be ours: an attempt before
/// a person said "post again".
const OURS: chrono::Duration = chrono::Duration::hours(1);

/// Longest title and description of a link card, in characters: no limit is stated, and readers show less.
const TITLE: usize = 400;
const DESCRIPTION: usize = 4000;

/// One account's connection.
pub(super) struct Client {
    server: String,
    /// Who posts, where the account says so.
    author: Option<String>,
    version: String,
    /// Who posts, found out.
    found: OnceCell<Urn>,
    outside: Outside,
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

    fn origin(&self) -> String {
        url::Url::parse(&self.server).map_or_else(|_| self.server.clone(), |url| url.origin().ascii_serialization())
    }

    fn request(&self, request: Request) -> Request {
        request.header("linkedin-version", self.version.clone()).header("x-restli-protocol-version", "2.0.0")
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    /// A repeatable call with the account's token, which is renewed once should it have ended and can be.
    async fn call(&self, request: impl Fn() -> Request + Send) -> Result<Answer, Fault> {
        let token = self.outside.secrets.secret("token").await?;
        let answer = self.outside.http.call(self.request(request()).bearer(token.clone())).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let token = self.renewed(&answer, &token).await?;
        self.outside.http.call(self.request(request()).bearer(token)).await
    }

    /// Another token than the one that was just refused.
    async fn renewed(&self, refused: &Answer, token: &SecretString) -> Result<SecretString, Fault> {
        self.outside.secrets.renewed("token", token).await.map_err(|fault| match fault {
            Fault::Refused { refusal: Refusal::Credentials, message: why, .. } => {
                let said = self.refusal(refused, false);
                Fault::refused(Refusal::Credentials, format!("LinkedIn does not accept the token ({said}); {why}"))
            }
            // Whatever became of the renewal: nothing of the account's was done.
            Fault::Unknown(why) => Fault::refused(Refusal::Busy, why),
            other => other,
        })
    }

    async fn get(&self, path: &str) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| Request::get(url.as_str())).await
    }

    async fn act(&self, path: &str, body: &Value) -> Result<Answer, Fault> {
        let url = self.url(path);
        self.call(|| Request::post(url.as_str()).body(Body::Json(body.clone()))).await
    }

    /// What an answer that is no success means.
    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
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
    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
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
    async fn author(&self) -> Result<&Urn, Fault> {
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

    /// The address of an upload, if it is `LinkedIn`'s own: the bytes are the author's, and a token may go with them.
    fn upload_url<'a>(&self, url: &'a str) -> Result<&'a str, Fault> {
        let good = url::Url::parse(url).is_ok_and(|parsed| {
            let own = parsed.origin().ascii_serialization() == self.origin();
            let host = parsed.host_str().unwrap_or_default();
            own || (parsed.scheme() == "https" && (host == "linkedin.com" || host.ends_with(".linkedin.com")))
        });
        if good {
            Ok(url)
        } else {
            Err(Fault::refused(Refusal::Busy, "LinkedIn names an address for the upload that is not its own"))
        }
    }

    async fn image(&self, bytes: Vec<u8>, mime: &str) -> Result<Urn, Fault> {
        let owner = self.author().await?.as_str();
        let body = json!({"initializeUploadRequest": {"owner": owner}});
        let begun: Wrapped<ImageUpload> = self.read(&self.act("/rest/images?action=initializeUpload", &body).await?)?;
        let url = self.upload_url(&begun.value.upload_url)?;
        let body = Body::Bytes { bytes: bytes.into(), mime: mime.to_owned() };
        let answer = self.call(|| Request::put(url).body(body.clone()).timeout(UPLOAD_TIMEOUT)).await?;
        if answer.is_success() { Ok(begun.value.image) } else { Err(self.refusal(&answer, false)) }
    }

    async fn begin(&self, media: &DraftMedia) -> Result<Begun, Fault> {
        let body = json!({"initializeUploadRequest": {
            "owner": self.author().await?.as_str(),
            "fileSizeBytes": media.facts.bytes,
            "uploadCaptions": false,
            "uploadThumbnail": false,
        }});
        let begun: Wrapped<VideoUpload> = self.read(&self.act("/rest/videos?action=initializeUpload", &body).await?)?;
        let VideoUpload { video, upload_token, upload_instructions } = begun.value;
        let parts = upload_instructions.into_iter().map(|part| (part.upload_url, part.first_byte, part.last_byte));
        Ok(Begun { urn: video.as_str().to_owned(), token: upload_token, parts: parts.collect() })
    }

    /// Some parts of a video, one after the other: never more than one is in memory. The addresses are secret enough: no
    /// token goes there.
    async fn append(
        &self,
        begun: &Begun,
        media: &DraftMedia,
        first: usize,
        count: Option<usize>,
    ) -> Result<Parts, Fault> {
        let over = LimitOverrides { video_bytes: Some(media.facts.bytes), ..LimitOverrides::default() };
        let limits = Limits::new(&PROFILE, &over);
        let mut ids = Vec::new();
        for (url, start, end) in begun.parts.iter().skip(first).take(count.unwrap_or(usize::MAX)) {
            let length = end.saturating_sub(*start).saturating_add(1);
            let bytes = self.outside.media.chunk(media, &limits, *start, length).await?;
            let body = Body::Bytes { bytes: bytes.into(), mime: "application/octet-stream".to_owned() };
            let request = Request::put(self.upload_url(url)?).body(body).timeout(UPLOAD_TIMEOUT);
            let answer = self.outside.http.call(request).await?;
            if !answer.is_success() {
                return Err(self.refusal(&answer, false));
            }
            let id = answer.header("etag").map(|etag| etag.trim_matches('"').to_owned());
            ids.push(id.ok_or_else(|| Fault::refused(Refusal::Busy, "LinkedIn gave a part of the video no name"))?);
            self.outside.media.arrived(media, end.saturating_add(1));
        }
        Ok(Parts { ids })
    }

    async fn finish(&self, begun: &Begun, ids: &[String]) -> Result<(), Fault> {
        let body = json!({"finalizeUploadRequest": {
            "video": begun.urn,
            "uploadToken": begun.token,
            "uploadedPartIds": ids,
        }});
        let answer = self.act("/rest/videos?action=finalizeUpload", &body).await?;
        if answer.is_success() {
            return Ok(());
        }
        let fault = self.refusal(&answer, false);
        // One whose answer was lost is put together already: LinkedIn is asked how far it is.
        if matches!(fault, Fault::Refused { refusal: Refusal::Invalid, .. })
            && self.video(&begun.urn).await.is_ok_and(|video| video.status != "WAITING_UPLOAD")
        {
            return Ok(());
        }
        Err(fault)
    }

    async fn video(&self, urn: &str) -> Result<VideoAnswer, Fault> {
        let urn = Urn::parse(urn).ok_or_else(|| Fault::NotSent(format!("`{urn}` is no name")))?;
        self.read(&self.get(&format!("/rest/videos/{}", urn.escaped())).await?)
    }

    /// Waits until a video can be posted.
    async fn ready(&self, urn: &str) -> Result<(), Fault> {
        let mut wait = FIRST_WAIT;
        for _ in 0..LOOKS {
            let video = self.video(urn).await?;
            match video.status.as_str() {
                "AVAILABLE" => return Ok(()),
                "PROCESSING_FAILED" => {
                    let why = video.processing_failure_reason.unwrap_or_else(|| "it does not say why".to_owned());
                    return Err(Fault::refused(Refusal::Invalid, format!("LinkedIn cannot use the video: {why}")));
                }
                _ => {}
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(Fault::refused(Refusal::Busy, "LinkedIn is still working on the video"))
    }

    /// A link card: `LinkedIn` does not look at the page, so it is told. Whatever is wrong with the page, the post goes out.
    async fn card(&self, url: &str, needed: bool) -> Result<Card, Fault> {
        let shown = || url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/').to_owned();
        let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let (page, base) = match card::page(&self.outside, url).await {
            Ok(found) => found,
            Err(why) => {
                let bare = json!({"source": url, "title": cut(&shown(), TITLE)});
                return Ok(Card { article: needed.then_some(bare), why: Some(why) });
            }
        };
        let title = if page.title.is_empty() { shown() } else { page.title };
        let mut article = json!({"source": url, "title": cut(&title, TITLE)});
        if !page.description.is_empty() {
            article["description"] = json!(cut(&page.description, DESCRIPTION));
        }
        let mut why = None;
        if let Some(image) = page.image {
            match self.thumbnail(&base, &image).await {
                Ok(urn) => article["thumbnail"] = json!(urn.as_str()),
                Err(fault) => why = Some(format!("without its picture: {fault}")),
            }
        }
        Ok(Card { article: Some(article), why })
    }

    async fn thumbnail(&self, base: &str, image: &str) -> Result<Urn, Fault> {
        let picture = card::picture(&self.outside, base, image, THUMB_BYTES, THUMB_SIDE).await?;
        self.image(picture.bytes, &picture.facts.mime).await
    }

    /// An organization's own posts, the latest first.
    async fn recent(&self, author: &Urn) -> Result<Vec<Post>, Fault> {
        let path = format!("/rest/posts?author={}&q=author&count={PAGE}&sortBy=CREATED", author.escaped());
        Ok(self.read::<Elements<Post>>(&self.get(&path).await?)?.elements)
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

fn step_value<T: serde::Serialize>(value: T) -> Result<Value, Fault> {
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
        match plan::task(step)? {
            Task::Image { media, limits } => {
                let MediaBytes { bytes, facts, .. } =
                    self.outside.media.fetch(&media, &Limits::new(&PROFILE, &limits)).await?;
                let urn = self.image(bytes, &facts.mime).await?;
                step_value(Found { urn: urn.as_str().to_owned() })
            }
            Task::Begin { media } => step_value(self.begin(&media).await?),
            Task::Append { media, begin, first, count } => {
                step_value(self.append(&value(progress, begin)?, &media, first, count).await?)
            }
            Task::Finish { begin, parts } => {
                let begun: Begun = value(progress, begin)?;
                let mut ids = Vec::new();
                for step in parts {
                    ids.extend(value::<Parts>(progress, step)?.ids);
                }
                self.finish(&begun, &ids).await?;
                step_value(Found { urn: begun.urn })
            }
            Task::Await { finish } => {
                let found: Found = value(progress, finish)?;
                self.ready(&found.urn).await?;
                step_value(found)
            }
            Task::Card { url, needed } => step_value(self.card(&url, needed).await?),
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
        let token = self.outside.secrets.secret("token").await?;
        let body = frozen.request.get("body").cloned().unwrap_or_default();
        let request = Request::post(self.url("/rest/posts")).body(Body::Json(body)).bearer(token.clone());
        let answer = self.outside.http.publish(self.request(request)).await?;
        if answer.is_success() {
            // The body is empty.
            let urn = answer.header("x-restli-id").and_then(Urn::parse).filter(Urn::is_post);
            let urn =
                urn.ok_or_else(|| Fault::Unknown(format!("HTTP {}, but without the post's name", answer.status)))?;
            return Ok(self.receipt(frozen.part, &urn));
        }
        let fault = self.refusal(&answer, true);
        if answer.status == 401 && matches!(fault, Fault::Refused { .. }) {
            // Nothing was done. It is no matter of credentials as long as there is another token to be had.
            self.renewed(&answer, &token).await?;
            return Err(Fault::refused(Refusal::Busy, "the token had ended; nothing was published"));
        }
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
            text: comment.message.text,
            at: comment.created.and_then(|created| DateTime::from_timestamp_millis(created.time)),
            url: None,
        };
        Ok(comments.into_iter().map(reply).collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let url = self.url(&format!("/rest/posts/{}", known(receipt)?.escaped()));
        let answer = self.call(|| Request::delete(url.as_str())).await?;
        match answer.status {
            200..300 | 404 | 410 => Ok(()),
            _ => Err(self.refusal(&answer, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::{Act, Fake, Film, Rule};
    use crate::adapter::{Draft, DraftPart, Network, Plan, StepKind};
    use crate::model::{
        AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, PostId, Prepared,
    };
    use crate::networks::linkedin::LinkedIn;
    use crate::networks::linkedin::fake::Service;
    use crate::networks::linkedin::profile::PART;

    struct Bench {
        fake: Service,
        api: Box<dyn Api>,
        identity: Identity,
    }

    async fn bench(member: bool) -> Bench {
        let fake = Service::start(member).await;
        let api = LinkedIn.connect(&fake.account(), fake.outside());
        let identity = api.whoami().await.expect("the token is good");
        Bench { fake, api, identity }
    }

    impl Bench {
        fn plan(&self, part: DraftPart, link: Option<String>) -> Plan {
            let account = self.fake.account();
            let limits = Limits::new(&PROFILE, &LimitOverrides::default());
            let delivery = DeliveryId::derive(
                &CalendarName::new("c"),
                &OccurrenceName::once(&PostId::new("p")),
                &AccountName::new("a"),
            );
            let mut draft = Draft::new(delivery, &account, &limits, vec![part]);
            draft.link = link;
            LinkedIn.plan(&draft).expect("a plan")
        }

        fn frozen(&self, text: &str, at: DateTime<Utc>) -> Frozen {
            let plan = self.plan(DraftPart { text: text.to_owned(), media: Vec::new() }, None);
            let step = plan.publish_step(0).expect("a part");
            self.api.freeze(step, &Progress::default(), &self.identity, at).expect("a request")
        }

        fn rule(&self, rule: Rule) {
            self.fake.front().expect("it has one").rule(rule);
        }

        fn lose(&self) {
            let lost = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>".to_owned() };
            self.rule(Rule::new(lost).on("POST", "/rest/posts"));
        }
    }

    /// Runs the steps that are not done yet, as the engine does.
    async fn prepare(api: &dyn Api, plan: &Plan, progress: &mut Progress) -> Result<(), Fault> {
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            if progress.value(step.index).is_none() {
                let value = api.prepare(step, progress).await?;
                progress.prepared.push(Prepared { step: step.index, value, at: Utc::now() });
            }
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_members_lost_answer_is_left_to_a_person_and_a_duplicate_is_adopted() {
        let bench = bench(true).await;
        assert_eq!(bench.identity.repeat, Some(RepeatSafety::None));
        assert!(bench.identity.uid.starts_with("urn:li:person:"), "{}", bench.identity.uid);
        let frozen = bench.frozen("Only (once)", Utc::now());
        bench.lose();
        assert!(matches!(bench.api.publish(&frozen).await, Err(Fault::Unknown(_))));
        assert!(matches!(bench.api.reconcile(&frozen, Utc::now()).await, Ok(Verdict::CannotTell { .. })));
        // A person says "post again": LinkedIn names the first.
        let again = bench.api.publish(&bench.frozen("Only (once)", Utc::now())).await.expect("adopted");
        let posts = bench.fake.posts().await;
        assert_eq!((posts.len(), posts[0].id.as_str()), (1, again.id.as_str()));
        // One that is older than an hour is somebody else's.
        let later = Utc::now() + chrono::Duration::hours(2);
        let fault = bench.api.publish(&bench.frozen("Only (once)", later)).await.expect_err("not ours");
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
        let frozen = bench.frozen("R&D [2.0] is *out* #tag #a_b @all", started);
        assert_eq!(bench.api.reconcile(&frozen, started).await, Ok(Verdict::NotDone));
        bench.lose();
        assert!(matches!(bench.api.publish(&frozen).await, Err(Fault::Unknown(_))));
        let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
        assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.part == 0), "{verdict:?}");
        let later = Utc::now() + chrono::Duration::minutes(10);
        assert_eq!(bench.api.reconcile(&frozen, later).await, Ok(Verdict::NotDone));
    }

    #[tokio::test]
    async fn a_film_goes_in_parts_and_goes_on_after_a_cut() {
        let bench = bench(false).await;
        let bytes = 6 * PART + 7;
        let film = Film::new(bytes);
        let api = LinkedIn.connect(&bench.fake.account(), Outside { media: film.clone(), ..bench.fake.outside() });
        let facts = MediaFacts { kind: MediaKind::Video, mime: "video/mp4".to_owned(), bytes, width: 3, height: 2 };
        let media = vec![DraftMedia { file: "film.mp4".to_owned(), alt: "A film".to_owned(), facts }];
        let plan = bench.plan(DraftPart { text: "Look".to_owned(), media }, None);
        let mut progress = Progress::default();
        let front = bench.fake.front().expect("it has one");
        front.rule(Rule::answer(503, "").on("PUT", "/dms/C1/4"));
        let fault = prepare(&*api, &plan, &mut progress).await.expect_err("cut");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        prepare(&*api, &plan, &mut progress).await.expect("it goes on");
        assert_eq!(front.count("PUT", "/dms/C1/0"), 1, "what had arrived is not sent again");
        assert_eq!(bench.fake.film("urn:li:video:C1"), film.bytes(), "every byte, in order");
        assert_eq!((film.most(), film.told().last()), (PART, Some(&bytes)));
        let tokens = front
            .seen()
            .iter()
            .filter(|seen| seen.path.starts_with("/dms/") && seen.header("authorization").is_some())
            .count();
        assert_eq!(tokens, 0, "no token goes where the parts go");
        let step = plan.publish_step(0).expect("a part");
        let frozen = api.freeze(step, &progress, &bench.identity, Utc::now()).expect("a request");
        assert_eq!(frozen.request["body"]["content"], json!({"media": {"id": "urn:li:video:C1"}}));
        api.publish(&frozen).await.expect("published");
    }

    #[tokio::test]
    async fn versions_days_and_uploads_elsewhere() {
        let bench = bench(false).await;
        let frozen = bench.frozen("a", Utc::now());
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
    async fn a_link_comes_with_its_title_and_picture() {
        let bench = bench(false).await;
        let link = format!("{}/page", bench.fake.front().expect("it has one").url());
        let plan = bench.plan(DraftPart { text: "Out now".to_owned(), media: Vec::new() }, Some(link.clone()));
        let mut progress = Progress::default();
        prepare(&*bench.api, &plan, &mut progress).await.expect("prepared");
        let step = plan.publish_step(0).expect("a part");
        let frozen = bench.api.freeze(step, &progress, &bench.identity, Utc::now()).expect("a request");
        let article =
            json!({"source": link, "title": "Acme 2.0", "description": "It is out", "thumbnail": "urn:li:image:C1"});
        assert_eq!(frozen.request["body"]["content"], json!({"article": article}));
        bench.api.publish(&frozen).await.expect("published");
        // A page that is not there costs the title, not the link.
        let plan = bench.plan(DraftPart { text: "Out".to_owned(), media: Vec::new() }, Some(format!("{link}/gone")));
        let mut progress = Progress::default();
        prepare(&*bench.api, &plan, &mut progress).await.expect("prepared");
        let card: Card = value(&progress, 0).expect("a card");
        assert!(card.article.expect("the link is not lost")["source"].as_str().expect("text").ends_with("/page/gone"));
    }

    #[tokio::test]
    async fn numbers_and_comments_of_an_organization() {
        let bench = bench(false).await;
        let receipt = bench.api.publish(&bench.frozen("a", Utc::now())).await.expect("published");
        let metrics = bench.api.metrics(&receipt).await.expect("numbers");
        assert_eq!((metrics.likes, metrics.views), (Some(3), Some(40)));
        let replies = bench.api.replies(&receipt).await.expect("comments");
        assert_eq!((replies.len(), replies[0].text.as_str()), (1, "Well done (all of you)"));
    }
}
