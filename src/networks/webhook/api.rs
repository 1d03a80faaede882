//! Sends events. The address may hold a password, so nothing that is said shows any of it but its host.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::adapter::http::{Answer, Body, Request, is_loopback};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict, thawed};
use crate::model::{Account, Frozen, LimitOverrides, Receipt, hex};

use super::Settings;
use super::plan;
use super::sign;
use super::wire::{Call, ErrorBody, Receipted};

/// One account's connection.
pub(super) struct Client {
    server: Option<String>,
    settings: Settings,
    outside: Outside,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { server: account.server.clone(), settings: Settings::of(account), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// Where events go: the secret address; a `server` takes the place of its host.
    async fn address(&self) -> Result<Url, Fault> {
        let secret = self.outside.secrets.secret("url").await?;
        let no = |why: &str| Fault::refused(Refusal::Secret, format!("the account's `url` {why}"));
        let mut url = Url::parse(secret.expose_secret().trim()).map_err(|_| no("is not an address"))?;
        if let Some(server) = self.server.as_deref() {
            let server = Url::parse(server).map_err(|_| no("cannot be put on the account's `server`"))?;
            let moved = url
                .set_scheme(server.scheme())
                .and_then(|()| url.set_host(server.host_str()).map_err(|_| ()))
                .and_then(|()| url.set_port(server.port()));
            moved.map_err(|()| no("cannot be put on the account's `server`"))?;
        }
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => Ok(url),
            ("http", Some(host)) if is_loopback(&host) => Ok(url),
            _ => Err(no("is not https, which only an address of this very machine need not be")),
        }
    }

    async fn request(&self, call: &Call) -> Result<Request, Fault> {
        let url = self.address().await?;
        let keys = self.outside.secrets.secret("key").await?;
        let seconds = self.now().timestamp();
        let signature = sign::signature(&keys, &call.id, seconds, &call.body)
            .map_err(|why| Fault::refused(Refusal::Secret, why))?;
        let body = Body::Bytes { bytes: call.body.clone().into_bytes().into(), mime: "application/json".to_owned() };
        let mut request = Request::post(url.as_str())
            .header("webhook-id", call.id.as_str())
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .hide(SecretString::from(url.as_str()));
        for part in secret_parts(&url) {
            request = request.hide(part);
        }
        for key in keys.expose_secret().split_whitespace() {
            request = request.hide(SecretString::from(key));
        }
        Ok(request)
    }

    fn refusal(&self, answer: &Answer, irreversible: bool) -> Fault {
        let own = answer.json::<ErrorBody>().ok().and_then(ErrorBody::told);
        answer.fault(irreversible, own, self.now())
    }
}

