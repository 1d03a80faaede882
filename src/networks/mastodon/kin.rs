//! Servers that speak Mastodon's API and are not Mastodon, and how they differ.
//!
//! A server is told by what it says of itself. Only one that proves to be Mastodon, or a fork of it, is trusted to keep
//! idempotency keys: a key that is ignored would publish twice.

use crate::adapter::{Profile, RepeatSafety};
use crate::model::LimitOverrides;

use super::profile::KEY_WINDOW;
use super::wire::InstanceAnswer;

/// How one kind of server differs from what it says, or from Mastodon.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quirks {
    /// Its name, in small letters, as its version or source address has it.
    pub(super) mark: &'static str,
    /// What a link really counts; 0: as it is written. `None`: what the server says.
    link: Option<u64>,
    /// Longest text, where the server does not say.
    text: Option<u64>,
    /// Most files, where the server does not say.
    media: Option<u64>,
    /// Longest alt text, where the server does not say.
    alt: Option<u64>,
}

const PLAIN: Quirks = Quirks { mark: "", link: None, text: None, media: None, alt: None };

/// The kin. Sources: each project's own repository, read 2026-11-22 (see the README).
static KIN: [Quirks; 14] = [
    // Says 25 for a link, and counts it as written.
    Quirks { mark: "gotosocial", link: Some(0), text: Some(5000), media: Some(6), alt: Some(1500) },
    Quirks { mark: "pleroma", link: Some(0), text: Some(5000), alt: Some(5000), ..PLAIN },
    Quirks { mark: "akkoma", link: Some(0), text: Some(5000), alt: Some(5000), ..PLAIN },
    Quirks { mark: "pixelfed", text: Some(500), media: Some(4), alt: Some(1000), ..PLAIN },
    Quirks { mark: "friendica", ..PLAIN },
    Quirks { mark: "hollo", text: Some(10_000), media: Some(8), ..PLAIN },
    // Takes what it is given: 100,000 characters were posted.
    Quirks { mark: "snac", link: Some(0), text: Some(100_000), ..PLAIN },
    Quirks { mark: "mitra", ..PLAIN },
    Quirks { mark: "takahe", ..PLAIN },
    Quirks { mark: "iceshrimp", ..PLAIN },
    Quirks { mark: "firefish", ..PLAIN },
    Quirks { mark: "sharkey", ..PLAIN },
    Quirks { mark: "smithereen", ..PLAIN },
    Quirks { mark: "wordpress", ..PLAIN },
];

/// The kind of server, where it is one of the kin.
pub(super) fn quirks(instance: &InstanceAnswer) -> Option<&'static Quirks> {
    let said = [instance.version.as_deref(), instance.source_url.as_deref()];
    let said = said.map(|text| text.unwrap_or_default().to_lowercase());
    KIN.iter().find(|kin| said.iter().any(|text| text.contains(kin.mark)))
}

/// It is Mastodon, or a fork: its version is one, without a word about being compatible; it tells its API's version; and
/// its source is not that of one of the kin.
pub(super) fn is_mastodon(instance: &InstanceAnswer) -> bool {
    let version = instance.version.as_deref().unwrap_or_default();
    let core = version.split(['+', '-']).next().unwrap_or_default();
    let mut numbers = core.split('.').map(str::parse::<u32>);
    let numbered = matches!(
        (numbers.next(), numbers.next(), numbers.next(), numbers.next()),
        (Some(Ok(4..)), Some(Ok(_)), Some(Ok(_)), None)
    );
    let bare = version.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_'));
    numbered && bare && api_version(instance).is_some() && quirks(instance).is_none()
}

/// The version of Mastodon's API that the server says it speaks.
pub(super) fn api_version(instance: &InstanceAnswer) -> Option<u64> {
    instance.api_versions.get("mastodon")?.as_u64().filter(|version| *version > 0)
}

/// What may be repeated on this server.
pub(super) fn repeat(instance: &InstanceAnswer) -> RepeatSafety {
    if is_mastodon(instance) { RepeatSafety::Key { window_seconds: KEY_WINDOW } } else { RepeatSafety::LookUp }
}

