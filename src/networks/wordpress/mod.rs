//! `WordPress`. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `page.rs` writes the HTML, `api.rs` runs the steps
//! and speaks to the site, `site.rs` finds its API, `wire.rs` is what goes over the wire.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod page;
mod plan;
mod profile;
mod site;
mod wire;

use serde::Deserialize;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// `WordPress`.
pub(super) struct WordPress;

/// An account's own settings.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Who publishes: the user's login name, or its mail address.
    user: String,
    /// Categories of every post of this account, by name. The site's default one when absent.
    #[serde(default)]
    categories: Vec<String>,
    /// Whether the first picture becomes the featured image; `true` when absent. Themes show it above the post.
    #[serde(default = "yes")]
    featured: bool,
}

fn yes() -> bool {
    true
}

impl Network for WordPress {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["wp"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &'static str, message: String, help: &str| {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Key { key }, message).help(help));
        };
        match account.server.as_deref() {
            None => wrong(
                "server",
                "a WordPress account needs its `server`".to_owned(),
                "add `server = \"https://blog.example\"`: the address of the site",
            ),
            Some(server) if server.ends_with("/wp-admin") || server.ends_with("/wp-json") => wrong(
                "server",
                format!("`{server}` is not the site itself"),
                "write the address that readers open, such as `https://blog.example`",
            ),
            Some(_) => {}
        }
        // A colon would end the name where HTTP sends it (RFC 7617, section 2).
        match account.settings.get("user").and_then(serde_json::Value::as_str) {
            Some(user) if !user.trim().is_empty() && !user.contains(|c: char| c == ':' || c.is_control()) => {}
            Some(user) => wrong("user", format!("`{}` is no user", user.escape_debug()), "write the user's login name"),
            None => wrong(
                "user",
                "a WordPress account needs its `user`".to_owned(),
                "add `user = \"…\"`: the login name that the application password belongs to",
            ),
        }
        match account.read_settings::<Settings>() {
            Ok(settings) if settings.categories.iter().any(|name| name.trim().is_empty()) => {
                wrong("categories", "a category without a name".to_owned(), "take it out");
            }
            Err(error) if problems.is_empty() => {
                problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Post, error));
            }
            Ok(_) | Err(_) => {}
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
        Box::pin(async { Some(Box::new(fake::Site::start(false).await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountName;

    #[test]
    fn settings_are_checked() {
        let problems = |server: Option<&str>, settings: serde_json::Value| {
            let mut account = Account::new(AccountName::new("blog"), "wordpress");
            account.server = server.map(str::to_owned);
            account.settings = settings.as_object().expect("a table").clone();
            let mut problems = Vec::new();
            WordPress.check_account(&account, &mut problems);
            let key = |problem: Problem| if let Place::Key { key } = problem.place { key } else { "" };
            problems.into_iter().map(key).collect::<Vec<_>>()
        };
        let site = Some("https://blog.example/news");
        assert!(
            problems(site, serde_json::json!({ "user": "acme", "categories": ["News"], "featured": false })).is_empty()
        );
        assert_eq!(problems(None, serde_json::json!({})), ["server", "user"]);
        assert_eq!(problems(Some("https://blog.example/wp-admin"), serde_json::json!({ "user": "acme" })), ["server"]);
        assert_eq!(problems(site, serde_json::json!({ "user": "a:b" })), ["user"]);
        assert_eq!(problems(site, serde_json::json!({ "user": "acme", "categories": [" "] })), ["categories"]);
        assert_eq!(problems(site, serde_json::json!({ "user": "acme", "feature": true })), [""]);
    }
}
