//! Previews as one page that needs nothing else: each rendering as a reader of that network would see it. No script, no
//! request, and everything that comes from the calendar escaped.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::preview::{Preview, counter, poll_line, severity, when};
use super::printable;
use crate::adapter::check::size;
use crate::calendar::Calendar;
use crate::compose::PartView;
use crate::media::{Target, fit, read_file};
use crate::model::{Account, MediaFacts, MediaKind, Visibility};
use crate::text::{FoundKind, find};

const STYLE: &str = include_str!("preview.css");
/// Largest file that a thumbnail is made of, in bytes.
const SOURCE_LIMIT: u64 = 50_000_000;
/// Largest thumbnail, in bytes.
const THUMBNAIL: u64 = 60_000;
/// Longest side of a thumbnail, in pixels.
const SIDE: u32 = 640;
/// All thumbnails of a page together, in bytes: beyond, pictures are named only.
const PAGE: usize = 24_000_000;

/// The page.
pub fn page(calendar: &Calendar, previews: &[Preview<'_>]) -> String {
    let mut page = Page { calendar, out: String::new(), thumbnails: HashMap::new(), spent: 0 };
    page.write(previews);
    page.out
}

struct Page<'a> {
    calendar: &'a Calendar,
    out: String,
    /// `data:` URIs by file; `None`: there is no thumbnail.
    thumbnails: HashMap<String, Option<String>>,
    spent: usize,
}

/// Text made safe between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let text = printable(text);
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A link that may be followed: nothing but `http` and `https`.
fn href(link: &str) -> Option<String> {
    (link.starts_with("https://") || link.starts_with("http://")).then(|| escape(link))
}

/// A text with its links, mentions and tags marked.
fn marked(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for found in find(text) {
        out.push_str(&escape(&text[done..found.start]));
        let part = &text[found.start..found.end];
        let safe = escape(part);
        let _ = match (found.kind, href(part)) {
            (FoundKind::Link, Some(to)) => {
                write!(out, "<a href=\"{to}\" rel=\"noopener noreferrer nofollow\">{safe}</a>")
            }
            (FoundKind::Mention, _) => write!(out, "<span class=\"mention\">{safe}</span>"),
            (FoundKind::Tag, _) => write!(out, "<span class=\"tag\">{safe}</span>"),
            (FoundKind::Link | FoundKind::BareLink, _) => write!(out, "{safe}"),
        };
        done = found.end;
    }
    out.push_str(&escape(&text[done..]));
    out
}

fn handle(account: &Account) -> String {
    match (account.setting("handle"), &account.server) {
        (Some(handle), _) => format!("@{}", handle.trim_start_matches('@')),
        (None, Some(server)) => {
            let host = server.split_once("://").map_or(server.as_str(), |(_, host)| host);
            format!("@{}@{host}", account.name)
        }
        (None, None) => format!("@{}", account.name),
    }
}

