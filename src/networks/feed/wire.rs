//! What is kept of a post: `posts/<key>/entry.json`. Pages and feeds are made from these files alone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::adapter::DraftMedia;
use crate::model::MediaKind;

/// The version of the shape below.
pub(super) const VERSION: u32 = 1;

/// A post, with the parts of its thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) version: u32,
    /// The folder's name below `posts/`.
    pub(super) key: String,
    /// Its immutable id: a `urn:uuid:`.
    pub(super) id: String,
    /// In order; at least one.
    pub(super) parts: Vec<EntryPart>,
}

/// One message of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EntryPart {
    /// Its number, from 0.
    pub(super) part: u16,
    pub(super) published: DateTime<Utc>,
    #[serde(flatten)]
    pub(super) says: Says,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) media: Vec<EntryMedia>,
}

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Says {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    pub(super) text: String,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) languages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) warning: Option<String>,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EntryMedia {
    /// Its path below the feed's folder.
    pub(super) file: String,
    pub(super) alt: String,
    pub(super) mime: String,
    pub(super) kind: MediaKind,
    pub(super) bytes: u64,
    /// 0 where it is not known.
    pub(super) width: u32,
    /// 0 where it is not known.
    pub(super) height: u32,
}

/// The payload of the step that copies a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CopyStep {
    pub(super) key: String,
    /// Counted from 1 over all parts: begins the file's name, so that no two are the same.
    pub(super) number: usize,
    pub(super) media: DraftMedia,
}

/// The payload of the step that publishes a part.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PublishStep {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) says: Says,
    /// The steps that copied its files.
    pub(super) media: Vec<usize>,
}

/// The frozen request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) key: String,
    pub(super) id: String,
    pub(super) part: EntryPart,
}

/// The receipt's id of a part: the key, and for further parts their number from 2 on.
pub(super) fn receipt_id(key: &str, part: u16) -> String {
    if part == 0 { key.to_owned() } else { format!("{key}/{}", u32::from(part) + 1) }
}

/// Reads a receipt's id.
pub(super) fn read_receipt_id(id: &str) -> Option<(&str, u16)> {
    let (key, part) = match id.split_once('/') {
        None => (id, 0),
        Some((key, number)) => (key, number.parse::<u16>().ok()?.checked_sub(1)?),
    };
    is_key(key).then_some((key, part))
}

/// A key is 16 hex digits: nothing else is a folder of ours.
pub(super) fn is_key(key: &str) -> bool {
    key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl Entry {
    /// The first part: title, tags, languages and warning are its.
    pub(super) fn first(&self) -> Option<&EntryPart> {
        self.parts.first()
    }

    /// The day that it stands under.
    pub(super) fn published(&self) -> DateTime<Utc> {
        self.first().map(|part| part.published).unwrap_or_default()
    }

    /// When its last part came.
    pub(super) fn updated(&self) -> DateTime<Utc> {
        self.parts.iter().map(|part| part.published).max().unwrap_or_default()
    }

    /// Puts a part in its place, instead of one that was there.
    pub(super) fn put(&mut self, part: EntryPart) {
        self.parts.retain(|there| there.part != part.part);
        self.parts.push(part);
        self.parts.sort_by_key(|part| part.part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_ids_are_read_back_and_lead_nowhere_else() {
        let key = "0123456789abcdef";
        for part in [0, 1, 41] {
            assert_eq!(read_receipt_id(&receipt_id(key, part)), Some((key, part)));
        }
        for bad in ["", "..", "../../x", "0123456789ABCDEF", "0123456789abcdef/0", "0123456789abcdef/x", "a/../b"] {
            assert_eq!(read_receipt_id(bad), None, "{bad}");
        }
    }
}
