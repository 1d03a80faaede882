//! What most commands begin with: where the calendar is, what `smm.toml` says, where state is kept.
//!
//! The environment is read here and nowhere below.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use etcetera::BaseStrategy as _;
use secrecy::ExposeSecret as _;

use super::Global;
use super::output::{self, Failure};
use crate::calendar::{self, Calendar, Config, Diagnostic, Found, Loaded, Sources};
use crate::ledger::{Ledger, OpenMode, Opening};
use crate::model::{Account, AccountName, GitSetting, Severity};
use crate::networks;
use crate::secrets::{Chain, Owner};
use crate::time::Zone;

/// The argument that names the calendar.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct CalendarArg {
    /// The calendar, or the folder that it is in
    #[arg(value_name = "CALENDAR", env = "SMM_CALENDAR", default_value = "calendar.toml", hide_env_values = true)]
    pub calendar: PathBuf,
}

impl CalendarArg {
    /// The calendar's file: a folder stands for the `calendar.toml` in it.
    pub(super) fn file(&self) -> PathBuf {
        if self.calendar.is_dir() { self.calendar.join("calendar.toml") } else { self.calendar.clone() }
    }
}

/// The operator's settings, and where state is kept.
#[derive(Debug)]
pub(super) struct Settings {
    /// `smm.toml`, or what holds without one. `None`: it has errors, see [`Settings::diagnostics`].
    pub config: Option<Config>,
    /// Where it was found.
    pub found: Option<Found>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Its text.
    pub sources: Sources,
    /// The folder that the calendar is in, or would be.
    pub folder: PathBuf,
}

impl Settings {
    /// Finds and reads `smm.toml`. `calendar` is the calendar's file, beside which it may be.
    pub(super) fn read(global: &Global, calendar: &Path) -> Self {
        let user = etcetera::base_strategy::Xdg::new().ok().map(|base| base.config_dir());
        let found = calendar::find(global.config.as_deref(), calendar, user.as_deref());
        let (config, diagnostics, sources) = calendar::load_config(found.as_ref(), &networks::known());
        let folder = calendar.parent().unwrap_or(Path::new("")).to_owned();
        Self { config, found, diagnostics, sources, folder }
    }

    /// The settings, or a refusal that shows what is wrong with them.
    pub(super) fn config(&self) -> Result<&Config, Failure> {
        match &self.config {
            Some(config) if !has_errors(&self.diagnostics) => Ok(config),
            _ => Err(refusal(&self.sources, &self.diagnostics, "smm.toml is refused")),
        }
    }

    /// Opens the ledger. To read, one that does not exist yet is an empty one.
    pub(super) fn ledger(&self, mode: OpenMode) -> Result<Arc<dyn Ledger>, Failure> {
        let (config, setting, state) = (self.config()?, self.ledger_setting()?, state_folder()?);
        let mut opening = Opening::new(&setting, &state, mode);
        opening.lease = config.delivery.lease;
        opening.folder = Some(&self.folder);
        opening.environment = Some(environment());
        if setting.contains("://") {
            let found = block_on(async { secrets().read(&Owner::ledger(), "password").await.map_err(Failure::new) })?;
            opening.password = found.map(|found| found.secret);
        }
        Ok(opening.open()?)
    }

    /// What the names of the files begin with that this machine keeps beside the ledger.
    pub(super) fn beside_ledger(&self) -> Result<PathBuf, Failure> {
        let (setting, state) = (self.ledger_setting()?, state_folder()?);
        let mut opening = Opening::new(&setting, &state, OpenMode::ReadOnly);
        opening.folder = Some(&self.folder);
        Ok(opening.beside())
    }

    /// A path in smm.toml has become one from the working folder when it was read; the ledger counts from its own.
    fn ledger_setting(&self) -> Result<String, Failure> {
        let setting = &self.config()?.ledger;
        if GitSetting::parse(setting).is_some() {
            return Ok(setting.clone());
        }
        let path =
            std::path::absolute(setting).ok().filter(|_| setting.contains(['/', '.']) && !setting.contains("://"));
        Ok(path.as_deref().and_then(Path::to_str).unwrap_or(setting).to_owned())
    }
}

/// Settings and calendar.
#[derive(Debug)]
pub(super) struct Workspace {
    /// The calendar's file.
    pub file: PathBuf,
    /// The operator's settings.
    pub settings: Settings,
    /// The calendar, and what is wrong with its form.
    pub loaded: Loaded,
}

