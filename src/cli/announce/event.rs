//! The payload of a forge's `release` event. GitHub's form (octokit/webhooks, schema of `release`, verified 2026-11-23), which
//! Gitea and Forgejo send as well.
//!
//! Whoever may write a release decides what is in it, so it is read as hostile: its size is bounded, other types than the
//! schema's are refused, and all else in it is left alone.

use std::io::Read as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::Failure;

/// Forges cap payloads at 25 MB.
const LARGEST: u64 = 32 * 1024 * 1024;

/// A payload, as far as it is read.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Payload {
    /// What has happened to the release.
    pub(super) action: Option<String>,
    /// The release.
    pub(super) release: Option<Released>,
    /// Its repository.
    pub(super) repository: Option<Repository>,
}

/// A release as a payload tells of it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Released {
    /// Its tag.
    pub(super) tag_name: String,
    /// Its page.
    pub(super) html_url: Option<String>,
    /// Its notes, Markdown.
    pub(super) body: Option<String>,
    /// Nobody but its writers sees it.
    #[serde(default)]
    pub(super) draft: bool,
    /// It is not for everybody yet.
    #[serde(default)]
    pub(super) prerelease: bool,
    /// When it was made public.
    pub(super) published_at: Option<DateTime<Utc>>,
}

/// A repository.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Repository {
    /// Its name, without its owner's.
    pub(super) name: Option<String>,
}

/// Reads a payload. `name` is the variable that led to it.
pub(super) fn read(path: &Path, name: &str) -> Result<Payload, Failure> {
    let cannot = |why: String| {
        Failure::new(format!("the event's payload cannot be read ({name}, {}): {why}", path.display()))
            .hint("give --tag, --notes and --url instead")
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| cannot(error.to_string()))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| cannot(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(cannot(format!("it has more than {} MiB", LARGEST / 1024 / 1024)));
    }
    parse(&bytes).map_err(cannot)
}

fn parse(bytes: &[u8]) -> Result<Payload, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let why: String = error.to_string().chars().take(200).collect();
        format!("it is not in the form of a release event: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_schema_is_refused_or_left_alone() {
        let good = r#"{"action": "published", "other": [[[{}]]], "release": {"tag_name": "v1", "html_url": "https://a.example",
            "body": null, "draft": false, "prerelease": true, "published_at": "2026-11-01T09:00:00Z", "assets": []},
            "repository": {"name": "acme"}}"#;
        let payload = parse(good.as_bytes()).expect("it is read");
        let release = payload.release.expect("a release");
        assert_eq!((release.tag_name.as_str(), release.body, release.prerelease), ("v1", None, true));
        for bad in [
            "",
            "[]",
            r#""release""#,
            r#"{"release": {"tag_name": 7}}"#,
            r#"{"release": {}}"#,
            r#"{"release": {"tag_name": "v1", "draft": "no"}}"#,
            r#"{"release": {"tag_name": "v1", "body": ["x"]}}"#,
            r#"{"release": {"tag_name": "v1", "published_at": "soon"}}"#,
            r#"{"action": {"a": 1}}"#,
            "{\"action\": \"\u{1}\"}",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&[b"{\"a\": ".repeat(10_000).as_slice(), b"1"].concat()).is_err(), "however deep");
        assert!(parse(b"{\"action\": \"\xff\"}").is_err());
        assert!(parse(br#"{"zen": "a push has none"}"#).expect("it is read").release.is_none());
    }

    #[test]
    fn a_payload_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("event.json");
        let file = std::fs::File::create(&path).expect("a file");
        file.set_len(LARGEST + 10).expect("sparse");
        let failure = read(&path, "GITHUB_EVENT_PATH").expect_err("refused").to_string();
        assert!(failure.contains("GITHUB_EVENT_PATH") && failure.contains("more than 32 MiB"), "{failure}");
    }
}
