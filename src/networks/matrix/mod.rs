//! Matrix: messages to a room. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `markup.rs` the formatted copy of a text. `api.rs`
//! runs the steps, `room.rs` calls with the account's token and finds the room, `homeserver.rs` finds the server and reads
//! its refusals, `session.rs` signs in with a password, `wire.rs` is what goes over the wire.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod homeserver;
mod markup;
mod plan;
mod profile;
mod room;
mod session;
mod wire;

use serde::{Deserialize, Serialize};

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile, Sessions};
use crate::model::{Account, Place, Problem, codes};

/// Matrix.
pub(super) struct Matrix;

/// An account's own settings.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The room: its alias, such as `#news:acme.example`, or its id, such as `!AbCdEf:acme.example`.
    room: String,
    /// `text` (as a person writes; the default) or `notice` (as bots write; clients tell nobody of it).
    #[serde(default)]
    kind: Kind,
    /// Texts are Markdown. Without it they are shown as they are written, with links that can be followed.
    #[serde(default)]
    markdown: bool,
}

/// What kind of message a text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// `m.text`.
    #[default]
    Text,
    /// `m.notice`.
    Notice,
}

impl Settings {
    fn read(account: &Account) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::Value::Object(account.settings.clone()))
    }
}

impl Network for Matrix {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &'static str, message: String, help: &str| {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Key { key }, message).help(help));
        };
        if account.server.is_none() {
            let help = "add `server = \"https://acme.example\"`: what follows the `:` in the account's name";
            wrong("server", "a Matrix account needs its `server`".to_owned(), help);
        }
        let help = "write its alias, `#news:acme.example`, or its id, `!AbCdEf:acme.example`: see the room's settings";
        match account.settings.get("room") {
            None => {
                wrong("room", "a Matrix account needs its `room`".to_owned(), "add `room = \"#news:acme.example\"`");
            }
            Some(room) if !room.as_str().is_some_and(wire::is_room) => {
                wrong("room", format!("{room} is not a room"), help);
            }
            Some(_) => {}
        }
        if let Some(kind) = account.settings.get("kind")
            && !matches!(kind.as_str(), Some("text" | "notice"))
        {
            wrong("kind", format!("{kind} is not a kind of message"), "write `text` or `notice`");
        }
        if let Some(markdown) = account.settings.get("markdown")
            && !markdown.is_boolean()
        {
            wrong("markdown", "`markdown` is `true` or `false`".to_owned(), "leave it out for `false`");
        }
        if problems.is_empty()
            && let Err(error) = Settings::read(account)
        {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Post, error.to_string()));
        }
    }

    fn sessions(&self) -> Option<&dyn Sessions> {
        Some(self)
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
        Box::pin(async { Some(Box::new(fake::Homeserver::start().await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountName;

    fn problems(server: Option<&str>, settings: &serde_json::Value) -> Vec<&'static str> {
        let mut account = Account::new(AccountName::new("room"), "matrix");
        account.server = server.map(str::to_owned);
        account.settings = settings.as_object().expect("a table").clone();
        let mut problems = Vec::new();
        Matrix.check_account(&account, &mut problems);
        problems.into_iter().map(|problem| if let Place::Key { key } = problem.place { key } else { "" }).collect()
    }

    #[test]
    fn settings_are_checked() {
        let of = |settings: serde_json::Value| problems(Some("https://acme.example"), &settings);
        assert!(of(serde_json::json!({"room": "#news:acme.example"})).is_empty());
        assert!(of(serde_json::json!({"room": "!a-B_9", "kind": "notice", "markdown": true})).is_empty());
        assert_eq!(of(serde_json::json!({})), ["room"]);
        for room in ["news", "#news", "@bob:acme.example", "", "#a b:acme.example", "!", "#:a"] {
            assert_eq!(of(serde_json::json!({"room": room})), ["room"], "{room}");
        }
        assert_eq!(of(serde_json::json!({"room": "!a:b", "kind": "emote"})), ["kind"]);
        assert_eq!(of(serde_json::json!({"room": "!a:b", "markdown": 1})), ["markdown"]);
        assert_eq!(of(serde_json::json!({"room": "!a:b", "rooom": 1})).len(), 1);
        assert_eq!(problems(None, &serde_json::json!({"room": "!a:b"})), ["server"]);
    }
}
