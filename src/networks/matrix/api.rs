//! Calls to a homeserver.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{
    Api, DraftMedia, Fault, Identity, Limits, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict, thawed,
};
use crate::model::{Account, Frozen, LimitOverrides, Receipt, hex};

use super::Settings;
use super::plan::{self, Task, Uploaded};
use super::profile::PROFILE;
use super::wire::{ErrorBody, MediaConfig, Page, RoomEvent, SendAnswer, UploadAnswer, segment};

/// Total time of an upload: a video over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_mins(10);

/// Events in one page, and the most pages that are read.
const PAGE: usize = 100;
const PAGES: usize = 5;

/// Clocks differ: an event may seem to be older than the call that made it.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// So long after it was sent a call has arrived or never will. Within it nothing is sent again with another device, for
/// which the server would take the same transaction id as new.
const IN_FLIGHT: TimeDelta = TimeDelta::minutes(2);

/// One account's connection.
pub(super) struct Client {
    pub(super) server: Option<String>,
    /// The room as the account names it.
    pub(super) room_name: Option<String>,
    pub(super) outside: Outside,
    /// Where the client-server API is.
    pub(super) base: OnceCell<String>,
    /// The room's id.
    pub(super) room: OnceCell<String>,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self {
            server: account.server.clone(),
            room_name: Settings::read(account).ok().map(|settings| settings.room),
            outside,
            base: OnceCell::new(),
            room: OnceCell::new(),
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// Limits that the server states.
    async fn limits(&self) -> Result<LimitOverrides, Fault> {
        let mut answer = self.get("/_matrix/client/v1/media/config").await?;
        // Where it was before v1.11.
        if answer.status == 404 {
            answer = self.get("/_matrix/media/v3/config").await?;
        }
        let config: MediaConfig = match answer.status {
            404 => MediaConfig::default(),
            _ => self.read(&answer)?,
        };
        let bytes = config.upload_size.filter(|bytes| *bytes != PROFILE.media.image.bytes);
        Ok(LimitOverrides { image_bytes: bytes, video_bytes: bytes, ..LimitOverrides::default() })
    }

    async fn upload(&self, media: &DraftMedia, limits: &LimitOverrides) -> Result<Uploaded, Fault> {
        let file = self.outside.file(media, &Limits::new(&PROFILE, limits)).await?;
        let mut info = Map::new();
        info.insert("mimetype".to_owned(), json!(file.facts.mime));
        info.insert("size".to_owned(), json!(file.content.length()));
        if file.facts.width > 0 && file.facts.height > 0 {
            info.insert("w".to_owned(), json!(file.facts.width));
            info.insert("h".to_owned(), json!(file.facts.height));
        }
        let request = Request::post(self.url("/_matrix/media/v3/upload").await?)
            .query("filename", file.name.as_str())
            .body(Body::Bytes { bytes: file.content, mime: file.facts.mime })
            .timeout(UPLOAD_TIMEOUT);
        let given: UploadAnswer = self.read(&self.call(request).await?)?;
        if !given.content_uri.starts_with("mxc://") {
            return Err(Fault::refused(
                Refusal::Busy,
                format!("`{}` is not a file of the server's", given.content_uri),
            ));
        }
        Ok(Uploaded { uri: given.content_uri, name: file.name, info: Value::Object(info) })
    }

    fn receipt(&self, frozen: &Frozen, request: &plan::Request, id: String) -> Receipt {
        let via = request.sender.split_once(':').map(|(_, server)| format!("?via={server}")).unwrap_or_default();
        Receipt {
            part: frozen.part,
            url: Some(format!("https://matrix.to/#/{}/{}{via}", segment(&request.room), segment(&id))),
            id,
            at: self.now(),
            data: json!({"room": request.room, "root": request.root}),
        }
    }

    /// Events that relate to one, the latest first, as many as are read.
    async fn related(&self, room: &str, event: &str, kind: &str) -> Result<Vec<RoomEvent>, Fault> {
        let path = format!("/_matrix/client/v1/rooms/{}/relations/{}/{kind}", segment(room), segment(event));
        let url = self.url(&path).await?;
        let (mut all, mut from) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let mut request = Request::get(url.as_str()).query("limit", PAGE.to_string());
            if let Some(from) = &from {
                request = request.query("from", from);
            }
            let page: Page = self.read(&self.call(request).await?)?;
            all.extend(page.chunk);
            let Some(next) = page.next_batch.filter(|next| from.as_ref() != Some(next)) else { break };
            from = Some(next);
        }
        Ok(all)
    }

