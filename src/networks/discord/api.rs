//! Calls to Discord's API, version 10. A webhook's token is part of its addresses: it is hidden in whatever is said.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::http::{Answer, Body, Field, Request};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Refusal, Reply, Sealed, Step, Verdict, thawed};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::Settings;
use super::plan::{self, Call, Who};
use super::profile::{PROFILE, SERVER};
use super::way::{self, Way};
use super::wire::{Channel, ErrorBody, Kept, Limited, Message, Snowflake, User, Webhook};

/// Without a name of this form calls may be blocked (discord-api-docs, reference, User Agent, 2026-11-23).
const USER_AGENT: &str = concat!("DiscordBot (smm, ", env!("CARGO_PKG_VERSION"), ")");

/// Messages in one page, and the most pages that a look-up reads.
const PAGE: usize = 100;
const PAGES: usize = 5;
/// A look-up begins so much before the first attempt: clocks differ.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(2);

/// Kinds of channels in which only threads can be opened: a forum and its sister for media (discord-api-docs,
/// resources/channel, Channel Types).
const FORUMS: [u32; 2] = [15, 16];

/// One account's connection.
pub(super) struct Client {
    server: Option<String>,
    settings: Result<Settings, String>,
    outside: Outside,
}

/// Names and values of an address's query.
type Query = Vec<(&'static str, String)>;

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let server = account.server.as_deref().map(|server| server.trim_end_matches('/').to_owned());
        Self { server, settings: account.read_settings(), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    fn server(&self) -> &str {
        self.server.as_deref().unwrap_or(SERVER)
    }

    fn origin(&self) -> String {
        url::Url::parse(self.server())
            .map_or_else(|_| self.server().to_owned(), |url| url.origin().ascii_serialization())
    }

    fn settings(&self) -> Result<&Settings, Fault> {
        self.settings.as_ref().map_err(|why| Fault::NotSent(format!("the account's settings cannot be read: {why}")))
    }

    async fn way(&self) -> Result<Way, Fault> {
        let secret = self.outside.secrets.secret("token").await?;
        way::leads_here(&secret, self.server.as_deref())?;
        Way::of(&secret, self.settings()?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server())
    }

    async fn call(&self, way: &Way, request: Request) -> Result<Answer, Fault> {
        self.outside.http.call(way.signed(request.header("user-agent", USER_AGENT))).await
    }

    async fn get<T: DeserializeOwned>(&self, way: &Way, path: &str, query: &[(&str, String)]) -> Result<T, Fault> {
        let request = Request::get(self.url(path));
        let request = query.iter().fold(request, |request, (name, value)| request.query(*name, value.as_str()));
        let answer = self.call(way, request).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, false));
        }
        answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
    }

    /// What an answer that is no success means.
    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        if answer.status == 429
            && let Ok(limited) = answer.json::<Limited>()
            && (0.0..1e9).contains(&limited.retry_after)
        {
            let wait = Duration::from_secs_f64(limited.retry_after);
            let retry_at = TimeDelta::from_std(wait).ok().map(|wait| self.now() + wait);
            let all = if limited.global { " (all calls of the bot)" } else { "" };
            let message = answer.without_secrets(format!("HTTP 429: {}{all}", limited.message));
            return Fault::Refused { refusal: Refusal::RateLimited, message, retry_at };
        }
        let own = answer.json::<ErrorBody>().ok();
        let code = own.as_ref().map(|body| body.code);
        let fault = answer.fault(irreversible, own.map(|body| body.told()), self.now());
        match (fault, code) {
            // A webhook that was deleted: its address is no longer worth anything.
            (Fault::Refused { message, retry_at, .. }, Some(10015 | 50027)) => {
                Fault::Refused { refusal: Refusal::Credentials, message, retry_at }
            }
            (Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None }, _) => {
                let seconds = answer.header("x-ratelimit-reset-after").and_then(|after| after.parse::<f64>().ok());
                let wait = seconds.filter(|seconds| (0.0..1e9).contains(seconds)).map(Duration::from_secs_f64);
                let retry_at = wait.and_then(|wait| TimeDelta::from_std(wait).ok()).map(|wait| self.now() + wait);
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
            }
            (fault, _) => fault,
        }
    }

    async fn body(&self, call: &Call) -> Result<Body, Fault> {
        let payload = Value::Object(call.body.clone());
        if call.files.is_empty() {
            return Ok(Body::Json(payload));
        }
        let mut form = vec![Field::Text { name: "payload_json".to_owned(), value: payload.to_string() }];
        for (index, sealed) in call.files.iter().enumerate() {
            let file = sealed.open(&*self.outside.media, &PROFILE).await?;
            // The name that the attachment of this number has.
            let name = payload["attachments"][index]["filename"].as_str().unwrap_or(&sealed.name);
            form.push(Field::File {
                name: format!("files[{index}]"),
                file_name: name.to_owned(),
                mime: file.facts.mime,
                bytes: file.bytes.into(),
            });
        }
        Ok(Body::Multipart(form))
    }

    fn receipt(&self, part: u16, guild: Option<Snowflake>, thread: bool, message: &Message) -> Receipt {
        let guild = guild.map_or_else(|| "@me".to_owned(), |guild| guild.to_string());
        Receipt {
            part,
            id: message.id.to_string(),
            url: Some(format!("{SERVER}/channels/{guild}/{}/{}", message.channel_id, message.id)),
            at: self.now(),
            data: json!(Kept { channel: message.channel_id, thread }),
        }
    }

    /// The address of a message that is out, and what has to be asked with it.
    fn message(way: &Way, receipt: &Receipt) -> Result<(String, Query), Fault> {
        let id = Snowflake::parse(&receipt.id)
            .ok_or_else(|| Fault::NotSent(format!("`{}` is no message's number", receipt.id)))?;
        let kept: Option<Kept> = serde_json::from_value(receipt.data.clone()).ok();
        let thread = match way {
            Way::Bot { .. } => None,
            Way::Hook { thread, .. } => kept.filter(|kept| kept.thread).map(|kept| kept.channel).or(*thread),
        };
        let query = thread.map(|thread| ("thread_id", thread.to_string())).into_iter().collect();
        Ok((format!("{}/{id}", way.messages()), query))
    }

    /// The channel's messages after one, the oldest first. `Err(why)`: there are more than are read.
    async fn after(&self, way: &Way, first: Snowflake) -> Result<Result<Vec<Message>, String>, Fault> {
        let mut all: Vec<Message> = Vec::new();
        for _ in 0..PAGES {
            let after = all.iter().map(|message| message.id).max().unwrap_or(first);
            let query = [("after", after.to_string()), ("limit", PAGE.to_string())];
            let page: Vec<Message> = self.get(way, &way.messages(), &query).await?;
            let full = page.len() >= PAGE;
            all.extend(page.into_iter().filter(|message| message.id > after));
            if !full {
                all.sort_by_key(|message| message.id);
                return Ok(Ok(all));
            }
        }
        Ok(Err(format!("the channel has more than {} messages since", all.len())))
    }
}

