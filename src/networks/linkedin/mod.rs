//! `LinkedIn`, by its versioned Posts API. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them, `upload.rs` those of files and
//! `article.rs` those of link cards. `wire.rs` is what goes over the wire and how `LinkedIn` names things, `version.rs` knows
//! how long a version of the API lives.

mod api;
mod article;
#[cfg(feature = "testing")]
mod fake;
mod plan;
mod profile;
mod upload;
mod version;
mod wire;

use crate::adapter::{Api, Draft, Ending, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// `LinkedIn`.
pub(super) struct LinkedIn;

/// An account's own settings.
#[derive(schemars::JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read as a schema alone")]
struct Settings {
    /// Who posts: `urn:li:organization:123`; without it the member whom the token belongs to.
    author: Option<String>,
    /// The Client ID of your app, for signing in.
    client_id: Option<String>,
    /// The version of the API that is asked for, `YYYYMM`.
    version: Option<String>,
}

impl Network for LinkedIn {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["linked-in"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        if let Some(author) = account.setting("author")
            && api::author(author).is_none()
        {
            problems.push(
                Problem::error(
                    codes::ACCOUNT_SETTING,
                    Place::Key { key: "author" },
                    format!("`{author}` is neither an organization nor a person"),
                )
                .help("write `urn:li:organization:123`: the number stands in the address of the page's admin view"),
            );
        }
        if let Some(version) = account.setting("version")
            && version::ends(version).is_none()
        {
            problems.push(
                Problem::error(
                    codes::ACCOUNT_SETTING,
                    Place::Key { key: "version" },
                    format!("`{version}` is no version of LinkedIn's API"),
                )
                .help(format!("write a year and a month, such as `{}`", profile::VERSION)),
            );
        }
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn ends(&self, account: &Account) -> Option<Ending> {
        let version = account.setting("version").unwrap_or(profile::VERSION);
        Some(Ending {
            what: format!("version {version} of LinkedIn's API"),
            on: version::ends(version)?,
            help: "set a later one, `version = \"YYYYMM\"`, in the account's table in smm.toml",
        })
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
        Box::pin(async { Some(Box::new(fake::Service::start(false).await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
