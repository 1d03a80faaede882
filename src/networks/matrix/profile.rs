//! Matrix's limits and promises, each with its source. What a homeserver says of itself is put over them.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Password, Paste, Profile, RepeatSafety, SecretField, SignIn,
    TextLimit, TextRules, VideoRule, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Longest text, in bytes. An event has 65,536 bytes in all; see [`CONTENT_BYTES`].
pub(super) const TEXT_BYTES: u64 = 60_000;

/// Most bytes of an event's content as canonical JSON. The rest, about 4,000, is for what servers add: signatures, hashes,
/// the events before it, the room, the sender.
pub(super) const CONTENT_BYTES: usize = 61_500;

/// Synapse's `max_upload_size`, where nothing else is set.
const UPLOAD_BYTES: u64 = 50 * 1024 * 1024;

/// Synapse makes no thumbnail of pictures with more pixels (`max_image_pixels`).
const PIXELS: u64 = 32_000_000;

/// Longest side of a picture, in pixels. There is no rule; this is WebP's own.
const SIDE: u32 = 16_383;

/// Matrix's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "matrix",
    name: "Matrix",
    about: "messages to a Matrix room that is not encrypted",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::Bytes, max: TEXT_BYTES }],
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
        with_poll: true,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png", "image/webp"],
            bytes: UPLOAD_BYTES,
            pixels: PIXELS,
            side: SIDE,
        },
        animation: Some(ImageRule {
            mimes: &["image/gif", "image/webp"],
            bytes: UPLOAD_BYTES,
            pixels: PIXELS,
            side: SIDE,
        }),
        video: Some(VideoRule { mimes: &["video/mp4", "video/quicktime", "video/webm"], bytes: UPLOAD_BYTES }),
        document: None,
        alt: AltRule { supported: true, max: 0 },
    },
    poll: None,
    threads: true,
    replies: true,
    quotes: false,
    card: CardSupport::Server,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 0,
    repeat: RepeatSafety::ChosenId,
    settle: Duration::from_secs(10),
    sign_in: &[SignIn::Password(&PASSWORD), SignIn::Paste(&TOKEN)],
    secrets: &[SecretField {
        name: "token",
        help: "an access token of the account that writes, where one does not sign in with a password: best of a device of its own",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "an event has at most 65,536 bytes as canonical JSON; 60,000 bytes of text leave room for the rest",
            source: "matrix-spec v1.19, client-server API, size limits",
            verified: VERIFIED,
        },
        Fact {
            what: "formatted text",
            says: "`org.matrix.custom.html` beside the plain text; both count",
            source: "matrix-spec v1.19, m.room.message msgtypes",
            verified: VERIFIED,
        },
        Fact {
            what: "files",
            says: "one file is one event; 10 files a part are our own bound",
            source: "matrix-spec v1.19, m.image, m.video",
            verified: VERIFIED,
        },
        Fact {
            what: "upload",
            says: "50 MiB unless the server says otherwise",
            source: "GET /_matrix/client/v1/media/config, m.upload.size; synapse 1.163 config/repository.py",
            verified: VERIFIED,
        },
        Fact {
            what: "alt text",
            says: "the caption: `body` beside `filename`, since v1.10; there is no field for alt text alone",
            source: "matrix-spec v1.19, media captions",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "a transaction id is known again for the same device, path and id; for how long is not said",
            source: "matrix-spec v1.19, transaction identifiers; seen with synapse 1.163.2",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "the server's own, told by 429 with Retry-After; Synapse: one in 5 seconds after the first 10",
            source: "matrix-spec v1.19, rate limiting; synapse 1.163 config/ratelimiting.py",
            verified: VERIFIED,
        },
    ],
};

const PASSWORD: Password = Password { field: "token", steps: &[] };

const TOKEN: Paste = Paste {
    what: "an access token",
    field: "token",
    page: None,
    steps: &[
        "Sign in to {server} with any client as the account that is to write, and join the room.",
        "Copy the client's token: in Element, All settings, Help & About, Advanced, Access Token.",
        "A token ends when its device is signed out: do not sign out of the client that you took it from.",
    ],
    undo: "sign out of its device: in Element, All settings, Sessions",
};
