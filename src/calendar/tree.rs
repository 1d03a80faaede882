//! Where a calendar's files are: in a folder, or in a state of that folder that is kept elsewhere.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file;

/// What a name in a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symlink, which is never followed. `folder`: it leads to one.
    Link {
        /// It leads to a folder.
        folder: bool,
    },
}

/// The files below a calendar's folder. Paths are relative to it, with `/`; the empty one is the folder itself.
pub trait Tree: Debug {
    /// What is at a path; `None`: nothing.
    fn kind(&self, path: &str) -> Option<Kind>;

    /// The names in a folder. One that does not exist has none; `Err`: why it cannot be read, as a sentence's end. A name
    /// that is not Unicode is left out: it cannot be written in a calendar.
    fn list(&self, folder: &str) -> Result<Vec<(String, Kind)>, String>;

    /// The bytes of a file, at most `room` of them. `Err`: why it cannot be read, as a sentence's end.
    fn read(&self, path: &str, room: u64) -> Result<Vec<u8>, String>;
}

/// A folder on disk.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
}

impl Disk {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn on_disk(&self, path: &str) -> PathBuf {
        let mut full = self.root.clone();
        full.extend(path.split('/').filter(|part| !part.is_empty()));
        if full.as_os_str().is_empty() { PathBuf::from(".") } else { full }
    }
}

impl Tree for Disk {
    fn kind(&self, path: &str) -> Option<Kind> {
        let path = self.on_disk(path);
        fs::symlink_metadata(&path).ok().map(|facts| kind(facts.file_type(), || path.is_dir()))
    }

    fn list(&self, folder: &str) -> Result<Vec<(String, Kind)>, String> {
        let entries = match fs::read_dir(self.on_disk(folder)) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(file::why(&error)),
        };
        let named = entries.filter_map(Result::ok).filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name, kind(entry.file_type().ok()?, || entry.path().is_dir())))
        });
        Ok(named.collect())
    }

    fn read(&self, path: &str, room: u64) -> Result<Vec<u8>, String> {
        file::read(&self.root.join(path), room)
    }
}

fn kind(of: fs::FileType, leads_to_folder: impl Fn() -> bool) -> Kind {
    if of.is_symlink() {
        Kind::Link { folder: leads_to_folder() }
    } else if of.is_dir() {
        Kind::Folder
    } else {
        Kind::File
    }
}
