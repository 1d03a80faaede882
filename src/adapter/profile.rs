//! What a network allows and promises, as data: the only place where its limits stand.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DraftMedia, SignIn};
use crate::model::{LimitOverrides, Visibility};
use crate::text::{Counting, MentionWeight, Unit};

/// What a network allows and promises. Limits are those of its own servers; one account's are in [`Limits`].
#[derive(Debug)]
pub struct Profile {
    /// Id in files: `mastodon`.
    pub id: &'static str,
    /// Name for people: `Mastodon`.
    pub name: &'static str,
    /// One line: what it is, and what else speaks the same API.
    pub about: &'static str,
    /// Where people make the credentials.
    pub setup_url: Option<&'static str>,
    /// The day on which the facts were last verified, `YYYY-MM-DD`.
    pub verified: &'static str,
    /// Text.
    pub text: TextRules,
    /// Longest title in characters; 0: no titles.
    pub title: u32,
    /// Takes a long form ([`crate::adapter::Draft::body`]).
    pub body: bool,
    /// Has a place for tags; elsewhere they are appended to the text as hashtags.
    pub tags: u32,
    /// Media.
    pub media: MediaRules,
    /// Polls; `None`: no polls.
    pub poll: Option<PollRules>,
    /// A part may answer the part before it.
    pub threads: bool,
    /// May answer a post of somebody's.
    pub replies: bool,
    /// May quote a post.
    pub quotes: bool,
    /// Link cards.
    pub card: CardSupport,
    /// Visibilities, the default first. Empty: everything is public.
    pub visibility: &'static [Visibility],
    /// Content warnings.
    pub warning: WarningSupport,
    /// Labels for sensitive media that it knows.
    pub labels: &'static [&'static str],
    /// Most languages of a post; 0: no languages.
    pub languages: u32,
    /// What is safe to repeat.
    pub repeat: RepeatSafety,
    /// How long it takes until what was posted is surely seen by a look-up.
    pub settle: Duration,
    /// How one signs in, the best way first. Secrets to paste belong together: all of them are asked for. Empty: there is
    /// nothing to sign in to.
    pub sign_in: &'static [SignIn],
    /// Secret fields of an account.
    pub secrets: &'static [SecretField],
    /// The calendar itself may declare an account of it: it needs no credential.
    pub credential_free: bool,
    /// Where each fact comes from.
    pub facts: &'static [Fact],
}

/// Text rules.
#[derive(Debug, Clone)]
pub struct TextRules {
    /// All of these must hold.
    pub limits: &'static [TextLimit],
    /// What a link counts; `None`: as it is written.
    pub link: Option<u32>,
    /// How mentions count.
    pub mention: MentionWeight,
    /// A content warning counts toward the limit.
    pub counts_warning: bool,
    /// The text may be empty when there are media.
    pub optional_with_media: bool,
}

/// A limit of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimit {
    /// What is counted.
    pub unit: Unit,
    /// At most.
    pub max: u64,
}

/// Media rules.
#[derive(Debug, Clone)]
pub struct MediaRules {
    /// Most pictures in one part.
    pub max_images: u32,
    /// Most videos in one part.
    pub max_videos: u32,
    /// Pictures and a video may go together.
    pub mixed: bool,
    /// Media and a poll may go together.
    pub with_poll: bool,
    /// A link card and media may go together.
    pub with_card: bool,
    /// At least one file is needed.
    pub required: bool,
    /// Pictures.
    pub image: ImageRule,
    /// Animations; `None`: sent as pictures (first frame kept by the network, or moving, as the network likes).
    pub animation: Option<ImageRule>,
    /// Videos; `None`: no videos.
    pub video: Option<VideoRule>,
    /// Documents, each alone in its part and with a title; `None`: no documents.
    pub document: Option<DocumentRule>,
    /// Alt text.
    pub alt: AltRule,
}

