//! What the files of a part break: their number, what goes together, and what each of them is.

use crate::model::{MediaKind, Place, Poll, Problem, codes};

use super::super::{DocumentRule, Draft, DraftMedia, DraftPart, Limits, Profile, VideoRule};
use super::{characters, size};

/// What a part's files break, alone and together. `first` is the number of the first of them over all parts.
pub(super) fn check(
    profile: &Profile,
    draft: &Draft<'_>,
    part: &DraftPart,
    poll: Option<&Poll>,
    first: usize,
    problems: &mut Vec<Problem>,
) {
    let limits = draft.limits;
    let at = |index: usize, key: &'static str| Place::Media { index: first + index, key };
    let is_video = |media: &DraftMedia| media.facts.kind == MediaKind::Video;
    let is_document = |media: &DraftMedia| media.facts.kind == MediaKind::Document;
    let videos = part.media.iter().filter(|media| is_video(media)).count();
    let documents = part.media.iter().filter(|media| is_document(media)).count();
    let images = part.media.len() - videos - documents;
    let mut seen = (0_u32, 0_u32);
    for (index, media) in part.media.iter().enumerate() {
        if is_document(media) {
            document(limits.document, draft, media, |key| at(index, key), problems);
            continue;
        }
        let (count, max, what) = if is_video(media) {
            seen.0 += 1;
            (seen.0, limits.max_videos, ("video", "videos"))
        } else {
            seen.1 += 1;
            (seen.1, limits.max_images, ("picture", "pictures"))
        };
        // Reported once, at the first one that is too many.
        if count == max + 1 && max > 0 {
            let total = if is_video(media) { videos } else { images };
            problems.push(
                Problem::error(
                    codes::MEDIA_TOO_MANY,
                    at(index, ""),
                    format!(
                        "{total} {}, {} too many: at most {max} in one part",
                        if total == 1 { what.0 } else { what.1 },
                        total - max as usize
                    ),
                )
                .help("take some out, or spread them over a thread with `part = 2`"),
            );
        } else if count == 1 && max == 0 && !is_video(media) {
            problems.push(
                Problem::error(codes::MEDIA_UNSUPPORTED, at(index, "file"), "the network takes no pictures")
                    .help("set `media = []` under `[posts.for.…]`"),
            );
        }
        one_file(limits, media, |key| at(index, key), problems);
    }
    if documents > 0 && part.media.len() > 1 && limits.document.is_some() {
        let odd = part.media.iter().rposition(is_document).unwrap_or(0);
        problems.push(
            Problem::error(codes::MEDIA_MIXED, at(odd, ""), "a document goes alone: no other file stands beside it")
                .help("take the others out, or send them in a post of their own"),
        );
    }
    if images > 0 && videos > 0 && !profile.media.mixed && limits.max_videos > 0 {
        let odd = part.media.iter().position(is_video).unwrap_or(0);
        problems.push(
            Problem::error(codes::MEDIA_MIXED, at(odd, ""), "pictures and a video cannot go together in one part")
                .help("take one kind out, or move it to another part of a thread with `part = 2`"),
        );
    }
    if let Some(_poll) = poll
        && !part.media.is_empty()
        && !profile.media.with_poll
        && limits.poll.is_some()
    {
        problems.push(
            Problem::error(codes::POLL_WITH_MEDIA, Place::Key { key: "poll" }, "a poll and media cannot go together")
                .help("take one of them out, or move the media to another part of a thread with `part = 2`"),
        );
    }
}

