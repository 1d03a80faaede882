//! Text: measuring, links, splitting, templates, hidden characters. Pure.
//!
//! Start with [`fn@measure`] and [`Counting`]; [`fn@find`] is what makes links and mentions one thing for all of the others.

mod changelog;
mod find;
mod graphemes;
mod hazards;
mod hidden;
mod little;
pub mod markup;
mod measure;
mod notes;
mod parameters;
mod release;
mod sentence;
mod split;
mod template;
mod tlds;
mod weighted;

pub use changelog::{LARGEST_CHANGELOG, NoSection, Section, section};
pub use find::find;
pub use hazards::{Hazard, HazardKind, hazards};
pub use hidden::is_hidden;
pub use little::{from_little, little_text};
pub use measure::{measure, overflow};
pub use parameters::with_parameters;
pub use release::{Form, RELEASE_VARIABLES, fill, fit, is_open, variables as release_variables};
pub use split::split;
pub use template::{TemplateError, UTM_VARIABLES, parse, render, variables};
pub use weighted::{composed, links as shortened_links, weighted_length};

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
    /// Unicode code points, but an emoji as many as its UTF-8 bytes (Threads).
    EmojiBytes,
    /// X's weighted count, configuration v3.
    WeightedV3,
    /// UTF-16 code units of `LinkedIn`'s little text, its backslashes included.
    LittleText,
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
