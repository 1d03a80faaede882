//! The checks that a profile's data is enough for. Pure.
//!
//! Places are those of the draft: [`Place::Text`] with the key `text` and the part's number as its index, a byte range of
//! the part's text; [`Place::Media`] with the file's number over all parts. [`crate::compose`], which knows what each part
//! was made from, turns them into places of the post.

use std::collections::BTreeSet;

use crate::model::{MediaKind, Place, Poll, Problem, Visibility, codes};
use crate::text::{Counting, MentionWeight, Overflow, Unit, measure, overflow};

use super::{CardSupport, Draft, DraftMedia, DraftPart, Limits, PollRules, Profile, VideoRule, WarningSupport};

/// Longest tag that is let through, in graphemes. No network that takes tags takes longer ones (Bluesky's `tags`:
/// `maxGraphemes` 64, lexicon `app.bsky.feed.post`, verified 2026-11-22), and a longer one is a sentence by mistake.
pub const TAG_MAX: usize = 64;

/// Checks a draft against what the profile and the account's limits say. What only the network itself can tell is
/// [`super::Network::check`]'s business.
pub fn check(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    texts(profile, draft, problems);
    threads(profile, draft, problems);
    let mut first = 0;
    for (index, part) in draft.parts.iter().enumerate() {
        let poll = if index == 0 { draft.poll.as_ref() } else { None };
        media(profile, draft.limits, part, poll, first, problems);
        first += part.media.len();
    }
    if profile.media.required && draft.parts.first().is_some_and(|part| part.media.is_empty()) {
        problems.push(
            Problem::error(codes::MEDIA_REQUIRED, Place::Post, "a post needs at least one picture or video here")
                .help("add `media = [{ file = \"…\", alt = \"…\" }]`"),
        );
    }
    if let Some(asked) = &draft.poll {
        poll(draft.limits.poll, asked, problems);
    }
    fields(profile, draft, problems);
}

/// The text limits of one part with the room that a content warning takes from them. What splitting and checking share.
pub fn room(profile: &Profile, limits: &Limits, warning: Option<&str>) -> Vec<(Counting, u64)> {
    limits
        .text
        .iter()
        .map(|limit| {
            let counting = limit.counting(limits.link, profile.text.mention);
            (counting, limit.max.saturating_sub(warning_length(profile, warning, counting)))
        })
        .collect()
}

/// What a content warning takes from a text's room.
fn warning_length(profile: &Profile, warning: Option<&str>, counting: Counting) -> u64 {
    match warning {
        Some(warning) if profile.text.counts_warning => measure(warning, counting),
        _ => 0,
    }
}

/// A unit with a number: `1 grapheme`, `12 bytes`.
pub fn units(count: u64, unit: Unit) -> String {
    format!("{count} {}", unit_word(count, unit))
}

/// The word for a unit: `grapheme`, `bytes`, …
pub fn unit_word(count: u64, unit: Unit) -> &'static str {
    let one = count == 1;
    match unit {
        Unit::Graphemes if one => "grapheme",
        Unit::Graphemes => "graphemes",
        Unit::CodePoints if one => "character",
        Unit::CodePoints => "characters",
        Unit::Utf16 if one => "UTF-16 unit",
        Unit::Utf16 => "UTF-16 units",
        Unit::Bytes if one => "byte",
        Unit::Bytes => "bytes",
        Unit::WeightedV3 if one => "weighted character",
        Unit::WeightedV3 => "weighted characters",
    }
}

