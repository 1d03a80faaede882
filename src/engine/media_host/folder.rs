//! A folder that a web server shows.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::super::outside::{FolderFiles, blocking};
use super::Place;
use crate::adapter::{Fault, Files};

/// A folder that a web server shows.
pub(super) struct Folder {
    root: PathBuf,
    files: FolderFiles,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: FolderFiles::new(root) }
    }
}

#[async_trait]
impl Place for Folder {
    fn below(&self) -> String {
        String::new()
    }

    async fn put(&self, name: &str, _mime: &str, bytes: &[u8]) -> Result<(), Fault> {
        if !self.root.is_dir() {
            return Err(Fault::NotSent(format!(
                "the media host's folder {} is not there; make it, and let a web server show it",
                self.root.display()
            )));
        }
        // Its age counts from the last time that it was needed, so the same file is written anew.
        self.files.remove(name).await?;
        self.files.write(name, bytes).await?;
        let path = self.root.join(name);
        blocking(move || readable(&path)).await
    }

    async fn files(&self) -> Result<Vec<(String, DateTime<Utc>)>, Fault> {
        let root = self.root.clone();
        blocking(move || {
            let failed = |error: std::io::Error| Fault::NotSent(format!("{}: {error}", root.display()));
            let mut found = Vec::new();
            for entry in std::fs::read_dir(&root).map_err(failed)? {
                let entry = entry.map_err(failed)?;
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

/// A web server is another user: a service's files are often closed to all others.
#[cfg(unix)]
fn readable(path: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::PermissionsExt;

    let permissions = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, permissions).map_err(|error| Fault::NotSent(format!("{}: {error}", path.display())))
}

#[cfg(not(unix))]
fn readable(_path: &Path) -> Result<(), Fault> {
    Ok(())
}
