//! Instagram's limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, AuthServer, CardSupport, ClientId, Endpoints, Fact, ImageRule, LongLived, MediaRules, OAuth, Paste,
    Profile, Redirect, RepeatSafety, Scope, SecretField, SignIn, TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Most files of a carousel.
pub(super) const CAROUSEL: usize = 10;

/// Most hashtags of a caption.
pub(super) const HASHTAGS: usize = 30;

/// Most mentions of a caption.
pub(super) const MENTIONS: usize = 20;

/// A picture's width is between these hundredths of its height.
pub(super) const SHAPES: std::ops::RangeInclusive<u64> = 80..=191;

/// Instagram's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "instagram",
    name: "Instagram",
    about: "Instagram, for professional accounts (business or creator)",
    setup_url: Some("https://developers.facebook.com/apps"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::Utf16, max: 2200 }],
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
        with_poll: false,
        with_card: false,
        required: true,
        // The network shows at most 1440 across; at 4:5 that is 1800 high.
        image: ImageRule { mimes: &["image/jpeg"], bytes: 8_000_000, pixels: 1440 * 1800, side: 1800 },
        animation: None,
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime"], bytes: 300_000_000 }),
        document: None,
        alt: AltRule { supported: true, max: 1000 },
    },
    poll: None,
    threads: false,
    replies: false,
    quotes: false,
    card: CardSupport::None,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 0,
    repeat: RepeatSafety::TwoStep,
    settle: Duration::from_secs(30),
    sign_in: &[SignIn::OAuth(&OAUTH), SignIn::Paste(&TOKEN)],
    secrets: &[
        SecretField { name: "token", help: "a long-lived access token of the Instagram API with Instagram Login" },
        SecretField {
            name: "client_secret",
            help: "the app's \"Instagram app secret\" (API setup with Instagram login), to sign in with",
        },
    ],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "2,200 characters, 30 hashtags, 20 mentions. What a character is, is not said: UTF-16 units here",
            source: "developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "fetched from a public address; at least one, or a carousel of 2 to 10",
            source: "developers.facebook.com/docs/instagram-platform/content-publishing",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "JPEG, 8 MB, 4:5 to 1.91:1; scaled to a width of 320 to 1440 by the network",
            source: "developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "a reel alone, else in a carousel: MP4 or MOV, 300 MB, 3 seconds to 15 minutes",
            source: "developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "1,000 characters, for pictures alone",
            source: "developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media",
            verified: VERIFIED,
        },
        Fact {
            what: "quota",
            says: "50 or 100 posts in 24 hours (the guide and the reference differ); read before anything is made",
            source: "facebook/facebook-business-sdk-codegen, ContentPublishingLimitResponse.json",
            verified: VERIFIED,
        },
        Fact {
            what: "containers",
            says: "IN_PROGRESS, FINISHED, PUBLISHED, ERROR; EXPIRED after 24 hours",
            source: "developers.facebook.com/docs/instagram-platform/content-publishing",
            verified: VERIFIED,
        },
    ],
};

/// developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/business-login.
const OAUTH: OAuth = OAuth {
    field: "token",
    server: AuthServer::LongLived(
        Endpoints {
            authorize: "https://www.instagram.com/oauth/authorize",
            token: "https://api.instagram.com/oauth/access_token",
            revoke: None,
            device: None,
        },
        LongLived {
            exchange: "https://graph.instagram.com/access_token",
            exchange_grant: "ig_exchange_token",
            refresh: "https://graph.instagram.com/refresh_access_token",
            refresh_grant: "ig_refresh_token",
        },
    ),
    client: ClientId::Setting { secret: Some("client_secret") },
    scopes: &[
        Scope { name: "instagram_business_basic", why: "who the account is, and whether a post is out", needed: true },
        Scope { name: "instagram_business_content_publish", why: "publish", needed: true },
        Scope { name: "instagram_business_manage_comments", why: "first comments, and read comments", needed: false },
    ],
    // Registered addresses are https.
    redirect: Redirect { loopback: None, paste: None },
    steps: STEPS,
};

const STEPS: &[&str] = &[
    "The account has to be a professional one: Instagram, Settings, Account type and tools.",
    "At https://developers.facebook.com/apps create an app with the use case \"Manage messaging & content on Instagram\", \
     API setup with Instagram login.",
    "App roles, Roles: add the account as Instagram tester, and accept it in Instagram, Settings, Website permissions.",
    "API setup, Set up Instagram business login: register an https address of yours as redirect URL; any page will do, and \
     it may be missing.",
    "Put the \"Instagram app ID\" as `client_id` and the address as `redirect_uri` into the account in `smm.toml`; the \
     \"Instagram app secret\" is the secret `client_secret`.",
];

const TOKEN: Paste = Paste {
    what: "an access token",
    field: "token",
    page: Some("https://developers.facebook.com/apps"),
    steps: &[
        "At https://developers.facebook.com/apps create an app with the use case \"Manage messaging & content on \
         Instagram\", and add the account as Instagram tester.",
        "API setup with Instagram login, Generate access tokens: generate one for the account. It ends after 60 days, and \
         is not renewed: sign in with OAuth to have that.",
    ],
    undo: "remove the app in Instagram, Settings, Website permissions, Apps and websites",
};
