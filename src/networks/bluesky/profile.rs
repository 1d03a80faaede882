//! Bluesky's limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, Profile, RepeatSafety, SecretField, SignIn, TextLimit,
    TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-22";

/// Largest picture of a link card, in bytes: `thumb` of the lexicon `app.bsky.embed.external`, verified 2026-11-22.
pub(super) const THUMB_BYTES: u64 = 1_000_000;

/// Longest side of a link card's picture, in pixels. Our own choice: no client shows more.
pub(super) const THUMB_SIDE: u32 = 2000;

/// Longest tag, in graphemes and in bytes: lexicons `app.bsky.feed.post` and `app.bsky.richtext.facet`, verified 2026-11-22.
pub(super) const TAG_GRAPHEMES: u64 = 64;
/// See [`TAG_GRAPHEMES`].
pub(super) const TAG_BYTES: usize = 640;

/// Bluesky's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "bluesky",
    name: "Bluesky",
    about: "Bluesky and other servers of the AT Protocol",
    setup_url: Some("https://bsky.app/settings/app-passwords"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::Graphemes, max: 300 }, TextLimit { unit: Unit::Bytes, max: 3000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 0,
    body: false,
    tags: 8,
    media: MediaRules {
        max_images: 4,
        max_videos: 1,
        mixed: false,
        with_poll: false,
        with_card: false,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: 2_000_000,
            pixels: 16_000_000,
            side: 4000,
        },
        animation: None,
        video: Some(VideoRule { mimes: &["video/mp4"], bytes: 300_000_000 }),
        document: None,
        alt: AltRule { supported: true, max: 2000 },
    },
    poll: None,
    threads: true,
    replies: true,
    quotes: true,
    card: CardSupport::Own,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &["graphic-media", "nudity", "porn", "sexual"],
    languages: 3,
    repeat: RepeatSafety::ChosenId,
    // The server that took the record is the one that is asked: it knows at once. This is for a request still under way.
    settle: Duration::from_secs(10),
    sign_in: &[SignIn::Paste(&APP_PASSWORD)],
    secrets: &[SecretField {
        name: "password",
        help: "an app password, from Settings, Privacy and security, App passwords; not the account's own",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "300 graphemes and 3000 bytes of UTF-8; links and mentions count as written",
            source: "lexicon app.bsky.feed.post: maxGraphemes, maxLength",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "4 a post",
            source: "lexicon app.bsky.embed.images: maxLength",
            verified: VERIFIED,
        },
        Fact {
            what: "image bytes",
            says: "2,000,000; refused when the record is written, not when the file is uploaded",
            source: "lexicon app.bsky.embed.images: maxSize; the official PDS 0.5",
            verified: VERIFIED,
        },
        Fact {
            what: "image side",
            says: "4000 pixels; the official app's own rule, not checked by servers",
            source: "bluesky-social/social-app src/lib/constants.ts",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "2000 characters; the official app's own rule, not checked by servers",
            source: "bluesky-social/social-app src/lib/constants.ts",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "one mp4 of 300,000,000 bytes; a server may take less in one upload",
            source: "lexicon app.bsky.embed.video: accept, maxSize; com.atproto.server.describeServer",
            verified: VERIFIED,
        },
        Fact {
            what: "link card",
            says: "made by the client; its picture has 1,000,000 bytes at most; not together with pictures",
            source: "lexicon app.bsky.embed.external: maxSize; app.bsky.embed.recordWithMedia",
            verified: VERIFIED,
        },
        Fact {
            what: "tags",
            says: "8 beside the text, 64 graphemes and 640 bytes each",
            source: "lexicon app.bsky.feed.post: tags",
            verified: VERIFIED,
        },
        Fact { what: "languages", says: "3", source: "lexicon app.bsky.feed.post: langs", verified: VERIFIED },
        Fact {
            what: "repeats",
            says: "the same record under the same key gives the same answer and changes nothing",
            source: "the official PDS 0.5: com.atproto.repo.putRecord with swapRecord null",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "5000 points an hour and 35,000 a day, a new record is 3; 30 log-ins in 5 minutes, 300 a day",
            source: "bluesky-social/bsky-docs docs/advanced-guides/rate-limits.md",
            verified: VERIFIED,
        },
    ],
};

const APP_PASSWORD: Paste = Paste {
    what: "an app password",
    field: "password",
    page: Some("https://bsky.app/settings/app-passwords"),
    steps: &[
        "Sign in to Bluesky in a browser and open Settings, Privacy and security, App passwords.",
        "Choose Add App Password, name it smm, and leave direct messages out.",
        "Copy the password that is shown (four groups of four letters).",
    ],
    undo: "remove it in Settings, Privacy and security, App passwords",
};
