//! What mail takes and promises. Most limits are our own, so that a mail is let through and shown everywhere.

use std::time::Duration;

use crate::adapter::{
    AltRule, CardSupport, Fact, ImageRule, MediaRules, Paste, Profile, RepeatSafety, SecretField, SignIn, TextLimit,
    TextRules, WarningSupport,
};
use crate::text::{MentionWeight, Unit};

/// The day on which the facts below were read.
const VERIFIED: &str = "2026-11-23";

/// Email's profile.
pub(super) static PROFILE: Profile = Profile {
    id: "email",
    name: "Email",
    about: "A newsletter by SMTP to the address of a mailing list, as text and as HTML with its pictures inside",
    setup_url: None,
    verified: VERIFIED,
    text: TextRules {
        limits: &[TextLimit { unit: Unit::CodePoints, max: 500_000 }],
        link: None,
        mention: MentionWeight::Raw,
        counts_warning: false,
        optional_with_media: true,
    },
    title: 200,
    body: true,
    tags: 50,
    media: MediaRules {
        max_images: 10,
        max_videos: 0,
        mixed: false,
        with_poll: false,
        with_card: true,
        required: false,
        image: ImageRule {
            mimes: &["image/gif", "image/jpeg", "image/png"],
            bytes: 500_000,
            pixels: 4_000_000,
            side: 2000,
        },
        animation: Some(ImageRule { mimes: &["image/gif"], bytes: 2_000_000, pixels: 4_000_000, side: 2000 }),
        video: None,
        document: None,
        alt: AltRule { supported: true, max: 1000 },
    },
    poll: None,
    threads: false,
    replies: false,
    quotes: false,
    card: CardSupport::Field,
    visibility: &[],
    warning: WarningSupport::None,
    labels: &[],
    languages: 10,
    repeat: RepeatSafety::None,
    settle: Duration::ZERO,
    sign_in: &[SignIn::Paste(&PASSWORD)],
    secrets: &[SecretField {
        name: "password",
        help: "the password of `user` on the mail server, or an app password where the provider has them; not needed without `user`",
    }],
    credential_free: false,
    facts: &[
        Fact {
            what: "text",
            says: "500,000 characters; our own limit. Gmail shows the first 102 kB or so of the HTML",
            source: "this adapter; the figure of Gmail is hearsay",
            verified: VERIFIED,
        },
        Fact { what: "lines", says: "998 octets, held by the encoding", source: "RFC 5322, 2.1.1", verified: VERIFIED },
        Fact {
            what: "size",
            says: "told by the server (SIZE) and asked before a mail is begun; ten pictures fit 10 MB, Postfix's default",
            source: "RFC 1870; Postfix, postconf(5), message_size_limit",
            verified: VERIFIED,
        },
        Fact {
            what: "images",
            says: "500 kB and 2000 pixels on a side; our own limit. No WebP: Outlook does not show it",
            source: "this adapter",
            verified: VERIFIED,
        },
        Fact {
            what: "unsubscribing",
            says: "List-Unsubscribe, with One-Click where the address is https; large providers want it of bulk mail",
            source: "RFC 2369, 3.2; RFC 8058, 3.1",
            verified: VERIFIED,
        },
        Fact {
            what: "repeats",
            says: "SMTP has no key and no look-up: without an answer after the last dot, a person looks for the Message-ID",
            source: "RFC 5321, 4.5.3.2.6; RFC 1047",
            verified: VERIFIED,
        },
        Fact {
            what: "rate limits",
            says: "each provider's own; a 4xx answer is tried again later",
            source: "RFC 5321, 4.2.1",
            verified: VERIFIED,
        },
    ],
};

const PASSWORD: Paste = Paste {
    what: "a password",
    field: "password",
    page: None,
    steps: &[
        "Ask your mail provider for SMTP submission: a server, a user, and a password (often an app password).",
        "Set `server` and `user` of the account in `smm.toml`.",
        "Copy the password.",
    ],
    undo: "delete the app password, or change the password, where your mail provider has it",
};
