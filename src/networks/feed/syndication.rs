//! The feeds: Atom (RFC 4287) and RSS 2.0.

use atom_syndication as atom;
use chrono::{DateTime, FixedOffset, Utc};

use super::page::{Show, content};
use super::site::Site;
use super::wire::{Entry, EntryMedia};

fn fixed(at: DateTime<Utc>) -> DateTime<FixedOffset> {
    at.fixed_offset()
}

fn page_path(entry: &Entry) -> String {
    format!("posts/{}/", entry.key)
}

/// Where a file is found from a feed: on the web where that is known, else beside the feed.
fn address(site: &Site<'_>, file: &str) -> String {
    site.address(file).unwrap_or_else(|| file.to_owned())
}

fn html(site: &Site<'_>, entry: &Entry) -> String {
    content(entry, &|file| address(site, file), 1, Show::All)
}

fn media(entry: &Entry) -> impl Iterator<Item = &EntryMedia> {
    entry.parts.iter().flat_map(|part| &part.media)
}

/// The day of the newest change; the beginning of all days for a feed without posts, which has to have one.
fn updated(site: &Site<'_>) -> DateTime<Utc> {
    site.entries.iter().map(Entry::updated).max().unwrap_or_default()
}

/// The Atom feed.
pub(super) fn atom(site: &Site<'_>) -> String {
    let link = |rel: &str, href: String, mime: Option<&str>| atom::Link {
        href,
        rel: rel.to_owned(),
        mime_type: mime.map(str::to_owned),
        ..atom::Link::default()
    };
    let mut links = vec![link("alternate", address(site, "index.html"), Some("text/html"))];
    if let Some(own) = site.address("atom.xml") {
        links.push(link("self", own, Some("application/atom+xml")));
    }
    let entries = site.newest().iter().map(|entry| {
        let says = entry.first().map(|part| &part.says);
        let page = if let Some(page) = site.address(&page_path(entry)) {
            page
        } else {
            format!("{}index.html", page_path(entry))
        };
        let mut links = vec![link("alternate", page, Some("text/html"))];
        links.extend(says.and_then(|says| says.link.clone()).map(|about| link("related", about, None)));
        links.extend(media(entry).map(|media| atom::Link {
            length: Some(media.bytes.to_string()),
            title: Some(media.alt.clone()).filter(|alt| !alt.is_empty()),
            ..link("enclosure", address(site, &media.file), Some(&media.mime))
        }));
        let tags = says.map(|says| says.tags.as_slice()).unwrap_or_default();
        atom::Entry {
            title: atom::Text::plain(Site::name(entry)),
            id: entry.id.clone(),
            updated: fixed(entry.updated()),
            published: Some(fixed(entry.published())),
            categories: tags
                .iter()
                .map(|tag| atom::Category { term: tag.clone(), ..atom::Category::default() })
                .collect(),
            links,
            content: Some(atom::Content {
                value: Some(html(site, entry)),
                content_type: Some("html".to_owned()),
                lang: says.and_then(|says| says.languages.first().cloned()),
                ..atom::Content::default()
            }),
            ..atom::Entry::default()
        }
    });
    let feed = atom::Feed {
        title: atom::Text::plain(site.title()),
        subtitle: site.description().map(atom::Text::plain),
        id: site.id(),
        updated: fixed(updated(site)),
        authors: vec![atom::Person { name: site.author().to_owned(), ..atom::Person::default() }],
        generator: Some(atom::Generator { value: "smm".to_owned(), ..atom::Generator::default() }),
        links,
        entries: entries.collect(),
        ..atom::Feed::default()
    };
    // The crate writes no line at the end.
    feed.to_string() + "\n"
}

/// The RSS feed.
pub(super) fn rss(site: &Site<'_>) -> String {
    let items = site.newest().iter().map(|entry| {
        let page = site.address(&page_path(entry));
        let says = entry.first().map(|part| &part.says);
        let tags = says.map(|says| says.tags.as_slice()).unwrap_or_default();
        // One for each item, and only with a whole address.
        let enclosure = media(entry).next().and_then(|media| {
            Some(rss::Enclosure {
                url: site.address(&media.file)?,
                length: media.bytes.to_string(),
                mime_type: media.mime.clone(),
            })
        });
        rss::Item {
            title: Some(Site::name(entry)),
            link: page,
            guid: Some(rss::Guid { value: entry.id.clone(), permalink: false }),
            pub_date: Some(entry.published().to_rfc2822()),
            description: Some(html(site, entry)),
            categories: tags.iter().map(|tag| rss::Category { name: tag.clone(), domain: None }).collect(),
            enclosure,
            ..rss::Item::default()
        }
    });
    let channel = rss::Channel {
        title: site.title().to_owned(),
        // It has to have a link that is whole: its id where no address is known.
        link: site.address("").unwrap_or_else(|| site.id()),
        description: site.description().unwrap_or_else(|| site.title()).to_owned(),
        last_build_date: Some(updated(site).to_rfc2822()),
        generator: Some("smm".to_owned()),
        items: items.collect(),
        ..rss::Channel::default()
    };
    format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{channel}\n")
}
