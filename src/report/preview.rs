//! What each account would receive: as data for programs, and as text for a terminal. The page is in [`super::html`].

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, Timelike as _, Utc};
use serde::Serialize;
use unicode_width::UnicodeWidthChar as _;

use super::printable;
use crate::adapter::Profile;
use crate::adapter::check::{size, unit_word};
use crate::calendar::Calendar;
use crate::compose::{Composer, Instance, PartView, Rendering};
use crate::model::{
    Account, AccountName, DeliveryId, MediaFacts, OccurrenceName, Poll, Post, PostId, Problem, Reason, Severity,
    Trigger, Visibility,
};
use crate::networks;
use crate::schedule::next_time;
use crate::text::Unit;

/// Columns of a preview in a terminal.
const WIDTH: usize = 78;

/// One rendering with what it was made of.
#[derive(Debug)]
pub struct Preview<'a> {
    /// The post.
    pub post: &'a Post,
    /// The account.
    pub account: &'a Account,
    /// Its network.
    pub profile: &'static Profile,
    /// When it is due, as an instant and in the calendar's zone; the next time of a series. `None`: not known.
    pub due: Option<(DateTime<Utc>, NaiveDateTime)>,
    /// Why it is due at another time than its post says.
    pub moved: Option<Reason>,
    /// Which of the texts of a series, from 1, and how many there are.
    pub text: Option<(usize, usize)>,
    /// What the account would receive.
    pub rendering: Rendering,
}

/// Makes the previews of a calendar: of one post, of one account, or of all.
pub fn previews<'a>(
    calendar: &'a Calendar,
    post: Option<&PostId>,
    account: Option<&AccountName>,
    now: DateTime<Utc>,
) -> Vec<Preview<'a>> {
    let composer = Composer::new(calendar);
    let mut previews = Vec::new();
    for post in calendar.posts.iter().filter(|known| post.is_none_or(|post| &known.id == post)) {
        for name in post.to.iter().filter(|known| account.is_none_or(|account| *known == account)) {
            let Some(account) = calendar.accounts.get(name) else { continue };
            let Some(network) = networks::find(&account.network) else { continue };
            let next = next_time(calendar, post, account, now);
            let due = next.as_ref().map(|(due, civil, _)| (*due, *civil));
            let moved = next.and_then(|(_, _, reason)| reason);
            let delivery = DeliveryId::derive(&calendar.name, &OccurrenceName::once(&post.name), name);
            let count = Composer::variations(post, account);
            for variation in 0..count {
                let instance = Instance { delivery, generation: 0, variation };
                previews.push(Preview {
                    post,
                    account,
                    profile: network.profile(),
                    due,
                    moved: moved.clone(),
                    text: (count > 1).then_some((variation + 1, count)),
                    rendering: composer.compose(post, account, instance),
                });
            }
        }
    }
    previews
}

/// What `smm preview --format json` writes. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub struct PreviewReport<'a> {
    renderings: Vec<RenderingView<'a>>,
}

#[derive(Debug, Serialize)]
struct RenderingView<'a> {
    post: &'a PostId,
    account: &'a AccountName,
    network: &'a str,
    due: Option<DateTime<Utc>>,
    civil: Option<NaiveDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a Reason>,
    draft: bool,
    variation: Option<usize>,
    parts: Vec<PartJson<'a>>,
    title: Option<&'a str>,
    body: Option<&'a str>,
    content_warning: Option<&'a str>,
    visibility: Option<Visibility>,
    languages: &'a [String],
    labels: &'a [String],
    tags: &'a [String],
    reply_to: Option<&'a str>,
    quote: Option<&'a str>,
    poll: Option<&'a Poll>,
    notes: &'a [String],
    problems: &'a [Problem],
}

#[derive(Debug, Serialize)]
struct PartJson<'a> {
    text: &'a str,
    length: u64,
    limit: u64,
    unit: Unit,
    media: Vec<MediaJson<'a>>,
    link: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct MediaJson<'a> {
    file: &'a str,
    alt: &'a str,
    /// Of a document: what it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    mime: Option<&'a str>,
    bytes: Option<u64>,
    width: Option<u32>,
    height: Option<u32>,
}

