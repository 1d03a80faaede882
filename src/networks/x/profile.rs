//! X's limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, AuthServer, CardSupport, ClientId, Endpoints, Fact, ImageRule, MediaRules, OAuth, Paste, PollRules, Price,
    Profile, Redirect, RepeatSafety, Scope, SecretField, SignIn, TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Where the API is, unless the account names another `server`.
pub(super) const SERVER: &str = "https://api.x.com";

/// Bytes of one segment of an upload. The reference states no limit for a segment; that of its first version was 5 MB.
pub(super) const SEGMENT: u64 = 4 * 1024 * 1024;

/// Segments in one step of a plan: after a cut no more than so many are sent again.
pub(super) const GROUP: u64 = 4;

/// `segment_index` is a number from 0 to 999.
const SEGMENTS: u64 = 1000;

/// A post without a link.
pub(super) const POST: Price = Price::mills(15);
/// A post with a link.
pub(super) const POST_WITH_LINK: Price = Price::mills(200);
/// Telling an alt text.
pub(super) const ALT_TEXT: Price = Price::mills(5);

/// X's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "x",
    name: "X",
    about: "X (Twitter) by its API v2, which is paid per call",
    setup_url: Some("https://console.x.com"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::WeightedV3, max: 280 }],
        link: Some(23),
        mention: MentionWeight::Raw,
        counts_warning: false,
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
            mimes: &["image/jpeg", "image/png", "image/webp"],
            bytes: 5_000_000,
            pixels: 8192 * 8192,
            side: 8192,
        },
        animation: Some(ImageRule { mimes: &["image/gif"], bytes: 15_000_000, pixels: 1280 * 1080, side: 1280 }),
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime"], bytes: SEGMENTS * SEGMENT }),
        document: None,
        alt: AltRule { supported: true, max: 1000 },
    },
    poll: Some(PollRules {
        options_min: 2,
        options_max: 4,
        option_text: 25,
        seconds_min: 5 * 60,
        seconds_max: 10_080 * 60,
        multiple: false,
    }),
    threads: true,
    replies: true,
    // Taken from all who pay per use on 2026-04-16.
    quotes: false,
    card: CardSupport::Server,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 0,
    repeat: RepeatSafety::LookUp,
    settle: Duration::from_secs(30),
    sign_in: &[SignIn::OAuth(&OAUTH), SignIn::Paste(&TOKEN)],
    secrets: &[SecretField {
        name: "token",
        help: "an OAuth 2 user access token; `smm login` gets one and renews it every two hours",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "280 weighted characters; a link counts 23, an emoji 2; 25,000 with Premium (`limits.text`)",
            source: "twitter/twitter-text config/v3.json; xdevplatform/docs fundamentals/counting-characters.mdx, changelog.mdx (2024-08-20)",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "4 pictures, or 1 animated GIF, or 1 video",
            source: "xdevplatform/docs x-api/media/quickstart/best-practices.mdx; openapi.json CreatePostsMedia",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "5 MB; 8192 on a side is smm's own",
            source: "xdevplatform/docs x-api/media/quickstart/best-practices.mdx",
            verified: VERIFIED,
        },
        Fact {
            what: "animated GIF",
            says: "15 MB, 1280×1080, 350 frames, 300 million pixels over all frames",
            source: "xdevplatform/docs x-api/media/quickstart/best-practices.mdx",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "X takes 8 GB and 20 minutes (16 GB, 125 minutes with Premium); smm sends 1,000 segments of 4 MiB",
            source: "xdevplatform/docs x-api/media/quickstart/best-practices.mdx; openapi.json: segment_index 0 to 999",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "1,000 characters, by a call of its own",
            source: "xdevplatform/docs openapi.json CreateMediaMetadataMetadataAltText",
            verified: VERIFIED,
        },
        Fact {
            what: "poll",
            says: "2 to 4 choices of 25 characters, 5 to 10,080 minutes",
            source: "xdevplatform/docs openapi.json CreatePostsPoll",
            verified: VERIFIED,
        },
        Fact {
            what: "price",
            says: "$0.015 a post, $0.20 with a link in it, $0.005 an alt text; $0.001 each own post that a look-up reads",
            source: "xdevplatform/docs changelog.mdx (2026-04-20); the console shows the list in force",
            verified: VERIFIED,
        },
        Fact {
            what: "self-serve",
            says: "no quotes; at most one cashtag; answers only to those who mentioned or quoted the account",
            source: "xdevplatform/docs x-api/posts/manage-tweets/integrate.mdx, changelog.mdx (2026-02-23, 2026-04-16)",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "no key; the same text again is refused (403), and own posts can be listed",
            source: "gitroomhq/postiz-app x.provider.ts; xdevplatform/docs openapi.json getUsersPosts",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "100 posts in 15 minutes (300 in 3 hours by another page), 1,875 segments and 500 alt texts in 15 minutes",
            source: "xdevplatform/docs x-api/fundamentals/rate-limits.mdx, x-api/posts/manage-tweets/integrate.mdx",
            verified: VERIFIED,
        },
    ],
};

/// xdevplatform/docs, fundamentals/authentication/oauth-2-0: a public client with PKCE; the callback must match exactly.
const OAUTH: OAuth = OAuth {
    field: "token",
    server: AuthServer::Fixed(Endpoints {
        authorize: "https://x.com/i/oauth2/authorize",
        token: "https://api.x.com/2/oauth2/token",
        revoke: Some("https://api.x.com/2/oauth2/revoke"),
        device: None,
    }),
    client: ClientId::Setting { secret: None },
    scopes: &[
        Scope { name: "tweet.read", why: "whether a post is out", needed: true },
        Scope { name: "tweet.write", why: "publish", needed: true },
        Scope { name: "users.read", why: "who the account is", needed: true },
        Scope { name: "media.write", why: "upload pictures and videos", needed: true },
        Scope { name: "offline.access", why: "renew the token, which ends after two hours", needed: true },
    ],
    redirect: Redirect { loopback: Some(8723), paste: None },
    steps: &[
        "Open https://console.x.com, make an app and buy credits; set a spending limit there.",
        "In the app's user authentication settings choose Read and write, type Native App, and the callback http://127.0.0.1:8723/.",
        "Copy the OAuth 2.0 Client ID into smm.toml: client_id = \"…\" under the account.",
    ],
};

const TOKEN: Paste = Paste {
    what: "an access token",
    field: "token",
    page: Some("https://console.x.com"),
    steps: &[
        "Get a user access token of your app with the scopes tweet.read, tweet.write, users.read and media.write.",
        "It ends after two hours and is not renewed: for anything but a try, sign in with OAuth.",
    ],
    undo: "take the app's access away in X's settings, Security and account access, Apps and sessions",
};
