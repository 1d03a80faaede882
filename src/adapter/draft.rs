//! A draft: what one account is to receive for a post, before the network has made it a plan.

use std::collections::BTreeMap;

use crate::model::{Account, DeliveryId, MediaFacts, Place, Poll, Problem, Visibility, codes, hex};
use crate::text::markup::{beginning, one_line, words};

use super::Limits;

/// What one account is to receive.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The delivery; keys and client-chosen ids are derived from it.
    pub delivery: DeliveryId,
    /// Rises only when a person says "post again".
    pub generation: u32,
    /// The account.
    pub account: &'a Account,
    /// The limits that hold for this account: the profile's, with what the operator wrote down.
    pub limits: &'a Limits,
    /// The messages, in order; at least one.
    pub parts: Vec<DraftPart>,
    /// A title.
    pub title: Option<String>,
    /// The long form, Markdown.
    pub body: Option<String>,
    /// The link that the post is about, campaign parameters included. For networks with cards of their own; elsewhere it
    /// is in the text already.
    pub link: Option<String>,
    /// Tags without `#`, for networks with a place for them; elsewhere they are in the text already.
    pub tags: Vec<String>,
    /// Languages, BCP 47.
    pub languages: Vec<String>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
    /// A content warning.
    pub content_warning: Option<String>,
    /// Labels for sensitive media.
    pub labels: Vec<String>,
    /// What it answers: URL or id.
    pub reply_to: Option<String>,
    /// What it quotes: URL or id.
    pub quote: Option<String>,
    /// A poll, with the first part.
    pub poll: Option<Poll>,
    /// What its documents are called, by file.
    pub titles: BTreeMap<String, String>,
}

impl<'a> Draft<'a> {
    /// 32 hex digits for one purpose of one part: the same for ever, until a person says "post again".
    pub fn key(&self, purpose: &str, part: u16) -> String {
        let bytes = self.delivery.derive_bytes(purpose, part, self.generation);
        let (half, _) = bytes.split_at(16);
        hex(half)
    }

    /// A first attempt at a post that is nothing but its messages; the rest is put over it.
    pub fn new(delivery: DeliveryId, account: &'a Account, limits: &'a Limits, parts: Vec<DraftPart>) -> Self {
        Self {
            delivery,
            generation: 0,
            account,
            limits,
            parts,
            title: None,
            body: None,
            link: None,
            tags: Vec::new(),
            languages: Vec::new(),
            visibility: None,
            content_warning: None,
            labels: Vec::new(),
            reply_to: None,
            quote: None,
            poll: None,
            titles: BTreeMap::new(),
        }
    }

    /// The content warning, as long as it says something.
    pub fn warning(&self) -> Option<&str> {
        self.content_warning.as_deref().filter(|warning| !warning.trim().is_empty())
    }

    /// Its only message, for networks without threads.
    pub fn only_part(&self) -> Result<&DraftPart, Vec<Problem>> {
        let [part] = self.parts.as_slice() else {
            let message = format!("{} parts, and the network has no threads", self.parts.len());
            return Err(vec![Problem::error(codes::THREAD_UNSUPPORTED, Place::Post, message)]);
        };
        Ok(part)
    }

    /// Its title on one line, as long as it says something.
    pub fn written_title(&self) -> Option<String> {
        self.title.as_deref().map(one_line).filter(|title| !title.is_empty())
    }

    /// What stands above it where a network wants that: its title, else the beginning of the first line that says
    /// something, at most so many characters. Empty: nothing says anything.
    pub fn headline(&self, most: usize) -> String {
        self.written_title().unwrap_or_else(|| {
            let text = self.parts.first().map(|part| part.text.as_str()).unwrap_or_default();
            let line = text.lines().map(one_line).find(|line| !line.is_empty());
            beginning(&line.or_else(|| self.long_form().map(words)).unwrap_or_default(), most)
        })
    }

    /// Its long form, as long as it says something.
    pub fn long_form(&self) -> Option<&str> {
        self.body.as_deref().filter(|body| !body.trim().is_empty())
    }
}

/// One message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftPart {
    /// Its text, ready to be sent.
    pub text: String,
    /// Its files.
    pub media: Vec<DraftMedia>,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DraftMedia {
    /// Path relative to the calendar's folder.
    pub file: String,
    /// Alt text; empty where none is given and none is needed.
    pub alt: String,
    /// The file as it is now. It is fitted to the limits when it is prepared.
    pub facts: MediaFacts,
}

impl DraftMedia {
    /// The file alone: for steps that send it, where its alt text goes elsewhere.
    #[must_use]
    pub fn unsaid(&self) -> Self {
        Self { alt: String::new(), ..self.clone() }
    }
}

/// Whether a tag of [`Draft::languages`] has the form that networks ask for: two or three small letters, then subtags.
pub fn is_language(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    subtags.next().is_some_and(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase()))
        && subtags.all(|next| (1..=8).contains(&next.len()) && next.bytes().all(|b| b.is_ascii_alphanumeric()))
}
