//! A file that a network takes only together with the post: there is no upload before it.
//!
//! It is read and fitted once beforehand, so that whatever is wrong with it comes out before anything is sent, and its hash
//! is frozen with the request. When the request is sent the file is read again; one that has changed since is not sent.
//!
//! The steps of such an adapter are all of one form, [`Enclosing`]: for each part its files, then what is sent.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::model::{LimitOverrides, MediaKind, hex};

use super::http::SLOWEST;
use super::{DraftMedia, Fault, Limits, MediaBytes, MediaSource, Plan, Profile, Progress, Refusal, Step};

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

/// What a step does. `M`: a part, as the adapter keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Enclosing<M> {
    /// Reads and fits a file; gives a [`Sealed`].
    Read(Box<Enclosure>),
    /// Sends a part.
    Publish(M),
}

impl Plan {
    /// Adds the steps that read the files of a part, and gives their indexes.
    pub fn enclose(&mut self, part: u16, media: &[DraftMedia], limits: &Limits) -> Vec<usize> {
        let read = |media| Enclosing::<Value>::Read(Box::new(Enclosure::new(media, limits)));
        media.iter().map(|media| self.prepare(part, &read(media))).collect()
    }
}

impl Step {
    /// Reads the file of a step that [`Plan::enclose`] has made, and gives what is kept of it.
    pub async fn seal(&self, source: &dyn MediaSource, profile: &Profile) -> Result<Value, Fault> {
        let Enclosing::<Value>::Read(enclosure) = self.task()? else {
            return Err(Fault::NotSent(format!("step {} is not to be prepared", self.index)));
        };
        Ok(json!(enclosure.seal(source, profile).await?))
    }

    /// The part that it sends.
    pub fn enclosing<M: DeserializeOwned>(&self) -> Result<M, Fault> {
        match self.task()? {
            Enclosing::Publish(message) => Ok(message),
            Enclosing::Read(_) => Err(Fault::NotSent(format!("step {} publishes nothing", self.index))),
        }
    }
}

impl Progress {
    /// The files that these steps have read.
    pub fn sealed(&self, steps: &[usize]) -> Result<Vec<Sealed>, Fault> {
        steps.iter().map(|step| self.given(*step)).collect()
    }
}

impl Enclosure {
    /// A file of a draft with these limits.
    fn new(media: &DraftMedia, limits: &Limits) -> Self {
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
    async fn seal(self, source: &dyn MediaSource, profile: &Profile) -> Result<Sealed, Fault> {
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

/// The most that the files of one call add to its time limit.
const MOST_TIME: Duration = Duration::from_hours(1);

impl Sealed {
    /// How much longer a call may take that carries these files.
    pub fn time<'a>(files: impl IntoIterator<Item = &'a Self>) -> Duration {
        let bytes: u64 = files.into_iter().map(Self::weight).fold(0, u64::saturating_add);
        Duration::from_secs(bytes / SLOWEST).min(MOST_TIME)
    }

    /// Its size in bytes, or more: a picture may have become smaller when it was fitted.
    fn weight(&self) -> u64 {
        let Enclosure { media, limits } = &self.enclosure;
        match (media.facts.kind, limits.image_bytes) {
            (MediaKind::Image, Some(most)) => media.facts.bytes.min(most),
            _ => media.facts.bytes,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::file;

    #[test]
    fn large_files_have_time() {
        let sealed = |kind, bytes| {
            let limits = LimitOverrides { image_bytes: Some(10_000_000), ..LimitOverrides::default() };
            let enclosure = Enclosure { media: file("a", kind, "", bytes, ""), limits };
            Sealed { enclosure, hash: String::new(), name: String::new(), kind, width: 0, height: 0 }
        };
        let seconds = |files: &[Sealed]| Sealed::time(files).as_secs();
        assert_eq!(seconds(&[]), 0);
        assert_eq!(seconds(&[sealed(MediaKind::Video, 50_000_000)]), 381);
        assert_eq!(seconds(&[sealed(MediaKind::Image, 90_000_000), sealed(MediaKind::Image, 1_000_000)]), 83);
        assert_eq!(seconds(&[sealed(MediaKind::Video, u64::MAX), sealed(MediaKind::Video, 1)]), 3600);
    }
}
