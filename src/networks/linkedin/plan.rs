//! From a draft to steps, and from steps to the one request. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::{Draft, DraftMedia, Fault, Identity, Plan, Progress, Step, refused};
use crate::model::{Frozen, LimitOverrides, MediaKind, Place, Poll, Problem, codes, hex};
use crate::text::little_text;

use super::profile::{GROUP, PART, QUESTION, VIDEO_MIN};
use super::wire::{Urn, post_urn};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Uploads a picture; gives a [`Found`].
    Image {
        /// The file.
        media: DraftMedia,
        /// What it is fitted to.
        limits: LimitOverrides,
    },
    /// Begins the upload of a video; gives a [`Begun`].
    Begin {
        /// The file.
        media: DraftMedia,
    },
    /// Uploads some parts of a video; gives [`Parts`].
    Append {
        /// The file.
        media: DraftMedia,
        /// The step that began the upload.
        begin: usize,
        /// The number of the first part.
        first: usize,
        /// How many there are; `None`: all that are left.
        count: Option<usize>,
    },
    /// Puts the parts of a video together; gives a [`Found`].
    Finish {
        /// The step that began the upload.
        begin: usize,
        /// The steps that uploaded its parts.
        parts: Vec<usize>,
    },
    /// Waits until `LinkedIn` is done with a video; gives a [`Found`].
    Await {
        /// The step that put it together.
        finish: usize,
    },
    /// Uploads a document; gives a [`Found`].
    Document {
        /// The file.
        media: DraftMedia,
    },
    /// Waits until `LinkedIn` is done with a document; gives a [`Found`].
    Read {
        /// The step that uploaded it.
        document: usize,
    },
    /// Makes a link card; gives a [`Card`].
    Card {
        /// The link.
        url: String,
        /// It stands in no text: without a card it would be lost.
        needed: bool,
    },
    /// Posts.
    Publish(Message),
}

/// What a preparing step gave: the name of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) urn: String,
}

/// A video's upload, begun. The addresses take this one video alone, and end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) urn: String,
    pub(super) token: String,
    /// Address, first and last byte of each part.
    pub(super) parts: Vec<(String, u64, u64)>,
}

/// What `LinkedIn` calls the parts that it has, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parts {
    pub(super) ids: Vec<String>,
}

/// What making a card gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Card {
    /// `content.article`; `None`: the post goes without a card.
    pub(super) article: Option<Value>,
    /// Why it is not all that it could be.
    pub(super) why: Option<String>,
}

/// A post, but for what only `LinkedIn` knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Names the request in the ledger. `LinkedIn` is not told: it has no keys.
    key: String,
    /// Little text.
    commentary: String,
    /// Indexes of the steps that upload its files, with their alt texts.
    files: Vec<(usize, String)>,
    /// What its document is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    card: Option<usize>,
    poll: Option<Value>,
    /// The post that is shared.
    quote: Option<String>,
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let Some(part) = draft.parts.first() else { return };
    let key = |key: &'static str| Place::Key { key };
    let text = Place::Text { key: "text", index: 0, start: 0, end: part.text.len() };
    let (commentary, poll) = commentary(draft);
    let length = commentary.encode_utf16().count() as u64;
    let max = draft.limits.text.first().map_or(u64::MAX, |limit| limit.max);
    // Each hashtag with a `_` in it takes more than its letters; the rest was counted before.
    let raw = crate::text::measure(&part.text, little());
    if length > max && raw <= max {
        problems.push(
            Problem::error(
                codes::TEXT_TOO_LONG,
                text.clone(),
                format!("{length} characters of little text, {} too many", length - max),
            )
            .help("shorten it; a hashtag with `_` takes 11 more, as LinkedIn writes it"),
        );
    }
    if let (Some(asked), Some(question)) = (&draft.poll, poll) {
        let count = question.chars().count();
        if count > QUESTION {
            problems.push(
                Problem::error(
                    codes::POST_REFUSED,
                    text,
                    format!("a poll's question of {count} characters, {} too many", count - QUESTION),
                )
                .help("the first line of the text is the question; what is left goes above it"),
            );
        }
        if duration(asked).is_none() {
            problems.push(
                Problem::error(codes::POLL_DURATION, key("poll"), "LinkedIn's polls are open for 1, 3, 7 or 14 days")
                    .help("write `duration = \"1d\"`, `\"3d\"`, `\"7d\"` or `\"14d\"`"),
            );
        }
        if draft.link.is_some() {
            problems.push(
                Problem::error(codes::POST_REFUSED, key("link"), "a poll and a link card cannot go together")
                    .help("put the link into the text, and set `link = \"\"` under `[posts.for.…]`"),
            );
        }
    }
    for (index, media) in part.media.iter().enumerate() {
        if media.facts.kind == MediaKind::Video && media.facts.bytes < VIDEO_MIN {
            problems.push(Problem::error(
                codes::MEDIA_TYPE_UNSUITABLE,
                Place::Media { index, key: "file" },
                format!("a video of {} bytes, and LinkedIn takes none below {VIDEO_MIN}", media.facts.bytes),
            ));
        }
    }
    if let Some(quote) = &draft.quote {
        if post_urn(quote).is_none() {
            problems.push(
                Problem::error(codes::POST_REFERENCE, key("quote"), format!("`{quote}` names no post of LinkedIn"))
                    .help("write its address, `https://www.linkedin.com/feed/update/urn:li:share:123/`, or `urn:li:share:123`"),
            );
        }
        if !part.media.is_empty() || draft.poll.is_some() || draft.link.is_some() {
            problems.push(
                Problem::error(
                    codes::POST_REFUSED,
                    key("quote"),
                    "a shared post goes without files, poll and link card",
                )
                .help("take them out, or take `quote` out and link to the post"),
            );
        }
    }
}

