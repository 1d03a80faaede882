//! Asking for tokens, and what the answers mean.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::form::Form;
use crate::adapter::http::{Answer, Http, Request};
use crate::adapter::{Fault, Refusal};

/// A life longer than this is as good as any: dates must not run over.
const LONGEST: i64 = 100 * 365 * 24 * 3600;

/// Tokens that were handed out.
pub(super) struct Tokens {
    pub(super) access: SecretString,
    /// `None`: it does not end, or the server does not say.
    pub(super) access_ends: Option<DateTime<Utc>>,
    /// `None`: none, or the one that is there stays.
    pub(super) refresh: Option<SecretString>,
    pub(super) refresh_ends: Option<DateTime<Utc>>,
    /// `None`: those asked for.
    pub(super) scopes: Option<Vec<String>>,
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoTokens {
    /// Provably nothing arrived.
    NotSent(String),
    /// A "no" in OAuth's words: nothing was handed out.
    Denied {
        /// OAuth's word for it, such as `invalid_grant`.
        error: String,
        /// For people, in the server's words.
        message: String,
    },
    /// The server cannot now, and says that it did nothing.
    Busy {
        /// For people.
        message: String,
        /// Not before this.
        retry_at: Option<DateTime<Utc>>,
    },
    /// An answer, but none of OAuth's, such as a proxy's: whether tokens were handed out is open.
    Unclear {
        /// For people.
        message: String,
        /// Not before this.
        retry_at: Option<DateTime<Utc>>,
    },
    /// No answer, or no whole one: tokens may have been handed out.
    Lost(String),
}

impl NoTokens {
    /// For a sign-in: it is begun again, so nothing hangs on what was lost.
    pub(super) fn into_fault(self) -> Fault {
        match self {
            Self::NotSent(message) => Fault::NotSent(message),
            Self::Denied { error, message } => {
                let advice = match error.as_str() {
                    "invalid_grant" | "expired_token" => "; begin the sign-in again",
                    "access_denied" => "; nothing was granted",
                    "invalid_client" | "unauthorized_client" => "; see that the client's id and secret are right",
                    _ => "",
                };
                Fault::refused(Refusal::Credentials, format!("the server refuses to sign in: {message}{advice}"))
            }
            Self::Busy { message, retry_at } | Self::Unclear { message, retry_at } => {
                Fault::Refused { refusal: Refusal::Busy, message, retry_at }
            }
            Self::Lost(message) => {
                Fault::NotSent(format!("the answer to the sign-in was lost ({message}); begin it again"))
            }
        }
    }
}

/// RFC 6749, section 5.1. Servers are not of one mind about numbers and null.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Value,
    refresh_token: Option<String>,
    #[serde(default)]
    refresh_expires_in: Value,
    #[serde(default)]
    refresh_token_expires_in: Value,
    scope: Option<String>,
    /// Instagram's word for scopes, with commas between them.
    permissions: Option<String>,
}