/// Whatever of an address may be a password.
fn secret_parts(url: &Url) -> Vec<SecretString> {
    let words = [Some(url.path()), url.query(), url.password()].into_iter().flatten();
    let segments = url.path_segments().into_iter().flatten().filter(|segment| segment.len() >= 8);
    let written = words.chain(segments).filter(|part| part.len() > 2).map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned()).filter(|value| value.len() > 2);
    written.chain(values).map(SecretString::from).collect()
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.address().await?.origin().ascii_serialization()))
    }

    /// Nobody is asked: the standard has no such question. The address is who it is.
    async fn whoami(&self) -> Result<Identity, Fault> {
        let url = self.address().await?;
        // Else a key that is none would be found when the first post is due.
        let keys = self.outside.secrets.secret("key").await?;
        sign::signature(&keys, "", 0, "").map_err(|why| Fault::refused(Refusal::Secret, why))?;
        Ok(Identity {
            uid: hex(&Sha256::digest(url.as_str())[..16]),
            handle: url.host_str().unwrap_or("a webhook").to_owned(),
            host: url.origin().ascii_serialization(),
            limits: LimitOverrides::default(),
            repeat: Some(self.settings.repeat()),
        })
    }

    async fn prepare(&self, step: &Step, _progress: &Progress) -> Result<Value, Fault> {
        Err(Fault::NotSent(format!("step {} is not to be prepared", step.index)))
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        _identity: &Identity,
        at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress, at)
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let call: Call = thawed(frozen)?;
        let answer = self.outside.http.publish(self.request(&call).await?).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, true));
        }
        // The status is the answer; what else is said helps people to find the post.
        let Receipted { id, url } = answer.json().unwrap_or_default();
        let told = |id: &str| Receipt::told(frozen.part, id, url.as_deref(), self.now());
        let receipt = id.as_deref().and_then(told).or_else(|| told(&call.id));
        let receipt = receipt.ok_or_else(|| Fault::Unknown("the event has no id".to_owned()))?;
        Ok(Receipt { data: json!({"event": call.id}), ..receipt })
    }

    async fn reconcile(&self, _frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let why = "a receiver cannot be asked what it has had: look there, and tell with `smm resolve`";
        Ok(Verdict::CannotTell { why: why.to_owned() })
    }

    async fn metrics(&self, _receipt: &Receipt) -> Result<Metrics, Fault> {
        Ok(Metrics::default())
    }

    async fn replies(&self, _receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        Err(Fault::refused(Refusal::Forbidden, "a receiver of events tells of no answers"))
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let call = plan::taken_back(receipt, self.now());
        let answer = self.outside.http.call(self.request(&call).await?).await?;
        if answer.is_success() { Ok(()) } else { Err(self.refusal(&answer, false)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::adapter::suite::{MemoryFiles, Rule, outside};
    use crate::adapter::{Draft, DraftPart, Limits, Network as _, RepeatSafety};
    use crate::model::{AccountName, CalendarName, DeliveryId, OccurrenceName, PostId};
    use crate::networks::webhook::Webhook;
    use crate::networks::webhook::profile::PROFILE;

    fn frozen(api: &dyn Api, account: &Account, identity: &Identity) -> Frozen {
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let (calendar, occurrence) = (CalendarName::new("c"), OccurrenceName::once(&PostId::new("p")));
        let delivery = DeliveryId::derive(&calendar, &occurrence, &account.name);
        let part = DraftPart { text: "\"One\" & <two> ✓".to_owned(), ..DraftPart::default() };
        let plan = plan::plan(&Draft::new(delivery, account, &limits, vec![part]));
        let at = "2026-12-01T09:00:00Z".parse().expect("a date");
        api.freeze(&plan.steps[0], &Progress::default(), identity, at).expect("a request")
    }

    #[tokio::test]
    async fn an_event_is_what_the_readme_says() {
        let fake = Webhook.fake().await.expect("it has one");
        let (account, front) = (fake.account(), fake.front().expect("it has one"));
        let api = Webhook.connect(&account, fake.outside());
        let identity = api.whoami().await.expect("it is known without a call");
        assert_eq!((front.seen().len(), identity.repeat), (0, Some(RepeatSafety::ChosenId)));
        let frozen = frozen(&*api, &account, &identity);
        let receipt = api.publish(&frozen).await.expect("published");
        assert_eq!(receipt.id, frozen.key);
        let seen = front.seen();
        assert_eq!(seen[0].header("content-type"), Some("application/json"));
        assert_eq!(seen[0].header("webhook-id"), Some(frozen.key.as_str()));
        insta::assert_snapshot!(String::from_utf8_lossy(&seen[0].body));
        // Again, under the same id and with the same body.
        api.publish(&frozen).await.expect("again");
        assert_eq!(fake.posts().await.len(), 1);
        assert_eq!(front.seen()[1].body, seen[0].body);
        // A receiver that says nothing has still said yes.
        front.rule(Rule::answer(204, ""));
        assert_eq!(api.publish(&frozen).await.expect("yes").id, frozen.key);
        // Some servers say both.
        front.rule(Rule::answer(400, r#"{"error": "Bad Request", "message": ["too long", 7], "statusCode": 400}"#));
        let fault = api.publish(&frozen).await.expect_err("refused");
        assert!(matches!(&fault, Fault::Refused { message, .. } if message.contains("Bad Request")), "{fault:?}");
        front.rule(Rule::answer(200, r#"{"id": "a\nb", "url": "https://acme.example/\u001b[2J"}"#));
        let receipt = api.publish(&frozen).await.expect("yes");
        assert_eq!((receipt.id, receipt.url), (frozen.key.clone(), None), "what is odd is left out");
        for (status, body) in [(404, "<h1>Not found"), (500, "{\"error\": \"oops\"}"), (410, "")] {
            front.rule(Rule::answer(status, body));
            let fault = api.publish(&frozen).await.expect_err("unclear");
            assert!(matches!(fault, Fault::Unknown(_)), "{status}: {fault:?}");
        }
    }

    #[tokio::test]
    async fn secrets_that_are_none_send_nothing() {
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        for (url, key) in [
            ("https://hooks.example/a-secret-path", "whsec_short"),
            ("https://hooks.example/a-secret-path", ""),
            ("http://hooks.example/a-secret-path", key),
            ("ftp://hooks.example/a-secret-path", key),
            ("a-secret-path", key),
        ] {
            let secrets = BTreeMap::from([("url", url.to_owned()), ("key", key.to_owned())]);
            let outside = outside(secrets, Arc::new(MemoryFiles::default()));
            let api = Webhook.connect(&Account::new(AccountName::new("hook"), "webhook"), outside);
            let fault = api.whoami().await.expect_err("no secret");
            assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Secret, .. }), "{fault:?}");
            assert!(!fault.to_string().contains("a-secret-path"), "{fault}");
        }
    }
}
