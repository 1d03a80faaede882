//! From a draft to steps, and from steps to the one request of each part. Pure.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::profile::{CAROUSEL, HASHTAGS, MENTIONS, SHAPES};
use crate::adapter::check::files_together;
use crate::adapter::graph::{Container, Fields, File, Hosting, Id, Shown};
use crate::adapter::{Draft, Fault, Identity, Plan, Progress, Step, refused};
use crate::model::{Frozen, MediaFacts, MediaKind, Place, Problem, codes};
use crate::text::{FoundKind, find};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Sees that the account's quota has room; gives nothing.
    Quota,
    /// Puts a file where the network can fetch it.
    Host(Hosting),
    /// Makes the container of a carousel's file and waits until it is ready.
    Item(File),
    /// Makes the post's container and waits until it is ready.
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

/// A post, but for what is known only when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    caption: String,
    #[serde(flatten)]
    shown: Shown,
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
    files_together(&post.media, CAROUSEL, 0, problems);
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
    refused(problems)?;
    let mut plan = Plan::default();
    plan.prepare(0, &Task::Quota);
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let key = draft.key("instagram part", number);
        if index > 0 {
            plan.publish(number, &Task::Comment { key, message: part.text.clone() });
            continue;
        }
        let shown = Shown::plan(&mut plan, number, (draft, &part.media), Task::Host, Task::Item);
        let container = plan.prepare(number, &Task::Container(Message { caption: part.text.clone(), shown }));
        plan.publish(number, &Task::Publish { key, container, caption: part.text.clone() });
    }
    Ok(plan)
}

/// The request for the container of a carousel's file.
pub(super) fn item(file: &File, progress: &Progress) -> Result<Fields, Fault> {
    let mut fields = if file.video {
        vec![("media_type", "VIDEO".to_owned()), ("video_url", file.url(progress)?)]
    } else {
        picture(file, progress)?
    };
    fields.push(("is_carousel_item", "true".to_owned()));
    Ok(fields)
}

/// What a picture is shown with. A `media_type` is for all else.
fn picture(file: &File, progress: &Progress) -> Result<Fields, Fault> {
    let mut fields = vec![("image_url", file.url(progress)?)];
    if !file.alt.is_empty() {
        fields.push(("alt_text", file.alt.clone()));
    }
    Ok(fields)
}

impl Message {
    /// The request for the post's container.
    pub(super) fn fields(&self, progress: &Progress) -> Result<Fields, Fault> {
        let mut fields = match (self.shown.children(progress)?, &self.shown.file) {
            (Some(children), _) => vec![("media_type", "CAROUSEL".to_owned()), ("children", children)],
            (None, Some(file)) if file.video => vec![
                ("media_type", "REELS".to_owned()),
                ("video_url", file.url(progress)?),
                ("share_to_feed", "true".to_owned()),
            ],
            (None, Some(file)) => picture(file, progress)?,
            (None, None) => return Err(Fault::NotSent("a post without a picture or a video".to_owned())),
        };
        if !self.caption.is_empty() {
            fields.push(("caption", self.caption.clone()));
        }
        Ok(fields)
    }
}

/// The request of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Request {
    /// A container to publish, and what its post is known again by.
    Publish {
        /// Whose it is.
        account: Id,
        /// The container.
        creation_id: Id,
        /// The post's text.
        caption: String,
    },
    /// A comment.
    Comment {
        /// Whose it is.
        account: Id,
        /// The post.
        media: Id,
        /// What it says.
        message: String,
    },
}

/// Puts the request of a part together: a container to publish, or a comment on the post.
pub(super) fn freeze(step: &Step, progress: &Progress, identity: &Identity) -> Result<Frozen, Fault> {
    let account = Id::parse(&identity.uid).ok_or_else(|| Fault::NotSent(format!("`{}` is no id", identity.uid)))?;
    let (key, request) = match step.task()? {
        Task::Publish { key, container, caption } => {
            let Container { container } = progress.given(container)?;
            (key, Request::Publish { account, creation_id: container, caption })
        }
        Task::Comment { key, message } => {
            let post = progress.receipts.iter().find(|receipt| receipt.part == 0);
            let post = post.ok_or_else(|| Fault::NotSent("there is no post to comment on".to_owned()))?;
            (key, Request::Comment { account, media: Id::of(post)?, message })
        }
        _ => return Err(Fault::NotSent(format!("step {} publishes nothing", step.index))),
    };
    Ok(Frozen { part: step.part, key, request: json!(request) })
}

#[cfg(test)]
mod tests {
    use super::super::profile::PROFILE;
    use super::*;
    use crate::adapter::suite::plans::{Gave, account, draft, identity, rehearse, shaped as file};
    use crate::adapter::{DraftMedia, DraftPart, Limits};
    use crate::model::LimitOverrides;

    fn part(text: &str, media: Vec<DraftMedia>) -> DraftPart {
        DraftPart { text: text.to_owned(), media }
    }

    /// What every step of a plan sends, with ids one after the other.
    fn requests(plan: &Plan) -> Vec<serde_json::Value> {
        let mut sent = Vec::new();
        rehearse(plan, |step, progress| {
            let id = format!("{}", 100 + step.index);
            match step.task().expect("a task") {
                Task::Quota => return Gave::Value(json!(null)),
                Task::Host(_) => {
                    let file = step.payload["media"]["file"].as_str().expect("a file");
                    return Gave::Value(json!({"url": format!("https://media.example/{file}")}));
                }
                Task::Item(file) => sent.push(json!(item(&file, progress).expect("hosted"))),
                Task::Container(message) => sent.push(json!(message.fields(progress).expect("all is there"))),
                Task::Publish { .. } | Task::Comment { .. } => {
                    let identity = identity("17841400000000000", "https://graph.instagram.com");
                    sent.push(json!(freeze(step, progress, &identity).expect("all is there")));
                    return Gave::Receipt(id, json!(null));
                }
            }
            Gave::Value(json!({"container": id}))
        });
        sent
    }

    #[test]
    fn a_nasty_carousel_with_a_comment() {
        let acme = account("ig", "instagram");
        let limits = Limits::new(&PROFILE, &LimitOverrides { image_bytes: Some(1000), ..LimitOverrides::default() });
        let media = vec![
            file("img/a.png", "a \"quoted\" alt", MediaKind::Image, (4, 5)),
            file("b.mp4", "not sent", MediaKind::Video, (0, 0)),
        ];
        let text = "👩‍👩‍👧 \"مرحبا\" @bob\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #tag";
        let draft = draft(&acme, &limits, vec![part(text, media), part("First! &  so on", vec![])]);
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn one_picture_and_one_reel() {
        let acme = account("ig", "instagram");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let of = |media| requests(&plan(&draft(&acme, &limits, vec![part("Hi", vec![media])])).expect("a plan"));
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
        let acme = account("ig", "instagram");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let shape = |sides| file("a.png", "A dot", MediaKind::Image, sides);
        let codes_of = |parts: Vec<DraftPart>| {
            let mut problems = Vec::new();
            check(&draft(&acme, &limits, parts), &mut problems);
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
