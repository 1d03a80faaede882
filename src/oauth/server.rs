//! The authorization server of an account: what it says of itself (RFC 8414), and the profile's paths where it says nothing.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use url::{Host, Url};

use super::client::ClientAuth;
use crate::adapter::http::{Http, Request};
use crate::adapter::{AuthServer, Endpoints, Fault, Refusal};

/// Where a server describes itself: RFC 8414, section 3. Mastodon does since 4.3 (`mastodon/documentation`,
/// methods/oauth.md, read 2026-11-22).
const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// The grant type of the device flow (RFC 8628).
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An authorization server. All addresses are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// What it calls itself; `None`: it does not describe itself.
    pub(super) issuer: Option<String>,
    /// It says that it names itself in every answer (RFC 9207).
    pub(super) names_itself: bool,
    /// Where a person agrees.
    pub(super) authorize: String,
    /// Where tokens are handed out.
    pub(super) token: String,
    /// Where a token is given back.
    pub(super) revoke: Option<String>,
    /// Where a device begins.
    pub(super) device: Option<String>,
    /// The scopes that it knows; `None`: it does not say.
    pub(super) scopes: Option<Vec<String>>,
    /// How it wants a client's secret.
    pub(super) auth: ClientAuth,
    /// Its tokens are exchanged for such that live long. Addresses are absolute.
    pub(super) long_lived: Option<Exchange>,
}

