//! How the engine reaches a network: through a [`Connector`], so that a simulator can hand in its own.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::media_host::Host;
use super::outside::{FolderFiles, FolderMedia};
use super::programs::Publishers;
use super::watched::{self, Watch, Watched};
use crate::adapter::http::{Http, HttpSettings};
use crate::adapter::mail::Mailer;
use crate::adapter::{Api, Files, MediaHost, Outside, Plan, Programs, RepeatSafety};
use crate::calendar::{Calendar, MediaHostSettings};
use crate::compose::{Instance, compose};
use crate::model::{Account, Post, Severity};
use crate::networks;
use crate::oauth::{GrantInfo, Keeper, Tools};
use crate::secrets::{Chain, Owner};
use crate::time::Clock;

/// The two folders that an adapter may be handed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Folders {
    /// Where the post's media are.
    pub media: PathBuf,
    /// Where a network that writes files writes them.
    pub files: PathBuf,
}

/// What the engine needs to know and to do of networks, without naming one.
#[async_trait]
pub trait Connector: Send + Sync {
    /// How repeats are safe on a network by its profile; a network that is not known promises nothing.
    fn repeat(&self, network: &str) -> RepeatSafety;

    /// What the account receives for a post; `Err` says why it cannot be composed.
    fn compose(&self, calendar: &Calendar, post: &Post, account: &Account, instance: Instance) -> Result<Plan, String>;

    /// The half of the account's adapter that touches the outside. Opens nothing by itself.
    fn connect(&self, account: &Account, folders: &Folders) -> Result<Box<dyn Api>, String>;

    /// What is kept of an account's sign-in, without asking its network. `None`: nothing; `Err`: it cannot be read.
    async fn grant(&self, account: &Account) -> Result<Option<GrantInfo>, String> {
        let _ = account;
        Ok(None)
    }

    /// The time by the last server that told it, with what has passed since: a second opinion of the clock. `None`: no
    /// server has told one.
    fn server_time(&self) -> Option<DateTime<Utc>> {
        None
    }
}

/// The networks that are built in.
pub struct Networks {
    tools: Tools,
    mail: Mailer,
    /// One keeper for each account, so that a token is renewed once for all who use it.
    keepers: Mutex<HashMap<Owner, Arc<Keeper>>>,
    /// One source of media for each folder, since it keeps what it has fitted for the next account.
    media: Mutex<HashMap<PathBuf, Arc<FolderMedia>>>,
    /// Where media lie for networks that fetch them.
    host: Option<Arc<dyn MediaHost>>,
    /// Who watches large files on their way.
    watch: Watch,
    /// Programs that publish; `None`: none is run.
    programs: Option<Arc<dyn Programs>>,
}

impl Networks {
    /// With these secrets, this time limit of a call, this state folder, and this clock.
    pub fn new(secrets: Chain, http: HttpSettings, state: PathBuf, clock: Arc<dyn Clock>) -> Self {
        let mail = Mailer::new(http.timeout).patient();
        let tools = Tools { secrets, http: Http::new(http), clock, state };
        Self {
            tools,
            mail,
            keepers: Mutex::default(),
            media: Mutex::default(),
            host: None,
            watch: watched::log(),
            programs: None,
        }
    }

    /// With somebody who watches large files on their way; without anybody the log tells it.
    #[must_use]
    pub fn watched(mut self, watch: Option<Watch>) -> Self {
        self.watch = watch.unwrap_or_else(watched::log);
        self
    }

    /// With programs of the operator's, which inherit what they may of this environment.
    #[must_use]
    pub fn with_programs(mut self, environment: Vec<(OsString, OsString)>) -> Self {
        self.programs = Some(Arc::new(Publishers::new(environment)));
        self
    }

    /// With a place for media, for networks that fetch them from there.
    #[must_use]
    pub fn with_media_host(mut self, settings: Option<&MediaHostSettings>) -> Self {
        let host = settings.map(|settings| Host::new(settings, &self.tools));
        self.host = host.map(|host| Arc::new(host) as Arc<dyn MediaHost>);
        self
    }

    /// The account's secrets, as all of this process use them.
    pub fn keeper(&self, account: &Account) -> Arc<Keeper> {
        let mut known = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Keeper::new(self.tools.clone(), account));
        Arc::clone(known.entry(Owner::account(account)).or_insert_with(new))
    }

    fn media(&self, folder: &Path) -> Arc<FolderMedia> {
        let mut known = self.media.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(folder.to_owned()).or_insert_with(|| Arc::new(FolderMedia::new(folder))))
    }
}

#[async_trait]
impl Connector for Networks {
    fn repeat(&self, network: &str) -> RepeatSafety {
        networks::find(network).map_or(RepeatSafety::None, |network| network.profile().repeat)
    }

    fn compose(&self, calendar: &Calendar, post: &Post, account: &Account, instance: Instance) -> Result<Plan, String> {
        let rendering = compose(calendar, post, account, instance);
        let wrong: Vec<&str> = rendering
            .problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .map(|problem| problem.message.as_str())
            .collect();
        match rendering.plan {
            Some(plan) if wrong.is_empty() => Ok(plan),
            _ if wrong.is_empty() => Err("nothing is left to send".to_owned()),
            _ => Err(wrong.join("; ")),
        }
    }

    fn connect(&self, account: &Account, folders: &Folders) -> Result<Box<dyn Api>, String> {
        let network = networks::find(&account.network)
            .ok_or_else(|| format!("`{}` is not a network that smm knows", account.network))?;
        let clock = Arc::clone(&self.tools.clock);
        let files: Arc<dyn Files> = Arc::new(FolderFiles::new(&folders.files));
        let outside = Outside {
            http: self.tools.http.clone(),
            mail: self.mail.clone(),
            secrets: self.keeper(account),
            media: Arc::new(Watched::new(self.media(&folders.media), account.name.clone(), Arc::clone(&self.watch))),
            files,
            host: self.host.clone(),
            programs: self.programs.clone(),
            now: Arc::new(move || clock.now()),
        };
        Ok(network.connect(account, outside))
    }

    async fn grant(&self, account: &Account) -> Result<Option<GrantInfo>, String> {
        let ways = networks::find(&account.network).map_or(&[][..], |network| network.profile().sign_in);
        let Some(field) = ways.iter().find(|way| way.grants()).map(|way| way.field()) else {
            return Ok(None);
        };
        // What a person has pasted comes first: the grant is not used then, and no keyring is asked for it.
        if self.tools.secrets.read(&Owner::account(account), field).await?.is_some() {
            return Ok(None);
        }
        self.keeper(account).info().await
    }

    fn server_time(&self) -> Option<DateTime<Utc>> {
        let (told, then) = self.tools.http.server_time()?;
        Some(told + TimeDelta::from_std(self.tools.clock.elapsed().saturating_sub(then)).ok()?)
    }
}
