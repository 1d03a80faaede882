//! Signing in, and what it gave. Kept in memory alone.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use crate::adapter::http::{Answer, Body, Request};
use crate::adapter::{Fault, Outside, Refusal};
use crate::model::Account;

use super::answer::{is_worn, refusal, word};
use super::home::{self, Directories, Home};
use super::wire::{DidDocument, SessionAnswer, is_did, xrpc};

/// The account's way in. Cheap until it is used.
pub(super) struct Login {
    account: Account,
    outside: Outside,
    directories: Directories,
    state: Mutex<State>,
}

/// What was found out so far.
#[derive(Default)]
struct State {
    home: Option<Home>,
    session: Option<Arc<Session>>,
}

impl Login {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self {
            account: account.clone(),
            outside,
            directories: Directories::default(),
            state: Mutex::new(State::default()),
        }
    }

    /// The account's server.
    pub(super) async fn server(&self) -> Result<String, Fault> {
        Ok(self.home(&mut *self.state.lock().await).await?.server)
    }

    async fn home(&self, state: &mut State) -> Result<Home, Fault> {
        if let Some(home) = &state.home {
            return Ok(home.clone());
        }
        let home = home::find(&self.outside.http, &self.account, &self.directories).await?;
        state.home = Some(home.clone());
        Ok(home)
    }

    /// A session that holds: the present one, else a refreshed one, else a new one. `worn` is one that was refused.
    pub(super) async fn session(&self, worn: Option<&Arc<Session>>) -> Result<(String, Arc<Session>), Fault> {
        // One sign-in at a time: logging in is rationed, and refresh tokens change with each use.
        let mut state = self.state.lock().await;
        let home = self.home(&mut state).await?;
        // What is there stays until there is something better: a failure on the way must not cost a log-in.
        let session = match state.session.clone() {
            Some(session)
                if session.holds((self.outside.now)()) && !worn.is_some_and(|worn| Arc::ptr_eq(worn, &session)) =>
            {
                session
            }
            Some(old) => match self.refresh(&home, &old).await? {
                Some(session) => session,
                None => self.sign_in(&home).await?,
            },
            None => self.sign_in(&home).await?,
        };
        state.session = Some(Arc::clone(&session));
        Ok((home.server, session))
    }

    async fn sign_in(&self, home: &Home) -> Result<Arc<Session>, Fault> {
        let password = self.outside.secrets.secret("password").await?;
        let identifier = home.did.as_deref().or_else(|| self.account.setting("handle")).unwrap_or_default();
        let request = Request::post(xrpc(&home.server, "com.atproto.server.createSession"))
            .body(Body::Json(json!({"identifier": identifier, "password": password.expose_secret()})))
            .hide(password);
        let answer = self.outside.http.call(request).await?;
        if !answer.is_success() {
            return Err(match word(&answer).as_deref() {
                Some("AuthFactorTokenRequired") => Fault::refused(
                    Refusal::Credentials,
                    "the account's own password needs a code by mail; use an app password instead",
                ),
                Some("AccountTakedown") => Fault::refused(Refusal::Forbidden, "the account was taken down"),
                _ => refusal(&answer, false, (self.outside.now)()),
            });
        }
        signed_in(home, &answer)
    }

    /// `None`: the refresh token has run out as well.
    async fn refresh(&self, home: &Home, old: &Session) -> Result<Option<Arc<Session>>, Fault> {
        let request =
            Request::post(xrpc(&home.server, "com.atproto.server.refreshSession")).bearer(old.refresh.clone());
        let answer = self.outside.http.call(request).await?;
        match answer.status {
            200..300 => signed_in(home, &answer).map(Some),
            400 | 401 => Ok(None),
            _ => Err(refusal(&answer, false, (self.outside.now)())),
        }
    }

    /// A repeatable call with the account's token, which is renewed once should it be worn out.
    pub(super) async fn call(&self, request: impl Fn(&str) -> Request) -> Result<Answer, Fault> {
        let (server, session) = self.session(None).await?;
        let answer = self.outside.http.call(request(&server).bearer(session.access.clone())).await?;
        if !is_worn(&answer) {
            return Ok(answer);
        }
        let (server, session) = self.session(Some(&session)).await?;
        self.outside.http.call(request(&server).bearer(session.access.clone())).await
    }
}

/// A session that is that of the account: nobody else is signed in by a server that was not meant.
fn signed_in(home: &Home, answer: &Answer) -> Result<Arc<Session>, Fault> {
    let answer: SessionAnswer = answer.json().map_err(Fault::NotSent)?;
    if answer.active == Some(false) {
        let status = answer.status.unwrap_or_else(|| "not active".to_owned());
        return Err(Fault::refused(Refusal::Forbidden, format!("the account is {status}")));
    }
    if !is_did(&answer.did) || home.did.as_ref().is_some_and(|did| *did != answer.did) {
        return Err(Fault::refused(
            Refusal::Credentials,
            format!("{} signed in somebody else: {}", home.server, answer.did),
        ));
    }
    Ok(Arc::new(Session::from(answer)))
}

/// What signing in gave.
pub(super) struct Session {
    /// The access token: two hours on the official server.
    pub(super) access: SecretString,
    /// The refresh token: months.
    refresh: SecretString,
    /// Whose it is.
    pub(super) did: String,
    /// What people call it.
    pub(super) handle: String,
    /// The server that keeps the account, where it says: one may sign in at another that stands before many.
    pub(super) keeper: Option<String>,
    expires: Option<DateTime<Utc>>,
}

impl From<SessionAnswer> for Session {
    fn from(answer: SessionAnswer) -> Self {
        let expires = expiry(&answer.access_jwt);
        let document = answer.did_doc.and_then(|document| DidDocument::deserialize(document).ok());
        let keeper = document.and_then(|document| document.server().map(str::to_owned));
        Self {
            access: SecretString::from(answer.access_jwt),
            refresh: SecretString::from(answer.refresh_jwt),
            did: answer.did,
            handle: answer.handle,
            keeper,
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
