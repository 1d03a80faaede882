//! `WordPress`'s limits and promises. A site has few of its own, and tells none of them: most are ours.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, Profile, RepeatSafety, SecretField, SignIn, TextLimit,
    TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// `WordPress`'s profile.
pub(super) static PROFILE: Profile = Profile {
    id: "wordpress",
    name: "WordPress",
    about: "A post on a WordPress site of one's own, by its REST API and an application password",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::CodePoints, max: 1_000_000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 300,
    body: true,
    tags: 50,
    media: MediaRules {
        max_images: 20,
        max_videos: 4,
        mixed: true,
        with_poll: false,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: 2_000_000,
            pixels: 16_000_000,
            side: 2560,
        },
        animation: Some(ImageRule {
            mimes: &["image/gif", "image/webp"],
            bytes: 8_000_000,
            pixels: 16_000_000,
            side: 2560,
        }),
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime", "video/webm"], bytes: 64_000_000 }),
        document: None,
        alt: AltRule { supported: true, max: 2000 },
    },
    poll: None,
    threads: false,
    replies: false,
    quotes: false,
    card: CardSupport::Field,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 0,
    repeat: RepeatSafety::TwoStep,
    settle: Duration::from_secs(2),
    sign_in: &[SignIn::Paste(&PASSWORD)],
    secrets: &[SecretField {
        name: "password",
        help: "an application password: Users, Profile, Application Passwords",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "WordPress has no limit; 1,000,000 characters are ours, so that a page loads",
            source: "WP-API/docs, reference/posts.md; this adapter",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "2 MB and 2560 pixels on a side, which WordPress scales down to as well; many hosts take 2 MB (PHP's default)",
            source: "WordPress, big_image_size_threshold; PHP, upload_max_filesize",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "64 MB here; what a host takes is set in PHP, and no API tells it",
            source: "PHP, upload_max_filesize and post_max_size",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "set by a second call after the upload; no limit known",
            source: "WP-API/docs, reference/media.md",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "no keys; a draft's status tells whether it was published. A second post with a slug is renamed to -2",
            source: "WP-API/docs, reference/posts.md; WordPress 6.1.9 itself",
            verified: VERIFIED,
        },
        Fact {
            what: "signing in",
            says: "application passwords since 5.6, over https alone; some hosts drop the header that carries them",
            source: "WP-API/docs, using-the-rest-api/authentication.md",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "none in WordPress; hosts and plugins have their own",
            source: "WP-API/docs",
            verified: VERIFIED,
        },
    ],
};

const PASSWORD: Paste = Paste {
    what: "an application password",
    field: "password",
    page: Some("{server}/wp-admin/profile.php"),
    steps: &[
        "Sign in to {server}/wp-admin as the user that publishes: an author, an editor or an administrator.",
        "Open Users, Profile, and go down to Application Passwords.",
        "Name it smm, choose Add New Application Password, and copy it.",
    ],
    undo: "revoke it in Users, Profile, Application Passwords",
};
