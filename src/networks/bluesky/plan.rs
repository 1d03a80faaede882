//! From a draft to steps, and from steps to the one request of each part. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::{Draft, DraftMedia, Fault, Identity, Plan, Progress, Step, is_language, refused};
use crate::model::{Frozen, MediaKind, Place, Problem, codes};

use super::facets::{Mark, What, facet, marks};
use super::key::record_key;
use super::video;
use super::wire::{POSTS, PostRef, StrongRef, put_record};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Uploads a file; gives an [`Upload`].
    Upload {
        /// The file.
        media: DraftMedia,
        /// At most, in bytes.
        bytes: u64,
        /// At most, width × height.
        pixels: u64,
        /// Longest side.
        side: u32,
    },
    /// Begins to send a video to the video service; gives a [`super::video::Begun`].
    VideoBegin {
        /// The file.
        media: DraftMedia,
        /// The service.
        service: String,
    },
    /// Sends the parts of a video that begin within some bytes; gives nothing.
    VideoParts {
        /// The file.
        media: DraftMedia,
        /// The service.
        service: String,
        /// The step that began it.
        begin: usize,
        /// From this byte.
        from: u64,
        /// To before this byte.
        to: u64,
    },
    /// Ends the upload, or sends the whole video to the account's server; gives a [`super::video::Finished`].
    VideoFinish {
        /// The file.
        media: DraftMedia,
        /// The service.
        service: String,
        /// The step that began it.
        begin: usize,
    },
    /// Waits until the service is done with a video; gives an [`Upload`].
    VideoAwait {
        /// The file.
        media: DraftMedia,
        /// The service.
        service: String,
        /// The step that ended it.
        finish: usize,
    },
    /// Makes a link card; gives a [`Card`].
    Card {
        /// The page.
        url: String,
        /// The link stands in no text: without a card it would be lost.
        needed: bool,
    },
    /// Looks mentioned handles up; gives an object of DIDs by handle, `null` for those that nobody has.
    Mentions {
        /// The handles.
        handles: Vec<String>,
    },
    /// Looks up the post that is answered or quoted; gives a [`Target`].
    Find {
        /// DID or handle.
        repo: String,
        /// Record key.
        key: String,
    },
    /// Writes the record.
    Publish(Message),
}

/// A part, but for what only the network knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    key: String,
    text: String,
    marks: Vec<Mark>,
    languages: Vec<String>,
    labels: Vec<String>,
    tags: Vec<String>,
    files: Vec<File>,
    /// Index of the step that makes the card, and so on.
    card: Option<usize>,
    mentions: Option<usize>,
    reply: Option<usize>,
    quote: Option<usize>,
}

/// A file of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct File {
    step: usize,
    alt: String,
    video: bool,
}

/// What an upload gave.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    /// The server's own value, unchanged.
    pub(super) blob: Value,
    /// 0 where it is not known.
    pub(super) width: u32,
    /// 0 where it is not known.
    pub(super) height: u32,
}

/// What making a card gave.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Card {
    /// `external` of the embed; `None`: the post goes without a card.
    pub(super) external: Option<Value>,
    /// What is missing, and why, for people.
    pub(super) why: Option<String>,
}

/// A post that is answered or quoted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Target {
    /// The post.
    pub(super) post: StrongRef,
    /// The first post of its thread: itself, perhaps.
    pub(super) root: StrongRef,
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    for (key, value) in [("reply_to", &draft.reply_to), ("quote", &draft.quote)] {
        if let Some(value) = value
            && PostRef::parse(value).is_none()
        {
            problems.push(
                Problem::error(
                    codes::POST_REFERENCE,
                    Place::Key { key },
                    format!("`{value}` is not a post on Bluesky"),
                )
                .help("write its address, `https://bsky.app/profile/…/post/…` or `at://…/app.bsky.feed.post/…`"),
            );
        }
    }
    for language in &draft.languages {
        if !is_language(language) {
            problems.push(
                Problem::error(codes::LANGUAGE, Place::Key { key: "lang" }, format!("`{language}` is not a language"))
                    .help("write a BCP 47 tag such as `en`, `de` or `pt-BR`"),
            );
        }
    }
}

