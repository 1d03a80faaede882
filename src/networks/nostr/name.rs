//! Names for people: `npub1…`, `note1…`, `nevent1…` (NIP-19, read 2026-11-23). The only file that names `bech32`.

use bech32::{Bech32, Hrp};

use crate::model::hex;

use super::key::bytes32;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// Somebody, by the public key in hex.
    Person(String),
    /// An event, by its id in hex.
    Event(String),
}

/// A public key as `npub1…`.
pub(super) fn npub(public: &str) -> String {
    encoded("npub", bytes32(public).map(Vec::from))
}

/// An event's id as `nevent1…`, with a relay where it is found and who wrote it.
pub(super) fn nevent(id: &str, relay: Option<&str>, author: &str) -> String {
    let data = || {
        let mut data = vec![0, 32];
        data.extend(bytes32(id)?);
        if let Some(relay) = relay.filter(|relay| relay.is_ascii())
            && let Ok(length) = u8::try_from(relay.len())
        {
            data.extend([1, length]);
            data.extend(relay.bytes());
        }
        data.extend([2, 32]);
        data.extend(bytes32(author)?);
        Some(data)
    };
    encoded("nevent", data())
}

/// An event's id as `note1…`.
pub(super) fn note(id: &str) -> String {
    encoded("note", bytes32(id).map(Vec::from))
}

/// Empty for what is no id.
fn encoded(kind: &str, data: Option<Vec<u8>>) -> String {
    let Some(data) = data else { return String::new() };
    Hrp::parse(kind).ok().and_then(|kind| bech32::encode::<Bech32>(kind, &data).ok()).unwrap_or_default()
}

/// A secret key as `nsec1…`.
pub(super) fn secret(text: &str) -> Option<[u8; 32]> {
    let (kind, data) = bech32::decode(text).ok()?;
    (kind.as_str().eq_ignore_ascii_case("nsec")).then(|| data.try_into().ok())?
}

/// Reads a name: with or without `nostr:` (NIP-21).
pub(super) fn parse(text: &str) -> Option<Named> {
    let (kind, data) = bech32::decode(text.strip_prefix("nostr:").unwrap_or(text)).ok()?;
    let whole = |data: &[u8]| <[u8; 32]>::try_from(data).ok().map(|bytes| hex(&bytes));
    match kind.to_lowercase().as_str() {
        "npub" => whole(&data).map(Named::Person),
        "note" => whole(&data).map(Named::Event),
        "nprofile" => whole(special(&data)?).map(Named::Person),
        "nevent" => whole(special(&data)?).map(Named::Event),
        _ => None,
    }
}

/// The entry of type 0 in a list of entries, each with its type and length before it.
fn special(mut data: &[u8]) -> Option<&[u8]> {
    while let [kind, length, rest @ ..] = data {
        let value = rest.get(..usize::from(*length))?;
        if *kind == 0 {
            return Some(value);
        }
        data = &rest[usize::from(*length)..];
    }
    None
}

/// The id of an event as people write it: a name, an id in hex, or the address of a page with a name at its end.
pub(super) fn event(text: &str) -> Option<String> {
    if bytes32(text).is_some() {
        return Some(text.to_ascii_lowercase());
    }
    let last = match text.strip_prefix("https://") {
        Some(address) => address.trim_end_matches('/').rsplit('/').next()?,
        None => text,
    };
    match parse(last)? {
        Named::Event(id) => Some(id),
        Named::Person(_) => None,
    }
}

/// The names in a text that are written as NIP-21 has it: `nostr:npub1…`.
pub(super) fn mentioned(text: &str) -> Vec<Named> {
    let names = text.match_indices("nostr:").filter_map(|(at, _)| {
        let rest = &text[at + "nostr:".len()..];
        let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(rest.len());
        parse(&rest[..end])
    });
    let mut all = Vec::new();
    for name in names {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
    const NPUB: &str = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";

    /// The examples of NIP-19.
    #[test]
    fn nip_19s_vectors() {
        assert_eq!(npub(KEY), NPUB);
        assert_eq!(parse(NPUB), Some(Named::Person(KEY.to_owned())));
        let other = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";
        assert_eq!(npub(other), "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg");
        let nsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
        let bytes = secret(nsec).expect("a key");
        assert_eq!(hex(&bytes), "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa");
        let profile = "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv34kytnrdaksjlyr9p";
        assert_eq!(parse(profile), Some(Named::Person(KEY.to_owned())));
    }

    #[test]
    fn events_are_named_in_many_ways() {
        let named = nevent(KEY, Some("wss://relay.example"), KEY);
        assert!(named.starts_with("nevent1"), "{named}");
        for text in [
            KEY,
            &KEY.to_uppercase(),
            &note(KEY),
            &named,
            &format!("nostr:{named}"),
            &format!("https://njump.example/{named}"),
        ] {
            assert_eq!(event(text).as_deref(), Some(KEY), "{text}");
        }
        for bad in ["", "1", NPUB, "note1x", "https://fedi.example/@bob/1", "nevent1"] {
            assert_eq!(event(bad), None, "{bad}");
        }
    }

    #[test]
    fn names_in_a_text() {
        let text = format!("Hi nostr:{NPUB}, nostr:{NPUB}! See nostr:{} or nostr:nothing, {NPUB}", note(KEY));
        assert_eq!(mentioned(&text), [Named::Person(KEY.to_owned()), Named::Event(KEY.to_owned())]);
    }
}
