//! Diagnostics for people, for programs and for GitHub.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::ci::{data, property};
use super::printable::{aligned, printable};
use crate::calendar::{Diagnostic, Sources, Span};
use crate::model::{CalendarName, Severity, codes};

/// Most bytes of one excerpt: a line may be a whole article.
const EXCERPT: usize = 4096;

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Tally {
    /// Counts diagnostics.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let mut tally = Self::default();
        for found in diagnostics {
            match found.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Note => tally.notes += 1,
            }
        }
        tally
    }

    /// `3 errors, 2 warnings in 12 posts`.
    pub fn line(self, posts: usize) -> String {
        let mut words = Vec::new();
        for (count, name) in [(self.errors, "error"), (self.warnings, "warning"), (self.notes, "note")] {
            if count > 0 {
                words.push(counted(count, name));
            }
        }
        if words.is_empty() {
            words.push("nothing wrong".to_owned());
        }
        format!("{} in {}", words.join(", "), counted(posts, "post"))
    }
}

fn counted(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// What `smm check --format json` writes.
#[derive(Debug, Serialize)]
pub struct CheckReport<'a> {
    /// No errors.
    pub ok: bool,
    /// The calendar's name, where it could be read.
    pub calendar: Option<&'a CalendarName>,
    /// How many posts there are.
    pub posts: usize,
    /// What is wrong, by file and place.
    pub diagnostics: &'a [Diagnostic],
}

/// Diagnostics like a compiler's, with the excerpt underlined. `colour` is the caller's decision.
pub fn human(sources: &Sources, diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for found in diagnostics {
        text.push_str(&renderer.render(&[group(sources, found)]));
        text.push_str("\n\n");
    }
    text
}

fn group<'a>(sources: &'a Sources, found: &'a Diagnostic) -> Group<'a> {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(printable(&found.message)).id(found.code.0);
    let mut group = match found.span.and_then(|span| excerpt(sources, span)) {
        Some(excerpt) => title.element(
            Snippet::source(without_secrets(excerpt.text, found))
                .path(printable(&found.file))
                .line_start(found.line)
                .annotation(AnnotationKind::Primary.span(excerpt.start..excerpt.end)),
        ),
        None if found.file.is_empty() => Group::with_title(title),
        None => title.element(Origin::path(printable(&found.file)).line(found.line).char_column(found.column)),
    };
    if let Some(help) = &found.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    group
}

/// Names of keys whose values are secrets, wherever they may have been written by mistake.
const SECRETS: &[&str] = &["token", "password", "secret", "key", "url", "webhook", "jwt", "nsec", "grant"];

/// An excerpt in which what may be a secret is covered, sign by sign: it is refused, and shown to nobody.
fn without_secrets(text: String, found: &Diagnostic) -> String {
    let is_refused = found.code.0 == codes::SECRET_IN_FILE.0;
    let covered = |line: &str| {
        let Some((key, value)) = line.split_once('=') else { return is_refused };
        let key = key.trim().trim_matches('"').to_ascii_lowercase();
        // An address with a user or a query in it, where none belongs.
        let is_address = matches!(key.as_str(), "server" | "ledger") && value.contains(['@', '?']);
        is_refused || is_address || SECRETS.iter().any(|name| key.ends_with(name))
    };
    if !text.lines().any(covered) {
        return text;
    }
    text.split_inclusive('\n').map(|line| if covered(line) { cover(line) } else { line.to_owned() }).collect()
}

/// A line with `*` for each sign of its texts.
fn cover(line: &str) -> String {
    let mut quote = None;
    let covered = |c: char| match quote {
        None if matches!(c, '"' | '\'') => {
            quote = Some(c);
            c
        }
        Some(open) if c == open => {
            quote = None;
            c
        }
        // Signs of more than a byte stay: the span counts bytes.
        Some(_) if c.is_ascii() && c != '\n' => '*',
        _ => c,
    };
    line.chars().map(covered).collect()
}

/// The lines of a span, safe to show, and the span in them.
struct Excerpt {
    text: String,
    start: usize,
    end: usize,
}

/// The lines of a span alone are handed to the renderer: it reads all that it is given, for every diagnostic.
fn excerpt(sources: &Sources, span: Span) -> Option<Excerpt> {
    let text = &sources.files.get(span.file)?.text;
    if text.is_empty() {
        return None;
    }
    let start = floor(text, span.start);
    let end = floor(text, span.end.max(span.start)).max(start);
    let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let last = text[end..].find('\n').map_or(text.len(), |at| end + at);
    let last = text[first..last].strip_suffix('\r').map_or(last, |line| first + line.len());
    // A span that ends after a line feed would show the next line too.
    let end = if end > start && text[..end].ends_with('\n') { end - 1 } else { end };
    let cut = floor(text, last.min(start + EXCERPT)).max(start);
    let (end, last) = (end.min(cut).max(start), cut.max(end.min(cut)));
    let shown = |from: usize, to: usize| aligned(&text[from..to]).into_owned();
    let (before, within) = (shown(first, start), shown(start, end));
    let after = shown(end, last.max(end));
    let (start, end) = (before.len(), before.len() + within.len());
    Some(Excerpt { text: before + &within + &after, start, end })
}