    /// The events of the room that the request may have become.
    async fn candidates(
        &self,
        frozen: &Frozen,
        request: &plan::Request,
        started: DateTime<Utc>,
    ) -> Result<Result<Vec<String>, String>, Fault> {
        let path = format!("/_matrix/client/v3/rooms/{}/messages", segment(&request.room));
        let url = self.url(&path).await?;
        let filter = json!({"types": ["m.room.message"], "senders": [request.sender]}).to_string();
        let since = (started - CLOCK_SKEW).timestamp_millis();
        let (mut alike, mut from) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let mut call = Request::get(url.as_str())
                .query("dir", "b")
                .query("limit", PAGE.to_string())
                .query("filter", filter.as_str());
            if let Some(from) = &from {
                call = call.query("from", from);
            }
            let page: Page = self.read(&self.call(call).await?)?;
            for event in page.chunk.iter().filter(|event| event.sender == request.sender) {
                if event.origin_server_ts < since {
                    return Ok(Ok(alike));
                }
                match event.transaction() {
                    Some(id) if id == frozen.key => return Ok(Ok(vec![event.event_id.clone()])),
                    None if event.content == request.content => alike.push(event.event_id.clone()),
                    // It is another one, or this device has sent it for something else.
                    _ => {}
                }
            }
            let Some(next) = page.end.filter(|next| from.as_ref() != Some(next)) else { return Ok(Ok(alike)) };
            from = Some(next);
        }
        Ok(Err(format!("the room has more than {} of its messages since", PAGE * PAGES)))
    }
}