/// Rules for one kind of picture. A picture over them is fitted where that is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRule {
    /// MIME types that it takes.
    #[serde(skip)]
    pub mimes: &'static [&'static str],
    /// At most, in bytes.
    pub bytes: u64,
    /// At most, width × height.
    pub pixels: u64,
    /// Longest side in pixels.
    pub side: u32,
}

/// Rules for videos, which are passed through as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoRule {
    /// MIME types that it takes.
    #[serde(skip)]
    pub mimes: &'static [&'static str],
    /// At most, in bytes.
    pub bytes: u64,
}

/// Rules for documents, which are passed through as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentRule {
    /// MIME types that it takes.
    pub mimes: &'static [&'static str],
    /// At most, in bytes.
    pub bytes: u64,
}

/// Alt text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AltRule {
    /// The network has alt text.
    pub supported: bool,
    /// Longest, in characters (graphemes); 0: no limit known.
    pub max: u64,
}

/// Poll rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollRules {
    /// Fewest choices.
    pub options_min: u64,
    /// Most choices.
    pub options_max: u64,
    /// Longest choice, in characters.
    pub option_text: u64,
    /// Shortest, in seconds.
    pub seconds_min: u64,
    /// Longest, in seconds.
    pub seconds_max: u64,
    /// More than one choice may be allowed.
    pub multiple: bool,
}

/// Link cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardSupport {
    /// The adapter makes it; the link need not stand in the text.
    Own,
    /// The network makes it from the link in the text.
    Server,
    /// The link is a field of its own; no card.
    Field,
    /// None: the link stands in the text.
    None,
}

/// Content warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningSupport {
    /// Free text.
    Text,
    /// None: refused by `check`, since dropping it would show what was to be hidden.
    None,
}

/// What a lost answer may be met with. The adapter declares it, the engine applies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum RepeatSafety {
    /// The content is the name: the same bytes may be sent again at any time (Nostr, files).
    ContentAddressed,
    /// We choose the id, and a second use is refused or changes nothing (Bluesky's record key, Matrix).
    ChosenId,
    /// The server keeps our key for a while: look up, then send the same key once inside the window (Mastodon).
    Key {
        /// How long, in seconds.
        window_seconds: u64,
    },
    /// Two steps; the step's own state tells (Instagram, drafts).
    TwoStep,
    /// Only the account's recent posts tell: two looks, then once more if the first sender is surely dead.
    LookUp,
    /// Nothing tells: a person decides.
    None,
}

impl RepeatSafety {
    /// One word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContentAddressed => "content-addressed",
            Self::ChosenId => "chosen-id",
            Self::Key { .. } => "key",
            Self::TwoStep => "two-step",
            Self::LookUp => "look-up",
            Self::None => "none",
        }
    }

    /// What a lost answer leads to, for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::ContentAddressed | Self::ChosenId => "sent again under the same name; the network keeps one",
            Self::Key { .. } => "looked up; if missing, sent once more with the same key",
            Self::TwoStep => "the network is asked how far it came",
            Self::LookUp => "looked up twice; if missing both times, sent once more",
            Self::None => "waits for a person: nothing can tell whether it arrived",
        }
    }
}

/// A secret field of an account: `password` is looked up as `SMM_<ACCOUNT>_PASSWORD` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretField {
    /// Its name.
    pub name: &'static str,
    /// What it is and where one gets it.
    pub help: &'static str,
}

/// A fact with its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    /// What: `text`, `image bytes`, …
    pub what: &'static str,
    /// What it says, in a few words.
    pub says: &'static str,
    /// Where it was read.
    pub source: &'static str,
    /// When, `YYYY-MM-DD`.
    pub verified: &'static str,
}

/// The limits that hold for one account: the profile's, with what the operator or the server says put over them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Text limits; all must hold.
    pub text: Vec<TextLimit>,
    /// What a link counts; `None`: as written.
    pub link: Option<u32>,
    /// Most files in one part (pictures).
    pub max_images: u32,
    /// Most videos in one part.
    pub max_videos: u32,
    /// Pictures.
    pub image: ImageRule,
    /// Animations.
    pub animation: Option<ImageRule>,
    /// Videos.
    pub video: Option<VideoRule>,
    /// Documents.
    pub document: Option<DocumentRule>,
    /// Alt text.
    pub alt: AltRule,
    /// Polls.
    pub poll: Option<PollRules>,
}

