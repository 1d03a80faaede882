//! What a media file is, as read from its bytes.

use serde::{Deserialize, Serialize};

/// What kind of file it is, for a network's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaKind {
    /// A still picture.
    Image,
    /// An animated GIF or WebP.
    Animation,
    /// A video.
    Video,
    /// A document of pages, such as a PDF.
    Document,
}

/// Facts about a media file, from its bytes and not from its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaFacts {
    /// Kind.
    pub kind: MediaKind,
    /// MIME type by content, such as `image/png`.
    pub mime: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Width in pixels after orientation is applied; 0 where it is not known (some video), and of documents.
    pub width: u32,
    /// Height in pixels after orientation is applied; 0 where it is not known (some video), and of documents.
    pub height: u32,
}

impl MediaFacts {
    /// It is sent as it is: only pictures are fitted and freed of metadata.
    pub fn is_passed(&self) -> bool {
        matches!(self.kind, MediaKind::Video | MediaKind::Document)
    }

    /// Width × height.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}
