//! Media: probing, fitting, stripping. Decoding is bounded in pixels and memory.
//!
//! A file is what its bytes say, never its name. Pictures and animations lose their metadata before they leave the
//! machine; videos and documents are passed through as they are, metadata included.

mod document;
mod error;
mod fit;
mod open;
mod probe;
#[cfg(any(test, feature = "testing"))]
pub mod samples;
mod strip;
mod video;

pub use error::MediaError;
pub use fit::{fit, foresee};
pub(crate) use open::{mark, parts, walk};
pub use open::{read_file, read_range};
pub use probe::{probe, probe_file};

use crate::model::MediaFacts;

/// Pictures with more pixels are refused before anything is decoded.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Decoders get at most so many bytes of memory.
const MAX_DECODED: u64 = 512 * 1024 * 1024;

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

impl Target {
    /// A target from the parts of a network's rule for pictures.
    pub fn new(mimes: &[&str], bytes: u64, pixels: u64, side: u32) -> Self {
        Self { mimes: mimes.iter().map(|&mime| mime.to_owned()).collect(), bytes, pixels, side }
    }
}

/// The usual ending of a file of this kind, without the dot. `bin` for kinds that are not known.
pub fn extension(mime: &str) -> &'static str {
    match mime {
        "image/jpeg" => "jpg",
        "image/png" | "image/apng" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/webm" => "webm",
        "video/ogg" => "ogv",
        "application/pdf" => "pdf",
        _ => "bin",
    }
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
