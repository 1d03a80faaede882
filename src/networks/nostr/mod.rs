//! Nostr: signed events on many relays. See the README beside this file.
//!
//! `profile.rs` holds the limits, `plan.rs` makes steps from a draft, `api.rs` runs them. `relay.rs` speaks to one relay,
//! `quorum.rs` says what the words of all of them come to, `blossom.rs` uploads files. `key.rs` signs, `name.rs` reads and
//! writes names such as `npub1…`, `wire.rs` is what goes over the wire.

mod api;
mod blossom;
#[cfg(feature = "testing")]
mod fake;
mod key;
mod name;
mod plan;
mod profile;
mod quorum;
mod relay;
mod wire;

use serde::Deserialize;

use crate::adapter::http::server_url;
use crate::adapter::socket::socket_url;
use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile};
use crate::model::{Account, Place, Problem, codes};

/// Most relays of an account.
const RELAYS: usize = 20;

/// Nostr.
pub(super) struct Nostr;

/// An account's own settings.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The relays that are published to: `["wss://relay.example", …]`, at most 20.
    #[schemars(length(min = 1, max = 20))]
    relays: Vec<String>,
    /// How many of them have to take a post; more than half when absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 20))]
    quorum: Option<usize>,
    /// The Blossom server that pictures and videos are uploaded to, such as `https://blossom.example`. Only posts with
    /// files need one.
    #[serde(default)]
    media_server: Option<String>,
}

impl Settings {
    /// The settings, with addresses in the form in which they are compared.
    fn read(account: &Account) -> Result<Self, String> {
        let settings: Self = serde_json::from_value(serde_json::Value::Object(account.settings.clone()))
            .map_err(|error| error.to_string())?;
        let relays = settings.relays.iter().map(|relay| socket_url(relay)).collect::<Result<Vec<_>, _>>()?;
        let media_server = settings.media_server.as_deref().map(server_url).transpose()?;
        Ok(Self { relays, media_server, ..settings })
    }

    /// How many relays have to take a post.
    fn quorum(&self) -> usize {
        self.quorum.unwrap_or(self.relays.len() / 2 + 1)
    }
}

impl Network for Nostr {
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
        if account.server.is_some() {
            wrong("server", "a Nostr account has no `server`".to_owned(), "name its `relays`");
        }
        let help = "add `relays = [\"wss://relay.example\"]`: up to 20, each once";
        let relays = account.settings.get("relays").and_then(serde_json::Value::as_array);
        let count = relays.map_or(0, Vec::len);
        if count == 0 || count > RELAYS {
            wrong("relays", "a Nostr account needs 1 to 20 `relays`".to_owned(), help);
        }
        let mut seen = Vec::new();
        for relay in relays.into_iter().flatten() {
            match relay.as_str().ok_or_else(|| format!("{relay} is not an address")).and_then(socket_url) {
                Ok(url) if seen.contains(&url) => wrong("relays", format!("`{url}` is there twice"), help),
                Ok(url) => seen.push(url),
                Err(why) => wrong("relays", why, help),
            }
        }
        if let Some(quorum) = account.settings.get("quorum")
            && count > 0
            && !quorum.as_u64().is_some_and(|quorum| (1..=count as u64).contains(&quorum))
        {
            let message = format!("`quorum` is a number from 1 to {count}, the number of relays");
            wrong("quorum", message, "leave it out for more than half of them");
        }
        if let Some(server) = account.settings.get("media_server") {
            let address = server.as_str().ok_or_else(|| format!("{server} is not an address"));
            if let Err(why) = address.and_then(server_url) {
                let help = "write `media_server = \"https://blossom.example\"`: a Blossom server; without files, none is needed";
                wrong("media_server", why, help);
            }
        }
        if problems.is_empty()
            && let Err(error) = Settings::read(account)
        {
            problems.push(Problem::error(codes::ACCOUNT_SETTING, Place::Post, error));
        }
    }

    fn lacks_for_files(&self, account: &Account) -> Option<[&'static str; 2]> {
        account.setting("media_server").is_none().then_some([
            "a Nostr post has its files on a media server, and the account names none",
            "add `media_server = \"https://blossom.example\"` to the account in smm.toml: a Blossom server that takes your files",
        ])
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn kept(&self, files: u64, quotes: bool) -> u64 {
        plan::room_for(files, quotes)
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
        Box::pin(async { Some(Box::new(fake::Net::start(3).await) as Box<dyn crate::adapter::suite::Fake>) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::AccountName;

    fn account(settings: &Value) -> Account {
        let mut account = Account::new(AccountName::new("keys"), "nostr");
        account.settings = settings.as_object().expect("a table").clone();
        account
    }

    fn problems(account: &Account) -> Vec<&'static str> {
        let mut problems = Vec::new();
        Nostr.check_account(account, &mut problems);
        problems.into_iter().map(|problem| if let Place::Key { key } = problem.place { key } else { "" }).collect()
    }

    #[test]
    fn settings_are_checked() {
        let of = |relays: Value, quorum: Value| {
            let mut settings = json!({"relays": relays, "media_server": "https://blossom.example"});
            if !quorum.is_null() {
                settings["quorum"] = quorum;
            }
            problems(&account(&settings))
        };
        let two = || json!(["wss://a.example", "ws://127.0.0.1:7000"]);
        assert!(of(two(), Value::Null).is_empty());
        assert!(of(two(), json!(2)).is_empty());
        for bad in [json!(0), json!(3), json!("2"), json!(1.5)] {
            assert_eq!(of(two(), bad), ["quorum"]);
        }
        for bad in [
            json!([]),
            json!("wss://a.example"),
            json!(["https://a.example"]),
            json!(["ws://a.example"]),
            json!([1]),
            json!(["wss://a.example", "wss://a.example/"]),
        ] {
            assert_eq!(of(bad.clone(), Value::Null), ["relays"], "{bad}");
        }
        assert_eq!(problems(&account(&json!({"relays": two(), "media_server": 7}))), ["media_server"]);
        assert_eq!(
            problems(&account(&json!({"relays": two(), "media_server": "http://blossom.example"}))),
            ["media_server"]
        );
        assert_eq!(problems(&account(&json!({"relays": two(), "media_server": "https://b.example", "x": 1}))).len(), 1);
        let mut with_server = account(&json!({"relays": two(), "media_server": "https://b.example"}));
        with_server.server = Some("https://b.example".to_owned());
        assert_eq!(problems(&with_server), ["server"]);
    }

    #[test]
    fn only_files_need_a_media_server() {
        let without = account(&json!({"relays": ["wss://a.example"]}));
        assert!(problems(&without).is_empty());
        assert!(Nostr.lacks_for_files(&without).is_some_and(|[_, help]| help.contains("`media_server = ")));
        let with = account(&json!({"relays": ["wss://a.example"], "media_server": "https://b.example"}));
        assert_eq!(Nostr.lacks_for_files(&with), None);
    }

    #[test]
    fn a_quorum_is_more_than_half() {
        for (count, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)] {
            let relays: Vec<String> = (0..count).map(|number| format!("wss://r{number}.example/")).collect();
            let settings = json!({"relays": relays, "media_server": "https://b.example/"});
            let settings = Settings::read(&account(&settings)).expect("good settings");
            assert_eq!(settings.quorum(), quorum);
            assert_eq!(settings.relays[0], "wss://r0.example", "without the slash");
        }
    }
}
