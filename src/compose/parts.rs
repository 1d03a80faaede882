//! The messages of a rendering: the text with what is added to it, the thread, the pieces of a split text, the first
//! comment.

use crate::adapter::check::{opening, room, tag_length};
use crate::adapter::{CardSupport, Limits, Profile};
use crate::model::{Place, Problem, codes};
use crate::text::{Counting, FoundKind, find, overflow, split, with_parameters};

use super::layers::{Layers, Source};
use super::trace::{Addition, Traced};

/// The messages of a rendering, and what belongs to them.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// In order; at least one.
    pub texts: Vec<Traced>,
    /// The first part that each entry of the thread came to; the text is entry 0.
    pub entries: Vec<usize>,
    /// How many parts text and thread came to: what a medium's `part` can name. The first comment comes after them.
    pub named: usize,
    /// The link that stays a field of its own.
    pub link: Option<String>,
    /// Tags that stay a field of their own.
    pub tags: Vec<String>,
}

/// What the parts depend on.
pub(super) struct Given<'a> {
    pub profile: &'static Profile,
    pub limits: &'a Limits,
    pub layers: Layers<'a>,
    pub variation: usize,
    /// There may be a first comment.
    pub comments: bool,
    /// Campaign parameters for every link.
    pub parameters: &'a [(&'static str, String)],
    /// The text is a template that is filled in later.
    pub template: bool,
    /// So much of each limit the network keeps for itself, where something is fitted into what is left.
    pub kept: u64,
}

pub(super) fn parts(given: &Given<'_>, problems: &mut Vec<Problem>) -> Parts {
    let layers = &given.layers;
    let mut parts = Parts::default();
    let mut first = Traced::new(layers.text(given.variation), given.parameters);
    add_link(given, &mut first, &mut parts, problems);
    add_tags(given, &mut first, &mut parts, problems);

    let entries = layers.thread().iter().enumerate().map(|(index, text)| {
        let source = Source { key: "thread", index, text };
        Traced::new(source, given.parameters)
    });
    let mut entries: Vec<Traced> = std::iter::once(first).chain(entries).collect();
    let room = room(given.profile, given.limits, layers.content_warning());
    let fits = |text: &str| {
        room.iter().all(|(counting, max)| overflow(text, *counting, max.saturating_sub(given.kept)).is_none())
    };
    if layers.numbered() && entries.len() > 1 {
        let number = suffix(entries.len(), entries.len());
        for entry in &mut entries {
            entry.fit(|text| fits(&format!("{text}{number}")));
        }
    } else {
        for entry in &mut entries {
            entry.fit(fits);
        }
    }
    // An entry that fits nowhere stays in one piece, and its length is reported with the others.
    if layers.split() && given.profile.threads && !given.template {
        split_entries(given, entries, &mut parts, problems);
    } else {
        parts.entries = (0..entries.len()).collect();
        parts.texts = entries;
    }
    parts.named = parts.texts.len();
    if layers.numbered() && parts.named > 1 {
        for (index, part) in parts.texts.iter_mut().enumerate() {
            part.add("", &suffix(index + 1, parts.named), Addition::Number);
        }
    }
    if let Some(text) = layers.first_comment() {
        if given.comments {
            let mut comment = Traced::new(Source { key: "first_comment", index: 0, text }, given.parameters);
            comment.fit(fits);
            parts.texts.push(comment);
        } else {
            problems.push(
                Problem::error(
                    codes::FIRST_COMMENT_UNSUPPORTED,
                    Place::Key { key: "first_comment" },
                    "the network has no replies, so there can be no first comment",
                )
                .help("put it into the text, and set `first_comment = \"\"` under `[posts.for.…]`"),
            );
        }
    }
    parts
}

fn suffix(number: usize, of: usize) -> String {
    format!(" {number}/{of}")
}

/// The link goes into the text where the network makes no card of a field of its own.
fn add_link(given: &Given<'_>, first: &mut Traced, parts: &mut Parts, problems: &mut Vec<Problem>) {
    let Some(link) = given.layers.link() else { return };
    if !(given.template && link.contains("{{"))
        && let Err((message, help)) = whole_link(link)
    {
        problems.push(Problem::error(codes::LINK_UNSUITABLE, Place::Key { key: "link" }, message).help(help));
        return;
    }
    let full = if given.parameters.is_empty() { link.to_owned() } else { with_parameters(link, given.parameters) };
    let beside_media = given.layers.media().iter().any(|media| media.part.is_none_or(|part| part == 1));
    match given.profile.card {
        CardSupport::Own if given.profile.media.with_card || !beside_media => parts.link = Some(full),
        CardSupport::Field => parts.link = Some(full),
        CardSupport::Own | CardSupport::Server | CardSupport::None => {
            let there = first.text.contains(&full)
                && find(&first.text)
                    .iter()
                    .any(|found| found.kind == FoundKind::Link && first.text[found.start..found.end] == full);
            if !there {
                first.add("\n\n", &full, Addition::Link);
            }
        }
    }
}

