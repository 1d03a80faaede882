//! `smm accounts`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::output::{self, Stream, Style};
use super::workspace::{self, CalendarArg, Settings, Workspace};
use super::{Exit, Failure, Format, Global, delivering};
use crate::adapter::{Fault, Network};
use crate::calendar::{Calendar, Loaded};
use crate::engine::{COMMAND_CALENDAR, Connector as _, Folders, Networks, compare};
use crate::ledger::{AccountRecord, Ledger, OpenMode, Query};
use crate::model::{
    Account, AccountName, Binding, CalendarName, Delivery, Grade, LimitOverrides, Origin, ReasonCode, Standings, State,
};
use crate::networks;
use crate::oauth::{FIELD, GrantInfo};
use crate::report::{AccountFacts, AccountList, AccountView, Asked, SecretView, Trouble};
use crate::schedule::beyond;
use crate::secrets::{Chain, Owner};
use crate::time::{Clock as _, SystemClock};

/// So many servers are asked at once.
const TOGETHER: usize = 8;

/// An account whose server has not answered by then is given up.
const GIVE_UP: Duration = Duration::from_secs(30);

/// Show each account: who it is, where its secrets are, until when they hold
///
/// And what is planned after that. Nothing is asked of any network without --online, and no secret is ever shown. The exit
/// status is 1 while an account cannot publish.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// Ask each account's server who it is and what it may do
    #[arg(long)]
    online: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let scene = Scene::read(&args.calendar, global)?;
    let ledger = scene.settings().ledger(OpenMode::ReadOnly)?;
    workspace::block_on(async {
        let (found, now) = (scene.look(Some(&*ledger), args.online, global).await?, SystemClock.now());
        let list = AccountList::new(found.into_iter().map(|found| found.view).collect());
        match args.format {
            Format::Json => output::json(&list)?,
            Format::Human => output::stdout(&list.human(now, |grade| mark(grade, 0))),
        }
        Ok(if list.ok { Exit::Done } else { Exit::Failed })
    })
}

/// A grade in its colour, `width` wide.
pub(super) fn mark(grade: Grade, width: usize) -> String {
    let word = format!("{:<width$}", grade.as_str());
    match grade {
        Grade::Ok => word,
        Grade::Warning => output::paint(Stream::Stdout, Style::Warning, &word),
        Grade::Error => output::paint(Stream::Stdout, Style::Error, &word),
    }
}

/// The accounts of `smm.toml`, and those of a calendar where there is one.
pub(super) struct Scene {
    read: Read,
    folder: PathBuf,
}

enum Read {
    Both(Box<Workspace>),
    /// There is no calendar here.
    Settings(Box<Settings>),
}

/// What was found out about an account.
pub(super) struct Found {
    /// As it is shown.
    pub(super) view: AccountView,
    /// The limits that its server states.
    pub(super) limits: Option<LimitOverrides>,
    /// By how much its server's clock is ahead of the machine's.
    pub(super) ahead: Option<TimeDelta>,
}

/// What a server told.
struct Answer {
    asked: Asked,
    ahead: Option<TimeDelta>,
}

impl Scene {
    /// Reads both files. Without a calendar the accounts of `smm.toml` are all, unless one was named.
    pub(super) fn read(calendar: &CalendarArg, global: &Global) -> Result<Self, Failure> {
        let file = calendar.file();
        let folder = file.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let read = if calendar.calendar == Path::new("calendar.toml") && !file.exists() {
            Read::Settings(Box::new(Settings::read(global, &file)))
        } else {
            Read::Both(Box::new(Workspace::read(calendar, global)?))
        };
        Ok(Self { read, folder })
    }

    pub(super) fn settings(&self) -> &Settings {
        match &self.read {
            Read::Both(workspace) => &workspace.settings,
            Read::Settings(settings) => settings,
        }
    }

    /// What was read of the calendar; `None`: there is none.
    pub(super) fn loaded(&self) -> Option<&Loaded> {
        match &self.read {
            Read::Both(workspace) => Some(&workspace.loaded),
            Read::Settings(_) => None,
        }
    }

    fn calendar(&self) -> Option<&Calendar> {
        self.loaded()?.calendar.as_ref()
    }

