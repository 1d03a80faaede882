//! From a draft to steps, and from steps to the one request of each part. Pure.
//!
//! Telegram takes files with the message alone, so a step only reads them beforehand. A text beside files is their caption.
//! One that is longer than a caption may be becomes a part of its own: the files go out first, and the text answers them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::check::{files_together, question, with_warning};
use crate::adapter::{Draft, DraftMedia, Enclosing, Fault, Identity, Plan, Progress, Sealed, Step, refused};
use crate::model::{Frozen, MediaKind, Place, Poll, Problem, codes};
use crate::text::{Counting, MentionWeight, Unit, measure};

use super::profile::{ALBUM, CAPTION, QUESTION, RATIO};
use super::reference::{LATER, Reference};
use super::{Preview, Settings};

/// A part, but for what only the chat knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    key: String,
    /// As HTML.
    html: String,
    /// Indexes of the steps that read its files.
    files: Vec<usize>,
    /// Files are covered until somebody taps on them.
    covered: bool,
    poll: Option<Question>,
    reply: Option<Reference>,
    /// The link that the post is about.
    link: Option<String>,
}

/// A poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Question {
    question: String,
    poll: Poll,
}

/// The request of a part: `method` of the API with `fields`, and the files that go with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) fields: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<Attached>,
}

/// A file in a field of the form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attached {
    pub(super) field: String,
    pub(super) file: Sealed,
}

/// How long a part is after entities parsing, in code points: its text, and the warning with an empty line above it.
fn visible(text: &str, warning: Option<&str>) -> u64 {
    let length = |text| measure(text, Counting { unit: Unit::CodePoints, link: None, mention: MentionWeight::Raw });
    match warning {
        None => length(text),
        Some(warning) if text.is_empty() => length(warning),
        Some(warning) => length(warning) + 2 + length(text),
    }
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if let Some(post) = &draft.reply_to
        && Reference::parse(post).is_none()
    {
        let message = format!("`{post}` is neither a message's address nor its number");
        problems.push(
            Problem::error(codes::POST_REFERENCE, Place::Key { key: "reply_to" }, message)
                .help("write its address, `https://t.me/channel/123`, or its number in the account's own chat"),
        );
    }
    question(draft, QUESTION, problems);
    let mut first = 0;
    for (index, part) in draft.parts.iter().enumerate() {
        let visible = visible(&part.text, draft.warning());
        with_warning(draft, index, visible, "the empty line below it", problems);
        let fits = draft.limits.text.first().is_none_or(|limit| visible <= limit.max);
        if !part.media.is_empty() && visible > CAPTION && fits {
            let text = Place::Text { key: "text", index, start: 0, end: part.text.len() };
            let message = format!(
                "{visible} characters, and a caption has at most {CAPTION}: the media go out first, the text answers them"
            );
            problems
                .push(Problem::note(codes::CAPTION_TOO_LONG, text, message).help("shorten it to keep them together"));
        }
        album(&part.media, first, problems);
        first += part.media.len();
    }
}

/// The rules of one message's files; the first of them has this number.
fn album(media: &[DraftMedia], first: usize, problems: &mut Vec<Problem>) {
    let at = |index: usize, key: &'static str| Place::Media { index: first + index, key };
    files_together(media, ALBUM, first, problems);
    for (index, media_file) in media.iter().enumerate() {
        let facts = &media_file.facts;
        if facts.kind == MediaKind::Animation && media.len() > 1 {
            problems.push(
                Problem::error(codes::MEDIA_MIXED, at(index, ""), "an animation goes alone: an album takes none")
                    .help("take it out, or move it to another part of a thread with `part = 2`"),
            );
        }
        let (short, long) = (facts.width.min(facts.height), facts.width.max(facts.height));
        if facts.kind == MediaKind::Image && short > 0 && long > short.saturating_mul(RATIO) {
            problems.push(
                Problem::error(
                    codes::MEDIA_CANNOT_FIT,
                    at(index, "file"),
                    format!(
                        "a picture of {}×{}: one side may be at most {RATIO} times as long as the other",
                        facts.width, facts.height
                    ),
                )
                .help("cut it to a less narrow shape"),
            );
        }
    }
}

