//! A sign-in by OAuth, from the person's first step to the grant.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::grant::Grant;
use crate::adapter::http::Http;
use crate::adapter::{Fault, OAuth};
use crate::model::Account;
use crate::secrets::Chain;
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
    ways: Vec<Way>,
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
        let _ = (http, account, oauth, secrets, clock);
        Err(unbuilt())
    }

    /// The ways that this server offers, the most comfortable first.
    pub fn ways(&self) -> &[Way] {
        &self.ways
    }

    /// Begins in a browser. `listen`: on this machine, and the answer is waited for ([`Way::Loopback`]); else it is pasted
    /// ([`Way::Paste`]).
    pub async fn browser(&self, listen: bool) -> Result<Browser, Fault> {
        let _ = listen;
        Err(unbuilt())
    }

    /// Begins with a code for another device ([`Way::Device`]).
    pub async fn device(&self) -> Result<Device, Fault> {
        Err(unbuilt())
    }
}

fn unbuilt() -> Fault {
    Fault::NotSent("signing in by OAuth is not built yet".to_owned())
}

/// A sign-in in a browser, waiting for its answer.
pub struct Browser {
    url: String,
}

/// The code that a browser brought back.
pub struct Code {}

impl Browser {
    /// The address to be opened. It holds no secret.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the browser to come back, at most so long. It may be given up and called again.
    pub async fn wait(&self, patience: Duration) -> Result<Code, Fault> {
        let _ = patience;
        Err(unbuilt())
    }

    /// What a person has pasted: the whole address that the browser was sent to, or the code alone.
    pub fn pasted(&self, text: &str) -> Result<Code, Fault> {
        let _ = text;
        Err(unbuilt())
    }

    /// Turns the code into a grant.
    pub async fn redeem(self, code: Code) -> Result<Grant, Fault> {
        let _ = code;
        Err(unbuilt())
    }
}

/// A sign-in on another device, waiting for its answer.
pub struct Device {
    /// What a person types there.
    pub user_code: String,
    /// Where.
    pub url: String,
    /// The same with the code in it, for a link or a QR code; where the server has one.
    pub url_with_code: Option<String>,
    /// Until when.
    pub ends: DateTime<Utc>,
}

impl Device {
    /// Asks, at the server's pace, until the person has agreed or refused, or the time is over.
    pub async fn finish(self) -> Result<Grant, Fault> {
        Err(unbuilt())
    }
}
