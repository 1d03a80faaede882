//! Mastodon's limits and promises, each with its source. What a server says of itself is put over them.

use std::time::Duration;

use crate::adapter::{
    AltRule, AuthServer, CardSupport, ClientId, Endpoints, Fact, ImageRule, MediaRules, OAuth, Paste, PollRules,
    Profile, Redirect, RepeatSafety, Scope, SecretField, SignIn, TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::model::Visibility;
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-22";

/// How long a server remembers an idempotency key after a success, in seconds.
pub(super) const KEY_WINDOW: u64 = 3600;

/// Longest side of a picture, in pixels. The server has no rule but for the area; this is WebP's own.
const SIDE: u32 = 16_383;

/// Mastodon's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "mastodon",
    name: "Mastodon",
    about: "Mastodon and servers that speak its API: GoToSocial, Pleroma, Akkoma, Pixelfed, Friendica, Hollo, snac",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::Graphemes, max: 500 }],
        link: Some(23),
        mention: MentionWeight::LocalPart,
        counts_warning: true,
        optional_with_media: true,
    },
    title: 0,
    body: false,
    tags: 0,
    media: MediaRules {
        max_images: 4,
        max_videos: 1,
        mixed: false,
        with_poll: false,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: 16 * 1024 * 1024,
            pixels: 33_177_600,
            side: SIDE,
        },
        animation: Some(ImageRule { mimes: &["image/gif"], bytes: 16 * 1024 * 1024, pixels: 921_600, side: SIDE }),
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime", "video/webm"], bytes: 99 * 1024 * 1024 }),
        document: None,
        alt: AltRule { supported: true, max: 1500 },
    },
    poll: Some(PollRules {
        options_min: 2,
        options_max: 4,
        option_text: 50,
        seconds_min: 300,
        seconds_max: 2_629_746,
        multiple: true,
    }),
    threads: true,
    replies: true,
    quotes: true,
    card: CardSupport::Server,
    visibility: &[Visibility::Public, Visibility::Unlisted, Visibility::Private, Visibility::Direct],
    warning: WarningSupport::Text,
    labels: &["graphic-media", "nudity", "porn", "sexual"],
    languages: 1,
    // A server that proves to be Mastodon itself keeps keys; see `kin.rs`.
    repeat: RepeatSafety::LookUp,
    settle: Duration::from_secs(30),
    sign_in: &[SignIn::OAuth(&OAUTH), SignIn::Paste(&TOKEN)],
    secrets: &[SecretField {
        name: "token",
        help: "an access token: Preferences, Development, New application, with the scopes read, write:media and write:statuses",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "500 graphemes with the content warning; a link with a scheme counts 23, a mention without its host",
            source: "mastodon app/validators/status_length_validator.rb; GET /api/v2/instance tells a server's own",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "4 pictures or 1 video",
            source: "mastodon documentation methods/statuses.md; configuration.statuses.max_media_attachments",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "16 MiB and 33,177,600 pixels",
            source: "mastodon app/models/media_attachment.rb; configuration.media_attachments",
            verified: VERIFIED,
        },
        Fact {
            what: "animated GIF",
            says: "921,600 pixels; the server does not tell this limit",
            source: "mastodon app/models/concerns/attachmentable.rb",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "99 MiB, 8,294,400 pixels, 120 frames a second, 36,000 frames",
            source: "mastodon app/models/media_attachment.rb",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "1,500 characters; 10,000 since 4.6, told by the server",
            source: "mastodon CHANGELOG.md; configuration.media_attachments.description_limit",
            verified: VERIFIED,
        },
        Fact {
            what: "poll",
            says: "2 to 4 choices of 50 characters, 5 minutes to a month; not with media before 4.6",
            source: "mastodon app/validators/poll_options_validator.rb; configuration.polls",
            verified: VERIFIED,
        },
        Fact {
            what: "quotes",
            says: "since 4.5",
            source: "mastodon documentation methods/statuses.md: quoted_status_id",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "an idempotency key is kept for an hour after a success; most of the kin ignore it",
            source: "mastodon app/services/post_status_service.rb",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "300 calls in 5 minutes, 30 uploads in 30 minutes, 300 posts in 3 hours",
            source: "mastodon config/initializers/rack_attack.rb",
            verified: VERIFIED,
        },
    ],
};

/// mastodon/documentation, methods/oauth.md and methods/apps.md; PKCE since 4.3, sooner it is ignored.
const OAUTH: OAuth = OAuth {
    field: "token",
    server: AuthServer::OfAccount(Endpoints {
        authorize: "/oauth/authorize",
        token: "/oauth/token",
        revoke: Some("/oauth/revoke"),
        device: None,
    }),
    client: ClientId::Apps("/api/v1/apps"),
    scopes: &[
        Scope { name: "read", why: "who the account is, and whether a post is out", needed: true },
        Scope { name: "write:statuses", why: "publish", needed: true },
        Scope { name: "write:media", why: "upload pictures and videos", needed: true },
    ],
    redirect: Redirect { loopback: Some(0), paste: Some("urn:ietf:wg:oauth:2.0:oob") },
    steps: &[],
};

const TOKEN: Paste = Paste {
    what: "an access token",
    field: "token",
    page: Some("{server}/settings/applications"),
    steps: &[
        "Sign in to {server} in a browser and open Preferences, Development.",
        "Choose New application, name it smm, and tick the scopes read, write:media and write:statuses.",
        "Open the new application and copy \"Your access token\".",
    ],
    undo: "delete the application in Preferences, Development",
};
