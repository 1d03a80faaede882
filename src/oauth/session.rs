//! Sessions that a password has opened, kept as grants are: the same turns, the same durability.

use chrono::{DateTime, Utc};

use super::client::{Client, ClientAuth, NAME};
use super::grant::Grant;
use super::token::{NoTokens, Tokens};
use crate::adapter::http::Http;
use crate::adapter::{Fault, Refusal, Session, Sessions};

impl Grant {
    /// What is kept of a session that was opened at `now` for an account with this server.
    pub fn of_session(session: Session, server: Option<&str>, now: DateTime<Utc>) -> Self {
        Self {
            access: session.token,
            access_ends: session.ends,
            refresh: session.refresh,
            refresh_ends: None,
            scopes: Vec::new(),
            client: Client { id: NAME.to_owned(), secret: None, auth: ClientAuth::default() },
            server: server.unwrap_or_default().to_owned(),
            token_url: session.base,
            revoke_url: None,
            exchanged_by: None,
            session: Some(session.name),
            issuer: None,
            obtained: now,
            begun: None,
            seed: None,
        }
    }

    /// The session that it is of; `None`: it came by OAuth.
    pub(super) fn as_session(&self) -> Option<Session> {
        Some(Session {
            name: self.session.clone()?,
            base: self.token_url.clone(),
            token: self.access.clone(),
            ends: self.access_ends,
            refresh: self.refresh.clone(),
        })
    }
}

/// Asks for new tokens of a session, once.
pub(super) async fn renew(
    sessions: Option<&dyn Sessions>,
    http: &Http,
    session: &Session,
    now: DateTime<Utc>,
) -> Result<Tokens, NoTokens> {
    let over = |message: String| NoTokens::Denied { error: "invalid_grant".to_owned(), message };
    let Some(sessions) = sessions else {
        return Err(over("the account's network opens no sessions for a password".to_owned()));
    };
    match sessions.renew(http, session, now).await {
        Ok(new) => Ok(Tokens {
            access: new.token,
            access_ends: new.ends,
            refresh: new.refresh,
            refresh_ends: None,
            scopes: None,
        }),
        Err(Fault::NotSent(message)) => Err(NoTokens::NotSent(message)),
        Err(Fault::Refused { refusal: Refusal::Credentials, message, .. }) => Err(over(message)),
        Err(Fault::Refused { message, retry_at, .. }) => Err(NoTokens::Busy { message, retry_at }),
        // What it was renewed with is good until the new token is used.
        Err(Fault::Unknown(message)) => Err(NoTokens::Busy { message, retry_at: None }),
    }
}
