//! Something wrong with a post, told without knowing files and lines. [`crate::calendar`] finds the place in the file.

use std::fmt;

use serde::Serialize;

/// A stable, readable code such as `text-too-long`. `smm explain` knows each (see [`super::codes`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The calendar is refused.
    Error,
    /// Probably not meant; published all the same.
    Warning,
    /// Worth knowing.
    Note,
}

/// Which piece of a post a problem is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "at", rename_all = "kebab-case")]
pub enum Place {
    /// The post as a whole: shown at its id.
    Post,
    /// A key of the post's table, such as `visibility`.
    Key {
        /// The key.
        key: &'static str,
    },
    /// A byte range of a text: `key` is `text`, `texts`, `thread`, `body`, `title`, `content_warning` or `first_comment`.
    Text {
        /// The key.
        key: &'static str,
        /// Which one, for `texts` and `thread`, from 0.
        index: usize,
        /// From this byte of the text as the calendar has it.
        start: usize,
        /// To before this byte.
        end: usize,
    },
    /// A media file, from 0, and one of its keys (`file`, `alt`) or "" for the entry.
    Media {
        /// Which one, from 0.
        index: usize,
        /// `file`, `alt` or "".
        key: &'static str,
    },
    /// A choice of the poll, from 0.
    PollOption {
        /// Which one, from 0.
        index: usize,
    },
}

/// Something wrong with a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and by how much. One line, no full stop, no network's name (the caller adds account and network).
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// Where.
    pub place: Place,
}

impl Problem {
    /// An error.
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), help: None, place }
    }

    /// A warning.
    pub fn warning(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// A note.
    pub fn note(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, place, message) }
    }

    /// Adds how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
