//! Who is told: the targets of `smm.toml`, each with a way to reach it.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::Message;
use super::command::Program;
use super::email::Mail;
use super::webhook::Webhook;
use crate::adapter::http::{Http, HttpSettings};
use crate::calendar::{Alert, AlertKind};
use crate::secrets::{Chain, Owner};

/// A way to tell somebody.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Tells it. `Err` says why that did not work, in one line or a few, without any secret. May be dropped at any time, and
    /// leaves nothing running then.
    async fn send(&self, message: &Message) -> Result<(), String>;
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Target {
    /// The name in `smm.toml`.
    pub name: String,
    /// How.
    pub sender: Arc<dyn Sender>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What senders need of the outside. Opens nothing by itself.
#[derive(Clone)]
pub struct Senders {
    secrets: Chain,
    http: Http,
    environment: Arc<[(OsString, OsString)]>,
}

impl Senders {
    /// `environment`: what programs that are told inherit, without any secret.
    pub fn new(secrets: Chain, environment: Vec<(OsString, OsString)>) -> Self {
        let http = Http::new(HttpSettings { timeout: super::GIVE_UP, private_pages: false });
        Self { secrets, http, environment: environment.into() }
    }

    /// The targets of `smm.toml`.
    pub fn targets(&self, alerts: &[Alert]) -> Vec<Target> {
        let target = |alert: &Alert| {
            let secrets = self.secrets.of(Owner::alert(&alert.name));
            let sender: Arc<dyn Sender> = match &alert.kind {
                AlertKind::Webhook => Arc::new(Webhook::new(self.http.clone(), secrets)),
                AlertKind::Email { to, from } => Arc::new(Mail::new(to.clone(), from.clone(), secrets)),
                AlertKind::Command { command } => {
                    Arc::new(Program::new(command.clone(), Arc::clone(&self.environment)))
                }
            };
            Target { name: alert.name.clone(), sender }
        };
        alerts.iter().map(target).collect()
    }
}