/// Instagram puts the answer into a list (Instagram API with Instagram Login, Business Login, read 2026-11-23).
#[derive(Deserialize)]
struct Listed {
    data: [TokenAnswer; 1],
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Denial {
    error: String,
    error_description: Option<String>,
}

/// Asks for tokens, once: no repeat, no redirect, a fresh connection. What a code or a refresh token is good for may be used
/// up by it, whatever becomes of the answer. `now` is the present, before the request goes.
pub(super) async fn ask(
    http: &Http,
    url: &str,
    client: &Client,
    form: Form,
    now: DateTime<Utc>,
) -> Result<Tokens, NoTokens> {
    send(http, client.sign(form, url), now).await
}

/// Exchanges an access token for one that lives longer ([`crate::adapter::LongLived`]), once. `secret` is the app's. What
/// was exchanged stays good until it ends, so that it may be done again.
pub(super) async fn exchange(
    http: &Http,
    (url, grant_type): (&str, &str),
    access: &SecretString,
    secret: Option<&SecretString>,
    now: DateTime<Utc>,
) -> Result<Tokens, NoTokens> {
    let mut request = Request::get(url).header("accept", "application/json").query("grant_type", grant_type);
    if let Some(secret) = secret {
        request = request.query("client_secret", secret.expose_secret()).hide(secret.clone());
    }
    send(http, request.query("access_token", access.expose_secret()).hide(access.clone()), now).await
}

async fn send(http: &Http, request: Request, now: DateTime<Utc>) -> Result<Tokens, NoTokens> {
    let answer = http.publish(request).await.map_err(|fault| match fault {
        Fault::NotSent(message) => NoTokens::NotSent(message),
        Fault::Refused { message, .. } | Fault::Unknown(message) => NoTokens::Lost(message),
    })?;
    if answer.is_success() { tokens(&answer, now) } else { Err(refusal(&answer, now)) }
}

fn tokens(answer: &Answer, now: DateTime<Utc>) -> Result<Tokens, NoTokens> {
    // No word of the answer is shown: it may hold tokens.
    let told: TokenAnswer = serde_json::from_slice(&answer.body)
        .or_else(|_| serde_json::from_slice::<Listed>(&answer.body).map(|Listed { data: [told] }| told))
        .map_err(|_| NoTokens::Lost("the answer holds no token".to_owned()))?;
    if told.access_token.is_empty() {
        return Err(NoTokens::Lost("the answer holds no token".to_owned()));
    }
    if told.token_type.as_ref().is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        let message = "the server hands out tokens of a kind that smm does not know, where bearer tokens are expected";
        return Err(NoTokens::Denied { error: "token_type".to_owned(), message: message.to_owned() });
    }
    let ends = |value: &Value| seconds(value).map(|seconds| now + TimeDelta::seconds(seconds));
    Ok(Tokens {
        access: SecretString::from(told.access_token),
        access_ends: ends(&told.expires_in),
        refresh: told.refresh_token.filter(|token| !token.is_empty()).map(SecretString::from),
        refresh_ends: ends(&told.refresh_expires_in).or_else(|| ends(&told.refresh_token_expires_in)),
        scopes: told.scope.or(told.permissions).map(|scopes| {
            let words = scopes.split(|c: char| c == ',' || c.is_whitespace());
            words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }),
    })
}

/// A life in seconds, as a number or as text. 0 and less are no life: it is not said, then.
fn seconds(value: &Value) -> Option<i64> {
    let seconds = match value {
        #[expect(clippy::cast_possible_truncation, reason = "beyond the longest life it is cut anyway")]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds as i64))?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds > 0).then_some(seconds.min(LONGEST))
}

/// What an answer that is no success means, in the server's words. No secret that it was sent is in them.
pub(super) fn told(answer: &Answer, now: DateTime<Utc>) -> Fault {
    let words = answer.json::<Denial>().ok().map(|denial| match &denial.error_description {
        Some(description) => shown(&format!("{}: {description}", denial.error)),
        None => shown(&denial.error),
    });
    answer.fault(false, words, now)
}

fn refusal(answer: &Answer, now: DateTime<Utc>) -> NoTokens {
    let denial: Option<Denial> = answer.json().ok();
    let (message, retry_at) = (told(answer, now).to_string(), answer.retry_after(now));
    match (answer.status, denial) {
        // 503: by HTTP's definition it has not taken the request up.
        (429 | 503, _) => NoTokens::Busy { message, retry_at },
        (400..500, Some(denial)) if denial.error == "temporarily_unavailable" => NoTokens::Busy { message, retry_at },
        (400..500, Some(denial)) => NoTokens::Denied { error: denial.error, message },
        _ => NoTokens::Unclear { message, retry_at },
    }
}

/// Foreign words, fit for a terminal.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Whether two secrets are the same.
pub(super) fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lives_are_numbers_texts_or_not_said() {
        for (value, expected) in [
            (json!(600), Some(600)),
            (json!("600"), Some(600)),
            (json!(599.5), Some(599)),
            (json!(i64::MAX), Some(LONGEST)),
            (json!(u64::MAX), Some(LONGEST)),
            (json!(0), None),
            (json!(-5), None),
            (json!("soon"), None),
            (json!(null), None),
        ] {
            assert_eq!(seconds(&value), expected, "{value}");
        }
    }
}
