//! `[media_host]` of `smm.toml` to [`MediaHostSettings`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::server_of;
use super::raw::{RawMediaHost, RawMediaHostKind};
use super::read::{At, Reader};
use crate::model::codes;

/// The web, with plain http for this very machine alone.
const WEB: &[(&str, bool)] = &[("https", false), ("http", true)];

/// `[media_host]`: where media lie for networks that take no uploads and fetch them by a public address. Its keys are
/// secrets and not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaHostSettings {
    /// The public address of the bucket or folder, without a trailing slash.
    pub url: String,
    /// What it is.
    pub place: MediaPlace,
    /// How long a file stays after it was last needed.
    pub keep: Duration,
}

/// What a media host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaPlace {
    /// A bucket of a server that speaks the API of Amazon S3.
    S3 {
        /// Where it is spoken to, without a trailing slash.
        endpoint: String,
        /// Its name.
        bucket: String,
        /// Its region.
        region: String,
        /// What the names of files begin with, without slashes around it; empty: nothing.
        prefix: String,
    },
    /// A folder that a web server shows.
    Folder(PathBuf),
}

const KEEP: Duration = Duration::from_hours(7 * 24);

/// A container that is not published ends after a day: Instagram and Threads, read 2026-11-23. Twice that is room.
const LEAST_KEEP: Duration = Duration::from_hours(2 * 24);

/// Resolves the table; `None` when something is wrong with it (and was reported).
pub(super) fn resolve(reader: &mut Reader<'_>, raw: At<RawMediaHost>, config: &Path) -> Option<MediaHostSettings> {
    let before = reader.errors;
    let RawMediaHost { kind, url, endpoint, bucket, region, prefix, folder, keep, unreadable } = raw.value;
    let mut need = |key: &'static str, is_there: bool| {
        if !is_there && !unreadable.contains(&key) {
            reader.error(codes::MISSING_KEY, raw.span, format!("a media host needs `{key}`"));
        }
    };
    need("kind", kind.is_some());
    need("url", url.is_some());
    let kind = kind?.value.0;
    let of_s3 = [("endpoint", &endpoint), ("bucket", &bucket), ("region", &region), ("prefix", &prefix)];
    match kind {
        RawMediaHostKind::S3 => {
            need("endpoint", endpoint.is_some());
            need("bucket", bucket.is_some());
            stray(reader, [("folder", &folder)], "folder");
        }
        RawMediaHostKind::Folder => {
            need("folder", folder.is_some());
            stray(reader, of_s3, "s3");
        }
    }
    let url = url.and_then(|url| server_of(reader, &url, WEB));
    let keep = keep.map_or(KEEP, |keep| {
        let keep_for = Duration::from_secs(keep.value.0);
        if keep_for < LEAST_KEEP {
            reader
                .error(
                    codes::BAD_VALUE,
                    keep.span,
                    "networks may fetch a file for a day, so less than two days is too short",
                )
                .help("write `2d` or more; `7d` holds when nothing is said");
        }
        keep_for
    });
    let place = match kind {
        RawMediaHostKind::S3 => {
            let endpoint = endpoint.and_then(|endpoint| server_of(reader, &endpoint, WEB));
            for (what, name) in [("bucket", &bucket), ("region", &region)] {
                if let Some(name) = name
                    && !is_name(&name.value)
                {
                    let message = format!("`{}` is not the name of a {what}", name.value);
                    reader
                        .error(codes::BAD_VALUE, name.span, message)
                        .help("names have letters, digits, `-`, `.` and `_` alone");
                }
            }
            let region = region.map_or_else(|| "us-east-1".to_owned(), |region| region.value);
            MediaPlace::S3 { endpoint: endpoint?, bucket: bucket?.value, region, prefix: prefix_of(reader, prefix) }
        }
        // A path counts from the file that it stands in.
        RawMediaHostKind::Folder => MediaPlace::Folder(config.with_file_name(folder?.value)),
    };
    let url = url?;
    (reader.errors == before).then_some(MediaHostSettings { url, place, keep })
}

