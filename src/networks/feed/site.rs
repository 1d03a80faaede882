//! Which files are made from what is kept, and under which addresses. Pure: the same posts and settings give the same bytes.

use sha2::{Digest, Sha256};

use crate::text::markup;

use super::wire::Entry;
use super::{Settings, page, plan, syndication};

/// Rises when pages look different, so that old ones are made again.
const LOOK: &str = "1";

/// What stands in every page of ours: a page without it is somebody else's and is never overwritten.
pub(super) const MARK: &str = "<meta name=\"generator\" content=\"smm\">";

/// How pages look. Written when there is none, so that it may be changed.
pub(super) const STYLE: &str = include_str!("style.css");

/// Everything that pages and feeds are made from.
#[derive(Debug)]
pub(super) struct Site<'a> {
    settings: &'a Settings,
    account: &'a str,
    /// Newest first.
    pub(super) entries: Vec<Entry>,
}

/// A file below the feed's folder.
pub(super) struct Made {
    pub(super) path: String,
    pub(super) content: String,
}

impl<'a> Site<'a> {
    pub(super) fn new(settings: &'a Settings, account: &'a str, mut entries: Vec<Entry>) -> Self {
        entries.retain(|entry| !entry.parts.is_empty());
        entries.sort_by(|a, b| b.published().cmp(&a.published()).then_with(|| a.key.cmp(&b.key)));
        Self { settings, account, entries }
    }

    pub(super) fn title(&self) -> &str {
        self.settings.title.as_deref().unwrap_or(self.account)
    }

    pub(super) fn author(&self) -> &str {
        self.settings.author.as_deref().unwrap_or_else(|| self.title())
    }

    pub(super) fn description(&self) -> Option<&str> {
        self.settings.description.as_deref()
    }

    /// Those that the feeds and the first page keep.
    pub(super) fn newest(&self) -> &[Entry] {
        let most = usize::try_from(self.settings.entries).unwrap_or(usize::MAX);
        &self.entries[..self.entries.len().min(most)]
    }

    /// The address of a file on the web; `None`: it is not known where the folder is served.
    pub(super) fn address(&self, path: &str) -> Option<String> {
        let link = self.settings.link.as_deref()?.trim_end_matches('/');
        Some(format!("{link}/{path}"))
    }

    /// The feed's own immutable id.
    pub(super) fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"smm feed v1");
        hash.update((self.account.len() as u64).to_be_bytes());
        hash.update(self.account.as_bytes());
        hash.update(self.settings.folder.as_bytes());
        plan::uuid(&hash.finalize().into())
    }

    /// What a post is called where a title is needed.
    pub(super) fn name(entry: &Entry) -> String {
        let Some(first) = entry.first() else { return String::new() };
        let says = &first.says;
        if let Some(title) = &says.title {
            return title.clone();
        }
        if let Some(warning) = &says.warning {
            return format!("Content warning: {warning}");
        }
        let text = markup::beginning(&says.text, 80);
        if !text.is_empty() {
            return text;
        }
        let body = says.body.as_deref().map(markup::words).unwrap_or_default();
        let alt = first.media.first().map(|media| media.alt.as_str()).unwrap_or_default();
        match (body.as_str(), alt) {
            ("", "") => format!("Post of {}", page::day(first.published)),
            ("", alt) => markup::beginning(alt, 80),
            (body, _) => markup::beginning(body, 80),
        }
    }

    /// The files that change with every post.
    pub(super) fn shared(&self) -> Vec<Made> {
        let made = |path: &str, content| Made { path: path.to_owned(), content };
        vec![
            made("atom.xml", syndication::atom(self)),
            made("rss.xml", syndication::rss(self)),
            made("archive.html", page::archive(self)),
            // The last: a reader who sees the post here finds everything else.
            made("index.html", page::index(self)),
        ]
    }

    /// The page of a post.
    pub(super) fn page(&self, entry: &Entry) -> Made {
        Made { path: format!("posts/{}/index.html", entry.key), content: page::post(self, entry) }
    }

    /// Changes when the pages of old posts have to be made again.
    pub(super) fn stamp(&self) -> String {
        let settings = self.settings;
        let about = [LOOK, self.title(), self.author(), settings.link.as_deref().unwrap_or_default()];
        let mut hash = Sha256::new();
        for part in about {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        plan::uuid(&hash.finalize().into())
    }
}
