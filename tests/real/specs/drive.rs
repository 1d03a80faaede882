//! Drives an adapter against its stand-in, so that it sends all that it can send.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use serde_json::{Map, Value};
use smm::adapter::suite::{FixedSecrets, PICTURE, Seen};
use smm::adapter::{
    Api, Draft, DraftMedia, DraftPart, Fault, Limits, MediaBytes, MediaSource, Network, Progress, StepKind,
};
use smm::model::{
    AccountName, CalendarName, DeliveryId, Frozen, MediaFacts, MediaKind, OccurrenceName, Poll, PostId, Prepared,
    Receipt, Severity, Visibility,
};

/// An account's settings and secrets, put over those of the stand-in.
pub(super) struct Way {
    /// `null` takes one away.
    pub(super) settings: Map<String, Value>,
    secrets: Option<BTreeMap<&'static str, String>>,
}

impl Way {
    pub(super) fn plain() -> Self {
        Self { settings: Map::new(), secrets: None }
    }

    pub(super) fn with(settings: Value) -> Self {
        let Value::Object(settings) = settings else { panic!("settings are a table") };
        Self { settings, secrets: None }
    }

    pub(super) fn with_secrets(mut self, secrets: BTreeMap<&'static str, String>) -> Self {
        self.secrets = Some(secrets);
        self
    }
}

/// Files of the kind that is asked for.
struct AsAsked;

#[async_trait]
impl MediaSource for AsAsked {
    async fn fetch(&self, media: &DraftMedia, _limits: &Limits) -> Result<MediaBytes, Fault> {
        let name = media.file.rsplit('/').next().unwrap_or(&media.file).to_owned();
        Ok(MediaBytes { bytes: PICTURE.to_vec(), facts: media.facts.clone(), name })
    }

    async fn fit(&self, picture: Vec<u8>, _bytes: u64, _side: u32) -> Result<MediaBytes, Fault> {
        let facts = file(MediaKind::Image, "").facts;
        Ok(MediaBytes { bytes: picture, facts, name: "picture.png".to_owned() })
    }
}

fn file(kind: MediaKind, alt: &str) -> DraftMedia {
    let (file, mime) = match kind {
        MediaKind::Image => ("a.png", "image/png"),
        MediaKind::Animation => ("a.gif", "image/gif"),
        MediaKind::Video => ("a.mp4", "video/mp4"),
        MediaKind::Document => ("a.pdf", "application/pdf"),
    };
    let facts = MediaFacts { kind, mime: mime.to_owned(), bytes: PICTURE.len() as u64, width: 4, height: 3 };
    DraftMedia { file: file.to_owned(), alt: alt.to_owned(), facts }
}

type Change = fn(&mut Draft<'_>);

/// Posts, each with something that others have not. What a network does not take is left out there.
const POSTS: &[(&str, Change)] = &[
    ("plain", |_| {}),
    ("special", |draft| {
        "a < b && \"c\" > d — 👨‍👩‍👧‍👦 مرحبا @acme #tag https://acme.example/?a=1&b=2".clone_into(&mut draft.parts[0].text);
    }),
    ("link", |draft| {
        "See https://acme.example/2.0".clone_into(&mut draft.parts[0].text);
        draft.link = Some("https://acme.example/2.0".to_owned());
    }),
    ("thread", |draft| draft.parts.extend(["Two", "Three"].map(part))),
    ("picture", |draft| draft.parts[0].media = vec![file(MediaKind::Image, "A dot")]),
    ("pictures", |draft| draft.parts[0].media = vec![file(MediaKind::Image, "A dot"), file(MediaKind::Image, "")]),
    ("silent picture", |draft| {
        draft.parts[0] = DraftPart { text: String::new(), media: vec![file(MediaKind::Image, "A dot")] };
    }),
    ("animation", |draft| draft.parts[0].media = vec![file(MediaKind::Animation, "It moves")]),
    ("video", |draft| draft.parts[0].media = vec![file(MediaKind::Video, "A film")]),
    ("mixed", |draft| draft.parts[0].media = vec![file(MediaKind::Video, "A film"), file(MediaKind::Image, "A dot")]),
    ("long caption", |draft| {
        draft.parts[0] = DraftPart { text: "word ".repeat(300), media: vec![file(MediaKind::Image, "A dot")] };
    }),
    ("warning", |draft| {
        draft.content_warning = Some("Spoilers".to_owned());
        draft.parts[0].media = vec![file(MediaKind::Image, "A dot"), file(MediaKind::Image, "Another")];
    }),
    ("labels", |draft| {
        draft.labels = vec!["nudity".to_owned()];
        draft.parts[0].media = vec![file(MediaKind::Image, "A dot")];
    }),
    ("covered thread", |draft| {
        draft.content_warning = Some("Spoilers".to_owned());
        let files = [MediaKind::Image, MediaKind::Animation, MediaKind::Video].map(|kind| vec![file(kind, "It")]);
        let files = files.into_iter().chain([vec![file(MediaKind::Image, "A dot"), file(MediaKind::Image, "")]]);
        draft.parts.extend(files.map(|media| DraftPart { media, ..part("More") }));
    }),
    ("poll", |draft| draft.poll = Some(poll(true))),
    ("simple poll", |draft| draft.poll = Some(poll(false))),
    ("unlisted", |draft| draft.visibility = Some(Visibility::Unlisted)),
    ("private", |draft| draft.visibility = Some(Visibility::Private)),
    ("direct", |draft| draft.visibility = Some(Visibility::Direct)),
    ("language", |draft| draft.languages = vec!["en".to_owned()]),
    ("title", |draft| draft.title = Some("A title".to_owned())),
    ("tags", |draft| draft.tags = vec!["acme".to_owned()]),
];

fn part(text: &str) -> DraftPart {
    DraftPart { text: text.to_owned(), ..DraftPart::default() }
}

fn poll(multiple: bool) -> Poll {
    let options = vec!["Tabs".to_owned(), "Spaces".to_owned()];
    Poll { options, seconds: 86_400, multiple, hide_totals: multiple }
}

/// One account.
struct Driver<'a> {
    network: &'static dyn Network,
    account: &'a smm::model::Account,
    limits: Limits,
    api: Box<dyn Api>,
}

