//! Calls to the Bot API. The bot's token is part of every address: it is hidden in whatever is said of a call.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::http::{Answer, Body, Field, Request};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Refusal, Reply, Sealed, Step, Verdict, thawed};
use crate::model::{Account, Frozen, Receipt};

use super::Settings;
use super::plan::{self, Call};
use super::profile::{PROFILE, SERVER};
use super::reference::{self, LATER, Reference};
use super::wire::{ChatAnswer, Envelope, ErrorBody, Kept, Message, Sent, User};

/// One account's connection.
pub(super) struct Client {
    server: String,
    settings: Result<Settings, String>,
    outside: Outside,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let server = account.server.as_deref().unwrap_or(SERVER).trim_end_matches('/').to_owned();
        Self { server, settings: account.read_settings(), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    fn settings(&self) -> Result<&Settings, Fault> {
        self.settings.as_ref().map_err(|why| Fault::NotSent(format!("the account's settings cannot be read: {why}")))
    }

    fn chat(&self) -> Result<String, Fault> {
        let chat = self.settings()?.chat.as_ref().and_then(super::Chat::parse);
        chat.ok_or_else(|| Fault::NotSent("the account has no `chat`".to_owned()))
    }

    fn origin(&self) -> String {
        url::Url::parse(&self.server).map_or_else(|_| self.server.clone(), |url| url.origin().ascii_serialization())
    }

    async fn request(&self, method: &str, body: Body) -> Result<Request, Fault> {
        let token = self.outside.secrets.secret("token").await?;
        if !is_token(token.expose_secret().trim()) {
            let message = "the token is no bot's token, which is a number, a colon, and letters and digits";
            return Err(Fault::refused(Refusal::Secret, message));
        }
        let token = SecretString::from(token.expose_secret().trim());
        let url = format!("{}/bot{}/{method}", self.server, token.expose_secret());
        Ok(Request::post(url).hide(token).body(body))
    }

    /// A call that may be repeated.
    async fn call<T: DeserializeOwned>(&self, method: &str, fields: Value) -> Result<T, Fault> {
        let answer = self.outside.http.call(self.request(method, Body::Json(fields)).await?).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, false));
        }
        let envelope: Envelope<T> = answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))?;
        let result = envelope.result.filter(|_| envelope.ok);
        result.ok_or_else(|| Fault::refused(Refusal::Busy, "the answer holds no result"))
    }

    /// What an answer that is no success means.
    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let own = answer.json::<ErrorBody>().ok().filter(|body| !body.ok);
        let said = own.as_ref().map(|body| body.description.clone());
        let lower = said.as_deref().unwrap_or_default().to_lowercase();
        let parameters = own.and_then(|body| body.parameters).unwrap_or_default();
        let fault = answer.fault(irreversible, said, self.now());
        let Fault::Refused { refusal, message, retry_at } = fault else { return fault };
        let retry_at = match parameters.retry_after {
            Some(seconds) => Some(self.now() + TimeDelta::seconds(i64::from(seconds))),
            None => retry_at,
        };
        if let Some(chat) = parameters.migrate_to_chat_id {
            let message = format!("{message}; the group is a supergroup now: set `chat = \"{chat}\"`");
            return Fault::Refused { refusal: Refusal::Gone, message, retry_at };
        }
        let refusal = match refusal {
            // A token that never was one has no methods.
            Refusal::Gone if lower == "not found" => Refusal::Credentials,
            Refusal::Invalid if lower.contains("chat not found") => Refusal::Gone,
            Refusal::Invalid if lower.contains("not enough rights") || lower.contains("need administrator rights") => {
                Refusal::Forbidden
            }
            other => other,
        };
        Fault::Refused { refusal, message, retry_at }
    }

    async fn body(&self, call: &Call) -> Result<Body, Fault> {
        if call.files.is_empty() {
            return Ok(Body::Json(Value::Object(call.fields.clone())));
        }
        // In a form, whatever is no text is JSON.
        let mut form: Vec<Field> = call
            .fields
            .iter()
            .map(|(name, value)| Field::Text {
                name: name.clone(),
                value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            })
            .collect();
        for attached in &call.files {
            let file = attached.file.open(&*self.outside.media, &PROFILE).await?;
            form.push(Field::File {
                name: attached.field.clone(),
                file_name: file.name,
                mime: file.facts.mime,
                bytes: file.bytes.into(),
            });
        }
        Ok(Body::Multipart(form))
    }

    fn receipt(&self, part: u16, messages: &[Message]) -> Option<Receipt> {
        let first = messages.first()?;
        let kept = Kept { chat: first.chat.id, messages: messages.iter().map(|message| message.message_id).collect() };
        Some(Receipt {
            part,
            id: first.message_id.to_string(),
            url: reference::address(first.chat.username.as_deref(), first.chat.id, first.message_id),
            at: self.now(),
            data: json!(kept),
        })
    }
}