impl Workspace {
    /// Reads both files. Mistakes in them are no failure yet: `check` shows them, others call [`Workspace::calendar`].
    pub(super) fn read(arg: &CalendarArg, global: &Global) -> Result<Self, Failure> {
        let file = arg.file();
        if !file.exists() {
            return Err(Failure::new(format!("there is no calendar at {}", file.display()))
                .hint("name one as an argument or in SMM_CALENDAR, or write a starter with `smm init`"));
        }
        let settings = Settings::read(global, &file);
        let empty = Config::default();
        let loaded = calendar::load(&file, settings.config.as_ref().unwrap_or(&empty), &networks::known());
        Ok(Self { file, settings, loaded })
    }

    /// The operator's settings, or a refusal that shows what is wrong with them.
    pub(super) fn config(&self) -> Result<&Config, Failure> {
        self.settings.config()
    }

    /// The calendar, refused when there is any mistake in its form: what a person may still mend is not published in part.
    pub(super) fn sound_calendar(&self) -> Result<&Calendar, Failure> {
        let calendar = self.calendar()?;
        if self.loaded.is_ok() {
            return Ok(calendar);
        }
        Err(refusal(&self.loaded.sources, &self.loaded.diagnostics, "the calendar is refused"))
    }

    /// The calendar. Posts with mistakes in their form are left out of it; a calendar that cannot be used at all is refused.
    pub(super) fn calendar(&self) -> Result<&Calendar, Failure> {
        self.loaded
            .calendar
            .as_ref()
            .ok_or_else(|| refusal(&self.loaded.sources, &self.loaded.diagnostics, "the calendar is refused"))
    }
}

/// The folder that ledger, copied media and sealed secrets are in: `$STATE_DIRECTORY` (systemd), else
/// `$XDG_STATE_HOME/smm`, else `~/.local/state/smm`.
pub(super) fn state_folder() -> Result<PathBuf, Failure> {
    if let Some(folders) = std::env::var_os("STATE_DIRECTORY")
        && let Some(first) = std::env::split_paths(&folders).next().filter(|path| !path.as_os_str().is_empty())
    {
        return Ok(first);
    }
    etcetera::base_strategy::Xdg::new()
        .ok()
        .and_then(|base| base.state_dir())
        .map(|folder| folder.join("smm"))
        .ok_or_else(|| Failure::new("there is no home folder to keep state in").hint("set XDG_STATE_HOME"))
}

/// The machine's zone, for times that belong to no calendar: `$TZ`, else what `/etc/localtime` leads to, else UTC.
pub(super) fn local_zone() -> Zone {
    let named = std::env::var("TZ").ok().map(|name| name.trim_start_matches(':').to_owned());
    let linked = || {
        let target = std::fs::read_link("/etc/localtime").ok()?;
        Some(target.to_str()?.split_once("zoneinfo/")?.1.to_owned())
    };
    named
        .and_then(|name| Zone::parse(&name).ok())
        .or_else(|| linked().and_then(|name| Zone::parse(&name).ok()))
        .unwrap_or_default()
}

/// The sources that secrets come from. None of them is asked yet.
pub(super) fn secrets() -> Chain {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let chain = Chain::usual(|name| std::env::var(name).ok(), credentials, state_folder().ok().as_deref());
    // CI covers what it has put into the environment itself, and nothing else.
    chain.watched(|source, secret| {
        if source != "environment" {
            output::mask(secret.expose_secret());
        }
    })
}

/// What programs that smm runs inherit of the environment: everything but what is smm's own, and secrets with it.
pub(super) fn environment() -> Vec<(OsString, OsString)> {
    let own = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("SMM_")
            || matches!(&*name, "CREDENTIALS_DIRECTORY" | "NOTIFY_SOCKET" | "WATCHDOG_PID" | "WATCHDOG_USEC")
    };
    std::env::vars_os().filter(|(name, _)| !own(name)).collect()
}

/// The name that changes by hand are recorded under.
pub(super) fn actor() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}

/// Runs an async command on this thread.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?
        .block_on(work)
}

/// When accounts that keep their posts apart last sent something.
pub(super) async fn last_sent<'a>(
    ledger: &dyn Ledger,
    accounts: impl IntoIterator<Item = &'a Account>,
) -> Result<BTreeMap<AccountName, DateTime<Utc>>, Failure> {
    let mut found = BTreeMap::new();
    for account in accounts.into_iter().filter(|account| account.spacing.is_some()) {
        if let Some(at) = ledger.account(&account.name).await?.last_sent {
            found.insert(account.name.clone(), at);
        }
    }
    Ok(found)
}

fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|found| found.severity == Severity::Error)
}

fn refusal(_sources: &Sources, diagnostics: &[Diagnostic], message: &str) -> Failure {
    let mut text = String::new();
    for found in diagnostics.iter().filter(|found| found.severity == Severity::Error) {
        let _ = writeln!(text, "{}:{}:{}: {} [{}]", found.file, found.line, found.column, found.message, found.code);
    }
    output::stderr(&output::printable(&text));
    Failure::new(message).hint("`smm check` shows everything that is wrong")
}
