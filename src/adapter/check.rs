//! The checks that a profile's data is enough for. Pure.
//!
//! Places are those of the draft: [`Place::Text`] with the key `text` and the part's number as its index, a byte range of
//! the part's text; [`Place::Media`] with the file's number over all parts. [`crate::compose`], which knows what each part
//! was made from, turns them into places of the post.

mod files;
mod own;

use std::collections::BTreeSet;

use crate::model::{Place, Poll, Problem, Visibility, codes};
use crate::text::{Counting, MentionWeight, Overflow, Unit, measure, overflow};

use super::{CardSupport, Draft, DraftPart, Limits, PollRules, Profile, WarningSupport};

pub use own::{files_together, question, with_warning};

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
        files::check(profile, draft, part, poll, first, problems);
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
        Unit::CodePoints | Unit::EmojiBytes if one => "character",
        Unit::CodePoints => "characters",
        Unit::Utf16 if one => "UTF-16 unit",
        Unit::Utf16 => "UTF-16 units",
        Unit::Bytes if one => "byte",
        Unit::Bytes => "bytes",
        Unit::LittleText if one => "character of little text",
        Unit::LittleText => "characters of little text",
        Unit::EmojiBytes => "characters (emoji by their bytes)",
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
            return if tenths.is_multiple_of(10) || tenths >= 1000 {
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
    let start = word_start(text, found.fits_until.min(text.len()));
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

/// The start of the word that a byte is in, since a word that does not fit as a whole does not fit. What has no spaces
/// nearby, such as Chinese or a link, stays cut where it is.
fn word_start(text: &str, byte: usize) -> usize {
    let before = text.get(..byte).unwrap_or_default();
    if text[before.len()..].starts_with(char::is_whitespace) {
        return before.len();
    }
    let word = before.chars().rev().take_while(|c| !c.is_whitespace()).map(char::len_utf8).sum::<usize>();
    if word <= 24 { before.len() - word } else { before.len() }
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
        .find(|(step, _)| seconds >= *step && seconds.is_multiple_of(*step))
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
        // A document may be called so.
        let used = draft.titles.values().any(|known| known == title);
        if profile.title == 0 && !used {
            problems.push(Problem::warning(codes::TITLE_UNSUPPORTED, key("title"), "the network has no titles"));
        } else if profile.title > 0 && length > u64::from(profile.title) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::adapter::{
        AltRule, DocumentRule, DraftMedia, ImageRule, MediaRules, RepeatSafety, TextLimit, TextRules, VideoRule,
    };
    use crate::model::{
        Account, AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, Severity,
    };

    const IMAGE: ImageRule =
        ImageRule { mimes: &["image/jpeg", "image/png"], bytes: 1_000_000, pixels: 1_000_000, side: 1000 };

    static STRICT: Profile = Profile {
        id: "strict",
        name: "Strict",
        about: "takes little",
        setup_url: None,
        verified: "2026-11-22",
        text: TextRules {
            limits: &[TextLimit { unit: Unit::Graphemes, max: 20 }, TextLimit { unit: Unit::Bytes, max: 60 }],
            link: Some(5),
            mention: MentionWeight::Raw,
            counts_warning: true,
            optional_with_media: true,
        },
        title: 0,
        body: false,
        tags: 0,
        media: MediaRules {
            max_images: 2,
            max_videos: 1,
            mixed: false,
            with_poll: false,
            with_card: false,
            required: false,
            image: IMAGE,
            animation: Some(ImageRule { mimes: &["image/gif"], bytes: 1000, ..IMAGE }),
            video: Some(VideoRule { mimes: &["video/mp4"], bytes: 1_000_000 }),
            document: Some(DocumentRule { mimes: &["application/pdf"], bytes: 1000 }),
            alt: AltRule { supported: true, max: 10 },
        },
        poll: Some(PollRules {
            options_min: 2,
            options_max: 3,
            option_text: 5,
            seconds_min: 300,
            seconds_max: 86_400,
            multiple: false,
        }),
        threads: false,
        replies: false,
        quotes: false,
        card: CardSupport::Server,
        visibility: &[],
        warning: WarningSupport::None,
        labels: &[],
        languages: 0,
        repeat: RepeatSafety::None,
        settle: Duration::ZERO,
        sign_in: &[],
        secrets: &[],
        credential_free: false,
        facts: &[],
    };

    fn found(profile: &Profile, change: impl FnOnce(&mut Draft<'_>)) -> Vec<Problem> {
        let account = Account::new(AccountName::new("a"), profile.id);
        let limits = Limits::new(profile, &account.limits);
        let delivery = DeliveryId::derive(&CalendarName::new("c"), &OccurrenceName::new("o"), &AccountName::new("a"));
        let mut draft = Draft::new(delivery, &account, &limits, vec![part("hello", &[])]);
        change(&mut draft);
        let mut problems = Vec::new();
        check(profile, &draft, &mut problems);
        problems
    }

    fn codes_of(problems: &[Problem]) -> Vec<&'static str> {
        problems.iter().map(|problem| problem.code.0).collect()
    }

    fn part(text: &str, media: &[DraftMedia]) -> DraftPart {
        DraftPart { text: text.to_owned(), media: media.to_vec() }
    }

    fn file(kind: MediaKind, mime: &str, bytes: u64) -> DraftMedia {
        let facts = MediaFacts { kind, mime: mime.to_owned(), bytes, width: 100, height: 100 };
        DraftMedia { file: "x".to_owned(), alt: "alt".to_owned(), facts }
    }

    fn picture() -> DraftMedia {
        file(MediaKind::Image, "image/png", 1000)
    }

    fn film() -> DraftMedia {
        file(MediaKind::Video, "video/mp4", 1000)
    }

    #[test]
    fn a_good_draft_has_no_problem() {
        assert_eq!(found(&STRICT, |_| {}), []);
        assert_eq!(found(&STRICT, |draft| draft.parts = vec![part("", &[picture(), picture()])]), []);
        // A link counts five, whatever its length.
        let link = "see https://acme.example/a/rather/long/path";
        assert_eq!(found(&STRICT, |draft| draft.parts[0].text = link.to_owned()), []);
    }

    #[test]
    fn a_long_text_says_by_how_much_and_where() {
        let text = "This is said, and also this";
        let problems = found(&STRICT, |draft| draft.parts[0].text = text.to_owned());
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!(problem.message, "27 graphemes, 7 too many; the part from `also this` on does not fit");
        assert_eq!(problem.place, Place::Text { key: "text", index: 0, start: 18, end: 27 });
        // Bytes are the narrower limit here.
        let problems = found(&STRICT, |draft| draft.parts[0].text = "👩‍👩‍👧 ".repeat(5).trim().to_owned());
        assert!(problems[0].message.starts_with("94 bytes, 34 too many"), "{problems:?}");
    }

    #[test]
    fn a_content_warning_takes_room_where_it_counts() {
        static LENIENT: Profile = Profile { warning: WarningSupport::Text, ..base() };
        let problems = found(&LENIENT, |draft| {
            draft.parts[0].text = "0123456789 12345".to_owned();
            draft.content_warning = Some("spoiler".to_owned());
        });
        assert_eq!(
            problems[0].message,
            "23 graphemes with the content warning's 7, 3 too many; the part from `12345` on does not fit"
        );
    }

    const fn base() -> Profile {
        Profile {
            id: "lenient",
            name: "Lenient",
            about: "takes more",
            setup_url: None,
            verified: "2026-11-22",
            text: TextRules {
                limits: &[TextLimit { unit: Unit::Graphemes, max: 20 }],
                link: None,
                mention: MentionWeight::Raw,
                counts_warning: true,
                optional_with_media: false,
            },
            title: 10,
            body: true,
            tags: 2,
            media: MediaRules {
                max_images: 2,
                max_videos: 0,
                mixed: false,
                with_poll: true,
                with_card: true,
                required: false,
                image: IMAGE,
                animation: None,
                video: None,
                document: None,
                alt: AltRule { supported: false, max: 0 },
            },
            poll: None,
            threads: true,
            replies: true,
            quotes: true,
            card: CardSupport::Own,
            visibility: &[Visibility::Public, Visibility::Private],
            warning: WarningSupport::None,
            labels: &["nudity"],
            languages: 1,
            repeat: RepeatSafety::None,
            settle: Duration::ZERO,
            sign_in: &[],
            secrets: &[],
            credential_free: false,
            facts: &[],
        }
    }

    static LENIENT: Profile = base();

    #[test]
    fn nothing_to_say_is_an_error() {
        let empty = |draft: &mut Draft<'_>| draft.parts[0].text = " \n".to_owned();
        assert_eq!(codes_of(&found(&STRICT, empty)), ["text-empty"]);
        assert_eq!(codes_of(&found(&LENIENT, |draft| draft.parts = vec![part("", &[picture()])])), ["text-empty"]);
        // A card of one's own speaks for itself.
        let card = |draft: &mut Draft<'_>| {
            draft.parts[0].text.clear();
            draft.link = Some("https://acme.example".to_owned());
        };
        assert_eq!(found(&LENIENT, card), []);
    }

    #[test]
    fn media_are_counted_and_weighed() {
        let of = |media: &[DraftMedia]| codes_of(&found(&STRICT, |draft| draft.parts = vec![part("x", media)]));
        assert_eq!(of(&[picture(), picture(), picture(), picture()]), ["media-too-many"]);
        assert_eq!(of(&[film(), film()]), ["media-too-many"]);
        assert_eq!(of(&[picture(), film()]), ["media-mixed"]);
        assert_eq!(of(&[file(MediaKind::Video, "video/mp4", 2_000_000)]), ["video-too-large"]);
        assert_eq!(of(&[file(MediaKind::Video, "video/webm", 1)]), ["media-type-unsuitable"]);
        assert_eq!(of(&[file(MediaKind::Animation, "image/gif", 1001)]), ["animation-too-large"]);
        assert_eq!(of(&[file(MediaKind::Animation, "image/webp", 1)]), ["animation-too-large"]);
        assert_eq!(of(&[DraftMedia { alt: "eleven char".to_owned(), ..picture() }]), ["alt-too-long"]);
        let problems = found(&LENIENT, |draft| draft.parts = vec![part("x", &[film()])]);
        assert_eq!(codes_of(&problems), ["media-unsupported"]);
    }

    #[test]
    fn a_document_goes_alone_and_is_called_something() {
        let pdf = || file(MediaKind::Document, "application/pdf", 1000);
        let of = |profile: &Profile, media: &[DraftMedia], titled: bool| {
            codes_of(&found(profile, |draft| {
                draft.parts = vec![part("x", media)];
                draft.titles.extend(titled.then(|| ("x".to_owned(), "Deck".to_owned())));
            }))
        };
        assert_eq!(of(&STRICT, &[pdf()], true), [""; 0]);
        assert_eq!(of(&STRICT, &[pdf()], false), ["document-title"]);
        assert_eq!(of(&STRICT, &[pdf(), pdf()], true), ["media-mixed"]);
        assert_eq!(of(&STRICT, &[picture(), pdf()], true), ["media-mixed"]);
        assert_eq!(of(&STRICT, &[file(MediaKind::Document, "application/pdf", 1001)], true), ["document-too-large"]);
        assert_eq!(of(&STRICT, &[file(MediaKind::Document, "text/rtf", 1)], true), ["media-type-unsuitable"]);
        assert_eq!(of(&LENIENT, &[pdf()], true), ["media-unsupported"]);
        // A title that a document takes is not one too many.
        let problems = found(&STRICT, |draft| {
            draft.parts = vec![part("x", &[pdf()])];
            draft.title = Some("Deck".to_owned());
            draft.titles = BTreeMap::from([("x".to_owned(), "Deck".to_owned())]);
        });
        assert_eq!(problems, []);
    }

    #[test]
    fn files_are_numbered_over_all_parts() {
        let media = [picture(), picture()];
        let problems = found(&LENIENT, |draft| draft.parts = vec![part("x", &media), part("y", &[picture(), film()])]);
        assert_eq!(problems[0].place, Place::Media { index: 3, key: "file" });
    }

    fn poll(options: &[&str], seconds: u64, multiple: bool) -> Poll {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Poll { options, seconds, multiple, hide_totals: false }
    }

    #[test]
    fn polls_have_rules() {
        let of = |poll: Poll| codes_of(&found(&STRICT, |draft| draft.poll = Some(poll)));
        assert_eq!(of(poll(&["a", "b"], 300, false)), Vec::<&str>::new());
        assert_eq!(of(poll(&["a"], 300, false)), ["poll-options"]);
        assert_eq!(of(poll(&["a", "b", "c", "d"], 300, false)), ["poll-options"]);
        assert_eq!(of(poll(&["a", "a "], 300, false)), ["poll-options"]);
        assert_eq!(of(poll(&["a", " "], 300, false)), ["poll-options"]);
        assert_eq!(of(poll(&["a", "sixsix"], 300, false)), ["poll-option-too-long"]);
        assert_eq!(of(poll(&["a", "b"], 299, true)), ["poll-duration", "poll-multiple"]);
        let problems = found(&STRICT, |draft| {
            draft.poll = Some(poll(&["a", "b"], 300, false));
            draft.parts[0].media.push(picture());
        });
        assert_eq!(codes_of(&problems), ["poll-with-media"]);
        let none = found(&LENIENT, |draft| draft.poll = Some(poll(&["a", "b"], 300, false)));
        assert_eq!(codes_of(&none), ["poll-unsupported"]);
    }

    #[test]
    fn what_would_betray_the_author_is_an_error() {
        let severity = |change: fn(&mut Draft<'_>)| {
            let problems = found(&STRICT, change);
            let [problem] = problems.as_slice() else { panic!("{problems:?}") };
            (problem.code.0, problem.severity)
        };
        let error = Severity::Error;
        let warning = Severity::Warning;
        assert_eq!(severity(|d| d.visibility = Some(Visibility::Private)), ("visibility-unsupported", error));
        assert_eq!(severity(|d| d.visibility = Some(Visibility::Unlisted)), ("visibility-unsupported", warning));
        assert_eq!(severity(|d| d.content_warning = Some("x".to_owned())), ("content-warning-unsupported", error));
        assert_eq!(severity(|d| d.reply_to = Some("x".to_owned())), ("reply-unsupported", error));
        assert_eq!(severity(|d| d.quote = Some("x".to_owned())), ("quote-unsupported", error));
        assert_eq!(severity(|d| d.parts.push(part("more", &[]))), ("thread-unsupported", error));
        assert_eq!(severity(|d| d.title = Some("x".to_owned())), ("title-unsupported", warning));
        assert_eq!(severity(|d| d.body = Some("x".to_owned())), ("body-unsupported", warning));
        assert_eq!(severity(|d| d.labels = vec!["nudity".to_owned()]), ("label-unsupported", warning));
        assert_eq!(severity(|d| d.languages = vec!["en".to_owned()]), ("lang-unsupported", warning));
        assert_eq!(found(&STRICT, |d| d.visibility = Some(Visibility::Public)), []);
    }

    #[test]
    fn fields_have_limits() {
        let of = |change: fn(&mut Draft<'_>)| codes_of(&found(&LENIENT, change));
        assert_eq!(of(|d| d.title = Some("eleven char".to_owned())), ["title-too-long"]);
        assert_eq!(of(|d| d.labels = vec!["gore".to_owned()]), ["label-unsupported"]);
        assert_eq!(of(|d| d.languages = vec!["en".to_owned(), "de".to_owned()]), ["lang-unsupported"]);
        assert_eq!(of(|d| d.tags = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]), ["tags-too-many"]);
        assert_eq!(of(|d| d.tags = vec!["x".repeat(TAG_MAX + 1)]), ["tag-too-long"]);
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_250_000), "1.2 MB");
        assert_eq!(size(40_000_000), "40 MB");
        assert_eq!(span(86_400), "1 day");
        assert_eq!(span(5400), "90 minutes");
        assert_eq!(units(1, Unit::Bytes), "1 byte");
        assert_eq!(opening("  one two three four five six seven"), "one two three four five");
    }
}
