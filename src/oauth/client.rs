//! Who we are to an authorization server.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// A client of an authorization server. Shows no secret when debugged.
#[derive(Clone)]
pub struct Client {
    /// Its id: no secret.
    pub id: String,
    /// Its secret; `None`: a public client.
    pub secret: Option<SecretString>,
    /// How the secret is sent.
    pub auth: ClientAuth,
}

/// How a client's secret is sent (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// Among the form's fields: `client_secret_post`.
    #[default]
    Post,
    /// In the header: `client_secret_basic`.
    Basic,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("auth", &self.auth).finish_non_exhaustive()
    }
}
