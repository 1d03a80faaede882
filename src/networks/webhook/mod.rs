//! A webhook of one's own: each part of a post is an event, signed as Standard Webhooks say. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes events from a draft, `sign.rs` signs them, `api.rs` sends them.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod plan;
mod profile;
mod sign;
mod wire;

use secrecy::SecretString;
use serde::Deserialize;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile, RepeatSafety};
use crate::model::{Account, Problem};

/// A webhook.
pub(super) struct Webhook;

/// An account's own settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The receiver does nothing when it gets a `webhook-id` for the second time, so that an event whose answer was lost is
    /// sent again by itself.
    idempotent: bool,
}

impl Settings {
    fn of(account: &Account) -> Self {
        // What cannot be read is refused by the schema before.
        account.read_settings().unwrap_or_default()
    }

    fn repeat(self) -> RepeatSafety {
        if self.idempotent { RepeatSafety::ChosenId } else { RepeatSafety::None }
    }
}

impl Network for Webhook {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    /// Nothing that the schema does not say.
    fn check_account(&self, _account: &Account, _problems: &mut Vec<Problem>) {}

    fn repeat(&self, account: &Account) -> RepeatSafety {
        Settings::of(account).repeat()
    }

    fn new_secret(&self, field: &str, random: [u8; 32]) -> Option<SecretString> {
        (field == "key").then(|| sign::new_key(random))
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
        Ok(plan::plan(draft))
    }

    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api> {
        Box::new(api::Client::new(account, outside))
    }

    #[cfg(feature = "testing")]
    fn fake(&self) -> crate::adapter::suite::Starting {
        Box::pin(async { Some(Box::new(fake::Receiver::start().await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
