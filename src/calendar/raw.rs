//! The two files as written: every table with its keys. Reader and JSON Schema are made from these very lists, and the
//! comments are what editors show.

use super::read::{At, table};
use super::scalar::{Day, Length, Moment, Named, OneOrMany, Release, Rest, Word};
use crate::model::{LateThen, Numbering, ReleaseKind, Visibility};

table! {
    /// A content calendar: what is published, when and where. It holds no secret, no server and no account that needs a
    /// credential; those are in `smm.toml`.
    #[schemars(title = "calendar.toml", extend("required" = ["name", "timezone"]))]
    struct RawCalendar {
        /// The calendar's name. With a post's id it names what was published for ever: never change it.
        name: String,
        /// The time zone that times are meant in: an IANA name such as `Europe/Berlin`.
        timezone: String,
        /// More files with posts, relative to this one: `posts/*.toml`, or Markdown with TOML front matter between `+++`
        /// lines. `*` and `?` stand for characters of a name, `**` for any folders.
        include: Vec<At<String>>,
        /// Accounts that need no credential (`feed`). All others are in `smm.toml`.
        accounts: Named<RawAccount>,
        /// What holds for every post that does not say otherwise.
        defaults: RawDefaults,
        /// What several posts are for.
        campaigns: Named<RawCampaign>,
        /// How strict `smm check` is.
        check: RawCheck,
        /// A post.
        posts: Vec<At<RawPost>>,
    }
}

table! {
    /// An included file: posts and campaigns; all else is said in the calendar itself.
    struct RawPart {
        /// What several posts are for.
        campaigns: Named<RawCampaign>,
        /// A post.
        posts: Vec<At<RawPost>>,
    }
}

table! {
    /// A post.
    #[schemars(extend("required" = ["id"]))]
    struct RawPost {
        /// Its stable id: letters, digits, `-`, `_` and `.`. With the calendar's name it names what was published: to
        /// change it, say `renamed_from`.
        id: String,
        /// When it is published: a date and time in the calendar's zone, without quotes (`2026-12-01T09:00:00`), or with
        /// an offset (`2026-12-01T09:00:00+01:00`).
        at: Moment,
        /// A series: a cron rule of five fields (minute hour day month weekday) in the calendar's zone, such as
        /// `0 9 * * MON-FRI`. Six fields begin with seconds, seven end with a year.
        cron: String,
        /// Published by `smm announce` for a release.
        on: Word<Release>,
        /// For `on = "release"`: releases of this kind are left out.
        skip: Word<ReleaseKind>,
        /// For `on = "release"`: only tags that one of these patterns matches, such as `v*.0.0`. `*` stands for any
        /// characters, `?` for one.
        only: OneOrMany,
        /// First day of a series.
        from: Day,
        /// Last day of a series.
        until: Day,
        /// Days on which a series is not published.
        except: Vec<At<Day>>,
        /// The accounts that it goes to.
        to: OneOrMany,
        /// The campaign that it belongs to.
        campaign: String,
        /// A draft is checked and never published.
        draft: bool,
        /// What happens when its time has gone by.
        late: RawLate,
        /// The id that this post had before, so that it is not published again under its new one.
        renamed_from: String,
        /// What one account, or all accounts of one network, receive instead.
        overrides as "for": Named<RawContent>,
        ; content: RawContent
    }
}

table! {
    /// What a post says.
    struct RawContent {
        /// The text.
        text: String,
        /// The texts of a series, one after the other.
        texts: Vec<At<String>>,
        /// Further messages after the text, each answering the one before.
        thread: Vec<At<String>>,
        /// Make a thread of a text that is too long.
        split: bool,
        /// For a release: what is sent instead where the text turns out too long, the first that fits.
        fallback: Vec<At<RawFallback>>,
        /// Number the messages of a thread.
        numbering: Word<Numbering>,
        /// A first reply under the post by the same account.
        first_comment: String,
        /// A title, for networks that have one.
        title: String,
        /// The long form in Markdown, for networks that have one.
        body: String,
        /// The link that the post is about: a card where the network has cards, else appended to the text.
        link: String,
        /// Pictures, videos and documents, relative to the calendar.
        media: Vec<At<RawMedia>>,
        /// Tags, without `#`.
        tags: OneOrMany,
        /// The language, or several: `en`, `pt-BR`.
        lang: OneOrMany,
        /// Who may see it.
        visibility: Word<Visibility>,
        /// Shown in place of the post until a reader asks for it.
        content_warning: String,
        /// Labels for sensitive media, such as `nudity` or `graphic-media`.
        labels: OneOrMany,
        /// URL or id of the post that this answers.
        reply_to: String,
        /// URL or id of the post that this quotes.
        quote: String,
        /// A poll.
        poll: RawPoll,
    }
}