/// As @`BotFather` gives it. Nothing else goes into an address.
fn is_token(token: &str) -> bool {
    token.split_once(':').is_some_and(|(id, secret)| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        !id.is_empty()
            && id.bytes().all(|byte| byte.is_ascii_digit())
            && secret.len() >= 8
            && secret.bytes().all(inside)
    })
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.origin()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let chat = self.chat()?;
        let bot: User = self.call("getMe", json!({})).await?;
        if !bot.is_bot {
            return Err(Fault::refused(Refusal::Credentials, "the token is not that of a bot"));
        }
        let chat: ChatAnswer = self.call("getChat", json!({"chat_id": chat})).await?;
        let handle = match (chat.username, chat.title) {
            (Some(name), _) => format!("@{name}"),
            (None, Some(title)) => title,
            (None, None) => bot.username.map_or_else(|| format!("bot {}", bot.id), |name| format!("@{name}")),
        };
        Ok(Identity {
            // Numbers are given by Telegram itself, whichever server of the Bot API is asked.
            uid: format!("{}/{}", bot.id, chat.id),
            handle,
            host: self.origin(),
            limits: crate::model::LimitOverrides::default(),
            repeat: None,
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
        thawed::<Call>(frozen)
            .map_or(Duration::ZERO, |call| Sealed::time(call.files.iter().map(|attached| &attached.file)))
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let call: Call = thawed(frozen)?;
        let request = self.request(&call.method, self.body(&call).await?).await?;
        let answer = self.outside.http.publish(request).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        let odd = |why: String| Fault::Unknown(format!("HTTP {}, but {why}", answer.status));
        let envelope: Envelope<Sent> = answer.json().map_err(odd)?;
        let sent = envelope.result.filter(|_| envelope.ok).and_then(Sent::messages);
        let receipt = sent.and_then(|messages| self.receipt(frozen.part, &messages));
        receipt.ok_or_else(|| odd("the answer names no message".to_owned()))
    }

    async fn reconcile(&self, _frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let why = "a bot cannot read what is in a chat: look there, and tell with `smm resolve`";
        Ok(Verdict::CannotTell { why: why.to_owned() })
    }

    async fn metrics(&self, _receipt: &Receipt) -> Result<Metrics, Fault> {
        // Bots are not told.
        Ok(Metrics::default())
    }

    async fn replies(&self, _receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        Err(Fault::refused(Refusal::Forbidden, "a bot cannot read what others have written before"))
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let kept = Kept::of(&receipt.data);
        let named = || receipt.url.as_deref().and_then(Reference::parse).or_else(|| Reference::parse(&receipt.id));
        let (chat, messages) = match (kept, named()) {
            (Some(kept), _) => (json!(kept.chat), kept.messages),
            // A receipt that a person has written.
            (None, Some(named)) => (json!(named.chat.map_or_else(|| self.chat(), Ok)?), vec![named.message]),
            (None, None) => return Err(Fault::NotSent(format!("`{}` is no message's number", receipt.id))),
        };
        if messages.contains(&LATER) {
            let why = "Telegram had not yet given the message a number when it took it: take it back by hand";
            return Err(Fault::refused(Refusal::Forbidden, why));
        }
        for message in messages {
            match self.call::<bool>("deleteMessage", json!({"chat_id": chat, "message_id": message})).await {
                Ok(_) => {}
                Err(Fault::Refused { message, .. })
                    if message.to_lowercase().contains("message to delete not found") => {}
                Err(Fault::Refused { refusal: Refusal::Invalid, message, retry_at })
                    if message.to_lowercase().contains("can't be deleted") =>
                {
                    return Err(Fault::Refused { refusal: Refusal::Forbidden, message, retry_at });
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Network as _;
    use crate::adapter::suite::{Fake, Rule};
    use crate::networks::telegram::Telegram;

    async fn bench() -> (Box<dyn Fake>, Box<dyn Api>, Identity) {
        let fake = Telegram.fake().await.expect("it has one");
        let api = Telegram.connect(&fake.account(), fake.outside());
        let identity = api.whoami().await.expect("an identity");
        (fake, api, identity)
    }

    fn frozen(identity: &Identity, text: &str) -> Frozen {
        let chat: i64 = identity.uid.split_once('/').expect("two numbers").1.parse().expect("a number");
        let fields = json!({"chat_id": chat, "text": text, "parse_mode": "HTML"});
        let request = json!({"method": "sendMessage", "fields": fields});
        Frozen { part: 0, key: "k".to_owned(), request }
    }

    #[tokio::test]
    async fn who_am_i() {
        let (fake, api, identity) = bench().await;
        assert!(identity.uid.starts_with("7000000001/-100"), "{identity:?}");
        assert_eq!(identity.handle, "@acme");
        assert_eq!(Some(identity.host.clone()), api.host().await.expect("a host"));
        assert_eq!(identity.host, fake.front().expect("it has one").url());
        assert_eq!(identity.repeat, None);
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let (fake, api, identity) = bench().await;
        let front = fake.front().expect("it has one");
        let no = |status: u16, description: &str, parameters: Value| {
            let body = json!({"ok": false, "error_code": status, "description": description, "parameters": parameters});
            Rule::answer(status, body.to_string())
        };
        for (status, description, wanted) in [
            (400, "Bad Request: can't parse entities", Refusal::Invalid),
            (400, "Bad Request: chat not found", Refusal::Gone),
            (400, "Bad Request: not enough rights to send text messages to the chat", Refusal::Forbidden),
            (401, "Unauthorized", Refusal::Credentials),
            (403, "Forbidden: bot was kicked from the channel chat", Refusal::Forbidden),
            (404, "Not Found", Refusal::Credentials),
        ] {
            front.rule(no(status, description, json!({})));
            let fault = api.publish(&frozen(&identity, "x")).await.expect_err("refused");
            assert!(
                matches!(&fault, Fault::Refused { refusal, message, .. } if *refusal == wanted && message.contains(description)),
                "{fault:?}"
            );
        }
        front.rule(no(429, "Too Many Requests: retry after 35", json!({"retry_after": 35})));
        let fault = api.publish(&frozen(&identity, "x")).await.expect_err("too many");
        let Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(at), .. } = fault else {
            panic!("{fault:?}")
        };
        assert!((30..=35).contains(&(at - DateTime::<Utc>::from(std::time::SystemTime::now())).num_seconds()));
        let upgraded = "Bad Request: group chat was upgraded to a supergroup chat";
        front.rule(no(400, upgraded, json!({"migrate_to_chat_id": -1_009_876_543_210_i64})));
        let fault = api.publish(&frozen(&identity, "x")).await.expect_err("moved");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Gone, message, .. } if message.contains("chat = \"-1009876543210\"")),
            "{fault:?}"
        );
        // A success that says no, or names nothing, may be one.
        for body in [r#"{"ok":false,"result":{}}"#, r#"{"ok":true,"result":[]}"#, r#"{"ok":true}"#] {
            front.rule(Rule::answer(200, body));
            let fault = api.publish(&frozen(&identity, "x")).await.expect_err("unclear");
            assert!(matches!(fault, Fault::Unknown(_)), "{body}: {fault:?}");
        }
        assert_eq!(fake.posts().await, []);
    }

    #[tokio::test]
    async fn a_lost_answer_is_for_a_person() {
        let (fake, api, identity) = bench().await;
        assert_eq!(Telegram.repeat(&fake.account()), crate::adapter::RepeatSafety::None);
        fake.front().expect("it has one").rule(Rule::answer(502, "<h1>Bad gateway"));
        let lost = frozen(&identity, "x");
        let fault = api.publish(&lost).await.expect_err("the answer was lost");
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        let looked = api.reconcile(&lost, DateTime::UNIX_EPOCH).await.expect("an answer");
        assert!(matches!(&looked, Verdict::CannotTell { why } if why.contains("smm resolve")), "{looked:?}");
    }

    #[tokio::test]
    async fn a_token_that_is_none_goes_nowhere() {
        let (fake, _, _) = bench().await;
        let seen = fake.front().expect("it has one").seen().len();
        for odd in ["", "abc", "12:../../etc", "12:ab/cd/efgh", "x:abcdefghijkl"] {
            let secrets = std::collections::BTreeMap::from([("token", odd.to_owned())]);
            let outside = crate::adapter::suite::outside(secrets, fake.files());
            let fault = Telegram.connect(&fake.account(), outside).whoami().await.expect_err("no token");
            assert!(matches!(fault, Fault::Refused { refusal: Refusal::Secret, .. }), "{fault:?}");
        }
        assert_eq!(fake.front().expect("it has one").seen().len(), seen);
    }

    #[tokio::test]
    async fn the_address_is_told_to_nobody() {
        let (fake, api, identity) = bench().await;
        let token = fake.secrets()["token"].clone();
        let said = format!("POST /bot{token}/sendMessage is not there; try %62ot{}", token.replace(':', "%3A"));
        fake.front()
            .expect("it has one")
            .rule(Rule::answer(404, json!({"ok": false, "description": said}).to_string()));
        let fault = api.publish(&frozen(&identity, "x")).await.expect_err("refused");
        assert!(!fault.to_string().contains("AAsmm-stand-in"), "{fault}");
        drop(fake);
        let fault = api.publish(&frozen(&identity, "x")).await.expect_err("nobody is there");
        assert!(!format!("{fault:?}").contains("AAsmm-stand-in"), "{fault}");
    }

    #[tokio::test]
    async fn an_album_is_taken_back_as_one() {
        let (fake, api, identity) = bench().await;
        let receipt = api.publish(&frozen(&identity, "one &amp; only")).await.expect("published");
        assert_eq!(receipt.url.as_deref(), Some("https://t.me/acme/10"));
        assert_eq!(fake.posts().await[0].text, "one & only");
        let written = Receipt { data: Value::Null, ..receipt.clone() };
        assert_eq!(api.delete(&written).await, Ok(()));
        assert_eq!(api.delete(&receipt).await, Ok(()));
        assert_eq!(fake.posts().await, []);
        let later = Receipt { data: json!(Kept { chat: 1, messages: vec![LATER] }), ..receipt.clone() };
        let fault = api.delete(&later).await.expect_err("it has no number");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Forbidden, .. }), "{fault:?}");
        let old = r#"{"ok":false,"error_code":400,"description":"Bad Request: message can't be deleted"}"#;
        fake.front().expect("it has one").rule(Rule::answer(400, old));
        let fault = api.delete(&receipt).await.expect_err("too old");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Forbidden, .. }), "{fault:?}");
    }
}
