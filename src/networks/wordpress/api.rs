//! Calls to a site.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{
    Api, DraftMedia, Fault, Identity, Limits, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict, thawed,
};
use crate::model::{Account, Frozen, LimitOverrides, MediaKind, Receipt};

use super::Settings;
use super::page;
use super::plan;
use super::profile::PROFILE;
use super::site::Root;
use super::wire::{
    self, CommentAnswer, ErrorBody, MeAnswer, MediaAnswer, Post, PostAnswer, Prepared, Task, TermAnswer, Terms,
    Uploaded, plain,
};

/// Total time of an upload: a video of 64 MB over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// States of a post in which it may be found. In the trash it has another name.
const STATES: &str = "publish,future,draft,pending,private";

/// One account's connection.
pub(super) struct Client {
    server: Option<String>,
    user: String,
    outside: Outside,
    /// Where the API is, once it was found.
    root: Mutex<Option<Root>>,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self {
            server: account.server.clone(),
            user: account.read_settings::<Settings>().map(|settings| settings.user).unwrap_or_default(),
            outside,
            root: Mutex::default(),
        }
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

    fn origin(&self) -> Result<String, Fault> {
        let server = self.server()?;
        Ok(url::Url::parse(server).map_or_else(|_| server.to_owned(), |url| url.origin().ascii_serialization()))
    }

    async fn root(&self) -> Result<Root, Fault> {
        let known = self.root.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(root) = known {
            return Ok(root);
        }
        let root = Root::find(&self.outside.http, self.server()?).await?;
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = Some(root.clone());
        Ok(root)
    }

    /// A call with the account's password, before anything is put to it.
    async fn signed(&self, request: Request) -> Result<Request, Fault> {
        Ok(request.basic(self.user.clone(), self.outside.secrets.secret("password").await?))
    }

    /// A repeatable call.
    async fn call(&self, request: Request) -> Result<Answer, Fault> {
        self.outside.http.call(self.signed(request).await?).await
    }

    async fn url(&self, route: &str) -> Result<String, Fault> {
        Ok(self.root().await?.url(self.server()?, route))
    }

    async fn get(&self, route: &str, query: &[(&str, &str)]) -> Result<Answer, Fault> {
        let mut request = Request::get(self.url(route).await?);
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        self.call(request).await
    }

    async fn post(&self, route: &str, body: Value) -> Result<Answer, Fault> {
        self.call(Request::post(self.url(route).await?).body(Body::Json(body))).await
    }

