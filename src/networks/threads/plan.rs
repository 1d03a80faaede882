//! From a draft to steps, and from steps to the one request of each part. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::profile::{CAROUSEL, LINKS, RATIO, TOPIC};
use crate::adapter::check::files_together;
use crate::adapter::graph::{Container, Fields, File, Hosting, Id, Shown};
use crate::adapter::{Draft, Fault, Identity, Plan, Progress, Step, refused};
use crate::model::{Frozen, MediaKind, Place, Problem, codes};
use crate::text::{FoundKind, find};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Sees that the account's quotas have room for the whole delivery; gives nothing.
    Quota {
        /// Posts that answer nobody.
        posts: u64,
        /// Posts that answer one.
        replies: u64,
    },
    /// Puts a file where the network can fetch it.
    Host(Hosting),
    /// Makes the container of a carousel's file and waits until it is ready.
    Item(File),
    /// Makes a part's container and waits until it is ready.
    Container(Message),
    /// Publishes a container.
    Publish {
        /// Names the part.
        key: String,
        /// The step that makes the container.
        container: usize,
        /// The text, to know the post again by.
        text: String,
        /// It answers a post.
        reply: bool,
    },
}

/// A part, but for what is known only when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    text: String,
    #[serde(flatten)]
    shown: Shown,
    /// It answers the part before it.
    pub(super) follows: bool,
    /// The post that it answers.
    reply: Option<String>,
    quote: Option<String>,
    topic: Option<String>,
    /// A poll's choices.
    poll: Vec<String>,
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    for (key, value) in [("reply_to", &draft.reply_to), ("quote", &draft.quote)] {
        if let Some(value) = value
            && Id::parse(value).is_none()
        {
            let message = format!("`{value}` is not the id of a post");
            problems.push(Problem::error(codes::POST_REFERENCE, Place::Key { key }, message).help(
                "write the number that the API gives a post, as `smm show` has it: it cannot be found by its address",
            ));
        }
    }
    for tag in &draft.tags {
        if tag.contains(['.', '&']) || tag.trim().is_empty() {
            let message = format!("`{tag}` cannot be a topic: it must not be empty or have a `.` or `&` in it");
            problems.push(Problem::error(codes::TAG_UNSUITABLE, Place::Key { key: "tags" }, message));
        } else if tag.chars().count() > TOPIC {
            let message = format!("the topic `{tag}` has {} characters; at most {TOPIC}", tag.chars().count());
            problems.push(Problem::error(codes::TAG_TOO_LONG, Place::Key { key: "tags" }, message));
        }
    }
    let mut first = 0;
    for (index, part) in draft.parts.iter().enumerate() {
        let place = Place::Text { key: "text", index, start: 0, end: part.text.len() };
        let found = find(&part.text);
        let links: BTreeSet<&str> = found
            .iter()
            .filter(|found| matches!(found.kind, FoundKind::Link | FoundKind::BareLink))
            .map(|found| &part.text[found.start..found.end])
            .collect();
        if links.len() > LINKS {
            let message = format!("{} different links, {} too many", links.len(), links.len() - LINKS);
            problems.push(
                Problem::error(codes::LINKS_TOO_MANY, place, message).help("leave some out, or make it a thread"),
            );
        }
        files_together(&part.media, CAROUSEL, first, problems);
        for (index, media) in part.media.iter().enumerate() {
            let (long, short) = (media.facts.width.max(media.facts.height), media.facts.width.min(media.facts.height));
            if media.facts.kind == MediaKind::Image && long > short.saturating_mul(RATIO) {
                let message = format!(
                    "a picture of {}×{}: one side may be at most {RATIO} times the other",
                    media.facts.width, media.facts.height
                );
                let place = Place::Media { index: first + index, key: "file" };
                problems.push(Problem::error(codes::MEDIA_CANNOT_FIT, place, message).help("cut it to another shape"));
            }
        }
        first += part.media.len();
    }
}

