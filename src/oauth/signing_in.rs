//! A sign-in by OAuth, from the person's first step to the grant.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::browser::Browser;
use super::client::Client;
use super::device::Device;
use super::grant::Grant;
use super::loopback::Bound;
use super::server::Server;
use super::token::Tokens;
use crate::adapter::http::Http;
use crate::adapter::{ClientId, Fault, OAuth, Refusal};
use crate::model::Account;
use crate::secrets::{Chain, Owner};
use crate::time::Clock;

/// A way to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In a browser on this machine: the answer comes back by itself.
    Loopback,
    /// In a browser anywhere: the answer is pasted.
    Paste,
    /// On any device, with a short code (RFC 8628).
    Device,
}

/// A sign-in, once the account's authorization server is found.
pub struct SigningIn {
    setting: Setting,
    ways: Vec<Way>,
}

/// What every way of signing in works with.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) http: Http,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) server: Server,
    /// The account's server, as set; empty: none is.
    pub(super) account_server: String,
    /// What is asked for.
    pub(super) scopes: Vec<&'static str>,
    oauth: &'static OAuth,
    /// `None`: the server is asked for one.
    client: Option<Client>,
}

impl SigningIn {
    /// Finds the authorization server and what it offers. No secret is sent.
    pub async fn begin(
        http: Http,
        account: &Account,
        oauth: &'static OAuth,
        secrets: &Chain,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Fault> {
        let server = Server::find(&http, oauth.server, account.server.as_deref(), clock.now()).await?;
        let client = match oauth.client {
            ClientId::Apps(_) => None,
            ClientId::Setting { secret } => Some(own_client(account, secret, secrets, &server).await?),
        };
        let knows = |name: &str| server.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope == name));
        let scopes = oauth.scopes.iter().filter(|scope| scope.needed || knows(scope.name));
        let scopes = scopes.map(|scope| scope.name).collect();
        let redirect = oauth.redirect;
        let mut ways = Vec::new();
        ways.extend(redirect.loopback.map(|_| Way::Loopback));
        ways.extend((redirect.loopback.is_some() || redirect.paste.is_some()).then_some(Way::Paste));
        ways.extend(server.device.as_ref().map(|_| Way::Device));
        let account_server = account.server.clone().unwrap_or_default();
        Ok(Self { setting: Setting { http, clock, server, account_server, scopes, oauth, client }, ways })
    }

    /// The ways that this server offers, the most comfortable first.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// Begins in a browser. `listen`: on this machine, and the answer is waited for ([`Way::Loopback`]); else it is pasted
    /// ([`Way::Paste`]).
    pub async fn browser(&self, listen: bool) -> Result<Browser, Fault> {
        let redirect = self.setting.oauth.redirect;
        match (redirect.loopback, redirect.paste) {
            (Some(port), _) if listen => {
                let bound = Bound::take(port).await?;
                Browser::begin(self.setting.clone(), bound.url.clone(), Some(bound)).await
            }
            (_, Some(paste)) => Browser::begin(self.setting.clone(), paste.to_owned(), None).await,
            // The browser is sent to an address that nobody listens at, and shows it all the same.
            (Some(port), None) => {
                let url = match port {
                    0 => Bound::take(0).await?.url,
                    port => format!("http://127.0.0.1:{port}/"),
                };
                Browser::begin(self.setting.clone(), url, None).await
            }
            (None, None) => Err(Fault::refused(Refusal::Invalid, "there is no sign-in in a browser here")),
        }
    }

    /// Begins with a code for another device ([`Way::Device`]).
    pub async fn device(&self) -> Result<Device, Fault> {
        // A client has an address to come back to, whether it is used or not.
        let redirect = self.setting.oauth.redirect.paste.unwrap_or("http://127.0.0.1/");
        Device::begin(self.setting.clone(), redirect).await
    }
}

impl Setting {
    /// The client: the account's own, or one that the server gives us for this sign-in.
    pub(super) async fn client(&self, redirect: &str) -> Result<Client, Fault> {
        match (&self.client, self.oauth.client) {
            (Some(client), _) => Ok(client.clone()),
            (None, ClientId::Apps(path)) => {
                let url = format!("{}{path}", self.account_server.trim_end_matches('/'));
                let now = self.clock.now();
                Client::register(&self.http, &url, self.server.auth, redirect, &self.scopes, now).await
            }
            (None, ClientId::Setting { .. }) => Err(Fault::NotSent("the account has no `client_id`".to_owned())),
        }
    }

    /// What has come of it.
    pub(super) fn grant(&self, client: Client, tokens: Tokens, now: DateTime<Utc>) -> Grant {
        Grant {
            access: tokens.access,
            access_ends: tokens.access_ends,
            refresh: tokens.refresh,
            refresh_ends: tokens.refresh_ends,
            scopes: tokens.scopes.unwrap_or_else(|| self.scopes.iter().map(|&scope| scope.to_owned()).collect()),
            client,
            server: self.account_server.clone(),
            token_url: self.server.token.clone(),
            revoke_url: self.server.revoke.clone(),
            issuer: self.server.issuer.clone(),
            obtained: now,
            begun: None,
            seed: None,
        }
    }
}

/// The client that a person has made: the account's setting, and its secret where it has one.
async fn own_client(
    account: &Account,
    secret: Option<&'static str>,
    secrets: &Chain,
    server: &Server,
) -> Result<Client, Fault> {
    let Some(id) = account.setting("client_id") else {
        let message =
            format!("the account `{}` has no `client_id`; set the one of the app that you made", account.name);
        return Err(Fault::refused(Refusal::Invalid, message));
    };
    let secret = match secret {
        Some(field) => Some(secrets.of(Owner::account(account)).secret(field).await?),
        None => None,
    };
    Ok(Client { id: id.to_owned(), secret, auth: server.auth })
}
