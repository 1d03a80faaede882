//! Pages to read: plain HTML that needs no script.

use std::fmt::Write;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};

use crate::model::MediaKind;
use crate::text::markup::{self, escape};

use super::site::{MARK, Site};
use super::wire::{Entry, EntryMedia, EntryPart};

/// A day for people: `17 November 2026`, in UTC.
pub(super) fn day(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y").to_string()
}

/// An instant for machines.
fn machine(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// How much of a post is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    All,
    /// A long form only by its beginning.
    Beginning,
}

/// What a post says, as HTML. `address` says where a file of the feed's folder is found from there; headings in it are
/// `deeper` levels below what they say.
pub(super) fn content(entry: &Entry, address: &dyn Fn(&str) -> String, deeper: usize, show: Show) -> String {
    let mut out = String::new();
    for (index, part) in entry.parts.iter().enumerate() {
        let inner = one_part(part, address, deeper, show);
        if index == 0 {
            out.push_str(&inner);
        } else {
            let _ = write!(out, "<section id=\"part-{}\">\n{inner}</section>\n", u32::from(part.part) + 1);
        }
    }
    match entry.first().and_then(|part| part.says.warning.as_deref()) {
        Some(warning) => {
            format!("<details>\n<summary>Content warning: {}</summary>\n{out}</details>\n", escape(warning))
        }
        None => out,
    }
}

fn one_part(part: &EntryPart, address: &dyn Fn(&str) -> String, deeper: usize, show: Show) -> String {
    let says = &part.says;
    let mut out = markup::text(&says.text);
    match (&says.body, show) {
        (Some(body), Show::All) => out.push_str(&markup::markdown(body, deeper, |_| None)),
        (Some(body), Show::Beginning) if says.text.trim().is_empty() => {
            let _ = writeln!(out, "<p>{}</p>", escape(&markup::beginning(&markup::words(body), 300)));
        }
        _ => {}
    }
    for media in &part.media {
        out.push_str(&figure(media, address));
    }
    if let Some(link) = &says.link {
        let shown = link.split_once("://").map_or(link.as_str(), |(_, rest)| rest);
        let shown = shown.split(['?', '#']).next().unwrap_or(shown).trim_end_matches('/');
        let _ = writeln!(out, "<p><a href=\"{}\">{}</a></p>", escape(link), escape(shown));
    }
    out
}

fn figure(media: &EntryMedia, address: &dyn Fn(&str) -> String) -> String {
    let source = escape(&address(&media.file));
    let alt = escape(&media.alt);
    let size = if media.width > 0 && media.height > 0 {
        format!(" width=\"{}\" height=\"{}\"", media.width, media.height)
    } else {
        String::new()
    };
    let inner = match media.kind {
        MediaKind::Video => format!(
            "<video src=\"{source}\"{size} controls preload=\"metadata\" aria-label=\"{alt}\"><a href=\"{source}\">{alt}</a></video>"
        ),
        // There is no document: its profile takes none.
        MediaKind::Image | MediaKind::Animation | MediaKind::Document => {
            format!("<img src=\"{source}\"{size} alt=\"{alt}\" loading=\"lazy\">")
        }
    };
    format!("<figure>{inner}</figure>\n")
}

/// A whole page. `up` leads from it to the feed's folder.
fn page(site: &Site<'_>, title: &str, language: &str, up: &str, main: &str) -> String {
    let language = if language.is_empty() { String::new() } else { format!(" lang=\"{}\"", escape(language)) };
    let (title, feed) = (escape(title), escape(site.title()));
    format!(
        "<!doctype html>\n<html{language}>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{MARK}\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"{up}style.css\">\n\
         <link rel=\"alternate\" type=\"application/atom+xml\" title=\"{feed}\" href=\"{up}atom.xml\">\n\
         <link rel=\"alternate\" type=\"application/rss+xml\" title=\"{feed}\" href=\"{up}rss.xml\">\n\
         </head>\n<body>\n{main}</body>\n</html>\n"
    )
}

fn language(entry: &Entry) -> &str {
    entry.first().and_then(|part| part.says.languages.first()).map(String::as_str).unwrap_or_default()
}

