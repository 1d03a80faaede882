//! A feed: a folder with an Atom feed, an RSS feed and pages to read. It needs no account anywhere. See the README beside
//! this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them, `wire.rs` is what is kept of a
//! post. `site.rs` says which files are made from what is kept: `page.rs` writes the pages, `syndication.rs` the feeds,
//! both with the mark-up of [`crate::text::markup`].

mod api;
#[cfg(feature = "testing")]
mod fake;
mod page;
mod plan;
mod profile;
mod site;
mod syndication;
mod wire;

use serde::Deserialize;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::media;
use crate::model::{Account, Place, Problem, codes};

/// A feed.
pub(super) struct Feed;

/// An account's own settings.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The folder that is written to, relative to the calendar's folder and below it, such as `public`.
    folder: String,
    /// The feed's title. The account's name when absent.
    #[serde(default)]
    title: Option<String>,
    /// The address at which the folder is served, such as `https://acme.example/news`. Without it the pages work, but feeds
    /// have no links that work elsewhere.
    #[serde(default)]
    link: Option<String>,
    /// What the feed is about, in a sentence.
    #[serde(default)]
    description: Option<String>,
    /// Who writes it. The title when absent.
    #[serde(default)]
    author: Option<String>,
    /// How many posts the feeds and the first page keep; 50 when absent. Older ones keep their pages.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    entries: u32,
}

fn fifty() -> u32 {
    50
}

impl Network for Feed {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["atom", "rss"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &'static str, message: String, help: &str| {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Key { key }, message).help(help));
        };
        match account.setting("folder") {
            None => wrong("folder", "a feed needs its `folder`".to_owned(), "add `folder = \"public\"`"),
            Some(folder) => match media::parts(folder) {
                Err(error) => {
                    wrong("folder", error.to_string(), "name a folder below the calendar's, such as `public`");
                }
                // Folders such as `.git` and `.ssh` are for others.
                Ok(parts) if parts.iter().any(|part| part.starts_with('.')) => wrong(
                    "folder",
                    format!("`{folder}` is a hidden folder"),
                    "name a folder that does not begin with a dot, such as `public`",
                ),
                Ok(_) => {}
            },
        }
        if let Some(link) = account.setting("link") {
            let good = url::Url::parse(link).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
            });
            if !good {
                let message = format!("`{link}` is not the address of a folder on the web");
                wrong("link", message, "write where the folder is served, such as `https://acme.example/news`");
            }
        }
        if let Some(entries) = account.settings.get("entries")
            && !entries.as_u64().is_some_and(|entries| (1..=1000).contains(&entries))
        {
            wrong("entries", "`entries` is a number from 1 to 1000".to_owned(), "leave it out for 50");
        }
        if problems.is_empty()
            && let Err(error) = account.read_settings::<Settings>()
        {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Post, error));
        }
    }

    fn folder<'a>(&self, account: &'a Account) -> Option<&'a str> {
        account.setting("folder")
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
        Ok(plan::plan(draft))
    }

    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api> {
        Box::new(api::Folder::new(account, outside))
    }

    #[cfg(feature = "testing")]
    fn fake(&self) -> std::pin::Pin<Box<dyn Future<Output = Option<Box<dyn crate::adapter::suite::Fake>>> + Send>> {
        Box::pin(async { Some(Box::new(fake::FakeFeed::start()) as Box<dyn crate::adapter::suite::Fake>) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountName;

    fn problems(settings: &serde_json::Value) -> Vec<&'static str> {
        let mut account = Account::new(AccountName::new("site"), "feed");
        account.settings = settings.as_object().expect("a table").clone();
        let mut problems = Vec::new();
        Feed.check_account(&account, &mut problems);
        problems.into_iter().map(|problem| if let Place::Key { key } = problem.place { key } else { "" }).collect()
    }

    #[test]
    fn settings_are_checked() {
        assert!(problems(&serde_json::json!({ "folder": "public" })).is_empty());
        let all =
            serde_json::json!({ "folder": "a/b", "link": "https://acme.example/news", "entries": 10, "title": "T" });
        assert!(problems(&all).is_empty());
        assert_eq!(problems(&serde_json::json!({})), ["folder"]);
        for folder in ["/tmp", "../x", ".git", "a/.git", "~/x", ".", ""] {
            assert_eq!(problems(&serde_json::json!({ "folder": folder })), ["folder"], "{folder}");
        }
        for link in ["acme.example", "javascript:alert(1)", "file:///x", "https://acme.example/?a=1"] {
            assert_eq!(problems(&serde_json::json!({ "folder": "p", "link": link })), ["link"], "{link}");
        }
        assert_eq!(problems(&serde_json::json!({ "folder": "p", "entries": 0 })), ["entries"]);
        assert_eq!(problems(&serde_json::json!({ "folder": "p", "titel": "x" })).len(), 1);
    }
}
