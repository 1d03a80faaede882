//! The outside without an outside: secrets, media and files in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::super::http::{Http, HttpSettings};
use super::super::mail::Mailer;
use super::super::{
    DraftMedia, Fault, Files, Limits, MediaBytes, MediaFile, MediaHost, MediaSource, Outside, Refusal, Secrets,
};
use crate::model::{MediaFacts, MediaKind, hex};

/// A PNG of one pixel.
pub const PICTURE: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0d, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xfc, 0xcf, 0xc0, 0x50, 0x0f, 0x00, 0x04, 0x85, 0x01, 0x80, 0x84, 0xa9, 0x8c,
    0x21, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// What an adapter may use, with a short time limit and pages from this machine allowed.
pub fn outside(secrets: BTreeMap<&'static str, String>, files: Arc<dyn Files>) -> Outside {
    Outside {
        http: Http::new(HttpSettings { timeout: Duration::from_secs(2), private_pages: true }),
        mail: Mailer::new(Duration::from_secs(2)),
        secrets: Arc::new(FixedSecrets(secrets)),
        media: Arc::new(MemoryMedia),
        files,
        host: Some(Arc::new(NoHost)),
        programs: None,
        now: Arc::new(|| DateTime::<Utc>::from(std::time::SystemTime::now())),
    }
}

/// Secrets that stand fast.
pub struct FixedSecrets(pub BTreeMap<&'static str, String>);

#[async_trait]
impl Secrets for FixedSecrets {
    async fn secret(&self, field: &str) -> Result<SecretString, Fault> {
        match self.0.get(field) {
            Some(value) => Ok(SecretString::from(value.clone())),
            None => Err(Fault::refused(Refusal::Secret, format!("`{field}` is not set"))),
        }
    }
}

/// Every file is [`PICTURE`], whatever its name; facts are those of the picture.
pub struct MemoryMedia;

#[async_trait]
impl MediaSource for MemoryMedia {
    async fn fetch(&self, media: &DraftMedia, _limits: &Limits) -> Result<MediaBytes, Fault> {
        let name = media.file.rsplit('/').next().unwrap_or(&media.file).to_owned();
        Ok(MediaBytes { bytes: PICTURE.to_vec(), facts: picture_facts(PICTURE.len()), name })
    }

    async fn fit(&self, picture: Vec<u8>, bytes: u64, _side: u32) -> Result<MediaBytes, Fault> {
        if !picture.starts_with(&PICTURE[..8]) || picture.len() as u64 > bytes {
            return Err(Fault::refused(Refusal::Invalid, "not a picture that fits"));
        }
        Ok(MediaBytes { facts: picture_facts(picture.len()), bytes: picture, name: "picture.png".to_owned() })
    }
}

/// A media host that keeps nothing: it only gives addresses.
pub struct NoHost;

/// Where the addresses of [`NoHost`] begin.
pub const HOST: &str = "https://media.example/smm/";

#[async_trait]
impl MediaHost for NoHost {
    async fn put(&self, file: &MediaFile) -> Result<String, Fault> {
        let ending = file.name.rsplit_once('.').map_or("bin", |(_, ending)| ending);
        let whole = file.content.piece(0, file.content.length()).await?;
        Ok(format!("{HOST}{}.{ending}", hex(&Sha256::digest(whole))))
    }
}

fn picture_facts(bytes: usize) -> MediaFacts {
    MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: bytes as u64, width: 1, height: 1 }
}

/// Files in memory.
#[derive(Default)]
pub struct MemoryFiles(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryFiles {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All files, by path.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.held().clone()
    }
}

#[async_trait]
impl Files for MemoryFiles {
    async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.held().get(path).cloned())
    }

    async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Fault> {
        self.held().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    async fn list(&self, path: &str) -> Result<Vec<String>, Fault> {
        let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut names: Vec<String> = self
            .held()
            .keys()
            .filter_map(|file| file.strip_prefix(&folder))
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    async fn remove(&self, path: &str) -> Result<(), Fault> {
        let folder = format!("{path}/");
        self.held().retain(|file, _| file != path && !file.starts_with(&folder));
        Ok(())
    }
}
