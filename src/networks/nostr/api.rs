//! Calls to an account's relays and to its media server.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::adapter::http::Request;
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict, thawed};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::key::Key;
use super::plan::{self, Found, Known, LABEL, Task};
use super::profile::TEXT;
use super::quorum::{Out, sum};
use super::relay::{Outcome, Relays};
use super::wire::{DELETION, Event, NOTE, REACTION, REPOSTS, RelayInformation};
use super::{Settings, blossom, name};

/// So long relays are asked whether they have a part already. What does not answer by then is not waited for.
const KNOWN: Duration = Duration::from_secs(5);

/// Most bytes of a relay's information that count.
const INFORMATION: u64 = 1 << 20;

/// One account's connection.
pub(super) struct Client {
    settings: Result<Settings, String>,
    outside: Outside,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { settings: Settings::read(account), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    fn settings(&self) -> Result<&Settings, Fault> {
        self.settings.as_ref().map_err(|why| Fault::NotSent(format!("the account's settings are wrong: {why}")))
    }

    /// The account's key.
    async fn key(&self) -> Result<Arc<Key>, Fault> {
        let secret = self.outside.secrets.secret("nsec").await?;
        Key::parse(&secret).map(Arc::new).map_err(|why| Fault::refused(Refusal::Credentials, why))
    }

    async fn relays(&self) -> Result<Relays, Fault> {
        Ok(Relays { http: self.outside.http.clone(), key: self.key().await?, now: Arc::clone(&self.outside.now) })
    }

    /// Sends an event to all relays at once.
    async fn send(&self, relays: &Relays, event: &Event) -> Result<Vec<(String, Outcome)>, Fault> {
        let mut calls = JoinSet::new();
        for (index, url) in self.settings()?.relays.iter().enumerate() {
            let (relays, url, event) = (relays.clone(), url.clone(), event.clone());
            calls.spawn(async move {
                let outcome = relays.publish(&url, &event).await;
                (index, url, outcome)
            });
        }
        let mut said: Vec<_> = calls.join_all().await;
        said.sort_by_key(|(index, ..)| *index);
        Ok(said.into_iter().map(|(_, url, outcome)| (url, outcome)).collect())
    }

    /// Asks all relays at once: what each of them has.
    async fn ask(
        &self,
        relays: &Relays,
        filter: &Value,
        timeout: Option<Duration>,
    ) -> Result<Vec<Result<Vec<Event>, Fault>>, Fault> {
        let mut calls = JoinSet::new();
        for (index, url) in self.settings()?.relays.iter().enumerate() {
            let (relays, url, filter) = (relays.clone(), url.clone(), filter.clone());
            calls.spawn(async move { (index, relays.ask(&url, &filter, timeout).await) });
        }
        let mut said: Vec<_> = calls.join_all().await;
        said.sort_by_key(|(index, _)| *index);
        Ok(said.into_iter().map(|(_, events)| events).collect())
    }

    /// What the relays have, each event once, oldest first. One relay that answers is enough.
    async fn gather(&self, relays: &Relays, filter: &Value, timeout: Option<Duration>) -> Result<Vec<Event>, Fault> {
        let (mut events, mut answered, mut fault) = (Vec::<Event>::new(), false, None);
        for said in self.ask(relays, filter, timeout).await? {
            match said {
                Ok(found) => {
                    answered = true;
                    for event in found {
                        if !events.iter().any(|known| known.id == event.id) {
                            events.push(event);
                        }
                    }
                }
                Err(why) => fault = Some(why),
            }
        }
        match fault {
            Some(fault) if !answered => Err(fault),
            _ => {
                events.sort_by_key(|event| event.created_at);
                Ok(events)
            }
        }
    }

    /// What this part has become already.
    async fn known(&self, key: &str) -> Result<Known, Fault> {
        let relays = self.relays().await?;
        let me = relays.key.public.as_str();
        let filter = json!({"authors": [me], "kinds": [NOTE], "#l": [key], "limit": 10});
        let events = self.gather(&relays, &filter, Some(KNOWN)).await?;
        let ours = |event: &Event| {
            let labelled = event
                .tags
                .iter()
                .any(|tag| matches!(tag.as_slice(), [l, value, name] if l == "l" && value == key && name == LABEL));
            event.pubkey == me && event.kind == NOTE && labelled
        };
        Ok(Known { event: events.into_iter().find(ours).map(|event| Event { sig: String::new(), ..event }) })
    }

    async fn find(&self, post: &str) -> Result<Found, Fault> {
        let relays = self.relays().await?;
        let events = self.gather(&relays, &json!({"ids": [post]}), None).await?;
        let event = events.into_iter().find(|event| event.id == post);
        let event = event.ok_or_else(|| {
            Fault::refused(Refusal::Gone, format!("none of the account's relays has the event {}", name::note(post)))
        })?;
        Ok(Found {
            root: event.root().map(str::to_owned),
            people: event.values("p").map(str::to_owned).collect(),
            author: event.pubkey,
            id: event.id,
        })
    }

    /// The longest text that as many relays as the quorum take.
    async fn limits(&self) -> Result<LimitOverrides, Fault> {
        let settings = self.settings()?;
        let mut calls = JoinSet::new();
        for url in &settings.relays {
            // `ws` is `http`, `wss` is `https`.
            let (http, url) = (self.outside.http.clone(), url.replacen("ws", "http", 1));
            calls.spawn(async move {
                let request = Request::get(url).header("accept", "application/nostr+json").timeout(KNOWN);
                // One that does not say has no limit that we know.
                let answer = http
                    .call(request)
                    .await
                    .ok()
                    .filter(|answer| answer.is_success() && answer.body.len() as u64 <= INFORMATION)?;
                answer.json::<RelayInformation>().ok()?.limitation.max_content_length
            });
        }
        let mut limits: Vec<u64> = calls
            .join_all()
            .await
            .into_iter()
            .map(|limit| limit.filter(|limit| *limit > 0).unwrap_or(TEXT).min(TEXT))
            .collect();
        limits.sort_unstable_by(|a, b| b.cmp(a));
        let text = limits.get(settings.quorum() - 1).copied().filter(|limit| *limit < TEXT);
        Ok(LimitOverrides { text, ..LimitOverrides::default() })
    }

    fn receipt(&self, part: u16, event: &Event, out: &Out) -> Receipt {
        let relay = out.taken.first().map(String::as_str);
        Receipt {
            part,
            id: event.id.clone(),
            url: Some(format!("nostr:{}", name::nevent(&event.id, relay, &event.pubkey))),
            at: self.now(),
            data: plan::kept(event, &out.taken, &out.notes),
        }
    }
}

#[async_trait]
impl Api for Client {
    async fn host(&self) -> Result<Option<String>, Fault> {
        // The key goes to nobody.
        Ok(None)
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let key = self.key().await?;
        Ok(Identity {
            uid: key.public.clone(),
            handle: name::npub(&key.public),
            host: "nostr".to_owned(),
            limits: self.limits().await?,
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, _progress: &Progress) -> Result<Value, Fault> {
        Ok(match step.task()? {
            Task::Know { key } => json!(self.known(&key).await?),
            Task::Find { post } => json!(self.find(&post).await?),
            Task::Upload { media, limits } => {
                let server = self.settings()?.media_server.as_deref();
                let server = server.ok_or_else(|| Fault::NotSent("the account has no `media_server`".to_owned()))?;
                json!(blossom::upload(&self.outside, server, &*self.key().await?, &media, &limits).await?)
            }
            Task::Publish(_) => return Err(Fault::NotSent(format!("step {} is not to be prepared", step.index))),
        })
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
        let event: Event = thawed(frozen)?;
        let relays = self.relays().await?;
        if relays.key.public != event.pubkey {
            return Err(Fault::refused(Refusal::Credentials, "the key is another one than the post was made with"));
        }
        let signed = event.clone().signed(&relays.key).map_err(Fault::NotSent)?;
        let out = sum(self.send(&relays, &signed).await?, self.settings()?.quorum())?;
        Ok(self.receipt(frozen.part, &event, &out))
    }

    /// Fewer relays than the quorum are not enough: then the same event is sent again, which changes nothing where it is.
    async fn reconcile(&self, frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let event: Event = thawed(frozen)?;
        let relays = self.relays().await?;
        let said = self.ask(&relays, &json!({"ids": [event.id]}), None).await?;
        let settings = self.settings()?;
        let (mut out, mut answered) = (Out { taken: Vec::new(), notes: Vec::new() }, false);
        for (url, said) in settings.relays.iter().zip(said) {
            match said {
                Ok(found) if found.iter().any(|found| found.id == event.id) => {
                    answered = true;
                    out.taken.push(url.clone());
                }
                Ok(_) => {
                    answered = true;
                    out.notes.push(format!("{url} does not have it"));
                }
                Err(fault) => out.notes.push(fault.to_string()),
            }
        }
        if !answered {
            return Err(Fault::NotSent(out.notes.join("; ")));
        }
        Ok(if out.taken.len() >= settings.quorum() {
            Verdict::Done(self.receipt(frozen.part, &event, &out))
        } else {
            Verdict::NotDone
        })
    }

    async fn metrics(&self, receipt: &Receipt) -> Result<Metrics, Fault> {
        let relays = self.relays().await?;
        let kinds = [NOTE, REACTION, REPOSTS[0], REPOSTS[1]];
        let events = self.gather(&relays, &json!({"#e": [receipt.id], "kinds": kinds, "limit": 500}), None).await?;
        let count = |wanted: &dyn Fn(&Event) -> bool| Some(events.iter().filter(|event| wanted(event)).count() as u64);
        // A reaction to an answer names what the thread begins with, too: the last one is meant (NIP-25).
        let meant = |event: &Event| event.values("e").last() == Some(receipt.id.as_str());
        Ok(Metrics {
            // `-` is a dislike.
            likes: count(&|event| event.kind == REACTION && event.content != "-" && meant(event)),
            reposts: count(&|event| REPOSTS.contains(&event.kind) && meant(event)),
            replies: count(&|event| event.kind == NOTE && event.answers() == Some(&receipt.id)),
            ..Metrics::default()
        })
    }

    async fn replies(&self, receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        let relays = self.relays().await?;
        let events = self.gather(&relays, &json!({"#e": [receipt.id], "kinds": [NOTE], "limit": 500}), None).await?;
        let answers = events.into_iter().filter(|event| event.answers() == Some(&receipt.id));
        Ok(answers
            .map(|event| Reply {
                url: Some(format!("nostr:{}", name::nevent(&event.id, None, &event.pubkey))),
                author: name::npub(&event.pubkey),
                at: DateTime::from_timestamp(event.created_at, 0),
                id: event.id,
                text: event.content,
            })
            .collect())
    }

    /// A request that relays may ignore (NIP-09); that as many as the quorum have taken it is all that can be known.
    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let relays = self.relays().await?;
        let tag = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
        let tags = vec![tag("e", &receipt.id), tag("k", &NOTE.to_string())];
        let event = Event::new(relays.key.public.as_str(), self.now().timestamp(), DELETION, tags, "");
        let event = event.signed(&relays.key).map_err(Fault::NotSent)?;
        match sum(self.send(&relays, &event).await?, self.settings()?.quorum()) {
            Ok(_) => Ok(()),
            // It may be asked again.
            Err(Fault::Unknown(why)) => Err(Fault::refused(Refusal::Busy, why)),
            Err(fault) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::{Fake, Rule};
    use crate::adapter::{DraftMedia, DraftPart, Limits, Network, StepKind};
    use crate::model::{AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, Prepared};
    use crate::networks::nostr::Nostr;
    use crate::networks::nostr::fake::{Mood, Net};
    use crate::networks::nostr::profile::PROFILE;

    struct Bench {
        net: Net,
        api: Box<dyn Api>,
        identity: Identity,
    }

    async fn bench(relays: usize) -> Bench {
        let net = Net::start(relays).await;
        let api = Nostr.connect(&net.account(), net.outside());
        let identity = api.whoami().await.expect("the key is one");
        Bench { net, api, identity }
    }

    fn at() -> DateTime<Utc> {
        DateTime::<Utc>::from(std::time::SystemTime::now())
    }

    impl Bench {
        /// The plan of one part with this text.
        fn plan(
            &self,
            text: &str,
            media: Vec<DraftMedia>,
            change: impl FnOnce(&mut crate::adapter::Draft<'_>),
        ) -> crate::adapter::Plan {
            let account = self.net.account();
            let limits = Limits::new(&PROFILE, &LimitOverrides::default());
            let names = (CalendarName::new("c"), OccurrenceName::new(text), AccountName::new("keys"));
            let delivery = DeliveryId::derive(&names.0, &names.1, &names.2);
            let part = DraftPart { text: text.to_owned(), media };
            let mut draft = crate::adapter::Draft::new(delivery, &account, &limits, vec![part]);
            change(&mut draft);
            Nostr.plan(&draft).expect("a plan")
        }

        async fn frozen_of(&self, plan: &crate::adapter::Plan, at: DateTime<Utc>) -> Result<Frozen, Fault> {
            let mut progress = Progress::default();
            for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
                let value = self.api.prepare(step, &progress).await?;
                progress.prepared.push(Prepared { step: step.index, value, at });
            }
            self.api.freeze(plan.publish_step(0).expect("a part"), &progress, &self.identity, at)
        }

        async fn frozen(&self, text: &str) -> Frozen {
            self.frozen_of(&self.plan(text, Vec::new(), |_| {}), at()).await.expect("a request")
        }
    }

    #[tokio::test]
    async fn who_am_i() {
        let bench = bench(2).await;
        assert_eq!(bench.identity.uid.len(), 64);
        assert!(bench.identity.handle.starts_with("npub1"), "{}", bench.identity.handle);
        assert_eq!(bench.api.host().await, Ok(None));
        assert_eq!(bench.identity.limits, LimitOverrides::default());
        // Two of two are wanted: the narrower one counts.
        bench.net.limit(1, 280);
        assert_eq!(bench.api.whoami().await.expect("a key").limits.text, Some(280));
        let three = self::bench(3).await;
        three.net.limit(1, 280);
        assert_eq!(three.api.whoami().await.expect("a key").limits.text, None, "the quorum can do without it");
    }

    #[tokio::test]
    async fn a_key_that_is_none() {
        let net = Net::start(1).await;
        let secrets = std::collections::BTreeMap::from([("nsec", "nsec1hunter2".to_owned())]);
        let api = Nostr.connect(&net.account(), crate::adapter::suite::outside(secrets, net.files()));
        let fault = api.whoami().await.expect_err("no key");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
    }

    #[tokio::test]
    async fn every_word_of_a_relay_counts() {
        use Mood::{Deaf, Good, Mute, Refuse};

        let bench = bench(3).await;
        let with = async |moods: [Mood; 3], text: &str| {
            for (relay, mood) in moods.into_iter().enumerate() {
                bench.net.mood(relay, mood);
            }
            let frozen = bench.frozen(text).await;
            let outcome = bench.api.publish(&frozen).await;
            (frozen, outcome)
        };
        let (_, outcome) = with([Good, Refuse("blocked: no"), Good], "two of three").await;
        let receipt = outcome.expect("the quorum has it");
        assert_eq!(receipt.data["relays"].as_array().map(Vec::len), Some(2));
        assert!(
            receipt.data["notes"][0].as_str().is_some_and(|note| note.contains("blocked: no")),
            "{:?}",
            receipt.data
        );

        let (frozen, outcome) = with([Good, Deaf, Refuse("error: full")], "one of three").await;
        assert!(matches!(&outcome, Err(Fault::Unknown(why)) if why.starts_with("1 of 3")), "{outcome:?}");
        assert_eq!(bench.api.reconcile(&frozen, at()).await, Ok(Verdict::NotDone), "not by the quorum");
        bench.net.mood(1, Good);
        let receipt = bench.api.publish(&frozen).await.expect("the same again");
        assert_eq!(receipt.id, frozen.key);
        assert!(matches!(bench.api.reconcile(&frozen, at()).await, Ok(Verdict::Done(found)) if found.id == receipt.id));

        let (_, outcome) = with([Good, Refuse("blocked: no"), Refuse("invalid: odd")], "out all the same").await;
        assert_eq!(outcome.expect("it is out").data["relays"].as_array().map(Vec::len), Some(1));
        let (_, outcome) = with([Refuse("pow: 20 bits"), Refuse("blocked: no"), Deaf], "nowhere").await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Invalid, .. })), "{outcome:?}");
        let (_, outcome) = with([Refuse("rate-limited: slow"), Refuse("error: x"), Deaf], "later").await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::RateLimited, .. })), "{outcome:?}");

        // It was stored, and the answer never came.
        let (frozen, outcome) = with([Mute, Mute, Mute], "lost answers").await;
        assert!(matches!(outcome, Err(Fault::Unknown(_))), "{outcome:?}");
        for relay in 0..3 {
            bench.net.mood(relay, Good);
        }
        assert!(matches!(bench.api.reconcile(&frozen, at()).await, Ok(Verdict::Done(_))));
        bench.api.publish(&frozen).await.expect("a duplicate is a success");
        let posts = bench.net.posts().await;
        assert_eq!(posts.iter().filter(|post| post.text == "lost answers").count(), 1, "{posts:?}");
    }

    #[tokio::test]
    async fn nobody_listens() {
        let bench = bench(2).await;
        let frozen = bench.frozen("nobody hears").await;
        bench.net.mood(0, Mood::Deaf);
        bench.net.mood(1, Mood::Deaf);
        assert!(matches!(bench.api.publish(&frozen).await, Err(Fault::NotSent(_))));
        assert!(matches!(bench.api.reconcile(&frozen, at()).await, Err(Fault::NotSent(_))));
    }

    #[tokio::test]
    async fn a_relay_asks_who_we_are() {
        let bench = bench(1).await;
        bench.net.mood(0, Mood::Members);
        let frozen = bench.frozen("for members").await;
        bench.api.publish(&frozen).await.expect("signed in");
        assert!(matches!(bench.api.reconcile(&frozen, at()).await, Ok(Verdict::Done(_))));
    }

    #[tokio::test]
    async fn a_relay_that_says_odd_things() {
        let bench = bench(1).await;
        let frozen = bench.frozen("odd").await;
        bench.net.mood(0, Mood::Odd);
        let outcome = bench.api.publish(&frozen).await;
        assert!(matches!(&outcome, Err(Fault::Unknown(why)) if why.contains("cannot make sense")), "{outcome:?}");
        assert!(matches!(bench.api.reconcile(&frozen, at()).await, Err(Fault::NotSent(_))));
    }

    /// What was made with one key is not signed with another.
    #[tokio::test]
    async fn a_key_that_was_changed() {
        let bench = bench(1).await;
        let frozen = bench.frozen("of the old key").await;
        bench.net.change_secret();
        let outcome = Nostr.connect(&bench.net.account(), bench.net.outside()).publish(&frozen).await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Credentials, .. })), "{outcome:?}");
        assert_eq!(bench.net.posts().await, []);
    }

    /// A ledger that was lost: the part is known by its label, and its event stays the same.
    #[tokio::test]
    async fn what_is_out_keeps_its_date() {
        let bench = bench(2).await;
        let first = bench.frozen("once").await;
        bench.api.publish(&first).await.expect("published");
        let plan = bench.plan("once", Vec::new(), |_| {});
        let again = bench.frozen_of(&plan, at() + chrono::TimeDelta::hours(1)).await.expect("a request");
        assert_eq!(first, again);
        let other = bench.frozen("another").await;
        assert_ne!(first.key, other.key);
    }

    /// What was not asked for is no answer, whatever a relay sends.
    #[tokio::test]
    async fn a_relay_that_is_careless() {
        let bench = bench(1).await;
        let first = bench.frozen("the first").await;
        let receipt = bench.api.publish(&first).await.expect("published");
        // Somebody has taken over our label.
        let eve = Key::parse(&"0e".repeat(32).into()).unwrap_or_else(|why| panic!("{why}"));
        let labelled = thawed::<Event>(&bench.frozen("the second").await).expect("an event").tags;
        let theirs = Event::new(eve.public.as_str(), 2_000_000_000, NOTE, labelled, "eve's").signed(&eve);
        bench.net.put(&theirs.expect("signed"));
        bench.net.mood(0, Mood::Careless);
        let second = bench.frozen("the second").await;
        assert_ne!(second.key, first.key);
        assert_eq!(thawed::<Event>(&second).expect("an event").content, "the second");
        assert_eq!(bench.api.reconcile(&second, at()).await, Ok(Verdict::NotDone));
        assert!(matches!(bench.api.reconcile(&first, at()).await, Ok(Verdict::Done(_))));
        let outcome = bench.api.publish(&second).await;
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Forbidden, .. })), "{outcome:?}");
        let nobody = bench.plan("to nobody", Vec::new(), |draft| draft.reply_to = Some(name::note(&"12".repeat(32))));
        let fault = bench.frozen_of(&nobody, at()).await.expect_err("nobody has it");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Gone, .. }), "{fault:?}");
        assert_eq!(bench.api.replies(&receipt).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_picture_is_uploaded_and_described() {
        let bench = bench(1).await;
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 9, width: 1, height: 1 };
        let media = DraftMedia { file: "a.png".to_owned(), alt: "Äpfel\nund Birnen".to_owned(), facts };
        let plan = bench.plan("Look:", vec![media.clone()], |draft| draft.content_warning = Some("fruit".to_owned()));
        let frozen = bench.frozen_of(&plan, at()).await.expect("a request");
        let event = thawed::<Event>(&frozen).expect("an event");
        let url = event.content.strip_prefix("Look:\n\n").expect("text, then the address");
        let imeta = event.tags.iter().find(|tag| tag[0] == "imeta").expect("it is described");
        assert_eq!(imeta[1], format!("url {url}"));
        assert!(imeta.contains(&"m image/png".to_owned()) && imeta.contains(&"dim 1x1".to_owned()), "{imeta:?}");
        assert_eq!(imeta.last().map(String::as_str), Some("alt Äpfel und Birnen"));
        assert_eq!(event.values("content-warning").collect::<Vec<_>>(), ["fruit"]);
        bench.api.publish(&frozen).await.expect("published");

        // A server that has something else than what was sent, and one that says no.
        for (status, body) in [
            (200, json!({"url": "https://b.example/x", "sha256": "00".repeat(32), "size": 1}).to_string()),
            (200, "{}".to_owned()),
            (413, json!({"message": "too large"}).to_string()),
        ] {
            bench.net.blossom().rule(Rule::answer(status, body).on("PUT", "/upload"));
            let fault = bench.frozen_of(&plan, at()).await.expect_err("not uploaded");
            assert!(matches!(fault, Fault::Refused { .. }), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn somebodys_thread_is_answered() {
        let bench = bench(1).await;
        let eve = Key::parse(&"0e".repeat(32).into()).unwrap_or_else(|why| panic!("{why}"));
        let root = "ab".repeat(32);
        let tags = vec![
            vec!["e".to_owned(), root.clone(), String::new(), "root".to_owned()],
            vec!["p".to_owned(), "cd".repeat(32)],
        ];
        let theirs = Event::new(eve.public.as_str(), 1_700_000_000, NOTE, tags, "eve's").signed(&eve).expect("signed");
        bench.net.put(&theirs);
        let post = name::note(&theirs.id);
        let plan = bench.plan("I agree", Vec::new(), |draft| draft.reply_to = Some(post.clone()));
        let frozen = bench.frozen_of(&plan, at()).await.expect("a request");
        let event = thawed::<Event>(&frozen).expect("an event");
        assert_eq!((event.root(), event.answers()), (Some(root.as_str()), Some(theirs.id.as_str())));
        assert_eq!(event.values("p").collect::<Vec<_>>(), [eve.public.as_str(), &"cd".repeat(32)]);
        let receipt = bench.api.publish(&frozen).await.expect("published");
        assert_eq!(receipt.data["root"], root);
        let gone = bench.plan("to nobody", Vec::new(), |draft| draft.reply_to = Some(name::note(&"12".repeat(32))));
        let fault = bench.frozen_of(&gone, at()).await.expect_err("nobody has it");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Gone, .. }), "{fault:?}");
    }

    #[tokio::test]
    async fn answers_and_numbers() {
        let bench = bench(2).await;
        let frozen = bench.frozen("one").await;
        let receipt = bench.api.publish(&frozen).await.expect("published");
        let eve = Key::parse(&"0e".repeat(32).into()).unwrap_or_else(|why| panic!("{why}"));
        let e = |mark: &str| vec!["e".to_owned(), receipt.id.clone(), String::new(), mark.to_owned()];
        for (kind, content) in [(NOTE, "an <answer>"), (REACTION, "+"), (REACTION, "-"), (6, "")] {
            let event = Event::new(eve.public.as_str(), 1_700_000_000, kind, vec![e("root")], content);
            bench.net.put(&event.signed(&eve).expect("signed"));
        }
        // It is somebody's answer that is liked here.
        let liked =
            Event::new(eve.public.as_str(), 2, REACTION, vec![e("root"), vec!["e".to_owned(), "ab".repeat(32)]], "+");
        bench.net.put(&liked.signed(&eve).expect("signed"));
        // A forged one is not believed.
        bench.net.put(&Event::new(eve.public.as_str(), 1, NOTE, vec![e("root")], "forged"));
        let metrics = bench.api.metrics(&receipt).await.expect("numbers");
        assert_eq!((metrics.likes, metrics.reposts, metrics.replies), (Some(1), Some(1), Some(1)));
        let replies = bench.api.replies(&receipt).await.expect("answers");
        assert_eq!(replies.iter().map(|reply| reply.text.as_str()).collect::<Vec<_>>(), ["an <answer>"]);
        assert!(replies[0].author.starts_with("npub1"));
    }
}
