//! A file that a network takes only together with the post: there is no upload before it.
//!
//! It is read and fitted once beforehand, so that whatever is wrong with it comes out before anything is sent, and its hash
//! is frozen with the request. When the request is sent the file is read again; one that has changed since is not sent.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::{LimitOverrides, MediaKind, hex};

use super::{DraftMedia, Fault, Limits, MediaBytes, MediaSource, Profile, Refusal};

/// A file that goes with a post, as a plan names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enclosure {
    /// The file.
    pub media: DraftMedia,
    /// What it is fitted to, put over the profile's limits.
    pub limits: LimitOverrides,
}

/// An enclosure that was read and fitted: what a prepared step gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The file it was made from.
    pub enclosure: Enclosure,
    /// SHA-256 of the bytes that are to be sent, in hex.
    pub hash: String,
    /// File name with the right extension.
    pub name: String,
    /// Kind of what is to be sent.
    pub kind: MediaKind,
    /// Width in pixels; 0: not known.
    pub width: u32,
    /// Height in pixels; 0: not known.
    pub height: u32,
}

impl Enclosure {
    /// A file of a draft with these limits.
    pub fn new(media: &DraftMedia, limits: &Limits) -> Self {
        let limits = LimitOverrides {
            image_bytes: Some(limits.image.bytes),
            image_pixels: Some(limits.image.pixels),
            video_bytes: limits.video.map(|rule| rule.bytes),
            ..LimitOverrides::default()
        };
        Self { media: media.clone(), limits }
    }

    async fn read(&self, source: &dyn MediaSource, profile: &Profile) -> Result<MediaBytes, Fault> {
        source.fetch(&self.media, &Limits::new(profile, &self.limits)).await
    }

    /// Reads it for the first time.
    pub async fn seal(self, source: &dyn MediaSource, profile: &Profile) -> Result<Sealed, Fault> {
        let read = self.read(source, profile).await?;
        Ok(Sealed {
            enclosure: self,
            hash: hash(&read.bytes),
            name: read.name,
            kind: read.facts.kind,
            width: read.facts.width,
            height: read.facts.height,
        })
    }
}

impl Sealed {
    /// Reads it again, to be sent. [`Refusal::Invalid`]: it has changed since it was sealed.
    pub async fn open(&self, source: &dyn MediaSource, profile: &Profile) -> Result<MediaBytes, Fault> {
        let read = self.enclosure.read(source, profile).await?;
        if hash(&read.bytes) != self.hash {
            let file = &self.enclosure.media.file;
            let message = format!("`{file}` has changed since the post was put together; nothing was sent");
            return Err(Fault::refused(Refusal::Invalid, message));
        }
        Ok(read)
    }
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
