//! A large file that nobody holds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::super::{DraftMedia, Fault, Limits, MediaBytes, MediaHead, MediaSource};
use crate::model::MediaFacts;

/// A video of any length, made as it is read: never as a whole. It remembers how it was read.
pub struct Film {
    bytes: u64,
    /// Counts how often it has become another one.
    version: AtomicU32,
    seen: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    most: u64,
    arrived: Vec<u64>,
}

impl Film {
    /// A film of so many bytes.
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self { bytes, version: AtomicU32::new(0), seen: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, Read> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(offset: u64, length: u64) -> Vec<u8> {
        // No two segments are alike.
        let byte = |at: u64| u8::try_from((at % 251) ^ ((at >> 20) % 251)).unwrap_or(0);
        (offset..offset + length).map(byte).collect()
    }

    /// How long it is.
    pub fn length(&self) -> u64 {
        self.bytes
    }

    /// All of it, to compare with what arrived.
    pub fn bytes(&self) -> Vec<u8> {
        Self::part(0, self.bytes)
    }

    /// The longest piece that was asked for.
    pub fn most(&self) -> u64 {
        self.held().most
    }

    /// It becomes another one of the same length.
    pub fn change(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// What was told to those who watch.
    pub fn told(&self) -> Vec<u64> {
        self.held().arrived.clone()
    }
}

#[async_trait]
impl MediaSource for Film {
    async fn fetch(&self, media: &DraftMedia, _limits: &Limits) -> Result<MediaBytes, Fault> {
        Err(Fault::NotSent(format!("`{}` is not to be read as a whole", media.file)))
    }

    async fn chunk(&self, _media: &DraftMedia, _limits: &Limits, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        let length = length.min(self.bytes.saturating_sub(offset));
        let mut seen = self.held();
        seen.most = seen.most.max(length);
        Ok(Self::part(offset, length))
    }

    async fn head(&self, media: &DraftMedia, _limits: &Limits) -> Result<Option<MediaHead>, Fault> {
        let facts = MediaFacts { bytes: self.bytes, ..media.facts.clone() };
        let mark = self.version.load(Ordering::Relaxed).to_string();
        Ok(Some(MediaHead { facts, name: "film.mp4".to_owned(), mark }))
    }

    fn arrived(&self, _media: &DraftMedia, bytes: u64) {
        self.held().arrived.push(bytes);
    }

    async fn fit(&self, _picture: Vec<u8>, _bytes: u64, _side: u32) -> Result<MediaBytes, Fault> {
        Err(Fault::NotSent("a film is no picture".to_owned()))
    }
}