/// Limits that differ from the built-in ones.
pub(super) fn limits(instance: &InstanceAnswer, profile: &Profile) -> LimitOverrides {
    let quirks = quirks(instance).unwrap_or(&PLAIN);
    let configuration = &instance.configuration;
    let (statuses, media, polls) = (&configuration.statuses, &configuration.media_attachments, &configuration.polls);
    // Zero is what servers say that have no limit, or no idea.
    let other = |said: Option<u64>, built_in: u64| said.filter(|said| *said > 0 && *said != built_in);
    let text = profile.text.limits.first().map_or(0, |limit| limit.max);
    let link = u64::from(profile.text.link.unwrap_or(0));
    LimitOverrides {
        text: other(statuses.max_characters.or(instance.max_toot_chars).or(quirks.text), text),
        link: quirks.link.or_else(|| other(statuses.characters_reserved_per_url, link)),
        media: other(statuses.max_media_attachments.or(quirks.media), u64::from(profile.media.max_images)),
        alt: other(media.description_limit.or(quirks.alt), profile.media.alt.max),
        image_bytes: other(media.image_size_limit, profile.media.image.bytes),
        image_pixels: other(media.image_matrix_limit, profile.media.image.pixels),
        video_bytes: other(media.video_size_limit, profile.media.video.map_or(0, |rule| rule.bytes)),
        poll_options: other(polls.max_options, profile.poll.map_or(0, |rules| rules.options_max)),
        poll_option_text: other(polls.max_characters_per_option, profile.poll.map_or(0, |rules| rules.option_text)),
        poll_seconds_min: other(polls.min_expiration, profile.poll.map_or(0, |rules| rules.seconds_min)),
        poll_seconds_max: other(polls.max_expiration, profile.poll.map_or(0, |rules| rules.seconds_max)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::networks::mastodon::profile::PROFILE;

    fn instance(version: &str, source: &str, api: Option<u64>) -> InstanceAnswer {
        let api = api.map_or(json!({}), |api| json!({"mastodon": api}));
        let said = json!({"version": version, "source_url": source, "api_versions": api});
        serde_json::from_value(said).expect("an instance")
    }

    #[test]
    fn only_mastodon_itself_is_trusted_with_keys() {
        for (version, source) in [
            ("4.6.2", "https://github.com/mastodon/mastodon"),
            ("4.5.0-beta.1+glitch", "https://github.com/glitch-soc/mastodon"),
            ("5.0.0", ""),
        ] {
            assert_eq!(
                repeat(&instance(version, source, Some(7))),
                RepeatSafety::Key { window_seconds: 3600 },
                "{version}"
            );
        }
        for (version, source, api) in [
            ("4.2.10", "https://github.com/mastodon/mastodon", None),
            ("0.20.1+git-8fdd358", "https://codeberg.org/superseriousbusiness/gotosocial", None),
            ("4.6.2", "https://codeberg.org/superseriousbusiness/gotosocial", Some(7)),
            ("2.7.2 (compatible; Pleroma 2.9.1)", "", Some(7)),
            ("4.2.0 (compatible; Something 1.0)", "", Some(7)),
            ("4.0.0 (not true; really snac/2.75)", "", None),
            ("", "", None),
            ("4.6", "", Some(7)),
            ("3.5.3", "", Some(1)),
        ] {
            assert_eq!(repeat(&instance(version, source, api)), RepeatSafety::LookUp, "{version}");
        }
    }

    #[test]
    fn limits_are_those_that_differ() {
        let said = |configuration: serde_json::Value, version: &str| {
            serde_json::from_value(json!({"version": version, "configuration": configuration})).expect("an instance")
        };
        let usual =
            json!({"statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23}});
        assert_eq!(limits(&said(usual, "4.6.2"), &PROFILE), LimitOverrides::default());
        let gotosocial = json!({"statuses": {"max_characters": 5000, "max_media_attachments": 6, "characters_reserved_per_url": 25}});
        let limits = limits(&said(gotosocial, "0.20.1+git-gotosocial"), &PROFILE);
        assert_eq!((limits.text, limits.link, limits.media, limits.alt), (Some(5000), Some(0), Some(6), None));
    }
}
