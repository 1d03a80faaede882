//! Uploads to a media server: Blossom (BUD-01 and BUD-02, read 2026-11-23). A file is named by its hash, so an upload may be
//! made again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::adapter::http::{Body, Request, server_url};
use crate::adapter::{DraftMedia, Fault, Limits, Outside, Refusal};
use crate::model::{LimitOverrides, hex};

use super::key::Key;
use super::profile::PROFILE;
use super::wire::{Descriptor, Event, MediaError, UPLOAD};

/// Total time of an upload: a video over a slow line.
const TIMEOUT: Duration = Duration::from_mins(10);

/// So long the leave to upload is good, in seconds.
const LEAVE: i64 = 900;

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Uploaded {
    pub(super) url: String,
    pub(super) mime: String,
    pub(super) sha256: String,
    pub(super) size: usize,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Uploads a file, and makes sure that what lies there is what was sent.
pub(super) async fn upload(
    outside: &Outside,
    server: &str,
    key: &Key,
    media: &DraftMedia,
    limits: &LimitOverrides,
) -> Result<Uploaded, Fault> {
    let file = outside.media.fetch(media, &Limits::new(&PROFILE, limits)).await?;
    let sha256 = hex(&Sha256::digest(&file.bytes));
    let size = file.bytes.len();
    let now = (outside.now)();
    let leave = leave(key, &sha256, now.timestamp()).map_err(Fault::NotSent)?;
    let mime = file.facts.mime;
    let request = Request::put(format!("{server}/upload"))
        .header("authorization", format!("Nostr {leave}"))
        .header("x-sha-256", sha256.as_str())
        // Whoever has it may upload this very file for a while.
        .hide(SecretString::from(leave))
        .body(Body::Bytes { bytes: file.bytes.into(), mime: mime.clone() })
        .timeout(TIMEOUT);
    let answer = outside.http.call(request).await?;
    if !answer.is_success() {
        let own = answer.json::<MediaError>().ok().map(|error| error.message);
        let own = own.or_else(|| answer.header("x-reason").map(str::to_owned));
        return Err(answer.fault(false, own, now));
    }
    let wrong = |why: String| Fault::refused(Refusal::Busy, format!("{server}: {why}"));
    let given: Descriptor = answer.json().map_err(wrong)?;
    if !given.sha256.eq_ignore_ascii_case(&sha256) {
        return Err(wrong("what it says to have is not the file that was sent".to_owned()));
    }
    // The address stands in the post for ever.
    server_url(&given.url).map_err(wrong)?;
    Ok(Uploaded { url: given.url, mime, sha256, size, width: file.facts.width, height: file.facts.height })
}

/// The leave to upload one file, signed. BUD-01 shows it in base64, later versions ask for its form for addresses: it is
/// written so that both are the same.
fn leave(key: &Key, sha256: &str, now: i64) -> Result<String, String> {
    let tag = |name: &str, value: String| vec![name.to_owned(), value];
    let tags =
        vec![tag("t", "upload".to_owned()), tag("x", sha256.to_owned()), tag("expiration", (now + LEAVE).to_string())];
    // In the past by everybody's clock.
    let event = Event::new(key.public.as_str(), now - 60, UPLOAD, tags, "Upload a file").signed(key)?;
    let mut text = serde_json::to_string(&event).map_err(|error| error.to_string())?;
    while !text.len().is_multiple_of(3) {
        text.push(' ');
    }
    Ok(STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn both_forms_of_base64_are_the_same() {
        let key = Key::parse(&"07".repeat(32).into()).unwrap_or_else(|why| panic!("{why}"));
        for now in [1_700_000_000, 1_799_999_999, 9] {
            let leave = leave(&key, &"3f".repeat(32), now).expect("signed");
            let text = URL_SAFE_NO_PAD.decode(&leave).expect("base64 for addresses");
            assert_eq!(STANDARD.decode(&leave), Ok(text.clone()));
            let event: Event = serde_json::from_slice(&text).expect("an event");
            assert!(event.is_genuine());
            assert_eq!(event.values("x").collect::<Vec<_>>(), ["3f".repeat(32)]);
        }
    }
}
