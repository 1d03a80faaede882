//! What goes over the wire: answers of a homeserver, and names as they stand in paths.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `GET /.well-known/matrix/client`.
#[derive(Debug, Deserialize)]
pub(super) struct WellKnown {
    #[serde(rename = "m.homeserver")]
    pub(super) homeserver: Homeserver,
}

/// Where the client-server API is.
#[derive(Debug, Deserialize)]
pub(super) struct Homeserver {
    pub(super) base_url: String,
}

/// `GET /_matrix/client/v3/account/whoami`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Whoami {
    pub(super) user_id: String,
    pub(super) device_id: Option<String>,
}

/// `GET /_matrix/client/v3/login`.
#[derive(Debug, Deserialize)]
pub(super) struct LoginFlows {
    #[serde(default)]
    pub(super) flows: Vec<LoginFlow>,
}

/// A way of signing in.
#[derive(Debug, Deserialize)]
pub(super) struct LoginFlow {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

/// `POST /_matrix/client/v3/login`, and `POST /_matrix/client/v3/refresh`, which names no device.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) device_id: Option<String>,
    pub(super) refresh_token: Option<String>,
    pub(super) expires_in_ms: Option<i64>,
}

/// `GET /_matrix/client/v3/rooms/{room}/state/m.room.member/{user}`.
#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) membership: String,
}

/// `GET /_matrix/client/v3/directory/room/{alias}`, and `POST /_matrix/client/v3/join/{room}`.
#[derive(Debug, Deserialize)]
pub(super) struct RoomAnswer {
    pub(super) room_id: String,
}

/// `GET /_matrix/client/v1/media/config`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MediaConfig {
    #[serde(rename = "m.upload.size")]
    pub(super) upload_size: Option<u64>,
}

/// `POST /_matrix/media/v3/upload`.
#[derive(Debug, Deserialize)]
pub(super) struct UploadAnswer {
    pub(super) content_uri: String,
}

/// What sending and redacting give.
#[derive(Debug, Deserialize)]
pub(super) struct SendAnswer {
    pub(super) event_id: String,
}

/// A page of events: of a room, or those that relate to an event.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) chunk: Vec<RoomEvent>,
    /// Where a room's next page begins.
    pub(super) end: Option<String>,
    /// Where the next page of related events begins.
    pub(super) next_batch: Option<String>,
}

/// An event.
#[derive(Debug, Deserialize)]
pub(super) struct RoomEvent {
    pub(super) event_id: String,
    pub(super) sender: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    pub(super) origin_server_ts: i64,
    #[serde(default)]
    pub(super) content: Map<String, Value>,
    pub(super) unsigned: Option<Unsigned>,
}

/// What is not signed of an event.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Unsigned {
    /// Our own, when this very device has sent it.
    pub(super) transaction_id: Option<String>,
}

impl RoomEvent {
    /// The transaction id that it was sent under, when this very device has sent it.
    pub(super) fn transaction(&self) -> Option<&str> {
        self.unsigned.as_ref()?.transaction_id.as_deref()
    }

    /// The event that it answers.
    pub(super) fn answers(&self) -> Option<&str> {
        self.content.get("m.relates_to")?.get("m.in_reply_to")?.get("event_id")?.as_str()
    }

    /// What it says, as plain text.
    pub(super) fn text(&self) -> &str {
        self.content.get("body").and_then(Value::as_str).unwrap_or_default()
    }
}

/// The error body.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) errcode: String,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    retry_after_ms: Value,
}

impl ErrorBody {
    /// Milliseconds after which one may ask again, at most some weeks. Not all servers write a whole number.
    pub(super) fn wait(&self) -> Option<i64> {
        let wait = self.retry_after_ms.as_f64().filter(|wait| *wait >= 0.0)?;
        #[expect(clippy::cast_possible_truncation, reason = "it is cut to a number that fits")]
        Some(wait.min(f64::from(u32::MAX)).ceil() as i64)
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        match self.error.as_str().filter(|error| !error.is_empty()) {
            Some(error) => format!("{error} ({})", self.errcode),
            None => self.errcode.clone(),
        }
    }
}

/// Whether a text is a room's alias or id (matrix-spec v1.19, appendices, identifier grammar, read 2026-11-23). An id has no
/// server in it since room version 12.
pub(super) fn is_room(text: &str) -> bool {
    let good = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    let rest = match text.strip_prefix('#') {
        Some(alias) => alias.split_once(':').is_some_and(|(name, server)| good(name) && good(server)),
        None => text.strip_prefix('!').is_some_and(good),
    };
    rest && text.len() <= 255
}

/// The id of an event: as it is, in a link of matrix.to, or in a `matrix:` address.
pub(super) fn event_id(text: &str) -> Option<String> {
    let id = if let Some(link) = text.strip_prefix("https://matrix.to/#/") {
        let id = link.split('/').nth(1)?.split('?').next()?;
        unescaped(id)?
    } else if let Some(address) = text.strip_prefix("matrix:roomid/").or_else(|| text.strip_prefix("matrix:r/")) {
        format!("${}", address.split_once("/e/")?.1.split('?').next()?)
    } else {
        text.to_owned()
    };
    let rest = id.strip_prefix('$')?;
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+/=.:~".contains(&byte);
    (!rest.is_empty() && id.len() <= 255 && rest.bytes().all(inside)).then_some(id)
}

/// A segment of a path as it was before it was escaped (RFC 3986).
fn unescaped(segment: &str) -> Option<String> {
    let mut parts = segment.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend(rest.bytes());
    }
    String::from_utf8(out).ok()
}

/// A name as one segment of a path (RFC 3986).
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&crate::model::hex(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_in_three_ways() {
        let id = "$YUwRidLecu-_9:acme.example";
        assert_eq!(event_id(id).as_deref(), Some(id));
        for link in [
            "https://matrix.to/#/%21room%3Aacme.example/%24YUwRidLecu-_9%3Aacme.example?via=acme.example",
            "https://matrix.to/#/!room:acme.example/$YUwRidLecu-_9:acme.example",
            "https://matrix.to/#/%21room/%24%59UwRidLecu-_9%3aacme.example",
            "matrix:roomid/room:acme.example/e/YUwRidLecu-_9:acme.example?via=acme.example",
        ] {
            assert_eq!(event_id(link).as_deref(), Some(id), "{link}");
        }
        assert_eq!(event_id("https://matrix.to/#/!r/%24a%2Fb%2Bc").as_deref(), Some("$a/b+c"), "of room version 3");
        let cut = [
            "https://matrix.to/#/!room/%24a%",
            "https://matrix.to/#/!room/%24a%2",
            "https://matrix.to/#/!room/%24a%zz",
        ];
        for bad in cut.iter().copied().chain([
            "",
            "$",
            "1",
            "$a b",
            "https://matrix.to/#/!room",
            "https://acme.example/$a",
            "$a%2F",
            "matrix:r/a",
        ]) {
            assert_eq!(event_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_are_one_segment() {
        assert_eq!(segment("!a/b:c.example"), "%21a%2Fb%3Ac.example");
        assert_eq!(segment("#ä"), "%23%C3%A4");
    }
}
