//! Checks that a network asks for itself, where its profile's data does not say that it has such a rule.

use crate::model::{MediaKind, Place, Problem, codes};
use crate::text::{Counting, MentionWeight, Unit, measure};

use super::super::{Draft, DraftMedia};
use super::{part_place, units};

/// Where text and content warning fit by themselves, as [`super::check`] counts them, but not as they are sent: `length` is how much
/// that is, `with` what is added between and around them.
pub fn with_warning(draft: &Draft<'_>, part: usize, length: u64, with: &str, problems: &mut Vec<Problem>) {
    let Some((warning, limit)) = draft.warning().zip(draft.limits.text.first()) else { return };
    let counting = limit.counting(draft.limits.link, MentionWeight::Raw);
    let text = &draft.parts[part].text;
    if length > limit.max && measure(text, counting) + measure(warning, counting) <= limit.max {
        let over = length - limit.max;
        let message = format!("{} with the content warning and {with}, {over} too many", units(length, limit.unit));
        problems
            .push(Problem::error(codes::TEXT_TOO_LONG, part_place(part, 0, text.len()), message).help("shorten it"));
    }
}

/// Where a poll asks the text of its part: of at most `max` characters, and not hidden.
pub fn question(draft: &Draft<'_>, max: u64, problems: &mut Vec<Problem>) {
    let (Some(_poll), Some(part)) = (&draft.poll, draft.parts.first()) else { return };
    let asked = measure(&part.text, Counting { unit: Unit::CodePoints, link: None, mention: MentionWeight::Raw });
    if asked > max {
        let message = format!("the text is the poll's question: {asked} characters, {} too many", asked - max);
        problems.push(
            Problem::error(codes::TEXT_TOO_LONG, part_place(0, 0, part.text.len()), message).help(
                "write a question of its own under `[posts.for.…]`, and what else there is to say in another post",
            ),
        );
    }
    if draft.warning().is_some() {
        let place = Place::Key { key: "content_warning" };
        problems.push(
            Problem::error(codes::CONTENT_WARNING_UNSUPPORTED, place, "a poll's question cannot be hidden")
                .help("send this post to other accounts, or set `content_warning = \"\"` under `[posts.for.…]`"),
        );
    }
}

/// Where pictures and videos count together, to `max` in one part: `first` is the number of the part's first file. More of one
/// kind than that is said by [`super::check`].
pub fn files_together(media: &[DraftMedia], max: usize, first: usize, problems: &mut Vec<Problem>) {
    let videos = media.iter().filter(|media| media.facts.kind == MediaKind::Video).count();
    if media.len() > max && videos <= max && media.len() - videos <= max {
        let message = format!("{} files, {} too many: at most {max} in one part", media.len(), media.len() - max);
        problems.push(
            Problem::error(codes::MEDIA_TOO_MANY, Place::Media { index: first + max, key: "" }, message)
                .help("take some out, or spread them over a thread with `part = 2`"),
        );
    }
}