    /// The accounts, by name.
    pub(super) fn accounts(&self) -> Result<BTreeMap<AccountName, Account>, Failure> {
        let mut accounts = self.settings().config()?.accounts.clone();
        accounts.extend(self.calendar().into_iter().flat_map(|calendar| calendar.accounts.clone()));
        Ok(accounts)
    }

    /// Looks at all of them. `ledger`: `None` when it cannot be read.
    pub(super) async fn look(
        &self,
        ledger: Option<&dyn Ledger>,
        online: bool,
        global: &Global,
    ) -> Result<Vec<Found>, Failure> {
        let (accounts, now) = (self.accounts()?, SystemClock.now());
        let rows = match ledger {
            Some(ledger) => self.rows(ledger, now).await?,
            None => Vec::new(),
        };
        let all_paused = match ledger {
            Some(ledger) => ledger.paused().await?,
            None => None,
        };
        let mut records = BTreeMap::new();
        for name in accounts.keys() {
            let record = match ledger {
                Some(ledger) => ledger.account(name).await?,
                None => AccountRecord::default(),
            };
            records.insert(name.clone(), record);
        }
        let mut kept = secrets_of(&accounts).await;
        let mut answers = if online {
            let bindings = records.iter().filter_map(|(name, record)| Some((name.clone(), record.binding.clone()?)));
            self.ask(&accounts, &bindings.collect(), global).await?
        } else {
            BTreeMap::new()
        };
        let mut found = Vec::new();
        for (name, account) in &accounts {
            let (secrets, grant) = kept.remove(name).unwrap_or((Vec::new(), Ok(None)));
            let answer = answers.remove(name);
            let (ahead, asked) = answer.map_or((None, None), |answer| (answer.ahead, Some(answer.asked)));
            let limits = asked.as_ref().and_then(|asked| Some(asked.as_ref().ok()?.0.limits.clone()));
            let waits = |row: &&Delivery| {
                let code = row.reason.as_ref().map(|reason| reason.code);
                row.account == *name
                    && row.state == State::Held
                    && matches!(code, Some(ReasonCode::Credentials | ReasonCode::Secret))
            };
            let facts = AccountFacts {
                account,
                profile: networks::find(&account.network).map(Network::profile),
                needs_secret: networks::find(&account.network).is_some_and(|network| network.needs_secret(account)),
                record: records.remove(name).unwrap_or_default(),
                secrets,
                grant,
                all_paused: all_paused.clone(),
                waiting: rows.iter().filter(waits).count(),
                asked,
            };
            let after = facts.ends().and_then(|end| beyond(self.calendar(), &rows, account, end.at.max(now)));
            found.push(Found { view: facts.view(after.as_ref(), now), limits, ahead });
        }
        Ok(found)
    }

    /// The deliveries as they will be once the ledger agrees with the calendar, and those of `smm post`.
    async fn rows(&self, ledger: &dyn Ledger, now: DateTime<Utc>) -> Result<Vec<Delivery>, Failure> {
        let Some((loaded, calendar)) = self.loaded().zip(self.calendar()) else {
            return Ok(ledger.deliveries(&Query::default()).await?);
        };
        let of = |name: CalendarName| Query { calendar: Some(name), ..Query::default() };
        let (own, mut others): (Vec<_>, Vec<_>) = ledger
            .deliveries(&of(calendar.name.clone()))
            .await?
            .into_iter()
            .partition(|row| row.origin == Origin::Calendar);
        let record = ledger.calendar(&calendar.name).await?;
        others.extend(compare(ledger, calendar, &loaded.ids, &Standings::of(&own), &record, now).await?.apply(&own));
        others.extend(ledger.deliveries(&of(CalendarName::new(COMMAND_CALENDAR))).await?);
        Ok(others)
    }

