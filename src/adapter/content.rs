//! What is sent of a file: bytes at hand, or a file that is read while it is sent.

use std::fmt;
use std::sync::Arc;

use crate::model::MediaFacts;

use super::outside::plain_name;
use super::{DraftMedia, Fault, Limits, MediaBytes, MediaSource, Outside, Refusal};

/// Bytes to be sent.
#[derive(Debug, Clone)]
pub enum Content {
    /// They are at hand.
    Held(Vec<u8>),
    /// They are read while they are sent.
    Unread(Arc<Unread>),
}

impl Content {
    /// How many.
    pub fn length(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Unread(file) => file.length(),
        }
    }

    /// At most so many bytes from `offset` on, and at least one; none at the end.
    pub async fn piece(&self, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Unread(file) if offset < file.length() => file.piece(offset, length).await,
            Self::Unread(_) => Ok(Vec::new()),
            Self::Held(bytes) => {
                let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[at(offset)..at(offset.saturating_add(length))].to_vec())
            }
        }
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Held(bytes)
    }
}

/// A file that is sent as it is and read meanwhile. It is no more than the way to it: each call that sends it reads it
/// from the start. A call never carries half of one file and half of another: the last piece is held back until the file
/// has proved to be the one that was begun with, and without it a request is none.
pub struct Unread {
    source: Arc<dyn MediaSource>,
    media: DraftMedia,
    limits: Limits,
    head: MediaHead,
}

impl Unread {
    pub(super) fn length(&self) -> u64 {
        self.head.facts.bytes
    }

    /// At most so many bytes from `offset` on, and at least one.
    pub(super) async fn piece(&self, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        let piece = self.source.chunk(&self.media, &self.limits, offset, length).await?;
        let end = offset + piece.len() as u64;
        let same = match self.length() {
            whole if piece.is_empty() || end > whole => false,
            whole if end < whole => true,
            _ => self.source.head(&self.media, &self.limits).await?.as_ref() == Some(&self.head),
        };
        if same { Ok(piece) } else { Err(self.changed()) }
    }

    fn changed(&self) -> Fault {
        let file = &self.media.file;
        Fault::refused(
            Refusal::Invalid,
            format!("`{file}` was changed while it was sent; leave it alone and publish again"),
        )
    }

    /// So many bytes have gone to the connection.
    pub(super) fn arrived(&self, bytes: u64) {
        self.source.arrived(&self.media, bytes);
    }
}

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unread").field("file", &self.media.file).field("head", &self.head).finish_non_exhaustive()
    }
}

/// A file that is sent as it is, as it lies there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaHead {
    /// What it is.
    pub facts: MediaFacts,
    /// File name with the right extension for the MIME type.
    pub name: String,
    /// Another one whenever the file is, also where all else stays. It means nothing to another process.
    pub mark: String,
}

/// A file, ready to be sent.
#[derive(Debug, Clone)]
pub struct MediaFile {
    /// What is sent.
    pub content: Content,
    /// What it is.
    pub facts: MediaFacts,
    /// File name with the right extension for the MIME type.
    pub name: String,
}

impl MediaFile {
    /// Its name in letters that are the same in a path, in a URL, in a header and in HTML.
    pub fn plain_name(&self) -> String {
        plain_name(&self.name)
    }
}

impl From<MediaBytes> for MediaFile {
    fn from(file: MediaBytes) -> Self {
        Self { content: file.bytes.into(), facts: file.facts, name: file.name }
    }
}

impl Outside {
    /// A file to be sent whole: fitted to the limits, or, where it is sent as it is, read while it is sent.
    pub async fn file(&self, media: &DraftMedia, limits: &Limits) -> Result<MediaFile, Fault> {
        let Some(head) = self.media.head(media, limits).await? else {
            return self.media.fetch(media, limits).await.map(MediaFile::from);
        };
        let (facts, name) = (head.facts.clone(), head.name.clone());
        let (source, media, limits) = (Arc::clone(&self.media), media.clone(), limits.clone());
        Ok(MediaFile { content: Content::Unread(Arc::new(Unread { source, media, limits, head })), facts, name })
    }
}
