//! Bluesky, and every other server of the AT Protocol that keeps posts (a PDS). See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them and speaks to the server,
//! `wire.rs` is what goes over the wire. `facets.rs` marks links, mentions and tags, `key.rs` names the records,
//! `home.rs` finds an account's server, `session.rs` signs in, `video.rs` sends videos, `answer.rs`
//! tells what a refusal means.

mod answer;
mod api;
mod facets;
#[cfg(feature = "testing")]
mod fake;
mod home;
mod key;
mod plan;
mod profile;
mod session;
mod video;
mod wire;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// Bluesky.
pub(super) struct Bluesky;

/// An account's own settings.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used; the values are read where they are needed")]
struct Settings {
    /// The account's handle, such as `acme.bsky.social` or `acme.example`, without `@`; or its DID.
    handle: String,
    /// Where videos are sent to be made ready, `https://video.bsky.app` unless another is set; `"none"`: the account's own
    /// server takes them.
    video_service: Option<String>,
}

impl Network for Bluesky {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["atproto", "bsky"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        let place = Place::Key { key: "handle" };
        match account.setting("handle") {
            None => problems.push(
                Problem::error(codes::ACCOUNT_SETTING, place, "a Bluesky account needs its `handle`")
                    .help("add `handle = \"acme.bsky.social\"`, as it stands on the profile, without `@`"),
            ),
            Some(handle) if facets::is_handle(handle) || wire::is_did(handle) => {}
            Some(handle) => problems.push(
                Problem::error(codes::ACCOUNT_SETTING, place, format!("`{handle}` is not a handle"))
                    .help("a handle is a domain name without `@`, such as `acme.bsky.social`; a DID will do too"),
            ),
        }
        if let Some(set) = account.setting("video_service").filter(|set| *set != "none")
            && let Err(why) = crate::adapter::http::server_url(set)
        {
            let place = Place::Key { key: "video_service" };
            problems.push(
                Problem::error(codes::ACCOUNT_SETTING, place, why)
                    .help("write its address, or `\"none\"` where the account's own server takes videos"),
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
    fn fake(&self) -> crate::adapter::suite::Starting {
        Box::pin(async { Some(Box::new(fake::Pds::start().await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
