//! From a draft to steps, and from steps to the one request of each part. Pure.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::profile::{CAROUSEL, HASHTAGS, MENTIONS, SHAPES};
use crate::adapter::graph::Fields;
use crate::adapter::{Draft, DraftMedia, Fault, Identity, Plan, Progress, Step, StepKind};
use crate::model::{Frozen, LimitOverrides, MediaFacts, MediaKind, Place, Problem, Severity, codes, hex};
use crate::text::{FoundKind, find};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Sees that the account's quota has room; gives nothing.
    Quota,
    /// Puts a file where the network can fetch it; gives a [`Hosted`].
    Host {
        /// The file.
        media: DraftMedia,
        /// What it is fitted to.
        limits: LimitOverrides,
    },
    /// Makes the container of a carousel's file and waits until it is ready; gives a [`Container`].
    Item(File),
    /// Makes the post's container and waits until it is ready; gives a [`Container`].
    Container(Message),
    /// Publishes a container.
    Publish {
        /// Names the part.
        key: String,
        /// The step that makes the container.
        container: usize,
        /// The caption, to know the post again by.
        caption: String,
    },
    /// Comments on the post.
    Comment {
        /// Names the part.
        key: String,
        /// What it says.
        message: String,
    },
}

/// Where a file lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hosted {
    pub(super) url: String,
}

/// A container that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Container {
    pub(super) container: String,
}

/// A file of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct File {
    /// The step that puts it where it can be fetched.
    host: usize,
    video: bool,
    alt: String,
}

/// A post, but for what is known only when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    caption: String,
    /// Its only file.
    file: Option<File>,
    /// The steps that make a carousel's containers.
    items: Vec<usize>,
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    for (index, part) in draft.parts.iter().enumerate() {
        let place = || Place::Text { key: "text", index, start: 0, end: part.text.len() };
        let found = find(&part.text);
        let count = |kind: FoundKind| found.iter().filter(|found| found.kind == kind).count();
        let (tags, mentions) = (count(FoundKind::Tag), count(FoundKind::Mention));
        if tags > HASHTAGS {
            let message = format!("{tags} hashtags, {} too many", tags - HASHTAGS);
            problems.push(
                Problem::error(codes::TAGS_TOO_MANY, place(), message).help("a handful is enough; take some out"),
            );
        }
        if mentions > MENTIONS {
            let message = format!("{mentions} mentions, {} too many", mentions - MENTIONS);
            problems.push(Problem::error(codes::MENTIONS_TOO_MANY, place(), message).help("take some out"));
        }
    }
    let Some(post) = draft.parts.first() else { return };
    let videos = post.media.iter().filter(|media| media.facts.kind == MediaKind::Video).count();
    if post.media.len() > CAROUSEL && videos > 0 && videos < post.media.len() {
        let message = format!("{} files, {} too many", post.media.len(), post.media.len() - CAROUSEL);
        problems.push(Problem::error(codes::MEDIA_TOO_MANY, Place::Media { index: CAROUSEL, key: "" }, message));
    }
    for (index, media) in post.media.iter().enumerate() {
        if let Some((why, help)) = wrong_shape(&media.facts) {
            let place = Place::Media { index, key: "file" };
            problems.push(Problem::error(codes::MEDIA_CANNOT_FIT, place, why).help(help));
        }
    }
    let later = draft.parts.iter().skip(1);
    if later.clone().any(|part| !part.media.is_empty()) {
        let place = Place::Media { index: post.media.len(), key: "" };
        let message = "a comment has no pictures and no videos";
        problems.push(Problem::error(codes::MEDIA_UNSUPPORTED, place, message).help("put them into the post itself"));
    }
    if let Some(index) = later.clone().position(|part| part.text.trim().is_empty()) {
        let place = Place::Text { key: "text", index: index + 1, start: 0, end: 0 };
        problems.push(Problem::error(codes::TEXT_EMPTY, place, "a comment without text"));
    }
    if draft.parts.len() > 2 {
        let end = draft.parts[2].text.len();
        let place = Place::Text { key: "text", index: 2, start: 0, end };
        problems.push(Problem::error(
            codes::THREAD_UNSUPPORTED,
            place,
            "the network has no threads, only a first comment",
        ));
    }
}

