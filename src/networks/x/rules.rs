//! What an app that pays per use may not do, and what posts cost. Pure.

use crate::adapter::{Draft, DraftPart, Price};
use crate::model::{MediaKind, Place, Problem, codes};
use crate::text::shortened_links;

use super::profile::{ALT_TEXT, POST, POST_WITH_LINK};
use super::wire::post_id;

/// What the profile's data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if let Some(post) = &draft.reply_to {
        let place = || Place::Key { key: "reply_to" };
        if post_id(post).is_none() {
            problems.push(
                Problem::error(
                    codes::POST_REFERENCE,
                    place(),
                    format!("`{post}` is neither a post's address nor its id"),
                )
                .help("write its address, `https://x.com/name/status/123`, or its id"),
            );
        } else {
            problems.push(
                Problem::note(
                    codes::POST_REFERENCE,
                    place(),
                    "X lets an app answer only posts whose author mentioned or quoted the account",
                )
                .help("others are refused when the post is due; a thread of one's own is not concerned"),
            );
        }
    }
    let mut first = 0;
    for (index, part) in draft.parts.iter().enumerate() {
        if let Some((start, end)) = cashtags(&part.text).nth(1) {
            problems.push(
                Problem::error(
                    codes::POST_REFUSED,
                    Place::Text { key: "text", index, start, end },
                    format!(
                        "`{}` is a second cashtag, and X refuses an app's post with more than one",
                        &part.text[start..end]
                    ),
                )
                .help("write the others without `$`"),
            );
        }
        animations(part, first, problems);
        first += part.media.len();
    }
}

/// An animation goes alone.
fn animations(part: &DraftPart, first: usize, problems: &mut Vec<Problem>) {
    let is_animation = |kind: MediaKind| kind == MediaKind::Animation;
    if part.media.len() > 1
        && let Some(odd) = part.media.iter().position(|media| is_animation(media.facts.kind))
    {
        problems.push(
            Problem::error(
                codes::MEDIA_MIXED,
                Place::Media { index: first + odd, key: "" },
                "an animated GIF cannot go together with other files in one part",
            )
            .help("take it out, or move it to another part of a thread with `part = 2`"),
        );
    }
}

/// `$` and one to six letters, then perhaps `.` or `_` and one or two more (`twitter/twitter-text`, `regexp/cashtag.js`).
fn cashtags(text: &str) -> impl Iterator<Item = (usize, usize)> {
    text.match_indices('$').filter_map(|(start, _)| {
        let before = text[..start].chars().next_back();
        if before.is_some_and(|c| !c.is_whitespace()) {
            return None;
        }
        let letters =
            |from: usize| text.as_bytes()[from..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let count = letters(start + 1);
        if !(1..=6).contains(&count) {
            return None;
        }
        let mut end = start + 1 + count;
        if matches!(text.as_bytes().get(end), Some(b'.' | b'_')) && (1..=2).contains(&letters(end + 1)) {
            end += 1 + letters(end + 1);
        }
        let after = text[end..].chars().next();
        after.is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation()).then_some((start, end))
    })
}

/// Whether an alt text is told of a file: X has a place for those of pictures.
pub(super) fn is_described(media: &crate::adapter::DraftMedia) -> bool {
    !media.alt.is_empty() && media.facts.kind != MediaKind::Video
}

/// What the whole draft costs. A link is whatever X would shorten, also without a scheme.
pub(super) fn price(draft: &Draft<'_>) -> Price {
    draft
        .parts
        .iter()
        .map(|part| {
            let composed = crate::text::composed(&part.text);
            let post = if shortened_links(&composed).is_empty() { POST } else { POST_WITH_LINK };
            let described = part.media.iter().filter(|media| is_described(media)).count() as u64;
            post + ALT_TEXT.times(described)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cashtags_are_found() {
        let found = |text: &str| cashtags(text).map(|(start, end)| text[start..end].to_owned()).collect::<Vec<_>>();
        assert_eq!(found("$ACME and $BRK.A, $x_ab! $5 $TOOLONGX a$NOT $"), ["$ACME", "$BRK.A", "$x_ab"]);
        assert_eq!(found("ä$A é $É"), [""; 0]);
    }
}