impl<'a> PreviewReport<'a> {
    /// The previews as data.
    pub fn new(previews: &'a [Preview<'a>]) -> Self {
        Self { renderings: previews.iter().map(RenderingView::new).collect() }
    }
}

impl<'a> RenderingView<'a> {
    fn new(preview: &'a Preview<'a>) -> Self {
        let rendering = &preview.rendering;
        Self {
            post: &preview.post.id,
            account: &preview.account.name,
            network: preview.profile.id,
            due: preview.due.map(|(instant, _)| instant),
            civil: preview.due.map(|(_, civil)| civil),
            reason: preview.moved.as_ref(),
            draft: preview.post.draft,
            variation: preview.text.map(|(number, _)| number),
            parts: rendering.parts.iter().map(|part| PartJson::new(part, rendering)).collect(),
            title: rendering.title.as_deref(),
            body: rendering.body.as_deref(),
            content_warning: rendering.content_warning.as_deref(),
            visibility: rendering.visibility,
            languages: &rendering.languages,
            labels: &rendering.labels,
            tags: &rendering.tags,
            reply_to: rendering.reply_to.as_deref(),
            quote: rendering.quote.as_deref(),
            poll: rendering.poll.as_ref(),
            notes: &rendering.notes,
            problems: &rendering.problems,
        }
    }
}

impl<'a> PartJson<'a> {
    fn new(part: &'a PartView, rendering: &'a Rendering) -> Self {
        let media = part.media.iter().map(|(file, alt, facts)| {
            // Of a video the size in pixels may not be known; a document has none.
            let side = |of: fn(&MediaFacts) -> u32| facts.as_ref().map(of).filter(|&side| side > 0);
            MediaJson {
                file,
                alt,
                title: rendering.titles.get(file).map(String::as_str),
                mime: facts.as_ref().map(|facts| facts.mime.as_str()),
                bytes: facts.as_ref().map(|facts| facts.bytes),
                width: side(|facts| facts.width),
                height: side(|facts| facts.height),
            }
        });
        Self {
            text: &part.text,
            length: part.length,
            limit: part.limit,
            unit: part.unit,
            media: media.collect(),
            link: part.link.as_deref(),
        }
    }
}

/// `231/300 graphemes`.
pub(super) fn counter(part: &PartView) -> String {
    format!("{}/{} {}", part.length, part.limit, unit_word(part.limit, part.unit))
}

/// `Tue 1 Dec 2026, 09:00 Europe/Berlin`.
pub(super) fn when(calendar: &Calendar, preview: &Preview<'_>) -> String {
    let draft = if preview.post.draft { "draft, " } else { "" };
    let time = match (preview.due, &preview.post.trigger) {
        (Some((_, civil)), trigger) => {
            let next = if matches!(trigger, Some(Trigger::Cron { .. })) { "next " } else { "" };
            let seconds = if civil.second() == 0 { "" } else { ":%S" };
            let moved = preview.moved.as_ref().map_or(String::new(), |reason| format!(", {}", reason.message));
            format!("{next}{} {}{moved}", civil.format(&format!("%a %-d %b %Y, %H:%M{seconds}")), calendar.zone.name())
        }
        (None, Some(Trigger::Cron { .. })) => "a series that is over".to_owned(),
        (None, Some(Trigger::Release(_))) => "on release".to_owned(),
        (None, _) => "no time yet".to_owned(),
    };
    format!("{draft}{time}")
}

/// A poll's time for people.
pub(super) fn poll_line(poll: &Poll) -> String {
    let hours = poll.seconds / 3600;
    let time = match (hours / 24, hours) {
        (days, hours) if days > 0 && hours.is_multiple_of(24) => format!("{days} d"),
        (_, hours) if hours > 0 && poll.seconds.is_multiple_of(3600) => format!("{hours} h"),
        _ => format!("{} min", poll.seconds / 60),
    };
    let choices = if poll.multiple { "several choices" } else { "one choice" };
    format!("poll, {choices}, open for {time}")
}

