//! From a draft to steps, and from steps to the one event of each part. Pure.
//!
//! One file is one event, and one event is one part of the plan: a part of the draft with a text and two pictures becomes
//! three of them, each with an intent of its own. The text goes first.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::{Draft, DraftMedia, DraftPart, Fault, Identity, Plan, Progress, Step, refused};
use crate::model::{Frozen, LimitOverrides, MediaKind, Place, Problem, codes};

use super::profile::{CONTENT_BYTES, TEXT_BYTES};
use super::{Kind, Settings, markup, wire};

/// Bytes of an event that stands in a thread beside its text: kind, mentions, three ids of at most 255 bytes.
const FRAME_BYTES: usize = 1_200;

/// Bytes that a picture's event has beside its alt text: file name, address, facts, relations.
const FILE_BYTES: usize = 2_000;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Makes sure that the room can be written to: we are in it, and it is not encrypted. Gives a [`Ready`].
    Room,
    /// Uploads a file; gives an [`Uploaded`].
    Upload {
        /// The file.
        media: DraftMedia,
        /// What it is fitted to.
        limits: LimitOverrides,
    },
    /// Sends an event.
    Publish(Message),
}

/// What [`Task::Room`] gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    /// The device that the token is of. Transaction ids are known again for the same device alone.
    pub(super) device: Option<String>,
}

/// What [`Task::Upload`] gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uploaded {
    /// `mxc://…`.
    pub(super) uri: String,
    /// The file's name.
    pub(super) name: String,
    /// `mimetype`, `size`, `w`, `h`.
    pub(super) info: Value,
}

/// A part, but for what only the server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    key: String,
    /// The event's content, without what is added when it is frozen.
    content: Map<String, Value>,
    /// Indexes of the steps that look at the room and upload its file.
    room: usize,
    file: Option<usize>,
    /// It is in the thread of an earlier part.
    thread: Option<Thread>,
    /// The id of the event that it answers.
    reply: Option<String>,
}

/// Where in a thread a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Thread {
    /// The part that the thread begins with.
    root: u16,
    /// The part that it answers.
    before: u16,
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if let Some(post) = &draft.reply_to
        && wire::event_id(post).is_none()
    {
        let place = Place::Key { key: "reply_to" };
        problems.push(
            Problem::error(codes::POST_REFERENCE, place, format!("`{post}` is not an event of the room"))
                .help("write the link that \"Share\" gives, `https://matrix.to/#/…`, or the event's id, `$…`"),
        );
    }
    let mut first = 0;
    for (index, part) in draft.parts.iter().enumerate() {
        let size = written(&part.text) + FRAME_BYTES;
        // What is longer is refused already.
        if part.text.len() as u64 <= TEXT_BYTES && size > CONTENT_BYTES {
            let place = Place::Text { key: "text", index, start: 0, end: part.text.len() };
            let message = format!(
                "an event of {size} bytes, of which {CONTENT_BYTES} fit: each line break and quotation mark counts two"
            );
            problems.push(
                Problem::error(codes::TEXT_TOO_LONG, place, message)
                    .help("shorten it, or make it a thread with `split = true`"),
            );
        }
        for (number, media) in part.media.iter().enumerate() {
            let size = written(&media.alt) + FILE_BYTES;
            if size > CONTENT_BYTES {
                let place = Place::Media { index: first + number, key: "alt" };
                let message = format!("an alt text that makes an event of {size} bytes; {CONTENT_BYTES} fit");
                let help = "say what matters in the picture first; put long text into the post itself";
                problems.push(Problem::error(codes::ALT_TOO_LONG, place, message).help(help));
            }
        }
        first += part.media.len();
    }
}

/// Bytes of a text as JSON writes it.
fn written(text: &str) -> usize {
    // At least as many as it has: most need no writing.
    if text.len() * 6 + FILE_BYTES <= CONTENT_BYTES { text.len() + 2 } else { Value::from(text).to_string().len() }
}

/// The steps of a draft: for each event its look at the room and its upload, then the event.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    // Each would be an event of its own, so no server would refuse them.
    let most = draft.limits.max_images.max(draft.limits.max_videos) as usize;
    if draft.parts.iter().any(|part| too_many(part, most)) {
        problems.push(Problem::error(
            codes::MEDIA_TOO_MANY,
            Place::Post,
            format!("more than {most} files in one part"),
        ));
    }
    refused(problems)?;
    // What is wrong with them is said elsewhere.
    let (kind, markdown) =
        Settings::read(draft.account).map_or((Kind::Text, false), |settings| (settings.kind, settings.markdown));
    let limits = draft.limits.of_files();
    let mut plan = Plan::default();
    // The first event of the draft's part before.
    let mut before = None;
    for part in &draft.parts {
        let own = plan.parts();
        let reply = draft.reply_to.as_deref().and_then(wire::event_id).filter(|_| own == 0);
        let thread = before.map(|before| Thread { root: 0, before });
        // Files without a text speak for themselves.
        if !part.text.trim().is_empty() || part.media.is_empty() {
            event(&mut plan, draft, text_content(&part.text, kind, markdown), None, thread, reply.clone());
        }
        for media in &part.media {
            let first = plan.parts() == own;
            let upload = Task::Upload { media: media.clone(), limits: limits.clone() };
            let thread = thread.map(|thread| if first { thread } else { Thread { before: own, ..thread } });
            event(&mut plan, draft, file_content(media), Some(upload), thread, reply.clone().filter(|_| first));
        }
        before = Some(own);
    }
    Ok(plan)
}