/// White space is not compared: Discord takes it from both ends.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A message is the one that a call would make.
fn is_made_by(message: &Message, call: &Call, key: &str) -> bool {
    if let Some(nonce) = message.nonce.as_ref().and_then(Value::as_str) {
        return nonce == key;
    }
    let answered = call.body.get("message_reference").and_then(|reference| reference["message_id"].as_str());
    let answered = answered.and_then(Snowflake::parse);
    let files = call.body.get("attachments").and_then(Value::as_array).map_or(0, Vec::len);
    message.author.as_ref().is_some_and(|author| author.id == call.author)
        && plain(&message.content) == plain(call.body.get("content").and_then(Value::as_str).unwrap_or_default())
        && message.attachments.len() == files
        && message.poll.is_some() == call.body.contains_key("poll")
        && message.message_reference.as_ref().and_then(|reference| reference.message_id) == answered
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.origin()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let way = self.way().await?;
        let (who, handle) = match &way {
            Way::Bot { channel, .. } => {
                let bot: User = self.get(&way, "/api/v10/users/@me", &[]).await?;
                let channel: Channel = self.get(&way, &format!("/api/v10/channels/{channel}"), &[]).await?;
                if FORUMS.contains(&channel.kind) {
                    let why = "the channel is a forum, where a bot can only post into a thread: give the thread's \
                               number as `channel`, or use a webhook of the forum with `forum = true`";
                    return Err(Fault::refused(Refusal::Forbidden, why));
                }
                let who = Who { bot: true, author: bot.id, guild: channel.guild_id, place: Some(channel.id) };
                let name = channel.name.unwrap_or_else(|| channel.id.to_string());
                (who, format!("{} in #{name}", bot.username))
            }
            Way::Hook { thread, .. } => {
                let hook: Webhook = self.get(&way, &way.create(), &[]).await?;
                let who = Who { bot: false, author: hook.id, guild: hook.guild_id, place: *thread };
                (who, hook.name.unwrap_or_else(|| "a webhook".to_owned()))
            }
        };
        Ok(Identity {
            uid: who.uid(),
            handle,
            host: self.origin(),
            limits: LimitOverrides::default(),
            repeat: Some(super::repeat(who.bot)),
        })
    }

    async fn prepare(&self, step: &Step, _progress: &Progress) -> Result<Value, Fault> {
        step.seal(&*self.outside.media, &PROFILE).await
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        identity: &Identity,
        _at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress, identity, self.settings()?)
    }

    fn more_time(&self, frozen: &Frozen) -> Duration {
        thawed::<Call>(frozen).map_or(Duration::ZERO, |call| Sealed::time(&call.files))
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let call: Call = thawed(frozen)?;
        let way = self.way().await?;
        if matches!(way, Way::Bot { .. }) != call.bot {
            let why = "the account's token is of another kind than when the post was put together; nothing was sent";
            return Err(Fault::refused(Refusal::Secret, why));
        }
        let mut request = Request::post(self.url(&way.create())).header("user-agent", USER_AGENT);
        if !call.bot {
            // Without it there is an empty answer whatever happens.
            request = request.query("wait", "true");
        }
        if let Some(thread) = call.thread {
            request = request.query("thread_id", thread.to_string());
        }
        let answer = self.outside.http.publish(way.signed(request.body(self.body(&call).await?))).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        let message: Message =
            answer.json().map_err(|why| Fault::Unknown(format!("HTTP {}, but {why}", answer.status)))?;
        let thread = call.thread.is_some() || call.body.contains_key("thread_name");
        Ok(self.receipt(frozen.part, call.guild, thread, &message))
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let call: Call = thawed(frozen)?;
        let way = self.way().await?;
        if !call.bot || !matches!(way, Way::Bot { .. }) {
            let why = "a webhook cannot read what is in its channel: look there, and tell with `smm resolve`";
            return Ok(Verdict::CannotTell { why: why.to_owned() });
        }
        let from = started - LOOK_BACK;
        let messages = match self.after(&way, Snowflake::before(from)).await? {
            Ok(messages) => messages,
            Err(why) => return Ok(Verdict::CannotTell { why }),
        };
        let found: Vec<_> = messages.iter().filter(|message| is_made_by(message, &call, &frozen.key)).collect();
        Ok(match found.as_slice() {
            [] => Verdict::NotDone,
            [message] => Verdict::Done(self.receipt(frozen.part, call.guild, false, message)),
            [first, second, ..] => {
                Verdict::CannotTell { why: format!("two messages match: {} and {}", first.id, second.id) }
            }
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let way = self.way().await?;
        let (path, query) = Self::message(&way, receipt)?;
        let message: Message = self.get(&way, &path, &query).await?;
        let likes = message.reactions.iter().map(|reaction| reaction.count).sum();
        Ok(Metrics { likes: Some(likes), ..Metrics::default() })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let way = self.way().await?;
        if matches!(way, Way::Hook { .. }) {
            return Err(Fault::refused(Refusal::Forbidden, "a webhook cannot read what others write"));
        }
        let id = Snowflake::parse(&receipt.id)
            .ok_or_else(|| Fault::NotSent(format!("`{}` is no message's number", receipt.id)))?;
        let messages = self.after(&way, id).await?.map_err(|why| Fault::refused(Refusal::Busy, why))?;
        let answers = messages
            .into_iter()
            .filter(|message| message.message_reference.as_ref().and_then(|to| to.message_id) == Some(id));
        Ok(answers
            .map(|message| Reply {
                id: message.id.to_string(),
                author: message.author.map(|author| author.username).unwrap_or_default(),
                text: message.content,
                at: message.timestamp,
                url: None,
            })
            .collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let way = self.way().await?;
        let (path, query) = Self::message(&way, receipt)?;
        let request = Request::delete(self.url(&path));
        let request = query.iter().fold(request, |request, (name, value)| request.query(*name, value.as_str()));
        let answer = self.call(&way, request).await?;
        // 10008: there is no such message (any more).
        let gone = answer.status == 404 && answer.json::<ErrorBody>().is_ok_and(|body| body.code == 10008);
        if answer.is_success() || gone { Ok(()) } else { Err(self.refusal(&answer, false)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::{Act, Fake, Rule};
    use crate::adapter::{Draft, DraftPart, Limits, Network as _, RepeatSafety};
    use crate::model::{AccountName, CalendarName, DeliveryId, OccurrenceName, PostId};
    use crate::networks::discord::Discord;
    use crate::networks::discord::fake::Server;

    struct Bench {
        fake: Server,
        account: Account,
        api: Box<dyn Api>,
    }

    async fn bench(hook: bool, settings: &[(&str, Value)]) -> Bench {
        let fake = Server::start(hook).await;
        let mut account = fake.account();
        account.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let api = Discord.connect(&account, fake.outside());
        Bench { fake, account, api }
    }

    impl Bench {
        /// All parts, one after the other.
        async fn publish(&self, texts: &[&str]) -> Result<Vec<Receipt>, Fault> {
            let identity = self.api.whoami().await?;
            let limits = Limits::new(&PROFILE, &LimitOverrides::default());
            let parts = texts.iter().map(|text| DraftPart { text: (*text).to_owned(), ..DraftPart::default() });
            let (calendar, occurrence) = (CalendarName::new("c"), OccurrenceName::once(&PostId::new(texts[0])));
            let delivery = DeliveryId::derive(&calendar, &occurrence, &AccountName::new("a"));
            let plan = Discord.plan(&Draft::new(delivery, &self.account, &limits, parts.collect())).expect("a plan");
            let mut progress = Progress::default();
            for step in &plan.steps {
                let frozen = self.api.freeze(step, &progress, &identity, self.fake.outside().now.as_ref()())?;
                progress.receipts.push(self.api.publish(&frozen).await?);
            }
            Ok(progress.receipts)
        }
    }

    #[tokio::test]
    async fn who_am_i() {
        let bot = bench(false, &[]).await;
        let identity = bot.api.whoami().await.expect("somebody");
        assert!(identity.uid.starts_with("bot:8") && identity.uid.ends_with("@800000000000000001/800000000000000002"));
        assert_eq!(identity.handle, "acme-bot in #news");
        assert_eq!(identity.repeat, Some(RepeatSafety::Key { window_seconds: 120 }));
        assert_eq!(Discord.repeat(&bot.account), RepeatSafety::Key { window_seconds: 120 }, "its settings say it");
        let hook = bench(true, &[]).await;
        let identity = hook.api.whoami().await.expect("somebody");
        assert_eq!(identity.uid, "webhook:800000000000000003@800000000000000001");
        assert_eq!((identity.handle.as_str(), identity.repeat), ("Acme", Some(RepeatSafety::None)));
        assert_eq!(Discord.repeat(&hook.account), RepeatSafety::None);
        assert_eq!(Some(identity.host), hook.api.host().await.expect("a host"));
    }

    #[tokio::test]
    async fn a_webhook_posts_and_takes_back() {
        let bench = bench(true, &[]).await;
        let receipts = bench.publish(&["One", "Two"]).await.expect("published");
        let seen = bench.fake.front().expect("it has one").seen();
        let sent: Vec<_> = seen.iter().filter(|seen| seen.method == "POST").collect();
        assert_eq!(sent.len(), 2);
        assert!(sent.iter().all(|seen| seen.query == "wait=true" && seen.header("authorization").is_none()));
        assert!(receipts[0].url.as_deref().expect("an address").starts_with("https://discord.com/channels/8"));
        assert_eq!(bench.api.metrics(&receipts[0]).await.expect("numbers").likes, Some(0));
        assert!(matches!(
            bench.api.replies(&receipts[0]).await,
            Err(Fault::Refused { refusal: Refusal::Forbidden, .. })
        ));
        for receipt in &receipts {
            assert_eq!(bench.api.delete(receipt).await, Ok(()));
            assert_eq!(bench.api.delete(receipt).await, Ok(()));
        }
        assert_eq!(bench.fake.posts().await, []);
    }

    #[tokio::test]
    async fn a_forum_opens_one_thread_for_all_parts() {
        let bench = bench(true, &[("forum", json!(true))]).await;
        let receipts = bench.publish(&["A headline\nand more", "Two"]).await.expect("published");
        let seen = bench.fake.front().expect("it has one").seen();
        let sent: Vec<_> = seen.iter().filter(|seen| seen.method == "POST").collect();
        let first: Value = serde_json::from_slice(&sent[0].body).expect("JSON");
        assert_eq!(first["thread_name"], "A headline");
        assert_eq!(sent[1].query, "wait=true&thread_id=800000000000000004");
        for receipt in &receipts {
            assert_eq!(bench.api.delete(receipt).await, Ok(()));
        }
        assert_eq!(bench.fake.posts().await, [], "deleted where they are");
    }

    #[tokio::test]
    async fn a_webhook_that_is_gone_is_a_matter_of_credentials() {
        let bench = bench(true, &[]).await;
        bench.fake.change_secret();
        let front = bench.fake.front().expect("it has one");
        for rule in [None, Some(Rule::answer(404, r#"{"code":10015,"message":"Unknown Webhook"}"#))] {
            if let Some(rule) = rule {
                front.rule(rule);
            }
            let fault = bench.api.whoami().await.expect_err("it was changed");
            assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
        }
        // Its token is in the address, which a server may send back.
        for json in [true, false] {
            front.rule(Rule::new(Act::Echo { status: 403, json }));
            let fault = bench.api.whoami().await.expect_err("refused");
            assert!(!format!("{fault:?}").contains("stand-in_token"), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_lost_answer_of_a_webhook_is_for_a_person() {
        let bench = bench(true, &[]).await;
        let lost = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<h1>Bad gateway".to_owned() };
        let (method, path) = bench.fake.publish_call().expect("it has one");
        bench.fake.front().expect("it has one").rule(Rule::new(lost).on(method, path));
        let fault = bench.publish(&["Once"]).await.expect_err("the answer was lost");
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        // An answer without a message proves nothing either.
        bench.fake.front().expect("it has one").rule(Rule::answer(204, "").on(method, path));
        let fault = bench.publish(&["Twice"]).await.expect_err("no number");
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
    }

    #[tokio::test]
    async fn throttling_is_told_in_the_body() {
        let bench = bench(false, &[]).await;
        let (method, path) = bench.fake.publish_call().expect("it has one");
        let front = bench.fake.front().expect("it has one");
        let cases = [
            (r#"{"message": "You are being rate limited.", "retry_after": 64.57, "global": true}"#, "1", 64),
            ("", "30.5", 30),
        ];
        for (body, header, wanted) in cases {
            front.rule(Rule::answer(429, body).header("x-ratelimit-reset-after", header).on(method, path));
            let before = DateTime::<Utc>::from(std::time::SystemTime::now());
            let fault = bench.publish(&["Now"]).await.expect_err("too many");
            let Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(at), .. } = fault else {
                panic!("{fault:?}")
            };
            let seconds = (at - before).num_seconds();
            assert!((wanted..wanted + 10).contains(&seconds), "{seconds}");
        }
        assert_eq!(bench.fake.posts().await, []);
    }

    #[tokio::test]
    async fn a_bot_cannot_post_into_a_forum() {
        let bench = bench(false, &[]).await;
        let forum = r#"{"id":"800000000000000002","type":15,"guild_id":"1","name":"ideas"}"#;
        let front = bench.fake.front().expect("it has one");
        front.rule(Rule::answer(200, forum).on("GET", "/api/v10/channels/800000000000000002"));
        let fault = bench.api.whoami().await.expect_err("a forum");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Forbidden, message, .. } if message.contains("forum = true")),
            "{fault:?}"
        );
    }
}
