//! Texts of releases: a template filled in, and what it wants fitted into the room that is left.
//!
//! How much room there is, is known only when everything else stands: the account's limit, its link and its tags. So
//! `{{ notes | fit }}` puts the notes between two marks, and [`fit`] leaves as much of them as goes when the rest is there.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Environment, Value};
use unicode_segmentation::UnicodeSegmentation;

use super::notes;
use super::sentence::{Rank, rank};
use super::template::{self, TemplateError};
use super::{FoundKind, find, hazards};
use crate::model::Release;

/// Around what is to be fitted. Noncharacters: no text has them, and what is filled in loses its own.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// What shows that something was left out.
const ELLIPSIS: char = '…';

/// The variables of a release text.
pub const RELEASE_VARIABLES: [&str; 8] =
    ["date", "notes", "prerelease", "previous", "project", "tag", "url", "version"];

/// The filters of a release text.
const FILTERS: [&str; 5] = ["bullets", "first_line", "fit", "hashtag", "plain"];

/// Whether a character marks a place of ours.
fn is_mark(c: char) -> bool {
    // Those of notes too.
    matches!(c, OPEN..='\u{FDD3}')
}

/// How what is filled in is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As plain text: what a post shows.
    Plain,
    /// Notes stay Markdown: a long form.
    Markdown,
}

/// Fills a template in. What it wants fitted stands between marks, until [`fit`] is called.
pub fn fill(source: &str, release: &Release, form: Form) -> Result<String, TemplateError> {
    let mut environment = template::environment(source)?;
    add_filters(&mut environment);
    let context = minijinja::context! {
        project => bare(&release.project),
        version => bare(release.version()),
        tag => bare(&release.tag),
        url => bare(&release.url),
        notes => Value::from_object(Notes { markdown: bare(&release.notes), form }),
        date => bare(&release.date),
        prerelease => release.prerelease,
        previous => bare(&release.previous),
    };
    template::run(&environment, source, context)
}

/// A text of somebody else's: without our marks, and without characters that are not what they seem.
fn bare(text: &str) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for hazard in hazards(text) {
        out.push_str(&text[done..hazard.start]);
        done = hazard.end;
    }
    out.push_str(&text[done..]);
    out.replace(is_mark, "")
}

/// Checks a template's form and its filters, and gives the variables that it uses, sorted.
pub fn variables(source: &str) -> Result<Vec<String>, TemplateError> {
    let mut environment = template::environment(source)?;
    add_filters(&mut environment);
    template::check(&environment, source, &FILTERS)?;
    template::names(&environment, source)
}

/// Leaves of what stands between marks as much as `fits` allows for the whole text: all of it, or else up to the end of a
/// sentence or of a list's entry, or else of a word, with an ellipsis. Where not even a word goes, nothing is left, and the
/// gap is closed. Of several, the first takes what it can.
pub fn fit(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut text = text.to_owned();
    while let Some((before, wanted, after)) = marked(&text) {
        let rest = without_marked(after);
        let middle = most(wanted.trim(), |middle| fits(&joined(before, middle, &rest)));
        text = joined(before, &middle, after);
    }
    text
}

/// Whether a text has places where something is to be fitted.
pub fn is_open(text: &str) -> bool {
    text.contains(OPEN)
}

/// What stands before the first marks, between them, and after them.
fn marked(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (wanted, after) = rest.split_once(CLOSE).unwrap_or((rest, ""));
    Some((before, wanted, after))
}

/// A text as it is when nothing is left of what is to be fitted.
fn without_marked(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some((before, _, after)) = marked(&text) {
        text = joined(before, "", after);
    }
    text
}

/// Three pieces; where the middle is empty, one gap is left of the two around it: the wider one.
fn joined(before: &str, middle: &str, after: &str) -> String {
    if !middle.is_empty() {
        return format!("{before}{middle}{after}");
    }
    let (head, tail) = (before.trim_end(), after.trim_start());
    let gaps = [&before[head.len()..], &after[..after.len() - tail.len()]];
    let lines = |gap: &&str| gap.matches('\n').count();
    let gap = gaps.iter().max_by_key(|gap| (lines(gap), gap.len())).copied().unwrap_or_default();
    // A text that began or ended with it begins or ends without a gap.
    if head.is_empty() {
        return tail.to_owned();
    }
    if tail.is_empty() {
        return head.to_owned();
    }
    format!("{head}{gap}{tail}")
}