    /// What an answer that is no success means.
    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let own = answer.json::<ErrorBody>().ok();
        let told = own.as_ref().map(ErrorBody::told);
        // "500" is what it says of a kind of file that it does not take, and of a full disk: no later call changes that.
        if let Some(told) = own.filter(|own| own.code == "rest_upload_sideload_error").and(told.as_ref()) {
            return Fault::refused(Refusal::Invalid, answer.without_secrets(format!("the file is refused: {told}")));
        }
        answer.fault(irreversible, told, self.now())
    }

    /// A success, read.
    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        if !answer.is_success() {
            return Err(self.refusal(answer, false));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    /// Uploads a file; its alt text is a call of its own (WP-API/docs, reference/media.md, 2026-11-23).
    async fn upload(&self, media: &DraftMedia, limits: &LimitOverrides) -> Result<Uploaded, Fault> {
        let file = self.outside.file(media, &Limits::new(&PROFILE, limits)).await?;
        let (width, height) = (file.facts.width, file.facts.height);
        let request = Request::post(self.url("/wp/v2/media").await?)
            .header("content-disposition", format!("attachment; filename=\"{}\"", file.plain_name()))
            .body(Body::Bytes { bytes: file.content, mime: file.facts.mime })
            .timeout(UPLOAD_TIMEOUT);
        let uploaded: MediaAnswer = self.read(&self.call(request).await?)?;
        // A video has a description instead: HTML knows no alt text for it.
        if !media.alt.is_empty() {
            let field = if media.facts.kind == MediaKind::Video { "description" } else { "alt_text" };
            // It takes "%41" out of a text, and puts no mark-up in.
            let alt = page::words(&media.alt).replace('%', "&#37;");
            let answer = self.post(&format!("/wp/v2/media/{}", uploaded.id), json!({ field: alt })).await?;
            self.read::<MediaAnswer>(&answer)?;
        }
        Ok(Uploaded { id: uploaded.id, url: uploaded.source_url, width, height })
    }

    /// The number of a tag or category, which is made where there is none of this name.
    async fn term(&self, kind: &str, name: &str) -> Result<u64, Fault> {
        let route = format!("/wp/v2/{kind}");
        let answer = self.get(&route, &[("search", name), ("per_page", "100"), ("_fields", "id,name")]).await?;
        let found: Vec<TermAnswer> = self.read(&answer)?;
        let is_it = |term: &&TermAnswer| plain(&term.name).to_lowercase() == name.to_lowercase();
        if let Some(term) = found.iter().find(is_it) {
            return Ok(term.id);
        }
        let answer = self.post(&route, json!({ "name": name })).await?;
        if let Some(id) = answer.json::<ErrorBody>().ok().and_then(|error| error.term()) {
            return Ok(id);
        }
        let made: TermAnswer = self.read(&answer)?;
        Ok(made.id)
    }

    /// The posts with this slug.
    async fn named(&self, slug: &str) -> Result<Option<PostAnswer>, Fault> {
        let query = [("slug", slug), ("status", STATES), ("context", "edit"), ("_fields", "id,status,slug,link")];
        let posts: Vec<PostAnswer> = self.read(&self.get("/wp/v2/posts", &query).await?)?;
        Ok(posts.into_iter().find(|post| post.slug == slug))
    }

    /// Finds the draft or makes it.
    async fn draft(&self, post: &Post, progress: &Progress) -> Result<Prepared, Fault> {
        let uploaded =
            post.media.iter().map(|placed| progress.given(placed.step)).collect::<Result<Vec<Uploaded>, _>>()?;
        let terms: Option<Terms> = post.terms.map(|step| progress.given(step)).transpose()?;
        let mut body = json!({
            "title": page::inert(page::words(&post.title)),
            "content": page::content(post, &uploaded),
            "excerpt": page::excerpt(post),
        });
        if let Some(terms) = terms {
            if !terms.tags.is_empty() {
                body["tags"] = json!(terms.tags);
            }
            if !terms.categories.is_empty() {
                body["categories"] = json!(terms.categories);
            }
        }
        if let Some(file) = post.featured.and_then(|featured| uploaded.get(featured)) {
            body["featured_media"] = json!(file.id);
        }
        let root = self.root().await?.as_str().to_owned();
        match self.named(&post.slug).await? {
            // From an attempt before, whose answer or whose ledger was lost: what is out stays as it is.
            Some(there) if there.status == "publish" => Ok(Prepared { id: there.id, root }),
            Some(there) => {
                let answer = self.post(&format!("/wp/v2/posts/{}", there.id), body).await?;
                Ok(Prepared { id: self.read::<PostAnswer>(&answer)?.id, root })
            }
            None => {
                body["slug"] = json!(post.slug);
                body["status"] = json!("draft");
                let made: PostAnswer = self.read(&self.post("/wp/v2/posts", body).await?)?;
                if made.status != "draft" {
                    let message = format!("the site made it `{}` instead of a draft", made.status);
                    return Err(Fault::refused(Refusal::Forbidden, message));
                }
                Ok(Prepared { id: made.id, root })
            }
        }
    }

    fn receipt(&self, part: u16, post: &PostAnswer) -> Receipt {
        Receipt { part, id: post.id.to_string(), url: post.link.clone(), at: self.now(), data: Value::Null }
    }
}