table! {
    /// What is sent instead of a text that turns out too long.
    struct RawFallback {
        /// This text; the same when absent.
        text: String,
        /// These messages after it.
        thread: Vec<At<String>>,
        /// Make a thread of what is still too long.
        split: bool,
    }
}

table! {
    /// A picture, video or document.
    #[schemars(extend("required" = ["file"]))]
    struct RawMedia {
        /// Its path, relative to the calendar and inside its folder.
        file: String,
        /// What it shows, for those who cannot see it.
        alt: String,
        /// What a document is called, above its pages; the post's `title` when absent.
        title: String,
        /// The message of the thread that it goes with, from 1.
        part: u64,
    }
}

table! {
    /// A poll.
    #[schemars(extend("required" = ["options"]))]
    struct RawPoll {
        /// The choices.
        options: Vec<At<String>>,
        /// How long it is open, such as `1d` (which it is when absent) or `12h`.
        duration: Length,
        /// More than one choice may be ticked.
        multiple: bool,
        /// Counts are hidden until it ends.
        hide_totals: bool,
    }
}

table! {
    /// What happens to a post whose time has gone by, for example while no daemon ran.
    struct RawLate {
        /// Up to this late it is published without a question. `15m` when absent.
        grace: Length,
        /// After that. `hold` when absent.
        then: Word<LateThen>,
    }
}

table! {
    /// What holds for every post that does not say otherwise.
    struct RawDefaults {
        /// The accounts that posts go to.
        to: OneOrMany,
        /// What happens to a post whose time has gone by.
        late: RawLate,
        /// The language, or several: `en`, `pt-BR`.
        lang: OneOrMany,
        /// Who may see posts.
        visibility: Word<Visibility>,
        /// Make a thread of a text that is too long.
        split: bool,
        /// Number the messages of a thread.
        numbering: Word<Numbering>,
        /// Labels for sensitive media.
        labels: OneOrMany,
    }
}

table! {
    /// What several posts are for.
    struct RawCampaign {
        /// In words.
        goal: String,
        /// Appended to the links of its posts.
        utm: RawUtm,
    }
}

table! {
    /// UTM parameters. Each may use `{{ network }}`, `{{ account }}`, `{{ campaign }}` and `{{ post }}`.
    struct RawUtm {
        /// `utm_source`.
        source: String,
        /// `utm_medium`.
        medium: String,
        /// `utm_campaign`; the campaign's name when absent.
        campaign: String,
        /// `utm_term`.
        term: String,
        /// `utm_content`.
        content: String,
    }
}

table! {
    /// How strict `smm check` is.
    struct RawCheck {
        /// What a picture without `alt` is.
        missing_alt: Word<MissingAlt>,
    }
}

table! {
    /// One identity on a network. Its secret lives elsewhere.
    #[schemars(extend("required" = ["network"]))]
    struct RawAccount {
        /// The network.
        network: String,
        /// The server, `https://…` (plain `http://` to this machine alone).
        server: String,
        /// Least time between two posts of this account, such as `2m`.
        spacing: Length,
        /// Hours in which nothing of this account goes out: `22:00-07:00`, `sat-sun`, `fri 18:00-24:00`,
        /// `mon-fri 12:00-13:00` or `fri 18:00-mon 08:00`. What falls due within goes out when they end.
        blackout: OneOrMany,
        /// The time zone that blackout hours are meant in; the calendar's when absent.
        timezone: String,
        /// Each post goes out up to this much later than its time, such as `5m`: never earlier, and always as much for the
        /// same post.
        jitter: Length,
        /// Limits of this account's server that differ from the built-in ones.
        limits: RawLimits,
        ; settings: Rest
    }
}