/// Why a picture has a shape that is refused, and what to do. It is never cut by itself: what would be lost, a person knows.
fn wrong_shape(facts: &MediaFacts) -> Option<(String, String)> {
    let (width, height) = (u64::from(facts.width), u64::from(facts.height));
    if facts.kind != MediaKind::Image || width == 0 || height == 0 {
        return None;
    }
    let shown = format!("a picture of {width}×{height}");
    let (most, least) = (*SHAPES.end(), *SHAPES.start());
    if width * 100 > height * most {
        let fits = height * most / 100;
        return Some((
            format!("{shown} is wider than 1.91:1"),
            format!("cut its width to {fits} or less, or put something above and below it"),
        ));
    }
    if width * 100 < height * least {
        let fits = width * 100 / least;
        return Some((
            format!("{shown} is higher than 4:5"),
            format!("cut its height to {fits} or less, or put something beside it"),
        ));
    }
    None
}

/// The steps of a draft: the quota, its files, its container, the call; then the comment.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    problems.retain(|problem| problem.severity == Severity::Error);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut steps = Steps::default();
    steps.push(0, StepKind::Prepare, &Task::Quota);
    let limits = LimitOverrides {
        image_bytes: Some(draft.limits.image.bytes),
        image_pixels: Some(draft.limits.image.pixels),
        video_bytes: draft.limits.video.map(|rule| rule.bytes),
        ..LimitOverrides::default()
    };
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let bytes = draft.delivery.derive_bytes("instagram part", number, draft.generation);
        let (half, _) = bytes.split_at(16);
        let key = hex(half);
        if index > 0 {
            steps.push(number, StepKind::Publish, &Task::Comment { key, message: part.text.clone() });
            continue;
        }
        let mut files: Vec<File> = part
            .media
            .iter()
            .map(|media| {
                let task = Task::Host { media: media.clone(), limits: limits.clone() };
                let host = steps.push(number, StepKind::Prepare, &task);
                File { host, video: media.facts.kind == MediaKind::Video, alt: media.alt.clone() }
            })
            .collect();
        let mut items = Vec::new();
        if files.len() > 1 {
            items.extend(files.drain(..).map(|file| steps.push(number, StepKind::Prepare, &Task::Item(file))));
        }
        let message = Message { caption: part.text.clone(), file: files.pop(), items };
        let container = steps.push(number, StepKind::Prepare, &Task::Container(message));
        steps.push(number, StepKind::Publish, &Task::Publish { key, container, caption: part.text.clone() });
    }
    Ok(Plan { steps: steps.0 })
}

#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn push(&mut self, part: u16, kind: StepKind, task: &Task) -> usize {
        let index = self.0.len();
        let payload = serde_json::to_value(task).expect("a task is plain data");
        self.0.push(Step { index, part, kind, payload });
        index
    }
}

/// A step's task.
pub(super) fn task(step: &Step) -> Result<Task, Fault> {
    serde_json::from_value(step.payload.clone())
        .map_err(|error| Fault::NotSent(format!("a step cannot be read: {error}")))
}

/// What an earlier step gave.
fn given<T: serde::de::DeserializeOwned>(progress: &Progress, step: usize) -> Result<T, Fault> {
    let value = progress.value(step).and_then(|value| serde_json::from_value(value.clone()).ok());
    value.ok_or_else(|| Fault::NotSent(format!("step {step} has not been prepared")))
}

impl File {
    fn put(&self, alone: bool, progress: &Progress, fields: &mut Fields) -> Result<(), Fault> {
        let Hosted { url } = given(progress, self.host)?;
        if self.video {
            fields.push(("media_type", if alone { "REELS" } else { "VIDEO" }.to_owned()));
            fields.push(("video_url", url));
            if alone {
                fields.push(("share_to_feed", "true".to_owned()));
            }
        } else {
            fields.push(("image_url", url));
            if !self.alt.is_empty() {
                fields.push(("alt_text", self.alt.clone()));
            }
        }
        Ok(())
    }

