//! Why a media file cannot be used.

/// Why a media file cannot be used. The message says it for people and does not name the file: whoever shows it knows
/// which file it is about, and says so.
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

/// A size for people: `812 bytes`, `3.4 MB`. Decimal, as file managers and networks count.
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let scaled = |unit: u64| bytes as f64 / unit as f64;
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", scaled(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", scaled(1_000_000)),
        _ => format!("{:.1} GB", scaled(1_000_000_000)),
    }
}
