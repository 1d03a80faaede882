//! Access tokens as a fake hands them out: they end and are renewed, until somebody changes the secret.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::http::{HeaderMap, header};
use secrecy::SecretString;

use super::super::{Fault, Refusal, Secrets};

/// The tokens of a fake's one account. Cheap to clone: all clones are one.
#[derive(Clone, Default)]
pub struct Tokens {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    changes: u32,
    ends: u32,
}

impl State {
    fn token(&self) -> String {
        format!("token-{}-{}", self.changes, self.ends)
    }
}

impl Tokens {
    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that is good now.
    pub fn current(&self) -> String {
        self.held().token()
    }

    /// The secret is changed: what was handed out is good no more, and cannot be renewed.
    pub fn change(&self) {
        self.held().changes += 1;
    }

    /// The access token ends; it can be renewed.
    pub fn end(&self) {
        self.held().ends += 1;
    }

    /// Whether a request comes with the good one.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        sent == Some(&self.current())
    }

    /// What somebody who signed in now has.
    pub fn secrets(&self) -> Arc<dyn Secrets> {
        let state = self.held();
        Arc::new(Grant { tokens: self.clone(), token: Mutex::new(state.token()), changes: state.changes })
    }
}

/// A token that can be renewed as long as nobody has changed the secret.
struct Grant {
    tokens: Tokens,
    token: Mutex<String>,
    changes: u32,
}

#[async_trait]
impl Secrets for Grant {
    async fn secret(&self, _field: &str) -> Result<SecretString, Fault> {
        Ok(SecretString::from(self.token.lock().unwrap_or_else(PoisonError::into_inner).as_str()))
    }

    async fn renewed(&self, _field: &str, _refused: &SecretString) -> Result<SecretString, Fault> {
        let state = self.tokens.held();
        if state.changes != self.changes {
            return Err(Fault::refused(Refusal::Credentials, "the token cannot be renewed"));
        }
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        *token = state.token();
        Ok(SecretString::from(token.as_str()))
    }
}
