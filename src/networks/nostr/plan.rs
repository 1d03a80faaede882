//! From a draft to steps, and from steps to the one event of each part. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::adapter::{Draft, DraftMedia, Fault, Identity, Plan, Progress, Step, refused};
use crate::model::{Frozen, LimitOverrides, Place, Problem, Receipt, codes};
use crate::text::{FoundKind, find};

use super::Settings;
use super::blossom::Uploaded;
use super::name::{self, Named};
use super::wire::{Event, NOTE};

/// Characters that are kept free in an event for the address of a file.
const ADDRESS: u64 = 200;

/// The namespace of the label that says which delivery an event is of (NIP-32).
pub(super) const LABEL: &str = "smm.delivery";

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Asks the relays for an event with this label; gives a [`Known`].
    Know {
        /// The label.
        key: String,
    },
    /// Looks up the event that is answered; gives a [`Found`].
    Find {
        /// Its id.
        post: String,
    },
    /// Uploads a file; gives an [`Uploaded`].
    Upload {
        /// The file.
        media: DraftMedia,
        /// What it is fitted to.
        limits: LimitOverrides,
    },
    /// Publishes an event.
    Publish(Message),
}

/// What [`Task::Know`] gives: the event that this part has become already, for a ledger that was lost. Its date would be
/// another one otherwise, and so its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) event: Option<Event>,
}

/// What [`Task::Find`] gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) author: String,
    /// What its thread begins with, where it is not itself.
    pub(super) root: Option<String>,
    /// Who is in that thread.
    pub(super) people: Vec<String>,
}

/// A part, but for what only the relays know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    text: String,
    tags: Vec<Vec<String>>,
    /// A relay where the events are found, for tags.
    relay: String,
    /// Indexes of the steps that ask whether it is out already, upload its files, find what it answers.
    known: usize,
    files: Vec<File>,
    reply: Option<usize>,
}

/// A file of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    step: usize,
    alt: String,
}

/// Room for the addresses of so many files, and of what is quoted.
pub(super) fn room_for(files: u64, quotes: bool) -> u64 {
    (files + u64::from(quotes)) * ADDRESS
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    for (key, value) in [("reply_to", &draft.reply_to), ("quote", &draft.quote)] {
        if let Some(value) = value
            && name::event(value).is_none()
        {
            problems.push(
                Problem::error(codes::POST_REFERENCE, Place::Key { key }, format!("`{value}` is not an event"))
                    .help("write its name, `nevent1…` or `note1…`, or its id: clients show them under \"Copy\""),
            );
        }
    }
    let Some(limit) = draft.limits.text.first().map(|limit| limit.max) else { return };
    for (index, part) in draft.parts.iter().enumerate() {
        let length = part.text.chars().count() as u64;
        let more = room_for(part.media.len() as u64, index == 0 && draft.quote.is_some());
        // What is longer is refused already.
        if length <= limit && length + more > limit {
            let place = Place::Text { key: "text", index, start: 0, end: part.text.len() };
            let message = format!(
                "{length} characters, and {more} are kept for the addresses of its files and what it quotes: {} too many",
                length + more - limit
            );
            problems.push(Problem::error(codes::TEXT_TOO_LONG, place, message).help("shorten it, or make it a thread"));
        }
    }
}

