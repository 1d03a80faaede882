//! The files of a post: their facts, read once in a run, and what fitting will do to them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::adapter::{ImageRule, Limits};
use crate::media::{MediaError, Target, foresee, probe_file};
use crate::model::{Code, MediaFacts, MediaKind, Place, Problem, codes};

type Facts = Result<MediaFacts, MediaError>;

/// Facts of files, each read once.
#[derive(Debug, Default)]
pub(super) struct Album {
    known: Mutex<HashMap<String, Facts>>,
}

impl Album {
    /// The facts of a file below `folder`.
    pub(super) fn facts(&self, folder: &Path, file: &str) -> Facts {
        // A cache: whatever a panicking thread left in it is still true.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = known.get(file) {
            return facts.clone();
        }
        let facts = probe_file(folder, file);
        known.insert(file.to_owned(), facts.clone());
        facts
    }
}

/// The problem of a file that cannot be used.
pub(super) fn unusable(error: &MediaError, index: usize, file: &str) -> Problem {
    let help = match error {
        MediaError::Outside(_) => "give a path below the calendar's folder, without `..`",
        MediaError::Missing(_) => "paths are relative to the calendar's folder; was the file added to git?",
        MediaError::Symlink(_) => "put the file itself there: links are not followed",
        MediaError::NotAFile(_) => "name the file itself",
        MediaError::Unsupported(_) => "smm knows PNG, JPEG, WebP, GIF, common videos and PDF, by their content",
        MediaError::TooLarge(_) => "make it smaller",
        MediaError::CannotFit(_) => "give the account a picture of its own under `[posts.for.…]`",
        MediaError::Unreadable(_) => "look at its permissions",
    };
    let said = error.to_string();
    let message = if said.contains(file) { said } else { format!("`{file}`: {said}") };
    Problem::error(code(error), Place::Media { index, key: "file" }, message).help(help)
}

fn code(error: &MediaError) -> Code {
    match error {
        MediaError::Outside(_) => codes::MEDIA_OUTSIDE,
        MediaError::Missing(_) => codes::MEDIA_MISSING,
        MediaError::Symlink(_) => codes::MEDIA_SYMLINK,
        MediaError::NotAFile(_) => codes::MEDIA_NOT_A_FILE,
        MediaError::Unsupported(_) => codes::MEDIA_UNKNOWN_TYPE,
        MediaError::TooLarge(_) => codes::MEDIA_TOO_LARGE,
        MediaError::CannotFit(_) => codes::MEDIA_CANNOT_FIT,
        MediaError::Unreadable(_) => codes::MEDIA_UNREADABLE,
    }
}

/// What a file of this kind must come to for an account. `None` for those that are sent as they are.
pub fn target(kind: MediaKind, limits: &Limits) -> Option<Target> {
    let rule: ImageRule = match kind {
        MediaKind::Video | MediaKind::Document => return None,
        MediaKind::Animation => limits.animation.unwrap_or(limits.image),
        MediaKind::Image => limits.image,
    };
    Some(Target {
        mimes: rule.mimes.iter().map(|&mime| mime.to_owned()).collect(),
        bytes: rule.bytes,
        pixels: rule.pixels,
        side: rule.side,
    })
}

/// What fitting will do to a file: a line for people, nothing, or why it cannot be done.
pub(super) fn fitting(facts: &MediaFacts, limits: &Limits) -> Result<Option<String>, MediaError> {
    let rule = match facts.kind {
        MediaKind::Video | MediaKind::Document => return Ok(None),
        // The profile's checks have looked at those with rules of their own.
        MediaKind::Animation if limits.animation.is_some() => return Ok(None),
        MediaKind::Animation | MediaKind::Image => limits.image,
    };
    let fits = rule.mimes.contains(&facts.mime.as_str())
        && facts.bytes <= rule.bytes
        && facts.pixels() <= rule.pixels
        && facts.width.max(facts.height) <= rule.side;
    match target(facts.kind, limits) {
        Some(target) if !fits => foresee(facts, &target),
        _ => Ok(None),
    }
}
