//! Instagram, by the Instagram API with Instagram Login. See the README beside this file.
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
use crate::model::{Account, Place, Problem, codes};

/// Instagram.
pub(super) struct Instagram;

/// An account's own settings.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is used; settings are read by name")]
struct Settings {
    /// The app's id, to sign in with: "Instagram app ID" in its dashboard, API setup with Instagram login.
    client_id: Option<String>,
    /// An https address that is registered in the app, and that the browser ends at after a sign-in.
    redirect_uri: Option<String>,
    /// Another version of the Graph API than the one that smm was made for, such as `v26.0`.
    api_version: Option<String>,
}

impl Network for Instagram {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["ig", "insta"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        if let Some(version) = account.setting("api_version")
            && !is_version(version)
        {
            let message = format!("`{version}` is not a version of the Graph API");
            let place = Place::Key { key: "api_version" };
            problems.push(Problem::error(codes::ACCOUNT_SETTING, place, message).help("write it as `v25.0`"));
        }
    }

    fn needs_media_host(&self) -> bool {
        true
    }

    fn comments(&self) -> bool {
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

/// `v25.0`.
fn is_version(text: &str) -> bool {
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|text| text.split_once('.'))
        .is_some_and(|(major, minor)| number(major) && number(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert!(is_version("v25.0") && is_version("v100.1"));
        for bad in ["25.0", "v25", "v25.0/../x", "v.0", ""] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
