//! Sessions that a network opens for a user's name and a password, in a way of its own.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::Fault;
use super::http::Http;
use crate::model::Account;

/// A session that a password has opened. Nothing of the password is in it.
#[derive(Clone)]
pub struct Session {
    /// What the network knows it by, such as a device's id: no secret. A sign-in that names it goes on under this name.
    pub name: String,
    /// Where it was opened, and is renewed and closed: an address without a trailing slash.
    pub base: String,
    /// The token that calls are made with.
    pub token: SecretString,
    /// When the token ends; `None`: never, or the server does not say.
    pub ends: Option<DateTime<Utc>>,
    /// What it is renewed with; `None`: it cannot be.
    pub refresh: Option<SecretString>,
}

/// Who signs in. Nothing of it is kept.
#[derive(Clone)]
pub struct Login {
    /// The user's name, as it was typed.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// How a network opens sessions, for [`super::SignIn::Password`]. One attempt each; no fault shows the password or a token.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Opens a session for an account. `again`: the name of the one before, which is to go on under it.
    async fn open(
        &self,
        http: &Http,
        account: &Account,
        login: &Login,
        again: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Session, Fault>;

    /// The same session with another token. What it is renewed with stays good until the new token is used, so that a lost
    /// answer costs nothing. [`super::Refusal::Credentials`]: it is over, a person must sign in again.
    async fn renew(&self, http: &Http, session: &Session, now: DateTime<Utc>) -> Result<Session, Fault>;

    /// Ends it, so that its tokens are no longer valid. Over already is success.
    async fn close(&self, http: &Http, session: &Session, now: DateTime<Utc>) -> Result<(), Fault>;
}
