//! What is wrong with a post's content for every account: what no limit of a network is about.

use crate::media::MediaError;
use crate::model::{Content, MediaKind, MediaRef, Place, Problem, codes};
use crate::text::{self, FoundKind, HazardKind, find};

/// Inspects one layer of a post's content. `missing_alt_warns` as the calendar says; `facts` tells what a file is.
pub(super) fn inspect(
    content: &Content,
    missing_alt_warns: bool,
    kind: impl Fn(&str) -> Result<MediaKind, MediaError>,
    problems: &mut Vec<Problem>,
) {
    let texts = content
        .text
        .iter()
        .map(|text| ("text", 0, text))
        .chain(content.texts.iter().enumerate().map(|(index, text)| ("texts", index, text)))
        .chain(content.thread.iter().enumerate().map(|(index, text)| ("thread", index, text)))
        .chain(content.first_comment.iter().map(|text| ("first_comment", 0, text)))
        .chain(fallback_texts(content));
    for (key, index, text) in texts {
        hazards(text, |start, end| Place::Text { key, index, start, end }, problems);
        bare_links(key, index, text, problems);
    }
    let fields = [("title", &content.title), ("body", &content.body), ("content_warning", &content.content_warning)];
    for (key, text) in fields {
        if let Some(text) = text {
            hazards(text, |start, end| Place::Text { key, index: 0, start, end }, problems);
        }
    }
    for (index, media) in content.media.iter().flatten().enumerate() {
        hazards(media.title.as_deref().unwrap_or_default(), |_, _| Place::Media { index, key: "title" }, problems);
        alt(index, media, missing_alt_warns, &kind, problems);
    }
    for (index, option) in content.poll.iter().flat_map(|poll| &poll.options).enumerate() {
        hazards(option, |_, _| Place::PollOption { index }, problems);
    }
    if content.poll.is_some() && !content.thread.is_empty() {
        problems.push(
            Problem::warning(
                codes::POLL_IN_THREAD,
                Place::Key { key: "poll" },
                "the poll goes with the first part of the thread",
            )
            .help("if it belongs to the end, make it a post of its own"),
        );
    }
}

/// The texts of a post's fallbacks, with the place that they have. Messages after them have that of their fallback.
pub(super) fn fallback_texts(content: &Content) -> impl Iterator<Item = (&'static str, usize, &String)> {
    let all = content.fallback.iter().enumerate();
    all.flat_map(|(index, fallback)| {
        fallback.text.iter().chain(&fallback.thread).map(move |text| ("fallback", index, text))
    })
}

fn hazards(words: &str, place: impl Fn(usize, usize) -> Place, problems: &mut Vec<Problem>) {
    for hazard in text::hazards(words) {
        let place = place(hazard.start, hazard.end);
        let c = words[hazard.start..].chars().next().map_or(0, u32::from);
        let message = format!("a {} (U+{c:04X}) is hidden here", hazard.name);
        problems.push(match hazard.kind {
            HazardKind::Bidi => Problem::error(codes::TEXT_BIDI, place, message)
                .help("delete it: networks find the direction of a text by themselves"),
            HazardKind::Control => Problem::error(codes::TEXT_CONTROL, place, message).help("delete it"),
            // Harmless in most texts, and pasted in without being noticed.
            HazardKind::Invisible => Problem::warning(codes::TEXT_INVISIBLE, place, message)
                .help("delete it: it counts, and it breaks links and hashtags"),
        });
    }
}

fn bare_links(key: &'static str, index: usize, text: &str, problems: &mut Vec<Problem>) {
    // A dot between two letters, or there is none.
    let dotted = text
        .as_bytes()
        .windows(3)
        .any(|near| near[1] == b'.' && !near[0].is_ascii_whitespace() && !near[2].is_ascii_whitespace());
    if !dotted {
        return;
    }
    for found in find(text).into_iter().filter(|found| found.kind == FoundKind::BareLink) {
        let link = &text[found.start..found.end];
        let place = Place::Text { key, index, start: found.start, end: found.end };
        // A name alone may be a product or a file: `Booking.com`, `calendar.rs`.
        let meant = link.contains('/') || link.starts_with("www.");
        let message = format!("`{link}` has no scheme, so only some networks make a link of it");
        let problem = if meant {
            Problem::error(codes::LINK_WITHOUT_SCHEME, place, message)
        } else {
            Problem::warning(codes::LINK_WITHOUT_SCHEME, place, message)
        };
        problems.push(problem.help(format!("write `https://{link}`")));
    }
}

fn alt(
    index: usize,
    media: &MediaRef,
    missing_alt_warns: bool,
    kind: &impl Fn(&str) -> Result<MediaKind, MediaError>,
    problems: &mut Vec<Problem>,
) {
    let alt = media.alt.as_deref().unwrap_or_default().trim();
    let kind = kind(&media.file);
    if alt.is_empty() {
        let what = match kind {
            // It is text itself, and its title is asked for where it goes.
            Ok(MediaKind::Document) => return,
            // What is wrong with the file is told; its title says that it is meant for one.
            Err(_) if media.title.is_some() => return,
            Ok(MediaKind::Video) => "this video",
            Ok(MediaKind::Animation) => "this animation",
            _ => "this picture",
        };
        let place = Place::Media { index, key: if media.alt.is_some() { "alt" } else { "" } };
        let message = format!("{what} has no alt text");
        let problem = if missing_alt_warns {
            Problem::warning(codes::ALT_MISSING, place, message)
        } else {
            Problem::error(codes::ALT_MISSING, place, message)
        };
        problems.push(problem.help("say what it shows: `alt = \"…\"`"));
    } else if is_file_name(alt, &media.file) {
        let place = Place::Media { index, key: "alt" };
        problems.push(
            Problem::error(codes::ALT_IS_FILE_NAME, place, "the alt text is only the file's name")
                .help("say what the picture shows"),
        );
    }
    hazards(alt, |_, _| Place::Media { index, key: "alt" }, problems);
}

/// `launch.png`, `img/launch.png`, `launch`, `LAUNCH.PNG`, or what looks like another file's name.
fn is_file_name(alt: &str, file: &str) -> bool {
    const ENDINGS: [&str; 9] = ["png", "jpg", "jpeg", "webp", "gif", "mp4", "mov", "webm", "pdf"];
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let any_file = !alt.contains(char::is_whitespace)
        && alt
            .rsplit_once('.')
            .is_some_and(|(_, ending)| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
    any_file
        || alt.eq_ignore_ascii_case(name)
        || alt.eq_ignore_ascii_case(file)
        // `team` may well be what `team.jpg` shows; `IMG_2041` never is.
        || (alt.eq_ignore_ascii_case(stem) && stem.contains(|c: char| c.is_ascii_digit() || matches!(c, '_' | '-')))
}