/// The previews for a terminal, each in a box of its own.
pub fn human(calendar: &Calendar, previews: &[Preview<'_>]) -> String {
    let mut text = String::new();
    for preview in previews {
        boxed(calendar, preview, &mut text);
        text.push('\n');
    }
    text
}

fn boxed(calendar: &Calendar, preview: &Preview<'_>, out: &mut String) {
    let rendering = &preview.rendering;
    let number = preview.text.map_or_else(String::new, |(number, of)| format!(" (text {number} of {of})"));
    let head = format!("{}{number} → {} on {}", preview.post.id, preview.account.name, preview.profile.name);
    rule(out, '╭', &head);
    line(out, &when(calendar, preview));
    let facts = [
        ("answers", rendering.reply_to.as_deref()),
        ("quotes", rendering.quote.as_deref()),
        ("title", rendering.title.as_deref()),
        ("content warning", rendering.content_warning.as_deref()),
        ("visibility", rendering.visibility.map(Visibility::as_str)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            line(out, &format!("{name}: {value}"));
        }
    }
    for (name, values) in
        [("languages", &rendering.languages), ("labels", &rendering.labels), ("tags", &rendering.tags)]
    {
        if !values.is_empty() {
            line(out, &format!("{name}: {}", values.join(", ")));
        }
    }
    let count = rendering.parts.len();
    for (index, part) in rendering.parts.iter().enumerate() {
        let label = if count > 1 { format!("{} of {count}, {}", index + 1, counter(part)) } else { counter(part) };
        rule(out, '├', &label);
        line(out, if part.text.is_empty() { "(no text)" } else { &part.text });
        if let Some(link) = &part.link {
            line(out, &format!("▸ link card: {link}"));
        }
        for (file, alt, facts) in &part.media {
            let facts = facts.as_ref().map_or_else(
                || "cannot be read".to_owned(),
                |facts| {
                    let bytes = size(facts.bytes);
                    if facts.width == 0 { bytes } else { format!("{}×{}, {bytes}", facts.width, facts.height) }
                },
            );
            let called = match rendering.titles.get(file) {
                Some(title) => format!("“{title}”"),
                None if alt.is_empty() => "no alt text".to_owned(),
                None => format!("“{alt}”"),
            };
            line(out, &format!("▸ {file} ({facts}): {called}"));
        }
        if let Some(poll) = rendering.poll.as_ref().filter(|_| index == 0) {
            line(out, &format!("▸ {}", poll_line(poll)));
            for option in &poll.options {
                line(out, &format!("  {} {option}", if poll.multiple { '☐' } else { '○' }));
            }
        }
    }
    if let Some(body) = &rendering.body {
        rule(out, '├', "long form");
        line(out, body);
    }
    if !rendering.notes.is_empty() || !rendering.problems.is_empty() {
        rule(out, '├', "");
        for note in &rendering.notes {
            line(out, &format!("note: {note}"));
        }
        for problem in &rendering.problems {
            line(out, &format!("{}[{}]: {}", severity(problem.severity), problem.code, problem.message));
        }
    }
    rule(out, '╰', "");
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A line of the box with a label in it.
fn rule(out: &mut String, corner: char, label: &str) {
    let label = printable(label).replace('\n', " ");
    let label = if label.is_empty() { String::new() } else { format!(" {label} ") };
    let used = 2 + width(&label);
    let _ = writeln!(out, "{corner}─{label}{}", "─".repeat(WIDTH.saturating_sub(used)));
}

/// Text in the box, wrapped.
fn line(out: &mut String, text: &str) {
    for paragraph in printable(text).lines() {
        for wrapped in wrap(paragraph, WIDTH - 2) {
            let _ = writeln!(out, "{}", format!("│ {wrapped}").trim_end());
        }
    }
}

/// Columns of a text in a terminal.
fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Wraps a line at spaces; what is longer than a line stays whole, so that links can be copied.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let length = width(word.trim_end_matches(' '));
        if used > 0 && used + length > columns {
            lines.push(line.trim_end().to_owned());
            line.clear();
            used = 0;
        }
        line.push_str(word);
        used += width(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("https://a-very-long.example", 7), ["https://a-very-long.example"]);
        assert_eq!(wrap("日本 日本", 5), ["日本", "日本"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn polls_say_how_long_they_are_open() {
        let poll = |seconds| Poll { options: Vec::new(), seconds, multiple: false, hide_totals: false };
        assert_eq!(poll_line(&poll(86_400)), "poll, one choice, open for 1 d");
        assert_eq!(poll_line(&poll(5400)), "poll, one choice, open for 90 min");
        assert_eq!(poll_line(&poll(7200)), "poll, one choice, open for 2 h");
    }
}