impl Page<'_> {
    fn push(&mut self, html: &str) {
        self.out.push_str(html);
    }

    fn write(&mut self, previews: &[Preview<'_>]) {
        let name = escape(self.calendar.name.as_str());
        let _ = write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<title>Preview of {name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header class=\"page\"><h1>{name}</h1><div class=\"faint\">What each account would receive. Times are in {}.</div></header>\n<main>\n",
            escape(self.calendar.zone.name()),
        );
        if previews.is_empty() {
            self.push("<p>There is nothing to show.</p>\n");
        }
        let mut rest = previews;
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|preview| preview.post.id == first.post.id).count();
            let (group, later) = rest.split_at(count);
            let _ = write!(
                self.out,
                "<section class=\"post\">\n<header><h2>{}</h2><span class=\"faint\">{}</span></header>\n<div class=\"renderings\">\n",
                escape(first.post.id.as_str()),
                escape(&when(self.calendar, first)),
            );
            for preview in group {
                self.rendering(preview);
            }
            self.push("</div>\n</section>\n");
            rest = later;
        }
        self.push("</main>\n</body>\n</html>\n");
    }

    fn rendering(&mut self, preview: &Preview<'_>) {
        let rendering = &preview.rendering;
        let class = if rendering.parts.len() > 1 { " class=\"thread\"" } else { "" };
        let number = preview.text.map_or_else(String::new, |(number, of)| format!("text {number} of {of}"));
        let _ = write!(
            self.out,
            "<article{class}>\n<div class=\"where\"><b>{}</b><span class=\"faint\">{number}</span></div>\n",
            escape(preview.profile.name),
        );
        for (index, part) in rendering.parts.iter().enumerate() {
            self.part(preview, index, part);
        }
        if let Some(body) = &rendering.body {
            let _ = writeln!(
                self.out,
                "<details class=\"long\"><summary>The long form</summary><pre dir=\"auto\">{}</pre></details>",
                escape(body)
            );
        }
        self.facts(preview);
        if !rendering.notes.is_empty() || !rendering.problems.is_empty() {
            self.push("<ul class=\"found\">\n");
            for problem in &rendering.problems {
                let word = severity(problem.severity);
                let _ = writeln!(self.out, "<li class=\"{word}\"><b>{word}</b> {}</li>", escape(&problem.message));
            }
            for note in &rendering.notes {
                let _ = writeln!(self.out, "<li class=\"note\">{}</li>", escape(note));
            }
            self.push("</ul>\n");
        }
        self.push("</article>\n");
    }

    /// What a reader does not see in the post itself.
    fn facts(&mut self, preview: &Preview<'_>) {
        let rendering = &preview.rendering;
        let facts = [
            ("Answers", rendering.reply_to.clone().unwrap_or_default()),
            ("Quotes", rendering.quote.clone().unwrap_or_default()),
            ("Visibility", rendering.visibility.map(Visibility::as_str).unwrap_or_default().to_owned()),
            ("Languages", rendering.languages.join(", ")),
            ("Labels", rendering.labels.join(", ")),
            ("Tags", rendering.tags.join(", ")),
        ];
        if facts.iter().all(|(_, value)| value.is_empty()) {
            return;
        }
        self.push("<dl>");
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(self.out, "<dt>{name}</dt><dd>{}</dd>", escape(value));
        }
        self.push("</dl>\n");
    }

    fn part(&mut self, preview: &Preview<'_>, index: usize, part: &PartView) {
        let rendering = &preview.rendering;
        let account = preview.account;
        let initial: String = account.name.as_str().chars().take(1).flat_map(char::to_uppercase).collect();
        let time = preview.due.map(|(_, civil)| civil.format("%-d %b, %H:%M").to_string()).unwrap_or_default();
        let _ = write!(
            self.out,
            "<div class=\"part\"><div class=\"side\"><div class=\"avatar\" aria-hidden=\"true\">{}</div></div><div>\n\
             <div class=\"who\"><b>{}</b><span class=\"faint\">{}</span><span class=\"faint\">{}</span></div>\n",
            escape(&initial),
            escape(account.name.as_str()),
            escape(&handle(account)),
            escape(&time),
        );
        if let Some(warning) = &rendering.content_warning {
            let _ =
                writeln!(self.out, "<details class=\"warning\"><summary dir=\"auto\">{}</summary>", escape(warning));
        }
        if let Some(title) = rendering.title.as_ref().filter(|_| index == 0) {
            let _ = writeln!(self.out, "<p class=\"title\" dir=\"auto\">{}</p>", escape(title));
        }
        if !part.text.is_empty() {
            let _ = writeln!(self.out, "<p class=\"text\" dir=\"auto\">{}</p>", marked(&part.text));
        }
        if !part.media.is_empty() {
            self.push("<div class=\"media\">\n");
            for (file, alt, facts) in &part.media {
                self.figure(file, alt, rendering.titles.get(file), facts.as_ref());
            }
            self.push("</div>\n");
        }
        if let Some(poll) = rendering.poll.as_ref().filter(|_| index == 0) {
            self.push("<ul class=\"poll\">\n");
            for option in &poll.options {
                let _ = writeln!(self.out, "<li dir=\"auto\">{}</li>", escape(option));
            }
            let _ = writeln!(self.out, "</ul>\n<div class=\"faint\">{}</div>", escape(&poll_line(poll)));
        }
        if let Some(link) = &part.link {
            let host = link.split_once("://").map_or(link.as_str(), |(_, rest)| rest);
            let host = host.split(['/', '?', '#']).next().unwrap_or(host);
            let to = href(link)
                .map_or_else(String::new, |to| format!(" href=\"{to}\" rel=\"noopener noreferrer nofollow\""));
            let _ = writeln!(self.out, "<a class=\"card\"{to}><small>{}</small>{}</a>", escape(host), escape(link));
        }
        if rendering.content_warning.is_some() {
            self.push("</details>\n");
        }
        let over = if part.length > part.limit { " over" } else { "" };
        let _ = writeln!(self.out, "<div class=\"counter{over}\">{}</div>\n</div></div>", escape(&counter(part)));
    }

    fn figure(&mut self, file: &str, alt: &str, title: Option<&String>, facts: Option<&MediaFacts>) {
        self.push("<figure>");
        let thumbnail = facts.and_then(|facts| self.thumbnail(file, facts));
        match (thumbnail, facts) {
            (Some(uri), _) => {
                let _ = write!(self.out, "<img src=\"{uri}\" alt=\"{}\">", escape(alt));
            }
            (None, Some(facts)) => {
                let what = match facts.kind {
                    MediaKind::Video => "video",
                    MediaKind::Document => "document",
                    MediaKind::Animation => "animation",
                    MediaKind::Image => "picture",
                };
                let _ = write!(
                    self.out,
                    "<div class=\"blank\">{what}: {}<br>{}</div>",
                    escape(file),
                    escape(&size(facts.bytes))
                );
            }
            (None, None) => {
                let _ = write!(self.out, "<div class=\"blank\">{} cannot be read</div>", escape(file));
            }
        }
        let (tag, said) = title.map_or(("ALT", alt), |title| ("TITLE", title.as_str()));
        let caption = if said.is_empty() { "<i>none</i>".to_owned() } else { escape(said) };
        let _ = writeln!(
            self.out,
            "<figcaption dir=\"auto\"><span class=\"alt\">{tag}</span>{caption}</figcaption></figure>"
        );
    }

    /// A small picture in the page itself.
    fn thumbnail(&mut self, file: &str, facts: &MediaFacts) -> Option<String> {
        if facts.is_passed() {
            return None;
        }
        if let Some(known) = self.thumbnails.get(file) {
            return known.clone().filter(|uri| self.spend(uri.len()));
        }
        let made = read_file(&self.calendar.folder, file, SOURCE_LIMIT).ok().and_then(|bytes| {
            let target = Target {
                mimes: vec!["image/jpeg".to_owned(), "image/png".to_owned(), "image/gif".to_owned()],
                bytes: THUMBNAIL,
                pixels: u64::from(SIDE) * u64::from(SIDE),
                side: SIDE,
            };
            let fitted = fit(&bytes, &target).ok()?;
            Some(format!("data:{};base64,{}", fitted.facts.mime, base64(&fitted.bytes)))
        });
        self.thumbnails.insert(file.to_owned(), made.clone());
        made.filter(|uri| self.spend(uri.len()))
    }

    /// Whether the page has room for so many bytes more.
    fn spend(&mut self, bytes: usize) -> bool {
        let fits = self.spent + bytes <= PAGE;
        if fits {
            self.spent += bytes;
        }
        fits
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0_u32, |word, (at, &byte)| word | u32::from(byte) << (16 - 8 * at));
        for digit in 0..4 {
            if digit <= chunk.len() {
                text.push(char::from(DIGITS[(word >> (18 - 6 * digit) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn nothing_of_a_text_becomes_markup() {
        let text = "<script>alert(1)</script> & \"x\" https://a.example/?q=\"><img @me.example #tag javascript:x";
        let html = marked(text);
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("<span class=\"tag\">#tag</span>"), "{html}");
        assert!(!html.contains("href=\"javascript"), "{html}");
        assert_eq!(href("javascript:alert(1)"), None);
    }
}