table! {
    /// Limits of one server that differ from those built in.
    struct RawLimits {
        /// Longest text, in the network's own unit.
        text: u64,
        /// What a link counts, where the network gives every link the same weight.
        link: u64,
        /// Most files in one part.
        media: u64,
        /// Longest alt text.
        alt: u64,
        /// Largest picture, in bytes.
        image_bytes: u64,
        /// Largest picture, in pixels (width × height).
        image_pixels: u64,
        /// Largest video, in bytes.
        video_bytes: u64,
        /// Most choices of a poll.
        poll_options: u64,
        /// Longest choice of a poll.
        poll_option_text: u64,
        /// Shortest poll, in seconds.
        poll_seconds_min: u64,
        /// Longest poll, in seconds.
        poll_seconds_max: u64,
    }
}

table! {
    /// The operator's file: accounts, the ledger, alerts. It holds no secret either.
    #[schemars(title = "smm.toml")]
    struct RawConfig {
        /// Where deliveries are recorded: `sqlite` (when absent), the path of a database file, `git` (`git:REMOTE`, `git:REMOTE#NAME`), or `postgres://…`
        /// without a password.
        ledger: String,
        /// The accounts, by name: small letters, digits and `-`.
        accounts: Named<RawAccount>,
        /// Times of the delivery itself.
        delivery: RawDelivery,
        /// Who is told when a delivery needs a person.
        alerts: Vec<At<RawAlert>>,
        /// Where media lie for networks that take no uploads and fetch them by a public address.
        media_host: RawMediaHost,
    }
}

table! {
    /// Times of the delivery itself.
    struct RawDelivery {
        /// Of the one call that cannot be taken back. `30s` when absent.
        timeout: Length,
        /// Wait before an unknown outcome is looked up, and between the two looks. `120s` when absent.
        settle: Length,
        /// A claim that was not renewed for this long is dead. `60s` when absent.
        lease: Length,
        /// Link cards may be made of pages at addresses that are not public, such as those of an intranet. No when
        /// absent, since anybody may propose a link.
        private_pages: bool,
        /// How many posts of an account may begin within ten minutes while it catches up after downtime. 5 when absent.
        catch_up: u64,
    }
}

table! {
    /// Who is told when a delivery needs a person. Its address is a secret: `SMM_ALERT_<NAME>_URL`.
    #[schemars(extend("required" = ["name", "kind"]))]
    struct RawAlert {
        /// Its name: small letters, digits and `-`.
        name: String,
        /// How.
        kind: Word<RawAlertKind>,
        /// For `email`: to whom.
        to: OneOrMany,
        /// For `email`: from whom.
        from: String,
        /// For `command`: the program and its arguments.
        command: Vec<At<String>>,
    }
}

table! {
    /// Where media lie for networks that take no uploads and fetch them by a public address. Its keys are secrets:
    /// `SMM_MEDIA_HOST_KEY` and `SMM_MEDIA_HOST_SECRET`.
    #[schemars(extend("required" = ["kind", "url"]))]
    struct RawMediaHost {
        /// What it is.
        kind: Word<RawMediaHostKind>,
        /// The public address of the bucket or folder, `https://…`.
        url: String,
        /// For `s3`: where the bucket is spoken to, such as `https://s3.eu-central-1.amazonaws.com`. Where its name begins
        /// with the bucket's, the bucket is not in the path.
        endpoint: String,
        /// For `s3`: the bucket.
        bucket: String,
        /// For `s3`: the region. `us-east-1` when absent, which most servers of one's own take; `auto` for Cloudflare R2.
        region: String,
        /// For `s3`: what the names of files begin with. `smm` when absent.
        prefix: String,
        /// For `folder`: the folder, from this file's own.
        folder: String,
        /// How long a file stays after it was last needed. `7d` when absent, at least `2d`.
        keep: Length,
    }
}

/// What a picture without alt text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingAlt {
    Error,
    Warn,
}

/// What a media host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawMediaHostKind {
    Folder,
    S3,
}

/// How somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawAlertKind {
    Command,
    Email,
    Webhook,
}