impl Driver<'_> {
    /// Publishes a post. `None`: the network does not take such a one.
    async fn post(&self, name: &str, change: &dyn Fn(&mut Draft<'_>)) -> Option<(Vec<Receipt>, Frozen)> {
        let occurrence = OccurrenceName::once(&PostId::new(name.replace(' ', "-")));
        let delivery = DeliveryId::derive(&CalendarName::new("specs"), &occurrence, &AccountName::new("a"));
        let mut draft = Draft::new(delivery, self.account, &self.limits, vec![part("One")]);
        change(&mut draft);
        let mut problems = Vec::new();
        smm::adapter::check::check(self.network.profile(), &draft, &mut problems);
        self.network.check(&draft, &mut problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return None;
        }
        let plan = self.network.plan(&draft).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
        let identity = self.api.whoami().await.expect("an identity");
        let (mut progress, mut last) = (Progress::default(), None);
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            let value = match self.api.prepare(step, &progress).await {
                Ok(value) => value,
                Err(Fault::Refused { .. }) => return None,
                Err(fault) => panic!("{name}: {fault:?}"),
            };
            progress.prepared.push(Prepared { step: step.index, value, at: Utc::now() });
        }
        for part in 0..plan.parts() {
            let step = plan.publish_step(part).expect("parts have no gap");
            let frozen = match self.api.freeze(step, &progress, &identity, Utc::now()) {
                Ok(frozen) => frozen,
                // A way that cannot do it, such as a webhook that is to answer.
                Err(Fault::Refused { .. }) => return None,
                Err(fault) => panic!("{name}: {fault:?}"),
            };
            let receipt = self.api.publish(&frozen).await.unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
            progress.receipts.push(receipt);
            last = Some(frozen);
        }
        last.map(|frozen| (progress.receipts, frozen))
    }
}

/// Does everything once, and gives what went over the wire.
pub(super) async fn drive(network: &'static dyn Network, way: &Way) -> Vec<Seen> {
    let fake = network.fake().await.expect("a stand-in");
    let front = fake.front().expect("a network over HTTP");
    let mut account = fake.account();
    account.server = Some(front.url().to_owned());
    for (key, value) in &way.settings {
        if value.is_null() {
            account.settings.remove(key);
        } else {
            account.settings.insert(key.clone(), value.clone());
        }
    }
    let mut outside = fake.outside();
    outside.media = Arc::new(AsAsked);
    if let Some(secrets) = &way.secrets {
        outside.secrets = Arc::new(FixedSecrets(secrets.clone()));
    }
    let limits = Limits::new(network.profile(), &account.limits);
    let driver = Driver { network, account: &account, limits, api: network.connect(&account, outside) };
    driver.api.whoami().await.expect("an identity");
    driver.api.credential().await.expect("a credential");
    let mut receipts: Vec<Receipt> = Vec::new();
    for (name, change) in POSTS {
        let started = Utc::now();
        let Some((published, frozen)) = driver.post(name, change).await else { continue };
        let found = driver.api.reconcile(&frozen, started).await;
        assert!(found.is_ok(), "{name}: {found:?}");
        receipts.extend(published);
    }
    let first = receipts.first().expect("a post").clone();
    for (key, post) in [("url", first.url.clone()), ("id", Some(first.id.clone()))] {
        let Some(post) = post else { continue };
        let reply = |draft: &mut Draft<'_>| draft.reply_to = Some(post.clone());
        receipts.extend(
            driver.post(&format!("reply by {key}"), &reply).await.into_iter().flat_map(|(published, _)| published),
        );
        let quote = |draft: &mut Draft<'_>| draft.quote = Some(post.clone());
        receipts.extend(
            driver.post(&format!("quote by {key}"), &quote).await.into_iter().flat_map(|(published, _)| published),
        );
    }
    let _ = driver.api.metrics(&first).await;
    let _ = driver.api.replies(&first).await;
    for receipt in receipts.iter().rev().chain([&first]) {
        driver.api.delete(receipt).await.unwrap_or_else(|fault| panic!("{}: {fault:?}", receipt.id));
    }
    // What a refusal looks like.
    fake.change_secret();
    if way.secrets.is_some() || !fake.end_session() {
        assert!(driver.api.whoami().await.is_err(), "with the old secret");
    }
    front.seen()
}