/// The steps of a draft: for each part its files, then its message.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    let (mut number, warning) = (0, draft.warning());
    for (index, part) in draft.parts.iter().enumerate() {
        let first = index == 0;
        let mut message = Message {
            // The API takes none: it tells one attempt from another in the ledger alone.
            key: draft.key("telegram part", number),
            html: html(&part.text, warning),
            files: plan.enclose(number, &part.media, draft.limits),
            covered: !part.media.is_empty() && (warning.is_some() || !draft.labels.is_empty()),
            poll: draft.poll.clone().filter(|_| first).map(|poll| Question { question: part.text.clone(), poll }),
            reply: draft.reply_to.as_deref().filter(|_| first).and_then(Reference::parse),
            link: draft.link.clone().filter(|link| first && is_web(link)),
        };
        if !message.files.is_empty() && visible(&part.text, warning) > CAPTION {
            let alone = Message { html: String::new(), link: None, ..message.clone() };
            plan.publish(number, &Enclosing::Publish(alone));
            number += 1;
            let key = draft.key("telegram part", number);
            message = Message { key, files: Vec::new(), covered: false, reply: None, ..message };
        }
        plan.publish(number, &Enclosing::Publish(message));
        number += 1;
    }
    Ok(plan)
}

fn is_web(link: &str) -> bool {
    url::Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A text as Telegram's HTML: nothing in it is taken for mark-up. What is warned of is covered.
fn html(text: &str, warning: Option<&str>) -> String {
    match (escaped(text), warning) {
        (text, None) => text,
        (text, Some(warning)) if text.is_empty() => escaped(warning),
        (text, Some(warning)) => format!("{}\n\n<tg-spoiler>{text}</tg-spoiler>", escaped(warning)),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Puts the request of a part together. It names the chat by its number: a name may be given to another chat.
pub(super) fn freeze(
    step: &Step,
    progress: &Progress,
    identity: &Identity,
    settings: &Settings,
) -> Result<Frozen, Fault> {
    let message: Message = step.enclosing()?;
    let chat = identity.uid.rsplit_once('/').and_then(|(_, chat)| chat.parse::<i64>().ok());
    let chat = chat.ok_or_else(|| Fault::NotSent(format!("`{}` names no chat", identity.uid)))?;
    let call = message.call(step.part, progress, chat, &identity.handle, settings)?;
    let request = serde_json::to_value(call).map_err(|error| Fault::NotSent(error.to_string()))?;
    Ok(Frozen { part: step.part, key: message.key, request })
}

impl Message {
    fn call(
        &self,
        part: u16,
        progress: &Progress,
        chat: i64,
        handle: &str,
        settings: &Settings,
    ) -> Result<Call, Fault> {
        let files = progress.sealed(&self.files)?;
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
        put("chat_id", json!(chat));
        if let Some(topic) = settings.topic {
            put("message_thread_id", json!(topic));
        }
        if settings.silent {
            put("disable_notification", json!(true));
        }
        if settings.protect {
            put("protect_content", json!(true));
        }
        if let Some(reply) = self.reply(part, progress, chat, handle)? {
            put("reply_parameters", reply);
        }
        let method = if let Some(Question { question, poll }) = &self.poll {
            put("question", json!(question));
            put("options", poll.options.iter().map(|option| json!({"text": option})).collect());
            put("allows_multiple_answers", json!(poll.multiple));
            put("open_period", json!(poll.seconds));
            if poll.hide_totals {
                put("hide_results_until_closes", json!(true));
            }
            "sendPoll"
        } else if let [file] = files.as_slice() {
            if !self.html.is_empty() {
                put("caption", json!(self.html));
                put("parse_mode", json!("HTML"));
            }
            if self.covered {
                put("has_spoiler", json!(true));
            }
            describe(file, &mut put);
            one(file.kind).0
        } else if files.is_empty() {
            put("text", json!(self.html));
            put("parse_mode", json!("HTML"));
            if let Some(preview) = preview(settings.preview, self.link.as_deref()) {
                put("link_preview_options", preview);
            }
            "sendMessage"
        } else {
            put("media", files.iter().enumerate().map(|(index, file)| self.item(index, file)).collect());
            "sendMediaGroup"
        };
        let alone = files.len() == 1;
        let field = |index: usize, file: &Sealed| {
            if alone { one(file.kind).1.to_owned() } else { format!("file{index}") }
        };
        let files = files.into_iter().enumerate();
        let files = files.map(|(index, file)| Attached { field: field(index, &file), file }).collect();
        Ok(Call { method: method.to_owned(), fields, files })
    }

    /// The caption of an album is that of its first file.
    fn item(&self, index: usize, file: &Sealed) -> Value {
        let mut item = Map::new();
        let kind = if file.kind == MediaKind::Video { "video" } else { "photo" };
        item.insert("type".to_owned(), json!(kind));
        item.insert("media".to_owned(), json!(format!("attach://file{index}")));
        if index == 0 && !self.html.is_empty() {
            item.insert("caption".to_owned(), json!(self.html));
            item.insert("parse_mode".to_owned(), json!("HTML"));
        }
        if self.covered {
            item.insert("has_spoiler".to_owned(), json!(true));
        }
        if file.kind == MediaKind::Video {
            describe(file, &mut |key: &str, value| item.insert(key.to_owned(), value));
        }
        Value::Object(item)
    }

    fn reply(&self, part: u16, progress: &Progress, chat: i64, handle: &str) -> Result<Option<Value>, Fault> {
        if let Some(receipt) = progress.before(part)? {
            if receipt.id == LATER.to_string() {
                return Ok(None);
            }
            let id = Reference::parse(&receipt.id);
            let id = id.ok_or_else(|| Fault::NotSent(format!("`{}` is no message's number", receipt.id)))?;
            return Ok(Some(json!({"message_id": id.message})));
        }
        Ok(self.reply.as_ref().map(|reply| match &reply.chat {
            // A chat of the same name or number is this one.
            Some(other) if other.eq_ignore_ascii_case(handle) || *other == chat.to_string() => {
                json!({"message_id": reply.message})
            }
            Some(other) => {
                let other = other.parse::<i64>().map_or_else(|_| json!(other), |number| json!(number));
                json!({"message_id": reply.message, "chat_id": other})
            }
            None => json!({"message_id": reply.message}),
        }))
    }
}

/// The method that sends one file of a kind, and the field that it is in.
fn one(kind: MediaKind) -> (&'static str, &'static str) {
    match kind {
        MediaKind::Image => ("sendPhoto", "photo"),
        MediaKind::Animation => ("sendAnimation", "animation"),
        // There is none: its profile takes no documents.
        MediaKind::Video | MediaKind::Document => ("sendVideo", "video"),
    }
}

/// What clients show before a film is there.
fn describe(file: &Sealed, put: &mut dyn FnMut(&str, Value) -> Option<Value>) {
    if file.kind == MediaKind::Image {
        return;
    }
    if file.width > 0 && file.height > 0 {
        put("width", json!(file.width));
        put("height", json!(file.height));
    }
    if file.kind == MediaKind::Video {
        put("supports_streaming", json!(true));
    }
}

fn preview(wanted: Option<Preview>, link: Option<&str>) -> Option<Value> {
    let mut options = Map::new();
    match (wanted, link) {
        (Some(Preview::Off), _) => return Some(json!({"is_disabled": true})),
        // The size is taken for a link that is named alone.
        (Some(size), Some(_)) => {
            let key = if size == Preview::Small { "prefer_small_media" } else { "prefer_large_media" };
            options.insert(key.to_owned(), json!(true));
        }
        _ => {}
    }
    options.insert("url".to_owned(), json!(link?));
    Some(Value::Object(options))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{self, Gave, draft, rehearse, sealed, text};
    use crate::adapter::{DraftPart, Limits, StepKind};
    use crate::model::{Account, LimitOverrides};
    use crate::networks::telegram::Chat;
    use crate::networks::telegram::profile::PROFILE;

    fn account() -> Account {
        let mut account = plans::account("channel", "telegram");
        account.settings.insert("chat".to_owned(), json!("@acme"));
        account
    }

    fn limits() -> Limits {
        Limits::new(&PROFILE, &LimitOverrides::default())
    }

    fn file(kind: MediaKind, width: u32, height: u32) -> DraftMedia {
        let (file, mime) = match kind {
            MediaKind::Image => ("a.png", "image/png"),
            MediaKind::Animation => ("a.gif", "image/gif"),
            MediaKind::Video => ("a.mp4", "video/mp4"),
            MediaKind::Document => ("a.pdf", "application/pdf"),
        };
        let mut media = plans::file(file, kind, mime, 9, "not sent");
        (media.facts.width, media.facts.height) = (width, height);
        media
    }

    fn with(text: &str, media: Vec<DraftMedia>) -> DraftPart {
        DraftPart { text: text.to_owned(), media }
    }

    /// The requests of all parts, as if every step had gone well.
    fn requests(plan: &Plan, settings: &Settings) -> Vec<Frozen> {
        let identity = plans::identity("7/-1001234567890", "https://api.telegram.org");
        let mut requests = Vec::new();
        rehearse(plan, |step, progress| {
            if step.kind == StepKind::Prepare {
                return sealed(step);
            }
            requests.push(freeze(step, progress, &identity, settings).expect("a request"));
            Gave::Receipt((100 + step.part).to_string(), Value::Null)
        });
        requests
    }

    fn problems(draft: &Draft<'_>) -> Vec<&'static str> {
        let mut problems = Vec::new();
        check(draft, &mut problems);
        problems.iter().map(|problem| problem.code.0).collect()
    }

    #[test]
    fn a_nasty_thread() {
        let (account, limits) = (account(), limits());
        let long = format!("{} & <b>\"not bold\"</b> {}", "long ".repeat(220), "👨‍👩‍👧‍👦 مرحبا 中文");
        let film = file(MediaKind::Video, 640, 480);
        let picture = || file(MediaKind::Image, 3, 3);
        let parts = vec![
            with("1 < 2 && \"3\" > 2 — </tg-spoiler> &amp; https://acme.example/?a=1&b=2", vec![picture(), film]),
            with(&long, vec![picture()]),
            with("", vec![file(MediaKind::Animation, 4, 2)]),
            text("@eve #tag ||bold|| *x*"),
        ];
        let mut draft = draft(&account, &limits, parts);
        draft.content_warning = Some("Spoilers & <more>".to_owned());
        draft.reply_to = Some("https://t.me/other/17".to_owned());
        draft.link = Some("https://acme.example/?a=1&b=2".to_owned());
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        assert_eq!(plan.parts(), 5, "the long caption is a part of its own");
        let settings = Settings {
            chat: Some(Chat::Name("@acme".to_owned())),
            silent: true,
            protect: true,
            topic: Some(5),
            preview: Some(Preview::Large),
        };
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan, &settings)}));
    }

    #[test]
    fn a_plain_post_says_no_more_than_it_must() {
        let (account, limits) = (account(), limits());
        let plan = plan(&draft(&account, &limits, vec![text("a < b")])).expect("a plan");
        let requests = requests(&plan, &Settings::default());
        let fields = json!({"chat_id": -1_001_234_567_890_i64, "text": "a &lt; b", "parse_mode": "HTML"});
        assert_eq!(requests[0].request, json!({"method": "sendMessage", "fields": fields}));
    }

    #[test]
    fn a_poll_asks_its_text() {
        let (account, limits) = (account(), limits());
        let mut draft = draft(&account, &limits, vec![text("Tabs & spaces?")]);
        let options = vec!["Tabs".to_owned(), "Spaces".to_owned()];
        draft.poll = Some(Poll { options, seconds: 3600, multiple: true, hide_totals: true });
        assert_eq!(problems(&draft), Vec::<&str>::new());
        let requests = requests(&plan(&draft).expect("a plan"), &Settings::default());
        assert_eq!(
            requests[0].request,
            json!({"method": "sendPoll", "fields": {
                "chat_id": -1_001_234_567_890_i64, "question": "Tabs & spaces?",
                "options": [{"text": "Tabs"}, {"text": "Spaces"}], "allows_multiple_answers": true, "open_period": 3600,
                "hide_results_until_closes": true,
            }})
        );
        draft.parts[0].text = "?".repeat(301);
        draft.content_warning = Some("x".to_owned());
        assert_eq!(problems(&draft), ["text-too-long", "content-warning-unsupported"]);
        assert!(super::plan(&draft).is_err());
    }

    #[test]
    fn a_caption_stays_with_its_files_as_long_as_it_fits() {
        let (account, limits) = (account(), limits());
        // Escaped it is five times as long.
        for (length, parts, told) in [(1024, 1, vec![]), (1025, 2, vec!["caption-too-long"])] {
            let draft = draft(&account, &limits, vec![with(&"&".repeat(length), vec![file(MediaKind::Image, 1, 1)])]);
            assert_eq!(problems(&draft), told);
            let plan = plan(&draft).expect("a plan");
            assert_eq!(plan.parts(), parts);
            let requests = requests(&plan, &Settings::default());
            let last = requests.last().expect("a request");
            assert_eq!(last.request["method"], if parts == 1 { "sendPhoto" } else { "sendMessage" });
            if parts == 2 {
                assert_eq!(requests[0].request["fields"].get("caption"), None);
                assert_eq!(last.request["fields"]["reply_parameters"], json!({"message_id": 100}));
                assert_ne!(requests[0].key, last.key);
            }
        }
    }

    #[test]
    fn albums_have_rules() {
        let (account, limits) = (account(), limits());
        let of = |media: Vec<DraftMedia>| problems(&draft(&account, &limits, vec![with("x", media)]));
        let picture = || file(MediaKind::Image, 100, 5);
        let film = || file(MediaKind::Video, 1, 1);
        assert_eq!(of(vec![picture(), film()]), Vec::<&str>::new());
        assert_eq!(of([vec![picture(); 6], vec![film(); 5]].concat()), ["media-too-many"]);
        assert_eq!(of(vec![picture(), file(MediaKind::Animation, 1, 1)]), ["media-mixed"]);
        assert_eq!(of(vec![file(MediaKind::Image, 101, 5)]), ["media-cannot-fit"]);
        assert_eq!(of(vec![file(MediaKind::Image, 5, 101)]), ["media-cannot-fit"]);
    }

    #[test]
    fn the_line_below_a_warning_counts() {
        let (account, limits) = (account(), limits());
        let mut draft = draft(&account, &limits, vec![text(&"x".repeat(4091))]);
        draft.content_warning = Some("abc".to_owned());
        assert_eq!(problems(&draft), Vec::<&str>::new());
        draft.parts[0].text.push('x');
        assert_eq!(problems(&draft), ["text-too-long"]);
    }

    #[test]
    fn what_is_sent_later_cannot_be_answered() {
        let (account, limits) = (account(), limits());
        let plan = plan(&draft(&account, &limits, vec![text("One"), text("Two")])).expect("a plan");
        let identity = plans::identity("7/-1", "https://api.telegram.org");
        rehearse(&plan, |step, progress| {
            let request = freeze(step, progress, &identity, &Settings::default()).expect("a request").request;
            assert_eq!(request["fields"].get("reply_parameters"), None, "{request}");
            Gave::Receipt(LATER.to_string(), Value::Null)
        });
    }

    #[test]
    fn a_post_of_its_own_chat_is_answered_there() {
        let (account, limits) = (account(), limits());
        let answered = |post: &str| {
            let mut draft = draft(&account, &limits, vec![text("x")]);
            draft.reply_to = Some(post.to_owned());
            requests(&plan(&draft).expect("a plan"), &Settings::default())[0].request["fields"]["reply_parameters"]
                .clone()
        };
        for own in ["17", "https://t.me/Acme/17", "https://t.me/c/1234567890/17"] {
            assert_eq!(answered(own), json!({"message_id": 17}), "{own}");
        }
        assert_eq!(answered("https://t.me/other/17"), json!({"message_id": 17, "chat_id": "@other"}));
        assert_eq!(answered("https://t.me/c/5/17"), json!({"message_id": 17, "chat_id": -1005}));
    }
}
