//! What goes over the wire: events, what a relay says, what it says of itself.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::hex;

use super::key::{Key, bytes32, is_signed};

/// A short text (NIP-01).
pub(super) const NOTE: u16 = 1;
/// A request to delete (NIP-09).
pub(super) const DELETION: u16 = 5;
/// A repost, and one of what is no text (NIP-18).
pub(super) const REPOSTS: [u16; 2] = [6, 16];
/// A reaction (NIP-25).
pub(super) const REACTION: u16 = 7;
/// Signing in to a relay (NIP-42).
pub(super) const AUTHENTICATION: u16 = 22_242;
/// Leave to upload (BUD-01).
pub(super) const UPLOAD: u16 = 24_242;

/// An event (NIP-01). Its id is the hash of all but the signature, so it may be signed later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) pubkey: String,
    /// Seconds since 1970.
    pub(super) created_at: i64,
    pub(super) kind: u16,
    pub(super) tags: Vec<Vec<String>>,
    pub(super) content: String,
    /// Empty until it is signed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) sig: String,
}

impl Event {
    /// An event with its id, not yet signed.
    pub(super) fn new(
        pubkey: impl Into<String>,
        created_at: i64,
        kind: u16,
        tags: Vec<Vec<String>>,
        content: impl Into<String>,
    ) -> Self {
        let (pubkey, content) = (pubkey.into(), content.into());
        let mut event = Self { id: String::new(), pubkey, created_at, kind, tags, content, sig: String::new() };
        event.id = event.hash();
        event
    }

    fn hash(&self) -> String {
        let written = json!([0, self.pubkey, self.created_at, self.kind, self.tags, self.content]).to_string();
        hex(&Sha256::digest(written.as_bytes()))
    }

    /// The same with a signature.
    pub(super) fn signed(mut self, key: &Key) -> Result<Self, String> {
        let hash = bytes32(&self.id).ok_or("the event has no id")?;
        self.sig = key.sign(&hash)?;
        Ok(self)
    }

    /// Its id is its hash, and it is signed by whom it says.
    pub(super) fn is_genuine(&self) -> bool {
        self.id == self.hash() && is_signed(&self.pubkey, &self.id, &self.sig)
    }

    /// The values of the tags with this name.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.tags
            .iter()
            .filter(move |tag| tag.first().is_some_and(|first| first == name))
            .filter_map(|tag| tag.get(1))
            .map(String::as_str)
    }

    /// The event that the thread of this one begins with, where it is not this one: marked, or by its place (NIP-10).
    pub(super) fn root(&self) -> Option<&str> {
        let tags = || self.tags.iter().filter(|tag| tag.first().is_some_and(|name| name == "e"));
        let marked = tags().find(|tag| tag.get(3).is_some_and(|mark| mark == "root"));
        let any_mark = tags().any(|tag| tag.get(3).is_some_and(|mark| !mark.is_empty()));
        let tag = if any_mark { marked } else { tags().next() };
        tag.and_then(|tag| tag.get(1)).map(String::as_str)
    }

    /// The event that this one answers.
    pub(super) fn answers(&self) -> Option<&str> {
        let tags = || self.tags.iter().filter(|tag| tag.first().is_some_and(|name| name == "e"));
        let marked = |mark: &str| tags().find(|tag| tag.get(3).is_some_and(|own| own == mark));
        let any_mark = tags().any(|tag| tag.get(3).is_some_and(|mark| !mark.is_empty()));
        let tag = if any_mark { marked("reply").or_else(|| marked("root")) } else { tags().next_back() };
        tag.and_then(|tag| tag.get(1)).map(String::as_str)
    }
}

/// What a relay says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// Whether an event was taken.
    Ok { id: String, taken: bool, message: String },
    /// An event that was asked for.
    Event(Box<Event>),
    /// That was all that is stored.
    EndOfStored,
    /// There is no more to come, or nothing at all.
    Closed(String),
    /// A word to people.
    Notice(String),
    /// What is to be signed to prove who one is.
    Challenge(String),
    /// Anything else.
    Other,
}

