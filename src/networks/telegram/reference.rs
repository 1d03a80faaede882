//! Which message is meant: its address, or its number.

use serde::{Deserialize, Serialize};

/// A message, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reference {
    /// The chat, `@name` or a number; `None`: that of the account.
    pub(super) chat: Option<String>,
    /// The message's number.
    pub(super) message: i64,
}

impl Reference {
    /// Reads `123`, `https://t.me/name/123` and `https://t.me/c/1234567890/123`; with a topic between the two as well.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(message) = number(text) {
            return Some(Self { chat: None, message });
        }
        let url = url::Url::parse(text).ok()?;
        if !matches!(url.scheme(), "http" | "https")
            || !matches!(url.host_str()?, "t.me" | "telegram.me" | "telegram.dog")
        {
            return None;
        }
        let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
        let (chat, rest) = match parts.as_slice() {
            ["c", id, rest @ ..] => (format!("-100{}", number(id)?), rest),
            ["s", name, rest @ ..] | [name, rest @ ..] => (format!("@{name}"), rest),
            [] => return None,
        };
        let message = match rest {
            [message] | [_, message] => number(message)?,
            _ => return None,
        };
        Some(Self { chat: Some(chat), message })
    }
}

/// A positive number in digits alone.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|number| *number > 0)
}

/// The number of a message that Telegram has taken and sends later, such as one with a film in a large chat: it is of no use
/// until then, and nobody is told of it (Bot API 10.1, `Message`, 2026-11-23).
pub(super) const LATER: i64 = 0;

/// Where people see a message: in a public chat by its name, in a private supergroup or channel by its number. `None`: it
/// has no address (a plain group, or a message that is sent later).
pub(super) fn address(name: Option<&str>, chat: i64, message: i64) -> Option<String> {
    if message == LATER {
        return None;
    }
    match (name, chat.to_string().strip_prefix("-100")) {
        (Some(name), _) => Some(format!("https://t.me/{name}/{message}")),
        (None, Some(id)) => Some(format!("https://t.me/c/{id}/{message}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_addresses() {
        let read = |text: &str| Reference::parse(text).map(|found| (found.chat.unwrap_or_default(), found.message));
        let of = |chat: &str, message: i64| Some((chat.to_owned(), message));
        assert_eq!(read("17"), of("", 17));
        assert_eq!(read("https://t.me/acme/17"), of("@acme", 17));
        assert_eq!(read("https://t.me/s/acme/17"), of("@acme", 17));
        assert_eq!(read("https://t.me/acme/5/17?single"), of("@acme", 17));
        assert_eq!(read("https://t.me/c/1234567890/17"), of("-1001234567890", 17));
        for odd in ["", " ", "-1", "0", "1e3", "acme", "https://t.me", "https://t.me/acme", "https://t.me/acme/x"] {
            assert_eq!(read(odd), None, "{odd}");
        }
        assert_eq!(read("https://elsewhere.example/acme/17"), None);
        assert_eq!(read("99999999999999999999999"), None);
    }

    #[test]
    fn what_is_published_has_an_address() {
        let made = address(Some("acme"), -1_001_234_567_890, 17).expect("an address");
        assert_eq!(Reference::parse(&made), Some(Reference { chat: Some("@acme".to_owned()), message: 17 }));
        let made = address(None, -1_001_234_567_890, 17).expect("an address");
        assert_eq!(Reference::parse(&made), Some(Reference { chat: Some("-1001234567890".to_owned()), message: 17 }));
        assert_eq!(address(None, -4711, 17), None);
        assert_eq!(address(Some("acme"), -1_001_234_567_890, LATER), None);
    }
}
