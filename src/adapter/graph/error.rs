//! What the Graph API's errors mean.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::super::http::Answer;
use super::super::{Fault, Refusal};
use super::Graph;
use super::quota::QUOTA_AGAIN;

/// An error of the Graph API (Graph API, handling errors, read 2026-11-23).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wrong {
    message: String,
    code: i64,
    error_subcode: i64,
    is_transient: bool,
    error_user_msg: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    error: Wrong,
}

/// What a proxy or another server may say.
#[derive(Debug, Deserialize)]
struct PlainError {
    error: String,
}

impl Graph {
    /// What an answer that is no success means.
    pub fn fault(&self, answer: &Answer, irreversible: bool) -> Fault {
        let now = self.now();
        let Ok(ErrorBody { error }) = answer.json::<ErrorBody>() else {
            let own = answer.json::<PlainError>().ok().map(|plain| plain.error);
            return answer.fault(irreversible, own, now);
        };
        let said = error.error_user_msg.as_deref().filter(|words| !words.is_empty()).unwrap_or(&error.message);
        let told = format!("{said} (code {}, {})", error.code, error.error_subcode);
        let (message, retry_at, first) = match answer.fault(irreversible, Some(told), now) {
            Fault::Refused { refusal, message, retry_at } => (message, retry_at, refusal),
            other => return other,
        };
        let retry_at = || retry_at.or_else(|| regained(answer, now));
        match (meaning(&error), first) {
            (Some(Meaning::Open), _) if irreversible => Fault::Unknown(message),
            (Some(Meaning::Open), _) => Fault::Refused { refusal: Refusal::Busy, message, retry_at: retry_at() },
            (Some(Meaning::No(Refusal::RateLimited)), _) => {
                let retry_at = retry_at().or(Some(now + QUOTA_AGAIN));
                Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
            }
            // Whatever else a token is refused for has a code of its own.
            (None, Refusal::Credentials) if answer.status != 401 => Fault::refused(Refusal::Forbidden, message),
            (Some(Meaning::No(refusal)), _) | (None, refusal) => {
                Fault::Refused { refusal, message, retry_at: retry_at() }
            }
        }
    }
}

/// What an error's numbers say, where they say more than the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A definite "no".
    No(Refusal),
    /// An error of the network's own: what was done is open.
    Open,
}

/// Codes: Graph API, handling errors and rate limiting. Subcodes: Instagram Platform, error codes, which come with status 400
/// whatever they mean (both read 2026-11-23). A subcode says more than its code: 4 is a rate limit, but with 2207051 spam.
fn meaning(error: &Wrong) -> Option<Meaning> {
    use Meaning::{No, Open};

    Some(match (error.code, error.error_subcode) {
        (_, 2_207_050 | 2_207_051) => No(Refusal::Forbidden),
        (_, 2_207_042) | (4 | 17 | 32 | 341 | 613 | 80_001..=80_014, _) => No(Refusal::RateLimited),
        // The container is not to be had yet, or no longer: "try again", with the same or a new one.
        (24, _) | (_, 2_207_027) => No(Refusal::Busy),
        (102 | 190, _) => No(Refusal::Credentials),
        (100, 33) => No(Refusal::Gone),
        (3 | 10 | 200..=299 | 368, _) => No(Refusal::Forbidden),
        (506, _) => No(Refusal::Duplicate),
        // -1 is a "server error", -2 a time-out.
        (-2 | -1 | 1 | 2, _) => Open,
        _ if error.is_transient => Open,
        _ => return None,
    })
}

/// The network refuses the token itself.
pub(super) fn is_token_refused(answer: &Answer) -> bool {
    answer.status == 401
        || ((400..500).contains(&answer.status)
            && answer.json::<ErrorBody>().is_ok_and(|body| matches!(body.error.code, 102 | 190)))
}

/// When calls are free again, as the usage header tells in minutes (Graph API, rate limiting, read 2026-11-23).
fn regained(answer: &Answer, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let usage: Value = serde_json::from_str(answer.header("x-business-use-case-usage")?).ok()?;
    let uses = usage.as_object()?.values().filter_map(Value::as_array).flatten();
    let minutes = uses.filter_map(|one| one.get("estimated_time_to_regain_access")?.as_i64()).max()?;
    (1..=60 * 24 * 30).contains(&minutes).then(|| now + TimeDelta::minutes(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Instagram Platform, error codes, as far as it is about publishing, and the common codes.
    #[test]
    fn numbers_of_errors() {
        use Meaning::{No, Open};

        for (code, subcode, wanted) in [
            (190, 463, Some(No(Refusal::Credentials))),
            (9, 2_207_042, Some(No(Refusal::RateLimited))),
            (4, 0, Some(No(Refusal::RateLimited))),
            (4, 2_207_051, Some(No(Refusal::Forbidden))),
            (25, 2_207_050, Some(No(Refusal::Forbidden))),
            (9007, 2_207_027, Some(No(Refusal::Busy))),
            (24, 2_207_006, Some(No(Refusal::Busy))),
            (24, 2_207_008, Some(No(Refusal::Busy))),
            (-1, 2_207_001, Some(Open)),
            (-1, 2_207_032, Some(Open)),
            (-1, 2_207_053, Some(Open)),
            (-2, 2_207_003, Some(Open)),
            (-2, 2_207_020, Some(Open)),
            (2, 0, Some(Open)),
            (9004, 2_207_052, None),
            (36000, 2_207_004, None),
            (36003, 2_207_009, None),
            (36004, 2_207_010, None),
            (352, 2_207_026, None),
            (100, 2_207_028, None),
        ] {
            let wrong = Wrong { code, error_subcode: subcode, ..Wrong::default() };
            assert_eq!(meaning(&wrong), wanted, "{code}, {subcode}");
        }
        let wrong = Wrong { code: 9999, is_transient: true, ..Wrong::default() };
        assert_eq!(meaning(&wrong), Some(Open));
    }
}
