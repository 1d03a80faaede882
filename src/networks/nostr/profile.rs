//! Nostr's limits and promises, each with its source. What relays say of themselves is put over them.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, Profile, RepeatSafety, SecretField, SignIn, TextLimit,
    TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Longest text, in characters: with four bytes each it fits the 64 KiB that most relays take of an event.
pub(super) const TEXT: u64 = 15_000;

/// Longest side of a picture, in pixels. There is no rule; this is WebP's own.
const SIDE: u32 = 16_383;

/// Nostr's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "nostr",
    name: "Nostr",
    about: "signed notes on relays of your choice; pictures and videos on a Blossom server",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::CodePoints, max: TEXT }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 0,
    body: false,
    tags: 0,
    media: MediaRules {
        max_images: 10,
        max_videos: 10,
        mixed: true,
        with_poll: true,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: 10 * 1024 * 1024,
            pixels: 40_000_000,
            side: SIDE,
        },
        animation: Some(ImageRule {
            mimes: &["image/gif", "image/webp"],
            bytes: 10 * 1024 * 1024,
            pixels: 40_000_000,
            side: SIDE,
        }),
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime", "video/webm"], bytes: 100 * 1024 * 1024 }),
        document: None,
        alt: AltRule { supported: true, max: 1000 },
    },
    poll: None,
    threads: true,
    replies: true,
    quotes: true,
    card: CardSupport::Server,
    visibility: &[],
    warning: WarningSupport::Text,
    labels: &[],
    languages: 1,
    repeat: RepeatSafety::ContentAddressed,
    settle: Duration::from_secs(10),
    sign_in: &[SignIn::Paste(&SECRET)],
    secrets: &[SecretField {
        name: "nsec",
        help: "the secret key, `nsec1…` or in hex: whoever has it is you, and it cannot be changed",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "no limit of the protocol; relays say theirs (max_content_length, characters), 15,000 is our own bound",
            source: "nostr-protocol/nips 11.md",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "10 a part, pictures of 10 MiB, videos of 100 MiB, alt texts of 1,000 characters: our own bounds; each server has its own",
            source: "hzrd149/blossom buds/01.md, buds/02.md; nips 92.md, 94.md",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "an event is named by the hash of what it says; a relay that has it says so (`duplicate:`)",
            source: "nostr-protocol/nips 01.md; seen with nostr-relay 1.14",
            verified: VERIFIED,
        },
        Fact {
            what: "dates",
            says: "a relay may refuse what is too old or in the future (created_at_lower_limit, created_at_upper_limit)",
            source: "nostr-protocol/nips 11.md",
            verified: VERIFIED,
        },
        Fact {
            what: "deletion",
            says: "a request (kind 5) that relays and clients may ignore",
            source: "nostr-protocol/nips 09.md",
            verified: VERIFIED,
        },
    ],
};

const SECRET: Paste = Paste {
    what: "a secret key",
    field: "nsec",
    page: None,
    steps: &[
        "Make a key in any Nostr client, or take the one that you have.",
        "Copy the secret key, `nsec1…`: clients have it under Settings, Keys.",
        "Keep a copy where nobody else comes: who has it is you, and it can be neither changed nor taken back.",
    ],
    undo: "a key cannot be made invalid: tell your readers to follow another one",
};
