//! A webhook's limits and promises. There are few: the receiver is one's own.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, Profile, RepeatSafety, SecretField, SignIn, TextLimit,
    TextRules, WarningSupport,
};
use crate::model::Visibility;
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// The profile.
pub(super) static PROFILE: Profile = Profile {
    id: "webhook",
    name: "Webhook",
    about: "any address that takes a signed event (Standard Webhooks)",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::Bytes, max: 16_000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: false,
    },
    title: 1000,
    body: true,
    tags: 100,
    media: MediaRules {
        max_images: 0,
        max_videos: 0,
        mixed: false,
        with_poll: false,
        with_card: true,
        required: false,
        image: ImageRule { mimes: &[], bytes: 0, pixels: 0, side: 0 },
        animation: None,
        video: None,
        document: None,
        alt: AltRule { supported: false, max: 0 },
    },
    poll: None,
    threads: true,
    replies: false,
    quotes: false,
    card: CardSupport::Field,
    visibility: &[Visibility::Public, Visibility::Unlisted, Visibility::Private, Visibility::Direct],
    warning: WarningSupport::Text,
    labels: &["graphic-media", "nudity", "porn", "sexual"],
    languages: 10,
    // A receiver that keeps the standard knows an event again; an account says so with `idempotent`.
    repeat: RepeatSafety::None,
    settle: Duration::ZERO,
    sign_in: &[SignIn::Paste(&ADDRESS), SignIn::Paste(&KEY)],
    secrets: &[
        SecretField { name: "url", help: "where the events go: an https address, whatever it holds" },
        SecretField {
            name: "key",
            help: "what they are signed with: whsec_ and base64; several, with blanks between, while one is changed",
        },
    ],
    credential_free: false,
    facts: &[
        Fact {
            what: "size",
            says: "an event should be less than 20 kB: 16,000 bytes of text leave room for the rest",
            source: "standard-webhooks, spec/standard-webhooks.md, Payload size",
            verified: VERIFIED,
        },
        Fact {
            what: "signature",
            says: "v1: HMAC-SHA256 over id, time and body; one for each key",
            source: "standard-webhooks, spec/standard-webhooks.md, Signature scheme",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "webhook-id stays the same, so that a receiver can tell an event that it has had",
            source: "standard-webhooks, spec/standard-webhooks.md, Webhook Headers",
            verified: VERIFIED,
        },
    ],
};

const ADDRESS: Paste = Paste {
    what: "the address of a webhook",
    field: "url",
    page: None,
    steps: &["Make an address where events can be sent to, and give it here."],
    undo: "take the address back where you made it",
};

const KEY: Paste = Paste {
    what: "what events are signed with",
    field: "key",
    page: None,
    steps: &["Give the secret that the receiver checks signatures with: whsec_ and base64 of 24 to 64 random bytes."],
    undo: "make another one where you made it",
};
