//! Discord: a bot in a channel, or a channel's webhook, in one adapter. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `way.rs` tells bot and webhook apart, `api.rs` runs the
//! steps and speaks to the server, `wire.rs` is what comes over the wire.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod plan;
mod profile;
mod way;
mod wire;

use serde::Deserialize;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile, RepeatSafety};
use crate::model::{Account, Place, Problem, codes};

use wire::Snowflake;

/// Discord.
pub(super) struct Discord;

/// An account's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The channel that a bot posts to: its number, in quotes (Copy Channel ID). A webhook has its channel already.
    channel: Option<String>,
    /// The thread that a webhook posts to: its number, in quotes. For a bot a thread is a `channel`.
    thread: Option<String>,
    /// The webhook is that of a forum: each post becomes a thread of its own, named by the post's title.
    forum: bool,
    /// Who may be notified by a mention in a text. Nobody, unless it is said here.
    mentions: Vec<Mention>,
    /// Messages arrive without a sound.
    silent: bool,
    /// Links get no card.
    no_embeds: bool,
}

/// What a mention may notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mention {
    /// `@everyone` and `@here`.
    Everyone,
    /// Roles.
    Roles,
    /// People.
    Users,
}

impl Mention {
    /// As the API calls it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Roles => "roles",
            Self::Users => "users",
        }
    }
}

/// What is safe to repeat: a bot has a nonce, a webhook has none.
fn repeat(bot: bool) -> RepeatSafety {
    if bot { RepeatSafety::Key { window_seconds: profile::NONCE_WINDOW } } else { RepeatSafety::None }
}

impl Network for Discord {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        // The schema has said what cannot be read.
        let Ok(settings) = account.read_settings::<Settings>() else { return };
        let mut wrong = |key, message: &str, help: &str| {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Key { key }, message).help(help));
        };
        for (key, value) in [("channel", &settings.channel), ("thread", &settings.thread)] {
            if value.as_deref().is_some_and(|value| Snowflake::parse(value).is_none()) {
                let message = format!("the `{key}` is not a number in quotes");
                wrong(
                    key,
                    &message,
                    "switch on Settings, Advanced, Developer Mode; then right-click it and choose Copy ID",
                );
            }
        }
        if settings.channel.is_some() && settings.thread.is_some() {
            wrong(
                "thread",
                "a `channel` and a `thread`",
                "for a bot, write the thread's number as its `channel`; a webhook needs no `channel`",
            );
        }
        if settings.channel.is_some() && settings.forum {
            wrong(
                "forum",
                "a bot cannot open a forum's threads here",
                "make a webhook in the forum, and leave `channel` out",
            );
        }
        if settings.thread.is_some() && settings.forum {
            wrong(
                "forum",
                "a `thread` and `forum`",
                "with `thread` all posts go into that one; with `forum` each opens its own",
            );
        }
    }

    fn repeat(&self, account: &Account) -> RepeatSafety {
        // Without a channel it is a webhook's.
        repeat(account.setting("channel").is_some())
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
        Box::pin(async { Some(Box::new(fake::Server::start(false).await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
