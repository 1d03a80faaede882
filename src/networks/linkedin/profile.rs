//! `LinkedIn`'s limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, AuthServer, CardSupport, ClientId, DocumentRule, Endpoints, Fact, ImageRule, MediaRules, OAuth, Paste,
    PollRules, Profile, Redirect, RepeatSafety, Scope, SecretField, SignIn, TextLimit, TextRules, VideoRule,
    WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Where the API is, unless the account names another `server`.
pub(super) const SERVER: &str = "https://api.linkedin.com";

/// The version of the API that is asked for, unless the account names another.
pub(super) const VERSION: &str = "202609";

/// `LinkedIn` cuts videos into parts of 4 MiB itself; so many go in one step of a plan.
pub(super) const PART: u64 = 4 * 1024 * 1024;
pub(super) const GROUP: usize = 4;

/// Smallest video.
pub(super) const VIDEO_MIN: u64 = 75 * 1024;

/// Longest question of a poll, in characters.
pub(super) const QUESTION: usize = 140;

/// A link card's picture: nothing is stated, and no more is shown.
pub(super) const THUMB_BYTES: u64 = 2_000_000;
pub(super) const THUMB_SIDE: u32 = 1200;

/// `LinkedIn`'s profile.
pub(super) static PROFILE: Profile = Profile {
    id: "linkedin",
    name: "LinkedIn",
    about: "LinkedIn, for members and organizations, by its versioned Posts API",
    setup_url: Some("https://www.linkedin.com/developers/apps"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::LittleText, max: 3000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 0,
    body: false,
    tags: 0,
    media: MediaRules {
        max_images: 20,
        max_videos: 1,
        mixed: false,
        with_poll: false,
        with_card: false,
        required: false,
        image: ImageRule { mimes: &["image/jpeg", "image/png"], bytes: 10_000_000, pixels: 36_152_319, side: 12_000 },
        animation: Some(ImageRule { mimes: &["image/gif"], bytes: 10_000_000, pixels: 36_152_319, side: 12_000 }),
        video: Some(VideoRule { mimes: &["video/mp4"], bytes: 500 * 1024 * 1024 }),
        document: Some(DocumentRule { mimes: &["application/pdf"], bytes: 100_000_000 }),
        alt: AltRule { supported: true, max: 4086 },
    },
    poll: Some(PollRules {
        options_min: 2,
        options_max: 4,
        option_text: 30,
        seconds_min: 86_400,
        seconds_max: 14 * 86_400,
        multiple: false,
    }),
    threads: false,
    replies: false,
    quotes: true,
    card: CardSupport::Own,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 0,
    // Of organizations; members cannot list their posts, see `api.rs`.
    repeat: RepeatSafety::LookUp,
    settle: Duration::from_mins(1),
    sign_in: &[SignIn::OAuth(&OAUTH), SignIn::Paste(&TOKEN)],
    secrets: &[
        SecretField { name: "token", help: "an access token; it ends after 60 days and is not renewed" },
        SecretField { name: "client_secret", help: "the app's Primary Client Secret, for signing in alone" },
    ],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "3,000 characters with the backslashes of little text; the unit is not stated: UTF-16 is taken",
            source: "learn.microsoft.com linkedin …/shares/little-text-format; brightbeanxyz/brightbean-studio test_caption_wire_length.py",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "1 picture, or 2 to 20, or 1 video, or 1 document",
            source: "learn.microsoft.com linkedin …/shares/multiimage-post-api (li-lms-2024-11), videos-api",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "JPEG, PNG, GIF of 250 frames; less than 36,152,320 pixels; 10 MB and 12,000 on a side are smm's own",
            source: "learn.microsoft.com linkedin …/shares/images-api; cdata, UploadImage",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "MP4, 75 KB to 500 MB, 3 seconds to 30 minutes (the length is not looked at)",
            source: "learn.microsoft.com linkedin …/shares/videos-api",
            verified: VERIFIED,
        },
        Fact {
            what: "document",
            says: "PDF (and DOC, DOCX, PPT, PPTX, which smm does not send), 100 MB, 300 pages (not counted here), with a title",
            source: "learn.microsoft.com linkedin …/shares/documents-api (li-lms-2024-11)",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "4,086 characters",
            source: "clients of the API; not found in the documentation",
            verified: VERIFIED,
        },
        Fact {
            what: "poll",
            says: "a question of 140 characters, 2 to 4 choices of 30, open for 1, 3, 7 or 14 days",
            source: "learn.microsoft.com linkedin …/shares/poll-post-api, as clients of the API have it",
            verified: VERIFIED,
        },
        Fact {
            what: "version",
            says: "a version of the API is taken until the 15th of its month one year later; 202609 is asked for",
            source: "learn.microsoft.com linkedin marketing/integrations/recent-changes (202304 until 2024-04-15, 202305 until 2024-05-15)",
            verified: VERIFIED,
        },
        Fact {
            what: "token",
            says: "60 days; refresh tokens are for approved partners",
            source: "learn.microsoft.com linkedin shared/authentication/programmatic-refresh-tokens",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "no key; the same text again is refused (422), and the refusal names the first post",
            source: "clients of the API; gitroomhq/postiz-app linkedin.provider.ts",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "by app and by member, each UTC day; shown in the portal after the first call",
            source: "learn.microsoft.com linkedin shared/api-guide/concepts/rate-limits",
            verified: VERIFIED,
        },
    ],
};

/// learn.microsoft.com, linkedin/shared/authentication/authorization-code-flow: the app's secret goes with the code. PKCE is
/// sent as well, which the documentation does not forbid.
const OAUTH: OAuth = OAuth {
    field: "token",
    server: AuthServer::Fixed(Endpoints {
        authorize: "https://www.linkedin.com/oauth/v2/authorization",
        token: "https://www.linkedin.com/oauth/v2/accessToken",
        revoke: None,
        device: None,
    }),
    client: ClientId::Setting { secret: Some("client_secret") },
    scopes: &[
        Scope { name: "openid", why: "who the account is", needed: true },
        Scope { name: "profile", why: "who the account is", needed: true },
        Scope { name: "w_member_social", why: "publish as a member", needed: true },
    ],
    redirect: Redirect { loopback: Some(8724), paste: None },
    steps: &[
        "Open https://www.linkedin.com/developers/apps and make an app; it needs a company page.",
        "Under Products add Share on LinkedIn and Sign In with LinkedIn using OpenID Connect.",
        "Under Auth add the redirect URL http://127.0.0.1:8724/, and copy the Client ID into smm.toml: client_id = \"…\".",
        "Hand over the Primary Client Secret as the secret field client_secret.",
    ],
};

const TOKEN: Paste = Paste {
    what: "an access token",
    field: "token",
    page: Some("https://www.linkedin.com/developers/tools/oauth/token-generator"),
    steps: &[
        "Open https://www.linkedin.com/developers/tools/oauth/token-generator and choose your app.",
        "For a member tick openid, profile and w_member_social; for an organization w_organization_social and r_organization_social.",
        "Copy the token. It ends after 60 days.",
    ],
    undo: "take the app's access away in LinkedIn's settings, Data privacy, Permitted services",
};