/// The steps of a draft: for each part its uploads and look-ups, then its record.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    let all: Vec<Vec<Mark>> = draft.parts.iter().map(|part| marks(&part.text)).collect();
    let mut handles: Vec<String> = all
        .iter()
        .flatten()
        .filter_map(|mark| if let What::Mention(handle) = &mark.what { Some(handle.clone()) } else { None })
        .collect();
    handles.sort();
    handles.dedup();
    let mentions = (!handles.is_empty()).then(|| plan.prepare(0, &Task::Mentions { handles }));
    let find = |plan: &mut Plan, post: &Option<String>| {
        let PostRef { repo, key } = PostRef::parse(post.as_deref()?)?;
        Some(plan.prepare(0, &Task::Find { repo, key }))
    };
    let reply = find(&mut plan, &draft.reply_to);
    let quote = find(&mut plan, &draft.quote);
    for (index, (part, marks)) in draft.parts.iter().zip(all).enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let files = part
            .media
            .iter()
            .map(|media| {
                let image = draft.limits.image;
                let task =
                    Task::Upload { media: media.clone(), bytes: image.bytes, pixels: image.pixels, side: image.side };
                let video = media.facts.kind == MediaKind::Video;
                let step = match video::service(draft.account).filter(|_| video) {
                    Some(service) => film(&mut plan, number, media, service),
                    None => plan.prepare(number, &task),
                };
                File { step, alt: media.alt.clone(), video }
            })
            .collect();
        let card = match &draft.link {
            Some(url) if index == 0 && part.media.is_empty() => {
                let needed = !draft.parts.iter().any(|part| part.text.contains(url.as_str()));
                Some(plan.prepare(number, &Task::Card { url: url.clone(), needed }))
            }
            _ => None,
        };
        plan.publish(
            number,
            &Task::Publish(Message {
                key: record_key(draft.delivery, number, draft.generation),
                text: part.text.clone(),
                marks,
                languages: draft.languages.clone(),
                labels: draft.labels.clone(),
                tags: if index == 0 { draft.tags.clone() } else { Vec::new() },
                files,
                card,
                mentions,
                reply,
                quote: quote.filter(|_| index == 0),
            }),
        );
    }
    Ok(plan)
}

/// The steps of a video: it goes in groups of parts, each a step that is kept, so what was cut goes on with the next group.
fn film(plan: &mut Plan, part: u16, media: &DraftMedia, service: &str) -> usize {
    let media = || media.unsaid();
    let service = || service.to_owned();
    let begin = plan.prepare(part, &Task::VideoBegin { media: media(), service: service() });
    let (bytes, mut from) = (media().facts.bytes, 0);
    while from < bytes {
        let to = from + video::GROUP;
        plan.prepare(part, &Task::VideoParts { media: media(), service: service(), begin, from, to });
        from = to;
    }
    let finish = plan.prepare(part, &Task::VideoFinish { media: media(), service: service(), begin });
    plan.prepare(part, &Task::VideoAwait { media: media(), service: service(), finish })
}

/// Puts the request of a part together.
pub(super) fn freeze(
    step: &Step,
    progress: &Progress,
    identity: &Identity,
    at: DateTime<Utc>,
) -> Result<Frozen, Fault> {
    let Task::Publish(message) = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let record = message.record(step.part, progress, at)?;
    let request = put_record(&identity.uid, &message.key, &record);
    Ok(Frozen { part: step.part, key: message.key, request })
}

