//! What a program says.

use serde::Deserialize;

/// The version of the protocol.
pub(super) const VERSION: u32 = 1;

/// The content is not acceptable (`EX_DATAERR` of sysexits.h).
pub(super) const REFUSED: i32 = 65;
/// Nothing was done, and it may be tried again (`EX_TEMPFAIL`).
pub(super) const LATER: i32 = 75;
/// Nothing was done: the program may not do this (`EX_NOPERM`).
pub(super) const CREDENTIALS: i32 = 77;

/// To `whoami`.
#[derive(Debug, Deserialize)]
pub(super) struct Who {
    pub(super) uid: String,
    #[serde(default)]
    pub(super) name: String,
}

/// To `publish`.
#[derive(Debug, Deserialize)]
pub(super) struct Published {
    pub(super) id: String,
    pub(super) url: Option<String>,
}

/// To `look-up`: what it has found, or `null`. Without either nothing can be told.
#[derive(Debug, Deserialize)]
pub(super) struct Looked {
    #[serde(default, deserialize_with = "present")]
    #[expect(clippy::option_option, reason = "absent, null, and found are three answers")]
    pub(super) found: Option<Option<Published>>,
}

/// A field that is there, if only as `null`.
#[expect(clippy::option_option, reason = "absent, null, and found are three answers")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Published>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// With a "no", where a program says more than on its standard error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: Option<String>,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
}
