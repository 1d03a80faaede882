//! An account's home: the server that keeps it, found from its handle unless the operator has set it.
//!
//! The way of the AT Protocol: handle → DID (the handle's own web site, else a public resolver, since a TXT record cannot
//! be asked for here) → DID document → server. The document must name the handle in turn, or anybody could claim it.
//! The password goes to the server found, so every step is `https`.

use crate::adapter::http::{Http, Request, server_url};
use crate::adapter::{Fault, Refusal};
use crate::model::Account;

use super::wire::{DidAnswer, DidDocument, is_did, xrpc};

/// Whom to ask.
#[derive(Debug, Clone)]
pub(super) struct Directories {
    /// A server that resolves handles for anybody.
    pub(super) resolver: String,
    /// Where DIDs of the method `plc` are registered.
    pub(super) plc: String,
}

impl Default for Directories {
    fn default() -> Self {
        Self { resolver: "https://public.api.bsky.app".to_owned(), plc: "https://plc.directory".to_owned() }
    }
}

/// An account's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    /// The server, without a trailing slash.
    pub(super) server: String,
    /// The account's DID, where finding the server gave it.
    pub(super) did: Option<String>,
}

/// Finds an account's home.
pub(super) async fn find(http: &Http, account: &Account, directories: &Directories) -> Result<Home, Fault> {
    let handle = account.setting("handle").unwrap_or_default();
    let known = is_did(handle).then(|| handle.to_owned());
    if let Some(server) = &account.server {
        return Ok(Home { server: server.clone(), did: known });
    }
    let did = match known {
        Some(did) => did,
        None => did_of(http, handle, directories).await?,
    };
    let document = document(http, &did, directories).await?;
    if document.id != did {
        return Err(lost(&format!("the document of {did} is that of {}", document.id)));
    }
    if handle != did && !document.names(handle) {
        return Err(lost(&format!("`{handle}` leads to {did}, which does not go by that handle")));
    }
    let server = document.server().ok_or_else(|| lost(&format!("{did} names no server that keeps its posts")))?;
    let server = server_url(server).map_err(|why| lost(&format!("{did} names a server that cannot be used: {why}")))?;
    Ok(Home { server, did: Some(did) })
}

/// Says what to do, too.
fn lost(why: &str) -> Fault {
    Fault::refused(Refusal::Credentials, format!("{why}; check `handle`, or set the account's `server`"))
}

async fn did_of(http: &Http, handle: &str, directories: &Directories) -> Result<String, Fault> {
    // A page, since the account's own site may redirect; whatever goes wrong there, the resolver is asked.
    if let Ok(answer) = http.page(&format!("https://{handle}/.well-known/atproto-did"), 2048).await {
        let text = String::from_utf8_lossy(&answer.body);
        if answer.is_success() && !answer.cut && is_did(text.trim()) {
            return Ok(text.trim().to_owned());
        }
    }
    let url = xrpc(&directories.resolver, "com.atproto.identity.resolveHandle");
    let answer = http.call(Request::get(url).query("handle", handle)).await?;
    match answer.status {
        200 => match answer.json::<DidAnswer>() {
            Ok(found) if is_did(&found.did) => Ok(found.did),
            _ => Err(lost(&format!("`{handle}` leads to no account"))),
        },
        400 | 404 => Err(lost(&format!("`{handle}` leads to no account"))),
        _ => Err(Fault::NotSent(format!("`{handle}` could not be looked up: HTTP {}", answer.status))),
    }
}

async fn document(http: &Http, did: &str, directories: &Directories) -> Result<DidDocument, Fault> {
    let url = if let Some(host) = did.strip_prefix("did:web:") {
        if !super::facets::is_handle(host) {
            return Err(lost(&format!("{did} is not a name of the web")));
        }
        format!("https://{host}/.well-known/did.json")
    } else if did.starts_with("did:plc:") {
        format!("{}/{did}", directories.plc)
    } else {
        return Err(lost(&format!("{did} is of a kind that is not known")));
    };
    let answer = http.call(Request::get(url)).await?;
    match answer.status {
        200 => answer.json().map_err(|why| lost(&format!("the document of {did} cannot be read: {why}"))),
        400..500 if answer.status != 429 => Err(lost(&format!("{did} is not known to its directory"))),
        status => Err(Fault::NotSent(format!("{did} could not be looked up: HTTP {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Path;
    use axum::routing::get;
    use serde_json::json;

    use super::*;
    use crate::adapter::http::HttpSettings;
    use crate::adapter::suite::Front;
    use crate::model::AccountName;

    async fn directories() -> (Front, Directories) {
        let router = Router::new()
            .route(
                "/xrpc/com.atproto.identity.resolveHandle",
                get(async |query: axum::extract::RawQuery| {
                    let did = match query.0.unwrap_or_default().as_str() {
                        "handle=acme.invalid" => "did:plc:acme",
                        "handle=thief.invalid" => "did:plc:other",
                        _ => return Err(axum::http::StatusCode::BAD_REQUEST),
                    };
                    Ok(axum::Json(json!({"did": did})))
                }),
            )
            .route(
                "/{did}",
                get(async |Path(did): Path<String>| {
                    axum::Json(json!({
                        "id": did,
                        "alsoKnownAs": ["at://acme.invalid"],
                        "service": [{
                            "id": "#atproto_pds",
                            "type": "AtprotoPersonalDataServer",
                            "serviceEndpoint": if did == "did:plc:plain" { "http://pds.example" } else { "https://pds.example" },
                        }],
                    }))
                }),
            );
        let front = Front::serve(router).await;
        let directories = Directories { resolver: front.url().to_owned(), plc: front.url().to_owned() };
        (front, directories)
    }

    fn account(handle: &str) -> Account {
        let mut account = Account::new(AccountName::new("bsky"), "bluesky");
        account.settings.insert("handle".to_owned(), json!(handle));
        account
    }

    #[tokio::test]
    async fn a_handle_leads_to_its_server() {
        let (_front, directories) = directories().await;
        let http = Http::new(HttpSettings::default());
        let found = find(&http, &account("acme.invalid"), &directories).await;
        assert_eq!(found, Ok(Home { server: "https://pds.example".to_owned(), did: Some("did:plc:acme".to_owned()) }));
        for bad in ["nobody.invalid", "thief.invalid", "did:plc:plain", "did:key:zabc"] {
            let fault = find(&http, &account(bad), &directories).await.expect_err(bad);
            assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{bad}: {fault:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_was_set_is_not_looked_up() {
        let mut account = account("acme.invalid");
        account.server = Some("https://pds.example".to_owned());
        let nowhere = Directories { resolver: "http://127.0.0.1:1".to_owned(), plc: "http://127.0.0.1:1".to_owned() };
        let found = find(&Http::new(HttpSettings::default()), &account, &nowhere).await;
        assert_eq!(found, Ok(Home { server: "https://pds.example".to_owned(), did: None }));
    }
}
