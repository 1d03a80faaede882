//! Media as one account gets them: from the source that all accounts share, with somebody who watches large files on their
//! way to its network.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::outside::FolderMedia;
use crate::adapter::{DraftMedia, Fault, Limits, MediaBytes, MediaHead, MediaSource};
use crate::model::AccountName;

/// How far a file is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sent<'a> {
    /// The account that it goes to.
    pub account: &'a str,
    /// Its path.
    pub file: &'a str,
    /// The bytes that have gone. Fewer than before: it has begun anew.
    pub bytes: u64,
    /// How many there will be.
    pub whole: u64,
}

/// Who watches.
pub type Watch = Arc<dyn Fn(Sent<'_>) + Send + Sync>;

/// Writes a line to the log for each tenth of a file.
pub(super) fn log() -> Watch {
    // What was written last, by account and file.
    let written: Mutex<HashMap<(String, String), u64>> = Mutex::default();
    Arc::new(move |Sent { account, file, bytes, whole }| {
        let tenth = bytes.saturating_mul(10) / whole.max(1);
        let key = (account.to_owned(), file.to_owned());
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if tenth < 10 { written.insert(key, tenth) } else { written.remove(&key) };
        drop(written);
        if before.unwrap_or(0) != tenth {
            tracing::info!(account, file, bytes, whole, "{} % of the file have gone", tenth * 10);
        }
    })
}

/// An account's media.
pub(super) struct Watched {
    media: Arc<FolderMedia>,
    account: AccountName,
    watch: Watch,
}

impl Watched {
    /// Those of a source, for this account.
    pub(super) fn new(media: Arc<FolderMedia>, account: AccountName, watch: Watch) -> Self {
        Self { media, account, watch }
    }
}

#[async_trait]
impl MediaSource for Watched {
    async fn fetch(&self, media: &DraftMedia, limits: &Limits) -> Result<MediaBytes, Fault> {
        self.media.fetch(media, limits).await
    }

    async fn chunk(&self, media: &DraftMedia, limits: &Limits, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        self.media.chunk(media, limits, offset, length).await
    }

    async fn head(&self, media: &DraftMedia, limits: &Limits) -> Result<Option<MediaHead>, Fault> {
        self.media.head(media, limits).await
    }

    fn arrived(&self, media: &DraftMedia, bytes: u64) {
        (self.watch)(Sent { account: self.account.as_str(), file: &media.file, bytes, whole: media.facts.bytes });
    }

    async fn fit(&self, picture: Vec<u8>, bytes: u64, side: u32) -> Result<MediaBytes, Fault> {
        self.media.fit(picture, bytes, side).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MediaFacts, MediaKind};

    #[tokio::test]
    async fn each_account_tells_of_its_own_file() {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&seen);
        let watch: Watch = Arc::new(move |sent: Sent<'_>| {
            let Sent { account, file, bytes, whole } = sent;
            told.lock().expect("no panic").push(format!("{account}: {file} {bytes}/{whole}"));
        });
        let shared = Arc::new(FolderMedia::new("/nowhere"));
        let facts =
            MediaFacts { kind: MediaKind::Video, mime: "video/mp4".to_owned(), bytes: 4000, width: 0, height: 0 };
        let media = DraftMedia { file: "v.mp4".to_owned(), alt: String::new(), facts };
        for (account, bytes) in [("one", 8), ("two", 4000)] {
            Watched::new(Arc::clone(&shared), AccountName::new(account), Arc::clone(&watch)).arrived(&media, bytes);
        }
        assert_eq!(*seen.lock().expect("no panic"), ["one: v.mp4 8/4000", "two: v.mp4 4000/4000"]);
    }
}
