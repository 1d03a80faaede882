//! Text: measuring, links, splitting, mark-up, templates. Pure.

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Extended grapheme clusters (UAX #29): what a reader calls a character.
    Graphemes,
    /// Unicode code points.
    CodePoints,
    /// UTF-16 code units.
    Utf16,
    /// UTF-8 bytes.
    Bytes,
    /// X's weighted count, configuration v3.
    WeightedV3,
}

/// How mentions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MentionWeight {
    /// As written.
    Raw,
    /// `@user@host` counts as `@user` (Mastodon).
    LocalPart,
}

/// How a text is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// What is counted.
    pub unit: Unit,
    /// What each `http(s)` link counts; `None`: as written.
    pub link: Option<u32>,
    /// How mentions count.
    pub mention: MentionWeight,
}

/// A text that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// Its length.
    pub length: u64,
    /// What is allowed.
    pub max: u64,
    /// In this unit.
    pub unit: Unit,
    /// The part from this byte on does not fit (a grapheme boundary, never inside a link or mention).
    pub fits_until: usize,
}

/// A link, mention or tag in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: FoundKind,
    /// From this byte.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
}

/// What was found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundKind {
    /// `https://…` or `http://…`.
    Link,
    /// A link without a scheme, such as `acme.example/2.0`.
    BareLink,
    /// `@name`, `@name.example`, `@name@host.example`; with the `@`.
    Mention,
    /// `#tag`; with the `#`.
    Tag,
}

/// A piece of a split text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text, number included.
    pub text: String,
    /// The bytes of the source that it came from.
    pub start: usize,
    /// To before this byte.
    pub end: usize,
}

/// Counts a text.
pub fn measure(text: &str, counting: Counting) -> u64 {
    let _ = (text, counting);
    todo!()
}

/// `None` when the text fits.
pub fn overflow(text: &str, counting: Counting, max: u64) -> Option<Overflow> {
    let _ = (text, counting, max);
    todo!()
}

/// Links, mentions and tags, in order, not overlapping.
pub fn find(text: &str) -> Vec<Found> {
    let _ = text;
    todo!()
}

/// Splits a text at paragraph, then sentence, then word, never inside a grapheme, a link or a mention. `limits`: each with
/// its maximum; all must hold for every piece. `numbered`: each piece ends with ` k/n`. `Err`: the byte at which a thing
/// starts that fits in no piece.
pub fn split(text: &str, limits: &[(Counting, u64)], numbered: bool) -> Result<Vec<Piece>, usize> {
    let _ = (text, limits, numbered);
    todo!()
}

/// Appends parameters to a link, before its fragment; those that it has already stay as they are.
pub fn with_parameters(link: &str, parameters: &[(&str, String)]) -> String {
    let _ = (link, parameters);
    todo!()
}
