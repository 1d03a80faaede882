//! `smm.toml`, the operator's file: where it is found and what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Diagnostic, Known, Sources};
use crate::model::{Account, AccountName};

/// `smm.toml`, resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was found; `None`: there is none.
    pub path: Option<PathBuf>,
    /// Given by `--config` or `$SMM_CONFIG`, or in the user's or the system's folder: may run programs.
    pub trusted: bool,
    /// `sqlite`, `git`, `postgres://…`, or the path of a SQLite file (absolute or from the working folder).
    pub ledger: String,
    /// Its accounts.
    pub accounts: BTreeMap<AccountName, Account>,
    /// `[delivery]`.
    pub delivery: DeliverySettings,
    /// `[[alerts]]`.
    pub alerts: Vec<Alert>,
}

impl Default for Config {
    /// What holds where there is no `smm.toml`.
    fn default() -> Self {
        Self {
            path: None,
            trusted: false,
            ledger: "sqlite".to_owned(),
            accounts: BTreeMap::new(),
            delivery: DeliverySettings::default(),
            alerts: Vec::new(),
        }
    }
}

/// `[delivery]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Of the one irreversible call.
    pub timeout: Duration,
    /// Wait before an unknown is looked up, and between the two looks.
    pub settle: Duration,
    /// A claim not renewed for this long is dead.
    pub lease: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), settle: Duration::from_secs(120), lease: Duration::from_secs(60) }
    }
}

/// `[[alerts]]`: who is told when a delivery needs a person. Its address is a secret and not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its name, which names its secret too.
    pub name: String,
    /// How it is told.
    pub kind: AlertKind,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertKind {
    /// An HTTP POST.
    Webhook,
    /// A mail.
    Email {
        /// To whom.
        to: Vec<String>,
    },
    /// A program with its arguments. Only from a trusted config.
    Command {
        /// Program, then arguments.
        command: Vec<String>,
    },
}

/// An `smm.toml` that was found, or was named and has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// It may run programs.
    pub trusted: bool,
}

/// Looks for `smm.toml`: `explicit` (`--config`, `$SMM_CONFIG`), beside the calendar, in the user's folder for settings
/// (`$XDG_CONFIG_HOME`), in `/etc`. Never walks up.
pub fn find(explicit: Option<&Path>, calendar: &Path, user_folder: Option<&Path>) -> Option<Found> {
    let _ = (explicit, calendar, user_folder);
    todo!()
}

/// Reads `smm.toml`. The config is `None` when it has errors; a missing config (`None` handed in) is an empty one.
pub fn load_config(found: Option<&Found>, known: &Known) -> (Option<Config>, Vec<Diagnostic>, Sources) {
    let _ = (found, known);
    todo!()
}
