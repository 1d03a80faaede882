//! Giving tokens back (RFC 7009).

use chrono::{DateTime, Utc};

use super::form::Form;
use super::grant::Grant;
use super::token::told;
use crate::adapter::Fault;
use crate::adapter::http::{Answer, Http};

/// Gives a grant back, so that its tokens are no longer valid. `false`: the server has no place for it. It is not forgotten
/// here; that is [`super::Keeper::forget`].
pub(super) async fn revoke(http: &Http, grant: &Grant, now: DateTime<Utc>) -> Result<bool, Fault> {
    let Some(url) = &grant.revoke_url else { return Ok(false) };
    // The refresh token first: with it, many servers take back all that came of it.
    let tokens = grant.refresh.iter().map(|token| (token, "refresh_token"));
    for (token, kind) in tokens.chain([(&grant.access, "access_token")]) {
        let form = Form::new().secret("token", token).field("token_type_hint", kind);
        let answer = http.call(grant.client.sign(form, url)).await?;
        // A token that is no longer valid is given back with success; one kind may be unknown to it.
        if answer.is_success() || unsupported(&answer) {
            continue;
        }
        return Err(told(&answer, now));
    }
    Ok(true)
}

/// RFC 7009, section 2.2.1.
fn unsupported(answer: &Answer) -> bool {
    answer.json::<serde_json::Value>().is_ok_and(|said| said["error"] == "unsupported_token_type")
}
