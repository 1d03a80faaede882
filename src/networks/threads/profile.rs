//! Threads' limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, AuthServer, CardSupport, ClientId, Endpoints, Fact, ImageRule, LongLived, MediaRules, OAuth, Paste,
    PollRules, Profile, Redirect, RepeatSafety, Scope, SecretField, SignIn, TextLimit, TextRules, VideoRule,
    WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Most files of a carousel.
pub(super) const CAROUSEL: usize = 20;

/// Most different links of a post.
pub(super) const LINKS: usize = 5;

/// Longest topic.
pub(super) const TOPIC: usize = 50;

/// A picture's longer side is at most so many times the other.
pub(super) const RATIO: u32 = 10;

/// Threads' profile.
pub(super) static PROFILE: Profile = Profile {
    id: "threads",
    name: "Threads",
    about: "Threads, by Meta",
    setup_url: Some("https://developers.facebook.com/apps"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::EmojiBytes, max: 500 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 0,
    body: false,
    tags: 1,
    media: MediaRules {
        max_images: 20,
        max_videos: 20,
        mixed: true,
        with_poll: false,
        with_card: true,
        required: false,
        // The network makes pictures smaller by itself; what is larger than this is of no use to it.
        image: ImageRule { mimes: &["image/jpeg", "image/png"], bytes: 8_000_000, pixels: 40_000_000, side: 14_400 },
        animation: None,
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime"], bytes: 1_000_000_000 }),
        document: None,
        alt: AltRule { supported: true, max: 1000 },
    },
    // How long a poll is open cannot be said: it is a day.
    poll: Some(PollRules {
        options_min: 2,
        options_max: 4,
        option_text: 25,
        seconds_min: 86_400,
        seconds_max: 86_400,
        multiple: false,
    }),
    threads: true,
    replies: true,
    quotes: true,
    card: CardSupport::Server,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 0,
    repeat: RepeatSafety::TwoStep,
    settle: Duration::from_secs(30),
    sign_in: &[SignIn::OAuth(&OAUTH), SignIn::Paste(&TOKEN)],
    secrets: &[
        SecretField {
            name: "token",
            help: "a long-lived access token of the Threads API, with threads_basic, threads_content_publish and \
                   threads_manage_replies",
        },
        SecretField {
            name: "client_secret",
            help: "the app's \"Threads app secret\" (Settings, Basic), to sign in with",
        },
    ],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "500 characters; an emoji counts its UTF-8 bytes. What a character is, is not said: code points here",
            source: "developers.facebook.com/docs/threads/posts",
            verified: VERIFIED,
        },
        Fact {
            what: "links",
            says: "at most 5 different ones",
            source: "developers.facebook.com/docs/threads/changelog, 2025-12-22",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "fetched from a public address; one alone, or a carousel of 2 to 20",
            source: "fbsamples/threads_api, Postman collection, Carousel Threads Posts",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "JPEG or PNG, 8 MB, sides up to 10:1; scaled to a width of 320 to 1440 by the network",
            source: "developers.facebook.com/docs/threads/overview",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "MP4 or MOV, 1 GB, 5 minutes",
            source: "developers.facebook.com/docs/threads/overview",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "1,000 characters",
            source: "developers.facebook.com/docs/threads/posts/accessibility",
            verified: VERIFIED,
        },
        Fact {
            what: "poll",
            says: "2 to 4 choices of 25 characters, with text alone, open for a day",
            source: "developers.facebook.com/docs/threads/create-posts/polls",
            verified: VERIFIED,
        },
        Fact {
            what: "topic",
            says: "one tag of 1 to 50 characters, without `.` and `&`",
            source: "developers.facebook.com/docs/threads/posts",
            verified: VERIFIED,
        },
        Fact {
            what: "quota",
            says: "250 posts and 1,000 replies in 24 hours; read before anything is made",
            source: "fbsamples/threads_api, Postman collection, Retrieve Publishing Quota Limit",
            verified: VERIFIED,
        },
        Fact {
            what: "containers",
            says: "IN_PROGRESS, FINISHED, PUBLISHED, ERROR; EXPIRED after 24 hours",
            source: "fbsamples/threads_api, Postman collection, Check Container's Publishing Status",
            verified: VERIFIED,
        },
    ],
};

/// `fbsamples/threads_api`, src/index.js and the Postman collection's folder Authorization; developers.facebook.com/docs/
/// threads/get-started/get-access-tokens-and-permissions: scopes with commas or spaces.
const OAUTH: OAuth = OAuth {
    field: "token",
    server: AuthServer::LongLived(
        Endpoints {
            authorize: "https://threads.net/oauth/authorize",
            token: "https://graph.threads.net/oauth/access_token",
            revoke: None,
            device: None,
        },
        LongLived {
            exchange: "https://graph.threads.net/access_token",
            exchange_grant: "th_exchange_token",
            refresh: "https://graph.threads.net/refresh_access_token",
            refresh_grant: "th_refresh_token",
        },
    ),
    client: ClientId::Setting { secret: Some("client_secret") },
    scopes: &[
        Scope { name: "threads_basic", why: "who the account is, and whether a post is out", needed: true },
        Scope { name: "threads_content_publish", why: "publish", needed: true },
        Scope { name: "threads_manage_replies", why: "answer a post, which threads are made of", needed: true },
        Scope { name: "threads_read_replies", why: "read answers", needed: false },
        Scope { name: "threads_manage_insights", why: "read numbers", needed: false },
        Scope { name: "threads_delete", why: "take a post back", needed: false },
    ],
    // localhost and plain http are refused.
    redirect: Redirect { loopback: None, paste: None },
    steps: STEPS,
};

const STEPS: &[&str] = &[
    "At https://developers.facebook.com/apps create an app with the use case \"Access the Threads API\".",
    "Use case, Customize, Settings: register an https address of yours as redirect callback URL; any page will do, and it \
     may be missing. localhost is refused.",
    "App roles, Roles: add the Threads account as Threads tester, and accept it in Threads, Settings, Account, Website \
     permissions.",
    "App settings, Basic: put the \"Threads app ID\" as `client_id` and the address as `redirect_uri` into the account in \
     `smm.toml`; the \"Threads app secret\" is the secret `client_secret`.",
];

const TOKEN: Paste = Paste {
    what: "an access token",
    field: "token",
    page: Some("https://developers.facebook.com/apps"),
    steps: &[
        "At https://developers.facebook.com/apps create an app with the use case \"Access the Threads API\", and add the \
         account as Threads tester.",
        "Use case, Customize, Settings, User token generator: generate a token for the account. It ends after 60 days, and \
         is not renewed: sign in with OAuth to have that.",
    ],
    undo: "remove the app in Threads, Settings, Account, Website permissions",
};