    /// The request for the container of a carousel's file.
    pub(super) fn item(&self, progress: &Progress) -> Result<Fields, Fault> {
        let mut fields = Fields::new();
        self.put(false, progress, &mut fields)?;
        fields.push(("is_carousel_item", "true".to_owned()));
        Ok(fields)
    }
}

impl Message {
    /// The request for the post's container.
    pub(super) fn fields(&self, progress: &Progress) -> Result<Fields, Fault> {
        let mut fields = Fields::new();
        if let Some(file) = &self.file {
            file.put(true, progress, &mut fields)?;
        } else {
            let items = self.items.iter().map(|step| Ok(given::<Container>(progress, *step)?.container));
            let items: Vec<String> = items.collect::<Result<_, Fault>>()?;
            fields.push(("media_type", "CAROUSEL".to_owned()));
            fields.push(("children", items.join(",")));
        }
        if !self.caption.is_empty() {
            fields.push(("caption", self.caption.clone()));
        }
        Ok(fields)
    }
}

/// Puts the request of a part together: a container to publish, or a comment on the post.
pub(super) fn freeze(step: &Step, progress: &Progress, identity: &Identity) -> Result<Frozen, Fault> {
    let (key, request) = match task(step)? {
        Task::Publish { key, container, caption } => {
            let Container { container } = given(progress, container)?;
            (key, json!({"account": identity.uid, "creation_id": container, "caption": caption}))
        }
        Task::Comment { key, message } => {
            let post = progress.receipts.iter().find(|receipt| receipt.part == 0);
            let post = post.ok_or_else(|| Fault::NotSent("there is no post to comment on".to_owned()))?;
            (key, json!({"account": identity.uid, "media": post.id, "message": message}))
        }
        _ => return Err(Fault::NotSent(format!("step {} publishes nothing", step.index))),
    };
    Ok(Frozen { part: step.part, key, request })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::profile::PROFILE;
    use super::*;
    use crate::adapter::{DraftPart, Limits};
    use crate::model::{Account, AccountName, CalendarName, DeliveryId, OccurrenceName, PostId, Prepared, Receipt};

    fn at() -> DateTime<Utc> {
        "2026-12-01T09:00:00Z".parse().expect("a date")
    }

    fn draft<'a>(account: &'a Account, limits: &'a Limits, parts: Vec<DraftPart>) -> Draft<'a> {
        let delivery = DeliveryId::derive(
            &CalendarName::new("acme"),
            &OccurrenceName::once(&PostId::new("launch")),
            &AccountName::new("ig"),
        );
        Draft::new(delivery, account, limits, parts)
    }

    fn file(file: &str, alt: &str, kind: MediaKind, sides: (u32, u32)) -> DraftMedia {
        let mime = if kind == MediaKind::Video { "video/mp4" } else { "image/png" };
        let facts = MediaFacts { kind, mime: mime.to_owned(), bytes: 9, width: sides.0, height: sides.1 };
        DraftMedia { file: file.to_owned(), alt: alt.to_owned(), facts }
    }

    fn part(text: &str, media: Vec<DraftMedia>) -> DraftPart {
        DraftPart { text: text.to_owned(), media }
    }

    fn identity() -> Identity {
        Identity {
            uid: "17841400000000000".to_owned(),
            handle: "@acme".to_owned(),
            host: "https://graph.instagram.com".to_owned(),
            limits: LimitOverrides::default(),
            repeat: None,
        }
    }

    /// What every step of a plan sends, with ids one after the other.
    fn requests(plan: &Plan) -> Vec<serde_json::Value> {
        let mut progress = Progress::default();
        let mut sent = Vec::new();
        for step in &plan.steps {
            let id = format!("{}", 100 + step.index);
            let value = match task(step).expect("a task") {
                Task::Quota => json!(null),
                Task::Host { media, .. } => json!({"url": format!("https://media.example/{}", media.file)}),
                Task::Item(file) => {
                    sent.push(json!(file.item(&progress).expect("hosted")));
                    json!({"container": id})
                }
                Task::Container(message) => {
                    sent.push(json!(message.fields(&progress).expect("all is there")));
                    json!({"container": id})
                }
                Task::Publish { .. } | Task::Comment { .. } => {
                    sent.push(json!(freeze(step, &progress, &identity()).expect("all is there")));
                    let receipt = Receipt { part: step.part, id, url: None, at: at(), data: serde_json::Value::Null };
                    progress.receipts.push(receipt);
                    continue;
                }
            };
            progress.prepared.push(Prepared { step: step.index, value, at: at() });
        }
        sent
    }

    #[test]
    fn a_nasty_carousel_with_a_comment() {
        let account = Account::new(AccountName::new("ig"), "instagram");
        let limits = Limits::new(&PROFILE, &LimitOverrides { image_bytes: Some(1000), ..LimitOverrides::default() });
        let media = vec![
            file("img/a.png", "a \"quoted\" alt", MediaKind::Image, (4, 5)),
            file("b.mp4", "not sent", MediaKind::Video, (0, 0)),
        ];
        let text = "👩‍👩‍👧 \"مرحبا\" @bob\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #tag";
        let draft = draft(&account, &limits, vec![part(text, media), part("First! &  so on", vec![])]);
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn one_picture_and_one_reel() {
        let account = Account::new(AccountName::new("ig"), "instagram");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let of = |media| requests(&plan(&draft(&account, &limits, vec![part("Hi", vec![media])])).expect("a plan"));
        assert_eq!(
            of(file("a.png", "A dot", MediaKind::Image, (9, 9)))[0],
            json!([["image_url", "https://media.example/a.png"], ["alt_text", "A dot"], ["caption", "Hi"]])
        );
        assert_eq!(
            of(file("a.mp4", "", MediaKind::Video, (0, 0)))[0],
            json!([
                ["media_type", "REELS"],
                ["video_url", "https://media.example/a.mp4"],
                ["share_to_feed", "true"],
                ["caption", "Hi"]
            ])
        );
    }

    #[test]
    fn what_data_cannot_say() {
        let account = Account::new(AccountName::new("ig"), "instagram");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let shape = |sides| file("a.png", "A dot", MediaKind::Image, sides);
        let codes_of = |parts: Vec<DraftPart>| {
            let mut problems = Vec::new();
            check(&draft(&account, &limits, parts), &mut problems);
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>()
        };
        for good in [(1, 1), (400, 500), (1910, 1000)] {
            assert_eq!(codes_of(vec![part("Hi", vec![shape(good)])]), [], "{good:?}");
        }
        for bad in [(399, 500), (1911, 1000)] {
            assert_eq!(codes_of(vec![part("Hi", vec![shape(bad)])]), [codes::MEDIA_CANNOT_FIT], "{bad:?}");
        }
        let (why, help) = wrong_shape(&shape((3000, 1000)).facts).expect("too wide");
        assert!(why.contains("3000×1000") && help.contains("1910"), "{why}: {help}");
        let caption = |text: String| codes_of(vec![part(&text, vec![shape((1, 1))])]);
        assert_eq!(caption("#a ".repeat(30)), []);
        assert_eq!(caption("#a ".repeat(31)), [codes::TAGS_TOO_MANY]);
        assert_eq!(caption("@bob ".repeat(21)), [codes::MENTIONS_TOO_MANY]);
        let comment = |media| codes_of(vec![part("Hi", vec![shape((1, 1))]), part("First", media)]);
        assert_eq!(comment(vec![]), []);
        assert_eq!(comment(vec![shape((1, 1))]), [codes::MEDIA_UNSUPPORTED]);
    }
}
