//! Where a homeserver is, and what its answers mean.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;

use crate::adapter::http::{Answer, Http, Request, server_url};
use crate::adapter::{Fault, Refusal};

use super::wire::{ErrorBody, WellKnown};

/// Where the client-server API of an account's server is, without a trailing slash. It is asked itself, without any
/// credential (matrix-spec v1.19, server discovery, read 2026-11-23); one that has nothing to say of it is the homeserver.
pub(super) async fn discover(http: &Http, server: Option<&str>, now: DateTime<Utc>) -> Result<String, Fault> {
    let server = server.map(|server| server.trim_end_matches('/'));
    let server = server.ok_or_else(|| Fault::NotSent("the account has no `server`".to_owned()))?;
    let answer = http.call(Request::get(format!("{server}/.well-known/matrix/client"))).await?;
    let wrong =
        |why: String| Fault::refused(Refusal::Invalid, format!("{server} does not say where its homeserver is: {why}"));
    match answer.status {
        200 => {}
        // It is not followed: the token goes where that leads.
        300..400 => {
            let to = answer.header("location").unwrap_or("another address");
            return Err(wrong(format!("it leads on to {to}; write the server that answers itself as `server`")));
        }
        429 | 500.. => return Err(refusal(&answer, false, now)),
        _ => return Ok(server.to_owned()),
    }
    let said: WellKnown = answer.json().map_err(wrong)?;
    safe(server, &said.homeserver.base_url).map_err(wrong)
}

/// The address that a server says its homeserver has, where it is no less safe than the server's own.
fn safe(server: &str, said: &str) -> Result<String, String> {
    let base = server_url(said)?;
    if server.starts_with("https:") && !base.starts_with("https:") {
        return Err(format!("`{base}` is not safe to send a token to"));
    }
    Ok(base)
}

/// What an answer that is no success means.
pub(super) fn refusal(answer: &Answer, irreversible: bool, now: DateTime<Utc>) -> Fault {
    let own = answer.json::<ErrorBody>().ok();
    let wait = own.as_ref().and_then(ErrorBody::wait);
    match answer.fault(irreversible, own.map(|own| own.told()), now) {
        // Servers before v1.10 say it in the body alone.
        Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: None } => {
            let retry_at = wait.map(|wait| now + TimeDelta::milliseconds(wait));
            Fault::Refused { refusal: Refusal::RateLimited, message, retry_at }
        }
        // Some say 403 of a token that is none.
        Fault::Refused { message, retry_at, .. } if is_of_token(answer) => {
            Fault::Refused { refusal: Refusal::Credentials, message, retry_at }
        }
        fault => fault,
    }
}

/// The server does not take the token: it has ended, or is none.
pub(super) fn is_of_token(answer: &Answer) -> bool {
    let code = || answer.json::<ErrorBody>().map(|own| own.errcode);
    match answer.status {
        401 => true,
        400..500 => code().is_ok_and(|code| code == "M_UNKNOWN_TOKEN" || code == "M_MISSING_TOKEN"),
        _ => false,
    }
}

/// A success, read.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer, now: DateTime<Utc>) -> Result<T, Fault> {
    if !answer.is_success() {
        return Err(refusal(answer, false, now));
    }
    answer.json().map_err(|why| Fault::refused(Refusal::Busy, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_homeserver_is_as_safe_as_its_server() {
        let of = |server: &str, said: &str| safe(server, said).ok();
        let good = Some("https://matrix.acme.example".to_owned());
        assert_eq!(of("https://acme.example", "https://matrix.acme.example/"), good);
        assert_eq!(of("http://127.0.0.1:8008", "http://127.0.0.1:8009").as_deref(), Some("http://127.0.0.1:8009"));
        // To this very machine, where anybody may listen.
        assert_eq!(of("https://acme.example", "http://127.0.0.1:8008"), None);
        assert_eq!(of("https://acme.example", "http://matrix.acme.example"), None);
    }
}