/// Adds the steps of one event. Each has a look at the room of its own: what was seen with an earlier part may be old.
fn event(
    plan: &mut Plan,
    draft: &Draft<'_>,
    content: Map<String, Value>,
    upload: Option<Task>,
    thread: Option<Thread>,
    reply: Option<String>,
) {
    let part = plan.parts();
    let room = plan.prepare(part, &Task::Room);
    let file = upload.map(|task| plan.prepare(part, &task));
    // It is the transaction id.
    let key = draft.key("matrix transaction id", part);
    plan.publish(part, &Task::Publish(Message { key, content, room, file, thread, reply }));
}

/// Whether a part has more pictures, or more videos, than it may have.
fn too_many(part: &DraftPart, most: usize) -> bool {
    let videos = part.media.iter().filter(|media| media.facts.kind == MediaKind::Video).count();
    videos.max(part.media.len() - videos) > most
}

/// A text's event, with a formatted copy where that shows more and where there is room for both.
fn text_content(text: &str, kind: Kind, markdown: bool) -> Map<String, Value> {
    let kind = match kind {
        Kind::Text => "m.text",
        Kind::Notice => "m.notice",
    };
    let formatted = if markdown { Some(markup::markdown(text)) } else { markup::linked(text) };
    let fits = |html: &String| written(text) + written(html) + FRAME_BYTES <= CONTENT_BYTES;
    let mut content = Map::new();
    content.insert("msgtype".to_owned(), json!(kind));
    content.insert("body".to_owned(), json!(text));
    if let Some(html) = formatted.filter(fits) {
        content.insert("format".to_owned(), json!("org.matrix.custom.html"));
        content.insert("formatted_body".to_owned(), json!(html));
    }
    // Nobody is told of a name in the text, and `@room` is but a word.
    content.insert("m.mentions".to_owned(), json!({}));
    content
}

/// A file's event. The alt text stands where clients show a caption: Matrix has no other place for it.
fn file_content(media: &DraftMedia) -> Map<String, Value> {
    let kind = if media.facts.kind == MediaKind::Video { "m.video" } else { "m.image" };
    let mut content = Map::new();
    content.insert("msgtype".to_owned(), json!(kind));
    if !media.alt.is_empty() {
        content.insert("body".to_owned(), json!(media.alt));
    }
    content.insert("m.mentions".to_owned(), json!({}));
    content
}

/// Who an account is for ever: somebody in a room. One person may write to two rooms, and each gets the post.
pub(super) fn uid(user: &str, room: &str) -> String {
    format!("{user} {room}")
}

/// The request of a part, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    /// The room's id.
    pub(super) room: String,
    /// Who sends it.
    pub(super) sender: String,
    /// With which device.
    pub(super) device: Option<String>,
    /// The part that the thread begins with, for answers: its event's id. `None`: this one.
    pub(super) root: Option<String>,
    /// The event's content.
    pub(super) content: Map<String, Value>,
}

