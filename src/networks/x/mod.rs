//! X, by its API v2. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them, `upload.rs` those of files,
//! `wire.rs` is what goes over the wire. `matching.rs` knows our own posts again, `rules.rs` holds what self-serve apps may
//! not do and what posts cost.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod matching;
mod plan;
mod profile;
mod rules;
mod upload;
mod wire;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Price, Profile};
use crate::model::{Account, Problem};

/// X.
pub(super) struct X;

/// An account's own settings.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read as a schema alone")]
struct Settings {
    /// The OAuth 2.0 Client ID of your app, for signing in.
    client_id: Option<String>,
}

impl Network for X {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["twitter", "x.com"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    // A token that was pasted needs no `client_id`: signing in says that it is missing.
    fn check_account(&self, _account: &Account, _problems: &mut Vec<Problem>) {}

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn check(&self, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
        rules::check(draft, problems);
    }

    fn is_paid(&self) -> bool {
        true
    }

    fn price(&self, draft: &Draft<'_>) -> Option<Price> {
        Some(rules::price(draft))
    }

    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
        plan::plan(draft)
    }

    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api> {
        Box::new(api::Client::new(account, outside))
    }

    #[cfg(feature = "testing")]
    fn fake(&self) -> crate::adapter::suite::Starting {
        Box::pin(async { Some(Box::new(fake::Service::start().await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
