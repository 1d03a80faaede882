//! What networks allow, for people, for programs and for the README.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Table, printable};
use crate::adapter::check::{size, unit_word};
use crate::adapter::{
    CardSupport, Fact, ImageRule, Network, PollRules, Profile, RepeatSafety, SignIn, TextLimit, WarningSupport,
};
use crate::model::Visibility;
use crate::networks::{GONE, Gone};
use crate::text::{MentionWeight, Unit};

/// What `smm networks --format json` writes. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub struct NetworkList {
    networks: Vec<NetworkView>,
    /// Those that people look for and that cannot be had.
    cannot_be_had: Vec<Gone>,
}

#[derive(Debug, Serialize)]
struct NetworkView {
    id: &'static str,
    name: &'static str,
    about: &'static str,
    verified: &'static str,
    setup_url: Option<&'static str>,
    sign_in: String,
    secrets: Vec<SecretView>,
    settings: schemars::Schema,
    credential_free: bool,
    text: TextView,
    title: u32,
    body: bool,
    tags: u32,
    languages: u32,
    media: MediaView,
    poll: Option<PollView>,
    threads: bool,
    replies: bool,
    quotes: bool,
    card: &'static str,
    visibility: &'static [Visibility],
    content_warning: bool,
    labels: &'static [&'static str],
    repeat: RepeatSafety,
    lost_answer: &'static str,
    settle_seconds: u64,
    facts: Vec<FactView>,
    readme: &'static str,
}

#[derive(Debug, Serialize)]
struct SecretView {
    name: &'static str,
    environment: String,
    help: &'static str,
}

#[derive(Debug, Serialize)]
struct TextView {
    limits: Vec<LimitView>,
    link: Option<u32>,
    mention: MentionWeight,
    counts_content_warning: bool,
    optional_with_media: bool,
}

#[derive(Debug, Serialize)]
struct LimitView {
    max: u64,
    unit: Unit,
}

#[derive(Debug, Serialize)]
struct MediaView {
    images: u32,
    videos: u32,
    mixed: bool,
    with_poll: bool,
    with_card: bool,
    required: bool,
    image: FileView,
    animation: Option<FileView>,
    video: Option<FileView>,
    document: Option<FileView>,
    alt: Option<u64>,
}

#[derive(Debug, Serialize)]
struct FileView {
    mimes: &'static [&'static str],
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pixels: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<u32>,
}

#[derive(Debug, Serialize)]
struct PollView {
    options: [u64; 2],
    option_text: u64,
    seconds: [u64; 2],
    multiple: bool,
}

#[derive(Debug, Serialize)]
struct FactView {
    what: &'static str,
    says: &'static str,
    source: &'static str,
    verified: &'static str,
}