/// The steps of a draft.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    // Relays do not count files.
    let most = draft.limits.max_images.max(draft.limits.max_videos) as usize;
    if draft.parts.iter().any(|part| part.media.len() > most) {
        problems.push(Problem::error(
            codes::MEDIA_TOO_MANY,
            Place::Post,
            format!("more than {most} files in one part"),
        ));
    }
    refused(problems)?;
    // What is wrong with them is said elsewhere.
    let relay = Settings::read(draft.account).ok().and_then(|settings| settings.relays.first().cloned());
    let relay = relay.unwrap_or_default();
    let limits = draft.limits.of_files();
    let mut plan = Plan::default();
    for (number, part) in (0..=u16::MAX).zip(&draft.parts) {
        let first = number == 0;
        let key = draft.key("nostr label", number);
        let known = plan.prepare(number, &Task::Know { key: key.clone() });
        let post = draft.reply_to.as_deref().filter(|_| first).and_then(name::event);
        let reply = post.map(|post| plan.prepare(number, &Task::Find { post }));
        let mut files = Vec::new();
        for media in &part.media {
            let task = Task::Upload { media: media.clone(), limits: limits.clone() };
            let step = plan.prepare(number, &task);
            files.push(File { step, alt: media.alt.clone() });
        }
        let quote = draft.quote.as_deref().filter(|_| first).and_then(name::event);
        let mut text = clean(&part.text);
        if let Some(id) = &quote {
            append(&mut text, &format!("nostr:{}", name::note(id)));
        }
        let tags = tags(draft, &text, &relay, &key);
        let message = Message { text, tags, relay: relay.clone(), known, files, reply };
        plan.publish(number, &Task::Publish(message));
    }
    Ok(plan)
}

/// The tags that follow from the draft alone.
fn tags(draft: &Draft<'_>, text: &str, relay: &str, key: &str) -> Vec<Vec<String>> {
    let mut tags: Vec<Vec<String>> = Vec::new();
    let mut put = |tag: &[&str]| {
        let tag: Vec<String> = tag.iter().map(|&value| value.to_owned()).collect();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    };
    for found in find(text) {
        let written = &text[found.start..found.end];
        match found.kind {
            FoundKind::Tag => put(&["t", &written.trim_start_matches(['#', '＃']).to_lowercase()]),
            FoundKind::Link => put(&["r", written]),
            FoundKind::BareLink | FoundKind::Mention => {}
        }
    }
    for named in name::mentioned(text) {
        match named {
            Named::Person(public) => put(&["p", &public]),
            Named::Event(id) => put(&["q", &id, relay]),
        }
    }
    if let Some(warning) = draft.content_warning.as_deref().filter(|warning| !warning.trim().is_empty()) {
        put(&["content-warning", warning]);
    }
    // NIP-32 takes codes of two letters.
    for language in &draft.languages {
        let code = language.split('-').next().unwrap_or_default();
        if code.len() == 2 {
            put(&["L", "ISO-639-1"]);
            put(&["l", code, "ISO-639-1"]);
        }
    }
    put(&["L", LABEL]);
    put(&["l", key, LABEL]);
    tags
}

/// Without the control characters that programs write in different ways: the id hangs on each byte.
fn clean(text: &str) -> String {
    text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "")
}

fn append(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push_str(if text.ends_with(char::is_whitespace) { "" } else { "\n\n" });
    }
    text.push_str(line);
}

/// Puts the event of a part together. Its id does not hang on the signature, which is added when it is sent.
pub(super) fn freeze(
    step: &Step,
    progress: &Progress,
    identity: &Identity,
    at: DateTime<Utc>,
) -> Result<Frozen, Fault> {
    let Task::Publish(message) = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let known: Known = progress.given(message.known)?;
    let event = match known.event.filter(|event| event.pubkey == identity.uid) {
        Some(event) => Event { sig: String::new(), ..event },
        None => message.event(step.part, progress, &identity.uid, at)?,
    };
    Ok(Frozen { part: step.part, key: event.id.clone(), request: json!(event) })
}

