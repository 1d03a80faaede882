//! A session: what signing in gave. Kept in memory alone.

use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;

use super::wire::SessionAnswer;

/// What signing in gave.
pub(super) struct Session {
    /// The access token: two hours on the official server.
    pub(super) access: SecretString,
    /// The refresh token: months.
    pub(super) refresh: SecretString,
    /// Whose it is.
    pub(super) did: String,
    /// What people call it.
    pub(super) handle: String,
    expires: Option<DateTime<Utc>>,
}

impl From<SessionAnswer> for Session {
    fn from(answer: SessionAnswer) -> Self {
        let expires = expiry(&answer.access_jwt);
        Self {
            access: SecretString::from(answer.access_jwt),
            refresh: SecretString::from(answer.refresh_jwt),
            did: answer.did,
            handle: answer.handle,
            expires,
        }
    }
}

impl Session {
    /// The access token holds for long enough to make a call. One that does not say is taken to hold.
    pub(super) fn holds(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_none_or(|at| at > now + Duration::seconds(120))
    }
}

/// When a token ends, as it says itself. Its signature is the server's business.
fn expiry(token: &str) -> Option<DateTime<Utc>> {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: i64,
    }
    let claims = base64url(token.split('.').nth(1)?)?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    DateTime::from_timestamp(claims.exp, 0)
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut have) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have & 0xff) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_end() {
        // {"scope":"com.atproto.appPass","exp":1767225600}
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZSI6ImNvbS5hdHByb3RvLmFwcFBhc3MiLCJleHAiOjE3NjcyMjU2MDB9.c2ln";
        assert_eq!(expiry(token).map(|at| at.to_rfc3339()).as_deref(), Some("2026-01-01T00:00:00+00:00"));
        for other in ["", "opaque", "a.b", "a.!!.c", "a.e30.c"] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }
}
