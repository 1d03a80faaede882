//! A program of one's own: it gets what is to be published as JSON and answers with a receipt. See the README beside this
//! file for its protocol.
//!
//! `profile.rs` holds the limits, `plan.rs` makes requests from a draft, `api.rs` runs the program, `wire.rs` is what it says.

mod api;
#[cfg(feature = "testing")]
mod fake;
mod plan;
mod profile;
mod wire;

use serde::Deserialize;

use crate::adapter::{Api, Draft, Network, Outside, Plan, Profile, RepeatSafety};
use crate::model::{Account, Place, Problem, codes};

/// A program.
pub(super) struct Exec;

/// An account's own settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The program, then its arguments. There is no shell.
    command: Vec<String>,
    /// What the program promises of an id that it gets for the second time.
    repeat: Repeat,
}

/// What a lost answer is met with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Repeat {
    /// Nothing is promised: a person looks.
    #[default]
    None,
    /// It answers `look-up`.
    LookUp,
    /// It publishes an id once, however often it gets it.
    ChosenId,
}

impl Repeat {
    fn safety(self) -> RepeatSafety {
        match self {
            Self::None => RepeatSafety::None,
            Self::LookUp => RepeatSafety::LookUp,
            Self::ChosenId => RepeatSafety::ChosenId,
        }
    }
}

impl Settings {
    fn of(account: &Account) -> Self {
        // What cannot be read is refused by the schema before.
        account.read_settings().unwrap_or_default()
    }
}

impl Network for Exec {
    fn profile(&self) -> &'static Profile {
        &profile::PROFILE
    }

    fn readme(&self) -> &'static str {
        include_str!("README.md")
    }

    fn runs_programs(&self) -> bool {
        true
    }

    fn needs_secret(&self, _account: &Account) -> bool {
        false
    }

    fn check_account(&self, account: &Account, problems: &mut Vec<Problem>) {
        if Settings::of(account).command.first().is_none_or(String::is_empty) {
            let place = Place::Key { key: "command" };
            problems.push(
                Problem::error(codes::ACCOUNT_SETTING, place, "an `exec` account needs the `command` that it runs")
                    .help("add `command = [\"/usr/local/bin/publish\", \"--verbose\"]`: a program and its arguments"),
            );
        }
    }

    fn repeat(&self, account: &Account) -> RepeatSafety {
        Settings::of(account).repeat.safety()
    }

    fn settings_schema(&self) -> schemars::Schema {
        schemars::schema_for!(Settings)
    }

    fn plan(&self, draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
        Ok(plan::plan(draft))
    }

    fn connect(&self, account: &Account, outside: Outside) -> Box<dyn Api> {
        Box::new(api::Client::new(account, outside))
    }

    #[cfg(feature = "testing")]
    fn fake(&self) -> crate::adapter::suite::Starting {
        Box::pin(async { Some(Box::new(fake::Stand::new()) as Box<dyn crate::adapter::suite::Fake>) })
    }
}
