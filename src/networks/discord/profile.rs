//! Discord's limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, PollRules, Profile, RepeatSafety, SecretField, SignIn,
    TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Where everybody's server is.
pub(super) const SERVER: &str = "https://discord.com";

/// How long a nonce is surely remembered, in seconds: the documentation says "the past few minutes".
pub(super) const NONCE_WINDOW: u64 = 120;

/// Most files in one message.
pub(super) const FILES: usize = 10;

/// Longest question of a poll.
pub(super) const QUESTION: u64 = 300;

/// A file without a boosted server: 10 MiB.
const FILE: u64 = 10 * 1024 * 1024;

/// Most bytes of all files of a message.
pub(super) const REQUEST: u64 = 25 * 1024 * 1024;

/// Discord's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "discord",
    name: "Discord",
    about: "a bot in a channel, or a channel's webhook",
    setup_url: Some("https://discord.com/developers/applications"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::CodePoints, max: 2000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: true,
        optional_with_media: true,
    },
    // Names the thread that a post in a forum opens.
    title: 100,
    body: false,
    tags: 0,
    media: MediaRules {
        max_images: 10,
        max_videos: 10,
        mixed: true,
        with_poll: false,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: FILE,
            pixels: 100_000_000,
            side: 16_383,
        },
        animation: Some(ImageRule {
            mimes: &["image/gif", "image/webp"],
            bytes: FILE,
            pixels: 100_000_000,
            side: 16_383,
        }),
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime", "video/webm"], bytes: FILE }),
        document: None,
        alt: AltRule { supported: true, max: 1024 },
    },
    poll: Some(PollRules {
        options_min: 1,
        options_max: 10,
        option_text: 55,
        seconds_min: 3600,
        seconds_max: 768 * 3600,
        multiple: true,
    }),
    threads: true,
    replies: true,
    quotes: false,
    card: CardSupport::Server,
    visibility: &[],
    warning: WarningSupport::Text,
    labels: &["graphic-media", "nudity", "porn", "sexual"],
    languages: 0,
    // A webhook's; a bot has a nonce.
    repeat: RepeatSafety::None,
    settle: Duration::from_secs(5),
    sign_in: &[SignIn::Paste(&TOKEN)],
    secrets: &[SecretField {
        name: "token",
        help: "a webhook's address, https://discord.com/api/webhooks/…; or a bot's token, with the setting `channel`",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "2,000 characters, mark-up included",
            source: "discord-api-docs, resources/message and resources/webhook; code points: discord-api-docs issue 1315",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "10 of 10 MiB, 25 MiB in one message; more on boosted servers",
            source: "discord-api-docs, reference, Uploading Files; specification of the API, MessageCreateRequest",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "1,024 characters",
            source: "specification of the API, MessageAttachmentRequest.description",
            verified: VERIFIED,
        },
        Fact {
            what: "poll",
            says: "a question of 300 characters, 1 to 10 choices of 55, 1 to 768 whole hours",
            source: "discord-api-docs, resources/poll; specification of the API, PollCreateRequest",
            verified: VERIFIED,
        },
        Fact {
            what: "mentions",
            says: "notify nobody unless the account's `mentions` say so",
            source: "discord-api-docs, resources/message, Allowed Mentions Object",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "a bot's nonce is checked over the past few minutes (taken for 2); a webhook has none, and cannot look",
            source: "discord-api-docs, resources/message, enforce_nonce; pull request 6647",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "50 calls a second for a bot; 429 says when to come again; 10,000 refusals in 10 minutes block an address",
            source: "discord-api-docs, topics/rate-limits",
            verified: VERIFIED,
        },
    ],
};

const TOKEN: Paste = Paste {
    what: "a webhook's address, or a bot's token",
    field: "token",
    page: None,
    steps: &[
        "For a webhook: in your server, Edit Channel, Integrations, Webhooks, New Webhook; then Copy Webhook URL.",
        "For a bot: discord.com/developers/applications, New Application, Bot, Reset Token; invite it with the permissions View Channel, Send Messages, Attach Files, Embed Links and Read Message History, and set the account's `channel`.",
    ],
    undo: "delete the webhook in Integrations, Webhooks; or Reset Token on the bot's page",
};
