//! Telegram's limits and promises, each with its source.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, PollRules, Profile, RepeatSafety, SecretField, SignIn,
    TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Where most bots are: `api.telegram.org` answers for all of them. `server` names a Bot API server of one's own.
pub(super) const SERVER: &str = "https://api.telegram.org";

/// Longest text beside media, in code points, after entities parsing.
pub(super) const CAPTION: u64 = 1024;

/// Longest question of a poll, in characters.
pub(super) const QUESTION: u64 = 300;

/// Most files in one message (an album).
pub(super) const ALBUM: usize = 10;

/// A picture may be so many times as long as it is wide, or the other way round.
pub(super) const RATIO: u32 = 20;

/// Telegram's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "telegram",
    name: "Telegram",
    about: "a bot that posts to a channel or a group, over the Bot API",
    setup_url: Some("https://t.me/BotFather"),
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::CodePoints, max: 4096 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: true,
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
        with_card: true,
        required: false,
        // Width and height together are at most 10,000.
        image: ImageRule { mimes: &["image/jpeg", "image/png"], bytes: 10_000_000, pixels: 25_000_000, side: 5_000 },
        animation: Some(ImageRule { mimes: &["image/gif"], bytes: 50_000_000, pixels: 25_000_000, side: 5_000 }),
        video: Some(VideoRule { mimes: &["video/mp4"], bytes: 50_000_000 }),
        document: None,
        alt: AltRule { supported: false, max: 0 },
    },
    poll: Some(PollRules {
        options_min: 1,
        options_max: 12,
        option_text: 100,
        seconds_min: 5,
        seconds_max: 2_628_000,
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
    // The API has no key for a message, and a bot cannot read a channel's history.
    repeat: RepeatSafety::None,
    settle: Duration::ZERO,
    sign_in: &[SignIn::Paste(&TOKEN)],
    secrets: &[SecretField { name: "token", help: "the bot's token, as @BotFather tells it: 123456789:AA…" }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "1 to 4,096 characters after entities parsing: mark-up does not count",
            source: "Bot API 10.1, sendMessage; code points: tdlib/td, td/telegram/MessageContent.cpp (utf8_length)",
            verified: VERIFIED,
        },
        Fact {
            what: "caption",
            says: "up to 1,024 characters; a longer text beside media follows them as a message of its own",
            source: "Bot API 10.1, sendPhoto and InputMediaPhoto",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "2 to 10 pictures and videos in an album; an animation goes alone",
            source: "Bot API 10.1, sendMediaGroup",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "10 MB, width and height together 10,000, ratio at most 20",
            source: "Bot API 10.1, sendPhoto",
            verified: VERIFIED,
        },
        Fact {
            what: "video",
            says: "MPEG-4, 50 MB; 2,000 MB on a Bot API server of one's own",
            source: "Bot API 10.1, sendVideo; Using a Local Bot API Server",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "none",
            source: "Bot API 10.1: no method has a field for it",
            verified: VERIFIED,
        },
        Fact {
            what: "poll",
            says: "a question of 300 characters, 1 to 12 choices of 100, 5 seconds to 2,628,000; no more than one part",
            source: "Bot API 10.1, sendPoll and InputPollOption",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "no key, and no look-up: a lost answer waits for a person",
            source: "tdlib/telegram-bot-api issues 126 and 482",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "about 1 message a second in a chat, 20 a minute in a group; 429 says when to come again",
            source: "Bots FAQ; Bot API 10.1, ResponseParameters",
            verified: VERIFIED,
        },
        Fact {
            what: "deletion",
            says: "a message can be taken back for 48 hours; in a channel with the right to delete, for ever",
            source: "Bot API 10.1, deleteMessage",
            verified: VERIFIED,
        },
    ],
};

const TOKEN: Paste = Paste {
    what: "a bot's token",
    field: "token",
    page: Some("https://t.me/BotFather"),
    steps: &[
        "In Telegram, write /newbot to @BotFather and answer its questions; or /mybots for one that you have.",
        "In your channel: Administrators, Add Administrator, choose the bot, and let it post messages (and delete, to take posts back).",
        "Copy the token that @BotFather shows: a number, a colon, and 35 characters.",
    ],
    undo: "write /revoke to @BotFather and choose the bot",
};
