//! Names and identities. Everything that names an effect is derived, never random, so that a lost ledger, a second
//! machine or a re-run arrives at the same name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A name that breaks the rule for its kind. `Display` says which rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A copy shares its text: a calendar's deliveries are many, their names few.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is: for names that were checked before, such as those read from a ledger.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self::new)
            }
        }
    };
}

text_name! {
    /// The calendar's `name`: with a post's id it names a delivery for ever.
    CalendarName
}
text_name! {
    /// A post's stable `id` in its calendar.
    PostId
}
text_name! {
    /// An account's name in `smm.toml` (or of a `feed` in the calendar): `[a-z][a-z0-9-]*`.
    AccountName
}
text_name! {
    /// One time that a post is due. Its name never changes with edits: the post's id for a one-off, `id@civil-time` for
    /// a series, `id@tag` for a release.
    OccurrenceName
}

impl PostId {
    /// Accepts `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 100 bytes: an id is part of file names, URLs and commands.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let good = text.len() <= 100
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if good {
            Ok(Self::new(text))
        } else {
            Err(InvalidName(
                "an id starts with a letter or digit and has only letters, digits, `-`, `_` and `.`, at most 100"
                    .to_owned(),
            ))
        }
    }
}

impl AccountName {
    /// Accepts `[a-z][a-z0-9-]*`, at most 40 bytes. Names that the environment needs for itself are refused.
    /// A network's name is refused by the caller, who knows the networks.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        const RESERVED: [&str; 6] = ["alert", "calendar", "config", "ledger", "media-host", "vault"];
        let good = text.len() <= 40
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !good {
            return Err(InvalidName(
                "an account's name starts with a small letter and has only small letters, digits and `-`, at most 40"
                    .to_owned(),
            ));
        }
        if RESERVED.contains(&text) || text.starts_with("alert-") {
            return Err(InvalidName(format!("`{text}` is a word that smm needs for itself")));
        }
        Ok(Self::new(text))
    }
}

impl OccurrenceName {
    /// The single occurrence of an `at` post. `name` is the post's id, or the id that it was renamed from.
    pub fn once(name: &PostId) -> Self {
        Self(Arc::clone(&name.0))
    }

    /// One time of a series, by its nominal civil time: what the rule says, whatever the clock did that day.
    pub fn civil(name: &PostId, nominal: NaiveDateTime) -> Self {
        Self::new(format!("{name}@{}", nominal.format(CIVIL)))
    }

    /// A release, by its tag.
    pub fn release(name: &PostId, tag: &str) -> Self {
        Self::new(format!("{name}@{tag}"))
    }

    /// The tag, when it is a release. No tag looks like a time of a series: git allows no `:` in one.
    pub fn tag(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, of)| of).filter(|of| Self::read_civil(of).is_none())
    }

    /// Reads the nominal civil time behind a series' name.
    pub fn read_civil(text: &str) -> Option<NaiveDateTime> {
        NaiveDateTime::parse_from_str(text, CIVIL).ok()
    }
}

/// How a nominal civil time is written in an occurrence's name.
const CIVIL: &str = "%Y-%m-%dT%H:%M:%S";

/// The name of a delivery: 16 bytes, derived from calendar, occurrence and account, shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId([u8; 16]);

impl DeliveryId {
    /// Derives the id. The parts are length-prefixed, so no two different triples can run together.
    pub fn derive(calendar: &CalendarName, occurrence: &OccurrenceName, account: &AccountName) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"smm delivery v1");
        for part in [calendar.as_str(), occurrence.as_str(), account.as_str()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }

    /// The least of all.
    pub const MIN: Self = Self([0; 16]);

    /// 32 bytes for one purpose of this delivery: an idempotency key, a record key. `generation` rises only when a
    /// person says "post again"; everything else gives the same bytes on every machine, for ever.
    pub fn derive_bytes(self, purpose: &str, part: u16, generation: u32) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"smm derived v1");
        hash.update(self.0);
        hash.update((purpose.len() as u64).to_be_bytes());
        hash.update(purpose.as_bytes());
        hash.update(part.to_be_bytes());
        hash.update(generation.to_be_bytes());
        hash.finalize().into()
    }

    /// The first twelve hex digits: what tables show.
    pub fn short(self) -> String {
        self.to_string()[..12].to_owned()
    }
}

/// Bytes as small hex digits. The formatting machinery would take ten times as long, and there are keys in every plan.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || InvalidName(format!("`{text}` is not a delivery's id (32 hex digits)"));
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad());
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(id))
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeliveryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_ever() {
        let id = DeliveryId::derive(
            &CalendarName::new("acme"),
            &OccurrenceName::once(&PostId::new("launch-2-0")),
            &AccountName::new("bsky"),
        );
        // Changing this value would publish every post of every calendar again.
        assert_eq!(id.to_string(), "5cc4f05b5b08cf37d35627a886f2f858");
        assert_eq!(id.to_string().parse::<DeliveryId>(), Ok(id));
    }

    #[test]
    fn parts_do_not_run_together() {
        let id = |calendar: &str, occurrence: &str| {
            DeliveryId::derive(&CalendarName::new(calendar), &OccurrenceName::new(occurrence), &AccountName::new("a"))
        };
        assert_ne!(id("ab", "c"), id("a", "bc"));
    }

    #[test]
    fn a_release_is_told_from_a_time() {
        let post = PostId::new("p");
        let tag = |name: OccurrenceName| name.tag().map(str::to_owned);
        assert_eq!(tag(OccurrenceName::once(&post)), None);
        let nominal = "2026-12-01T09:00:00".parse().expect("a time");
        assert_eq!(tag(OccurrenceName::civil(&post, nominal)), None);
        for name in ["v2.0.0", "@acme/cli@2.0.0", "2026-12-01"] {
            assert_eq!(tag(OccurrenceName::release(&post, name)).as_deref(), Some(name));
        }
    }

    #[test]
    fn names_have_rules() {
        assert!(AccountName::parse("bsky-team").is_ok());
        for bad in ["", "Bsky", "2fast", "vault", "a_b", "ä"] {
            assert!(AccountName::parse(bad).is_err(), "{bad}");
        }
        assert!(PostId::parse("2026/12").is_err());
        assert!(PostId::parse("launch-2.0_final").is_ok());
    }
}
