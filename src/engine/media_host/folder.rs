//! A folder that a web server shows.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use super::super::outside::{FolderFiles, blocking};
use super::{PIECE, Place};
use crate::adapter::{Fault, Files, MediaFile};

/// A folder that a web server shows.
pub(super) struct Folder {
    root: PathBuf,
    files: FolderFiles,
    /// Held while a file is written.
    writing: Mutex<()>,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: FolderFiles::new(root), writing: Mutex::default() }
    }
}

#[async_trait]
impl Place for Folder {
    fn below(&self) -> String {
        String::new()
    }

    async fn put(&self, name: &str, file: &MediaFile) -> Result<(), Fault> {
        if !self.root.is_dir() {
            return Err(Fault::NotSent(format!(
                "the media host's folder {} is not there; make it, and let a web server show it",
                self.root.display()
            )));
        }
        // Its age counts from the last time that it was needed, so the same file is written anew. Another process may be
        // about to do the same.
        let _one_at_a_time = self.writing.lock().await;
        let digits = name.split('.').next().unwrap_or(name);
        let part = format!("{digits}.p{:x}", std::process::id());
        if let Err(fault) = written(&self.root.join(&part), file).await {
            self.files.remove(&part).await?;
            return Err(fault);
        }
        let (from, to) = (self.root.join(&part), self.root.join(name));
        blocking(move || {
            readable(&from)?;
            std::fs::rename(&from, &to).map_err(|error| failed(&to, &error))
        })
        .await
    }

    async fn files(&self) -> Result<Vec<(String, DateTime<Utc>)>, Fault> {
        let root = self.root.clone();
        blocking(move || {
            let mut found = Vec::new();
            for entry in std::fs::read_dir(&root).map_err(|error| failed(&root, &error))? {
                let entry = entry.map_err(|error| failed(&root, &error))?;
                // A file may go while it is looked at.
                if let (Ok(name), Ok(changed)) =
                    (entry.file_name().into_string(), entry.metadata().and_then(|metadata| metadata.modified()))
                {
                    found.push((name, DateTime::from(changed)));
                }
            }
            Ok(found)
        })
        .await
    }

    async fn remove(&self, name: &str) -> Result<(), Fault> {
        self.files.remove(name).await
    }
}

/// Writes a file, a piece after the other.
async fn written(path: &Path, file: &MediaFile) -> Result<(), Fault> {
    let failed = |error: io::Error| failed(path, &error);
    let mut out = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut sent = 0;
    while sent < file.content.length() {
        let piece = file.content.piece(sent, PIECE).await?;
        sent += piece.len() as u64;
        out.write_all(&piece).await.map_err(failed)?;
    }
    out.sync_all().await.map_err(failed)
}

fn failed(path: &Path, error: &io::Error) -> Fault {
    Fault::NotSent(format!("{}: {error}", path.display()))
}

/// A web server is another user: a service's files are often closed to all others.
#[cfg(unix)]
fn readable(path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::PermissionsExt;

    let permissions = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, permissions).map_err(|error| failed(path, &error))
}

#[cfg(not(unix))]
fn readable(_path: &Path) -> Result<(), Fault> {
    Ok(())
}
