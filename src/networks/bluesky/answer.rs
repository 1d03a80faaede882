//! What an answer that is no success means.

use chrono::{DateTime, Utc};

use crate::adapter::http::Answer;
use crate::adapter::{Fault, Refusal};

use super::wire::ErrorBody;

/// What an answer that is no success means.
pub(super) fn refusal(answer: &Answer, irreversible: bool, now: DateTime<Utc>) -> Fault {
    let own = answer.json::<ErrorBody>().ok().map(|error| error.told());
    let fault = answer.fault(irreversible, own, now);
    match fault {
        Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None } => {
            // Seconds since 1970.
            let reset = answer.header("ratelimit-reset").and_then(|value| value.trim().parse().ok());
            let retry_at = reset.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
        }
        Fault::Refused { message, retry_at, .. } if is_worn(answer) => {
            Fault::Refused { refusal: Refusal::Credentials, message, retry_at }
        }
        fault => fault,
    }
}

/// The error's word for programs.
pub(super) fn word(answer: &Answer) -> Option<String> {
    if answer.is_success() { None } else { Some(answer.json::<ErrorBody>().ok()?.error) }
}

/// The token was refused as such: nothing was done.
pub(super) fn is_worn(answer: &Answer) -> bool {
    match answer.status {
        400 => matches!(word(answer).as_deref(), Some("ExpiredToken" | "InvalidToken")),
        401 => word(answer).is_some(),
        _ => false,
    }
}
