//! A text that is put together from pieces of a post, and remembers which byte came from where.

use std::ops::Range;

use crate::model::Place;
use crate::text::{FoundKind, find, fit, is_open, with_parameters};

use super::layers::Source;

/// A text that is put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Traced {
    pub text: String,
    /// In order, without gaps.
    runs: Vec<Run>,
}

#[derive(Debug, Clone)]
struct Run {
    /// Bytes of the text.
    at: Range<usize>,
    from: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    /// Copied from a text of the post, from this byte on.
    Copied { key: &'static str, index: usize, start: usize },
    /// A link of a text of the post, with campaign parameters.
    Rewritten { key: &'static str, index: usize, source: Range<usize> },
    /// Added: nothing of it stands in the post's texts.
    Added(Addition),
}

/// What is added to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Addition {
    Link,
    Tags,
    Number,
}

impl Addition {
    fn word(self) -> &'static str {
        match self {
            Self::Link => "`link`",
            Self::Tags => "`tags`",
            Self::Number => "the part's number",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Tags => "tags",
            Self::Number => "numbering",
        }
    }
}

impl Traced {
    /// A text of the post, without the white space around it, its links with `parameters`.
    pub(super) fn new(source: Source<'_>, parameters: &[(&'static str, String)]) -> Self {
        let Source { key, index, text } = source;
        let end = text.trim_end().len();
        let start = end - text[..end].trim_start().len();
        let mut traced = Self { text: String::with_capacity(end - start), runs: Vec::with_capacity(1) };
        let mut done = start;
        if !parameters.is_empty() {
            let links = find(text).into_iter().filter(|found| found.kind == FoundKind::Link);
            for link in links {
                traced.copy(key, index, text, done..link.start);
                let changed = with_parameters(&text[link.start..link.end], parameters);
                traced.push(&changed, Origin::Rewritten { key, index, source: link.start..link.end });
                done = link.end;
            }
        }
        traced.copy(key, index, text, done..end);
        traced
    }

    fn copy(&mut self, key: &'static str, index: usize, text: &str, range: Range<usize>) {
        if range.start < range.end {
            self.push(&text[range.clone()], Origin::Copied { key, index, start: range.start });
        }
    }

    fn push(&mut self, text: &str, from: Origin) {
        let start = self.text.len();
        self.text.push_str(text);
        self.runs.push(Run { at: start..self.text.len(), from });
    }

    /// Adds something at the end, after `gap` where there is text already.
    pub(super) fn add(&mut self, gap: &str, text: &str, addition: Addition) {
        let gap = if self.text.is_empty() { "" } else { gap };
        self.push(&format!("{gap}{text}"), Origin::Added(addition));
    }

    /// Leaves of what stands between marks as much as `fits` for the whole (see [`fit`]). A text that was filled in stands
    /// nowhere in the calendar byte by byte, so afterwards all of it comes from its source as a whole.
    pub(super) fn fit(&mut self, fits: impl Fn(&str) -> bool) {
        if is_open(&self.text) {
            self.text = fit(&self.text, fits);
            self.runs.truncate(1);
            if let Some(run) = self.runs.first_mut() {
                run.at = 0..self.text.len();
            }
        }
    }

    /// A piece of it.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let mut piece = Self { text: self.text[range.clone()].to_owned(), runs: Vec::new() };
        for run in &self.runs {
            let at = run.at.start.max(range.start)..run.at.end.min(range.end);
            if at.start >= at.end {
                continue;
            }
            let from = match &run.from {
                Origin::Copied { key, index, start } => {
                    Origin::Copied { key, index: *index, start: start + (at.start - run.at.start) }
                }
                other => other.clone(),
            };
            piece.runs.push(Run { at: at.start - range.start..at.end - range.start, from });
        }
        piece
    }

    /// The place in the post of a byte range of this text.
    pub(super) fn place(&self, start: usize, end: usize) -> Place {
        let mut found: Option<(&'static str, usize, usize, usize)> = None;
        for run in self.runs.iter().filter(|run| run.at.end > start && (run.at.start < end || start == end)) {
            let (key, index, source) = match &run.from {
                Origin::Copied { key, index, start: from } => {
                    let first = from + (start.max(run.at.start) - run.at.start);
                    let last = from + (end.clamp(run.at.start, run.at.end) - run.at.start);
                    (*key, *index, first..last.max(first))
                }
                Origin::Rewritten { key, index, source } => (*key, *index, source.clone()),
                Origin::Added(addition) if found.is_none() => return Place::Key { key: addition.key() },
                Origin::Added(_) => break,
            };
            match &mut found {
                None => found = Some((key, index, source.start, source.end)),
                Some((_, _, _, last)) => *last = source.end,
            }
        }
        if let Some((key, index, start, end)) = found {
            return Place::Text { key, index, start, end };
        }
        // Beyond the end: the end of the last text, or the post.
        match self.runs.last().map(|run| (&run.from, run.at.len())) {
            Some((Origin::Copied { key, index, start }, length)) => {
                Place::Text { key, index: *index, start: start + length, end: start + length }
            }
            Some((Origin::Rewritten { key, index, source }, _)) => {
                Place::Text { key, index: *index, start: source.end, end: source.end }
            }
            Some((Origin::Added(addition), _)) => Place::Key { key: addition.key() },
            None => Place::Post,
        }
    }

    /// What was added to it, for the message of a limit that is broken: ``with `link` and `tags` added``.
    pub(super) fn additions(&self) -> Option<String> {
        let mut words: Vec<&str> = Vec::new();
        for run in &self.runs {
            let word = match &run.from {
                Origin::Copied { .. } => continue,
                Origin::Rewritten { .. } => "campaign parameters",
                Origin::Added(addition) => addition.word(),
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let last = words.pop()?;
        Some(if words.is_empty() {
            format!("with {last} added")
        } else {
            format!("with {} and {last} added", words.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source<'_> {
        Source { key: "text", index: 0, text }
    }

    fn text(start: usize, end: usize) -> Place {
        Place::Text { key: "text", index: 0, start, end }
    }

    #[test]
    fn places_survive_trimming_and_slicing() {
        let traced = Traced::new(source("\n  héllo world\n"), &[]);
        assert_eq!(traced.text, "héllo world");
        assert_eq!(traced.place(0, 6), text(3, 9));
        let piece = traced.slice(7..12);
        assert_eq!(piece.text, "world");
        assert_eq!(piece.place(0, 5), text(10, 15));
    }

    #[test]
    fn additions_have_a_place_and_a_word() {
        let mut traced = Traced::new(source("hello"), &[]);
        traced.add("\n\n", "https://acme.example", Addition::Link);
        traced.add("\n\n", "#a #b", Addition::Tags);
        assert_eq!(traced.text, "hello\n\nhttps://acme.example\n\n#a #b");
        assert_eq!(traced.place(3, traced.text.len()), text(3, 5));
        assert_eq!(traced.place(10, traced.text.len()), Place::Key { key: "link" });
        assert_eq!(traced.additions().as_deref(), Some("with `link` and `tags` added"));
        assert_eq!(Traced::new(source("hello"), &[]).additions(), None);
    }

    #[test]
    fn an_empty_text_is_the_post() {
        assert_eq!(Traced::new(source(" "), &[]).place(0, 0), Place::Post);
    }
}