fn little() -> crate::text::Counting {
    crate::text::Counting { unit: crate::text::Unit::LittleText, link: None, mention: crate::text::MentionWeight::Raw }
}

/// The little text of a post, and its poll's question: the first line of the text, which then does not stand above it.
fn commentary(draft: &Draft<'_>) -> (String, Option<String>) {
    let text = draft.parts.first().map_or("", |part| part.text.as_str());
    if draft.poll.is_none() {
        return (little_text(text), None);
    }
    let (question, rest) = text.trim_start().split_once('\n').unwrap_or((text.trim(), ""));
    (little_text(rest.trim()), Some(question.trim().to_owned()))
}

/// How `LinkedIn` calls the time that a poll is open.
fn duration(poll: &Poll) -> Option<&'static str> {
    match poll.seconds {
        86_400 => Some("ONE_DAY"),
        259_200 => Some("THREE_DAYS"),
        604_800 => Some("SEVEN_DAYS"),
        1_209_600 => Some("FOURTEEN_DAYS"),
        _ => None,
    }
}

/// The steps of a draft: its uploads or its card, then its post.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let first = index == 0;
        let mut files = Vec::new();
        for media in &part.media {
            let upload = match media.facts.kind {
                MediaKind::Video => video(&mut plan, number, media),
                MediaKind::Document => {
                    let document = plan.prepare(number, &Task::Document { media: media.unsaid() });
                    plan.prepare(number, &Task::Read { document })
                }
                MediaKind::Image | MediaKind::Animation => {
                    plan.prepare(number, &Task::Image { media: media.unsaid(), limits: draft.limits.of_pictures() })
                }
            };
            files.push((upload, media.alt.clone()));
        }
        let (commentary, question) = if first { commentary(draft) } else { (little_text(&part.text), None) };
        let link = draft.link.as_ref().filter(|_| first && files.is_empty() && draft.poll.is_none());
        let card = link.map(|url| {
            let needed = !part.text.contains(url.as_str());
            plan.prepare(number, &Task::Card { url: url.clone(), needed })
        });
        let poll = draft.poll.as_ref().filter(|_| first).map(|poll| {
            let options: Vec<_> = poll.options.iter().map(|option| json!({"text": option})).collect();
            json!({"question": question, "options": options, "settings": {"duration": duration(poll)}})
        });
        let message = Message {
            key: hex(&draft.delivery.derive_bytes("linkedin post", number, draft.generation)[..16]),
            commentary,
            files,
            title: part.media.iter().find_map(|media| draft.titles.get(&media.file)).cloned(),
            card,
            poll,
            quote: draft.quote.as_deref().filter(|_| first).and_then(post_urn).map(|urn| urn.as_str().to_owned()),
        };
        plan.publish(number, &Task::Publish(message));
    }
    Ok(plan)
}

