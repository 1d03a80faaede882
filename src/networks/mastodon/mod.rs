//! Mastodon, and the servers that speak its API. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them and speaks to the server,
//! `wire.rs` is what goes over the wire. `kin.rs` knows how the kin differ, `matching.rs` knows our own posts again.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod kin;
mod matching;
mod plan;
mod profile;
mod wire;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// Mastodon.
pub(super) struct Mastodon;

/// An account's own settings: none beside `server`, which every network has.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Settings {}

impl Network for Mastodon {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["akkoma", "fediverse", "friendica", "gotosocial", "hollo", "pixelfed", "pleroma", "snac"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        if account.server.is_none() {
            let place = Place::Key { key: "server" };
            problems.push(
                Problem::error(codes::ACCOUNT_SETTING, place, "a Mastodon account needs its `server`")
                    .help("add `server = \"https://mastodon.example\"`: where you sign in, without your name"),
            );
        }
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
    fn fake(&self) -> std::pin::Pin<Box<dyn Future<Output = Option<Box<dyn crate::adapter::suite::Fake>>> + Send>> {
        Box::pin(async { Some(Box::new(fake::Instance::start(false).await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