fn room(receipt: &Receipt) -> Result<&str, Fault> {
    let room = receipt.data.get("room").and_then(Value::as_str);
    room.ok_or_else(|| Fault::NotSent(format!("the room of `{}` is not known", receipt.id)))
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        self.origin().await.map(Some)
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let user = self.me().await?.user_id;
        let room = self.room().await?;
        if self.is_encrypted(room).await? == Some(true) {
            return Err(self.encrypted());
        }
        let name = self.room_name.as_deref().unwrap_or(room);
        Ok(Identity {
            uid: plan::uid(&user, room),
            handle: format!("{user} in {name}"),
            host: self.origin().await?,
            limits: self.limits().await?,
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, _progress: &Progress) -> Result<Value, Fault> {
        Ok(match step.task()? {
            Task::Room => json!(self.ready().await?),
            Task::Upload { media, limits } => json!(self.upload(&media, &limits).await?),
            Task::Publish(_) => return Err(Fault::NotSent(format!("step {} is not to be prepared", step.index))),
        })
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
        let sent: plan::Request = thawed(frozen)?;
        let path = format!("/_matrix/client/v3/rooms/{}/send/m.room.message/{}", segment(&sent.room), frozen.key);
        let call = Request::put(self.url(&path).await?).body(Body::Json(Value::Object(sent.content.clone())));
        let refusal = |answer: &Answer| self.refusal(answer, true);
        let answer = self.outside.publish(self.base().await?, call, refusal).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        let given: SendAnswer =
            answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        Ok(self.receipt(frozen, &sent, given.event_id))
    }

    /// The very device that sent it knows it by its transaction id. A token of another device sees no such id, so what is
    /// looked for is an event of ours with the very content; and since the id would be new to the server, nothing is said
    /// to be missing while the call may still arrive.
    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let sent: plan::Request = thawed(frozen)?;
        let device = self.me().await?.device_id;
        let alike = match self.candidates(frozen, &sent, started).await? {
            Ok(alike) => alike,
            Err(why) => return Ok(Verdict::CannotTell { why }),
        };
        Ok(match alike.as_slice() {
            [] if sent.device.is_none() || sent.device != device => {
                let from = started + IN_FLIGHT;
                if self.now() < from {
                    return Err(Fault::Refused {
                        refusal: Refusal::Busy,
                        message: "it was sent with another device's token and may still arrive".to_owned(),
                        retry_at: Some(from),
                    });
                }
                Verdict::NotDone
            }
            [] => Verdict::NotDone,
            [id] => Verdict::Done(self.receipt(frozen, &sent, id.clone())),
            [first, second, ..] => Verdict::CannotTell { why: format!("two messages match: {first} and {second}") },
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let room = room(receipt)?;
        let count = |events: Vec<RoomEvent>| Some(events.len() as u64);
        Ok(Metrics {
            likes: count(self.related(room, &receipt.id, "m.annotation").await?),
            replies: count(self.related(room, &receipt.id, "m.thread").await?),
            ..Metrics::default()
        })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let room = room(receipt)?;
        let root = receipt.data.get("root").and_then(Value::as_str);
        let mut events = self.related(room, root.unwrap_or(&receipt.id), "m.thread").await?;
        // To what begins a thread all of it is an answer.
        events.retain(|event| root.is_none() || event.answers() == Some(&receipt.id));
        events.sort_by_key(|event| event.origin_server_ts);
        Ok(events
            .into_iter()
            .map(|event| Reply {
                text: event.text().to_owned(),
                url: Some(format!("https://matrix.to/#/{}/{}", segment(room), segment(&event.event_id))),
                at: DateTime::from_timestamp_millis(event.origin_server_ts),
                author: event.sender,
                id: event.event_id,
            })
            .collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        use sha2::{Digest, Sha256};

        // The same request for the same event, however often.
        let key = hex(&Sha256::digest(format!("redact {}", receipt.id))[..16]);
        let path =
            format!("/_matrix/client/v3/rooms/{}/redact/{}/{key}", segment(room(receipt)?), segment(&receipt.id));
        let answer = self.call(Request::put(self.url(&path).await?).body(Body::Json(json!({})))).await?;
        if answer.status == 404 && answer.json::<ErrorBody>().is_ok_and(|own| own.errcode == "M_NOT_FOUND") {
            return Ok(());
        }
        self.read::<SendAnswer>(&answer).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use secrecy::{ExposeSecret, SecretString};

    use super::*;
    use crate::adapter::suite::{Act, Fake, Front, Rule};
    use crate::adapter::{Network, Secrets, StepKind};
    use crate::model::{MediaFacts, MediaKind, Prepared};
    use crate::networks::matrix::Matrix;
    use crate::networks::matrix::fake::{CLOSED, ENCRYPTED, Homeserver};

    struct Bench {
        fake: Homeserver,
        api: Box<dyn Api>,
        identity: Identity,
    }

    async fn bench() -> Bench {
        let fake = Homeserver::start().await;
        let api = Matrix.connect(&fake.account(), fake.outside());
        let identity = api.whoami().await.expect("the token is good");
        Bench { fake, api, identity }
    }

    impl Bench {
        fn front(&self) -> &Front {
            self.fake.front().expect("it has one")
        }

        /// A connection with the secrets of now, to another room.
        fn to(&self, room: Option<&str>) -> Box<dyn Api> {
            let mut account = self.fake.account();
            if let Some(room) = room {
                account.settings.insert("room".to_owned(), json!(room));
            }
            Matrix.connect(&account, self.fake.outside())
        }

        fn frozen(&self, text: &str) -> Frozen {
            let (sender, room) = self.identity.uid.split_once(' ').expect("somebody in a room");
            let content = json!({"msgtype": "m.text", "body": text, "m.mentions": {}});
            let request =
                json!({"room": room, "sender": sender, "device": "DEVICE0", "root": null, "content": content});
            let key = text.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
            Frozen { part: 0, key, request }
        }
    }

    fn soon() -> DateTime<Utc> {
        DateTime::<Utc>::from(std::time::SystemTime::now()) - TimeDelta::seconds(1)
    }

    fn lost() -> Rule {
        let act = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>Bad gateway".to_owned() };
        Rule::new(act).on("PUT", "/_matrix/client/v3/rooms/*")
    }

    fn room_step() -> Step {
        Step { index: 0, part: 0, kind: StepKind::Prepare, payload: json!({"do": "room"}) }
    }

    #[tokio::test]
    async fn who_am_i() {
        let bench = bench().await;
        let (user, room) = bench.identity.uid.split_once(' ').expect("somebody in a room");
        assert!(user.starts_with("@acme") && user.ends_with(":acme.example"), "{user}");
        assert_eq!(room, "!news:acme.example");
        assert_eq!(bench.identity.handle, format!("{user} in #news:acme.example"));
        assert_eq!(bench.identity.host, bench.front().url());
        assert_eq!(bench.identity.limits.image_bytes, Some(20_000_000));
    }

    /// The API may be elsewhere than the name; nothing secret goes to where that is asked.
    #[tokio::test]
    async fn the_homeserver_is_asked_for() {
        let bench = bench().await;
        let base = bench.front().url().to_owned();
        let said = axum::Router::new().route(
            "/.well-known/matrix/client",
            get(move || async move { axum::Json(json!({"m.homeserver": {"base_url": format!("{base}/")}})) }),
        );
        let site = Front::serve(said).await;
        let account = Account { server: Some(site.url().to_owned()), ..bench.fake.account() };
        let api = Matrix.connect(&account, bench.fake.outside());
        assert_eq!(api.host().await, Ok(Some(bench.front().url().to_owned())));
        assert_eq!(api.whoami().await.expect("signed in").uid, bench.identity.uid);
        assert_eq!(site.seen().len(), 1, "asked once");
        assert!(site.seen().iter().all(|seen| seen.header("authorization").is_none()));

        for (status, body) in [
            (200, r#"{"m.homeserver": {"base_url": "http://elsewhere.example"}}"#),
            (200, r#"{"m.homeserver": {}}"#),
            (302, ""),
            (503, ""),
        ] {
            let api = bench.to(None);
            bench.front().rule(Rule::answer(status, body).on("GET", "/.well-known/matrix/client"));
            assert!(api.host().await.is_err(), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn a_room_that_is_encrypted_is_refused() {
        let bench = bench().await;
        let api = bench.to(Some(ENCRYPTED));
        for fault in [api.whoami().await.err(), api.prepare(&room_step(), &Progress::default()).await.err()] {
            let fault = fault.expect("it is encrypted");
            assert!(
                matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, message, .. } if message.contains("encrypted")),
                "{fault:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_room_is_joined_where_that_is_allowed() {
        let bench = bench().await;
        bench.fake.leave();
        bench.api.whoami().await.expect("nothing is joined for a look");
        let ready = bench.api.prepare(&room_step(), &Progress::default()).await.expect("joined");
        assert_eq!(ready, json!({"device": "DEVICE0"}));
        bench.api.publish(&bench.frozen("Hello")).await.expect("published");
        // One that everybody may read says that it is not encrypted to those outside, too.
        bench.fake.leave();
        let open = Rule::answer(404, r#"{"errcode": "M_NOT_FOUND", "error": "Event not found."}"#);
        let state = "/_matrix/client/v3/rooms/%21news%3Aacme.example/state/m.room.encryption/";
        bench.front().rule(open.on("GET", state));
        bench.api.prepare(&room_step(), &Progress::default()).await.expect("joined");
        bench.api.publish(&bench.frozen("Hello again")).await.expect("published");
        let fault = bench.to(Some(CLOSED)).prepare(&room_step(), &Progress::default()).await.expect_err("not invited");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, message, .. } if message.contains("invite")),
            "{fault:?}"
        );
        let fault = bench.to(Some("#nowhere:acme.example")).whoami().await.expect_err("no such room");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Gone, .. }), "{fault:?}");
    }

    /// An alias that leads to another room now is another account: what is frozen goes where it was meant to go.
    #[tokio::test]
    async fn an_alias_that_leads_elsewhere_is_somebody_else() {
        let bench = bench().await;
        let frozen = bench.frozen("to the old room");
        let moved = || Rule::answer(200, r#"{"room_id": "!upgraded", "servers": []}"#);
        bench.front().rule(moved().on("GET", "/_matrix/client/v3/directory/room/*"));
        let state = Rule::answer(404, r#"{"errcode": "M_NOT_FOUND"}"#);
        bench.front().rule(state.on("GET", "/_matrix/client/v3/rooms/%21upgraded/state/m.room.encryption/"));
        let api = bench.to(None);
        let now = api.whoami().await.expect("the token is good");
        assert_ne!(now.uid, bench.identity.uid);
        assert!(now.uid.ends_with(" !upgraded"), "an id without a server, as rooms of version 12 have: {}", now.uid);
        let receipt = api.publish(&frozen).await.expect("published");
        assert_eq!(receipt.data["room"], "!news:acme.example");
    }

    #[tokio::test]
    async fn a_picture_is_an_event_with_its_alt_text() {
        let bench = bench().await;
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 9, width: 1, height: 1 };
        let media = DraftMedia { file: "a.png".to_owned(), alt: "Äpfel".to_owned(), facts };
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let delivery = crate::model::DeliveryId::MIN;
        let parts = vec![crate::adapter::DraftPart { text: String::new(), media: vec![media] }];
        let plan = Matrix.plan(&crate::adapter::Draft::new(delivery, &account, &limits, parts)).expect("a plan");
        let mut progress = Progress::default();
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            let value = bench.api.prepare(step, &progress).await.expect("prepared");
            progress.prepared.push(Prepared { step: step.index, value, at: soon() });
        }
        let step = plan.publish_step(0).expect("one event");
        let frozen = bench.api.freeze(step, &progress, &bench.identity, soon()).expect("a request");
        let receipt = bench.api.publish(&frozen).await.expect("published");
        let size = crate::adapter::suite::PICTURE.len();
        assert_eq!(
            bench.fake.content(&receipt.id),
            json!({
                "msgtype": "m.image",
                "body": "Äpfel",
                "filename": "a.png",
                "url": "mxc://acme.example/file1",
                "info": {"mimetype": "image/png", "size": size, "w": 1, "h": 1},
                "m.mentions": {},
            })
        );
        let link = "https://matrix.to/#/%21news%3Aacme.example/%24event";
        assert!(receipt.url.as_deref().is_some_and(|url| url.starts_with(link)), "{:?}", receipt.url);
    }

    /// A secret that has ended, and the one that comes of renewing it.
    struct Ended(&'static str);

    #[async_trait]
    impl Secrets for Ended {
        async fn secret(&self, _field: &str) -> Result<SecretString, Fault> {
            Ok("syt_ended".into())
        }

        async fn renewed(&self, _field: &str, refused: &SecretString) -> Result<SecretString, Fault> {
            assert_eq!(refused.expose_secret(), "syt_ended");
            Ok(self.0.into())
        }
    }

    #[tokio::test]
    async fn a_token_that_ended_is_renewed() {
        let bench = bench().await;
        let with = |token| {
            let outside = Outside { secrets: Arc::new(Ended(token)), ..bench.fake.outside() };
            Matrix.connect(&bench.fake.account(), outside)
        };
        let api = with("syt_token_0");
        api.whoami().await.expect("asked again");
        // What is irreversible goes once; nothing was done, so that it is no matter of credentials.
        let fault = api.publish(&bench.frozen("later")).await.expect_err("the token had ended");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
        assert_eq!(bench.fake.posts().await, []);
        let fault = with("syt_ended").whoami().await.expect_err("no better");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn a_lost_answer_is_looked_up() {
        let bench = bench().await;
        let frozen = bench.frozen("Only once");
        let started = soon();
        assert_eq!(bench.api.reconcile(&frozen, started).await, Ok(Verdict::NotDone));
        bench.front().rule(lost());
        let fault = bench.api.publish(&frozen).await.expect_err("the answer was lost");
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        let Ok(Verdict::Done(found)) = bench.api.reconcile(&frozen, started).await else { panic!("it is out") };
        let again = bench.api.publish(&frozen).await.expect("the same one");
        assert_eq!(again.id, found.id);
        assert_eq!(bench.fake.posts().await.len(), 1);
        // The same words for something else are not it.
        let other = Frozen { key: "other".to_owned(), ..frozen.clone() };
        assert_eq!(bench.api.reconcile(&other, started).await, Ok(Verdict::NotDone));
    }

    /// With the token of another device the server takes the same transaction id as new: nothing is sent again before it is
    /// sure that the first call does not arrive any more.
    #[tokio::test]
    async fn after_a_new_sign_in_the_room_is_looked_at() {
        let bench = bench().await;
        let frozen = bench.frozen("Before the new one");
        let started = soon();
        bench.fake.change_secret();
        let api = bench.to(None);
        let fault = api.reconcile(&frozen, started).await.expect_err("it may still arrive");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, retry_at: Some(_), .. }), "{fault:?}");
        assert_eq!(api.reconcile(&frozen, started - TimeDelta::minutes(3)).await, Ok(Verdict::NotDone));
        api.publish(&frozen).await.expect("published");
        bench.fake.change_secret();
        let api = bench.to(None);
        let verdict = api.reconcile(&frozen, started).await;
        assert!(matches!(verdict, Ok(Verdict::Done(_))), "known by its content: {verdict:?}");
        api.publish(&frozen).await.expect("the server takes it again: this is why there is a look before");
        bench.fake.change_secret();
        let verdict = bench.to(None).reconcile(&frozen, started).await;
        assert!(matches!(verdict, Ok(Verdict::CannotTell { .. })), "{verdict:?}");
    }

    #[tokio::test]
    async fn a_look_goes_back_page_by_page() {
        let bench = bench().await;
        let wanted = bench.frozen("the first of many");
        let started = soon();
        bench.api.publish(&wanted).await.expect("published");
        for number in 0..PAGE + 5 {
            bench.api.publish(&bench.frozen(&format!("post {number}"))).await.expect("published");
        }
        assert!(matches!(bench.api.reconcile(&wanted, started).await, Ok(Verdict::Done(_))));
    }

    #[tokio::test]
    async fn refusals_tell_what_the_server_said() {
        let bench = bench().await;
        let long = bench.api.publish(&bench.frozen(&"x".repeat(70_000))).await.expect_err("too long");
        assert!(
            matches!(&long, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("M_TOO_LARGE")),
            "{long:?}"
        );
        bench
            .front()
            .rule(Rule::answer(429, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many","retry_after_ms":90000}"#));
        let now = soon();
        let fault = bench.api.publish(&bench.frozen("a")).await.expect_err("too many");
        let Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(at), .. } = fault else {
            panic!("{fault:?}")
        };
        assert!((89..=95).contains(&(at - now).num_seconds()), "{at}");
        for (status, code, refusal) in [
            (403, "M_FORBIDDEN", Refusal::Forbidden),
            (401, "M_UNKNOWN_TOKEN", Refusal::Credentials),
            (403, "M_USER_LIMIT_EXCEEDED", Refusal::Forbidden),
            (400, "M_BAD_JSON", Refusal::Invalid),
        ] {
            bench.front().rule(Rule::answer(status, json!({"errcode": code, "error": "No"}).to_string()));
            let fault = bench.api.publish(&bench.frozen("a")).await.expect_err("refused");
            assert!(matches!(&fault, Fault::Refused { refusal: told, .. } if *told == refusal), "{code}: {fault:?}");
        }
        assert_eq!(bench.fake.posts().await, []);
    }

    #[tokio::test]
    async fn answers_numbers_and_taking_back() {
        let bench = bench().await;
        let root = bench.api.publish(&bench.frozen("the root")).await.expect("published");
        let mut answer = bench.frozen("an answer");
        answer.request["root"] = json!(root.id);
        answer.request["content"]["m.relates_to"] = json!({
            "rel_type": "m.thread", "event_id": root.id, "is_falling_back": true, "m.in_reply_to": {"event_id": root.id},
        });
        let second = bench.api.publish(&answer).await.expect("published");
        assert_eq!(bench.api.metrics(&root).await.expect("numbers").replies, Some(1));
        let replies = bench.api.replies(&root).await.expect("answers");
        assert_eq!((replies.len(), replies[0].text.as_str()), (1, "an answer"));
        assert_eq!(bench.api.replies(&second).await, Ok(Vec::new()));
        assert_eq!(bench.api.delete(&root).await, Ok(()));
        assert_eq!(bench.api.delete(&root).await, Ok(()));
        assert_eq!(bench.fake.posts().await.len(), 1);
        let gone = Receipt { id: "$nobody".to_owned(), ..root };
        assert_eq!(bench.api.delete(&gone).await, Ok(()));
    }
}