/// A video goes in groups of parts, each a step that is kept: what was cut goes on with the next group. `LinkedIn` says
/// itself where parts begin and end; should it be other than expected, the last group takes what is left.
fn video(plan: &mut Plan, part: u16, media: &DraftMedia) -> usize {
    let begin = plan.prepare(part, &Task::Begin { media: media.unsaid() });
    let expected = usize::try_from(media.facts.bytes.div_ceil(PART)).unwrap_or(usize::MAX).max(1);
    let mut parts = Vec::new();
    for first in (0..expected).step_by(GROUP) {
        let count = (first + GROUP < expected).then_some(GROUP);
        parts.push(plan.prepare(part, &Task::Append { media: media.unsaid(), begin, first, count }));
    }
    let finish = plan.prepare(part, &Task::Finish { begin, parts });
    plan.prepare(part, &Task::Await { finish });
    finish
}

/// Puts the request together: `author` and `at` for looking it up, `body` for sending it.
pub(super) fn freeze(
    step: &Step,
    progress: &Progress,
    identity: &Identity,
    at: DateTime<Utc>,
) -> Result<Frozen, Fault> {
    let Task::Publish(message) = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let body = message.body(progress, &identity.uid)?;
    let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    Ok(Frozen { part: step.part, key: message.key, request: json!({"author": identity.uid, "at": at, "body": body}) })
}

impl Message {
    fn body(&self, progress: &Progress, author: &str) -> Result<Value, Fault> {
        let mut body = json!({
            "author": author,
            "commentary": self.commentary,
            "visibility": "PUBLIC",
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": "PUBLISHED",
            "isReshareDisabledByAuthor": false,
        });
        if let Some(content) = self.content(progress)? {
            body["content"] = content;
        }
        if let Some(quote) = &self.quote {
            body["reshareContext"] = json!({"parent": quote});
        }
        Ok(body)
    }