/// Bytes for people: `812 B`, `1.2 MB`, `40 MB`.
pub fn size(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (step, name) in STEPS {
        if bytes >= step {
            let tenths = bytes / (step / 10);
            return if tenths % 10 == 0 || tenths >= 1000 {
                format!("{} {name}", tenths / 10)
            } else {
                format!("{}.{} {name}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes} B")
}

/// The first words of a text, for messages: at most about 24 characters, on one line.
pub fn opening(text: &str) -> String {
    let mut shown = String::new();
    for word in text.split_whitespace() {
        let length = shown.chars().count();
        if length == 0 {
            shown.extend(word.chars().take(24));
        } else if length + 1 + word.chars().count() <= 24 {
            shown.push(' ');
            shown.push_str(word);
        } else {
            break;
        }
    }
    shown
}

/// What a reader calls characters.
fn characters(text: &str) -> u64 {
    measure(text, Counting { unit: Unit::Graphemes, link: None, mention: MentionWeight::Raw })
}

fn part_place(index: usize, start: usize, end: usize) -> Place {
    Place::Text { key: "text", index, start, end }
}

fn texts(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let warning = draft.content_warning.as_deref();
    let room = room(profile, draft.limits, warning);
    for (index, part) in draft.parts.iter().enumerate() {
        if part.text.trim().is_empty() {
            if !may_be_empty(profile, draft, index, part) {
                let media = if profile.text.optional_with_media { ", and no picture or video either" } else { "" };
                problems.push(
                    Problem::error(codes::TEXT_EMPTY, part_place(index, 0, 0), format!("there is no text{media}"))
                        .help("write a `text`, or take the account out of `to`"),
                );
            }
            continue;
        }
        // Of several limits that are broken, the one that leaves least is the one to mend.
        let broken = room
            .iter()
            .filter_map(|(counting, max)| Some((*counting, overflow(&part.text, *counting, *max)?)))
            .min_by_key(|(_, found)| found.fits_until);
        if let Some((counting, found)) = broken {
            problems.push(too_long(profile, draft, index, &part.text, counting, found));
        }
    }
}

/// Whether a part needs no text: it has media, a link card or a long form that speaks for it.
fn may_be_empty(profile: &Profile, draft: &Draft<'_>, index: usize, part: &DraftPart) -> bool {
    let card = index == 0 && draft.link.is_some() && profile.card == CardSupport::Own;
    let long = index == 0 && profile.body && draft.body.as_deref().is_some_and(|body| !body.trim().is_empty());
    card || long || (profile.text.optional_with_media && !part.media.is_empty())
}

fn too_long(
    profile: &Profile,
    draft: &Draft<'_>,
    index: usize,
    text: &str,
    counting: Counting,
    found: Overflow,
) -> Problem {
    let taken = warning_length(profile, draft.content_warning.as_deref(), counting);
    let total = found.length + taken;
    let over = total - (found.max + taken).min(total);
    let with = if taken > 0 { format!(" with the content warning's {taken}") } else { String::new() };
    let start = found.fits_until.min(text.len());
    let rest = opening(text.get(start..).unwrap_or_default());
    let message = if start == 0 {
        format!("{}{with}, {over} too many; nothing of it fits", units(total, found.unit))
    } else {
        format!("{}{with}, {over} too many; the part from `{rest}` on does not fit", units(total, found.unit))
    };
    // The place begins at what is named: not at the space before it.
    let start = text.len() - text.get(start..).unwrap_or_default().trim_start().len();
    let help = if profile.threads {
        "shorten it, set `split = true` to make it a thread, or write a text of its own under `[posts.for.…]`"
    } else {
        "shorten it, or write a text of its own under `[posts.for.…]`"
    };
    Problem::error(codes::TEXT_TOO_LONG, part_place(index, start, text.len()), message).help(help)
}

fn threads(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if profile.threads || draft.parts.len() < 2 {
        return;
    }
    let end = draft.parts[1].text.len();
    problems.push(
        Problem::error(
            codes::THREAD_UNSUPPORTED,
            part_place(1, 0, end),
            format!("{} parts, and the network has no threads", draft.parts.len()),
        )
        .help("send this post to other accounts, and another one without a thread to this one"),
    );
}

fn media(
    profile: &Profile,
    limits: &Limits,
    part: &DraftPart,
    poll: Option<&Poll>,
    first: usize,
    problems: &mut Vec<Problem>,
) {
    let at = |index: usize, key: &'static str| Place::Media { index: first + index, key };
    let is_video = |media: &DraftMedia| media.facts.kind == MediaKind::Video;
    let videos = part.media.iter().filter(|media| is_video(media)).count();
    let images = part.media.len() - videos;
    let mut seen = (0_u32, 0_u32);
    for (index, media) in part.media.iter().enumerate() {
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
        MediaKind::Image => {}
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

fn poll(rules: Option<PollRules>, poll: &Poll, problems: &mut Vec<Problem>) {
    let key = || Place::Key { key: "poll" };
    let Some(rules) = rules else {
        problems.push(
            Problem::error(codes::POLL_UNSUPPORTED, key(), "the network has no polls")
                .help("send the poll to other accounts, and another post to this one"),
        );
        return;
    };
    let count = poll.options.len() as u64;
    if count < rules.options_min || count > rules.options_max {
        problems.push(Problem::error(
            codes::POLL_OPTIONS,
            key(),
            format!("a poll with {count} choices; it takes {} to {}", rules.options_min, rules.options_max),
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, option) in poll.options.iter().enumerate() {
        let place = || Place::PollOption { index };
        let length = characters(option);
        if option.trim().is_empty() {
            problems.push(Problem::error(codes::POLL_OPTIONS, place(), "a choice without text"));
        } else if length > rules.option_text {
            problems.push(Problem::error(
                codes::POLL_OPTION_TOO_LONG,
                place(),
                format!(
                    "a choice of {length} characters, {} too many: at most {}",
                    length - rules.option_text,
                    rules.option_text
                ),
            ));
        }
        if !option.trim().is_empty() && !seen.insert(option.trim()) {
            problems.push(Problem::error(codes::POLL_OPTIONS, place(), "this choice is there twice"));
        }
    }
    if poll.seconds < rules.seconds_min || poll.seconds > rules.seconds_max {
        problems.push(Problem::error(
            codes::POLL_DURATION,
            key(),
            format!(
                "a poll that is open for {}; it takes {} to {}",
                span(poll.seconds),
                span(rules.seconds_min),
                span(rules.seconds_max)
            ),
        ));
    }
    if poll.multiple && !rules.multiple {
        problems.push(Problem::error(codes::POLL_MULTIPLE, key(), "the network's polls take one choice only"));
    }
}

/// Seconds for people: the largest unit that comes out whole.
fn span(seconds: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let (count, name) = STEPS
        .into_iter()
        .find(|(step, _)| seconds >= *step && seconds % step == 0)
        .map_or((seconds, "second"), |(step, name)| (seconds / step, name));
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Fields that a network may not have. What would betray the author if it were dropped is an error, all else a warning.
fn fields(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let key = |key: &'static str| Place::Key { key };
    if let Some(asked) = draft.visibility {
        visibility(profile, asked, problems);
    }
    if draft.content_warning.is_some() && profile.warning == WarningSupport::None {
        problems.push(
            Problem::error(
                codes::CONTENT_WARNING_UNSUPPORTED,
                key("content_warning"),
                "the network has no content warnings, so what was to be hidden would be shown",
            )
            .help("send this post to other accounts, or set `content_warning = \"\"` under `[posts.for.…]`"),
        );
    }
    if draft.reply_to.is_some() && !profile.replies {
        problems.push(
            Problem::error(codes::REPLY_UNSUPPORTED, key("reply_to"), "the network cannot answer a post")
                .help("send this post to other accounts, or set `reply_to = \"\"` under `[posts.for.…]`"),
        );
    }
    if draft.quote.is_some() && !profile.quotes {
        problems.push(
            Problem::error(codes::QUOTE_UNSUPPORTED, key("quote"), "the network cannot quote a post")
                .help("put a link to it into the text, and set `quote = \"\"` under `[posts.for.…]`"),
        );
    }
    if let Some(title) = draft.title.as_deref() {
        let length = characters(title);
        if profile.title == 0 {
            problems.push(Problem::warning(codes::TITLE_UNSUPPORTED, key("title"), "the network has no titles"));
        } else if length > u64::from(profile.title) {
            let place = Place::Text { key: "title", index: 0, start: 0, end: title.len() };
            problems.push(Problem::error(
                codes::TITLE_TOO_LONG,
                place,
                format!("a title of {length} characters, {} too many", length - u64::from(profile.title)),
            ));
        }
    }
    if draft.body.is_some() && !profile.body {
        problems.push(Problem::warning(codes::BODY_UNSUPPORTED, key("body"), "the network has no long form"));
    }
    labels(profile, draft, problems);
    languages(profile, draft, problems);
    tags(profile, draft, problems);
}

fn visibility(profile: &Profile, asked: Visibility, problems: &mut Vec<Problem>) {
    if asked == Visibility::Public || profile.visibility.contains(&asked) {
        return;
    }
    let known: Vec<_> = profile.visibility.iter().map(|known| known.as_str()).collect();
    let help = if known.is_empty() {
        "everything is public there: send this post to other accounts".to_owned()
    } else {
        format!("it takes {}", known.join(", "))
    };
    let message = format!("`{}` is not possible here", asked.as_str());
    let place = Place::Key { key: "visibility" };
    problems.push(match asked {
        // It would still be public to everybody who has the link: no secret is given away.
        Visibility::Unlisted => Problem::warning(codes::VISIBILITY_UNSUPPORTED, place, message).help(help),
        _ => Problem::error(codes::VISIBILITY_UNSUPPORTED, place, message).help(help),
    });
}

fn labels(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let place = || Place::Key { key: "labels" };
    if profile.labels.is_empty() && !draft.labels.is_empty() {
        problems.push(
            Problem::warning(codes::LABEL_UNSUPPORTED, place(), "the network has no labels for media")
                .help("a `content_warning` hides media on some networks"),
        );
        return;
    }
    for label in &draft.labels {
        if !profile.labels.contains(&label.as_str()) {
            problems.push(
                Problem::error(codes::LABEL_UNSUPPORTED, place(), format!("`{label}` is not a label of the network"))
                    .help(format!("it knows {}", profile.labels.join(", "))),
            );
        }
    }
}

fn languages(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let count = draft.languages.len();
    let place = || Place::Key { key: "lang" };
    if profile.languages == 0 && count > 0 {
        problems.push(Problem::warning(codes::LANG_UNSUPPORTED, place(), "the network takes no language"));
    } else if count > profile.languages as usize {
        problems.push(Problem::warning(
            codes::LANG_UNSUPPORTED,
            place(),
            format!("{count} languages, of which only the first {} can be told", profile.languages),
        ));
    }
}

fn tags(profile: &Profile, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    let place = || Place::Key { key: "tags" };
    let count = draft.tags.len();
    if count > profile.tags as usize {
        problems.push(Problem::error(
            codes::TAGS_TOO_MANY,
            place(),
            format!("{count} tags, {} too many", count - profile.tags as usize),
        ));
    }
    for tag in &draft.tags {
        tag_length(tag, problems);
    }
}

/// A tag that is too long, wherever it goes.
pub fn tag_length(tag: &str, problems: &mut Vec<Problem>) {
    if tag.len() <= TAG_MAX {
        return;
    }
    let length = characters(tag);
    if length > TAG_MAX as u64 {
        problems.push(Problem::error(
            codes::TAG_TOO_LONG,
            Place::Key { key: "tags" },
            format!("the tag `{}…` has {length} characters, {} too many", opening(tag), length - TAG_MAX as u64),
        ));
    }
}