/// Where tokens are exchanged ([`crate::adapter::LongLived`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// The address for a short-lived token, and the `grant_type`.
    pub(super) first: (String, &'static str),
    /// The address for a long-lived token, and the `grant_type`.
    pub(super) again: (String, &'static str),
}

/// The document of RFC 8414, as far as it is used.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    grant_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Server {
    /// Finds the authorization server of an account with this `server`. No secret is sent, no redirect followed.
    pub(super) async fn find(
        http: &Http,
        at: AuthServer,
        server: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self, Fault> {
        match at {
            AuthServer::Fixed(endpoints) => {
                let fixed = Self::built_in("", endpoints);
                match server {
                    None => Ok(fixed),
                    Some(server) => fixed.moved(server),
                }
            }
            AuthServer::LongLived(endpoints, tokens) => {
                let mut found = Self::built_in("", endpoints);
                found.long_lived = Some(Exchange {
                    first: (tokens.exchange.to_owned(), tokens.exchange_grant),
                    again: (tokens.refresh.to_owned(), tokens.refresh_grant),
                });
                match server {
                    None => Ok(found),
                    Some(server) => found.moved(server),
                }
            }
            AuthServer::OfAccount(endpoints) => {
                let server = server.ok_or_else(|| Fault::NotSent("the account has no `server`".to_owned()))?;
                let server = server.trim_end_matches('/');
                match described(http, server, now).await? {
                    Some(document) => Self::described(&document, server, endpoints),
                    None => Ok(Self::built_in(server, endpoints)),
                }
            }
        }
    }

    /// A server that says nothing of itself: the profile's paths below `base`.
    fn built_in(base: &str, endpoints: Endpoints) -> Self {
        let absolute = |path: &str| format!("{base}{path}");
        Self {
            issuer: None,
            names_itself: false,
            authorize: absolute(endpoints.authorize),
            token: absolute(endpoints.token),
            revoke: endpoints.revoke.map(absolute),
            device: endpoints.device.map(absolute),
            scopes: None,
            auth: ClientAuth::Post,
            long_lived: None,
        }
    }

    /// The same paths at the account's own `server`: for proxies, and for servers that stand in for the network.
    fn moved(mut self, server: &str) -> Result<Self, Fault> {
        Trust::of(server)?;
        let path = |address: &str| -> Result<String, Fault> {
            let url =
                Url::parse(address).map_err(|error| Fault::NotSent(format!("`{address}` is not a URL: {error}")))?;
            Ok(format!("{}{}", server.trim_end_matches('/'), url.path()))
        };
        let mut addresses = vec![&mut self.authorize, &mut self.token];
        addresses.extend(self.revoke.iter_mut().chain(&mut self.device));
        addresses
            .extend(self.long_lived.iter_mut().flat_map(|exchange| [&mut exchange.first.0, &mut exchange.again.0]));
        for address in addresses {
            *address = path(address)?;
        }
        Ok(self)
    }

    fn described(document: &Document, server: &str, endpoints: Endpoints) -> Result<Self, Fault> {
        let trust = Trust::of(server)?;
        trust.issuer(&document.issuer)?;
        let mut found = Self::built_in(server, endpoints);
        if let Some(said) = &document.authorization_endpoint {
            found.authorize = trust.endpoint(said, "authorization_endpoint")?;
        }
        if let Some(said) = &document.token_endpoint {
            found.token = trust.endpoint(said, "token_endpoint")?;
        }
        if let Some(said) = &document.revocation_endpoint {
            found.revoke = Some(trust.endpoint(said, "revocation_endpoint")?);
        }
        if let Some(said) = &document.device_authorization_endpoint {
            found.device = Some(trust.endpoint(said, "device_authorization_endpoint")?);
        }
        if document.grant_types_supported.as_ref().is_some_and(|types| !types.iter().any(|one| one == DEVICE_GRANT)) {
            found.device = None;
        }
        found.auth = match &document.token_endpoint_auth_methods_supported {
            Some(methods) if methods.iter().any(|method| method == "client_secret_post") => ClientAuth::Post,
            // What RFC 8414 has where nothing is said.
            _ => ClientAuth::Basic,
        };
        found.issuer = Some(document.issuer.clone());
        found.names_itself = document.authorization_response_iss_parameter_supported;
        found.scopes.clone_from(&document.scopes_supported);
        Ok(found)
    }
}

/// What a server says of itself; `None`: nothing.
async fn described(http: &Http, server: &str, now: DateTime<Utc>) -> Result<Option<Document>, Fault> {
    let url = Url::parse(server).map_err(|error| Fault::NotSent(format!("`{server}` is not a URL: {error}")))?;
    // Between the host and the path: RFC 8414, section 3.1.
    let path = url.path().trim_end_matches('/');
    let address = format!("{}{WELL_KNOWN}{path}", url.origin().ascii_serialization());
    let answer = http.call(Request::get(address).header("accept", "application/json")).await?;
    match answer.status {
        200..300 => Ok(answer.json().ok()),
        429 | 500.. => Err(answer.fault(false, None, now)),
        // Redirects are not followed: an address that leads elsewhere says nothing of this server.
        _ => Ok(None),
    }
}

/// Which addresses a server's description may name.
struct Trust {
    /// The account's server.
    server: Url,
}

impl Trust {
    fn of(server: &str) -> Result<Self, Fault> {
        let server = Url::parse(server).map_err(|error| Fault::NotSent(format!("`{server}` is not a URL: {error}")))?;
        Ok(Self { server })
    }

    /// `https`; plain `http` where the account's own server is on this machine, and it is as well.
    fn is_safe(&self, url: &Url) -> bool {
        match url.scheme() {
            "https" => url.host().is_some(),
            "http" => is_loopback(url) && is_loopback(&self.server),
            _ => false,
        }
    }

    fn issuer(&self, issuer: &str) -> Result<(), Fault> {
        match Url::parse(issuer) {
            Ok(url) if self.is_safe(&url) => Ok(()),
            _ => Err(mistrusted(&format!(
                "{} says that it is `{issuer}`, which is not an https address; nothing was sent there",
                self.server.origin().ascii_serialization()
            ))),
        }
    }

    fn endpoint(&self, said: &str, what: &str) -> Result<String, Fault> {
        match Url::parse(said) {
            Ok(url) if self.is_safe(&url) && url.username().is_empty() && url.password().is_none() => Ok(url.into()),
            _ => Err(mistrusted(&format!(
                "{} names `{said}` as its {what}, which is not an https address; nothing was sent there",
                self.server.origin().ascii_serialization()
            ))),
        }
    }
}

fn mistrusted(message: &str) -> Fault {
    // Foreign text goes to a terminal.
    let message: String = message.chars().filter(|c| !c.is_control()).take(400).collect();
    Fault::refused(Refusal::Invalid, message)
}

/// This very machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: Endpoints =
        Endpoints { authorize: "/oauth/authorize", token: "/oauth/token", revoke: Some("/oauth/revoke"), device: None };

    fn document(text: &str) -> Document {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn what_a_server_says_holds_and_the_rest_is_built_in() {
        let said = document(
            r#"{"issuer": "https://id.example", "token_endpoint": "https://id.example/token?tenant=1",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                "device_authorization_endpoint": "https://id.example/device"}"#,
        );
        let server = Server::described(&said, "https://fedi.example", PATHS).expect("good");
        assert_eq!(server.authorize, "https://fedi.example/oauth/authorize");
        assert_eq!(server.token, "https://id.example/token?tenant=1");
        assert_eq!(server.revoke.as_deref(), Some("https://fedi.example/oauth/revoke"));
        assert_eq!(server.device.as_deref(), Some("https://id.example/device"));
        assert_eq!((server.auth, server.issuer.as_deref()), (ClientAuth::Basic, Some("https://id.example")));
        let no_device = document(
            r#"{"issuer": "https://fedi.example", "device_authorization_endpoint": "https://fedi.example/device",
                "grant_types_supported": ["authorization_code"]}"#,
        );
        let server = Server::described(&no_device, "https://fedi.example", PATHS).expect("good");
        assert_eq!(server.device, None);
    }

    #[test]
    fn the_same_for_everybody_but_where_a_server_is_set() {
        let endpoints = Endpoints {
            authorize: "https://id.example/i/authorize",
            token: "https://api.id.example/2/token",
            revoke: None,
            device: None,
        };
        let fixed = || Server::built_in("", endpoints);
        assert_eq!(fixed().token, "https://api.id.example/2/token");
        let moved = fixed().moved("http://127.0.0.1:3000/").expect("a server");
        assert_eq!(moved.authorize, "http://127.0.0.1:3000/i/authorize");
        assert_eq!((moved.token.as_str(), moved.revoke), ("http://127.0.0.1:3000/2/token", None));
        assert!(fixed().moved("nowhere").is_err());
    }

    #[test]
    fn a_server_cannot_lead_to_where_nothing_is_sealed() {
        for (server, field, address) in [
            ("https://fedi.example", "issuer", "http://fedi.example"),
            ("https://fedi.example", "issuer", "http://127.0.0.1:3000"),
            ("https://fedi.example", "token_endpoint", "http://id.example/token"),
            ("https://fedi.example", "token_endpoint", "http://localhost/token"),
            ("https://fedi.example", "token_endpoint", "https://a:b@id.example/token"),
            ("https://fedi.example", "authorization_endpoint", "javascript:alert(1)"),
            ("https://fedi.example", "revocation_endpoint", "ftp://id.example"),
            ("https://fedi.example", "device_authorization_endpoint", "/device"),
            ("http://127.0.0.1:3000", "token_endpoint", "http://fedi.example/token"),
        ] {
            let mut fields = serde_json::json!({"issuer": server});
            fields[field] = address.into();
            let said: Document = serde_json::from_value(fields).expect("a document");
            let fault = Server::described(&said, server, PATHS).expect_err(address);
            assert!(fault.to_string().contains(address), "{fault}");
        }
        let here = document(r#"{"issuer": "http://localhost:3000", "token_endpoint": "http://[::1]:3000/token"}"#);
        assert!(Server::described(&here, "http://127.0.0.1:8080", PATHS).is_ok());
    }
}
