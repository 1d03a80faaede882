//! Agreeing on another device, with a short code (RFC 8628).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::client::Client;
use super::form::Form;
use super::grant::Grant;
use super::server::DEVICE_GRANT;
use super::signing_in::Setting;
use super::token::{NoTokens, ask, shown, told};
use crate::adapter::{Fault, Refusal};

/// Seconds between two questions, where the server does not say (RFC 8628, section 3.2), and what is added when it asks to
/// slow down (section 3.5).
const INTERVAL: u64 = 5;
/// The slowest pace that is kept to; a code does not live much longer.
const SLOWEST: Duration = Duration::from_mins(1);
/// The longest life of a code that is believed.
const LONGEST: i64 = 3600;

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
    setting: Setting,
    client: Client,
    /// The `device_code`.
    secret: SecretString,
    interval: Duration,
}

/// RFC 8628, section 3.2.
#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: i64,
    interval: Option<u64>,
}

impl Device {
    /// Asks for a code.
    pub(super) async fn begin(setting: Setting, redirect: &str) -> Result<Self, Fault> {
        let Some(url) = setting.server.device.clone() else {
            return Err(Fault::refused(Refusal::Invalid, "this server knows no sign-in on another device"));
        };
        let client = setting.client(redirect).await?;
        let now = setting.clock.now();
        let request = client.sign(Form::new().field("scope", setting.scopes.join(" ")), &url);
        let answer = setting.http.call(request).await?;
        if !answer.is_success() {
            return Err(told(&answer, now));
        }
        let given: DeviceAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| Fault::refused(Refusal::Invalid, "the server's answer holds no code for another device"))?;
        for address in [Some(&given.verification_uri), given.verification_uri_complete.as_ref()].into_iter().flatten() {
            if !address.starts_with("https://") && !address.starts_with("http://") {
                let message = format!("the server sends people to `{}`, which is no address", shown(address));
                return Err(Fault::refused(Refusal::Invalid, message));
            }
        }
        Ok(Self {
            user_code: shown(&given.user_code),
            url: shown(&given.verification_uri),
            url_with_code: given.verification_uri_complete.map(|url| shown(&url)),
            ends: now + TimeDelta::seconds(given.expires_in.clamp(0, LONGEST)),
            setting,
            client,
            secret: SecretString::from(given.device_code),
            interval: Duration::from_secs(given.interval.unwrap_or(INTERVAL)).min(SLOWEST),
        })
    }

    /// Asks, at the server's pace, until the person has agreed or refused, or the time is over.
    pub async fn finish(self) -> Result<Grant, Fault> {
        let mut interval = self.interval;
        loop {
            self.setting.clock.wait(interval).await;
            let now = self.setting.clock.now();
            if now >= self.ends {
                return Err(Fault::refused(Refusal::Credentials, "nobody agreed in time; begin the sign-in again"));
            }
            let form = Form::new().field("grant_type", DEVICE_GRANT).secret("device_code", &self.secret);
            match ask(&self.setting.http, &self.setting.server.token, &self.client, form, now).await {
                Ok(tokens) => return Ok(self.setting.grant(self.client, tokens, now)),
                Err(NoTokens::Denied { error, .. }) if error == "authorization_pending" => {}
                Err(NoTokens::Denied { error, .. }) if error == "slow_down" => {
                    interval = (interval + Duration::from_secs(INTERVAL)).min(SLOWEST);
                }
                Err(denied @ NoTokens::Denied { .. }) => return Err(denied.into_fault()),
                // The code may be asked for again: RFC 8628, section 3.5, wants a slower pace then.
                Err(_) => interval = (interval * 2).clamp(Duration::from_secs(1), SLOWEST),
            }
        }
    }
}
