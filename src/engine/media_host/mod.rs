//! Where media lie for networks that take no uploads and fetch them by a public address: `[media_host]` of `smm.toml`.
//!
//! A file's name is the SHA-256 of its bytes: the same file is put there once for all accounts, and nobody can guess the
//! address who does not have the file. Before an address is given to a network, the file is fetched from it the way that
//! the network will. What has not been needed for [`MediaHostSettings::keep`] is removed, a few files at a time, whenever
//! another one is put there; a rule of the bucket's own does as well.

mod folder;
mod s3;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::adapter::http::{Answer, Http};
use crate::adapter::{Fault, MediaFile, MediaHost};
use crate::calendar::{MediaHostSettings, MediaPlace};
use crate::media::extension;
use crate::model::hex;
use crate::oauth::Tools;
use crate::time::Clock;

use folder::Folder;
use s3::Bucket;

/// So much of a file is fetched to see that it is served.
const LOOK: usize = 64 * 1024;

/// So much of a file is read at once, in bytes: large ones are never in memory as a whole.
const PIECE: u64 = 1024 * 1024;

/// Old files are looked for once in this time.
const SWEEP_EVERY: TimeDelta = TimeDelta::hours(6);

/// At most so many are removed at a time: a post waits for it.
const SWEEP_MOST: usize = 20;

/// A place that files are put in.
#[async_trait]
trait Place: Send + Sync {
    /// What comes before a file's name in its public address: `smm/`, or nothing.
    fn below(&self) -> String;

    /// Puts a file there, in the place of the same one; it is as good as new then.
    async fn put(&self, name: &str, file: &MediaFile) -> Result<(), Fault>;

    /// Some of the files, with the time at which they were put there last.
    async fn files(&self) -> Result<Vec<(String, DateTime<Utc>)>, Fault>;

    /// Removes a file; gone already is success.
    async fn remove(&self, name: &str) -> Result<(), Fault>;
}

/// The media host of `smm.toml`.
pub(super) struct Host {
    place: Box<dyn Place>,
    url: String,
    keep: TimeDelta,
    http: Http,
    clock: Arc<dyn Clock>,
    swept: Mutex<Option<DateTime<Utc>>>,
}

impl Host {
    /// As set. Nothing is opened or asked yet.
    pub(super) fn new(settings: &MediaHostSettings, tools: &Tools) -> Self {
        let place: Box<dyn Place> = match &settings.place {
            MediaPlace::Folder(folder) => Box::new(Folder::new(folder)),
            MediaPlace::S3 { endpoint, bucket, region, prefix } => {
                Box::new(Bucket::new(endpoint, bucket, region, prefix, tools))
            }
        };
        Self {
            place,
            url: settings.url.clone(),
            keep: TimeDelta::from_std(settings.keep).unwrap_or(TimeDelta::days(365)),
            http: tools.http.clone(),
            clock: Arc::clone(&tools.clock),
            swept: Mutex::default(),
        }
    }

    /// Fetches the file as a network will.
    async fn look(&self, address: &str, file: &MediaFile) -> Result<(), Fault> {
        let not_served = |why: String| {
            Fault::NotSent(format!(
                "the file was put on the media host, and {address} does not show it: {why}; see that `url` in \
                 `[media_host]` is where everybody may read it"
            ))
        };
        let answer = self.http.page(address, LOOK).await.map_err(|fault| not_served(fault.to_string()))?;
        let start = file.content.piece(0, LOOK as u64).await?;
        wrong(&answer, file, &start).map_or(Ok(()), |why| Err(not_served(why)))
    }

    /// Removes files that nobody has needed for long. What goes wrong with it is no matter of the post at hand.
    async fn sweep(&self) {
        let now = self.clock.now();
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if swept.is_some_and(|at| now - at < SWEEP_EVERY) {
                return;
            }
            *swept = Some(now);
        }
        let files = match self.place.files().await {
            Ok(files) => files,
            Err(fault) => return tracing::warn!("old files on the media host cannot be looked for: {fault}"),
        };
        let old = files.into_iter().filter(|(name, at)| is_ours(name) && now - *at > self.keep);
        for (name, _) in old.take(SWEEP_MOST) {
            match self.place.remove(&name).await {
                Ok(()) => tracing::info!(name, "an old file was removed from the media host"),
                Err(fault) => return tracing::warn!(name, "an old file stays on the media host: {fault}"),
            }
        }
    }
}

#[async_trait]
impl MediaHost for Host {
    async fn put(&self, file: &MediaFile) -> Result<String, Fault> {
        let name = name(file).await?;
        let address = format!("{}/{}{name}", self.url, self.place.below());
        self.place.put(&name, file).await?;
        self.look(&address, file).await?;
        self.sweep().await;
        Ok(address)
    }
}

/// The name of a file with these bytes.
async fn name(file: &MediaFile) -> Result<String, Fault> {
    let (mut hash, mut read) = (Sha256::new(), 0);
    while read < file.content.length() {
        let piece = file.content.piece(read, PIECE).await?;
        read += piece.len() as u64;
        hash.update(&piece);
    }
    Ok(format!("{}.{}", hex(&hash.finalize()), extension(&file.facts.mime)))
}

/// Whether a name is one that [`name`] gives, or of a file that was not written to its end: nothing else is ever removed.
fn is_ours(name: &str) -> bool {
    name.split_once('.').is_some_and(|(digits, ending)| {
        digits.len() == 64
            && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && (2..=8).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// What is wrong with an answer that should be the file, which begins with `start`.
fn wrong(answer: &Answer, file: &MediaFile, start: &[u8]) -> Option<String> {
    if !answer.is_success() {
        return Some(format!("HTTP {}", answer.status));
    }
    let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(&file.facts.mime) {
        let kind = if kind.is_empty() { "nothing" } else { kind };
        return Some(format!("it says that it is `{kind}`, and it is `{}`", file.facts.mime));
    }
    let expected = start.get(..answer.body.len());
    let whole = answer.cut || answer.body.len() as u64 == file.content.length();
    (expected != Some(&answer.body[..]) || !whole).then(|| "it is another file".to_owned())
}

#[cfg(test)]
mod tests;