fn lang_attribute(entry: &Entry) -> String {
    match language(entry) {
        "" => String::new(),
        language => format!(" lang=\"{}\"", escape(language)),
    }
}

fn time(at: DateTime<Utc>) -> String {
    format!("<time datetime=\"{}\">{}</time>", machine(at), day(at))
}

fn tags(entry: &Entry) -> String {
    let tags = entry.first().map(|part| part.says.tags.as_slice()).unwrap_or_default();
    if tags.is_empty() {
        return String::new();
    }
    let mut list = "<ul class=\"tags\">".to_owned();
    for tag in tags {
        let _ = write!(list, "<li>#{}</li>", escape(tag));
    }
    list + "</ul>\n"
}

/// The page of a post.
pub(super) fn post(site: &Site<'_>, entry: &Entry) -> String {
    let own = format!("posts/{}/", entry.key);
    let address =
        |file: &str| file.strip_prefix(&own).map_or_else(|| format!("../../{file}"), std::borrow::ToOwned::to_owned);
    let name = Site::name(entry);
    let heading = match entry.first().and_then(|part| part.says.title.as_deref()) {
        Some(title) => escape(title),
        None => format!("Post of {}", day(entry.published())),
    };
    let main = format!(
        "<nav><a href=\"../../index.html\">{}</a></nav>\n<main>\n<h1>{heading}</h1>\n<p class=\"when\">{} · {}</p>\n{}{}</main>\n",
        escape(site.title()),
        time(entry.published()),
        escape(site.author()),
        content(entry, &address, 1, Show::All),
        tags(entry),
    );
    page(site, &format!("{name} · {}", site.title()), language(entry), "../../", &main)
}

/// The newest posts.
pub(super) fn index(site: &Site<'_>) -> String {
    let mut main = format!("<header>\n<h1>{}</h1>\n", escape(site.title()));
    if let Some(description) = site.description() {
        let _ = writeln!(main, "<p>{}</p>", escape(description));
    }
    main.push_str("</header>\n<main>\n");
    for entry in site.newest() {
        let link = format!("posts/{}/index.html", entry.key);
        let says = entry.first().map(|part| &part.says);
        let _ = writeln!(main, "<article{}>", lang_attribute(entry));
        if let Some(title) = says.and_then(|says| says.title.as_deref()) {
            let _ = writeln!(main, "<h2><a href=\"{link}\">{}</a></h2>", escape(title));
        }
        let _ = writeln!(main, "<p class=\"when\"><a href=\"{link}\">{}</a></p>", time(entry.published()));
        main.push_str(&content(entry, &str::to_owned, 2, Show::Beginning));
        if says.is_some_and(|says| says.body.is_some()) {
            let _ = writeln!(main, "<p class=\"more\"><a href=\"{link}\">Read on</a></p>");
        }
        main.push_str(&tags(entry));
        main.push_str("</article>\n");
    }
    if site.entries.is_empty() {
        main.push_str("<p>Nothing yet.</p>\n");
    }
    let _ = write!(
        main,
        "</main>\n<footer><a href=\"archive.html\">All posts</a> · <a href=\"atom.xml\">Atom</a> · <a href=\"rss.xml\">RSS</a></footer>\n"
    );
    page(site, site.title(), "", "", &main)
}

/// All posts by year, by name.
pub(super) fn archive(site: &Site<'_>) -> String {
    let title = escape(site.title());
    let mut main = format!("<nav><a href=\"index.html\">{title}</a></nav>\n<main>\n<h1>All posts</h1>\n");
    for year in site.entries.chunk_by(|a, b| a.published().year() == b.published().year()) {
        let _ =
            write!(main, "<h2>{}</h2>\n<ul>\n", year.first().map(|entry| entry.published().year()).unwrap_or_default());
        for entry in year {
            let _ = writeln!(
                main,
                "<li{}>{}: <a href=\"posts/{}/index.html\">{}</a></li>",
                lang_attribute(entry),
                time(entry.published()),
                entry.key,
                escape(&Site::name(entry)),
            );
        }
        main.push_str("</ul>\n");
    }
    main.push_str("</main>\n");
    page(site, &format!("All posts · {}", site.title()), "", "", &main)
}
