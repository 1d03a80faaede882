//! What is planned and frozen of a mail.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::adapter::mail::{Inline, Letter};
use crate::adapter::{DraftMedia, Sealed};

/// A mail, but for what the account's settings say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Begins its `Message-ID`.
    pub(super) id: String,
    pub(super) to: String,
    pub(super) subject: String,
    pub(super) text: String,
    /// Markdown.
    pub(super) body: Option<String>,
    pub(super) link: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) languages: Vec<String>,
    /// The steps that read its pictures.
    pub(super) pictures: Vec<usize>,
}

/// The frozen request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) reply_to: Option<String>,
    pub(super) subject: String,
    pub(super) at: DateTime<Utc>,
    pub(super) unsubscribe: Vec<String>,
    pub(super) one_click: bool,
    pub(super) list_id: Option<String>,
    pub(super) tags: Vec<String>,
    pub(super) languages: Vec<String>,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) pictures: Vec<Enclosed>,
}

/// A picture of a frozen request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Enclosed {
    /// The HTML shows it by this.
    pub(super) cid: String,
    pub(super) picture: Sealed,
}

impl Enclosed {
    /// The picture as the draft has it.
    pub(super) fn media(&self) -> &DraftMedia {
        &self.picture.enclosure.media
    }
}

impl Request {
    /// The mail, with the bytes of its pictures.
    pub(super) fn letter(&self, pictures: Vec<Inline>) -> Letter {
        let mut headers = Vec::new();
        let ways: Vec<String> = self.unsubscribe.iter().map(|way| format!("<{way}>")).collect();
        // RFC 2369, 3.2.
        headers.push(("List-Unsubscribe", ways.join(", ")));
        // RFC 8058, 3.1: one https address, and this.
        if self.one_click && self.unsubscribe.iter().any(|way| way.starts_with("https:")) {
            headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        if let Some(id) = &self.list_id {
            headers.push(("List-Id", format!("<{id}>")));
        }
        if !self.languages.is_empty() {
            headers.push(("Content-Language", self.languages.join(", ")));
        }
        if !self.tags.is_empty() {
            headers.push(("Keywords", self.tags.join(", ")));
        }
        Letter {
            id: self.id.clone(),
            from: self.from.clone(),
            to: vec![self.to.clone()],
            reply_to: self.reply_to.clone(),
            subject: self.subject.clone(),
            at: self.at,
            headers,
            text: self.text.clone(),
            html: Some(self.html.clone()),
            pictures,
        }
    }
}