/// The steps of a draft: the quota, then for each part its files, its container, and the call.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    let total = draft.parts.len() as u64;
    let posts = u64::from(draft.reply_to.is_none() && total > 0);
    plan.prepare(0, &Task::Quota { posts, replies: total - posts });
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let first = index == 0;
        let shown = Shown::plan(&mut plan, number, (draft, &part.media), Task::Host, Task::Item);
        let reply = draft.reply_to.clone().filter(|_| first);
        let replies = !first || reply.is_some();
        let message = Message {
            text: part.text.clone(),
            shown,
            follows: !first,
            reply,
            quote: draft.quote.clone().filter(|_| first),
            topic: draft.tags.first().cloned().filter(|_| first),
            poll: draft.poll.iter().filter(|_| first).flat_map(|poll| poll.options.clone()).collect(),
        };
        let container = plan.prepare(number, &Task::Container(message));
        let key = draft.key("threads part", number);
        plan.publish(number, &Task::Publish { key, container, text: part.text.clone(), reply: replies });
    }
    Ok(plan)
}

/// What a container is made of that shows this file.
fn shows(file: &File, progress: &Progress) -> Result<Fields, Fault> {
    let (kind, key) = if file.video { ("VIDEO", "video_url") } else { ("IMAGE", "image_url") };
    let mut fields = vec![("media_type", kind.to_owned()), (key, file.url(progress)?)];
    if !file.alt.is_empty() {
        fields.push(("alt_text", file.alt.clone()));
    }
    Ok(fields)
}

/// The request for the container of a carousel's file.
pub(super) fn item(file: &File, progress: &Progress) -> Result<Fields, Fault> {
    let mut fields = shows(file, progress)?;
    fields.push(("is_carousel_item", "true".to_owned()));
    Ok(fields)
}

impl Message {
    /// The request for the part's container.
    pub(super) fn fields(&self, part: u16, progress: &Progress) -> Result<Fields, Fault> {
        let mut fields = match (self.shown.children(progress)?, &self.shown.file) {
            (Some(children), _) => vec![("media_type", "CAROUSEL".to_owned()), ("children", children)],
            (None, Some(file)) => shows(file, progress)?,
            (None, None) => vec![("media_type", "TEXT".to_owned())],
        };
        if !self.text.is_empty() {
            fields.push(("text", self.text.clone()));
        }
        let answered =
            if self.follows { progress.before(part)?.map(|receipt| receipt.id.clone()) } else { self.reply.clone() };
        fields.extend(answered.map(|id| ("reply_to_id", id)));
        fields.extend(self.quote.clone().map(|id| ("quote_post_id", id)));
        fields.extend(self.topic.clone().map(|topic| ("topic_tag", topic)));
        if !self.poll.is_empty() {
            let names = ["option_a", "option_b", "option_c", "option_d"];
            let poll: serde_json::Map<String, serde_json::Value> =
                names.iter().zip(&self.poll).map(|(name, option)| ((*name).to_owned(), json!(option))).collect();
            fields.push(("poll_attachment", json!(poll).to_string()));
        }
        Ok(fields)
    }
}

/// The request of a part: its container, and what its post is known again by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    account: String,
    pub(super) creation_id: Id,
    pub(super) text: String,
    /// It answers a post.
    pub(super) reply: bool,
}

/// Puts the request of a part together.
pub(super) fn freeze(step: &Step, progress: &Progress, identity: &Identity) -> Result<Frozen, Fault> {
    let Task::Publish { key, container, text, reply } = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let Container { container } = progress.given(container)?;
    let request = Request { account: identity.uid.clone(), creation_id: container, text, reply };
    Ok(Frozen { part: step.part, key, request: json!(request) })
}

#[cfg(test)]
mod tests {
    use super::super::profile::PROFILE;
    use super::*;
    use crate::adapter::Limits;
    use crate::adapter::suite::plans::{Gave, account, draft, identity, rehearse, shaped as file, text};
    use crate::model::{LimitOverrides, Poll};