impl Message {
    fn event(&self, part: u16, progress: &Progress, me: &str, at: DateTime<Utc>) -> Result<Event, Fault> {
        let owned = |tag: &[&str]| tag.iter().map(|&value| value.to_owned()).collect::<Vec<String>>();
        let (mut tags, mut people) = (Vec::new(), Vec::new());
        if let Some(answered) = progress.before(part)? {
            let root = text_of(answered, "root").unwrap_or(&answered.id);
            tags.push(owned(&["e", root, &self.relay, "root"]));
            if root != answered.id {
                tags.push(owned(&["e", &answered.id, &self.relay, "reply"]));
            }
            let all = answered.data.get("people").and_then(|people| people.as_array()).into_iter().flatten();
            people.extend(all.filter_map(|public| public.as_str()).map(str::to_owned));
        } else if let Some(step) = self.reply {
            let found: Found = progress.given(step)?;
            match &found.root {
                Some(root) => {
                    tags.push(owned(&["e", root, &self.relay, "root"]));
                    tags.push(owned(&["e", &found.id, &self.relay, "reply"]));
                }
                None => tags.push(owned(&["e", &found.id, &self.relay, "root"])),
            }
            people.push(found.author);
            people.extend(found.people);
        }
        let mut content = self.text.clone();
        let mut files = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let uploaded: Uploaded = progress.given(file.step)?;
            if index == 0 {
                append(&mut content, &uploaded.url);
            } else {
                content.push('\n');
                content.push_str(&uploaded.url);
            }
            files.push(described(&uploaded, &file.alt));
        }
        let rest = self.tags.iter().filter(|tag| tag.first().is_none_or(|name| name != "p"));
        people.extend(self.tags.iter().filter(|tag| tag[0] == "p").filter_map(|tag| tag.get(1)).cloned());
        let mut named: Vec<Vec<String>> = Vec::new();
        for public in people.iter().filter(|public| *public != me) {
            let tag = owned(&["p", public]);
            if !named.contains(&tag) {
                named.push(tag);
            }
        }
        tags.extend(named);
        tags.extend(rest.cloned());
        tags.extend(files);
        Ok(Event::new(me, at.timestamp(), NOTE, tags, content))
    }
}

/// A file as NIP-92 describes it.
fn described(file: &Uploaded, alt: &str) -> Vec<String> {
    let mut tag = vec!["imeta".to_owned(), format!("url {}", file.url), format!("m {}", file.mime)];
    tag.push(format!("x {}", file.sha256));
    tag.push(format!("size {}", file.size));
    if file.width > 0 && file.height > 0 {
        tag.push(format!("dim {}x{}", file.width, file.height));
    }
    if !alt.is_empty() {
        tag.push(format!("alt {}", clean(alt).replace(['\n', '\t'], " ")));
    }
    tag
}

/// What a receipt keeps under a name.
pub(super) fn text_of<'a>(receipt: &'a Receipt, key: &str) -> Option<&'a str> {
    receipt.data.get(key).and_then(|value| value.as_str())
}