/// The most of a text that `fits`.
fn most(text: &str, fits: impl Fn(&str) -> bool) -> String {
    if text.is_empty() || fits(text) {
        return text.to_owned();
    }
    let cuts = cuts(text);
    // Best first, and of the same kind the latest: but a cut that loses most of what a worse one keeps is no better.
    let mut best: Option<(Rank, usize, String)> = None;
    for wanted in [Rank::Sentence, Rank::Word] {
        let of_rank: Vec<usize> = cuts.iter().filter(|(_, rank)| *rank >= wanted).map(|(at, _)| *at).collect();
        // What is longer does not fit where what is shorter does not.
        let count = of_rank.partition_point(|at| fits(&shortened(text, *at)));
        let Some(&at) = count.checked_sub(1).and_then(|last| of_rank.get(last)) else { continue };
        let longer = best.as_ref().is_none_or(|(_, kept, _)| *kept * 2 < at);
        if longer {
            best = Some((wanted, at, shortened(text, at)));
        }
    }
    best.map(|(_, _, text)| text).unwrap_or_default()
}

/// The text up to a place, with an ellipsis: on a line of its own behind an entry of a list.
fn shortened(text: &str, at: usize) -> String {
    let head = text[..at].trim_end();
    let line = head.rsplit('\n').next().unwrap_or(head);
    let next_is_line = text[head.len()..].trim_start_matches([' ', '\t']).starts_with('\n');
    if line.trim_start().starts_with('•') && next_is_line {
        return format!("{head}\n{ELLIPSIS}");
    }
    let ends = head.ends_with(['.', '!', '?', '。', '！', '？', '…']);
    let head = head.trim_end_matches([',', ';', ':', '-', '–', '—', '(']).trim_end();
    if ends { format!("{head} {ELLIPSIS}") } else { format!("{head}{ELLIPSIS}") }
}

/// Where a text may be cut: never inside a link, mention or tag, nor behind a list's bullet or a title.
fn cuts(text: &str) -> Vec<(usize, Rank)> {
    let found = find(text);
    let mut kept = found.iter().filter(|found| found.kind != FoundKind::Tag || found.end > found.start).peekable();
    let mut cuts = Vec::new();
    for (at, _) in text.grapheme_indices(true).skip(1) {
        while kept.next_if(|found| found.end < at).is_some() {}
        let inside = kept.peek().is_some_and(|found| found.start < at && at < found.end);
        let rank = rank(text, at);
        let head = text[..at].trim_end();
        if inside
            || rank < Rank::Word
            || head.is_empty()
            || head.ends_with('•')
            || at == head.len() && !ends_here(text, at)
        {
            continue;
        }
        // A title belongs to what follows it.
        let titled = rank >= Rank::Line && is_title(head, &text[at..]);
        if !titled {
            cuts.push((at, rank));
        }
    }
    cuts
}

/// Cuts are looked at before white space alone, or between ideographs, where there is none.
fn ends_here(text: &str, at: usize) -> bool {
    text[at..].starts_with(char::is_whitespace) || !text[..at].ends_with(char::is_whitespace)
}

/// Whether the last line before a list is its title.
fn is_title(head: &str, after: &str) -> bool {
    let line = head.rsplit('\n').next().unwrap_or(head).trim();
    !line.starts_with('•') && after.trim_start().starts_with('•')
}

/// The notes of a release: shown as text, while filters see the Markdown.
#[derive(Debug)]
struct Notes {
    markdown: String,
    form: Form,
}

impl Object for Notes {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.markdown.trim().is_empty()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Plain => f.write_str(&notes::plain(&self.markdown)),
            Form::Markdown => f.write_str(&self.markdown),
        }
    }
}

/// What a filter is given, as Markdown: the notes, or any text.
fn markdown(value: &Value) -> String {
    value.downcast_object_ref::<Notes>().map_or_else(|| value.to_string(), |notes| notes.markdown.clone())
}