    /// What every step of a plan sends, with ids one after the other.
    fn requests(plan: &Plan) -> Vec<serde_json::Value> {
        let mut sent = Vec::new();
        rehearse(plan, |step, progress| {
            let id = format!("{}", 100 + step.index);
            match step.task().expect("a task") {
                Task::Quota { .. } => return Gave::Value(json!(null)),
                Task::Host(_) => {
                    let file = step.payload["media"]["file"].as_str().expect("a file");
                    return Gave::Value(json!({"url": format!("https://media.example/{file}")}));
                }
                Task::Item(file) => sent.push(json!(item(&file, progress).expect("hosted"))),
                Task::Container(message) => {
                    sent.push(json!(message.fields(step.part, progress).expect("all is there")));
                }
                Task::Publish { .. } => {
                    let identity = identity("314", "https://graph.threads.net");
                    sent.push(json!(freeze(step, progress, &identity).expect("all is there")));
                    return Gave::Receipt(id, json!(null));
                }
            }
            Gave::Value(json!({"container": id}))
        });
        sent
    }

    #[test]
    fn a_nasty_thread() {
        let acme = account("th", "threads");
        let limits = Limits::new(&PROFILE, &LimitOverrides { image_bytes: Some(1000), ..LimitOverrides::default() });
        let mut first = text("👩‍👩‍👧 \"مرحبا\" @bob\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #tag");
        first.media = vec![
            file("img/a.png", "a \"quoted\" alt", MediaKind::Image, (3, 3)),
            file("b.mp4", "", MediaKind::Video, (0, 0)),
        ];
        let mut third = text("");
        third.media = vec![file("img/c.png", "c", MediaKind::Image, (30, 3))];
        let mut draft = draft(&acme, &limits, vec![first, text("2/3 \u{0} end"), third]);
        draft.reply_to = Some("17900000000000042".to_owned());
        draft.quote = Some("77".to_owned());
        draft.tags = vec!["Rust & Co".replace(" & ", " ")];
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn a_poll_is_sent_with_its_text() {
        let acme = account("th", "threads");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let mut draft = draft(&acme, &limits, vec![text("Which?")]);
        draft.poll = Some(Poll {
            options: vec!["This & that".to_owned(), "\"That\"".to_owned()],
            seconds: 86_400,
            multiple: false,
            hide_totals: false,
        });
        let sent = requests(&plan(&draft).expect("a plan"));
        let poll = r#"{"option_a":"This & that","option_b":"\"That\""}"#;
        assert_eq!(sent[0], json!([["media_type", "TEXT"], ["text", "Which?"], ["poll_attachment", poll]]));
    }

    #[test]
    fn what_data_cannot_say() {
        let acme = account("th", "threads");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let codes_of = |change: &dyn Fn(&mut Draft<'_>)| {
            let mut draft = draft(&acme, &limits, vec![text("Hello")]);
            change(&mut draft);
            let mut problems = Vec::new();
            check(&draft, &mut problems);
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>()
        };
        assert_eq!(codes_of(&|_| {}), []);
        assert_eq!(
            codes_of(&|draft| draft.reply_to = Some("https://www.threads.com/@a/post/X".to_owned())),
            [codes::POST_REFERENCE]
        );
        assert_eq!(codes_of(&|draft| draft.tags = vec!["a.b".to_owned()]), [codes::TAG_UNSUITABLE]);
        assert_eq!(codes_of(&|draft| draft.tags = vec!["x".repeat(51)]), [codes::TAG_TOO_LONG]);
        let links =
            |count: usize| (0..count).map(|n| format!("https://acme.example/{n} ")).collect::<Vec<_>>().concat();
        assert_eq!(codes_of(&|draft| draft.parts[0].text = links(5).repeat(2)), [], "the same ones again");
        assert_eq!(codes_of(&|draft| draft.parts[0].text = links(6)), [codes::LINKS_TOO_MANY]);
        let wide = |width: u32| file("w.png", "w", MediaKind::Image, (width, 10));
        assert_eq!(codes_of(&|draft| draft.parts[0].media = vec![wide(100)]), []);
        assert_eq!(codes_of(&|draft| draft.parts[0].media = vec![wide(101)]), [codes::MEDIA_CANNOT_FIT]);
        let mixed = |draft: &mut Draft<'_>| {
            draft.parts[0].media = vec![file("v.mp4", "v", MediaKind::Video, (0, 0)); 2];
            draft.parts[0].media.extend(vec![wide(10); 19]);
        };
        assert_eq!(codes_of(&mixed), [codes::MEDIA_TOO_MANY]);
    }
}