/// What the facts of one file break. Still pictures are fitted: whether that can be done is told by [`crate::media`].
fn one_file(limits: &Limits, media: &DraftMedia, at: impl Fn(&'static str) -> Place, problems: &mut Vec<Problem>) {
    let facts = &media.facts;
    match facts.kind {
        MediaKind::Video => match limits.video {
            Some(rule) if limits.max_videos > 0 => video(rule, media, at("file"), problems),
            _ => problems.push(
                Problem::error(codes::MEDIA_UNSUPPORTED, at("file"), "the network takes no videos")
                    .help("leave the video out with a `media` of its own under `[posts.for.…]`, and link to it"),
            ),
        },
        MediaKind::Animation => {
            if let Some(rule) = limits.animation {
                let why = if !rule.mimes.contains(&facts.mime.as_str()) {
                    Some(format!("an animation as {} is not taken, only {}", facts.mime, rule.mimes.join(", ")))
                } else if facts.bytes > rule.bytes {
                    Some(format!("an animation of {}, at most {}", size(facts.bytes), size(rule.bytes)))
                } else if facts.pixels() > rule.pixels || facts.width.max(facts.height) > rule.side {
                    Some(format!(
                        "an animation of {}×{}, {}",
                        facts.width,
                        facts.height,
                        if facts.pixels() > rule.pixels {
                            format!("at most {} pixels", rule.pixels)
                        } else {
                            format!("at most {} on a side", rule.side)
                        }
                    ))
                } else {
                    None
                };
                if let Some(why) = why {
                    problems.push(
                        Problem::error(codes::ANIMATION_TOO_LARGE, at("file"), why)
                            .help("animations are not re-encoded: make it smaller, shorter, or a video"),
                    );
                }
            }
        }
        // Documents have rules of their own.
        MediaKind::Image | MediaKind::Document => {}
    }
    if limits.alt.supported && limits.alt.max > 0 {
        // Bytes are never fewer than graphemes: most alt texts need no counting.
        let length = if media.alt.len() as u64 > limits.alt.max { characters(&media.alt) } else { 0 };
        if length > limits.alt.max {
            problems.push(
                Problem::error(
                    codes::ALT_TOO_LONG,
                    at("alt"),
                    format!("an alt text of {length} characters, {} too many", length - limits.alt.max),
                )
                .help("say what matters in the picture first; put long text into the post itself"),
            );
        }
    }
}

/// What a document breaks, and that it is called something.
fn document(
    rule: Option<DocumentRule>,
    draft: &Draft<'_>,
    media: &DraftMedia,
    at: impl Fn(&'static str) -> Place,
    problems: &mut Vec<Problem>,
) {
    let facts = &media.facts;
    let Some(rule) = rule else {
        problems.push(
            Problem::error(codes::MEDIA_UNSUPPORTED, at("file"), format!("the network takes no documents ({})", facts.mime))
                .help("leave it out with a `media` of its own under `[posts.for.…]`, and link to it, or show its pages as pictures"),
        );
        return;
    };
    if !rule.mimes.contains(&facts.mime.as_str()) {
        problems.push(
            Problem::error(
                codes::MEDIA_TYPE_UNSUITABLE,
                at("file"),
                format!("a document as {} is not taken, only {}", facts.mime, rule.mimes.join(", ")),
            )
            .help("documents are sent as they are: convert it first"),
        );
    } else if facts.bytes > rule.bytes {
        problems.push(
            Problem::error(
                codes::DOCUMENT_TOO_LARGE,
                at("file"),
                format!("a document of {}, at most {}", size(facts.bytes), size(rule.bytes)),
            )
            .help("documents are sent as they are: save it smaller first"),
        );
    }
    if !draft.titles.contains_key(&media.file) {
        problems.push(
            Problem::error(
                codes::DOCUMENT_TITLE,
                at(""),
                "a document without a title: readers see one above its pages",
            )
            .help("write it beside the file: `title = \"…\"`"),
        );
    }
}

fn video(rule: VideoRule, media: &DraftMedia, place: Place, problems: &mut Vec<Problem>) {
    let facts = &media.facts;
    if !rule.mimes.contains(&facts.mime.as_str()) {
        problems.push(
            Problem::error(
                codes::MEDIA_TYPE_UNSUITABLE,
                place,
                format!("a video as {} is not taken, only {}", facts.mime, rule.mimes.join(", ")),
            )
            .help("videos are sent as they are: convert it first"),
        );
    } else if facts.bytes > rule.bytes {
        problems.push(
            Problem::error(
                codes::VIDEO_TOO_LARGE,
                place,
                format!("a video of {}, at most {}", size(facts.bytes), size(rule.bytes)),
            )
            .help("videos are sent as they are: make it shorter or smaller first"),
        );
    }
}