/// The character boundary at or before a byte.
fn floor(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// Workflow commands that GitHub shows as annotations of the changed lines. `path` makes a file's path one that is relative
/// to the repository.
pub fn github(diagnostics: &[Diagnostic], path: &dyn Fn(&str) -> String) -> String {
    let mut text = String::new();
    for found in diagnostics {
        let command = match found.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut message = printable(&found.message);
        if let Some(help) = &found.help {
            message.push('\n');
            message.push_str(&printable(help));
        }
        let _ = write!(text, "::{command} file={},line={}", property(&printable(&path(&found.file))), found.line);
        // Columns mean something within one line alone.
        let _ = if found.end_line > found.line {
            write!(text, ",endLine={}", found.end_line)
        } else {
            write!(text, ",col={},endLine={},endColumn={}", found.column, found.end_line, found.end_column)
        };
        let _ = writeln!(text, ",title={}::{}", property(found.code.0), data(&message));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::SourceFile;
    use crate::model::codes;

    fn sources(text: &str) -> Sources {
        Sources { files: vec![SourceFile::new("calendar.toml", text)] }
    }

    fn about(sources: &Sources, part: &str, message: &str) -> Diagnostic {
        let start = sources.files[0].text.find(part).expect("the part is there");
        let span = Span { file: 0, start, end: start + part.len() };
        let mut found = Diagnostic::new(codes::TEXT_TOO_LONG, Severity::Error, message, sources, span);
        found.help = Some("shorten it".to_owned());
        found
    }

    #[test]
    fn an_error_shows_its_line() {
        let sources = sources("name = \"acme\"\n[[posts]]\ntext = \"ünd and also this\"\nlink = \"x\"\n");
        let found = about(&sources, "and also this", "312 graphemes, 12 too many");
        insta::assert_snapshot!(human(&sources, &[found], false), @r#"
        error[text-too-long]: 312 graphemes, 12 too many
         --> calendar.toml:3:13
          |
        3 | text = "ünd and also this"
          |             ^^^^^^^^^^^^^
          |
          = help: shorten it
        "#);
    }

    #[test]
    fn hidden_characters_are_shown_and_columns_stay() {
        let sources = sources("text = \"a\u{202e}b\u{200b}\u{1b}[2Jc evil\"\r\nx = 1\r\n");
        let found = about(&sources, "evil", "a \u{1b}[31m message");
        assert_eq!(found.column, 19);
        let shown = human(&sources, &[found], false);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{200b}', '\r']), "{shown:?}");
        assert!(shown.contains("calendar.toml:1:19"), "{shown}");
        assert!(shown.contains("\\u{1b}[31m message"), "{shown}");
    }

    #[test]
    fn colour_only_when_asked() {
        let sources = sources("text = \"x\"");
        let found = about(&sources, "x", "wrong");
        assert!(!human(&sources, std::slice::from_ref(&found), false).contains('\u{1b}'));
        assert!(human(&sources, &[found], true).contains('\u{1b}'));
    }

    #[test]
    fn every_span_can_be_shown() {
        let text = "name = \"é\"\r\n\ntext = \"\"\"\none\ntwo 👩‍👩‍👧\n\"\"\"\n";
        let sources = sources(text);
        for start in 0..=text.len() + 2 {
            for end in start..=text.len() + 2 {
                let span = Span { file: 0, start, end };
                if !text.is_char_boundary(start.min(text.len())) || !text.is_char_boundary(end.min(text.len())) {
                    continue;
                }
                let found = Diagnostic::new(codes::TEXT_EMPTY, Severity::Warning, "m", &sources, span);
                let place = format!("calendar.toml:{}:{}", found.line, found.column);
                let shown = human(&sources, &[found], false);
                assert!(shown.contains(&place), "{start}..{end}: {place}\n{shown}");
            }
        }
    }

    #[test]
    fn github_reads_back_what_was_written() {
        let sources = sources("text = \"y\"");
        let mut found = about(&sources, "y", "100 % wrong:\nreally, yes");
        found.file = "a,b:c.toml".to_owned();
        assert_eq!(
            github(&[found], &|path| format!("sub/{path}")),
            "::error file=sub/a%2Cb%3Ac.toml,line=1,col=9,endLine=1,endColumn=10,title=text-too-long::\
             100 %25 wrong:%0Areally, yes%0Ashorten it\n"
        );
    }

    #[test]
    fn the_tally_is_a_sentence() {
        let tally = Tally { errors: 1, warnings: 2, notes: 0 };
        assert_eq!(tally.line(12), "1 error, 2 warnings in 12 posts");
        assert_eq!(Tally::default().line(1), "nothing wrong in 1 post");
    }
}