fn add_filters(environment: &mut Environment<'static>) {
    environment.add_filter("fit", |value: Value| format!("{OPEN}{value}{CLOSE}"));
    environment.add_filter("plain", |value: Value| notes::plain(&markdown(&value)));
    environment.add_filter("bullets", |value: Value, most: Option<usize>| {
        notes::bullets(&markdown(&value), most.unwrap_or(usize::MAX))
    });
    environment.add_filter("first_line", |value: Value| notes::first_line(&markdown(&value)));
    environment.add_filter("hashtag", |value: Value| notes::hashtag(&value.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release() -> Release {
        Release {
            project: "Acme".to_owned(),
            tag: "v2.0.0".to_owned(),
            url: "https://acme.example/2.0".to_owned(),
            notes: "## New\n\n- A *fast* parser. It is new.\n- Colours by @bob\n- Fewer bugs\n".to_owned(),
            date: "2026-12-01".to_owned(),
            ..Release::default()
        }
    }

    fn filled(source: &str, most: usize) -> String {
        let filled = fill(source, &release(), Form::Plain).expect("a good template");
        fit(&filled, |text| text.chars().count() <= most)
    }

    #[test]
    fn everything_where_there_is_room() {
        let text = filled("{{ project }} {{ version }} is out.\n\n{{ notes | fit }}\n\n{{ url }}", 500);
        assert_eq!(
            text,
            "Acme 2.0.0 is out.\n\nNew\n• A fast parser. It is new.\n• Colours by bob\n• Fewer bugs\n\nhttps://acme.example/2.0"
        );
        assert_eq!(filled("{{ notes }}", 1), "New\n• A fast parser. It is new.\n• Colours by bob\n• Fewer bugs");
    }

    #[test]
    fn cut_at_an_entry_a_sentence_a_word_or_not_at_all() {
        let source = "{{ tag }}: {{ notes | fit }} {{ url }}";
        let whole = filled(source, 500).chars().count();
        let url = "https://acme.example/2.0";
        assert_eq!(
            filled(source, whole - 1),
            format!("v2.0.0: New\n• A fast parser. It is new.\n• Colours by bob\n… {url}")
        );
        assert_eq!(filled(source, 66), format!("v2.0.0: New\n• A fast parser. It is new.\n… {url}"));
        assert_eq!(filled(source, 56), format!("v2.0.0: New\n• A fast parser. … {url}"));
        assert_eq!(filled(source, 52), format!("v2.0.0: New\n• A fast… {url}"));
        assert_eq!(filled(source, 36), format!("v2.0.0: {url}"));
        assert_eq!(filled("{{ notes | fit }}\n\n{{ url }}", 30), url);
        assert_eq!(filled("{{ url }}\n{{ notes | fit }}", 30), url);
    }

    #[test]
    fn of_several_the_first_takes_what_it_can() {
        let text = filled("{{ notes | bullets(1) | fit }} {{ project | fit }}", 32);
        assert_eq!(text, "• A fast parser. It is new. Acme");
        assert_eq!(filled("{{ notes | first_line | fit }} {{ project | fit }}", 26), "A fast parser. It is new.");
    }

    #[test]
    fn a_link_is_never_cut() {
        let release = Release { notes: "See https://acme.example/a/long/way/to/go for all.".to_owned(), ..release() };
        let made = fill("{{ notes | fit }}", &release, Form::Plain).expect("a good template");
        for most in 0..60 {
            let text = fit(&made, |text| text.chars().count() <= most);
            assert!(text.chars().count() <= most, "{most}: {text}");
            assert!(!text.contains("https") || text.contains("/way/to/go"), "{most}: {text}");
        }
    }

    #[test]
    fn variables_filters_and_tests() {
        assert_eq!(filled("{% if prerelease %}pre{% else %}full{% endif %} {{ previous }}|", 99), "full |");
        assert_eq!(filled("{{ 'acme cli' | hashtag }} {{ date }}", 99), "#acmeCli 2026-12-01");
        assert_eq!(variables("{{ notes | fit }} {{ url }}"), Ok(vec!["notes".to_owned(), "url".to_owned()]));
        assert!(variables("{{ notes | shorten }}").is_err());
        assert!(variables("{{ notes | fit").is_err());
        assert!(fill("{{ nosuch }}", &release(), Form::Plain).is_err());
        assert_eq!(fill("{{ notes }}", &release(), Form::Markdown), Ok(release().notes));
    }

    #[test]
    fn hidden_characters_of_somebody_else_are_left_out() {
        let release = Release { notes: "a\u{202e}b\u{200b}c\u{7}d 👩\u{200d}👧".to_owned(), ..release() };
        assert_eq!(fill("{{ notes }}", &release, Form::Plain), Ok("abcd 👩\u{200d}👧".to_owned()));
    }

    #[test]
    fn marks_of_somebody_else_mean_nothing() {
        let release = Release { notes: format!("a {OPEN}7{CLOSE} b"), ..release() };
        let made = fill("{{ notes | fit }}", &release, Form::Plain).expect("a good template");
        assert_eq!(fit(&made, |_| true), "a 7 b");
    }
}