fn known(receipt: &Receipt) -> Result<u64, Fault> {
    receipt.id.parse().map_err(|_| Fault::NotSent(format!("`{}` is no post's number", receipt.id)))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        self.origin().map(Some)
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let answer = self.get("/wp/v2/users/me", &[("context", "edit")]).await?;
        if matches!(answer.status, 401 | 403) {
            let why = match self.refusal(&answer, false) {
                Fault::Refused { message, .. } | Fault::NotSent(message) | Fault::Unknown(message) => message,
            };
            let server = self.server()?;
            let message = format!(
                "{server} does not accept the application password of `{}` ({why}); a host that drops the Authorization \
                 header says so too",
                self.user
            );
            return Err(Fault::refused(Refusal::Credentials, message));
        }
        let who: MeAnswer = self.read(&answer)?;
        let may = |what: &str| {
            who.capabilities.as_ref().is_none_or(|all| all.get(what).and_then(Value::as_bool) == Some(true))
        };
        if let Some(missing) = ["edit_posts", "publish_posts", "upload_files"].into_iter().find(|what| !may(what)) {
            let message = format!(
                "the user `{}` may not publish here (`{missing}`): it has to be an author or an editor",
                self.user
            );
            return Err(Fault::refused(Refusal::Forbidden, message));
        }
        let server = self.server()?;
        let (_, place) = server.split_once("://").unwrap_or(("", server));
        let name = if who.slug.is_empty() { who.name } else { who.slug };
        Ok(Identity {
            // Every site counts its users from 1.
            uid: format!("{}@{}", who.id, place.to_lowercase()),
            handle: format!("{name}@{place}"),
            host: self.origin()?,
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        let value = match step.task()? {
            Task::Upload { media, limits } => serde_json::to_value(self.upload(&media, &limits).await?),
            Task::Terms { tags, categories } => {
                let mut terms = Terms { tags: Vec::new(), categories: Vec::new() };
                for name in &tags {
                    terms.tags.push(self.term("tags", name).await?);
                }
                for name in &categories {
                    terms.categories.push(self.term("categories", name).await?);
                }
                serde_json::to_value(terms)
            }
            Task::Draft(post) => serde_json::to_value(self.draft(&post, progress).await?),
            Task::Publish { .. } => {
                return Err(Fault::NotSent(format!("step {} is not to be prepared", step.index)));
            }
        };
        value.map_err(|error| Fault::NotSent(error.to_string()))
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        _identity: &Identity,
        _at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress)
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let request: wire::Request = thawed(frozen)?;
        let url = Root::new(request.root).url(self.server()?, &format!("/wp/v2/posts/{}", request.id));
        let call = Request::post(url).body(Body::Json(json!({ "status": request.status })));
        let answer = self.outside.http.publish(self.signed(call).await?).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        let post: PostAnswer =
            answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        if post.status != "publish" {
            return Err(Fault::Unknown(format!("the site made the post `{}` instead of publishing it", post.status)));
        }
        Ok(self.receipt(frozen.part, &post))
    }

    async fn reconcile(&self, frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let request: wire::Request = thawed(frozen)?;
        let route = format!("/wp/v2/posts/{}", request.id);
        let answer = self.get(&route, &[("context", "edit"), ("_fields", "id,status,slug,link")]).await?;
        if answer.status == 404 && answer.json::<ErrorBody>().is_ok() {
            return Ok(Verdict::CannotTell { why: format!("the draft {} is no longer there", request.id) });
        }
        let post: PostAnswer = self.read(&answer)?;
        Ok(match post.status.as_str() {
            "publish" => Verdict::Done(self.receipt(frozen.part, &post)),
            "draft" | "auto-draft" => Verdict::NotDone,
            other => Verdict::CannotTell { why: format!("somebody made the post {} `{other}`", post.id) },
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let id = known(receipt)?.to_string();
        let answer =
            self.get("/wp/v2/comments", &[("post", id.as_str()), ("per_page", "1"), ("_fields", "id")]).await?;
        self.read::<Vec<Value>>(&answer)?;
        let replies = answer.header("x-wp-total").and_then(|total| total.parse().ok());
        Ok(Metrics { replies, ..Metrics::default() })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let id = known(receipt)?.to_string();
        let query = [("post", id.as_str()), ("per_page", "100"), ("order", "asc")];
        let comments: Vec<CommentAnswer> = self.read(&self.get("/wp/v2/comments", &query).await?)?;
        let reply = |comment: CommentAnswer| Reply {
            id: comment.id.to_string(),
            at: comment.at(),
            author: comment.author_name,
            text: comment.content.map(|content| plain(&content.rendered)).unwrap_or_default(),
            url: comment.link,
        };
        Ok(comments.into_iter().map(reply).collect())
    }

    /// Into the trash, where it can be taken out again.
    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let url = self.url(&format!("/wp/v2/posts/{}", known(receipt)?)).await?;
        let answer = self.call(Request::delete(url.as_str())).await?;
        let code = answer.json::<ErrorBody>().map(|error| error.code).unwrap_or_default();
        match (answer.status, code.as_str()) {
            (200..300, _) | (404, "rest_post_invalid_id") | (410, "rest_already_trashed") => Ok(()),
            (501, "rest_trash_not_supported") => {
                let answer = self.call(Request::delete(url).query("force", "true")).await?;
                if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
            }
            _ => Err(self.refusal(&answer, false)),
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::adapter::suite::{Act, Fake, Rule};
    use crate::adapter::{Draft, DraftPart, Network, StepKind};
    use crate::model::{AccountName, CalendarName, DeliveryId, MediaFacts, OccurrenceName};
    use crate::networks::wordpress::WordPress;
    use crate::networks::wordpress::fake::Site;

    const PUBLISH: (&str, &str) = ("POST", "/wp-json/wp/v2/posts/17");

    fn now() -> DateTime<Utc> {
        "2026-12-01T09:00:00Z".parse().expect("a date")
    }

    /// Everything of a long form with two pictures up to its intent.
    async fn frozen(account: &Account, api: &dyn Api) -> Result<Frozen, Fault> {
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 1, width: 1, height: 1 };
        let media = ["a.png", "b.png"].map(|file| DraftMedia {
            file: file.to_owned(),
            alt: format!("Alt of <{file}> & \"more\""),
            facts: facts.clone(),
        });
        let limits = Limits::new(&PROFILE, &account.limits);
        let delivery =
            DeliveryId::derive(&CalendarName::new("acme"), &OccurrenceName::new("x"), &AccountName::new("blog"));
        let part = DraftPart { text: "In short <b>".to_owned(), media: media.to_vec() };
        let mut draft = Draft::new(delivery, account, &limits, vec![part]);
        draft.title = Some("R&D <is> out".to_owned());
        draft.body = Some("# One\n\n![](b.png)\n\nTwo".to_owned());
        draft.tags = vec!["r&d".to_owned(), "new one".to_owned()];
        let plan = WordPress.plan(&draft).expect("a plan");
        let identity = api.whoami().await?;
        let mut progress = Progress::default();
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            let value = api.prepare(step, &progress).await?;
            progress.prepared.push(crate::model::Prepared { step: step.index, value, at: now() });
        }
        api.freeze(plan.publish_step(0).expect("a step"), &progress, &identity, now())
    }

    #[tokio::test]
    async fn a_long_form_goes_out() {
        for plain_links in [false, true] {
            let fake = Site::start(plain_links).await;
            let account = fake.account();
            let api = WordPress.connect(&account, fake.outside());
            let who = api.whoami().await.expect("who");
            let place =
                account.server.as_deref().and_then(|server| server.strip_prefix("http://")).expect("plain http");
            assert_eq!((who.uid, who.handle), (format!("3@{place}"), format!("acme@{place}")));
            let frozen = frozen(&account, &*api).await.expect("prepared");
            assert!(fake.posts().await.is_empty(), "a draft is not out");
            let receipt = api.publish(&frozen).await.expect("published");
            assert_eq!(
                (receipt.id.as_str(), receipt.url),
                ("17", Some(format!("https://blog.example/{}/", frozen.key)))
            );
            assert_eq!(fake.field(17, "title"), "R&amp;D &lt;is&gt; out");
            assert_eq!(fake.field(17, "excerpt"), "In short &lt;b&gt;");
            let content = fake.field(17, "content");
            let content = content.as_str().expect("HTML");
            assert!(
                content.starts_with("<h2>One</h2>\n<p><img src=\"https://blog.example/")
                    && content.ends_with("<p>Two</p>\n"),
                "{content}"
            );
            assert_eq!(fake.posts().await[0].alts, ["Alt of <a.png> & \"more\"", "Alt of <b.png> & \"more\""]);
            assert_eq!(fake.field(17, "tags")[0], 2, "the tag that is there: R&amp;D");
            assert_eq!(fake.field(17, "tags").as_array().map(Vec::len), Some(2));
        }
    }

    #[tokio::test]
    async fn a_file_that_the_site_does_not_take_is_refused() {
        let fake = Site::start(false).await;
        let account = fake.account();
        let api = WordPress.connect(&account, fake.outside());
        let no = r#"{"code":"rest_upload_sideload_error","message":"Sorry, you are not allowed to upload this file type.","data":{"status":500}}"#;
        fake.front().expect("it has one").rule(Rule::answer(500, no).on("POST", "/wp-json/wp/v2/media"));
        let fault = frozen(&account, &*api).await.expect_err("no such files");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("file type")),
            "{fault:?}"
        );
    }

    #[tokio::test]
    async fn what_is_prepared_again_is_the_same_draft() {
        let fake = Site::start(false).await;
        let account = fake.account();
        let api = WordPress.connect(&account, fake.outside());
        // The answer to the draft is lost, and then the ledger.
        let act = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>Bad gateway".to_owned() };
        fake.front().expect("it has one").rule(Rule::new(act).on("POST", "/wp-json/wp/v2/posts"));
        let fault = frozen(&account, &*api).await.expect_err("lost");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        let first = frozen(&account, &*api).await.expect("prepared");
        assert_eq!(frozen(&account, &*api).await.expect("prepared"), first);
        assert_eq!(fake.count(), 1, "one draft");
        api.publish(&first).await.expect("published");
        let again = frozen(&account, &*api).await.expect("prepared");
        assert_eq!(again, first, "what is out is found by its name");
        api.publish(&again).await.expect("published");
        assert_eq!(fake.posts().await.len(), 1);
    }

    #[tokio::test]
    async fn the_drafts_state_settles_a_lost_answer() {
        let fake = Site::start(false).await;
        let account = fake.account();
        let api = WordPress.connect(&account, fake.outside());
        let frozen = frozen(&account, &*api).await.expect("prepared");
        assert_eq!(api.reconcile(&frozen, now()).await, Ok(Verdict::NotDone));
        let act = Act::AnswerAfter { status: 504, headers: Vec::new(), body: String::new() };
        fake.front().expect("it has one").rule(Rule::new(act).on(PUBLISH.0, PUBLISH.1));
        assert!(matches!(api.publish(&frozen).await, Err(Fault::Unknown(_))));
        assert!(matches!(api.reconcile(&frozen, now()).await, Ok(Verdict::Done(receipt)) if receipt.id == "17"));
        for (status, told) in [("pending", "`pending`"), ("trash", "`trash`")] {
            fake.set(17, "status", status.into());
            let verdict = api.reconcile(&frozen, now()).await.expect("a verdict");
            assert!(matches!(&verdict, Verdict::CannotTell { why } if why.contains(told)), "{verdict:?}");
        }
        // A site that makes it wait has not published it.
        fake.front()
            .expect("it has one")
            .rule(Rule::answer(200, r#"{"id":17,"status":"future"}"#).on(PUBLISH.0, PUBLISH.1));
        let fault = api.publish(&frozen).await.expect_err("it waits");
        assert!(matches!(&fault, Fault::Unknown(why) if why.contains("`future`")), "{fault:?}");
    }

    /// Whether tags or categories were asked for by a call that makes them.
    fn made(fake: &Site, kind: &str) -> bool {
        let seen = fake.front().expect("it has one").seen();
        seen.iter().any(|seen| seen.method == "POST" && seen.path.ends_with(kind))
    }

    #[tokio::test]
    async fn who_may_not_publish_is_told_early() {
        let fake = Site::start(false).await;
        let account = fake.account();
        let api = WordPress.connect(&account, fake.outside());
        fake.role("contributor");
        let fault = api.whoami().await.expect_err("a contributor");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, message, .. } if message.contains("publish_posts")),
            "{fault:?}"
        );
        fake.role("author");
        let mut with = account.clone();
        with.settings.insert("categories".to_owned(), json!(["uncategorized"]));
        frozen(&with, &*api).await.expect("an author uses those that are there");
        assert!(!made(&fake, "categories"), "and makes none");
        with.settings.insert("categories".to_owned(), json!(["Brand new"]));
        let fault = frozen(&with, &*api).await.expect_err("an author makes no categories");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, .. }), "{fault:?}");
        fake.role("editor");
        frozen(&with, &*api).await.expect("an editor does");
        let calls = fake.front().expect("it has one").seen().len();
        frozen(&with, &*api).await.expect("prepared again");
        let again = fake.front().expect("it has one").seen().split_off(calls);
        assert!(!again.iter().any(|seen| seen.method == "POST" && seen.path.ends_with("/categories")), "made once");
        fake.change_secret();
        let fault = api.whoami().await.expect_err("changed");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, message, .. } if message.contains("Authorization")),
            "{fault:?}"
        );
    }

    #[tokio::test]
    async fn comments_numbers_and_taking_back() {
        let fake = Site::start(false).await;
        let account = fake.account();
        let api = WordPress.connect(&account, fake.outside());
        let frozen = frozen(&account, &*api).await.expect("prepared");
        let receipt = api.publish(&frozen).await.expect("published");
        fake.comment(17, "<p>Nice &#8211; <em>really</em></p>");
        assert_eq!(api.metrics(&receipt).await.expect("numbers").replies, Some(1));
        let replies = api.replies(&receipt).await.expect("comments");
        assert_eq!((replies[0].text.as_str(), replies[0].author.as_str()), ("Nice – really", "Eve"));
        assert_eq!(replies[0].at.map(|at| at.to_rfc3339()).as_deref(), Some("2026-12-01T10:00:00+00:00"));
        assert_eq!(api.delete(&receipt).await, Ok(()));
        assert_eq!(api.delete(&receipt).await, Ok(()), "gone already");
        // Where the trash is turned off.
        let front = fake.front().expect("it has one");
        front.rule(Rule::answer(501, r#"{"code":"rest_trash_not_supported","message":"No."}"#).on("DELETE", PUBLISH.1));
        fake.set(17, "status", "publish".into());
        assert_eq!(api.delete(&receipt).await, Ok(()));
        assert!(front.seen().last().is_some_and(|seen| seen.query == "force=true"));
    }

    #[tokio::test]
    async fn a_site_without_an_api_says_what_to_look_at() {
        let fake = Site::start(false).await;
        let mut account = fake.account();
        account.server = Some(format!("{}/elsewhere", fake.front().expect("it has one").url()));
        let fault = WordPress.connect(&account, fake.outside()).whoami().await.expect_err("nothing there");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, message, .. } if message.contains("no WordPress API")),
            "{fault:?}"
        );
        // One that lives elsewhere says so.
        fake.front().expect("it has one").rule(
            Rule::new(Act::Answer {
                status: 301,
                headers: vec![("location".to_owned(), "https://www.blog.example/".to_owned())],
                body: String::new(),
            })
            .times(3),
        );
        let fault = WordPress.connect(&fake.account(), fake.outside()).whoami().await.expect_err("moved");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, message, .. } if message.contains("https://www.blog.example/")),
            "{fault:?}"
        );
        // One that is for those alone who are signed in has one, whatever plugin says so.
        let no = r#"{"code":"members_only","message":"No.","data":{"status":401}}"#;
        fake.front().expect("it has one").rule(Rule::answer(401, no));
        WordPress.connect(&fake.account(), fake.outside()).whoami().await.expect("signed in");
        // One that is down has one, perhaps.
        fake.front().expect("it has one").rule(Rule::answer(503, "").times(10));
        let fault = WordPress.connect(&fake.account(), fake.outside()).whoami().await.expect_err("down");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
    }
}
