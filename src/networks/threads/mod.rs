//! Threads, by Meta. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them, `wire.rs` is what goes over the
//! wire. What every network of Meta's Graph API has in common is in [`crate::adapter::graph`].

mod api;
#[cfg(feature = "testing")]
mod fake;
mod plan;
mod profile;
mod wire;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Problem};

/// Threads.
pub(super) struct Threads;

/// An account's own settings. They are for signing in alone.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used; settings are read by name")]
struct Settings {
    /// The app's id: "Threads app ID" in its dashboard, Settings, Basic.
    client_id: Option<String>,
    /// An https address that is registered in the app, and that the browser ends at after a sign-in.
    redirect_uri: Option<String>,
}

impl Network for Threads {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, _account: &Account, _problems: &mut Vec<Problem>) {}

    fn needs_media_host(&self) -> bool {
        true
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn check(&self, draft: &Draft<'_>, problems: &mut Vec<Problem>) {
        plan::check(draft, problems);
    }

    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
        plan::plan(draft)
    }

    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api> {
        Box::new(api::Client::new(account, outside))
    }

    #[cfg(feature = "testing")]
    fn fake(&self) -> crate::adapter::suite::Starting {
        use crate::adapter::suite::{Fake, graph::Server};

        Box::pin(async { Some(Box::new(Server::start(&fake::KIND).await) as Box<dyn Fake>) })
    }
}