impl NetworkList {
    /// Networks as data.
    pub fn new(networks: &[&'static dyn Network]) -> Self {
        let networks = networks.iter().map(|network| NetworkView::new(*network)).collect();
        Self { networks, cannot_be_had: Vec::new() }
    }

    /// One that cannot be had.
    pub fn gone(gone: &Gone) -> Self {
        Self { networks: Vec::new(), cannot_be_had: vec![*gone] }
    }

    /// With all that cannot be had.
    #[must_use]
    pub fn with_gone(self) -> Self {
        Self { cannot_be_had: GONE.to_vec(), ..self }
    }
}

impl NetworkView {
    fn new(network: &'static dyn Network) -> Self {
        let profile = network.profile();
        let file = |rule: ImageRule| FileView {
            mimes: rule.mimes,
            bytes: rule.bytes,
            pixels: Some(rule.pixels),
            side: Some(rule.side),
        };
        let fact =
            |fact: &Fact| FactView { what: fact.what, says: fact.says, source: fact.source, verified: fact.verified };
        let poll = |rules: PollRules| PollView {
            options: [rules.options_min, rules.options_max],
            option_text: rules.option_text,
            seconds: [rules.seconds_min, rules.seconds_max],
            multiple: rules.multiple,
        };
        let media = &profile.media;
        let limit = |limit: &TextLimit| LimitView { max: limit.max, unit: limit.unit };
        Self {
            id: profile.id,
            name: profile.name,
            about: profile.about,
            verified: profile.verified,
            setup_url: profile.setup_url,
            sign_in: sign_in(profile.sign_in),
            secrets: profile
                .secrets
                .iter()
                .map(|secret| SecretView {
                    name: secret.name,
                    environment: environment(secret.name),
                    help: secret.help,
                })
                .collect(),
            settings: network.settings_schema(),
            credential_free: profile.credential_free,
            text: TextView {
                limits: profile.text.limits.iter().map(limit).collect(),
                link: profile.text.link,
                mention: profile.text.mention,
                counts_content_warning: profile.text.counts_warning,
                optional_with_media: profile.text.optional_with_media,
            },
            title: profile.title,
            body: profile.body,
            tags: profile.tags,
            languages: profile.languages,
            media: MediaView {
                images: media.max_images,
                videos: media.max_videos,
                mixed: media.mixed,
                with_poll: media.with_poll,
                with_card: media.with_card,
                required: media.required,
                image: file(media.image),
                animation: media.animation.map(file),
                video: media.video.map(|rule| FileView {
                    mimes: rule.mimes,
                    bytes: rule.bytes,
                    pixels: None,
                    side: None,
                }),
                document: media.document.map(|rule| FileView {
                    mimes: rule.mimes,
                    bytes: rule.bytes,
                    pixels: None,
                    side: None,
                }),
                alt: media.alt.supported.then_some(media.alt.max),
            },
            poll: profile.poll.map(poll),
            threads: profile.threads,
            replies: profile.replies,
            quotes: profile.quotes,
            card: card_word(profile.card),
            visibility: profile.visibility,
            content_warning: profile.warning == WarningSupport::Text,
            labels: profile.labels,
            repeat: profile.repeat,
            lost_answer: profile.repeat.explain(),
            settle_seconds: profile.settle.as_secs(),
            facts: profile.facts.iter().map(fact).collect(),
            readme: network.readme(),
        }
    }
}

/// The environment variable of a secret field, with a place for the account's name.
fn environment(field: &str) -> String {
    format!("SMM_<ACCOUNT>_{}", field.to_uppercase().replace('-', "_"))
}

fn sign_in(ways: &[SignIn]) -> String {
    match ways {
        [] => "nothing".to_owned(),
        ways => ways.iter().map(|way| way.what()).collect::<Vec<_>>().join(", or "),
    }
}

fn card_word(card: CardSupport) -> &'static str {
    match card {
        CardSupport::Own => "own",
        CardSupport::Server => "server",
        CardSupport::Field => "field",
        CardSupport::None => "none",
    }
}

fn card_line(card: CardSupport) -> &'static str {
    match card {
        CardSupport::Own => "smm makes it from the page",
        CardSupport::Server => "the network makes it from the link in the text",
        CardSupport::Field => "no card: the link is a field of its own",
        CardSupport::None => "no card: the link stands in the text",
    }
}

fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

/// `300 graphemes, 3000 bytes`.
fn text_line(profile: &Profile) -> String {
    let limits: Vec<String> = profile
        .text
        .limits
        .iter()
        .map(|limit| {
            // What nobody reaches is no limit worth a number.
            if limit.max >= 1_000_000 {
                "no limit".to_owned()
            } else {
                format!("{} {}", limit.max, unit_word(limit.max, limit.unit))
            }
        })
        .collect();
    if limits.is_empty() { "no limit".to_owned() } else { limits.join(", ") }
}

fn pictures(profile: &Profile) -> String {
    match profile.media.max_images {
        0 => "none".to_owned(),
        u32::MAX => "any number".to_owned(),
        count => count.to_string(),
    }
}

fn image_line(rule: ImageRule) -> String {
    let kinds: Vec<&str> = rule.mimes.iter().map(|mime| mime.trim_start_matches("image/")).collect();
    let mut line = format!("{}, up to {}", kinds.join(", "), size(rule.bytes));
    if rule.pixels < u64::MAX {
        if rule.pixels < 10_000_000 {
            let _ = write!(line, ", {}.{} megapixels", rule.pixels / 1_000_000, rule.pixels / 100_000 % 10);
        } else {
            let _ = write!(line, ", {} megapixels", rule.pixels / 1_000_000);
        }
    }
    if rule.side < u32::MAX {
        let _ = write!(line, ", {} pixels on a side", rule.side);
    }
    line
}

fn poll_line(rules: PollRules) -> String {
    format!(
        "{} to {} choices of {} characters, {} minutes to {} days{}",
        rules.options_min,
        rules.options_max,
        rules.option_text,
        rules.seconds_min / 60,
        rules.seconds_max / 86_400,
        if rules.multiple { ", several may be ticked" } else { "" }
    )
}

