//! Everything of the outside that an adapter may use, handed in.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::model::MediaFacts;

use super::http::Http;
use super::mail::Mailer;
use super::{DraftMedia, Fault, Limits, MediaFile, MediaHead, Programs};

/// Everything of the outside that an adapter may use.
#[derive(Clone)]
pub struct Outside {
    /// HTTP, with the rules for irreversible calls built in.
    pub http: Http,
    /// Mail, with the same rules.
    pub mail: Mailer,
    /// The account's secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Media files, fitted.
    pub media: Arc<dyn MediaSource>,
    /// Files below the calendar's folder, for adapters that publish there.
    pub files: Arc<dyn Files>,
    /// Where files lie for networks that fetch them themselves ([`super::Network::needs_media_host`]); `None`: `smm.toml`
    /// names none.
    pub host: Option<Arc<dyn MediaHost>>,
    /// The operator's programs; `None`: none is run here.
    pub programs: Option<Arc<dyn Programs>>,
    /// The only "now".
    pub now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

/// The secrets of one account.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The value of a secret field, as named in [`super::Profile::secrets`]. Missing is [`Fault::Refused`] with
    /// [`super::Refusal::Secret`], and the message says where it was looked for.
    async fn secret(&self, field: &str) -> Result<SecretString, Fault>;

    /// A new value for one that the server has just refused as expired: a token that can be refreshed is. Somebody else may
    /// have done it meanwhile; then theirs is given. [`super::Refusal::Credentials`]: it cannot be renewed, a person must
    /// sign in again.
    async fn renewed(&self, field: &str, refused: &SecretString) -> Result<SecretString, Fault> {
        let _ = refused;
        Err(Fault::refused(
            super::Refusal::Credentials,
            format!("the {field} is no longer valid, and cannot be renewed"),
        ))
    }
}

/// A file's bytes, fitted to limits and freed of metadata.
#[derive(Debug, Clone)]
pub struct MediaBytes {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they are now.
    pub facts: MediaFacts,
    /// File name with the right extension for the MIME type.
    pub name: String,
}

impl MediaBytes {
    /// Its name in letters that are the same in a path, in a URL, in a header and in HTML.
    pub fn plain_name(&self) -> String {
        plain_name(&self.name)
    }
}

pub(super) fn plain_name(name: &str) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "bin"));
    let plain = |text: &str, most: usize| -> String {
        let good =
            |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c.to_ascii_lowercase() } else { '-' };
        text.chars().take(most).map(good).collect()
    };
    format!("{}.{}", plain(stem, 60), plain(ending, 8))
}

/// Media files of the post at hand.
#[async_trait]
pub trait MediaSource: Send + Sync {
    /// Reads a file and fits it to the limits.
    async fn fetch(&self, media: &DraftMedia, limits: &Limits) -> Result<MediaBytes, Fault>;

    /// Reads so many bytes of a file that is sent as it is, from `offset` on: large videos are never in memory as a whole.
    /// A file that is another one than when it was planned is [`super::Refusal::Invalid`].
    async fn chunk(&self, media: &DraftMedia, limits: &Limits, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        let whole = self.fetch(media, limits).await?.bytes;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
        Ok(whole[at(offset)..at(offset.saturating_add(length))].to_vec())
    }

    /// A file that is sent as it is, as it lies there now; `None`: it is made to fit first ([`MediaSource::fetch`]). One that
    /// is another than when it was planned is [`super::Refusal::Invalid`].
    async fn head(&self, media: &DraftMedia, limits: &Limits) -> Result<Option<MediaHead>, Fault> {
        let _ = (media, limits);
        Ok(None)
    }

    /// So many bytes of a file are on their way to the network, or there: for those who watch.
    fn arrived(&self, media: &DraftMedia, bytes: u64) {
        let _ = (media, bytes);
    }

    /// Fits bytes that came from elsewhere (a link card's picture) to at most `bytes` and `side` pixels.
    async fn fit(&self, picture: Vec<u8>, bytes: u64, side: u32) -> Result<MediaBytes, Fault>;
}

/// Where files lie for networks that take media by their public address alone, and fetch them from there.
#[async_trait]
pub trait MediaHost: Send + Sync {
    /// Puts a file there and gives the address at which everybody may fetch it: it has been fetched from there before this
    /// returns. The same bytes of the same kind have the same address, which nobody can guess who does not have them. They
    /// stay for as long as any network needs to fetch them, and go by themselves.
    async fn put(&self, file: &MediaFile) -> Result<String, Fault>;
}

/// Files below one folder. Paths are relative, with `/`; a path that leaves the folder is refused.
#[async_trait]
pub trait Files: Send + Sync {
    /// Reads a file; `None` when there is none.
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault>;

    /// Replaces a file in one step and makes it durable; makes its folders.
    async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Fault>;

    /// Names of the files and folders in a folder, sorted; empty when there is none.
    async fn list(&self, path: &str) -> Result<Vec<String>, Fault>;

    /// Removes a file, or a folder with what is in it. Gone already is success.
    async fn remove(&self, path: &str) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaKind;

    #[test]
    fn a_plain_name_is_the_same_everywhere() {
        let plain = |name: &str| {
            let facts =
                MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 0, width: 1, height: 1 };
            MediaBytes { bytes: Vec::new(), facts, name: name.to_owned() }.plain_name()
        };
        assert_eq!(plain("Füße im Gras.JPG"), "f--e-im-gras.jpg");
        assert_eq!(plain("..\"><svg>.png"), "-----svg-.png");
        assert_eq!(plain("x"), "x.bin");
    }
}
