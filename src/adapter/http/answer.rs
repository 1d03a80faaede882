//! What a server said.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use super::super::redact::redacted;
use super::super::{Fault, Refusal};

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The URL that answered at last.
    pub url: String,
    /// Only the start of the body was read ([`super::Http::page`] alone).
    pub cut: bool,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) hidden: Vec<SecretString>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // It tells the values that were not expected.
            self.without_secrets(format!("the answer is not what was expected: {error}"))
        })
    }

    /// When the server wants to be asked again: `Retry-After`, in seconds or as a date.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse::<u64>() {
            // A century is as good as any longer time: a person is asked long before.
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            return Some(now + chrono::Duration::seconds(i64::from(seconds)));
        }
        DateTime::parse_from_rfc2822(value).ok().map(|at| at.with_timezone(&Utc))
    }

    /// What an answer that is no success means. `own` is the network's own error message, found in the body: a "no"
    /// without it may come from a proxy in between and proves nothing when the call was `irreversible`.
    pub fn fault(&self, irreversible: bool, own: Option<String>, now: DateTime<Utc>) -> Fault {
        let status = self.status;
        let own_words = own.is_some();
        let said = self.without_secrets(own.unwrap_or_else(|| self.excerpt()));
        let message = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
        let refused = |refusal| Fault::Refused { refusal, message: message.clone(), retry_at: self.retry_after(now) };
        match status {
            429 => refused(Refusal::RateLimited),
            200..400 | 408 | 409 | 425 | 500.. if irreversible => Fault::Unknown(message),
            400..500 if irreversible && !own_words => Fault::Unknown(message),
            401 => refused(Refusal::Credentials),
            403 => refused(Refusal::Forbidden),
            404 | 410 => refused(Refusal::Gone),
            400..408 | 411..425 | 426..500 => refused(Refusal::Invalid),
            // A repeatable call: nothing that matters was done.
            _ => refused(Refusal::Busy),
        }
    }

    /// The start of a body that is not the network's own error, for messages. Secrets go first: half of one is one too.
    fn excerpt(&self) -> String {
        let text = self.without_secrets(String::from_utf8_lossy(&self.body).into_owned());
        let text: String = text.chars().take(300).collect();
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().filter(|c| !c.is_control()).take(160).collect()
    }

    /// A text that the server had a part in, without the secrets that it was sent.
    pub fn without_secrets(&self, text: String) -> String {
        redacted(text, &self.hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_in_seconds_or_as_a_date_when_to_come_again() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let of = |value: &str| {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert("retry-after", value.parse().expect("a header"));
            let answer =
                Answer { status: 429, body: Vec::new(), url: String::new(), cut: false, headers, hidden: Vec::new() };
            answer.retry_after(now).map(|at| (at - now).num_seconds())
        };
        assert_eq!(of("120"), Some(120));
        assert_eq!(of(" 0 "), Some(0));
        assert_eq!(of("1000000000"), Some(1_000_000_000));
        assert_eq!(of("99999999999999"), Some(i64::from(u32::MAX)));
        assert_eq!(of("Fri, 15 Jan 2027 08:05:00 GMT"), Some(300));
        assert_eq!(
            of("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777 - 1_800_000_000),
            "gone by: the back-off holds"
        );
        for garbage in ["soon", "-5", "1.5", "", "12 seconds", "Fri, 99 Jan 2027 08:05:00 GMT"] {
            assert_eq!(of(garbage), None, "{garbage}");
        }
    }
}