/// All networks, one line each.
pub fn human(networks: &[&'static dyn Network], colour: bool) -> String {
    let mut table = Table::new(&["network", "text", "pictures", "sign in", "a lost answer"], colour);
    for network in networks {
        let profile = network.profile();
        table.row([
            profile.id.into(),
            text_line(profile).into(),
            pictures(profile).into(),
            sign_in(profile.sign_in).into(),
            profile.repeat.explain().into(),
        ]);
    }
    format!("{table}\n`smm networks NAME` shows everything of one.\n")
}

/// Why a network cannot be had, for people.
pub fn gone(gone: &Gone) -> String {
    let mut out = format!("{} cannot be had\n\n", gone.name);
    for (name, value) in [
        ("since", gone.since),
        ("why", gone.why),
        ("instead", gone.instead),
        ("source", gone.source),
        ("read on", gone.verified),
    ] {
        let _ = writeln!(out, "{name:<17}{value}");
    }
    out
}

/// Everything of one network.
pub fn detail(network: &'static dyn Network) -> String {
    let profile = network.profile();
    let mut out = String::new();
    let _ = write!(out, "{} ({})\n{}\n\n", profile.name, profile.id, profile.about);
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{name:<17}{value}");
        }
    };
    line("text", &text_line(profile));
    if let Some(link) = profile.text.link {
        line("", &format!("a link counts {link}, whatever its length"));
    }
    if profile.text.mention == MentionWeight::LocalPart {
        line("", "a mention counts without its server");
    }
    if profile.text.counts_warning {
        line("", "a content warning counts too");
    }
    line("title", &if profile.title == 0 { "no".to_owned() } else { format!("{} characters", profile.title) });
    line("long form", yes(profile.body));
    line(
        "tags",
        &if profile.tags == 0 {
            "as hashtags in the text".to_owned()
        } else {
            format!("{} in a field of their own", profile.tags)
        },
    );
    let media = &profile.media;
    line("pictures", &format!("{}; {}", pictures(profile), image_line(media.image)));
    if let Some(rule) = media.animation {
        line("animations", &image_line(rule));
    }
    match media.video {
        Some(rule) => {
            line("videos", &format!("{}; {}, up to {}", media.max_videos, rule.mimes.join(", "), size(rule.bytes)));
        }
        None => line("videos", "none"),
    }
    match media.document {
        Some(rule) => line("documents", &format!("1; {}, up to {}", rule.mimes.join(", "), size(rule.bytes))),
        None => line("documents", "none"),
    }
    line(
        "alt text",
        &match (media.alt.supported, media.alt.max) {
            (false, _) => "no".to_owned(),
            (true, 0) => "yes".to_owned(),
            (true, max) => format!("{max} characters"),
        },
    );
    line("polls", &profile.poll.map_or_else(|| "no".to_owned(), poll_line));
    line("threads", yes(profile.threads));
    line("replies", yes(profile.replies));
    line("quotes", yes(profile.quotes));
    line("link card", card_line(profile.card));
    let visibility: Vec<&str> = profile.visibility.iter().map(|known| known.as_str()).collect();
    line("visibility", &if visibility.is_empty() { "public".to_owned() } else { visibility.join(", ") });
    line("content warning", yes(profile.warning == WarningSupport::Text));
    line("labels", &if profile.labels.is_empty() { "no".to_owned() } else { profile.labels.join(", ") });
    line("languages", &profile.languages.to_string());
    line("a lost answer", profile.repeat.explain());
    line("signs in with", &sign_in(profile.sign_in));
    for secret in profile.secrets {
        line("secret", &format!("{}: {}", environment(secret.name), secret.help));
    }
    line("made at", profile.setup_url.unwrap_or_default());
    if !profile.facts.is_empty() {
        out.push_str("\nWhere this comes from\n");
        for fact in profile.facts {
            let _ = writeln!(out, "  {}: {}\n    {} (verified {})", fact.what, fact.says, fact.source, fact.verified);
        }
    }
    if !network.readme().is_empty() {
        let _ = write!(out, "\n{}\n", network.readme().trim());
    }
    printable(&out)
}

/// The table in the README.
pub fn markdown(networks: &[&'static dyn Network]) -> String {
    let mut out = String::from(
        "| network | text | pictures | videos | documents | alt text | polls | threads | link card | a lost answer | verified |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    for network in networks {
        let profile = network.profile();
        let media = &profile.media;
        let cells = [
            format!("{} (`{}`)", profile.name, profile.id),
            text_line(profile),
            pictures(profile),
            if media.video.is_some() { media.max_videos.to_string() } else { "none".to_owned() },
            if media.document.is_some() { "1".to_owned() } else { "none".to_owned() },
            yes(media.alt.supported).to_owned(),
            yes(profile.poll.is_some()).to_owned(),
            yes(profile.threads).to_owned(),
            card_line(profile.card).to_owned(),
            profile.repeat.explain().to_owned(),
            profile.verified.to_owned(),
        ];
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}
