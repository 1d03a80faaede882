//! What a program gets. It knows better what its network takes: `[accounts.X.limits]` says so.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, PollRules, Profile, RepeatSafety, SecretField, SignIn,
    TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::model::Visibility;
use crate::text::{MentionWeight, Unit};

/// The day on which the protocol was written down.
const VERIFIED: &str = "2026-11-23";

/// Pictures go to the program within its input.
const PICTURE: ImageRule = ImageRule {
    mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
    bytes: 10_000_000,
    pixels: 50_000_000,
    side: 16_383,
};

/// The profile.
pub(super) static PROFILE: Profile = Profile {
    id: "exec",
    name: "Program",
    about: "a program of your own that publishes: JSON in, a receipt out",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::CodePoints, max: 10_000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 1000,
    body: true,
    tags: 100,
    media: MediaRules {
        max_images: 10,
        max_videos: 1,
        mixed: true,
        with_poll: true,
        with_card: true,
        required: false,
        image: PICTURE,
        animation: None,
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime", "video/webm"], bytes: 50_000_000 }),
        document: None,
        alt: AltRule { supported: true, max: 0 },
    },
    poll: Some(PollRules {
        options_min: 2,
        options_max: 12,
        option_text: 300,
        seconds_min: 60,
        seconds_max: 31_536_000,
        multiple: true,
    }),
    threads: true,
    replies: true,
    quotes: true,
    card: CardSupport::Field,
    visibility: &[Visibility::Public, Visibility::Unlisted, Visibility::Private, Visibility::Direct],
    warning: WarningSupport::Text,
    labels: &["graphic-media", "nudity", "porn", "sexual"],
    languages: 10,
    // An account says what its program promises.
    repeat: RepeatSafety::None,
    settle: Duration::from_secs(5),
    sign_in: &[SignIn::Paste(&TOKEN)],
    secrets: &[SecretField {
        name: "token",
        help: "a secret of the program's, where it needs one: it finds it in SMM_TOKEN",
    }],
    credential_free: false,
    facts: &[Fact {
        what: "protocol",
        says: "version 1: JSON on standard input and output; exit status 65, 75 and 77 are a \"no\", others are unknown",
        source: "the README of this adapter",
        verified: VERIFIED,
    }],
};

const TOKEN: Paste = Paste {
    what: "the program's secret",
    field: "token",
    page: None,
    steps: &["Give what the program needs to sign in. One that needs nothing gets `none`."],
    undo: "take it back where it was made",
};
