//! What a post says, before it is made to fit one account.

use serde::{Deserialize, Serialize};

/// What a post says. The same shape serves the post itself and, with only the differing fields set, what
/// `[posts.for.X]` puts over it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Content {
    /// The text. A series may have [`Content::texts`] instead.
    pub text: Option<String>,
    /// Texts taken in turn by a series' occurrences.
    pub texts: Vec<String>,
    /// Further messages after the text, each a part of its own.
    pub thread: Vec<String>,
    /// Split a text that is too long into a thread.
    pub split: Option<bool>,
    /// What is sent instead where the text of a release turns out too long: the first of these that fits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<Fallback>,
    /// Number the parts of a split text or a thread.
    pub numbering: Option<Numbering>,
    /// A first reply under the post by the same account.
    pub first_comment: Option<String>,
    /// A title, for networks that have one.
    pub title: Option<String>,
    /// The long form, Markdown, for networks that have one.
    pub body: Option<String>,
    /// The link that the post is about: shown as a card where the network has cards, appended to the text elsewhere.
    pub link: Option<String>,
    /// Pictures and videos, in order. They belong to the first part unless [`MediaRef::part`] says otherwise.
    pub media: Option<Vec<MediaRef>>,
    /// Tags without `#`. Appended to the text where a network has no place of its own for them.
    pub tags: Option<Vec<String>>,
    /// Languages, BCP 47.
    pub lang: Option<Vec<String>>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
    /// A content warning, free text.
    pub content_warning: Option<String>,
    /// Labels for sensitive media (`sexual`, `nudity`, `porn`, `graphic-media`), where a network has them.
    pub labels: Option<Vec<String>>,
    /// URL or id of the post that this answers.
    pub reply_to: Option<String>,
    /// URL or id of the post that this quotes.
    pub quote: Option<String>,
    /// A poll.
    pub poll: Option<Poll>,
}

/// What is sent instead of a text that turns out too long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fallback {
    /// This text; `None`: the same.
    pub text: Option<String>,
    /// These messages after it. None: with a text of its own none, else the same.
    pub thread: Vec<String>,
    /// Split what is still too long into a thread; `None`: as the post says.
    pub split: Option<bool>,
}

/// `1/n` at the end of each part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Numbering {
    /// No numbers.
    None,
    /// ` 1/n` at the end of each part, in the room that the limit leaves.
    Suffix,
}

/// A file that goes with a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRef {
    /// Path relative to the calendar's folder, `/` between its parts, never outside that folder.
    pub file: String,
    /// What it shows, for those who cannot see it.
    pub alt: Option<String>,
    /// What a document is called, above its pages; without one the post's title is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The part of the thread that it goes with, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u16>,
}

/// Who may see a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Visibility {
    /// Everybody, and it may be listed anywhere.
    Public,
    /// Everybody who has the link; not in public time lines.
    Unlisted,
    /// Followers.
    Private,
    /// Those who are mentioned.
    Direct,
}

impl Visibility {
    /// The word in the calendar.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Private => "private",
            Self::Direct => "direct",
        }
    }
}

/// A poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// The choices, in order.
    pub options: Vec<String>,
    /// How long it is open, in seconds.
    pub seconds: u64,
    /// More than one choice may be ticked.
    #[serde(default)]
    pub multiple: bool,
    /// Counts are hidden until it ends.
    #[serde(default)]
    pub hide_totals: bool,
}
