//! Calls to an account's server.
//!
//! What its answers mean was seen on the official PDS 0.5 (2026-11-22): the same record under the same key, with
//! `swapRecord` null, is answered with 200 and the same address, and nothing changes; another record with 400
//! `InvalidSwap`. A token that has run out is 400 `ExpiredToken`, a token that is none 400 `InvalidToken`; both say that
//! nothing was done.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::adapter::card;
use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{
    Api, Content, DraftMedia, Fault, Identity, Limits, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict,
};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::answer::{is_worn, refusal, word};
use super::plan::{self, Card, Target, Task, Upload};
use super::profile::{PROFILE, THUMB_BYTES, THUMB_SIDE};
use super::session::Login;
use super::video::{Finished, Videos};
use super::wire::{
    BlobAnswer, DidAnswer, POSTS, PostRef, PostsAnswer, RecordAnswer, ServerAnswer, StrongRef, ThreadAnswer, WhoAnswer,
    at_uri, is_did, web_url, xrpc,
};

/// Total time of an upload, beyond what its bytes need.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(2);

/// One account's connection.
pub(super) struct Client {
    account: Account,
    outside: Outside,
    login: Login,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { account: account.clone(), login: Login::new(account, outside.clone()), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// A success, read.
    fn read<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        if !answer.is_success() {
            return Err(refusal(answer, false, self.now()));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    fn videos<'a>(&'a self, service: &'a str) -> Videos<'a> {
        Videos { service, login: &self.login, outside: &self.outside }
    }

    /// A file to the account's own server, whole.
    async fn whole(&self, media: &DraftMedia, limits: &Limits) -> Result<Upload, Fault> {
        let file = self.outside.file(media, limits).await?;
        let blob = self.upload(&file.content, &file.facts.mime).await?;
        Ok(Upload { blob, width: file.facts.width, height: file.facts.height })
    }

    async fn upload(&self, bytes: &Content, mime: &str) -> Result<Value, Fault> {
        let answer = self
            .login
            .call(|server| {
                Request::post(xrpc(server, "com.atproto.repo.uploadBlob"))
                    .body(Body::Bytes { bytes: bytes.clone(), mime: mime.to_owned() })
                    .timeout(UPLOAD_TIMEOUT)
            })
            .await?;
        Ok(self.read::<BlobAnswer>(&answer)?.blob)
    }

    /// The DID of a handle; `None`: nobody has it.
    async fn did(&self, handle: &str) -> Result<Option<String>, Fault> {
        let server = self.login.server().await?;
        let request = Request::get(xrpc(&server, "com.atproto.identity.resolveHandle")).query("handle", handle);
        let answer = self.outside.http.call(request).await?;
        match answer.status {
            200..300 => Ok(Some(self.read::<DidAnswer>(&answer)?.did).filter(|did| is_did(did))),
            400 | 404 => Ok(None),
            _ => Err(refusal(&answer, false, self.now())),
        }
    }

    /// A post's record; `None`: there is none.
    async fn record(&self, repo: &str, key: &str) -> Result<Option<RecordAnswer>, Fault> {
        let server = self.login.server().await?;
        // Without a token: anybody may read, and a look-up must work when the credentials no longer do.
        let request = Request::get(xrpc(&server, "com.atproto.repo.getRecord"))
            .query("repo", repo)
            .query("collection", POSTS)
            .query("rkey", key);
        let answer = self.outside.http.call(request).await?;
        if answer.status == 400 && word(&answer).as_deref() == Some("RecordNotFound") {
            return Ok(None);
        }
        self.read(&answer).map(Some)
    }

    async fn find(&self, repo: &str, key: &str) -> Result<Target, Fault> {
        let gone = || Fault::refused(Refusal::Gone, format!("the post {} is not there", web_url(repo, key)));
        let did = if is_did(repo) { repo.to_owned() } else { self.did(repo).await?.ok_or_else(gone)? };
        let found = self.record(&did, key).await?.ok_or_else(gone)?;
        let post = StrongRef { uri: found.uri, cid: found.cid.ok_or_else(gone)? };
        let root = found
            .value
            .pointer("/reply/root")
            .and_then(|root| serde_json::from_value(root.clone()).ok())
            .unwrap_or_else(|| post.clone());
        Ok(Target { post, root })
    }

    /// A link card. Whatever is wrong with the page, the post goes out: a card is an ornament, the link is not.
    async fn card(&self, url: &str, needed: bool) -> Result<Card, Fault> {
        let (page, base) = match card::page(&self.outside, url).await {
            Ok(found) => found,
            Err(why) => {
                let bare = json!({"uri": url, "title": shown(url), "description": ""});
                return Ok(Card { external: needed.then_some(bare), why: Some(why) });
            }
        };
        let title = if page.title.is_empty() { shown(url) } else { page.title };
        let mut external = json!({"uri": url, "title": title, "description": page.description});
        let mut why = None;
        if let Some(image) = page.image {
            match self.thumb(&base, &image).await {
                Ok(blob) => external["thumb"] = blob,
                Err(fault) => why = Some(format!("without its picture: {fault}")),
            }
        }
        Ok(Card { external: Some(external), why })
    }

    async fn thumb(&self, base: &str, image: &str) -> Result<Value, Fault> {
        let picture = card::picture(&self.outside, base, image, THUMB_BYTES, THUMB_SIDE).await?;
        self.upload(&picture.bytes.into(), &picture.facts.mime).await
    }

    /// What is kept of a part that is out.
    fn receipt(&self, part: u16, did: &str, key: &str, answer: &StrongRef) -> Receipt {
        Receipt {
            part,
            id: answer.uri.clone(),
            url: Some(web_url(did, key)),
            at: self.now(),
            data: json!({"cid": answer.cid}),
        }
    }

    /// What stands under a request's key: our post, another one, nothing.
    async fn look(&self, frozen: &Frozen) -> Result<Look, Fault> {
        let (did, key) = address(frozen)?;
        let Some(found) = self.record(did, key).await? else { return Ok(Look::Nothing) };
        let ours = frozen.request.pointer("/record/text") == found.value.get("text");
        match found.cid {
            Some(cid) if ours => {
                Ok(Look::Ours(self.receipt(frozen.part, did, key, &StrongRef { uri: found.uri, cid })))
            }
            _ => Ok(Look::Other(web_url(did, key))),
        }
    }
}

/// What a look at a key found.
enum Look {
    Ours(Receipt),
    Other(String),
    Nothing,
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        self.login.server().await.map(|server| Some(origin(&server)))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let answer = self.login.call(|server| Request::get(xrpc(server, "com.atproto.server.getSession"))).await?;
        let who: WhoAnswer = self.read(&answer)?;
        let (server, session) = self.login.session(None).await?;
        if who.did != session.did {
            return Err(Fault::refused(Refusal::Credentials, format!("{server} does not know whose the session is")));
        }
        let described = self.outside.http.call(Request::get(xrpc(&server, "com.atproto.server.describeServer"))).await;
        let limit = described.ok().and_then(|answer| answer.json::<ServerAnswer>().ok()?.blob_upload_limit);
        let below = |most: u64| limit.filter(|limit| *limit < most);
        Ok(Identity {
            uid: who.did,
            handle: format!("@{}", if who.handle.is_empty() { &session.handle } else { &who.handle }),
            host: origin(&server),
            limits: LimitOverrides {
                image_bytes: below(PROFILE.media.image.bytes),
                video_bytes: PROFILE.media.video.and_then(|rule| below(rule.bytes)),
                ..LimitOverrides::default()
            },
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, progress: &Progress) -> Result<Value, Fault> {
        let value = match step.task()? {
            Task::Upload { media, bytes, pixels, side } => {
                let mut limits = Limits::new(&PROFILE, &self.account.limits);
                (limits.image.bytes, limits.image.pixels, limits.image.side) = (bytes, pixels, side);
                serde_json::to_value(self.whole(&media, &limits).await?)
            }
            Task::VideoBegin { media, service } => serde_json::to_value(self.videos(&service).begin(&media).await?),
            Task::VideoParts { media, service, begin, from, to } => {
                self.videos(&service).parts(&progress.given(begin)?, &media, from, to).await?;
                Ok(Value::Null)
            }
            Task::VideoFinish { media, service, begin } => {
                let mut finished = self.videos(&service).finish(&progress.given(begin)?).await?;
                if finished.job.is_none() {
                    let limits = Limits::new(&PROFILE, &self.account.limits);
                    finished.upload = Some(self.whole(&media, &limits).await?);
                }
                serde_json::to_value(finished)
            }
            Task::VideoAwait { media, service, finish } => {
                let finished: Finished = progress.given(finish)?;
                serde_json::to_value(match finished {
                    Finished { upload: Some(upload), .. } => upload,
                    Finished { job, .. } => {
                        let blob = self.videos(&service).ready(&job.unwrap_or_default()).await?;
                        Upload { blob, width: media.facts.width, height: media.facts.height }
                    }
                })
            }
            Task::Card { url, needed } => serde_json::to_value(self.card(&url, needed).await?),
            Task::Mentions { handles } => {
                let mut dids = serde_json::Map::new();
                for handle in handles {
                    let did = self.did(&handle).await?;
                    dids.insert(handle, json!(did));
                }
                Ok(Value::Object(dids))
            }
            Task::Find { repo, key } => serde_json::to_value(self.find(&repo, &key).await?),
            Task::Publish(_) => return Err(Fault::NotSent(format!("step {} is not to be repeated", step.index))),
        };
        value.map_err(|error| Fault::NotSent(error.to_string()))
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
        let (did, key) = address(frozen)?;
        let (server, session) = self.login.session(None).await?;
        if session.did != did {
            return Err(Fault::refused(
                Refusal::Forbidden,
                format!("the request is for {did}, but the account is {}", session.did),
            ));
        }
        let request = Request::post(xrpc(&server, "com.atproto.repo.putRecord"))
            .bearer(session.access.clone())
            .body(Body::Json(frozen.request.clone()));
        let answer = self.outside.http.publish(request).await?;
        if answer.is_success() {
            let written: StrongRef = answer.json().map_err(Fault::Unknown)?;
            return if written.uri == at_uri(did, key) {
                Ok(self.receipt(frozen.part, did, key, &written))
            } else {
                Err(Fault::Unknown(format!("the server says that it wrote {} instead", written.uri)))
            };
        }
        if is_worn(&answer) {
            // Nothing was done. It is no matter of credentials as long as signing in again works.
            self.login.session(Some(&session)).await?;
            return Err(Fault::refused(Refusal::Busy, "the session had ended; nothing was written"));
        }
        if answer.status == 400 && word(&answer).as_deref() == Some("InvalidSwap") {
            return match self.look(frozen).await {
                Ok(Look::Ours(receipt)) => Ok(receipt),
                Ok(Look::Other(url)) => Err(Fault::refused(
                    Refusal::Duplicate,
                    format!("this post is out already, with another text: {url}"),
                )),
                Ok(Look::Nothing) => Err(Fault::Unknown("a post was there, and is no longer".to_owned())),
                Err(fault) => Err(Fault::Unknown(format!("a post is there, but it could not be read: {fault}"))),
            };
        }
        Err(refusal(&answer, true, self.now()))
    }

    async fn reconcile(&self, frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        Ok(match self.look(frozen).await? {
            Look::Ours(receipt) => Verdict::Done(receipt),
            Look::Nothing => Verdict::NotDone,
            Look::Other(url) => {
                Verdict::CannotTell { why: format!("another text stands where this post would be: {url}") }
            }
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let answer = self
            .login
            .call(|server| Request::get(xrpc(server, "app.bsky.feed.getPosts")).query("uris", receipt.id.clone()))
            .await?;
        let view = self.view::<PostsAnswer>(&answer)?;
        let post = view
            .posts
            .into_iter()
            .find(|post| post.uri == receipt.id)
            .ok_or_else(|| Fault::refused(Refusal::Gone, "the post is not (or not yet) shown anywhere"))?;
        Ok(Metrics {
            likes: post.like_count,
            reposts: post.repost_count,
            replies: post.reply_count,
            quotes: post.quote_count,
            views: None,
        })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let answer = self
            .login
            .call(|server| {
                Request::get(xrpc(server, "app.bsky.feed.getPostThread"))
                    .query("uri", receipt.id.clone())
                    .query("depth", "1")
                    .query("parentHeight", "0")
            })
            .await?;
        let view = self.view::<ThreadAnswer>(&answer)?;
        let mut replies: Vec<Reply> = view
            .thread
            .replies
            .into_iter()
            .filter_map(|reply| reply.post)
            .map(|post| {
                let text = |key: &str| post.record.get(key).and_then(Value::as_str).unwrap_or_default();
                Reply {
                    author: format!("@{}", post.author.handle),
                    text: text("text").to_owned(),
                    at: DateTime::parse_from_rfc3339(text("createdAt")).ok().map(|at| at.with_timezone(&Utc)),
                    url: PostRef::parse(&post.uri).map(|found| web_url(&post.author.did, &found.key)),
                    id: post.uri,
                }
            })
            .collect();
        replies.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        Ok(replies)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let post = PostRef::parse(&receipt.id)
            .ok_or_else(|| Fault::refused(Refusal::Invalid, format!("`{}` is not a post", receipt.id)))?;
        let body = json!({"repo": post.repo, "collection": POSTS, "rkey": post.key});
        let answer = self
            .login
            .call(|server| Request::post(xrpc(server, "com.atproto.repo.deleteRecord")).body(Body::Json(body.clone())))
            .await?;
        if answer.is_success() { Ok(()) } else { Err(refusal(&answer, false, self.now())) }
    }
}

impl Client {
    /// An answer of the app view behind the server, which not every server has.
    fn view<T: serde::de::DeserializeOwned>(&self, answer: &Answer) -> Result<T, Fault> {
        match (answer.status, word(answer).as_deref()) {
            (400, Some("NotFound")) => {
                Err(Fault::refused(Refusal::Gone, "the post is not (or not yet) shown anywhere"))
            }
            (501, _) | (_, Some("MethodNotImplemented" | "XRPCNotSupported")) => {
                Err(Fault::refused(Refusal::Busy, "this server has no app view that could be asked"))
            }
            _ => self.read(answer),
        }
    }
}

/// Repository and key that a request is for.
fn address(frozen: &Frozen) -> Result<(&str, &str), Fault> {
    let text = |key: &str| frozen.request.get(key).and_then(Value::as_str);
    text("repo").zip(text("rkey")).ok_or_else(|| Fault::NotSent("the request cannot be read".to_owned()))
}

/// A link without its scheme, as a card's title.
fn shown(url: &str) -> String {
    let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
    bare.trim_end_matches('/').chars().take(100).collect()
}

/// Scheme, host and port of a server.
fn origin(server: &str) -> String {
    url::Url::parse(server).map_or_else(|_| server.to_owned(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::TimeZone;

    use super::super::Bluesky;
    use super::super::fake::{HANDLE, Pds};
    use super::super::key::record_key;
    use super::*;
    use crate::adapter::suite::{Act, Fake, Rule};
    use crate::adapter::{Draft, DraftMedia, DraftPart, Network, StepKind};
    use crate::model::{
        AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, PostId, Prepared,
    };

    fn delivery() -> DeliveryId {
        DeliveryId::derive(
            &CalendarName::new("acme"),
            &OccurrenceName::once(&PostId::new("whole")),
            &AccountName::new("bsky"),
        )
    }

    fn created() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 22, 9, 0, 0).single().expect("a time")
    }

    fn draft<'a>(account: &'a Account, limits: &'a Limits, texts: &[&str]) -> Draft<'a> {
        Draft::new(
            delivery(),
            account,
            limits,
            texts.iter().map(|text| DraftPart { text: (*text).to_owned(), media: Vec::new() }).collect(),
        )
    }

    /// Publishes every part at a time of its own choosing.
    async fn publish(api: &Client, draft: &Draft<'_>, at: DateTime<Utc>) -> Result<Vec<Receipt>, Fault> {
        let plan = Bluesky.plan(draft).expect("a plan");
        let identity = api.whoami().await?;
        let mut progress = Progress::default();
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            let value = api.prepare(step, &progress).await?;
            progress.prepared.push(Prepared { step: step.index, value, at });
        }
        for part in 0..plan.parts() {
            let frozen = api.freeze(plan.publish_step(part).expect("a step"), &progress, &identity, at)?;
            progress.receipts.push(api.publish(&frozen).await?);
        }
        Ok(progress.receipts)
    }

    fn stage(pds: &Pds) -> (Account, Limits, Client) {
        let account = pds.account();
        let limits = Limits::new(&PROFILE, &account.limits);
        let client = Client::new(&account, pds.outside());
        (account, limits, client)
    }

    fn picture(alt: &str) -> DraftMedia {
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 1, width: 9, height: 9 };
        DraftMedia { file: "a.png".to_owned(), alt: alt.to_owned(), facts }
    }

    #[tokio::test]
    async fn a_whole_thread_is_written_as_the_lexicon_asks() {
        let pds = Pds::start().await;
        let (account, limits, api) = stage(&pds);
        let link = format!("{}/page", pds.front().expect("a front").url());
        let mut draft = draft(&account, &limits, &["🎉 مرحبا @friend.test and @nobody.test #smm", "Two", "Three"]);
        draft.link = Some(link.clone());
        draft.parts[1].media = vec![picture("A dot"), picture("")];
        draft.languages = vec!["en".to_owned(), "ar".to_owned()];
        draft.labels = vec!["graphic-media".to_owned()];
        draft.tags = vec!["release".to_owned()];
        let receipts = publish(&api, &draft, created()).await.expect("published");

        let key = |part| record_key(delivery(), part, 0);
        let record = |part| pds.record(&key(part)).expect("a record");
        let first = record(0);
        assert_eq!(first["text"], "🎉 مرحبا @friend.test and @nobody.test #smm");
        assert_eq!(first["createdAt"], "2026-11-22T09:00:00.000Z");
        assert_eq!(first["langs"], json!(["en", "ar"]));
        assert_eq!(first["tags"], json!(["release"]));
        assert_eq!(
            first["labels"],
            json!({"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]})
        );
        // 4 bytes, a space, 10 bytes, a space.
        assert_eq!(
            first["facets"],
            json!([
                {
                    "index": {"byteStart": 16, "byteEnd": 28},
                    "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:friend222222222222222222"}],
                },
                {
                    "index": {"byteStart": 46, "byteEnd": 50},
                    "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "smm"}],
                },
            ])
        );
        let external = &first["embed"]["external"];
        assert_eq!(first["embed"]["$type"], "app.bsky.embed.external");
        assert_eq!((&external["uri"], &external["title"]), (&json!(link), &json!("Acme & Co")));
        assert_eq!(external["description"], "What it is");
        assert_eq!(external["thumb"]["$type"], "blob");

        let images = record(1)["embed"]["images"].clone();
        assert_eq!(images[0]["alt"], "A dot");
        assert_eq!(images[1]["alt"], "");
        assert_eq!(images[0]["aspectRatio"], json!({"width": 1, "height": 1}));
        let reference = |part: usize| json!({"uri": receipts[part].id, "cid": receipts[part].data["cid"]});
        assert_eq!(record(1)["reply"], json!({"root": reference(0), "parent": reference(0)}));
        assert_eq!(record(2)["reply"], json!({"root": reference(0), "parent": reference(1)}));
        assert_eq!(receipts[0].url, Some(format!("https://bsky.app/profile/{}/post/{}", pds.did(), key(0))));

        let metrics = api.metrics(&receipts[0]).await.expect("numbers");
        assert_eq!((metrics.replies, metrics.views), (Some(1), None));
        let replies = api.replies(&receipts[0]).await.expect("replies");
        assert_eq!(replies.iter().map(|reply| reply.text.as_str()).collect::<Vec<_>>(), ["Two"]);
        assert_eq!(replies[0].author, format!("@{HANDLE}"));
    }

    #[tokio::test]
    async fn a_reply_keeps_the_root_and_a_quote_goes_with_media() {
        let pds = Pds::start().await;
        let (account, limits, api) = stage(&pds);
        let thread = publish(&api, &draft(&account, &limits, &["One", "Two"]), created()).await.expect("published");
        let mut answer = draft(&account, &limits, &["I agree"]);
        answer.generation = 1;
        answer.reply_to = Some(thread[1].id.clone());
        answer.quote = thread[0].url.clone().map(|url| url.replace(&pds.did(), HANDLE));
        answer.parts[0].media = vec![picture("A dot")];
        publish(&api, &answer, created()).await.expect("published");
        let record = pds.record(&record_key(delivery(), 0, 1)).expect("a record");
        let reference = |part: usize| json!({"uri": thread[part].id, "cid": thread[part].data["cid"]});
        assert_eq!(record["reply"], json!({"root": reference(0), "parent": reference(1)}));
        assert_eq!(record["embed"]["$type"], "app.bsky.embed.recordWithMedia");
        assert_eq!(record["embed"]["record"]["record"], reference(0));
        assert_eq!(record["embed"]["media"]["images"][0]["alt"], "A dot");
    }

    #[tokio::test]
    async fn after_a_lost_ledger_the_post_is_found_and_never_overwritten() {
        let pds = Pds::start().await;
        let (account, limits, api) = stage(&pds);
        let first = publish(&api, &draft(&account, &limits, &["Out"]), created()).await.expect("published");
        // Another time of creation: other bytes under the same key.
        let later = created() + chrono::Duration::days(1);
        let again = publish(&api, &draft(&account, &limits, &["Out"]), later).await.expect("found");
        assert_eq!((&again[0].id, &again[0].data), (&first[0].id, &first[0].data));
        let edited = publish(&api, &draft(&account, &limits, &["Edited"]), later).await;
        assert!(matches!(edited, Err(Fault::Refused { refusal: Refusal::Duplicate, .. })), "{edited:?}");
        assert_eq!(pds.record(&record_key(delivery(), 0, 0)).expect("a record")["text"], "Out");
    }

    #[tokio::test]
    async fn a_page_that_fails_costs_the_card_and_not_the_link() {
        let pds = Pds::start().await;
        let (account, limits, api) = stage(&pds);
        let link = format!("{}/missing", pds.front().expect("a front").url());
        let mut alone = draft(&account, &limits, &["Look"]);
        alone.link = Some(link.clone());
        publish(&api, &alone, created()).await.expect("published");
        let record = pds.record(&record_key(delivery(), 0, 0)).expect("a record");
        assert_eq!(record["embed"]["external"]["uri"], json!(link));

        let text = format!("Look: {link}");
        let mut twice = draft(&account, &limits, &[&text]);
        (twice.link, twice.generation) = (Some(link), 1);
        publish(&api, &twice, created()).await.expect("published");
        let record = pds.record(&record_key(delivery(), 0, 1)).expect("a record");
        assert_eq!(record.get("embed"), None);
        assert_eq!(record["facets"].as_array().map(Vec::len), Some(1));
    }

    #[tokio::test]
    async fn logging_in_is_spared() {
        let pds = Pds::start().await;
        let (_, _, api) = stage(&pds);
        let front = pds.front().expect("a front");
        for _ in 0..3 {
            api.whoami().await.expect("an identity");
            pds.end_session();
        }
        assert_eq!(front.count("POST", "/xrpc/com.atproto.server.createSession"), 1);
        assert_eq!(front.count("POST", "/xrpc/com.atproto.server.refreshSession"), 2);
    }

    #[tokio::test]
    async fn somebody_else_is_never_signed_in() {
        let pds = Pds::start().await;
        let (mut account, limits, api) = stage(&pds);
        let identity = api.whoami().await.expect("an identity");
        let other = Identity { uid: "did:plc:other".to_owned(), ..identity };
        let plan = Bluesky.plan(&draft(&account, &limits, &["For another"])).expect("a plan");
        let frozen = api.freeze(&plan.steps[0], &Progress::default(), &other, created()).expect("a request");
        let outcome = api.publish(&frozen).await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Forbidden, .. })), "{outcome:?}");
        assert_eq!(pds.front().expect("a front").count("POST", "/xrpc/com.atproto.repo.putRecord"), 0);

        account.settings.insert("handle".to_owned(), json!("did:plc:other"));
        let body = json!({"accessJwt": "a", "refreshJwt": "r", "did": pds.did(), "handle": HANDLE}).to_string();
        let answer = Act::Answer { status: 200, headers: Vec::new(), body };
        pds.front().expect("a front").rule(Rule::new(answer));
        let outcome = Client::new(&account, pds.outside()).whoami().await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Credentials, .. })), "{outcome:?}");
    }

    #[tokio::test]
    async fn the_rate_limit_tells_its_end_in_its_own_way() {
        let pds = Pds::start().await;
        let (_, _, api) = stage(&pds);
        let rule = Rule::answer(429, r#"{"error":"RateLimitExceeded"}"#).header("ratelimit-reset", "1924992000");
        pds.front().expect("a front").rule(rule);
        match api.whoami().await {
            Err(Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(at), .. }) => {
                assert_eq!(at.timestamp(), 1_924_992_000);
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_missing_password_is_not_a_wrong_one() {
        let pds = Pds::start().await;
        let outside = crate::adapter::suite::outside(BTreeMap::new(), pds.files());
        let outcome = Client::new(&pds.account(), outside).whoami().await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Secret, .. })), "{outcome:?}");
    }
}