impl Message {
    fn record(&self, part: u16, progress: &Progress, at: DateTime<Utc>) -> Result<Value, Fault> {
        let mut record = Map::new();
        record.insert("$type".to_owned(), json!(POSTS));
        record.insert("text".to_owned(), json!(self.text));
        record.insert("createdAt".to_owned(), json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)));
        let dids: Value = self.mentions.map_or(Ok(Value::Null), |step| progress.given(step))?;
        let did = |handle: &str| dids.get(handle).and_then(Value::as_str).map(str::to_owned);
        let facets: Vec<Value> = self.marks.iter().filter_map(|mark| facet(mark, did)).collect();
        for (key, values) in [("langs", json!(self.languages)), ("tags", json!(self.tags)), ("facets", json!(facets))] {
            if values.as_array().is_some_and(|values| !values.is_empty()) {
                record.insert(key.to_owned(), values);
            }
        }
        if !self.labels.is_empty() {
            let values: Vec<Value> = self.labels.iter().map(|label| json!({"val": label})).collect();
            let labels = json!({"$type": "com.atproto.label.defs#selfLabels", "values": values});
            record.insert("labels".to_owned(), labels);
        }
        if let Some(reply) = self.reply(part, progress)? {
            record.insert("reply".to_owned(), reply);
        }
        if let Some(embed) = self.embed(progress)? {
            record.insert("embed".to_owned(), embed);
        }
        Ok(Value::Object(record))
    }

    fn reply(&self, part: u16, progress: &Progress) -> Result<Option<Value>, Fault> {
        let target: Option<Target> = self.reply.map(|step| progress.given(step)).transpose()?;
        if part == 0 {
            return Ok(target.map(|target| json!({"root": target.root, "parent": target.post})));
        }
        let parent = receipt(progress, part - 1)?;
        let root = match target {
            Some(target) => target.root,
            None => receipt(progress, 0)?,
        };
        Ok(Some(json!({"root": root, "parent": parent})))
    }

    fn embed(&self, progress: &Progress) -> Result<Option<Value>, Fault> {
        let media = self.media(progress)?;
        let Some(step) = self.quote else { return Ok(media) };
        let quoted: Target = progress.given(step)?;
        let record = json!({"$type": "app.bsky.embed.record", "record": quoted.post});
        Ok(Some(match media {
            None => record,
            Some(media) => json!({"$type": "app.bsky.embed.recordWithMedia", "record": record, "media": media}),
        }))
    }

    fn media(&self, progress: &Progress) -> Result<Option<Value>, Fault> {
        if let Some(file) = self.files.iter().find(|file| file.video) {
            let upload: Upload = progress.given(file.step)?;
            let mut embed = json!({"$type": "app.bsky.embed.video", "video": upload.blob});
            if !file.alt.is_empty() {
                embed["alt"] = json!(file.alt);
            }
            shape(&mut embed, &upload);
            return Ok(Some(embed));
        }
        if !self.files.is_empty() {
            let images = self
                .files
                .iter()
                .map(|file| {
                    let upload: Upload = progress.given(file.step)?;
                    let mut image = json!({"alt": file.alt, "image": upload.blob});
                    shape(&mut image, &upload);
                    Ok(image)
                })
                .collect::<Result<Vec<Value>, Fault>>()?;
            return Ok(Some(json!({"$type": "app.bsky.embed.images", "images": images})));
        }
        let Some(step) = self.card else { return Ok(None) };
        let card: Card = progress.given(step)?;
        Ok(card.external.map(|external| json!({"$type": "app.bsky.embed.external", "external": external})))
    }
}

/// Width and height, so that readers can leave room before the picture is there.
fn shape(embed: &mut Value, upload: &Upload) {
    if upload.width > 0 && upload.height > 0 {
        embed["aspectRatio"] = json!({"width": upload.width, "height": upload.height});
    }
}

/// A part that is out.
fn receipt(progress: &Progress, part: u16) -> Result<StrongRef, Fault> {
    progress
        .receipts
        .iter()
        .find(|receipt| receipt.part == part)
        .and_then(|receipt| {
            let cid = receipt.data.get("cid")?.as_str()?.to_owned();
            Some(StrongRef { uri: receipt.id.clone(), cid })
        })
        .ok_or_else(|| Fault::NotSent(format!("part {} is not out yet, so nothing can answer it", part + 1)))
}