/// A link is one from its first character to its last, wherever it stands. `Err`: what is wrong, and how to mend it.
fn whole_link(link: &str) -> Result<(), (String, &'static str)> {
    if !link.starts_with("https://") && !link.starts_with("http://") {
        let help = "write it with its scheme, as in `https://acme.example/2.0`";
        return Err((format!("`{link}` is not a link"), help));
    }
    if url::Url::parse(link).is_err() {
        let help = "look for a typing mistake: the server's name cannot be read";
        return Err((format!("`{link}` is not a link"), help));
    }
    match find(link).first() {
        Some(found) if found.kind == FoundKind::Link && found.start == 0 && found.end == link.len() => Ok(()),
        found => {
            let end = found.filter(|found| found.start == 0).map_or(0, |found| found.end);
            let help = "write what stands there percent-encoded, such as `%20` for a space";
            Err((format!("this link would end before `{}`", opening(&link[end..])), help))
        }
    }
}

/// Tags become hashtags where the network has no place for them.
fn add_tags(given: &Given<'_>, first: &mut Traced, parts: &mut Parts, problems: &mut Vec<Problem>) {
    let tags = given.layers.tags();
    if tags.is_empty() {
        return;
    }
    let bare = tags.iter().map(|tag| tag.trim().trim_start_matches('#'));
    if given.profile.tags > 0 {
        parts.tags = bare.map(str::to_owned).collect();
        return;
    }
    let written: Vec<String> = find(&first.text)
        .iter()
        .filter(|found| found.kind == FoundKind::Tag)
        .map(|found| first.text[found.start..found.end].trim_start_matches('#').to_lowercase())
        .collect();
    let mut line = String::new();
    for tag in bare {
        tag_length(tag, problems);
        let good = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.chars().all(char::is_numeric);
        if !good {
            problems.push(
                Problem::error(
                    codes::TAG_UNSUITABLE,
                    Place::Key { key: "tags" },
                    format!("`{tag}` cannot be written as a hashtag"),
                )
                .help("letters, digits and `_` only, and not digits alone: `ReleaseNotes`, `release_notes`"),
            );
        } else if !written.contains(&tag.to_lowercase()) {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push('#');
            line.push_str(tag);
        }
    }
    if !line.is_empty() {
        first.add("\n\n", &line, Addition::Tags);
    }
}

/// Splits every entry that does not fit. Room for the numbers is kept; how many digits they have is known only afterwards.
fn split_entries(given: &Given<'_>, entries: Vec<Traced>, parts: &mut Parts, problems: &mut Vec<Problem>) {
    let room = room(given.profile, given.limits, given.layers.content_warning());
    let numbered = given.layers.numbered();
    let fits = |text: &str| room.iter().all(|(counting, max)| overflow(text, *counting, *max).is_none());
    if entries.iter().all(|entry| fits(&entry.text)) && !(numbered && entries.len() > 1) {
        parts.entries = (0..entries.len()).collect();
        parts.texts = entries;
        return;
    }
    for digits in 1..=3_u32 {
        let kept = if numbered { u64::from(2 + 2 * digits) } else { 0 };
        let limits: Vec<(Counting, u64)> =
            room.iter().map(|(counting, max)| (*counting, max.saturating_sub(kept))).collect();
        let mut trouble = Vec::new();
        let mut texts = Vec::new();
        let mut starts = Vec::new();
        for entry in &entries {
            starts.push(texts.len());
            match split(&entry.text, &limits, false) {
                Ok(pieces) if pieces.len() > 1 => {
                    texts.extend(pieces.iter().map(|piece| entry.slice(piece.start..piece.end)));
                }
                Ok(_) => texts.push(entry.clone()),
                Err(at) => {
                    let place = entry.place(at, entry.text.len());
                    trouble.push(
                        Problem::error(
                            codes::TEXT_CANNOT_SPLIT,
                            place,
                            "what stands here is longer than a whole part may be, and cannot be taken apart",
                        )
                        .help("shorten the link, mention or word"),
                    );
                    texts.push(entry.clone());
                }
            }
        }
        if !numbered || texts.len() < 10_usize.pow(digits) || digits == 3 {
            problems.append(&mut trouble);
            parts.texts = texts;
            parts.entries = starts;
            return;
        }
    }
}
