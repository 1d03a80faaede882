//! Media: probing, fitting, stripping. Decoding is bounded in pixels and memory.

use std::path::Path;

use crate::model::MediaFacts;

/// Why a media file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The path is absolute, has `..`, or leads out of the folder.
    #[error("{0}")]
    Outside(String),
    /// There is no such file.
    #[error("{0}")]
    Missing(String),
    /// The path has a symbolic link in it.
    #[error("{0}")]
    Symlink(String),
    /// A folder, a pipe, a device.
    #[error("{0}")]
    NotAFile(String),
    /// Not a kind of file that is known, or broken.
    #[error("{0}")]
    Unsupported(String),
    /// More pixels or bytes than are ever decoded.
    #[error("{0}")]
    TooLarge(String),
    /// It cannot be made to fit.
    #[error("{0}")]
    CannotFit(String),
    /// The disk says no.
    #[error("{0}")]
    Unreadable(String),
}

/// What a picture must come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// MIME types that are taken.
    pub mimes: Vec<String>,
    /// At most, in bytes.
    pub bytes: u64,
    /// At most, width × height.
    pub pixels: u64,
    /// Longest side in pixels.
    pub side: u32,
}

/// A picture that fits, freed of EXIF, XMP and IPTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// What they are now.
    pub facts: MediaFacts,
    /// What was done, for people: `resized from 6000×4000 to 2000×1333`. Empty when only metadata went.
    pub done: Vec<String>,
}

/// Opens a file below `root` without ever leaving it or following a symbolic link, and reads its facts from its head.
/// `relative` has `/` between its parts.
pub fn probe_file(root: &Path, relative: &str) -> Result<MediaFacts, MediaError> {
    let _ = (root, relative);
    todo!()
}

/// Reads a whole file below `root`, with the same care, at most `limit` bytes.
pub fn read_file(root: &Path, relative: &str, limit: u64) -> Result<Vec<u8>, MediaError> {
    let _ = (root, relative, limit);
    todo!()
}

/// Facts of bytes.
pub fn probe(bytes: &[u8]) -> Result<MediaFacts, MediaError> {
    let _ = bytes;
    todo!()
}

/// What fitting would do to a picture with these facts, without doing it: a line for people, or why it cannot be.
pub fn foresee(facts: &MediaFacts, target: &Target) -> Result<Option<String>, MediaError> {
    let _ = (facts, target);
    todo!()
}

/// Makes a picture fit: orientation applied, metadata stripped, resized, re-encoded, quality lowered stepwise.
pub fn fit(bytes: &[u8], target: &Target) -> Result<Fitted, MediaError> {
    let _ = (bytes, target);
    todo!()
}