    fn content(&self, progress: &Progress) -> Result<Option<Value>, Fault> {
        if let Some(poll) = &self.poll {
            return Ok(Some(json!({"poll": poll})));
        }
        if let Some(step) = self.card {
            let card: Card = progress.given(step)?;
            return Ok(card.article.map(|article| json!({"article": article})));
        }
        let mut files = Vec::new();
        for (step, alt) in &self.files {
            let urn = Urn::parse(&progress.given::<Found>(*step)?.urn)
                .ok_or_else(|| Fault::NotSent(format!("step {step} gave no name")))?;
            let mut file = Map::from_iter([("id".to_owned(), json!(urn.as_str()))]);
            // Videos and documents have no place for one; of documents readers see the title.
            if !alt.is_empty() && urn.kind() == "image" {
                file.insert("altText".to_owned(), json!(alt));
            }
            if let Some(title) = self.title.as_ref().filter(|_| urn.kind() == "document") {
                file.insert("title".to_owned(), json!(title));
            }
            files.push(Value::Object(file));
        }
        Ok(match files.len() {
            0 => None,
            1 => Some(json!({"media": files.remove(0)})),
            _ => Some(json!({"multiImage": {"images": files}})),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapter::suite::plans::{self, Gave, at, file, rehearse, text};
    use crate::adapter::{DraftPart, Limits};
    use crate::model::Account;
    use crate::networks::linkedin::profile::PROFILE;

    fn account() -> (Account, Limits) {
        (plans::account("page", "linkedin"), Limits::new(&PROFILE, &LimitOverrides::default()))
    }

    fn draft<'a>(account: &'a Account, limits: &'a Limits, part: DraftPart) -> Draft<'a> {
        plans::draft(account, limits, vec![part])
    }

    fn codes_of(draft: &Draft<'_>) -> Vec<&'static str> {
        plan(draft).err().unwrap_or_default().iter().map(|problem| problem.code.0).collect()
    }

    /// The plan, and the request when each step has given what it gives.
    fn shown(draft: &Draft<'_>) -> Value {
        let plan = plan(draft).expect("a plan");
        assert_eq!(plan, super::plan(draft).expect("the same plan"));
        let identity = plans::identity("urn:li:organization:7", "https://api.linkedin.com");
        let mut requests = Vec::new();
        rehearse(&plan, |step, progress| {
            Gave::Value(match step.task().expect("a task") {
                Task::Image { .. } => json!({"urn": format!("urn:li:image:C{}", step.index)}),
                Task::Begin { .. } => json!({"urn": "urn:li:video:C9", "token": "", "parts": []}),
                Task::Append { .. } => json!({"ids": ["etag"]}),
                Task::Finish { .. } | Task::Await { .. } => json!({"urn": "urn:li:video:C9"}),
                Task::Document { .. } | Task::Read { .. } => json!({"urn": "urn:li:document:D9"}),
                Task::Card { url, .. } => json!({"article": {"source": url, "title": "Acme 2.0"}, "why": null}),
                Task::Publish(_) => {
                    requests.push(freeze(step, progress, &identity, at()).expect("all is prepared"));
                    return Gave::Receipt("urn:li:share:1".to_owned(), Value::Null);
                }
            })
        });
        json!({"plan": plan, "requests": requests})
    }

    #[test]
    fn a_nasty_post_with_pictures() {
        let (account, limits) = account();
        let mut part = text(
            "👩‍👩‍👧 \"مرحبا\" @bob (see [1]) #release_notes #tag\n\n<b>https://acme.example/ä_(x)?x=1&y=2#z</b> \u{0}",
        );
        part.media = vec![
            file("img/a.png", MediaKind::Image, "image/png", 9, "a \"quoted\" alt"),
            file("img/b.gif", MediaKind::Animation, "image/gif", 9, ""),
        ];
        insta::assert_json_snapshot!(shown(&draft(&account, &limits, part)));
    }

    #[test]
    fn a_film_goes_in_parts() {
        let (account, limits) = account();
        let mut part = text("Look");
        part.media = vec![file("v.mp4", MediaKind::Video, "video/mp4", 6 * PART + 1, "A film")];
        insta::assert_json_snapshot!(shown(&draft(&account, &limits, part)));
    }

    #[test]
    fn a_document_goes_with_its_title() {
        let (account, limits) = account();
        let mut part = text("Our *deck*");
        part.media = vec![file("deck.pdf", MediaKind::Document, "application/pdf", 9, "Twelve slides")];
        let mut draft = draft(&account, &limits, part);
        draft.titles = BTreeMap::from([("deck.pdf".to_owned(), "Acme [2.0] in \"12\" slides".to_owned())]);
        insta::assert_json_snapshot!(shown(&draft));
    }

    #[test]
    fn a_link_a_poll_and_a_shared_post() {
        let (account, limits) = account();
        let mut card = draft(&account, &limits, text("Out now"));
        card.link = Some("https://acme.example/2.0?utm_source=linkedin".to_owned());
        let mut poll = draft(&account, &limits, text("Which *one*?\nTell us (please)."));
        poll.poll = Some(Poll {
            options: vec!["This & that".to_owned(), "مرحبا".to_owned()],
            seconds: 604_800,
            multiple: false,
            hide_totals: true,
        });
        let mut share = draft(&account, &limits, text("Read this"));
        share.quote = Some("https://www.linkedin.com/feed/update/urn:li:share:42/".to_owned());
        insta::assert_json_snapshot!([shown(&card), shown(&poll), shown(&share)]);
    }

    #[test]
    fn what_linkedin_would_refuse_is_refused() {
        let (account, limits) = account();
        let poll = |seconds| Poll {
            options: vec!["a".to_owned(), "b".to_owned()],
            seconds,
            multiple: false,
            hide_totals: false,
        };
        let mut asked = draft(&account, &limits, text(&"x".repeat(141)));
        asked.poll = Some(poll(172_800));
        asked.link = Some("https://acme.example".to_owned());
        assert_eq!(codes_of(&asked), ["post-refused", "poll-duration", "post-refused"]);
        let mut small = text("");
        small.media = vec![file("v.mp4", MediaKind::Video, "video/mp4", 10, "")];
        assert_eq!(codes_of(&draft(&account, &limits, small)), ["media-type-unsuitable"]);
        let mut share = draft(&account, &limits, text("a"));
        share.quote = Some("urn:li:person:1".to_owned());
        share.link = Some("https://acme.example".to_owned());
        assert_eq!(codes_of(&share), ["post-reference", "post-refused"]);
        // 3,000 as they are counted, but a hashtag with `_` is written in its long form.
        let long = format!("{} #a_b", "x".repeat(2993));
        assert_eq!(codes_of(&draft(&account, &limits, text(&long))), ["text-too-long"]);
        assert_eq!(codes_of(&draft(&account, &limits, text(&"x".repeat(3000)))), [""; 0]);
    }
}
