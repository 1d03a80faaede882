//! Telegram: a bot that posts to a channel or a group, over the Bot API. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `reference.rs` reads messages' addresses, `api.rs` runs
//! the steps and speaks to the server, `wire.rs` is what comes over the wire.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod plan;
mod profile;
mod reference;
mod wire;

use serde::Deserialize;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// Telegram.
pub(super) struct Telegram;

/// An account's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Where the bot posts: `@name` of a public channel or group, or its number, `-1001234567890`.
    chat: Option<Chat>,
    /// Messages arrive without a sound.
    silent: bool,
    /// Messages cannot be forwarded or saved.
    protect: bool,
    /// The topic of a group with topics: the number in its address.
    topic: Option<u64>,
    /// The preview of a link in the text; without it Telegram decides.
    preview: Option<Preview>,
}

/// A chat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Chat {
    /// Its number.
    Number(i64),
    /// `@name`, or its number in quotes.
    Name(String),
}

impl Chat {
    /// As the API wants it: `@name` or a number. `None`: it is neither.
    fn parse(&self) -> Option<String> {
        let name = match self {
            Self::Number(number) => return Some(number.to_string()),
            Self::Name(name) => name.trim(),
        };
        let user = |name: &str| {
            (4..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match name.strip_prefix('@') {
            Some(rest) => user(rest).then(|| name.to_owned()),
            None => name.parse::<i64>().ok().map(|number| number.to_string()),
        }
    }
}

/// How a link's preview is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Preview {
    /// None.
    Off,
    /// With a small picture.
    Small,
    /// With a large picture.
    Large,
}

impl Network for Telegram {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn also_called(&self) -> &'static [&'static str] {
        &["tg"]
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        let mut wrong = |key, message: String, help: &str| {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Key { key }, message).help(help));
        };
        let help = "add `chat = \"@channel\"`, or the number of a private one: `chat = \"-1001234567890\"`";
        match account.read_settings() {
            Ok(Settings { chat: None, .. }) => {
                wrong("chat", "a Telegram account needs the `chat` that it posts to".to_owned(), help);
            }
            Ok(Settings { chat: Some(chat), .. }) if chat.parse().is_none() => {
                wrong("chat", "the `chat` is neither `@name` nor a number".to_owned(), help);
            }
            // What cannot be read the schema has refused already.
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
        Box::pin(async { Some(Box::new(fake::Server::start().await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