impl TextLimit {
    /// How a text is counted against this limit. Weights hold for characters; a limit in bytes is a limit on what is sent.
    pub fn counting(self, link: Option<u32>, mention: MentionWeight) -> Counting {
        match self.unit {
            Unit::Bytes => Counting { unit: self.unit, link: None, mention: MentionWeight::Raw },
            unit => Counting { unit, link, mention },
        }
    }
}

impl Limits {
    /// The profile's limits with overrides put over them.
    pub fn new(profile: &Profile, over: &LimitOverrides) -> Self {
        let mut text = profile.text.limits.to_vec();
        if let (Some(max), Some(first)) = (over.text, text.first_mut()) {
            first.max = max;
        }
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let picture = |rule: ImageRule| ImageRule {
            bytes: over.image_bytes.unwrap_or(rule.bytes),
            pixels: over.image_pixels.unwrap_or(rule.pixels),
            ..rule
        };
        Self {
            text,
            link: over.link.map_or(profile.text.link, |weight| Some(narrow(weight)).filter(|weight| *weight > 0)),
            max_images: over.media.map_or(profile.media.max_images, narrow),
            max_videos: profile.media.max_videos,
            image: picture(profile.media.image),
            animation: profile.media.animation,
            video: profile.media.video.map(|rule| VideoRule { bytes: over.video_bytes.unwrap_or(rule.bytes), ..rule }),
            document: profile.media.document,
            alt: AltRule { max: over.alt.unwrap_or(profile.media.alt.max), ..profile.media.alt },
            poll: profile.poll.map(|rule| PollRules {
                options_max: over.poll_options.unwrap_or(rule.options_max),
                option_text: over.poll_option_text.unwrap_or(rule.option_text),
                seconds_min: over.poll_seconds_min.unwrap_or(rule.seconds_min),
                seconds_max: over.poll_seconds_max.unwrap_or(rule.seconds_max),
                ..rule
            }),
        }
    }

    /// The limits that hold for a file that is sent as it is: it was checked when it was planned, so its own size is one.
    pub fn as_planned(profile: &Profile, media: &DraftMedia) -> Self {
        Self::new(profile, &LimitOverrides { video_bytes: Some(media.facts.bytes), ..LimitOverrides::default() })
    }

    /// Those of files alone, which a step that uploads one keeps to fit it to.
    pub fn of_files(&self) -> LimitOverrides {
        LimitOverrides { video_bytes: self.video.map(|rule| rule.bytes), ..self.of_pictures() }
    }

    /// Those of pictures alone, where nothing else is fitted or read as a whole.
    pub fn of_pictures(&self) -> LimitOverrides {
        LimitOverrides {
            image_bytes: Some(self.image.bytes),
            image_pixels: Some(self.image.pixels),
            ..LimitOverrides::default()
        }
    }

    /// The same in the words of `[accounts.X.limits]`. What there is no limit for is absent.
    pub fn stated(&self) -> LimitOverrides {
        let poll = self.poll.as_ref();
        LimitOverrides {
            text: self.text.first().map(|limit| limit.max),
            link: Some(u64::from(self.link.unwrap_or(0))),
            media: Some(u64::from(self.max_images)),
            alt: Some(self.alt.max).filter(|max| *max > 0),
            image_bytes: Some(self.image.bytes),
            image_pixels: Some(self.image.pixels),
            video_bytes: self.video.as_ref().map(|rule| rule.bytes),
            poll_options: poll.map(|rule| rule.options_max),
            poll_option_text: poll.map(|rule| rule.option_text),
            poll_seconds_min: poll.map(|rule| rule.seconds_min),
            poll_seconds_max: poll.map(|rule| rule.seconds_max),
        }
    }
}