/// Puts the request of a part together.
pub(super) fn freeze(step: &Step, progress: &Progress, identity: &Identity) -> Result<Frozen, Fault> {
    let Task::Publish(message) = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let (sender, room) = identity
        .uid
        .split_once(' ')
        .ok_or_else(|| Fault::NotSent(format!("`{}` is nobody in a room", identity.uid)))?;
    let ready: Ready = progress.given(message.room)?;
    let mut content = message.content;
    if let Some(step) = message.file {
        let file: Uploaded = progress.given(step)?;
        content.entry("body").or_insert_with(|| json!(file.name));
        content.insert("filename".to_owned(), json!(file.name));
        content.insert("info".to_owned(), file.info);
        content.insert("url".to_owned(), json!(file.uri));
    }
    let mut root = None;
    if let Some(thread) = message.thread {
        let (begin, before) = (&progress.receipt(thread.root)?.id, &progress.receipt(thread.before)?.id);
        let relation = json!({
            "rel_type": "m.thread",
            "event_id": begin,
            // For clients that know no threads it is an answer.
            "is_falling_back": true,
            "m.in_reply_to": {"event_id": before},
        });
        content.insert("m.relates_to".to_owned(), relation);
        root = Some(begin.clone());
    } else if let Some(answered) = message.reply {
        content.insert("m.relates_to".to_owned(), json!({"m.in_reply_to": {"event_id": answered}}));
    }
    let request = Request { room: room.to_owned(), sender: sender.to_owned(), device: ready.device, root, content };
    Ok(Frozen { part: step.part, key: message.key, request: json!(request) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::Limits;
    use crate::adapter::suite::plans::{self, Gave, draft, rehearse, text};
    use crate::model::Account;
    use crate::networks::matrix::profile::PROFILE;

    #[expect(clippy::needless_pass_by_value, reason = "it is called with `json!`")]
    fn account(settings: Value) -> Account {
        let mut account = plans::account("room", "matrix");
        account.settings = settings.as_object().expect("a table").clone();
        account
    }

    fn picture(file: &str, alt: &str) -> DraftMedia {
        let mut picture = plans::file(file, MediaKind::Image, "image/png", 9, alt);
        picture.facts.height = 2;
        picture
    }

    /// All requests, every step having given its number.
    fn requests(plan: &Plan) -> Vec<Frozen> {
        let identity = plans::identity(&uid("@acme:acme.example", "!news:acme.example"), "https://acme.example");
        let mut frozen = Vec::new();
        rehearse(plan, |step, progress| match step.task().expect("a task") {
            Task::Room => Gave::Value(json!(Ready { device: Some("DEVICE".to_owned()) })),
            Task::Upload { media, .. } => Gave::Value(json!({
                "uri": format!("mxc://acme.example/{}", step.index), "name": media.file, "info": {"w": 3, "h": 2},
            })),
            Task::Publish(_) => {
                frozen.push(freeze(step, progress, &identity).expect("all is prepared"));
                Gave::Receipt(format!("$event{}", step.part), Value::Null)
            }
        });
        frozen
    }

    #[test]
    fn a_nasty_thread() {
        let account = account(json!({"room": "!news:acme.example"}));
        let limits = Limits::new(&PROFILE, &LimitOverrides { image_bytes: Some(1000), ..LimitOverrides::default() });
        let mut first = text("👩‍👩‍👧 \"مرحبا\" @bob:acme.example @room\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #tag");
        first.media = vec![picture("img/a.png", "a \"quoted\" alt\nof two lines"), picture("b.png", "")];
        let mut third = text("");
        third.media = vec![picture("c.png", "c"), picture("d.png", "d.png")];
        let mut draft = draft(&account, &limits, vec![first, text("2/3 \u{0} *end*"), third]);
        draft.reply_to = Some("https://matrix.to/#/%21news%3Aacme.example/%24before?via=acme.example".to_owned());
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        assert_eq!(plan.parts(), 6, "one file is one event");
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn settings_change_the_event_and_not_the_text() {
        let account = account(json!({"room": "!a:b", "kind": "notice", "markdown": true}));
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let plan = plan(&draft(&account, &limits, vec![text("**Hello**")])).expect("a plan");
        let content = &requests(&plan)[0].request["content"];
        assert_eq!(
            content,
            &json!({
                "msgtype": "m.notice",
                "body": "**Hello**",
                "format": "org.matrix.custom.html",
                "formatted_body": "<p><strong>Hello</strong></p>",
                "m.mentions": {},
            })
        );
    }

    #[test]
    fn an_event_has_room_for_so_much() {
        let account = account(json!({"room": "!a:b"}));
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let of = |said: String| {
            let draft = draft(&account, &limits, vec![text("a root"), text(&said)]);
            plan(&draft).map_err(|problems| problems[0].code.0)
        };
        let content = |plan: Plan| requests(&plan)[1].request["content"].clone();
        // A copy that does not fit is left out; the text is all there.
        let half = of(format!("{} https://a.example", "x".repeat(31_000))).expect("it fits");
        assert!(content(half).get("formatted_body").is_none());
        let less = content(of(format!("{} https://a.example", "x".repeat(29_000))).expect("it fits"));
        assert!(less.get("formatted_body").is_some());
        for said in ["x".repeat(60_000), "\n".repeat(30_000)] {
            let content = content(of(said).expect("it fits"));
            assert!(content.to_string().len() <= CONTENT_BYTES, "{}", content.to_string().len());
        }
        assert_eq!(of("\n".repeat(30_200)).expect_err("it does not"), "text-too-long");
        assert_eq!(of("\u{1}".repeat(10_100)).expect_err("it does not"), "text-too-long");
        let mut part = text("a");
        part.media = vec![picture("a.png", &"x".repeat(59_600))];
        assert_eq!(plan(&draft(&account, &limits, vec![part])).expect_err("too long")[0].code.0, "alt-too-long");
    }

    #[test]
    fn what_is_answered_is_an_event() {
        let account = account(json!({"room": "!a:b"}));
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let mut draft = draft(&account, &limits, vec![text("Hello")]);
        draft.reply_to = Some("$abc".to_owned());
        assert!(plan(&draft).is_ok());
        draft.reply_to = Some("https://fedi.example/@bob/1".to_owned());
        assert_eq!(plan(&draft).expect_err("no event")[0].code, codes::POST_REFERENCE);
    }
}