/// Keys of the other kind.
fn stray<const N: usize>(reader: &mut Reader<'_>, keys: [(&'static str, &Option<At<String>>); N], kind: &'static str) {
    for (_, value) in keys {
        if let Some(value) = value {
            reader.error(codes::UNKNOWN_KEY, value.key, format!("only a media host of kind `{kind}` has this key"));
        }
    }
}

fn prefix_of(reader: &mut Reader<'_>, prefix: Option<At<String>>) -> String {
    let Some(prefix) = prefix else { return "smm".to_owned() };
    let text = prefix.value.trim_matches('/');
    if !text.is_empty() && !text.split('/').all(is_name) {
        reader
            .error(codes::BAD_VALUE, prefix.span, format!("`{text}` cannot be the start of a file's name"))
            .help("write words of letters, digits, `-`, `.` and `_`, with `/` between them");
    }
    text.to_owned()
}

/// A word that needs no escape in an address, and is no `..`.
fn is_name(text: &str) -> bool {
    (1..=200).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Found, Known, load_config};

    fn read(text: &str) -> (Option<MediaHostSettings>, Vec<(&'static str, usize)>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("smm.toml");
        std::fs::write(&path, text).expect("a file");
        let (config, diagnostics, _) = load_config(Some(&Found { path, trusted: false }), &Known::default());
        let found = diagnostics.iter().map(|found| (found.code.0, found.line)).collect();
        (config.expect("it can be read").media_host, found)
    }

    #[test]
    fn a_bucket_and_a_folder() {
        let (host, found) = read(
            "[media_host]\nkind = 's3'\nurl = 'https://media.acme.example/'\nendpoint = 'https://s3.acme.example'\n\
             bucket = 'acme'\nprefix = '/posts/smm/'\n",
        );
        assert_eq!(found, []);
        let place = MediaPlace::S3 {
            endpoint: "https://s3.acme.example".to_owned(),
            bucket: "acme".to_owned(),
            region: "us-east-1".to_owned(),
            prefix: "posts/smm".to_owned(),
        };
        assert_eq!(host, Some(MediaHostSettings { url: "https://media.acme.example".to_owned(), place, keep: KEEP }));
        let (host, found) =
            read("[media_host]\nkind = 'folder'\nurl = 'https://acme.example/m'\nfolder = 'public/m'\nkeep = '30d'\n");
        assert_eq!(found, []);
        let host = host.expect("a host");
        assert!(matches!(host.place, MediaPlace::Folder(path) if path.ends_with("public/m") && path.is_absolute()));
        assert_eq!(host.keep, Duration::from_hours(30 * 24));
    }

    #[test]
    fn mistakes() {
        let codes = |text: &str| {
            let (host, found) = read(&format!("[media_host]\n{text}"));
            assert_eq!(host, None, "{text}");
            found
        };
        assert_eq!(codes(""), [("missing-key", 1), ("missing-key", 1)]);
        let folder = "kind = 'folder'\nurl = 'https://acme.example'\n";
        assert_eq!(codes(folder), [("missing-key", 1)]);
        assert_eq!(codes(&format!("{folder}folder = 'm'\nbucket = 'b'")), [("unknown-key", 5)]);
        assert_eq!(codes(&format!("{folder}folder = 'm'\nkeep = '1h'")), [("bad-value", 5)]);
        let s3 = "kind = 's3'\nendpoint = 'https://s3.example'\n";
        assert_eq!(codes(&format!("{s3}bucket = 'b'")), [("missing-key", 1)]);
        assert_eq!(
            codes(&format!("{s3}bucket = 'a b'\nurl = 'http://m.example'")),
            [("bad-value", 4), ("bad-server", 5)]
        );
        assert_eq!(
            codes(&format!("{s3}bucket = 'b'\nurl = 'https://m.example'\nprefix = 'a/../b'\nsecret = 'x'")),
            [("bad-value", 6), ("secret-in-file", 7)]
        );
        assert_eq!(codes("kind = 'ftp'\nurl = 'https://acme.example'"), [("unknown-value", 2)]);
    }
}
