//! The account that `smm login` and `smm logout` are about.

use std::ffi::OsString;
use std::fmt::Write as _;

use super::super::init::{self, Sample};
use super::super::target::Beside;
use super::super::workspace::{Settings, Workspace};
use super::super::{Failure, Global};
use crate::adapter::Network;
use crate::model::{Account, AccountName};
use crate::networks;

/// What is shorter is taken for a name that was mistyped.
const LIKE_A_SECRET: usize = 16;

/// So many networks are shown with their settings.
const SHOWN: usize = 4;

/// The argument that names an account. Nothing may stand beside it: it could be a secret.
#[derive(Debug, Clone, clap::Args)]
pub(in super::super) struct AccountArg {
    /// The account, by its name in smm.toml
    #[arg(value_name = "ACCOUNT")]
    name: String,
    #[arg(hide = true, num_args = 0.., allow_hyphen_values = true)]
    more: Vec<OsString>,
    #[command(flatten)]
    pub(in super::super) beside: Beside,
}

impl AccountArg {
    /// The account, with the settings that it stands in. It may be one that the calendar declares.
    pub(in super::super) fn find(&self, global: &Global) -> Result<(Settings, Account), Failure> {
        if !self.more.is_empty() {
            return Err(Failure::usage(
                "one ACCOUNT is named, and nothing else; what stands after it is not repeated here, since it may be a secret",
            )
            .hint(
                "a secret is typed when it is asked for, or read from stdin (`smm login ACCOUNT --with paste < FILE`), \
                 never an argument: every user of the machine sees those, and your shell keeps them. If it was one, have \
                 it made anew",
            ));
        }
        let file = self.beside.calendar().file();
        let settings = Settings::read(global, &file);
        let config = settings.config()?;
        let name = AccountName::parse(&self.name).ok();
        if let Some(account) = name.as_ref().and_then(|name| config.accounts.get(name)) {
            let account = account.clone();
            return Ok((settings, account));
        }
        let mut known: Vec<AccountName> = config.accounts.keys().cloned().collect();
        if file.exists() {
            let workspace = Workspace::read(&self.beside.calendar(), global)?;
            if let Some(calendar) = &workspace.loaded.calendar {
                if let Some(account) = name.as_ref().and_then(|name| calendar.accounts.get(name)) {
                    return Ok((settings, account.clone()));
                }
                known = calendar.accounts.keys().cloned().collect();
            }
        }
        Err(self.unknown(name.as_ref(), &settings, &known))
    }

    /// Says what to write where.
    fn unknown(&self, name: Option<&AccountName>, settings: &Settings, known: &[AccountName]) -> Failure {
        let shown = name.filter(|name| name.as_str().len() < LIKE_A_SECRET);
        let file = match &settings.found {
            Some(found) => found.path.display().to_string(),
            None => self.beside.calendar().file().with_file_name("smm.toml").display().to_string(),
        };
        let mut failure = Failure::new(match shown {
            Some(name) => format!("there is no account `{name}`"),
            None => "there is no account of that name".to_owned(),
        });
        if !known.is_empty() {
            let known: Vec<&str> = known.iter().map(AccountName::as_str).collect();
            failure = failure.hint(format!("known accounts: {}", known.join(", ")));
        }
        // A network's name is none for an account.
        let name = shown.map(AccountName::as_str).filter(|name| networks::find(name).is_none()).unwrap_or("NAME");
        failure.hint(format!("to add one, write one of these into {file}, then sign in:\n{}", examples(name)))
    }
}

/// The tables of an account, one for each network that is signed in to.
fn examples(name: &str) -> String {
    let mut text = String::new();
    let all: Vec<&&dyn Network> =
        networks::ALL.iter().filter(|network| !network.profile().sign_in.is_empty()).collect();
    for network in all.iter().take(SHOWN) {
        let profile = network.profile();
        let _ = write!(text, "\n  # {}\n  [accounts.{name}]\n  network = \"{}\"\n", profile.about, profile.id);
        if init::needs_server(**network) {
            let _ = writeln!(text, "  server = \"{}://…\"", init::scheme(**network));
        }
        for Sample { key, value, about, needed } in init::samples(**network) {
            let _ = writeln!(text, "  {}{key} = {value}   # {about}", if needed { "" } else { "# " });
        }
    }
    let rest: Vec<&str> = all.iter().skip(SHOWN).map(|network| network.profile().id).collect();
    if !rest.is_empty() {
        let _ = write!(text, "\n  and {}: `smm networks NAME` says what each needs\n", rest.join(", "));
    }
    text
}