    /// Asks all servers side by side.
    async fn ask(
        &self,
        accounts: &BTreeMap<AccountName, Account>,
        bindings: &BTreeMap<AccountName, Binding>,
        global: &Global,
    ) -> Result<BTreeMap<AccountName, Answer>, Failure> {
        let (turns, mut asking) = (Arc::new(Semaphore::new(TOGETHER)), JoinSet::new());
        let folder = self.calendar().map_or_else(|| self.folder.clone(), |calendar| calendar.folder.clone());
        let folders = Folders { media: folder.clone(), files: folder };
        for account in accounts.values() {
            // Each with a connection of its own, so that it is known whose clock was told.
            let networks = delivering::networks(self.settings(), Arc::new(SystemClock))?;
            let (account, binding) = (account.clone(), bindings.get(&account.name).cloned());
            let (folders, turns) = (folders.clone(), Arc::clone(&turns));
            asking.spawn(async move {
                // Closed by nobody.
                let _turn = turns.acquire_owned().await;
                let asked = tokio::time::timeout(GIVE_UP, ask(&networks, &account, binding, &folders)).await;
                let silent =
                    || Err(Trouble::Fault(Fault::NotSent(format!("no answer within {} s", GIVE_UP.as_secs()))));
                let ahead = networks.server_time().map(|theirs| theirs - SystemClock.now());
                (account.name, Answer { asked: asked.unwrap_or_else(|_| silent()), ahead })
            });
        }
        let progress = progress(global, accounts.len());
        let mut answers = BTreeMap::new();
        while let Some(answer) = asking.join_next().await {
            progress.inc(1);
            let (name, answer) =
                answer.map_err(|error| Failure::new(format!("an account could not be asked: {error}")))?;
            answers.insert(name, answer);
        }
        progress.finish_and_clear();
        Ok(answers)
    }
}

/// Asks one server. No credential goes to another host than the ledger knows.
async fn ask(networks: &Networks, account: &Account, binding: Option<Binding>, folders: &Folders) -> Asked {
    let api = networks.connect(account, folders).map_err(Trouble::Other)?;
    let host = api.host().await.map_err(Trouble::Fault)?;
    if let (Some(binding), Some(host)) = (binding, host)
        && (binding.host != host || binding.network != account.network)
    {
        return Err(Trouble::Host(host));
    }
    let identity = api.whoami().await.map_err(Trouble::Fault)?;
    let credential = api.credential().await.map_err(Trouble::Fault)?;
    Ok((identity, credential))
}

/// Where each account's secrets are, and its grant. Side by side: a keyring may take its time.
async fn secrets_of(
    accounts: &BTreeMap<AccountName, Account>,
) -> BTreeMap<AccountName, (Vec<SecretView>, Result<Option<GrantInfo>, String>)> {
    let mut looking = JoinSet::new();
    for account in accounts.values() {
        let (chain, account) = (workspace::secrets(), account.clone());
        looking.spawn(async move {
            let owner = Owner::account(&account);
            let Some(network) = networks::find(&account.network) else { return (account.name, (Vec::new(), Ok(None))) };
            let mut secrets = Vec::new();
            for field in network.profile().secrets {
                secrets.push(secret(&chain, &owner, field.name).await);
            }
            // What a person has pasted comes first: a grant is not used then.
            let granting = network.profile().sign_in.iter().find(|way| way.grants());
            let pasted = granting.is_some_and(|way| {
                secrets.iter().any(|secret: &SecretView| secret.field == way.field() && secret.source.is_some())
            });
            let grant = if pasted { Ok(None) } else { GrantInfo::read(&chain, &owner).await };
            if matches!(grant, Ok(Some(_))) {
                // A grant stands for them.
                secrets.retain(|secret| secret.source.is_some());
                secrets.push(secret(&chain, &owner, FIELD).await);
            }
            (account.name, (secrets, grant))
        });
    }
    looking.join_all().await.into_iter().collect()
}

async fn secret(chain: &Chain, owner: &Owner, field: &str) -> SecretView {
    let (source, error) = match chain.read(owner, field).await {
        Ok(found) => (found.map(|found| found.source), None),
        Err(error) => (None, Some(error)),
    };
    SecretView { field: field.to_owned(), source, places: chain.places(owner, field), error }
}

/// A sign of life on a terminal while servers are slow.
fn progress(global: &Global, count: usize) -> indicatif::ProgressBar {
    if global.quiet || !output::is_terminal(Stream::Stderr) {
        return indicatif::ProgressBar::hidden();
    }
    let progress = indicatif::ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg} {pos}/{len}") {
        progress.set_style(style);
    }
    progress.set_message("asking accounts");
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}
