//! Who we are to an authorization server.

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::form::Form;
use super::token::told;
use crate::adapter::http::{Http, Request};
use crate::adapter::{Fault, Refusal};

/// What we call ourselves.
pub(super) const NAME: &str = "smm";

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

/// Mastodon's answer to `POST /api/v1/apps`.
#[derive(Deserialize)]
struct AppAnswer {
    client_id: String,
    client_secret: Option<String>,
}

impl Client {
    /// Asks a server for a client of our own, with the form of Mastodon's `POST /api/v1/apps` (`mastodon/documentation`,
    /// methods/apps.md, read 2026-11-22). One address for one sign-in: some of the kin take no more, and compare its port.
    pub(super) async fn register(
        http: &Http,
        url: &str,
        auth: ClientAuth,
        redirect: &str,
        scopes: &[&str],
        now: DateTime<Utc>,
    ) -> Result<Self, Fault> {
        let form = Form::new()
            .field("client_name", NAME)
            .field("redirect_uris", redirect)
            .field("scopes", scopes.join(" "))
            .into_request(url);
        let answer = http.call(form).await?;
        if !answer.is_success() {
            return Err(match told(&answer, now) {
                Fault::Refused { refusal, message, retry_at } => {
                    let message = format!("the server gives no client id for signing in ({message})");
                    Fault::Refused { refusal, message, retry_at }
                }
                other => other,
            });
        }
        let app: AppAnswer = answer.json().map_err(|_| {
            Fault::refused(Refusal::Invalid, "the server's answer to our registration has no client id")
        })?;
        Ok(Self { id: app.client_id, secret: app.client_secret.map(SecretString::from), auth })
    }

    /// Adds to a form who it comes from.
    pub(super) fn sign(&self, form: Form, url: &str) -> Request {
        match (&self.secret, self.auth) {
            (None, _) => form.field("client_id", &self.id).into_request(url),
            (Some(secret), ClientAuth::Post) => {
                form.field("client_id", &self.id).secret("client_secret", secret).into_request(url)
            }
            (Some(secret), ClientAuth::Basic) => {
                // Both are escaped before they are put together: RFC 6749, section 2.3.1.
                let escaped = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let password = SecretString::from(escaped(secret.expose_secret()));
                form.into_request(url).basic(escaped(&self.id), password).hide(secret.clone())
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).field("auth", &self.auth).finish_non_exhaustive()
    }
}
