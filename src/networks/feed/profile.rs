//! What a feed takes and promises. Its limits are our own: they keep a page readable and a feed loadable.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Profile, RepeatSafety, TextLimit, TextRules, VideoRule,
    WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-22";

/// The feed's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "feed",
    name: "Feed",
    about: "Atom, RSS and pages to read, written into a folder; needs no account",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::Graphemes, max: 100_000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 300,
    body: true,
    tags: 50,
    media: MediaRules {
        max_images: 50,
        max_videos: 10,
        mixed: true,
        with_poll: false,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: 5_000_000,
            pixels: 16_000_000,
            side: 4096,
        },
        animation: Some(ImageRule {
            mimes: &["image/apng", "image/gif", "image/webp"],
            bytes: 20_000_000,
            pixels: 16_000_000,
            side: 4096,
        }),
        video: Some(VideoRule {
            mimes: &["video/mp4", "video/ogg", "video/quicktime", "video/webm"],
            bytes: 500_000_000,
        }),
        document: None,
        alt: AltRule { supported: true, max: 10_000 },
    },
    poll: None,
    threads: true,
    replies: false,
    quotes: false,
    card: CardSupport::Field,
    visibility: &[],
    warning: WarningSupport::Text,
    labels: &[],
    languages: 10,
    repeat: RepeatSafety::ContentAddressed,
    settle: Duration::ZERO,
    sign_in: &[],
    secrets: &[],
    credential_free: true,
    facts: &[
        Fact {
            what: "text",
            says: "100,000 graphemes; our own limit, neither Atom nor RSS has one",
            source: "RFC 4287; RSS 2.0 specification",
            verified: VERIFIED,
        },
        Fact {
            what: "media",
            says: "pictures of 5 MB and 4096 pixels on a side, videos of 500 MB; our own limits, so that pages load",
            source: "this adapter",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "a post's files are named by its delivery: writing them again changes nothing",
            source: "this adapter",
            verified: VERIFIED,
        },
        Fact {
            what: "enclosure",
            says: "RSS has one for each post, Atom any number",
            source: "RSS 2.0 specification, `enclosure`; RFC 4287, 4.2.7.2",
            verified: VERIFIED,
        },
    ],
};