/// What a receipt keeps of an event for the parts after it.
pub(super) fn kept(event: &Event, taken: &[String], notes: &[String]) -> serde_json::Value {
    let people: Vec<&str> = event.values("p").collect();
    json!({"root": event.root().unwrap_or(&event.id), "people": people, "relays": taken, "notes": notes})
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::adapter::suite::plans::{self, Gave, at, draft, rehearse, text};
    use crate::adapter::{DraftPart, Limits};
    use crate::model::{Account, MediaKind, Prepared};
    use crate::networks::nostr::profile::PROFILE;

    const ME: &str = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
    const BOB: &str = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";

    fn account() -> Account {
        let mut account = plans::account("keys", "nostr");
        account.settings =
            json!({"relays": ["wss://r.example/", "wss://s.example"], "media_server": "https://b.example"})
                .as_object()
                .expect("a table")
                .clone();
        account
    }

    fn picture(file: &str, alt: &str) -> DraftMedia {
        let mut picture = plans::file(file, MediaKind::Image, "image/png", 9, alt);
        picture.facts.height = 2;
        picture
    }

    fn identity() -> Identity {
        plans::identity(ME, "nostr")
    }

    /// All requests, every step having given what depends on its number.
    fn requests(plan: &Plan) -> Vec<Frozen> {
        let mut frozen = Vec::new();
        rehearse(plan, |step, progress| match step.task().expect("a task") {
            Task::Know { .. } => Gave::Value(json!({"event": null})),
            Task::Find { post } => {
                let people = vec!["dd".repeat(32), ME.to_owned()];
                Gave::Value(json!(Found { id: post, author: "ee".repeat(32), root: None, people }))
            }
            Task::Upload { media, .. } => Gave::Value(json!(Uploaded {
                url: format!("https://b.example/{}.png", step.index),
                mime: media.facts.mime,
                sha256: "0f".repeat(32),
                size: 9,
                width: 3,
                height: 2,
            })),
            Task::Publish(_) => {
                let made = freeze(step, progress, &identity(), at()).expect("all is prepared");
                let event: Event = serde_json::from_value(made.request.clone()).expect("an event");
                frozen.push(made);
                Gave::Receipt(event.id.clone(), kept(&event, &["wss://r.example".to_owned()], &[]))
            }
        });
        frozen
    }

    #[test]
    fn a_nasty_thread() {
        let account = account();
        let limits = Limits::new(&PROFILE, &LimitOverrides { image_bytes: Some(1000), ..LimitOverrides::default() });
        let mut first = text(&format!(
            "👩‍👩‍👧 \"مرحبا\" nostr:{BOB} \u{1}\\\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #Tag ＃日本 #Tag"
        ));
        first.media = vec![picture("img/a.png", "a \"quoted\" alt\nof two lines"), picture("b.png", "")];
        let mut third = text("");
        third.media = vec![picture("c.png", "c")];
        let mut draft = draft(&account, &limits, vec![first, text("2/3 \u{0} end"), third]);
        draft.content_warning = Some("Spöiler".to_owned());
        draft.languages = vec!["pt-BR".to_owned()];
        draft.reply_to = Some("ab".repeat(32));
        draft.quote = Some(name::note(&"cd".repeat(32)));
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn what_the_relays_have_is_taken_as_it_is() {
        let account = account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let plan = plan(&draft(&account, &limits, vec![text("Hello")])).expect("a plan");
        let old = Event::new(ME, 1_700_000_000, NOTE, Vec::new(), "Hello, before it was edited");
        let of = |event: Value| {
            let prepared = vec![Prepared { step: 0, value: json!({"event": event}), at: at() }];
            let progress = Progress { prepared, receipts: Vec::new() };
            freeze(&plan.steps[1], &progress, &identity(), at()).expect("a request")
        };
        assert_eq!(of(json!(old)).key, old.id);
        // Not somebody else's.
        let theirs = Event::new("ee".repeat(32), 1_700_000_000, NOTE, Vec::new(), "Hello");
        assert_eq!(of(json!(theirs)), of(Value::Null));
        assert_eq!(of(Value::Null).request["created_at"], at().timestamp());
    }

    #[test]
    fn addresses_take_room() {
        let account = account();
        let limits = Limits::new(&PROFILE, &LimitOverrides { text: Some(1000), ..LimitOverrides::default() });
        let of = |length: usize, files: usize| {
            let media = (0..files).map(|at| picture(&format!("{at}.png"), "")).collect();
            let part = DraftPart { text: "ä".repeat(length), media };
            plan(&draft(&account, &limits, vec![part])).map(drop).map_err(|problems| problems[0].code.0)
        };
        assert_eq!(of(1000, 0), Ok(()));
        assert_eq!(of(800, 1), Ok(()));
        assert_eq!(of(801, 1), Err("text-too-long"));
        let wide = Limits::new(&PROFILE, &LimitOverrides::default());
        let media = (0..11).map(|at| picture(&format!("{at}.png"), "")).collect();
        let part = DraftPart { text: "many".to_owned(), media };
        assert_eq!(plan(&draft(&account, &wide, vec![part])).expect_err("eleven")[0].code, codes::MEDIA_TOO_MANY);
    }

    #[test]
    fn what_is_answered_is_an_event() {
        let account = account();
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let mut draft = draft(&account, &limits, vec![text("Hello")]);
        for bad in [BOB, "https://fedi.example/@bob/1", ""] {
            draft.reply_to = Some(bad.to_owned());
            assert_eq!(plan(&draft).expect_err(bad)[0].code, codes::POST_REFERENCE);
        }
    }
}