impl Said {
    pub(super) fn parse(text: &str) -> Self {
        let Ok(Value::Array(said)) = serde_json::from_str::<Value>(text) else { return Self::Other };
        let string = |at: usize| said.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        match string(0).as_str() {
            "OK" => match said.get(2).and_then(Value::as_bool) {
                Some(taken) => Self::Ok { id: string(1), taken, message: string(3) },
                None => Self::Other,
            },
            "EVENT" => match said.get(2).and_then(|event| serde_json::from_value(event.clone()).ok()) {
                Some(event) => Self::Event(Box::new(event)),
                None => Self::Other,
            },
            "EOSE" => Self::EndOfStored,
            "CLOSED" => Self::Closed(string(2)),
            "NOTICE" => Self::Notice(string(1)),
            "AUTH" => Self::Challenge(string(1)),
            _ => Self::Other,
        }
    }
}

/// What a relay says of itself (NIP-11).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RelayInformation {
    pub(super) limitation: Limitation,
}

/// Its limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Limitation {
    /// Most characters of an event's content.
    pub(super) max_content_length: Option<u64>,
}

/// What a media server says of a file (BUD-02).
#[derive(Debug, Deserialize)]
pub(super) struct Descriptor {
    pub(super) url: String,
    pub(super) sha256: String,
}

/// The error of a media server (BUD-01).
#[derive(Debug, Deserialize)]
pub(super) struct MediaError {
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The event that BUD-02 shows as its example has the id that it should have.
    #[test]
    fn an_id_is_a_hash() {
        let tag = |name: &str, value: &str| vec![name.to_owned(), value.to_owned()];
        let event = Event::new(
            "b53185b9f27962ebdf76b8a9b0a84cd8b27f9f3d4abd59f715788a3bf9e7f75e",
            1_708_773_959,
            UPLOAD,
            vec![
                tag("t", "upload"),
                tag("x", "b1674191a88ec5cdd733e4240a81803105dc412d6c6708d53ab94fc248f4f553"),
                tag("expiration", "1708858680"),
            ],
            "Upload bitcoin.pdf",
        );
        assert_eq!(event.id, "bb653c815da18c089f3124b41c4b5ec072a40b87ca0f50bbbc6ecde9aca442eb");
        let sig = "d0d58c92afb3f4f1925120b99c39cffe77d93e82f488c5f8f482e8f97df75c5357175b5098c338661c37d1074b0a18ab5e75a9df08967bfb200930ec6a76562f";
        let event = Event { sig: sig.to_owned(), ..event };
        assert!(event.is_genuine());
        assert!(!Event { content: "Upload another.pdf".to_owned(), ..event }.is_genuine());
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for odd in [
            "",
            "{}",
            "[]",
            "[1]",
            "[\"OK\"]",
            "[\"OK\",\"id\",\"yes\"]",
            "[\"EVENT\",\"smm\",{}]",
            "null",
            "[\"COUNT\",\"a\",{}]",
        ] {
            assert_eq!(Said::parse(odd), Said::Other, "{odd}");
        }
        assert_eq!(Said::parse("[\"CLOSED\",\"smm\"]"), Said::Closed(String::new()));
    }

    #[test]
    fn threads_are_read_by_mark_and_by_place() {
        let event = |tags: &[[&str; 4]]| {
            let tags = tags.iter().map(|tag| tag.iter().map(|&value| value.to_owned()).collect()).collect();
            Event::new("", 0, NOTE, tags, "")
        };
        let of = |tags: &[[&str; 4]]| {
            let event = event(tags);
            (event.root().map(str::to_owned), event.answers().map(str::to_owned))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(&[]), (None, None));
        assert_eq!(of(&[["e", "a", "", "root"]]), (some("a"), some("a")));
        assert_eq!(of(&[["e", "a", "", "root"], ["e", "b", "", "reply"]]), (some("a"), some("b")));
        assert_eq!(of(&[["e", "a", "", ""], ["e", "b", "", ""]]), (some("a"), some("b")));
        assert_eq!(of(&[["e", "a", "", "mention"]]), (None, None));
    }
}
